//! Reads the records of a log file.

use std::{
    collections::HashMap,
    fs::File,
    io::BufReader,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use prost::Message as _;

use crate::{
    cli::{
        exit::{CliError, Exit},
        print,
    },
    log::format::{LogError, LogReader},
    rpc::v1::{self, log_record::Record},
};

/// Says something about a log, once: an export reads it several times.
fn note(text: std::fmt::Arguments<'_>) {
    static SAID: Mutex<Option<String>> = Mutex::new(None);
    let text = text.to_string();
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    if said.as_deref() != Some(&text) {
        print::note(format_args!("{text}"));
        *said = Some(text);
    }
}

/// A log file that is read from its start to its end.
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    reader: Option<LogReader<BufReader<File>>>,
    /// Whether the last record was the end.
    has_end: bool,
}

impl LogFile {
    /// Opens a log.
    pub(super) fn open(path: &Path) -> Result<Self, CliError> {
        let named = |error: &dyn std::fmt::Display| {
            let why = format!("{} cannot be read: {error}", path.display());
            CliError::new(Exit::Local, why)
        };
        let file = File::open(path).map_err(|error| named(&error))?;
        if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
            return Err(named(&"it is a folder"));
        }
        let reader = match LogReader::new(BufReader::with_capacity(1 << 16, file)) {
            Ok(reader) => Some(reader),
            Err(error @ LogError::Cut(_)) => {
                note(format_args!("{}: {error}", path.display()));
                None
            }
            Err(error) => return Err(named(&error)),
        };
        Ok(Self {
            path: path.to_owned(),
            reader,
            has_end: false,
        })
    }

    /// Returns the next record with the time since the log began; `None` after the last one. Where the
    /// log was cut off, that is said on standard error, and the records before it count.
    pub(super) fn next(&mut self) -> Result<Option<(Duration, Record)>, CliError> {
        loop {
            let Some(reader) = &mut self.reader else {
                return Ok(None);
            };
            let content = match reader.next() {
                Ok(Some(content)) => content,
                Ok(None) => {
                    if !std::mem::replace(&mut self.has_end, true) {
                        let path = self.path.display();
                        note(format_args!(
                            "{path}: it has no end: the daemon was killed, or still records"
                        ));
                    }
                    return Ok(None);
                }
                Err(error) => {
                    note(format_args!("{}: {error}", self.path.display()));
                    self.reader = None;
                    return Ok(None);
                }
            };
            let record = match v1::LogRecord::decode(content.as_slice()) {
                Ok(record) => record,
                Err(error) => {
                    let (path, offset) = (self.path.display(), reader.offset());
                    note(format_args!(
                        "{path}: the record before byte {offset} is malformed: {error}"
                    ));
                    self.reader = None;
                    return Ok(None);
                }
            };
            let at = record.at.and_then(|at| Duration::try_from(at).ok());
            // A newer release may write kinds of records that this one does not know.
            if let Some(kind) = record.record {
                self.has_end = matches!(kind, Record::End(_));
                return Ok(Some((at.unwrap_or_default(), kind)));
            }
        }
    }

    /// Calls `each` with each record.
    pub(super) fn each(
        mut self,
        mut each: impl FnMut(Duration, Record) -> Result<(), CliError>,
    ) -> Result<(), CliError> {
        while let Some((at, record)) = self.next()? {
            each(at, record)?;
        }
        Ok(())
    }
}

/// Returns the number of ends of each step that has more than one: the last one counts.
pub(super) fn repeated_ends(path: &Path) -> Result<HashMap<u64, u32>, CliError> {
    let mut ends: HashMap<u64, u32> = HashMap::new();
    LogFile::open(path)?.each(|_, record| {
        if let Record::StepEnded(ended) = record {
            *ends.entry(ended.step).or_default() += 1;
        }
        Ok(())
    })?;
    ends.retain(|_, count| *count > 1);
    Ok(ends)
}

/// Whether this is the last end of a step. `repeated`: the result of [`repeated_ends`], which is counted
/// down.
pub(super) fn is_last_end(repeated: &mut HashMap<u64, u32>, step: u64) -> bool {
    match repeated.get_mut(&step) {
        None => true,
        Some(left) => {
            *left -= 1;
            *left == 0
        }
    }
}
