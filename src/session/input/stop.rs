//! Why an action ends early.

use super::refused::Refused;
use crate::{
    failure::{Cause, Failure, Stage},
    x11::DisplayError,
};

/// Why the hands stop.
#[derive(Debug)]
pub(super) enum Stop {
    /// No caller waits for it any more, or a call of `ReleaseAll` ended it.
    Cancelled,
    /// The caller's time is up.
    Deadline,
    /// The same, and what was waited for.
    Late(Failure),
    /// The connection ended.
    Lost(DisplayError),
    /// This action cannot be done.
    Failed(Failure),
    /// The same, found before it was begun.
    Refused(Refused),
}

impl From<DisplayError> for Stop {
    fn from(error: DisplayError) -> Self {
        Self::Lost(error)
    }
}

/// An action that cannot be done.
pub(super) fn failed(cause: Cause, message: String) -> Stop {
    Stop::Failed(Failure {
        stage: Stage::Input,
        cause,
        message,
    })
}
