//! Performs the calls of a model on a desktop.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use deskd_mcp::{Answer, Arguments as Object, Content};

use super::{arguments::Arguments, tools::ACTIONS};
use crate::{
    keys,
    rpc::{
        client::{CallError, CallErrorKind, Desktop},
        v1::{self, action::Action, capture_options::Scale},
    },
};

/// Longer side and number of pixels of a picture: what most models see without scaling.
const SIDE: u32 = 1568;
const PIXELS: u64 = 1_150_000;
/// Size of an image in bytes that fits into the 1 MB of common hosts as base64, with a margin.
const MOST_BYTES: u64 = 700 * 1024;
/// Time after which the daemon releases a button that the model left down.
const HOLD: Duration = Duration::from_secs(60);

/// A desktop, and what the model has seen of it.
pub(super) struct Computer {
    desktop: Desktop,
    /// Whether several callers may share this, so that each picture is named.
    is_shared: bool,
    seen: Mutex<Option<Seen>>,
}

/// The last picture of the whole screen.
#[derive(Debug, Clone)]
struct Seen {
    frame_id: String,
    size: (u32, u32),
    screen: (u32, u32),
}

/// A call, translated.
#[derive(Debug, PartialEq)]
enum Wanted {
    Act(Vec<Action>, String),
    Screenshot,
    /// A part of the screen: x, y, width and height.
    Zoom(i32, i32, u32, u32),
    Cursor,
}

impl Computer {
    pub(super) fn new(desktop: Desktop, is_shared: bool) -> Self {
        Self {
            desktop,
            is_shared,
            seen: Mutex::default(),
        }
    }

    /// Whether several callers may share this.
    pub(super) fn is_shared(&self) -> bool {
        self.is_shared
    }

    /// Performs a call of a tool; `None` if there is no such tool.
    pub(super) async fn call(&self, tool: &str, mut arguments: Object) -> Option<Answer> {
        let named = match arguments.remove("screenshot_id") {
            Some(serde_json::Value::String(name)) if tool != "screenshot" => Some(name),
            None | Some(serde_json::Value::Null) => None,
            Some(_) => return Some(error("Invalid call, not performed: screenshot_id".into())),
        };
        let wanted = match tool {
            "computer" => of_computer(arguments),
            "screenshot" => Arguments::new(tool, arguments, &[]).map(|_| Wanted::Screenshot),
            "zoom" => zoom(tool, arguments),
            _ => return None,
        };
        Some(match wanted {
            Ok(wanted) => self.perform(wanted, named).await,
            Err(why) => error(format!("Invalid call, not performed: {why}")),
        })
    }

    async fn perform(&self, wanted: Wanted, named: Option<String>) -> Answer {
        let acts = matches!(wanted, Wanted::Act(..));
        let done = match wanted {
            Wanted::Screenshot => self
                .look()
                .await
                .map(|frame| self.shown(String::new(), &frame)),
            Wanted::Zoom(x, y, width, height) => self.zoom((x, y, width, height), named).await,
            Wanted::Cursor => self.cursor().await,
            Wanted::Act(actions, said) => self.act(actions, said, named).await,
        };
        match done {
            Ok(answer) => answer,
            Err(error) => self.refused(&error, acts).await,
        }
    }

    /// The coordinate space of a call: the picture that it names, else the last one.
    fn space(&self, named: Option<String>) -> Option<v1::CoordinateSpace> {
        // The last picture may be that of another caller.
        let last = self.seen().filter(|_| !self.is_shared);
        let frame_id = named.or_else(|| last.map(|seen| seen.frame_id))?;
        Some(v1::CoordinateSpace {
            space: Some(v1::coordinate_space::Space::FrameId(frame_id)),
        })
    }

    /// The answer to a call whose points refer to no picture.
    fn no_space(&self) -> String {
        let what = match self.is_shared {
            true => "give the screenshot_id of the screenshot to which the coordinates refer",
            false => "take a screenshot first",
        };
        format!("This was not performed: {what}. Here is a screenshot.")
    }

