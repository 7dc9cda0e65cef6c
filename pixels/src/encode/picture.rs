//! The requested part of a capture, with or without the pointer.

use std::ops::Range;

use xxhash_rust::xxh3::Xxh3;

use crate::frame::{BYTES_PER_PIXEL, CursorImage, Pixels, Region, STRIPE_ROWS, Size};

/// A region of a screen. The pointer is drawn over each row when the row is read. The captured
/// pixels are not modified, so that one capture serves callers with and without the pointer.
#[derive(Debug, Clone, Copy)]
pub struct Picture<'a> {
    pixels: &'a Pixels,
    region: Region,
    cursor: Option<&'a CursorImage>,
    hidden: &'a [Region],
}

/// Hash of what a stripe of a picture shows. Equal stripes have equal hashes, except as noted at
/// `Picture::print`; the chance that different ones have equal hashes is 2^-128.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Print(u128);

/// Hash of what a picture shows, computed from the hashes of its stripes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digest(u128);

impl Digest {
    /// Combines the hashes of a picture's stripes.
    pub fn of(prints: &[Print]) -> Self {
        let mut hash = Xxh3::new();
        for print in prints {
            hash.update(&print.0.to_le_bytes());
        }
        Self(hash.digest128())
    }
}

impl<'a> Picture<'a> {
    /// `region` of `pixels`, with `cursor` composited over it.
    ///
    /// # Panics
    ///
    /// When the region lies outside the pixels.
    pub fn new(pixels: &'a Pixels, region: Region, cursor: Option<&'a CursorImage>) -> Self {
        assert!(region.fits(pixels.size()));
        Self {
            pixels,
            region,
            cursor,
            hidden: &[],
        }
    }

    /// The same picture with black pixels in these parts, which are regions of the capture. They
    /// must not overlap the pointer. The time for a row rises with their number.
    #[must_use]
    pub fn hiding(self, hidden: &'a [Region]) -> Self {
        Self { hidden, ..self }
    }

    /// Size in pixels.
    pub fn size(&self) -> Size {
        self.region.size
    }

    /// Computes the hash of some rows: their pixels, and the pointer over them. The seed prevents
    /// a program from preparing two screens with the same hash.
    ///
    /// The hash includes the unused fourth byte of BGRX. A picture in which only that byte has
    /// changed counts as changed; a changed picture never counts as unchanged.
    pub(super) fn print(&self, rows: Range<u32>, seed: u64) -> Print {
        let mut hash = Xxh3::with_seed(seed);
        for y in rows.clone() {
            let row = self.source_row(y);
            if self.hidden_columns(y).next().is_none() {
                hash.update(row);
                continue;
            }
            let mut row = row.to_vec();
            for columns in self.hidden_columns(y) {
                row[columns.start * BYTES_PER_PIXEL..columns.end * BYTES_PER_PIXEL].fill(0);
            }
            hash.update(&row);
        }
        let over = |cursor: &&CursorImage| self.overlaps(cursor, &rows);
        if let Some(cursor) = self.cursor.filter(over) {
            for word in [
                cursor.x - cursor.hot_x.cast_signed(),
                cursor.y - cursor.hot_y.cast_signed(),
            ] {
                hash.update(&word.to_le_bytes());
            }
            for pixel in [cursor.size.width, cursor.size.height]
                .iter()
                .chain(&cursor.argb)
            {
                hash.update(&pixel.to_le_bytes());
            }
        }
        Print(hash.digest128())
    }

    /// Returns the hashes of all stripes. Those of stripes that cannot have changed are taken
    /// from `before`.
    pub fn prints(
        &self,
        before: Option<&[Print]>,
        may_differ: impl Fn(Range<u32>) -> bool,
        seed: u64,
    ) -> Vec<Print> {
        let height = self.region.size.height;
        let firsts = (0..height).step_by(STRIPE_ROWS as usize);
        let print = |(index, first): (usize, u32)| {
            let rows = first..(first + STRIPE_ROWS).min(height);
            let kept = before.and_then(|before| before.get(index));
            match kept.filter(|_| !may_differ(rows.clone())) {
                Some(print) => *print,
                None => self.print(rows, seed),
            }
        };
        firsts.enumerate().map(print).collect()
    }

    /// All rows as BGRX, the fourth byte 255.
    pub fn to_bgrx(&self) -> Vec<u8> {
        self.bgrx_rows(0..self.region.size.height)
    }

