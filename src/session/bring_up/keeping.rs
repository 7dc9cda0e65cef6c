//! Follows the display for as long as the daemon runs: gives a new X server its size, and waits
//! for the paint proof of each start.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{BringUp, Managed, PAINT};
use crate::{
    gate::Verdict,
    session::paint::Awaited,
    stack::{
        Stack,
        wire::{Component, Problem, StageStatus},
    },
    x11::LinkState,
};

/// Maximum time for resizing a new X server.
const RESIZE: Duration = Duration::from_secs(5);
/// Maximum time until the X thread has recorded a paint proof.
const KEEPING: Duration = Duration::from_millis(500);

impl BringUp {
    /// Sets the size of each new X server. Waits for the paint after each start of a session,
    /// so that the paint is observed without a caller. Runs until the daemon stops.
    pub async fn keep_painted(self: Arc<Self>) {
        let Some(managed) = &self.managed else {
            return;
        };
        let mut link = self.capture.display.link();
        let mut state = managed.stack.state();
        let mut carriers = None;
        loop {
            let up = state.borrow_and_update().all_up();
            let screen = match &link.borrow_and_update().state {
                LinkState::Up(screen) => Some(screen.clone()),
                LinkState::Down(_) | LinkState::Connecting => None,
            };
            let wanted = *managed.wanted_size.borrow();
            if let Some(screen) = &screen
                && screen.size != wanted
            {
                // A new X server has its maximum size. The daemon does not wait longer for a
                // hung one.
                drop(tokio::time::timeout(RESIZE, self.capture.display.resize(wanted)).await);
            }
            if up && screen.is_some() && self.capture.proved(self.capture.profile()).is_none() {
                self.await_paint(managed).await;
            }
            let now = screen
                .as_ref()
                .map(|screen| (screen.generation, screen.carriers));
            if let (Some((before, many)), Some((generation, few))) = (carriers, now)
                && before == generation
                && few < many
                && up
                && managed.stack.state().borrow().wanted
                && self.capture.proved(self.capture.profile()).is_some()
            {
                self.await_whole(managed).await;
            }
            carriers = now;
            tokio::select! {
                changed = link.changed() => if changed.is_err() { return },
                changed = state.changed() => if changed.is_err() { return },
                () = self.shutdown.cancelled() => return,
            }
        }
    }

    /// Reports that a part of the session has ended, which XFCE restarts by itself, and later
    /// that the desktop is complete again. Frames meanwhile show the real screen.
    async fn await_whole(&self, managed: &Managed) {
        let stack = &managed.stack;
        let began = Instant::now();
        let gone = "a window of the desktop has gone: its panel, wallpaper or window manager ended";
        stack.note(
            Component::Session,
            StageStatus::Failed,
            Some(Problem::Failed),
            gone.into(),
        );
        let own = Awaited::default();
        let whole = self.capture.paint.until_ready(&own);
        tokio::select! {
            _ = tokio::time::timeout(PAINT, whole) => {}
            () = until_down(stack) => return,
            () = self.shutdown.cancelled() => return,
        }
        let took = began.elapsed().as_millis();
        let (status, message) = if began.elapsed() < PAINT {
            (
                StageStatus::Completed,
                format!("the desktop is whole again, after {took} ms"),
            )
        } else {
            (
                StageStatus::Waiting,
                format!("the desktop is not whole yet, after {took} ms"),
            )
        };
        stack.note(Component::Session, status, None, message);
    }

    /// Waits until the paint is proved or a component ends, and reports the result.
    async fn await_paint(&self, managed: &Managed) {
        let stack = &managed.stack;
        let began = Instant::now();
        let profile = self.capture.profile();
        stack.note(
            Component::Paint,
            StageStatus::Started,
            None,
            format!("waiting for the paint (profile {profile})"),
        );
        let own = Awaited::default();
        let ready = self.capture.wait_ready(&own, began + PAINT);
        let failed = |why: String| {
            stack.note(
                Component::Paint,
                StageStatus::Failed,
                Some(Problem::Failed),
                why,
            );
        };
        let ready = tokio::select! {
            ready = ready => ready,
            () = until_down(stack) => {
                failed("a component ended before the desktop was painted".into());
                return;
            }
            () = self.shutdown.cancelled() => return,
        };
        if ready.evidence.verdict != Verdict::Ready {
            // The paint may still be proved; `keep_painted` waits for it again after the next
            // change.
            let why = ready.evidence.missing.join("; ");
            failed(format!("{}: {why}", ready.evidence.verdict.name()));
            return;
        }
        let took = began.elapsed().as_millis();
        let message = format!("the desktop is painted, after {took} ms");
        stack.note(Component::Paint, StageStatus::Completed, None, message);
        // The X thread is recording the paint proof at this moment.
        let kept = tokio::time::timeout(KEEPING, self.capture.until_proved(profile));
        drop(kept.await);
    }
}

/// Waits until any enabled component is not up.
async fn until_down(stack: &Stack) {
    let mut state = stack.state();
    while state.borrow_and_update().all_up() {
        if state.changed().await.is_err() {
            return;
        }
    }
}
