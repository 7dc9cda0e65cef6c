//! The folder with the log files.
//!
//! It and its parents must belong to the daemon's user or to root, and no other user may be able to
//! write to them. The daemon may run as root, and a link would lead it to any file.
//!
//! A file that is written is locked (flock(2)), so that another daemon with the same folder does not
//! delete it.

use std::{
    fs::File,
    io::{self, Write as _},
    os::{fd::AsFd, unix::fs::MetadataExt as _},
    path::{Path, PathBuf},
    time::SystemTime,
};

use nix::{
    dir::Dir,
    fcntl::{AtFlags, OFlag, openat},
    sys::stat::{Mode, SFlag, fstat, fstatat},
    unistd::{UnlinkatFlags, unlinkat},
};

use super::format::HEADER;
use crate::files;

/// The end of the name of every log file.
const END: &str = ".deskdlog";
/// Maximum number of log files of a kind. The oldest ones are deleted when another begins.
pub(crate) const MAX_LOGS: usize = 64;
/// The part of an id that marks the daemon's own log.
pub(crate) const DAEMON: &str = "daemon";
/// Maximum length of an id.
pub(crate) const MAX_ID: usize = 128;
/// The first id of a group of people (login.defs(5), GID_MIN).
const FIRST_GROUP: u32 = 1000;
/// Maximum number of entries that are read.
const MAX_ENTRIES: usize = 10_000;

/// The folder.
#[derive(Debug)]
pub(crate) struct LogFolder {
    path: PathBuf,
}

/// A log file.
#[derive(Debug, Clone)]
pub(crate) struct LogEntry {
    /// The name without its end.
    pub(crate) id: String,
    /// Size in bytes.
    pub(crate) bytes: u64,
    /// When the file was last written.
    pub(crate) modified: SystemTime,
}

impl LogFolder {
    pub(crate) fn new(path: PathBuf) -> Self {
        // With a slash at its end, a link would be followed.
        let path = path.components().collect();
        Self { path }
    }

    /// Creates the folder if it does not exist.
    ///
    /// # Errors
    ///
    /// It cannot be created or used; the message contains its path.
    pub(crate) fn create(&self) -> io::Result<()> {
        // Nothing is created where another user could lead it elsewhere.
        self.check_parents()?;
        let made = files::make_folder(&self.path, 0o700, None);
        made.map_err(|error| self.named(&error))?;
        self.open().map(drop)
    }

    /// Opens the folder, if no other user can write to it or move it.
    fn open(&self) -> io::Result<File> {
        self.check_parents()?;
        let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let open = openat(nix::fcntl::AT_FDCWD, &self.path, flags, Mode::empty());
        let folder = File::from(open.map_err(|error| self.named(&error.into()))?);
        let status = fstat(&folder)?;
        if is_own(status.st_uid) && status.st_mode & 0o022 == 0 {
            return Ok(folder);
        }
        let why = "other users can write to it: give deskd a folder of its own, with mode 0700";
        Err(self.named(&io::Error::other(why)))
    }

    /// Refuses a path in which another user could replace a folder, also where links lead to.
    fn check_parents(&self) -> io::Result<()> {
        let path = std::path::absolute(&self.path)?;
        let existing = path.ancestors().skip(1).find(|parent| parent.exists());
        let existing = existing.unwrap_or(Path::new("/"));
        let real = existing.canonicalize()?;
        for parent in existing.ancestors().chain(real.ancestors()) {
            is_trusted(parent).map_err(|error| self.named(&error))?;
        }
        Ok(())
    }

    fn named(&self, error: &io::Error) -> io::Error {
        let why = format!("the log folder {}: {error}", self.path.display());
        io::Error::new(error.kind(), why)
    }

    /// Creates a new, locked file with the header of a log, which only its owner can read.
    pub(crate) fn create_file(&self, id: &str) -> io::Result<File> {
        let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL;
        let mode = Mode::S_IRUSR | Mode::S_IWUSR;
        let mut file = self.open_file(id, flags, mode)?;
        // The file is new. Some file systems have no locks; there, no log is deleted.
        if let Err(error) = file.try_lock() {
            tracing::warn!("the log cannot be locked: {error}");
        }
        let begun = file.write_all(&HEADER);
        begun.inspect_err(|_| self.remove(id))?;
        Ok(file)
    }

