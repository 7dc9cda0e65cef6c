//! Follows the packets that an X server sends, and removes those that must not reach x11rb.

use std::time::Instant;

use x11rb::protocol::xproto::{
    CLIENT_MESSAGE_EVENT, GE_GENERIC_EVENT, SELECTION_NOTIFY_EVENT, SELECTION_REQUEST_EVENT,
};

use crate::{frame::MAX_OUTPUT_PIXELS, x11::connection::allowance::Allowance};

/// Maximum size of a packet: a screen of [`MAX_OUTPUT_PIXELS`] over the socket, and a
/// margin. x11rb allocates the length that a packet announces, up to 16 GiB. So a longer
/// packet must be stopped before x11rb sees it.
pub(in crate::x11) const MAX_PACKET_BYTES: u64 = MAX_OUTPUT_PIXELS * 4 + (1 << 20);

/// Type of a reply. No event has this type.
const REPLY: u8 = 1;

/// Maximum number of unprocessed events. Further ones are dropped, and [`XStream::overflowed`](super::socket::XStream::overflowed)
/// reports that. x11rb keeps all events that arrive before a reply, and a client can cause any
/// number of them.
const MAX_EVENTS: usize = 8192;

/// Number of bytes after which a read returns `WouldBlock` at the end of a packet. x11rb reads
/// until nothing is left, so a client that causes events without end would keep x11rb reading.
pub(in crate::x11) const MAX_GO_BYTES: usize = 256 << 10;

/// Bit of an event's type that marks an event that a client made (SendEvent).
const SENT: u8 = 0x80;

/// The purpose of a connection. It decides which events that other clients made (SendEvent) pass.
///
/// Any client can send any event. So only those events pass that exist in no other form. A sent
/// KeymapNotify would even end the connection: the event has no sequence number, and x11rb 0.14
/// takes that into account only without the [`SENT`] bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::x11) enum Purpose {
    /// Captures: no sent events pass.
    Screen,
    /// The observer: ClientMessage passes, which programs send to answer a ping.
    Observer,
    /// The clipboard: SelectionNotify passes, an owner's answer to ConvertSelection. An
    /// [`Allowance`] limits the requests for a selection.
    Clipboard,
}

impl Purpose {
    fn lets_through(self, kind: u8) -> bool {
        match self {
            Self::Screen => false,
            Self::Observer => kind == CLIENT_MESSAGE_EVENT,
            Self::Clipboard => kind == SELECTION_NOTIFY_EVENT,
        }
    }
}

/// Follows the packets that the server sends (X11 protocol, "Request Format", "Reply Format",
/// "Event Format", and the connection setup), and removes those that must not pass.
#[derive(Debug)]
pub(in crate::x11) struct Framing {
    purpose: Purpose,
    /// The limit for selection requests.
    pub(in crate::x11) allowance: Allowance,
    /// Time at which the current bytes were read.
    now: Instant,
    /// A reply with a limit: the low bits of its sequence number, and the number of 4-byte
    /// units that may follow its head. A longer reply is cut to its head.
    pub(in crate::x11) cut: Option<(u16, u32)>,
    /// Number of bytes to discard after the current packet.
    pub(in crate::x11) skip: u64,
    /// Whether the current packet is removed.
    drops: bool,
    /// Number of events that have passed and are not processed yet.
    pub(in crate::x11) events: usize,
    /// Whether an event was removed because [`MAX_EVENTS`] were unprocessed.
    pub(in crate::x11) overflowed: bool,
    /// Number of bytes read since the last read that returned an error.
    pub(in crate::x11) in_go: usize,
    /// The packet's first 8 bytes, which contain its length, also for the connection setup.
    head: [u8; 8],
    filled: usize,
    /// Number of bytes of the packet after its first 8 that are still to come.
    pub(in crate::x11) rest: u64,
    greeted: bool,
}

impl Framing {
    pub(in crate::x11) fn new(purpose: Purpose) -> Self {
        Self {
            purpose,
            allowance: Allowance::new(Instant::now()),
            now: Instant::now(),
            cut: None,
            skip: 0,
            drops: false,
            events: 0,
            overflowed: false,
            in_go: 0,
            head: [0; 8],
            filled: 0,
            rest: 0,
            greeted: false,
        }
    }

