//! Authentication: by token over TCP, and by the peer's user id over a Unix socket.

use std::{
    fs,
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;
use tonic::{Request, Status, service::Interceptor};

use crate::files;
use crate::rpc::{
    limits,
    messages::{status, status::Reason},
    transport::{
        connection::{Caller, KnownPeer, Peer},
        require,
    },
};

/// Minimum length of a token: 16 bytes are 96 bits even if they are base64.
const MIN_TOKEN_BYTES: usize = 16;
/// Maximum length of a token.
pub(in crate::rpc) const MAX_TOKEN_BYTES: u64 = 4096;
/// Interval at which the token file is checked for changes: a replaced token must take effect
/// within 1 s (R36).
const RECHECK: Duration = Duration::from_millis(250);

/// A bearer token. Its `Debug` output does not reveal it.
#[derive(Debug, Clone)]
pub struct Token(pub(in crate::rpc) SecretString);

/// Why a token file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file cannot be read.
    #[error("the token file {} cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The file does not hold a token.
    #[error(
        "the token file {} does not hold a token: it must be one line of {MIN_TOKEN_BYTES} to \
         {MAX_TOKEN_BYTES} printable ASCII characters without spaces", path.display()
    )]
    Malformed {
        /// The file.
        path: PathBuf,
    },
}

impl Token {
    /// Reads a token from a file, and ignores white space around it.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read or does not hold a token.
    pub fn read(path: &Path) -> Result<Self, TokenError> {
        let failed = |source| TokenError::Read {
            path: path.to_owned(),
            source,
        };
        let mut text = Vec::new();
        // Opening a FIFO must not block until it has a writer; only a regular file is
        // accepted.
        let mut options = fs::File::options();
        let file = options.read(true).custom_flags(libc::O_NONBLOCK).open(path);
        let file = file.map_err(failed)?;
        if !file.metadata().map_err(failed)?.is_file() {
            return Err(failed(io::Error::new(
                io::ErrorKind::InvalidInput,
                "not a regular file",
            )));
        }
        file.take(MAX_TOKEN_BYTES + 2)
            .read_to_end(&mut text)
            .map_err(failed)?;
        let token = text.trim_ascii();
        let length = MIN_TOKEN_BYTES..=usize::try_from(MAX_TOKEN_BYTES).unwrap_or(usize::MAX);
        if !length.contains(&token.len()) || !token.iter().all(u8::is_ascii_graphic) {
            return Err(TokenError::Malformed {
                path: path.to_owned(),
            });
        }
        Ok(Self(String::from_utf8_lossy(token).into_owned().into()))
    }

    fn matches(&self, given: &[u8]) -> bool {
        // Constant time for equal lengths; the length is not secret.
        self.0.expose_secret().as_bytes().ct_eq(given).into()
    }
}

/// A token file that may be replaced while the daemon runs.
#[derive(Debug)]
struct TokenFile {
    path: PathBuf,
    state: Mutex<TokenState>,
}

#[derive(Debug)]
struct TokenState {
    checked: Instant,
    stamp: Option<files::Stamp>,
    /// `None` while the file cannot be read: all tokens are refused.
    token: Option<Token>,
    /// Increases each time the token changes.
    number: u64,
}

impl TokenFile {
    /// Returns the number of the file's current token, if `given` equals that token.
    fn allows(&self, given: &[u8]) -> Option<u64> {
        let state = self.state();
        let token = state.token.as_ref();
        token.filter(|token| token.matches(given))?;
        Some(state.number)
    }

    /// Returns the file's current token; reads the file again if it has changed.
    fn state(&self) -> MutexGuard<'_, TokenState> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.checked.elapsed() >= RECHECK {
            let stamp = files::stamp(&self.path).ok();
            if stamp != state.stamp || stamp.is_none() {
                let token = Token::read(&self.path)
                    .inspect_err(|error| tracing::error!("nobody is let in: {error}"))
                    .ok();
                let same = match (&token, &state.token) {
                    (Some(new), Some(old)) => old.matches(new.0.expose_secret().as_bytes()),
                    _ => false,
                };
                state.number += u64::from(!same);
                state.token = token;
                state.stamp = stamp;
            }
            state.checked = Instant::now();
        }
        state
    }
}

/// The token with which a call was authenticated. Replacing the token ends the call's stream.
#[derive(Debug, Clone)]
pub(in crate::rpc) struct Credential {
    file: Arc<TokenFile>,
    number: u64,
}

impl Credential {
    /// Waits until the token is replaced, and returns the status that then ends the stream.
    pub(in crate::rpc) async fn revoked(&self) -> Status {
        loop {
            tokio::time::sleep(RECHECK).await;
            if self.file.state().number != self.number {
                return status::unauthenticated(
                    Reason::TokenInvalid,
                    "the token that this stream was begun with was replaced".into(),
                );
            }
        }
    }
}

/// Waits as [`Credential::revoked`] does. If the call was admitted without a token, waits
/// permanently.
pub(in crate::rpc) async fn revoked(credential: Option<&Credential>) -> Status {
    match credential {
        Some(credential) => credential.revoked().await,
        None => std::future::pending().await,
    }
}

