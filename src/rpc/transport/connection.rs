//! Handles a connection from accept to HTTP/2: limits the number of connections, determines
//! the peer, performs TLS, and requires the client's preface within 5 s (R42). Connections of
//! other protocols, such as a browser's HTTP/1 or WebSocket (R51), are closed here.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, Once, PoisonError},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf},
    net::{TcpListener, UnixListener},
    sync::{Semaphore, mpsc},
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::transport::server::Connected;

use crate::rpc::{
    limits,
    transport::{
        gather::Gathered,
        listen::{ListenSocket, Listener},
        standing::{Door, Meter, Standing},
    },
};

/// The first bytes of every HTTP/2 client (RFC 9113, section 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Pause after a failed accept: without file descriptors, immediate retries would only waste
/// CPU time.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Minimum interval between log lines about repeated refusals.
const SAID_AGAIN: Duration = Duration::from_secs(10);

/// The peer of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::rpc) enum Peer {
    /// A process of this user on this machine.
    Unix {
        /// The user id that the kernel reports.
        uid: u32,
    },
    /// Any peer that can reach the port.
    Tcp,
}

/// The connection on which a call arrived.
#[derive(Debug, Clone)]
pub(in crate::rpc) struct Caller {
    pub(in crate::rpc) peer: Peer,
    /// Permits for frames that may still wait for this reader.
    pub(in crate::rpc) replies: Arc<Semaphore>,
    /// Permits, one per KiB, for large images that may still wait for all readers.
    pub(in crate::rpc) memory: Arc<Semaphore>,
    /// Whether the connection is admitted, and the token that closes it.
    pub(in crate::rpc) standing: Arc<Standing>,
}

/// Peers that need no token.
#[derive(Debug, Clone)]
pub(in crate::rpc) struct KnownPeer {
    /// Users that may use a Unix socket.
    pub(in crate::rpc) uids: Arc<[u32]>,
    /// Whether any peer that reaches a TCP port is admitted.
    pub(in crate::rpc) anybody_over_tcp: bool,
}

impl KnownPeer {
    fn has(&self, peer: Peer) -> bool {
        match peer {
            Peer::Unix { uid } => self.uids.contains(&uid),
            Peer::Tcp => self.anybody_over_tcp,
        }
    }
}

trait Bytes: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Bytes for T {}

/// A connection whose HTTP/2 preface has arrived.
pub(in crate::rpc) struct ServerConnection {
    io: Gathered<Box<dyn Bytes>>,
    /// The part of the preface that the HTTP/2 server has not read yet.
    preface: &'static [u8],
    caller: Caller,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    meter: Meter,
}

impl Connected for ServerConnection {
    type ConnectInfo = Caller;

    fn connect_info(&self) -> Caller {
        self.caller.clone()
    }
}

/// Accepts connections on all listeners until `stop`. The receiver yields the connections
/// that begin HTTP/2.
pub(in crate::rpc) fn accept_all(
    listeners: Vec<Listener>,
    tls: Option<&TlsAcceptor>,
    known: &KnownPeer,
    stop: &CancellationToken,
    tasks: &mut JoinSet<()>,
) -> io::Result<mpsc::Receiver<io::Result<ServerConnection>>> {
    let (ready, connections) = mpsc::channel(limits::MAX_CONNECTIONS);
    let memory = Arc::new(Semaphore::new(limits::MAX_WAITING_KIB as usize));
    for listener in listeners {
        // Each address has its own places, so that unauthenticated peers on a port cannot
        // lock out the Unix socket.
        let acceptor = Acceptor {
            tls: tls.cloned(),
            ready: ready.clone(),
            door: Door::new(),
            known: known.clone(),
            refused: Repeated::default(),
            failed: Repeated::default(),
            memory: Arc::clone(&memory),
            stop: stop.clone(),
        };
        match listener.socket {
            ListenSocket::Unix(listener, file) => {
                let listener = UnixListener::from_std(listener)?;
                tasks.spawn(async move {
                    acceptor.unix(&listener).await;
                    drop(file);
                });
            }
            ListenSocket::Tcp(listener) => {
                let listener = TcpListener::from_std(listener)?;
                tasks.spawn(async move { acceptor.tcp(&listener).await });
            }
        }
    }
    Ok(connections)
}

struct Acceptor {
    tls: Option<TlsAcceptor>,
    ready: mpsc::Sender<io::Result<ServerConnection>>,
    door: Arc<Door>,
    known: KnownPeer,
    /// Counts the connections that found no place, and the accepts that failed.
    refused: Repeated,
    failed: Repeated,
    memory: Arc<Semaphore>,
    stop: CancellationToken,
}

impl Acceptor {
    async fn unix(self, listener: &UnixListener) {
        let mut handshakes = JoinSet::new();
        while let Some(stream) = self.next(&mut handshakes, listener.accept()).await {
            let Some((stream, _)) = stream else { continue };
            match stream.peer_cred() {
                Ok(peer) => {
                    warn_of_silence(peer.pid());
                    let peer = Peer::Unix { uid: peer.uid() };
                    self.admit(&mut handshakes, stream, peer, None);
                }
                Err(error) => {
                    tracing::warn!("a connection without peer credentials is refused: {error}")
                }
            }
        }
    }

    async fn tcp(self, listener: &TcpListener) {
        let mut handshakes = JoinSet::new();
        while let Some(stream) = self.next(&mut handshakes, listener.accept()).await {
            let Some((stream, _)) = stream else { continue };
            // Replies are whole messages: waiting to fill a segment only delays them.
            drop(stream.set_nodelay(true));
            self.admit(&mut handshakes, stream, Peer::Tcp, self.tls.clone());
        }
    }

