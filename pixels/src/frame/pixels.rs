//! Pixels in memory, and the pointer's image.

use std::fmt;

use super::geometry::{BYTES_PER_PIXEL, Size};

/// Rows of a stripe, the unit in which changes of a screen are reported and encoded.
pub const STRIPE_ROWS: u32 = 16;

/// An image of BGRX pixels: blue, green, red and one unused byte, 8 bits each, top row first.
///
/// The bytes may lie in memory shared with the X server, which can change them. Code that needs a
/// value twice must therefore copy it to private memory first.
pub struct Pixels {
    bytes: Box<dyn AsRef<[u8]> + Send + Sync>,
    size: Size,
    stride: usize,
}

impl Pixels {
    /// Wraps `bytes`, whose rows are `stride` bytes apart.
    ///
    /// Returns `None` if there are too few bytes for `size`, or if a row does not fit in `stride`.
    pub fn new(
        bytes: Box<dyn AsRef<[u8]> + Send + Sync>,
        size: Size,
        stride: usize,
    ) -> Option<Self> {
        let row = size.width as usize * BYTES_PER_PIXEL;
        let needed = stride
            .checked_mul(size.height as usize - 1)?
            .checked_add(row)?;
        (stride >= row && (*bytes).as_ref().len() >= needed).then_some(Self {
            bytes,
            size,
            stride,
        })
    }

    /// Width and height in pixels.
    pub fn size(&self) -> Size {
        self.size
    }

    /// `width` pixels of row `y`, beginning at column `x`.
    ///
    /// # Panics
    ///
    /// When these pixels lie outside the image.
    pub fn row(&self, x: u32, y: u32, width: u32) -> &[u8] {
        assert!(u64::from(x) + u64::from(width) <= u64::from(self.size.width));
        assert!(y < self.size.height);
        let start = y as usize * self.stride + x as usize * BYTES_PER_PIXEL;
        &(*self.bytes).as_ref()[start..start + width as usize * BYTES_PER_PIXEL]
    }
}

impl fmt::Debug for Pixels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never the pixels themselves: screen content must not get into logs.
        write!(f, "Pixels({})", self.size)
    }
}

/// The pointer's image, as XFIXES describes it.
#[derive(Clone, PartialEq, Eq)]
pub struct CursorImage {
    /// Column of the hotspot on the screen; may lie outside it.
    pub x: i32,
    /// Row of the hotspot on the screen.
    pub y: i32,
    /// Column of the hotspot in the image.
    pub hot_x: u32,
    /// Row of the hotspot in the image.
    pub hot_y: u32,
    /// Size of the image; either side may be 0.
    pub size: Size,
    /// Premultiplied ARGB, 8 bits each, in native integers, rows without padding. Empty
    /// when the image is too large to be read, see [`Self::is_left_out`].
    pub argb: Vec<u32>,
}

impl CursorImage {
    /// Whether the image is too large to be read, so that only its position and size are known.
    pub fn is_left_out(&self) -> bool {
        self.argb.is_empty() && self.size.pixels() > 0
    }

    /// Whether any of its pixels is known not to be fully transparent.
    pub fn visible(&self) -> bool {
        self.argb.iter().any(|pixel| pixel >> 24 != 0)
    }
}

impl fmt::Debug for CursorImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CursorImage({} at {},{})", self.size, self.x, self.y)
    }
}

/// How pixels are transferred from the X server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CaptureMode {
    /// MIT-SHM 1.2 on a sealed memfd.
    ShmFd,
    /// MIT-SHM on a System V segment.
    ShmSysv,
    /// Core `GetImage` over the socket.
    GetImage,
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size {
        width: 3,
        height: 2,
    };

    #[test]
    fn pixels_refuse_too_few_bytes() {
        assert!(Pixels::new(Box::new(vec![0; 23]), SIZE, 12).is_none());
        assert!(Pixels::new(Box::new(vec![0; 24]), SIZE, 12).is_some());
        assert!(Pixels::new(Box::new(vec![0; 24]), SIZE, 11).is_none());
        assert!(Pixels::new(Box::new(vec![0; 24]), SIZE, usize::MAX).is_none());
    }

    #[test]
    fn row_skips_the_padding() {
        let bytes: Vec<u8> = (0..32).collect();
        let pixels = Pixels::new(Box::new(bytes), SIZE, 16).unwrap();
        assert_eq!(pixels.row(1, 1, 2), &[20, 21, 22, 23, 24, 25, 26, 27]);
    }
}
