//! The folder with the log files.
//!
//! It must belong to the daemon's user or to root, and no other user may be able to write to it: the
//! daemon may run as root, and a link in the folder would lead it to any file.

use std::{
    fs::File,
    io,
    os::fd::AsFd,
    path::{Path, PathBuf},
    time::SystemTime,
};

use nix::{
    dir::Dir,
    fcntl::{AtFlags, OFlag, openat},
    sys::stat::{Mode, SFlag, fstat, fstatat},
    unistd::{UnlinkatFlags, unlinkat},
};

use crate::files;

/// The end of the name of every log file.
const END: &str = ".deskdlog";
/// Maximum number of log files. The oldest ones are deleted when another begins.
pub(crate) const MAX_LOGS: usize = 64;
/// Maximum length of an id.
pub(crate) const MAX_ID: usize = 128;
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
        Self { path }
    }

    /// Creates the folder if it does not exist.
    ///
    /// # Errors
    ///
    /// It cannot be created or used; the message contains its path.
    pub(crate) fn create(&self) -> io::Result<()> {
        let made = files::make_folder(&self.path, 0o700, None);
        made.map_err(|error| self.named(&error))?;
        self.open().map(drop)
    }

    /// Opens the folder, if no other user can write to it.
    fn open(&self) -> io::Result<File> {
        let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let open = openat(nix::fcntl::AT_FDCWD, &self.path, flags, Mode::empty());
        let folder = File::from(open.map_err(|error| self.named(&error.into()))?);
        let status = fstat(&folder)?;
        let own = nix::unistd::geteuid().as_raw();
        if ![0, own].contains(&status.st_uid) || status.st_mode & 0o022 != 0 {
            let why = io::Error::other(
                "other users can write to it: give deskd a folder of its own, with mode 0700",
            );
            return Err(self.named(&why));
        }
        Ok(folder)
    }

    fn named(&self, error: &io::Error) -> io::Error {
        let why = format!("the log folder {}: {error}", self.path.display());
        io::Error::new(error.kind(), why)
    }

    /// Creates a new file, which only its owner can read.
    pub(crate) fn create_file(&self, id: &str) -> io::Result<File> {
        let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL;
        let mode = Mode::S_IRUSR | Mode::S_IWUSR;
        self.open_file(id, flags, mode)
    }

    /// Opens a file to read it.
    pub(crate) fn read_file(&self, id: &str) -> io::Result<File> {
        let file = self.open_file(id, OFlag::O_RDONLY | OFlag::O_NONBLOCK, Mode::empty())?;
        match file.metadata()?.is_file() {
            true => Ok(file),
            false => Err(io::Error::from(io::ErrorKind::NotFound)),
        }
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

    /// Deletes the oldest files, except those in use, until there is room for another: there are at
    /// most [`MAX_LOGS`], and they have at most `max_bytes` together.
    pub(crate) fn make_room(&self, in_use: &[String], max_bytes: u64) -> io::Result<()> {
        let entries = self.list()?;
        let folder = self.open()?;
        let mut total = 0_u64;
        let old = entries.iter().enumerate().filter(|(index, entry)| {
            total = total.saturating_add(entry.bytes);
            *index >= MAX_LOGS - 1 || total > max_bytes
        });
        for (_, entry) in old.filter(|(_, entry)| !in_use.contains(&entry.id)) {
            let name = format!("{}{END}", entry.id);
            unlinkat(&folder, name.as_str(), UnlinkatFlags::NoRemoveDir)?;
            tracing::info!(log = entry.id, "deleted the oldest log");
        }
        Ok(())
    }

    /// Deletes a file that could not be begun.
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
    }

    #[test]
    fn the_oldest_logs_make_room_but_not_those_in_use() {
        let parent = tempfile::tempdir().unwrap();
        let folder = LogFolder::new(parent.path().join("logs"));
        folder.create().unwrap();
        for number in 0..MAX_LOGS + 2 {
            drop(folder.create_file(&format!("{number:03}")).unwrap());
        }
        folder.make_room(&["000".to_owned()], u64::MAX).unwrap();
        let left: Vec<_> = folder.list().unwrap().into_iter().map(|e| e.id).collect();
        assert_eq!(left.len(), MAX_LOGS);
        assert_eq!(left.last().unwrap(), "000");
        assert_eq!(left[left.len() - 2], "003");
        for id in &left {
            let path = folder.path().join(format!("{id}.deskdlog"));
            fs::write(path, [0; 100]).unwrap();
        }
        folder.make_room(&["000".to_owned()], 550).unwrap();
        let left: Vec<_> = folder.list().unwrap().into_iter().map(|e| e.id).collect();
        assert_eq!(left, ["065", "064", "063", "062", "061", "000"]);
    }
}