    /// Opens a file to read it.
    pub(crate) fn read_file(&self, id: &str) -> io::Result<(File, LogEntry)> {
        let file = self.open_file(id, OFlag::O_RDONLY | OFlag::O_NONBLOCK, Mode::empty())?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::from(io::ErrorKind::NotFound));
        }
        let entry = LogEntry {
            id: id.to_owned(),
            bytes: metadata.len(),
            modified: metadata.modified()?,
        };
        Ok((file, entry))
    }

    fn open_file(&self, id: &str, flags: OFlag, mode: Mode) -> io::Result<File> {
        if !is_id(id) {
            return Err(io::Error::from(io::ErrorKind::NotFound));
        }
        let folder = self.open()?;
        let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let file = openat(&folder, format!("{id}{END}").as_str(), flags, mode);
        file.map(File::from)
            .map_err(|error| self.named(&error.into()))
    }

    /// Returns the log files, the newest first.
    pub(crate) fn list(&self) -> io::Result<Vec<LogEntry>> {
        let folder = self.open()?;
        let flags = OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let mut dir = Dir::openat(&folder, ".", flags, Mode::empty())?;
        let mut entries = Vec::new();
        for entry in dir.iter().take(MAX_ENTRIES) {
            let entry = entry?;
            let Some(id) = entry.file_name().to_str().ok().and_then(id_of) else {
                continue;
            };
            let Ok(status) = fstatat(
                folder.as_fd(),
                entry.file_name(),
                AtFlags::AT_SYMLINK_NOFOLLOW,
            ) else {
                continue;
            };
            let kind = SFlag::from_bits_truncate(status.st_mode) & SFlag::S_IFMT;
            if kind != SFlag::S_IFREG {
                continue;
            }
            let seconds = u64::try_from(status.st_mtime).unwrap_or(0);
            let nanoseconds = u32::try_from(status.st_mtime_nsec).unwrap_or(0);
            let since = std::time::Duration::new(seconds, nanoseconds);
            entries.push(LogEntry {
                id: id.to_owned(),
                bytes: u64::try_from(status.st_size).unwrap_or(0),
                modified: SystemTime::UNIX_EPOCH + since,
            });
        }
        // Ids begin with the time.
        entries.sort_by(|a, b| b.id.cmp(&a.id));
        Ok(entries)
    }

    /// Deletes the oldest files of a kind until there is room for another: there are at most
    /// [`MAX_LOGS`], and they have at most `max_bytes` together. Files that are written stay.
    pub(crate) fn make_room(&self, of_daemon: bool, max_bytes: u64) -> io::Result<()> {
        let entries = self.list()?.into_iter();
        let same = entries.filter(|entry| is_of_daemon(&entry.id) == of_daemon);
        let mut total = 0_u64;
        for (index, entry) in same.enumerate() {
            total = total.saturating_add(entry.bytes);
            if index < MAX_LOGS - 1 && total <= max_bytes {
                continue;
            }
            // Without the lock, a daemon still writes it.
            let file = self.open_file(
                &entry.id,
                OFlag::O_RDONLY | OFlag::O_NONBLOCK,
                Mode::empty(),
            );
            if file.and_then(|file| Ok(file.try_lock()?)).is_ok() {
                self.remove(&entry.id);
                tracing::info!(log = entry.id, "deleted the oldest log");
            }
        }
        Ok(())
    }

    /// Deletes a file.
    pub(crate) fn remove(&self, id: &str) {
        if let Ok(folder) = self.open() {
            let name = format!("{id}{END}");
            let _ = unlinkat(&folder, name.as_str(), UnlinkatFlags::NoRemoveDir);
        }
    }

    /// Returns the path, for messages.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

fn is_own(uid: u32) -> bool {
    [0, nix::unistd::geteuid().as_raw()].contains(&uid)
}

/// Refuses a folder in which another user could replace what it contains. In a sticky folder such as
/// /tmp, only the owner of an entry can. Groups of the system are trusted: on Ubuntu, the group syslog
/// can write to /var/log.
fn is_trusted(folder: &Path) -> io::Result<()> {
    let (link, found) = (folder.symlink_metadata()?, folder.metadata()?);
    let open = match found.gid() < FIRST_GROUP {
        true => 0o002,
        false => 0o022,
    };
    let is_open = found.mode() & open != 0 && found.mode() & 0o1000 == 0;
    if is_own(link.uid()) && is_own(found.uid()) && !is_open {
        return Ok(());
    }
    let why = format!("other users can replace what is in {}", folder.display());
    Err(io::Error::other(why))
}

/// Whether an id is that of the log of a daemon: `TIME-daemon-NUMBER`.
fn is_of_daemon(id: &str) -> bool {
    let mut parts = id.split('-');
    matches!(
        (parts.next(), parts.next(), parts.next(), parts.next()),
        (Some(_), Some(DAEMON), Some(_), None)
    )
}

