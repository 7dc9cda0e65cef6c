//! One log: a task that collects records and passes them to the thread that writes.

use std::{
    collections::HashMap,
    fs::File,
    future::Future,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicI32, Ordering},
    },
    time::Duration,
};

use prost::Message as _;
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::records;
use crate::rpc::{
    messages::{control, convert, stack},
    v1::{self, LogEndReason, log_record::Record},
};
use crate::{
    failure::Failure,
    frame::CursorImage,
    log::writer::{GapRecord, LogWriter, LostBecause},
    session::{ScreenChange, ScreenFollower, SeenFrame, Session},
    x11::Grab,
};

/// Maximum number of events that wait for the task.
const QUEUE: usize = 1024;
/// Number of pointer images that a log numbers before it begins again.
const POINTERS: usize = 256;
/// Maximum time for the capture after a step that has no picture.
const AFTER_STEP: Duration = Duration::from_millis(500);
/// Bytes that the record of the end may take.
const END_ROOM: u64 = 64;

/// The limits of a log.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) bytes: u64,
    pub(super) duration: Option<Duration>,
}

/// Something that happened, for the log.
#[derive(Debug)]
pub(super) struct LogEvent {
    pub(super) at: Instant,
    pub(super) what: What,
}

#[derive(Debug)]
pub(super) enum What {
    Record(Arc<Record>),
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
    /// Cancelled when the log is to end.
    ending: CancellationToken,
    /// Why it ends: a [`LogEndReason`].
    reason: Arc<AtomicI32>,
}

impl Recording {
    /// Begins a log in a new file.
    pub(super) fn begin(
        session: &Session,
        file: File,
        id: String,
        start: v1::LogStart,
        limits: Limits,
        of_daemon: bool,
    ) -> io::Result<Arc<Self>> {
        let began = Instant::now();
        let writer = Arc::new(LogWriter::start(file, gap_record(began))?);
        let (events, inbox) = mpsc::channel(QUEUE);
        let (ending, reason) = (CancellationToken::new(), Arc::new(AtomicI32::new(0)));
        let began_at = start.began_at;
        let task = Task {
            began,
            inbox,
            limits,
            writer: Arc::clone(&writer),
            ending: ending.clone(),
            reason: Arc::clone(&reason),
            follower: ScreenFollower::new(Arc::clone(&session.capture)),
            session: session.clone(),
            screens: 0,
            has_screen: false,
            has_room: true,
            pointers: HashMap::new(),
            pointer: 0,
            last: began,
            last_frame: (String::new(), 0),
        };
        tokio::spawn(task.run(start));
        Ok(Arc::new(Self {
            id,
            of_daemon,
            began_at,
            events,
            writer,
            ending,
            reason,
        }))
    }

    /// Passes on an event. If the task is behind, the event counts as lost.
    pub(super) fn send(&self, event: LogEvent) {
        if let Err(mpsc::error::TrySendError::Full(_)) = self.events.try_send(event) {
            self.writer.lose(1);
        }
    }

    /// Ends the log.
    pub(super) fn end(&self, reason: LogEndReason) {
        set_reason(&self.reason, reason);
        self.ending.cancel();
    }

    /// Waits until the file is complete.
    pub(super) async fn ended(&self) {
        self.writer.ended().await;
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
                true => self.reason.load(Ordering::Relaxed),
                false => 0,
            },
            lost: state.lost,
            of_daemon: self.of_daemon,
            error: state.error.unwrap_or_default(),
        }
    }
}

/// The first reason counts.
fn set_reason(reason: &AtomicI32, new: LogEndReason) {
    let (unset, new) = (LogEndReason::Unspecified.into(), new.into());
    let _ = reason.compare_exchange(unset, new, Ordering::Relaxed, Ordering::Relaxed);
}

fn gap_record(began: Instant) -> GapRecord {
    Box::new(move |records, because| {
        let (reason, message) = match because {
            LostBecause::QueueFull => (v1::LogGapReason::QueueFull, String::new()),
            LostBecause::Failed(error) => (v1::LogGapReason::WriteFailed, error.clone()),
        };
        let gap = v1::LogGap {
            records,
            reason: reason.into(),
            message,
        };
        let record = v1::LogRecord {
            at: convert::duration(began.elapsed()),
            record: Some(Record::Gap(gap)),
        };
        record.encode_to_vec()
    })
}

