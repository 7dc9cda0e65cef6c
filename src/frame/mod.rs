//! The words that every other module shares: sizes, regions, pixels, cursors. Failures are in
//! [`failure`](crate::failure).
//!
//! A leaf: it knows no X11, no gRPC and no encoder.

mod geometry;
mod pixels;

pub use geometry::{
    BYTES_PER_PIXEL, MAX_OUTPUT_PIXELS, MAX_OUTPUT_SIDE, NoScreenSize, Region, ScreenSize, Size,
};
pub use pixels::{CaptureMode, CursorImage, Pixels, STRIPE_ROWS};
