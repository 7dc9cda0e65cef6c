//! One init a display, and X lock files that nobody stands behind.

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
    // Whoever can open it can take the lock: nobody else may.
    let mut options = File::options();
    options.create(true).truncate(false).write(true).mode(0o600);
    let mut file = files::open_no_link(path, &mut options)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    loop {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(mut lock) => {
                // On a full disk it is a lock all the same.
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

/// The holder of the lock, in words.
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

/// Whether a process holds that lock now.
pub(super) fn is_held(path: &Path) -> bool {
    let Ok(file) = files::open_no_link(path, File::options().read(true)) else {
        return false;
    };
    let taken = Flock::lock(file, FlockArg::LockSharedNonblock);
    taken.is_err_and(|(_, error)| error == Errno::EWOULDBLOCK)
}

/// The text of a lock file; empty for what is none.
fn read(path: &Path) -> String {
    let bytes = files::read_no_link(path, LOCK_BYTES).unwrap_or_default();
    String::from_utf8(bytes).unwrap_or_default()
}

/// Who listens there: a process's name and number, empty where the kernel does not say.
/// Never waits: a server that is stopped, and whose queue is full, listens, too.
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
        Ok(open) => open.clear(name.unwrap_or_default()),
        // Nobody else can put another link in place of a trusted one: /tmp is sticky.
        Err(_) if is_trusted(&fs::symlink_metadata(folder)?) => set_aside(socket),
        Err(error) => Err(error),
    }
}

/// Removes a file. A folder in its place may hold a large tree: it is renamed.
pub(super) fn set_aside(path: &Path) -> io::Result<()> {
    let parent = path.parent().unwrap_or(Path::new("/"));
    let name = path.file_name().and_then(OsStr::to_str);
    Folder::open(parent)?.clear(name.unwrap_or_default())
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
    /// A living X server that is not ours, and which process it is, as far as that is known.
    Server(String),
}

/// Looks who holds the display, and removes lock and socket when nobody does.
///
/// Xvfb itself takes any living process of the lock's number for a server; after
/// a restart of a container that is often another program (R26). And anybody may put
/// anything in /tmp: only a socket is connected to, a link to another one is none, and only a
/// process that was started for this display is an X server of it.
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
        // It may just be starting, before its sockets.
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

/// Whether an X server was started for that display: `:N` is among its arguments, or none
/// is a display and it chooses by itself (`-displayfd`).
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
        // An administrator's stays.
        remove_link(&link).unwrap();
        assert!(fs::symlink_metadata(&link).is_ok());
        assert!(geteuid().is_root(), "this test gives files to others");
        lchown(&link, Some(65534), None).unwrap();
        remove_link(&link).unwrap();
        assert!(fs::symlink_metadata(&link).is_err() && there.is_dir());
    }
}
