//! The users that the processes run as, and the paths of their files.

use std::{
    ffi::OsString,
    fs, io,
    os::unix::net::UnixListener,
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
    time::Duration,
};

use nix::unistd::{User, geteuid};

use super::lock;
use crate::{
    config::Address,
    files::{FileOwner, Folder, make_folder, set_mode},
    frame::Size,
    wallpaper::Background,
};

/// Maximum wait for the removal of an earlier desktop's files.
const REMOVED: Duration = Duration::from_secs(1);

/// Options of the stack, from the command line.
#[derive(Debug, Clone)]
pub struct StackOptions {
    /// The display's number.
    pub display: u16,
    /// The screen's initial size.
    pub geometry: Size,
    /// The largest size to which the screen can grow without a restart of the X server.
    pub max_geometry: Size,
    /// Dots per inch.
    pub dpi: u32,
    /// The desktop's user. `None`: if deskd is root, the user called "desktop" if that exists, else
    /// deskd's own user.
    pub desktop_user: Option<String>,
    /// Whether x11vnc and noVNC are started.
    pub vnc: bool,
    /// The viewer's port.
    pub viewer_port: u16,
    /// The command line of the session, which a shell runs; `None` for XFCE.
    pub session: Option<String>,
    /// The background; `None` for the session's own.
    pub background: Option<Background>,
    /// Further variables that the desktop's programs get: `NAME` of deskd's environment, `NAME*` for
    /// all names with that prefix, or `NAME=VALUE`.
    pub session_env: Vec<String>,
    /// Whether no program of the desktop can gain privileges, for example by sudo.
    pub no_new_privs: bool,
    /// The addresses at which the daemon listens.
    pub listen: Vec<Address>,
    /// The arguments of the daemon.
    pub daemon: Vec<OsString>,
}

/// The reason why the stack cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// No such user.
    #[error("there is no user {0:?}: create it, or give another --desktop-user")]
    NoUser(String),
    /// Only root can start programs as another user.
    #[error("--desktop-user {0:?} needs root: start deskd as root, or as that user")]
    NotRoot(String),
    /// A file or folder cannot be created.
    #[error("{} cannot be made: {source}{}", path.display(), advice(source))]
    File {
        /// Its path.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The picture of the background cannot be drawn.
    #[error("{0}")]
    Background(String),
    /// The system provides no randomness.
    #[error("no randomness for the cookie: {0}")]
    Random(#[from] getrandom::Error),
    /// The user database cannot be read.
    #[error("the user database cannot be read: {0}")]
    Users(#[from] nix::Error),
}

/// The advice for an error at the creation of a file.
fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "; make room",
        io::ErrorKind::ReadOnlyFilesystem => "; mount it for writing",
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
            "; something else is there: move it away"
        }
        io::ErrorKind::PermissionDenied => "; let its user enter its folder and write there",
        _ => "; is the disk full or read-only?",
    }
}

/// A user that a process runs as.
#[derive(Debug, Clone)]
pub(super) struct UserAccount {
    pub(super) name: String,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) home: PathBuf,
    pub(super) shell: PathBuf,
}

impl UserAccount {
    /// The user and group ids, as on the command line.
    pub(super) fn ids(&self) -> String {
        format!("{}:{}", self.uid, self.gid)
    }

    fn owner(&self) -> FileOwner {
        FileOwner {
            uid: self.uid,
            gid: self.gid,
        }
    }
}

impl From<User> for UserAccount {
    fn from(user: User) -> Self {
        Self {
            name: user.name,
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
            home: user.dir,
            shell: user.shell,
        }
    }
}

/// Everything that the init needs to start the stack.
#[derive(Debug)]
pub struct StackPlan {
    pub(super) options: StackOptions,
    pub(super) desktop: UserAccount,
    pub(super) daemon: UserAccount,
    /// Whether the init is root and can start processes as other users.
    pub(super) is_root: bool,
    /// The lock file; its path is also the beginning of every mark.
    pub(super) lock: PathBuf,
    /// The desktop's `XDG_RUNTIME_DIR`.
    pub(super) desktop_dir: PathBuf,
    /// The cookie files of the desktop and of the daemon.
    pub(super) desktop_cookie: PathBuf,
    pub(super) daemon_cookie: PathBuf,
    /// The socket of the session helper, which only the daemon can connect to.
    pub(super) helper_socket: PathBuf,
}