    /// Some rows as BGRX, the fourth byte 255.
    pub(super) fn bgrx_rows(&self, rows: Range<u32>) -> Vec<u8> {
        let row = self.region.size.width as usize * BYTES_PER_PIXEL;
        let mut out = vec![0; row * rows.len()];
        for (y, out) in rows.zip(out.chunks_exact_mut(row)) {
            for (pixel, bgrx) in out
                .as_chunks_mut()
                .0
                .iter_mut()
                .zip(self.source_row(y).as_chunks().0)
            {
                let [blue, green, red, _]: [u8; 4] = *bgrx;
                *pixel = [blue, green, red, 255];
            }
            for columns in self.hidden_columns(y) {
                for pixel in &mut out.as_chunks_mut().0[columns] {
                    *pixel = [0, 0, 0, 255];
                }
            }
            self.draw_cursor(y, |x, blend| {
                let at = x * BYTES_PER_PIXEL;
                blend.over(&mut out[at..at + 3], [2, 1, 0]);
            });
        }
        out
    }

    /// All rows as RGB.
    pub fn to_rgb(&self) -> Vec<u8> {
        let row = self.region.size.width as usize * 3;
        let mut out = vec![0; row * self.region.size.height as usize];
        for (row, y) in out.chunks_exact_mut(row).zip(0..) {
            self.rgb_row(y, row);
        }
        out
    }

    /// Row `y` as RGB, into `out`, which is three bytes a pixel long.
    pub(super) fn rgb_row(&self, y: u32, out: &mut [u8]) {
        bgrx_to_rgb(self.source_row(y), out);
        for columns in self.hidden_columns(y) {
            out[columns.start * 3..columns.end * 3].fill(0);
        }
        self.draw_cursor(y, |x, blend| {
            blend.over(&mut out[x * 3..x * 3 + 3], [0, 1, 2])
        });
    }

    /// Row `y` as words `0x00RRGGBB`.
    pub(super) fn words(&self, y: u32, out: &mut [u32]) {
        for (word, bgrx) in out.iter_mut().zip(self.source_row(y).as_chunks().0) {
            *word = u32::from_le_bytes(*bgrx) & 0x00ff_ffff;
        }
        for columns in self.hidden_columns(y) {
            out[columns].fill(0);
        }
        self.draw_cursor(y, |x, blend| {
            let mut bytes = out[x].to_le_bytes();
            blend.over(&mut bytes[..3], [2, 1, 0]);
            out[x] = u32::from_le_bytes(bytes);
        });
    }

    fn source_row(&self, y: u32) -> &[u8] {
        self.pixels
            .row(self.region.x, self.region.y + y, self.region.size.width)
    }

    /// The columns of row `y` that are hidden.
    fn hidden_columns(&self, y: u32) -> impl Iterator<Item = Range<usize>> + use<'a> {
        let (region, line) = (self.region, self.region.y + y);
        self.hidden.iter().filter_map(move |part| {
            let lines = part.y..part.y + part.size.height;
            let first = part.x.max(region.x);
            let end = (part.x + part.size.width).min(region.x + region.size.width);
            let is_here = lines.contains(&line) && first < end;
            is_here.then(|| (first - region.x) as usize..(end - region.x) as usize)
        })
    }

    /// Calls `draw` for each pixel of row `y` that the pointer covers, with its
    /// column in the picture.
    fn draw_cursor(&self, y: u32, mut draw: impl FnMut(usize, Blend)) {
        let Some(cursor) = self.cursor else { return };
        let row = i64::from(self.region.y) + i64::from(y) - top(cursor);
        if !(0..i64::from(cursor.size.height)).contains(&row) {
            return;
        }
        // The row lies within the cursor's bounds, so it fits.
        let row = usize::try_from(row).unwrap_or(0) * cursor.size.width as usize;
        let first = left(cursor) - i64::from(self.region.x);
        for (column, argb) in (first..).zip(&cursor.argb[row..row + cursor.size.width as usize]) {
            let inside = u32::try_from(column).is_ok_and(|column| column < self.region.size.width);
            if inside && *argb >> 24 != 0 {
                draw(usize::try_from(column).unwrap_or(0), Blend(*argb));
            }
        }
    }

    fn overlaps(&self, cursor: &CursorImage, rows: &Range<u32>) -> bool {
        let columns = left(cursor)..left(cursor) + i64::from(cursor.size.width);
        let (from, width) = (i64::from(self.region.x), self.region.size.width);
        let lines = top(cursor)..top(cursor) + i64::from(cursor.size.height);
        let first = i64::from(self.region.y);
        meet(&columns, &(from..from + i64::from(width)))
            && meet(
                &lines,
                &(first + i64::from(rows.start)..first + i64::from(rows.end)),
            )
    }
}

fn meet(a: &Range<i64>, b: &Range<i64>) -> bool {
    a.start < b.end && b.start < a.end
}

