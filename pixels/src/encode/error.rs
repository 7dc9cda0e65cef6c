//! The reasons why an image cannot be encoded.

use crate::frame::Size;

/// Why an image could not be encoded.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// The deflate compressor failed.
    #[error("deflate: {0}")]
    Deflate(#[from] flate2::CompressError),
    /// The PNG encoder failed.
    #[error("png: {0}")]
    Png(#[from] ::png::EncodingError),
    /// The JPEG encoder failed.
    #[error("jpeg: {0}")]
    Jpeg(#[from] turbojpeg::Error),
    /// The JPEG file of a stripe does not have the expected form.
    #[error("jpeg: {0}")]
    Stripe(&'static str),
    /// The WebP encoder failed.
    #[error("webp: {0}")]
    Webp(#[from] image_webp::EncodingError),
    /// The image is beyond what the format can hold.
    #[error("an image of {0} is beyond the format's limit")]
    Size(Size),
    /// The scaler failed.
    #[error("scale: {0}")]
    Scale(#[from] fast_image_resize::ResizeError),
    /// The scaler's image buffer does not fit its size.
    #[error("scale: {0}")]
    ScaleBuffer(#[from] fast_image_resize::ImageBufferError),
}
