//! Limits of the server, as `GetInfo` reports them.

use std::time::Duration;

/// Default of `max_image_bytes`: below the 4 MiB that a gRPC client
/// accepts by default, with room for the rest of the message.
pub(in crate::rpc) const DEFAULT_MAX_IMAGE_BYTES: u64 = 3_670_016;
/// A request's size: 64 KiB of text (R43), 1,000 drag points, and room.
pub(in crate::rpc) const MAX_REQUEST_BYTES: usize = 256 * 1024;
/// Concurrent connections of an address (R42 has 16; twice that, so that 16
/// callers who wait for the input keep nobody from a picture or `ReleaseAll`).
pub(in crate::rpc) const MAX_CONNECTIONS: usize = 32;
/// Connections of an address of which no call was let in yet; one more closes the
/// oldest.
pub(in crate::rpc) const MAX_STRANGERS: usize = 16;
/// How long such a connection lives.
pub(in crate::rpc) const STRANGER: Duration = Duration::from_secs(10);
/// HTTP/2 frames of such a connection: at once, and a second. A first call has about 6.
pub(in crate::rpc) const STRANGER_FRAMES: (u32, u32) = (256, 64);
/// Bytes of such a connection.
pub(in crate::rpc) const STRANGER_BYTES: u64 = 1 << 20;
/// PING, SETTINGS, PRIORITY and the like of a caller: at once, and a second. Some
/// clients send a PING for each round trip while they measure the connection.
pub(in crate::rpc) const CONTROL_FRAMES: (u32, u32) = (20_000, 5_000);
/// Concurrent calls on one connection (R42).
pub(in crate::rpc) const MAX_STREAMS: u32 = 64;
/// A connection says nothing for so long after it was opened (R42).
pub(in crate::rpc) const HANDSHAKE: Duration = Duration::from_secs(5);
/// Frames that may wait in one connection for its reader (R39).
pub(in crate::rpc) const MAX_WAITING_REPLIES: usize = 2;
/// Images above this many bytes share [`MAX_WAITING_KIB`]; smaller ones are bounded by
/// the number of connections, so that nobody's large ones hold up a usual screenshot.
pub(in crate::rpc) const LARGE_IMAGE: usize = 8 << 20;
/// KiB of large images that may wait for all readers together.
pub(in crate::rpc) const MAX_WAITING_KIB: u32 = 256 << 10;
/// A reader that takes nothing for so long is cut off (R39).
pub(in crate::rpc) const SLOW_READER: Duration = Duration::from_secs(30);
/// An HTTP/2 ping after so long without traffic, and how long its answer
/// may take: a half-open connection is gone after 30 s (R35).
pub(in crate::rpc) const KEEPALIVE: (Duration, Duration) =
    (Duration::from_secs(20), Duration::from_secs(10));
/// Text of one action (R43).
pub(in crate::rpc) const MAX_TEXT_BYTES: u64 = 64 * 1024;
/// Notches of one scroll (R43).
pub(in crate::rpc) const MAX_SCROLL_NOTCHES: u32 = 1000;
/// Longest wait and hold (R43).
pub(in crate::rpc) const MAX_WAIT: Duration = Duration::from_secs(300);
/// Longest `settle.timeout`.
pub(in crate::rpc) const MAX_SETTLE: Duration = Duration::from_secs(60);
/// Longest `settle.quiet`.
pub(in crate::rpc) const MAX_QUIET: Duration = Duration::from_secs(10);