    async fn act(
        &self,
        actions: Vec<Action>,
        said: String,
        named: Option<String>,
    ) -> Result<Answer, CallError> {
        let space = self.space(named);
        if space.is_none() && actions.iter().any(has_point) {
            // A point refers to a picture, and there is none.
            let frame = self.look().await?;
            return Ok(self.shown(self.no_space(), &frame));
        }
        if actions.is_empty() {
            let frame = self.look().await?;
            return Ok(self.shown(said, &frame));
        }
        let actions = actions.into_iter().map(|action| v1::Action {
            action: Some(action),
        });
        let request = v1::ActRequest {
            actions: actions.collect(),
            coordinate_space: space,
            capture: Some(whole(v1::ImageFormat::Png, None, SIDE)),
            on_failure: v1::OnFailure::StopAtFirst.into(),
            ..v1::ActRequest::default()
        };
        let reply = self.desktop.act(request).await?;
        let failure = reply
            .results
            .iter()
            .find_map(|result| result.failure.clone());
        let is_stale = failure
            .as_ref()
            .is_some_and(|failure| is_stale(failure.reason()));
        let state = reply.settle.clone().unwrap_or_default().state();
        let frame = match reply.frame.clone() {
            Some(frame) if !is_too_large(&frame) => self.saw(frame),
            _ => self.look().await?,
        };
        let text = match (reply.outcome(), failure) {
            (v1::ActOutcome::Done, _) => match state {
                v1::SettleState::NoChange => format!("{said} The screen did not change."),
                v1::SettleState::Timeout => format!("{said} The screen is still changing."),
                _ => said,
            },
            (v1::ActOutcome::Unknown, _) => {
                "It is not known whether this was done. Look at the screen.".to_owned()
            }
            (_, Some(failure)) => {
                let what = if is_stale {
                    "This was not performed"
                } else {
                    "Failed"
                };
                format!("{what}: {} [{}]", failure.message, name(failure.reason()))
            }
            (outcome, None) => format!("Failed: the step ended with {}", outcome.as_str_name()),
        };
        let mut answer = self.shown(text, &frame);
        // A stale picture is no error of the model: it decides again with the new one.
        answer.is_error |= reply.outcome() != v1::ActOutcome::Done && !is_stale;
        Ok(answer)
    }

    async fn zoom(
        &self,
        (x, y, width, height): (i32, i32, u32, u32),
        named: Option<String>,
    ) -> Result<Answer, CallError> {
        let Some(space) = self.space(named) else {
            let frame = self.look().await?;
            return Ok(self.shown(self.no_space(), &frame));
        };
        let part = |format, quality, side| v1::CaptureOptions {
            region: Some(v1::Region::new(x, y, width, height)),
            coordinate_space: Some(space.clone()),
            scale: Some(Scale::Fit(v1::Fit {
                max_side: Some(side),
                max_pixels: Some(PIXELS),
                may_enlarge: true,
                ..v1::Fit::default()
            })),
            ..whole(format, quality, side)
        };
        let side = self
            .seen()
            .map_or(SIDE, |seen| seen.size.0.max(seen.size.1));
        let frame = self.picture(part, side).await?;
        Ok(shown(String::new(), &frame))
    }

    async fn cursor(&self) -> Result<Answer, CallError> {
        let position = self.desktop.cursor().await?.position.unwrap_or_default();
        let (mut x, mut y) = (i64::from(position.x()), i64::from(position.y()));
        if let Some(seen) = self.seen() {
            let scaled = |at: i64, size: u32, screen: u32| {
                (2 * at + 1) * i64::from(size) / (2 * i64::from(screen.max(1)))
            };
            x = scaled(x, seen.size.0, seen.screen.0);
            y = scaled(y, seen.size.1, seen.screen.1);
        }
        let text = Content::Text(format!("X={x},Y={y}"));
        Ok(Answer {
            content: vec![text],
            is_error: false,
        })
    }

    /// Answers a call that the daemon refused or did not answer; with a new picture if the daemon
    /// answers at all.
    async fn refused(&self, refusal: &CallError, acts: bool) -> Answer {
        let is_stale = refusal.kind == CallErrorKind::Stale;
        if is_stale {
            *self.lock() = None;
        }
        let is_unknown = match refusal.kind {
            CallErrorKind::OutcomeUnknown | CallErrorKind::Deadline => true,
            CallErrorKind::Unavailable => !refusal.unsent,
            _ => false,
        };
        let what = match (acts, is_unknown) {
            (true, true) => "It is not known whether this was done",
            (true, false) => "This was not performed",
            (false, _) => "No picture of the screen",
        };
        let mut text = format!("{what}: {}", refusal.message);
        if refusal.reason != v1::Reason::Unspecified {
            text += &format!(" [{}]", name(refusal.reason));
        }
        let is_away = matches!(
            refusal.kind,
            CallErrorKind::Unavailable | CallErrorKind::Deadline | CallErrorKind::NotAllowed
        );
        if is_away {
            return error(text);
        }
        let Ok(frame) = self.look().await else {
            return error(text);
        };
        let mut answer = self.shown(text, &frame);
        answer.is_error |= !is_stale;
        answer
    }

