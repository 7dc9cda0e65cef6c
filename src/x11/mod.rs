//! The display: connections to the X server, each owned by one thread.
//!
//! This is the only module that uses x11rb. [`session`](crate::session) requests captures and the
//! cursor from a [`Display`]; the doctor calls [`inspect`]. This module calls none of the modules
//! that use it.
//!
//! - [`connection`]: connects without TCP, authenticates, and detects a silent server.
//! - `screen`: the size, and the identity that deskd keeps in a property of the root window.
//! - `capture`: reads the screen and the pointer.
//! - `command`: the handle, its queue, and the thread that owns the connection and does the work.
//! - `input`: keys, buttons and the pointer; assigns unused keys to characters without a key.
//! - `selection`: owns the selections during a paste, and restores their content afterwards.
//! - `observe`: a second connection, which observes windows.
//! - `background`: the background of the root window, for sessions that draw none.
//! - `windows`: a connection that lists and changes windows for callers.

mod background;
mod capture;
mod command;
pub mod connection;
mod error;
mod input;
pub mod inspect;
mod observe;
mod screen;
mod selection;
mod windows;

#[cfg(test)]
mod fake_server;

pub use background::set_background;
pub use capture::grab::{CaptureChoice, Grab};
pub use command::{
    arrangement::{Arrangement, FollowedWindow},
    display::Display,
    order::{CursorReading, Link, LinkState, Proof},
};
pub use connection::{
    display_name::DisplayName,
    lifetime::wait_for_end,
    mailbox::{Bell, Receiver, Sender, mailbox},
    reach::{ServerOwner, SocketKind},
    server::cookie_file,
    trust::Trust,
};
pub use error::DisplayError;
pub use input::{
    injector::{Injector, KeyOrButton, Mark, Survey, uptime},
    keymap::{KeyboardState, Keymap, Stroke},
    pointer::PointerState,
};
pub use observe::{
    focus::Focus,
    observer::{ChangeWatch, Observer},
};
pub use screen::{info::ScreenInfo, root_state::Generation};
pub use selection::{
    Clipboard, ClipboardItem, ClipboardRead, MAX_CONTENT, Offer, SelectionName, WITHHELD,
};
pub use windows::{
    ListedWindow, MAX_WINDOWS, Operation, Placement, Rectangle, Sent, WindowChange, WindowKind,
    WindowList, WindowPicture, WindowStates, WindowThread,
};