/// Converts four pixels at a time: four 32-bit words are byte-swapped and packed into three.
fn bgrx_to_rgb(bgrx: &[u8], rgb: &mut [u8]) {
    // In a little-endian word, blue is the lowest byte; swapped and shifted, red is.
    let word = |pixel: &[u8]| match *pixel {
        [blue, green, red, other] => u32::from_be_bytes([blue, green, red, other]) >> 8,
        _ => 0,
    };
    let whole = bgrx.len() / 16;
    let (fours, rest) = bgrx.split_at(whole * 16);
    let (packed, rest_out) = rgb.split_at_mut(whole * 12);
    for (four, out) in fours
        .as_chunks::<16>()
        .0
        .iter()
        .zip(packed.as_chunks_mut::<12>().0)
    {
        let [a, b, c, d] = [0, 4, 8, 12].map(|at| word(&four[at..at + 4]));
        out[..4].copy_from_slice(&(a | b << 24).to_le_bytes());
        out[4..8].copy_from_slice(&(b >> 8 | c << 16).to_le_bytes());
        out[8..].copy_from_slice(&(c >> 16 | d << 8).to_le_bytes());
    }
    for (pixel, out) in rest
        .as_chunks::<4>()
        .0
        .iter()
        .zip(rest_out.as_chunks_mut::<3>().0)
    {
        *out = [pixel[2], pixel[1], pixel[0]];
    }
}

fn left(cursor: &CursorImage) -> i64 {
    i64::from(cursor.x) - i64::from(cursor.hot_x)
}

fn top(cursor: &CursorImage) -> i64 {
    i64::from(cursor.y) - i64::from(cursor.hot_y)
}

/// One premultiplied ARGB pixel, to be laid over an opaque one.
#[derive(Clone, Copy)]
struct Blend(u32);