/// Admits a call, or refuses it: UNAUTHENTICATED, RESOURCE_EXHAUSTED if all connections are
/// in use, or UNIMPLEMENTED for a required feature.
#[derive(Debug, Clone)]
pub(in crate::rpc) struct Gatekeeper {
    token: Option<Arc<TokenFile>>,
    allowed_uids: Arc<[u32]>,
}

impl Gatekeeper {
    /// Creates a gatekeeper; reads the token file if there is one.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read or does not hold a token.
    pub(in crate::rpc) fn new(
        token_file: Option<&Path>,
        allowed_uids: &[u32],
    ) -> Result<Self, TokenError> {
        let token = token_file.map(|path| -> Result<_, TokenError> {
            let stamp = files::stamp(path).ok();
            let token = Some(Token::read(path)?);
            let state = Mutex::new(TokenState {
                checked: Instant::now(),
                stamp,
                token,
                number: 0,
            });
            Ok(Arc::new(TokenFile {
                path: path.to_owned(),
                state,
            }))
        });
        Ok(Self {
            token: token.transpose()?,
            allowed_uids: allowed_uids.into(),
        })
    }

    /// Whether `token` is the one in the token file. Without a token file, no token is.
    pub(in crate::rpc) fn allows(&self, token: &[u8]) -> bool {
        let file = self.token.as_ref();
        file.is_some_and(|file| file.allows(token).is_some())
    }

    /// Returns the peers that are admitted without a token.
    pub(in crate::rpc) fn known(&self) -> KnownPeer {
        KnownPeer {
            uids: Arc::clone(&self.allowed_uids),
            anybody_over_tcp: self.token.is_none(),
        }
    }

    /// Authenticates a call and admits its connection. Returns the token of the call, if one
    /// is required.
    fn check(&self, request: &Request<()>) -> Result<Option<Credential>, Denied> {
        let caller = request.extensions().get::<Caller>().ok_or(Denied::NoPeer)?;
        let credential = self.credential(caller, request)?;
        match caller.standing.admit() {
            true => Ok(credential),
            false => Err(Denied::NoPlace),
        }
    }

    fn credential(
        &self,
        caller: &Caller,
        request: &Request<()>,
    ) -> Result<Option<Credential>, Denied> {
        match caller.peer {
            Peer::Unix { uid } if self.allowed_uids.contains(&uid) => Ok(None),
            Peer::Unix { uid } => Err(Denied::Peer(uid)),
            Peer::Tcp => {
                let Some(token) = &self.token else {
                    return Ok(None);
                };
                let header = request
                    .metadata()
                    .get("authorization")
                    .ok_or(Denied::NoToken)?;
                let header = header.as_bytes();
                let (scheme, bearer) = header
                    .split_at_checked(b"Bearer ".len())
                    .ok_or(Denied::NoToken)?;
                if !scheme.eq_ignore_ascii_case(b"Bearer ") {
                    return Err(Denied::NoToken);
                }
                let number = token.allows(bearer).ok_or(Denied::WrongToken)?;
                let file = Arc::clone(token);
                Ok(Some(Credential { file, number }))
            }
        }
    }
}

/// Why a call is refused.
#[derive(Debug, thiserror::Error)]
enum Denied {
    #[error(
        "no bearer token came with the call: send the header `authorization: Bearer TOKEN`, or give deskd's client --token-file"
    )]
    NoToken,
    #[error("the bearer token is wrong: give the one in the daemon's --token-file")]
    WrongToken,
    #[error("user id {0} may not use this socket: start deskd with --allow-uid {0}")]
    Peer(u32),
    #[error("the connection's peer is not known")]
    NoPeer,
    #[error(
        "{} connections of this address are in use: close one, or call on one",
        limits::MAX_CONNECTIONS
    )]
    NoPlace,
}

impl Interceptor for Gatekeeper {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        match self.check(&request) {
            Ok(credential) => {
                require::check(request.metadata())?;
                if let Some(credential) = credential {
                    request.extensions_mut().insert(credential);
                }
                Ok(request)
            }
            Err(refused) => {
                let message = refused.to_string();
                Err(match refused {
                    Denied::NoPlace => status::exhausted(Reason::QueueFull, message),
                    Denied::NoToken => status::unauthenticated(Reason::TokenMissing, message),
                    Denied::WrongToken => status::unauthenticated(Reason::TokenInvalid, message),
                    Denied::Peer(_) | Denied::NoPeer => {
                        status::unauthenticated(Reason::PeerNotAllowed, message)
                    }
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Token, TokenError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        Token::read(file.path())
    }

    #[test]
    fn a_token_is_one_word_of_sensible_length() {
        assert!(
            read("0123456789abcdef\n")
                .unwrap()
                .matches(b"0123456789abcdef")
        );
        assert!(read(&"x".repeat(4096)).is_ok());
        for text in [
            "",
            "short",
            "0123456789 abcdef",
            "0123456789abcdé!",
            &"x".repeat(4097),
        ] {
            assert!(
                matches!(read(text), Err(TokenError::Malformed { .. })),
                "{text:?}"
            );
        }
        assert!(matches!(
            Token::read(Path::new("/nonexistent")),
            Err(TokenError::Read { .. })
        ));
    }

    #[test]
    fn a_token_never_prints() {
        let token = read("canary-0123456789").unwrap();
        assert!(!format!("{token:?}").contains("canary"));
        assert!(!token.matches(b"canary-012345678") && !token.matches(b""));
    }
}
