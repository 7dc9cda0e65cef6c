//! Captures the screen: shared captures and encodings, frames with ids, failure cards,
//! streams, and the pointer.

mod asked;
mod encoding;
mod failure_card;
mod fit;
mod follow;
mod frames;
mod kept;
mod observed;
mod picture;
mod refusal;
mod screenshot;
mod space;
mod stream;
mod window_image;
mod window_target;

use std::{
    future::Future,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

pub use asked::{AskedRegion, Space};
pub use fit::{Fit, TileLimit};
pub use follow::{ScreenChange, ScreenFollower};
pub(super) use kept::WindowPlace;
pub use observed::{FrameObserver, SeenFrame};
pub use picture::{Frame, FrameKind, HISTORY, ImageSpec, Scale, Spec, Timings};
pub use refusal::{CursorFailure, Refusal};
pub(super) use space::Resolved;
pub use stream::{StreamUpdate, Watch};
pub(super) use window_image::ShownWindow;
pub use window_target::{WindowImage, WindowMatch, WindowRefusal, WindowTarget};

use super::control::SharedLeases;
use super::paint::{Awaited, Paint, Readiness};
use crate::{
    facts::Profile,
    failure::{Cause, Failure, Stage},
    frame::Size,
    gate::{Evidence, Verdict},
    x11::{CursorReading, Display, DisplayName, Link, LinkState},
};
use encoding::Encodings;
use frames::FrameHistory;

/// The screen of one display.
#[derive(Debug)]
pub struct Capture {
    pub(super) display: Arc<Display>,
    pub(super) paint: Paint,
    /// Size of a failure card until a screen was seen for the first time.
    configured: Size,
    frames: Mutex<FrameHistory>,
    encodings: Encodings,
    leases: Arc<SharedLeases>,
    observer: OnceLock<Arc<dyn FrameObserver>>,
    shutdown: CancellationToken,
}

impl Capture {
    /// Captures `display`, which counts as painted according to `profile`. `frames` holds the
    /// prefix of frame ids and the seed of the digests.
    pub(super) fn new(
        display: Arc<Display>,
        profile: Profile,
        configured: Size,
        frames: (&str, u64),
        leases: Arc<SharedLeases>,
        shutdown: CancellationToken,
    ) -> Self {
        Self {
            paint: Paint::new(Arc::clone(&display), profile),
            display,
            configured,
            frames: Mutex::new(FrameHistory::new(frames.0)),
            encodings: Encodings::new(frames.1),
            leases,
            observer: OnceLock::new(),
            shutdown,
        }
    }

    /// Returns the display's name.
    pub fn display(&self) -> DisplayName {
        self.display.name()
    }

    /// Whether the X thread works: it waits for the X server, or its loop ran recently.
    pub fn works(&self) -> bool {
        self.display.works()
    }

    /// Returns a receiver of the X connection's state and its changes.
    pub fn links(&self) -> watch::Receiver<Link> {
        self.display.link()
    }

    /// Returns the current state of the X connection.
    pub fn link(&self) -> Link {
        self.display.link().borrow().clone()
    }

    /// Returns the daemon's own paint profile.
    pub fn profile(&self) -> Profile {
        self.paint.profile()
    }

    /// Waits until the desktop is painted, at most until `reply_by`, and returns the current
    /// verdict. If a paint proof (the record on the root window that the desktop is painted)
    /// exists and no windows are awaited, it returns at once.
    pub async fn wait_ready(&self, awaited: &Awaited, reply_by: Instant) -> Readiness {
        let profile = awaited.profile.unwrap_or(self.profile());
        if awaited.windows.is_empty()
            && let Some(proved) = self.proved(profile)
        {
            return proved;
        }
        tokio::select! {
            biased;
            ready = self.until_painted(awaited) => return ready,
            () = self.shutdown.cancelled() => {}
            () = tokio::time::sleep_until(reply_by) => {}
        }
        self.paint.known_for(awaited).unwrap_or_else(|| Readiness {
            evidence: Arc::new(Evidence::bare(Verdict::NoDisplay, profile)),
            generation: None,
            geometry_epoch: 0,
        })
    }

    /// Whether a connection in this state has a paint proof that covers the daemon's profile.
    pub fn is_proved(&self, link: &Link) -> bool {
        let LinkState::Up(screen) = &link.state else {
            return false;
        };
        screen
            .proof
            .is_some_and(|proof| proof.implies(self.profile()))
    }

    /// Waits, without a limit, until the paint gate returns READY. If no windows are awaited,
    /// a paint proof for the profile also ends the wait.
    async fn until_painted(&self, awaited: &Awaited) -> Readiness {
        let profile = awaited.profile.unwrap_or(self.profile());
        tokio::select! {
            ready = self.paint.until_ready(awaited) => ready,
            proved = self.until_proved(profile), if awaited.windows.is_empty() => proved,
        }
    }

    /// Waits until a paint proof that covers `profile` exists.
    pub(super) async fn until_proved(&self, profile: Profile) -> Readiness {
        let mut link = self.display.link();
        loop {
            link.borrow_and_update();
            if let Some(proved) = self.proved(profile) {
                return proved;
            }
            if link.changed().await.is_err() {
                // The X thread has ended, so no further paint proof can be recorded.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Returns the current paint proof if it covers `profile`.
    pub fn proved(&self, profile: Profile) -> Option<Readiness> {
        let LinkState::Up(screen) = self.link().state else {
            return None;
        };
        let stands = screen.proof.is_some_and(|proof| proof.implies(profile));
        stands.then(|| Readiness {
            evidence: self.paint.proof(screen.generation, screen.geometry_epoch),
            generation: Some(screen.generation),
            geometry_epoch: screen.geometry_epoch,
        })
    }

    /// Keeps the paint gate observing for `time`, because a caller will query within that
    /// time whether the paint is proved. Does nothing if it is already proved.
    pub fn expect_paint(&self, time: Duration) {
        if self.proved(self.profile()).is_none() {
            self.paint.expect(time);
        }
    }

    /// Reads the pointer, after this call began.
    ///
    /// # Errors
    ///
    /// Returns the failure if there is no X server, or if it does not answer before
    /// `reply_by`.
    pub async fn cursor(&self, reply_by: Instant) -> Result<CursorReading, CursorFailure> {
        self.wait(reply_by, self.display.cursor())
            .await
            .map_err(CursorFailure)
    }

    /// Waits for `work` on the display, at most until `reply_by` or shutdown.
    pub(super) async fn wait<T>(
        &self,
        reply_by: Instant,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        tokio::select! {
            // A result that is ready is returned, even at the deadline.
            biased;
            result = work => result,
            () = self.shutdown.cancelled() => Err(Failure::stopping()),
            () = tokio::time::sleep_until(reply_by) => Err(self.overdue()),
        }
    }

    /// Returns the failure to report while the first attempt to connect has not ended.
    pub fn not_yet_connected(&self) -> Failure {
        Failure {
            stage: Stage::Connect,
            cause: Cause::NoDisplay,
            message: format!("deskd is connecting to {}", self.display.name()),
        }
    }

    /// Returns the most specific known reason why nothing arrived before the deadline.
    pub fn overdue(&self) -> Failure {
        // After a shorter silence, the X server is working, not hanging.
        let silent = self
            .display
            .waiting()
            .filter(|silent| *silent >= Duration::from_millis(50));
        match (self.link().state, silent) {
            (_, Some(silent)) => Failure {
                stage: Stage::Timeout,
                cause: Cause::Unresponsive,
                message: format!(
                    "the X server on {} has not answered for {:.1} s",
                    self.display.name(),
                    silent.as_secs_f64()
                ),
            },
            (LinkState::Down(failure), None) => failure,
            (LinkState::Connecting, None) => self.not_yet_connected(),
            (LinkState::Up(_), None) => Failure {
                stage: Stage::Timeout,
                cause: Cause::Deadline,
                message: "the caller's deadline came before deskd was done".into(),
            },
        }
    }

    pub(super) fn frames(&self) -> MutexGuard<'_, FrameHistory> {
        // The history is consistent even after a panic: each change is a single operation.
        self.frames.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
