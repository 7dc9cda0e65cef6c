//! Converts messages to the actions of a step.

use std::time::Duration;

use tonic::Status;

use crate::rpc::{
    limits,
    messages::{condition, convert, limited, status},
    v1,
};
use crate::{
    keys,
    session::{Action, AskedPoint, Button, ImageSpec, Key, Text},
};

/// Maximum number of keys of a chord, and of modifiers of a pointer action.
pub(in crate::rpc) const MAX_KEYS: usize = 8;
/// Maximum number of points of a drag.
pub(in crate::rpc) const MAX_POINTS: usize = 1000;
/// Maximum number of repetitions of a chord.
pub(in crate::rpc) const MAX_REPEAT: u8 = 100;
/// Maximum duration of a drag.
pub(in crate::rpc) const MAX_DRAG: Duration = Duration::from_secs(10);
/// Default chord for pasting: on it, GTK, Qt and Chromium paste CLIPBOARD, and terminals
/// PRIMARY.
const PASTE_CHORD: &str = "Shift+Insert";
/// Maximum rate of typing, in characters per second.
pub(in crate::rpc) const MAX_RATE: u32 = 10_000;
/// Number of pixels that one notch of the wheel represents.
const PIXELS_A_NOTCH: u32 = 100;
/// Default time for which a button or key is held.
const DEFAULT_HOLD: Duration = Duration::from_secs(10);
/// Default duration of a drag.
const DEFAULT_DRAG: Duration = Duration::from_millis(250);

/// Converts the options of an image that shares its response with others. Without a limit of
/// its own, the image may take `share` bytes.
pub(in crate::rpc) fn shared(
    share: u64,
    field: &str,
    options: Option<&v1::CaptureOptions>,
) -> Result<ImageSpec, Status> {
    let image = convert::image(field, options)?;
    let own = options.is_some_and(|options| options.max_image_bytes.is_some());
    Ok(ImageSpec {
        // Raw images have no default limit, so theirs stays `None`.
        max_image_bytes: image
            .max_image_bytes
            .map(|limit| if own { limit } else { share }),
        ..image
    })
}

/// The index of an action, from which the names of its fields are built.
#[derive(Clone, Copy)]
pub(in crate::rpc) struct Field {
    pub(in crate::rpc) index: usize,
    /// Maximum bytes of the image of a screenshot action that has no limit of its own.
    pub(in crate::rpc) share: u64,
}

impl Field {
    pub(in crate::rpc) fn name(self, field: &str) -> String {
        match field {
            "" => format!("actions[{}]", self.index),
            field => format!("actions[{}].{field}", self.index),
        }
    }

    pub(in crate::rpc) fn action(self, action: &v1::action::Action) -> Result<Action, Status> {
        use v1::action::Action as Wire;
        Ok(match action {
            Wire::Move(action) => {
                let to = self.target("move.to", action.to.as_ref())?;
                Action::Move {
                    to: to.ok_or_else(|| {
                        status::invalid_field(&self.name("move.to"), "must be given")
                    })?,
                    modifiers: self.keys("move.modifiers", &action.modifiers)?,
                }
            }
            Wire::Click(action) => Action::Click {
                at: self.target("click.at", action.at.as_ref())?,
                button: self.button("click.button", action.button)?,
                count: self.times("click.count", action.count, 3)?,
                modifiers: self.keys("click.modifiers", &action.modifiers)?,
            },
            Wire::ButtonDown(action) => Action::ButtonDown {
                at: self.target("button_down.at", action.at.as_ref())?,
                button: self.button("button_down.button", action.button)?,
                hold: self.hold("button_down.hold", action.hold)?,
            },
            Wire::ButtonUp(action) => Action::ButtonUp {
                at: self.target("button_up.at", action.at.as_ref())?,
                button: self.button("button_up.button", action.button)?,
            },
            Wire::Drag(action) => self.drag(action)?,
            Wire::Scroll(action) => self.scroll(action)?,
            Wire::Type(action) => self.text(action)?,
            Wire::Paste(action) => self.paste(action)?,
            Wire::Key(action) => {
                if action.keys.is_empty() {
                    let why = "must name at least one key";
                    return Err(status::invalid_field(&self.name("key.keys"), why));
                }
                Action::Chord {
                    keys: self.keys("key.keys", &action.keys)?,
                    repeat: self.times("key.repeat", action.repeat, MAX_REPEAT)?.into(),
                    hold: self.time("key.hold", action.hold.unwrap_or_default())?,
                }
            }
            Wire::KeyDown(action) => Action::KeyDown {
                key: self.key("key_down.key", &action.key)?,
                hold: self.hold("key_down.hold", action.hold)?,
            },
            Wire::KeyUp(action) => Action::KeyUp {
                key: self.key("key_up.key", &action.key)?,
            },
            Wire::Wait(action) => {
                let field = self.name("wait.duration");
                let duration = action.duration.unwrap_or_default();
                let duration = limited::within(&field, duration, limits::MAX_WAIT)?;
                if duration < Duration::from_millis(1) {
                    return Err(status::invalid_field(&field, "must be at least 1 ms"));
                }
                Action::Wait(duration)
            }
            Wire::WaitFor(action) => {
                let name = |part: &str| self.name(&format!("wait_for.{part}"));
                let (condition, limit) =
                    condition::wait(&name, action.condition.as_ref(), action.timeout)?;
                Action::WaitFor { condition, limit }
            }
            Wire::Screenshot(action) => {
                let field = self.name("screenshot.capture");
                Action::Screenshot(shared(self.share, &field, action.capture.as_ref())?)
            }
        })
    }

