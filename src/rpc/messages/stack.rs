//! Converts the components of the stack and their events to messages.

use std::time::Duration;

use crate::rpc::v1;
use crate::stack::{
    Numbered,
    wire::{self, Component, ComponentState, Problem},
};

/// Converts a component.
pub(in crate::rpc) fn component(component: Component) -> v1::Component {
    match component {
        Component::Xvfb => v1::Component::Xvfb,
        Component::Keymap => v1::Component::Keymap,
        Component::Dbus => v1::Component::Dbus,
        Component::Session => v1::Component::Session,
        Component::SessionHelper => v1::Component::SessionHelper,
        Component::X11vnc => v1::Component::X11vnc,
        Component::Websockify => v1::Component::Websockify,
        Component::Paint => v1::Component::Paint,
        Component::Lock => v1::Component::Lock,
    }
}

fn reason(problem: Option<&Problem>) -> v1::Reason {
    match problem {
        None => v1::Reason::Unspecified,
        Some(Problem::Missing { .. }) => v1::Reason::ProgramMissing,
        Some(Problem::Failed) => v1::Reason::ComponentFailed,
    }
}

/// Converts the state of a component.
pub(in crate::rpc) fn component_state(state: &ComponentState) -> v1::ComponentStatus {
    v1::ComponentStatus {
        component: component(state.component).into(),
        enabled: state.enabled,
        up: state.up,
        pid: state.pid,
        since: (state.since_ms != 0).then(|| timestamp(state.since_ms)),
        restarts: state.restarts,
        last_stderr: state.last_output.clone(),
        reason: reason(state.problem.as_ref()).into(),
        no_new_privs: state.no_new_privs,
    }
}

/// Converts an event.
pub(in crate::rpc) fn event(Numbered { sequence, event }: Numbered) -> v1::StageEvent {
    v1::StageEvent {
        component: component(event.component).into(),
        status: match event.status {
            wire::StageStatus::Started => v1::StageStatus::Started,
            wire::StageStatus::Waiting => v1::StageStatus::Waiting,
            wire::StageStatus::Completed => v1::StageStatus::Completed,
            wire::StageStatus::Failed => v1::StageStatus::Failed,
        }
        .into(),
        elapsed: prost_types::Duration::try_from(Duration::from_millis(event.elapsed_ms)).ok(),
        time: Some(timestamp(event.time_ms)),
        classification: v1::Classification::Unspecified.into(),
        reason: reason(event.problem.as_ref()).into(),
        message: event.message,
        sequence,
    }
}

fn timestamp(ms: u64) -> prost_types::Timestamp {
    (std::time::SystemTime::UNIX_EPOCH + Duration::from_millis(ms)).into()
}
