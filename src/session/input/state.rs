//! State that the input thread keeps between actions and between steps.

use std::time::{Duration, Instant};

use crate::{
    facts::WindowId,
    x11::{Focus, KeyOrButton},
};

/// The last press, which a program may combine with the next one to a double click.
#[derive(Debug, Clone, Copy)]
pub(super) struct LastClick {
    pub(super) button: KeyOrButton,
    pub(super) at: (i32, i32),
    pub(super) time: Instant,
    /// Time after the press within which a second press makes a double click.
    pub(super) open: Duration,
}

/// Windows whose programs may still have keys of bound keycodes to read.
pub(super) type Unread = Vec<Focus>;

/// The state that pacing keeps between actions and steps.
#[derive(Debug, Default)]
pub(super) struct Pacing {
    /// Whether the step under way is paced and another action follows.
    pub(super) on: bool,
    /// The client window that the action under way acts on.
    pub(super) target: Option<Focus>,
    /// The window that the last press or keys of the step went to. The next keys must reach the
    /// same program.
    pub(super) owner: Option<Focus>,
    /// Process ids, the ids of the processes that react to input for them, and the time of the
    /// lookup.
    pub(super) family: Option<(Vec<u32>, Vec<u32>, Instant)>,
    /// Whether an input method runs, and when that was looked up.
    pub(super) method: Option<(bool, Instant)>,
    /// The check window of a window manager that has never granted a request to move the
    /// observer's window.
    pub(super) deaf: Option<u32>,
    /// The window of the last paste that no program took, and the time at which it failed.
    pub(super) untaken: Option<(WindowId, Instant)>,
}
