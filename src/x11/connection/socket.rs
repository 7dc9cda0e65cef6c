//! Connects to the display's socket by path, else by its abstract name, and never over TCP.
//! [`XStream`] limits the wait for a server that sends nothing.
//!
//! `Xvfb -nolisten unix` leaves only the abstract socket, which x11rb's own connect no longer
//! tries. Besides, x11rb waits for replies without a time limit.

use std::{
    io,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
        unix::{ffi::OsStrExt, net::UnixStream},
    },
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::socket::{
        AddressFamily, SockFlag, SockType, UnixAddr, UnixCredentials, connect, getsockopt, socket,
        sockopt::PeerCredentials,
    },
};
use x11rb::{
    connection::SequenceNumber,
    protocol::xproto::{
        CLIENT_MESSAGE_EVENT, GE_GENERIC_EVENT, SELECTION_NOTIFY_EVENT, SELECTION_REQUEST_EVENT,
    },
    rust_connection::{DefaultStream, PollMode, Stream},
    utils::RawFdContainer,
};

use crate::x11::{
    connection::{allowance::Allowance, display_name::DisplayName},
    error::DisplayError,
};
use crate::{frame::MAX_OUTPUT_PIXELS, processes};

/// Time for which the thread polls for a reply before it sleeps. Most replies arrive sooner than a
/// sleeping thread would be woken.
const SOON: Duration = Duration::from_micros(60);

/// Which of a display's two sockets is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocketKind {
    /// `/tmp/.X11-unix/X<n>`.
    Path,
    /// The same name in the abstract namespace.
    Abstract,
}

/// A connected socket, and the identity of the X server at its other end.
#[derive(Debug)]
pub(in crate::x11) struct OpenSocket {
    pub(in crate::x11) stream: UnixStream,
    pub(in crate::x11) kind: SocketKind,
    /// User id of the X server, if the kernel reports it.
    pub(in crate::x11) server_uid: Option<u32>,
    /// Process id of the X server, if the kernel reports it or the stack started the server.
    pub(in crate::x11) server_pid: Option<u32>,
}

/// Restricts the X servers to which deskd connects.
#[derive(Debug, Clone)]
pub struct ServerOwner(Arc<AtomicU32>);

impl ServerOwner {
    const NOBODY: u32 = u32::MAX;

    /// Allows any X server that answers on the display.
    pub fn anybody() -> Self {
        Self(Arc::new(AtomicU32::new(0)))
    }

    /// Allows no X server until [`Self::set`] sets a process.
    pub fn nobody() -> Self {
        Self(Arc::new(AtomicU32::new(Self::NOBODY)))
    }

    /// Allows only the X server with this process id; `None` allows no X server.
    pub fn set(&self, pid: Option<u32>) {
        self.0.store(pid.unwrap_or(Self::NOBODY), Ordering::Relaxed);
    }

    /// The process id of the allowed X server, if one is set.
    fn pid(&self) -> Option<u32> {
        let pid = self.0.load(Ordering::Relaxed);
        (pid != 0 && pid != Self::NOBODY).then_some(pid)
    }

    fn allows(&self, pid: Option<u32>) -> bool {
        match self.0.load(Ordering::Relaxed) {
            0 => true,
            Self::NOBODY => false,
            // If the kernel does not report the peer's process id, the server that uses the display
            // number is assumed to be the one that the stack started.
            own => pid.is_none_or(|pid| pid == own),
        }
    }
}

/// Connects to the display's socket by path, else to its abstract socket.
///
/// Never blocks: the kernel queues connections to a stopped server in the socket's backlog, and a
/// full backlog is an error.
///
/// # Errors
///
/// [`DisplayError::NoServer`] with the errors of both sockets; [`DisplayError::Foreign`] if `owner`
/// does not allow the server.
pub(in crate::x11) fn open(
    display: DisplayName,
    owner: &ServerOwner,
) -> Result<OpenSocket, DisplayError> {
    let path = display.socket_path();
    let attempt = |address: nix::Result<UnixAddr>| -> io::Result<UnixStream> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let fd: OwnedFd = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
        connect(fd.as_raw_fd(), &address?)?;
        Ok(UnixStream::from(fd))
    };
    let (stream, kind) = match attempt(UnixAddr::new(&path)) {
        Ok(stream) => (stream, SocketKind::Path),
        Err(path_error) => match attempt(UnixAddr::new_abstract(path.as_os_str().as_bytes())) {
            Ok(stream) => (stream, SocketKind::Abstract),
            Err(abstract_error) => {
                return Err(DisplayError::NoServer {
                    display,
                    path,
                    path_error,
                    abstract_error,
                });
            }
        },
    };
    // gVisor reports the process that asks, not the peer. Such a result is ignored.
    let own = std::process::id();
    let is_told = |peer: &UnixCredentials| u32::try_from(peer.pid()).is_ok_and(|pid| pid != own);
    let peer = getsockopt(&stream, PeerCredentials).ok().filter(is_told);
    if !owner.allows(peer.and_then(|peer| u32::try_from(peer.pid()).ok())) {
        return Err(DisplayError::Foreign { display });
    }
    let of_process = || processes::user(owner.pid()?);
    let server_uid = peer.map(|peer| peer.uid()).or_else(of_process);
    let server_pid = peer.and_then(|peer| u32::try_from(peer.pid()).ok());
    Ok(OpenSocket {
        stream,
        kind,
        server_uid,
        server_pid: server_pid.or_else(|| owner.pid()),
    })
}