    fn drag(self, action: &v1::DragAction) -> Result<Action, Status> {
        let field = self.name("drag.path");
        if action.path.len() < 2 {
            return Err(status::invalid_field(&field, "must have at least 2 points"));
        }
        if action.path.len() > MAX_POINTS {
            return Err(status::limit(&field, "has too many points", MAX_POINTS));
        }
        let path = action.path.iter().enumerate().map(|(index, place)| {
            let field = format!("drag.path[{index}]");
            let place = self.target(&field, Some(place))?;
            place.ok_or_else(|| status::invalid_field(&self.name(&field), "must be given"))
        });
        let duration = action
            .duration
            .map(|duration| limited::within(&self.name("drag.duration"), duration, MAX_DRAG));
        Ok(Action::Drag {
            path: path.collect::<Result<_, _>>()?,
            button: self.button("drag.button", action.button)?,
            modifiers: self.keys("drag.modifiers", &action.modifiers)?,
            duration: duration.transpose()?.unwrap_or(DEFAULT_DRAG),
        })
    }

    fn scroll(self, action: &v1::ScrollAction) -> Result<Action, Status> {
        let unit = v1::ScrollUnit::try_from(action.unit).map_err(|_| {
            let why = format!("{} is no unit", action.unit);
            status::invalid_field(&self.name("scroll.unit"), &why)
        })?;
        let (max, scale) = match unit {
            v1::ScrollUnit::Notch => (limits::MAX_SCROLL_NOTCHES, 1),
            v1::ScrollUnit::Unspecified | v1::ScrollUnit::Pixel => {
                let max = limits::MAX_SCROLL_NOTCHES * PIXELS_A_NOTCH;
                (max, PIXELS_A_NOTCH)
            }
        };
        if action.dx == 0 && action.dy == 0 {
            let why = "dx and dy are both 0: nothing would be scrolled";
            return Err(status::invalid_field(&self.name("scroll"), why));
        }
        let notches = |name: &str, value: i32| {
            if value.unsigned_abs() > max {
                return Err(status::limit(&self.name(name), "is too far", max));
            }
            // Rounded to whole notches, but at least one notch unless the value is 0.
            let whole = (value.unsigned_abs() + scale / 2) / scale;
            let whole = whole.max(u32::from(value != 0));
            Ok(i32::try_from(whole).unwrap_or(i32::MAX) * value.signum())
        };
        Ok(Action::Scroll {
            at: self.target("scroll.at", action.at.as_ref())?,
            notches: (
                notches("scroll.dx", action.dx)?,
                notches("scroll.dy", action.dy)?,
            ),
            modifiers: self.keys("scroll.modifiers", &action.modifiers)?,
        })
    }

    fn text(self, action: &v1::TypeAction) -> Result<Action, Status> {
        let text = self.words("type.text", &action.text, false)?;
        let rate = action.rate;
        if rate == Some(0) {
            let why = "must be at least 1; leave it unset for as fast as possible";
            return Err(status::invalid_field(&self.name("type.rate"), why));
        }
        if rate.is_some_and(|rate| rate > MAX_RATE) {
            return Err(status::limit(
                &self.name("type.rate"),
                "is too high",
                MAX_RATE,
            ));
        }
        Ok(Action::Type { text, rate })
    }

