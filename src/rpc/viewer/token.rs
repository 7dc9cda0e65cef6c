//! Viewer tokens (`docs/reference/viewer-tokens.md`).

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use ring::hmac;
use serde::{Deserialize, Serialize};

use crate::files;

/// The first part of a token, which names the format.
const FORMAT: &str = "deskd1";
/// Limits of a key in bytes.
const KEY: std::ops::RangeInclusive<usize> = 32..=256;
/// Maximum number of keys, and size of their file in bytes.
const MAX_KEYS: usize = 8;
const MAX_FILE: u64 = 8 * 1024;
/// Maximum size of the claims, and of a token, in bytes.
const MAX_CLAIMS: usize = 1024;
pub(super) const MAX_TOKEN: usize = 1536;
/// Maximum bytes of a name in the claims.
const MAX_NAME: usize = 128;
/// Limits of the length of a token's id.
const ID: std::ops::RangeInclusive<usize> = 16..=64;
/// Difference between the clocks of the worker and of the sandbox that is tolerated.
const SKEW: u64 = 30;
/// Maximum time for which a token may be valid, in seconds.
pub(super) const MAX_TTL: u64 = 3600;
/// Interval at which the key file is checked for changes.
const RECHECK: Duration = Duration::from_millis(500);
/// Keys are kept for this time while the file has none.
const GRACE: Duration = Duration::from_secs(3);
/// Maximum number of used tokens that are remembered.
const MAX_USED: usize = 1 << 14;

/// What a person may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ViewerMode {
    /// Watch the desktop.
    View,
    /// Watch it, and take control of it.
    Control,
}

/// The claims of a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewerClaims {
    /// What the person may do.
    pub mode: ViewerMode,
    /// Seconds since 1970 after which the token is refused.
    pub exp: u64,
    /// Seconds since 1970 at which the token was minted.
    pub iat: u64,
    /// Random id, by which the token is used once.
    pub jti: String,
    /// The name that others see when this person takes control.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub viewer: String,
    /// The workspace for which the token is valid; empty for any.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub workspace: String,
    /// The session for which the token is valid; empty for any.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub session: String,
}

/// Why a token cannot be minted or is refused. No message contains the token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ViewerTokenError {
    /// The key file cannot be read.
    #[error("the viewer key file {} cannot be used: {why}", path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// The reason.
        why: String,
    },
    /// A claim is too long, or has characters that are not allowed.
    #[error("the claim `{0}` is not valid: see docs/reference/viewer-tokens.md")]
    Claim(&'static str),
    /// The text is no token.
    #[error("this is no viewer token, or it is damaged; ask for a new link")]
    Malformed,
    /// No key has this signature.
    #[error("the token was not signed with this desktop's key; ask for a new link")]
    Forged,
    /// The token has expired.
    #[error("the token has expired; ask for a new link")]
    Expired,
    /// The token was minted in the future, or before the daemon started.
    #[error(
        "the token is from another time than this daemon; ask for a new link, or set the clocks"
    )]
    OtherTime,
    /// The token is valid for too long.
    #[error("the token is valid for more than one hour; mint tokens for 120 s")]
    TooLong,
    /// The token is for another workspace or session.
    #[error("the token is for another desktop; ask for a new link")]
    OtherDesktop,
    /// The token was used before.
    #[error("the token was used before; ask for a new link")]
    Used,
}

/// One key of the file. Its `Debug` output does not reveal it.
#[derive(Clone)]
struct ViewerKey(hmac::Key, KeyId);

/// Identifies a key, as the first bytes of the hash of the key.
pub(super) type KeyId = u64;

impl std::fmt::Debug for ViewerKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ViewerKey")
    }
}

impl ViewerKey {
    fn of(line: &[u8]) -> Self {
        let hash = ring::digest::digest(&ring::digest::SHA256, line);
        let mut id = [0; 8];
        id.copy_from_slice(&hash.as_ref()[..8]);
        let key = hmac::Key::new(hmac::HMAC_SHA256, line);
        Self(key, u64::from_be_bytes(id))
    }
}

