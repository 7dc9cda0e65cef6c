//! Finds where two pictures of the same size differ, as a few rectangles.

use std::ops::Range;

use xxhash_rust::xxh3::xxh3_128_with_seed;

use super::Picture;
use crate::frame::{Region, STRIPE_ROWS, Size};

/// Width of a tile in pixels; its height is [`STRIPE_ROWS`]. A letter changes one or two tiles.
const TILE_COLUMNS: u32 = 64;

/// Maximum number of reported rectangles; if there are more, one around them all is reported.
const MAX_REGIONS: usize = 32;

/// The hashes of a picture's tiles, row by row.
#[derive(Debug, Clone)]
pub struct Tiles {
    size: Size,
    /// Equal tiles have equal hashes. The chance that different tiles have equal ones is 2^-128.
    prints: Vec<u128>,
}

impl Tiles {
    /// Computes the hashes of a picture's tiles; `seed` prevents a program from preparing two
    /// pictures with the same hashes.
    pub fn of(picture: &Picture<'_>, seed: u64) -> Self {
        Self::next(picture, seed, None, |_| true)
    }

    /// Like [`Self::of`], but takes over the hashes of an earlier picture for rows that cannot have
    /// changed since, according to `may_differ`.
    pub fn next(
        picture: &Picture<'_>,
        seed: u64,
        before: Option<&Self>,
        may_differ: impl Fn(Range<u32>) -> bool,
    ) -> Self {
        let size = picture.size();
        let before = before.filter(|before| before.size == size);
        let columns = size.width.div_ceil(TILE_COLUMNS);
        let mut prints = Vec::with_capacity((columns * size.height.div_ceil(STRIPE_ROWS)) as usize);
        let mut row = vec![0; size.width as usize];
        let mut tiles = vec![Vec::new(); columns as usize];
        for first in (0..size.height).step_by(STRIPE_ROWS as usize) {
            let rows = first..(first + STRIPE_ROWS).min(size.height);
            if let Some(before) = before.filter(|_| !may_differ(rows.clone())) {
                let known = prints.len()..prints.len() + columns as usize;
                prints.extend_from_slice(&before.prints[known]);
                continue;
            }
            for y in rows {
                picture.words(y, &mut row);
                for (tile, part) in tiles.iter_mut().zip(row.chunks(TILE_COLUMNS as usize)) {
                    tile.extend(part.iter().flat_map(|word: &u32| word.to_le_bytes()));
                }
            }
            for tile in &mut tiles {
                prints.push(xxh3_128_with_seed(tile, seed));
                tile.clear();
            }
        }
        Self { size, prints }
    }

