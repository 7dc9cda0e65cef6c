//! deskd: see, act on, and trust the desktop of a Linux sandbox, over gRPC.
//!
//! The library is a client of the daemon: [`client::connect`] connects to it, and [`v1`] contains
//! the messages. `examples/rust/first_frame.rs` shows both.
//!
//! # Layout
//!
//! Dependencies point downwards only; ARCHITECTURE.md has a diagram.
//!
//! - `cli`: the command line: `deskd serve` and the client commands.
//! - `rpc`: gRPC. The only module that uses tonic and the generated types.
//! - `session`: the operations on a display: captures, input, bring-up.
//! - `x11`: the display. The only module that uses x11rb.
//! - `gate`: the paint gate, which decides whether the desktop is painted.
//! - `card`: the failure card.
//! - `helper`: the session helper, a process of the desktop's user that starts programs.
//! - `stack`: the display stack: a handle to the init process, and the init itself.
//! - `deskd_pixels`, a crate: `frame`, `encode` and `decode`, the pixels of a screen and of images.
//! - `facts`, `failure`, `keys`, `config`, `telemetry`, `metrics`, `memory`, `files`,
//!   `processes`, `sockets`, `wallpaper`: shared types, settings, logs, metrics, what the kernel
//!   reports, and the desktop's background.

mod card;
mod cli;
mod config;
mod facts;
mod failure;
mod files;
mod gate;
mod helper;
pub mod keys;
mod log;
mod memory;
mod metrics;
mod processes;
mod rpc;
mod session;
mod sockets;
mod stack;
mod telemetry;
mod text;
mod wallpaper;
mod x11;

// The crate's modules name these as if they were modules of this crate.
use deskd_pixels::{decode, encode, frame};

pub use cli::run;
pub use config::Address;
pub use rpc::{Token, client, v1};

/// Items for the tests and benchmarks of this repository; not a stable API.
#[doc(hidden)]
pub mod internals {
    pub use crate::encode::{Effort, EncodeOrder, Format, Picture, encode};
    pub use crate::frame::{CaptureMode, Pixels, Region, Size};
    pub use crate::metrics::all_metrics;
    pub use crate::rpc::{DESCRIPTORS, all_limits};
    pub use crate::x11::{Display, ServerOwner, Trust};
}