    /// Takes a picture of the whole screen.
    async fn look(&self) -> Result<v1::Frame, CallError> {
        let frame = self.picture(whole, SIDE).await?;
        Ok(self.saw(frame))
    }

    /// Takes a picture that fits into the hosts' limit: as PNG, else as JPEG, else smaller.
    async fn picture(
        &self,
        options: impl Fn(v1::ImageFormat, Option<u32>, u32) -> v1::CaptureOptions,
        side: u32,
    ) -> Result<v1::Frame, CallError> {
        let ways = [
            (v1::ImageFormat::Png, None, side),
            (v1::ImageFormat::Jpeg, Some(80), side),
            (v1::ImageFormat::Jpeg, Some(60), side / 2),
        ];
        let mut frame = v1::Frame::default();
        for (format, quality, side) in ways {
            let request = v1::ScreenshotRequest {
                capture: Some(options(format, quality, side.max(1))),
                ..v1::ScreenshotRequest::default()
            };
            frame = self.desktop.screenshot(request).await?;
            if !is_too_large(&frame) {
                break;
            }
        }
        Ok(frame)
    }

    fn saw(&self, frame: v1::Frame) -> v1::Frame {
        if frame.failure.is_none() {
            *self.lock() = Some(Seen {
                frame_id: frame.frame_id.clone(),
                size: (frame.width, frame.height),
                screen: (frame.screen_width, frame.screen_height),
            });
        }
        frame
    }

