//! The thread that appends records to one file.
//!
//! Durability: the thread passes each record to the kernel at once, so that the end of the daemon
//! loses only what is still in the queue. A second thread calls `fdatasync` at most once a second while
//! records arrive, so that a slow disk does not keep records in the queue. The log is synced when it
//! ends. A failure of the machine loses about a second.
//!
//! A full disk or another error of writing never stops a step. The thread cuts off the incomplete
//! record, drops records for a while, and tries again. Then it writes how many are missing.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, Seek as _, SeekFrom, Write as _},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use super::format::{self, HEADER};
use crate::metrics;

/// Maximum bytes of the records in the queue, unless there is only one.
const QUEUE_BYTES: usize = 32 << 20;
/// Maximum number of records in the queue.
const QUEUE: usize = 8192;
/// Minimum time between two calls of `fdatasync`.
const SYNC: Duration = Duration::from_secs(1);
/// Time for which records are dropped after an error.
const PAUSE: Duration = Duration::from_secs(2);

/// Why records are missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LostBecause {
    /// The queue was full.
    QueueFull,
    /// The file could not be written.
    Failed(String),
}

/// Records that are missing.
#[derive(Debug, Clone)]
pub(crate) struct LostRecords {
    /// Their number.
    pub(crate) records: u64,
    /// Why.
    pub(crate) because: LostBecause,
    /// The time of the record before the first missing one, since the log began.
    pub(crate) at: Duration,
}

/// Returns the content of the record that reports missing records.
pub(crate) type GapRecord = Box<dyn Fn(&LostRecords) -> Vec<u8> + Send>;

/// The state of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LogState {
    /// Bytes of the file.
    pub(crate) bytes: u64,
    /// Number of records that are missing.
    pub(crate) lost: u64,
    /// Why the file cannot be written at present.
    pub(crate) error: Option<String>,
    /// Whether everything is written and the thread has ended.
    pub(crate) ended: bool,
}

/// An entry of the queue, with the time of its record since the log began.
#[derive(Debug)]
enum Entry {
    Record(Duration, Vec<u8>),
    Lost(LostRecords),
}

#[derive(Debug, Default)]
struct Queue {
    entries: VecDeque<Entry>,
    /// Bytes of the records that are not written yet.
    bytes: usize,
    is_closed: bool,
    /// Whether the file has records that are not on the disk.
    is_unsynced: bool,
    /// Whether everything is written.
    is_finished: bool,
    /// The time of the last record.
    last: Duration,
    /// Whether a record was lost since the last call of [`LogWriter::has_lost`].
    has_lost: bool,
    state: LogState,
}

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    arrived: Condvar,
    /// Signalled when there is something to sync, and at the end.
    written: Condvar,
    ended: tokio::sync::Notify,
}

/// A file that is appended to.
#[derive(Debug)]
pub(crate) struct LogWriter(Arc<Shared>);

impl LogWriter {
    /// Starts the threads of a file that has its header.
    ///
    /// # Errors
    ///
    /// A thread cannot be started.
    pub(crate) fn start(file: File, gap: GapRecord) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        shared.queue().state.bytes = HEADER.len() as u64;
        shared.queue().is_unsynced = true;
        let synced = file.try_clone()?;
        // The threads end with it, also if the second one cannot be started.
        let writer = Self(Arc::clone(&shared));
        let state = Arc::clone(&shared);
        let syncs = thread::Builder::new()
            .name("log-sync".into())
            .spawn(move || sync(&state, &synced))?;
        let appender = Appender {
            file,
            gap,
            shared: Arc::clone(&shared),
            written: HEADER.len() as u64,
            failed: None,
            lost: None,
            is_cut_due: false,
        };
        let spawned = thread::Builder::new()
            .name("log".into())
            .spawn(move || appender.run(syncs));
        spawned.inspect_err(|_| shared.finish())?;
        Ok(writer)
    }

    /// Appends a record of a time since the log began. It is written after the next [`Self::flush`]. If
    /// it cannot be queued, it counts as lost.
    pub(crate) fn append(&self, at: Duration, content: &[u8]) {
        let record = format::record(content);
        let mut queue = self.0.queue();
        let bytes = record.as_ref().map_or(0, Vec::len);
        let has_room =
            queue.entries.len() < QUEUE && (queue.bytes + bytes <= QUEUE_BYTES || queue.bytes == 0);
        match record {
            Some(record) if has_room => {
                queue.bytes += bytes;
                queue.last = at;
                queue.entries.push_back(Entry::Record(at, record));
            }
            _ => queue.lose(1),
        }
    }

    /// Has the thread write what was appended. Waking it costs more than appending, so that several
    /// records are written together.
    pub(crate) fn flush(&self) {
        self.0.arrived.notify_one();
    }

    /// Counts records as lost that were not appended.
    pub(crate) fn lose_some(&self, records: u64) {
        if records > 0 {
            self.0.queue().lose(records);
        }
    }

    /// Whether a record was lost since the last call.
    pub(crate) fn has_lost(&self) -> bool {
        std::mem::take(&mut self.0.queue().has_lost)
    }

    /// Returns the size that the file will have when the queue is written.
    pub(crate) fn size(&self) -> u64 {
        let queue = self.0.queue();
        queue.state.bytes + queue.bytes as u64
    }

    /// Returns the state of the file.
    pub(crate) fn state(&self) -> LogState {
        self.0.queue().state.clone()
    }

    /// Ends the log: the thread writes what is queued, and ends.
    pub(crate) fn close(&self) {
        self.0.queue().is_closed = true;
        self.0.arrived.notify_one();
    }

    /// Waits until the thread has ended.
    pub(crate) async fn ended(&self) {
        loop {
            let ended = self.0.ended.notified();
            tokio::pin!(ended);
            // Registered before the check, so that no notification is missed.
            ended.as_mut().enable();
            if self.0.queue().state.ended {
                return;
            }
            ended.await;
        }
    }
}

