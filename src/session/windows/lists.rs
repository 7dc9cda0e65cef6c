//! The windows of one display, and lists of them.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::arranged::Arranged;
use crate::{
    failure::{Cause, Failure, Stage},
    session::capture::Capture,
    x11::{WindowList, WindowThread},
};

/// Minimum pause between two lists of one caller.
pub(in crate::session) const APART: Duration = Duration::from_millis(10);
/// The windows are listed again after this time, even if no event reported a change.
pub(super) const REREAD: Duration = Duration::from_millis(100);
/// Time before the reply that a last look at the windows may take.
const LAST_LOOK: Duration = Duration::from_millis(50);

/// Returns when the windows are looked at for the last time: at `end`, but so early that the result
/// is known by `reply_by`.
pub(super) fn last_look(end: Instant, reply_by: Instant) -> Instant {
    let left = reply_by.saturating_duration_since(Instant::now());
    end.min(reply_by - LAST_LOOK.min(left / 4))
}

/// The windows of one display.
#[derive(Debug)]
pub struct Windows {
    pub(in crate::session) capture: Arc<Capture>,
    /// Started by the first call.
    thread: Mutex<Option<Arc<WindowThread>>>,
    arranged: Mutex<Arranged>,
}

impl Windows {
    pub(in crate::session) fn new(capture: Arc<Capture>) -> Self {
        Self {
            capture,
            thread: Mutex::default(),
            arranged: Mutex::default(),
        }
    }

    pub(in crate::session) fn thread(&self) -> Result<Arc<WindowThread>, Failure> {
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = &*thread {
            return Ok(Arc::clone(thread));
        }
        let started = WindowThread::start(&self.capture.display).map_err(|error| Failure {
            stage: Stage::Display,
            cause: Cause::Internal,
            message: format!("no thread for the windows can be started: {error}"),
        })?;
        Ok(Arc::clone(thread.insert(Arc::new(started))))
    }

    /// The windows whose pictures were parts of the screen.
    pub(super) fn arranged(&self) -> MutexGuard<'_, Arranged> {
        self.arranged.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lists the windows, after this call began.
    ///
    /// # Errors
    ///
    /// When the display cannot be reached, or does not answer before `reply_by`.
    pub async fn list(&self, reply_by: Instant) -> Result<Arc<WindowList>, Failure> {
        let thread = self.thread()?;
        self.capture.wait(reply_by, thread.list()).await
    }
}
