//! New files and folders, which are complete or do not exist.

use std::{
    fs::{self, File},
    io::{BufWriter, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use crate::cli::exit::{CliError, Exit};

/// A file that gets its name when it is complete.
#[derive(Debug)]
pub(super) struct NewFile {
    path: PathBuf,
    /// The name until then.
    part: PathBuf,
    file: BufWriter<File>,
    is_done: bool,
}

impl NewFile {
    /// Creates a file that only its owner can read: a log has what was on the screen.
    pub(super) fn create(path: &Path, force: bool) -> Result<Self, CliError> {
        is_free(path, force)?;
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        let file = private(&part)?;
        Ok(Self {
            path: path.to_owned(),
            part,
            file: BufWriter::with_capacity(1 << 16, file),
            is_done: false,
        })
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), CliError> {
        let written = self.file.write_all(bytes);
        written.map_err(|error| failed(&self.path, &error))
    }

    /// Returns the path until then, for another program that writes the file.
    pub(super) fn part(&self) -> &Path {
        &self.part
    }

    /// Gives the file its name. Returns its size in bytes.
    pub(super) fn finish(mut self) -> Result<u64, CliError> {
        let done = self.file.flush();
        let done = done.and_then(|()| fs::rename(&self.part, &self.path));
        done.map_err(|error| failed(&self.path, &error))?;
        self.is_done = true;
        Ok(self.path.metadata().map_or(0, |metadata| metadata.len()))
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.is_done {
            drop(fs::remove_file(&self.part));
        }
    }
}

/// Creates a file that only its owner can read. What was left there is replaced.
pub(super) fn private(path: &Path) -> Result<File, CliError> {
    drop(fs::remove_file(path));
    let mut options = File::options();
    options.write(true).create_new(true).mode(0o600);
    options.open(path).map_err(|error| failed(path, &error))
}

/// Refuses a path that exists.
fn is_free(path: &Path, force: bool) -> Result<(), CliError> {
    match path.symlink_metadata() {
        Ok(_) if !force => {
            let why = format!(
                "{} exists: name another file, or give --force",
                path.display()
            );
            Err(CliError::new(Exit::Usage, why))
        }
        _ => Ok(()),
    }
}

/// Creates a new folder.
pub(super) fn new_folder(path: &Path) -> Result<(), CliError> {
    fs::DirBuilder::new()
        .mode(0o700)
        .create(path)
        .map_err(|error| {
            let why = format!("the folder {} cannot be created: {error}", path.display());
            CliError::new(Exit::Local, why)
        })
}

/// Writes a file in a new folder.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    let written = private(path)?.write_all(bytes);
    written.map_err(|error| failed(path, &error))
}

fn failed(path: &Path, error: &std::io::Error) -> CliError {
    let why = format!("{} cannot be written: {error}", path.display());
    CliError::new(Exit::Local, why)
}
