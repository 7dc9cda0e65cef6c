//! The server: its services, its limits, and a shutdown of bounded duration.

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use tokio::task::JoinSet;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        self, RootCertStore, ServerConfig,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
        server::WebPkiClientVerifier,
    },
};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{service::interceptor::InterceptedService, transport::Server};
use tonic_health::pb::health_server::HealthServer;
use tower::util::MapResponseLayer;

use crate::rpc::{
    DESCRIPTORS, limits,
    recorder::Recorder,
    services::{
        clipboard::ClipboardService, control::ControlService, desktop::DesktopService, health,
        programs::ProgramsService, recorder::RecorderService, stack::StackService,
        windows::WindowsService,
    },
    transport::{
        auth::{Gatekeeper, TokenError},
        connection,
        listen::Listener,
        replies,
    },
    v1::{
        clipboard_server::ClipboardServer, control_server::ControlServer,
        desktop_server::DesktopServer, programs_server::ProgramsServer,
        recorder_server::RecorderServer, stack_server::StackServer, windows_server::WindowsServer,
    },
};
use crate::session::Session;

/// Maximum time for calls in progress to finish after shutdown began. Together with the rest
/// of the shutdown, the daemon exits within 5 s (R44).
const DRAIN: Duration = Duration::from_secs(4);

/// TLS files of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerTls {
    /// Certificate chain, PEM.
    pub certificate: PathBuf,
    /// Private key of the certificate, PEM.
    pub key: PathBuf,
    /// PEM certificates of the authorities that must have signed the clients' certificates.
    pub client_authority: Option<PathBuf>,
}

/// Options of the server.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// File with the token for callers over TCP.
    pub token_file: Option<PathBuf>,
    /// User ids that may use the Unix sockets.
    pub allowed_uids: Vec<u32>,
    /// TLS for TCP.
    pub tls: Option<ServerTls>,
    /// Whether every call that changes the desktop is refused.
    pub read_only: bool,
    /// Whether `Down` also ends the daemon, because `deskd up` started it.
    pub ends_with_stack: bool,
    /// Loopback port on which another program may serve a viewer, if deskd does not manage
    /// the stack. `Up` reports the port while it accepts connections.
    pub viewer_port: Option<u16>,
}

