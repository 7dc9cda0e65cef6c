//! The size of an image, computed from limits that preserve the region's aspect ratio.

use crate::frame::{MAX_OUTPUT_PIXELS, MAX_OUTPUT_SIDE, Size};

/// Maximum side of a tile and maximum value of `multiple_of`, in pixels.
const MAX_TILE: u32 = 1024;

/// Limits on the size of an image. Each given limit is at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fit {
    max_side: u32,
    max_pixels: u64,
    tiles: Option<TileLimit>,
    multiple_of: u32,
    may_enlarge: bool,
}

/// A limit on the number of square tiles that cover an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TileLimit {
    /// Side of a tile in pixels.
    pub size: u32,
    /// Maximum number of tiles.
    pub max_count: u32,
}

/// An invalid limit: the name of its field, and the reason.
pub(crate) type Unfit = (&'static str, &'static str);

impl Fit {
    /// Creates limits that at least one image size meets.
    ///
    /// # Errors
    ///
    /// Returns the field of a limit that no image can meet, and the reason.
    pub(crate) fn new(
        max_side: Option<u32>,
        max_pixels: Option<u64>,
        tiles: Option<TileLimit>,
        multiple_of: Option<u32>,
        may_enlarge: bool,
    ) -> Result<Self, Unfit> {
        if max_side.is_none() && max_pixels.is_none() && tiles.is_none() && multiple_of.is_none() {
            return Err(("", "must have at least one limit"));
        }
        let multiple = multiple_of.unwrap_or(1);
        if !(1..=MAX_TILE).contains(&multiple) {
            return Err(("multiple_of", "must be 1 to 1024"));
        }
        if let Some(TileLimit { size, max_count }) = tiles {
            if !(1..=MAX_TILE).contains(&size) {
                return Err(("tiles.size", "must be 1 to 1024"));
            }
            if max_count == 0 {
                return Err(("tiles.max_count", "must be at least 1"));
            }
        }
        let fit = Self {
            max_side: max_side.unwrap_or(MAX_OUTPUT_SIDE).min(MAX_OUTPUT_SIDE),
            max_pixels: max_pixels.unwrap_or(MAX_OUTPUT_PIXELS),
            tiles,
            multiple_of: multiple,
            may_enlarge,
        };
        if max_side == Some(0) {
            return Err(("max_side", "must be at least 1"));
        }
        if fit.max_side < multiple {
            return Err(("max_side", "must be at least multiple_of"));
        }
        let smallest = Size {
            width: multiple,
            height: multiple,
        };
        if smallest.pixels() > fit.max_pixels {
            return Err((
                "max_pixels",
                "must be at least 1, and at least the square of multiple_of",
            ));
        }
        if !fit.holds(smallest) {
            return Err((
                "tiles.max_count",
                "must be at least the number of tiles that cover multiple_of × multiple_of pixels",
            ));
        }
        Ok(fit)
    }

    /// The limits of every image, without enlargement.
    pub(crate) fn any_image() -> Self {
        Self {
            max_side: MAX_OUTPUT_SIDE,
            max_pixels: MAX_OUTPUT_PIXELS,
            tiles: None,
            multiple_of: 1,
            may_enlarge: false,
        }
    }

    /// Returns the largest image size within the limits for a region of at least one pixel.
    pub fn size(&self, region: Size) -> Size {
        let long = region.width.max(region.height);
        let highest = if self.may_enlarge {
            self.max_side
        } else {
            self.max_side.min(long)
        };
        // If a longer side meets all limits, every smaller one does. `new` has checked that a
        // longer side of one multiple meets them.
        let (mut fits, mut over) = (1, highest / self.multiple_of + 1);
        while fits + 1 < over {
            let middle = u32::midpoint(fits, over);
            if self.holds(self.scaled(region, middle * self.multiple_of)) {
                fits = middle;
            } else {
                over = middle;
            }
        }
        self.scaled(region, fits * self.multiple_of)
    }

    /// Returns the size of the region when its longer side is scaled to `longer`.
    fn scaled(&self, region: Size, longer: u32) -> Size {
        let Size { width, height } = region;
        let (long, short) = (width.max(height), width.min(height));
        let product = u64::from(longer) * u64::from(short);
        let multiple = u64::from(self.multiple_of);
        let shorter = if multiple == 1 {
            // Rounded to the nearest pixel.
            (2 * product + u64::from(long)) / (2 * u64::from(long))
        } else {
            product / u64::from(long) / multiple * multiple
        };
        // The shorter side is at most `longer`, so it fits in 32 bits.
        let shorter = u32::try_from(shorter.max(multiple)).unwrap_or(longer);
        if width >= height {
            Size {
                width: longer,
                height: shorter,
            }
        } else {
            Size {
                width: shorter,
                height: longer,
            }
        }
    }

