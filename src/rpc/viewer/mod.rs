//! The viewer: a page on which people watch the desktop, take control and give it back.
//!
//! - `token`: the tokens by which people are let in; `verifier` accepts each once.
//! - `sessions`: the sessions that tokens are exchanged for.
//! - `wire`: the messages between page and daemon.
//! - `socket`: the connection of one page; `screen` sends the screen, `person` carries out input, and
//!   `state` keeps the page informed and its lease alive.
//! - `page`: the page's files, which are compiled in.

mod person;
mod screen;
mod sessions;
mod socket;
mod state;
mod token;
mod verifier;
mod wire;

use std::{
    net::IpAddr,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use deskd_mcp::HttpResponse;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::sync::Semaphore;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::protocol::{Role, WebSocketConfig},
};

pub use token::{ViewerClaims, ViewerMode, ViewerTokenError, mint, seconds_now};
pub use verifier::ViewerDesktop;

use crate::{rpc::recorder::Recorder, session::Session};
use sessions::{LIFETIME, Sessions, ViewerSession};
use token::MAX_TOKEN;
use verifier::Verifier;

/// Maximum time to receive a token.
const BODY_TIME: Duration = Duration::from_secs(10);
/// Maximum number of pages at a time.
const MAX_PAGES: usize = 64;
/// Number of refused tokens that are answered at once, and the time after which one more is.
const ATTEMPTS: u32 = 20;
const ATTEMPT: Duration = Duration::from_millis(500);

/// Options of the viewer.
#[derive(Debug, Clone)]
pub struct ViewerOptions {
    /// File with the keys of tokens.
    pub key_file: PathBuf,
    /// The desktop for which tokens must be valid.
    pub desktop: ViewerDesktop,
    /// Names under which browsers reach the daemon, besides IP addresses and localhost.
    pub hosts: Vec<String>,
    /// Origins whose pages may embed the viewer.
    pub embedded_by: Vec<String>,
    /// Whether nobody may take control, whatever the token says.
    pub read_only: bool,
}

/// The viewer of one daemon.
#[derive(Debug)]
pub(in crate::rpc) struct Viewer {
    session: Session,
    recorder: Arc<Recorder>,
    verifier: Arc<Verifier>,
    sessions: Sessions,
    hosts: Vec<String>,
    embedded_by: Vec<String>,
    read_only: bool,
    is_tls: bool,
    /// The name of the cookie. Browsers send a cookie to all daemons of a host, so each has its own.
    cookie: String,
    pages: Arc<Semaphore>,
    attempts: Mutex<Attempts>,
}

/// Limits refused tokens.
#[derive(Debug)]
struct Attempts {
    left: u32,
    since: Instant,
}

impl Attempts {
    /// Whether one more token is looked at.
    fn allow(&mut self) -> bool {
        let more = self.since.elapsed().as_millis() / ATTEMPT.as_millis();
        if more > 0 {
            let more = u32::try_from(more).unwrap_or(u32::MAX);
            self.left = self.left.saturating_add(more).min(ATTEMPTS);
            self.since = Instant::now();
        }
        self.left > 0
    }
}

impl Viewer {
    /// Creates the viewer of a session.
    ///
    /// # Errors
    ///
    /// The key file cannot be used.
    pub(in crate::rpc) fn new(
        options: ViewerOptions,
        (session, recorder): (Session, Arc<Recorder>),
        is_tls: bool,
    ) -> Result<Self, ViewerTokenError> {
        let verifier = Verifier::new(options.key_file, options.desktop)?;
        let instance = session.instance_id().chars().take(8);
        Ok(Self {
            cookie: format!("deskd-viewer-{}", instance.collect::<String>()),
            session,
            recorder,
            verifier: Arc::new(verifier),
            sessions: Sessions::default(),
            hosts: options.hosts,
            embedded_by: options.embedded_by,
            read_only: options.read_only,
            is_tls,
            pages: Arc::new(Semaphore::new(MAX_PAGES)),
            attempts: Mutex::new(Attempts {
                left: ATTEMPTS,
                since: Instant::now(),
            }),
        })
    }

    /// Whether the viewer answers requests for this path.
    pub(in crate::rpc) fn serves(path: &str) -> bool {
        path == "/" || path == "/viewer" || path.starts_with("/viewer/")
    }

