//! Serves Prometheus metrics over plain HTTP/1.1: only GET and HEAD of `/metrics`.

use std::{collections::VecDeque, convert::Infallible, io, time::Duration};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio_util::sync::CancellationToken;

use crate::rpc::{
    messages::convert,
    transport::listen::{ListenSocket, Listener},
};
use crate::{
    metrics::{self, Now},
    session::Session,
    x11::LinkState,
};

/// Maximum number of connections; one more closes the oldest.
const CONNECTIONS: usize = 8;
/// Maximum time to receive the head of a request.
const HEAD: Duration = Duration::from_secs(5);
/// Maximum duration of a connection; one scrape takes milliseconds.
const LIFE: Duration = Duration::from_secs(60);
/// Pause after a failed accept.
const PAUSE: Duration = Duration::from_millis(100);
/// Content type of the metrics (OpenMetrics 1.0, section 5).
const TEXT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Serves until `shutdown` is cancelled.
///
/// # Errors
///
/// Fails if the socket cannot be used, or if it is a Unix socket.
pub async fn serve_metrics(
    listener: Listener,
    session: Session,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let ListenSocket::Tcp(listener) = listener.socket else {
        return Err(io::Error::from(io::ErrorKind::Unsupported));
    };
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let mut connections: VecDeque<tokio::task::JoinHandle<()>> = VecDeque::new();
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.cancelled() => return Ok(()),
        };
        let Ok((stream, _)) = stream else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        connections.retain(|connection| !connection.is_finished());
        if connections.len() >= CONNECTIONS
            && let Some(oldest) = connections.pop_front()
        {
            oldest.abort();
        }
        let (session, shutdown) = (session.clone(), shutdown.clone());
        connections.push_back(tokio::spawn(async move {
            let answer = service_fn(|request| {
                let answer = answer(&request, &session);
                async { Ok::<_, Infallible>(answer) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD)
                .max_buf_size(16 * 1024)
                .serve_connection(TokioIo::new(stream), answer);
            tokio::select! {
                // Errors that the peer causes are ignored.
                ended = connection => drop(ended),
                () = tokio::time::sleep(LIFE) => {}
                () = shutdown.cancelled() => {}
            }
        }));
    }
}

fn answer(request: &Request<Incoming>, session: &Session) -> Response<Full<Bytes>> {
    let (status, kind, text) = match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/metrics") => match metrics::text(now(session)) {
            Ok(text) => (StatusCode::OK, TEXT, text),
            Err(error) => {
                tracing::error!("the metrics cannot be written: {error}");
                let text = "the metrics cannot be written\n".into();
                (StatusCode::INTERNAL_SERVER_ERROR, "text/plain", text)
            }
        },
        (_, "/metrics") => {
            let text = "only GET is answered here\n".into();
            (StatusCode::METHOD_NOT_ALLOWED, "text/plain", text)
        }
        _ => {
            let text = "only /metrics is here\n".into();
            (StatusCode::NOT_FOUND, "text/plain", text)
        }
    };
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    let kind = header::HeaderValue::from_static(kind);
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// Returns the current state of the session for the metrics.
fn now(session: &Session) -> Now {
    let link = session.capture.link();
    let screen = match &link.state {
        LinkState::Up(screen) => Some(screen),
        LinkState::Down(_) | LinkState::Connecting => None,
    };
    let display = screen.map_or_else(Vec::new, |screen| {
        let mode = convert::mode(Some(screen.capture_mode)).as_str_name();
        vec![
            ("generation", screen.generation.to_string()),
            ("epoch", screen.geometry_epoch.to_string()),
            ("size", screen.size.to_string()),
            (
                "capture_mode",
                mode.trim_start_matches("CAPTURE_MODE_")
                    .to_ascii_lowercase(),
            ),
        ]
    });
    let components = session.bring_up.state().map_or_else(Vec::new, |state| {
        let state = state.borrow();
        let enabled = state.components.iter().filter(|part| part.enabled);
        enabled
            .map(|part| (part.component.name(), part.up, part.restarts))
            .collect()
    });
    Now {
        connected: screen.is_some(),
        painted: session.capture.is_proved(&link),
        held: session.input.pressed().len(),
        display,
        components,
    }
}
