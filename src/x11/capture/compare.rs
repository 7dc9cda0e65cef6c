//! Finds the differences of two captures, for X servers that do not report drawing (without DAMAGE,
//! or without XFIXES to fetch the damage).

use std::ops::Range;

use crate::frame::{BYTES_PER_PIXEL, Pixels, Region, Size};

/// Number of rows that are compared together: changes further apart are separate.
const ROWS: u32 = 16;

/// Returns the rectangles in which two images of one size differ. If the sizes differ, returns the
/// whole screen.
pub(in crate::x11) fn differences(before: &Pixels, after: &Pixels) -> Vec<Region> {
    let size = after.size();
    if before.size() != size {
        return vec![Region::whole(size)];
    }
    let mut found: Vec<Region> = Vec::new();
    for top in (0..size.height).step_by(ROWS as usize) {
        let rows = top..(top + ROWS).min(size.height);
        let Some(change) = difference(before, after, rows) else {
            continue;
        };
        // A change that continues in the next rows, in common columns, is one change.
        match found.last_mut() {
            Some(last) if follows(last, &change) => *last = last.union(&change),
            _ => found.push(change),
        }
    }
    found
}

fn follows(last: &Region, next: &Region) -> bool {
    let meets = last.y + last.size.height == next.y;
    meets && last.x < next.x + next.size.width && next.x < last.x + last.size.width
}

/// Returns the bounding box of all differences in some rows.
fn difference(before: &Pixels, after: &Pixels, rows: Range<u32>) -> Option<Region> {
    let width = after.size().width;
    let (mut columns, mut lines): (Option<Range<u32>>, Option<Range<u32>>) = (None, None);
    for y in rows {
        let (old, new) = (before.row(0, y, width), after.row(0, y, width));
        if old == new {
            continue;
        }
        let differs = |(old, new): (&[u8], &[u8])| old != new;
        let pixels = || {
            old.chunks_exact(BYTES_PER_PIXEL)
                .zip(new.chunks_exact(BYTES_PER_PIXEL))
        };
        let first = pixels().position(differs)?;
        let last = pixels().rposition(differs)?;
        let (first, end) = (u32::try_from(first).ok()?, u32::try_from(last).ok()? + 1);
        let so_far = columns.unwrap_or(first..end);
        columns = Some(so_far.start.min(first)..so_far.end.max(end));
        lines = Some(lines.map_or(y, |lines| lines.start)..y + 1);
    }
    let (columns, lines) = (columns?, lines?);
    Some(Region {
        x: columns.start,
        y: lines.start,
        size: Size {
            width: columns.end - columns.start,
            height: lines.end - lines.start,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size {
        width: 100,
        height: 70,
    };

    fn image(dots: &[(u32, u32)]) -> Pixels {
        let stride = SIZE.width as usize * BYTES_PER_PIXEL;
        let mut bytes = vec![0; stride * SIZE.height as usize];
        for (x, y) in dots {
            bytes[*y as usize * stride + *x as usize * BYTES_PER_PIXEL + 1] = 9;
        }
        Pixels::new(Box::new(bytes), SIZE, stride).unwrap()
    }

    #[test]
    fn each_change_is_told_with_its_own_rectangle() {
        let none: [Region; 0] = [];
        assert_eq!(differences(&image(&[]), &image(&[])), none);
        assert_eq!(
            differences(&image(&[(99, 69)]), &image(&[(0, 0), (3, 5)])),
            [Region::new(0, 0, 4, 6), Region::new(99, 69, 1, 1)]
        );
        // Across the border of 16 rows.
        assert_eq!(
            differences(&image(&[]), &image(&[(10, 15), (12, 15), (11, 16)])),
            [Region::new(10, 15, 3, 2)]
        );
        // In adjacent rows, without common columns.
        assert_eq!(
            differences(&image(&[]), &image(&[(10, 15), (50, 16)])),
            [Region::new(10, 15, 1, 1), Region::new(50, 16, 1, 1)]
        );
    }

    #[test]
    fn another_size_is_another_screen() {
        let small = Pixels::new(
            Box::new(vec![0; 4]),
            Size {
                width: 1,
                height: 1,
            },
            4,
        )
        .unwrap();
        assert_eq!(differences(&small, &image(&[])), [Region::whole(SIZE)]);
    }
}
