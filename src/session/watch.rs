//! A stream of pictures: driven by what is drawn, at a bounded pace, the latest first.

use std::{sync::atomic::AtomicBool, time::Duration};

use bytes::Bytes;
use tokio::{sync::watch, time::Instant};

use super::{Frame, Kind, Refusal, Session, Shared, Spec, frames::Shown, screenshot::Look};
use crate::{
    encode::Tiles,
    frame::{Cause, Failure, Region, Stage},
    x11::LinkState,
};

/// A still screen is looked at so often all the same: an X server that hangs draws nothing.
const STILL: Duration = Duration::from_secs(5);

/// Pause after a card.
const FAILED: Duration = Duration::from_secs(1);

/// So long a look may take; then it is a card, and the next look goes on waiting.
const PATIENCE: Duration = Duration::from_secs(3);

/// A stream of one display's pictures, for one reader.
#[derive(Debug)]
pub struct Watch {
    session: Shared,
    spec: Spec,
    every: Duration,
    by_regions: bool,
    drawn: watch::Receiver<u64>,
    /// Before it no look begins.
    due: Instant,
    /// So long after it, a look begins although nothing was drawn.
    rest: Duration,
    sent: Option<Sent>,
    /// What the screen showed when it was last looked at.
    newest: Option<Shown>,
    /// Of which the reader was not told.
    passed: u64,
}

/// What the reader has.
#[derive(Debug)]
enum Sent {
    /// The frame, and for changed regions the tiles of it.
    Frame(Shown, Option<Tiles>),
    Card(Stage, Cause),
}

/// One step of a stream.
#[derive(Debug)]
pub struct Step {
    /// The frame; with changed regions, after the first without image.
    pub frame: Frame,
    /// What changed, in pixels of the screen, and its image.
    pub changed: Vec<(Region, Bytes)>,
    /// Pictures that were there since the last step and were not sent.
    pub skipped: u64,
}

/// What a look found that the reader does not have.
struct News {
    step: Step,
    shown: Shown,
    tiles: Option<Tiles>,
}

impl Session {
    /// A stream of what `spec` asks for, at most one picture every so long. `by_regions`:
    /// after the first, only what changed.
    pub fn watch(self: &Shared, spec: Spec, every: Duration, by_regions: bool) -> Watch {
        let mut drawn = self.display.drawn();
        drawn.mark_changed();
        Watch {
            spec,
            every,
            by_regions,
            drawn,
            due: Instant::now(),
            rest: STILL,
            sent: None,
            newest: None,
            passed: 0,
            session: Shared::clone(self),
        }
    }
}

impl Watch {
    /// Until there may be something new, and it is time for it.
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

