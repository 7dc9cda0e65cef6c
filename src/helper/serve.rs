//! The process of the desktop's user: it answers the daemon's requests.

use std::{
    cell::RefCell,
    ffi::OsString,
    fmt, io,
    os::{fd::OwnedFd, unix::net::UnixListener as StdListener},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{UnixListener, UnixStream},
    sync::{Mutex, Semaphore},
    task::LocalSet,
};

use super::{
    launch::{Launches, start},
    mark,
    wire::{Answer, Call, MAX_LINE, RefusedReason, Request, VERSION, monotonic_ms},
};

/// Maximum number of connections that are served at a time; further ones wait.
const MAX_CONNECTIONS: usize = 16;
/// Maximum time of one request and its answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why the helper ended, or did not start.
#[derive(Debug, thiserror::Error)]
pub enum HelperExit {
    /// Another helper serves the socket.
    #[error("another session helper serves {}: end that first", .0.display())]
    InUse(PathBuf),
    /// The socket cannot be used.
    #[error("the socket cannot be used: {0}")]
    Socket(io::Error),
    /// The display cannot be reached.
    #[error("{0}")]
    NoDisplay(String),
    /// The display ended, and with it the session.
    #[error("the display ended")]
    DisplayEnded,
    /// The session cannot be started.
    #[error("{0}")]
    NoSession(String),
    /// The session that the helper started has ended.
    #[error("the session ended: {0}")]
    SessionEnded(ExitStatus),
    /// A system call failed.
    #[error(transparent)]
    System(io::Error),
}

/// The event that ends the helper, besides a signal.
pub enum Lifetime<'a> {
    /// Nothing.
    Endless,
    /// The end of the display, for which this blocks. An error says why it cannot be reached.
    Display(Arc<dyn Fn() -> Result<(), String> + Send + Sync>),
    /// The end of this program, which the helper starts: the session.
    Session(&'a [OsString]),
}

impl fmt::Debug for Lifetime<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lifetime").finish_non_exhaustive()
    }
}

/// Serves until this process is killed, or `lifetime` ends. `socket`: the path to listen at; `None`:
/// standard input is a socket that listens.
pub fn run(socket: Option<&Path>, lifetime: &Lifetime<'_>) -> HelperExit {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return HelperExit::System(error),
    };
    let served: Result<HelperExit, _> = runtime.block_on(LocalSet::new().run_until(async {
        let listener = match socket {
            Some(path) => bind(path)?,
            None => inherited().map_err(HelperExit::Socket)?,
        };
        listener.set_nonblocking(true).map_err(HelperExit::Socket)?;
        let listener = UnixListener::from_std(listener).map_err(HelperExit::Socket)?;
        // The init waits for a line.
        println!("listening");
        tokio::select! {
            error = serve(listener) => Err(HelperExit::Socket(error)),
            exit = end_of(lifetime) => Err(exit),
        }
    }));
    runtime.shutdown_background();
    match served {
        Ok(never) => never,
        Err(exit) => exit,
    }
}

async fn end_of(lifetime: &Lifetime<'_>) -> HelperExit {
    match lifetime {
        Lifetime::Endless => std::future::pending().await,
        Lifetime::Display(wait) => {
            let wait = Arc::clone(wait);
            match tokio::task::spawn_blocking(move || wait()).await {
                Ok(Ok(())) => HelperExit::DisplayEnded,
                Ok(Err(why)) => HelperExit::NoDisplay(why),
                Err(error) => HelperExit::System(io::Error::other(error)),
            }
        }
        Lifetime::Session(words) => {
            let Some((program, arguments)) = words.split_first() else {
                return HelperExit::System(io::ErrorKind::InvalidInput.into());
            };
            let mut session = tokio::process::Command::new(program);
            session.args(arguments).stdin(Stdio::null());
            match session.status().await {
                Ok(status) => HelperExit::SessionEnded(status),
                Err(error) => {
                    let why = format!("{} cannot be started: {error}", program.display());
                    HelperExit::NoSession(why)
                }
            }
        }
    }
}

