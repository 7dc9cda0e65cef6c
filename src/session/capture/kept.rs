//! The last image of each plan, and what of it is still right in a later capture.

use std::{
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{
    encode::{Digest, Effort, Encoded, Format, Picture},
    frame::{CursorImage, Region, STRIPE_ROWS, Size},
    x11::{Generation, Grab},
};

/// Maximum number of plans whose last image is kept.
pub(super) const KEPT: usize = 16;

/// Maximum total size of the kept images, as a number of raw images of the whole screen.
pub(super) const KEPT_SCREENS: usize = 2;

/// An image with at most this many changed pixels is encoded on the calling thread. That
/// takes less than 1 ms, and is faster than a handover to another thread and back.
const FEW_PIXELS: u64 = 64 * 1024;

/// The parameters of an image that is made of a capture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ImagePlan {
    pub(super) region: Region,
    pub(super) output: Size,
    pub(super) format: Format,
    pub(super) cursor: bool,
    pub(super) effort: Effort,
    /// The window that is shown in place of the screen, with its place.
    pub(super) window: Option<WindowPlace>,
    /// Regions of the screen that are black in the image.
    pub(super) hidden: Arc<[Region]>,
}

/// A window, and the pixel of the screen at the top-left corner of its picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::session) struct WindowPlace {
    pub(in crate::session) xid: u32,
    pub(in crate::session) x: i32,
    pub(in crate::session) y: i32,
    /// The size of its frame.
    pub(in crate::session) size: (u32, u32),
    /// The place of its frame.
    pub(in crate::session) frame: (i32, i32),
}

impl ImagePlan {
    pub(super) fn picture<'a>(&'a self, grab: &'a Grab) -> Picture<'a> {
        Picture::new(&grab.pixels, self.region, self.cursor_of(grab)).hiding(&self.hidden)
    }

    /// Whether the image is encoded stripe by stripe directly from the capture, without
    /// scaling.
    pub(super) fn is_striped(&self) -> bool {
        let is_plain = self.output == self.region.size && self.effort == Effort::Fast;
        is_plain && matches!(self.format, Format::Png | Format::Jpeg(_))
    }

    pub(super) fn cursor_of<'a>(&self, grab: &'a Grab) -> Option<&'a CursorImage> {
        let cursor = grab.cursor.as_ref();
        cursor.filter(|cursor| self.cursor && !cursor.is_left_out())
    }
}

/// An encoded image with its digest and frame id.
#[derive(Debug, Clone)]
pub(super) struct Made {
    pub(super) encoded: Encoded,
    pub(super) digest: Digest,
    pub(super) frame_id: String,
    pub(super) took: Duration,
}

/// The last image that was encoded for a plan.
#[derive(Debug)]
pub(super) struct KeptImage {
    plan: ImagePlan,
    generation: Generation,
    epoch: u64,
    /// The number of the capture that the image shows.
    grab: u64,
    /// The pointer that is drawn into the image.
    cursor: Option<CursorImage>,
    pub(super) made: Arc<Made>,
}

impl KeptImage {
    /// Whether the stripes that may differ in a later capture have at most [`FEW_PIXELS`]
    /// pixels.
    pub(super) fn is_near(&self, grab: &Grab) -> bool {
        let Size { width, height } = self.plan.region.size;
        let stripes = (0..height).step_by(STRIPE_ROWS as usize);
        let rows = stripes.map(|first| first..(first + STRIPE_ROWS).min(height));
        let pixels = rows
            .filter(|rows| self.may_differ(grab, rows.clone()))
            .map(|rows| rows.len() as u64 * u64::from(width));
        pixels.sum::<u64>() <= FEW_PIXELS
    }

    /// Whether these rows of the image may differ in a later capture: a stripe changed, or a
    /// pointer that changed covers or covered them.
    pub(super) fn may_differ(&self, grab: &Grab, rows: Range<u32>) -> bool {
        let first = self.plan.region.y;
        let (from, to) = (first + rows.start, first + rows.end);
        let stripes = (from / STRIPE_ROWS) as usize..to.div_ceil(STRIPE_ROWS) as usize;
        let drawn = grab.changed.get(stripes);
        if drawn.is_none_or(|drawn| drawn.iter().any(|number| *number > self.grab)) {
            return true;
        }
        let now = self.plan.cursor_of(grab);
        let covers = |cursor: &CursorImage| {
            let top = i64::from(cursor.y) - i64::from(cursor.hot_y);
            top < i64::from(to) && top + i64::from(cursor.size.height) > i64::from(from)
        };
        now != self.cursor.as_ref() && self.cursor.iter().chain(now).any(covers)
    }

    /// Whether the image certainly has the same content in the capture `grab`.
    pub(super) fn stays(&self, grab: &Grab) -> bool {
        !self.may_differ(grab, 0..self.plan.region.size.height)
    }
}

/// The last images, the most recently used one last.
#[derive(Debug, Clone, Default)]
pub(super) struct KeptImages(Arc<Mutex<Vec<Arc<KeptImage>>>>);

impl KeptImages {
    /// Returns the kept image of the plan, if it shows the same X server at the same geometry
    /// epoch and is not from a later capture than `grab`.
    pub(super) fn before(&self, grab: &Grab, plan: &ImagePlan) -> Option<Arc<KeptImage>> {
        let mut kept = self.lock();
        let serves = |kept: &Arc<KeptImage>| {
            kept.plan == *plan
                && (kept.generation, kept.epoch) == (grab.generation, grab.geometry_epoch)
                && kept.grab <= grab.number
        };
        let found = kept.iter().position(serves)?;
        let found = kept.remove(found);
        kept.push(Arc::clone(&found));
        Some(found)
    }

    /// Stores an image as the last one of its plan. Then drops the least recently used images,
    /// until the limits [`KEPT`] and [`KEPT_SCREENS`] are met.
    pub(super) fn keep(&self, grab: &Grab, plan: &ImagePlan, made: &Arc<Made>) {
        let room = KEPT_SCREENS * grab.pixels.size().bgrx_bytes();
        let mut kept = self.lock();
        if kept
            .iter()
            .any(|kept| kept.plan == *plan && kept.grab > grab.number)
        {
            return;
        }
        kept.retain(|kept| kept.plan != *plan);
        // This image alone would evict all others.
        if made.encoded.bytes.len() > room {
            return;
        }
        kept.push(Arc::new(KeptImage {
            plan: plan.clone(),
            generation: grab.generation,
            epoch: grab.geometry_epoch,
            grab: grab.number,
            cursor: plan.cursor_of(grab).cloned(),
            made: Arc::clone(made),
        }));
        while kept.len() > KEPT || bytes(&kept) > room {
            kept.remove(0);
        }
    }

    /// The number of images, and their size together.
    #[cfg(test)]
    pub(super) fn size(&self) -> (usize, usize) {
        let kept = self.lock();
        (kept.len(), bytes(&kept))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<KeptImage>>> {
        // The list is whole after any panic: its changes are single steps.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn bytes(kept: &[Arc<KeptImage>]) -> usize {
    kept.iter().map(|kept| kept.made.encoded.bytes.len()).sum()
}
