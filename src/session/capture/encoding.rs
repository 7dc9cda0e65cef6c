//! Encodes images outside the async threads, at most one per core at a time. Concurrent
//! callers that request the same image of the same capture share one encoding. The last image
//! of each plan is kept, so that the next one re-encodes only what changed.

use std::{
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError, Weak},
    thread::available_parallelism,
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::sync::{OnceCell, Semaphore, oneshot};

use super::kept::{ImagePlan, KeptImages, Made};
use crate::{
    encode::{self, Digest, Effort, EncodeOrder, Encoded, Format, Picture, Tiles, encode},
    failure::{Cause, Failure, Stage},
    frame::{Pixels, Region, STRIPE_ROWS},
    x11::Grab,
};

/// Number of stripes that are hashed at once, on the thread of the sockets.
const FEW_STRIPES: usize = 4;

/// The result cell that all callers of one image wait for.
type Work = OnceCell<Result<Arc<Made>, Failure>>;

#[derive(Debug)]
struct Pending {
    grab: u64,
    plan: ImagePlan,
    work: Weak<Work>,
}

/// The encoder of a session, with its recent images.
#[derive(Debug)]
pub(super) struct Encodings {
    seed: u64,
    cores: Arc<Semaphore>,
    shared: Mutex<Vec<Pending>>,
    /// Ordered by last use: the image that was used most recently is last.
    kept: KeptImages,
}

impl Encodings {
    pub(super) fn new(seed: u64) -> Self {
        let cores = available_parallelism().map_or(1, usize::from);
        Self {
            seed,
            cores: Arc::new(Semaphore::new(cores)),
            shared: Mutex::default(),
            kept: KeptImages::default(),
        }
    }

    /// Returns the digest of the image that `plan` describes.
    pub(super) async fn digest(
        &self,
        grab: &Arc<Grab>,
        plan: &ImagePlan,
    ) -> Result<Digest, Failure> {
        let before = self.kept.before(grab, plan);
        if let Some(same) = before.as_ref().filter(|before| before.stays(grab)) {
            return Ok(same.made.digest);
        }
        let (grab, plan, seed) = (Arc::clone(grab), plan.clone(), self.seed);
        let is_small = before.as_ref().is_some_and(|before| before.is_near(&grab));
        let work = move || {
            let prints = before.as_ref().map(|before| &*before.made.encoded.prints);
            let may_differ = |rows| {
                before
                    .as_ref()
                    .is_none_or(|before| before.may_differ(&grab, rows))
            };
            Digest::of(&plan.picture(&grab).prints(prints, may_differ, seed))
        };
        if is_small {
            return Ok(work());
        }
        self.off_thread(work).await
    }

    /// Returns the encoded image. Concurrent callers that request the same image share one
    /// encoding.
    pub(super) async fn encode(
        &self,
        grab: &Arc<Grab>,
        plan: &ImagePlan,
        issue_id: impl FnOnce() -> String,
    ) -> Result<Arc<Made>, Failure> {
        let before = self.kept.before(grab, plan);
        if let Some(same) = before.as_ref().filter(|before| before.stays(grab)) {
            return Ok(Arc::new(Made {
                took: Duration::ZERO,
                ..(*same.made).clone()
            }));
        }
        let work = self.join(grab.number, plan);
        let make = || async {
            let (grab, seed, frame_id) = (Arc::clone(grab), self.seed, issue_id());
            let (kept, plan) = (self.kept.clone(), plan.clone());
            let is_small = before
                .as_ref()
                .is_some_and(|before| plan.is_striped() && before.is_near(&grab));
            let work = move |is_alone| {
                let began = Instant::now();
                let order = EncodeOrder {
                    output: plan.output,
                    format: plan.format,
                    effort: plan.effort,
                    is_alone,
                    seed,
                };
                let may_differ = |rows| {
                    before
                        .as_ref()
                        .is_none_or(|before| before.may_differ(&grab, rows))
                };
                let last = before.as_ref().map(|before| &before.made.encoded);
                let encoded = encode(&plan.picture(&grab), order, last, may_differ)
                    .map_err(|error| failed(Cause::EncodeFailed, error.to_string()))?;
                let digest = Digest::of(&encoded.prints);
                // An image with an unchanged digest keeps its frame id.
                let same = before
                    .as_ref()
                    .filter(|before| before.made.digest == digest);
                let frame_id = same.map_or(frame_id, |before| before.made.frame_id.clone());
                let made = Arc::new(Made {
                    digest,
                    encoded,
                    frame_id,
                    took: began.elapsed(),
                });
                kept.keep(&grab, &plan, &made);
                Ok(made)
            };
            if is_small {
                return work(true);
            }
            self.off_thread(move || work(false)).await.flatten()
        };
        work.get_or_init(make).await.clone()
    }

