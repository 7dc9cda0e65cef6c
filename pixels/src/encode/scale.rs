//! Scales with the `fast_image_resize` crate: convolution with a Lanczos-3 kernel. When the
//! picture shrinks, the kernel widens with the ratio, so that thin lines and small text blur
//! instead of vanishing.
//!
//! The image is made in bands of rows, each from the rows of the picture that its kernel covers.
//! So only the bands that a change reaches are scaled again.

use std::ops::Range;

use fast_image_resize::{
    FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer,
    images::{Image, ImageRef},
};

use super::{EncodeError, Picture, threads};
use crate::frame::{BYTES_PER_PIXEL, STRIPE_ROWS, Size};

/// Radius of the kernel, in pixels of the larger of both images.
const RADIUS: f64 = 3.0;

/// Number of rows of a band when several threads scale. A band costs the computation of all
/// coefficients, about 0.3 ms at a width of 1280.
const BAND: u32 = 16 * STRIPE_ROWS;

/// The scaling of pictures of one size to another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scaling {
    from: Size,
    to: Size,
}

impl Scaling {
    pub(super) fn new(from: Size, to: Size) -> Self {
        Self { from, to }
    }

    /// Returns the rows of the picture from which these rows of the image are computed.
    pub(super) fn sources(&self, rows: &Range<u32>) -> Range<u32> {
        let ratio = self.ratio();
        let radius = RADIUS * ratio.max(1.0);
        let first = (f64::from(rows.start) + 0.5) * ratio - radius;
        let last = (f64::from(rows.end) - 0.5) * ratio + radius;
        // A margin of one row covers rounding. The conversion saturates.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let (first, last) = (first.floor() as u32, last.ceil() as u32);
        first.saturating_sub(1)..last.saturating_add(1).min(self.from.height)
    }

    /// Returns the image as BGRX without padding, the fourth byte 255. Only the rows in `stale`,
    /// which are ordered, are computed; the others are those of `before`, or have no defined
    /// content. If `is_alone`, only this thread scales.
    pub(super) fn image(
        &self,
        picture: &Picture<'_>,
        stale: &[Range<u32>],
        before: Option<&[u8]>,
        is_alone: bool,
    ) -> Result<Vec<u8>, EncodeError> {
        let bands = bands(stale, if is_alone { u32::MAX } else { BAND });
        let all: Vec<usize> = (0..bands.len()).collect();
        let one = |index: usize| self.band(picture, bands[index].clone());
        let mut image = match before.filter(|before| before.len() == self.to.bgrx_bytes()) {
            Some(before) => before.to_vec(),
            // Untouched pages of a zeroed buffer cost nothing.
            None => vec![0; self.to.bgrx_bytes()],
        };
        let row = self.to.width as usize * BYTES_PER_PIXEL;
        for (index, pixels) in threads::each(&all, is_alone, one) {
            let start = bands[index].start as usize * row;
            let pixels = pixels?;
            image[start..start + pixels.len()].copy_from_slice(&pixels);
        }
        Ok(image)
    }

    /// Scales the rows of the picture horizontally, then each stripe vertically. How a row comes out
    /// thus depends on its stripe alone: the crate rounds its coefficients by the largest of a call.
    fn band(&self, picture: &Picture<'_>, rows: Range<u32>) -> Result<Vec<u8>, EncodeError> {
        let sources = self.sources(&rows);
        let height = sources.end - sources.start;
        let bgrx = picture.bgrx_rows(sources.clone());
        let width = f64::from(self.from.width);
        let wide = Source(&bgrx, self.from.width, height);
        let narrow = wide.scaled(self.to.width, height, (0.0, 0.0, width, f64::from(height)))?;
        let narrow = Source(&narrow, self.to.width, height);
        let mut band = Vec::with_capacity(rows.len() * self.to.width as usize * BYTES_PER_PIXEL);
        for first in rows.clone().step_by(STRIPE_ROWS as usize) {
            let stripe = first..(first + STRIPE_ROWS).min(rows.end);
            let own = self.sources(&stripe);
            let narrow = narrow.rows(own.start - sources.start..own.end - sources.start);
            // The crop box sets the ratio and the centres. The kernel also reads the rows around it.
            let top = f64::from(stripe.start) * self.ratio() - f64::from(own.start);
            let tall = f64::from(stripe.end - stripe.start) * self.ratio();
            let tall = tall.min(f64::from(own.end - own.start) - top);
            let crop = (0.0, top, f64::from(self.to.width), tall);
            let count = stripe.end - stripe.start;
            band.extend_from_slice(&narrow.scaled(self.to.width, count, crop)?);
        }
        Ok(band)
    }

    fn ratio(&self) -> f64 {
        f64::from(self.from.height) / f64::from(self.to.height)
    }
}

