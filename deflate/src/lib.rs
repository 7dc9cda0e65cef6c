//! Deflate (RFC 1951) for stripes of pixels, as rows of a PNG of 8-bit RGB. deskd has its own
//! implementation, because no library accepts pixels in place of bytes, and none that is fast on
//! photographs produces pieces that can be joined.
//!
//! - `words`: the pixels.
//! - `kind`: distinguishes interfaces from photographs.
//! - `matches`: encodes pixels as matches with earlier ones, for interfaces.
//! - `residuals`: encodes differences from predictions by the neighbours, for photographs.
//! - `huffman`, `bits`: the codes of a block, and the bit stream.
//! - `adler`: the checksum of joined pieces.
//!
//! Each stripe ends on a whole byte, as after zlib's sync flush, and does not refer to anything
//! before it. Stripes can therefore be joined in any combination.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "symbols, lengths and distances are far below the limits of their types"
)]

mod adler;
mod bits;
mod huffman;
mod kind;
mod matches;
mod residuals;
mod words;

pub use adler::combine;
pub use words::Words;

use bits::Bits;
use huffman::Codes;

/// Length of the longest match, in bytes.
const LONGEST: usize = 258;

/// Ends a stream of stripes: an empty block with fixed codes and the final-block bit.
pub const LAST: [u8; 2] = [0x03, 0x00];

/// Buffers that are reused for every stripe.
#[derive(Debug, Default)]
pub struct Scratch {
    matches: matches::Memory,
    residuals: residuals::Memory,
}

/// Deflates a stripe by the method for its kind, with the filter byte before each row. Returns the
/// compressed bytes, and the Adler-32 of the bytes before compression.
pub fn deflate<'s>(words: &Words, scratch: &'s mut Scratch) -> (&'s [u8], u32) {
    #[cfg(target_arch = "x86_64")]
    if has_wide() {
        #[allow(unsafe_code, reason = "instructions that not every processor has")]
        // SAFETY: `has_wide` returned true, so this processor has the instructions of `wide`.
        return unsafe { wide(words, scratch) };
    }
    by_kind(words, scratch)
}

/// Whether the processor has the instructions that [`wide`] is compiled for.
#[cfg(target_arch = "x86_64")]
fn has_wide() -> bool {
    std::is_x86_feature_detected!("avx2")
        && std::is_x86_feature_detected!("bmi1")
        && std::is_x86_feature_detected!("bmi2")
        && std::is_x86_feature_detected!("lzcnt")
}

/// The same as [`by_kind`], compiled with the instructions of x86-64-v3: a tenth faster.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt")]
fn wide<'s>(words: &Words, scratch: &'s mut Scratch) -> (&'s [u8], u32) {
    by_kind(words, scratch)
}

// This function and those that it calls are always inlined, so that `wide` gets its own copy of
// them, compiled with its instructions.
#[inline(always)]
fn by_kind<'s>(words: &Words, scratch: &'s mut Scratch) -> (&'s [u8], u32) {
    if kind::is_photograph(words) {
        residuals::deflate(words, &mut scratch.residuals)
    } else {
        matches::deflate(words, &mut scratch.matches)
    }
}

/// For each length of a match, from 3 on: the symbol, the number of extra bits, and the first
/// length of that symbol (RFC 1951, section 3.2.5).
static LENGTHS: [(u16, u8, u16); LONGEST + 1] = lengths();

const fn lengths() -> [(u16, u8, u16); LONGEST + 1] {
    let mut table = [(0, 0, 0); LONGEST + 1];
    let (mut symbol, mut base) = (257, 3);
    while symbol < 285 {
        let extra = if symbol < 265 { 0 } else { (symbol - 261) / 4 };
        let mut length = base;
        while length < base + (1 << extra) && length <= LONGEST {
            table[length] = (symbol as u16, extra as u8, base as u16);
            length += 1;
        }
        base += 1 << extra;
        symbol += 1;
    }
    table[LONGEST] = (285, 0, LONGEST as u16);
    table
}

/// Returns the symbol of a distance (at least 1), and the number of its extra bits.
#[inline(always)]
fn distance(distance: u32) -> (usize, u32) {
    let value = distance - 1;
    if value < 4 {
        return (value as usize, 0);
    }
    let high = value.ilog2();
    let extra = high - 1;
    ((2 * high + (value >> extra & 1)) as usize, extra)
}

/// Writes a match of `length` bytes at the distance `back`.
#[inline(always)]
fn put_match(bits: &mut Bits<'_>, codes: &Codes, length: usize, back: u32) {
    let (symbol, extra, base) = LENGTHS[length];
    bits.put_code(codes.literals[usize::from(symbol)]);
    bits.put((length - usize::from(base)) as u64, u32::from(extra));
    let (symbol, extra) = distance(back);
    bits.put_code(codes.distances[symbol]);
    bits.put(u64::from(back - 1) & ((1 << extra) - 1), extra);
    bits.flush();
}

