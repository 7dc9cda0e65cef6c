//! The sessions of people whose token was exchanged for a cookie.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use subtle::ConstantTimeEq as _;

use super::{
    token::{KeyId, ViewerClaims, ViewerMode},
    verifier::Verifier,
};
use crate::session::LeaseKey;

/// A session ends after this time.
pub(super) const LIFETIME: Duration = Duration::from_secs(12 * 3600);
/// A session ends after this time without a connection.
const IDLE: Duration = Duration::from_secs(3600);
/// Maximum number of sessions; the one that was unused for the longest time gives way.
const MAX_SESSIONS: usize = 256;
/// Maximum number of connections of a session at a time.
const MAX_SOCKETS: usize = 4;

/// One person's session.
#[derive(Debug)]
pub(super) struct ViewerSession {
    pub(super) mode: ViewerMode,
    /// The person's name.
    pub(super) viewer: String,
    key: KeyId,
    /// A value that only pages of the daemon's own origin have, besides the cookie: browsers send a
    /// cookie to every port of a host.
    secret: String,
    began: Instant,
    state: Mutex<SessionState>,
}

#[derive(Debug)]
struct SessionState {
    sockets: usize,
    used: Instant,
    /// When the person last gave input, on any connection.
    input: Instant,
    /// It outlives a connection that breaks off.
    lease: Option<LeaseKey>,
}

/// A connection of a session. The session counts it until it is dropped.
#[derive(Debug)]
pub(super) struct SessionSocket(pub(super) Arc<ViewerSession>);

impl Drop for SessionSocket {
    fn drop(&mut self) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.sockets -= 1;
        state.used = Instant::now();
    }
}

impl ViewerSession {
    /// Counts a connection; `None` if the session has too many.
    pub(super) fn connect(self: &Arc<Self>) -> Option<SessionSocket> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.sockets >= MAX_SOCKETS {
            return None;
        }
        state.sockets += 1;
        drop(state);
        Some(SessionSocket(Arc::clone(self)))
    }

    /// Whether the session has as many connections as it may have.
    pub(super) fn is_full(&self) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.sockets >= MAX_SOCKETS
    }

    /// Whether this is the session's only connection.
    pub(super) fn is_last_socket(&self) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.sockets == 1
    }

    /// Whether a page knows the session's secret.
    pub(super) fn is_opened_by(&self, secret: &str) -> bool {
        self.secret.as_bytes().ct_eq(secret.as_bytes()).into()
    }

    /// Notes that the person gives input.
    pub(super) fn note_input(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.input = Instant::now();
    }

    /// Time since the person last gave input.
    pub(super) fn without_input(&self) -> Duration {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.input.elapsed()
    }

    /// The lease that the session took, which may have ended.
    pub(super) fn lease(&self) -> Option<LeaseKey> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.lease
    }

    /// Notes the lease that the session took, or that it has none.
    pub(super) fn hold(&self, lease: Option<LeaseKey>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.lease = lease;
    }

    /// Whether the session is valid now.
    pub(super) fn is_valid(&self, verifier: &Verifier) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let is_idle = state.sockets == 0 && state.used.elapsed() >= IDLE;
        self.began.elapsed() < LIFETIME && !is_idle && verifier.has(self.key)
    }

    fn last_used(&self) -> (bool, Instant) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        (state.sockets > 0, state.used)
    }
}

/// All sessions, by the value of their cookie.
#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<HashMap<String, Arc<ViewerSession>>>);

impl Sessions {
    /// Begins a session. Returns the value of its cookie, and its secret.
    pub(super) fn begin(
        &self,
        claims: ViewerClaims,
        key: KeyId,
    ) -> Result<(String, String), getrandom::Error> {
        let random = || {
            Ok(format!(
                "{:016x}{:016x}",
                getrandom::u64()?,
                getrandom::u64()?
            ))
        };
        let (cookie, secret) = (random()?, random()?);
        let now = Instant::now();
        let session = Arc::new(ViewerSession {
            mode: claims.mode,
            viewer: claims.viewer,
            key,
            secret: secret.clone(),
            began: now,
            state: Mutex::new(SessionState {
                sockets: 0,
                used: now,
                input: now,
                lease: None,
            }),
        });
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if sessions.len() >= MAX_SESSIONS {
            let oldest = sessions
                .iter()
                .min_by_key(|(_, session)| session.last_used());
            if let Some(oldest) = oldest.map(|(cookie, _)| cookie.clone()) {
                sessions.remove(&oldest);
            }
        }
        sessions.insert(cookie.clone(), session);
        Ok((cookie, secret))
    }

    /// Returns the session with this cookie, if it is valid.
    pub(super) fn find(&self, cookie: &str, verifier: &Verifier) -> Option<Arc<ViewerSession>> {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let session = Arc::clone(sessions.get(cookie)?);
        if !session.is_valid(verifier) {
            sessions.remove(cookie);
            return None;
        }
        Some(session)
    }
}