/// Rows of BGRX without padding: the pixels, their width and their number.
struct Source<'a>(&'a [u8], u32, u32);

impl Source<'_> {
    fn rows(&self, rows: Range<u32>) -> Source<'_> {
        let row = self.1 as usize * BYTES_PER_PIXEL;
        let bytes = &self.0[rows.start as usize * row..rows.end as usize * row];
        Source(bytes, self.1, rows.end - rows.start)
    }

    /// Scales what lies in `crop`: left, top, width and height.
    fn scaled(
        &self,
        width: u32,
        height: u32,
        (left, top, wide, tall): (f64, f64, f64, f64),
    ) -> Result<Vec<u8>, EncodeError> {
        let source = ImageRef::new(self.1, self.2, self.0, PixelType::U8x4)?;
        let mut scaled = Image::new(width, height, PixelType::U8x4);
        // The fourth byte is not alpha, so colours are not multiplied by it.
        let options = ResizeOptions::new()
            .resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3))
            .crop(left, top, wide, tall)
            .use_alpha(false);
        Resizer::new().resize(&source, &mut scaled, &options)?;
        Ok(scaled.into_vec())
    }
}

/// Joins adjacent rows into bands of at most `most` rows.
fn bands(stale: &[Range<u32>], most: u32) -> Vec<Range<u32>> {
    let mut bands: Vec<Range<u32>> = Vec::new();
    for rows in stale {
        match bands.last_mut() {
            Some(band) if band.end == rows.start && rows.end - band.start <= most => {
                band.end = rows.end;
            }
            _ => bands.push(rows.clone()),
        }
    }
    bands
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Pixels, Region};

    fn pixels(size: Size, mut pixel: impl FnMut(u32, u32) -> [u8; 4]) -> Pixels {
        let rows = (0..size.height).flat_map(|y| (0..size.width).map(move |x| (x, y)));
        let bytes: Vec<u8> = rows.flat_map(|(x, y)| pixel(x, y)).collect();
        Pixels::new(Box::new(bytes), size, size.width as usize * 4).unwrap()
    }

    fn scale(picture: &Picture<'_>, output: Size) -> Vec<u8> {
        let whole = 0..output.height;
        let scaling = Scaling::new(picture.size(), output);
        scaling.image(picture, &[whole], None, true).unwrap()
    }

    #[test]
    fn flat_stays_flat_and_halves_keep_their_sides() {
        let size = Size {
            width: 64,
            height: 48,
        };
        let pixels = pixels(size, |x, _| {
            if x < 32 {
                [10, 20, 30, 0]
            } else {
                [200, 180, 160, 0]
            }
        });
        let picture = Picture::new(&pixels, Region::whole(size), None);
        for (width, height) in [(16, 12), (130, 7)] {
            let output = Size { width, height };
            let scaled = scale(&picture, output);
            assert_eq!(scaled.len(), output.bgrx_bytes());
            for row in scaled.chunks_exact(output.width as usize * 4) {
                assert_eq!(row[..4], [10, 20, 30, 255]);
                assert_eq!(row[row.len() - 4..], [200, 180, 160, 255]);
            }
        }
    }

    /// An image in bands equals the image in one piece, for sizes that shrink and that grow, and
    /// so does one of which only the changed rows were computed.
    #[test]
    fn bands_are_the_whole_image() {
        let size = Size {
            width: 97,
            height: 301,
        };
        let noise = |x: u32, y: u32| {
            let [a, b, c, _] = (x * 7919 + y * 104_729)
                .wrapping_mul(2_654_435_769)
                .to_le_bytes();
            [a, b, c, 0]
        };
        let before = pixels(size, noise);
        let changed = 120..130;
        let after = pixels(size, |x, y| {
            if changed.contains(&y) {
                [0, 0, 255, 0]
            } else {
                noise(x, y)
            }
        });
        for (width, height) in [(97, 200), (40, 133), (97, 450), (200, 301), (31, 17)] {
            let output = Size { width, height };
            let scaling = Scaling::new(size, output);
            let [old, new] = [&before, &after]
                .map(|pixels| scale(&Picture::new(pixels, Region::whole(size), None), output));
            let picture = Picture::new(&after, Region::whole(size), None);
            let stripes = (0..height)
                .step_by(16)
                .map(|first| first..(first + 16).min(height));
            let all: Vec<_> = stripes.clone().collect();
            let bands = scaling.image(&picture, &all, None, false).unwrap();
            assert!(bands == new, "{output}: in bands");
            let stale: Vec<_> = stripes
                .filter(|rows| {
                    let sources = scaling.sources(rows);
                    sources.start < changed.end && changed.start < sources.end
                })
                .collect();
            assert!(stale.len() < all.len() || height < 20, "{output}");
            let next = scaling.image(&picture, &stale, Some(&old), true).unwrap();
            assert!(next == new, "{output}: what changed");
        }
    }
}
