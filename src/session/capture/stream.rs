//! A stream of frames. Drawing on the screen triggers a new frame, at a bounded rate; the
//! reader always receives the latest one.

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use bytes::Bytes;
use tokio::{sync::watch, time::Instant};

use super::{
    Capture,
    frames::{Shown, Source},
    kept::ImagePlan,
    picture::{Frame, FrameKind, Spec},
    refusal::Refusal,
    screenshot::Look,
    space::Resolved,
};
use crate::{
    encode::{Effort, Tiles},
    failure::{Cause, Failure, Stage},
    frame::Region,
    session::control::Leases,
    x11::LinkState,
};

/// Interval at which a screen without drawing is captured anyway. Otherwise, a hung X server,
/// which reports no drawing, would go unnoticed.
const STILL: Duration = Duration::from_secs(5);

/// Interval at which a capture is repeated after a failure.
const FAILED: Duration = Duration::from_secs(1);

/// Maximum duration of a capture. After that, the stream sends a failure card and captures
/// again.
const PATIENCE: Duration = Duration::from_secs(3);

/// A stream of frames of one display, for one reader.
#[derive(Debug)]
pub struct Watch {
    capture: Arc<Capture>,
    spec: Spec,
    /// Resolved when the stream opens, so that the stream's own frames cannot displace the
    /// frame that the coordinate space refers to.
    space: Resolved,
    every: Duration,
    by_regions: bool,
    drawn: watch::Receiver<u64>,
    /// Changes when control of the input changes hands.
    control: watch::Receiver<Leases>,
    /// Earliest time of the next capture.
    due: Instant,
    /// Time after `due` at which the next capture begins although nothing was drawn.
    rest: Duration,
    sent: Option<LastSent>,
    /// The content of the newest capture that was counted or sent.
    newest: Option<Shown>,
    /// Number of captures with new content that were skipped since the last response.
    passed: u64,
}

/// The last update that was sent to the reader.
#[derive(Debug)]
enum LastSent {
    /// The frame and, in a stream of changed regions, its tiles.
    Frame(Shown, Option<Tiles>),
    Card(Stage, Cause),
}

/// One update of a stream.
#[derive(Debug)]
pub struct StreamUpdate {
    /// The frame. It has no image if `changed` holds the changed regions instead.
    pub frame: Frame,
    /// The changed regions, in pixels of the screen, and their images.
    pub changed: Vec<(Region, Bytes)>,
    /// Number of captures with new content that were skipped since the last update.
    pub skipped: u64,
}

/// An update with content that was not sent to the reader yet.
#[derive(Debug)]
pub struct Found {
    update: StreamUpdate,
    sent: LastSent,
}

impl Found {
    /// Returns the total size of the images in bytes.
    pub fn bytes(&self) -> usize {
        let StreamUpdate { frame, changed, .. } = &self.update;
        let changed = changed.iter().map(|(_, image)| image.len());
        frame.image.len() + changed.sum::<usize>()
    }
}

impl Capture {
    /// Opens a stream of the image that `spec` describes, with at most one frame per `every`.
    /// With `by_regions`, the updates after the first hold only the changed regions.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] if the image is too large, or if the frame of its coordinate space is
    /// unknown or a failure card.
    pub fn watch(
        self: &Arc<Self>,
        spec: Spec,
        every: Duration,
        by_regions: bool,
    ) -> Result<Watch, Refusal> {
        let space = self.resolve_for(&spec.image)?;
        let mut drawn = self.display.drawn();
        drawn.mark_changed();
        let control = self.leases.watch();
        Ok(Watch {
            spec,
            space,
            every,
            by_regions,
            drawn,
            control,
            due: Instant::now(),
            rest: STILL,
            sent: None,
            newest: None,
            passed: 0,
            capture: Arc::clone(self),
        })
    }
}

impl Watch {
    /// Returns the approximate maximum size of an image of the stream in bytes.
    pub fn most_bytes(&self) -> usize {
        let screen = self.capture.link().last_screen.map(|screen| screen.size);
        let screen = screen.unwrap_or(self.capture.configured);
        self.spec.image.scale.of(screen).bgrx_bytes()
    }

    /// Waits until the next capture is due and something was drawn, control changed hands or `rest`
    /// has passed.
    pub async fn stir(&mut self) {
        tokio::time::sleep_until(self.due).await;
        tokio::select! {
            drawn = self.drawn.changed() => if drawn.is_err() {
                // The X thread has ended; the next capture reports that.
                tokio::time::sleep(FAILED).await;
            },
            changed = self.control.changed() => if changed.is_err() {
                tokio::time::sleep(FAILED).await;
            },
            () = tokio::time::sleep_until(self.due + self.rest) => {}
        }
    }

    /// Captures the screen. Returns `None` if its content was already sent to the reader. A
    /// failure is returned as a failure card, once while the same failure lasts. The update
    /// counts as sent when [`Self::tell`] has returned it.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] if the screen can no longer provide the image, for example after a
    /// resize. The stream then ends.
    pub async fn look(&mut self) -> Result<Option<Found>, Refusal> {
        let arrived = self.begin();
        let capture = &self.capture;
        let unpainted = AtomicBool::new(false);
        let work = async {
            match capture.look(&self.spec, &self.space, &unpainted).await? {
                Ok(look) => Ok::<_, Refusal>(self.step(&look, arrived).await),
                Err(failure) => Ok(Err(failure)),
            }
        };
        let found = tokio::select! {
            biased;
            found = work => found?,
            () = capture.shutdown.cancelled() => Err(Failure::stopping()),
            () = tokio::time::sleep_until(arrived + PATIENCE) => Err(capture.late(&unpainted)),
        };
        let failure = match found {
            Ok(found) => return Ok(found),
            Err(failure) => failure,
        };
        self.rest = FAILED;
        let why = (failure.stage, failure.cause);
        if matches!(&self.sent, Some(LastSent::Card(stage, cause)) if (*stage, *cause) == why) {
            return Ok(None);
        }
        let card = capture.card(&self.spec.image, &self.space, failure, arrived);
        Ok(Some(Found {
            update: StreamUpdate {
                frame: capture.answer_with(card.await, Source::Stream),
                changed: Vec::new(),
                skipped: 0,
            },
            sent: LastSent::Card(why.0, why.1),
        }))
    }

