//! `deskd serve`: the daemon, and with `--stack` the init that starts it.

use std::{
    io,
    os::{fd::AsFd, unix::net::UnixStream},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{
    call,
    exit::{CliError, Exit},
    http::http_options,
    programs,
    serve_args::{ProfileArg, ServeArgs, StackArg},
    serve_stack::{become_init, check_session, geometry},
    service,
};
use crate::{
    config::Address,
    frame::CaptureMode,
    helper::Helper,
    memory, metrics,
    rpc::{self, Listener, Recorder, RecorderOptions, ServerOptions, ServerTls, http::HttpServer},
    session::Session,
    stack::{Stack, init},
    telemetry,
    x11::{Display, ServerOwner, Trust},
};

/// The size at which the log of a daemon that `up` started is truncated, because no other program
/// rotates it.
const LOG_BYTES: u64 = 16 << 20;

/// Maximum size of a log in the folder of `--log-dir`.
const LOG_DIR_BYTES: u64 = 1 << 30;
/// Maximum size of a log beside the socket, where the file system is often in memory.
const BESIDE_BYTES: u64 = 64 << 20;
/// Maximum time for the logs to be written when the daemon ends.
const LOGS_END: Duration = Duration::from_secs(1);

/// Runs until SIGTERM or SIGINT.
pub(super) fn run(args: Box<ServeArgs>) -> Result<Exit, CliError> {
    memory::keep_small();
    // Another daemon of the display recognizes this one by its name, also if its file has another.
    nix::sys::prctl::set_name(c"deskd")
        .map_err(|error| CliError::new(Exit::Local, error.to_string()))?;
    // It is kept until the end, where its drop writes the remaining lines.
    let _log = telemetry::start(args.log_format, &args.log, args.by_up.then_some(LOG_BYTES));
    metrics::start();
    let manages = args.stack() != StackArg::None;
    check_session(&args)?;
    let geometry = geometry(args.geometry)?;
    let of_a_stack = [
        ("--dpi", args.dpi.is_some()),
        ("--max-geometry", args.max_geometry.is_some()),
        ("--desktop-user", args.desktop_user.is_some()),
        ("--background", args.background.is_some()),
        ("--vnc", args.vnc),
    ];
    let given = of_a_stack.iter().filter(|(_, is_given)| *is_given);
    for (flag, _) in given.filter(|_| !manages) {
        tracing::warn!("{flag} means nothing without --stack");
    }
    if manages && !args.supervised {
        return become_init(&args, geometry);
    }
    if args.supervised {
        // The signal mask must be changed before any thread is started.
        init::unblock_signals()
            .map_err(|error| CliError::new(Exit::Local, format!("cannot start: {error}")))?;
    }
    let display = call::display(args.display)?;
    let profile = args.profile.unwrap_or(match args.stack() {
        StackArg::Xfce => ProfileArg::Xfce,
        StackArg::Command | StackArg::None => ProfileArg::Any,
    });
    let addresses = if args.listen.is_empty() {
        vec![call::default_address()]
    } else {
        args.listen.clone()
    };
    // A wrong token file is reported before the daemon listens.
    args.token_file
        .as_deref()
        .map(rpc::Token::read)
        .transpose()?;
    // No child of the daemon needs privileges; the init, which starts the desktop, is another
    // process. This fails only on kernels without it.
    if let Err(error) = nix::sys::prctl::set_no_new_privs() {
        tracing::warn!("privileges can be gained: {error}");
    }
    let mut listeners = Vec::new();
    for address in &addresses {
        listeners.push(Listener::bind(
            address,
            args.socket_mode,
            args.token_file.is_some(),
        )?);
    }
    let local = |error: &dyn std::fmt::Display| {
        CliError::new(Exit::Local, format!("cannot start: {error}"))
    };
    // The metrics need no token, because they contain no secrets.
    let metrics = args
        .metrics
        .as_ref()
        .map(|address| Listener::bind(address, 0, true));
    let metrics = metrics.transpose()?;
    let http = args
        .http
        .as_ref()
        .map(|address| Listener::bind(address, 0, true));
    let http = http.transpose()?;
    // Pixels and blocking waits have threads of their own. One thread suffices for the sockets:
    // with two, each answer passes between them (docs/design/2026-11-26-connections.md). The
    // blocking threads are few, because each keeps memory of the frames that it encoded.
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .max_blocking_threads(cores + 2)
        .thread_name("deskd")
        .enable_all()
        .build()
        .map_err(|error| local(&error))?;
    let shutdown = CancellationToken::new();
    let capture = CaptureMode::from(args.capture_mode);
    // With `--stack`, the daemon uses only its own X server, not another one with the same number.
    let owner = if manages {
        ServerOwner::nobody()
    } else {
        ServerOwner::anybody()
    };
    // The record of the paint proof is a file beside the socket, in the daemon's own folder.
    let socket = addresses.iter().find_map(|address| match address {
        Address::Unix(path) => Some(path),
        Address::Tcp { .. } => None,
    });
    let beside = |end: &str| {
        socket.map(|path| {
            let mut name = path.as_os_str().to_owned();
            name.push(end);
            std::path::PathBuf::from(name)
        })
    };
    let trust = Trust::kept_in(beside(".proof").as_deref());
    let display =
        Display::open(display, capture.into(), owner, trust).map_err(|error| local(&error))?;
    let display = Arc::new(display);
    let stack = if manages {
        let _runtime = runtime.enter();
        Some(to_init(&display).map_err(|error| local(&error))?)
    } else {
        None
    };
    let (stack, init) = stack.unzip();
    let helper = args.session_helper.clone();
    let helper = Helper::new(helper.or_else(programs::default_socket));
    let session = Session::new(
        display,
        profile.into(),
        (stack, helper),
        geometry,
        beside(".control"),
        shutdown.clone(),
    )
    .map_err(|error| local(&error))?;
    for listener in &listeners {
        tracing::info!(
            address = %listener.address(), version = env!("CARGO_PKG_VERSION"),
            instance = session.instance_id(), "listening"
        );
    }
    if let Some(listener) = &metrics {
        tracing::info!(address = %listener.address(), "metrics");
    }
    if let Some(listener) = &http {
        let (mcp, viewer) = (args.mcp, args.viewer_key_file.is_some());
        tracing::info!(address = %listener.address(), mcp, viewer, "HTTP");
    }
    let options = options(&args)?;
    let http = match http {
        Some(listener) => Some((listener, http_options(&args, &options, socket)?)),
        None => None,
    };
    let recorder = recorder(&args, &session, beside(".logs"));
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
            service::stopping();
            stop.cancel();
        });
        // The daemon ends with the init, because otherwise nothing would end the desktop.
        let gone = shutdown.clone();
        let init = init.map(|init| {
            tokio::spawn(async move {
                drop(init.await);
                gone.cancel();
            })
        });
        // Without its files, a viewer that the operator asked for would silently be missing.
        let http = http.map(|(listener, options)| {
            let (session, recorder) = (session.clone(), Arc::clone(&recorder));
            HttpServer::new(listener, session, recorder, options, shutdown.clone())
        });
        let http = http.transpose()?;
        if args.log_dir.is_some() {
            // A disk that hangs must not keep the daemon from its end.
            tokio::select! {
                started = recorder.start_own() => started.map_err(|error| local(&error))?,
                () = shutdown.cancelled() => {}
            }
        }
        session.bring_up.begin().await;
        let painted = tokio::spawn(Arc::clone(&session.bring_up).keep_painted());
        // With `--read-only`, the daemon releases no input that an earlier instance left held.
        let clean =
            (!args.read_only).then(|| tokio::spawn(Arc::clone(&session.input).keep_hands_clean()));
        let leases = tokio::spawn(Arc::clone(&session.control).keep());
        // Held input is released while calls in progress still end.
        let (stopping, holder) = (shutdown.clone(), Arc::clone(&session.input));
        let released = tokio::spawn(async move {
            stopping.cancelled().await;
            holder.let_go().await;
        });
        if let Some(listener) = metrics {
            let served = rpc::serve_metrics(listener, session.clone(), shutdown.clone());
            tokio::spawn(served);
        }
        if let Some(http) = http {
            tokio::spawn(http.serve());
        }
        let told = tokio::spawn(service::tell(Arc::clone(&session.capture)));
        let served = rpc::serve(
            listeners,
            session,
            Arc::clone(&recorder),
            options,
            shutdown.clone(),
        )
        .await;
        told.abort();
        if let Some(clean) = clean {
            clean.abort();
        }
        shutdown.cancel();
        drop(released.await);
        // The disk may hang.
        drop(tokio::time::timeout(LOGS_END, recorder.end_all()).await);
        leases.abort();
        signals.abort();
        painted.abort();
        if let Some(init) = init {
            init.abort();
        }
        served.map_err(CliError::from)
    });
    // A thread that is blocked by a hung X server must not delay the exit.
    runtime.shutdown_background();
    served.map(|()| Exit::Done)
}

