//! Records logs: what happens on the desktop, as records in files.
//!
//! The services report steps, calls and frames to the [`Recorder`], which passes them to each recording.
//!
//! - `recording`: one log: the task that collects its records; `screens` and `changes` are its parts.
//! - `reports`: what the services and the session report.
//! - `step_log`: follows one step from its arrival to its end.
//! - `redact`: removes secrets from requests.
//! - `records`: makes records of frames, captures and errors.

mod changes;
mod lines;
mod recording;
mod records;
mod redact;
mod reports;
mod screens;
mod step_log;

use std::{
    collections::VecDeque,
    io,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use tokio::sync::Semaphore;

use crate::rpc::v1::{self, LogEndReason};
use crate::{
    log::folder::{DAEMON, LogEntry, LogFolder},
    session::{FrameObserver, Session},
};
use lines::Limits;
use recording::Recording;
pub(in crate::rpc) use redact::launch as redacted_launch;
pub(in crate::rpc) use step_log::StepLog;

/// Maximum number of recordings that callers started.
const MAX_RECORDINGS: usize = 4;
/// Maximum size in MiB of what waits for the recordings: captures, each of which is a copy of the
/// screen, pictures of windows, and large requests. Each counts as one MiB at least.
const WAITING_MIB: u32 = 64;
/// Maximum size of the logs of the daemon together, and of those that callers started, in sizes of one
/// log. Callers delete no log of the daemon, however many they start.
const DAEMON_TOTAL: u64 = 4;
const CALLS_TOTAL: u64 = 8;
/// Number of ended recordings whose end is remembered.
const REMEMBERED: usize = 64;

/// Options of the recorder.
#[derive(Debug, Clone, Default)]
pub struct RecorderOptions {
    /// The folder of the logs; `None` if there is none.
    pub folder: Option<PathBuf>,
    /// Maximum size of a log in bytes.
    pub max_bytes: u64,
    /// Whether typed text is written to logs.
    pub typed_text: bool,
}

/// Why a recording cannot be started, stopped or read.
#[derive(Debug, thiserror::Error)]
pub enum RecorderError {
    /// There is no folder for logs.
    #[error("this daemon has no folder for logs; start it with --log-dir")]
    NoFolder,
    /// The folder or a file cannot be used.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The caller asks for a larger log than the operator allows.
    #[error("max_bytes: this daemon allows logs of at most {0} bytes (--log-max-bytes)")]
    TooLarge(u64),
    /// The name is that of the daemon's own logs.
    #[error("name: {DAEMON:?} is the name of the daemon's own logs; choose another one")]
    Reserved,
    /// Too many recordings.
    #[error("{MAX_RECORDINGS} calls record already; stop one of the recordings first")]
    TooMany,
    /// There is no log with this id.
    #[error("there is no log {0:?}; ListRecordings has all")]
    Unknown(String),
    /// The log is the daemon's own.
    #[error("this is the log of the daemon (--log-dir), which ends with the daemon")]
    Protected,
}

/// The request of a caller that starts a recording.
#[derive(Debug, Default)]
pub(in crate::rpc) struct Asked {
    pub(in crate::rpc) name: String,
    pub(in crate::rpc) max_bytes: Option<u64>,
    pub(in crate::rpc) max_duration: Option<Duration>,
}

/// The logs of one daemon.
#[derive(Debug)]
pub struct Recorder {
    session: Session,
    folder: Option<Arc<LogFolder>>,
    max_bytes: u64,
    typed_text: bool,
    active: Mutex<Vec<Arc<Recording>>>,
    /// The number of `active`, so that a daemon without recordings does nothing else.
    count: AtomicUsize,
    ended: Mutex<VecDeque<v1::Recording>>,
    steps: AtomicU64,
    waiting: Arc<Semaphore>,
    /// For work on the disk.
    disk: Arc<Semaphore>,
    /// Held while a recording starts.
    starting: tokio::sync::Mutex<()>,
}

impl Recorder {
    /// Creates the recorder of a session, which reports its frames to it.
    pub fn new(session: Session, options: RecorderOptions) -> Arc<Self> {
        let recorder = Arc::new(Self {
            folder: options.folder.map(|path| Arc::new(LogFolder::new(path))),
            max_bytes: options.max_bytes,
            typed_text: options.typed_text,
            active: Mutex::default(),
            count: AtomicUsize::new(0),
            ended: Mutex::default(),
            steps: AtomicU64::new(0),
            waiting: Arc::new(Semaphore::new(WAITING_MIB as usize)),
            disk: Arc::new(Semaphore::new(1)),
            starting: tokio::sync::Mutex::default(),
            session,
        });
        let observer: Arc<dyn FrameObserver> = Arc::<Self>::clone(&recorder);
        recorder.session.capture.observe(observer);
        recorder
    }

    /// Starts the daemon's own log, which ends with the daemon.
    ///
    /// # Errors
    ///
    /// The folder or the file cannot be used.
    pub async fn start_own(self: &Arc<Self>) -> Result<(), RecorderError> {
        self.begin(Asked::default(), true).await.map(drop)
    }

    /// Starts a recording for a caller.
    pub(in crate::rpc) async fn start(
        self: &Arc<Self>,
        asked: Asked,
    ) -> Result<v1::Recording, RecorderError> {
        self.begin(asked, false).await
    }

    async fn begin(
        self: &Arc<Self>,
        asked: Asked,
        of_daemon: bool,
    ) -> Result<v1::Recording, RecorderError> {
        let folder = self.folder()?;
        if asked.name == DAEMON {
            return Err(RecorderError::Reserved);
        }
        if asked.max_bytes.is_some_and(|bytes| bytes > self.max_bytes) {
            return Err(RecorderError::TooLarge(self.max_bytes));
        }
        let _starting = self.starting.lock().await;
        let limits = Limits {
            bytes: asked.max_bytes.unwrap_or(self.max_bytes),
            duration: asked.max_duration,
        };
        // What the logs that record may still grow to, and the new one, counts already.
        let (calls, reserved) = {
            let active = self.active();
            let same = active.iter().filter(|one| one.of_daemon == of_daemon);
            let growth = same.clone().map(|one| one.growth());
            (same.count(), growth.sum::<u64>() + limits.bytes)
        };
        if !of_daemon && calls >= MAX_RECORDINGS {
            return Err(RecorderError::TooMany);
        }
        let total = self.max_bytes.saturating_mul(match of_daemon {
            true => DAEMON_TOTAL,
            false => CALLS_TOTAL,
        });
        let began_at = SystemTime::now();
        let id = new_id(began_at, if of_daemon { DAEMON } else { &asked.name })?;
        let made = {
            let new = NewLog {
                folder: Arc::clone(&folder),
                id: id.clone(),
                is_kept: false,
            };
            self.on_disk(move || {
                folder.create()?;
                folder.make_room(of_daemon, total.saturating_sub(reserved))?;
                let file = folder.create_file(&new.id)?;
                Ok((new, file))
            })
        };
        let (mut new, file) = made.await?;
        let start = v1::LogStart {
            version: env!("CARGO_PKG_VERSION").into(),
            instance_id: self.session.instance_id().into(),
            display: self.session.capture.display().to_string(),
            began_at: Some(began_at.into()),
            name: asked.name,
            typed_text: self.typed_text,
        };
        let recording = Recording::begin(&self.session, file, id, start, limits, of_daemon)?;
        new.is_kept = true;
        tracing::info!(log = recording.id, "recording");
        self.change_active(|active| active.push(Arc::clone(&recording)));
        let (recorder, ends) = (Arc::clone(self), Arc::clone(&recording));
        tokio::spawn(async move {
            ends.ended().await;
            recorder.retire(&ends);
        });
        Ok(recording.summary())
    }

    /// Stops a recording, and waits until its file is complete.
    pub(in crate::rpc) async fn stop(&self, id: &str) -> Result<v1::Recording, RecorderError> {
        let found = self.active().iter().find(|one| one.id == id).cloned();
        let Some(recording) = found else {
            return self.known(id).await;
        };
        if recording.of_daemon {
            return Err(RecorderError::Protected);
        }
        recording.end(LogEndReason::Stopped);
        recording.ended().await;
        self.retire(&recording);
        Ok(recording.summary())
    }

    /// Ends all recordings, because the daemon ends.
    pub async fn end_all(&self) {
        let active: Vec<_> = self.active().clone();
        for recording in &active {
            recording.end(LogEndReason::Shutdown);
        }
        for recording in &active {
            recording.ended().await;
        }
    }

    /// Returns the logs in the folder, the newest first.
    pub(in crate::rpc) async fn list(&self) -> Result<Vec<v1::Recording>, RecorderError> {
        let folder = self.folder()?;
        let entries = self.on_disk(move || match folder.path().exists() {
            true => folder.list(),
            // It is created with the first recording.
            false => Ok(Vec::new()),
        });
        let entries = entries.await?;
        Ok(entries.iter().map(|entry| self.summary(entry)).collect())
    }

    /// Returns the state of a log.
    async fn known(&self, id: &str) -> Result<v1::Recording, RecorderError> {
        let mut list = self.list().await?.into_iter();
        list.find(|one| one.recording_id == id)
            .ok_or_else(|| RecorderError::Unknown(id.to_owned()))
    }

    /// Opens the file of a log.
    pub(in crate::rpc) async fn open(
        &self,
        id: &str,
    ) -> Result<(std::fs::File, LogEntry), RecorderError> {
        let folder = self.folder()?;
        let name = id.to_owned();
        let open = self.on_disk(move || folder.read_file(&name)).await;
        open.map_err(|error| match error {
            RecorderError::Io(error) if error.kind() == io::ErrorKind::NotFound => {
                RecorderError::Unknown(id.to_owned())
            }
            error => error,
        })
    }

    /// Does work on the disk. One thread at a time: a disk that hangs must not hold the others, which
    /// draw failure cards.
    pub(in crate::rpc) async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Result<T, RecorderError> {
        let permit = Arc::clone(&self.disk).acquire_owned().await;
        let permit = permit.map_err(io::Error::other)?;
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(permit);
            done
        });
        Ok(done.await.map_err(io::Error::other)??)
    }

    /// Returns the state of a log for callers.
    pub(in crate::rpc) fn summary(&self, entry: &LogEntry) -> v1::Recording {
        let active = self.active().iter().find(|one| one.id == entry.id).cloned();
        if let Some(active) = active {
            return active.summary();
        }
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let known = ended.iter().find(|one| one.recording_id == entry.id);
        known.cloned().unwrap_or_else(|| v1::Recording {
            recording_id: entry.id.clone(),
            bytes: entry.bytes,
            began_at: Some(entry.modified.into()),
            ..v1::Recording::default()
        })
    }

    /// Moves an ended recording from the active ones to the remembered ones.
    fn retire(&self, recording: &Arc<Recording>) {
        self.change_active(|active| active.retain(|one| one.id != recording.id));
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if ended.iter().any(|one| one.recording_id == recording.id) {
            return;
        }
        if ended.len() == REMEMBERED {
            ended.pop_front();
        }
        ended.push_back(recording.summary());
    }

    fn folder(&self) -> Result<Arc<LogFolder>, RecorderError> {
        self.folder.clone().ok_or(RecorderError::NoFolder)
    }

    /// Whether the daemon has a folder for logs.
    pub(in crate::rpc) fn has_folder(&self) -> bool {
        self.folder.is_some()
    }

    fn active(&self) -> MutexGuard<'_, Vec<Arc<Recording>>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change_active(&self, change: impl FnOnce(&mut Vec<Arc<Recording>>)) {
        let mut active = self.active();
        change(&mut active);
        self.count.store(active.len(), Ordering::Relaxed);
    }
}

/// The file of a log, which is removed unless the log begins: its call may have been cancelled.
struct NewLog {
    folder: Arc<LogFolder>,
    id: String,
    is_kept: bool,
}

impl Drop for NewLog {
    fn drop(&mut self) {
        if !self.is_kept {
            self.folder.remove(&self.id);
        }
    }
}

/// Returns an id that begins with the time, so that ids sort by it.
fn new_id(time: SystemTime, name: &str) -> io::Result<String> {
    let seconds = humantime::format_rfc3339_seconds(time).to_string();
    let time: String = seconds
        .chars()
        .filter(|c| c.is_ascii_alphanumeric())
        .collect();
    let time = time.trim_end_matches('Z');
    let random = getrandom::u32().map_err(io::Error::from)? & 0xffff;
    Ok(match name {
        "" => format!("{time}-{random:04x}"),
        name => format!("{time}-{name}-{random:04x}"),
    })
}
