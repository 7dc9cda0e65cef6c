//! The orders to the input thread, and the channels for its answers.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::{
    action::{Account, Act},
    pressed::Pressed,
    refused::Refused,
};
use crate::{
    failure::Failure,
    session::{
        capture::{ImageSpec, Resolved},
        windows::{Condition, Waited},
    },
    x11::Bell,
};

/// An order to the input thread.
#[derive(Debug)]
pub(super) enum InputOrder {
    /// Execute a step.
    Perform(Box<Job>),
    /// Release all held input, and reply with what was held.
    ReleaseAll(oneshot::Sender<Result<Vec<Pressed>, Failure>>),
    /// The display is up: connect, and look for input that was left down.
    Connect,
    /// Release all held input, and end the thread.
    Close,
}

/// A step, and the channels to its call.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) begun: Arc<Begun>,
    pub(super) act: Arc<Act>,
    pub(super) space: Resolved,
    pub(super) cancel: CancellationToken,
    /// Cancelled when the daemon stops.
    pub(super) stopping: CancellationToken,
    pub(super) until: Instant,
    pub(super) reply: oneshot::Sender<Result<Account, Refused>>,
    /// Sends the work that the call's task does for the step's actions.
    pub(super) errands: mpsc::UnboundedSender<Errand>,
    /// The span of the step's log lines.
    pub(super) span: tracing::Span,
}

/// Work for an action that the call's task does, while the input thread waits for it.
#[derive(Debug)]
pub(super) struct Errand {
    /// Index of the action.
    pub(super) index: usize,
    pub(super) work: ErrandWork,
    pub(super) reply: oneshot::Sender<ErrandEnd>,
}

/// The work of an errand.
#[derive(Debug)]
pub(super) enum ErrandWork {
    /// Take a picture.
    Picture(ImageSpec),
    /// Wait for a condition.
    WaitFor {
        condition: Condition,
        limit: Duration,
    },
}

/// How an errand ended.
#[derive(Debug)]
pub(super) enum ErrandEnd {
    /// The picture was taken.
    Taken,
    /// The condition was met, or its time is over.
    Waited(Waited),
    /// A failure card was taken in place of the picture, or the wait was broken off.
    Failed(Failure),
    /// It is not possible on this screen.
    Refused(Refused),
}

/// Whether a step began (sends its first event) or was prevented. The first of the two calls
/// decides.
#[derive(Debug, Default)]
pub(super) struct Begun(AtomicU8);

impl Begun {
    const YES: u8 = 1;
    const NEVER: u8 = 2;

    /// Records that the step begins now. Returns false if it was prevented: then no event may be
    /// sent.
    pub(super) fn begin(&self) -> bool {
        self.turn(Self::YES)
    }

    /// Prevents the step. Returns false if it has begun.
    pub(super) fn prevent(&self) -> bool {
        self.turn(Self::NEVER)
    }

    fn turn(&self, state: u8) -> bool {
        let (set, see) = (Ordering::AcqRel, Ordering::Acquire);
        let before = self.0.compare_exchange(0, state, set, see);
        before.is_ok()
    }
}

/// Cancels a step when the last caller that waits for it drops this handle.
#[derive(Debug)]
pub(super) struct StepWaiting {
    pub(super) cancel: CancellationToken,
    pub(super) bell: Bell,
}

impl Drop for StepWaiting {
    fn drop(&mut self) {
        self.cancel.cancel();
        self.bell.ring();
    }
}
