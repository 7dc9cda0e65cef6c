//! The lease as the other objects of the session see it.

use std::{
    collections::VecDeque,
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use tokio::sync::watch;

use super::{
    kept::{self, ControlFile},
    lease::{ControlRefusal, LeaseKey, Leases},
};

/// Number of changes whose time is kept: more than happen while one frame is captured.
const MAX_CHANGES: usize = 64;

/// The lease and the control epoch. Changes go through [`Control`](super::Control).
#[derive(Debug)]
pub(in crate::session) struct SharedLeases {
    leases: watch::Sender<Leases>,
    file: ControlFile,
    /// The epochs, with the time at which each began, the latest last.
    began: Mutex<VecDeque<(Instant, u64)>>,
}

#[cfg(test)]
impl Default for SharedLeases {
    fn default() -> Self {
        Self::kept_in(None)
    }
}

impl SharedLeases {
    /// Restores what an earlier instance left in the file, if there is one.
    pub(in crate::session) fn kept_in(file: Option<PathBuf>) -> Self {
        let file = ControlFile::new(file);
        let leases = file.read();
        let began = VecDeque::from([(Instant::now(), leases.epoch())]);
        Self {
            leases: watch::Sender::new(leases),
            file,
            began: Mutex::new(began),
        }
    }

    /// Returns the present state, and its changes.
    pub(in crate::session) fn watch(&self) -> watch::Receiver<Leases> {
        self.leases.subscribe()
    }

    /// Returns the present state.
    pub(super) fn now(&self) -> Leases {
        self.leases.borrow().clone()
    }

    /// Changes the state, after an overdue lease was ended. Returns the result, and whether control
    /// changed hands.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Leases) -> T) -> (T, bool) {
        let (mut result, mut has_changed_hands) = (None, false);
        self.leases.send_if_modified(|leases| {
            let before = leases.clone();
            leases.expire(kept::now());
            result = Some(change(leases));
            if *leases == before {
                return false;
            }
            has_changed_hands = leases.epoch() != before.epoch();
            if has_changed_hands {
                let mut began = self.began.lock().unwrap_or_else(PoisonError::into_inner);
                if began.len() == MAX_CHANGES {
                    began.pop_front();
                }
                began.push_back((Instant::now(), leases.epoch()));
            }
            // Before any caller sees the new state: a restart must not undo it.
            self.file.write(leases);
            true
        });
        // `send_if_modified` has called the closure.
        match result {
            Some(result) => (result, has_changed_hands),
            None => unreachable!("the closure was called"),
        }
    }

    /// Returns the control epoch.
    pub(in crate::session) fn epoch(&self) -> u64 {
        self.leases.borrow().epoch()
    }

    /// Returns the control epoch at a moment in the past.
    pub(in crate::session) fn epoch_at(&self, moment: Instant) -> u64 {
        let began = self.began.lock().unwrap_or_else(PoisonError::into_inner);
        let mut before = began.iter().rev();
        let found = before.find(|(since, _)| *since <= moment);
        // Before the first change that is kept, an earlier epoch was in force.
        found.map_or(0, |(_, epoch)| *epoch)
    }

    /// Refuses a caller that may not change the desktop now. `key`: the lease that the caller names.
    pub(in crate::session) fn check(&self, key: Option<LeaseKey>) -> Result<(), ControlRefusal> {
        self.leases.borrow().check(key)
    }

    /// Refuses an epoch that is not the present one.
    pub(in crate::session) fn check_epoch(&self, expected: u64) -> Result<(), ControlRefusal> {
        self.leases.borrow().check_epoch(expected)
    }
}
