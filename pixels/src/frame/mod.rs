//! The types that all other modules share: sizes, regions, pixels, cursors.
//!
//! This module does not depend on X11, gRPC or an encoder.

mod geometry;
mod pixels;

pub use geometry::{
    BYTES_PER_PIXEL, MAX_OUTPUT_PIXELS, MAX_OUTPUT_SIDE, NoScreenSize, Region, ScreenSize, Size,
};
pub use pixels::{CaptureMode, CursorImage, Pixels, STRIPE_ROWS};
