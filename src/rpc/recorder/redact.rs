//! Removes secrets from requests before they are recorded.
//!
//! Text that is typed or pasted is removed. So are keys that give a character, because a password can
//! be typed key by key. A chord with Ctrl, Alt or Super gives no character and stays.

use crate::keys;
use crate::rpc::v1::{self, LogRedaction, action::Action};

/// Removes the text from a step. Returns what was removed.
pub(super) fn step(request: &mut v1::ActRequest) -> Vec<LogRedaction> {
    let mut redactions = Vec::new();
    for (index, action) in request.actions.iter_mut().enumerate() {
        let removed = match &mut action.action {
            Some(Action::Type(action)) => take(&mut action.text),
            Some(Action::Paste(action)) => {
                // What is no chord may be a text in the wrong field.
                let chord = keys::chord(&action.chord);
                if chord.iter().any(|key| keys::keysym(key).is_none()) {
                    action.chord.clear();
                }
                take(&mut action.text)
            }
            Some(Action::Key(action)) if gives_text(&action.keys) => {
                let keys = std::mem::take(&mut action.keys);
                let characters = keys.iter().filter(|key| is_character(key)).count();
                characters as u64 * u64::from(action.repeat.unwrap_or(1))
            }
            Some(Action::KeyDown(action)) if is_character(&action.key) => take_key(&mut action.key),
            Some(Action::KeyUp(action)) if is_character(&action.key) => take_key(&mut action.key),
            _ => 0,
        };
        if removed > 0 {
            redactions.push(LogRedaction {
                action: u32::try_from(index).unwrap_or(u32::MAX),
                characters: removed,
            });
        }
    }
    redactions
}

fn take(text: &mut String) -> u64 {
    std::mem::take(text).chars().count() as u64
}

fn take_key(key: &mut String) -> u64 {
    key.clear();
    1
}

/// Whether the keys give a character when they are pressed together.
fn gives_text(keys: &[String]) -> bool {
    let is_command = |key: &String| {
        let command = [
            "Control_L",
            "Control_R",
            "Alt_L",
            "Super_L",
            "Super_R",
            "Meta_L",
            "Hyper_L",
        ];
        keys::keysym(key).is_some_and(|keysym| {
            command
                .iter()
                .any(|name| keys::keysym(name) == Some(keysym))
        })
    };
    // A request may also contain several keys in one text, as "ctrl+c".
    let names: Vec<String> = keys.iter().flat_map(|key| keys::chord(key)).collect();
    names.iter().any(|key| is_character(key)) && !names.iter().any(is_command)
}

/// Whether a key gives a character, or a part of one. A name that is no key may be a mistyped secret.
fn is_character(key: &str) -> bool {
    /// The dead keys, and the one that composes (keysymdef.h).
    const DEAD: std::ops::RangeInclusive<u32> = 0xfe50..=0xfe93;
    const MULTI_KEY: u32 = 0xff20;
    match keys::keysym(key) {
        None => true,
        Some(keysym) => {
            let composes = DEAD.contains(&keysym) || keysym == MULTI_KEY;
            composes || keys::character(keysym).is_some_and(|c| !c.is_control())
        }
    }
}

/// Returns a launch without what may be secret.
pub(in crate::rpc) fn launch(request: &v1::LaunchRequest) -> v1::LaunchRequest {
    use v1::launch_request::Program;
    let program = match &request.program {
        Some(Program::Arguments(arguments)) => Some(Program::Arguments(v1::Arguments {
            words: arguments.words.iter().take(1).cloned().collect(),
        })),
        Some(Program::DesktopEntry(entry)) => Some(Program::DesktopEntry(v1::DesktopEntry {
            entry: entry.entry.clone(),
            ..v1::DesktopEntry::default()
        })),
        Some(Program::Uri(uri)) => Some(Program::Uri(match uri.split_once(':') {
            Some((scheme, _)) if !scheme.contains('/') => format!("{scheme}:"),
            _ => "file:".to_owned(),
        })),
        None => None,
    };
    v1::LaunchRequest {
        program,
        wait_window: request.wait_window,
        ..v1::LaunchRequest::default()
    }
}

