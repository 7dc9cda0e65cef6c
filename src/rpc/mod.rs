//! gRPC: the only module that knows tonic and the generated types.
//!
//! Called by [`cli`](crate::cli); calls [`session`](crate::session). A service
//! a file; `status` is the one place where errors become statuses.
//!
//! - `listen`, `connection`: sockets, peers, TLS, limits before HTTP/2 begins.
//! - `auth`: token and peer; `standing`: what a connection may do before it was let in.
//! - `codec`: what cannot be decoded is the caller's fault.
//! - `deadline`: `grpc-timeout`, and when a reply must leave.
//! - `replies`: no more than two frames wait for a slow reader.
//! - `desktop`, `stack`, `health`: the services.
//! - `metrics`: Prometheus, over plain HTTP.
//! - `convert`, `act`, `action`, `acted`: messages to values and back.

mod act;
mod acted;
mod action;
mod auth;
pub mod client;
mod codec;
mod connection;
mod convert;
mod deadline;
mod desktop;
mod gather;
mod health;
mod listen;
mod metrics;
mod replies;
mod require;
mod server;
mod stack;
mod standing;
mod status;
mod values;
mod watch;

pub use auth::{Token, TokenError};
pub use listen::{BindError, Listener};
pub use metrics::serve_metrics;
pub use server::{Options, ServeError, Tls, serve};

/// The messages and services of `deskd.v1`, generated from `proto/`.
pub mod v1 {
    // Generated: comments of the proto are its documentation.
    #![allow(missing_docs, unreachable_pub, clippy::all)]
    tonic::include_proto!("deskd.v1");
}

/// Descriptors of `deskd.v1`, an encoded `google.protobuf.FileDescriptorSet`.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// Limits of the server, as `GetInfo` reports them.
mod limits {
    use std::time::Duration;

    /// Default of `max_image_bytes`: below the 4 MiB that a gRPC client
    /// accepts by default, with room for the rest of the message.
    pub(super) const DEFAULT_MAX_IMAGE_BYTES: u64 = 3_670_016;
    /// A request's size: 64 KiB of text (R43), 1,000 drag points, and room.
    pub(super) const MAX_REQUEST_BYTES: usize = 256 * 1024;
    /// Concurrent connections of an address (R42 has 16; twice that, so that 16
    /// callers who wait for the input keep nobody from a picture or `ReleaseAll`).
    pub(super) const MAX_CONNECTIONS: usize = 32;
    /// Connections of an address of which no call was let in yet; one more closes the
    /// oldest.
    pub(super) const MAX_STRANGERS: usize = 16;
    /// How long such a connection lives.
    pub(super) const STRANGER: Duration = Duration::from_secs(10);
    /// HTTP/2 frames of such a connection: at once, and a second. A first call has about 6.
    pub(super) const STRANGER_FRAMES: (u32, u32) = (256, 64);
    /// Bytes of such a connection.
    pub(super) const STRANGER_BYTES: u64 = 1 << 20;
    /// PING, SETTINGS, PRIORITY and the like of a caller: at once, and a second. Some
    /// clients send a PING for each round trip while they measure the connection.
    pub(super) const CONTROL_FRAMES: (u32, u32) = (20_000, 5_000);
    /// Concurrent calls on one connection (R42).
    pub(super) const MAX_STREAMS: u32 = 64;
    /// A connection says nothing for so long after it was opened (R42).
    pub(super) const HANDSHAKE: Duration = Duration::from_secs(5);
    /// Frames that may wait in one connection for its reader (R39).
    pub(super) const MAX_WAITING_REPLIES: usize = 2;
    /// Images above this many bytes share [`MAX_WAITING_KIB`]; smaller ones are bounded by
    /// the number of connections, so that nobody's large ones hold up a usual screenshot.
    pub(super) const LARGE_IMAGE: usize = 8 << 20;
    /// KiB of large images that may wait for all readers together.
    pub(super) const MAX_WAITING_KIB: u32 = 256 << 10;
    /// A reader that takes nothing for so long is cut off (R39).
    pub(super) const SLOW_READER: Duration = Duration::from_secs(30);
    /// An HTTP/2 ping after so long without traffic, and how long its answer
    /// may take: a half-open connection is gone after 30 s (R35).
    pub(super) const KEEPALIVE: (Duration, Duration) =
        (Duration::from_secs(20), Duration::from_secs(10));
    /// Text of one action (R43).
    pub(super) const MAX_TEXT_BYTES: u64 = 64 * 1024;
    /// Notches of one scroll (R43).
    pub(super) const MAX_SCROLL_NOTCHES: u32 = 1000;
    /// Longest wait and hold (R43).
    pub(super) const MAX_WAIT: Duration = Duration::from_secs(300);
    /// Longest `settle.timeout`.
    pub(super) const MAX_SETTLE: Duration = Duration::from_secs(60);
    /// Longest `settle.quiet`.
    pub(super) const MAX_QUIET: Duration = Duration::from_secs(10);
}
