//! Glyphs of a fixed-width font at whole multiples of four sizes.

use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};

/// A size of type: a raster and how often each of its pixels is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Typeface {
    raster: RasterHeight,
    scale: u32,
    weight: FontWeight,
}

const RASTERS: [RasterHeight; 4] = [
    RasterHeight::Size16,
    RasterHeight::Size20,
    RasterHeight::Size24,
    RasterHeight::Size32,
];

/// All sizes of a weight up to `tallest` pixels, smallest first. Only the finer
/// rasters are enlarged: the coarse ones lose their curves.
pub(super) fn sizes(weight: FontWeight, tallest: u32) -> Vec<Typeface> {
    let mut sizes: Vec<Typeface> = (1..=tallest / 16)
        .flat_map(|scale| {
            RASTERS.map(|raster| Typeface {
                raster,
                scale,
                weight,
            })
        })
        .filter(|size| size.scale == 1 || size.raster.val() >= 24)
        .filter(|size| size.height() <= tallest)
        .collect();
    // Of equal heights, the finer raster comes last, because callers take the last one that fits.
    sizes.sort_by_key(|size| (size.height(), size.raster.val()));
    sizes
}

impl Typeface {
    /// Height of a line in pixels.
    pub(super) fn height(self) -> u32 {
        u32::try_from(self.raster.val()).unwrap_or(16) * self.scale
    }

    /// Width of every character in pixels.
    pub(super) fn advance(self) -> u32 {
        u32::try_from(get_raster_width(self.weight, self.raster)).unwrap_or(8) * self.scale
    }

    /// Calls `draw` with column, row and coverage (0 to 255) of every pixel of the character's
    /// box. A character that is not printable ASCII is drawn as `?`.
    pub(super) fn glyph(self, c: char, mut draw: impl FnMut(u32, u32, u8)) {
        let raster = |c| get_raster(c, self.weight, self.raster);
        let Some(glyph) = raster(c).or_else(|| raster('?')) else {
            return;
        };
        for (y, row) in (0..).zip(glyph.rows()) {
            for (x, coverage) in (0..).zip(row.iter()) {
                for dy in 0..self.scale {
                    for dx in 0..self.scale {
                        draw(x * self.scale + dx, y * self.scale + dy, *coverage);
                    }
                }
            }
        }
    }
}

/// Breaks a text into lines of at most `columns` characters, at spaces if possible.
pub(super) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut length = 0;
    for word in text.split_whitespace() {
        let mut word: Vec<char> = word.chars().collect();
        if length > 0 && length + 1 + word.len() > columns {
            lines.push(std::mem::take(&mut line));
            length = 0;
        }
        while word.len() > columns {
            let rest = word.split_off(columns);
            lines.push(word.into_iter().collect());
            word = rest;
        }
        if length > 0 {
            line.push(' ');
            length += 1;
        }
        length += word.len();
        line.extend(word);
    }
    if length > 0 {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_at_spaces_and_long_words_anywhere() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefgh ij", 3), ["abc", "def", "gh", "ij"]);
        assert_eq!(wrap("  a\n\tb ", 10), ["a b"]);
        assert_eq!(wrap("", 10), Vec::<String>::new());
        assert_eq!(wrap("ab", 0), ["a", "b"]);
    }

    #[test]
    fn every_printable_ascii_character_has_a_glyph() {
        for size in sizes(FontWeight::Bold, 64)
            .into_iter()
            .chain(sizes(FontWeight::Regular, 64))
        {
            for c in '!'..='~' {
                let mut ink = 0_u64;
                size.glyph(c, |_, _, coverage| ink += u64::from(coverage));
                assert!(ink > 0, "{c} at {}", size.height());
            }
        }
    }
}