impl StackPlan {
    /// Finds the users, and creates the folder of the lock file.
    ///
    /// # Errors
    ///
    /// When a user does not exist, or the folder cannot be created.
    pub fn new(mut options: StackOptions) -> Result<Self, PlanError> {
        let own = own()?;
        let is_root = geteuid().is_root();
        let named = |name: &str| User::from_name(name).map(|user| user.map(UserAccount::from));
        let mut desktop = match &options.desktop_user {
            Some(name) => {
                let user = named(name)?.ok_or_else(|| PlanError::NoUser(name.clone()))?;
                if !is_root && user.uid != own.uid {
                    return Err(PlanError::NotRoot(name.clone()));
                }
                user
            }
            None if is_root => named("desktop")?.unwrap_or_else(|| own.clone()),
            None => own.clone(),
        };
        let daemon = if is_root {
            named("deskd")?.unwrap_or_else(|| own.clone())
        } else {
            own.clone()
        };
        let base = base_dir(is_root, own.uid);
        // The daemon creates its socket there, too.
        make_dir(&base, 0o755, is_root.then_some(&daemon))?;
        let number = options.display;
        let desktop_dir = base.join(format!("desktop-X{number}"));
        if !desktop.home.is_dir() {
            // A user such as "nobody" has no home; this one is removed with the desktop's files.
            desktop.home = desktop_dir.join("home");
        }
        let helper_socket = base.join(format!("X{number}.session"));
        let mut argument = OsString::from("--session-helper=");
        argument.push(&helper_socket);
        options.daemon.push(argument);
        Ok(Self {
            helper_socket,
            lock: base.join(format!("X{number}.lock")),
            desktop_cookie: desktop_dir.join("Xauthority"),
            daemon_cookie: base.join(format!("X{number}.Xauthority")),
            desktop_dir,
            options,
            desktop,
            daemon,
            is_root,
        })
    }

    /// Creates the folders of the display. The caller must hold the lock.
    pub(super) fn make_folders(&self) -> Result<(), PlanError> {
        let owner = self.is_root.then_some(&self.desktop);
        make_dir(&self.desktop_dir, 0o700, owner)?;
        if self.desktop.home.starts_with(&self.desktop_dir) {
            let home = &self.desktop.home;
            file_error(home, clear(home, fs::Metadata::is_dir))?;
            make_dir(&self.desktop.home, 0o700, owner)?;
        }
        if let Some(owner) = owner {
            // If this fails, a later write to the home reports the error.
            drop(adopt(&self.desktop.home, owner.owner()));
        }
        self.make_socket_dirs()
    }

    /// Removes the files of the last desktop, except a home that was created here. The user may
    /// have created a tree that takes long to remove: the init waits for at most a second, and the
    /// removal continues while this process lives.
    pub(super) fn remove_folders(&self) {
        // A file that cannot be removed remains for the next desktop.
        drop(fs::remove_file(&self.daemon_cookie));
        let base = self.lock.parent().unwrap_or(Path::new("/"));
        let prefix = format!("left-X{}.", self.options.display);
        let number = getrandom::u64().unwrap_or_default();
        let left = base.join(format!("{prefix}{number:016x}"));
        if fs::rename(&self.desktop_dir, &left).is_ok()
            && let Ok(home) = self.desktop.home.strip_prefix(&self.desktop_dir)
            && fs::symlink_metadata(left.join(home)).is_ok()
        {
            let owner = self.is_root.then_some(&self.desktop);
            let made = make_dir(&self.desktop_dir, 0o700, owner);
            drop(made.map(|()| fs::rename(left.join(home), &self.desktop.home)));
        }
        let entries = fs::read_dir(base).into_iter().flatten();
        let entries = entries.filter_map(Result::ok);
        let is_left = |entry: &fs::DirEntry| {
            let name = entry.file_name();
            name.to_str().is_some_and(|name| name.starts_with(&prefix))
        };
        let left: Vec<PathBuf> = entries.filter(is_left).map(|entry| entry.path()).collect();
        let (done, removed) = mpsc::channel::<()>();
        let remove = move || {
            for folder in left {
                drop(fs::remove_dir_all(folder));
            }
            drop(done);
        };
        if thread::Builder::new().spawn(remove).is_ok() {
            // The wait ends when the thread has finished, or after `REMOVED`.
            let _ = removed.recv_timeout(REMOVED);
        }
    }

