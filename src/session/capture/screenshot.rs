//! Takes a screenshot: validates the request, captures and encodes the screen, or returns a
//! failure card.

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
    frames::{Shown, Source},
    kept::{ImagePlan, Made},
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

/// Time before the deadline at which the daemon begins to draw a failure card, so that the
/// card is not late. Drawing takes a few milliseconds on an idle machine and tens on a busy
/// one.
const CARD_LEAD: Duration = Duration::from_millis(250);

/// Pause before the paint is checked again.
const AGAIN: Duration = Duration::from_millis(50);

impl Capture {
    /// Returns the screen, captured after `arrived`. If that is not possible before
    /// `reply_by`, returns a failure card.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] if the request is invalid, for example if its region is not on the
    /// screen.
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

    /// Returns the result of `work`, or a failure card if `work` fails or is late. `time`
    /// begins when the call arrived and ends when its reply must be sent. `work` sets
    /// `unpainted` when it has to wait for the paint.
    pub(in crate::session) async fn or_card<T>(
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
            // A result that is ready is returned, even at the deadline.
            biased;
            result = &mut work => result?,
            () = self.shutdown.cancelled() => Err(Failure::stopping()),
            // The failure card is drawn while `work` may still finish.
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

    /// Returns the reason why a capture is late. `unpainted`: whether the capture waited for
    /// the paint.
    pub(super) fn late(&self, unpainted: &AtomicBool) -> Failure {
        match self.overdue() {
            late if late.cause == Cause::Deadline && unpainted.load(Ordering::Relaxed) => {
                self.paint.failure()
            }
            failure => failure,
        }
    }

    /// Captures the screen until a capture may be shown, without a time limit. Returns that
    /// capture with the parameters of the requested image.
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
            // A request that is invalid on this screen is refused, whether it is painted or
            // not.
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
            // This capture is not sent, so its memory is released before the wait.
            drop(grab);
            if unpainted.swap(true, Ordering::Relaxed) {
                // The paint gate returned READY, but the next capture had no paint proof: the
                // display is changing at this moment.
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
            window: None,
            hidden: Arc::default(),
        };
        let control_epoch = self.leases.epoch_at(grab.started);
        Ok(Ok(Look {
            grab,
            plan,
            paint,
            control_epoch,
        }))
    }

    /// Returns the frame of a capture.
    pub(super) async fn frame_of(
        &self,
        spec: &Spec,
        look: &Look,
        arrived: Instant,
        source: Source,
    ) -> Result<Frame, Failure> {
        let (id, digest, made, effort) = match self.picture(spec, &look.grab, &look.plan).await? {
            MadePicture::Made(made, effort) => {
                (made.frame_id.clone(), made.digest, Some(made), effort)
            }
            MadePicture::Unchanged(id, digest) => (id, digest, None, Effort::Fast),
        };
        let shown = look.shown(digest);
        let id = {
            let mut frames = self.frames();
            // If the encoder had dropped the image, it was encoded again under a new id. The
            // frame then keeps its earlier id.
            let id = frames.name_of(&shown).unwrap_or(id);
            frames.remember(source, &id, Some(shown));
            id
        };
        let frame = match made {
            None => Frame {
                kind: FrameKind::Unchanged,
                ..look.frame(id, arrived, Duration::ZERO)
            },
            Some(made) => Frame {
                image: made.encoded.bytes.clone(),
                stride: made.encoded.stride,
                ..look.frame(id, arrived, made.took)
            },
        };
        self.report_frame(source, &frame, look, effort);
        Ok(frame)
    }

