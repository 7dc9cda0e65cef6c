//! Distinguishes an interface from a photograph.

use super::words::Words;

/// One row in this number is sampled to distinguish an interface from a photograph.
const SAMPLED: usize = 8;
/// Maximum difference of a pixel that still counts as similar to a neighbour.
const SLIGHT: u8 = 8;
/// If at most one pixel in this number is similar but not equal, the stripe is not a photograph.
const FEW: u32 = 50;

/// Whether most pixels that equal neither the left nor the upper neighbour are similar to one of
/// them. On six screens this is right for all stripes but one in a hundred
/// (docs/design/2026-11-26-encoding.md).
#[inline(always)]
pub(super) fn is_photograph(words: &Words) -> bool {
    let rows: Vec<&[u32]> = words.rows().collect();
    let (mut seen, mut slight, mut strong) = (0, 0, 0);
    for pair in rows.windows(2).step_by(SAMPLED) {
        let (above, row) = (pair[0], pair[1]);
        let pixels = row[1..].iter().zip(row).zip(&above[1..]);
        for ((pixel, left), up) in pixels {
            seen += 1;
            if pixel == left || pixel == up {
                continue;
            }
            if differ(*pixel, *left).min(differ(*pixel, *up)) <= SLIGHT {
                slight += 1;
            } else {
                strong += 1;
            }
        }
    }
    slight > strong && slight * FEW > seen
}

/// The largest difference in any channel.
#[inline(always)]
fn differ(a: u32, b: u32) -> u8 {
    let (a, b) = (a.to_le_bytes(), b.to_le_bytes());
    let differences = a.iter().zip(b).map(|(a, b)| a.abs_diff(b));
    differences.max().unwrap_or(0)
}