impl Blend {
    /// Porter and Duff's "over" with an opaque destination, rounded to nearest:
    /// the error is below one level. `order` says where red, green, blue lie.
    fn over(self, pixel: &mut [u8], order: [usize; 3]) {
        let [blue, green, red, alpha] = self.0.to_le_bytes();
        let under = 255 - u32::from(alpha);
        for (source, at) in [red, green, blue].into_iter().zip(order) {
            let kept = (u32::from(pixel[at]) * under + 127) / 255;
            // A cursor that is not premultiplied would overflow: saturate.
            pixel[at] = u8::try_from(u32::from(source) + kept).unwrap_or(u8::MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size {
        width: 4,
        height: 3,
    };

    fn grey() -> Pixels {
        Pixels::new(Box::new(vec![100; SIZE.bgrx_bytes()]), SIZE, 16).unwrap()
    }

    fn cursor(x: i32, y: i32, argb: u32) -> CursorImage {
        let size = Size {
            width: 2,
            height: 2,
        };
        CursorImage {
            x,
            y,
            hot_x: 1,
            hot_y: 1,
            size,
            argb: vec![argb; 4],
        }
    }

    /// Columns and rows at which the red channel is no longer grey.
    fn touched(picture: &Picture<'_>) -> Vec<(usize, usize)> {
        let width = picture.size().width as usize;
        let bgrx = picture.to_bgrx();
        let pixels = bgrx.chunks_exact(4).enumerate();
        pixels
            .filter(|(_, p)| p[2] != 100)
            .map(|(i, _)| (i % width, i / width))
            .collect()
    }

    #[test]
    fn the_hotspot_is_at_the_position_and_edges_clip() {
        let pixels = grey();
        let whole = Region::whole(SIZE);
        let at = |x, y| {
            let cursor = cursor(x, y, 0xffff_0000);
            touched(&Picture::new(&pixels, whole, Some(&cursor)))
        };
        assert_eq!(at(2, 1), [(1, 0), (2, 0), (1, 1), (2, 1)]);
        assert_eq!(at(0, 0), [(0, 0)]);
        assert_eq!(at(4, 3), [(3, 2)]);
        assert_eq!(at(-5, 900), []);
    }

    #[test]
    fn a_region_sees_the_cursor_where_the_screen_has_it() {
        let pixels = grey();
        let region = Region {
            x: 2,
            y: 1,
            size: Size {
                width: 2,
                height: 2,
            },
        };
        let cursor = cursor(2, 1, 0xffff_0000);
        assert_eq!(
            touched(&Picture::new(&pixels, region, Some(&cursor))),
            [(0, 0)]
        );
    }

    #[test]
    fn hidden_parts_are_black_in_every_form_and_change_nothing() {
        let whole = Region::whole(SIZE);
        let part = |x, y, width, height| Region {
            x,
            y,
            size: Size { width, height },
        };
        let hidden = [part(0, 0, 2, 1), part(3, 1, 1, 2), part(9, 9, 5, 5)];
        let is_hidden = |x: u32, y: u32| (y == 0 && x < 2) || (y > 0 && x == 3);
        let one = grey();
        let mut bytes = vec![100; SIZE.bgrx_bytes()];
        bytes[4..8].fill(7);
        let two = Pixels::new(Box::new(bytes), SIZE, 16).unwrap();
        let picture = Picture::new(&one, whole, None).hiding(&hidden);
        let (bgrx, rgb) = (picture.to_bgrx(), picture.to_rgb());
        let mut words = vec![0; 4];
        for y in 0..3 {
            picture.words(y, &mut words);
            for x in 0..4 {
                let shade = if is_hidden(x, y) { 0 } else { 100 };
                let at = (y * 4 + x) as usize;
                assert_eq!(bgrx[at * 4..at * 4 + 4], [shade, shade, shade, 255]);
                assert_eq!(rgb[at * 3..at * 3 + 3], [shade; 3]);
                assert_eq!(words[x as usize], u32::from(shade) * 0x0001_0101);
            }
        }
        // What is below a hidden part does not count.
        assert_eq!(
            of(&picture),
            of(&Picture::new(&two, whole, None).hiding(&hidden))
        );
        assert_ne!(of(&picture), of(&Picture::new(&one, whole, None)));
        // A part of the picture.
        let right = part(2, 1, 2, 2);
        let right = Picture::new(&one, right, None).hiding(&hidden).to_rgb();
        assert_eq!(right, [100, 100, 100, 0, 0, 0].repeat(2));
    }

    #[test]
    fn every_width_converts_to_rgb() {
        for width in 0..40_usize {
            let bgrx: Vec<u8> = (0..width * 4)
                .map(|i| i.wrapping_mul(37).to_le_bytes()[0])
                .collect();
            let expected: Vec<u8> = bgrx.chunks(4).flat_map(|p| [p[2], p[1], p[0]]).collect();
            let mut rgb = vec![0; width * 3];
            bgrx_to_rgb(&bgrx, &mut rgb);
            assert_eq!(rgb, expected, "{width}");
        }
    }

    #[test]
    fn blending_is_exact_to_one_level() {
        for alpha in 0..=255_u32 {
            for (colour, under) in [(0, 255), (255, 0), (77, 200), (254, 1)] {
                let premultiplied = (colour * alpha + 127) / 255;
                let mut pixel = [u8::try_from(under).unwrap(); 3];
                let argb = alpha << 24 | premultiplied << 16 | premultiplied << 8 | premultiplied;
                Blend(argb).over(&mut pixel, [0, 1, 2]);
                let exact =
                    f64::from(premultiplied) + f64::from(under) * f64::from(255 - alpha) / 255.0;
                for channel in pixel {
                    assert!(
                        (f64::from(channel) - exact).abs() <= 0.5,
                        "{alpha} {colour} {under}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_cursor_that_is_not_premultiplied_saturates() {
        let mut pixel = [200; 3];
        Blend(0x01ff_ffff).over(&mut pixel, [0, 1, 2]);
        assert_eq!(pixel, [255; 3]);
    }

    fn of(picture: &Picture<'_>) -> Digest {
        Digest::of(&picture.prints(None, |_| true, 7))
    }

    #[test]
    fn digests_tell_pixels_and_visible_cursors_apart() {
        let (one, same, mut bytes) = (grey(), grey(), vec![100; SIZE.bgrx_bytes()]);
        bytes[0] = 101;
        let two = Pixels::new(Box::new(bytes), SIZE, 16).unwrap();
        let whole = Region::whole(SIZE);
        let digest =
            |pixels, cursor: Option<&CursorImage>| of(&Picture::new(pixels, whole, cursor));
        assert_eq!(digest(&one, None), digest(&same, None));
        assert_ne!(digest(&one, None), digest(&two, None));
        assert_ne!(
            digest(&one, None),
            digest(&one, Some(&cursor(1, 1, u32::MAX)))
        );
        assert_ne!(
            digest(&one, Some(&cursor(1, 1, u32::MAX))),
            digest(&one, Some(&cursor(2, 1, u32::MAX)))
        );
        // A pointer elsewhere does not change this picture.
        assert_eq!(
            digest(&one, None),
            digest(&one, Some(&cursor(50, 1, u32::MAX)))
        );
        // A part of the same rows is another picture.
        let part = Region { x: 1, ..whole };
        let part = Region {
            size: Size {
                width: 3,
                height: 3,
            },
            ..part
        };
        assert_ne!(digest(&one, None), of(&Picture::new(&one, part, None)));
    }
}