    fn seen(&self) -> Option<Seen> {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The options of a picture of the whole screen.
fn whole(format: v1::ImageFormat, quality: Option<u32>, side: u32) -> v1::CaptureOptions {
    v1::CaptureOptions {
        format: format.into(),
        quality,
        scale: Some(Scale::Fit(v1::Fit {
            max_side: Some(side),
            max_pixels: Some(PIXELS),
            ..v1::Fit::default()
        })),
        max_image_bytes: Some(MOST_BYTES),
        ..v1::CaptureOptions::default()
    }
}

fn is_too_large(frame: &v1::Frame) -> bool {
    let failure = frame.failure.as_ref();
    failure.is_some_and(|failure| failure.reason() == v1::Reason::TooLarge)
}

impl Computer {
    /// An answer with a picture of the whole screen, to which later points refer.
    fn shown(&self, text: String, frame: &v1::Frame) -> Answer {
        let mut answer = shown(text, frame);
        if self.is_shared && frame.failure.is_none() {
            let name = format!("screenshot_id: {}", frame.frame_id);
            answer.content.push(Content::Text(name));
        }
        answer
    }
}

/// Whether a call was refused because the picture that it refers to is not of this screen.
fn is_stale(reason: v1::Reason) -> bool {
    use v1::Reason;
    matches!(
        reason,
        Reason::StaleEpoch | Reason::StaleGeneration | Reason::UnknownFrame | Reason::FrameIsCard
    )
}

fn name(reason: v1::Reason) -> &'static str {
    reason.as_str_name().trim_start_matches("REASON_")
}

/// A result with a picture. A failure card is also an error.
fn shown(text: String, frame: &v1::Frame) -> Answer {
    let kind = match frame.format() {
        v1::ImageFormat::Jpeg => "image/jpeg",
        _ => "image/png",
    };
    let mut content = Vec::new();
    if !text.is_empty() {
        content.push(Content::Text(text));
    }
    if let Some(failure) = &frame.failure {
        let text = format!("No picture of the screen: {}", failure.message);
        content.push(Content::Text(text));
    }
    content.push(Content::Image(frame.image.clone(), kind));
    Answer {
        content,
        is_error: frame.failure.is_some(),
    }
}

fn error(text: String) -> Answer {
    Answer {
        content: vec![Content::Text(text)],
        is_error: true,
    }
}

fn has_point(action: &Action) -> bool {
    match action {
        Action::Click(click) => click.at.is_some(),
        Action::Scroll(scroll) => scroll.at.is_some(),
        Action::Move(_) | Action::Drag(_) => true,
        _ => false,
    }
}

fn zoom(call: &str, arguments: Object) -> Result<Wanted, String> {
    let given = Arguments::new(call, arguments, &["region"])?;
    let (x, y, width, height) = given.region("region")?;
    Ok(Wanted::Zoom(x, y, width, height))
}

/// Translates a call of the tool `computer`.
fn of_computer(mut arguments: Object) -> Result<Wanted, String> {
    let action = match arguments.remove("action") {
        Some(serde_json::Value::String(action)) => action,
        Some(_) => return Err("computer: action must be a string".into()),
        None => return Err("computer: action is required".into()),
    };
    let known: &[&str] = match action.as_str() {
        "screenshot" | "cursor_position" | "left_mouse_down" | "left_mouse_up" => &[],
        "zoom" => return zoom(&action, arguments),
        "left_click" | "right_click" | "middle_click" | "double_click" | "triple_click" => {
            &["coordinate", "text"]
        }
        "left_click_drag" => &["start_coordinate", "coordinate", "text"],
        "mouse_move" => &["coordinate"],
        "scroll" => &["scroll_direction", "scroll_amount", "coordinate", "text"],
        "type" => &["text"],
        "key" => &["text", "repeat"],
        "hold_key" => &["text", "duration"],
        "wait" => &["duration"],
        other => {
            let names = ACTIONS.join(", ");
            return Err(format!(
                "there is no action {other:?}; choose one of {names}"
            ));
        }
    };
    let given = Arguments::new(&action, arguments, known)?;
    let (action, said) = match action.as_str() {
        "screenshot" => return Ok(Wanted::Screenshot),
        "cursor_position" => return Ok(Wanted::Cursor),
        "left_mouse_down" => (
            Action::ButtonDown(v1::ButtonDownAction {
                hold: HOLD.try_into().ok(),
                ..v1::ButtonDownAction::default()
            }),
            "Left mouse button pressed.".to_owned(),
        ),
        "left_mouse_up" => (
            Action::ButtonUp(v1::ButtonUpAction::default()),
            "Left mouse button released.".to_owned(),
        ),
        "mouse_move" => (
            Action::Move(v1::MoveAction {
                to: Some(given.place("coordinate")?.into()),
                modifiers: Vec::new(),
            }),
            "Moved the mouse.".to_owned(),
        ),
        "type" => (
            Action::Type(v1::TypeAction {
                text: given.text("text")?,
                rate: None,
            }),
            "Typed.".to_owned(),
        ),
        "key" => return key(&given),
        "hold_key" => {
            let (text, seconds) = (given.text("text")?, given.seconds("duration")?);
            let held = Action::Key(v1::KeyAction {
                keys: keys::chord(&text),
                repeat: None,
                hold: Duration::from_secs_f64(seconds).try_into().ok(),
            });
            (held, format!("Held {text} for {seconds} s."))
        }
        "wait" => {
            let seconds = given.seconds("duration")?;
            let said = format!("Waited {seconds} s.");
            if seconds == 0.0 {
                return Ok(Wanted::Act(Vec::new(), said));
            }
            let duration = Duration::from_secs_f64(seconds).try_into().ok();
            (Action::Wait(v1::WaitAction { duration }), said)
        }
        "scroll" => return scroll(&given),
        "left_click_drag" => {
            let path = [given.place("start_coordinate")?, given.place("coordinate")?];
            let dragged = Action::Drag(v1::DragAction {
                path: path.into_iter().map(Into::into).collect(),
                modifiers: modifiers(&given)?,
                ..v1::DragAction::default()
            });
            (dragged, "Dragged.".to_owned())
        }
        click => click_of(click, &given)?,
    };
    Ok(Wanted::Act(vec![action], said))
}

fn click_of(name: &str, given: &Arguments) -> Result<(Action, String), String> {
    let (button, count, said) = match name {
        "right_click" => (v1::Button::Right, 1, "Right-clicked."),
        "middle_click" => (v1::Button::Middle, 1, "Middle-clicked."),
        "double_click" => (v1::Button::Left, 2, "Double-clicked."),
        "triple_click" => (v1::Button::Left, 3, "Triple-clicked."),
        _ => (v1::Button::Left, 1, "Clicked."),
    };
    let click = v1::ClickAction {
        at: given.point("coordinate")?.map(Into::into),
        button: button.into(),
        count: Some(count),
        modifiers: modifiers(given)?,
    };
    Ok((Action::Click(click), said.to_owned()))
}

/// `key`: one chord, or several that are separated by spaces, as xdotool takes them.
fn key(given: &Arguments) -> Result<Wanted, String> {
    let text = given.text("text")?;
    let repeat = match given.has("repeat") {
        true => given.whole("repeat", 1, 100)?,
        false => 1,
    };
    let press = |chord: &str| {
        Action::Key(v1::KeyAction {
            keys: keys::chord(chord),
            repeat: u32::try_from(repeat).ok(),
            hold: None,
        })
    };
    let mut chords: Vec<&str> = text.split_whitespace().collect();
    if chords.is_empty() {
        chords.push(&text);
    }
    let actions = chords.into_iter().map(press).collect();
    Ok(Wanted::Act(actions, format!("Pressed {text}.")))
}

fn scroll(given: &Arguments) -> Result<Wanted, String> {
    let direction = given.text("scroll_direction")?;
    let (x, y) = match direction.as_str() {
        "up" => (0, -1),
        "down" => (0, 1),
        "left" => (-1, 0),
        "right" => (1, 0),
        _ => return Err("scroll: scroll_direction must be one of up, down, left, right".into()),
    };
    let amount = given.whole("scroll_amount", 0, 1000)?;
    let turned = Action::Scroll(v1::ScrollAction {
        at: given.point("coordinate")?.map(Into::into),
        dx: x * amount,
        dy: y * amount,
        unit: v1::ScrollUnit::Notch.into(),
        modifiers: modifiers(given)?,
    });
    let actions = if amount == 0 { vec![] } else { vec![turned] };
    Ok(Wanted::Act(actions, format!("Scrolled {direction}.")))
}

/// The keys that are held during an action.
fn modifiers(given: &Arguments) -> Result<Vec<String>, String> {
    match given.has("text") {
        true => Ok(keys::chord(&given.text("text")?)),
        false => Ok(Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn translated(call: serde_json::Value) -> Result<Wanted, String> {
        let serde_json::Value::Object(arguments) = call else {
            panic!("no object")
        };
        of_computer(arguments)
    }

    #[test]
    fn every_action_is_translated() {
        for action in ACTIONS {
            let call = match action {
                "key" | "type" => json!({"action": action, "text": "a"}),
                "hold_key" => json!({"action": action, "text": "a", "duration": 1}),
                "wait" => json!({"action": action, "duration": 0.5}),
                "mouse_move" => json!({"action": action, "coordinate": [1, 2]}),
                "left_click_drag" => {
                    json!({"action": action, "start_coordinate": [1, 2], "coordinate": [3.0, 4]})
                }
                "scroll" => {
                    json!({"action": action, "scroll_direction": "up", "scroll_amount": 2})
                }
                "zoom" => json!({"action": action, "region": [1, 2, 3, 4]}),
                _ => json!({ "action": action }),
            };
            assert!(translated(call).is_ok(), "{action}");
        }
        let zoomed = translated(json!({"action": "zoom", "region": [10, 20, 40, 60]}));
        assert_eq!(zoomed, Ok(Wanted::Zoom(10, 20, 30, 40)));
        let keys = translated(json!({"action": "key", "text": "Down ctrl+s", "repeat": 2}));
        let Ok(Wanted::Act(actions, said)) = keys else {
            panic!("{keys:?}")
        };
        assert_eq!((actions.len(), said.as_str()), (2, "Pressed Down ctrl+s."));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (call, what) in [
            (json!({}), "action is required"),
            (json!({"action": 5}), "action must be a string"),
            (json!({"action": "fly"}), "there is no action \"fly\""),
            (json!({"action": "type"}), "type: text is required"),
            (
                json!({"action": "type", "text": 5}),
                "text must be a string",
            ),
            (
                json!({"action": "left_click", "coordinate": [1]}),
                "must be [x, y]",
            ),
            (
                json!({"action": "left_click", "coordinate": "1,2"}),
                "whole numbers",
            ),
            (
                json!({"action": "left_click", "coordinate": [1.5, 2]}),
                "whole numbers",
            ),
            (
                json!({"action": "left_click", "coordinate": [1e300, 2]}),
                "whole numbers",
            ),
            (
                json!({"action": "left_click", "speed": 2}),
                "unknown argument \"speed\"",
            ),
            (
                json!({"action": "wait", "duration": 301}),
                "a number from 0 to 300",
            ),
            (
                json!({"action": "key", "text": "a", "repeat": 101}),
                "from 1 to 100",
            ),
            (json!({"action": "zoom", "region": [5, 5, 5, 9]}), "x0 < x1"),
            (
                json!({"action": "zoom", "region": [-2147483648, 0, 2147483647, 9]}),
                "x0 < x1",
            ),
            (
                json!({"action": "scroll", "scroll_amount": 1}),
                "scroll_direction is required",
            ),
            (json!({"action": "mouse_move"}), "coordinate is required"),
        ] {
            let why = translated(call.clone()).unwrap_err();
            assert!(why.contains(what), "{call}: {why}");
        }
    }
}
