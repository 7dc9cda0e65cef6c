//! Why nothing was done of a step.

use crate::failure::Failure;
use crate::session::capture::Refusal;

/// Callers that may wait for the input or have it.
pub const QUEUE: usize = 16;

/// Why a step is refused: no event was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Its picture or coordinate space cannot be.
    #[error(transparent)]
    Picture(#[from] Refusal),
    /// The same of an action's picture.
    #[error("actions[{action}].screenshot: {refusal}")]
    OfPicture {
        /// Which action, from 0.
        action: usize,
        /// Why.
        refusal: Refusal,
    },
    /// A point outside its space or the screen.
    #[error(
        "actions[{action}]: point {},{} is not within {within}: give one that is; nothing is clamped",
        point.0, point.1
    )]
    OutOfScreen {
        /// Which action, from 0.
        action: usize,
        /// The point as asked.
        point: (i32, i32),
        /// The space that it must lie in, in words.
        within: String,
    },
    /// A key that the keymap lacks.
    #[error(
        "actions[{action}]: the keyboard has no key {name:?}: `deskd key --list` says which names there are"
    )]
    NoKey {
        /// Which action, from 0.
        action: usize,
        /// The key as named.
        name: String,
    },
    /// A button that the pointer mapping lacks.
    #[error(
        "actions[{action}]: no button of the pointer gives the {name} button (see `xmodmap -pp`); set a mapping that has it"
    )]
    NoButton {
        /// Which action, from 0.
        action: usize,
        /// The button's name.
        name: &'static str,
    },
    /// A character that no key gives.
    #[error(
        "actions[{action}]: no key of this keyboard layout gives U+{:04X}, character {position} of the text",
        u32::from(*character)
    )]
    Untypable {
        /// Which action, from 0.
        action: usize,
        /// Which character, from 0.
        position: usize,
        /// The character.
        character: char,
    },
    /// A key or button is down that must not be.
    #[error(
        "actions[{action}]: {name} is held down, so this would not arrive as asked: release it first"
    )]
    Held {
        /// Which action, from 0.
        action: usize,
        /// The key or button.
        name: String,
    },
    /// The desktop's paint is not proved.
    #[error("{}; call WaitReady first, or set `unproved`", .0.message)]
    NotPainted(Failure),
    /// There is no X server that takes input.
    #[error("{}", .0.message)]
    NoInput(Failure),
    /// Another X server than expected.
    #[error("the X server is {now}, not {expected}: take a new frame")]
    StaleGeneration {
        /// As expected.
        expected: String,
        /// As it is.
        now: String,
    },
    /// Another size than expected.
    #[error("the geometry epoch is {now}, not {expected}: take a new frame")]
    StaleEpoch {
        /// As expected.
        expected: u64,
        /// As it is.
        now: u64,
    },
    /// Meant for another daemon life.
    #[error(
        "this operation was meant for another life of the daemon: whether it was done is not known; take a new frame and decide"
    )]
    OtherInstance,
    /// Done so long ago that its results are gone.
    #[error("this operation was begun long ago and its results are gone: take a new frame")]
    Forgotten,
    /// The id stands for something else.
    #[error("this operation_id was already used with another content: choose a new one")]
    IdReused,
    /// Too many wait.
    #[error("{QUEUE} callers already have the input or wait for it: try again later")]
    QueueFull,
    /// The deadline came first.
    #[error("the input was not free before the deadline: {}", .0.message)]
    Late(Failure),
}

impl Refused {
    /// Whether it is about one action, and not about the step or the desktop.
    pub(super) fn is_of_action(&self) -> bool {
        match self {
            Self::Picture(_)
            | Self::OfPicture { .. }
            | Self::OutOfScreen { .. }
            | Self::NoKey { .. }
            | Self::NoButton { .. }
            | Self::Untypable { .. }
            | Self::Held { .. } => true,
            Self::NotPainted(_)
            | Self::NoInput(_)
            | Self::StaleGeneration { .. }
            | Self::StaleEpoch { .. }
            | Self::OtherInstance
            | Self::Forgotten
            | Self::IdReused
            | Self::QueueFull
            | Self::Late(_) => false,
        }
    }
}
