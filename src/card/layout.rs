//! A card's layout: a red stripe, the title, and paragraphs in the largest type in which they all
//! fit.
//!
//! All letters are light on the same dark background: an OCR program takes letters on a band of
//! another colour for a picture and ignores them (observed with tesseract 5.3).

use noto_sans_mono_bitmap::FontWeight;

use super::text::{Typeface, sizes, wrap};
use crate::frame::{BYTES_PER_PIXEL, Pixels, Size};

/// Blue, green, red: colours that no desktop theme is likely to fill a screen with.
type Colour = [u8; 3];
const PAPER: Colour = [34, 24, 28];
const STRIPE: Colour = [30, 30, 200];
const INK: Colour = [240, 244, 248];

/// Space between paragraphs: the height of a line divided by this.
const GAP: u32 = 4;

/// Draws title and paragraphs; if space is short, paragraph `cut` is shortened. `None` only if
/// `size` is empty.
pub(super) fn draw<const N: usize>(
    size: Size,
    title: &str,
    paragraphs: [&str; N],
    cut: usize,
) -> Option<Pixels> {
    let mut canvas = Canvas {
        bytes: vec![0; size.bgrx_bytes()],
        size,
    };
    canvas.fill(0, size.height, PAPER);
    let margin = (size.width / 40).min(size.height / 30).max(4);
    let inner = size.width.saturating_sub(2 * margin);

    let columns = u32::try_from(title.chars().count()).unwrap_or(u32::MAX);
    let title_type = *sizes(FontWeight::Bold, size.height / 7)
        .iter()
        .rfind(|size| size.advance().saturating_mul(columns) <= inner)
        .unwrap_or(sizes(FontWeight::Bold, 16).first()?);
    canvas.fill(0, margin, STRIPE);
    canvas.line(margin, margin, title, title_type);
    let top = margin + title_type.height() + margin / 2;
    let room = size.height.saturating_sub(top + margin / 2);
    let candidates = sizes(FontWeight::Regular, size.height / 10);
    let smallest = *sizes(FontWeight::Regular, 16).first()?;
    let broken = |size: Typeface| -> Vec<Vec<String>> {
        let columns = (inner / size.advance()) as usize;
        paragraphs
            .iter()
            .map(|paragraph| wrap(paragraph, columns))
            .collect()
    };
    let fits = |size: &&Typeface| height(&broken(**size), **size) <= room;
    let body = *candidates.iter().rev().find(fits).unwrap_or(&smallest);
    let mut lines = broken(body);
    let spare = room.saturating_sub(height(&lines, body));
    shorten(&mut lines, cut, body, room);

    // At most half a line of the spare space goes above the text, the rest below.
    let mut y = top + spare.min(body.height() / 2);
    for paragraph in lines {
        for line in paragraph {
            canvas.line(margin, y, &line, body);
            y += body.height();
        }
        y += body.height() / GAP;
    }
    let stride = size.width as usize * BYTES_PER_PIXEL;
    Pixels::new(Box::new(canvas.bytes), size, stride)
}

fn height(paragraphs: &[Vec<String>], size: Typeface) -> u32 {
    let lines = paragraphs.iter().map(Vec::len).sum::<usize>();
    let gaps = paragraphs.len().saturating_sub(1);
    let lines = u32::try_from(lines)
        .unwrap_or(u32::MAX)
        .saturating_mul(size.height());
    let gaps = u32::try_from(gaps)
        .unwrap_or(u32::MAX)
        .saturating_mul(size.height() / GAP);
    lines.saturating_add(gaps)
}

/// Removes lines from the end of paragraph `cut` until all fit or one line is left.
fn shorten(paragraphs: &mut [Vec<String>], cut: usize, size: Typeface, room: u32) {
    while height(paragraphs, size) > room {
        let Some(lines) = paragraphs.get_mut(cut).filter(|lines| lines.len() > 1) else {
            return;
        };
        lines.pop();
        if let Some(last) = lines.last_mut() {
            let kept = last.trim_end_matches('.').chars().count().saturating_sub(3);
            *last = last.chars().take(kept).chain("...".chars()).collect();
        }
    }
}

struct Canvas {
    bytes: Vec<u8>,
    size: Size,
}

impl Canvas {
    fn fill(&mut self, top: u32, bottom: u32, [blue, green, red]: Colour) {
        let row = self.size.width as usize * BYTES_PER_PIXEL;
        let bottom = bottom.min(self.size.height) as usize;
        for pixel in self.bytes[top as usize * row..bottom * row]
            .as_chunks_mut()
            .0
        {
            *pixel = [blue, green, red, 255];
        }
    }

    fn line(&mut self, x: u32, y: u32, text: &str, size: Typeface) {
        for (index, c) in (0..).zip(text.chars()) {
            let left = x.saturating_add(size.advance().saturating_mul(index));
            size.glyph(c, |dx, dy, coverage| {
                self.ink(left.saturating_add(dx), y + dy, coverage)
            });
        }
    }

    /// Blends ink over a pixel; does nothing outside the canvas.
    fn ink(&mut self, x: u32, y: u32, coverage: u8) {
        if x >= self.size.width || y >= self.size.height || coverage == 0 {
            return;
        }
        let at = (y as usize * self.size.width as usize + x as usize) * BYTES_PER_PIXEL;
        for (channel, ink) in self.bytes[at..at + 3].iter_mut().zip(INK) {
            let (under, cover) = (u32::from(*channel), u32::from(coverage));
            let mixed = (under * (255 - cover) + u32::from(ink) * cover) / 255;
            *channel = u8::try_from(mixed).unwrap_or(u8::MAX);
        }
    }
}
