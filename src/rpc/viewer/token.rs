//! Viewer tokens and their keys (`docs/reference/viewer-tokens.md`): how they are minted, and what their
//! signature proves.

use std::{
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
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
/// Maximum time for which a token may be valid, in seconds.
pub(super) const MAX_TTL: u64 = 3600;

/// The rights of a person.
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
    /// The rights of the person.
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
    /// More tokens were used than the daemon remembers.
    #[error("too many tokens were used within an hour; try again later")]
    TooMany,
}

/// One key of the file. Its `Debug` output does not reveal it.
#[derive(Clone)]
pub(super) struct ViewerKey(hmac::Key, pub(super) KeyId);

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
pub(super) fn read_keys(path: &Path) -> Result<Vec<ViewerKey>, ViewerTokenError> {
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
        if value.len() > MAX_NAME || value.chars().any(crate::text::is_hidden) {
            return Err(ViewerTokenError::Claim(name));
        }
    }
    if claims.exp.saturating_sub(claims.iat) > MAX_TTL {
        return Err(ViewerTokenError::TooLong);
    }
    Ok(())
}

/// Returns the claims of a token that one of the keys has signed, and that key.
pub(super) fn verified(
    token: &str,
    keys: &[ViewerKey],
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
    let key = keys
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
    Ok((claims, key))
}