    /// Returns the hashes of the image's tiles.
    pub(super) async fn tiles(&self, grab: &Arc<Grab>, plan: &ImagePlan) -> Result<Tiles, Failure> {
        let (grab, plan, seed) = (Arc::clone(grab), plan.clone(), self.seed);
        self.off_thread(move || Tiles::of(&plan.picture(&grab), seed))
            .await
    }

    /// Like [`Self::tiles`], for the screen without the pointer. `before` has the hashes of an earlier
    /// capture and its number; rows that were not drawn on since keep theirs.
    pub(super) async fn next_tiles(
        &self,
        grab: &Arc<Grab>,
        plan: &ImagePlan,
        before: Option<(Arc<Tiles>, u64)>,
    ) -> Result<Arc<Tiles>, Failure> {
        let (grab, plan, seed) = (Arc::clone(grab), plan.clone(), self.seed);
        let stripes = grab.changed.iter();
        let number = before.as_ref().map_or(0, |(_, number)| *number);
        let drawn = stripes.filter(|drawn| **drawn > number).count();
        let work = move || {
            let may_differ = |rows: Range<u32>| {
                let stripe = (rows.start / STRIPE_ROWS) as usize;
                let drawn = grab.changed.get(stripe);
                drawn.is_none_or(|drawn| *drawn > number)
            };
            let before = before.as_ref().map(|(tiles, _)| &**tiles);
            Arc::new(Tiles::next(&plan.picture(&grab), seed, before, may_differ))
        };
        match drawn <= FEW_STRIPES && number > 0 {
            true => Ok(work()),
            false => self.off_thread(work).await,
        }
    }

    /// Returns images of `parts` of the screen, each at its native size.
    pub(super) async fn encode_parts(
        &self,
        grab: &Arc<Grab>,
        plan: ImagePlan,
        parts: Vec<Region>,
    ) -> Result<Vec<(Region, Bytes)>, Failure> {
        let (grab, seed) = (Arc::clone(grab), self.seed);
        self.off_thread(move || {
            let image = |region: Region| {
                let picture = Picture::new(&grab.pixels, region, plan.cursor_of(&grab));
                let picture = picture.hiding(&plan.hidden);
                let order = EncodeOrder {
                    output: region.size,
                    format: plan.format,
                    effort: plan.effort,
                    is_alone: false,
                    seed,
                };
                Ok((region, encode(&picture, order, None, |_| true)?.bytes))
            };
            let images: Result<_, encode::EncodeError> = parts.into_iter().map(image).collect();
            images.map_err(|error| failed(Cause::EncodeFailed, error.to_string()))
        })
        .await
        .flatten()
    }

    /// Encodes a failure card.
    pub(super) async fn encode_card(
        &self,
        pixels: Pixels,
        format: Format,
    ) -> Result<Encoded, Failure> {
        // No permit is acquired: a failure card that waits behind other images would be late.
        let work = move || {
            let size = pixels.size();
            let picture = Picture::new(&pixels, Region::whole(size), None);
            let order = EncodeOrder {
                output: size,
                format,
                effort: Effort::Fast,
                is_alone: true,
                seed: 0,
            };
            encode(&picture, order, None, |_| true)
                .map_err(|error| failed(Cause::EncodeFailed, error.to_string()))
        };
        tokio::task::spawn_blocking(work)
            .await
            .unwrap_or_else(|_| Err(defect()))
    }

    /// Returns the result cell of this image. The first caller creates it; it is dropped with
    /// the last.
    fn join(&self, grab: u64, plan: &ImagePlan) -> Arc<Work> {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.retain(|entry| entry.work.strong_count() > 0);
        let same = shared
            .iter()
            .find(|entry| entry.grab == grab && entry.plan == *plan);
        if let Some(work) = same.and_then(|entry| entry.work.upgrade()) {
            return work;
        }
        let work = Arc::new(Work::new());
        shared.push(Pending {
            grab,
            plan: plan.clone(),
            work: Arc::downgrade(&work),
        });
        work
    }

    /// Runs `work` on the encoder's threads.
    async fn off_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Failure> {
        // Work that has begun continues when its caller disconnects. The permits limit how
        // much work can be wasted in this way.
        let permit = Arc::clone(&self.cores).acquire_owned().await;
        let permit = permit.map_err(|_| defect())?;
        let (answer, answered) = oneshot::channel();
        encode::spawn(move || {
            let result = catch_unwind(AssertUnwindSafe(work));
            drop(permit);
            // Sending fails if the caller has disconnected.
            drop(answer.send(result));
        });
        match answered.await {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(_)) | Err(_) => Err(defect()),
        }
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

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::{
        frame::{CaptureMode, CursorImage, Size},
        session::capture::kept::{KEPT, KEPT_SCREENS},
        x11::Generation,
    };