type Capturing = Pin<Box<dyn Future<Output = Result<Arc<Grab>, Failure>> + Send>>;

struct Task {
    session: Session,
    began: Instant,
    inbox: mpsc::Receiver<LogEvent>,
    writer: Arc<LogWriter>,
    limits: Limits,
    ending: CancellationToken,
    reason: Arc<AtomicI32>,
    follower: ScreenFollower,
    /// Number of screens in the log.
    screens: u64,
    /// Whether the log has the screen of the last capture that was compared.
    has_screen: bool,
    /// Whether pictures are stored: seven eighths of the size are not used yet.
    has_room: bool,
    /// The numbers of the pointer's images, by hash.
    pointers: HashMap<u128, u64>,
    pointer: u64,
    /// The time of the last record.
    last: Instant,
    /// The id of the last frame that a caller received, and the number of its screen.
    last_frame: (String, u64),
}

impl Task {
    async fn run(mut self, start: v1::LogStart) {
        self.append(self.began, Record::Start(start));
        let mut control = self.session.control.watch();
        let mut links = self.session.capture.links();
        let mut news = self.session.bring_up.news().ok();
        let mut after = 0;
        self.append(
            self.began,
            Record::Control(control::state(&control.borrow_and_update().clone())),
        );
        let mut display = records::display(&links.borrow_and_update());
        self.append(self.began, Record::Display(display.clone()));
        let until = self.limits.duration.map(|limit| self.began + limit);
        let mut capturing: Option<Capturing> = Some(Box::pin(self.follower.capture()));
        loop {
            if self.writer.has_lost() {
                self.follower.forget();
            }
            if self.inbox.is_empty() {
                self.writer.flush();
            }
            let is_idle = capturing.is_none();
            tokio::select! {
                biased;
                () = self.ending.cancelled() => break,
                event = self.inbox.recv() => match event {
                    Some(event) => self.event(event).await,
                    None => break,
                },
                () = until_time(until) => {
                    set_reason(&self.reason, LogEndReason::Duration);
                    break;
                }
                Ok(()) = control.changed() => {
                    let state = control::state(&control.borrow_and_update().clone());
                    self.append(Instant::now(), Record::Control(state));
                }
                Ok(()) = links.changed() => {
                    let now = records::display(&links.borrow_and_update());
                    if now != display {
                        display = now;
                        self.append(Instant::now(), Record::Display(display.clone()));
                    }
                }
                Some(()) = changed(news.as_mut()) => {
                    for numbered in self.session.bring_up.events_after(after) {
                        after = numbered.sequence;
                        self.append(Instant::now(), Record::Stack(stack::event(numbered)));
                    }
                }
                grab = captured(capturing.as_mut()) => {
                    capturing = None;
                    match grab {
                        Ok(grab) => self.look(&grab).await,
                        Err(_) => self.follower.failed(),
                    }
                }
                () = self.follower.stir(), if is_idle && self.has_room => {
                    capturing = Some(Box::pin(self.follower.capture()));
                }
            }
        }
        self.inbox.close();
        while let Some(event) = self.inbox.recv().await {
            self.event(event).await;
        }
        let reason = self.reason.load(Ordering::Relaxed);
        let end = v1::LogEnd { reason };
        self.write(Instant::now(), Record::End(end));
        self.writer.close();
    }

    /// Records an event.
    async fn event(&mut self, event: LogEvent) {
        match event.what {
            What::Record(record) => {
                let mut record = (*record).clone();
                if let Record::StepEnded(ended) = &mut record {
                    ended.screen = self.after_step(ended).await;
                }
                self.append(event.at, record);
            }
            What::Frame(seen) => {
                let screen = match &seen.0.grab {
                    Some(grab) => self.screen(grab).await,
                    None => 0,
                };
                self.last_frame = (seen.0.frame.id.clone(), screen);
                self.append(event.at, Record::Frame(records::frame(&seen.0, screen)));
            }
        }
    }

    /// Returns the number of the screen after a step.
    async fn after_step(&mut self, ended: &v1::LogStepEnded) -> u64 {
        let Some(response) = &ended.response else {
            return 0;
        };
        if let Some(frame) = &response.frame
            && frame.frame_id == self.last_frame.0
        {
            return self.last_frame.1;
        }
        // A step without a picture, or with one of a window.
        let capture = tokio::time::timeout(AFTER_STEP, self.follower.capture()).await;
        match capture {
            Ok(Ok(grab)) => self.screen(&grab).await,
            _ => 0,
        }
    }

