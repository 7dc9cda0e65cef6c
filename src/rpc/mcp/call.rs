//! Reads the calls of a model.

use std::time::Duration;

use deskd_mcp::Arguments as Object;

use super::{
    arguments::Arguments,
    tools::{ACTIONS, OPERATIONS},
};
use crate::{
    keys,
    rpc::{
        v1::{self, action::Action, launch_request::Program},
        window_named,
    },
};

/// Time after which the daemon releases a button that the model left down.
const HOLD: Duration = Duration::from_secs(60);

/// A call, translated.
#[derive(Debug, PartialEq)]
pub(super) enum Wanted {
    Act(Vec<Action>, String),
    Screenshot,
    /// A part of the screen: x, y, width and height.
    Zoom(i32, i32, u32, u32),
    Cursor,
    Windows,
    /// A change of a window.
    Window(v1::WindowTarget, v1::WindowOperation),
    /// A window, what must hold of it, and how long to wait.
    WaitFor(v1::WindowMatch, v1::WindowEvent, Duration),
    Launch(Program),
    ReadClipboard,
    WriteClipboard(String),
}

/// Reads a call of a tool; `None` if there is no such tool.
///
/// # Errors
///
/// What is wrong with the arguments, for the model.
pub(super) fn read(tool: &str, arguments: Object) -> Option<Result<Wanted, String>> {
    Some(match tool {
        "computer" => of_computer(arguments),
        "screenshot" => Arguments::new(tool, arguments, &[]).map(|_| Wanted::Screenshot),
        "zoom" => zoom(tool, arguments),
        "list_windows" => Arguments::new(tool, arguments, &[]).map(|_| Wanted::Windows),
        "window" => window(tool, arguments),
        "wait_for_window" => wait_for_window(tool, arguments),
        "launch" => launch(tool, arguments),
        "read_clipboard" => Arguments::new(tool, arguments, &[]).map(|_| Wanted::ReadClipboard),
        "write_clipboard" => Arguments::new(tool, arguments, &["text"])
            .and_then(|given| given.text("text"))
            .map(Wanted::WriteClipboard),
        _ => return None,
    })
}

fn zoom(call: &str, arguments: Object) -> Result<Wanted, String> {
    let given = Arguments::new(call, arguments, &["region"])?;
    let (x, y, width, height) = given.region("region")?;
    Ok(Wanted::Zoom(x, y, width, height))
}

/// Time to wait for a window if the call names none.
const WAIT: f64 = 10.0;

fn window(call: &str, arguments: Object) -> Result<Wanted, String> {
    use v1::WindowOperation;
    let given = Arguments::new(call, arguments, &["operation", "window"])?;
    let operation = match given.word("operation", &OPERATIONS)?.as_str() {
        "activate" => WindowOperation::Activate,
        "close" => WindowOperation::Close,
        "minimize" => WindowOperation::Minimize,
        "maximize" => WindowOperation::Maximize,
        _ => WindowOperation::Restore,
    };
    Ok(Wanted::Window(
        window_named(given.text("window")?),
        operation,
    ))
}

fn titled(title: String) -> v1::WindowMatch {
    v1::WindowMatch {
        title,
        ..v1::WindowMatch::default()
    }
}

fn wait_for_window(call: &str, arguments: Object) -> Result<Wanted, String> {
    let given = Arguments::new(call, arguments, &["title", "gone", "seconds"])?;
    let event = match given.switch("gone")? {
        true => v1::WindowEvent::Disappears,
        false => v1::WindowEvent::Appears,
    };
    let seconds = match given.has("seconds") {
        true => given.seconds("seconds")?,
        false => WAIT,
    };
    let title = titled(given.text("title")?);
    Ok(Wanted::WaitFor(
        title,
        event,
        Duration::from_secs_f64(seconds),
    ))
}

fn launch(call: &str, arguments: Object) -> Result<Wanted, String> {
    let given = Arguments::new(call, arguments, &["command", "open"])?;
    Ok(Wanted::Launch(
        match (given.has("command"), given.has("open")) {
            (true, false) => Program::Arguments(v1::Arguments {
                words: given.words("command")?,
            }),
            (false, true) => Program::Uri(given.text("open")?),
            _ => return Err("launch: give either command or open".into()),
        },
    ))
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
    fn a_launch_has_words_or_a_uri() {
        let launch = |call: serde_json::Value| match call {
            serde_json::Value::Object(arguments) => launch("launch", arguments),
            _ => panic!("no object"),
        };
        let words = vec!["xterm".to_owned(), "-e".to_owned(), "top".to_owned()];
        let wanted = Wanted::Launch(Program::Arguments(v1::Arguments { words }));
        assert_eq!(
            launch(json!({"command": ["xterm", "-e", "top"]})),
            Ok(wanted)
        );
        let wanted = Wanted::Launch(Program::Uri("https://a.test/".into()));
        assert_eq!(launch(json!({"open": "https://a.test/"})), Ok(wanted));
        for (call, what) in [
            (json!({}), "either command or open"),
            (
                json!({"command": ["a"], "open": "b"}),
                "either command or open",
            ),
            (json!({"command": "xterm"}), "list of strings"),
            (json!({"command": ["a", 5]}), "list of strings"),
        ] {
            let why = launch(call.clone()).unwrap_err();
            assert!(why.contains(what), "{call}: {why}");
        }
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
