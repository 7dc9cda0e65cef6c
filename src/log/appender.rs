//! The threads of one log: one appends records to the file, one syncs it.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, Seek as _, SeekFrom, Write as _},
    sync::{Arc, PoisonError},
    thread,
    time::{Duration, Instant},
};

use super::{
    format::{self, HEADER},
    queue::{Entry, LostBecause, LostRecords, Shared},
};
use crate::metrics;

/// Minimum time between two calls of `fdatasync`.
const SYNC: Duration = Duration::from_secs(1);
/// Time for which records are dropped after an error.
pub(super) const PAUSE: Duration = Duration::from_secs(2);

/// Returns the content of the record that reports missing records.
pub(crate) type GapRecord = Box<dyn Fn(&LostRecords) -> Vec<u8> + Send>;

/// The thread that writes.
pub(super) struct Appender {
    file: File,
    gap: GapRecord,
    shared: Arc<Shared>,
    /// Bytes of whole records in the file.
    written: u64,
    failed: Option<Instant>,
    /// Records that are missing before the next one.
    lost: Option<LostRecords>,
    /// Whether the file may have a part of a record at its end.
    is_cut_due: bool,
}

impl Appender {
    /// Writes to a file that has its header.
    pub(super) fn new(file: File, gap: GapRecord, shared: Arc<Shared>) -> Self {
        Self {
            file,
            gap,
            shared,
            written: HEADER.len() as u64,
            failed: None,
            lost: None,
            is_cut_due: false,
        }
    }

    pub(super) fn run(mut self, syncs: thread::JoinHandle<()>) {
        loop {
            let (entries, is_closed) = self.next();
            if entries.is_empty() && is_closed {
                break;
            }
            for entry in entries {
                self.append(entry);
            }
        }
        // The last attempt to report what is missing.
        drop(self.report());
        self.shared.finish();
        if let Err(error) = self.file.sync_data() {
            tracing::warn!("the log may not be on the disk: {error}");
        }
        // When the log has ended, nothing holds the file.
        drop(syncs.join());
        let Self { file, shared, .. } = self;
        drop(file);
        shared.queue().state.ended = true;
        shared.ended.notify_waiters();
    }

    /// Waits for entries. Returns them, and whether no more will come.
    fn next(&mut self) -> (VecDeque<Entry>, bool) {
        let mut queue = self.shared.queue();
        while queue.entries.is_empty() && !queue.is_closed {
            let waited = self.shared.arrived.wait(queue);
            queue = waited.unwrap_or_else(PoisonError::into_inner);
        }
        (std::mem::take(&mut queue.entries), queue.is_closed)
    }

    fn append(&mut self, entry: Entry) {
        let (at, record) = match entry {
            Entry::Lost(lost) => {
                match &mut self.lost {
                    Some(known) => known.records += lost.records,
                    known => *known = Some(lost),
                }
                return;
            }
            Entry::Record(at, record) => (at, record),
        };
        let is_paused = self.failed.is_some_and(|failed| failed.elapsed() < PAUSE);
        let is_last = self.shared.queue().is_closed;
        let written = match is_paused && !is_last {
            true => None,
            false => Some(self.report().and_then(|()| self.write(&record))),
        };
        self.shared.queue().bytes -= record.len();
        match written {
            Some(Ok(())) => {
                if self.failed.take().is_some() {
                    self.shared.queue().state.error = None;
                    tracing::info!("the log is written again");
                }
            }
            Some(Err(error)) => self.fail(at, Some(&error)),
            None => self.fail(at, None),
        }
    }

    /// Writes how many records are missing, if any are.
    fn report(&mut self) -> io::Result<()> {
        let Some(lost) = &self.lost else {
            return Ok(());
        };
        let report = format::record(&(self.gap)(lost)).unwrap_or_default();
        self.write(&report)?;
        self.lost = None;
        Ok(())
    }

    /// Writes one record completely, or nothing of it.
    fn write(&mut self, record: &[u8]) -> io::Result<()> {
        self.cut()?;
        // Set until the record is written: the rest of an incomplete record would hide every later one.
        self.is_cut_due = true;
        if let Err(error) = self.file.write_all(record) {
            self.cut()?;
            return Err(error);
        }
        self.is_cut_due = false;
        self.written += record.len() as u64;
        metrics::logged(record.len() as u64);
        let mut queue = self.shared.queue();
        queue.state.bytes = self.written;
        if !std::mem::replace(&mut queue.is_unsynced, true) {
            self.shared.written.notify_all();
        }
        Ok(())
    }

    /// Cuts off what is after the last whole record.
    fn cut(&mut self) -> io::Result<()> {
        if self.is_cut_due {
            self.file.set_len(self.written)?;
            self.file.seek(SeekFrom::Start(self.written))?;
            self.is_cut_due = false;
        }
        Ok(())
    }

    /// Counts a record as lost. `error`: why it could not be written; `None` if that was not tried.
    fn fail(&mut self, at: Duration, error: Option<&io::Error>) {
        let mut queue = self.shared.queue();
        queue.count(1);
        if let Some(error) = error {
            if self.failed.is_none() {
                tracing::error!("the log cannot be written, and records are missing: {error}");
            }
            queue.state.error = Some(error.to_string());
            self.failed = Some(Instant::now());
        }
        let why = queue.state.error.clone().unwrap_or_default();
        drop(queue);
        let lost = self.lost.get_or_insert(LostRecords {
            records: 0,
            because: LostBecause::QueueFull,
            at,
        });
        lost.records += 1;
        // An error of the file explains more than a full queue.
        lost.because = LostBecause::Failed(why);
    }
}

/// Syncs the file while records arrive, until the log ends.
pub(super) fn sync(shared: &Shared, file: &File) {
    loop {
        {
            let mut queue = shared.queue();
            while !queue.is_unsynced && !queue.is_finished {
                let waited = shared.written.wait(queue);
                queue = waited.unwrap_or_else(PoisonError::into_inner);
            }
            if queue.is_finished {
                return;
            }
            // Records of a second are synced together.
            let waited = shared
                .written
                .wait_timeout_while(queue, SYNC, |queue| !queue.is_finished);
            let mut queue = waited.unwrap_or_else(PoisonError::into_inner).0;
            queue.is_unsynced = false;
        }
        if let Err(error) = file.sync_data() {
            tracing::warn!("the log may not be on the disk: {error}");
        }
    }
}
