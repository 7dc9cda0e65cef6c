//! The reasons why an action ends early.

use super::refused::Refused;
use crate::{
    failure::{Cause, Failure, Stage},
    x11::DisplayError,
};

/// Why an action ends early.
#[derive(Debug)]
pub(super) enum Stop {
    /// All callers disconnected, `ReleaseAll` was called, or the daemon stops.
    Cancelled,
    /// The time for the step is over.
    Deadline,
    /// The time for the step is over; the failure names what was waited for.
    Late(Failure),
    /// The connection to the X server ended.
    Lost(DisplayError),
    /// This action cannot be done.
    Failed(Failure),
    /// This action cannot be done, which was found before it began.
    Refused(Refused),
}

impl From<DisplayError> for Stop {
    fn from(error: DisplayError) -> Self {
        Self::Lost(error)
    }
}

/// Returns the [`Stop`] of an action that cannot be done.
pub(super) fn failed(cause: Cause, message: String) -> Stop {
    Stop::Failed(Failure {
        stage: Stage::Input,
        cause,
        message,
    })
}
