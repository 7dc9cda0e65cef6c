//! Opens files whose path another user may be able to change, or that may not be regular files.
//!
//! A path is followed only if its owner is trusted. Otherwise the last component must not be a
//! link, and later operations use the file descriptor, so that they act on the file that was
//! opened.

use std::{
    ffi::OsStr,
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    },
    path::{Path, PathBuf},
    time::SystemTime,
};

use nix::{
    fcntl::{AT_FDCWD, AtFlags, OFlag, openat, renameat},
    sys::stat::{FileStat, Mode, SFlag, fchmod, fstat, fstatat},
    unistd::{Gid, Uid, UnlinkatFlags, fchown, fchownat, unlinkat},
};

/// Maximum size of a certificate, a key or another small file, in bytes.
pub(crate) const SMALL: u64 = 1 << 20;

/// Opens a regular file that is not a link. Does not block, for example on a FIFO without a peer.
pub(crate) fn open_no_link(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let file = options.custom_flags(flags.bits()).open(path)?;
    regular(&file)?;
    Ok(file)
}

/// Reads a file that may be reached through links, as mounted secrets are. It must be a regular
/// file of at most `most` bytes.
pub(crate) fn read_at_most(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut options = File::options();
    options.read(true).custom_flags(OFlag::O_NONBLOCK.bits());
    take(&options.open(path)?, most)
}

/// Like [`read_at_most`], but the file must not be a link.
pub(crate) fn read_no_link(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    take(&open_no_link(path, File::options().read(true))?, most)
}

/// Reads an open file, which must be a regular one of at most `most` bytes.
pub(crate) fn take(file: &File, most: u64) -> io::Result<Vec<u8>> {
    regular(file)?;
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::other(format!("it has more than {most} bytes")));
    }
    Ok(bytes)
}

fn regular(file: &File) -> io::Result<()> {
    if file.metadata()?.is_file() {
        return Ok(());
    }
    Err(io::Error::other("it is not a regular file"))
}

/// Finds a program in `PATH`.
pub(crate) fn in_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| is_executable(file))
}

/// Whether a path is a file that somebody may execute.
pub(crate) fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    file.metadata()
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// Sets the mode of the file at `path`, which must not be a link.
pub(crate) fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::{fd::AsRawFd as _, unix::fs::PermissionsExt as _};
    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let file = openat(AT_FDCWD, path, flags, Mode::empty())?;
    // The mode of a socket can be set only through a path.
    let opened = format!("/proc/self/fd/{}", file.as_raw_fd());
    if fs::metadata(&opened)?.file_type().is_symlink() {
        return Err(io::Error::other("it is a link"));
    }
    fs::set_permissions(opened, fs::Permissions::from_mode(mode))
}

/// The user and group that a file is given to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileOwner {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

impl FileOwner {
    fn ids(self) -> (Option<Uid>, Option<Gid>) {
        (Some(Uid::from_raw(self.uid)), Some(Gid::from_raw(self.gid)))
    }
}

/// An open folder.
#[derive(Debug)]
pub(crate) struct Folder(OwnedFd);

impl Folder {
    /// Opens a folder that is not a link.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        Ok(Self(openat(AT_FDCWD, path, flags, Mode::empty())?))
    }

    /// Returns the folder's owner and mode.
    pub(crate) fn status(&self) -> io::Result<FileStat> {
        Ok(fstat(&self.0)?)
    }

    /// Changes the folder's owner.
    pub(crate) fn give(&self, owner: FileOwner) -> io::Result<()> {
        let (uid, gid) = owner.ids();
        Ok(fchown(&self.0, uid, gid)?)
    }

    /// Removes a file, a socket or a link from the folder.
    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        Ok(unlinkat(&self.0, name, UnlinkatFlags::NoRemoveDir)?)
    }

    /// Removes the entry `name`. A folder there may hold a large tree, so it is renamed instead.
    pub(crate) fn clear(&self, name: &str) -> io::Result<()> {
        match self.remove(name) {
            // For a folder, unlinkat may also fail with EPERM (POSIX).
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::IsADirectory | io::ErrorKind::PermissionDenied
                ) && fstatat(&self.0, name, AtFlags::AT_SYMLINK_NOFOLLOW)
                    .is_ok_and(|status| is_folder(&status)) =>
            {
                let number = getrandom::u64().map_err(io::Error::from)?;
                let aside = format!("{name}.{number:016x}");
                Ok(renameat(&self.0, name, &self.0, aside.as_str())?)
            }
            removed => removed,
        }
    }

    /// Sets the folder's mode.
    pub(crate) fn set_mode(&self, mode: u32) -> io::Result<()> {
        Ok(fchmod(&self.0, Mode::from_bits_truncate(mode))?)
    }

    /// Gives a file in the folder to a user, if it is a regular file owned by root.
    pub(crate) fn give_file(&self, name: &OsStr, owner: FileOwner) -> io::Result<()> {
        let status = fstatat(&self.0, name, AtFlags::AT_SYMLINK_NOFOLLOW)?;
        let kind = SFlag::from_bits_truncate(status.st_mode) & SFlag::S_IFMT;
        if kind != SFlag::S_IFREG || status.st_uid != 0 {
            return Ok(());
        }
        let (uid, gid) = owner.ids();
        let flags = AtFlags::AT_SYMLINK_NOFOLLOW;
        Ok(fchownat(&self.0, name, uid, gid, flags)?)
    }

    /// Writes a file that only its owner can read. It is written under another name and renamed, so
    /// that no process reads a part of it.
    pub(crate) fn write_private(
        &self,
        name: &str,
        bytes: &[u8],
        owner: Option<FileOwner>,
    ) -> io::Result<()> {
        let new = format!(
            ".{name}.{:016x}",
            getrandom::u64().map_err(io::Error::from)?
        );
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL;
        let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let mut file = File::from(openat(
            &self.0,
            new.as_str(),
            flags,
            Mode::S_IRUSR | Mode::S_IWUSR,
        )?);
        let written = file.write_all(bytes).and_then(|()| {
            if let Some(owner) = owner {
                let (uid, gid) = owner.ids();
                fchown(file.as_fd(), uid, gid)?;
            }
            Ok(renameat(&self.0, new.as_str(), &self.0, name)?)
        });
        if written.is_err() {
            // Otherwise an incomplete file would remain.
            let _ = unlinkat(&self.0, new.as_str(), UnlinkatFlags::NoRemoveDir);
        }
        written
    }
}