    /// Answers a request. `admit` is called when the request has a valid session.
    pub(in crate::rpc) async fn answer(
        self: &Arc<Self>,
        request: Request<Incoming>,
        admit: impl Fn(),
    ) -> HttpResponse {
        let mut response = self.respond(request, admit).await;
        let headers = response.headers_mut();
        for (name, value) in [
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
            ("cache-control", "no-store"),
            ("cross-origin-resource-policy", "same-origin"),
            (
                "permissions-policy",
                "camera=(), microphone=(), geolocation=()",
            ),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        let ancestors = match self.embedded_by.is_empty() {
            true => "'none'".to_owned(),
            false => self.embedded_by.join(" "),
        };
        let policy = format!(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; \
             connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors {ancestors}"
        );
        if let Ok(policy) = HeaderValue::from_str(&policy) {
            headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        }
        response
    }

    async fn respond(
        self: &Arc<Self>,
        request: Request<Incoming>,
        admit: impl Fn(),
    ) -> HttpResponse {
        let Some(host) = self.host(request.headers()) else {
            return text(
                StatusCode::MISDIRECTED_REQUEST,
                "deskd does not know this host name; start it with --viewer-host NAME\n",
            );
        };
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        match (&method, path.as_str()) {
            (&Method::GET, "/" | "/viewer") => {
                let mut response = text(StatusCode::FOUND, "");
                let place = HeaderValue::from_static("/viewer/");
                response.headers_mut().insert(header::LOCATION, place);
                response
            }
            (&Method::GET, "/viewer/") => file("text/html", include_str!("page/index.html")),
            (&Method::GET, "/viewer/viewer.js") => {
                file("text/javascript", include_str!("page/viewer.js"))
            }
            (&Method::GET, "/viewer/viewer.css") => {
                file("text/css", include_str!("page/viewer.css"))
            }
            (&Method::GET, "/viewer/session") => match self.find(request.headers()) {
                // A page cannot see why its WebSocket is refused.
                Some(session) if self.pages.available_permits() == 0 || session.is_full() => {
                    text(StatusCode::SERVICE_UNAVAILABLE, "too many pages are open\n")
                }
                Some(_) => text(StatusCode::NO_CONTENT, ""),
                None => text(StatusCode::UNAUTHORIZED, "ask for a link to this desktop\n"),
            },
            (&Method::POST, "/viewer/session") => {
                if !self.is_own_origin(request.headers(), &host) {
                    return foreign();
                }
                self.begin(request).await
            }
            (&Method::GET, "/viewer/socket") => {
                if !self.is_own_origin(request.headers(), &host) {
                    return foreign();
                }
                self.open(request, admit)
            }
            (_, "/viewer/session" | "/viewer/socket" | "/viewer/" | "/" | "/viewer") => text(
                StatusCode::METHOD_NOT_ALLOWED,
                "this method is not allowed here\n",
            ),
            _ => text(StatusCode::NOT_FOUND, "there is nothing here\n"),
        }
    }

    /// Returns the `Host` of a request, if it is an address, localhost or a name that was given. A
    /// name that leads to this daemon by somebody else's DNS is refused.
    fn host(&self, headers: &HeaderMap) -> Option<String> {
        let host = headers.get(header::HOST)?.to_str().ok()?;
        let name = match host.strip_prefix('[') {
            Some(rest) => rest.split_once(']')?.0,
            None => host.rsplit_once(':').map_or(host, |(name, _)| name),
        };
        let is_address = name.parse::<IpAddr>().is_ok();
        let is_known = |known: &String| known.eq_ignore_ascii_case(name);
        let is_local = name.eq_ignore_ascii_case("localhost");
        (is_address || is_local || self.hosts.iter().any(is_known)).then(|| host.to_owned())
    }

    fn find(&self, headers: &HeaderMap) -> Option<Arc<ViewerSession>> {
        let cookies = headers.get_all(header::COOKIE).iter();
        let cookies = cookies.filter_map(|value| value.to_str().ok());
        let mut pairs = cookies.flat_map(|value| value.split(';'));
        let value = pairs.find_map(|pair| {
            let (name, value) = pair.trim().split_once('=')?;
            (name == self.cookie).then_some(value)
        })?;
        self.sessions.find(value, &self.verifier)
    }

    /// Exchanges a token for a cookie.
    async fn begin(&self, request: Request<Incoming>) -> HttpResponse {
        let body = Limited::new(request.into_body(), MAX_TOKEN).collect();
        let Ok(Ok(body)) = tokio::time::timeout(BODY_TIME, body).await else {
            return text(StatusCode::BAD_REQUEST, "send a viewer token\n");
        };
        let body = body.to_bytes();
        let token = String::from_utf8_lossy(&body);
        let accepted = self.verifier.accept(token.trim(), seconds_now());
        let (mut claims, key) = match accepted {
            Ok(accepted) => accepted,
            Err(why) => {
                // A right token is accepted however many wrong ones come.
                let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
                if !attempts.allow() {
                    let why = "too many tokens were refused; try again in some seconds\n";
                    return text(StatusCode::TOO_MANY_REQUESTS, why);
                }
                attempts.left -= 1;
                tracing::info!("a viewer's token is refused: {why}");
                return owned_text(StatusCode::UNAUTHORIZED, format!("{why}\n"));
            }
        };
        if self.read_only {
            claims.mode = ViewerMode::View;
        }
        tracing::info!(mode = ?claims.mode, "a viewer is let in");
        let Ok((cookie, secret)) = self.sessions.begin(claims, key) else {
            return text(
                StatusCode::SERVICE_UNAVAILABLE,
                "the system has no random numbers\n",
            );
        };
        let mut response = owned_text(StatusCode::OK, secret);
        // A page of another site that embeds the viewer needs the cookie in its frame.
        let site = match (self.is_tls, self.embedded_by.is_empty()) {
            (true, false) => "SameSite=None; Secure; Partitioned",
            (true, true) => "SameSite=Strict; Secure",
            (false, _) => "SameSite=Strict",
        };
        let life = LIFETIME.as_secs();
        let value = format!(
            "{}={cookie}; Path=/viewer/; HttpOnly; {site}; Max-Age={life}",
            self.cookie
        );
        if let Ok(mut value) = HeaderValue::from_str(&value) {
            value.set_sensitive(true);
            response.headers_mut().insert(header::SET_COOKIE, value);
        }
        response
    }

    /// Whether the request comes from a page of this daemon: its `Origin` is its `Host`. Without TLS, a
    /// proxy may end it, so both schemes are right.
    fn is_own_origin(&self, headers: &HeaderMap, host: &str) -> bool {
        let origin = headers.get(header::ORIGIN);
        let origin = origin.and_then(|origin| origin.to_str().ok());
        let origin = origin.and_then(|origin| origin.split_once("://"));
        origin.is_some_and(|(scheme, origin)| {
            let is_scheme = scheme == "https" || (scheme == "http" && !self.is_tls);
            is_scheme && origin.eq_ignore_ascii_case(host)
        })
    }

    /// Opens the WebSocket of a page (RFC 6455).
    fn open(self: &Arc<Self>, mut request: Request<Incoming>, admit: impl Fn()) -> HttpResponse {
        let Some(session) = self.find(request.headers()) else {
            return text(StatusCode::UNAUTHORIZED, "ask for a link to this desktop\n");
        };
        let headers = request.headers();
        let has = |name, wanted: &str| {
            let value: Option<&HeaderValue> = headers.get(name);
            let text = value.and_then(|value| value.to_str().ok()).unwrap_or("");
            text.split(',')
                .any(|one| one.trim().eq_ignore_ascii_case(wanted))
        };
        let key = headers.get(header::SEC_WEBSOCKET_KEY).cloned();
        let is_upgrade = has(header::CONNECTION, "upgrade")
            && has(header::UPGRADE, "websocket")
            && has(header::SEC_WEBSOCKET_VERSION, "13");
        let Some(key) = key.filter(|_| is_upgrade) else {
            return text(StatusCode::UPGRADE_REQUIRED, "this is a WebSocket\n");
        };
        let Ok(page) = Arc::clone(&self.pages).try_acquire_owned() else {
            return text(StatusCode::SERVICE_UNAVAILABLE, "too many pages are open\n");
        };
        let Some(person) = session.connect() else {
            let why = "this link is open in too many pages\n";
            return text(StatusCode::SERVICE_UNAVAILABLE, why);
        };
        admit();
        let accept = accept_key(key.as_bytes());
        let upgrade = hyper::upgrade::on(&mut request);
        let viewer = Arc::clone(self);
        tokio::spawn(async move {
            let _page = page;
            let Ok(upgraded) = upgrade.await else {
                return;
            };
            let config = WebSocketConfig::default()
                .max_message_size(Some(wire::MAX_MESSAGE))
                .max_frame_size(Some(wire::MAX_MESSAGE));
            let stream = TokioIo::new(upgraded);
            let stream = WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await;
            let desktop = (&viewer.session, &viewer.recorder);
            socket::converse(stream, desktop, &viewer.verifier, person).await;
        });
        let mut response = text(StatusCode::SWITCHING_PROTOCOLS, "");
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        if let Ok(accept) = HeaderValue::from_str(&accept) {
            headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
        }
        response
    }
}

/// Returns the answer to the key of a handshake (RFC 6455, section 4.2.2).
fn accept_key(key: &[u8]) -> String {
    let mut hash = ring::digest::Context::new(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY);
    hash.update(key);
    hash.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    BASE64_STANDARD.encode(hash.finish())
}

fn foreign() -> HttpResponse {
    let why = "only a page of this daemon may do this (header `Origin`)\n";
    text(StatusCode::FORBIDDEN, why)
}

fn file(kind: &'static str, content: &'static str) -> HttpResponse {
    let mut response = text(StatusCode::OK, content);
    let kind = match kind {
        "text/html" => "text/html; charset=utf-8",
        "text/css" => "text/css; charset=utf-8",
        _ => "text/javascript; charset=utf-8",
    };
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

fn text(status: StatusCode, text: &'static str) -> HttpResponse {
    owned_text(status, text.to_owned())
}

fn owned_text(status: StatusCode, text: String) -> HttpResponse {
    let mut response = Response::new(Full::from(text).boxed());
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_specification_has_this_answer() {
        let answer = accept_key(b"dGhlIHNhbXBsZSBub25jZQ==");
        assert_eq!(answer, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
