//! The display: one connection to the X server, owned by one thread.
//!
//! The only module that knows x11rb. [`session`](crate::session) asks a
//! [`Display`] for captures and the cursor; the doctor asks [`inspect`].
//! Nothing here calls upwards.
//!
//! - [`display_name`]: what `:0` means.
//! - `socket`: reaching the server without TCP, and noticing its silence.
//! - `allowance`: how many requests for a selection are answered.
//! - `connect`: being let in, and understanding the screen.
//! - `root_state`: the identity that deskd keeps in a property of the root window.
//! - `pixel_format`, `shm`, `segments`, `capture`, `cursor`: reading the screen.
//! - `display`, `mailbox`, `thread`, `connected`: the handle, its queue, the thread
//!   that owns the connection, and its work.
//! - `injector`, `pointer`, `keymap`, `bindings`, `focus`: giving input, the pointer's
//!   position, buttons and mapping, what keys mean, unused
//!   keys bound to what the keymap lacks, and whom keys reach.
//! - `clipboard`: owning the selections for a paste, and giving them back.
//! - `observer`, `scene`: a second connection, which watches while somebody waits
//!   for the paint.

mod allowance;
mod bindings;
mod capture;
mod clipboard;
mod compare;
mod connect;
mod connected;
mod cursor;
mod damage;
mod display;
pub mod display_name;
mod error;
mod focus;
mod injector;
pub mod inspect;
mod keymap;
mod mailbox;
mod observer;
mod pixel_format;
mod pointer;
mod resize;
mod root_state;
mod scene;
mod segments;
mod shm;
mod socket;
mod thread;
mod trust;

#[cfg(test)]
mod fake_server;

pub use capture::{CaptureChoice, Grab};
pub use clipboard::{Clipboard, Offer, WITHHELD};
pub use connect::{ScreenInfo, cookie_file};
pub use display::{CursorReading, Display, Link, LinkState, Proof};
pub use display_name::DisplayName;
pub use error::Error;
pub use focus::Focus;
pub use injector::{Injector, KeyOrButton, Mark, Survey, uptime};
pub use keymap::{KeyboardState, Keymap, Stroke};
pub use mailbox::{Bell, Receiver, Sender, Woken, mailbox};
pub use observer::{Observer, Watch};
pub use pointer::PointerState;
pub use root_state::Generation;
pub use socket::{Owner, SocketKind};
pub use trust::Trust;
