//! The messages between the viewer's page and the daemon, over a WebSocket.
//!
//! Text messages are JSON objects with a field `t`. Images are binary messages: a byte for the kind
//! (1: a part of the screen, 2: the whole screen, 3: a failure card), then `x`, `y`, width and height
//! as unsigned 32-bit little-endian numbers, then the image (PNG or JPEG).

use bytes::{BufMut as _, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use crate::{
    frame::{Region, Size},
    keys,
    session::{Action, Button, Key, Text},
};

/// Maximum bytes of a message from the page.
pub(super) const MAX_MESSAGE: usize = 256 << 10;
/// Maximum bytes of a text that is typed.
const MAX_TYPED: usize = 4096;
/// Maximum number of keys of a chord.
const MAX_KEYS: usize = 6;
/// A button that the page pressed is released after this time, should the page not do it.
const HOLD: std::time::Duration = std::time::Duration::from_secs(60);
/// Maximum number of notches of one turn of the wheel.
const MAX_NOTCHES: i32 = 30;

/// A message from the page.
#[derive(Deserialize)]
#[serde(tag = "t", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum FromPage {
    /// The first message: the secret that the page got for its token.
    Open { secret: String },
    /// The page has drawn the last update.
    Drawn,
    /// Take control.
    Take {
        #[serde(default)]
        reason: String,
    },
    /// Give control back.
    Give,
    /// Move the pointer.
    Move { x: i32, y: i32 },
    /// Press a button: 0 left, 1 middle, 2 right, 3 back, 4 forward, as in DOM events.
    Down { button: u8, x: i32, y: i32 },
    /// Release a button.
    Up { button: u8, x: i32, y: i32 },
    /// Turn the wheel by notches, while modifier keys are held.
    Wheel {
        x: i32,
        y: i32,
        dx: i32,
        dy: i32,
        #[serde(default)]
        keys: Vec<String>,
    },
    /// Type characters.
    Type { text: String },
    /// Press a chord of keys, by the names of the API.
    Chord { keys: Vec<String> },
    /// Replace the clipboard, and make the focused program paste it.
    Paste { text: String },
    /// Send the text on the clipboard.
    Copy,
}

impl FromPage {
    /// Whether the message only moves the pointer: a later one takes its place.
    pub(super) fn is_move(&self) -> bool {
        matches!(self, Self::Move { .. })
    }

    /// Returns the input that the message asks for; `Ok(None)` if it asks for none.
    pub(super) fn action(self) -> Result<Option<Action>, &'static str> {
        let button = |number: u8| match number {
            0 => Ok(Button::Left),
            1 => Ok(Button::Middle),
            2 => Ok(Button::Right),
            3 => Ok(Button::Back),
            4 => Ok(Button::Forward),
            _ => Err("there is no such button"),
        };
        let key = |name: String| {
            let keysym = keys::keysym(&name).ok_or("there is no such key")?;
            Ok::<_, &'static str>(Key { name, keysym })
        };
        Ok(Some(match self {
            Self::Move { x, y } => Action::Move {
                to: (x, y),
                modifiers: Vec::new(),
            },
            Self::Down {
                button: number,
                x,
                y,
            } => Action::ButtonDown {
                at: Some((x, y)),
                button: button(number)?,
                hold: HOLD,
            },
            Self::Up {
                button: number,
                x,
                y,
            } => Action::ButtonUp {
                at: Some((x, y)),
                button: button(number)?,
            },
            Self::Wheel { x, y, dx, dy, keys } => {
                let notches = |turn: i32| turn.clamp(-MAX_NOTCHES, MAX_NOTCHES);
                if (dx, dy) == (0, 0) {
                    return Ok(None);
                }
                if keys.len() > MAX_KEYS {
                    return Err("there are too many modifiers");
                }
                Action::Scroll {
                    at: Some((x, y)),
                    notches: (notches(dx), notches(dy)),
                    modifiers: keys.into_iter().map(key).collect::<Result<_, _>>()?,
                }
            }
            Self::Type { text } => {
                if text.len() > MAX_TYPED || text.contains('\0') {
                    return Err("the text is too long to type: paste it");
                }
                if text.is_empty() {
                    return Ok(None);
                }
                Action::Type {
                    text: Text(text),
                    rate: None,
                }
            }
            Self::Chord { keys } => {
                if keys.is_empty() || keys.len() > MAX_KEYS {
                    return Err("a chord has 1 to 6 keys");
                }
                Action::Chord {
                    keys: keys.into_iter().map(key).collect::<Result<_, _>>()?,
                    repeat: 1,
                    hold: std::time::Duration::ZERO,
                }
            }
            Self::Paste { text } => {
                if text.contains('\0') {
                    return Err("the text has a NUL");
                }
                Action::Paste {
                    text: Text(text),
                    keys: vec![key("shift".into())?, key("Insert".into())?],
                }
            }
            Self::Open { .. } | Self::Drawn | Self::Take { .. } | Self::Give | Self::Copy => {
                return Ok(None);
            }
        }))
    }
}

