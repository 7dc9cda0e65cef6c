//! Requested actions, validated as far as possible without the screen and the keymap.

use std::{sync::Arc, time::Duration};

use super::refused::Refused;
use crate::session::{
    capture::{Frame, ImageSpec, Space},
    control::LeaseKey,
    windows::{Condition, Waited},
};
use crate::{failure::Failure, frame::Region, gate::Rest};

/// A pixel as the request names it; it may lie outside the screen.
pub type AskedPoint = (i32, i32);

/// A pointer button.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Button {
    /// Button 1.
    Left,
    /// Button 2, the wheel.
    Middle,
    /// Button 3.
    Right,
    /// Button 8.
    Back,
    /// Button 9.
    Forward,
}

impl Button {
    /// Returns the button's number in the X protocol.
    pub fn number(self) -> u8 {
        match self {
            Self::Left => 1,
            Self::Middle => 2,
            Self::Right => 3,
            Self::Back => 8,
            Self::Forward => 9,
        }
    }

    /// Returns the button with this X number, if there is one.
    pub fn of_number(number: u8) -> Option<Self> {
        [
            Self::Left,
            Self::Middle,
            Self::Right,
            Self::Back,
            Self::Forward,
        ]
        .into_iter()
        .find(|button| button.number() == number)
    }

    /// Returns the button's name, for messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Middle => "middle",
            Self::Right => "right",
            Self::Back => "back",
            Self::Forward => "forward",
        }
    }
}

/// A key by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The name as the caller wrote it.
    pub name: String,
    /// The keysym of that name.
    pub keysym: u32,
}

/// Text to type or paste. Its `Debug` output shows only the length.
#[derive(Clone, PartialEq, Eq)]
pub struct Text(pub String);

impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Text({} bytes)", self.0.len())
    }
}

/// A single input action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Move the pointer.
    Move {
        /// The destination.
        to: AskedPoint,
        /// Keys that are held during the action.
        modifiers: Vec<Key>,
    },
    /// Click, after moving there when a point is given.
    Click {
        /// The point to move to first; `None`: the pointer stays where it is.
        at: Option<AskedPoint>,
        /// The button.
        button: Button,
        /// Number of clicks, 1 to 3.
        count: u8,
        /// Keys that are held during the action.
        modifiers: Vec<Key>,
    },
    /// Press a button and leave it down.
    ButtonDown {
        /// The point to move to first; `None`: the pointer stays where it is.
        at: Option<AskedPoint>,
        /// The button.
        button: Button,
        /// Time after which deskd releases the button or key by itself.
        hold: Duration,
    },
    /// Release a button.
    ButtonUp {
        /// The point to move to first; `None`: the pointer stays where it is.
        at: Option<AskedPoint>,
        /// The button.
        button: Button,
    },
    /// Press a button, move along a path, release the button.
    Drag {
        /// The points of the path, at least two.
        path: Vec<AskedPoint>,
        /// The button.
        button: Button,
        /// Keys that are held during the action.
        modifiers: Vec<Key>,
        /// Duration of the movement.
        duration: Duration,
    },
    /// Turn the wheel.
    Scroll {
        /// The point to move to first; `None`: the pointer stays where it is.
        at: Option<AskedPoint>,
        /// Notches to the right and downwards.
        notches: (i32, i32),
        /// Keys that are held during the action.
        modifiers: Vec<Key>,
    },
    /// Type text.
    Type {
        /// The text.
        text: Text,
        /// Characters per second; `None`: as fast as the program reads them.
        rate: Option<u32>,
    },
    /// Put text on the selections and make the program paste it.
    Paste {
        /// The text.
        text: Text,
        /// The chord that makes the program paste.
        keys: Vec<Key>,
    },
    /// Press keys in order, then release them in reverse order.
    Chord {
        /// The keys, at least one.
        keys: Vec<Key>,
        /// Number of times that the chord is pressed.
        repeat: u32,
        /// Time that the chord stays down each time.
        hold: Duration,
    },
    /// Press a key and leave it down.
    KeyDown {
        /// The key.
        key: Key,
        /// Time after which deskd releases the button or key by itself.
        hold: Duration,
    },
    /// Release a key.
    KeyUp {
        /// The key.
        key: Key,
    },
    /// Wait.
    Wait(Duration),
    /// Wait for a condition, at most for the time `limit`.
    WaitFor {
        /// The condition.
        condition: Condition,
        /// Maximum duration of the wait.
        limit: Duration,
    },
    /// Take a picture. If the step has `settle`, deskd first waits until the screen is at rest.
    Screenshot(ImageSpec),
}

