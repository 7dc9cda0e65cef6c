//! The thread that appends records to one file.
//!
//! Durability: the thread passes each record to the kernel at once, so that the end of the daemon
//! loses only what is still in the queue. It calls `fdatasync` at most once a second while records
//! arrive, and when the log ends. A failure of the machine loses about a second.
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

/// Maximum bytes of the records in the queue.
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

/// Returns the content of the record that reports missing records.
pub(crate) type GapRecord = Box<dyn Fn(u64, &LostBecause) -> Vec<u8> + Send>;

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

#[derive(Debug, Default)]
struct Queue {
    records: VecDeque<Vec<u8>>,
    bytes: usize,
    is_closed: bool,
    /// Records that are missing and not reported yet.
    lost: u64,
    because: Option<LostBecause>,
    /// Whether a record was lost since the last call of [`LogWriter::has_lost`].
    has_lost: bool,
    state: LogState,
}

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    arrived: Condvar,
    ended: tokio::sync::Notify,
}

/// A file that is appended to.
#[derive(Debug)]
pub(crate) struct LogWriter(Arc<Shared>);

impl LogWriter {
    /// Writes the header and starts the thread.
    ///
    /// # Errors
    ///
    /// The header cannot be written, or no thread can be started.
    pub(crate) fn start(mut file: File, gap: GapRecord) -> io::Result<Self> {
        file.write_all(&HEADER)?;
        let shared = Arc::new(Shared::default());
        shared.queue().state.bytes = HEADER.len() as u64;
        let appender = Appender {
            file,
            gap,
            shared: Arc::clone(&shared),
            written: HEADER.len() as u64,
            unsynced: Some(Instant::now()),
            failed: None,
        };
        thread::Builder::new()
            .name("log".into())
            .spawn(move || appender.run())?;
        Ok(Self(shared))
    }

    /// Appends a record, which is written after the next [`Self::flush`]. If it cannot be queued, it
    /// counts as lost.
    pub(crate) fn append(&self, content: &[u8]) {
        let record = format::record(content);
        let mut queue = self.0.queue();
        let bytes = record.as_ref().map_or(0, Vec::len);
        match record {
            Some(record) if queue.records.len() < QUEUE && queue.bytes + bytes <= QUEUE_BYTES => {
                queue.bytes += bytes;
                queue.records.push_back(record);
            }
            _ => queue.lose(1, LostBecause::QueueFull),
        }
    }

    /// Has the thread write what was appended. Waking it costs more than appending, so that several
    /// records are written together.
    pub(crate) fn flush(&self) {
        self.0.arrived.notify_one();
    }

    /// Counts records as lost that were not appended.
    pub(crate) fn lose(&self, records: u64) {
        self.0.queue().lose(records, LostBecause::QueueFull);
        self.0.arrived.notify_one();
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
    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Each change of the queue is a single operation.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn lose(&mut self, records: u64, because: LostBecause) {
        self.lost += records;
        self.state.lost += records;
        metrics::log_lost(records);
        self.has_lost = true;
        // An error of the file explains more than a full queue.
        if !matches!(self.because, Some(LostBecause::Failed(_))) {
            self.because = Some(because);
        }
    }
}

/// What the thread owns.
struct Appender {
    file: File,
    gap: GapRecord,
    shared: Arc<Shared>,
    /// Bytes of whole records in the file.
    written: u64,
    /// When the oldest record was written that is not on the disk.
    unsynced: Option<Instant>,
    failed: Option<Instant>,
}

impl Appender {
    fn run(mut self) {
        loop {
            let (records, gap, is_closed) = self.next();
            if records.is_empty() && gap.is_none() && is_closed {
                break;
            }
            self.append(records, gap, is_closed);
            if self.unsynced.is_some_and(|since| since.elapsed() >= SYNC) {
                self.sync();
            }
        }
        self.sync();
        self.shared.queue().state.ended = true;
        self.shared.ended.notify_waiters();
    }

