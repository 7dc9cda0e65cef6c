//! The session helper: a process of the desktop's user that starts programs in the session.
//!
//! The daemon may run as another user, and changes no user itself. So it asks the helper over a
//! Unix socket: one request and one answer for each connection, as lines of JSON. The helper serves
//! everybody who can connect, because the socket's file admits only the daemon. The daemon does not
//! trust the helper, because the desktop's user controls that process.
//!
//! - [`wire`]: the messages.
//! - `client`: the daemon's side.
//! - `serve`: the process.
//! - `launch`: starts programs, and keeps what became of them.
//! - `keep`: the parent of each program, which tells its processes from those of others.
//! - `entry`: desktop entries and URIs as words of a command line.
//! - `mark`: which processes belong to a launch.

mod client;
mod entry;
mod keep;
mod launch;
mod mark;
mod output;
mod serve;
pub mod wire;

pub use client::{Helper, HelperError};
pub use keep::keep;
pub use serve::{HelperExit, Lifetime, run};
