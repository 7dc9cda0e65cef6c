//! Pixels as 32-bit words, so that whole pixels are compared.

/// Marks the word after each row. It equals no pixel and differs from row to row, so that it ends
/// every match.
const AFTER: u32 = 1 << 31;
/// Number of pixels compared at once; as many extra words follow the last row.
pub(super) const AT_ONCE: usize = 4;
/// Maximum number of rows for which the index of matches has bits.
const MOST_ROWS: usize = 64;
const WIDEST: usize = 16_384;

/// The rows of a stripe as words `0x00RRGGBB`.
#[derive(Debug, Default)]
pub struct Words {
    words: Vec<u32>,
    width: usize,
    rows: usize,
}

impl Words {
    /// Loads a number of rows, which `fill` writes one after the other.
    ///
    /// # Panics
    ///
    /// With more than 64 rows, or rows of more than 16,384 pixels.
    pub fn load(&mut self, width: usize, rows: usize, mut fill: impl FnMut(&mut [u32])) {
        assert!(rows <= MOST_ROWS && width <= WIDEST);
        let pitch = width + 1;
        (self.width, self.rows) = (width, rows);
        self.words.resize(pitch * rows + AT_ONCE, 0);
        for (y, row) in self.words.chunks_exact_mut(pitch).take(rows).enumerate() {
            let (pixels, after) = row.split_at_mut(width);
            fill(pixels);
            after[0] = AFTER | y as u32;
        }
        for (index, word) in self.words[pitch * rows..].iter_mut().enumerate() {
            *word = AFTER | (rows + index) as u32;
        }
    }

    /// Number of pixels in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Number of rows.
    pub fn height(&self) -> usize {
        self.rows
    }

    /// All words, including those after each row.
    pub(super) fn words(&self) -> &[u32] {
        &self.words
    }

    /// The pixels, row by row.
    pub fn rows(&self) -> impl Iterator<Item = &[u32]> {
        let rows = self.words.chunks_exact(self.width + 1).take(self.rows);
        rows.map(|row| &row[..self.width])
    }
}