/// Creates the recorder. Without `--log-dir`, the logs of callers lie beside the socket.
fn recorder(args: &ServeArgs, session: &Session, beside: Option<PathBuf>) -> Arc<Recorder> {
    let options = RecorderOptions {
        folder: args.log_dir.clone().or(beside),
        max_bytes: args.log_max_bytes.unwrap_or(match args.log_dir {
            Some(_) => LOG_DIR_BYTES,
            None => BESIDE_BYTES,
        }),
        typed_text: args.log_typed_text,
    };
    Recorder::new(session.clone(), options)
}

/// Connects to the init. The daemon's end of the socket pair is its standard input.
fn to_init(display: &Arc<Display>) -> io::Result<(Stack, tokio::task::JoinHandle<()>)> {
    let socket = io::stdin().as_fd().try_clone_to_owned()?;
    let (display, owner) = (Arc::clone(display), display.owner().clone());
    let works = move || display.works();
    Stack::connect(UnixStream::from(socket), works, move |pid| owner.set(pid))
}

fn options(args: &ServeArgs) -> Result<ServerOptions, CliError> {
    let own = nix::unistd::geteuid().as_raw();
    let mut allowed_uids = if args.allow_uid.is_empty() {
        vec![own, 0]
    } else {
        args.allow_uid.clone()
    };
    // The MCP server is a client of its own daemon.
    if args.mcp && !allowed_uids.contains(&own) {
        allowed_uids.push(own);
    }
    let tls = args
        .tls_cert
        .clone()
        .zip(args.tls_key.clone())
        .map(|(certificate, key)| ServerTls {
            certificate,
            key,
            client_authority: args.tls_client_ca.clone(),
        });
    // Only `STREAM_PORT` indicates that the program on that port is a viewer.
    let viewer = call::variable("STREAM_PORT").map(|_| call::viewer_port());
    Ok(ServerOptions {
        token_file: args.token_file.clone(),
        allowed_uids,
        tls,
        read_only: args.read_only,
        ends_with_stack: args.by_up,
        viewer_port: viewer.transpose()?,
    })
}
