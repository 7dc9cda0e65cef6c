//! `deskd serve`: the daemon beside a display that somebody else starts.

use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{
    args::Serve,
    call,
    exit::{Error, Exit},
};
use crate::{
    config::{self, DEFAULT_GEOMETRY},
    frame::{CaptureMode, Size},
    memory,
    rpc::{self, Listener, Options, Tls},
    session::Session,
    telemetry,
    x11::Display,
};

/// Runs until SIGTERM or SIGINT.
pub(super) fn run(args: Box<Serve>) -> Result<Exit, Error> {
    memory::keep_small();
    telemetry::start(args.log_format, &args.log);
    let display = call::display(args.display)?;
    let geometry = geometry(args.geometry)?;
    let addresses = if args.listen.is_empty() {
        vec![call::default_address()]
    } else {
        args.listen.clone()
    };
    // Before anything listens: a mistake here must not look like a start.
    args.token_file
        .as_deref()
        .map(rpc::Token::read)
        .transpose()?;
    let mut listeners = Vec::new();
    for address in &addresses {
        listeners.push(Listener::bind(
            address,
            args.socket_mode,
            args.token_file.is_some(),
        )?);
    }
    let local =
        |error: &dyn std::fmt::Display| Error::new(Exit::Local, format!("cannot start: {error}"));
    // Pixels and waiting have their own threads: two suffice for the sockets.
    // Few threads that block, too: each keeps memory of the frames it encoded.
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(cores + 2)
        .thread_name("deskd")
        .enable_all()
        .build()
        .map_err(|error| local(&error))?;
    let shutdown = CancellationToken::new();
    let capture = CaptureMode::from(args.capture_mode);
    let display = Display::open(display, capture.into()).map_err(|error| local(&error))?;
    let session = Session::new(display, args.profile.into(), geometry, shutdown.clone())
        .map_err(|error| local(&error))?;
    for listener in &listeners {
        tracing::info!(
            address = %listener.address(), version = env!("CARGO_PKG_VERSION"),
            instance = session.instance_id(), "listening"
        );
    }
    let served = runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).map_err(|error| local(&error))?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| local(&error))?;
        let stop = shutdown.clone();
        let signals = tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            tracing::info!("stopping");
            stop.cancel();
        });
        let served = rpc::serve(listeners, Arc::new(session), options(&args), shutdown).await;
        signals.abort();
        served.map_err(Error::from)
    });
    // A thread that waits for a hung X server must not hold up the exit.
    runtime.shutdown_background();
    served.map(|()| Exit::Done)
}

fn options(args: &Serve) -> Options {
    let own = nix::unistd::geteuid().as_raw();
    let allowed_uids = if args.allow_uid.is_empty() {
        vec![own, 0]
    } else {
        args.allow_uid.clone()
    };
    let tls = args
        .tls_cert
        .clone()
        .zip(args.tls_key.clone())
        .map(|(certificate, key)| Tls {
            certificate,
            key,
            client_authority: args.tls_client_ca.clone(),
        });
    Options {
        token_file: args.token_file.clone(),
        allowed_uids,
        tls,
    }
}

/// The flag or its variable, else the older `DESKTOP_W` and `DESKTOP_H`.
fn geometry(given: Option<Size>) -> Result<Size, Error> {
    let (width, height) = (std::env::var("DESKTOP_W"), std::env::var("DESKTOP_H"));
    match (given, width, height) {
        (Some(size), _, _) => Ok(size),
        (None, Ok(width), Ok(height)) => config::parse_size(&format!("{width}x{height}"))
            .map_err(|error| Error::new(Exit::Usage, format!("DESKTOP_W and DESKTOP_H: {error}"))),
        _ => Ok(DEFAULT_GEOMETRY),
    }
}
