//! HTTP at the address of `--http`: MCP at `/mcp`, and the viewer at `/viewer/`.
//!
//! Every request for MCP needs the daemon's bearer token, and none may come from a web page (header
//! `Origin`). It is served without sessions in both protocol eras, so that a caller leaves no state.

use std::{
    convert::Infallible,
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use deskd_mcp::{Http, HttpResponse};
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::rpc::{
    client::Desktop,
    mcp::{DesktopTools, MAX_MESSAGE_BYTES},
    recorder::Recorder,
    server::{ServeError, ServerTls, acceptor},
    transport::{
        auth::{Gatekeeper, TokenError},
        listen::{ListenSocket, Listener},
    },
    viewer::{Viewer, ViewerOptions, ViewerTokenError},
};
use crate::session::Session;

/// Maximum number of connections.
const CONNECTIONS: usize = 64;
/// Maximum time to receive the head of a request, also of the next one on a connection.
const HEAD: Duration = Duration::from_secs(10);
/// Maximum time for the TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Maximum time to receive the body of a request.
const BODY_TIME: Duration = Duration::from_secs(10);
/// Pause after a failed accept.
const PAUSE: Duration = Duration::from_millis(100);

/// Options of the HTTP server.
#[derive(Debug)]
pub struct HttpOptions {
    /// MCP, if it is served: the client by which it calls the daemon, and the file with the token that
    /// every request must carry.
    pub mcp: Option<(Desktop, PathBuf)>,
    /// The viewer, if it is served.
    pub viewer: Option<ViewerOptions>,
    /// TLS files.
    pub tls: Option<ServerTls>,
}

/// Why the HTTP server does not start.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The token file cannot be used.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The viewer's key file cannot be used.
    #[error(transparent)]
    Viewer(#[from] ViewerTokenError),
    /// The TLS files cannot be used.
    #[error(transparent)]
    Tls(#[from] ServeError),
    /// The socket cannot be used.
    #[error("HTTP cannot be served: {0}")]
    Io(#[from] io::Error),
}

/// A server whose files and socket can be used.
pub struct HttpServer {
    listener: tokio::net::TcpListener,
    tls: Option<TlsAcceptor>,
    mcp: Option<(Http, Arc<Gatekeeper>)>,
    viewer: Option<Arc<Viewer>>,
    shutdown: CancellationToken,
}

impl std::fmt::Debug for HttpServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpServer").finish_non_exhaustive()
    }
}

impl HttpServer {
    /// Reads the files of a server of MCP and the viewer of `session`. Must be called within a runtime.
    ///
    /// # Errors
    ///
    /// Fails if the token file, the key file, a TLS file or the socket cannot be used.
    pub fn new(
        listener: Listener,
        session: Session,
        recorder: Arc<Recorder>,
        options: HttpOptions,
        shutdown: CancellationToken,
    ) -> Result<Self, HttpError> {
        let tls = options
            .tls
            .as_ref()
            .map(|files| acceptor(files, b"http/1.1"))
            .transpose()?;
        let ListenSocket::Tcp(listener) = listener.socket else {
            return Err(io::Error::from(io::ErrorKind::Unsupported).into());
        };
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let mcp = match options.mcp {
            None => None,
            Some((desktop, token_file)) => {
                let tools = Arc::new(DesktopTools::shared(desktop));
                let http = Http::new(tools, MAX_MESSAGE_BYTES, shutdown.child_token());
                Some((http, Arc::new(Gatekeeper::new(Some(&token_file), &[])?)))
            }
        };
        let viewer = match options.viewer {
            None => None,
            Some(viewer) => {
                let desktop = (session, recorder);
                Some(Arc::new(Viewer::new(viewer, desktop, tls.is_some())?))
            }
        };
        Ok(Self {
            listener,
            tls,
            mcp,
            viewer,
            shutdown,
        })
    }

    /// Serves until the shutdown.
    pub async fn serve(self) {
        let Self {
            listener,
            tls,
            mcp,
            viewer,
            shutdown,
        } = self;
        let mut connections: Vec<Served> = Vec::new();
        loop {
            let stream = tokio::select! {
                accepted = listener.accept() => accepted,
                () = shutdown.cancelled() => return,
            };
            let Ok((stream, _)) = stream else {
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            connections.retain(|connection| !connection.task.is_finished());
            if connections.len() >= CONNECTIONS {
                // A stranger gives way to a newcomer; a caller with the token does not.
                let strange = |one: &Served| !one.is_known.load(Ordering::Relaxed);
                match connections.iter().position(strange) {
                    Some(oldest) => connections.remove(oldest).task.abort(),
                    None => continue,
                }
            }
            let is_known = Arc::new(AtomicBool::new(false));
            let place = Place {
                mcp: mcp.clone(),
                viewer: viewer.clone(),
                is_known: Arc::clone(&is_known),
            };
            let (tls, shutdown) = (tls.clone(), shutdown.clone());
            let task = tokio::spawn(async move {
                tokio::select! {
                    () = converse(stream, tls, place) => {}
                    () = shutdown.cancelled() => {}
                }
            });
            connections.push(Served { task, is_known });
        }
    }
}

/// One connection.
struct Served {
    task: tokio::task::JoinHandle<()>,
    /// Whether a request with the token, or with a session of the viewer, came on it.
    is_known: Arc<AtomicBool>,
}

/// State that the connections share.
struct Place {
    mcp: Option<(Http, Arc<Gatekeeper>)>,
    viewer: Option<Arc<Viewer>>,
    is_known: Arc<AtomicBool>,
}

async fn converse(stream: tokio::net::TcpStream, tls: Option<TlsAcceptor>, place: Place) {
    // Errors that the peer causes are ignored.
    match tls {
        None => answer_all(stream, place).await,
        Some(tls) => {
            if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await {
                answer_all(stream, place).await;
            }
        }
    }
}

async fn answer_all(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, place: Place) {
    let answer = service_fn(|request| {
        let place = &place;
        async move { Ok::<_, Infallible>(answer(request, place).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(16 * 1024)
        .serve_connection(TokioIo::new(stream), answer)
        .with_upgrades();
    drop(connection.await);
}

async fn answer(request: Request<Incoming>, place: &Place) -> HttpResponse {
    let path = request.uri().path();
    if let Some(viewer) = place.viewer.as_ref().filter(|_| Viewer::serves(path)) {
        let admit = || place.is_known.store(true, Ordering::Relaxed);
        return viewer.answer(request, admit).await;
    }
    let Some((mcp, gatekeeper)) = &place.mcp else {
        return plain(StatusCode::NOT_FOUND, "only /viewer/ is here\n");
    };
    if !gatekeeper.allows(bearer(request.headers())) {
        let mut refusal = plain(
            StatusCode::UNAUTHORIZED,
            "send the header `authorization: Bearer TOKEN` with the daemon's token\n",
        );
        let scheme = header::HeaderValue::from_static("Bearer");
        refusal
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, scheme);
        return refusal;
    }
    place.is_known.store(true, Ordering::Relaxed);
    match request.uri().path() {
        "/mcp" => {
            let (head, body) = request.into_parts();
            // A caller that stops in the middle of a request gives its place up.
            let body = Limited::new(body, MAX_MESSAGE_BYTES).collect();
            match tokio::time::timeout(BODY_TIME, body).await {
                Ok(Ok(body)) => {
                    let body = Full::from(body.to_bytes());
                    mcp.answer(Request::from_parts(head, body)).await
                }
                Ok(Err(_)) => plain(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "the request broke off, or has more than 1 MiB\n",
                ),
                Err(_) => plain(
                    StatusCode::REQUEST_TIMEOUT,
                    "the request was not complete within 10 s\n",
                ),
            }
        }
        _ => plain(StatusCode::NOT_FOUND, "only /mcp is here\n"),
    }
}

/// Returns the bearer token of a request; empty if there is none.
fn bearer(headers: &HeaderMap) -> &[u8] {
    let value = headers
        .get(header::AUTHORIZATION)
        .map(|value| value.as_bytes());
    match value.and_then(|value| value.split_at_checked(b"Bearer ".len())) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case(b"Bearer ") => token,
        _ => &[],
    }
}

fn plain(status: StatusCode, text: &'static str) -> HttpResponse {
    let mut response = Response::new(Full::from(text).boxed());
    *response.status_mut() = status;
    let kind = header::HeaderValue::from_static("text/plain");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