    const SIZE: Size = Size {
        width: 320,
        height: 240,
    };

    /// A capture. The row `odd`, if given, has another colour. `changed` holds, for each
    /// stripe, the number of the capture in which the stripe last changed.
    fn grab(number: u64, odd: Option<u32>, changed: &[u64], cursor: Option<i32>) -> Arc<Grab> {
        let shade = |at: usize| u8::try_from(at / 97 % 256).unwrap();
        let mut bytes: Vec<u8> = (0..SIZE.bgrx_bytes()).map(shade).collect();
        let row = SIZE.width as usize * 4;
        if let Some(odd) = odd {
            bytes[odd as usize * row..][..row].fill(200);
        }
        let pointer = |x| CursorImage {
            x,
            y: 2 * x,
            hot_x: 0,
            hot_y: 0,
            size: Size {
                width: 8,
                height: 8,
            },
            argb: vec![0xffff_ffff; 64],
        };
        Arc::new(Grab {
            number,
            pixels: Arc::new(Pixels::new(Box::new(bytes), SIZE, row).unwrap()),
            changed: changed.into(),
            cursor: cursor.map(pointer),
            generation: Generation::of(1),
            geometry_epoch: 1,
            mode: CaptureMode::ShmFd,
            started: Instant::now(),
            time: SystemTime::now(),
            took: Duration::ZERO,
            proof: None,
            arrangement: None,
        })
    }

    /// The value of `changed` for a screen that has not changed since capture `number`.
    fn still(number: u64) -> Vec<u64> {
        vec![number; SIZE.height.div_ceil(STRIPE_ROWS) as usize]
    }

    fn plan(format: Format) -> ImagePlan {
        ImagePlan {
            region: Region::whole(SIZE),
            output: SIZE,
            format,
            cursor: true,
            effort: Effort::Fast,
            window: None,
            hidden: Arc::default(),
        }
    }

    async fn made(encodings: &Encodings, grab: &Arc<Grab>, plan: ImagePlan) -> Arc<Made> {
        let id = || format!("frame-{}", grab.number);
        encodings.encode(grab, &plan, id).await.unwrap()
    }

    #[tokio::test]
    async fn a_picture_that_did_not_change_keeps_its_name_in_every_format() {
        for format in [Format::Png, Format::Jpeg(80), Format::Webp, Format::RawBgrx] {
            let encodings = Encodings::new(7);
            let first = made(&encodings, &grab(1, None, &still(1), None), plan(format)).await;
            // Capture 2 reports no drawing; capture 3 reports drawing, but has the same
            // pixels.
            for (number, changed) in [(2, still(1)), (3, still(3))] {
                let next = grab(number, None, &changed, None);
                let again = made(&encodings, &next, plan(format)).await;
                assert_eq!(again.frame_id, "frame-1", "{format:?}, capture {number}");
                assert_eq!(again.encoded.bytes, first.encoded.bytes);
                assert_eq!(
                    encodings.digest(&next, &plan(format)).await.unwrap(),
                    first.digest
                );
            }
            let mut changed = still(3);
            changed[6] = 4;
            let other = made(
                &encodings,
                &grab(4, Some(100), &changed, None),
                plan(format),
            )
            .await;
            assert_eq!(other.frame_id, "frame-4");
            assert_ne!(other.digest, first.digest);
            // The bytes equal those of an encoding without a kept image.
            let anew = Encodings::new(7);
            let anew = made(&anew, &grab(4, Some(100), &still(4), None), plan(format)).await;
            assert_eq!(other.encoded.bytes, anew.encoded.bytes, "{format:?}");
        }
    }

    #[tokio::test]
    async fn the_pointer_counts_where_it_is_and_was_and_only_if_it_is_asked_for() {
        let encodings = Encodings::new(7);
        let with = plan(Format::Png);
        let without = ImagePlan {
            cursor: false,
            ..with.clone()
        };
        let (here, there) = (
            grab(1, None, &still(1), Some(10)),
            grab(2, None, &still(1), Some(90)),
        );
        let first = made(&encodings, &here, with.clone()).await;
        let moved = made(&encodings, &there, with.clone()).await;
        assert_ne!(moved.digest, first.digest);
        let anew = made(&Encodings::new(7), &there, with.clone()).await;
        assert_eq!(
            moved.encoded.bytes, anew.encoded.bytes,
            "the place that it left"
        );
        let plain = made(&encodings, &here, without.clone()).await;
        let again = made(&encodings, &there, without.clone()).await;
        assert_eq!(again.frame_id, plain.frame_id);
    }

