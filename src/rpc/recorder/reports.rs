//! Reports of the services and the session to the recorder.

use std::sync::{Arc, atomic::Ordering};

use prost::Message as _;
use tokio::{sync::OwnedSemaphorePermit, time::Instant};
use tonic::{Code, Response, Status};

use super::{
    Recorder, WAITING_MIB,
    recording::{LogEvent, What},
    records,
    step_log::StepLog,
};
use crate::rpc::{
    messages::{convert, status},
    v1::{self, log_call, log_record::Record},
};
use crate::{
    failure::Failure,
    session::{Action, FrameObserver, SeenFrame},
};

/// Size from which a request counts as large.
const LARGE: usize = 16 << 10;

impl Recorder {
    /// Follows a step that has arrived; `None` if nothing records.
    pub(in crate::rpc) fn step(self: &Arc<Self>, request: &v1::ActRequest) -> Option<Arc<StepLog>> {
        let count = request.actions.len();
        self.observes()
            .then(|| StepLog::begin(self, request.clone(), count, false))
    }

    /// Follows an input that a person gives in the viewer; `None` if nothing records. Movements of the
    /// pointer are no steps: the screen has the pointer.
    pub(in crate::rpc) fn viewer_step(self: &Arc<Self>, action: &Action) -> Option<Arc<StepLog>> {
        if !self.observes() {
            return None;
        }
        let request = v1::ActRequest {
            actions: vec![records::viewer_action(action)?],
            ..v1::ActRequest::default()
        };
        Some(StepLog::begin(self, request, 1, true))
    }

    /// Does a call that changes the desktop, and records it. `request` returns the request for the log,
    /// after the call.
    pub(in crate::rpc) async fn logged<T>(
        &self,
        method: &str,
        request: impl FnOnce() -> Option<log_call::Request>,
        call: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<Response<T>, Status> {
        if !self.observes() {
            return call.await;
        }
        let mut logged = LoggedCall {
            recorder: self,
            method,
            request: Some(request),
            arrived: Instant::now(),
            refused: Some(records::refusal(&gone(), false)),
        };
        let result = call.await;
        let status = result.as_ref().err();
        logged.refused = status.map(|status| {
            let refusal = records::refusal(status, false);
            match method {
                // The message may name the folder and the arguments.
                "Launch" => v1::LogRefusal {
                    message: String::new(),
                    ..refusal
                },
                _ => refusal,
            }
        });
        result
    }

    /// Records that a person has put text on the clipboard. `failure`: why that failed.
    pub(in crate::rpc) fn viewer_pasted(&self, bytes: usize, failure: Option<&Failure>) {
        if !self.observes() {
            return;
        }
        let refused = failure.map(|failure| v1::LogRefusal {
            code: i32::from(Code::Unavailable).unsigned_abs(),
            reason: status::reason(failure).into(),
            message: failure.message.clone(),
        });
        self.record(Record::Call(v1::LogCall {
            method: "WriteClipboard".to_owned(),
            request: Some(log_call::Request::ClipboardBytes(bytes as u64)),
            refused,
            took: None,
        }));
    }

    /// Passes a record to every recording.
    pub(super) fn record(&self, record: Record) {
        self.pass_on(record, false);
    }

    /// Passes a record to every recording. `captures`: whether each captures the screen for it.
    pub(super) fn pass_on(&self, record: Record, captures: bool) {
        // A request may be large. Without room, it is lost.
        let bytes = match &record {
            Record::StepBegan(began) => began.encoded_len(),
            _ => 0,
        };
        let permit = match bytes < LARGE {
            true => None,
            false => match self.room(bytes) {
                Some(permit) => Some(permit),
                None => {
                    self.active().iter().for_each(|recording| recording.lose());
                    return;
                }
            },
        };
        let (at, record) = (Instant::now(), Arc::new((record, permit)));
        for recording in self.active().iter() {
            let record = Arc::clone(&record);
            let what = What::Record { record, captures };
            recording.send(LogEvent { at, what });
        }
    }

    /// Returns a permit for something of this size that waits for the recordings.
    fn room(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let mebibytes = u32::try_from(bytes >> 20).unwrap_or(WAITING_MIB);
        // What is larger may wait alone.
        let size = mebibytes.clamp(1, WAITING_MIB);
        Arc::clone(&self.waiting).try_acquire_many_owned(size).ok()
    }
}

impl FrameObserver for Recorder {
    fn observes(&self) -> bool {
        self.count.load(Ordering::Relaxed) > 0
    }

    fn frame(&self, mut seen: SeenFrame) {
        let grab = seen.grab.as_ref();
        let pixels = grab.map_or(0, |grab| grab.pixels.size().bgrx_bytes());
        let bytes = pixels + seen.frame.image.len();
        let permit = if bytes > 0 { self.room(bytes) } else { None };
        if permit.is_none() {
            // The log does not have the screen of the frame, and says so.
            seen.grab = None;
            seen.frame.image = bytes::Bytes::new();
        }
        let (at, frame) = (Instant::now(), Arc::new((seen, permit)));
        for recording in self.active().iter() {
            let what = What::Frame(Arc::clone(&frame));
            recording.send(LogEvent { at, what });
        }
    }
}

/// The error of a call whose caller disconnected before its end.
fn gone() -> Status {
    Status::cancelled(
        "the caller disconnected before the end, so it is not known whether it was done",
    )
}

/// Records a call when it is dropped: at its end, or when its caller disconnects.
struct LoggedCall<'a, F: FnOnce() -> Option<log_call::Request>> {
    recorder: &'a Recorder,
    method: &'a str,
    request: Option<F>,
    arrived: Instant,
    refused: Option<v1::LogRefusal>,
}

impl<F: FnOnce() -> Option<log_call::Request>> Drop for LoggedCall<'_, F> {
    fn drop(&mut self) {
        self.recorder.record(Record::Call(v1::LogCall {
            method: self.method.to_owned(),
            request: self.request.take().and_then(|request| request()),
            refused: self.refused.take(),
            took: convert::duration(self.arrived.elapsed()),
        }));
    }
}