    /// Creates the socket at which the session helper is reached. It belongs to the init, so a call
    /// waits while the helper is started again.
    pub(super) fn helper_listener(&self) -> Result<UnixListener, PlanError> {
        let path = &self.helper_socket;
        let listen = || {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let listener = UnixListener::bind(path)?;
            // Only the daemon's user and root can enter the folder to replace the file.
            set_mode(path, 0o600)?;
            if self.is_root {
                std::os::unix::fs::chown(path, Some(self.daemon.uid), Some(self.daemon.gid))?;
            }
            Ok(listener)
        };
        file_error(path, listen())
    }

    /// Returns the mark of a component's processes.
    pub(super) fn mark(&self, component: &str) -> String {
        format!("{}:{component}", self.lock.display())
    }

    /// Writes a new cookie for the X server, readable by the desktop and the daemon.
    pub(super) fn write_cookies(&self) -> Result<(), PlanError> {
        let mut cookie = [0; 16];
        getrandom::fill(&mut cookie)?;
        let host = nix::unistd::gethostname().unwrap_or_default();
        let host = std::os::unix::ffi::OsStrExt::as_bytes(host.as_os_str());
        let file = authority(&cookie, host, self.options.display);
        self.write_private(&self.desktop_cookie, &file, &self.desktop)?;
        self.write_private(&self.daemon_cookie, &file, &self.daemon)
    }

    /// Writes a new password for the VNC server: 8 characters, the most that VNC uses.
    pub(super) fn write_vnc_password(&self) -> Result<(), PlanError> {
        let number = getrandom::u64()?;
        let password = format!("{:08x}\n", number & 0xffff_ffff);
        let path = self.desktop_dir.join("vnc-password");
        self.write_private(&path, password.as_bytes(), &self.desktop)
    }

    /// Writes a file for a user, in a folder that may belong to that user.
    fn write_private(
        &self,
        path: &Path,
        bytes: &[u8],
        user: &UserAccount,
    ) -> Result<(), PlanError> {
        let owner = self.is_root.then_some(user.owner());
        file_error(path, clear(path, fs::Metadata::is_file))?;
        let folder = path.parent().unwrap_or(Path::new("/"));
        let name = path.file_name().and_then(|name| name.to_str());
        Folder::open(folder)
            .and_then(|folder| folder.write_private(name.unwrap_or_default(), bytes, owner))
            .map_err(|source| PlanError::File {
                path: path.to_owned(),
                source,
            })
    }

    /// Creates the folders that hold sockets: the X server's and the daemon's.
    fn make_socket_dirs(&self) -> Result<(), PlanError> {
        let x_sockets = Path::new(lock::SOCKETS);
        if self.is_root {
            file_error(x_sockets, lock::remove_link(x_sockets))?;
        }
        if self.is_root && !x_sockets.exists() {
            make_dir(x_sockets, 0o1777, None)?;
        }
        if self.is_root
            && let Ok(folder) = Folder::open(x_sockets)
            && folder.status().is_ok_and(|status| status.st_uid == 0)
        {
            // The umask may have restricted the mode, or a copied folder may have lost it.
            drop(folder.set_mode(0o1777));
        }
        for address in &self.options.listen {
            let Address::Unix(path) = address else {
                continue;
            };
            let Some(folder) = path.parent().filter(|folder| !folder.exists()) else {
                continue;
            };
            make_dir(folder, 0o755, self.is_root.then_some(&self.daemon))?;
        }
        Ok(())
    }
}

