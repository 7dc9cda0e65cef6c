//! Encodes pixels as PNG, JPEG, WebP or raw bytes.
//!
//! Pure and synchronous: the daemon calls it off the async threads. It does not depend on X11 or gRPC.
//!
//! - [`Picture`]: the requested part of a capture, with or without the pointer.
//! - `stripes`: images in stripes that are encoded separately and kept; `png` (by the crate
//!   `deskd-deflate`) and `jpeg` are such formats.
//! - `reference`: PNG by libraries.
//! - `threads`: the threads that encode.
//! - [`Tiles`]: finds where two pictures differ.
//! - `webp`, `scale`: thin layers over the crates that do the work.

mod error;
mod jpeg;
mod picture;
mod png;
mod reference;
mod scale;
mod stripes;
mod threads;
mod tiles;
mod webp;

use std::ops::Range;

use bytes::Bytes;

pub use error::EncodeError;
pub use picture::{Digest, Picture, Print};
pub use threads::spawn;
pub use tiles::Tiles;

use crate::frame::{BYTES_PER_PIXEL, Pixels, Region, STRIPE_ROWS, Size};
use scale::Scaling;
use stripes::KeptStripes;

/// Encoding of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// 8-bit RGB, lossless.
    Png,
    /// Baseline JPEG of this quality, 1 to 100.
    Jpeg(u8),
    /// Lossless WebP.
    Webp,
    /// Rows of blue, green, red, 255, without padding.
    RawBgrx,
}

/// How much work to spend on a small image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effort {
    /// The fastest encoding.
    Fast,
    /// The smallest image that can be made in some tens of milliseconds per megapixel, without
    /// more loss than [`Effort::Fast`].
    Tight,
}

/// An encoded image, with what is needed to reuse its parts in the next one.
#[derive(Debug, Clone)]
pub struct Encoded {
    /// The file, or the rows.
    pub bytes: Bytes,
    /// Size in pixels.
    pub size: Size,
    /// Bytes from one row to the next for [`Format::RawBgrx`], else 0.
    pub stride: u32,
    /// The hashes of the picture's stripes.
    pub prints: Vec<Print>,
    /// The stripes of this image, for reuse; `None` if it was not encoded in stripes.
    kept: Option<KeptStripes>,
}

/// The options for encoding an image.
#[derive(Debug, Clone, Copy)]
pub struct EncodeOrder {
    /// Size of the image.
    pub output: Size,
    /// Its encoding.
    pub format: Format,
    /// How much work to spend on it.
    pub effort: Effort,
    /// Whether only the calling thread encodes. Otherwise the pool shares the work, if there is
    /// more than one stripe to encode.
    pub is_alone: bool,
    /// Seed of the hashes.
    pub seed: u64,
}

/// Returns the size in bytes of a picture in the reference encoding of the paint gate's probes:
/// PNG, 8-bit RGB, no filter, one zlib stream of level 1. It does not change when the encoders
/// for callers change.
///
/// # Errors
///
/// [`EncodeError::Deflate`].
pub fn reference_bytes(picture: &Picture<'_>) -> Result<u64, EncodeError> {
    Ok(reference::unfiltered(picture)?.len() as u64)
}

/// Encodes a picture. `before` is an earlier image of the same region and order; its parts are
/// reused for rows that cannot have changed since, according to `may_differ`.
///
/// # Errors
///
/// When the format's encoder fails.
pub fn encode(
    picture: &Picture<'_>,
    order: EncodeOrder,
    before: Option<&Encoded>,
    may_differ: impl Fn(Range<u32>) -> bool + Sync,
) -> Result<Encoded, EncodeError> {
    let kept = before.and_then(|before| before.kept.as_ref());
    let made = |kept: KeptStripes| Encoded {
        bytes: kept.file.clone(),
        size: order.output,
        stride: 0,
        prints: kept.prints(),
        kept: Some(kept),
    };
    if order.is_striped() && order.output == picture.size() {
        return Ok(made(striped(picture, order, kept, may_differ)?));
    }
    let prints = picture.prints(before.map(|before| &*before.prints), may_differ, order.seed);
    if let Some(before) = before.filter(|before| before.prints == prints) {
        return Ok(before.clone());
    }
    let scaling = Scaling::new(picture.size(), order.output);
    let is_changed = |index: usize| {
        let before = before.and_then(|before| before.prints.get(index));
        before.is_none_or(|before| *before != prints[index])
    };
    // A row of a scaled image is computed from several rows of the picture.
    let may_differ = |rows: Range<u32>| {
        let sources = scaling.sources(&rows);
        let first = (sources.start / STRIPE_ROWS) as usize;
        let end = (sources.end.div_ceil(STRIPE_ROWS) as usize).min(prints.len());
        (first..end).any(is_changed)
    };
    let scaled;
    let picture = if order.output == picture.size() {
        picture
    } else {
        let stripes = (0..order.output.height).step_by(STRIPE_ROWS as usize);
        let stripes = stripes.map(|first| first..(first + STRIPE_ROWS).min(order.output.height));
        // A raw image contains the scaled rows. Stripes of PNG and JPEG are kept encoded.
        let raw = before.filter(|_| order.format == Format::RawBgrx);
        let is_partial = raw.is_some() || (order.is_striped() && kept.is_some());
        let stale: Vec<Range<u32>> = stripes
            .filter(|rows| !is_partial || may_differ(rows.clone()))
            .collect();
        let raw = raw.map(|before| &*before.bytes);
        let rows = scaling.image(picture, &stale, raw, order.is_alone)?;
        let stride = order.output.width as usize * BYTES_PER_PIXEL;
        let pixels = Pixels::new(Box::new(rows), order.output, stride);
        scaled = pixels.ok_or(EncodeError::Size(order.output))?;
        &Picture::new(&scaled, Region::whole(order.output), None)
    };
    if order.is_striped() {
        let kept = striped(picture, order, kept, may_differ)?;
        return Ok(Encoded {
            prints,
            ..made(kept)
        });
    }
    let (bytes, stride) = match order.format {
        Format::Png => (reference::small(picture)?, 0),
        Format::Jpeg(quality) => (jpeg::small(picture, quality)?, 0),
        Format::Webp => (webp::encode(picture)?, 0),
        Format::RawBgrx => (picture.to_bgrx(), order.output.width * 4),
    };
    Ok(Encoded {
        bytes: bytes.into(),
        size: order.output,
        stride,
        prints,
        kept: None,
    })
}

fn striped(
    picture: &Picture<'_>,
    order: EncodeOrder,
    kept: Option<&KeptStripes>,
    may_differ: impl Fn(Range<u32>) -> bool + Sync,
) -> Result<KeptStripes, EncodeError> {
    let EncodeOrder { seed, is_alone, .. } = order;
    match order.format {
        Format::Jpeg(quality) => KeptStripes::next(
            &jpeg::Jpeg { quality },
            kept,
            picture,
            may_differ,
            seed,
            is_alone,
        ),
        _ => KeptStripes::next(&png::Png, kept, picture, may_differ, seed, is_alone),
    }
}

impl EncodeOrder {
    /// Whether the image is encoded in stripes.
    pub fn is_striped(&self) -> bool {
        self.effort == Effort::Fast && matches!(self.format, Format::Png | Format::Jpeg(_))
    }
}
