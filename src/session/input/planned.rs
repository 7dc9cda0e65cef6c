//! Planned actions: points are pixels of the screen, and keys are keycodes of the current keymap.

use std::time::Duration;

use super::{action::Text, ledger::Held};
use crate::{
    session::{capture::ImageSpec, windows::Condition},
    x11::KeyOrButton,
};

/// A pixel of the screen.
pub(super) type Pixel = (u32, u32);

/// One planned action. Only the keys of a text are looked up later, while it is typed.
#[derive(Debug)]
pub(super) enum Step {
    Move {
        to: Pixel,
        modifiers: Keys,
    },
    Click {
        at: Option<Pixel>,
        button: KeyOrButton,
        count: u8,
        modifiers: Keys,
    },
    Down {
        at: Option<Pixel>,
        held: Held,
        /// Keys to press together with the key, which select its level.
        with: Vec<KeyOrButton>,
    },
    Up {
        at: Option<Pixel>,
        input: KeyOrButton,
    },
    Drag {
        path: Vec<Pixel>,
        button: KeyOrButton,
        modifiers: Keys,
        duration: Duration,
    },
    Scroll {
        at: Option<Pixel>,
        notches: (i32, i32),
        modifiers: Keys,
    },
    Type {
        text: Text,
        rate: Option<u32>,
    },
    Paste {
        text: Text,
        keys: Keys,
    },
    Chord {
        keys: Keys,
        repeat: u32,
        hold: Duration,
    },
    Wait(Duration),
    WaitFor {
        condition: Condition,
        limit: Duration,
    },
    Screenshot(ImageSpec),
}

/// Keys of a chord, or modifiers.
#[derive(Debug)]
pub(super) struct Keys {
    /// Keys to press in this order, each once.
    pub(super) press: Vec<KeyOrButton>,
    /// Keys that are held already. They are not pressed, and their hold time starts again.
    pub(super) renew: Vec<KeyOrButton>,
}
