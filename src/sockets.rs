//! TCP connections, as the kernel reports them (sock_diag(7), `tcp_info`).
//!
//! A program that sent a request and has received nothing since is still waiting for an answer,
//! even if all its threads sleep.

use std::{
    fs, io,
    os::fd::{AsFd as _, BorrowedFd},
    time::Duration,
};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use netlink_packet_core::{
    NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_sock_diag::{
    SockDiagMessage,
    constants::{AF_INET, AF_INET6, IPPROTO_TCP},
    inet::{ExtensionFlags, InetRequest, InetResponse, SocketId, StateFlags, nlas::Nla},
};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_SOCK_DIAG};

use crate::processes;

/// Maximum number of sockets that are read of each address family; the rest is ignored.
const MAX: usize = 4096;
/// Milliseconds to wait for each part of a dump.
const ANSWER_MS: u16 = 100;
/// See [`is_open_request`].
const SAME_TICK: Duration = Duration::from_millis(300);
/// Size of the buffer for one part of a dump: the kernel fills at most 32 KiB.
const BUFFER: usize = 32 << 10;

/// Whether one of these processes sent data on a TCP connection within the last `within` and has
/// received nothing on that connection since.
///
/// Returns false where the kernel does not report connections (gVisor).
pub(crate) fn await_answer(pids: &[u32], within: Duration) -> bool {
    if pids.is_empty() {
        return false;
    }
    let mut open = Vec::new();
    for family in [AF_INET, AF_INET6] {
        match dump(family, StateFlags::ESTABLISHED) {
            Ok(found) => open.extend(
                found
                    .iter()
                    .filter(|connection| is_open_request(connection, within))
                    .map(SocketOwner::of),
            ),
            Err(error) => {
                tracing::trace!("connections are not reported: {error}");
                return false;
            }
        }
    }
    !open.is_empty() && pids.iter().any(|pid| has_any(*pid, &open))
}

/// Whether the last data on the connection was sent, not received, less than `within` ago.
///
/// The kernel counts in ticks of up to 10 ms. A request that follows an answer in the same tick
/// looks like an answer that follows its request, so it counts as open for [`SAME_TICK`].
fn is_open_request(connection: &InetResponse, within: Duration) -> bool {
    connection.nlas.iter().any(|nla| match nla {
        Nla::TcpInfo(info) => {
            let sent = Duration::from_millis(info.last_data_sent.into());
            let received = Duration::from_millis(info.last_data_recv.into());
            // On a new connection the kernel counts both times from its start.
            let first = info.bytes_received == 0;
            let unclear = sent == received && (first || sent < SAME_TICK);
            let open = sent < received || unclear;
            info.bytes_sent > 0 && open && sent < within
        }
        _ => false,
    })
}

/// The processes that listen on a TCP port of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listening {
    /// No process.
    Nobody,
    /// One of the given processes.
    Ours,
    /// Only other processes.
    Others,
}

/// Finds out whether one of these processes listens on that port of 127.0.0.1. IPv6 sockets count
/// only if no IPv4 socket listens on the port.
///
/// # Errors
///
/// When the kernel does not report sockets (gVisor).
pub(crate) fn listening(port: u16, pids: &[u32]) -> io::Result<Listening> {
    let mut listeners = Vec::new();
    for family in [AF_INET, AF_INET6] {
        let found = dump(family, StateFlags::LISTEN)?;
        let there = found
            .iter()
            .filter(|socket| socket.header.socket_id.source_port == port);
        listeners.extend(there.map(SocketOwner::of));
        if !listeners.is_empty() {
            break;
        }
    }
    Ok(if listeners.is_empty() {
        Listening::Nobody
    } else if pids.iter().any(|pid| has_any(*pid, &listeners)) {
        Listening::Ours
    } else {
        Listening::Others
    })
}

