//! Makes records of frames, captures, errors and the input of the viewer.

use tonic::Status;

use crate::rpc::{
    client,
    messages::convert,
    v1::{self, Reason, action::Action as Wire},
};
use crate::{
    encode::{Effort, Format},
    frame::CursorImage,
    session::{Action, Button, FrameKind, ScreenChange, SeenFrame},
    x11::{Link, LinkState},
};

/// Returns the record of a frame. `screen`: the number of the screen that it shows.
pub(super) fn frame(seen: &SeenFrame, screen: u64) -> v1::LogFrame {
    let quality = match seen.frame.format {
        Format::Jpeg(quality) => quality.into(),
        _ => 0,
    };
    let failure = match &seen.frame.kind {
        FrameKind::Card(failure) => Some(convert::failure(failure)),
        _ => None,
    };
    let frame = convert::uncounted(seen.frame.clone());
    v1::LogFrame {
        frame_id: frame.frame_id,
        kind: frame.kind,
        screen,
        region: frame.region,
        size: Some(v1::Size {
            width: frame.width,
            height: frame.height,
        }),
        format: frame.format,
        quality,
        pointer: seen.pointer,
        failure,
        image: seen.frame.image.clone(),
        compact: seen.effort == Effort::Tight,
    }
}

/// Returns the record of a change of the screen.
pub(super) fn screen(number: u64, change: ScreenChange, pointer_image: u64) -> v1::LogScreen {
    let pointer = change.cursor.as_ref();
    let parts = change.parts.into_iter();
    v1::LogScreen {
        number,
        capture_time: Some(convert::timestamp(change.time)),
        key: change.key,
        size: Some(convert::wire_size(change.size)),
        parts: parts
            .map(|(region, image)| v1::ChangedRegion {
                region: Some(convert::wire_region(region)),
                image,
            })
            .collect(),
        pointer: pointer.map(|image| v1::Point::new(image.x, image.y)),
        pointer_image,
    }
}

/// Returns the record of an image of the pointer.
pub(super) fn pointer_image(number: u64, image: &CursorImage) -> v1::LogPointerImage {
    let pixels = image.argb.iter().flat_map(|word| word.to_le_bytes());
    v1::LogPointerImage {
        number,
        size: Some(convert::wire_size(image.size)),
        hotspot: Some(v1::Point::new(
            i32::try_from(image.hot_x).unwrap_or(0),
            i32::try_from(image.hot_y).unwrap_or(0),
        )),
        pixels: pixels.collect(),
    }
}

/// Returns the record of the X server.
pub(super) fn display(link: &Link) -> v1::LogDisplay {
    let screen = match &link.state {
        LinkState::Up(screen) => Some(screen),
        LinkState::Down(_) | LinkState::Connecting => None,
    };
    v1::LogDisplay {
        connected: screen.is_some(),
        server_generation: screen.map_or(String::new(), |screen| screen.generation.to_string()),
        geometry_epoch: screen.map_or(0, |screen| screen.geometry_epoch),
        size: screen.map(|screen| convert::wire_size(screen.size)),
        failure: match &link.state {
            LinkState::Down(failure) => Some(convert::failure(failure)),
            _ => None,
        },
    }
}

/// Returns the record of an error. `is_redacted`: whether the request had text that is not in the log.
pub(super) fn refusal(status: &Status, is_redacted: bool) -> v1::LogRefusal {
    let reason = client::reason(status);
    let hides = is_redacted && names_keys(reason);
    v1::LogRefusal {
        code: i32::from(status.code()).unsigned_abs(),
        reason: reason.into(),
        message: match hides {
            true => String::new(),
            false => status.message().to_owned(),
        },
    }
}

/// Whether the message of a failure may contain a key or a character of the request.
pub(super) fn names_keys(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::UnknownKey
            | Reason::UntypableCharacter
            | Reason::InputHeld
            | Reason::InvalidField
            | Reason::KeymapChanged
            | Reason::NotTaken
            | Reason::Internal
    )
}

/// Returns an action of the viewer; `None` for movements of the pointer and for what it does not do.
pub(super) fn viewer_action(action: &Action) -> Option<v1::Action> {
    let target = |at: &Option<(i32, i32)>| {
        at.map(|(x, y)| v1::Target {
            target: Some(v1::target::Target::Point(v1::Point::new(x, y))),
        })
    };
    let names = |keys: &[crate::session::Key]| keys.iter().map(|key| key.name.clone()).collect();
    let action = match action {
        Action::ButtonDown { at, button, .. } => Wire::ButtonDown(v1::ButtonDownAction {
            at: target(at),
            button: wire_button(*button).into(),
            hold: None,
        }),
        Action::ButtonUp { at, button } => Wire::ButtonUp(v1::ButtonUpAction {
            at: target(at),
            button: wire_button(*button).into(),
        }),
        Action::Scroll {
            at,
            notches: (dx, dy),
            modifiers,
        } => Wire::Scroll(v1::ScrollAction {
            at: target(at),
            dx: *dx,
            dy: *dy,
            unit: v1::ScrollUnit::Notch.into(),
            modifiers: names(modifiers),
        }),
        Action::Type { text, .. } => Wire::Type(v1::TypeAction {
            text: text.0.clone(),
            rate: None,
        }),
        Action::Paste { text, .. } => Wire::Paste(v1::PasteAction {
            text: text.0.clone(),
            chord: String::new(),
        }),
        Action::Chord { keys, .. } => Wire::Key(v1::KeyAction {
            keys: names(keys),
            repeat: None,
            hold: None,
        }),
        Action::KeyDown { key, .. } => Wire::KeyDown(v1::KeyDownAction {
            key: key.name.clone(),
            hold: None,
        }),
        Action::KeyUp { key } => Wire::KeyUp(v1::KeyUpAction {
            key: key.name.clone(),
        }),
        _ => return None,
    };
    Some(v1::Action {
        action: Some(action),
    })
}

fn wire_button(button: Button) -> v1::Button {
    match button {
        Button::Left => v1::Button::Left,
        Button::Middle => v1::Button::Middle,
        Button::Right => v1::Button::Right,
        Button::Back => v1::Button::Back,
        Button::Forward => v1::Button::Forward,
    }
}
