//! Decides which viewer tokens are accepted now: time, desktop, single use and the present keys.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::token::{
    KeyId, ViewerClaims, ViewerKey, ViewerTokenError, read_keys, seconds_now, verified,
};
use crate::files;

/// Difference between the clocks of the worker and of the sandbox that is tolerated.
const SKEW: u64 = 30;
/// Interval at which the key file is checked for changes.
const RECHECK: Duration = Duration::from_millis(500);
/// Keys are kept for this time while the file has none.
const GRACE: Duration = Duration::from_secs(3);
/// Maximum number of used tokens that are remembered.
const MAX_USED: usize = 1 << 14;

/// The desktop for which tokens are valid.
#[derive(Debug, Clone, Default)]
pub struct ViewerDesktop {
    /// Its workspace; `None`: tokens of every workspace are accepted.
    pub workspace: Option<String>,
    /// Its session; `None`: tokens of every session are accepted.
    pub session: Option<String>,
}

/// Verifies tokens, and accepts each once.
#[derive(Debug)]
pub(super) struct Verifier {
    path: PathBuf,
    desktop: ViewerDesktop,
    /// Seconds since 1970 at which the daemon started.
    started: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    keys: Vec<ViewerKey>,
    checked: Instant,
    stamp: Option<files::Stamp>,
    /// Since when the file has no usable key.
    broken: Option<Instant>,
    /// The ids of used tokens, and when they expire.
    used: HashMap<String, u64>,
}

impl Verifier {
    pub(super) fn new(path: PathBuf, desktop: ViewerDesktop) -> Result<Self, ViewerTokenError> {
        let stamp = files::stamp(&path).ok();
        let keys = read_keys(&path)?;
        Ok(Self {
            path,
            desktop,
            started: seconds_now(),
            state: Mutex::new(State {
                keys,
                checked: Instant::now(),
                stamp,
                broken: None,
                used: HashMap::new(),
            }),
        })
    }

    /// Verifies a token and marks it as used. Returns its claims and its key.
    pub(super) fn accept(
        &self,
        token: &str,
        now: u64,
    ) -> Result<(ViewerClaims, KeyId), ViewerTokenError> {
        let mut state = self.state();
        let (claims, key) = verified(token, &state.keys)?;
        if claims.exp.saturating_add(SKEW) <= now {
            return Err(ViewerTokenError::Expired);
        }
        if claims.iat > now.saturating_add(SKEW) || claims.iat < self.started {
            return Err(ViewerTokenError::OtherTime);
        }
        let is_of = |wanted: &Option<String>, claim: &String| {
            wanted.as_ref().is_none_or(|wanted| wanted == claim)
        };
        let ViewerDesktop { workspace, session } = &self.desktop;
        if !is_of(workspace, &claims.workspace) || !is_of(session, &claims.session) {
            return Err(ViewerTokenError::OtherDesktop);
        }
        state.used.retain(|_, exp| exp.saturating_add(SKEW) > now);
        if state.used.contains_key(&claims.jti) {
            return Err(ViewerTokenError::Used);
        }
        if state.used.len() >= MAX_USED {
            return Err(ViewerTokenError::TooMany);
        }
        state.used.insert(claims.jti.clone(), claims.exp);
        Ok((claims, key))
    }

    /// Whether a key is in the file.
    pub(super) fn has(&self, key: KeyId) -> bool {
        self.state().keys.iter().any(|known| known.1 == key)
    }

    /// Returns the state; reads the file again if it has changed.
    fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.checked.elapsed() >= RECHECK {
            let stamp = files::stamp(&self.path).ok();
            if stamp != state.stamp || stamp.is_none() {
                match read_keys(&self.path) {
                    Ok(keys) => {
                        (state.keys, state.stamp, state.broken) = (keys, stamp, None);
                    }
                    // A file that is being written is empty for a moment.
                    Err(error) => {
                        let since = *state.broken.get_or_insert_with(Instant::now);
                        if since.elapsed() >= GRACE && !state.keys.is_empty() {
                            tracing::error!("no viewer is let in: {error}");
                            state.keys.clear();
                        }
                        state.stamp = None;
                    }
                }
            }
            state.checked = Instant::now();
        }
        state
    }
}

#[cfg(test)]
mod tests {
    use super::super::token::{MAX_TTL, ViewerMode, mint, seconds_now};
    use super::*;

    const ONE: &str = "0123456789abcdef0123456789abcdef";
    const OTHER: &str = "fedcba9876543210fedcba9876543210";

    fn claims(now: u64) -> ViewerClaims {
        ViewerClaims {
            mode: ViewerMode::View,
            exp: now + 120,
            iat: now,
            jti: "AAAAAAAAAAAAAAAAAAAAAA".into(),
            viewer: "ada".into(),
            workspace: String::new(),
            session: String::new(),
        }
    }

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    fn verifier(file: &tempfile::NamedTempFile) -> Verifier {
        Verifier::new(file.path().into(), ViewerDesktop::default()).unwrap()
    }

