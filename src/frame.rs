//! The words that every other module shares: sizes, regions, pixels, cursors. Failures are in
//! [`failure`](crate::failure).
//!
//! A leaf: it knows no X11, no gRPC and no encoder.

use std::fmt;

/// Largest image that a request may ask for, in pixels (7680 × 4320; R43).
pub const MAX_OUTPUT_PIXELS: u64 = 33_177_600;

/// Longest side of an image that a request may ask for, in pixels: the scaler's
/// memory grows with a side times the other side of the screen.
pub const MAX_OUTPUT_SIDE: u32 = 16_384;

/// Rows of a stripe, the unit in which changes of a screen are reported and encoded.
pub const STRIPE_ROWS: u32 = 16;

/// Width and height in pixels, both at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Size {
    /// Pixels from left to right.
    pub width: u32,
    /// Pixels from top to bottom.
    pub height: u32,
}

impl Size {
    /// Width times height.
    pub fn pixels(self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }

    /// Bytes of a BGRX image of this size without padding.
    pub fn bgrx_bytes(self) -> usize {
        self.width as usize * self.height as usize * BYTES_PER_PIXEL
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

/// A size that a screen can have: sides of 64 to 16,384 pixels, and no more than
/// [`MAX_OUTPUT_PIXELS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScreenSize(Size);

/// Not a [`ScreenSize`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "no screen of {0} can be made: its sides must be 64 to 16384 pixels, and it must have at most {MAX_OUTPUT_PIXELS} in all"
)]
pub struct NoScreenSize(pub Size);

impl TryFrom<Size> for ScreenSize {
    type Error = NoScreenSize;

    fn try_from(size: Size) -> Result<Self, NoScreenSize> {
        let sides = [size.width, size.height];
        let fits = sides.iter().all(|side| (64..=16_384).contains(side));
        if !fits || size.pixels() > MAX_OUTPUT_PIXELS {
            return Err(NoScreenSize(size));
        }
        Ok(Self(size))
    }
}

impl From<ScreenSize> for Size {
    fn from(size: ScreenSize) -> Self {
        size.0
    }
}

/// A rectangle of whole pixels in a space whose origin is its top-left pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Region {
    /// Left column.
    pub x: u32,
    /// Top row.
    pub y: u32,
    /// Columns and rows.
    pub size: Size,
}

impl Region {
    /// Columns `x…x+width-1`, rows `y…y+height-1`.
    pub const fn new(x: u32, y: u32, width: u32, height: u32) -> Self {
        Self {
            x,
            y,
            size: Size { width, height },
        }
    }

    /// All of a screen or image of that size.
    pub fn whole(size: Size) -> Self {
        Self { x: 0, y: 0, size }
    }

    /// Whether every pixel of it lies within `0..size`.
    pub fn fits(&self, size: Size) -> bool {
        u64::from(self.x) + u64::from(self.size.width) <= u64::from(size.width)
            && u64::from(self.y) + u64::from(self.size.height) <= u64::from(size.height)
    }
}

impl Region {
    /// Number of pixels.
    pub fn pixels(&self) -> u64 {
        self.size.pixels()
    }

    /// The part of a rectangle, which may reach beyond the screen, that lies on it.
    pub fn clipped(x: i64, y: i64, width: u32, height: u32, screen: Size) -> Option<Self> {
        let clip = |start: i64, length: u32, limit: u32| {
            let from = start.clamp(0, limit.into());
            let to = (start + i64::from(length)).clamp(0, limit.into());
            let (from, to) = (u32::try_from(from).ok()?, u32::try_from(to).ok()?);
            (to > from).then_some((from, to - from))
        };
        let (x, width) = clip(x, width, screen.width)?;
        let (y, height) = clip(y, height, screen.height)?;
        Some(Self {
            x,
            y,
            size: Size { width, height },
        })
    }

    /// The smallest region that holds both.
    pub fn union(&self, other: &Self) -> Self {
        let (x, y) = (self.x.min(other.x), self.y.min(other.y));
        let right = (self.x + self.size.width).max(other.x + other.size.width);
        let bottom = (self.y + self.size.height).max(other.y + other.size.height);
        Self {
            x,
            y,
            size: Size {
                width: right - x,
                height: bottom - y,
            },
        }
    }

    /// The pixels that lie in both.
    pub fn intersection(&self, other: &Self) -> Option<Self> {
        let (x, y) = (self.x.max(other.x), self.y.max(other.y));
        let right = (self.x + self.size.width).min(other.x + other.size.width);
        let bottom = (self.y + self.size.height).min(other.y + other.size.height);
        (right > x && bottom > y).then(|| Self {
            x,
            y,
            size: Size {
                width: right - x,
                height: bottom - y,
            },
        })
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{},{},{},{}",
            self.x, self.y, self.size.width, self.size.height
        )
    }
}

/// Bytes of one BGRX pixel.
pub const BYTES_PER_PIXEL: usize = 4;

/// An image of BGRX pixels: blue, green, red and one byte without meaning,
/// 8 bits each, top row first.
///
/// The bytes may lie in memory shared with the X server, so they must be read
/// once into private memory before anything depends on them twice.
pub struct Pixels {
    bytes: Box<dyn AsRef<[u8]> + Send + Sync>,
    size: Size,
    stride: usize,
}

impl Pixels {
    /// Wraps `bytes`, whose rows are `stride` bytes apart.
    ///
    /// Returns `None` when they are too few for `size`.
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
    /// When that lies outside the image.
    pub fn row(&self, x: u32, y: u32, width: u32) -> &[u8] {
        assert!(u64::from(x) + u64::from(width) <= u64::from(self.size.width));
        assert!(y < self.size.height);
        let start = y as usize * self.stride + x as usize * BYTES_PER_PIXEL;
        &(*self.bytes).as_ref()[start..start + width as usize * BYTES_PER_PIXEL]
    }
}

impl fmt::Debug for Pixels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never the pixels themselves: what is captured stays out of logs.
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
    /// Whether the image is too large to be read: only its place and size are known.
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

/// How pixels come from the X server.
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
    fn region_at_the_far_edge_fits_and_one_pixel_more_does_not() {
        let mut region = Region {
            x: 1,
            y: 1,
            size: Size {
                width: 2,
                height: 1,
            },
        };
        assert!(region.fits(SIZE));
        region.size.width = 3;
        assert!(!region.fits(SIZE));
        region = Region {
            x: u32::MAX,
            y: 0,
            size: SIZE,
        };
        assert!(!region.fits(SIZE));
    }

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