    /// Looks at the screen: `None` when the reader has that already. A failure comes as
    /// a card, and each once while it lasts.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] for what cannot be answered by any screen: the stream is over.
    pub async fn look(&mut self) -> Result<Option<Step>, Refusal> {
        let arrived = self.begin();
        let session = &self.session;
        let space = session.resolve_for(&self.spec)?;
        let unpainted = AtomicBool::new(false);
        let work = async {
            match session.look(&self.spec, &space, &unpainted).await? {
                Ok(look) => Ok(self.step(&look, arrived).await),
                Err(failure) => Ok(Err(failure)),
            }
        };
        let time = arrived..arrived + PATIENCE;
        let found = session.or_card(&self.spec, &space, time, &unpainted, work);
        match found.await? {
            Ok(None) => Ok(None),
            Ok(Some(News {
                mut step,
                shown,
                tiles,
            })) => {
                // What was passed last is what is sent now.
                let shows_it = self.newest == Some(shown);
                step.skipped = self.passed.saturating_sub(u64::from(shows_it));
                self.passed = 0;
                self.newest = Some(shown);
                self.sent = Some(Sent::Frame(shown, tiles));
                self.spec.if_changed_since = None;
                Ok((step.frame.kind != Kind::Unchanged).then_some(step))
            }
            Err(card) => {
                self.rest = FAILED;
                let Kind::Card(Failure { stage, cause, .. }) = card.kind else {
                    return Ok(None);
                };
                let told =
                    matches!(&self.sent, Some(Sent::Card(s, c)) if (*s, *c) == (stage, cause));
                self.sent = Some(Sent::Card(stage, cause));
                Ok((!told).then(|| Step {
                    frame: card,
                    changed: Vec::new(),
                    skipped: std::mem::take(&mut self.passed),
                }))
            }
        }
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

    /// What the screen shows, when it shows something.
    async fn glance(&self) -> Option<Shown> {
        let space = self.session.resolve_for(&self.spec).ok()?;
        let unpainted = AtomicBool::new(false);
        let look = self.session.look(&self.spec, &space, &unpainted);
        let look = tokio::time::timeout(PATIENCE, look)
            .await
            .ok()?
            .ok()?
            .ok()?;
        let digest = self.session.encodings.digest(&look.grab, look.plan).await;
        Some(look.shown(digest.ok()?))
    }

    /// A look begins: the pace of the next one.
    fn begin(&mut self) -> Instant {
        let now = Instant::now();
        self.drawn.mark_unchanged();
        self.due = now + self.every;
        let tells_drawing = match self.session.link().state {
            LinkState::Up(screen) => screen.has_damage,
            LinkState::Down(_) | LinkState::Connecting => true,
        };
        // A pointer moves and nothing is drawn.
        self.rest = if tells_drawing && !self.spec.cursor {
            STILL
        } else {
            Duration::ZERO
        };
        now
    }

    /// What of a look is new to the reader.
    async fn step(&self, look: &Look, arrived: Instant) -> Result<Option<News>, Failure> {
        let encodings = &self.session.encodings;
        let shown = look.shown(encodings.digest(&look.grab, look.plan).await?);
        let before = match &self.sent {
            Some(Sent::Frame(before, _)) if *before == shown => return Ok(None),
            Some(Sent::Frame(before, tiles)) => tiles.as_ref().filter(|_| before.same_part(&shown)),
            Some(Sent::Card(..)) | None => None,
        };
        let tiles = if self.by_regions {
            Some(encodings.tiles(&look.grab, look.plan).await?)
        } else {
            None
        };
        let (frame, changed) = match (before, &tiles) {
            (Some(before), Some(tiles)) => {
                let began = Instant::now();
                let regions = tiles.changed_since(before);
                let changed = self.images(look, regions).await?;
                let id = self.session.frames().issue();
                self.session.frames().remember(&id, Some(shown));
                (look.frame(id, arrived, began.elapsed()), changed)
            }
            _ => {
                let frame = self.session.frame_of(&self.spec, look, arrived).await?;
                (frame, Vec::new())
            }
        };
        let step = Step {
            frame,
            changed,
            skipped: 0,
        };
        Ok(Some(News { step, shown, tiles }))
    }

    /// The images of a picture's regions.
    async fn images(
        &self,
        look: &Look,
        regions: Vec<Region>,
    ) -> Result<Vec<(Region, Bytes)>, Failure> {
        let regions = regions.into_iter().map(|region| Region {
            x: region.x + look.plan.region.x,
            y: region.y + look.plan.region.y,
            ..region
        });
        let encodings = &self.session.encodings;
        let images = encodings
            .encode_parts(&look.grab, look.plan, regions.collect())
            .await?;
        let bytes: usize = images.iter().map(|(_, image)| image.len()).sum();
        match self.spec.max_image_bytes {
            Some(limit) if bytes as u64 > limit => Err(Failure {
                stage: Stage::Encode,
                cause: Cause::TooLarge,
                message: format!(
                    "what changed takes {bytes} bytes, and max_image_bytes is {limit}"
                ),
            }),
            _ => Ok(images),
        }
    }
}
