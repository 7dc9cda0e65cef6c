//! Sizes and regions of whole pixels.

use std::fmt;

/// Bytes of one BGRX pixel.
pub const BYTES_PER_PIXEL: usize = 4;

/// Largest image that a request may ask for, in pixels (7680 × 4320; R43).
pub const MAX_OUTPUT_PIXELS: u64 = 33_177_600;

/// Longest side of an image that a request may ask for, in pixels. The scaler's memory grows with
/// this side multiplied by the other side of the screen.
pub const MAX_OUTPUT_SIDE: u32 = 16_384;

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

/// The error for a size that is not a [`ScreenSize`].
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

    /// All of a screen or image of this size.
    pub fn whole(size: Size) -> Self {
        Self { x: 0, y: 0, size }
    }

    /// Whether the region lies entirely within an image of `size`.
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

    /// Returns the part of a rectangle that lies on the screen; `None` if no part does.
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

    /// The smallest region that contains both.
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

    /// The pixels that lie in both regions; `None` if there are none.
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
}