    fn holds(&self, size: Size) -> bool {
        let tiles = self.tiles.is_none_or(
            |TileLimit {
                 size: side,
                 max_count,
             }| {
                let count = |pixels: u32| u64::from(pixels.div_ceil(side));
                count(size.width) * count(size.height) <= max_count.into()
            },
        );
        tiles && size.pixels() <= self.max_pixels.min(MAX_OUTPUT_PIXELS)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn size(width: u32, height: u32) -> Size {
        Size { width, height }
    }

    fn side(max: u32) -> Fit {
        Fit::new(Some(max), None, None, None, false).unwrap()
    }

    #[test]
    fn the_limits_of_models_are_met() {
        let anthropic = |region| {
            let tiles = TileLimit {
                size: 28,
                max_count: 4784,
            };
            Fit::new(Some(2576), None, Some(tiles), None, false)
                .unwrap()
                .size(region)
        };
        assert_eq!(anthropic(size(1280, 800)), size(1280, 800));
        // 92 × 52 tiles of 28 px: 4,784.
        assert_eq!(anthropic(size(3840, 2160)), size(2576, 1449));
        let older = Fit::new(Some(1568), Some(1_150_000), None, None, false).unwrap();
        assert_eq!(older.size(size(1920, 1080)), size(1430, 804));
        let qwen = Fit::new(None, Some(12_845_056), None, Some(28), false).unwrap();
        assert_eq!(qwen.size(size(1280, 800)), size(1260, 784));
    }

    #[test]
    fn an_image_is_enlarged_only_if_that_is_allowed() {
        assert_eq!(side(2000).size(size(100, 50)), size(100, 50));
        let larger = Fit::new(Some(2000), None, None, None, true).unwrap();
        assert_eq!(larger.size(size(100, 50)), size(2000, 1000));
        assert_eq!(side(640).size(size(800, 1280)), size(400, 640));
        // A region one pixel high stays one pixel high.
        assert_eq!(side(100).size(size(16_384, 1)), size(100, 1));
        let multiple = Fit::new(None, None, None, Some(28), false).unwrap();
        assert_eq!(multiple.size(size(10, 3)), size(28, 28));
    }

    #[test]
    fn limits_that_nothing_meets_are_refused() {
        let tile = |size, max_count| Some(TileLimit { size, max_count });
        for (fit, field) in [
            (Fit::new(None, None, None, None, true), ""),
            (Fit::new(Some(0), None, None, None, false), "max_side"),
            (Fit::new(Some(27), None, None, Some(28), false), "max_side"),
            (Fit::new(None, Some(0), None, None, false), "max_pixels"),
            (
                Fit::new(None, Some(783), None, Some(28), false),
                "max_pixels",
            ),
            (Fit::new(None, None, tile(0, 1), None, false), "tiles.size"),
            (
                Fit::new(None, None, tile(28, 0), None, false),
                "tiles.max_count",
            ),
            (
                Fit::new(None, None, tile(14, 3), Some(28), false),
                "tiles.max_count",
            ),
            (Fit::new(None, None, None, Some(0), false), "multiple_of"),
            (Fit::new(None, None, None, Some(1025), false), "multiple_of"),
        ] {
            assert_eq!(fit.map_err(|(field, _)| field), Err(field));
        }
    }

    proptest! {
        #[test]
        fn every_size_is_within_all_limits_and_the_largest(
            (width, height) in (1_u32..=8192, 1_u32..=8192),
            max_side in proptest::option::of(1_u32..5000),
            max_pixels in proptest::option::of(1_u64..20_000_000),
            tiles in proptest::option::of((1_u32..64, 1_u32..6000)),
            multiple in proptest::option::of(1_u32..64),
            may_enlarge in any::<bool>(),
        ) {
            let region = size(width, height);
            let tiles = tiles.map(|(size, max_count)| TileLimit { size, max_count });
            let Ok(fit) = Fit::new(max_side, max_pixels, tiles, multiple, may_enlarge) else {
                return Ok(());
            };
            let is = fit.size(region);
            let m = multiple.unwrap_or(1);
            prop_assert!(is.width.max(is.height) <= max_side.unwrap_or(MAX_OUTPUT_SIDE));
            prop_assert!(is.pixels() <= max_pixels.unwrap_or(u64::MAX).min(MAX_OUTPUT_PIXELS));
            prop_assert_eq!((is.width % m, is.height % m), (0, 0));
            if let Some(TileLimit { size, max_count }) = tiles {
                let count = u64::from(is.width.div_ceil(size)) * u64::from(is.height.div_ceil(size));
                prop_assert!(count <= max_count.into());
            }
            if !may_enlarge {
                prop_assert!(is.width <= width.max(m) && is.height <= height.max(m));
            }
            // The shape is kept: the shorter side is off by less than one multiple.
            let (long, short) = (is.width.max(is.height), is.width.min(is.height));
            let exact = f64::from(long) * f64::from(width.min(height)) / f64::from(width.max(height));
            prop_assert!(short == m || (f64::from(short) - exact).abs() < f64::from(m));
            // The next longer side would break a limit.
            let next = long + m;
            let allowed = next <= fit.max_side && (may_enlarge || next <= width.max(height));
            prop_assert!(!allowed || !fit.holds(fit.scaled(region, next)));
        }
    }
}
