//! Keeps the lease and the control epoch in a file, for the next instance of the daemon.
//!
//! The file lies beside the daemon's socket. It is read only if no other user can have written it.

use std::{
    io,
    path::PathBuf,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

use super::lease::{Authenticated, HolderKind, Lease, LeaseEnd, LeaseKey, Leases, Moment};
use crate::files;

/// Maximum size of the file in bytes.
const MAX_BYTES: u64 = 4096;

/// The content of the file. Times are milliseconds since 1970, by the sandbox's clock.
#[derive(Debug, Serialize, Deserialize)]
struct KeptControl {
    version: u32,
    epoch: u64,
    last_end: Option<KeptEnd>,
    lease: Option<KeptLease>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum KeptEnd {
    Given,
    Expired,
    Taken,
}

#[derive(Debug, Serialize, Deserialize)]
struct KeptLease {
    /// Hash of the id, in hexadecimal digits.
    key: String,
    is_person: bool,
    holder: String,
    reason: String,
    owner: KeptOwner,
    began_ms: u64,
    ttl_ms: u64,
    until_ms: u64,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum KeptOwner {
    User(u32),
    Token,
    Anybody,
    Viewer,
}

/// The file.
#[derive(Debug)]
pub(super) struct ControlFile(Option<PathBuf>);

/// Returns the present moment, by the clock that outlives the daemon.
pub(super) fn now() -> Moment {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default()
}

impl ControlFile {
    pub(super) fn new(path: Option<PathBuf>) -> Self {
        Self(path)
    }

    /// Returns what the file contains; the beginning, if there is none or it cannot be used.
    pub(super) fn read(&self) -> Leases {
        let Some(path) = &self.0 else {
            return Leases::default();
        };
        let read = files::read_own(path, MAX_BYTES).and_then(|bytes| {
            let kept: KeptControl = serde_json::from_slice(&bytes)?;
            kept.leases()
                .ok_or_else(|| io::Error::other("it is of another release, or malformed"))
        });
        read.unwrap_or_else(|error| {
            if error.kind() != io::ErrorKind::NotFound {
                tracing::warn!("{}: no lease is restored: {error}", path.display());
            }
            Leases::default()
        })
    }

    /// Replaces the file.
    pub(super) fn write(&self, leases: &Leases) {
        let Some(path) = &self.0 else {
            return;
        };
        let written = serde_json::to_vec(&KeptControl::of(leases))
            .map_err(io::Error::from)
            .and_then(|bytes| files::write_own(path, &bytes));
        if let Err(error) = written {
            tracing::warn!(
                "{} cannot be written, so a restart of deskd would lose who is in control: {error}",
                path.display()
            );
        }
    }
}

impl KeptControl {
    fn of(leases: &Leases) -> Self {
        let last_end = leases.last_end().map(|end| match end {
            LeaseEnd::Given => KeptEnd::Given,
            LeaseEnd::Expired => KeptEnd::Expired,
            LeaseEnd::Taken => KeptEnd::Taken,
        });
        let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let lease = leases.lease().map(|lease| KeptLease {
            key: format!("{:032x}", lease.key.0),
            is_person: lease.kind == HolderKind::Person,
            holder: lease.holder.clone(),
            reason: lease.reason.clone(),
            owner: match lease.owner {
                Authenticated::User(uid) => KeptOwner::User(uid),
                Authenticated::Token => KeptOwner::Token,
                Authenticated::Anybody => KeptOwner::Anybody,
                Authenticated::Viewer => KeptOwner::Viewer,
            },
            began_ms: milliseconds(lease.began),
            ttl_ms: milliseconds(lease.ttl),
            until_ms: milliseconds(lease.until),
        });
        Self {
            version: 1,
            epoch: leases.epoch(),
            last_end,
            lease,
        }
    }

    fn leases(self) -> Option<Leases> {
        let last_end = self.last_end.map(|end| match end {
            KeptEnd::Given => LeaseEnd::Given,
            KeptEnd::Expired => LeaseEnd::Expired,
            KeptEnd::Taken => LeaseEnd::Taken,
        });
        let lease = match self.lease {
            None => None,
            Some(kept) => {
                let ttl = Duration::from_millis(kept.ttl_ms);
                Some(Lease {
                    key: LeaseKey(u128::from_str_radix(&kept.key, 16).ok()?),
                    kind: match kept.is_person {
                        true => HolderKind::Person,
                        false => HolderKind::Agent,
                    },
                    holder: kept.holder,
                    reason: kept.reason,
                    owner: match kept.owner {
                        KeptOwner::User(uid) => Authenticated::User(uid),
                        KeptOwner::Token => Authenticated::Token,
                        KeptOwner::Anybody => Authenticated::Anybody,
                        KeptOwner::Viewer => Authenticated::Viewer,
                    },
                    began: Duration::from_millis(kept.began_ms),
                    ttl,
                    // A clock that was set back must not extend the lease.
                    until: Duration::from_millis(kept.until_ms).min(now() + ttl),
                })
            }
        };
        (self.version == 1).then(|| Leases::restored(self.epoch, lease, last_end))
    }
}

#[cfg(test)]
mod tests {
    use super::super::lease::TakeLease;
    use super::*;

    #[test]
    fn what_is_kept_is_restored_and_what_others_could_write_is_not() {
        use std::os::unix::fs::PermissionsExt as _;

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deskd.sock.control");
        let file = ControlFile::new(Some(path.clone()));
        assert_eq!(file.read(), Leases::default());
        let mut leases = Leases::default();
        let asked = TakeLease {
            kind: HolderKind::Person,
            holder: "Ada".into(),
            reason: "signs in".into(),
            ttl: Duration::from_secs(60),
            owner: Authenticated::User(7),
        };
        // Times are kept in milliseconds.
        let moment = Duration::from_millis(u64::try_from(now().as_millis()).unwrap());
        leases.take(asked, LeaseKey(5), moment).unwrap();
        file.write(&leases);
        assert_eq!(file.read(), leases);
        leases
            .give(Some(LeaseKey(5)), &Authenticated::Token)
            .unwrap();
        file.write(&leases);
        assert_eq!(file.read(), leases);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
        assert_eq!(file.read(), Leases::default());
        std::fs::remove_file(&path).unwrap();
        for text in ["", "{}", "[1]", "{\"version\":2,\"epoch\":5}"] {
            files::write_own(&path, text.as_bytes()).unwrap();
            assert_eq!(file.read(), Leases::default(), "{text}");
        }
    }
}