impl Action {
    /// Returns the place at which the action begins; `None` if it names none.
    pub(super) fn first_point(&self) -> Option<AskedPoint> {
        match self {
            Self::Move { to, .. } => Some(*to),
            Self::Drag { path, .. } => path.first().copied(),
            Self::Click { at, .. }
            | Self::ButtonDown { at, .. }
            | Self::ButtonUp { at, .. }
            | Self::Scroll { at, .. } => *at,
            Self::Type { .. }
            | Self::Paste { .. }
            | Self::Chord { .. }
            | Self::KeyDown { .. }
            | Self::KeyUp { .. }
            | Self::Wait(_)
            | Self::WaitFor { .. }
            | Self::Screenshot(_) => None,
        }
    }
}

/// The desktop that a step is meant for. On any other desktop the step is refused.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expect {
    /// The server generation, as 32 hexadecimal digits.
    pub generation: Option<String>,
    /// The geometry epoch.
    pub epoch: Option<u64>,
    /// The control epoch.
    pub control_epoch: Option<u64>,
    /// The id of a frame. The step expects the server generation, the geometry epoch and the control
    /// epoch of that frame.
    pub frame: Option<String>,
}

/// The caller's idempotency key for a step: deskd executes the step once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// The operation id, chosen by the caller.
    pub id: String,
    /// The `instance_id` of the daemon process that the step is meant for.
    pub instance: String,
    /// The hash of the request's content.
    pub digest: u128,
}

/// How to wait for the screen after the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settling {
    /// Maximum duration of the wait.
    pub limit: Duration,
    /// Minimum time without a change until the screen counts as at rest; `None`: deskd chooses the
    /// time from the input that was given.
    pub quiet: Option<Duration>,
}

/// Follows one step, for a log.
pub trait StepObserver: std::fmt::Debug + Send + Sync {
    /// The step has ended. Not called for a step that is refused. It is called again if the result was not known at the deadline, and then
    /// arrives late.
    fn ended(&self, account: &Account, frame: Option<&Frame>, pictures: &[(usize, Frame)]);
}

/// One step: the content of an `Act` call.
#[derive(Debug, Clone)]
pub struct Act {
    /// The idempotency key; `None`: the step is not recorded in the journal.
    pub operation: Option<Operation>,
    /// The lease that the caller names.
    pub lease: Option<LeaseKey>,
    /// The actions, in order.
    pub actions: Vec<Action>,
    /// The coordinate space of the points.
    pub space: Space,
    /// The desktop that the step is meant for.
    pub expect: Expect,
    /// How to wait until the screen is at rest; `None`: no wait.
    pub settle: Option<Settling>,
    /// The picture in the answer; `None`: no picture.
    pub picture: Option<ImageSpec>,
    /// Whether the step is executed even without a paint proof (the record on the root window that
    /// the desktop is painted).
    pub unproved: bool,
    /// Whether each action is validated only when its turn comes, instead of all actions before the
    /// first one.
    pub stop_at_first: bool,
    /// Whether each action waits until the previous one has taken effect.
    pub paced: bool,
    /// The observer of the step, for a log; `None` without one.
    pub observer: Option<Arc<dyn StepObserver>>,
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All actions were done.
    Done,
    /// An action failed or was refused.
    Partial,
    /// All callers disconnected, `ReleaseAll` was called, or the daemon stops.
    Cancelled,
    /// The deadline came before all actions were done.
    Deadline,
    /// It is not known what was done: the X server was lost or hung during the step, or deskd has a
    /// defect.
    Unknown,
}

