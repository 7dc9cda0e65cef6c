//! What the input thread remembers between actions and between steps.

use std::time::{Duration, Instant};

use crate::{
    facts::WindowId,
    x11::{Focus, KeyOrButton},
};

/// A click that another one could be added to.
#[derive(Debug, Clone, Copy)]
pub(super) struct LastClick {
    pub(super) button: KeyOrButton,
    pub(super) at: (i32, i32),
    pub(super) time: Instant,
    /// Time within which another click adds to it.
    pub(super) open: Duration,
}

/// Windows that may have keys of bound keycodes still to read.
pub(super) type Unread = Vec<Focus>;

/// The state that pacing keeps between actions and steps.
#[derive(Debug, Default)]
pub(super) struct Pacing {
    /// Whether the step under way is paced, and an action follows.
    pub(super) on: bool,
    /// The client window that the action under way acts on.
    pub(super) target: Option<Focus>,
    /// The window that the last press or keys of the step were for: the next keys are, too.
    pub(super) owner: Option<Focus>,
    /// Processes, those that react with them, and when they were looked up.
    pub(super) family: Option<(Vec<u32>, Vec<u32>, Instant)>,
    /// Whether an input method runs, and when that was looked up.
    pub(super) method: Option<(bool, Instant)>,
    /// The check window of a window manager that has never granted a request to move the
    /// observer's window.
    pub(super) deaf: Option<u32>,
    /// The window of the last paste that nobody took, and when that was.
    pub(super) untaken: Option<(WindowId, Instant)>,
}