/// Whether a text can be an id, and so a part of a file's name.
pub(crate) fn is_id(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    !text.is_empty() && text.len() <= MAX_ID && text.bytes().all(is_plain)
}

fn id_of(name: &str) -> Option<&str> {
    name.strip_suffix(END).filter(|id| is_id(id))
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::{PermissionsExt as _, symlink},
    };

    use super::*;

    #[test]
    fn a_folder_that_others_can_write_and_links_are_refused() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("logs");
        let folder = LogFolder::new(path.clone());
        assert!(folder.list().is_err());
        folder.create().unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o700
        );
        drop(folder.create_file("a-1").unwrap());
        let file = path.join("a-1.deskdlog");
        assert_eq!(
            fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o600
        );
        // A file is created once, and not through a link.
        assert!(folder.create_file("a-1").is_err());
        symlink("/etc/passwd", path.join("b.deskdlog")).unwrap();
        assert!(folder.create_file("b").is_err());
        assert!(folder.read_file("b").is_err());
        for id in ["", "../a-1", "a/1", "a.b", "a\0"] {
            assert!(folder.read_file(id).is_err(), "{id:?}");
        }
        fs::create_dir(path.join("c.deskdlog")).unwrap();
        assert!(folder.read_file("c").is_err());
        let ids: Vec<_> = folder.list().unwrap().into_iter().map(|e| e.id).collect();
        assert_eq!(ids, ["a-1"]);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o770)).unwrap();
        assert!(folder.create().is_err());
        assert!(folder.create_file("d").is_err());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        symlink(&path, parent.path().join("link")).unwrap();
        assert!(LogFolder::new(parent.path().join("link")).list().is_err());
        assert!(LogFolder::new(parent.path().join("link/")).list().is_err());
    }

    #[test]
    fn the_oldest_logs_of_a_kind_make_room_but_not_those_in_use() {
        let parent = tempfile::tempdir().unwrap();
        let folder = LogFolder::new(parent.path().join("logs"));
        folder.create().unwrap();
        drop(folder.create_file("000-daemon-1").unwrap());
        let mut written = Vec::new();
        for number in 0..MAX_LOGS + 2 {
            let file = folder.create_file(&format!("{number:03}")).unwrap();
            // Its daemon still writes the first one.
            if number == 0 {
                written.push(file);
            }
        }
        let ids = || {
            let entries = folder.list().unwrap().into_iter();
            entries.map(|entry| entry.id).collect::<Vec<_>>()
        };
        folder.make_room(false, u64::MAX).unwrap();
        let left = ids();
        assert_eq!(left.len(), MAX_LOGS + 1);
        assert_eq!(left[left.len() - 3..], ["003", "000-daemon-1", "000"]);
        for id in &left {
            fs::write(folder.path().join(format!("{id}.deskdlog")), [0; 100]).unwrap();
        }
        folder.make_room(false, 550).unwrap();
        let newest = ["065", "064", "063", "062", "061"];
        assert_eq!(ids(), [&newest[..], &["000-daemon-1", "000"]].concat());
        folder.make_room(true, 0).unwrap();
        assert_eq!(ids(), [&newest[..], &["000"]].concat());
        for (id, of_daemon) in [
            ("1-daemon-2", true),
            ("1-daemon-2-3", false),
            ("daemon", false),
        ] {
            assert_eq!(is_of_daemon(id), of_daemon, "{id}");
        }
    }

    #[test]
    fn a_folder_that_others_could_replace_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        let middle = parent.path().join("middle");
        fs::create_dir(&middle).unwrap();
        let folder = LogFolder::new(middle.join("logs"));
        folder.create().unwrap();
        for (mode, gid, is_fine) in [
            (0o777, 0, false),
            (0o1777, 0, true),
            (0o775, 0, true),
            (0o775, 1000, false),
            (0o755, 1000, true),
        ] {
            std::os::unix::fs::chown(&middle, None, Some(gid)).unwrap();
            // What a link leads to counts, too, and nothing is created there.
            let link = parent.path().join(format!("link-{mode:o}-{gid}"));
            symlink(&middle, &link).unwrap();
            fs::set_permissions(&middle, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(folder.list().is_ok(), is_fine, "{mode:o} {gid}");
            let through = LogFolder::new(link.join("deep").join("new"));
            assert_eq!(through.create().is_ok(), is_fine, "{mode:o} {gid}");
            assert_eq!(middle.join("deep").exists(), is_fine);
            drop(fs::remove_dir_all(middle.join("deep")));
        }
    }
}
