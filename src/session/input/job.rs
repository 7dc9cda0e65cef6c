//! The orders to the input thread, and the channels for its answers.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Instant,
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
    session::capture::{ImageSpec, Refusal, Resolved},
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
    /// Sends the requests for the pictures of the step's actions.
    pub(super) camera: mpsc::UnboundedSender<Shot>,
    /// The span of the step's log lines.
    pub(super) span: tracing::Span,
}

/// A request for the picture of an action. A step has at most four of them.
#[derive(Debug)]
pub(super) struct Shot {
    /// Index of the action.
    pub(super) index: usize,
    pub(super) image: ImageSpec,
    pub(super) reply: oneshot::Sender<Taken>,
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

/// The result of a request for a picture. `Some` contains the failure that a failure card shows in
/// place of the picture.
pub(super) type Taken = Result<Option<Failure>, Refusal>;