    /// Processes the stream's next bytes, and moves those that pass to the front. Returns their
    /// number, or `None` if a packet is too long.
    pub(in crate::x11) fn accept(&mut self, bytes: &mut [u8]) -> Option<usize> {
        let (mut at, mut kept) = (0, 0);
        self.now = Instant::now();
        while at < bytes.len() {
            let left = bytes.len() - at;
            if self.rest == 0 && self.skip > 0 {
                let part = usize::try_from(self.skip).unwrap_or(usize::MAX).min(left);
                self.skip -= part as u64;
                at += part;
                continue;
            }
            let part = if self.rest > 0 {
                let part = usize::try_from(self.rest).unwrap_or(usize::MAX).min(left);
                self.rest -= part as u64;
                part
            } else {
                if self.filled == 0 {
                    self.drops = self.greeted && self.is_unwanted(&bytes[at..]);
                }
                let part = left.min(self.head.len() - self.filled);
                self.head[self.filled..self.filled + part].copy_from_slice(&bytes[at..at + part]);
                self.filled += part;
                if self.filled == self.head.len() {
                    self.filled = 0;
                    // A reply whose first 8 bytes arrive in two pieces is not cut.
                    if part == self.head.len() && self.is_cut() {
                        self.skip = self.length_after_head() - (32 - 8);
                        self.head[4..].fill(0);
                        bytes[at + 4..at + 8].fill(0);
                    }
                    self.rest = self.length_after_head();
                    self.greeted = true;
                    if self.rest > MAX_PACKET_BYTES {
                        return None;
                    }
                }
                part
            };
            if !self.drops {
                if kept < at {
                    bytes.copy_within(at..at + part, kept);
                }
                kept += part;
            }
            at += part;
        }
        Some(kept)
    }

    /// Whether the packet that begins with these bytes is removed. Counts an event that passes.
    fn is_unwanted(&mut self, packet: &[u8]) -> bool {
        let kind = packet[0];
        if kind <= REPLY {
            return false;
        }
        if kind & SENT != 0 && !self.purpose.lets_through(kind & !SENT) {
            return true;
        }
        // If the requestor is not part of this piece, the event passes.
        if kind == SELECTION_REQUEST_EVENT
            && let Some(requestor) = packet.get(12..16)
        {
            let requestor = requestor.try_into().map(u32::from_ne_bytes).unwrap_or(0);
            if !self.allowance.allows(requestor, self.now) {
                return true;
            }
        }
        if self.events >= MAX_EVENTS {
            self.overflowed = true;
            return true;
        }
        self.events += 1;
        false
    }

    fn is_cut(&mut self) -> bool {
        let [kind, _, low, high, units @ ..] = self.head;
        let (sequence, units) = (u16::from_ne_bytes([low, high]), u32::from_ne_bytes(units));
        let is_it = kind == REPLY && self.cut.is_some_and(|(cut, _)| cut == sequence);
        let most = if is_it { self.cut.take() } else { None };
        most.is_some_and(|(_, most)| units > most)
    }

