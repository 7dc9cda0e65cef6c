//! Limits how many requests for a selection are answered, so that a client that sends them without
//! end delays neither other clients nor a paste.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// Maximum burst of answered requests of one client. A clipboard manager requests each format in
/// turn.
const BURST: u32 = 64;
/// Interval after which one more request of a client is answered.
const EACH: Duration = Duration::from_millis(50);
/// The same limits for all clients together. An answer may cost a round trip, which takes 10 ms
/// while another client keeps the X server busy.
const BURST_OF_ALL: u32 = 256;
const EACH_OF_ALL: Duration = Duration::from_millis(20);
/// Maximum number of tracked clients: the X server's default limit of clients.
const MAX_CLIENTS: usize = 256;

/// A token bucket: the number of requests that are still answered, refilled over time.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: u32,
    filled: Instant,
}

impl Bucket {
    fn take(&mut self, burst: u32, each: Duration, now: Instant) -> bool {
        let elapsed = now.saturating_duration_since(self.filled);
        let new = u32::try_from(elapsed.as_nanos() / each.as_nanos()).unwrap_or(u32::MAX);
        self.left = self.left.saturating_add(new).min(burst);
        self.filled += each.saturating_mul(new).min(elapsed);
        let allowed = self.left > 0;
        self.left = self.left.saturating_sub(1);
        allowed
    }
}

/// Number of low bits of a window id that the client chooses, on a server for up to 2,048 clients.
/// The bits above them identify the client. On a server for fewer clients, one client may have
/// several such numbers.
const CLIENT_BITS: u32 = 18;

/// The allowances of all clients.
#[derive(Debug)]
pub(in crate::x11) struct Allowance {
    all: Bucket,
    clients: HashMap<u32, Bucket>,
    /// The client that receives a paste. It is exempt from the limit for all clients together.
    awaited: Option<u32>,
}

impl Allowance {
    /// Starts with full buckets.
    pub(in crate::x11) fn new(now: Instant) -> Self {
        Self {
            all: Bucket {
                left: BURST_OF_ALL,
                filled: now,
            },
            clients: HashMap::new(),
            awaited: None,
        }
    }

    /// Sets the client that receives a paste, by one of its windows.
    pub(in crate::x11) fn awaited(&mut self, window: u32) {
        self.awaited = Some(window >> CLIENT_BITS);
    }

    /// Counts one more request of the client that created `requestor`, and returns whether it is
    /// answered.
    pub(in crate::x11) fn allows(&mut self, requestor: u32, now: Instant) -> bool {
        let client = requestor >> CLIENT_BITS;
        let awaited = self.awaited == Some(client);
        if self.clients.len() >= MAX_CLIENTS && !self.clients.contains_key(&client) {
            // Evicts the client that was refilled longest ago: it is full again, or all are new.
            let oldest = self.clients.iter().min_by_key(|(_, bucket)| bucket.filled);
            let oldest = oldest.map(|(client, _)| *client);
            self.clients.retain(|client, _| Some(*client) != oldest);
        }
        let bucket = self.clients.entry(client).or_insert(Bucket {
            left: BURST,
            filled: now,
        });
        bucket.take(BURST, EACH, now) && (awaited || self.all.take(BURST_OF_ALL, EACH_OF_ALL, now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a window id of `client`.
    fn window(client: u32) -> u32 {
        client << CLIENT_BITS | 7
    }

    #[test]
    fn a_client_that_asks_without_end_leaves_the_others_their_answers() {
        let start = Instant::now();
        let mut allowance = Allowance::new(start);
        let answered = (0..1000).filter(|_| allowance.allows(window(1), start));
        assert_eq!(answered.count(), 64);
        assert!(allowance.allows(window(2), start));
        // After the burst, 20 requests a second are answered.
        let within = |ms: &u64| start + Duration::from_millis(*ms);
        let second = (0..1000).filter(|ms| allowance.allows(window(1), within(ms)));
        assert_eq!(second.count(), 19);
    }

    #[test]
    fn many_clients_share_one_allowance_and_do_not_hold_up_the_awaited_one() {
        let start = Instant::now();
        let mut allowance = Allowance::new(start);
        let answered = (0..10_000).filter(|client| allowance.allows(window(*client), start));
        assert_eq!(answered.count(), 256);
        assert!(!allowance.allows(window(10_007), start));
        allowance.awaited(window(10_008));
        assert!(allowance.allows(window(10_008) + 1, start));
        assert!(allowance.clients.len() <= MAX_CLIENTS);
        assert!(allowance.allows(window(10_009), start + Duration::from_secs(1)));
    }
}
