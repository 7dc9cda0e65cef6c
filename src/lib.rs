//! deskd: see, act on, and trust the desktop of a Linux sandbox, over gRPC.
//!
//! # Layout
//!
//! Dependencies point downwards only; see ARCHITECTURE.md for the picture.
//!
//! - [`cli`]: the command line: `deskd serve` and the client commands.
//! - [`rpc`]: gRPC. The only module that knows tonic and the generated types.
//! - [`session`]: a call's way through deadlines, shared captures and frames;
//!   decides whether the answer is a frame or a card.
//! - [`x11`]: the display. The only module that knows x11rb.
//! - [`encode`]: pixels in, PNG, JPEG or raw bytes out.
//! - [`gate`]: the paint gate: facts in, verdict out.
//! - [`card`]: the failure card.
//! - [`stack`]: the display stack: a handle to the init, and the init itself.
//! - [`frame`], [`facts`], [`config`], [`telemetry`], `metrics`, `memory`, `processes`,
//!   `sockets`: shared types, settings, logs, counts, the allocator's settings, and what
//!   the kernel reports of processes and connections.

pub mod card;
pub mod cli;
pub mod config;
pub mod encode;
pub mod facts;
pub mod failure;
mod files;
pub mod frame;
pub mod gate;
pub mod keys;
mod memory;
mod metrics;
mod processes;
pub mod rpc;
pub mod session;
mod sockets;
pub mod stack;
pub mod telemetry;
pub mod x11;

pub use rpc::client;
