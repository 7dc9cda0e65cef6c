//! Steps in few words.

use std::time::Duration;

use deskd::{
    client::{self, DesktopClient},
    v1::{self, action::Action},
};
use tonic::{Code, Status};

/// A client of the daemon under test.
pub type Client = DesktopClient<client::Connection>;

/// A place.
pub fn at(x: i32, y: i32) -> v1::Target {
    (x, y).into()
}

/// A click with the left button.
pub fn click(x: i32, y: i32) -> Action {
    Action::Click(v1::ClickAction {
        at: Some(at(x, y)),
        ..v1::ClickAction::default()
    })
}

/// Moving the pointer.
pub fn move_to(x: i32, y: i32) -> Action {
    Action::Move(v1::MoveAction {
        to: Some(at(x, y)),
        ..v1::MoveAction::default()
    })
}

/// Typing.
pub fn text(text: &str) -> Action {
    Action::Type(v1::TypeAction {
        text: text.into(),
        rate: None,
    })
}

/// Pasting.
pub fn paste(text: &str) -> Action {
    Action::Paste(v1::PasteAction {
        text: text.into(),
        ..v1::PasteAction::default()
    })
}

/// A chord.
pub fn chord(keys: &[&str]) -> Action {
    Action::Key(v1::KeyAction {
        keys: keys.iter().map(|&key| key.into()).collect(),
        ..v1::KeyAction::default()
    })
}

/// Pressing a key.
pub fn key_down(key: &str, hold_ms: u64) -> Action {
    Action::KeyDown(v1::KeyDownAction {
        key: key.into(),
        hold: held(hold_ms),
    })
}

/// A time in milliseconds; 0 for the default.
pub fn held(ms: u64) -> Option<prost_types::Duration> {
    (ms != 0).then(|| Duration::from_millis(ms).try_into().unwrap())
}

/// Releasing a key.
pub fn key_up(key: &str) -> Action {
    Action::KeyUp(v1::KeyUpAction { key: key.into() })
}

/// A drag with the left button.
pub fn drag(path: &[(i32, i32)], ms: u64) -> Action {
    Action::Drag(v1::DragAction {
        path: path.iter().map(|&(x, y)| at(x, y)).collect(),
        duration: prost_types::Duration::try_from(Duration::from_millis(ms)).ok(),
        ..v1::DragAction::default()
    })
}

/// The wheel, in notches.
pub fn notches(x: i32, y: i32, dx: i32, dy: i32) -> Action {
    Action::Scroll(v1::ScrollAction {
        at: Some(at(x, y)),
        dx,
        dy,
        unit: v1::ScrollUnit::Notch.into(),
        modifiers: Vec::new(),
    })
}

/// Waiting.
pub fn pause(ms: u64) -> Action {
    Action::Wait(v1::WaitAction {
        duration: prost_types::Duration::try_from(Duration::from_millis(ms)).ok(),
    })
}

/// A request without settling and picture, on a bare server.
pub fn bare(actions: Vec<Action>) -> v1::ActRequest {
    v1::ActRequest {
        actions: actions
            .into_iter()
            .map(|action| v1::Action {
                action: Some(action),
            })
            .collect(),
        settle: Some(v1::SettleOptions {
            skip: true,
            timeout: None,
            quiet: None,
        }),
        unproved: true,
        no_frame: true,
        ..v1::ActRequest::default()
    }
}

/// Does actions that must all be done.
pub async fn done(client: &mut Client, actions: Vec<Action>) -> v1::ActResponse {
    let reply = client.act(bare(actions)).await.unwrap().into_inner();
    assert_eq!(reply.outcome(), v1::ActOutcome::Done, "{reply:?}");
    assert!(
        reply.results.iter().all(|result| result.is_done()),
        "{reply:?}"
    );
    reply
}

/// Sends what must be refused, and returns why.
pub async fn refused(client: &mut Client, request: v1::ActRequest) -> (Code, v1::Reason, Status) {
    let status = client.act(request).await.unwrap_err();
    (status.code(), client::reason(&status), status)
}
