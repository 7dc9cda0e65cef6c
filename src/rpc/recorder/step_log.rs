//! Follows one step from its arrival to its end.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use prost::Message as _;
use tokio::time::Instant;
use tonic::{Response, Status};

use super::{Recorder, records, redact};
use crate::rpc::{
    messages::{convert, outcome, step::MAX_ACTIONS},
    v1::{self, log_record::Record},
};
use crate::session::{Account, Acted, Frame, Outcome, Refused, StepObserver};

/// Maximum size of a request in the log, in bytes.
const MAX_REQUEST: usize = 64 << 10;

/// How much the log has of the end of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
enum Recorded {
    Nothing,
    /// The step ended, but its outcome was not known.
    Unknown,
    /// The result.
    Result,
}

#[derive(Debug)]
struct StepEnd {
    recorded: Recorded,
    /// The result of the step, until the answer of the call is recorded.
    acted: Option<Acted>,
}

/// A step that is recorded.
#[derive(Debug)]
pub(in crate::rpc) struct StepLog {
    recorder: Arc<Recorder>,
    step: u64,
    arrived: Instant,
    /// Number of actions in the request.
    count: usize,
    is_redacted: bool,
    in_viewer: bool,
    /// In a step that stops at the first failure: why an action was not begun.
    malformed: OnceLock<Status>,
    end: Mutex<StepEnd>,
}

impl StepLog {
    /// Records the arrival of a step.
    pub(super) fn begin(
        recorder: &Arc<Recorder>,
        mut request: v1::ActRequest,
        count: usize,
        in_viewer: bool,
    ) -> Arc<Self> {
        use std::sync::atomic::Ordering;
        // The text of a person is never in the log.
        let mut redactions = match recorder.typed_text && !in_viewer {
            true => Vec::new(),
            false => redact::step(&mut request),
        };
        // Nor may a caller fill the log with what is refused.
        let bytes = request.encoded_len();
        let is_large = bytes > MAX_REQUEST || request.actions.len() > MAX_ACTIONS;
        let is_redacted = !redactions.is_empty();
        if is_large {
            request = v1::ActRequest::default();
            redactions.clear();
        }
        let step = recorder.steps.fetch_add(1, Ordering::Relaxed) + 1;
        let log = Self {
            recorder: Arc::clone(recorder),
            step,
            arrived: Instant::now(),
            count,
            is_redacted,
            in_viewer,
            malformed: OnceLock::new(),
            end: Mutex::new(StepEnd {
                recorded: Recorded::Nothing,
                acted: None,
            }),
        };
        recorder.record(Record::StepBegan(v1::LogStepBegan {
            step,
            request: Some(request),
            redactions,
            in_viewer,
            omitted_bytes: if is_large { bytes as u64 } else { 0 },
        }));
        Arc::new(log)
    }

    /// Sets why an action was not begun.
    pub(in crate::rpc) fn is_malformed(&self, status: &Status) {
        drop(self.malformed.set(status.clone()));
    }

    /// Records the answer of the call.
    pub(in crate::rpc) fn answered(&self, answer: &Result<Response<v1::ActResponse>, Status>) {
        match answer {
            Err(status) => self.refused(status),
            Ok(response) => self.done(response.get_ref()),
        }
    }

    /// Records the result of an input that was given in the viewer.
    pub(in crate::rpc) fn answered_in_viewer(&self, answer: &Result<Acted, Refused>) {
        match answer {
            Err(refused) => self.refused(&Status::from(refused.clone())),
            Ok(acted) => self.done(&self.response(bare(acted))),
        }
    }

    fn refused(&self, status: &Status) {
        let refusal = records::refusal(status, self.is_redacted);
        self.end(Recorded::Result, || (None, Some(refusal)));
    }

    /// Records a result. One that was not known when the call was answered, but is known now, follows.
    fn done(&self, response: &v1::ActResponse) {
        let recorded = match response.outcome() {
            v1::ActOutcome::Unknown => Recorded::Unknown,
            _ => Recorded::Result,
        };
        let late = self.state().acted.take();
        self.end(recorded, || {
            (Some(redact::response(response, self.is_redacted)), None)
        });
        if let Some(late) = late.filter(|late| late.account.outcome != Outcome::Unknown) {
            self.end(Recorded::Result, || {
                let response = self.response(late);
                (Some(redact::response(&response, self.is_redacted)), None)
            });
        }
    }

    fn response(&self, acted: Acted) -> v1::ActResponse {
        outcome::response(acted, self.malformed.get().cloned(), self.count)
    }

    /// Records an end, unless the log has one that says more.
    fn end(
        &self,
        now: Recorded,
        end: impl FnOnce() -> (Option<v1::ActResponse>, Option<v1::LogRefusal>),
    ) {
        let is_new = {
            let mut state = self.state();
            let is_new = now > state.recorded;
            if is_new {
                state.recorded = now;
            }
            is_new
        };
        if !is_new {
            return;
        }
        let (response, refused) = end();
        // The screen after a step is captured, unless a picture of the step shows it. A person's inputs
        // come too quickly for that.
        let captures = response.is_some() && !self.in_viewer;
        let ended = v1::LogStepEnded {
            step: self.step,
            response,
            refused,
            took: convert::duration(self.arrived.elapsed()),
            // Set by each recording.
            screen: 0,
        };
        self.recorder.pass_on(Record::StepEnded(ended), captures);
    }

    fn state(&self) -> MutexGuard<'_, StepEnd> {
        self.end.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StepObserver for StepLog {
    fn ended(&self, account: &Account, frame: Option<&Frame>, pictures: &[(usize, Frame)]) {
        let acted = Acted {
            account: account.clone(),
            frame: frame.map(without_image),
            pictures: pictures
                .iter()
                .map(|(index, frame)| (*index, without_image(frame)))
                .collect(),
            replayed: false,
        };
        let is_late = self.state().recorded == Recorded::Unknown;
        if is_late {
            self.done(&self.response(acted));
            return;
        }
        // The answer of the call follows, unless the caller has disconnected.
        let mut state = self.state();
        let is_known = |acted: &Acted| acted.account.outcome != Outcome::Unknown;
        // A result may arrive before the report that it was not known in time.
        if !state.acted.as_ref().is_some_and(is_known) {
            state.acted = Some(acted);
        }
    }
}

impl Drop for StepLog {
    fn drop(&mut self) {
        let acted = self.state().acted.take();
        if let Some(acted) = acted {
            self.done(&self.response(acted));
        }
        let is_open = self.state().recorded == Recorded::Nothing;
        if is_open {
            let message = "the caller disconnected, so it is not known here what was done";
            self.refused(&Status::cancelled(message));
        }
    }
}

fn bare(acted: &Acted) -> Acted {
    Acted {
        account: acted.account.clone(),
        frame: None,
        pictures: Vec::new(),
        replayed: acted.replayed,
    }
}

fn without_image(frame: &Frame) -> Frame {
    Frame {
        image: bytes::Bytes::new(),
        ..frame.clone()
    }
}
