//! Reaching the X server: the display's socket by path, else by its abstract
//! name, never TCP; and a stream that gives up on a silent server.
//!
//! `Xvfb -nolisten unix` leaves only the abstract socket, which x11rb's own
//! connect no longer tries; and x11rb waits for replies without limit.

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
    rust_connection::{DefaultStream, PollMode, Stream},
    utils::RawFdContainer,
};

use super::{DisplayName, Error};
use crate::{frame::MAX_OUTPUT_PIXELS, processes};

/// After so long without a byte while something is asked, the connection is
/// given up and built anew (design: 15 s of silence with work pending).
pub(super) const SILENCE: Duration = Duration::from_secs(15);

/// So long an answer is waited for without sleeping: most come sooner than a thread that
/// sleeps is woken.
const SOON: Duration = Duration::from_micros(60);

/// Which of a display's two sockets is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocketKind {
    /// `/tmp/.X11-unix/X<n>`.
    Path,
    /// The same name in the abstract namespace.
    Abstract,
}

/// A connected socket, and who is at the other end.
#[derive(Debug)]
pub(super) struct Connected {
    pub(super) stream: UnixStream,
    pub(super) kind: SocketKind,
    /// User id of the X server, where the kernel tells.
    pub(super) server_uid: Option<u32>,
}

/// Whose X server may be connected to.
#[derive(Debug, Clone)]
pub struct Owner(Arc<AtomicU32>);

impl Owner {
    const NOBODY: u32 = u32::MAX;

    /// Whoever answers on the display.
    pub fn anybody() -> Self {
        Self(Arc::new(AtomicU32::new(0)))
    }

    /// Nobody, until [`Self::set`] names a process.
    pub fn nobody() -> Self {
        Self(Arc::new(AtomicU32::new(Self::NOBODY)))
    }

    /// The X server of that process alone; `None`: nobody.
    pub fn set(&self, pid: Option<u32>) {
        self.0.store(pid.unwrap_or(Self::NOBODY), Ordering::Relaxed);
    }

    /// The process that it is, when one was named.
    fn pid(&self) -> Option<u32> {
        let pid = self.0.load(Ordering::Relaxed);
        (pid != 0 && pid != Self::NOBODY).then_some(pid)
    }

    fn allows(&self, pid: Option<u32>) -> bool {
        match self.0.load(Ordering::Relaxed) {
            0 => true,
            Self::NOBODY => false,
            // Where the kernel does not tell, a stack's own server is the one that took
            // its number.
            own => pid.is_none_or(|pid| pid == own),
        }
    }
}

/// Connects to the display's path, else to its abstract socket.
///
/// Never blocks: a server that is stopped accepts by its backlog, and a full
/// backlog is an error.
///
/// # Errors
///
/// [`Error::NoServer`] with what both sockets said; [`Error::Foreign`].
pub(super) fn open(display: DisplayName, owner: &Owner) -> Result<Connected, Error> {
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
                return Err(Error::NoServer {
                    display,
                    path,
                    path_error,
                    abstract_error,
                });
            }
        },
    };
    // gVisor names who asks, not who is at the other end.
    let own = std::process::id();
    let is_told = |peer: &UnixCredentials| u32::try_from(peer.pid()).is_ok_and(|pid| pid != own);
    let peer = getsockopt(&stream, PeerCredentials).ok().filter(is_told);
    if !owner.allows(peer.and_then(|peer| u32::try_from(peer.pid()).ok())) {
        return Err(Error::Foreign { display });
    }
    let of_process = || processes::user(owner.pid()?);
    let server_uid = peer.map(|peer| peer.uid()).or_else(of_process);
    Ok(Connected {
        stream,
        kind,
        server_uid,
    })
}

/// What the async side may know of the X thread while that waits for the server.
#[derive(Debug)]
pub(super) struct Pulse {
    origin: Instant,
    /// Milliseconds since `origin`, plus 1, when the present wait for the
    /// server began; 0 when there is none.
    waiting_since: AtomicU64,
    /// Milliseconds since `origin` when the thread last came round.
    turned_at: AtomicU64,
}

impl Pulse {
    pub(super) fn new() -> Self {
        Self {
            origin: Instant::now(),
            waiting_since: AtomicU64::new(0),
            turned_at: AtomicU64::new(0),
        }
    }

