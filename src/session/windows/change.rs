//! Whether a window is as requested. Pure: it compares lists of windows.

use std::time::Duration;

use tokio::time::Instant;

use crate::x11::{
    ListedWindow, Operation, Rectangle, WindowChange, WindowKind, WindowList, WindowStates,
};

/// Maximum number of windows that a change reports as new.
const MAX_APPEARED: usize = 16;
/// A window that changed, but not as requested, is left as it is after this time without a change.
const SETTLED: Duration = Duration::from_millis(250);
/// A window is as requested when it has been so for this time.
const STEADY: Duration = Duration::from_millis(50);
/// A question that a program asks in place of closing is final after this time.
const ASKED: Duration = Duration::from_millis(300);

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeOutcome {
    /// The window is as requested.
    Done,
    /// It was as requested before.
    Already,
    /// It changed, but is not exactly as requested.
    Adjusted,
    /// It did not change in time.
    NotDone,
    /// It cannot be changed so. Nothing was sent.
    Unsupported,
}

/// The result of a change.
#[derive(Debug)]
pub struct Changed {
    /// What became of it.
    pub outcome: ChangeOutcome,
    /// The window afterwards; `None` if it has ended.
    pub window: Option<ListedWindow>,
    /// One sentence that says what happened.
    pub message: String,
    /// Windows that appeared meanwhile.
    pub appeared: Vec<ListedWindow>,
}

/// Whether a window is as requested; `None`: it has ended.
pub(super) fn is_done(
    change: WindowChange,
    window: Option<&ListedWindow>,
    list: &WindowList,
) -> bool {
    let (WindowChange::Operation(Operation::Close), Some(window)) = (change, window) else {
        return match (change, window) {
            (WindowChange::Operation(Operation::Close), None) => true,
            (_, None) => false,
            (WindowChange::Operation(operation), Some(window)) => has(operation, window, list),
            (WindowChange::Place(place), Some(window)) => place.of(window.frame) == window.frame,
        };
    };
    // A window that is withdrawn has been closed, although the program may use it again.
    !window.viewable && !window.managed
}

fn has(operation: Operation, window: &ListedWindow, list: &WindowList) -> bool {
    let states = window.states;
    match operation {
        Operation::Activate => states.focused && window.viewable && !is_covered(window, list),
        Operation::Close => false,
        Operation::Minimize => states.minimized,
        Operation::Maximize => states.maximized && window.viewable,
        Operation::Fullscreen => states.fullscreen && window.viewable,
        Operation::Restore => {
            window.viewable && !(states.minimized || states.maximized || states.fullscreen)
        }
    }
}

/// Whether another window of the same layer lies above a part of this one. Panels, menus, and
/// windows that belong to this one do not count.
fn is_covered(window: &ListedWindow, list: &WindowList) -> bool {
    let above = list
        .windows
        .iter()
        .take_while(|other| other.xid != window.xid);
    let same_layer = above.filter(|other| {
        other.viewable
            && other.managed
            && other.transient_for != Some(window.xid)
            && !matches!(other.kind, WindowKind::Dock | WindowKind::Desktop)
            && other.states.above == window.states.above
    });
    same_layer
        .into_iter()
        .any(|other| overlap(other.frame, window.frame))
}

fn overlap(one: Rectangle, other: Rectangle) -> bool {
    let meets = |start: i32, length: u32, second: i32, second_length: u32| {
        let end = |start: i32, length: u32| i64::from(start) + i64::from(length);
        i64::from(start) < end(second, second_length) && i64::from(second) < end(start, length)
    };
    meets(one.x, one.width, other.x, other.width) && meets(one.y, one.height, other.y, other.height)
}

/// What a change may alter in a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shape {
    frame: Rectangle,
    states: WindowStates,
    viewable: bool,
}

impl Shape {
    /// `None` for a window that is to close: nothing else is part of that.
    fn of(window: &ListedWindow, change: WindowChange) -> Option<Self> {
        let is_activated = match change {
            WindowChange::Operation(Operation::Close) => return None,
            WindowChange::Operation(Operation::Activate) => true,
            _ => false,
        };
        Some(Self {
            frame: window.frame,
            states: WindowStates {
                // The focus may go elsewhere for other reasons.
                focused: window.states.focused && is_activated,
                urgent: false,
                ..window.states
            },
            viewable: window.viewable,
        })
    }
}

