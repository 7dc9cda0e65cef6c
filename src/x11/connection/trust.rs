//! Decides which paint proofs are accepted.
//!
//! A paint proof is stored in a property of the root window, which any program of the desktop can
//! write. So it is accepted only if the property equals what this daemon wrote last, or what an
//! earlier instance recorded in a file that the desktop's user cannot write.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::{files, processes};

/// Maximum size of the file that is read, in bytes.
const MAX_BYTES: u64 = 4096;

/// Identity of one X server process. No program of the desktop can choose any part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::x11) enum ServerLife {
    /// A known process.
    Process {
        pid: u32,
        /// Start time in clock ticks since boot.
        started: u64,
    },
    /// An unknown process, identified by the number of the connection to it.
    Connection(u64),
}

impl ServerLife {
    /// Identifies the X server by its process id, if that is known, else by a new connection
    /// number.
    pub(in crate::x11) fn of(pid: Option<u32>) -> Self {
        static CONNECTIONS: AtomicU64 = AtomicU64::new(0);
        let process = pid.and_then(|pid| Some((pid, processes::started(pid)?)));
        match process {
            Some((pid, started)) => Self::Process { pid, started },
            None => Self::Connection(CONNECTIONS.fetch_add(1, Ordering::Relaxed)),
        }
    }
}

/// The content of `_DESKD_STATE` that deskd wrote last, shared by all connections.
#[derive(Debug, Clone, Default)]
pub struct Trust(Arc<Mutex<Written>>);

#[derive(Debug, Default)]
struct Written {
    text: Option<(ServerLife, Vec<u8>)>,
    /// The file in which the record is kept for the next daemon instance.
    file: Option<PathBuf>,
    /// The content of that file at the start, in the format of [`record`].
    kept: Option<Vec<u8>>,
}

impl Trust {
    /// Accepts the record that an earlier instance left in `file` about the same X server. Without
    /// a file, no record is read or kept.
    pub fn kept_in(file: Option<&Path>) -> Self {
        let kept = file.and_then(|file| {
            files::read_own(file, MAX_BYTES)
                .inspect_err(|error| match error.kind() {
                    io::ErrorKind::NotFound => {}
                    _ => tracing::warn!("{} says nothing: {error}", file.display()),
                })
                .ok()
        });
        let written = Written {
            text: None,
            file: file.map(Path::to_owned),
            kept,
        };
        Self(Arc::new(Mutex::new(written)))
    }

    /// Whether `text`, the content of `_DESKD_STATE`, is what this instance wrote last or, before
    /// its first write, what an earlier instance recorded.
    pub(in crate::x11) fn holds(&self, life: ServerLife, text: &[u8]) -> bool {
        let written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match (&written.text, &written.kept) {
            (Some((of, own)), _) => *of == life && own == text,
            (None, Some(kept)) => record(life, text).is_some_and(|record| record == *kept),
            (None, None) => false,
        }
    }

    /// Returns the text that this instance wrote last, if it was written to the X server `life`.
    pub(in crate::x11) fn last(&self, life: ServerLife) -> Option<Vec<u8>> {
        let written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (of, text) = written.text.as_ref()?;
        (*of == life).then(|| text.clone())
    }

    /// Records a text that is about to be written.
    pub(in crate::x11) fn note(&self, life: ServerLife, text: &[u8]) {
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Some((life, text.to_owned()));
        if written.text == now {
            return;
        }
        written.text = now;
        if let (Some(file), Some(record)) = (&written.file, record(life, text))
            && let Err(error) = files::write_own(file, &record)
        {
            // The next daemon instance then has to prove the paint again.
            tracing::debug!("{} cannot be written: {error}", file.display());
        }
    }
}

/// Returns `1 BOOT PID STARTED TEXT`, or `None` for a server that is known only by its connection,
/// because another daemon instance could not recognize it.
fn record(life: ServerLife, text: &[u8]) -> Option<Vec<u8>> {
    let ServerLife::Process { pid, started } = life else {
        return None;
    };
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let mut record = format!("1 {} {pid} {started} ", boot.trim()).into_bytes();
    record.extend_from_slice(text);
    Some(record)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const LIFE: ServerLife = ServerLife::Process {
        pid: 7,
        started: 1234,
    };
    const LATER: ServerLife = ServerLife::Process {
        pid: 7,
        started: 1235,
    };

    #[test]
    fn only_what_was_written_last_is_believed() {
        let trust = Trust::kept_in(None);
        assert!(!trust.holds(LIFE, b"a"));
        trust.note(LIFE, b"a");
        assert!(trust.holds(LIFE, b"a") && !trust.holds(LATER, b"a"));
        trust.note(LIFE, b"b");
        assert!(!trust.holds(LIFE, b"a"));
        let (one, other) = (ServerLife::of(None), ServerLife::of(None));
        trust.note(one, b"b");
        assert!(trust.holds(one, b"b") && !trust.holds(other, b"b"));
    }

    #[test]
    fn another_life_of_the_daemon_believes_it_of_the_same_server_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("deskd.sock.proof");
        let again = || Trust::kept_in(Some(&file));
        assert!(!again().holds(LIFE, b"a"));
        again().note(LIFE, b"a");
        assert!(again().holds(LIFE, b"a"));
        assert!(!again().holds(LATER, b"a") && !again().holds(LIFE, b"b"));
        assert!(!again().holds(ServerLife::of(None), b"a"));
        // A record that other users can write is ignored.
        fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
        assert!(!again().holds(LIFE, b"a"));
    }
}
