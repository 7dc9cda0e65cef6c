//! Why an image cannot be made.

use crate::frame::Size;

/// Why an image could not be encoded.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// The deflate stream broke.
    #[error("deflate: {0}")]
    Deflate(#[from] flate2::CompressError),
    /// The PNG encoder refused.
    #[error("png: {0}")]
    Png(#[from] ::png::EncodingError),
    /// The JPEG encoder refused.
    #[error("jpeg: {0}")]
    Jpeg(#[from] turbojpeg::Error),
    /// A stripe is not what it should be.
    #[error("jpeg: {0}")]
    Stripe(&'static str),
    /// The WebP encoder refused.
    #[error("webp: {0}")]
    Webp(#[from] image_webp::EncodingError),
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
