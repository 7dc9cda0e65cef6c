//! The records of one log that are not written yet, and the state of its file.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::metrics;

/// Maximum bytes of the records in the queue, unless there is only one.
pub(super) const QUEUE_BYTES: usize = 32 << 20;
/// Maximum number of records in the queue.
pub(super) const QUEUE: usize = 8192;
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
pub(super) enum Entry {
    Record(Duration, Vec<u8>),
    Lost(LostRecords),
}

#[derive(Debug, Default)]
pub(super) struct Queue {
    pub(super) entries: VecDeque<Entry>,
    /// Bytes of the records that are not written yet.
    pub(super) bytes: usize,
    pub(super) is_closed: bool,
    /// Whether the file has records that are not on the disk.
    pub(super) is_unsynced: bool,
    /// Whether everything is written.
    pub(super) is_finished: bool,
    /// The time of the last record.
    pub(super) last: Duration,
    /// Whether a record was lost since the writer last reported one.
    pub(super) has_lost: bool,
    pub(super) state: LogState,
}

#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) queue: Mutex<Queue>,
    pub(super) arrived: Condvar,
    /// Signalled when there is something to sync, and at the end.
    pub(super) written: Condvar,
    pub(super) ended: tokio::sync::Notify,
}

impl Shared {
    /// Ends the thread that syncs.
    pub(super) fn finish(&self) {
        self.queue().is_finished = true;
        self.written.notify_all();
    }

    pub(super) fn queue(&self) -> MutexGuard<'_, Queue> {
        // Each change of the queue is a single operation.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// Counts records as lost at the end of the queue.
    pub(super) fn lose(&mut self, records: u64) {
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

    pub(super) fn count(&mut self, records: u64) {
        metrics::log_lost(records);
        self.state.lost += records;
        self.has_lost = true;
    }
}
