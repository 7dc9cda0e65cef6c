//! Limits for a connection until its first call is authenticated. Until then, it is
//! unadmitted, and its peer is called a stranger. Strangers that reach a port must not lock
//! out authenticated callers or exhaust the daemon.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::{Duration, Instant},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::rpc::limits;

/// The places for connections of one address.
#[derive(Debug)]
pub(in crate::rpc) struct Door {
    places: Arc<Semaphore>,
    /// The unadmitted connections, oldest first.
    strangers: Mutex<VecDeque<Weak<Standing>>>,
}

/// Whether a connection is admitted, and the token that closes it.
#[derive(Debug)]
pub(in crate::rpc) struct Standing {
    door: Arc<Door>,
    /// The connection's place; `None` for a stranger.
    place: Mutex<Option<OwnedSemaphorePermit>>,
    /// Closes the connection when it is cancelled.
    cut: CancellationToken,
}

impl Door {
    pub(in crate::rpc) fn new() -> Arc<Self> {
        Arc::new(Self {
            places: Arc::new(Semaphore::new(limits::MAX_CONNECTIONS)),
            strangers: Mutex::default(),
        })
    }

    /// Admits a connection whose peer needs no token; `None` if all places are taken.
    pub(in crate::rpc) fn admit(self: &Arc<Self>) -> Option<Arc<Standing>> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        Some(Arc::new(Standing {
            door: Arc::clone(self),
            place: Mutex::new(Some(place)),
            cut: CancellationToken::new(),
        }))
    }

    /// Accepts the connection of a stranger, and closes the oldest one if there are too many.
    pub(in crate::rpc) fn greet(self: &Arc<Self>) -> Arc<Standing> {
        let standing = Arc::new(Standing {
            door: Arc::clone(self),
            place: Mutex::new(None),
            cut: CancellationToken::new(),
        });
        let mut strangers = self.strangers();
        strangers.retain(|stranger| {
            let stranger = stranger.upgrade();
            stranger.is_some_and(|one| !one.is_admitted() && !one.cut.is_cancelled())
        });
        while strangers.len() >= limits::MAX_STRANGERS {
            if let Some(oldest) = strangers.pop_front().and_then(|one| one.upgrade()) {
                oldest.cut.cancel();
            }
        }
        strangers.push_back(Arc::downgrade(&standing));
        standing
    }

    fn strangers(&self) -> std::sync::MutexGuard<'_, VecDeque<Weak<Standing>>> {
        // The list is consistent even after a panic: each change is a single operation.
        self.strangers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Standing {
    /// Whether the connection is admitted.
    pub(in crate::rpc) fn is_admitted(&self) -> bool {
        let place = self.place.lock().unwrap_or_else(PoisonError::into_inner);
        place.is_some()
    }

    /// Admits the connection for an authenticated call: takes a place, unless it has one.
    /// Returns false if no place is left.
    pub(in crate::rpc) fn admit(&self) -> bool {
        let mut place = self.place.lock().unwrap_or_else(PoisonError::into_inner);
        if place.is_none() {
            *place = Arc::clone(&self.door.places).try_acquire_owned().ok();
        }
        place.is_some()
    }

    /// Returns the token that closes the connection.
    pub(in crate::rpc) fn cut(&self) -> &CancellationToken {
        &self.cut
    }
}

impl Drop for Standing {
    /// Notifies the task that waits for the end of the connection.
    fn drop(&mut self) {
        self.cut.cancel();
    }
}

/// A token bucket: an allowance that is refilled over time.
#[derive(Debug)]
struct RateLimit {
    burst: f64,
    each_second: f64,
    left: f64,
    filled: Instant,
}

impl RateLimit {
    fn new(burst: u32, each_second: u32, now: Instant) -> Self {
        Self {
            burst: burst.into(),
            each_second: each_second.into(),
            left: burst.into(),
            filled: now,
        }
    }

    fn take(&mut self, now: Instant) -> bool {
        let elapsed: Duration = now.saturating_duration_since(self.filled);
        self.filled = now;
        self.left = (self.left + elapsed.as_secs_f64() * self.each_second).min(self.burst);
        self.left -= 1.0;
        self.left >= 0.0
    }
}

/// Limits the HTTP/2 frames that a client sends (RFC 9113, section 4.1).
#[derive(Debug)]
pub(in crate::rpc) struct Meter {
    head: [u8; 9],
    filled: usize,
    /// Remaining bytes of the current frame, after its head.
    rest: u32,
    /// Number of bytes received while the connection was unadmitted.
    bytes: u64,
    of_stranger: RateLimit,
    of_caller: RateLimit,
}

/// Types of frames that carry a call, end it, or report the reader's progress.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const WINDOW_UPDATE: u8 = 8;