/// A message to the page.
#[derive(Debug, Serialize)]
#[serde(tag = "t", rename_all = "snake_case")]
pub(super) enum ToPage<'a> {
    /// The first message: what this person may do.
    Hello { may_control: bool, viewer: &'a str },
    /// The holder of control.
    Control {
        epoch: u64,
        /// The name of the holder; `None` if there is none.
        holder: Option<&'a str>,
        reason: &'a str,
        is_person: bool,
        /// Whether this page holds the lease.
        is_mine: bool,
    },
    /// Whether the desktop is connected and painted.
    Desktop { connected: bool, painted: bool },
    /// The content of a failure card, which follows as an image.
    Card { reason: &'a str, message: &'a str },
    /// The pixel under the pointer.
    Pointer { x: i32, y: i32 },
    /// The text on the clipboard.
    Clipboard { text: &'a str },
    /// An update of the screen is complete.
    End,
    /// A request of the page was not done.
    Refused { message: &'a str },
}

/// The kind of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ImageKind {
    Part = 1,
    Screen = 2,
    Card = 3,
}

/// Returns the message with an image.
pub(super) fn image(kind: ImageKind, at: (u32, u32), size: Size, image: &[u8]) -> Bytes {
    let mut message = BytesMut::with_capacity(17 + image.len());
    message.put_u8(kind as u8);
    for number in [at.0, at.1, size.width, size.height] {
        message.put_u32_le(number);
    }
    message.put_slice(image);
    message.freeze()
}

/// Returns the message with a part of the screen.
pub(super) fn part(region: Region, bytes: &[u8]) -> Bytes {
    image(ImageKind::Part, (region.x, region.y), region.size, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_messages_of_the_right_shape_are_input() {
        let action = |text: &str| {
            let message: FromPage = serde_json::from_str(text).map_err(|_| "shape")?;
            message.action()
        };
        let key = |name: &str| Key {
            name: name.into(),
            keysym: keys::keysym(name).unwrap(),
        };
        assert_eq!(
            action(r#"{"t":"chord","keys":["ctrl","c"]}"#),
            Ok(Some(Action::Chord {
                keys: vec![key("ctrl"), key("c")],
                repeat: 1,
                hold: std::time::Duration::ZERO,
            }))
        );
        assert_eq!(action(r#"{"t":"drawn"}"#), Ok(None));
        for wrong in [
            "",
            "[]",
            "null",
            "{}",
            r#"{"t":"reboot"}"#,
            r#"{"t":"move","x":1}"#,
            r#"{"t":"move","x":1.5,"y":2}"#,
            r#"{"t":"move","x":99999999999,"y":2}"#,
            r#"{"t":"move","x":1,"y":2,"z":3}"#,
            r#"{"t":"down","button":9,"x":1,"y":1}"#,
            r#"{"t":"down","button":-1,"x":1,"y":1}"#,
            r#"{"t":"chord","keys":[]}"#,
            r#"{"t":"chord","keys":["nokey"]}"#,
            r#"{"t":"chord","keys":["a","a","a","a","a","a","a"]}"#,
            r#"{"t":"type","text":7}"#,
            "{\"t\":\"type\",\"text\":\"a\\u0000\"}",
        ] {
            assert!(action(wrong).is_err(), "{wrong}");
        }
        let long = format!(r#"{{"t":"type","text":"{}"}}"#, "a".repeat(5000));
        assert!(action(&long).is_err());
    }
}