    /// Records an update as sent and returns it; `None` if the reader already has its image.
    pub fn tell(&mut self, found: Found) -> Option<StreamUpdate> {
        let Found { mut update, sent } = found;
        update.skipped = std::mem::take(&mut self.passed);
        if let LastSent::Frame(shown, _) = &sent {
            // The content that is sent now was also counted as the last skipped one.
            let shows_it = self.newest.is_some_and(|newest| newest.same_content(shown));
            update.skipped = update.skipped.saturating_sub(u64::from(shows_it));
            self.newest = Some(*shown);
            self.spec.if_changed_since = None;
        }
        self.sent = Some(sent);
        (update.frame.kind != FrameKind::Unchanged).then_some(update)
    }

    /// Counts new content while the reader receives nothing. Never returns.
    pub async fn pass(&mut self) -> std::convert::Infallible {
        loop {
            self.begin();
            if let Some(shown) = self.glance().await
                && !self
                    .newest
                    .is_some_and(|newest| newest.same_content(&shown))
            {
                self.newest = Some(shown);
                self.passed += 1;
            }
            self.stir().await;
        }
    }

    /// Returns the current content of the screen; `None` if it cannot be captured.
    async fn glance(&self) -> Option<Shown> {
        let unpainted = AtomicBool::new(false);
        let look = self.capture.look(&self.spec, &self.space, &unpainted);
        let look = tokio::time::timeout(PATIENCE, look)
            .await
            .ok()?
            .ok()?
            .ok()?;
        let digest = self.capture.encodings.digest(&look.grab, &look.plan).await;
        Some(look.shown(digest.ok()?))
    }

    /// Begins a capture: computes when the next one is due, and returns the current time.
    fn begin(&mut self) -> Instant {
        let now = Instant::now();
        self.drawn.mark_unchanged();
        self.due = now + self.every;
        let tells_drawing = match self.capture.link().state {
            LinkState::Up(screen) => screen.has_damage,
            LinkState::Down(_) | LinkState::Connecting => true,
        };
        // Pointer movement is not reported as drawing.
        self.rest = if tells_drawing && !self.spec.image.cursor {
            STILL
        } else {
            Duration::ZERO
        };
        now
    }

    /// Returns an update with what is new to the reader in a capture; `None` if nothing is.
    async fn step(&self, look: &Look, arrived: Instant) -> Result<Option<Found>, Failure> {
        let encodings = &self.capture.encodings;
        let shown = look.shown(encodings.digest(&look.grab, &look.plan).await?);
        let before = match &self.sent {
            Some(LastSent::Frame(before, _)) if *before == shown => return Ok(None),
            Some(LastSent::Frame(before, tiles)) => {
                tiles.as_ref().filter(|_| before.same_part(&shown))
            }
            Some(LastSent::Card(..)) | None => None,
        };
        let tiles = if self.by_regions {
            Some(encodings.tiles(&look.grab, &look.plan).await?)
        } else {
            None
        };
        let began = Instant::now();
        let changed = match (before, &tiles) {
            (Some(before), Some(tiles)) => self.images(look, tiles.changed_since(before)).await?,
            _ => None,
        };
        // If nothing has changed but who is in control, the reader gets the frame again, whole: it needs
        // one from after the hand-over.
        let changed = changed.filter(|changed| !changed.is_empty());
        let capture = &self.capture;
        let (frame, changed) = if let Some(changed) = changed {
            let id = capture.frames().issue();
            capture.frames().remember(Source::Stream, &id, Some(shown));
            (look.frame(id, arrived, began.elapsed()), changed)
        } else {
            let frame = capture.frame_of(&self.spec, look, arrived, Source::Stream);
            (frame.await?, Vec::new())
        };
        let update = StreamUpdate {
            frame,
            changed,
            skipped: 0,
        };
        let sent = LastSent::Frame(shown, tiles);
        Ok(Some(Found { update, sent }))
    }

    /// Returns the images of the changed regions. Returns `None` if they exceed the limit
    /// together; one image of the whole region may still be smaller.
    async fn images(
        &self,
        look: &Look,
        regions: Vec<Region>,
    ) -> Result<Option<Vec<(Region, Bytes)>>, Failure> {
        let regions = regions.into_iter().map(|region| Region {
            x: region.x + look.plan.region.x,
            y: region.y + look.plan.region.y,
            ..region
        });
        let regions: Vec<Region> = regions.collect();
        let encodings = &self.capture.encodings;
        let limit = self.spec.image.max_image_bytes.unwrap_or(u64::MAX);
        for effort in [Effort::Fast, Effort::Tight] {
            let plan = ImagePlan {
                effort,
                ..look.plan.clone()
            };
            let images = encodings.encode_parts(&look.grab, plan, regions.clone());
            let images = images.await?;
            let bytes: usize = images.iter().map(|(_, image)| image.len()).sum();
            if bytes as u64 <= limit {
                return Ok(Some(images));
            }
        }
        Ok(None)
    }
}
