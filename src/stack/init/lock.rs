//! One init a display, and X lock files that nobody stands behind.

use std::{
    fs::{self, File},
    io,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixStream},
    },
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use nix::fcntl::{Flock, FlockArg};

/// So long one waits for another init of the same display to end.
const PATIENCE: Duration = Duration::from_secs(45);

/// Takes the lock of a display; it goes with the process.
///
/// # Errors
///
/// When another init holds it for longer than 45 s, or the file cannot be made.
pub(super) fn take(path: &Path) -> io::Result<Flock<File>> {
    let until = Instant::now() + PATIENCE;
    let mut file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)?;
    loop {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(lock),
            Err((again, nix::errno::Errno::EWOULDBLOCK)) if Instant::now() < until => file = again,
            Err((_, error)) => return Err(error.into()),
        }
        thread::sleep(Duration::from_millis(50));
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