/// The state of the X thread that the async side can see while that thread waits for the
/// server.
#[derive(Debug)]
pub(in crate::x11) struct Pulse {
    origin: Instant,
    /// Start of the current wait for the server in milliseconds since `origin`, plus 1; 0 if the
    /// thread does not wait.
    waiting_since: AtomicU64,
    /// When the thread last began a pass of its loop, in milliseconds since `origin`.
    turned_at: AtomicU64,
}

impl Pulse {
    pub(in crate::x11) fn new() -> Self {
        Self {
            origin: Instant::now(),
            waiting_since: AtomicU64::new(0),
            turned_at: AtomicU64::new(0),
        }
    }

    /// How long the X thread has been waiting for the server's next byte; `None` if it does not
    /// wait.
    pub(in crate::x11) fn waiting(&self) -> Option<Duration> {
        let since = self.waiting_since.load(Ordering::Relaxed).checked_sub(1)?;
        Some(
            self.origin
                .elapsed()
                .saturating_sub(Duration::from_millis(since)),
        )
    }

    /// Records that the thread starts a loop iteration.
    pub(in crate::x11) fn turn(&self) {
        let now = u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.turned_at.store(now, Ordering::Relaxed);
    }

    /// Time since the thread started its last loop iteration.
    pub(in crate::x11) fn turned(&self) -> Duration {
        let at = Duration::from_millis(self.turned_at.load(Ordering::Relaxed));
        self.origin.elapsed().saturating_sub(at)
    }

    fn begin(&self) {
        let now = u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX - 1);
        self.waiting_since.store(now + 1, Ordering::Relaxed);
    }

    fn end(&self) {
        self.waiting_since.store(0, Ordering::Relaxed);
    }
}

/// Maximum size of a packet: a screen of [`MAX_OUTPUT_PIXELS`] over the socket, and a
/// margin. x11rb allocates the length that a packet announces, up to 16 GiB. So a longer
/// packet must be stopped before x11rb sees it.
pub(in crate::x11) const MAX_PACKET_BYTES: u64 = MAX_OUTPUT_PIXELS * 4 + (1 << 20);

/// Type of a reply. No event has this type.
const REPLY: u8 = 1;

/// Maximum number of unprocessed events. Further ones are dropped, and [`XStream::overflowed`]
/// reports that. x11rb keeps all events that arrive before a reply, and a client can cause any
/// number of them.
const MAX_EVENTS: usize = 8192;

/// Number of bytes after which a read returns `WouldBlock` at the end of a packet. x11rb reads
/// until nothing is left, so a client that causes events without end would keep x11rb reading.
const MAX_GO_BYTES: usize = 256 << 10;

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
struct Framing {
    purpose: Purpose,
    /// The limit for selection requests.
    allowance: Allowance,
    /// Time at which the current bytes were read.
    now: Instant,
    /// A reply with a limit: the low bits of its sequence number, and the number of 4-byte
    /// units that may follow its head. A longer reply is cut to its head.
    cut: Option<(u16, u32)>,
    /// Number of bytes to discard after the current packet.
    skip: u64,
    /// Whether the current packet is removed.
    drops: bool,
    /// Number of events that have passed and are not processed yet.
    events: usize,
    /// Whether an event was removed because [`MAX_EVENTS`] were unprocessed.
    overflowed: bool,
    /// Number of bytes read since the last read that returned an error.
    in_go: usize,
    /// The packet's first 8 bytes, which contain its length, also for the connection setup.
    head: [u8; 8],
    filled: usize,
    /// Number of bytes of the packet after its first 8 that are still to come.
    rest: u64,
    greeted: bool,
}