    fn length_after_head(&self) -> u64 {
        let [kind, _, _, _, a, b, c, d] = self.head;
        if !self.greeted {
            // 16 bits, in units of 4 bytes.
            return u64::from(u16::from_ne_bytes([c, d])) * 4;
        }
        // Replies and generic events may be longer than 32 bytes.
        let extra = if kind == REPLY || kind & !SENT == GE_GENERIC_EVENT {
            u32::from_ne_bytes([a, b, c, d])
        } else {
            0
        };
        32 - 8 + u64::from(extra) * 4
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn greeting() -> Vec<u8> {
        let mut bytes = vec![1, 0, 11, 0, 0, 0];
        bytes.extend_from_slice(&2_u16.to_ne_bytes());
        bytes.extend_from_slice(&[7; 8]);
        bytes
    }

    fn reply(units: u32) -> Vec<u8> {
        let mut bytes = vec![1, 0, 0, 0];
        bytes.extend_from_slice(&units.to_ne_bytes());
        bytes
    }

    #[test]
    fn packets_are_followed_in_pieces_of_any_size() {
        let event = [[12; 4].as_slice(), &[0xff; 28]].concat();
        let whole = [
            greeting(),
            reply(3),
            vec![9; 24 + 12],
            event,
            reply(0),
            vec![9; 24],
        ]
        .concat();
        let lie = [whole.clone(), reply(u32::MAX)].concat();
        for size in 1..whole.len() {
            assert_eq!(kept(&whole, size, Purpose::Screen), Some(whole.clone()));
            assert_eq!(kept(&lie, size, Purpose::Screen), None);
        }
    }

    /// Passes a stream through in pieces of `size` bytes, and returns the kept bytes.
    fn kept(stream: &[u8], size: usize, sent: Purpose) -> Option<Vec<u8>> {
        let mut framing = Framing::new(sent);
        let mut kept = Vec::new();
        for piece in stream.chunks(size) {
            let mut piece = piece.to_vec();
            let count = framing.accept(&mut piece)?;
            kept.extend_from_slice(&piece[..count]);
        }
        assert_eq!((framing.filled, framing.rest), (0, 0));
        Some(kept)
    }

    #[test]
    fn events_that_clients_made_are_taken_out_but_for_those_of_the_purpose() {
        let event = |kind: u8| [&[kind], [7_u8; 31].as_slice()].concat();
        let answer = [reply(1), vec![9; 24 + 4]].concat();
        let (keymap, message, selection) = (11 | SENT, 33 | SENT, 31 | SENT);
        let own = [event(22), answer.clone(), event(31)].concat();
        let stream = [
            greeting(),
            event(keymap),
            event(22),
            event(message),
            answer,
            event(22 | SENT),
            event(selection),
            event(31),
        ]
        .concat();
        for size in 1..stream.len() {
            assert_eq!(
                kept(&stream, size, Purpose::Screen),
                Some([greeting(), own.clone()].concat())
            );
            let with = |sent, kind: u8| {
                let kept = kept(&stream, size, sent).unwrap();
                let length = greeting().len() + own.len() + 32;
                kept.len() == length && kept.contains(&kind)
            };
            assert!(with(Purpose::Observer, message));
            assert!(with(Purpose::Clipboard, selection));
        }
    }

    #[test]
    fn a_reply_that_is_cut_keeps_its_head_and_leaves_the_next_packet_whole() {
        let long = [reply(100), vec![9; 24 + 400]].concat();
        let next = [reply(1), vec![8; 24 + 4]].concat();
        let stream = [greeting(), long.clone(), next.clone()].concat();
        let cut = [greeting(), reply(0), vec![9; 24], next.clone()].concat();
        for (most, wanted) in [(99, &cut), (100, &stream)] {
            // Pieces in which no head is split.
            for size in [8, 24, 4096] {
                let mut framing = Framing::new(Purpose::Screen);
                framing.cut = Some((0, most));
                let mut kept = Vec::new();
                for piece in stream.chunks(size) {
                    let mut piece = piece.to_vec();
                    let count = framing.accept(&mut piece).unwrap();
                    kept.extend_from_slice(&piece[..count]);
                }
                assert_eq!(&kept, wanted, "{most} {size}");
            }
        }
    }

    #[test]
    fn no_more_events_wait_than_are_looked_at() {
        let event = [12; 32];
        let stream = [
            greeting(),
            event.repeat(MAX_EVENTS + 5),
            reply(0),
            vec![9; 24],
        ]
        .concat();
        let mut framing = Framing::new(Purpose::Screen);
        let mut bytes = stream.clone();
        let kept = framing.accept(&mut bytes).unwrap();
        assert_eq!(kept, stream.len() - 5 * 32);
        assert_eq!(bytes[kept - 32], REPLY);
        assert!(framing.overflowed);
        // One event was processed.
        framing.events -= 1;
        assert_eq!(framing.accept(&mut event.repeat(2)), Some(32));
    }

    #[test]
    fn the_largest_screen_passes_and_one_unit_more_does_not() {
        let units = u32::try_from((MAX_PACKET_BYTES - 24) / 4).unwrap();
        for (units, passes) in [(units, true), (units + 1, false)] {
            let mut framing = Framing::new(Purpose::Screen);
            assert!(framing.accept(&mut greeting()).is_some());
            assert_eq!(framing.accept(&mut reply(units)).is_some(), passes);
        }
    }
}