impl Meter {
    pub(in crate::rpc) fn new(now: Instant) -> Self {
        let (burst, each_second) = limits::STRANGER_FRAMES;
        let of_stranger = RateLimit::new(burst, each_second, now);
        let (burst, each_second) = limits::CONTROL_FRAMES;
        Self {
            head: [0; 9],
            filled: 0,
            rest: 0,
            bytes: 0,
            of_stranger,
            of_caller: RateLimit::new(burst, each_second, now),
        }
    }

    /// Counts the next received bytes. Returns false if the client sent too many frames, or a
    /// stranger sent too many bytes.
    pub(in crate::rpc) fn accept(
        &mut self,
        mut bytes: &[u8],
        is_admitted: bool,
        now: Instant,
    ) -> bool {
        if !is_admitted {
            self.bytes += bytes.len() as u64;
            if self.bytes > limits::STRANGER_BYTES {
                return false;
            }
        }
        while !bytes.is_empty() {
            if self.rest > 0 {
                let part = usize::try_from(self.rest).unwrap_or(usize::MAX);
                let part = part.min(bytes.len());
                self.rest -= u32::try_from(part).unwrap_or(self.rest);
                bytes = &bytes[part..];
                continue;
            }
            let part = bytes.len().min(self.head.len() - self.filled);
            self.head[self.filled..self.filled + part].copy_from_slice(&bytes[..part]);
            (self.filled, bytes) = (self.filled + part, &bytes[part..]);
            if self.filled < self.head.len() {
                return true;
            }
            self.filled = 0;
            let [a, b, c, kind, ..] = self.head;
            self.rest = u32::from_be_bytes([0, a, b, c]);
            let allowed = match kind {
                _ if !is_admitted => self.of_stranger.take(now),
                DATA | HEADERS | RST_STREAM | WINDOW_UPDATE => true,
                _ => self.of_caller.take(now),
            };
            if !allowed {
                return false;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PING: u8 = 6;

    fn frame(kind: u8, length: u8) -> Vec<u8> {
        let mut frame = vec![0, 0, length, kind, 0, 0, 0, 0, 0];
        frame.resize(9 + usize::from(length), 0xff);
        frame
    }

    #[test]
    fn a_stranger_keeps_no_place_and_gives_way_to_a_newer_one() {
        let door = Door::new();
        let strangers: Vec<_> = (0..limits::MAX_STRANGERS + 3)
            .map(|_| door.greet())
            .collect();
        let cut = strangers.iter().filter(|one| one.cut.is_cancelled());
        assert_eq!(cut.count(), 3);
        assert!(strangers[..3].iter().all(|one| one.cut.is_cancelled()));
        let callers: Vec<_> = (0..limits::MAX_CONNECTIONS)
            .map(|_| door.admit().unwrap())
            .collect();
        assert!(door.admit().is_none() && !strangers[5].admit());
        drop(callers);
        assert!(strangers[5].admit() && strangers[5].is_admitted());
        // Dropping the connection's state cancels its token.
        let cut = door.greet().cut().clone();
        assert!(cut.is_cancelled());
        // An admitted connection is not closed by later strangers.
        let more: Vec<_> = (0..limits::MAX_STRANGERS).map(|_| door.greet()).collect();
        assert!(!strangers[5].cut.is_cancelled() && more.iter().all(|m| !m.cut.is_cancelled()));
    }

    #[test]
    fn frames_are_counted_in_pieces_of_any_size() {
        let now = Instant::now();
        let (burst, _) = limits::STRANGER_FRAMES;
        let frames = frame(PING, 8).repeat(usize::try_from(burst).unwrap());
        for size in [1, 7, 9, 17, 4096] {
            let mut meter = Meter::new(now);
            let passes = |meter: &mut Meter, bytes: &[u8]| {
                bytes
                    .chunks(size)
                    .all(|part| meter.accept(part, false, now))
            };
            assert!(passes(&mut meter, &frames), "{size}");
            assert!(!passes(&mut meter, &frame(PING, 8)), "{size}");
            let later = now + Duration::from_secs(1);
            assert!(meter.accept(&frame(PING, 8), false, later), "{size}");
        }
    }

    #[test]
    fn a_caller_may_send_data_and_calls_without_end_but_not_pings() {
        let now = Instant::now();
        let mut meter = Meter::new(now);
        for kind in [DATA, HEADERS, RST_STREAM, WINDOW_UPDATE] {
            assert!(meter.accept(&frame(kind, 200).repeat(50_000), true, now));
        }
        let (burst, _) = limits::CONTROL_FRAMES;
        let pings = usize::try_from(burst).unwrap();
        assert!(meter.accept(&frame(PING, 8).repeat(pings), true, now));
        assert!(!meter.accept(&frame(PING, 8), true, now));
        let much = vec![0; usize::try_from(limits::STRANGER_BYTES + 1).unwrap()];
        assert!(!Meter::new(now).accept(&much, false, now));
    }
}
