//! Limits of the server; `GetInfo` reports some of them.

use std::time::Duration;

/// Default of `max_image_bytes`: below the 4 MiB that a gRPC client accepts by default, so
/// that the rest of the message fits as well.
pub(in crate::rpc) const DEFAULT_MAX_IMAGE_BYTES: u64 = 3_670_016;
/// Maximum size of a request: 64 KiB of text (R43), 1,000 drag points, and a margin.
pub(in crate::rpc) const MAX_REQUEST_BYTES: usize = 256 * 1024;
/// Maximum number of concurrent connections of an address. R42 requires 16; twice as many are
/// allowed, so that 16 callers that wait for the input do not block a screenshot or
/// `ReleaseAll`.
pub(in crate::rpc) const MAX_CONNECTIONS: usize = 32;
/// Maximum number of unadmitted connections of an address: those on which no call was
/// authenticated yet. One more closes the oldest.
pub(in crate::rpc) const MAX_STRANGERS: usize = 16;
/// Maximum lifetime of an unadmitted connection.
pub(in crate::rpc) const STRANGER: Duration = Duration::from_secs(10);
/// HTTP/2 frames that an unadmitted connection may send: burst, and rate per second. A first
/// call has about 6.
pub(in crate::rpc) const STRANGER_FRAMES: (u32, u32) = (256, 64);
/// Maximum number of bytes that an unadmitted connection may send.
pub(in crate::rpc) const STRANGER_BYTES: u64 = 1 << 20;
/// PING, SETTINGS, PRIORITY and similar frames that an admitted connection may send: burst,
/// and rate per second. Some clients send a PING for each round trip while they measure the
/// connection.
pub(in crate::rpc) const CONTROL_FRAMES: (u32, u32) = (20_000, 5_000);
/// Maximum number of concurrent calls on one connection (R42).
pub(in crate::rpc) const MAX_STREAMS: u32 = 64;
/// Maximum time from the accept of a connection to the client's HTTP/2 preface (R42).
pub(in crate::rpc) const HANDSHAKE: Duration = Duration::from_secs(5);
/// Maximum number of frames in one connection that wait to be read (R39).
pub(in crate::rpc) const MAX_WAITING_REPLIES: usize = 2;
/// Images above this many bytes share [`MAX_WAITING_KIB`]. Smaller images are limited by the
/// number of connections only, so that large images of one caller do not delay an ordinary
/// screenshot of another.
pub(in crate::rpc) const LARGE_IMAGE: usize = 8 << 20;
/// Maximum KiB of large images that wait to be read, in all connections together.
pub(in crate::rpc) const MAX_WAITING_KIB: u32 = 256 << 10;
/// Time after which a reader that reads nothing is disconnected (R39).
pub(in crate::rpc) const SLOW_READER: Duration = Duration::from_secs(30);
/// Idle time before an HTTP/2 ping, and timeout of its answer: a half-open connection is
/// closed after 30 s (R35).
pub(in crate::rpc) const KEEPALIVE: (Duration, Duration) =
    (Duration::from_secs(20), Duration::from_secs(10));
/// Maximum bytes of text in one action (R43).
pub(in crate::rpc) const MAX_TEXT_BYTES: u64 = 64 * 1024;
/// Maximum notches of one scroll (R43).
pub(in crate::rpc) const MAX_SCROLL_NOTCHES: u32 = 1000;
/// Maximum duration of a wait or a hold (R43).
pub(in crate::rpc) const MAX_WAIT: Duration = Duration::from_secs(300);
/// Maximum number of calls that transfer the content of the clipboard at the same time.
pub(in crate::rpc) const MAX_CLIPBOARD_TRANSFERS: usize = 4;
/// Maximum time to wait for the change of a window.
pub(in crate::rpc) const MAX_CHANGE: Duration = Duration::from_secs(30);
/// Maximum time to wait for the window of a launched program.
pub(in crate::rpc) const MAX_WINDOW_WAIT: Duration = Duration::from_secs(120);
/// Maximum `settle.timeout`.
pub(in crate::rpc) const MAX_SETTLE: Duration = Duration::from_secs(60);
/// Maximum `settle.quiet`.
pub(in crate::rpc) const MAX_QUIET: Duration = Duration::from_secs(10);