/// Returns all TCP sockets of an address family in the given states.
fn dump(family: u8, states: StateFlags) -> io::Result<Vec<InetResponse>> {
    let mut socket = Socket::new(NETLINK_SOCK_DIAG)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | NLM_F_DUMP;
    let id = match family {
        AF_INET6 => SocketId::new_v6(),
        _ => SocketId::new_v4(),
    };
    let request = SockDiagMessage::InetRequest(InetRequest {
        family,
        protocol: IPPROTO_TCP,
        extensions: ExtensionFlags::INFO,
        states,
        socket_id: id,
    });
    let mut message = NetlinkMessage::new(header, request.into());
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    socket.send(&bytes, 0)?;
    let mut found = Vec::new();
    let mut buffer = vec![0; BUFFER];
    loop {
        // The kernel answers at once; the timeout only ensures that the caller never blocks.
        let mut ready = [PollFd::new(socket_of(&socket), PollFlags::POLLIN)];
        if poll(&mut ready, PollTimeout::from(ANSWER_MS))? == 0 {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let length = socket.recv(&mut &mut buffer[..], 0)?;
        let mut rest = &buffer[..length];
        while !rest.is_empty() {
            let invalid = |_| io::Error::from(io::ErrorKind::InvalidData);
            let message = NetlinkMessage::<SockDiagMessage>::deserialize(rest).map_err(invalid)?;
            let size = usize::try_from(message.header.length).unwrap_or(usize::MAX);
            match message.payload {
                NetlinkPayload::InnerMessage(SockDiagMessage::InetResponse(response)) => {
                    if found.len() == MAX {
                        return Ok(found);
                    }
                    found.push(*response);
                }
                NetlinkPayload::Done(_) => return Ok(found),
                NetlinkPayload::Error(error) => return Err(error.to_io()),
                _ => {}
            }
            // Messages are aligned to 4 bytes.
            rest = rest.get(size.next_multiple_of(4)..).unwrap_or_default();
        }
    }
}

fn socket_of(socket: &Socket) -> BorrowedFd<'_> {
    socket.as_fd()
}

/// The owner of a socket, as the kernel reports it.
#[derive(Debug, Clone, Copy)]
struct SocketOwner {
    /// The socket's number in its file system (sock_diag(7), `idiag_inode`).
    inode: u32,
    /// The user that opened it (`idiag_uid`).
    user: u32,
}

impl SocketOwner {
    fn of(socket: &InetResponse) -> Self {
        Self {
            inode: socket.header.inode,
            user: socket.header.uid,
        }
    }
}

/// Whether a process has one of these sockets open. For a process of another user only root with
/// CAP_SYS_PTRACE can find out, and containers do not grant that (proc(5)). Without that
/// permission, each socket of the process's user counts as its own.
fn has_any(pid: u32, sockets: &[SocketOwner]) -> bool {
    match inodes(pid) {
        Ok(inodes) => sockets.iter().any(|socket| inodes.contains(&socket.inode)),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let user = processes::user(pid);
            sockets.iter().any(|socket| Some(socket.user) == user)
        }
        Err(_) => false,
    }
}

/// The inodes of the sockets that a process has open.
fn inodes(pid: u32) -> io::Result<Vec<u32>> {
    let mut inodes = Vec::new();
    for descriptor in fs::read_dir(format!("/proc/{pid}/fd"))? {
        let target = match fs::read_link(descriptor?.path()) {
            Ok(target) => target,
            // The descriptor was closed meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let target = target.to_string_lossy();
        let inode = target.strip_prefix("socket:[");
        inodes.extend(inode.and_then(|rest| rest.strip_suffix(']')?.parse::<u32>().ok()));
    }
    Ok(inodes)
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::{TcpListener, TcpStream},
    };

    use super::*;

    /// A process without sockets whose `/proc` entry this test may read.
    struct Other(std::process::Child);

    impl Other {
        fn start() -> Self {
            let child = std::process::Command::new("sleep").arg("60").spawn();
            Self(child.unwrap())
        }
    }

    impl Drop for Other {
        fn drop(&mut self) {
            drop(self.0.kill());
            drop(self.0.wait());
        }
    }

    #[test]
    fn who_listens_is_told() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let own = [std::process::id()];
        let other = Other::start();
        assert_eq!(listening(port, &own).unwrap(), Listening::Ours);
        assert_eq!(listening(port, &[other.0.id()]).unwrap(), Listening::Others);
        drop(listener);
        assert_eq!(listening(port, &own).unwrap(), Listening::Nobody);
    }

    #[test]
    fn a_request_without_an_answer_is_seen_until_the_answer_comes() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        let own = [std::process::id()];
        let other = Other::start();
        let long = Duration::from_secs(600);
        // No request has been sent yet.
        assert!(!await_answer(&own, long));
        client.write_all(b"request").unwrap();
        let mut byte = [0; 7];
        server.read_exact(&mut byte).unwrap();
        assert!(await_answer(&own, long));
        // The request stays open after `SAME_TICK`.
        std::thread::sleep(SAME_TICK + Duration::from_millis(50));
        assert!(await_answer(&own, long));
        assert!(!await_answer(&own, Duration::ZERO));
        assert!(!await_answer(&[other.0.id()], long));
        std::thread::sleep(Duration::from_millis(60));
        server.write_all(b"answer").unwrap();
        client.read_exact(&mut byte[..6]).unwrap();
        // The answer itself gets no answer, and this process has both ends of the connection.
        drop(server);
        drop(listener);
        assert!(!await_answer(&own, long));
    }
}
