//! Pixels in; PNG, JPEG, WebP or raw bytes out.
//!
//! Pure and synchronous: [`session`](crate::session) calls it off the async
//! threads. It knows neither X11 nor gRPC.
//!
//! - [`Picture`]: the part of a capture that is wanted, with or without pointer.
//! - `stripes`: images of stripes that are made apart and kept; `png` (by the crate
//!   `deskd-deflate`) and `jpeg` are such.
//! - `reference`: PNG by libraries.
//! - `threads`: who encodes.
//! - [`Tiles`]: where two pictures differ.
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

use crate::frame::{BYTES_PER_PIXEL, Pixels, Region, Size};
use stripes::KeptStripes;

/// Encoding of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// 8-bit RGB, lossless.
    Png,
    /// Baseline JPEG of that quality, 1 to 100.
    Jpeg(u8),
    /// Lossless WebP.
    Webp,
    /// Rows of blue, green, red, 255, without padding.
    RawBgrx,
}

/// How much work to spend on a small image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effort {
    /// As fast as it goes.
    Fast,
    /// As small as it gets in some tens of milliseconds a megapixel, without
    /// losing more than [`Effort::Fast`] does.
    Tight,
}

/// An encoded image, and what of it serves the next one.
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
    /// The stripes of the picture before, for a format that is made of stripes.
    kept: Option<KeptStripes>,
}

/// The input and options of an image.
#[derive(Debug, Clone, Copy)]
pub struct EncodeOrder {
    /// Size of the image.
    pub output: Size,
    /// Its encoding.
    pub format: Format,
    /// How much work it may be.
    pub effort: Effort,
    /// By the calling thread alone; else by all of the pool, where it is worth it.
    pub is_alone: bool,
    /// Seed of the prints.
    pub seed: u64,
}

/// Bytes of a picture in the reference encoding of the paint gate's probes: PNG,
/// 8-bit RGB, no filter, one zlib stream of level 1. It stays as it is whatever
/// becomes of the encoders that callers get.
///
/// # Errors
///
/// [`EncodeError::Deflate`].
pub fn reference_bytes(picture: &Picture<'_>) -> Result<u64, EncodeError> {
    Ok(reference::unfiltered(picture)?.len() as u64)
}

/// Encodes a picture. Of `before`, which was made by the same order of the same region,
/// all serves that `may_differ` says cannot have changed since.
///
/// # Errors
///
/// Those of the format's encoder.
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
    let scaled;
    let picture = if order.output == picture.size() {
        picture
    } else {
        let rows = scale::scale(picture, order.output)?;
        let stride = order.output.width as usize * BYTES_PER_PIXEL;
        let pixels = Pixels::new(Box::new(rows), order.output, stride);
        scaled = pixels.ok_or(EncodeError::Size(order.output))?;
        &Picture::new(&scaled, Region::whole(order.output), None)
    };
    if order.is_striped() {
        let kept = striped(picture, order, kept, |_| true)?;
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
    /// Whether the image is made stripe by stripe.
    pub fn is_striped(&self) -> bool {
        self.effort == Effort::Fast && matches!(self.format, Format::Png | Format::Jpeg(_))
    }
}
