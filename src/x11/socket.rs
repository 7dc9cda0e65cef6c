//! Reaching the X server: the display's socket by path, else by its abstract
//! name, never TCP; and a stream that gives up on a silent server.
//!
//! `Xvfb -nolisten unix` leaves only the abstract socket, which x11rb's own
//! connect no longer tries; and x11rb waits for replies without limit.

use std::{
    io,
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::{ffi::OsStrExt, net::UnixStream},
    },
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::socket::{
        AddressFamily, SockFlag, SockType, UnixAddr, connect, getsockopt, socket,
        sockopt::PeerCredentials,
    },
};
use x11rb::{
    rust_connection::{DefaultStream, PollMode, Stream},
    utils::RawFdContainer,
};

use super::{DisplayName, Error};

/// After so long without a byte while something is asked, the connection is
/// given up and built anew (design: 15 s of silence with work pending).
pub(super) const SILENCE: Duration = Duration::from_secs(15);

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

/// Connects to the display's path, else to its abstract socket.
///
/// Never blocks: a server that is stopped accepts by its backlog, and a full
/// backlog is an error.
///
/// # Errors
///
/// [`Error::NoServer`] with what both sockets said.
pub(super) fn open(display: DisplayName) -> Result<Connected, Error> {
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
                return Err(Error::NoServer { display, path, path_error, abstract_error });
            }
        },
    };
    let server_uid = getsockopt(&stream, PeerCredentials).ok().map(|peer| peer.uid());
    Ok(Connected { stream, kind, server_uid })
}

/// What the async side may know of the X thread while that waits for the server.
#[derive(Debug)]
pub(super) struct Pulse {
    origin: Instant,
    /// Milliseconds since `origin`, plus 1, when the present wait for the
    /// server began; 0 when there is none.
    waiting_since: AtomicU64,
}

impl Pulse {
    pub(super) fn new() -> Self {
        Self { origin: Instant::now(), waiting_since: AtomicU64::new(0) }
    }

    /// How long the X thread has been waiting for the server's next byte.
    pub(super) fn waiting(&self) -> Option<Duration> {
        let since = self.waiting_since.load(Ordering::Relaxed).checked_sub(1)?;
        Some(self.origin.elapsed().saturating_sub(Duration::from_millis(since)))
    }

    fn begin(&self) {
        let now = u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX - 1);
        self.waiting_since.store(now + 1, Ordering::Relaxed);
    }

    fn end(&self) {
        self.waiting_since.store(0, Ordering::Relaxed);
    }
}

/// x11rb's stream, with an end to its patience.
#[derive(Debug)]
pub(super) struct XStream {
    inner: DefaultStream,
    patience: Duration,
    pulse: Arc<Pulse>,
}

impl XStream {
    pub(super) fn new(stream: UnixStream, patience: Duration, pulse: Arc<Pulse>) -> io::Result<Self> {
        let (inner, _) = DefaultStream::from_unix_stream(stream)?;
        Ok(Self { inner, patience, pulse })
    }
}

impl Stream for XStream {
    fn poll(&self, mode: PollMode) -> io::Result<()> {
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::POLLIN, mode.readable());
        flags.set(PollFlags::POLLOUT, mode.writable());
        let deadline = Instant::now() + self.patience;
        self.pulse.begin();
        let result = loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
            match poll(&mut [PollFd::new(self.inner.as_fd(), flags)], timeout) {
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
        self.inner.read(buf, fds)
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