fn is_folder(status: &FileStat) -> bool {
    SFlag::from_bits_truncate(status.st_mode) & SFlag::S_IFMT == SFlag::S_IFDIR
}

/// Reads a file that no other user can have written, of at most `most` bytes.
pub(crate) fn read_own(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = open_no_link(path, File::options().read(true))?;
    let metadata = file.metadata()?;
    if metadata.uid() != Uid::effective().as_raw() || metadata.mode() & 0o022 != 0 {
        return Err(io::Error::other("another user could have written it"));
    }
    take(&file, most)
}

/// Replaces the file by a new one; never writes into an existing file.
pub(crate) fn write_own(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    drop(fs::remove_file(&new));
    let mut options = File::options();
    options.write(true).create_new(true).mode(0o600);
    let written = options
        .open(&new)
        .and_then(|mut file| file.write_all(bytes))
        .and_then(|()| fs::rename(&new, path));
    if written.is_err() {
        drop(fs::remove_file(&new));
    }
    written
}

/// Identifies one version of a file.
pub(crate) type Stamp = (u64, u64, Option<SystemTime>, i64);

/// Returns the version of a file.
pub(crate) fn stamp(path: &Path) -> io::Result<Stamp> {
    let meta = fs::metadata(path)?;
    Ok((
        meta.ino(),
        meta.len(),
        meta.modified().ok(),
        meta.ctime_nsec(),
    ))
}

/// Creates a folder and its parents, and gives the folder to a user. An existing folder must belong
/// to that user, to root or to deskd's own user.
pub(crate) fn make_folder(path: &Path, mode: u32, owner: Option<FileOwner>) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(mode).create(path)?;
    let folder = Folder::open(path)?;
    let (is, own) = (folder.status()?.st_uid, Uid::effective().as_raw());
    let wanted = owner.map(|owner| owner.uid);
    if is != own && is != 0 && Some(is) != wanted {
        let why = format!("it belongs to user {is}: remove it, or run deskd as that user");
        return Err(io::Error::other(why));
    }
    match owner {
        Some(owner) if is != owner.uid => folder.give(owner),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use nix::{sys::stat::Mode, unistd::mkfifo};

    use super::*;

    #[test]
    fn links_and_what_is_no_file_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("file"), "text").unwrap();
        symlink(path("file"), path("link")).unwrap();
        mkfifo(&path("fifo"), Mode::S_IRWXU).unwrap();
        assert_eq!(read_no_link(&path("file"), 4).unwrap(), b"text");
        assert_eq!(read_at_most(&path("link"), 4).unwrap(), b"text");
        for (name, most) in [("link", 4), ("fifo", 4), ("file", 3), ("none", 4), ("", 4)] {
            assert!(read_no_link(&path(name), most).is_err(), "{name}");
        }
        for path in [path("fifo"), "/dev/zero".into(), path("")] {
            assert!(read_at_most(&path, 4).is_err(), "{}", path.display());
        }
        let write = open_no_link(&path("link"), File::options().write(true).create(true));
        assert!(write.is_err());
        assert!(Folder::open(&path("file")).is_err());
        symlink(folder.path(), path("folder")).unwrap();
        assert!(Folder::open(&path("folder")).is_err());
        assert!(make_folder(&path("folder"), 0o700, None).is_err());
    }

    #[test]
    fn a_private_file_replaces_a_link_and_not_what_it_leads_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("precious"), "old").unwrap();
        symlink(path("precious"), path("cookie")).unwrap();
        let open = Folder::open(folder.path()).unwrap();
        open.write_private("cookie", b"new", None).unwrap();
        assert_eq!(fs::read(path("precious")).unwrap(), b"old");
        assert_eq!(fs::read(path("cookie")).unwrap(), b"new");
        let mode = fs::symlink_metadata(path("cookie")).unwrap();
        assert!(mode.is_file() && mode.permissions().mode() & 0o777 == 0o600);
        // If a file cannot be replaced, no temporary file remains.
        fs::create_dir(path("taken")).unwrap();
        assert!(open.write_private("taken", b"new", None).is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
    }
}
