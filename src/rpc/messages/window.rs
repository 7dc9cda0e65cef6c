//! Converts windows, the names of windows, and changes of them.

use std::time::Duration;

use tonic::Status;

use crate::rpc::{
    limits,
    messages::{limited, status},
    v1,
};
use crate::{
    frame::MAX_OUTPUT_SIDE,
    session::{ChangeOutcome, Changed, WindowMatch, WindowTarget},
    x11::{ListedWindow, Operation, Placement, Rectangle, WindowChange, WindowKind, WindowStates},
};

/// Maximum bytes of a title or class in a match, and of an id.
pub(in crate::rpc) const MAX_MATCH_BYTES: usize = 256;
/// Default time that a change of a window may take.
const DEFAULT_CHANGE: Duration = Duration::from_secs(2);

/// Converts a `WindowMatch`.
pub(in crate::rpc) fn matching(
    field: &str,
    wanted: &v1::WindowMatch,
) -> Result<WindowMatch, Status> {
    for (part, text) in [("title", &wanted.title), ("class", &wanted.class)] {
        if text.len() > MAX_MATCH_BYTES {
            let why = format!("must be at most {MAX_MATCH_BYTES} bytes");
            return Err(status::invalid_field(&format!("{field}.{part}"), &why));
        }
    }
    let kind = match v1::WindowKind::try_from(wanted.kind) {
        Ok(v1::WindowKind::Unspecified) => None,
        Ok(v1::WindowKind::Normal) => Some(WindowKind::Normal),
        Ok(v1::WindowKind::Dialog) => Some(WindowKind::Dialog),
        Ok(v1::WindowKind::Menu) => Some(WindowKind::Menu),
        Ok(v1::WindowKind::Tooltip) => Some(WindowKind::Tooltip),
        Ok(v1::WindowKind::Notification) => Some(WindowKind::Notification),
        Ok(v1::WindowKind::Utility) => Some(WindowKind::Utility),
        Ok(v1::WindowKind::Splash) => Some(WindowKind::Splash),
        Ok(v1::WindowKind::Dock) => Some(WindowKind::Dock),
        Ok(v1::WindowKind::Desktop) => Some(WindowKind::Desktop),
        Ok(v1::WindowKind::Popup) => Some(WindowKind::Popup),
        Err(_) => {
            let why = format!("{} is no kind of window", wanted.kind);
            return Err(status::invalid_field(&format!("{field}.kind"), &why));
        }
    };
    if wanted.title.is_empty() && wanted.class.is_empty() && wanted.pid.is_none() && kind.is_none()
    {
        let why = "must have a title, a class, a pid or a kind";
        return Err(status::invalid_field(field, why));
    }
    Ok(WindowMatch {
        title: wanted.title.clone(),
        class: wanted.class.clone(),
        pid: wanted.pid,
        kind,
    })
}

/// Converts a `WindowTarget`.
pub(in crate::rpc) fn target(
    field: &str,
    target: Option<&v1::WindowTarget>,
) -> Result<WindowTarget, Status> {
    use v1::window_target::Target;
    match target.and_then(|target| target.target.as_ref()) {
        None => Err(status::invalid_field(
            field,
            "must name a window, by `id` or `match`",
        )),
        Some(Target::Id(id)) if id.is_empty() || id.len() > MAX_MATCH_BYTES => {
            let why = format!("must be 1 to {MAX_MATCH_BYTES} bytes");
            Err(status::invalid_field(&format!("{field}.id"), &why))
        }
        Some(Target::Id(id)) => Ok(WindowTarget::Id(id.clone())),
        Some(Target::Match(wanted)) => Ok(WindowTarget::Match(matching(
            &format!("{field}.match"),
            wanted,
        )?)),
    }
}

/// Converts the change and its time limit.
pub(in crate::rpc) fn change(
    request: &v1::ChangeWindowRequest,
) -> Result<(WindowChange, Duration), Status> {
    use v1::change_window_request::Change;
    let change = match &request.change {
        None => {
            let why = "must be an `operation` or a `place`";
            return Err(status::invalid_field("change", why));
        }
        Some(Change::Operation(operation)) => {
            WindowChange::Operation(match v1::WindowOperation::try_from(*operation) {
                Ok(v1::WindowOperation::Activate) => Operation::Activate,
                Ok(v1::WindowOperation::Close) => Operation::Close,
                Ok(v1::WindowOperation::Minimize) => Operation::Minimize,
                Ok(v1::WindowOperation::Maximize) => Operation::Maximize,
                Ok(v1::WindowOperation::Fullscreen) => Operation::Fullscreen,
                Ok(v1::WindowOperation::Restore) => Operation::Restore,
                Ok(v1::WindowOperation::Unspecified) | Err(_) => {
                    let why = format!("{operation} is no operation on a window");
                    return Err(status::invalid_field("operation", &why));
                }
            })
        }
        Some(Change::Place(place)) => WindowChange::Place(placement(place)?),
    };
    let limit = match request.timeout {
        None => DEFAULT_CHANGE,
        Some(time) => limited::within("timeout", time, limits::MAX_CHANGE)?,
    };
    Ok((change, limit))
}

