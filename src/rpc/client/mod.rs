//! A client of the daemon's API: [`Desktop`], the generated stubs, and a connection to any
//! [`Address`].

mod desktop;
mod error;
mod programs;
mod step;
mod windows;

use std::{
    io,
    path::PathBuf,
    pin::Pin,
    process::Stdio,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use hyper_util::rt::TokioIo;
use secrecy::ExposeSecret;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::UnixStream,
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::Mutex,
};
use tonic::{
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity},
};

pub use desktop::Desktop;
pub use error::{CallError, CallErrorKind};

use crate::config::Address;
pub use crate::rpc::v1::{
    clipboard_client::ClipboardClient, control_client::ControlClient,
    programs_client::ProgramsClient, recorder_client::RecorderClient,
    windows_client::WindowsClient,
};
pub use crate::rpc::v1::{desktop_client::DesktopClient, stack_client::StackClient};
use crate::rpc::{
    transport::{auth::Token, lease},
    v1,
};

/// Maximum size of a reply that this client accepts: a raw frame of 33 Mpx, with a margin.
pub const MAX_REPLY_BYTES: usize = 160 * 1024 * 1024;

/// TLS settings of a client.
#[derive(Debug, Clone, Default)]
pub struct Tls {
    /// PEM certificates of the authorities that must have signed the server's certificate.
    pub authority: Vec<u8>,
    /// The client's own certificate and private key, PEM, for mutual TLS.
    pub identity: Option<(Vec<u8>, Vec<u8>)>,
}

/// Adds the token, and the id of a lease, to every call.
#[derive(Debug, Clone)]
pub struct Bearer {
    token: Option<MetadataValue<Ascii>>,
    lease: Option<MetadataValue<Ascii>>,
}

impl Interceptor for Bearer {
    fn call(
        &mut self,
        mut request: tonic::Request<()>,
    ) -> Result<tonic::Request<()>, tonic::Status> {
        let metadata = request.metadata_mut();
        if let Some(value) = &self.token {
            metadata.insert("authorization", value.clone());
        }
        if let Some(value) = &self.lease {
            metadata.insert(lease::KEY, value.clone());
        }
        Ok(request)
    }
}

/// A connection that sends the token with every call.
pub type Connection = InterceptedService<Channel, Bearer>;

/// Why a connection could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No daemon answers at the address.
    #[error("no daemon answers at {address}: {why}")]
    Unreachable {
        /// The address.
        address: Address,
        /// The system's error.
        why: String,
    },
    /// No daemon answers through the program.
    #[error("no daemon answers through {program}: {why}")]
    NoProgram {
        /// The program.
        program: String,
        /// The system's error.
        why: String,
    },
    /// A listener accepted the connection and closed it at once.
    #[error("{address} closed the connection: a daemon serves 32 at a time; try again later")]
    HungUp {
        /// The address.
        address: Address,
    },
    /// The address or the TLS files cannot be used.
    #[error("cannot connect to {address}: {source}")]
    Unusable {
        /// The address.
        address: Address,
        /// The error.
        source: tonic::transport::Error,
    },
}

/// Connects through a program whose standard input and output lead to a daemon, such as
/// `docker exec -i BOX deskd bridge`. The program is started for each connection and killed
/// when the connection ends.
///
/// # Errors
///
/// Fails if the program cannot be started, or if no daemon answers through it within
/// `timeout`.
pub async fn connect_by(
    program: &str,
    arguments: &[String],
    token: Option<&Token>,
    timeout: Duration,
) -> Result<Connection, ConnectError> {
    let mut command = Command::new(program);
    command.args(arguments).kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let command = Arc::new(Mutex::new(command));
    let connector = tower::service_fn(move |_| {
        let command = Arc::clone(&command);
        async move {
            let mut child = command.lock().await.spawn()?;
            let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
                return Err(io::Error::from(io::ErrorKind::BrokenPipe));
            };
            Ok(TokioIo::new(Pipe {
                streams: tokio::io::join(output, input),
                _child: child,
            }))
        }
    });
    let unreachable = |why| ConnectError::NoProgram {
        program: program.to_owned(),
        why,
    };
    // HTTP/2 requires an authority; this name is never resolved.
    let endpoint = with_windows(Endpoint::from_static("http://localhost"));
    let made = tokio::time::timeout(timeout, endpoint.connect_with_connector(connector)).await;
    let channel = made
        .map_err(|_| unreachable("nothing in time".into()))?
        .map_err(|error| unreachable(innermost(&error)))?;
    Ok(with_token(channel, token, None))
}

/// A program's standard output and input as one stream.
#[derive(Debug)]
struct Pipe {
    streams: tokio::io::Join<ChildStdout, ChildStdin>,
    // Killed when the connection is dropped.
    _child: Child,
}

impl AsyncRead for Pipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.streams).poll_read(context, buffer)
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.streams).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.streams).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.streams).poll_shutdown(context)
    }
}