/// Why the server does not start, or why it ends.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The token file cannot be used.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// A TLS file cannot be read.
    #[error("the TLS file {} cannot be used: {source}", path.display())]
    TlsFile {
        /// The file.
        path: PathBuf,
        /// The error.
        source: rustls::pki_types::pem::Error,
    },
    /// The TLS files do not fit together.
    #[error("the TLS files cannot be used: {0}")]
    Tls(#[from] rustls::Error),
    /// The client authority's file cannot be used.
    #[error("the TLS client authority cannot be used: {0}")]
    ClientAuthority(#[from] rustls::client::VerifierBuilderError),
    /// An error of the operating system.
    #[error("cannot serve: {0}")]
    Io(#[from] io::Error),
    /// An error of the transport.
    #[error("cannot serve: {0}")]
    Transport(#[from] tonic::transport::Error),
    /// The proto descriptors cannot be served.
    #[error("cannot serve reflection: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
}

/// Serves until `shutdown` is cancelled. Then waits for calls in progress, for a bounded
/// time.
///
/// # Errors
///
/// Fails if the token file or a TLS file cannot be used, or if a system call fails.
pub async fn serve(
    listeners: Vec<Listener>,
    session: Session,
    recorder: Arc<Recorder>,
    options: ServerOptions,
    shutdown: CancellationToken,
) -> Result<(), ServeError> {
    let gatekeeper = Gatekeeper::new(options.token_file.as_deref(), &options.allowed_uids)?;
    let tls = options
        .tls
        .as_ref()
        .map(|files| acceptor(files, b"h2"))
        .transpose()?;
    let mut tasks = JoinSet::new();
    let known = gatekeeper.known();
    let connections =
        connection::accept_all(listeners, tls.as_ref(), &known, &shutdown, &mut tasks)?;

    let (health_service, reporter) = health::health(session.clone());
    let health_service = HealthServer::new(health_service);
    tasks.spawn(reporter.report());
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let desktop = DesktopServer::new(DesktopService {
        session: session.clone(),
        recorder: Arc::clone(&recorder),
        read_only: options.read_only,
    })
    .max_decoding_message_size(limits::MAX_REQUEST_BYTES);
    let windows = WindowsServer::new(WindowsService {
        session: session.clone(),
        recorder: Arc::clone(&recorder),
        read_only: options.read_only,
    })
    .max_decoding_message_size(limits::MAX_REQUEST_BYTES);
    let programs = ProgramsServer::new(ProgramsService {
        session: session.clone(),
        recorder: Arc::clone(&recorder),
        read_only: options.read_only,
    })
    .max_decoding_message_size(limits::MAX_REQUEST_BYTES);
    let clipboard =
        ClipboardService::new(session.clone(), Arc::clone(&recorder), options.read_only);
    let clipboard =
        ClipboardServer::new(clipboard).max_decoding_message_size(limits::MAX_REQUEST_BYTES);
    let control = ControlServer::new(ControlService {
        session: session.clone(),
        read_only: options.read_only,
    })
    .max_decoding_message_size(limits::MAX_REQUEST_BYTES);
    let records = RecorderServer::new(RecorderService {
        session: session.clone(),
        recorder: Arc::clone(&recorder),
    })
    .max_decoding_message_size(limits::MAX_REQUEST_BYTES);
    let stack = StackServer::new(StackService {
        session,
        recorder,
        read_only: options.read_only,
        ends_with_stack: options.ends_with_stack,
        viewer_port: options.viewer_port,
    })
    .max_decoding_message_size(limits::MAX_REQUEST_BYTES);
    let server = Server::builder()
        .max_concurrent_streams(limits::MAX_STREAMS)
        .http2_keepalive_interval(Some(limits::KEEPALIVE.0))
        .http2_keepalive_timeout(Some(limits::KEEPALIVE.1))
        .http2_max_local_error_reset_streams(Some(1024))
        .http2_max_header_list_size(16 * 1024)
        .layer(MapResponseLayer::new(replies::tie::<tonic::body::Body>))
        .add_service(health_service)
        .add_service(InterceptedService::new(desktop, gatekeeper.clone()))
        .add_service(InterceptedService::new(stack, gatekeeper.clone()))
        .add_service(InterceptedService::new(windows, gatekeeper.clone()))
        .add_service(InterceptedService::new(programs, gatekeeper.clone()))
        .add_service(InterceptedService::new(clipboard, gatekeeper.clone()))
        .add_service(InterceptedService::new(control, gatekeeper.clone()))
        .add_service(InterceptedService::new(records, gatekeeper.clone()))
        .add_service(InterceptedService::new(
            reflection().build_v1()?,
            gatekeeper.clone(),
        ))
        .add_service(InterceptedService::new(
            reflection().build_v1alpha()?,
            gatekeeper,
        ))
        .serve_with_incoming_shutdown(
            ReceiverStream::new(connections),
            shutdown.clone().cancelled_owned(),
        );

    let overdue = async {
        shutdown.cancelled().await;
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        result = server => result?,
        () = overdue => tracing::warn!("cut off the calls that were still open {} s after shutdown began", DRAIN.as_secs()),
    }
    // The accept loops end on `shutdown` and remove their socket files.
    while tasks.try_join_next().is_some() {}
    tasks.shutdown().await;
    Ok(())
}

/// Reads the TLS files. `protocol` is the one that the listener speaks, for ALPN: `h2` or `http/1.1`.
pub(in crate::rpc) fn acceptor(
    files: &ServerTls,
    protocol: &[u8],
) -> Result<TlsAcceptor, ServeError> {
    let failed = |path: &PathBuf| {
        let path = path.clone();
        move |source| ServeError::TlsFile { path, source }
    };
    let read = |path: &PathBuf| {
        let bytes = crate::files::read_at_most(path, crate::files::SMALL);
        bytes.map_err(|error| failed(path)(rustls::pki_types::pem::Error::Io(error)))
    };
    let certificates = |path: &PathBuf| -> Result<Vec<CertificateDer<'static>>, ServeError> {
        let bytes = read(path)?;
        let list = CertificateDer::pem_slice_iter(&bytes);
        let list: Vec<_> = list.collect::<Result<_, _>>().map_err(failed(path))?;
        if list.is_empty() {
            return Err(failed(path)(rustls::pki_types::pem::Error::NoItemsFound));
        }
        Ok(list)
    };
    let chain = certificates(&files.certificate)?;
    let key = PrivateKeyDer::from_pem_slice(&read(&files.key)?).map_err(failed(&files.key))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_safe_default_protocol_versions()?;
    let builder = match &files.client_authority {
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(path)? {
                roots.add(certificate)?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build()?)
        }
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_single_cert(chain, key)?;
    config.alpn_protocols = vec![protocol.to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
