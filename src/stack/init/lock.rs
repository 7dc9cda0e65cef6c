//! One init a display, and X lock files that nobody stands behind.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{self, Write},
    os::{
        fd::AsRawFd,
        unix::{ffi::OsStrExt, fs::MetadataExt},
    },
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
    sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket},
    unistd::geteuid,
};

use crate::files::{self, Folder};

/// A lock file holds a process id and is no longer than this.
const LOCK_BYTES: u64 = 64;
/// Maximum wait for another init of the same display to end: it takes some seconds to end a
/// desktop.
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
    let mut file = files::open_no_link(
        path,
        File::options().create(true).truncate(false).write(true),
    )?;
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

/// The holder of the lock, in words.
pub(super) fn holder(path: &Path) -> String {
    match read(path).trim() {
        "" => "its process id is not known".into(),
        pid => format!("process {pid}"),
    }
}

/// The text of a lock file; empty for what is none.
fn read(path: &Path) -> String {
    let bytes = files::read_no_link(path, LOCK_BYTES).unwrap_or_default();
    String::from_utf8(bytes).unwrap_or_default()
}

/// Whether somebody listens there. Never waits: a server that is stopped, and whose queue is
/// full, listens, too.
fn accepts(address: &UnixAddr) -> io::Result<bool> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    match connect(socket.as_raw_fd(), address) {
        Ok(()) | Err(Errno::EAGAIN) => Ok(true),
        Err(_) => Ok(false),
    }
}

/// The folder of the X servers' sockets.
pub(super) const SOCKETS: &str = "/tmp/.X11-unix";

/// Removes a file or link in place of a folder, unless it belongs to root or to us. In /tmp
/// anybody may make a link, and root's work in the folder would happen elsewhere.
pub(super) fn remove_link(folder: &Path) -> io::Result<()> {
    let Ok(found) = fs::symlink_metadata(folder) else {
        return Ok(());
    };
    if found.is_dir() || is_trusted(&found) {
        return Ok(());
    }
    fs::remove_file(folder).map_err(|error| {
        let why = format!(
            "{} is another user's file or link, and cannot be removed: {error}",
            folder.display()
        );
        io::Error::new(error.kind(), why)
    })
}

/// Removes a socket from its folder, which must be no link of a stranger's.
fn remove(socket: &Path) -> io::Result<()> {
    let folder = Path::new(SOCKETS);
    remove_link(folder)?;
    let name = socket.file_name().and_then(OsStr::to_str);
    match Folder::open(folder) {
        Ok(open) => open.remove(name.unwrap_or_default()),
        // Nobody else can put another link in place of a trusted one: /tmp is sticky.
        Err(_) if is_trusted(&fs::symlink_metadata(folder)?) => fs::remove_file(socket),
        Err(error) => Err(error),
    }
}

/// Whether it belongs to root, or to us.
fn is_trusted(found: &fs::Metadata) -> bool {
    [0, geteuid().as_raw()].contains(&found.uid())
}

/// The owner of a display number.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Holder {
    /// None: leftover files are removed.
    Nobody,
    /// A living X server that is not ours.
    Server,
}

/// Looks who holds the display, and removes lock and socket when nobody does.
///
/// Xvfb itself takes any living process of the lock's number for a server; after
/// a restart of a container that is often another program (R26).
pub(super) fn judge(display: u16) -> io::Result<Holder> {
    let socket = Path::new(SOCKETS).join(format!("X{display}"));
    let lock = PathBuf::from(format!("/tmp/.X{display}-lock"));
    let name = socket.as_os_str().as_bytes();
    if accepts(&UnixAddr::new(&socket)?)? || accepts(&UnixAddr::new_abstract(name)?)? {
        return Ok(Holder::Server);
    }
    if let Ok(pid) = read(&lock).trim().parse::<u32>() {
        let name = fs::read(format!("/proc/{pid}/comm")).unwrap_or_default();
        // It may just be starting, before its sockets.
        if name.starts_with(b"X") {
            return Ok(Holder::Server);
        }
    }
    for (left, removed) in [(&lock, fs::remove_file(&lock)), (&socket, remove(&socket))] {
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                let why = format!("{} cannot be removed: {error}", left.display());
                return Err(io::Error::new(error.kind(), why));
            }
            _ => {}
        }
    }
    Ok(Holder::Nobody)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{lchown, symlink};

    use super::*;

    #[test]
    fn a_strangers_link_is_no_folder() {
        let place = tempfile::tempdir().unwrap();
        let (there, link) = (place.path().join("there"), place.path().join("link"));
        fs::create_dir(&there).unwrap();
        remove_link(&link).unwrap();
        remove_link(&there).unwrap();
        symlink(&there, &link).unwrap();
        // An administrator's stays.
        remove_link(&link).unwrap();
        assert!(fs::symlink_metadata(&link).is_ok());
        assert!(geteuid().is_root(), "this test gives files to others");
        lchown(&link, Some(65534), None).unwrap();
        remove_link(&link).unwrap();
        assert!(fs::symlink_metadata(&link).is_err() && there.is_dir());
    }
}
