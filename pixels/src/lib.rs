//! The pixels of a screen: frames, and their encoding as images. A crate apart, because only this part
//! of deskd is compiled for speed; the rest is compiled for size.
//!
//! - [`frame`]: sizes, regions, and pixels in memory.
//! - [`encode`]: encodes pixels as PNG, JPEG, WebP or raw bytes.
//! - [`decode`]: decodes a picture's file.

pub mod decode;
pub mod encode;
pub mod frame;