    /// A scaled image of which only the changed rows were made again equals one that was made at
    /// once, in every format; also if images of a part, at full size, are made in between.
    #[tokio::test]
    async fn a_scaled_picture_follows_changes_beside_a_part_at_full_size() {
        for format in [Format::Png, Format::Jpeg(80), Format::Webp, Format::RawBgrx] {
            for (width, height) in [(160, 120), (213, 160), (400, 300)] {
                let encodings = Encodings::new(7);
                let scaled = ImagePlan {
                    output: Size { width, height },
                    ..plan(format)
                };
                let part = ImagePlan {
                    region: Region::new(100, 80, 64, 48),
                    output: Size {
                        width: 64,
                        height: 48,
                    },
                    ..plan(format)
                };
                let first = made(&encodings, &grab(1, None, &still(1), None), scaled.clone()).await;
                assert_eq!(first.encoded.size, scaled.output);
                for (number, odd) in [(2, 100), (3, 0), (4, 239), (5, 16), (6, 15)] {
                    // The row of the last capture changes back, and another one changes.
                    let last = [(2, 100), (3, 0), (4, 239), (5, 16), (6, 15)]
                        .into_iter()
                        .find(|(before, _)| before + 1 == number);
                    let mut changed = still(1);
                    for row in [Some(odd), last.map(|(_, row)| row)].into_iter().flatten() {
                        changed[(row / STRIPE_ROWS) as usize] = number;
                    }
                    let grab = grab(number, Some(odd), &changed, None);
                    made(&encodings, &grab, part.clone()).await;
                    let next = made(&encodings, &grab, scaled.clone()).await;
                    let anew = made(&Encodings::new(7), &grab, scaled.clone()).await;
                    assert!(
                        next.encoded.bytes == anew.encoded.bytes,
                        "{format:?}, {width}x{height}, row {odd}"
                    );
                    assert_ne!(next.encoded.bytes, first.encoded.bytes);
                }
                assert_eq!(encodings.kept.size().0, 2);
            }
        }
    }

    /// At most 16 plans keep an image, and the least recently used is dropped. An image is
    /// not used for another X server, another geometry epoch or an earlier capture.
    #[tokio::test]
    async fn what_is_kept_is_bounded_and_of_the_same_screen() {
        let encodings = Encodings::new(7);
        let first = grab(1, None, &still(1), None);
        let nth = |n: u32| ImagePlan {
            region: Region::new(n, 0, 16, 16),
            output: Size {
                width: 16,
                height: 16,
            },
            ..plan(Format::Png)
        };
        for n in 0..u32::try_from(KEPT).unwrap() + 3 {
            made(&encodings, &first, nth(n)).await;
        }
        assert_eq!(encodings.kept.size().0, KEPT);
        assert!(encodings.kept.before(&first, &nth(2)).is_none());
        assert!(encodings.kept.before(&first, &nth(3)).is_some());
        // The plan that was used most recently is dropped last.
        made(&encodings, &first, nth(90)).await;
        assert!(encodings.kept.before(&first, &nth(3)).is_some());
        let other = |change: fn(&mut Grab)| {
            let mut grab = Arc::into_inner(grab(1, None, &still(1), None)).unwrap();
            change(&mut grab);
            grab
        };
        for changed in [
            other(|grab| grab.generation = Generation::of(2)),
            other(|grab| grab.geometry_epoch = 2),
            other(|grab| grab.number = 0),
        ] {
            assert!(encodings.kept.before(&changed, &nth(3)).is_none());
        }
        // There is room for two raw images of the whole screen.
        for n in 0..4 {
            let raw = ImagePlan {
                format: Format::RawBgrx,
                effort: [Effort::Fast, Effort::Tight][n % 2],
                cursor: n < 2,
                ..plan(Format::RawBgrx)
            };
            made(&encodings, &first, raw).await;
        }
        let (_, bytes) = encodings.kept.size();
        assert!(bytes <= KEPT_SCREENS * SIZE.bgrx_bytes(), "{bytes}");
    }

    #[tokio::test]
    async fn callers_at_once_share_one_picture() {
        let encodings = Arc::new(Encodings::new(7));
        let grab = grab(1, None, &still(1), None);
        let calls = (0..8).map(|number| {
            let (encodings, grab) = (Arc::clone(&encodings), Arc::clone(&grab));
            tokio::spawn(async move {
                let id = || format!("call-{number}");
                encodings
                    .encode(&grab, &plan(Format::Png), id)
                    .await
                    .unwrap()
            })
        });
        let mut ids = Vec::new();
        for call in calls.collect::<Vec<_>>() {
            ids.push(call.await.unwrap().frame_id.clone());
        }
        ids.dedup();
        assert_eq!(ids.len(), 1, "{ids:?}");
    }
}