/// Follows a window from the request of a change.
#[derive(Debug)]
pub(super) struct Progress {
    change: WindowChange,
    id: String,
    before: Option<Shape>,
    /// The ids of the windows that there were.
    known: Vec<String>,
    /// The last state, and since when the window has it.
    last: Option<(Option<Shape>, Instant)>,
    /// Whether the window was as requested at the last look.
    is_done: bool,
    /// Since when a question of the program is there.
    asked: Option<Instant>,
}

impl Progress {
    pub(super) fn new(change: WindowChange, window: &ListedWindow, before: &WindowList) -> Self {
        Self {
            change,
            id: window.id.clone(),
            before: Shape::of(window, change),
            known: before
                .windows
                .iter()
                .map(|window| window.id.clone())
                .collect(),
            last: None,
            is_done: false,
            asked: None,
        }
    }

    /// Notes the windows at one moment. Returns the outcome if it is known.
    pub(super) fn look(&mut self, list: &WindowList, at: Instant) -> Option<ChangeOutcome> {
        let window = list.find(&self.id);
        let is_done = is_done(self.change, window, list);
        if is_done && window.is_none_or(|window| Shape::of(window, self.change).is_none()) {
            return Some(ChangeOutcome::Done);
        }
        // It ended before it was changed.
        let window = match window {
            None => return Some(ChangeOutcome::NotDone),
            Some(window) => window,
        };
        let shape = Shape::of(window, self.change);
        let since = match self.last {
            Some((last, since)) if last == shape => since,
            _ => at,
        };
        self.last = Some((shape, since));
        self.is_done = is_done;
        if is_done {
            // Window managers animate some changes.
            return (at - since >= STEADY).then_some(ChangeOutcome::Done);
        }
        if shape != self.before && at - since >= SETTLED {
            return Some(ChangeOutcome::Adjusted);
        }
        if self.change == WindowChange::Operation(Operation::Close) {
            let asks = |other: &&ListedWindow| {
                other.transient_for == Some(window.xid)
                    || other.pid.is_some() && other.pid == window.pid
            };
            let is_asked = self.appeared(list).any(|other| asks(&other));
            let since = is_asked.then(|| self.asked.unwrap_or(at));
            self.asked = since;
            if since.is_some_and(|since| at - since >= ASKED) {
                return Some(ChangeOutcome::NotDone);
            }
        }
        None
    }

    /// Returns the outcome when the time is over.
    pub(super) fn at_the_end(&self) -> ChangeOutcome {
        match self.last {
            _ if self.is_done => ChangeOutcome::Done,
            Some((shape, _)) if shape != self.before => ChangeOutcome::Adjusted,
            _ => ChangeOutcome::NotDone,
        }
    }

    fn appeared<'l>(&'l self, list: &'l WindowList) -> impl Iterator<Item = &'l ListedWindow> {
        let is_new = |window: &&ListedWindow| window.viewable && !self.known.contains(&window.id);
        list.windows.iter().filter(is_new)
    }

    /// Describes the outcome.
    pub(super) fn result(&self, outcome: ChangeOutcome, list: &WindowList) -> Changed {
        let window = list.find(&self.id).cloned();
        let appeared: Vec<ListedWindow> = self.appeared(list).take(MAX_APPEARED).cloned().collect();
        let message = match (outcome, self.change, &window) {
            (ChangeOutcome::Done, WindowChange::Operation(Operation::Close), _) => "the window was closed".into(),
            (ChangeOutcome::Done, ..) => "the window is as requested".into(),
            (_, _, None) => "the window ended before it was changed".into(),
            (ChangeOutcome::Adjusted, WindowChange::Place(_), Some(window)) => {
                let Rectangle { x, y, width, height } = window.frame;
                format!("the window manager put the window at {x},{y} with the size {width}x{height}")
            }
            (ChangeOutcome::Adjusted, WindowChange::Operation(Operation::Activate), Some(window)) => {
                match window.states.focused {
                    true => "the window has the focus, but another one covers a part of it".into(),
                    false => "the window was changed, but did not get the focus".into(),
                }
            }
            (ChangeOutcome::Adjusted, ..) => "the window changed, but is not as requested".into(),
            (_, WindowChange::Operation(Operation::Close), _) => match appeared.first() {
                Some(question) => format!("the window is still there, and a window appeared: {question}"),
                None => "the program did not close the window in time".into(),
            },
            (_, WindowChange::Place(_), Some(window)) if window.states.maximized || window.states.fullscreen => {
                "the window is maximized or fills the screen: restore it first".into()
            }
            _ => "the window did not change in time: the window manager or the program ignores the request, or hangs".into(),
        };
        Changed {
            outcome,
            window,
            message,
            appeared,
        }
    }
}
