//! The windows of the desktop: a thread with a connection of its own lists and changes them (EWMH
//! 1.5, ICCCM 2.0).
//!
//! - `listed`: what is known of a window.
//! - `tree`: which windows there are, and in which order.
//! - `read`: reads all of them.
//! - `change`: sends the requests that change a window.
//! - `shape`: windows that are not rectangles.
//! - `picture`: reads the pixels of single windows.
//! - `thread`: the connection, and the handle [`WindowThread`].

mod change;
mod listed;
mod picture;
mod read;
mod shape;
mod thread;
mod tree;

pub use change::{Operation, Placement, Sent, WindowChange};
pub use listed::{ListedWindow, Rectangle, WindowKind, WindowList, WindowStates};
pub use picture::WindowPicture;
pub use read::MAX_WINDOWS;
pub use thread::WindowThread;

x11rb::atom_manager! {
    /// The atoms of windows and window managers.
    pub(in crate::x11) WindowAtoms: WindowAtomsCookie {
        UTF8_STRING,
        WM_STATE,
        WM_CHANGE_STATE,
        WM_PROTOCOLS,
        WM_DELETE_WINDOW,
        _GTK_FRAME_EXTENTS,
        _NET_STARTUP_ID,
        _NET_SUPPORTED,
        _NET_SUPPORTING_WM_CHECK,
        _NET_CLIENT_LIST,
        _NET_CLIENT_LIST_STACKING,
        _NET_ACTIVE_WINDOW,
        _NET_CURRENT_DESKTOP,
        _NET_CLOSE_WINDOW,
        _NET_MOVERESIZE_WINDOW,
        _NET_WM_NAME,
        _NET_WM_PID,
        _NET_WM_DESKTOP,
        _NET_WM_WINDOW_OPACITY,
        _NET_WM_STATE,
        _NET_WM_STATE_MODAL,
        _NET_WM_STATE_MAXIMIZED_VERT,
        _NET_WM_STATE_MAXIMIZED_HORZ,
        _NET_WM_STATE_SHADED,
        _NET_WM_STATE_HIDDEN,
        _NET_WM_STATE_FULLSCREEN,
        _NET_WM_STATE_ABOVE,
        _NET_WM_STATE_BELOW,
        _NET_WM_STATE_DEMANDS_ATTENTION,
        _NET_WM_WINDOW_TYPE,
        _NET_WM_WINDOW_TYPE_DESKTOP,
        _NET_WM_WINDOW_TYPE_DOCK,
        _NET_WM_WINDOW_TYPE_TOOLBAR,
        _NET_WM_WINDOW_TYPE_MENU,
        _NET_WM_WINDOW_TYPE_UTILITY,
        _NET_WM_WINDOW_TYPE_SPLASH,
        _NET_WM_WINDOW_TYPE_DIALOG,
        _NET_WM_WINDOW_TYPE_DROPDOWN_MENU,
        _NET_WM_WINDOW_TYPE_POPUP_MENU,
        _NET_WM_WINDOW_TYPE_TOOLTIP,
        _NET_WM_WINDOW_TYPE_NOTIFICATION,
        _NET_WM_WINDOW_TYPE_COMBO,
        _NET_WM_WINDOW_TYPE_NORMAL,
    }
}
