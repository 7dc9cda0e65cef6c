//! The lock that allows one init per display, and the removal of stale X lock files.

use std::{
    ffi::OsStr,
    fs::{self, File, Permissions},
    io::{self, Write},
    os::{
        fd::AsRawFd,
        unix::{
            ffi::OsStrExt,
            fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt},
        },
    },
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
    sys::socket::{
        AddressFamily, SockFlag, SockType, UnixAddr, connect, getsockopt, socket,
        sockopt::PeerCredentials,
    },
    unistd::geteuid,
};

use crate::{
    files::{self, Folder},
    processes,
};

/// Maximum length of a lock file, which holds a process id.
const LOCK_BYTES: u64 = 64;
/// Maximum wait for another init of the same display to end: ending a desktop takes some seconds.
const PATIENCE: Duration = Duration::from_secs(6);

/// Takes the lock of a display; the kernel releases it when the process ends. With `at_once`, it
/// does not wait for another init to end.
///
/// # Errors
///
/// When another init holds the lock, or the file cannot be created.
pub(super) fn take(path: &Path, at_once: bool) -> io::Result<Flock<File>> {
    let until = Instant::now() + if at_once { Duration::ZERO } else { PATIENCE };
    let mut said = false;
    // A process that can open the file can take the lock, so only the owner may open it.
    let mut options = File::options();
    options.create(true).truncate(false).write(true).mode(0o600);
    let mut file = files::open_no_link(path, &mut options)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    loop {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(mut lock) => {
                // If the disk is full, the process id cannot be written, but the lock is still
                // held.
                let written = lock.set_len(0);
                drop(written.and_then(|()| writeln!(lock, "{}", std::process::id())));
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

/// Describes the process that holds the lock.
pub(super) fn holder(path: &Path) -> String {
    let pid = read(path).trim().parse::<u32>().ok();
    match pid.filter(|pid| processes::exists(*pid)) {
        Some(pid) => format!("process {pid}"),
        None => format!(
            "its process id is not known; see `fuser {}`",
            path.display()
        ),
    }
}

/// Whether any process holds that lock.
pub(super) fn is_held(path: &Path) -> bool {
    let Ok(file) = files::open_no_link(path, File::options().read(true)) else {
        return false;
    };
    let taken = Flock::lock(file, FlockArg::LockSharedNonblock);
    taken.is_err_and(|(_, error)| error == Errno::EWOULDBLOCK)
}

/// Returns the text of a lock file; empty if it cannot be read.
fn read(path: &Path) -> String {
    let bytes = files::read_no_link(path, LOCK_BYTES).unwrap_or_default();
    String::from_utf8(bytes).unwrap_or_default()
}

/// Finds the process that listens at a socket address: its name and id, or an empty text if the
/// kernel does not report it; `None` if no process listens. Never blocks: a stopped server whose
/// queue is full counts as listening.
fn listener(address: &UnixAddr) -> io::Result<Option<String>> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    match connect(socket.as_raw_fd(), address) {
        Ok(()) => {
            let peer = getsockopt(&socket, PeerCredentials).ok();
            let pid = peer.and_then(|peer| u32::try_from(peer.pid()).ok());
            Ok(Some(pid.map_or_else(String::new, in_words)))
        }
        Err(Errno::EAGAIN) => Ok(Some(String::new())),
        Err(_) => Ok(None),
    }
}

fn in_words(pid: u32) -> String {
    format!(" ({}, process {pid})", processes::name(pid))
}

/// The folder of the X servers' sockets.
pub(super) const SOCKETS: &str = "/tmp/.X11-unix";

/// Removes a file or link that is in the place of a folder, unless it belongs to root or to us. In
/// /tmp any user can create a link, which would redirect root's operations in the folder.
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

/// Removes a socket from its folder, which must not be another user's link.
fn remove(socket: &Path) -> io::Result<()> {
    let folder = Path::new(SOCKETS);
    remove_link(folder)?;
    let name = socket.file_name().and_then(OsStr::to_str);
    match Folder::open(folder) {
        Ok(open) => open.clear(name.unwrap_or_default()),
        // Other users cannot replace a trusted link, because /tmp is sticky.
        Err(_) if is_trusted(&fs::symlink_metadata(folder)?) => set_aside(socket),
        Err(error) => Err(error),
    }
}

/// Removes a file. A folder in its place may hold a large tree, so it is renamed.
pub(super) fn set_aside(path: &Path) -> io::Result<()> {
    let parent = path.parent().unwrap_or(Path::new("/"));
    let name = path.file_name().and_then(OsStr::to_str);
    Folder::open(parent)?.clear(name.unwrap_or_default())
}

/// Whether a file belongs to root or to us.
fn is_trusted(found: &fs::Metadata) -> bool {
    [0, geteuid().as_raw()].contains(&found.uid())
}

/// The process that uses a display number.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Holder {
    /// No process uses it; leftover files were removed.
    Nobody,
    /// An X server that is not ours, with its process as far as that is known.
    Server(String),
}

/// Finds the X server that uses a display number. If there is none, removes the leftover lock file
/// and socket.
///
/// Xvfb itself takes any living process with the id in the lock file for an X server; after the
/// restart of a container that is often another program (R26). Any user can create any file in
/// /tmp. So only a socket is connected to, not a link to one, and only a process that was started
/// for this display counts as its X server.
pub(super) fn judge(display: u16) -> io::Result<Holder> {
    let socket = Path::new(SOCKETS).join(format!("X{display}"));
    let lock = PathBuf::from(format!("/tmp/.X{display}-lock"));
    let name = socket.as_os_str().as_bytes();
    let mut addresses = vec![UnixAddr::new_abstract(name)?];
    if fs::symlink_metadata(&socket).is_ok_and(|found| found.file_type().is_socket()) {
        addresses.push(UnixAddr::new(&socket)?);
    }
    for address in addresses {
        if let Some(who) = listener(&address)? {
            return Ok(Holder::Server(who));
        }
    }
    if let Ok(pid) = read(&lock).trim().parse::<u32>()
        && processes::name(pid).starts_with('X')
        && is_of_display(&processes::command_line(pid), display)
    {
        // It may just be starting and not have its sockets yet.
        return Ok(Holder::Server(in_words(pid)));
    }
    for (left, removed) in [(&lock, set_aside(&lock)), (&socket, remove(&socket))] {
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

/// Whether an X server's command line is for that display: `:N` is among its arguments, or it names
/// no display and chooses one by itself (`-displayfd`).
fn is_of_display(command: &[u8], display: u16) -> bool {
    let own = format!(":{display}");
    let mut displays = command
        .split(|byte| *byte == 0)
        .skip(1)
        .filter(|argument| argument.first() == Some(&b':'))
        .peekable();
    match displays.peek() {
        Some(_) => displays.any(|argument| argument == own.as_bytes()),
        None => command
            .split(|byte| *byte == 0)
            .any(|argument| argument == b"-displayfd"),
    }
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
        // A link that belongs to root remains.
        remove_link(&link).unwrap();
        assert!(fs::symlink_metadata(&link).is_ok());
        assert!(geteuid().is_root(), "this test gives files to others");
        lchown(&link, Some(65534), None).unwrap();
        remove_link(&link).unwrap();
        assert!(fs::symlink_metadata(&link).is_err() && there.is_dir());
    }
}