/// Enlarges the flow-control windows. A frame has some hundred KiB; with the default windows
/// of 64 KiB it would need several round trips.
fn with_windows(endpoint: Endpoint) -> Endpoint {
    endpoint
        .initial_stream_window_size(8 << 20)
        .initial_connection_window_size(16 << 20)
}

fn with_token(channel: Channel, token: Option<&Token>, lease: Option<&str>) -> Connection {
    let token = token.and_then(|token| {
        let value = format!("Bearer {}", token.0.expose_secret());
        let mut value: MetadataValue<Ascii> = value.parse().ok()?;
        value.set_sensitive(true);
        Some(value)
    });
    let lease = lease.and_then(|lease| {
        let mut value: MetadataValue<Ascii> = lease.parse().ok()?;
        value.set_sensitive(true);
        Some(value)
    });
    InterceptedService::new(channel, Bearer { token, lease })
}

/// Connects to the daemon at `address`.
///
/// # Errors
///
/// Fails if no daemon answers at the address within `timeout`, or if TLS fails.
pub async fn connect(
    address: &Address,
    token: Option<&Token>,
    tls: Option<&Tls>,
    timeout: Duration,
) -> Result<Connection, ConnectError> {
    connect_under(address, token, None, tls, timeout).await
}

/// Connects as [`connect`] does. Every call acts under the lease with this id.
///
/// # Errors
///
/// As [`connect`].
pub async fn connect_under(
    address: &Address,
    token: Option<&Token>,
    lease: Option<&str>,
    tls: Option<&Tls>,
    timeout: Duration,
) -> Result<Connection, ConnectError> {
    let unusable = |source| ConnectError::Unusable {
        address: address.clone(),
        source,
    };
    let scheme = if tls.is_some() { "https" } else { "http" };
    let uri = match address {
        // HTTP/2 requires an authority; this name is never resolved.
        Address::Unix(_) => "http://localhost".to_owned(),
        Address::Tcp { .. } => format!("{scheme}://{address}"),
    };
    let endpoint = Endpoint::from_shared(uri).map_err(unusable)?;
    let mut endpoint = with_windows(endpoint.connect_timeout(timeout));
    if let Some(tls) = tls {
        let mut config =
            ClientTlsConfig::new().ca_certificate(Certificate::from_pem(&tls.authority));
        if let Some((certificate, key)) = &tls.identity {
            config = config.identity(Identity::from_pem(certificate, key));
        }
        endpoint = endpoint.tls_config(config).map_err(unusable)?;
    }
    let channel = match address {
        Address::Unix(path) => {
            let path: PathBuf = path.clone();
            let connector = move |_| {
                let path = path.clone();
                async move { UnixStream::connect(path).await.map(TokioIo::new) }
            };
            endpoint
                .connect_with_connector(tower::service_fn(connector))
                .await
        }
        Address::Tcp { .. } => endpoint.connect().await,
    };
    let channel = channel.map_err(|error| {
        let address = address.clone();
        // The daemon accepted the connection and closed it.
        if let Some(io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) = io_kind(&error) {
            return ConnectError::HungUp { address };
        }
        ConnectError::Unreachable {
            address,
            why: innermost(&error),
        }
    })?;
    Ok(with_token(channel, token, lease))
}

/// Creates a client of the service `Desktop`.
pub fn desktop(connection: Connection) -> DesktopClient<Connection> {
    DesktopClient::new(connection).max_decoding_message_size(MAX_REPLY_BYTES)
}

/// Creates a client of the service `Stack`.
pub fn stack(connection: Connection) -> StackClient<Connection> {
    StackClient::new(connection)
}

/// Creates a client of the service `Clipboard`.
pub fn clipboard(connection: Connection) -> ClipboardClient<Connection> {
    ClipboardClient::new(connection)
}

/// Creates a client of the service `Programs`.
pub fn programs(connection: Connection) -> ProgramsClient<Connection> {
    ProgramsClient::new(connection)
}

/// Creates a client of the service `Control`.
pub fn control(connection: Connection) -> ControlClient<Connection> {
    ControlClient::new(connection)
}

/// Creates a client of the service `Recorder`.
pub fn recorder(connection: Connection) -> RecorderClient<Connection> {
    RecorderClient::new(connection)
}

/// Creates a client of the service `Windows`.
pub fn windows(connection: Connection) -> WindowsClient<Connection> {
    WindowsClient::new(connection)
}

/// Returns the [`v1::Reason`] from the metadata of a status.
pub fn reason(status: &tonic::Status) -> v1::Reason {
    let name = status
        .metadata()
        .get("deskd-reason")
        .and_then(|value| value.to_str().ok());
    let parse = |name: &str| v1::Reason::from_str_name(&format!("REASON_{name}"));
    name.and_then(parse).unwrap_or(v1::Reason::Unspecified)
}

/// Returns the kind of the first I/O error in the error chain, if there is one.
fn io_kind(error: &(dyn std::error::Error + 'static)) -> Option<io::ErrorKind> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return Some(error.kind());
        }
        next = error.source();
    }
    None
}

/// Returns the message of the last error in the error chain. tonic's own message for every
/// failed connection is "transport error".
fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