/// Takes the listening socket that the init or systemd put on standard input.
fn inherited() -> io::Result<StdListener> {
    use std::os::fd::AsFd as _;
    let socket: OwnedFd = io::stdin().as_fd().try_clone_to_owned()?;
    let listener = StdListener::from(socket);
    // A file or a pipe is no socket.
    listener.local_addr()?;
    Ok(listener)
}

/// Listens at a path, for this user and root.
fn bind(path: &Path) -> Result<StdListener, HelperExit> {
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        return Err(HelperExit::InUse(path.to_owned()));
    }
    let is_socket = path
        .symlink_metadata()
        .is_ok_and(|found| std::os::unix::fs::FileTypeExt::is_socket(&found.file_type()));
    if is_socket {
        // Left by a helper that was killed.
        drop(std::fs::remove_file(path));
    }
    let mask = nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o177));
    let bound = StdListener::bind(path);
    nix::sys::stat::umask(mask);
    bound.map_err(|error| {
        let why = format!("{}: {error}", path.display());
        HelperExit::Socket(io::Error::new(error.kind(), why))
    })
}

async fn serve(listener: UnixListener) -> io::Error {
    let launches = Rc::new(RefCell::new(Launches::default()));
    let starting = Rc::new(Mutex::new(()));
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return io::Error::other("the semaphore is closed");
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let (launches, starting) = (Rc::clone(&launches), Rc::clone(&starting));
                tokio::task::spawn_local(async move {
                    // Whoever disconnects early wants no answer.
                    let _ = tokio::time::timeout(PATIENCE, answer_one(stream, launches, starting))
                        .await;
                    drop(place);
                });
            }
            // No descriptors are left; the next attempt may find one.
            Err(error) if error.raw_os_error() == Some(libc::EMFILE) => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Err(error) => return error,
        }
    }
}

async fn answer_one(
    mut stream: UnixStream,
    launches: Rc<RefCell<Launches>>,
    starting: Rc<Mutex<()>>,
) -> io::Result<()> {
    let answer = match read_request(&mut stream).await? {
        Ok(request) => answer(request, &launches, &starting).await,
        Err(message) => Answer::Refused {
            reason: RefusedReason::Protocol,
            message,
        },
    };
    let mut line = serde_json::to_vec(&answer)?;
    line.push(b'\n');
    stream.write_all(&line).await?;
    stream.shutdown().await
}

async fn read_request(stream: &mut UnixStream) -> io::Result<Result<Request, String>> {
    let mut line = Vec::new();
    let mut limited = stream.take(MAX_LINE as u64);
    while !line.ends_with(b"\n") {
        if limited.read_buf(&mut line).await? == 0 {
            let why = match limited.limit() {
                0 => format!("a request has at most {MAX_LINE} bytes"),
                _ => "the request does not end with a line feed".to_owned(),
            };
            return Ok(Err(why));
        }
    }
    let request = match serde_json::from_slice::<Request>(&line) {
        Ok(request) => request,
        // The error may quote the request.
        Err(_) => return Ok(Err("the request cannot be read".into())),
    };
    if request.version != VERSION {
        let why = format!(
            "the daemon has version {} of this protocol, and the helper {VERSION}: restart both",
            request.version
        );
        return Ok(Err(why));
    }
    Ok(Ok(request))
}

async fn answer(
    request: Request,
    launches: &Rc<RefCell<Launches>>,
    starting: &Mutex<()>,
) -> Answer {
    let refused = |(reason, message)| Answer::Refused { reason, message };
    match request.call {
        Call::Launch(launch) => {
            // One at a time: a repeated operation id must find the first.
            let _starting = starting.lock().await;
            let started = start(launches, &launch, request.until_ms).await;
            started.map_or_else(refused, Answer::Program)
        }
        _ if monotonic_ms() > request.until_ms => refused((
            RefusedReason::Late,
            "the session helper read the request too late".into(),
        )),
        Call::Get { id } => launches.borrow().get(&id),
        Call::List => launches.borrow().all(),
        Call::Whose { pids } => Answer::Owners(pids.into_iter().map(mark::of).collect()),
        Call::Output { id } => launches.borrow().output(&id),
        Call::Signal { id, signal } => launches.borrow().signal(&id, signal),
    }
}
