//! Pixels in; PNG, JPEG or raw bytes out.
//!
//! Pure and synchronous: [`session`](crate::session) calls it off the async
//! threads. It knows neither X11 nor gRPC.
//!
//! - [`Picture`]: the part of a capture that is wanted, with or without pointer.
//! - `png`: stripes compressed side by side.
//! - `jpeg`, `scale`: thin layers over the crates that do the work.

mod adler;
mod jpeg;
mod picture;
mod png;
mod scale;

use bytes::Bytes;

pub use picture::{Digest, Picture};

use crate::frame::{BYTES_PER_PIXEL, Pixels, Region, Size};

/// Encoding of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// 8-bit RGB, lossless.
    Png,
    /// Baseline JPEG of that quality, 1 to 100.
    Jpeg(u8),
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

/// An encoded image.
#[derive(Debug, Clone)]
pub struct Encoded {
    /// The file, or the rows.
    pub bytes: Bytes,
    /// Size in pixels.
    pub size: Size,
    /// Bytes from one row to the next for [`Format::RawBgrx`], else 0.
    pub stride: u32,
}

/// Why an image could not be encoded.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The deflate stream broke.
    #[error("deflate: {0}")]
    Deflate(#[from] flate2::CompressError),
    /// The PNG encoder refused.
    #[error("png: {0}")]
    Png(#[from] ::png::EncodingError),
    /// The JPEG encoder refused.
    #[error("jpeg: {0}")]
    Jpeg(#[from] jpeg_encoder::EncodingError),
    /// The image is beyond what the format can hold.
    #[error("an image of {0} is beyond the format's limit")]
    Size(Size),
    /// The scaler refused.
    #[error("scale: {0}")]
    Scale(#[from] fast_image_resize::ResizeError),
    /// The scaler's image buffer does not fit its size.
    #[error("scale: {0}")]
    ScaleBuffer(#[from] fast_image_resize::ImageBufferError),
}

/// Bytes of a picture in the reference encoding of the paint gate's probes: PNG,
/// 8-bit RGB, no filter, one zlib stream of level 1. It stays as it is whatever
/// becomes of the encoders that callers get.
///
/// # Errors
///
/// [`Error::Deflate`].
pub fn reference_bytes(picture: &Picture<'_>) -> Result<u64, Error> {
    Ok(png::unfiltered(picture)?.len() as u64)
}

/// Encodes a picture at `output` size, on up to `threads` threads.
///
/// # Errors
///
/// Those of the format's encoder.
pub fn encode(
    picture: &Picture<'_>,
    output: Size,
    format: Format,
    effort: Effort,
    threads: usize,
) -> Result<Encoded, Error> {
    if output != picture.size() {
        let scaled = scale::scale(picture, output)?;
        let stride = output.width as usize * BYTES_PER_PIXEL;
        let pixels = Pixels::new(Box::new(scaled), output, stride).ok_or(Error::Size(output))?;
        let picture = Picture::new(&pixels, Region::whole(output), None);
        return encode(&picture, output, format, effort, threads);
    }
    let (bytes, stride) = match format {
        Format::Png => (png::encode(picture, effort, threads)?, 0),
        Format::Jpeg(quality) => (jpeg::encode(picture, quality, effort)?, 0),
        Format::RawBgrx => (picture.to_bgrx(), output.width * 4),
    };
    Ok(Encoded {
        bytes: bytes.into(),
        size: output,
        stride,
    })
}
