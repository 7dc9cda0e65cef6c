//! Requested actions, validated as far as that needs neither screen nor keymap.

use std::time::Duration;

use super::refused::Refused;
use crate::session::capture::{Frame, ImageSpec, Space};
use crate::{failure::Failure, frame::Region, gate::Rest};

/// A pixel as a request has it: not yet known to be on anything.
pub type AskedPoint = (i32, i32);

/// A pointer button.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Button {
    /// 1.
    Left,
    /// 2, the wheel.
    Middle,
    /// 3.
    Right,
    /// 8.
    Back,
    /// 9.
    Forward,
}

impl Button {
    /// Its number in the X protocol.
    pub fn number(self) -> u8 {
        match self {
            Self::Left => 1,
            Self::Middle => 2,
            Self::Right => 3,
            Self::Back => 8,
            Self::Forward => 9,
        }
    }

    /// The button of a number.
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

    /// Its name, for messages.
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
    /// As the caller named it.
    pub name: String,
    /// Its keysym.
    pub keysym: u32,
}

/// Text that is to be typed: it never prints.
#[derive(Clone, PartialEq, Eq)]
pub struct Text(pub String);

impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Text({} bytes)", self.0.len())
    }
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Move the pointer.
    Move {
        /// The destination.
        to: AskedPoint,
        /// Held meanwhile.
        modifiers: Vec<Key>,
    },
    /// Click, after moving there when a point is given.
    Click {
        /// Where.
        at: Option<AskedPoint>,
        /// Which button.
        button: Button,
        /// 1 to 3.
        count: u8,
        /// Held meanwhile.
        modifiers: Vec<Key>,
    },
    /// Press a button and leave it down.
    ButtonDown {
        /// Where.
        at: Option<AskedPoint>,
        /// Which button.
        button: Button,
        /// Released after this time.
        hold: Duration,
    },
    /// Release a button.
    ButtonUp {
        /// Where.
        at: Option<AskedPoint>,
        /// Which button.
        button: Button,
    },
    /// Press, move along, release.
    Drag {
        /// At least two points.
        path: Vec<AskedPoint>,
        /// Which button.
        button: Button,
        /// Held meanwhile.
        modifiers: Vec<Key>,
        /// How long the movement takes.
        duration: Duration,
    },
    /// Turn the wheel.
    Scroll {
        /// Where.
        at: Option<AskedPoint>,
        /// Notches to the right and downwards.
        notches: (i32, i32),
        /// Held meanwhile.
        modifiers: Vec<Key>,
    },
    /// Type text.
    Type {
        /// The text.
        text: Text,
        /// Characters a second; `None`: as fast as they are taken.
        rate: Option<u32>,
    },
    /// Put text on the clipboard and paste it.
    Paste {
        /// The text.
        text: Text,
        /// The chord that pastes.
        keys: Vec<Key>,
    },
    /// Press a chord in order, release it in reverse.
    Chord {
        /// At least one.
        keys: Vec<Key>,
        /// How often.
        repeat: u32,
        /// How long it stays down each time.
        hold: Duration,
    },
    /// Press a key and leave it down.
    KeyDown {
        /// Which.
        key: Key,
        /// Released after this time.
        hold: Duration,
    },
    /// Release a key.
    KeyUp {
        /// Which.
        key: Key,
    },
    /// Wait.
    Wait(Duration),
    /// Take a picture, once the screen has settled.
    Screenshot(ImageSpec),
}

/// Refuses the step when the desktop is another one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expect {
    /// 32 hexadecimal digits.
    pub generation: Option<String>,
    /// The geometry epoch.
    pub epoch: Option<u64>,
    /// Both, from this frame.
    pub frame: Option<String>,
}

/// The caller's name for a step, so that it is done once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// Chosen by the caller.
    pub id: String,
    /// The daemon life that it was meant for.
    pub instance: String,
    /// The hash of the request's content.
    pub digest: u128,
}

/// How the screen is waited for after the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settling {
    /// At most this long.
    pub limit: Duration,
    /// The screen rests when it has not changed for at least this long; `None`: as long
    /// as what was done suggests.
    pub quiet: Option<Duration>,
}

/// One step.
#[derive(Debug, Clone)]
pub struct Act {
    /// `None`: not journalled.
    pub operation: Option<Operation>,
    /// The actions, in order.
    pub actions: Vec<Action>,
    /// The coordinate space of the points.
    pub space: Space,
    /// Which desktop it is meant for.
    pub expect: Expect,
    /// How to wait for rest; `None`: not at all.
    pub settle: Option<Settling>,
    /// The picture to answer with.
    pub picture: Option<ImageSpec>,
    /// Also before the paint is proved.
    pub unproved: bool,
    /// Each action is validated when its turn comes, in place of all before the first.
    pub stop_at_first: bool,
    /// Each action waits until the one before it has taken effect.
    pub paced: bool,
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All was done.
    Done,
    /// An action failed.
    Partial,
    /// The caller went away, or asked for it.
    Cancelled,
    /// The deadline came.
    Deadline,
    /// The X server was lost in the middle.
    Unknown,
}

/// How characters reach a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// By a key that the keymap has.
    Key,
    /// By a spare keycode bound for it.
    BoundKey,
    /// Through the selection.
    Selection,
    /// By several of these in turn.
    Several,
}

/// A stretch of text that went one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Its first character, from 0.
    pub start: u32,
    /// Characters in it.
    pub characters: u32,
    /// How.
    pub method: Method,
}

/// How far an action came.
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
    /// How far it came.
    pub status: ActionStatus,
    /// Where the pointer was after it.
    pub pointer: Option<(i32, i32)>,
    /// Characters that were typed or pasted.
    pub characters: u32,
    /// How.
    pub runs: Vec<Run>,
    /// The former content of the clipboard could not be read, and is gone.
    pub clipboard_lost: bool,
    /// Why it was not done.
    pub failure: Option<Failure>,
    /// Why it was not even begun, when its turn came.
    pub refused: Option<Refused>,
    /// How the screen settled before its picture.
    pub settled: Option<Settled>,
    /// Time it took.
    pub took: Duration,
    /// Time that the next action waited for this one to take effect.
    pub paced: Duration,
    /// That wait ended at a bound: the effect of this action was not confirmed.
    pub unconfirmed: bool,
}

/// Why the waiting after the input ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The screen rests, or the time for it ran out.
    Rest(Rest),
    /// The call's deadline came.
    Deadline,
    /// Not waited for.
    Skipped,
}

/// How the screen settled after the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// Why the waiting ended.
    pub ended: Ended,
    /// How long it took.
    pub waited: Duration,
    /// The changed region.
    pub changed: Option<Region>,
    /// Regions that were not waited for.
    pub excepted: Vec<Region>,
}

impl Settled {
    /// The report of a step whose screen was not waited for.
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
    /// How it ended.
    pub outcome: Outcome,
    /// One for each action.
    pub results: Vec<Done>,
    /// How the screen settled.
    pub settled: Settled,
}

impl Account {
    /// How much memory it takes, about, in bytes.
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
    /// Pictures of actions, and the actions' numbers; none where it was done earlier.
    pub pictures: Vec<(usize, Frame)>,
    /// It was done earlier.
    pub replayed: bool,
}
