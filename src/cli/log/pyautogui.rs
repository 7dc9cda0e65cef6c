//! Steps as lines of pyautogui, the form that OSWorld's trajectories have.

use std::time::Duration;

use super::describe;
use crate::{
    keys,
    rpc::v1::{self, action::Action},
};

/// Returns the lines of a step whose coordinates are pixels of the screen.
pub(super) fn step(request: &v1::ActRequest, redactions: &[v1::LogRedaction]) -> String {
    let actions = request.actions.iter().enumerate();
    let lines = actions.map(|(index, one)| {
        let redacted = redactions.iter().find(|r| r.action as usize == index);
        match redacted {
            // A comment, so that the lines stay valid.
            Some(redacted) => {
                format!("# {}", describe::action(one, Some(redacted.characters)))
            }
            None => action(one),
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn action(action: &v1::Action) -> String {
    let Some(chosen) = &action.action else {
        return "# an unknown action".into();
    };
    let at = |target: Option<&v1::Target>| match describe::point(target) {
        Some((x, y)) => format!("{x}, {y}, "),
        None => String::new(),
    };
    let button = |button: v1::Button| match button {
        v1::Button::Middle => "'middle'",
        v1::Button::Right => "'right'",
        _ => "'left'",
    };
    let buttons = [v1::Button::Back, v1::Button::Forward];
    let is_missing = match chosen {
        Action::Click(a) => buttons.contains(&a.button()),
        Action::ButtonDown(a) => buttons.contains(&a.button()),
        Action::ButtonUp(a) => buttons.contains(&a.button()),
        Action::Drag(a) => buttons.contains(&a.button()),
        _ => false,
    };
    if is_missing {
        return format!(
            "# {} (pyautogui has no such button)",
            describe::action(action, None)
        );
    }
    match chosen {
        Action::Move(a) => {
            let place = at(a.to.as_ref());
            held(&a.modifiers, &format!("pyautogui.moveTo({})", bare(&place)))
        }
        Action::Click(a) => {
            let (place, count, button) = (at(a.at.as_ref()), a.count().max(1), button(a.button()));
            let click = format!("pyautogui.click({place}clicks={count}, button={button})");
            held(&a.modifiers, &click)
        }
        Action::ButtonDown(a) => {
            let (place, button) = (at(a.at.as_ref()), button(a.button()));
            format!("pyautogui.mouseDown({place}button={button})")
        }
        Action::ButtonUp(a) => {
            let (place, button) = (at(a.at.as_ref()), button(a.button()));
            format!("pyautogui.mouseUp({place}button={button})")
        }
        Action::Drag(a) => {
            let button = button(a.button());
            let mut points = a.path.iter();
            let first = at(points.next());
            let mut lines = vec![format!("pyautogui.moveTo({})", bare(&first))];
            lines.push(format!("pyautogui.mouseDown(button={button})"));
            lines.extend(
                points.map(|target| format!("pyautogui.moveTo({})", bare(&at(Some(target))))),
            );
            lines.push(format!("pyautogui.mouseUp(button={button})"));
            held(&a.modifiers, &lines.join("\n"))
        }
        Action::Scroll(a) => {
            // pyautogui scrolls upwards and to the right, in notches.
            let notches = |distance: i32| match a.unit() {
                v1::ScrollUnit::Pixel => distance / 100,
                _ => distance,
            };
            let place = at(a.at.as_ref());
            let mut lines = Vec::new();
            if !place.is_empty() {
                lines.push(format!("pyautogui.moveTo({})", bare(&place)));
            }
            let (dx, dy) = (notches(a.dx), notches(a.dy));
            if dy != 0 {
                lines.push(format!("pyautogui.scroll({})", -dy));
            }
            if dx != 0 {
                lines.push(format!("pyautogui.hscroll({dx})"));
            }
            held(&a.modifiers, &lines.join("\n"))
        }
        Action::Type(a) => format!("pyautogui.write({})", text(&a.text)),
        Action::Paste(a) => format!("pyautogui.write({})", text(&a.text)),
        Action::Key(a) => {
            let names: Vec<String> = a.keys.iter().flat_map(|key| keys::chord(key)).collect();
            let names: Vec<String> = names.iter().map(|name| text(&key(name))).collect();
            let line = match names.len() {
                1 => format!("pyautogui.press({})", names.join("")),
                _ => format!("pyautogui.hotkey({})", names.join(", ")),
            };
            vec![line; usize::try_from(a.repeat().clamp(1, 100)).unwrap_or(1)].join("\n")
        }
        Action::KeyDown(a) => format!("pyautogui.keyDown({})", text(&key(&a.key))),
        Action::KeyUp(a) => format!("pyautogui.keyUp({})", text(&key(&a.key))),
        Action::Wait(a) => {
            let time = a.duration.and_then(|time| Duration::try_from(time).ok());
            format!("time.sleep({})", time.unwrap_or_default().as_secs_f64())
        }
        Action::WaitFor(_) | Action::Screenshot(_) => {
            format!("# {}", describe::action(action, None))
        }
    }
}

/// Returns lines that keys are held during.
fn held(modifiers: &[String], lines: &str) -> String {
    let mut all: Vec<String> = Vec::new();
    all.extend(
        modifiers
            .iter()
            .map(|name| format!("pyautogui.keyDown({})", text(&key(name)))),
    );
    all.push(lines.to_owned());
    let up = modifiers.iter().rev();
    all.extend(up.map(|name| format!("pyautogui.keyUp({})", text(&key(name)))));
    all.join("\n")
}

fn bare(place: &str) -> &str {
    place.trim_end_matches(", ")
}

/// Returns pyautogui's name of a key.
fn key(name: &str) -> String {
    let Some(keysym) = keys::keysym(name) else {
        return name.to_lowercase();
    };
    if let Some(character) = keys::character(keysym).filter(|c| !c.is_control()) {
        return character.to_string();
    }
    match keys::name(keysym).as_str() {
        "Control_L" => "ctrlleft".into(),
        "Control_R" => "ctrlright".into(),
        "Shift_L" => "shiftleft".into(),
        "Shift_R" => "shiftright".into(),
        "Alt_L" => "altleft".into(),
        "Alt_R" => "altright".into(),
        "Super_L" => "winleft".into(),
        "Super_R" => "winright".into(),
        "Return" => "enter".into(),
        "Escape" => "esc".into(),
        "Page_Up" | "Prior" => "pageup".into(),
        "Page_Down" | "Next" => "pagedown".into(),
        "BackSpace" => "backspace".into(),
        other => other.to_lowercase(),
    }
}

/// Returns a Python string literal.
fn text(text: &str) -> String {
    let mut literal = String::from("'");
    for character in text.chars() {
        match character {
            '\'' | '\\' => literal.extend(['\\', character]),
            '\n' => literal.push_str("\\n"),
            '\t' => literal.push_str("\\t"),
            '\r' => literal.push_str("\\r"),
            c if c.is_control() => literal.push_str(&format!("\\U{:08x}", u32::from(c))),
            c => literal.push(c),
        }
    }
    literal.push('\'');
    literal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_end_its_literal() {
        assert_eq!(text("a'b\\c\nd\u{1b}"), "'a\\'b\\\\c\\nd\\U0000001b'");
        let quote = v1::KeyAction {
            keys: vec!["'".into()],
            ..v1::KeyAction::default()
        };
        let action = super::action(&v1::Action {
            action: Some(Action::Key(quote)),
        });
        assert_eq!(action, "pyautogui.press('\\'')");
    }
}