pub(super) fn own() -> Result<UserAccount, PlanError> {
    let uid = geteuid();
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let user = User::from_uid(uid)?.map(|user| UserAccount {
        home: home.clone().unwrap_or_else(|| user.dir.clone()),
        ..UserAccount::from(user)
    });
    Ok(user.unwrap_or_else(|| UserAccount {
        // The user of a container may have no entry in the user database.
        name: uid.to_string(),
        uid: uid.as_raw(),
        gid: nix::unistd::getegid().as_raw(),
        home: home.unwrap_or_else(|| "/nonexistent".into()),
        shell: "/bin/sh".into(),
    }))
}

fn base_dir(is_root: bool, uid: u32) -> PathBuf {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    match runtime.filter(|dir| dir.is_absolute() && dir.is_dir()) {
        Some(dir) if !is_root => dir.join("deskd"),
        _ if is_root => "/run/deskd".into(),
        _ => format!("/tmp/deskd-{uid}").into(),
    }
}

/// Removes an entry at `path` that is not of the wanted kind. The desktop's user may have put
/// anything into its own folder, also a tree that takes long to remove, so a folder is renamed and
/// remains until the desktop's files are removed.
fn clear(path: &Path, is_wanted: fn(&fs::Metadata) -> bool) -> io::Result<()> {
    let Ok(found) = fs::symlink_metadata(path) else {
        return Ok(());
    };
    if is_wanted(&found) {
        return Ok(());
    }
    if !found.is_dir() {
        return fs::remove_file(path);
    }
    fs::rename(
        path,
        path.with_extension(format!("{:016x}", getrandom::u64()?)),
    )
}

fn make_dir(path: &Path, mode: u32, owner: Option<&UserAccount>) -> Result<(), PlanError> {
    file_error(path, make_folder(path, mode, owner.map(UserAccount::owner)))
}

fn file_error<T>(path: &Path, done: io::Result<T>) -> Result<T, PlanError> {
    done.map_err(|source| PlanError::File {
        path: path.to_owned(),
        source,
    })
}

/// Gives a new home to the desktop's user, with the files that it contains. A new home, such as a
/// tmpfs or a volume, belongs to root and is closed to others.
fn adopt(home: &Path, owner: FileOwner) -> io::Result<()> {
    let folder = Folder::open(home)?;
    let status = folder.status()?;
    if owner.uid == 0 || status.st_uid != 0 || status.st_mode & 0o007 != 0 {
        return Ok(());
    }
    // No other user can change the content, because the folder is closed.
    let entries: Vec<fs::DirEntry> = fs::read_dir(home)?.collect::<io::Result<_>>()?;
    let is_file = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_file());
    if !entries.iter().all(is_file) {
        return Ok(());
    }
    for entry in entries {
        folder.give_file(&entry.file_name(), owner)?;
    }
    folder.give(owner)
}

/// Returns a cookie file with two entries (Xau): one for this host and display, which python-xlib
/// looks for, and one for every address and display, which stays valid if the host's name changes.
fn authority(cookie: &[u8; 16], host: &[u8], display: u16) -> Vec<u8> {
    const LOCAL: u16 = 256;
    const WILD: u16 = 65535;
    let number = display.to_string();
    let mut file = Vec::new();
    for (family, address, number) in [(LOCAL, host, number.as_bytes()), (WILD, b"", b"")] {
        file.extend_from_slice(&family.to_be_bytes());
        for field in [address, number, b"MIT-MAGIC-COOKIE-1", cookie] {
            // A host's name has at most 64 bytes.
            let length = u16::try_from(field.len()).unwrap_or(0);
            file.extend_from_slice(&length.to_be_bytes());
            file.extend_from_slice(field);
        }
    }
    file
}