    /// Returns where the picture differs from an earlier one of the same size: rectangles that do
    /// not overlap, in pixels of the picture; empty if the pictures are equal.
    pub fn changed_since(&self, before: &Self) -> Vec<Region> {
        let columns = self.size.width.div_ceil(TILE_COLUMNS) as usize;
        // Ranges of tile columns and of tile rows.
        let mut found: Vec<(Range<usize>, Range<usize>)> = Vec::new();
        let rows = self
            .prints
            .chunks(columns)
            .zip(before.prints.chunks(columns));
        for (y, (now, before)) in rows.enumerate() {
            let differs = |x: usize| now[x] != before[x];
            let mut x = 0;
            while x < columns {
                if !differs(x) {
                    x += 1;
                    continue;
                }
                let end = (x..columns).find(|x| !differs(*x)).unwrap_or(columns);
                let above = found
                    .iter_mut()
                    .find(|(across, down)| *across == (x..end) && down.end == y);
                match above {
                    Some((_, down)) => down.end = y + 1,
                    None => found.push((x..end, y..y + 1)),
                }
                x = end;
            }
        }
        if found.len() > MAX_REGIONS {
            let around = found.iter().cloned().reduce(|(a, c), (b, d)| {
                (
                    a.start.min(b.start)..a.end.max(b.end),
                    c.start.min(d.start)..c.end.max(d.end),
                )
            });
            found = around.into_iter().collect();
        }
        let side = |tiles: Range<usize>, tile: u32, end: u32| {
            // The number of tiles in a picture fits in 32 bits.
            let at = |tiles: usize| {
                u32::try_from(tiles)
                    .unwrap_or(u32::MAX)
                    .saturating_mul(tile)
            };
            (at(tiles.start), at(tiles.end).min(end))
        };
        let region = |(across, down)| {
            let (x, right) = side(across, TILE_COLUMNS, self.size.width);
            let (y, bottom) = side(down, STRIPE_ROWS, self.size.height);
            Region {
                x,
                y,
                size: Size {
                    width: right - x,
                    height: bottom - y,
                },
            }
        };
        found.into_iter().map(region).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Pixels;

    const SIZE: Size = Size {
        width: 200,
        height: 70,
    };

    fn tiles(points: &[(usize, usize)]) -> Tiles {
        let mut bytes = vec![0; SIZE.bgrx_bytes()];
        for (x, y) in points {
            bytes[(y * SIZE.width as usize + x) * 4] = 1;
        }
        let pixels = Pixels::new(Box::new(bytes), SIZE, SIZE.width as usize * 4).unwrap();
        Tiles::of(&Picture::new(&pixels, Region::whole(SIZE), None), 7)
    }

    fn regions(points: &[(usize, usize)]) -> Vec<(u32, u32, u32, u32)> {
        let regions = tiles(points).changed_since(&tiles(&[]));
        regions
            .iter()
            .map(|r| (r.x, r.y, r.size.width, r.size.height))
            .collect()
    }

    #[test]
    fn rows_that_cannot_have_changed_keep_their_hashes() {
        let before = tiles(&[(5, 5), (5, 40)]);
        let bytes = vec![0; SIZE.bgrx_bytes()];
        let pixels = Pixels::new(Box::new(bytes), SIZE, SIZE.width as usize * 4).unwrap();
        let picture = Picture::new(&pixels, Region::whole(SIZE), None);
        let next = Tiles::next(&picture, 7, Some(&before), |rows| rows.contains(&40));
        // The change in the first rows is not looked at.
        let changed = next.changed_since(&before);
        assert_eq!(changed.len(), 1);
        assert_eq!((changed[0].y, changed[0].size.height), (32, 16));
        assert_eq!(next.changed_since(&tiles(&[])).len(), 1);
    }

    #[test]
    fn a_region_is_as_small_as_its_tiles_and_clipped_to_the_picture() {
        assert_eq!(regions(&[]), []);
        assert_eq!(regions(&[(0, 0)]), [(0, 0, 64, 16)]);
        assert_eq!(regions(&[(63, 15), (64, 0)]), [(0, 0, 128, 16)]);
        assert_eq!(regions(&[(199, 69)]), [(192, 64, 8, 6)]);
        assert_eq!(
            regions(&[(5, 5), (199, 5)]),
            [(0, 0, 64, 16), (192, 0, 8, 16)]
        );
        assert_eq!(regions(&[(70, 15), (70, 16)]), [(64, 0, 64, 32)]);
        assert_eq!(
            regions(&[(70, 0), (70, 40)]),
            [(64, 0, 64, 16), (64, 32, 64, 16)]
        );
    }

    #[test]
    fn many_are_one_around_all() {
        let size = Size {
            width: 1280,
            height: 160,
        };
        let picture = |on: bool| {
            let mut bytes = vec![0; size.bgrx_bytes()];
            for y in 0..10_usize {
                for x in (1 + y % 2..19).step_by(2) {
                    bytes[(y * 16 * 1280 + x * 64) * 4] = u8::from(on);
                }
            }
            let pixels = Pixels::new(Box::new(bytes), size, 1280 * 4).unwrap();
            Tiles::of(&Picture::new(&pixels, Region::whole(size), None), 7)
        };
        let regions = picture(true).changed_since(&picture(false));
        let around = Region {
            x: 64,
            y: 0,
            size: Size {
                width: 18 * 64,
                height: 160,
            },
        };
        assert_eq!(regions, [around]);
    }
}
