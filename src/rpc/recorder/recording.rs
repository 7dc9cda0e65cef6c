//! One log: a task that collects records and passes them to the thread that writes.

use std::{
    collections::VecDeque,
    fs::File,
    future::{Future, pending},
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use prost::Message as _;
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc},
    time::Instant,
};

use super::{
    changes::Changes,
    lines::{Ending, Limits, Lines},
    records,
    screens::LogScreens,
};
use crate::rpc::{
    messages::convert,
    v1::{self, LogEndReason, log_record::Record},
};
use crate::{
    failure::Failure,
    log::writer::{GapRecord, LogWriter, LostBecause},
    session::{SeenFrame, Session},
    x11::Grab,
};

/// Maximum number of events that wait for the task.
const QUEUE: usize = 1024;
/// Number of frames whose screen is remembered.
const LAST_FRAMES: usize = 32;
/// Maximum time for the capture after a step that has no picture.
const AFTER_STEP: Duration = Duration::from_millis(500);

/// Something that happened, for the log.
#[derive(Debug)]
pub(super) struct LogEvent {
    pub(super) at: Instant,
    pub(super) what: What,
}

#[derive(Debug)]
pub(super) enum What {
    /// A record, and the permit for a large one.
    Record {
        record: Arc<(Record, Option<OwnedSemaphorePermit>)>,
        /// Whether the screen is captured for it.
        captures: bool,
    },
    /// A frame, and the permit for its capture.
    Frame(Arc<(SeenFrame, Option<OwnedSemaphorePermit>)>),
}

/// The handle of a log that records.
#[derive(Debug)]
pub(super) struct Recording {
    pub(super) id: String,
    pub(super) of_daemon: bool,
    began_at: Option<prost_types::Timestamp>,
    events: mpsc::Sender<LogEvent>,
    writer: Arc<LogWriter>,
    limits: Limits,
    /// Number of events that the task did not get and that are not reported yet.
    lost: Arc<AtomicU64>,
    ending: Ending,
}

impl Recording {
    /// Begins a log in a file that has its header.
    pub(super) fn begin(
        session: &Session,
        file: File,
        id: String,
        start: v1::LogStart,
        limits: Limits,
        of_daemon: bool,
    ) -> io::Result<Arc<Self>> {
        let began = Instant::now();
        let writer = Arc::new(LogWriter::start(file, gap_record())?);
        let (events, inbox) = mpsc::channel(QUEUE);
        let (ending, lost) = (Ending::default(), Arc::new(AtomicU64::new(0)));
        let began_at = start.began_at;
        let task = Task {
            inbox,
            lines: Lines::new(began, limits, Arc::clone(&writer), ending.clone()),
            screens: LogScreens::new(Arc::clone(&session.capture)),
            changes: Changes::new(session),
            session: session.clone(),
            last_frames: VecDeque::new(),
            lost: Arc::clone(&lost),
        };
        tokio::spawn(task.run(start));
        Ok(Arc::new(Self {
            id,
            of_daemon,
            began_at,
            events,
            writer,
            limits,
            lost,
            ending,
        }))
    }

    /// Passes on an event. If the task is behind, the event counts as lost.
    pub(super) fn send(&self, event: LogEvent) {
        if let Err(mpsc::error::TrySendError::Full(_)) = self.events.try_send(event) {
            self.lose();
        }
    }

    /// Counts an event as lost.
    pub(super) fn lose(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
    }

    /// Ends the log.
    pub(super) fn end(&self, reason: LogEndReason) {
        self.ending.begin(reason);
    }

    /// Waits until the file is complete.
    pub(super) async fn ended(&self) {
        self.writer.ended().await;
    }

    /// Returns the number of bytes by which the file may still grow.
    pub(super) fn growth(&self) -> u64 {
        let state = self.writer.state();
        match state.ended {
            true => 0,
            false => self.limits.bytes.saturating_sub(state.bytes),
        }
    }

    /// Returns the state for callers.
    pub(super) fn summary(&self) -> v1::Recording {
        let state = self.writer.state();
        v1::Recording {
            recording_id: self.id.clone(),
            bytes: state.bytes,
            recording: !state.ended,
            began_at: self.began_at,
            end_reason: match state.ended {
                true => self.ending.reason(),
                false => 0,
            },
            lost: state.lost,
            of_daemon: self.of_daemon,
            error: state.error.unwrap_or_default(),
        }
    }
}

fn gap_record() -> GapRecord {
    Box::new(|lost| {
        let (reason, message) = match &lost.because {
            LostBecause::QueueFull => (v1::LogGapReason::QueueFull, String::new()),
            LostBecause::Failed(error) => (v1::LogGapReason::WriteFailed, error.clone()),
        };
        let gap = v1::LogGap {
            records: lost.records,
            reason: reason.into(),
            message,
        };
        let record = v1::LogRecord {
            at: convert::duration(lost.at),
            record: Some(Record::Gap(gap)),
        };
        record.encode_to_vec()
    })
}

