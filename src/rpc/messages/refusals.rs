//! The refusals of the session as gRPC statuses.

use tonic::{Code, Status};

use super::status::{self, Reason, build, unavailable};
use crate::{
    helper::{HelperError, wire::RefusedReason},
    session::{
        ControlError, ControlRefusal, CursorFailure, ProgramError, Refusal, Refused, WaitRefusal,
        WindowRefusal,
    },
    x11::ListedWindow,
};

/// Maximum number of windows whose ids a status lists.
const MAX_CANDIDATES: usize = 8;

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        let message = refusal.to_string();
        refused_picture(refusal, message, None)
    }
}

/// Status for an image that is refused; `action`: the index of the action that requests it.
fn refused_picture(refusal: Refusal, message: String, action: Option<usize>) -> Status {
    let (code, reason, facts) = match refusal {
        Refusal::UnknownFrame(id) => (
            Code::FailedPrecondition,
            Reason::UnknownFrame,
            ("frame_id", id),
        ),
        Refusal::FrameIsCard(id) => (
            Code::FailedPrecondition,
            Reason::FrameIsCard,
            ("frame_id", id),
        ),
        Refusal::StaleGeneration(id) => (
            Code::FailedPrecondition,
            Reason::StaleGeneration,
            ("frame_id", id),
        ),
        Refusal::StaleEpoch(id) => (
            Code::FailedPrecondition,
            Reason::StaleEpoch,
            ("frame_id", id),
        ),
        Refusal::OutOfScreen { asked, .. } => (
            Code::OutOfRange,
            Reason::OutOfScreen,
            ("region", asked.to_string()),
        ),
        Refusal::Window(refusal) => match *refusal {
            WindowRefusal::Failed(failure) => return CursorFailure(failure).into(),
            ref named => (
                Code::FailedPrecondition,
                window_reason(named),
                ("windows", ids(named.candidates())),
            ),
        },
        Refusal::OutputTooLarge(size) => (
            Code::InvalidArgument,
            Reason::OutputTooLarge,
            ("size", size.to_string()),
        ),
    };
    let action = action.map(|action| ("action", action.to_string()));
    let facts: Vec<_> = [facts].into_iter().chain(action).collect();
    build(code, reason, message, &facts)
}

impl From<WindowRefusal> for Status {
    fn from(refusal: WindowRefusal) -> Self {
        let message = refusal.to_string();
        refused_picture(Refusal::Window(Box::new(refusal)), message, None)
    }
}

fn window_reason(refusal: &WindowRefusal) -> Reason {
    match refusal {
        WindowRefusal::Unknown { .. } => Reason::UnknownWindow,
        WindowRefusal::Ambiguous { .. } => Reason::AmbiguousWindow,
        WindowRefusal::Moved { .. } => Reason::StaleWindow,
        WindowRefusal::Covered { .. } => Reason::WindowCovered,
        WindowRefusal::Failed(failure) => status::reason(failure),
    }
}

fn ids(windows: &[ListedWindow]) -> String {
    let ids = windows.iter().take(MAX_CANDIDATES);
    let ids: Vec<&str> = ids.map(|window| window.id.as_str()).collect();
    ids.join(",")
}

impl From<WaitRefusal> for Status {
    fn from(refusal: WaitRefusal) -> Self {
        match refusal {
            WaitRefusal::Region(refusal) => refusal.into(),
            WaitRefusal::Windows(refusal) => refusal.into(),
        }
    }
}

impl From<ControlRefusal> for Status {
    fn from(refusal: ControlRefusal) -> Self {
        let message = refusal.to_string();
        let (reason, facts) = match refusal {
            ControlRefusal::Human { holder, reason } => (
                Reason::HumanInControl,
                vec![("holder", holder), ("reason", reason)],
            ),
            ControlRefusal::Held { holder, reason } => (
                Reason::LeaseHeld,
                vec![("holder", holder), ("reason", reason)],
            ),
            ControlRefusal::Ended => (Reason::LeaseEnded, vec![]),
            ControlRefusal::Changed { expected, now } => (
                Reason::ControlChanged,
                vec![
                    ("expected", expected.to_string()),
                    ("control_epoch", now.to_string()),
                ],
            ),
        };
        build(Code::FailedPrecondition, reason, message, &facts)
    }
}

