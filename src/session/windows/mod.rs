//! The windows of the desktop for callers: lists, changes that are verified, and conditions that a
//! caller waits for.
//!
//! - `target`: which window a request means.
//! - `change`: whether a window is as requested.
//! - `condition`: whether a condition is met.
//! - `waiting`: waits for a condition.

mod change;
mod condition;
mod target;
mod waiting;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

pub use condition::{Condition, ConditionState, RegionCondition, WindowCondition};
pub use target::{WindowMatch, WindowRefusal, WindowTarget};
pub(super) use waiting::Baseline;
pub use waiting::{WaitRefusal, Waited};

use super::capture::Capture;
use crate::{
    failure::{Cause, Failure, Stage},
    x11::{ListedWindow, Sent, WindowChange, WindowList, WindowThread},
};
use change::Progress;

/// Maximum number of windows that a change reports as new.
const MAX_APPEARED: usize = 16;
/// Minimum pause between two lists of one caller.
const APART: Duration = Duration::from_millis(10);
/// The windows are listed again after this time, even if no event reported a change.
const REREAD: Duration = Duration::from_millis(100);
/// A window that changed, but not as requested, is left as it is after this time without a change.
const SETTLED: Duration = Duration::from_millis(250);
/// A question that a program asks in place of closing is final after this time.
const ASKED: Duration = Duration::from_millis(300);

/// Time before the reply that a last look at the windows may take.
const LAST_LOOK: Duration = Duration::from_millis(50);

/// Returns when the windows are looked at for the last time: at `end`, but so early that the result
/// is known by `reply_by`.
fn last_look(end: Instant, reply_by: Instant) -> Instant {
    let left = reply_by.saturating_duration_since(Instant::now());
    end.min(reply_by - LAST_LOOK.min(left / 4))
}

/// The windows of one display.
#[derive(Debug)]
pub struct Windows {
    capture: Arc<Capture>,
    /// Started by the first call.
    thread: Mutex<Option<Arc<WindowThread>>>,
}

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeOutcome {
    /// The window is as requested.
    Done,
    /// It was as requested before.
    Already,
    /// It changed, but is not exactly as requested.
    Adjusted,
    /// It did not change in time.
    NotDone,
    /// It cannot be changed so. Nothing was sent.
    Unsupported,
}

/// The result of a change.
#[derive(Debug)]
pub struct Changed {
    /// What became of it.
    pub outcome: ChangeOutcome,
    /// The window afterwards; `None` if it has ended.
    pub window: Option<ListedWindow>,
    /// One sentence that says what happened.
    pub message: String,
    /// Windows that appeared meanwhile.
    pub appeared: Vec<ListedWindow>,
}

impl Windows {
    pub(super) fn new(capture: Arc<Capture>) -> Self {
        Self {
            capture,
            thread: Mutex::default(),
        }
    }

    fn thread(&self) -> Result<Arc<WindowThread>, Failure> {
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

    /// Lists the windows, after this call began.
    ///
    /// # Errors
    ///
    /// When the display cannot be reached, or does not answer before `reply_by`.
    pub async fn list(&self, reply_by: Instant) -> Result<Arc<WindowList>, Failure> {
        let thread = self.thread()?;
        self.capture.wait(reply_by, thread.list()).await
    }

    /// Changes a window, and waits at most `limit` until it has changed.
    ///
    /// # Errors
    ///
    /// When there is no such window or several, or the display cannot be reached.
    pub async fn change(
        &self,
        target: &WindowTarget,
        change: WindowChange,
        limit: Duration,
        reply_by: Instant,
    ) -> Result<Changed, WindowRefusal> {
        let thread = self.thread()?;
        let mut changes = thread.changes();
        changes.borrow_and_update();
        let before = self.list(reply_by).await?;
        let window = target.find(&before)?;
        if change::is_done(change, Some(window), &before) {
            return Ok(Changed {
                outcome: ChangeOutcome::Already,
                window: Some(window.clone()),
                message: "the window is so already".into(),
                appeared: Vec::new(),
            });
        }
        let sent = thread.change((window.xid, &window.id), change);
        match self.capture.wait(reply_by, sent).await? {
            None => return Err(WindowRefusal::unknown(target, &before)),
            Some(Sent::Unsupported(why)) => {
                return Ok(Changed {
                    outcome: ChangeOutcome::Unsupported,
                    window: Some(window.clone()),
                    message: why,
                    appeared: Vec::new(),
                });
            }
            Some(Sent::Yes) => {}
        }
        let end = last_look(Instant::now() + limit, reply_by);
        let mut progress = Progress::new(change, window, &before);
        loop {
            let now = self.list(reply_by).await?;
            let at = Instant::now();
            let outcome = progress.look(&now, at);
            let outcome = match outcome {
                None if at >= end => Some(progress.at_the_end()),
                outcome => outcome,
            };
            if let Some(outcome) = outcome {
                return Ok(progress.result(outcome, &now));
            }
            let next = (at + REREAD).min(end);
            tokio::time::sleep_until((at + APART).min(next)).await;
            drop(tokio::time::timeout_at(next, changes.changed()).await);
        }
    }
}
