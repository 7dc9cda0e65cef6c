//! Control of the input: one holder at a time, for a limited time.
//!
//! - `lease`: the state machine.
//! - `shared`: the state that captures and input check.
//! - `kept`: the file in which lease and epoch outlive a restart.

mod kept;
mod lease;
mod shared;

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, time::Instant};

pub use lease::{
    Authenticated, ControlRefusal, HolderKind, Lease, LeaseEnd, LeaseKey, Leases, TakeLease,
};
pub(in crate::session) use shared::SharedLeases;

use super::input::Input;
use crate::failure::Failure;

/// Maximum time to release held input after a lease has expired.
const RELEASE: Duration = Duration::from_secs(5);
/// An overdue lease is noticed after this time at the latest, also if the clock is set.
const TICK: Duration = Duration::from_secs(1);

/// Why control was not taken or given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// Another caller is in control, or the lease has ended.
    #[error(transparent)]
    Refused(#[from] ControlRefusal),
    /// The X server does not answer, so that held input cannot be released now.
    #[error("held keys and buttons cannot be released: {}", .0.message)]
    NotReleased(Failure),
}

/// Control of the input of one display.
#[derive(Debug)]
pub struct Control {
    leases: Arc<SharedLeases>,
    input: Arc<Input>,
}

impl LeaseKey {
    /// Returns the key of the lease with this id.
    pub fn of(id: &str) -> Self {
        let digest = ring::digest::digest(&ring::digest::SHA256, id.as_bytes());
        let mut first = [0; 16];
        first.copy_from_slice(&digest.as_ref()[..16]);
        Self(u128::from_be_bytes(first))
    }
}

impl Control {
    pub(super) fn new(leases: Arc<SharedLeases>, input: Arc<Input>) -> Self {
        Self { leases, input }
    }

    /// Returns who is in control, and each change.
    pub fn watch(&self) -> watch::Receiver<Leases> {
        self.leases.watch()
    }

    /// Returns who is in control.
    pub fn now(&self) -> Leases {
        self.leases.now()
    }

    /// Returns the time until a lease ends, and the time since it began.
    pub fn times(lease: &Lease) -> (Duration, Duration) {
        let now = kept::now();
        (
            lease.until.saturating_sub(now),
            now.saturating_sub(lease.began),
        )
    }

    /// Refuses a caller that may not change the desktop now. `key`: the lease that the caller names.
    ///
    /// # Errors
    ///
    /// Another caller is in control, or that lease has ended.
    pub fn check(&self, key: Option<LeaseKey>) -> Result<(), ControlRefusal> {
        self.leases.check(key)
    }

    /// Returns the id of a new lease: 32 hexadecimal digits.
    ///
    /// # Errors
    ///
    /// The system provides no random numbers.
    pub fn new_id() -> Result<String, Failure> {
        let id = getrandom::u64().and_then(|high| Ok((high, getrandom::u64()?)));
        let (high, low) = id.map_err(|error| no_random(&error))?;
        Ok(format!("{high:016x}{low:016x}"))
    }

    /// Begins the lease with this id, and returns when the step under way has stopped and no input is
    /// held. If the caller gives up before, no lease remains.
    ///
    /// # Errors
    ///
    /// Another caller is in control, or held input cannot be released before `reply_by`; then no
    /// lease remains.
    pub async fn take(
        &self,
        id: &str,
        asked: TakeLease,
        reply_by: Instant,
    ) -> Result<Leases, ControlError> {
        let key = LeaseKey::of(id);
        let (kind, ttl) = (asked.kind, asked.ttl);
        let (taken, has_changed_hands) = self
            .leases
            .change(|leases| leases.take(asked, key, kept::now()));
        if let Err(refused) = taken {
            // An overdue lease has ended all the same.
            self.released(has_changed_hands, reply_by).await;
            return Err(refused.into());
        }
        let unfinished = Unfinished {
            control: self,
            key: Some(key),
        };
        tracing::info!(?kind, ?ttl, epoch = self.leases.epoch(), "control is taken");
        if let Err(failure) = self.input.release_all(reply_by).await {
            // Nothing is half done: without a clean input, nobody is in control.
            drop(unfinished);
            return Err(ControlError::NotReleased(failure));
        }
        unfinished.finish();
        Ok(self.now())
    }

    /// Extends a lease.
    ///
    /// # Errors
    ///
    /// The lease has ended.
    pub async fn renew(
        &self,
        key: LeaseKey,
        ttl: Option<Duration>,
    ) -> Result<Leases, ControlRefusal> {
        let (renewed, has_changed_hands) = self
            .leases
            .change(|leases| leases.renew(key, ttl, kept::now()));
        // It was noticed here that a lease is overdue.
        self.released(has_changed_hands, Instant::now() + RELEASE)
            .await;
        renewed?;
        Ok(self.now())
    }

    /// Releases held input after a lease was found overdue.
    async fn released(&self, has_changed_hands: bool, reply_by: Instant) {
        if has_changed_hands && let Err(failure) = self.input.release_all(reply_by).await {
            tracing::warn!("the holder's input stays held: {}", failure.message);
        }
    }

    /// Ends the lease with this key; without one, the lease of `caller`. Returns when the holder's step
    /// has stopped and no input is held.
    ///
    /// # Errors
    ///
    /// The lease has ended or belongs to another caller. Or held input cannot be released before
    /// `reply_by`: then the lease has ended, and the input is released when the X server answers.
    pub async fn give(
        &self,
        key: Option<LeaseKey>,
        caller: &Authenticated,
        reply_by: Instant,
    ) -> Result<Leases, ControlError> {
        let (gave, has_changed_hands) = self.leases.change(|leases| leases.give(key, caller));
        if has_changed_hands {
            tracing::info!(epoch = self.leases.epoch(), "a lease has ended");
            let released = self.input.release_all(reply_by).await;
            gave?;
            released.map_err(ControlError::NotReleased)?;
        } else {
            gave?;
        }
        Ok(self.now())
    }

    /// Ends leases that are overdue, and releases what their holders held. Runs until the daemon stops.
    pub async fn keep(self: Arc<Self>) {
        let mut told = self.leases.watch();
        loop {
            let until = told.borrow_and_update().lease().map(|lease| lease.until);
            let rest = until.map(|until| until.saturating_sub(kept::now()).min(TICK));
            tokio::select! {
                changed = told.changed() => {
                    if changed.is_err() {
                        return;
                    }
                }
                () = tokio::time::sleep(rest.unwrap_or(TICK)), if rest.is_some() => {
                    let ((), has_changed_hands) = self.leases.change(|_| ());
                    if has_changed_hands {
                        tracing::info!(epoch = self.leases.epoch(), "a lease was not renewed");
                        self.released(true, Instant::now() + RELEASE).await;
                    }
                }
            }
        }
    }
}

/// A lease whose taking is not finished. It ends if this is dropped, because then nobody has its id.
struct Unfinished<'a> {
    control: &'a Control,
    key: Option<LeaseKey>,
}

impl Unfinished<'_> {
    fn finish(mut self) {
        self.key = None;
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        let Some(key) = self.key else {
            return;
        };
        let leases = &self.control.leases;
        // The lease is named by its key, so the caller does not matter.
        let ((), _) = leases.change(|leases| drop(leases.give(Some(key), &Authenticated::Anybody)));
    }
}

fn no_random(error: &getrandom::Error) -> Failure {
    Failure {
        stage: crate::failure::Stage::Input,
        cause: crate::failure::Cause::Internal,
        message: format!("the system provides no random numbers: {error}"),
    }
}
