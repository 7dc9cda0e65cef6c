//! The screen: shared captures and encodings, frames that can be named, a failure card in
//! place of a frame, streams, and the pointer.

mod asked;
mod encoding;
mod failure_card;
mod fit;
mod frames;
mod picture;
mod refusal;
mod screenshot;
mod space;
mod stream;

use std::{
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

pub use asked::{AskedRegion, Space};
pub use fit::{Fit, TileLimit};
pub use picture::{Frame, FrameKind, HISTORY, ImageSpec, Scale, Spec, Timings};
pub use refusal::{CursorFailure, Refusal};
pub(super) use space::Resolved;
pub use stream::{StreamUpdate, Watch};

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
    /// Size of a card while no screen was seen yet.
    configured: Size,
    frames: Mutex<FrameHistory>,
    encodings: Encodings,
    shutdown: CancellationToken,
}

impl Capture {
    /// Looks at `display`, which is painted when `profile` says so. `frames`: what the ids of
    /// frames begin with, and the seed of their digests.
    pub(super) fn new(
        display: Arc<Display>,
        profile: Profile,
        configured: Size,
        frames: (&str, u64),
        shutdown: CancellationToken,
    ) -> Self {
        Self {
            paint: Paint::new(Arc::clone(&display), profile),
            display,
            configured,
            frames: Mutex::new(FrameHistory::new(frames.0)),
            encodings: Encodings::new(frames.1),
            shutdown,
        }
    }

    /// The display.
    pub fn display(&self) -> DisplayName {
        self.display.name()
    }

    /// Whether the thread that owns the connection to the X server runs its loop.
    pub fn works(&self) -> bool {
        self.display.works()
    }

    /// The changes of the display's connection.
    pub fn links(&self) -> watch::Receiver<Link> {
        self.display.link()
    }

    /// The state of the display's connection.
    pub fn link(&self) -> Link {
        self.display.link().borrow().clone()
    }

    /// The daemon's own profile.
    pub fn profile(&self) -> Profile {
        self.paint.profile()
    }

    /// Waits until the desktop is painted, but not beyond `reply_by`; the answer is the
    /// verdict then. A proof that stands is the answer at once, unless windows are waited
    /// for.
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

    /// Whether a connection in that state shows what the daemon's profile calls
    /// painted.
    pub fn is_proved(&self, link: &Link) -> bool {
        let LinkState::Up(screen) = &link.state else {
            return false;
        };
        screen
            .proof
            .is_some_and(|proof| proof.implies(self.profile()))
    }

    /// Waits until the gate says READY, or a proof covers all that is awaited, without a
    /// limit.
    async fn until_painted(&self, awaited: &Awaited) -> Readiness {
        let profile = awaited.profile.unwrap_or(self.profile());
        tokio::select! {
            ready = self.paint.until_ready(awaited) => ready,
            proved = self.until_proved(profile), if awaited.windows.is_empty() => proved,
        }
    }

    /// Waits until a proof for `profile` exists.
    pub(super) async fn until_proved(&self, profile: Profile) -> Readiness {
        let mut link = self.display.link();
        loop {
            link.borrow_and_update();
            if let Some(proved) = self.proved(profile) {
                return proved;
            }
            if link.changed().await.is_err() {
                // The X thread has ended: nothing will be proved any more.
                std::future::pending::<()>().await;
            }
        }
    }

    /// The proof that stands, if there is one for `profile`.
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

    /// Keeps the paint observed for `time`, because a caller will ask within it whether the
    /// paint is proved.
    pub fn expect_paint(&self, time: Duration) {
        if self.proved(self.profile()).is_none() {
            self.paint.expect(time);
        }
    }

    /// The pointer, read after this call began.
    ///
    /// # Errors
    ///
    /// When there is no X server, or it does not answer before `reply_by`.
    pub async fn cursor(&self, reply_by: Instant) -> Result<CursorReading, CursorFailure> {
        self.wait(reply_by, self.display.cursor())
            .await
            .map_err(CursorFailure)
    }

    /// Waits for work on the display, but not beyond `reply_by` nor shutdown.
    pub(super) async fn wait<T>(
        &self,
        reply_by: Instant,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        tokio::select! {
            // An answer that is there counts, also at the last moment.
            biased;
            result = work => result,
            () = self.shutdown.cancelled() => Err(Failure::stopping()),
            () = tokio::time::sleep_until(reply_by) => Err(self.overdue()),
        }
    }

    /// The failure while the X server was neither reached nor found to be away.
    pub fn not_yet_connected(&self) -> Failure {
        Failure {
            stage: Stage::Connect,
            cause: Cause::NoDisplay,
            message: format!("deskd is connecting to {}", self.display.name()),
        }
    }

    /// Why nothing came before the deadline, as well as it is known.
    pub fn overdue(&self) -> Failure {
        // A wait this short is a server at work, not one that hangs.
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
        // The list is whole after any panic: its changes are single steps.
        self.frames.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