impl Framing {
    fn new(purpose: Purpose) -> Self {
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
    fn accept(&mut self, bytes: &mut [u8]) -> Option<usize> {
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

/// x11rb's stream, with a time limit for each wait and with a filter for packets.
#[derive(Debug)]
pub(in crate::x11) struct XStream {
    inner: DefaultStream,
    patience: Duration,
    pulse: Arc<Pulse>,
    framing: Mutex<Framing>,
}

impl XStream {
    pub(in crate::x11) fn new(
        stream: UnixStream,
        patience: Duration,
        pulse: Arc<Pulse>,
        purpose: Purpose,
    ) -> io::Result<Self> {
        let (inner, _) = DefaultStream::from_unix_stream(stream)?;
        Ok(Self {
            inner,
            patience,
            pulse,
            framing: Mutex::new(Framing::new(purpose)),
        })
    }
}

impl XStream {
    /// Records that an event that passed was processed.
    pub(in crate::x11) fn event_was_taken(&self) {
        let mut framing = self.framing.lock().unwrap_or_else(PoisonError::into_inner);
        framing.events = framing.events.saturating_sub(1);
    }

    /// Sets the client whose selection requests are awaited, by one of its windows.
    pub(in crate::x11) fn await_requests_of(&self, window: u32) {
        let mut framing = self.framing.lock().unwrap_or_else(PoisonError::into_inner);
        framing.allowance.awaited(window);
    }

    /// Cuts the reply to request `sequence` to its head of 32 bytes, if more than `most` units of 4
    /// bytes follow the head.
    pub(in crate::x11) fn cut_reply(&self, sequence: SequenceNumber, most: u32) {
        let mut framing = self.framing.lock().unwrap_or_else(PoisonError::into_inner);
        // A packet contains the low 16 bits of the sequence number.
        let low = u16::try_from(sequence & 0xffff).unwrap_or(0);
        framing.cut = Some((low, most));
    }

    /// Whether events were removed since the last call, because too many were unprocessed.
    pub(in crate::x11) fn overflowed(&self) -> bool {
        let mut framing = self.framing.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut framing.overflowed)
    }

    /// Reads and discards the rest of a cut reply, in large pieces.
    fn skip(&self, framing: &mut Framing, fds: &mut Vec<RawFdContainer>) -> io::Result<()> {
        let length = usize::try_from(framing.skip).unwrap_or(usize::MAX);
        let mut scratch = vec![0; length.min(MAX_GO_BYTES)];
        match self.inner.read(&mut scratch, fds)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            count => {
                framing.skip -= count as u64;
                Ok(())
            }
        }
    }
}

impl AsFd for XStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}

impl Stream for XStream {
    fn poll(&self, mode: PollMode) -> io::Result<()> {
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::POLLIN, mode.readable());
        flags.set(PollFlags::POLLOUT, mode.writable());
        let began = Instant::now();
        let deadline = began + self.patience;
        self.pulse.begin();
        let result = loop {
            let now = Instant::now();
            let is_soon = now < began + SOON;
            let left = deadline.saturating_duration_since(now);
            let timeout = match PollTimeout::try_from(left) {
                _ if is_soon => PollTimeout::ZERO,
                Ok(left) => left,
                Err(_) => PollTimeout::MAX,
            };
            match poll(&mut [PollFd::new(self.inner.as_fd(), flags)], timeout) {
                // Yields, because the server needs the core if there is only one.
                Ok(0) if is_soon => std::thread::yield_now(),
                Ok(0) => break Err(io::Error::from(io::ErrorKind::TimedOut)),
                Ok(_) => break Ok(()),
                Err(nix::errno::Errno::EINTR) => {}
                Err(error) => break Err(error.into()),
            }
        };
        self.pulse.end();
        result
    }

    fn read(&self, buf: &mut [u8], fds: &mut Vec<RawFdContainer>) -> io::Result<usize> {
        let mut framing = self.framing.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            // Within a packet the read continues: the server is still sending the packet.
            if framing.in_go >= MAX_GO_BYTES && framing.rest == 0 {
                framing.in_go = 0;
                return Err(io::ErrorKind::WouldBlock.into());
            }
            if framing.rest == 0 && framing.skip > 0 {
                self.skip(&mut framing, fds)?;
                continue;
            }
            let count = match self.inner.read(buf, fds) {
                Ok(0) => return Ok(0),
                Ok(count) => count,
                Err(error) => {
                    framing.in_go = 0;
                    return Err(error);
                }
            };
            framing.in_go += count;
            match framing.accept(&mut buf[..count]) {
                // A return value of 0 would mean the end of the stream.
                Some(0) => {}
                Some(kept) => return Ok(kept),
                None => return Err(io::ErrorKind::InvalidData.into()),
            }
        }
    }

    fn write(&self, buf: &[u8], fds: &mut Vec<RawFdContainer>) -> io::Result<usize> {
        self.inner.write(buf, fds)
    }

    fn write_vectored(
        &self,
        bufs: &[io::IoSlice<'_>],
        fds: &mut Vec<RawFdContainer>,
    ) -> io::Result<usize> {
        self.inner.write_vectored(bufs, fds)
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
