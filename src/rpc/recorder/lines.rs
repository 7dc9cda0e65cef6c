//! The records of one log, in order and within its size.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI32, Ordering},
    },
    time::Duration,
};

use prost::Message as _;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::log::writer::LogWriter;
use crate::rpc::{
    messages::convert,
    v1::{self, LogEndReason, log_record::Record},
};

/// Bytes that the record of the end may take.
const END_ROOM: u64 = 64;
/// The limits of a log.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) bytes: u64,
    pub(super) duration: Option<Duration>,
}

/// The end of a log, which its handle and its task share.
#[derive(Debug, Clone, Default)]
pub(super) struct Ending {
    /// Cancelled when the log is to end.
    pub(super) token: CancellationToken,
    /// Why: a [`LogEndReason`].
    reason: Arc<AtomicI32>,
}

impl Ending {
    /// Ends the log. The first reason counts.
    pub(super) fn begin(&self, reason: LogEndReason) {
        let (unset, new) = (LogEndReason::Unspecified.into(), reason.into());
        let (set, failed) = (Ordering::Relaxed, Ordering::Relaxed);
        let _ = self.reason.compare_exchange(unset, new, set, failed);
        self.token.cancel();
    }

    pub(super) fn reason(&self) -> i32 {
        self.reason.load(Ordering::Relaxed)
    }
}

/// The records of one log, in order and within its size.
#[derive(Debug)]
pub(super) struct Lines {
    pub(super) began: Instant,
    /// The time of the last record.
    last: Instant,
    pub(super) limits: Limits,
    pub(super) writer: Arc<LogWriter>,
    pub(super) ending: Ending,
}

impl Lines {
    pub(super) fn new(
        began: Instant,
        limits: Limits,
        writer: Arc<LogWriter>,
        ending: Ending,
    ) -> Self {
        Self {
            began,
            last: began,
            limits,
            writer,
            ending,
        }
    }

    /// Records something of this time. If the log has reached its size, it ends instead.
    pub(super) fn append(&mut self, at: Instant, record: Record) {
        if self.ending.reason() == i32::from(LogEndReason::Size) {
            return;
        }
        let (at, content) = self.encode(at, record);
        if self.size() + content.len() as u64 + END_ROOM > self.limits.bytes {
            self.ending.begin(LogEndReason::Size);
            return;
        }
        self.writer.append(at, &content);
    }

    /// Records the end.
    pub(super) fn end(&mut self) {
        let reason = self.ending.reason();
        let end = Record::End(v1::LogEnd { reason });
        let (at, content) = self.encode(Instant::now(), end);
        self.writer.append(at, &content);
    }

    fn encode(&mut self, at: Instant, record: Record) -> (Duration, Vec<u8>) {
        // A capture ends after it began, and events wait for the task: the order of the records counts.
        self.last = self.last.max(at);
        let at = self.last.saturating_duration_since(self.began);
        let record = v1::LogRecord {
            at: convert::duration(at),
            record: Some(record),
        };
        (at, record.encode_to_vec())
    }

    /// Returns the size that the file will have when everything is written.
    pub(super) fn size(&self) -> u64 {
        self.writer.size()
    }

    /// Returns the maximum size of the log.
    pub(super) fn max_bytes(&self) -> u64 {
        self.limits.bytes
    }

    /// Whether a record was lost since the last call.
    pub(super) fn has_lost(&self) -> bool {
        self.writer.has_lost()
    }
}
