//! What the input thread is asked to do, and who waits for it.

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

/// The requests to the thread.
#[derive(Debug)]
pub(super) enum InputOrder {
    /// Do a step.
    Perform(Box<Job>),
    /// Release everything; what it was.
    ReleaseAll(oneshot::Sender<Result<Vec<Pressed>, Failure>>),
    /// The display is there: see whether something was left down.
    Connect,
    /// Release everything, and end.
    Close,
}

/// A step, and who waits for it.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) begun: Arc<Begun>,
    pub(super) act: Arc<Act>,
    pub(super) space: Resolved,
    pub(super) cancel: CancellationToken,
    /// The daemon stops.
    pub(super) stopping: CancellationToken,
    pub(super) until: Instant,
    pub(super) reply: oneshot::Sender<Result<Account, Refused>>,
    /// Takes the pictures of the step's actions.
    pub(super) camera: mpsc::UnboundedSender<Shot>,
    /// The span of the log's lines.
    pub(super) span: tracing::Span,
}

/// A picture that an action asks for. At most four are under way: those of one step.
#[derive(Debug)]
pub(super) struct Shot {
    /// The action's number.
    pub(super) index: usize,
    pub(super) image: ImageSpec,
    pub(super) reply: oneshot::Sender<Taken>,
}

/// Whether the first event of a step was sent, which happens or is prevented.
#[derive(Debug, Default)]
pub(super) struct Begun(AtomicU8);

impl Begun {
    const YES: u8 = 1;
    const NEVER: u8 = 2;

    /// The first event is sent now; false when it must not be any more.
    pub(super) fn begin(&self) -> bool {
        self.turn(Self::YES)
    }

    /// No event is sent any more; false when one was.
    pub(super) fn prevent(&self) -> bool {
        self.turn(Self::NEVER)
    }

    fn turn(&self, state: u8) -> bool {
        let (set, see) = (Ordering::AcqRel, Ordering::Acquire);
        let before = self.0.compare_exchange(0, state, set, see);
        before.is_ok()
    }
}

/// Cancels a step when the last who waits for it has gone.
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

/// Whether a picture was taken: a failure is shown by a card.
pub(super) type Taken = Result<Option<Failure>, Refusal>;