    /// Waits for records or for the time to sync. Returns the records, how many are missing before
    /// them, and whether no more will come.
    fn next(&mut self) -> (VecDeque<Vec<u8>>, Option<(u64, LostBecause)>, bool) {
        let mut queue = self.shared.queue();
        while queue.records.is_empty() && !queue.is_closed {
            match self.unsynced {
                None => {
                    let waited = self.shared.arrived.wait(queue);
                    queue = waited.unwrap_or_else(PoisonError::into_inner);
                }
                Some(since) => {
                    let left = SYNC.saturating_sub(since.elapsed());
                    if left.is_zero() {
                        break;
                    }
                    let waited = self.shared.arrived.wait_timeout(queue, left);
                    queue = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
            }
        }
        queue.bytes = 0;
        let lost = std::mem::take(&mut queue.lost);
        let because = queue.because.take().unwrap_or(LostBecause::QueueFull);
        let records = std::mem::take(&mut queue.records);
        // Missing records are reported with the next one, or at the end.
        let gap = (lost > 0).then_some((lost, because));
        (records, gap, queue.is_closed)
    }

    fn append(
        &mut self,
        records: VecDeque<Vec<u8>>,
        gap: Option<(u64, LostBecause)>,
        is_last: bool,
    ) {
        let is_paused = self.failed.is_some_and(|at| at.elapsed() < PAUSE);
        if is_paused && !is_last {
            self.lose(records.len() as u64, gap, None);
            return;
        }
        let mut left = records.len() as u64;
        if let Some((lost, because)) = &gap {
            let content = (self.gap)(*lost, because);
            let report = format::record(&content).unwrap_or_default();
            if let Err(error) = self.write(&report) {
                self.lose(left, gap, Some(&error));
                return;
            }
        }
        for record in &records {
            if let Err(error) = self.write(record) {
                self.lose(left, None, Some(&error));
                return;
            }
            left -= 1;
        }
        if left == 0 && !records.is_empty() && self.failed.take().is_some() {
            self.shared.queue().state.error = None;
            tracing::info!("the log is written again");
        }
    }

    /// Writes one record completely, or nothing of it.
    fn write(&mut self, record: &[u8]) -> io::Result<()> {
        let written = self.file.write_all(record);
        if let Err(error) = written {
            // The rest of an incomplete record would hide every later one.
            let cut = self.file.set_len(self.written);
            let back = self.file.seek(SeekFrom::Start(self.written));
            cut.and(back.map(drop))?;
            return Err(error);
        }
        self.written += record.len() as u64;
        metrics::logged(record.len() as u64);
        self.unsynced.get_or_insert_with(Instant::now);
        self.shared.queue().state.bytes = self.written;
        Ok(())
    }

    /// Counts records as lost. `gap`: those that were lost before and could not be reported.
    fn lose(&mut self, records: u64, gap: Option<(u64, LostBecause)>, error: Option<&io::Error>) {
        let mut queue = self.shared.queue();
        let (before, because) = gap.map_or((0, None), |(lost, because)| (lost, Some(because)));
        // They are counted already.
        queue.lost += before;
        let error = error.map(io::Error::to_string);
        let why = error.clone().or_else(|| queue.state.error.clone());
        let because = why.map(LostBecause::Failed).or(because);
        queue.lose(records, because.unwrap_or(LostBecause::QueueFull));
        if let Some(error) = error {
            if self.failed.is_none() {
                tracing::error!("the log cannot be written, and records are missing: {error}");
            }
            queue.state.error = Some(error);
            self.failed = Some(Instant::now());
        }
    }

    fn sync(&mut self) {
        self.unsynced = None;
        if let Err(error) = self.file.sync_data() {
            tracing::warn!("the log may not be on the disk: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::format::LogReader, *};

    fn gap() -> GapRecord {
        Box::new(|lost, because| match because {
            LostBecause::QueueFull => format!("gap {lost}").into_bytes(),
            LostBecause::Failed(_) => format!("failed {lost}").into_bytes(),
        })
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
        let writer = LogWriter::start(File::create(&path).unwrap(), gap()).unwrap();
        for number in 0..1000 {
            writer.append(format!("record {number}").as_bytes());
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
        let writer = LogWriter::start(File::create(&path).unwrap(), gap()).unwrap();
        let large = vec![b'x'; QUEUE_BYTES + 1];
        assert!(!writer.has_lost());
        writer.append(&large);
        assert!(writer.has_lost());
        assert!(!writer.has_lost());
        writer.append(b"after");
        writer.close();
        writer.ended().await;
        assert_eq!(contents(&path), ["gap 1", "after"]);
        assert_eq!(writer.state().lost, 1);
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
        let writer = LogWriter::start(File::create(&path).unwrap(), gap()).unwrap();
        let append = |content: &[u8]| {
            writer.append(content);
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
