//! Connects to the display's socket by path, else by its abstract name, and never over TCP.
//!
//! `Xvfb -nolisten unix` leaves only the abstract socket, which x11rb's own connect no longer
//! tries.

use std::{
    io,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::{ffi::OsStrExt, net::UnixStream},
    },
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, UnixAddr, UnixCredentials, connect, getsockopt, socket,
    sockopt::PeerCredentials,
};

use crate::{
    processes,
    x11::{connection::display_name::DisplayName, error::DisplayError},
};

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
