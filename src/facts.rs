//! The facts observed on a display while a caller waits for its paint: the vocabulary
//! between [`x11`](crate::x11), which sees, and [`gate`](crate::gate), which judges.
//!
//! A leaf. Regions are on the screen, clipped to it; times are since the
//! observation began.

use std::{fmt, time::Duration};

use crate::frame::{Region, Size};

/// The definition of "painted".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Profile {
    /// An XFCE session: window manager, a desktop window that covers the screen,
    /// and docks, all mapped, viewable and drawn.
    Xfce,
    /// Anything that is really drawn.
    Any,
}

impl Profile {
    /// The word on the command line and in the root property.
    pub fn name(self) -> &'static str {
        match self {
            Self::Xfce => "xfce",
            Self::Any => "any",
        }
    }

    /// Whether what is proved for `self` is proved for `other` too.
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
    /// The part of it that lies on the screen; `None` when none does.
    pub area: Option<Region>,
    /// Mapped, and all its ancestors are.
    pub viewable: bool,
    /// The window manager lists it (EWMH: `_NET_CLIENT_LIST`).
    pub managed: bool,
    /// It takes part in `_NET_WM_PING`.
    pub pings: bool,
    /// The process that created it, if the X server reports that (X-Resource).
    pub pid: Option<u32>,
    /// The age of a dock's process; `None` if it is not known.
    pub age: Option<Duration>,
}

/// A window that a caller waits for: all that is given must match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedWindow {
    /// Part of its title.
    pub title: Option<String>,
    /// Its program's class or instance (ICCCM 4.1.2.5), whole, in any case.
    pub class: Option<String>,
}

impl ExpectedWindow {
    /// Whether that window is meant.
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
    /// Its title; empty without one.
    pub title: String,
    /// Its program's instance and class.
    pub class: Vec<String>,
}

impl fmt::Debug for NamedWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A title names documents and pages: it stays out of logs.
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
    /// The window manager; `None` without one that speaks EWMH.
    pub window_manager: Option<WindowManager>,
    /// The window that has the focus (EWMH: `_NET_ACTIVE_WINDOW`).
    pub active: Option<WindowId>,
    /// Top-level windows, in no order.
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
    /// A tile of at most 16 × 16 pixels, repeated, as a root window's stipple is.
    Tiled,
    /// Anything else.
    Drawn,
}

/// One look at the pixels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PictureFact {
    /// The whole screen.
    pub screen: Content,
    /// Windows whose area is of one colour.
    pub flat: Vec<WindowId>,
    /// Bytes of the screen in the reference encoding.
    pub bytes: u64,
    /// The time that it took.
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
    /// It sleeps, and can be woken.
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
    /// CPU time that they used or waited for so far.
    pub wanted: Duration,
    /// How finely these are counted.
    pub grain: Duration,
}

/// One thing that was seen.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact {
    /// The X server cannot be watched, and why: all that was known is void.
    NoDisplay(String),
    /// The windows on the screen now.
    Scene(Scene),
    /// Something was drawn there, on the screen or into a window.
    Damage {
        /// The window, or the root window.
        window: WindowId,
        /// Where on the screen.
        area: Region,
    },
    /// The server has reported everything that was drawn before this moment; its answer took
    /// this long.
    Answer(Duration),
    /// A ping left.
    Ping(Pinged),
    /// Its answer came.
    Pong(Pinged),
    /// A look at the pixels that began at that time.
    Picture(Duration, PictureFact),
    /// The processes of the desktop. `required` ones stand behind the window
    /// manager, the desktop and the docks.
    Processes {
        /// Behind required windows.
        required: Vec<ProcessSample>,
        /// All others of the session.
        others: Vec<ProcessSample>,
    },
    /// Processes of the session that were started within the last 5 s and show no window.
    /// Observed only while no window shows that the desktop exists.
    Starting(Vec<u32>),
    /// Work of the focused program that is known although its threads may sleep.
    UnderWay {
        /// A command runs in the foreground of a terminal and does not read from it.
        command: bool,
        /// A request was sent on a connection and not answered yet.
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
