//! Encoding off the async threads, at most one at a time a core, and once for
//! all callers who want the same picture of the same capture.

use std::{
    sync::{Arc, Mutex, PoisonError, Weak},
    thread::available_parallelism,
    time::{Duration, Instant},
};

use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};

use crate::{
    encode::{Digest, Effort, Encoded, Format, Picture, encode},
    frame::{Cause, Failure, Pixels, Region, Size, Stage},
    x11::Grab,
};

/// What to make of a capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) region: Region,
    pub(super) output: Size,
    pub(super) format: Format,
    pub(super) cursor: bool,
    pub(super) effort: Effort,
}

impl Plan {
    fn picture<'a>(&self, grab: &'a Grab) -> Picture<'a> {
        let cursor = if self.cursor {
            grab.cursor.as_ref()
        } else {
            None
        };
        Picture::new(&grab.pixels, self.region, cursor)
    }
}

/// A picture that was encoded.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) encoded: Encoded,
    pub(super) digest: Digest,
    pub(super) frame_id: String,
    pub(super) took: Duration,
}

/// The cell that all callers of one picture wait for.
type Work = OnceCell<Result<Arc<Made>, Failure>>;

#[derive(Debug)]
struct Entry {
    grab: u64,
    plan: Plan,
    work: Weak<Work>,
}

/// Encoders of a session.
#[derive(Debug)]
pub(super) struct Encodings {
    seed: u64,
    cores: Arc<Semaphore>,
    shared: Mutex<Vec<Entry>>,
}

impl Encodings {
    pub(super) fn new(seed: u64) -> Self {
        let cores = available_parallelism().map_or(1, usize::from);
        Self {
            seed,
            cores: Arc::new(Semaphore::new(cores)),
            shared: Mutex::default(),
        }
    }

    /// What the picture shows.
    pub(super) async fn digest(&self, grab: &Arc<Grab>, plan: Plan) -> Result<Digest, Failure> {
        let (grab, seed) = (Arc::clone(grab), self.seed);
        self.off_thread(move |_| plan.picture(&grab).digest(seed))
            .await
    }

    /// The encoded picture, shared with whoever asks for the same.
    pub(super) async fn encode(
        &self,
        grab: &Arc<Grab>,
        plan: Plan,
        digest: Option<Digest>,
        issue_id: impl FnOnce() -> String,
    ) -> Result<Arc<Made>, Failure> {
        let work = self.join(grab.number, plan);
        let make = || async {
            let (grab, seed, frame_id) = (Arc::clone(grab), self.seed, issue_id());
            self.off_thread(move |threads| {
                let began = Instant::now();
                let picture = plan.picture(&grab);
                let digest = digest.unwrap_or_else(|| picture.digest(seed));
                encode(&picture, plan.output, plan.format, plan.effort, threads)
                    .map(|encoded| {
                        Arc::new(Made {
                            encoded,
                            digest,
                            frame_id,
                            took: began.elapsed(),
                        })
                    })
                    .map_err(|error| failed(Cause::EncodeFailed, error.to_string()))
            })
            .await
            .flatten()
        };
        work.get_or_init(make).await.clone()
    }

    /// Encodes a card as fast as it goes.
    pub(super) async fn encode_card(
        &self,
        pixels: Pixels,
        format: Format,
    ) -> Result<Encoded, Failure> {
        // No permit: a card must not wait behind pictures, or it comes too late.
        let work = move || {
            let size = pixels.size();
            let picture = Picture::new(&pixels, Region::whole(size), None);
            encode(&picture, size, format, Effort::Fast, 1)
                .map_err(|error| failed(Cause::EncodeFailed, error.to_string()))
        };
        tokio::task::spawn_blocking(work)
            .await
            .unwrap_or_else(|_| Err(defect()))
    }

    /// The cell of this picture, made by its first caller and gone with its last.
    fn join(&self, grab: u64, plan: Plan) -> Arc<Work> {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.retain(|entry| entry.work.strong_count() > 0);
        let same = shared
            .iter()
            .find(|entry| entry.grab == grab && entry.plan == plan);
        if let Some(work) = same.and_then(|entry| entry.work.upgrade()) {
            return work;
        }
        let work = Arc::new(Work::new());
        shared.push(Entry {
            grab,
            plan,
            work: Arc::downgrade(&work),
        });
        work
    }

    /// Runs work on a thread that may block, with a core of its own, and with
    /// the cores that happen to be free besides: `work` gets their number.
    async fn off_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce(usize) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let permit = Arc::clone(&self.cores)
            .acquire_owned()
            .await
            .map_err(|_| defect())?;
        let mut permits: Vec<OwnedSemaphorePermit> = vec![permit];
        while let Ok(permit) = Arc::clone(&self.cores).try_acquire_owned() {
            permits.push(permit);
        }
        let work = move || {
            let result = work(permits.len());
            drop(permits);
            result
        };
        // A caller that gives up does not stop it; the permits bound what is lost.
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|_| defect())
    }
}

fn failed(cause: Cause, message: String) -> Failure {
    Failure {
        stage: Stage::Encode,
        cause,
        message,
    }
}

fn defect() -> Failure {
    failed(
        Cause::Internal,
        "a defect in deskd's encoder; its log has more".into(),
    )
}
