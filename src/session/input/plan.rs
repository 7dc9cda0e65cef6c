//! Plans actions: resolves points to pixels of the screen and keys to keycodes of the current
//! keymap, and tracks what is held down meanwhile. An action that cannot be done is refused here,
//! before any of its events.

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
    time::Duration,
};

use super::{
    action::{Action, AskedPoint, Button, Key},
    carriable::carriable,
    ledger::{Held, Ledger},
    planned::{Keys, Pixel, Step},
    refused::Refused,
};
use crate::{
    frame::Size,
    keys,
    session::capture::Resolved,
    x11::{KeyOrButton, KeyboardState, Keymap, PointerState, Stroke},
};

/// The state on which the plan is based.
pub(super) struct Ground<'a> {
    pub(super) space: &'a Resolved,
    pub(super) screen: Size,
    pub(super) keymap: &'a Keymap,
    pub(super) keyboard: KeyboardState,
    pub(super) ledger: &'a Ledger,
    pub(super) pointer: PointerState,
    /// Logical buttons that no physical button gives.
    pub(super) missing_buttons: &'a [u8],
    /// The current time, in uptime.
    pub(super) now: Duration,
}

/// Plans the actions in `range`.
///
/// # Errors
///
/// The refusal of the first action that cannot be done.
pub(super) fn plan(
    ground: &Ground<'_>,
    actions: &[Action],
    range: Range<usize>,
) -> Result<Vec<Step>, Refused> {
    let mut planner = Planner {
        ground,
        action: 0,
        held: ground
            .ledger
            .all()
            .iter()
            .map(|held| (held.input, held.name.clone()))
            .collect(),
        released: HashSet::new(),
    };
    let actions = actions.iter().enumerate();
    let actions = actions.skip(range.start).take(range.len());
    let steps = actions.map(|(index, action)| {
        planner.action = index;
        planner.step(action)
    });
    steps.collect()
}

struct Planner<'a> {
    ground: &'a Ground<'a>,
    action: usize,
    /// Input that will be down when the action's turn comes, and its name.
    held: HashMap<KeyOrButton, String>,
    /// Buttons that an earlier action of the step releases.
    released: HashSet<u8>,
}

