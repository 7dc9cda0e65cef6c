//! The display: connections to the X server, each owned by one thread.
//!
//! The only module that knows x11rb. [`session`](crate::session) asks a
//! [`Display`] for captures and the cursor; the doctor asks [`inspect`].
//! Nothing here calls upwards.
//!
//! - [`connection`]: reaching the server without TCP, being let in, noticing its silence.
//! - `screen`: the size, and the identity that deskd keeps in a property of the root window.
//! - `capture`: reading the screen and the pointer.
//! - `command`: the handle, its queue, the thread that owns the connection, and its work.
//! - `input`: keys, buttons, the pointer, and unused keys for what the keymap lacks.
//! - `selection`: owning the selections for a paste, and giving them back.
//! - `observe`: a second connection, which looks at windows.

mod capture;
mod command;
pub mod connection;
mod error;
mod input;
pub mod inspect;
mod observe;
mod screen;
mod selection;

#[cfg(test)]
mod fake_server;

pub use capture::grab::{CaptureChoice, Grab};
pub use command::{
    display::Display,
    order::{CursorReading, Link, LinkState, Proof},
};
pub use connection::{
    display_name::DisplayName,
    mailbox::{Bell, Receiver, Sender, mailbox},
    server::cookie_file,
    socket::{ServerOwner, SocketKind},
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
pub use selection::{Clipboard, Offer, WITHHELD};
