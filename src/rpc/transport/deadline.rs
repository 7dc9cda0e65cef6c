//! Deadlines: the caller's `grpc-timeout`, and the earlier time by which a reply must be sent
//! in order to arrive.
//!
//! tonic also enforces the header, but it ends the call with CANCELLED. A failure card must
//! arrive instead, so the daemon sends it earlier.

use std::time::Duration;

use tokio::time::Instant;
use tonic::metadata::MetadataMap;

/// Default deadline of `Screenshot`, if the call has no `grpc-timeout`.
pub(in crate::rpc) const SCREENSHOT: Duration = Duration::from_secs(10);
/// Default deadline of `Act`; the step's own waits are added.
pub(in crate::rpc) const ACT: Duration = Duration::from_secs(30);
/// Default deadline of `WaitReady` and `Up`.
pub(in crate::rpc) const WAIT_READY: Duration = Duration::from_secs(90);
/// Default deadline of `GetCursor` and `ReleaseAll`.
pub(in crate::rpc) const QUERY: Duration = Duration::from_secs(5);

/// Maximum deadline; a longer one is shortened to it.
pub(in crate::rpc) const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// The time at which a call arrived, and the time by which its reply must be sent.
#[derive(Debug, Clone, Copy)]
pub(in crate::rpc) struct Deadline {
    pub(in crate::rpc) arrived: Instant,
    pub(in crate::rpc) reply_by: Instant,
}

impl Deadline {
    /// Returns the deadline of a call that arrives now.
    pub(in crate::rpc) fn of(metadata: &MetadataMap, default: Duration) -> Self {
        let timeout = metadata
            .get("grpc-timeout")
            .and_then(|value| parse(value.as_bytes()));
        let timeout = timeout.unwrap_or(default).min(LONGEST);
        let arrived = Instant::now();
        Self {
            arrived,
            reply_by: arrived + timeout - margin(timeout),
        }
    }

    /// Returns the time at which a stream must end, so that its status arrives before the
    /// caller's deadline; `None` if the caller has no deadline.
    pub(in crate::rpc) fn of_stream(metadata: &MetadataMap) -> Option<Instant> {
        let timeout = metadata.get("grpc-timeout")?;
        let timeout = parse(timeout.as_bytes()).unwrap_or(LONGEST).min(LONGEST);
        Some(Instant::now() + timeout - LEAST.min(timeout / 2))
    }
}

/// Waits until `moment`; without one, waits permanently.
pub(in crate::rpc) async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// Minimum time that a reply needs to arrive.
const LEAST: Duration = Duration::from_millis(100);

/// Returns the time reserved for the reply: the larger of 100 ms and 5 % of the timeout, but
/// at most half of it.
fn margin(timeout: Duration) -> Duration {
    LEAST.max(timeout / 20).min(timeout / 2)
}

/// Parses the value of `grpc-timeout`: at most 8 digits and a unit (gRPC over HTTP/2,
/// "Timeout").
fn parse(value: &[u8]) -> Option<Duration> {
    let (unit, digits) = value.split_last()?;
    if digits.is_empty() || digits.len() > 8 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let count: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(match unit {
        b'H' => Duration::from_secs(count * 3600),
        b'M' => Duration::from_secs(count * 60),
        b'S' => Duration::from_secs(count),
        b'm' => Duration::from_millis(count),
        b'u' => Duration::from_micros(count),
        b'n' => Duration::from_nanos(count),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_parses_and_nonsense_does_not() {
        assert_eq!(parse(b"2S"), Some(Duration::from_secs(2)));
        assert_eq!(parse(b"1500m"), Some(Duration::from_millis(1500)));
        assert_eq!(
            parse(b"99999999H"),
            Some(Duration::from_secs(99_999_999 * 3600))
        );
        assert_eq!(parse(b"7u"), Some(Duration::from_micros(7)));
        assert_eq!(parse(b"7n"), Some(Duration::from_nanos(7)));
        assert_eq!(parse(b"1M"), Some(Duration::from_secs(60)));
        for value in ["", "S", "5", "123456789S", "-1S", "1s", "1.5S"] {
            assert_eq!(parse(value.as_bytes()), None, "{value:?}");
        }
    }

    #[test]
    fn the_margin_leaves_time_to_work() {
        let margin_ms = |ms| margin(Duration::from_millis(ms)).as_millis();
        assert_eq!(margin_ms(10_000), 500);
        assert_eq!(margin_ms(2000), 100);
        assert_eq!(margin_ms(150), 75);
        assert_eq!(margin_ms(0), 0);
    }
}
