//! One init a display, and X lock files that nobody stands behind.

use std::{
    fs::{self, File},
    io::{self, Write},
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixStream},
    },
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
};

/// So long one waits for another init of the same display to end: it takes some
/// seconds to end a desktop.
const PATIENCE: Duration = Duration::from_secs(6);

/// Takes the lock of a display; it goes with the process. With `at_once`, nobody
/// is waited for.
///
/// # Errors
///
/// When another init holds it, or the file cannot be made.
pub(super) fn take(path: &Path, at_once: bool) -> io::Result<Flock<File>> {
    let until = Instant::now() + if at_once { Duration::ZERO } else { PATIENCE };
    let mut said = false;
    let mut file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)?;
    loop {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(mut lock) => {
                lock.set_len(0)?;
                writeln!(lock, "{}", std::process::id())?;
                return Ok(lock);
            }
            Err((again, Errno::EWOULDBLOCK)) if Instant::now() < until => {
                if !said {
                    let holder = holder(path);
                    tracing::warn!(
                        "another deskd ({holder}) manages the display: waiting for its end"
                    );
                    said = true;
                }
                file = again;
            }
            Err((_, error)) => return Err(error.into()),
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// Who holds the lock, in words.
pub(super) fn holder(path: &Path) -> String {
    let pid = fs::read_to_string(path).unwrap_or_default();
    match pid.trim() {
        "" => "its process id is not known".into(),
        pid => format!("process {pid}"),
    }
}

/// Who stands behind a display number.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Holder {
    /// Nobody: what was left is removed.
    Nobody,
    /// A living X server that is not ours.
    Server,
}

/// Looks who holds the display, and removes lock and socket when nobody does.
///
/// Xvfb itself takes any living process of the lock's number for a server; after
/// a restart of a container that is often another program (R26).
pub(super) fn judge(display: u16) -> io::Result<Holder> {
    let socket = PathBuf::from(format!("/tmp/.X11-unix/X{display}"));
    let lock = PathBuf::from(format!("/tmp/.X{display}-lock"));
    if UnixStream::connect(&socket).is_ok() {
        return Ok(Holder::Server);
    }
    let name = socket.as_os_str().as_encoded_bytes();
    let address = SocketAddr::from_abstract_name(name)?;
    if UnixStream::connect_addr(&address).is_ok() {
        return Ok(Holder::Server);
    }
    let text = fs::read_to_string(&lock).unwrap_or_default();
    if let Ok(pid) = text.trim().parse::<u32>() {
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        // It may just be starting, before its sockets.
        if name.starts_with('X') {
            return Ok(Holder::Server);
        }
    }
    for left in [&lock, &socket] {
        match fs::remove_file(left) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                let why = format!("{} cannot be removed: {error}", left.display());
                return Err(io::Error::new(error.kind(), why));
            }
            _ => {}
        }
    }
    Ok(Holder::Nobody)
}
