//! What is known of a window.

use std::fmt;

use x11rb::protocol::xproto::{Atom, Window};

use crate::frame::Region;
use crate::x11::screen::root_state::Generation;

/// A rectangle of the screen, which may lie outside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rectangle {
    /// Left column.
    pub x: i32,
    /// Top row.
    pub y: i32,
    /// Number of columns.
    pub width: u32,
    /// Number of rows.
    pub height: u32,
}

/// The kind of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowKind {
    /// The main window of a program, or a window that names no kind.
    Normal,
    /// A dialog, or a window that names no kind and belongs to another one.
    Dialog,
    /// A menu.
    Menu,
    /// A tooltip.
    Tooltip,
    /// A notification.
    Notification,
    /// A palette or a tool bar.
    Utility,
    /// A splash screen.
    Splash,
    /// A panel.
    Dock,
    /// The desktop behind all windows.
    Desktop,
    /// An unmanaged window that names no kind.
    Popup,
}

/// The states of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a state of its own in EWMH"
)]
pub struct WindowStates {
    /// It has the keyboard focus.
    pub focused: bool,
    /// It is minimized.
    pub minimized: bool,
    /// It is maximized in both directions.
    pub maximized: bool,
    /// It fills the screen.
    pub fullscreen: bool,
    /// It blocks the window that it belongs to.
    pub modal: bool,
    /// It stays above other windows.
    pub above: bool,
    /// It stays below other windows.
    pub below: bool,
    /// Only its title bar is shown.
    pub shaded: bool,
    /// It demands attention.
    pub urgent: bool,
}

/// A top-level window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedWindow {
    /// The id for callers, see [`id`].
    pub id: String,
    /// The number of the window on the X server.
    pub xid: Window,
    /// The child of the root window that contains it: the frame of the window manager, or itself.
    pub frame_xid: Window,
    /// The title, at most 1,024 bytes.
    pub title: String,
    /// The class name.
    pub class: String,
    /// The instance name.
    pub instance: String,
    /// The process that created the window.
    pub pid: Option<u32>,
    /// The name of that process's program.
    pub program: String,
    /// The window with its decoration, without the shadows that the program says that it draws.
    pub frame: Rectangle,
    /// The window with its decoration, and with such shadows: all pixels that it may cover.
    pub outer: Rectangle,
    /// The content, without the decoration of the window manager.
    pub client: Rectangle,
    /// The workspace; `None` for all.
    pub workspace: Option<u32>,
    /// The states.
    pub states: WindowStates,
    /// The kind.
    pub kind: WindowKind,
    /// The window that this one belongs to.
    pub transient_for: Option<Window>,
    /// The id of that window, if it is listed; otherwise empty.
    pub main: String,
    /// The id that its launcher gave the program (`_NET_STARTUP_ID`), at most 128 bytes.
    pub startup_id: String,
    /// Whether a window manager manages it.
    pub managed: bool,
    /// Whether it is mapped, with all windows that contain it.
    pub viewable: bool,
    /// Whether a compositing manager may show what is below it: it has a visual with transparency, or
    /// an opacity.
    pub translucent: bool,
    /// Whether its program can be asked to close it (`WM_DELETE_WINDOW`).
    pub closes: bool,
    /// Widths of the shadows that the program draws outside the visible window: left, right, top,
    /// bottom.
    pub shadows: [u32; 4],
}

/// The shape of a frame (SHAPE 1.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownShape {
    /// The child of the root window.
    pub frame: Window,
    /// The parts of [`ListedWindow::outer`] that do not belong to the window, in pixels from its
    /// top-left corner; none for a rectangle; `None` if they are too many.
    pub left_out: Option<Vec<Region>>,
}

/// The windows at one moment.
#[derive(Debug, Clone)]
pub struct WindowList {
    /// The windows, the topmost first. Those that are not viewable come last.
    pub windows: Vec<ListedWindow>,
    /// Number of windows, also of those that are left out.
    pub total: usize,
    /// The name of the window manager; `None` if none runs.
    pub manager: Option<String>,
    /// The present workspace.
    pub workspace: Option<u32>,
    /// Whether a compositing manager draws the screen, with shadows and transparency.
    pub composited: bool,
    /// All windows that cover pixels of the screen, the topmost first, also those that are not listed.
    /// Each is the child of the root window, with its place.
    pub stack: Vec<(Window, Rectangle)>,
    /// The shapes of frames, as far as they are known.
    pub shapes: Vec<KnownShape>,
    /// Identity of the X server.
    pub generation: Generation,
    /// What the window manager supports (`_NET_SUPPORTED`).
    pub(super) supported: Vec<Atom>,
}

impl WindowList {
    /// Returns the window with this id.
    pub fn find(&self, id: &str) -> Option<&ListedWindow> {
        self.windows.iter().find(|window| window.id == id)
    }

    /// Returns the shape of a frame; `None` if it is not known.
    pub fn shape_of(&self, frame: Window) -> Option<&KnownShape> {
        self.shapes.iter().find(|shape| shape.frame == frame)
    }

    /// Returns the window with this number.
    pub fn by_xid(&self, xid: Window) -> Option<&ListedWindow> {
        self.windows.iter().find(|window| window.xid == xid)
    }
}

/// Returns the id for callers. The X server uses numbers of windows again, so the id also depends on
/// the server and on the process: its pid, and when it started.
pub(super) fn id(
    generation: Generation,
    xid: Window,
    pid: Option<u32>,
    started: Option<u64>,
) -> String {
    let owner = format!("{generation} {pid:?} {started:?}");
    let owner = xxhash_rust::xxh3::xxh3_64(owner.as_bytes()) & 0xffff_ffff;
    format!("w{xid:x}-{owner:08x}")
}

impl ListedWindow {
    /// Whether this is `main`, or a menu, a tooltip or a dialog of it. The process decides, because any
    /// program can say that its window is the dialog of another one.
    pub fn belongs_to(&self, main: &Self) -> bool {
        let is_same_process = self.pid == main.pid;
        let is_popup = !self.managed && self.pid.is_some();
        self.xid == main.xid
            || is_same_process && (is_popup || self.transient_for == Some(main.xid))
    }
}

impl fmt::Display for ListedWindow {
    /// The window for people: its id, title and class.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let title: String = self.title.chars().take(60).collect();
        write!(f, "{} {title:?}", self.id)?;
        match self.class.is_empty() {
            true => Ok(()),
            false => write!(f, " ({})", self.class),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_names_one_window_of_one_process_of_one_server() {
        let server = Generation::of(1);
        let one = id(server, 0x40_0001, Some(7), Some(99));
        assert!(one.starts_with("w400001-"), "{one}");
        assert_eq!(one, id(server, 0x40_0001, Some(7), Some(99)));
        for other in [
            id(Generation::of(2), 0x40_0001, Some(7), Some(99)),
            id(server, 0x40_0001, Some(8), Some(99)),
            id(server, 0x40_0001, Some(7), Some(100)),
            id(server, 0x40_0001, None, None),
        ] {
            assert_ne!(one, other);
        }
    }
}
