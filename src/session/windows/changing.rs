//! Changes a window, and waits until it has changed.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    change::{self, ChangeOutcome, Changed, Progress},
    lists::{APART, Windows, last_look},
};
use crate::{
    session::capture::{WindowRefusal, WindowTarget},
    x11::{Sent, WindowChange},
};

/// Time between two looks at a window that changes, if no event reports a change.
const FOLLOW: Duration = Duration::from_millis(25);

impl Windows {
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
            let next = (at + FOLLOW).min(end);
            tokio::time::sleep_until((at + APART).min(next)).await;
            drop(tokio::time::timeout_at(next, changes.changed()).await);
        }
    }
}
