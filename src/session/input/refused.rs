//! The reasons to refuse a step, or one of its actions.

use crate::failure::Failure;
use crate::session::{capture::Refusal, control::ControlRefusal};

/// Maximum number of callers that wait for the input or own it.
pub const QUEUE: usize = 16;

/// Why a step, or an action whose turn has come, is refused. No event of it was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The picture or the coordinate space is not possible on this screen.
    #[error(transparent)]
    Picture(#[from] Refusal),
    /// The picture of a `screenshot` action is not possible on this screen.
    #[error("actions[{action}].screenshot: {refusal}")]
    OfPicture {
        /// Index of the action, from 0.
        action: usize,
        /// Why the picture is not possible.
        refusal: Refusal,
    },
    /// A region of the condition of a `wait_for` action is not possible on this screen.
    #[error("actions[{action}].wait_for: {refusal}")]
    OfCondition {
        /// Index of the action, from 0.
        action: usize,
        /// Why the region is not possible.
        refusal: Refusal,
    },
    /// A point outside its space or the screen.
    #[error(
        "actions[{action}]: point {},{} is not within {within}: give one that is; nothing is clamped",
        point.0, point.1
    )]
    OutOfScreen {
        /// Index of the action, from 0.
        action: usize,
        /// The point as requested.
        point: (i32, i32),
        /// A description of the space that the point must lie in.
        within: String,
    },
    /// A key that the keymap lacks.
    #[error(
        "actions[{action}]: the keyboard has no key {name:?}; names are such as Return, ctrl, F5, KP_1 or a character (`deskd key --list` has all)"
    )]
    NoKey {
        /// Index of the action, from 0.
        action: usize,
        /// The key as the request names it.
        name: String,
    },
    /// A button that the pointer mapping lacks.
    #[error(
        "actions[{action}]: no button of the pointer gives the {name} button (see `xmodmap -pp`); set a mapping that has it"
    )]
    NoButton {
        /// Index of the action, from 0.
        action: usize,
        /// The button's name.
        name: &'static str,
    },
    /// A character that cannot be typed.
    #[error(
        "actions[{action}]: neither a key nor the clipboard can deliver U+{:04X}, character {position} of the text: leave it out",
        u32::from(*character)
    )]
    Untypable {
        /// Index of the action, from 0.
        action: usize,
        /// Index of the character in the text, from 0.
        position: usize,
        /// The character.
        character: char,
    },
    /// A key or button is held down that must be up.
    #[error(
        "actions[{action}]: {name} is held down, so this would not arrive as asked: release it first"
    )]
    Held {
        /// Index of the action, from 0.
        action: usize,
        /// The key or button.
        name: String,
    },
    /// There is no paint proof (the record on the root window that the desktop is painted).
    #[error("{}; call WaitReady first, or set `unproved`", .0.message)]
    NotPainted(Failure),
    /// No X server takes input, or the daemon stops.
    #[error("{}", .0.message)]
    NoInput(Failure),
    /// The server generation is not the expected one.
    #[error("the X server is {now}, not {expected}: take a new frame")]
    StaleGeneration {
        /// The expected value.
        expected: String,
        /// The current value.
        now: String,
    },
    /// The geometry epoch is not the expected one.
    #[error("the geometry epoch is {now}, not {expected}: take a new frame")]
    StaleEpoch {
        /// The expected value.
        expected: u64,
        /// The current value.
        now: u64,
    },
    /// The operation was meant for another instance.
    #[error(
        "this operation was meant for another life of the daemon: whether it was done is not known; take a new frame and decide"
    )]
    OtherInstance,
    /// The operation was done so long ago that its results were dropped.
    #[error("this operation was begun long ago and its results are gone: take a new frame")]
    Forgotten,
    /// The operation id was used before, with different content.
    #[error("this operation_id was already used with another content: choose a new one")]
    IdReused,
    /// Too many callers wait.
    #[error("{QUEUE} callers already have the input or wait for it: try again later")]
    QueueFull,
    /// The deadline came before the step began, or before the running step that this call repeats
    /// ended.
    #[error("the input was not free before the deadline: {}", .0.message)]
    Late(Failure),
    /// Another caller is in control of the input, or control changed hands since.
    #[error(transparent)]
    Control(#[from] ControlRefusal),
}

impl Refused {
    /// Whether the refusal is about one action, and not about the step or the desktop.
    pub(super) fn is_of_action(&self) -> bool {
        match self {
            Self::Picture(_)
            | Self::OfPicture { .. }
            | Self::OfCondition { .. }
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
            | Self::Late(_)
            | Self::Control(_) => false,
        }
    }
}