impl Drop for LogWriter {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    /// Ends the thread that syncs.
    fn finish(&self) {
        self.queue().is_finished = true;
        self.written.notify_all();
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Each change of the queue is a single operation.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// Counts records as lost at the end of the queue.
    fn lose(&mut self, records: u64) {
        self.count(records);
        if let Some(Entry::Lost(lost)) = self.entries.back_mut() {
            lost.records += records;
            return;
        }
        self.entries.push_back(Entry::Lost(LostRecords {
            records,
            because: LostBecause::QueueFull,
            at: self.last,
        }));
    }

    fn count(&mut self, records: u64) {
        metrics::log_lost(records);
        self.state.lost += records;
        self.has_lost = true;
    }
}

/// The state of the thread.
struct Appender {
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
    fn run(mut self, syncs: thread::JoinHandle<()>) {
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
fn sync(shared: &Shared, file: &File) {
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

#[cfg(test)]
mod tests {
    use super::{super::format::LogReader, *};

    fn gap() -> GapRecord {
        Box::new(|lost| {
            let records = lost.records;
            match lost.because {
                LostBecause::QueueFull => format!("gap {records}").into_bytes(),
                LostBecause::Failed(_) => format!("failed {records}").into_bytes(),
            }
        })
    }

    fn started(path: &std::path::Path) -> LogWriter {
        let mut file = File::create(path).unwrap();
        file.write_all(&HEADER).unwrap();
        LogWriter::start(file, gap()).unwrap()
    }

    fn contents(path: &std::path::Path) -> Vec<String> {
        let mut reader = LogReader::new(File::open(path).unwrap()).unwrap();
        let mut contents = Vec::new();
        while let Some(content) = reader.next().unwrap() {
            contents.push(String::from_utf8(content).unwrap());
        }
        contents
    }

    #[tokio::test]
    async fn what_is_appended_is_in_the_file_when_the_log_has_ended() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let writer = started(&path);
        for number in 0..1000 {
            writer.append(Duration::ZERO, format!("record {number}").as_bytes());
        }
        writer.close();
        writer.ended().await;
        let found = contents(&path);
        assert_eq!(found.len(), 1000);
        assert_eq!(found[999], "record 999");
        let state = writer.state();
        assert!(state.ended);
        assert_eq!(state.bytes, path.metadata().unwrap().len());
        assert_eq!(writer.size(), state.bytes);
    }

    #[tokio::test]
    async fn a_full_queue_loses_records_and_says_how_many() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let writer = started(&path);
        let large = vec![b'x'; QUEUE_BYTES];
        assert!(!writer.has_lost());
        // Nothing is written before a flush, so the queue is as full as this says.
        let append = |content: &[u8]| writer.append(Duration::ZERO, content);
        append(b"before");
        append(&large);
        assert!(writer.has_lost());
        assert!(!writer.has_lost());
        append(b"after");
        append(&large);
        writer.close();
        writer.ended().await;
        // Each gap is where the record is missing.
        assert_eq!(contents(&path), ["before", "gap 1", "after", "gap 1"]);
        assert_eq!(writer.state().lost, 2);
        assert_eq!(writer.size(), path.metadata().unwrap().len());
        // One record may be larger than the queue.
        let writer = started(&path);
        writer.append(Duration::ZERO, &large);
        writer.close();
        writer.ended().await;
        assert_eq!(contents(&path)[0].len(), large.len());
    }

    /// A file system of 64 KiB.
    #[tokio::test]
    async fn a_full_disk_loses_records_and_leaves_a_log_that_goes_on_when_there_is_room() {
        let folder = tempfile::tempdir().unwrap();
        let disk = folder.path().join("disk");
        std::fs::create_dir(&disk).unwrap();
        let mount = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"])
            .arg(&disk)
            .status();
        assert!(mount.unwrap().success(), "mounting needs root");
        let path = disk.join("log");
        std::fs::write(disk.join("other"), vec![0; 40 << 10]).unwrap();
        let writer = started(&path);
        let append = |content: &[u8]| {
            writer.append(Duration::ZERO, content);
            writer.flush();
        };
        append(b"first");
        let until = async |wanted: &dyn Fn(LogState) -> bool| {
            while !wanted(writer.state()) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        until(&|state| state.bytes > HEADER.len() as u64).await;
        append(&vec![b'x'; 60 << 10]);
        until(&|state| state.error.is_some()).await;
        assert_eq!(contents(&path), ["first"]);
        append(b"second");
        until(&|state| state.lost == 2).await;
        std::fs::remove_file(disk.join("other")).unwrap();
        tokio::time::sleep(PAUSE).await;
        append(b"third");
        until(&|state| state.error.is_none()).await;
        writer.close();
        writer.ended().await;
        assert_eq!(contents(&path), ["first", "failed 2", "third"]);
        let unmounted = std::process::Command::new("umount").arg(&disk).status();
        assert!(unmounted.unwrap().success());
    }
}
