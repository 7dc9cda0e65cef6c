//! A call's way from request to frame or card: deadlines, shared captures,
//! shared encodings, frames that can be named.
//!
//! Called by [`rpc`](crate::rpc); calls [`x11`](crate::x11),
//! [`encode`](crate::encode) and [`card`](crate::card). It knows no gRPC: a
//! [`Refusal`] becomes a status, and a [`Frame`] a message, up there.

mod act;
mod bring_up;
mod encoding;
mod failure_card;
mod fit;
mod frames;
mod paint;
mod picture;
mod screenshot;
mod space;
mod watch;
mod watching;

use std::{
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use act::{
    Account, Act, Acted, Action, AskedPoint, Button, Done, Ended, Expect, Key, Method, Operation,
    Outcome, Pressed, PressedInput, Refused, Run, Settled, Settling, Status, Text,
};
pub use bring_up::{BroughtUp, Classification, StackError, UpResult};
pub use fit::{Fit, Tiles};
pub use paint::{Awaited, Readiness};
pub use picture::{Frame, ImageSpec, Kind, Scale, Spec, Timings};
pub use space::{AskedRegion, Space};
pub use watch::{Step, Watch};

use crate::{
    facts::Profile,
    failure::{Cause, Failure, Stage},
    frame::Size,
    gate::{Evidence, Verdict},
    stack::Stack,
    x11::{CursorReading, Display, Link, LinkState},
};
use act::Input;
use bring_up::Managed;
use encoding::Encodings;
use frames::Frames;
use paint::Paint;

pub use frames::HISTORY;

/// Why a request is refused: nothing was done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A frame id that is not among the last [`HISTORY`].
    #[error("frame {0:?} is not among the last {HISTORY} frames of this daemon: take a new one")]
    UnknownFrame(String),
    /// A frame id that names a card.
    #[error("frame {0:?} is a failure card, which has no coordinates: take a new frame")]
    FrameIsCard(String),
    /// A frame of another X server.
    #[error("frame {0:?} is of another X server: take a new frame")]
    StaleGeneration(String),
    /// A frame of another screen size.
    #[error("frame {0:?} is from before the screen was resized: take a new frame")]
    StaleEpoch(String),
    /// A region outside its space or the screen.
    #[error("region {asked} is not within {within}: give one that is; nothing is clamped")]
    OutOfScreen {
        /// The region as asked.
        asked: AskedRegion,
        /// The space that it must lie in, in words.
        within: String,
    },
    /// More pixels than a request may ask for.
    #[error(
        "an image of {0} has more than {max} pixels or a side above {side}: ask for a smaller one",
        max = crate::frame::MAX_OUTPUT_PIXELS, side = crate::frame::MAX_OUTPUT_SIDE
    )]
    OutputTooLarge(Size),
}

/// Why the pointer could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CursorFailure(pub Failure);

/// One daemon life on one display.
#[derive(Debug)]
pub struct Session {
    display: Arc<Display>,
    paint: Paint,
    managed: Option<Managed>,
    /// Size of a card while no screen was seen yet.
    configured: Size,
    instance_id: String,
    shutdown: CancellationToken,
    frames: Mutex<Frames>,
    encodings: Encodings,
    input: Input,
}

impl Session {
    /// A session on `display`, which is painted when `profile` says so, and which
    /// `stack` starts unless somebody else does. When `shutdown` is cancelled, waiting calls get
    /// their card.
    ///
    /// # Errors
    ///
    /// When the system has no randomness, or no thread left.
    pub fn new(
        display: Arc<Display>,
        profile: Profile,
        stack: Option<Stack>,
        configured: Size,
        shutdown: CancellationToken,
    ) -> std::io::Result<Self> {
        let (instance, seed) = (getrandom::u64()?, getrandom::u64()?);
        let instance_id = format!("{instance:016x}{:016x}", getrandom::u64()?);
        Ok(Self {
            paint: Paint::new(Arc::clone(&display), profile),
            input: Input::new(Arc::clone(&display))?,
            display,
            managed: stack.map(|stack| Managed::new(stack, configured)),
            configured,
            frames: Mutex::new(Frames::new(&instance_id[..8])),
            instance_id,
            shutdown,
            encodings: Encodings::new(seed),
        })
    }

    /// Random, one a daemon life, 32 hexadecimal digits.
    pub fn instance_id(&self) -> &str {
        &self.instance_id
    }

    /// Cancelled when the daemon stops.
    pub fn stopping(&self) -> CancellationToken {
        self.shutdown.clone()
    }

    /// The display that this session looks at.
    pub fn display(&self) -> &Display {
        &self.display
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
    async fn until_proved(&self, profile: Profile) -> Readiness {
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
    async fn wait<T>(
        &self,
        reply_by: Instant,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        tokio::select! {
            // An answer that is there counts, also at the last moment.
            biased;
            result = work => result,
            () = self.shutdown.cancelled() => Err(stopping()),
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

    fn frames(&self) -> MutexGuard<'_, Frames> {
        // The list is whole after any panic: its changes are single steps.
        self.frames.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The failure of waiting calls at shutdown.
pub fn stopping() -> Failure {
    Failure {
        stage: Stage::Shutdown,
        cause: Cause::ShuttingDown,
        message: "deskd is stopping".into(),
    }
}

/// A session shared by all calls.
pub type Shared = Arc<Session>;