fn placement(place: &v1::WindowPlacement) -> Result<Placement, Status> {
    let v1::WindowPlacement {
        x,
        y,
        width,
        height,
    } = *place;
    if x.is_none() && y.is_none() && width.is_none() && height.is_none() {
        let why = "must have a coordinate or a side";
        return Err(status::invalid_field("place", why));
    }
    for (name, side) in [("width", width), ("height", height)] {
        if side.is_some_and(|side| side == 0 || side > MAX_OUTPUT_SIDE) {
            let why = format!("must be 1 to {MAX_OUTPUT_SIDE} pixels");
            return Err(status::invalid_field(&format!("place.{name}"), &why));
        }
    }
    // The X protocol has 16 bits for a coordinate.
    for (name, at) in [("x", x), ("y", y)] {
        if at.is_some_and(|at| i16::try_from(at).is_err()) {
            let why = "must be -32,768 to 32,767 pixels";
            return Err(status::invalid_field(&format!("place.{name}"), why));
        }
    }
    Ok(Placement {
        x,
        y,
        width,
        height,
    })
}

/// Converts the result of a change.
pub(in crate::rpc) fn changed(changed: Changed) -> v1::ChangeWindowResponse {
    let outcome = match changed.outcome {
        ChangeOutcome::Done => v1::WindowOutcome::Done,
        ChangeOutcome::Already => v1::WindowOutcome::Already,
        ChangeOutcome::Adjusted => v1::WindowOutcome::Adjusted,
        ChangeOutcome::NotDone => v1::WindowOutcome::NotDone,
        ChangeOutcome::Unsupported => v1::WindowOutcome::Unsupported,
    };
    v1::ChangeWindowResponse {
        outcome: outcome.into(),
        window: changed.window.as_ref().map(window),
        message: changed.message,
        appeared: changed.appeared.iter().map(window).collect(),
    }
}

/// Converts a window.
pub(in crate::rpc) fn window(window: &ListedWindow) -> v1::Window {
    let kind = match window.kind {
        WindowKind::Normal => v1::WindowKind::Normal,
        WindowKind::Dialog => v1::WindowKind::Dialog,
        WindowKind::Menu => v1::WindowKind::Menu,
        WindowKind::Tooltip => v1::WindowKind::Tooltip,
        WindowKind::Notification => v1::WindowKind::Notification,
        WindowKind::Utility => v1::WindowKind::Utility,
        WindowKind::Splash => v1::WindowKind::Splash,
        WindowKind::Dock => v1::WindowKind::Dock,
        WindowKind::Desktop => v1::WindowKind::Desktop,
        WindowKind::Popup => v1::WindowKind::Popup,
    };
    v1::Window {
        id: window.id.clone(),
        title: window.title.clone(),
        class: window.class.clone(),
        instance: window.instance.clone(),
        pid: window.pid,
        program: window.program.clone(),
        frame: Some(rectangle(window.frame)),
        client: Some(rectangle(window.client)),
        workspace: window.workspace,
        states: states(window.states),
        kind: kind.into(),
        transient_for: window.main.clone(),
        managed: window.managed,
        viewable: window.viewable,
    }
}

fn rectangle(area: Rectangle) -> v1::Region {
    v1::Region::new(area.x, area.y, area.width, area.height)
}

fn states(states: WindowStates) -> Vec<i32> {
    let all = [
        (states.focused, v1::WindowState::Focused),
        (states.minimized, v1::WindowState::Minimized),
        (states.maximized, v1::WindowState::Maximized),
        (states.fullscreen, v1::WindowState::Fullscreen),
        (states.modal, v1::WindowState::Modal),
        (states.above, v1::WindowState::Above),
        (states.below, v1::WindowState::Below),
        (states.shaded, v1::WindowState::Shaded),
        (states.urgent, v1::WindowState::Urgent),
    ];
    let all = all.into_iter().filter(|(has, _)| *has);
    all.map(|(_, state)| state.into()).collect()
}

/// Returns the window that a word names: its id, or a part of its title.
pub(crate) fn named(word: String) -> v1::WindowTarget {
    use v1::window_target::Target;
    let target = match is_id(&word) {
        true => Target::Id(word),
        false => Target::Match(v1::WindowMatch {
            title: word,
            ..v1::WindowMatch::default()
        }),
    };
    v1::WindowTarget {
        target: Some(target),
    }
}

/// Whether a word has the form of an id.
fn is_id(word: &str) -> bool {
    let parts = word.strip_prefix('w').and_then(|rest| rest.split_once('-'));
    let is_hex = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    parts.is_some_and(|(number, owner)| is_hex(number) && owner.len() == 8 && is_hex(owner))
}

#[cfg(test)]
mod tests {
    use super::*;
    use v1::window_target::Target;

    #[test]
    fn a_window_is_named_by_its_id_or_its_title() {
        let id = "w40000c-844dc9e7";
        assert_eq!(named(id.into()).target, Some(Target::Id(id.into())));
        for title in [
            "w40000c",
            "w-844dc9e7",
            "wonder-twelve12",
            "Save As",
            "w40000c-844dc9e",
        ] {
            let wanted = v1::WindowMatch {
                title: title.into(),
                ..v1::WindowMatch::default()
            };
            assert_eq!(named(title.into()).target, Some(Target::Match(wanted)));
        }
    }
}
