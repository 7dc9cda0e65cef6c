//! Held input, as reported to callers.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use super::{
    action::Button,
    ledger::{Held, Ledger},
};
use crate::{
    keys,
    x11::{DisplayError, Injector, KeyOrButton, Mark, uptime},
};

/// One key or button that deskd holds down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pressed {
    /// The key or button.
    pub what: PressedInput,
    /// When deskd releases it by itself; `None`: at the end of the step under way.
    pub until: Option<SystemTime>,
}

/// A key by name, or a button.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PressedInput {
    /// A key.
    Key(String),
    /// A button.
    Button(Button),
}

/// The held input, shared with the callers of [`super::Input::pressed`].
pub(super) type Board = Arc<Mutex<Vec<Pressed>>>;

/// Stores the ledger's held input in the board.
pub(super) fn publish(board: &Board, ledger: &Ledger) {
    *board.lock().unwrap_or_else(PoisonError::into_inner) = pressed(ledger);
}

/// Returns the ledger's entry for input that an earlier connection or instance pressed.
pub(super) fn adopt(injector: &mut Injector, mark: Mark) -> Result<Held, DisplayError> {
    let name = match mark.input {
        KeyOrButton::Key(code) => injector
            .keymap()?
            .keysym(code)
            .map_or_else(|| format!("keycode {code}"), keys::name),
        KeyOrButton::Button(_) => String::new(),
    };
    let hold = mark
        .until
        .map(|until| (until.saturating_sub(uptime()), until));
    Ok(Held {
        input: mark.input,
        name,
        hold,
    })
}

pub(super) fn pressed(ledger: &Ledger) -> Vec<Pressed> {
    let (now, clock) = (uptime(), SystemTime::now());
    let pressed = |held: &Held| Pressed {
        what: match held.input {
            KeyOrButton::Key(code) if held.name.is_empty() => {
                PressedInput::Key(format!("keycode {code}"))
            }
            KeyOrButton::Key(_) => PressedInput::Key(held.name.clone()),
            KeyOrButton::Button(number) => {
                PressedInput::Button(Button::of_number(number).unwrap_or(Button::Left))
            }
        },
        until: held
            .hold
            .map(|(_, until)| clock + until.saturating_sub(now)),
    };
    ledger.all().iter().map(pressed).collect()
}