    /// Records what a capture shows that no caller asked for.
    async fn look(&mut self, grab: &Arc<Grab>) {
        if let Ok(Some(change)) = self.follower.change(grab).await {
            let before = self.writer.size();
            self.change(change);
            self.follower
                .spend(self.writer.size().saturating_sub(before));
        }
    }

    /// Records what a capture shows. Returns the number of the screen; 0 if the log does not have it.
    async fn screen(&mut self, grab: &Arc<Grab>) -> u64 {
        if !self.has_room {
            return 0;
        }
        match self.follower.change(grab).await {
            Ok(Some(change)) => self.change(change),
            Ok(None) => {}
            // A defect of the encoder: the next change is complete.
            Err(_) => {
                self.has_screen = false;
                self.follower.forget();
            }
        }
        match self.has_screen {
            true => self.screens,
            false => 0,
        }
    }

    fn change(&mut self, change: ScreenChange) {
        let parts: usize = change.parts.iter().map(|(_, image)| image.len()).sum();
        // A new image of the pointer may be as large as its pixels.
        let pointer = change
            .cursor
            .as_ref()
            .map_or(0, |image| image.argb.len() * 4);
        let size = self.writer.size() + (parts + pointer) as u64;
        if size > self.limits.bytes / 8 * 7 {
            // The rest of the file is for what takes little: steps, refusals, changes of control.
            tracing::info!("the log has no room for further pictures of the screen");
            self.has_room = false;
            self.has_screen = false;
            return;
        }
        let at = Instant::from_std(change.started);
        let cursor = change.cursor.as_ref();
        let pointer_image = cursor.map_or(0, |image| self.pointer(at, image));
        self.screens += 1;
        self.has_screen = true;
        let record = records::screen(self.screens, change, pointer_image);
        self.append(at, Record::Screen(record));
    }

    /// Returns the number of the pointer's image, which is recorded if it is new; 0 if it shows nothing.
    fn pointer(&mut self, at: Instant, image: &CursorImage) -> u64 {
        if image.argb.is_empty() {
            return 0;
        }
        let record = records::pointer_image(0, image);
        let hash = xxhash_rust::xxh3::xxh3_128(&record.encode_to_vec());
        if let Some(number) = self.pointers.get(&hash) {
            return *number;
        }
        if self.pointers.len() == POINTERS {
            self.pointers.clear();
        }
        self.pointer += 1;
        self.pointers.insert(hash, self.pointer);
        let number = self.pointer;
        let record = v1::LogPointerImage { number, ..record };
        self.append(at, Record::PointerImage(record));
        number
    }

    /// Records something, unless the log has reached its size.
    fn append(&mut self, at: Instant, record: Record) {
        if !self.ending.is_cancelled()
            || self.reason.load(Ordering::Relaxed) != LogEndReason::Size as i32
        {
            self.write(at, record);
        }
    }

    fn write(&mut self, at: Instant, record: Record) {
        let is_end = matches!(record, Record::End(_));
        // A capture ends after it began, and events wait for the task: the order of the records counts.
        self.last = self.last.max(at);
        let at = self.last;
        let record = v1::LogRecord {
            at: convert::duration(at.saturating_duration_since(self.began)),
            record: Some(record),
        };
        let content = record.encode_to_vec();
        let size = self.writer.size() + content.len() as u64 + END_ROOM;
        if !is_end && size > self.limits.bytes {
            set_reason(&self.reason, LogEndReason::Size);
            self.ending.cancel();
            return;
        }
        self.writer.append(&content);
    }
}

async fn until_time(until: Option<Instant>) {
    match until {
        Some(until) => tokio::time::sleep_until(until).await,
        None => std::future::pending().await,
    }
}

/// Waits for the next number; `None` if there will be none.
async fn changed(news: Option<&mut watch::Receiver<u64>>) -> Option<()> {
    match news {
        Some(news) => news.changed().await.ok(),
        None => None,
    }
}

async fn captured(capturing: Option<&mut Capturing>) -> Result<Arc<Grab>, Failure> {
    match capturing {
        Some(capturing) => capturing.await,
        None => std::future::pending().await,
    }
}