type Capturing = Pin<Box<dyn Future<Output = Result<Arc<Grab>, Failure>> + Send>>;

struct Task {
    session: Session,
    inbox: mpsc::Receiver<LogEvent>,
    lines: Lines,
    screens: LogScreens,
    changes: Changes,
    /// The ids of the last frames that callers received, and the numbers of their screens.
    last_frames: VecDeque<(String, u64)>,
    /// Number of events that did not arrive.
    lost: Arc<AtomicU64>,
}

impl Drop for Task {
    fn drop(&mut self) {
        // Also after a defect: callers that wait for the end of the log must not wait for ever.
        self.lines.writer.close();
    }
}

impl Task {
    async fn run(mut self, start: v1::LogStart) {
        let began = self.lines.began;
        self.lines.append(began, Record::Start(start));
        self.record_changes(began);
        let until = self.lines.limits.duration.map(|limit| began + limit);
        let ending = self.lines.ending.clone();
        let mut capturing: Option<Capturing> = Some(Box::pin(self.screens.capture()));
        loop {
            if self.inbox.is_empty() {
                self.report_lost();
                self.lines.writer.flush();
            }
            let is_idle = capturing.is_none();
            tokio::select! {
                biased;
                () = ending.token.cancelled() => break,
                event = self.inbox.recv() => match event {
                    Some(event) => self.event(event).await,
                    None => break,
                },
                () = until_time(until) => {
                    ending.begin(LogEndReason::Duration);
                    break;
                }
                () = self.changes.arrive() => self.record_changes(Instant::now()),
                grab = captured(capturing.as_mut()) => {
                    capturing = None;
                    match grab {
                        Ok(grab) => self.screens.look(&mut self.lines, &grab).await,
                        Err(_) => self.screens.failed(),
                    }
                }
                () = self.screens.stir(), if is_idle => {
                    capturing = Some(Box::pin(self.screens.capture()));
                }
            }
        }
        // Nothing is captured any more.
        ending.token.cancel();
        self.inbox.close();
        while let Some(event) = self.inbox.recv().await {
            self.event(event).await;
        }
        self.report_lost();
        self.lines.end();
    }

    /// Reports events that did not arrive, once those that came before them are recorded.
    fn report_lost(&mut self) {
        let lost = self.lost.swap(0, Ordering::Relaxed);
        self.lines.writer.lose_some(lost);
    }

    fn record_changes(&mut self, at: Instant) {
        for record in self.changes.take(&self.session) {
            self.lines.append(at, record);
        }
    }

    /// Records an event.
    async fn event(&mut self, event: LogEvent) {
        // What caused the event, such as a change of control, comes first.
        self.record_changes(event.at);
        match event.what {
            What::Record { record, captures } => {
                let mut record = record.0.clone();
                if let Record::StepEnded(ended) = &mut record {
                    ended.screen = self.after_step(ended, captures).await;
                }
                self.lines.append(event.at, record);
            }
            What::Frame(seen) => {
                let screen = match &seen.0.grab {
                    Some(grab) => self.screens.show(&mut self.lines, grab).await,
                    None => 0,
                };
                if self.last_frames.len() == LAST_FRAMES {
                    self.last_frames.pop_front();
                }
                let id = seen.0.frame.id.clone();
                self.last_frames.push_back((id, screen));
                let mut frame = records::frame(&seen.0, screen);
                if !self.screens.has_room_for(&self.lines, frame.image.len()) {
                    frame.image = bytes::Bytes::new();
                }
                self.lines.append(event.at, Record::Frame(frame));
            }
        }
    }

    /// Returns the number of the screen after a step; 0 if the log does not have it.
    async fn after_step(&mut self, ended: &v1::LogStepEnded, captures: bool) -> u64 {
        let response = ended.response.as_ref();
        if let Some(frame) = response.and_then(|response| response.frame.as_ref()) {
            let mut known = self.last_frames.iter().rev();
            if let Some((_, screen)) = known.find(|(id, _)| *id == frame.frame_id) {
                return *screen;
            }
        }
        // If more has happened already, a capture would show that.
        if !captures || !self.inbox.is_empty() {
            return 0;
        }
        let capture = self.screens.capture();
        let grab = tokio::select! {
            () = self.lines.ending.token.cancelled() => None,
            grab = tokio::time::timeout(AFTER_STEP, capture) => grab.ok().and_then(Result::ok),
        };
        match grab {
            Some(grab) => self.screens.show(&mut self.lines, &grab).await,
            None => {
                self.screens.failed();
                0
            }
        }
    }
}

async fn until_time(until: Option<Instant>) {
    match until {
        Some(until) => tokio::time::sleep_until(until).await,
        None => pending().await,
    }
}

async fn captured(capturing: Option<&mut Capturing>) -> Result<Arc<Grab>, Failure> {
    match capturing {
        Some(capturing) => capturing.await,
        None => pending().await,
    }
}
