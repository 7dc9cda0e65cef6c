//! Writes the records of one log to its file, by threads of its own.
//!
//! Durability: the thread passes each record to the kernel at once, so that the end of the daemon
//! loses only what is still in the queue. A second thread calls `fdatasync` at most once a second while
//! records arrive, so that a slow disk does not keep records in the queue. The log is synced when it
//! ends. A failure of the machine loses about a second.
//!
//! A full disk or another error of writing never stops a step. The thread cuts off the incomplete
//! record, drops records for a while, and tries again. Then it writes how many are missing.

use std::{fs::File, io, sync::Arc, thread, time::Duration};

pub(crate) use super::{appender::GapRecord, queue::LostBecause};
use super::{
    appender::{self, Appender},
    format::{self, HEADER},
    queue::{Entry, LogState, QUEUE, QUEUE_BYTES, Shared},
};

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
            .spawn(move || appender::sync(&state, &synced))?;
        let appender = Appender::new(file, gap, Arc::clone(&shared));
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

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::{
        super::{appender::PAUSE, format::LogReader},
        *,
    };

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
