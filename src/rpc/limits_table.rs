//! The limits with a description each, for the reference documentation.

use super::{
    limits,
    messages::{action, condition, convert, program, step, window},
    services::watch,
    transport::auth,
};
use crate::{
    frame::{MAX_OUTPUT_PIXELS, MAX_OUTPUT_SIDE, STRIPE_ROWS},
    session::{HISTORY, QUEUE},
    x11::{MAX_CONTENT, MAX_WINDOWS},
};

/// Returns the description and the value of each limit.
pub fn all_limits() -> Vec<(&'static str, String)> {
    let seconds = |time: std::time::Duration| format!("{} s", time.as_secs());
    let (at_once, a_second) = limits::CONTROL_FRAMES;
    let (stranger_at_once, stranger_a_second) = limits::STRANGER_FRAMES;
    let (idle, answer) = limits::KEEPALIVE;
    vec![
        (
            "connections to an address",
            grouped(limits::MAX_CONNECTIONS),
        ),
        (
            "further ones that have not authenticated yet",
            grouped(limits::MAX_STRANGERS),
        ),
        (
            "time until a connection must begin HTTP/2",
            seconds(limits::HANDSHAKE),
        ),
        (
            "time until a connection must authenticate",
            seconds(limits::STRANGER),
        ),
        (
            "HTTP/2 frames until then",
            format!("{stranger_at_once} at once, {stranger_a_second} a second"),
        ),
        ("bytes until then", bytes(limits::STRANGER_BYTES)),
        (
            "HTTP/2 control frames of a connection",
            format!(
                "{} at once, {} a second",
                grouped(at_once),
                grouped(a_second)
            ),
        ),
        (
            "silence until an HTTP/2 ping, and until its answer",
            format!("{} and {}", seconds(idle), seconds(answer)),
        ),
        (
            "concurrent calls on a connection",
            grouped(limits::MAX_STREAMS),
        ),
        (
            "size of a request (above it: OUT_OF_RANGE without a reason)",
            bytes(limits::MAX_REQUEST_BYTES as u64),
        ),
        ("bytes of a token file", bytes(auth::MAX_TOKEN_BYTES)),
        ("pixels of an image", grouped(MAX_OUTPUT_PIXELS)),
        ("side of an image", grouped(MAX_OUTPUT_SIDE)),
        (
            "`max_image_bytes` if it is not given",
            grouped(limits::DEFAULT_MAX_IMAGE_BYTES),
        ),
        (
            "height of a changed region, a multiple of",
            grouped(STRIPE_ROWS),
        ),
        ("frames a second of a stream", grouped(watch::MAX_FPS)),
        (
            "frames that can be named, of calls and of streams each",
            grouped(HISTORY),
        ),
        (
            "unread frames of a connection",
            grouped(limits::MAX_WAITING_REPLIES),
        ),
        ("time without reading", seconds(limits::SLOW_READER)),
        (
            "images above 8 MiB that wait for all readers together",
            bytes(u64::from(limits::MAX_WAITING_KIB) << 10),
        ),
        ("callers that have the input or wait for it", grouped(QUEUE)),
        ("actions of a step", grouped(step::MAX_ACTIONS)),
        ("screenshots among them", grouped(step::MAX_PICTURES)),
        ("`wait_for` among them", grouped(step::MAX_WAITS)),
        (
            "window and region conditions of a condition",
            grouped(condition::MAX_CONDITIONS),
        ),
        ("depth of a condition", grouped(condition::MAX_DEPTH)),
        ("bytes of an operation id", grouped(step::MAX_OPERATION_ID)),
        ("text of an action", bytes(limits::MAX_TEXT_BYTES)),
        ("characters a second of a text", grouped(action::MAX_RATE)),
        ("keys of a chord", grouped(action::MAX_KEYS)),
        ("repetitions of a chord", grouped(action::MAX_REPEAT)),
        ("points of a drag", grouped(action::MAX_POINTS)),
        ("duration of a drag", seconds(action::MAX_DRAG)),
        ("notches of a scroll", grouped(limits::MAX_SCROLL_NOTCHES)),
        ("wait, hold, `wait_for`", seconds(limits::MAX_WAIT)),
        ("change of a window", seconds(limits::MAX_CHANGE)),
        (
            "wait for the window of a launched program",
            seconds(limits::MAX_WINDOW_WAIT),
        ),
        ("words of a command line", grouped(program::MAX_WORDS)),
        (
            "bytes of a command line, or of its environment",
            bytes(program::MAX_WORD_BYTES as u64),
        ),
        (
            "environment variables or URIs of a launch",
            grouped(program::MAX_ITEMS),
        ),
        ("content of the clipboard", bytes(MAX_CONTENT as u64)),
        (
            "calls that transfer it at the same time",
            grouped(limits::MAX_CLIPBOARD_TRANSFERS),
        ),
        ("listed windows", grouped(MAX_WINDOWS)),
        (
            "bytes of the title or class of a window to match",
            grouped(window::MAX_MATCH_BYTES),
        ),
        ("`settle.timeout`", seconds(limits::MAX_SETTLE)),
        ("`settle.quiet`", seconds(limits::MAX_QUIET)),
        (
            "expected windows of a `WaitReady`",
            grouped(convert::MAX_EXPECTED),
        ),
        ("bytes of the name of one", grouped(convert::MAX_NAME)),
    ]
}

/// A number with commas between its groups of three digits.
fn grouped(number: impl ToString) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev();
    let groups: Vec<_> = groups.map(String::from_utf8_lossy).collect();
    groups.join(",")
}

fn bytes(count: u64) -> String {
    match count {
        _ if count.is_multiple_of(1 << 20) => format!("{} MiB", count >> 20),
        _ if count.is_multiple_of(1 << 10) => format!("{} KiB", count >> 10),
        _ => format!("{} bytes", grouped(count)),
    }
}