/// Reads the keys of a file, the one for minting first.
fn read_keys(path: &Path) -> Result<Vec<ViewerKey>, ViewerTokenError> {
    let failed = |why: String| ViewerTokenError::KeyFile {
        path: path.to_owned(),
        why,
    };
    let text = files::read_at_most(path, MAX_FILE).map_err(|error| failed(error.to_string()))?;
    let lines = text.split(|byte| *byte == b'\n');
    let lines = lines
        .map(<[u8]>::trim_ascii)
        .filter(|line| !line.is_empty());
    let lines: Vec<&[u8]> = lines.collect();
    let is_key = |line: &&[u8]| KEY.contains(&line.len()) && line.iter().all(u8::is_ascii_graphic);
    if lines.is_empty() || lines.len() > MAX_KEYS || !lines.iter().all(is_key) {
        let why = format!(
            "it must have 1 to {MAX_KEYS} lines of {} to {} printable characters without spaces, such as `openssl rand -hex 32` prints",
            KEY.start(),
            KEY.end()
        );
        return Err(failed(why));
    }
    Ok(lines.into_iter().map(ViewerKey::of).collect())
}

/// Returns the seconds since 1970.
pub fn seconds_now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// Mints a token with the first key of a file.
///
/// # Errors
///
/// The file has no usable key, or a claim is not valid.
pub fn mint(path: &Path, claims: &ViewerClaims) -> Result<String, ViewerTokenError> {
    check(claims)?;
    let keys = read_keys(path)?;
    let key = keys.first().ok_or(ViewerTokenError::Malformed)?;
    let json = serde_json::to_vec(claims).map_err(|_| ViewerTokenError::Malformed)?;
    if json.len() > MAX_CLAIMS {
        return Err(ViewerTokenError::Claim("viewer"));
    }
    let signed = format!("{FORMAT}.{}", BASE64.encode(json));
    let signature = hmac::sign(&key.0, signed.as_bytes());
    Ok(format!("{signed}.{}", BASE64.encode(signature.as_ref())))
}

fn check(claims: &ViewerClaims) -> Result<(), ViewerTokenError> {
    let is_id = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if !ID.contains(&claims.jti.len()) || !claims.jti.bytes().all(is_id) {
        return Err(ViewerTokenError::Claim("jti"));
    }
    for (name, value) in [
        ("viewer", &claims.viewer),
        ("workspace", &claims.workspace),
        ("session", &claims.session),
    ] {
        if value.len() > MAX_NAME || value.chars().any(char::is_control) {
            return Err(ViewerTokenError::Claim(name));
        }
    }
    if claims.exp.saturating_sub(claims.iat) > MAX_TTL {
        return Err(ViewerTokenError::TooLong);
    }
    Ok(())
}

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
        if token.len() > MAX_TOKEN {
            return Err(ViewerTokenError::Malformed);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(ViewerTokenError::Malformed)?;
        let (format, payload) = signed.split_once('.').ok_or(ViewerTokenError::Malformed)?;
        let signature = BASE64
            .decode(signature)
            .map_err(|_| ViewerTokenError::Malformed)?;
        if format != FORMAT {
            return Err(ViewerTokenError::Malformed);
        }
        let mut state = self.state();
        let key = state
            .keys
            .iter()
            .find(|key| hmac::verify(&key.0, signed.as_bytes(), &signature).is_ok());
        // Nothing of the payload is read before its signature is known to be right.
        let key = key.ok_or(ViewerTokenError::Forged)?.1;
        let claims = BASE64
            .decode(payload)
            .map_err(|_| ViewerTokenError::Malformed)?;
        if claims.len() > MAX_CLAIMS {
            return Err(ViewerTokenError::Malformed);
        }
        let claims: ViewerClaims =
            serde_json::from_slice(&claims).map_err(|_| ViewerTokenError::Malformed)?;
        check(&claims)?;
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
        if state.used.contains_key(&claims.jti) || state.used.len() >= MAX_USED {
            return Err(ViewerTokenError::Used);
        }
        state.used.insert(claims.jti.clone(), claims.exp);
        Ok((claims, key))
    }

    /// Whether a key is in the file.
    pub(super) fn has(&self, key: KeyId) -> bool {
        self.state().keys.iter().any(|known| known.1 == key)
    }

    /// Returns the state; reads the file again if it has changed.
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
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
