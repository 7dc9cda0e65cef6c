//! Why a call of [`Desktop`](super::Desktop) failed.

use std::io::ErrorKind;

use tonic::{Code, Status};

use super::{ConnectError, io_kind, reason};
use crate::rpc::v1;

/// The kind of a failure, which decides what the caller can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallErrorKind {
    /// A field of the request is wrong. The daemon did nothing. Correct the request.
    Invalid,
    /// The request does not fit the present screen. The daemon did nothing. Take a new
    /// screenshot, and decide again.
    Stale,
    /// Another holder is in control of the input, for example a person, or the caller's lease has
    /// ended. The daemon did nothing. Wait until control is given back, then take a new screenshot.
    Control,
    /// It is not known whether the step was done. Take a new screenshot, and decide again.
    OutcomeUnknown,
    /// The step ended before all of its actions were done. Earlier actions stay done.
    NotDone,
    /// The caller is not allowed to make the call.
    NotAllowed,
    /// The daemon or the X server lacks a feature that the call needs.
    Unsupported,
    /// No daemon answers, or the desktop cannot be reached. Retries did not help.
    Unavailable,
    /// The call did not end in time.
    Deadline,
    /// Another failure; see the message.
    Other,
}

/// Why a call failed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct CallError {
    /// The kind of the failure.
    pub kind: CallErrorKind,
    /// The cause as the daemon sent it; UNSPECIFIED if it sent none.
    pub reason: v1::Reason,
    /// Text that says what failed, why, and what to do.
    pub message: String,
    /// The response of a step that is NOT_DONE or OUTCOME_UNKNOWN, if there is one.
    pub response: Option<Box<v1::ActResponse>>,
    /// Whether the same call may succeed later.
    pub(super) retryable: bool,
    /// Whether no daemon can have received the call, because there was no connection.
    pub(in crate::rpc) unsent: bool,
}

impl CallError {
    pub(super) fn new(kind: CallErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            reason: v1::Reason::Unspecified,
            message: message.into(),
            response: None,
            retryable: false,
            unsent: false,
        }
    }

    /// Converts the response of a step that was not done completely; `None` if it was.
    pub(super) fn of_response(response: &v1::ActResponse) -> Option<Self> {
        let kind = match response.outcome() {
            v1::ActOutcome::Done => return None,
            v1::ActOutcome::Unknown => CallErrorKind::OutcomeUnknown,
            _ => CallErrorKind::NotDone,
        };
        let failure = response.results.iter().find_map(|one| one.failure.as_ref());
        let outcome = response.outcome().as_str_name();
        let message = failure.map_or_else(
            || format!("the step ended with {outcome}"),
            |failure| failure.message.clone(),
        );
        Some(Self {
            reason: failure.map_or(v1::Reason::Unspecified, v1::Failure::reason),
            response: Some(Box::new(response.clone())),
            ..Self::new(kind, message)
        })
    }
}

impl From<ConnectError> for CallError {
    fn from(error: ConnectError) -> Self {
        let retryable = !matches!(error, ConnectError::Unusable { .. });
        Self {
            retryable,
            unsent: true,
            ..Self::new(CallErrorKind::Unavailable, error.to_string())
        }
    }
}

impl From<Status> for CallError {
    fn from(status: Status) -> Self {
        use CallErrorKind as Kind;
        use v1::Reason;
        let reason = reason(&status);
        let kind = match (reason, status.code()) {
            (Reason::OutcomeUnknown, _) => Kind::OutcomeUnknown,
            (
                Reason::UnknownFrame
                | Reason::FrameIsCard
                | Reason::StaleGeneration
                | Reason::StaleEpoch
                | Reason::ControlChanged
                | Reason::UnknownWindow
                | Reason::AmbiguousWindow
                | Reason::StaleWindow
                | Reason::WindowCovered
                | Reason::UnknownProgram
                | Reason::UnknownRecording,
                _,
            ) => Kind::Stale,
            (Reason::HumanInControl | Reason::LeaseHeld | Reason::LeaseEnded, _) => Kind::Control,
            (
                Reason::ExtensionMissing | Reason::UnsupportedFeature | Reason::StackNotManaged,
                _,
            ) => Kind::Unsupported,
            (_, Code::InvalidArgument | Code::OutOfRange) => Kind::Invalid,
            (_, Code::Unauthenticated | Code::PermissionDenied) => Kind::NotAllowed,
            (_, Code::Unimplemented) => Kind::Unsupported,
            (_, Code::Unavailable | Code::ResourceExhausted) => Kind::Unavailable,
            (_, Code::DeadlineExceeded | Code::Cancelled) => Kind::Deadline,
            // tonic reports a connection that ended with this code.
            (Reason::Unspecified, Code::Unknown) => Kind::Unavailable,
            _ => Kind::Other,
        };
        let is_final = matches!(
            reason,
            Reason::InputTaken
                | Reason::ExtensionMissing
                | Reason::ScreenNotFound
                | Reason::XAuthRefused
                | Reason::RecordingUnavailable
        );
        // The channel connected anew for this call, and nobody listens.
        let io = io_kind(&status);
        let unsent = matches!(io, Some(ErrorKind::NotFound | ErrorKind::ConnectionRefused));
        Self {
            unsent,
            reason,
            retryable: kind == Kind::Unavailable && !is_final,
            ..Self::new(kind, status.message())
        }
    }
}