    fn paste(self, action: &v1::PasteAction) -> Result<Action, Status> {
        let chord = match action.chord.as_str() {
            "" => PASTE_CHORD,
            chord => chord,
        };
        Ok(Action::Paste {
            text: self.words("paste.text", &action.text, true)?,
            keys: self.keys("paste.chord", &keys::chord(chord))?,
        })
    }

    /// Validates the length of a text, and that its characters can be delivered. Pasted text
    /// may contain carriage returns as well.
    fn words(self, field: &str, text: &str, pasted: bool) -> Result<Text, Status> {
        let field = self.name(field);
        if text.is_empty() {
            return Err(status::invalid_field(&field, "must not be empty"));
        }
        if text.len() as u64 > limits::MAX_TEXT_BYTES {
            let why = "has too many bytes";
            return Err(status::limit(&field, why, limits::MAX_TEXT_BYTES));
        }
        let lost =
            |c: &char| c.is_control() && !matches!(c, '\n' | '\t') && !(pasted && *c == '\r');
        if let Some((position, character)) = text.chars().enumerate().find(|(_, c)| lost(c)) {
            return Err(status::untypable(&field, position, character));
        }
        Ok(Text(text.to_owned()))
    }

    fn button(self, field: &str, button: i32) -> Result<Button, Status> {
        Ok(match v1::Button::try_from(button) {
            Ok(v1::Button::Unspecified | v1::Button::Left) => Button::Left,
            Ok(v1::Button::Middle) => Button::Middle,
            Ok(v1::Button::Right) => Button::Right,
            Ok(v1::Button::Back) => Button::Back,
            Ok(v1::Button::Forward) => Button::Forward,
            Err(_) => {
                let why = format!("{button} is no button");
                return Err(status::invalid_field(&self.name(field), &why));
            }
        })
    }

    fn keys(self, field: &str, names: &[String]) -> Result<Vec<Key>, Status> {
        if names.len() > MAX_KEYS {
            return Err(status::limit(
                &self.name(field),
                "has too many keys",
                MAX_KEYS,
            ));
        }
        names.iter().map(|name| self.key(field, name)).collect()
    }

    fn key(self, field: &str, name: &str) -> Result<Key, Status> {
        match keys::keysym(name) {
            Some(keysym) => Ok(Key {
                name: name.to_owned(),
                keysym,
            }),
            None => Err(status::unknown_key(&self.name(field), name)),
        }
    }

    fn hold(self, field: &str, hold: Option<prost_types::Duration>) -> Result<Duration, Status> {
        let Some(hold) = hold else {
            return Ok(DEFAULT_HOLD);
        };
        let hold = self.time(field, hold)?;
        if hold < Duration::from_millis(1) {
            let why = "must be at least 1 ms";
            return Err(status::invalid_field(&self.name(field), why));
        }
        Ok(hold)
    }

    fn time(self, field: &str, time: prost_types::Duration) -> Result<Duration, Status> {
        limited::within(&self.name(field), time, limits::MAX_WAIT)
    }

    /// Validates a count from 1 to `most`; 1 if none is given.
    fn times(self, field: &str, times: Option<u32>, most: u8) -> Result<u8, Status> {
        match times {
            None => Ok(1),
            Some(0) => Err(status::invalid_field(
                &self.name(field),
                "must be at least 1",
            )),
            Some(times) => u8::try_from(times)
                .ok()
                .filter(|times| *times <= most)
                .ok_or_else(|| status::limit(&self.name(field), "is too high", most)),
        }
    }

    /// Converts a target; `None` if the message has none.
    fn target(
        self,
        field: &str,
        target: Option<&v1::Target>,
    ) -> Result<Option<AskedPoint>, Status> {
        let Some(target) = target else {
            return Ok(None);
        };
        let Some(v1::target::Target::Point(point)) = target.target else {
            let why = "chooses no place, or one that this release does not know";
            return Err(status::invalid_field(&self.name(field), why));
        };
        match (point.x, point.y) {
            (Some(x), Some(y)) => Ok(Some((x, y))),
            _ => {
                let why = "must have x and y";
                Err(status::invalid_field(&self.name(field), why))
            }
        }
    }
}