/// How characters reach a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// By a key that the keymap has.
    Key,
    /// By an unused keycode that deskd bound to the character.
    BoundKey,
    /// Through the selection.
    Selection,
    /// By several of these methods in turn.
    Several,
}

/// Consecutive characters that were sent by one method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Index of the first character in the text, from 0.
    pub start: u32,
    /// Number of characters.
    pub characters: u32,
    /// The method.
    pub method: Method,
}

/// The state of an action when the step ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ActionStatus {
    /// It was not begun.
    #[default]
    NotExecuted,
    /// All of it was done.
    Done,
    /// It was not done, or only in part.
    Failed,
    /// Whether it was done is not known.
    Unknown,
}

/// The result of one action.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Done {
    /// The state of the action.
    pub status: ActionStatus,
    /// Position of the pointer after the action, in screen pixels.
    pub pointer: Option<(i32, i32)>,
    /// Number of characters that were typed or pasted.
    pub characters: u32,
    /// The methods by which the characters were sent.
    pub runs: Vec<Run>,
    /// Whether the former content of the clipboard is lost, because deskd could not read it.
    pub clipboard_lost: bool,
    /// Why the action was not done, or not completely.
    pub failure: Option<Failure>,
    /// Why the action was refused when its turn came, before it began.
    pub refused: Option<Refused>,
    /// How the screen settled before the picture of this action.
    pub settled: Option<Settled>,
    /// How the wait for the condition of this action ended.
    pub waited: Option<Waited>,
    /// Duration of the action.
    pub took: Duration,
    /// Time that the next action waited for this one to take effect.
    pub paced: Duration,
    /// Whether pacing could not confirm the effect of this action, for example because the wait
    /// reached its time limit.
    pub unconfirmed: bool,
}

/// Why the wait after the input ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The screen is at rest, or the maximum duration of the wait is over.
    Rest(Rest),
    /// The call's deadline came.
    Deadline,
    /// There was no wait, or the step was cancelled during the wait.
    Skipped,
}

/// How the screen settled after the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// Why the wait ended.
    pub ended: Ended,
    /// Duration of the wait.
    pub waited: Duration,
    /// The rectangle that encloses all changes since the input; `None`: nothing changed.
    pub changed: Option<Region>,
    /// Regions whose changes were ignored, because they moved before the input.
    pub excepted: Vec<Region>,
}

impl Settled {
    /// Returns the report of a step without a wait for the screen.
    pub(super) fn skipped() -> Self {
        Self {
            ended: Ended::Skipped,
            waited: Duration::ZERO,
            changed: None,
            excepted: Vec::new(),
        }
    }
}

/// The result of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// How the step ended.
    pub outcome: Outcome,
    /// One result for each action.
    pub results: Vec<Done>,
    /// How the screen settled.
    pub settled: Settled,
}

impl Account {
    /// Returns the approximate size in memory, in bytes.
    pub(super) fn bytes(&self) -> usize {
        let of = |done: &Done| {
            let said = done
                .failure
                .as_ref()
                .map_or(0, |failure| failure.message.len());
            let excepted = done.settled.as_ref().map(|settled| &settled.excepted);
            let excepted = excepted.map_or(0, |regions| size_of_val(regions.as_slice()));
            size_of::<Done>() + said + excepted + done.runs.len() * size_of::<Run>()
        };
        let results: usize = self.results.iter().map(of).sum();
        size_of::<Self>() + results + size_of_val(self.settled.excepted.as_slice())
    }
}

/// The answer to a step.
#[derive(Debug, Clone)]
pub struct Acted {
    /// The results of the actions.
    pub account: Account,
    /// The screen afterwards.
    pub frame: Option<Frame>,
    /// Pictures of the `screenshot` actions, each with the index of its action. Empty if
    /// `replayed`.
    pub pictures: Vec<(usize, Frame)>,
    /// Whether the step was begun by an earlier call with the same operation id.
    pub replayed: bool,
}
