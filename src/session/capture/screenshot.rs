//! One screenshot: validated, captured, encoded, or a card.

use std::{
    ops::Range,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::time::Instant;

use super::{
    super::paint::Awaited,
    Capture,
    asked::Space,
    encoding::{ImagePlan, Made},
    frames::{Shown, Source},
    picture::{Frame, FrameKind, ImageSpec, Scale, Spec, Timings},
    refusal::Refusal,
    space::Resolved,
};
use crate::{
    encode::{Digest, Effort},
    failure::{Cause, Failure, Stage},
    frame::{MAX_OUTPUT_PIXELS, MAX_OUTPUT_SIDE, Size},
    gate::Evidence,
    x11::{Grab, ScreenInfo},
};

/// Time before the deadline at which a card is begun, so that it is not late: on an idle
/// machine it takes some milliseconds, on a busy one tens.
const CARD_LEAD: Duration = Duration::from_millis(250);

/// Pause before the paint is judged again.
const AGAIN: Duration = Duration::from_millis(50);

impl Capture {
    /// The screen, captured after `arrived`; a card when that cannot be done
    /// before `reply_by`.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] for a request that cannot be answered by any screen.
    pub async fn screenshot(
        &self,
        spec: &Spec,
        arrived: Instant,
        reply_by: Instant,
    ) -> Result<Frame, Refusal> {
        let space = self.resolve_for(&spec.image)?;
        let unpainted = AtomicBool::new(false);
        let work = async {
            match self.look(spec, &space, &unpainted).await? {
                Ok(look) => Ok(self.frame_of(spec, &look, arrived, Source::Call).await),
                Err(failure) => Ok(Err(failure)),
            }
        };
        let answer = self.or_card(&spec.image, &space, arrived..reply_by, &unpainted, work);
        Ok(answer.await?.unwrap_or_else(|card| card))
    }

    /// Returns the result of `work`; or a card if it fails or takes longer than `time`,
    /// which goes from the call to the moment its reply must leave. `unpainted`: whether it
    /// waits for the paint.
    pub(super) async fn or_card<T>(
        &self,
        image: &ImageSpec,
        space: &Resolved,
        time: Range<Instant>,
        unpainted: &AtomicBool,
        work: impl Future<Output = Result<Result<T, Failure>, Refusal>>,
    ) -> Result<Result<T, Frame>, Refusal> {
        let Range {
            start: arrived,
            end: reply_by,
        } = time;
        let card = async |failure| self.card(image, space, failure, arrived).await;
        let mut work = pin!(work);
        let lead = CARD_LEAD.min(reply_by.saturating_duration_since(arrived) / 4);
        let result = tokio::select! {
            // A picture that is there counts, also at the last moment.
            biased;
            result = &mut work => result?,
            () = self.shutdown.cancelled() => Err(Failure::stopping()),
            // The card is drawn while the picture may still come.
            card = async {
                tokio::time::sleep_until(reply_by - lead).await;
                let card = card(self.late(unpainted)).await;
                tokio::time::sleep_until(reply_by).await;
                card
            } => return Ok(Err(self.answer_with(card, Source::Call))),
        };
        match result {
            Ok(done) => Ok(Ok(done)),
            Err(failure) => Ok(Err(self.answer_with(card(failure).await, Source::Call))),
        }
    }

    /// Why a capture did not come in time; `unpainted`: it waited for the paint.
    pub(super) fn late(&self, unpainted: &AtomicBool) -> Failure {
        match self.overdue() {
            late if late.cause == Cause::Deadline && unpainted.load(Ordering::Relaxed) => {
                self.paint.failure()
            }
            failure => failure,
        }
    }

    /// A capture that may be shown, however long it takes, and what of it is asked for.
    pub(super) async fn look(
        &self,
        spec: &Spec,
        space: &Resolved,
        unpainted: &AtomicBool,
    ) -> Result<Result<Look, Failure>, Refusal> {
        let profile = self.paint.profile();
        let (grab, paint) = loop {
            let grab = match self.display.capture().await {
                Ok(grab) => grab,
                Err(failure) => return Ok(Err(failure)),
            };
            // What no screen could answer is refused, painted or not.
            space.still_holds(&grab)?;
            if let Some(asked) = spec.image.region {
                space.region(asked, grab.pixels.size())?;
            }
            if self.paint.trusts(&grab) {
                let proof = self.paint.proof(grab.generation, grab.geometry_epoch);
                break (grab, Some(proof));
            }
            if spec.unproved {
                break (grab, self.paint.glance(profile).await);
            }
            // The memory of a frame that is not sent is needed.
            drop(grab);
            if unpainted.swap(true, Ordering::Relaxed) {
                // Ready, and yet not proved: the display changes at this moment.
                tokio::time::sleep(AGAIN).await;
            }
            self.until_painted(&Awaited::default()).await;
        };
        space.still_holds(&grab)?;
        let screen = grab.pixels.size();
        let image = &spec.image;
        let region = match image.region {
            Some(asked) => space.region(asked, screen)?,
            None => space.whole(screen),
        };
        let output = image.scale.of(region.size);
        within_limit(output)?;
        let plan = ImagePlan {
            region,
            output,
            format: image.format,
            cursor: image.cursor,
            effort: Effort::Fast,
        };
        Ok(Ok(Look { grab, plan, paint }))
    }

    /// The frame of a capture.
    pub(super) async fn frame_of(
        &self,
        spec: &Spec,
        look: &Look,
        arrived: Instant,
        source: Source,
    ) -> Result<Frame, Failure> {
        let (id, digest, made) = match self.picture(spec, &look.grab, look.plan).await? {
            MadePicture::Made(made) => (made.frame_id.clone(), made.digest, Some(made)),
            MadePicture::Unchanged(id, digest) => (id, digest, None),
        };
        let shown = look.shown(digest);
        let id = {
            let mut frames = self.frames();
            // Its image may have been encoded anew, to make room for others.
            let id = frames.name_of(&shown).unwrap_or(id);
            frames.remember(source, &id, Some(shown));
            id
        };
        let Some(made) = made else {
            return Ok(Frame {
                kind: FrameKind::Unchanged,
                ..look.frame(id, arrived, Duration::ZERO)
            });
        };
        Ok(Frame {
            image: made.encoded.bytes.clone(),
            stride: made.encoded.stride,
            ..look.frame(id, arrived, made.took)
        })
    }

    /// Encodes what `plan` says, unless the caller has it.
    async fn picture(
        &self,
        spec: &Spec,
        grab: &Arc<Grab>,
        plan: ImagePlan,
    ) -> Result<MadePicture, Failure> {
        if let Some(id) = &spec.if_changed_since {
            // An id that is not known gets the full answer.
            let before = self.frames().find(id).ok();
            // Only a frame with the same parameters is worth the comparison.
            let same = |before: &Shown| *before == shown(grab, plan, before.digest);
            if let Some(before) = before.filter(same) {
                let now = self.encodings.digest(grab, plan).await?;
                if now == before.digest {
                    return Ok(MadePicture::Unchanged(id.clone(), now));
                }
            }
        }
        let issue_id = || self.frames().issue();
        let made = self.encodings.encode(grab, plan, issue_id).await?;
        let Some(limit) = spec.image.max_image_bytes else {
            return Ok(MadePicture::Made(made));
        };
        if made.encoded.bytes.len() as u64 <= limit {
            return Ok(MadePicture::Made(made));
        }
        let tight = ImagePlan {
            effort: Effort::Tight,
            ..plan
        };
        let smaller = self.encodings.encode(grab, tight, issue_id).await?;
        if smaller.encoded.bytes.len() as u64 <= limit {
            return Ok(MadePicture::Made(smaller));
        }
        let bytes = made.encoded.bytes.len().min(smaller.encoded.bytes.len());
        let message = format!(
            "the {} image takes {bytes} bytes at its smallest, and may take {limit}: ask for JPEG, a region or a smaller size (`fit`), or set a larger max_image_bytes (pictures of one step share the default)",
            plan.output
        );
        Err(Failure {
            stage: Stage::Encode,
            cause: Cause::TooLarge,
            message,
        })
    }

    /// Refuses a picture that this screen could not answer with.
    pub(in crate::session) fn can_show(
        &self,
        image: &ImageSpec,
        screen: &ScreenInfo,
    ) -> Result<(), Refusal> {
        let space = self.resolve(&image.space)?;
        space.is_of(screen.generation, screen.geometry_epoch)?;
        let region = match image.region {
            Some(asked) => space.region(asked, screen.size)?,
            None => space.whole(screen.size),
        };
        within_limit(image.scale.of(region.size))
    }

    /// Looks up the space that a picture's coordinates are of, and refuses a size that no
    /// screen could have.
    pub(super) fn resolve_for(&self, image: &ImageSpec) -> Result<Resolved, Refusal> {
        if let Scale::Size(size) = image.scale {
            within_limit(size)?;
        }
        self.resolve(&image.space)
    }

    /// Looks up the frame of a coordinate space.
    pub(in crate::session) fn resolve(&self, space: &Space) -> Result<Resolved, Refusal> {
        Ok(match space {
            Space::Screen => Resolved::Screen,
            Space::Size(size) => Resolved::Size(*size),
            Space::Frame(id) => Resolved::Frame(id.clone(), self.frames().find(id)?),
        })
    }
}

enum MadePicture {
    Made(Arc<Made>),
    /// The id of the frame that the caller has, and the digest of both.
    Unchanged(String, Digest),
}

pub(super) fn within_limit(size: Size) -> Result<(), Refusal> {
    let longest = size.width.max(size.height);
    if size.pixels() > MAX_OUTPUT_PIXELS || longest > MAX_OUTPUT_SIDE {
        return Err(Refusal::OutputTooLarge(size));
    }
    Ok(())
}

fn shown(grab: &Grab, plan: ImagePlan, digest: Digest) -> Shown {
    Shown {
        generation: grab.generation,
        epoch: grab.geometry_epoch,
        region: plan.region,
        output: plan.output,
        format: plan.format,
        cursor: plan.cursor,
        digest,
    }
}

fn timings(grab: &Grab, arrived: Instant) -> Timings {
    let wait = Instant::from_std(grab.started).saturating_duration_since(arrived);
    Timings {
        wait,
        capture: grab.took,
        encode: Duration::ZERO,
    }
}

/// A capture that may be shown, and what of it is asked for.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) grab: Arc<Grab>,
    pub(super) plan: ImagePlan,
    pub(super) paint: Option<Arc<Evidence>>,
}

impl Look {
    /// The content of a picture with that digest.
    pub(super) fn shown(&self, digest: Digest) -> Shown {
        shown(&self.grab, self.plan, digest)
    }

    /// The frame, without its image.
    pub(super) fn frame(&self, id: String, arrived: Instant, encode: Duration) -> Frame {
        let Self { grab, plan, .. } = self;
        Frame {
            kind: FrameKind::Screen,
            image: Bytes::new(),
            format: plan.format,
            size: plan.output,
            stride: 0,
            region: Some(plan.region),
            screen: Some(grab.pixels.size()),
            id,
            generation: Some(grab.generation),
            geometry_epoch: grab.geometry_epoch,
            time: grab.time,
            cursor: grab.cursor.clone(),
            mode: Some(grab.mode),
            paint: self.paint.clone(),
            timings: Timings {
                encode,
                ..timings(grab, arrived)
            },
        }
    }
}