    /// Encodes the image of `plan`, unless the caller already has it. An image that exceeds
    /// its limit is encoded again with [`Effort::Tight`].
    async fn picture(
        &self,
        spec: &Spec,
        grab: &Arc<Grab>,
        plan: &ImagePlan,
    ) -> Result<MadePicture, Failure> {
        if let Some(id) = &spec.if_changed_since {
            // With an unknown id, the image is always sent.
            let before = self.frames().find(id).ok();
            // Only a frame with the same parameters is compared.
            let same =
                |before: &Shown| *before == shown(grab, plan, before.digest, before.control_epoch);
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
            return Ok(MadePicture::Made(made, Effort::Fast));
        };
        if made.encoded.bytes.len() as u64 <= limit {
            return Ok(MadePicture::Made(made, Effort::Fast));
        }
        let tight = ImagePlan {
            effort: Effort::Tight,
            ..plan.clone()
        };
        let smaller = self.encodings.encode(grab, &tight, issue_id).await?;
        if smaller.encoded.bytes.len() as u64 <= limit {
            return Ok(MadePicture::Made(smaller, Effort::Tight));
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

    /// Refuses a request for an image that this screen cannot provide.
    pub(in crate::session) fn can_show(
        &self,
        image: &ImageSpec,
        screen: &ScreenInfo,
    ) -> Result<(), Refusal> {
        if image.window.is_some() {
            // Its size is not known yet.
            return Ok(());
        }
        let space = self.resolve(&image.space)?;
        space.is_of(screen.generation, screen.geometry_epoch)?;
        let region = match image.region {
            Some(asked) => space.region(asked, screen.size)?,
            None => space.whole(screen.size),
        };
        within_limit(image.scale.of(region.size))
    }

    /// Resolves the coordinate space of a requested image, and refuses an image size above
    /// the limits.
    pub(super) fn resolve_for(&self, image: &ImageSpec) -> Result<Resolved, Refusal> {
        if let Scale::Size(size) = image.scale {
            within_limit(size)?;
        }
        self.resolve(&image.space)
    }

    /// Resolves a coordinate space, and looks up the frame that it refers to.
    pub(in crate::session) fn resolve(&self, space: &Space) -> Result<Resolved, Refusal> {
        Ok(match space {
            Space::Screen => Resolved::Screen,
            Space::Size(size) => Resolved::Size(*size),
            Space::Frame(id) => Resolved::Frame(id.clone(), self.frames().find(id)?),
        })
    }
}

enum MadePicture {
    Made(Arc<Made>, Effort),
    /// The id of the frame that the caller has, and the digest that both images have.
    Unchanged(String, Digest),
}

pub(super) fn within_limit(size: Size) -> Result<(), Refusal> {
    let longest = size.width.max(size.height);
    if size.pixels() > MAX_OUTPUT_PIXELS || longest > MAX_OUTPUT_SIDE {
        return Err(Refusal::OutputTooLarge(size));
    }
    Ok(())
}

fn shown(grab: &Grab, plan: &ImagePlan, digest: Digest, control_epoch: u64) -> Shown {
    Shown {
        generation: grab.generation,
        epoch: grab.geometry_epoch,
        region: plan.region,
        output: plan.output,
        format: plan.format,
        cursor: plan.cursor,
        digest,
        window: plan.window,
        control_epoch,
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

/// A capture that may be shown, with the parameters of the requested image.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) grab: Arc<Grab>,
    pub(super) plan: ImagePlan,
    pub(super) paint: Option<Arc<Evidence>>,
    /// The control epoch when the capture began.
    pub(super) control_epoch: u64,
}

impl Look {
    /// Returns the content of an image with this digest.
    pub(super) fn shown(&self, digest: Digest) -> Shown {
        shown(&self.grab, &self.plan, digest, self.control_epoch)
    }

    /// Returns the frame without its image.
    pub(super) fn frame(&self, id: String, arrived: Instant, encode: Duration) -> Frame {
        let Self { grab, plan, .. } = self;
        Frame {
            kind: FrameKind::Screen,
            image: Bytes::new(),
            format: plan.format,
            size: plan.output,
            stride: 0,
            region: Some(plan.region),
            origin: plan.window.map_or((0, 0), |window| (window.x, window.y)),
            screen: Some(grab.pixels.size()),
            id,
            generation: Some(grab.generation),
            geometry_epoch: grab.geometry_epoch,
            control_epoch: self.control_epoch,
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