    /// How long the X thread has been waiting for the server's next byte.
    pub(super) fn waiting(&self) -> Option<Duration> {
        let since = self.waiting_since.load(Ordering::Relaxed).checked_sub(1)?;
        Some(
            self.origin
                .elapsed()
                .saturating_sub(Duration::from_millis(since)),
        )
    }

    /// The thread comes round.
    pub(super) fn turn(&self) {
        let now = u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.turned_at.store(now, Ordering::Relaxed);
    }

    /// How long ago the thread came round.
    pub(super) fn turned(&self) -> Duration {
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

/// Largest packet that is taken: a screen of [`MAX_OUTPUT_PIXELS`] over the
/// socket, and room. x11rb makes room for whatever length a packet announces,
/// up to 16 GiB, so a server that lies must be stopped before x11rb sees it.
pub(super) const MAX_PACKET_BYTES: u64 = MAX_OUTPUT_PIXELS * 4 + (1 << 20);

/// Follows the packets of the server's side of the stream (X11 protocol,
/// "Request Format", "Reply Format", "Event Format", and its greeting).
#[derive(Debug)]
struct Framing {
    /// The packet's first bytes; 8 say how long the greeting is, and how long
    /// any other packet.
    head: [u8; 8],
    filled: usize,
    /// Bytes of the packet that are still to come after its head.
    rest: u64,
    greeted: bool,
}

impl Framing {
    fn new() -> Self {
        Self {
            head: [0; 8],
            filled: 0,
            rest: 0,
            greeted: false,
        }
    }

    /// Takes the stream's next bytes. False when a packet is too long.
    fn accept(&mut self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            if self.rest > 0 {
                let skipped = usize::try_from(self.rest)
                    .unwrap_or(usize::MAX)
                    .min(bytes.len());
                bytes = &bytes[skipped..];
                self.rest -= skipped as u64;
                continue;
            }
            let taken = bytes.len().min(self.head.len() - self.filled);
            self.head[self.filled..self.filled + taken].copy_from_slice(&bytes[..taken]);
            (self.filled, bytes) = (self.filled + taken, &bytes[taken..]);
            if self.filled < self.head.len() {
                return true;
            }
            self.filled = 0;
            self.rest = self.length_after_head();
            self.greeted = true;
            if self.rest > MAX_PACKET_BYTES {
                return false;
            }
        }
        true
    }

    fn length_after_head(&self) -> u64 {
        let [kind, _, _, _, a, b, c, d] = self.head;
        if !self.greeted {
            // 16 bits in units of 4 bytes.
            return u64::from(u16::from_ne_bytes([c, d])) * 4;
        }
        // Replies and generic events may be longer than 32 bytes.
        let extra = if matches!(kind & 0x7f, 1 | 35) {
            u32::from_ne_bytes([a, b, c, d])
        } else {
            0
        };
        32 - 8 + u64::from(extra) * 4
    }
}

/// x11rb's stream, with an end to its patience and to its trust.
#[derive(Debug)]
pub(super) struct XStream {
    inner: DefaultStream,
    patience: Duration,
    pulse: Arc<Pulse>,
    framing: Mutex<Framing>,
}

impl XStream {
    pub(super) fn new(
        stream: UnixStream,
        patience: Duration,
        pulse: Arc<Pulse>,
    ) -> io::Result<Self> {
        let (inner, _) = DefaultStream::from_unix_stream(stream)?;
        Ok(Self {
            inner,
            patience,
            pulse,
            framing: Mutex::new(Framing::new()),
        })
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
                // The core is the server's if it has no other.
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
        let count = self.inner.read(buf, fds)?;
        let mut framing = self.framing.lock().unwrap_or_else(PoisonError::into_inner);
        if framing.accept(&buf[..count]) {
            Ok(count)
        } else {
            Err(io::ErrorKind::InvalidData.into())
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
            let mut framing = Framing::new();
            assert!(
                whole.chunks(size).all(|piece| framing.accept(piece)),
                "{size}"
            );
            assert_eq!((framing.filled, framing.rest), (0, 0));
            let mut framing = Framing::new();
            assert!(
                !lie.chunks(size).all(|piece| framing.accept(piece)),
                "{size}"
            );
        }
    }

    #[test]
    fn the_largest_screen_passes_and_one_unit_more_does_not() {
        let units = u32::try_from((MAX_PACKET_BYTES - 24) / 4).unwrap();
        for (units, passes) in [(units, true), (units + 1, false)] {
            let mut framing = Framing::new();
            assert!(framing.accept(&greeting()));
            assert_eq!(framing.accept(&reply(units)), passes);
        }
    }
}