/// Returns a response without images and paint evidence and, if the request was redacted, without
/// messages that may name keys.
pub(super) fn response(response: &v1::ActResponse, is_redacted: bool) -> v1::ActResponse {
    // The bytes of images are shared, not copied.
    let mut response = response.clone();
    let results = response.results.iter_mut();
    let frames = results.filter_map(|result| result.frame.as_mut());
    for frame in frames.chain(response.frame.as_mut()) {
        frame.image = bytes::Bytes::new();
        frame.paint = None;
    }
    if is_redacted {
        let results = response.results.iter_mut();
        for failure in results.filter_map(|result| result.failure.as_mut()) {
            if super::records::names_keys(failure.reason()) {
                failure.message.clear();
            }
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn action(action: Action) -> v1::Action {
        v1::Action {
            action: Some(action),
        }
    }

    fn key(keys: &[&str]) -> v1::Action {
        action(Action::Key(v1::KeyAction {
            keys: keys.iter().map(|key| (*key).to_owned()).collect(),
            repeat: None,
            hold: None,
        }))
    }

    #[test]
    fn what_gives_text_is_removed_and_commands_stay() {
        let mut request = v1::ActRequest {
            actions: vec![
                action(Action::Type(v1::TypeAction {
                    text: "hünter2".into(),
                    rate: None,
                })),
                action(Action::Paste(v1::PasteAction {
                    text: "swordfish".into(),
                    chord: "ctrl+v".into(),
                })),
                key(&["h"]),
                key(&["shift", "H"]),
                key(&["exclam"]),
                key(&["KP_7"]),
                key(&["U+20AC"]),
                key(&["shift+q"]),
                key(&["swordfish"]),
                key(&["dead_acute"]),
                action(Action::KeyDown(v1::KeyDownAction {
                    key: "h".into(),
                    hold: None,
                })),
                key(&["Return"]),
                key(&["ctrl", "c"]),
                key(&["ctrl+shift+t"]),
                key(&["F5"]),
                key(&["Tab"]),
            ],
            ..v1::ActRequest::default()
        };
        let redactions = step(&mut request);
        let found: Vec<_> = redactions
            .iter()
            .map(|r| (r.action, r.characters))
            .collect();
        let one = |action| (action, 1);
        let mut wanted = vec![(0, 7), (1, 9)];
        wanted.extend((2..11).map(one));
        assert_eq!(found, wanted);
        let text = format!("{request:?}");
        for secret in [
            "nter2",
            "swordfish",
            "exclam",
            "KP_7",
            "20AC",
            "\"H\"",
            "\"h\"",
            "q\"",
        ] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
        for kept in ["Return", "\"c\"", "ctrl+shift+t", "F5", "Tab", "ctrl+v"] {
            assert!(text.contains(kept), "{kept} not in {text}");
        }
    }

    #[test]
    fn a_launch_keeps_its_program_alone() {
        use v1::launch_request::Program;
        let secret = |program| v1::LaunchRequest {
            program: Some(program),
            folder: "/home/secret".into(),
            environment: [("KEY".to_owned(), "secret".to_owned())].into(),
            ..v1::LaunchRequest::default()
        };
        let words = ["curl", "--user", "a:secret"].map(str::to_owned).to_vec();
        for (program, kept) in [
            (Program::Arguments(v1::Arguments { words }), "curl"),
            (Program::Uri("https://a:secret@b/?secret".into()), "https:"),
            (Program::Uri("/home/secret".into()), "file:"),
        ] {
            let text = format!("{:?}", launch(&secret(program)));
            assert!(!text.contains("secret") && text.contains(kept), "{text}");
        }
    }
}