impl From<ControlError> for Status {
    fn from(error: ControlError) -> Self {
        match error {
            ControlError::Refused(refusal) => refusal.into(),
            ControlError::NotReleased(failure) => unavailable(&failure),
        }
    }
}

impl From<ProgramError> for Status {
    fn from(error: ProgramError) -> Self {
        let message = error.to_string();
        let (code, reason) = match error {
            ProgramError::Display(failure) => return CursorFailure(failure).into(),
            ProgramError::Helper(HelperError::Absent(_) | HelperError::Away(_)) => {
                (Code::Unavailable, Reason::NoSessionHelper)
            }
            ProgramError::Helper(HelperError::Refused(refused, _)) => match refused {
                RefusedReason::NotFound => (Code::FailedPrecondition, Reason::ProgramNotFound),
                RefusedReason::NotStarted => (Code::FailedPrecondition, Reason::ProgramNotStarted),
                RefusedReason::Unknown => (Code::FailedPrecondition, Reason::UnknownProgram),
                RefusedReason::Full => (Code::ResourceExhausted, Reason::QueueFull),
                RefusedReason::Reused => (Code::FailedPrecondition, Reason::OperationIdReused),
                RefusedReason::Protocol | RefusedReason::Late => {
                    (Code::Unavailable, Reason::NoSessionHelper)
                }
            },
        };
        build(code, reason, message, &[])
    }
}

impl From<Refused> for Status {
    fn from(refused: Refused) -> Self {
        let message = refused.to_string();
        let action = |action: usize| ("action", action.to_string());
        let (code, reason, facts) = match refused {
            Refused::Picture(refusal) => return refusal.into(),
            Refused::OfPicture { action, refusal } => {
                return refused_picture(refusal, message, Some(action));
            }
            Refused::OfCondition { action, refusal } => {
                return refused_picture(refusal, message, Some(action));
            }
            Refused::OutOfScreen {
                action: index,
                point: (x, y),
                ..
            } => (
                Code::OutOfRange,
                Reason::OutOfScreen,
                vec![action(index), ("point", format!("{x},{y}"))],
            ),
            Refused::NoKey {
                action: index,
                name,
            } => (
                Code::InvalidArgument,
                Reason::UnknownKey,
                vec![action(index), ("key", name)],
            ),
            Refused::NoButton {
                action: index,
                name,
            } => (
                Code::FailedPrecondition,
                Reason::UnknownButton,
                vec![action(index), ("button", name.to_owned())],
            ),
            Refused::Untypable {
                action: index,
                position,
                character,
            } => (
                Code::InvalidArgument,
                Reason::UntypableCharacter,
                vec![
                    action(index),
                    ("position", position.to_string()),
                    ("character", format!("U+{:04X}", u32::from(character))),
                ],
            ),
            Refused::Held {
                action: index,
                name,
            } => (
                Code::FailedPrecondition,
                Reason::InputHeld,
                vec![action(index), ("held", name)],
            ),
            Refused::Control(refusal) => return refusal.into(),
            Refused::NotPainted(_) => (Code::FailedPrecondition, Reason::NotPainted, vec![]),
            Refused::NoInput(failure) => return unavailable(&failure),
            Refused::StaleGeneration { expected, .. } => (
                Code::FailedPrecondition,
                Reason::StaleGeneration,
                vec![("expected", expected)],
            ),
            Refused::StaleEpoch { expected, .. } => (
                Code::FailedPrecondition,
                Reason::StaleEpoch,
                vec![("expected", expected.to_string())],
            ),
            Refused::OtherInstance | Refused::Forgotten => {
                (Code::FailedPrecondition, Reason::OutcomeUnknown, vec![])
            }
            Refused::IdReused => (Code::FailedPrecondition, Reason::OperationIdReused, vec![]),
            Refused::QueueFull => (Code::ResourceExhausted, Reason::QueueFull, vec![]),
            Refused::Late(failure) => (Code::DeadlineExceeded, status::reason(&failure), vec![]),
        };
        build(code, reason, message, &facts)
    }
}
