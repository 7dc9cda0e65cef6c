//! The state of the X thread that other threads can read while it waits for the server.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// The state of the X thread that the async side can see while that thread waits for the
/// server.
#[derive(Debug)]
pub(in crate::x11) struct Pulse {
    origin: Instant,
    /// Start of the current wait for the server in milliseconds since `origin`, plus 1; 0 if the
    /// thread does not wait.
    waiting_since: AtomicU64,
    /// When the thread last began a pass of its loop, in milliseconds since `origin`.
    turned_at: AtomicU64,
}

impl Pulse {
    pub(in crate::x11) fn new() -> Self {
        Self {
            origin: Instant::now(),
            waiting_since: AtomicU64::new(0),
            turned_at: AtomicU64::new(0),
        }
    }

    /// How long the X thread has been waiting for the server's next byte; `None` if it does not
    /// wait.
    pub(in crate::x11) fn waiting(&self) -> Option<Duration> {
        let since = self.waiting_since.load(Ordering::Relaxed).checked_sub(1)?;
        Some(
            self.origin
                .elapsed()
                .saturating_sub(Duration::from_millis(since)),
        )
    }

    /// Records that the thread starts a loop iteration.
    pub(in crate::x11) fn turn(&self) {
        let now = u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.turned_at.store(now, Ordering::Relaxed);
    }

    /// Time since the thread started its last loop iteration.
    pub(in crate::x11) fn turned(&self) -> Duration {
        let at = Duration::from_millis(self.turned_at.load(Ordering::Relaxed));
        self.origin.elapsed().saturating_sub(at)
    }

    pub(in crate::x11) fn begin(&self) {
        let now = u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX - 1);
        self.waiting_since.store(now + 1, Ordering::Relaxed);
    }

    pub(in crate::x11) fn end(&self) {
        self.waiting_since.store(0, Ordering::Relaxed);
    }
}