    /// Returns the next accepted stream; `Some(None)` after an error; `None` when the daemon
    /// stops.
    async fn next<T>(
        &self,
        handshakes: &mut JoinSet<()>,
        accept: impl Future<Output = io::Result<T>>,
    ) -> Option<Option<T>> {
        // Finished handshakes must not accumulate.
        while handshakes.try_join_next().is_some() {}
        tokio::select! {
            () = self.stop.cancelled() => None,
            accepted = accept => match accepted {
                Ok(stream) => Some(Some(stream)),
                Err(error) => {
                    if let Some(count) = self.failed.count() {
                        tracing::warn!(count, "cannot accept connections: {error}");
                    }
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    Some(None)
                }
            },
        }
    }

    fn admit(
        &self,
        handshakes: &mut JoinSet<()>,
        stream: impl Bytes + 'static,
        peer: Peer,
        tls: Option<TlsAcceptor>,
    ) {
        let standing = if self.known.has(peer) {
            self.door.admit()
        } else {
            Some(self.door.greet())
        };
        let Some(standing) = standing else {
            if let Some(count) = self.refused.count() {
                tracing::warn!(
                    count,
                    "connections are refused: {} are open",
                    limits::MAX_CONNECTIONS
                );
            }
            return;
        };
        let (ready, memory) = (self.ready.clone(), Arc::clone(&self.memory));
        handshakes.spawn(async move {
            let came = tokio::time::Instant::now();
            let cut = standing.cut().clone();
            let hello = tokio::select! {
                hello = tokio::time::timeout(limits::HANDSHAKE, greet(stream, tls)) => hello,
                () = cut.cancelled() => return,
            };
            match hello {
                Ok(Ok(io)) => {
                    let caller = Caller {
                        peer,
                        replies: Arc::new(Semaphore::new(limits::MAX_WAITING_REPLIES)),
                        memory,
                        standing: Arc::clone(&standing),
                    };
                    let connection = ServerConnection {
                        io: Gathered::new(io),
                        preface: PREFACE,
                        caller,
                        cut: Box::pin(cut.clone().cancelled_owned()),
                        meter: Meter::new(std::time::Instant::now()),
                    };
                    // If sending fails, the server has stopped and the connection ends here.
                    drop(ready.send(Ok(connection)).await);
                    // From here on, only the connection itself holds its place.
                    let left = Arc::downgrade(&standing);
                    drop(standing);
                    tokio::select! {
                        () = tokio::time::sleep_until(came + limits::STRANGER) => {}
                        () = cut.cancelled() => {}
                    }
                    if left.upgrade().is_some_and(|one| !one.is_admitted()) {
                        cut.cancel();
                    }
                }
                Ok(Err(error)) => tracing::debug!("a connection is refused: {error}"),
                Err(_) => tracing::debug!("a connection is refused: no HTTP/2 preface in time"),
            }
        });
    }
}

/// An event that may repeat without limit, and is logged at most every [`SAID_AGAIN`].
#[derive(Debug, Default)]
struct Repeated(Mutex<(u64, Option<Instant>)>);

impl Repeated {
    /// Counts one event. When a log line is due, returns the number of events since the last
    /// line.
    fn count(&self) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (count, said) = &mut *state;
        *count += 1;
        if said.is_some_and(|said| said.elapsed() < SAID_AGAIN) {
            return None;
        }
        *said = Some(Instant::now());
        Some(std::mem::take(count))
    }
}

/// Warns if the kernel reports the daemon itself as the peer, as gVisor does. Then only the
/// mode of the socket file keeps other users out.
fn warn_of_silence(pid: Option<i32>) {
    static ONCE: Once = Once::new();
    let own = i32::try_from(std::process::id()).ok();
    if pid.is_some() && pid == own {
        ONCE.call_once(|| {
            tracing::warn!(
                "this kernel does not tell who calls: --allow-uid holds for nobody, and the \
                 socket's mode alone keeps others out"
            );
        });
    }
}

/// Performs the TLS handshake, if required, and reads the client's preface.
async fn greet(
    stream: impl Bytes + 'static,
    tls: Option<TlsAcceptor>,
) -> io::Result<Box<dyn Bytes>> {
    let mut io: Box<dyn Bytes> = match tls {
        Some(tls) => Box::new(tls.accept(stream).await?),
        None => Box::new(stream),
    };
    let mut preface = [0; PREFACE.len()];
    io.read_exact(&mut preface).await?;
    if &preface != PREFACE {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "it does not speak HTTP/2",
        ));
    }
    Ok(io)
}

impl AsyncRead for ServerConnection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.cut.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        if !self.preface.is_empty() {
            let count = self.preface.len().min(buffer.remaining());
            let (now, later) = self.preface.split_at(count);
            buffer.put_slice(now);
            self.preface = later;
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        std::task::ready!(Pin::new(&mut self.io).poll_read(context, buffer))?;
        let is_admitted = self.caller.standing.is_admitted();
        let new = &buffer.filled()[before..];
        if self.meter.accept(new, is_admitted, Instant::now()) {
            return Poll::Ready(Ok(()));
        }
        tracing::debug!("a connection that floods the daemon with frames is cut off");
        self.caller.standing.cut().cancel();
        Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()))
    }
}

impl AsyncWrite for ServerConnection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}