    #[test]
    fn the_documented_example_is_this_token() {
        let document = include_str!("../../../docs/reference/viewer-tokens.md");
        let token = document
            .lines()
            .find(|line| line.starts_with("deskd1."))
            .unwrap();
        let file = file(ONE);
        assert_eq!(mint(file.path(), &claims(1_700_000_000)).unwrap(), token);
    }

    #[test]
    fn a_token_is_accepted_once_and_none_that_was_changed_is() {
        let file = file(&format!("{ONE}\n{OTHER}\n"));
        let verifier = verifier(&file);
        let now = seconds_now();
        let token = mint(file.path(), &claims(now)).unwrap();
        for index in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[index] = if bytes[index] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            // The last character of Base64 has bits that mean nothing, and must be 0.
            assert!(verifier.accept(&changed, now).is_err(), "{index}");
        }
        for text in [
            "",
            ".",
            "..",
            "deskd1..",
            "deskd1.e30.",
            &token[..40],
            &"a".repeat(5000),
        ] {
            assert!(verifier.accept(text, now).is_err(), "{text}");
        }
        assert_eq!(verifier.accept(&token, now).unwrap().0, claims(now));
        assert_eq!(verifier.accept(&token, now), Err(ViewerTokenError::Used));
    }

    #[test]
    fn time_and_desktop_are_checked() {
        let file = file(ONE);
        let now = seconds_now();
        let mut number = 0;
        let mut accept = |change: &dyn Fn(&mut ViewerClaims), at: u64, desktop: ViewerDesktop| {
            number += 1;
            let mut claims = claims(now);
            claims.jti = format!("id-of-sixteen-{number:04}");
            change(&mut claims);
            let verifier = Verifier::new(file.path().into(), desktop).unwrap();
            let token = mint(file.path(), &claims)?;
            verifier.accept(&token, at).map(|_| ())
        };
        let any = ViewerDesktop::default;
        assert_eq!(accept(&|_| {}, now + 120 + SKEW - 1, any()), Ok(()));
        assert_eq!(
            accept(&|_| {}, now + 120 + SKEW, any()),
            Err(ViewerTokenError::Expired)
        );
        for iat in [now + SKEW + 1, now - 60] {
            let refused = accept(&|claims| claims.iat = iat, now, any());
            assert_eq!(refused, Err(ViewerTokenError::OtherTime), "{iat}");
        }
        let long = accept(&|claims| claims.exp = now + MAX_TTL + 1, now, any());
        assert_eq!(long, Err(ViewerTokenError::TooLong));
        let desktop = || ViewerDesktop {
            workspace: Some("w".into()),
            session: Some("s".into()),
        };
        let of = |workspace: &'static str, session: &'static str| {
            move |claims: &mut ViewerClaims| {
                (claims.workspace, claims.session) = (workspace.into(), session.into());
            }
        };
        assert_eq!(accept(&of("w", "s"), now, desktop()), Ok(()));
        for (workspace, session) in [("", ""), ("w", ""), ("w", "t"), ("v", "s")] {
            let refused = accept(&of(workspace, session), now, desktop());
            assert_eq!(refused, Err(ViewerTokenError::OtherDesktop));
        }
        for bad in ["short", "has spaces in it, many", &"x".repeat(65)] {
            let refused = accept(&|claims| claims.jti = bad.into(), now, any());
            assert_eq!(refused, Err(ViewerTokenError::Claim("jti")));
        }
        let line = accept(&|claims| claims.viewer = "a\nb".into(), now, any());
        assert_eq!(line, Err(ViewerTokenError::Claim("viewer")));
    }

    #[test]
    fn a_rotated_key_is_accepted_until_it_is_removed() {
        let file = file(ONE);
        let verifier = verifier(&file);
        let now = seconds_now();
        let other = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(other.path(), OTHER).unwrap();
        let mut second = claims(now);
        second.jti = "another-id-of-a-token".into();
        let foreign = mint(other.path(), &second).unwrap();
        assert_eq!(
            verifier.accept(&foreign, now),
            Err(ViewerTokenError::Forged)
        );
        let old = mint(file.path(), &claims(now)).unwrap();
        std::fs::write(file.path(), format!("{OTHER}\n{ONE}\n")).unwrap();
        std::thread::sleep(RECHECK + Duration::from_millis(50));
        let (_, key) = verifier.accept(&old, now).unwrap();
        verifier.accept(&foreign, now).unwrap();
        assert!(verifier.has(key));
        std::fs::write(file.path(), OTHER).unwrap();
        std::thread::sleep(RECHECK + Duration::from_millis(50));
        assert!(!verifier.has(key));
        for text in ["", "short", &format!("{ONE}\nshort"), &"x".repeat(9000)] {
            std::fs::write(file.path(), text).unwrap();
            assert!(read_keys(file.path()).is_err(), "{text}");
        }
        assert!(!format!("{verifier:?}").contains(OTHER));
    }
}