/// Maximum compressed size of a block of this number of bytes: all of them as literals with the
/// longest codes, and the header.
fn bound(bytes: usize) -> usize {
    2 * bytes + 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inflate(stripes: &[u8], length: usize) -> Vec<u8> {
        let stream = [stripes, &LAST].concat();
        let mut bytes = Vec::with_capacity(length + 1);
        let mut inflate = flate2::Decompress::new(false);
        let finish = flate2::FlushDecompress::Finish;
        let status = inflate.decompress_vec(&stream, &mut bytes, finish).unwrap();
        assert_eq!(status, flate2::Status::StreamEnd);
        bytes
    }

    /// Undoes PNG's filters (PNG, section 9.2).
    fn unfilter(bytes: &[u8], width: usize) -> Vec<u32> {
        let mut above = vec![0_u8; 3 * width];
        let mut words = Vec::new();
        for row in bytes.chunks_exact(3 * width + 1) {
            let mut now = row[1..].to_vec();
            for at in 0..now.len() {
                let left = if at < 3 { 0 } else { i32::from(now[at - 3]) };
                let corner = if at < 3 { 0 } else { i32::from(above[at - 3]) };
                let up = i32::from(above[at]);
                let nearest = [left, up, corner]
                    .into_iter()
                    .min_by_key(|one| (left + up - corner - one).abs());
                let foretold = match row[0] {
                    0 => 0,
                    1 => left,
                    4 => nearest.unwrap(),
                    other => panic!("filter {other}"),
                };
                now[at] = now[at].wrapping_add(foretold as u8);
            }
            words.extend(
                now.chunks_exact(3)
                    .map(|p| u32::from_be_bytes([0, p[0], p[1], p[2]])),
            );
            above = now;
        }
        words
    }

    fn load(words: &[u32], width: usize) -> Words {
        let mut rows = words.chunks_exact(width);
        let mut loaded = Words::default();
        loaded.load(width, words.len() / width, |out| {
            out.copy_from_slice(rows.next().unwrap())
        });
        loaded
    }

    #[test]
    fn every_stripe_comes_back_by_either_way() {
        let mut state = 1_u32;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 8
        };
        // The number of different pixels: one, few, many, all.
        for (palette, width, height) in [
            (1, 1, 1),
            (1, 1300, 16),
            (2, 3, 16),
            (3, 700, 16),
            (40, 97, 7),
            (5000, 333, 16),
            (1 << 24, 100, 16),
            (7, 16_384, 16),
            (1, 11_000, 64),
        ] {
            let mut scratch = Scratch::default();
            let mut stripes = Vec::new();
            let (mut expected, mut sum) = (Vec::new(), 1);
            for way in 0..4 {
                let words: Vec<u32> = (0..width * height)
                    .map(|at| match way {
                        0 | 1 => (random() % palette).wrapping_mul(0x01_3579) & 0xff_ffff,
                        // Smooth; the next one has runs of one colour.
                        2 => ((at % width) as u32 / 5 * 0x01_0203 + random() % 3) & 0xff_ffff,
                        _ => (at as u32 / 37 % 11).wrapping_mul(0x77_5533) & 0xff_ffff,
                    })
                    .collect();
                let stripe = load(&words, width);
                let (deflated, adler) = match way {
                    0 => residuals::deflate(&stripe, &mut scratch.residuals),
                    1 => matches::deflate(&stripe, &mut scratch.matches),
                    _ => deflate(&stripe, &mut scratch),
                };
                let length = (3 * width + 1) * height;
                let bytes = inflate(deflated, length);
                assert_eq!(simd_adler32::adler32(&bytes.as_slice()), adler);
                stripes.extend_from_slice(deflated);
                sum = combine(sum, adler, length);
                expected.extend_from_slice(&words);
                assert!(unfilter(&bytes, width) == words, "{palette} {width} {way}");
            }
            let bytes = inflate(&stripes, (3 * width + 1) * height * 4);
            assert_eq!(simd_adler32::adler32(&bytes.as_slice()), sum);
        }
    }

    #[test]
    fn text_is_no_photograph_and_a_gradient_is_one() {
        let gradient: Vec<u32> = (0..100 * 16)
            .map(|at| (at / 100 * 3 + at % 100) * 0x01_0101)
            .collect();
        assert!(kind::is_photograph(&load(&gradient, 100)));
        let text: Vec<u32> = (0..100 * 16)
            .map(|at| if at * 7 % 13 < 3 { 0xff_ffff } else { 0 })
            .collect();
        assert!(!kind::is_photograph(&load(&text, 100)));
    }
}