impl Planner<'_> {
    fn step(&mut self, action: &Action) -> Result<Step, Refused> {
        Ok(match action {
            Action::Move { to, modifiers } => Step::Move {
                to: self.pixel(*to)?,
                modifiers: self.modifiers(modifiers)?,
            },
            Action::Click {
                at,
                button,
                count,
                modifiers,
            } => Step::Click {
                at: self.place(*at)?,
                button: self.free_button(*button)?,
                count: *count,
                modifiers: self.modifiers(modifiers)?,
            },
            Action::ButtonDown { at, button, hold } => {
                self.can_press_buttons(*button)?;
                let input = KeyOrButton::Button(button.number());
                self.held.insert(input, String::new());
                Step::Down {
                    at: self.place(*at)?,
                    held: self.held_for(input, String::new(), *hold),
                    with: Vec::new(),
                }
            }
            Action::ButtonUp { at, button } => {
                let input = KeyOrButton::Button(button.number());
                self.held.remove(&input);
                self.released.insert(button.number());
                Step::Up {
                    at: self.place(*at)?,
                    input,
                }
            }
            Action::Drag {
                path,
                button,
                modifiers,
                duration,
            } => Step::Drag {
                path: path
                    .iter()
                    .map(|point| self.pixel(*point))
                    .collect::<Result<_, _>>()?,
                button: self.free_button(*button)?,
                modifiers: self.modifiers(modifiers)?,
                duration: *duration,
            },
            Action::Scroll {
                at,
                notches,
                modifiers,
            } => Step::Scroll {
                at: self.wheel(*notches, *at)?,
                notches: *notches,
                modifiers: self.modifiers(modifiers)?,
            },
            Action::Type { text, rate } => {
                self.can_type(&text.0)?;
                Step::Type {
                    text: text.clone(),
                    rate: *rate,
                }
            }
            Action::Paste { text, keys } => Step::Paste {
                text: text.clone(),
                keys: self.chord(keys)?,
            },
            Action::Chord { keys, repeat, hold } => Step::Chord {
                keys: self.chord(keys)?,
                repeat: *repeat,
                hold: *hold,
            },
            Action::KeyDown { key, hold } => {
                let stroke = self.stroke(key)?;
                let input = KeyOrButton::Key(stroke.keycode);
                let with = self.not_held(stroke.hold.iter().map(|code| KeyOrButton::Key(*code)));
                self.held.insert(input, key.name.clone());
                Step::Down {
                    at: None,
                    held: self.held_for(input, key.name.clone(), *hold),
                    with,
                }
            }
            Action::KeyUp { key } => {
                // Release the keycode that was pressed for this keysym, because the layout may have
                // changed since.
                let same =
                    |held: &(&KeyOrButton, &String)| keys::keysym(held.1) == Some(key.keysym);
                let held = self.held.iter().find(same).map(|(input, _)| *input);
                let input = match held {
                    Some(input) => input,
                    None => KeyOrButton::Key(self.stroke(key)?.keycode),
                };
                self.held.remove(&input);
                Step::Up { at: None, input }
            }
            Action::Wait(time) => Step::Wait(*time),
            Action::WaitFor { condition, limit } => Step::WaitFor {
                condition: condition.clone(),
                limit: *limit,
            },
            Action::Screenshot(image) => Step::Screenshot(image.clone()),
        })
    }

    fn pixel(&self, point: AskedPoint) -> Result<Pixel, Refused> {
        let ground = self.ground;
        let pixel = ground.space.point(point, ground.screen);
        pixel.map_err(|within| Refused::OutOfScreen {
            action: self.action,
            point,
            within,
        })
    }

    fn place(&self, at: Option<AskedPoint>) -> Result<Option<Pixel>, Refused> {
        at.map(|point| self.pixel(point)).transpose()
    }

    fn free_button(&self, button: Button) -> Result<KeyOrButton, Refused> {
        self.can_press_buttons(button)?;
        let input = KeyOrButton::Button(button.number());
        if self.held.contains_key(&input) {
            return Err(self.is_held(&format!("the {} button", button.name())));
        }
        Ok(input)
    }

    /// Returns the point of a scroll; fails if the pointer mapping lacks a button of the wheel.
    fn wheel(
        &self,
        (right, down): (i32, i32),
        at: Option<AskedPoint>,
    ) -> Result<Option<Pixel>, Refused> {
        for (notches, back, forth) in [(down, 4, 5), (right, 6, 7)] {
            let button = if notches < 0 { back } else { forth };
            if notches != 0 && self.ground.missing_buttons.contains(&button) {
                return Err(Refused::NoButton {
                    action: self.action,
                    name: "wheel's",
                });
            }
        }
        self.place(at)
    }

    /// Refuses a button that the pointer mapping lacks. Refuses all buttons while another program
    /// holds one, because the window that got that press gets all buttons.
    fn can_press_buttons(&self, button: Button) -> Result<(), Refused> {
        if self.ground.missing_buttons.contains(&button.number()) {
            return Err(Refused::NoButton {
                action: self.action,
                name: button.name(),
            });
        }
        let ours = |number: &u8| self.ground.ledger.is_held(KeyOrButton::Button(*number));
        let held = self.ground.pointer.down().find(|number| !ours(number));
        // A `button_up` earlier in the step releases that button.
        let held = held.filter(|number| !self.released.contains(number));
        match held {
            None => Ok(()),
            Some(number) => {
                let name = Button::of_number(number).map_or_else(
                    || format!("button {number}"),
                    |b| format!("the {} button", b.name()),
                );
                Err(self.is_held(&format!("{name}, which another program pressed,")))
            }
        }
    }

    fn is_held(&self, name: &str) -> Refused {
        Refused::Held {
            action: self.action,
            name: name.to_owned(),
        }
    }

    fn held_for(&self, input: KeyOrButton, name: String, hold: Duration) -> Held {
        Held {
            input,
            name,
            hold: Some((hold, self.ground.now + hold)),
        }
    }

    fn stroke(&self, key: &Key) -> Result<Stroke, Refused> {
        let (keymap, keyboard) = (self.ground.keymap, self.ground.keyboard);
        let stroke = keymap.press_keysym(key.keysym, keyboard.group);
        stroke.ok_or_else(|| Refused::NoKey {
            action: self.action,
            name: key.name.clone(),
        })
    }

    /// Plans modifiers. Those that deskd holds already are not pressed again.
    fn modifiers(&self, keys: &[Key]) -> Result<Keys, Refused> {
        self.sequence(keys, false)
    }

    fn chord(&self, keys: &[Key]) -> Result<Keys, Refused> {
        self.nobody_else_holds_keys()?;
        self.sequence(keys, true)
    }

    /// Refuses keys while another program holds or locks a modifier, which would turn them into
    /// another chord or text.
    fn nobody_else_holds_keys(&self) -> Result<(), Refused> {
        // Modifiers may be down because of keys that deskd holds. The caller intends these, or they
        // are released before this action.
        let mut ours = self.ground.ledger.all().iter();
        let ours = ours.any(|held| matches!(held.input, KeyOrButton::Key(_)));
        let (keyboard, keymap) = (self.ground.keyboard, self.ground.keymap);
        let shortcut = keyboard.locked & keymap.shortcuts();
        let down = if ours { 0 } else { keyboard.down } | shortcut;
        if down != 0 {
            let names = [
                "Shift", "Lock", "Control", "Mod1", "Mod2", "Mod3", "Mod4", "Mod5",
            ];
            let names = (0..8)
                .filter(|bit| down & (1 << bit) != 0)
                .map(|bit| names[bit]);
            let names: Vec<&str> = names.collect();
            return Err(self.is_held(&format!(
                "{}, which another program {}",
                names.join(" and "),
                if shortcut == 0 {
                    "pressed (`key_up` of the key that does it helps, `ReleaseAll` does not),"
                } else {
                    "locked (XkbLockModifiers; `ReleaseAll` does not end that),"
                }
            )));
        }
        Ok(())
    }

    /// Returns the keys in the order to press them, each once, with the modifiers that their levels
    /// require. With `last_is_new`, refuses a last key that is held already.
    fn sequence(&self, keys: &[Key], last_is_new: bool) -> Result<Keys, Refused> {
        let mut inputs = Vec::new();
        for (index, key) in keys.iter().enumerate() {
            let stroke = self.stroke(key)?;
            let input = KeyOrButton::Key(stroke.keycode);
            if last_is_new && index + 1 == keys.len() && self.held.contains_key(&input) {
                return Err(self.is_held(&key.name));
            }
            inputs.extend(stroke.hold.iter().map(|code| KeyOrButton::Key(*code)));
            inputs.push(input);
        }
        let mut seen = HashSet::new();
        inputs.retain(|input| seen.insert(*input));
        let (renew, press) = inputs
            .iter()
            .partition(|input| self.held.contains_key(input));
        Ok(Keys { press, renew })
    }

    fn not_held(&self, inputs: impl Iterator<Item = KeyOrButton>) -> Vec<KeyOrButton> {
        inputs
            .filter(|input| !self.held.contains_key(input))
            .collect()
    }

    /// Refuses a text that cannot be typed completely. The keys of each character are chosen when
    /// the action's turn comes, because earlier actions may lock a modifier or choose a layout.
    fn can_type(&self, text: &str) -> Result<(), Refused> {
        // A held key would turn characters into others, or into shortcuts.
        let keys = |held: &(&KeyOrButton, &String)| matches!(held.0, KeyOrButton::Key(_));
        if let Some((_, name)) = self.held.iter().find(keys) {
            return Err(self.is_held(&format!("the key {name:?}")));
        }
        self.nobody_else_holds_keys()?;
        let (keymap, keyboard) = (self.ground.keymap, self.ground.keyboard);
        carriable(keymap, keyboard, text).map_err(|(position, character)| Refused::Untypable {
            action: self.action,
            position,
            character,
        })
    }
}
