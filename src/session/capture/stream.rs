//! A stream of pictures: driven by what is drawn, at a bounded pace, the latest first.

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use bytes::Bytes;
use tokio::{sync::watch, time::Instant};

use super::{
    Capture,
    encoding::ImagePlan,
    frames::{Shown, Source},
    picture::{Frame, FrameKind, Spec},
    refusal::Refusal,
    screenshot::Look,
    space::Resolved,
};
use crate::{
    encode::{Effort, Tiles},
    failure::{Cause, Failure, Stage},
    frame::Region,
    x11::LinkState,
};

/// A still screen is looked at so often all the same: an X server that hangs draws nothing.
const STILL: Duration = Duration::from_secs(5);

/// Pause after a card.
const FAILED: Duration = Duration::from_secs(1);

/// Maximum time of a capture; then a card is sent, and the next capture waits.
const PATIENCE: Duration = Duration::from_secs(3);

/// A stream of one display's pictures, for one reader.
#[derive(Debug)]
pub struct Watch {
    capture: Arc<Capture>,
    spec: Spec,
    /// Looked up once: the stream's own frames do not make it unknown.
    space: Resolved,
    every: Duration,
    by_regions: bool,
    drawn: watch::Receiver<u64>,
    /// Before it no look begins.
    due: Instant,
    /// Time after a look at which the next one begins although nothing was drawn.
    rest: Duration,
    sent: Option<LastSent>,
    /// The content of the last capture.
    newest: Option<Shown>,
    /// Frames that were skipped since the last response.
    passed: u64,
}

/// The last update that the reader has.
#[derive(Debug)]
enum LastSent {
    /// The frame, and for changed regions the tiles of it.
    Frame(Shown, Option<Tiles>),
    Card(Stage, Cause),
}

/// One step of a stream.
#[derive(Debug)]
pub struct StreamUpdate {
    /// The frame; with changed regions, after the first without image.
    pub frame: Frame,
    /// The changed regions, in pixels of the screen, and their images.
    pub changed: Vec<(Region, Bytes)>,
    /// Pictures that were there since the last step and were not sent.
    pub skipped: u64,
}

/// An update that the reader does not have.
#[derive(Debug)]
pub struct Found {
    update: StreamUpdate,
    sent: LastSent,
}

impl Found {
    /// The size of its images.
    pub fn bytes(&self) -> usize {
        let StreamUpdate { frame, changed, .. } = &self.update;
        let changed = changed.iter().map(|(_, image)| image.len());
        frame.image.len() + changed.sum::<usize>()
    }
}

impl Capture {
    /// A stream of what `spec` asks for, at most one picture every so long. `by_regions`:
    /// after the first, only what changed.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] for what cannot be answered by any screen.
    pub fn watch(
        self: &Arc<Self>,
        spec: Spec,
        every: Duration,
        by_regions: bool,
    ) -> Result<Watch, Refusal> {
        let space = self.resolve_for(&spec.image)?;
        let mut drawn = self.display.drawn();
        drawn.mark_changed();
        Ok(Watch {
            spec,
            space,
            every,
            by_regions,
            drawn,
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
    /// About as many bytes as an image of it has at most.
    pub fn most_bytes(&self) -> usize {
        let screen = self.capture.link().last_screen.map(|screen| screen.size);
        let screen = screen.unwrap_or(self.capture.configured);
        self.spec.image.scale.of(screen).bgrx_bytes()
    }

    /// Waits until there may be an update, and its time has come.
    pub async fn stir(&mut self) {
        tokio::time::sleep_until(self.due).await;
        tokio::select! {
            drawn = self.drawn.changed() => if drawn.is_err() {
                // The X thread has ended: the look says so.
                tokio::time::sleep(FAILED).await;
            },
            () = tokio::time::sleep_until(self.due + self.rest) => {}
        }
    }

    /// Looks at the screen: `None` if the reader has it already. A failure comes as a card,
    /// once while it lasts. A finding counts as sent when the method `tell` returns it.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] for what cannot be answered by any screen: the stream is over.
    pub async fn look(&mut self) -> Result<Option<Found>, Refusal> {
        let arrived = self.begin();
        let capture = &self.capture;
        let unpainted = AtomicBool::new(false);
        let work = async {
            match capture.look(&self.spec, &self.space, &unpainted).await? {
                Ok(look) => Ok(self.step(&look, arrived).await),
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

    /// Returns a finding to be sent now; `None` if the reader has it by now.
    pub fn tell(&mut self, found: Found) -> Option<StreamUpdate> {
        let Found { mut update, sent } = found;
        update.skipped = std::mem::take(&mut self.passed);
        if let LastSent::Frame(shown, _) = &sent {
            // What was passed last is what is sent now.
            let shows_it = self.newest == Some(*shown);
            update.skipped = update.skipped.saturating_sub(u64::from(shows_it));
            self.newest = Some(*shown);
            self.spec.if_changed_since = None;
        }
        self.sent = Some(sent);
        (update.frame.kind != FrameKind::Unchanged).then_some(update)
    }

    /// Counts what is shown while the reader takes nothing. Does not end.
    pub async fn pass(&mut self) -> std::convert::Infallible {
        loop {
            self.begin();
            if let Some(shown) = self.glance().await
                && Some(shown) != self.newest
            {
                self.newest = Some(shown);
                self.passed += 1;
            }
            self.stir().await;
        }
    }

    /// The content of the screen, if it can be captured.
    async fn glance(&self) -> Option<Shown> {
        let unpainted = AtomicBool::new(false);
        let look = self.capture.look(&self.spec, &self.space, &unpainted);
        let look = tokio::time::timeout(PATIENCE, look)
            .await
            .ok()?
            .ok()?
            .ok()?;
        let digest = self.capture.encodings.digest(&look.grab, look.plan).await;
        Some(look.shown(digest.ok()?))
    }

    /// A look begins: the pace of the next one.
    fn begin(&mut self) -> Instant {
        let now = Instant::now();
        self.drawn.mark_unchanged();
        self.due = now + self.every;
        let tells_drawing = match self.capture.link().state {
            LinkState::Up(screen) => screen.has_damage,
            LinkState::Down(_) | LinkState::Connecting => true,
        };
        // A pointer moves and nothing is drawn.
        self.rest = if tells_drawing && !self.spec.image.cursor {
            STILL
        } else {
            Duration::ZERO
        };
        now
    }

    /// The part of a capture that is new to the reader.
    async fn step(&self, look: &Look, arrived: Instant) -> Result<Option<Found>, Failure> {
        let encodings = &self.capture.encodings;
        let shown = look.shown(encodings.digest(&look.grab, look.plan).await?);
        let before = match &self.sent {
            Some(LastSent::Frame(before, _)) if *before == shown => return Ok(None),
            Some(LastSent::Frame(before, tiles)) => {
                tiles.as_ref().filter(|_| before.same_part(&shown))
            }
            Some(LastSent::Card(..)) | None => None,
        };
        let tiles = if self.by_regions {
            Some(encodings.tiles(&look.grab, look.plan).await?)
        } else {
            None
        };
        let began = Instant::now();
        let changed = match (before, &tiles) {
            (Some(before), Some(tiles)) => self.images(look, tiles.changed_since(before)).await?,
            _ => None,
        };
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

    /// The images of a picture's regions; `None` when they take more bytes than they may:
    /// the whole may still take fewer.
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
                ..look.plan
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
