//! The facts observed on a display while a caller waits for the desktop to be painted.
//! [`x11`](crate::x11) observes them, and [`gate`](crate::gate) judges them.
//!
//! This module uses only [`frame`](crate::frame). Regions are in screen pixels, clipped to the
//! screen; times count from the start of the observation.

use std::{fmt, time::Duration};

use crate::frame::{Region, Size};

/// The definition of "painted".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Profile {
    /// An XFCE session: window manager, a desktop window that covers the screen,
    /// and docks, all mapped, viewable and drawn.
    Xfce,
    /// Any visible content.
    Any,
}

impl Profile {
    /// The name on the command line and in the property on the root window.
    pub fn name(self) -> &'static str {
        match self {
            Self::Xfce => "xfce",
            Self::Any => "any",
        }
    }

    /// Whether a paint proof for the profile `self` is also valid for `other`.
    pub fn implies(self, other: Self) -> bool {
        self == other || self == Self::Xfce
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An X window's id.
pub type WindowId = u32;

/// The purpose of a window (EWMH: `_NET_WM_WINDOW_TYPE`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The desktop: wallpaper and icons.
    Desktop,
    /// A panel or dock.
    Dock,
    /// Any other top-level window.
    TopLevel,
}

/// A top-level window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Its id.
    pub id: WindowId,
    /// Its purpose.
    pub role: Role,
    /// The part of it that lies on the screen; `None` if no part does.
    pub area: Option<Region>,
    /// Whether it and all its ancestors are mapped.
    pub viewable: bool,
    /// Whether the window manager lists it (EWMH: `_NET_CLIENT_LIST`).
    pub managed: bool,
    /// Whether it supports `_NET_WM_PING`.
    pub pings: bool,
    /// The process that created it, if the X server reports that (X-Resource).
    pub pid: Option<u32>,
    /// The age of a dock's process; `None` if it is not known.
    pub age: Option<Duration>,
}

/// A window that a caller waits for; every field that is set must match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedWindow {
    /// Part of its title.
    pub title: Option<String>,
    /// The class or instance of its program (ICCCM 4.1.2.5): the whole name, in any letter case.
    pub class: Option<String>,
}

impl ExpectedWindow {
    /// Whether a window matches.
    pub fn matches(&self, window: &NamedWindow) -> bool {
        let title = self.title.as_ref();
        let class = self.class.as_ref();
        title.is_none_or(|title| window.title.contains(title))
            && class.is_none_or(|class| {
                let names = window.class.iter();
                names
                    .into_iter()
                    .any(|name| name.eq_ignore_ascii_case(class))
            })
    }
}

impl fmt::Display for ExpectedWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a window")?;
        if let Some(title) = &self.title {
            write!(f, " whose title contains {title:?}")?;
        }
        if let Some(class) = &self.class {
            write!(f, " of class {class:?}")?;
        }
        Ok(())
    }
}

/// The names of a viewable window.
#[derive(Clone, PartialEq, Eq)]
pub struct NamedWindow {
    /// Its id.
    pub window: WindowId,
    /// Its title; empty if it has none.
    pub title: String,
    /// Its program's instance and class.
    pub class: Vec<String>,
}

impl fmt::Debug for NamedWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A title can name documents and pages, so it is not logged.
        write!(f, "NamedWindow({:?})", self.class)
    }
}

/// The window manager (EWMH: `_NET_SUPPORTING_WM_CHECK`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowManager {
    /// Its check window.
    pub window: WindowId,
    /// Its process, if the X server reports it.
    pub pid: Option<u32>,
}

/// The windows on the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scene {
    /// The screen's size.
    pub size: Size,
    /// The window manager; `None` if none supports EWMH.
    pub window_manager: Option<WindowManager>,
    /// The window that has the focus (EWMH: `_NET_ACTIVE_WINDOW`).
    pub active: Option<WindowId>,
    /// Top-level windows, in arbitrary order.
    pub windows: Vec<Window>,
    /// The number of X clients besides deskd and the window manager that show a window, or
    /// were started within the last 5 s; `None` if the server does not report processes.
    pub other_clients: Option<usize>,
}

/// The kind of content that the screen's pixels show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// One colour.
    Flat,
    /// A repeated tile of at most 16 × 16 pixels, such as a root window's stipple.
    Tiled,
    /// Anything else.
    Drawn,
}

/// The result of one pixel sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PictureFact {
    /// The whole screen.
    pub screen: Content,
    /// Windows whose area has one colour.
    pub flat: Vec<WindowId>,
    /// Size of the screen in the reference encoding, in bytes.
    pub bytes: u64,
    /// Duration of the reference encoding.
    pub cost: Duration,
}

/// The receiver of a ping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pinged {
    /// A client, by its window.
    Window(WindowId),
    /// The window manager.
    WindowManager,
}

/// The state of a process at the moment of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// It sleeps and can be woken.
    Asleep,
    /// It runs, is runnable, or waits for a disk.
    Running,
    /// It was stopped by a signal or a debugger.
    Stopped,
}

/// A process of the desktop at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessSample {
    /// Its id.
    pub pid: u32,
    /// Its state now.
    pub doing: Doing,
    /// CPU time that its threads used so far.
    pub used: Duration,
    /// CPU time that its threads used or waited for so far.
    pub wanted: Duration,
    /// Resolution of these two times.
    pub grain: Duration,
}

/// One observation.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact {
    /// The X server cannot be observed, for this reason; all earlier facts are void.
    NoDisplay(String),
    /// The windows on the screen now.
    Scene(Scene),
    /// Something was drawn on the screen or into a window.
    Damage {
        /// The window, or the root window.
        window: WindowId,
        /// The changed area of the screen.
        area: Region,
    },
    /// The server has reported everything that was drawn before this moment; its answer took
    /// this long.
    Answer(Duration),
    /// A ping was sent.
    Ping(Pinged),
    /// The answer to a ping arrived.
    Pong(Pinged),
    /// A pixel sample that began at that time.
    Picture(Duration, PictureFact),
    /// A sample of the desktop's processes. The `required` ones own the window manager's windows,
    /// the desktop and the docks.
    Processes {
        /// Processes that own required windows.
        required: Vec<ProcessSample>,
        /// All other processes of the session.
        others: Vec<ProcessSample>,
    },
    /// Processes of the session that were started within the last 5 s and show no window.
    /// Observed only while no window shows that the desktop exists.
    Starting(Vec<u32>),
    /// Work of the focused program that is detected although its threads may sleep.
    UnderWay {
        /// A command runs in the foreground of a terminal and does not read from it.
        command: bool,
        /// A request was sent on a connection and has not been answered yet.
        request: bool,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expected_window_is_known_by_all_that_is_given() {
        let window = NamedWindow {
            window: 7,
            title: "report.odt — Writer".into(),
            class: vec!["soffice".into(), "libreoffice-writer".into()],
        };
        let matches = |title: Option<&str>, class: Option<&str>| {
            let expected = ExpectedWindow {
                title: title.map(Into::into),
                class: class.map(Into::into),
            };
            expected.matches(&window)
        };
        assert!(matches(Some("report"), None) && matches(None, Some("Soffice")));
        assert!(matches(Some("Writer"), Some("libreoffice-writer")));
        assert!(!matches(Some("writer"), None) && !matches(None, Some("office")));
        assert!(!matches(Some("report"), Some("xterm")));
    }
}
