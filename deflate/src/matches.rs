//! Encodes rows without a filter, as matches with earlier pixels: to the left, above, or where the
//! same pixels last occurred in this stripe.
//!
//! Whole pixels are compared, one word each, so an interface costs a third of what its bytes would
//! cost. Matches of a single pixel are found too, which no byte matcher finds: on a terminal's
//! smoothed text they save a tenth of the size (docs/design/2026-11-26-encoding.md).

use super::{
    LENGTHS, LONGEST, adler,
    bits::Bits,
    bound, distance,
    huffman::{self, Codes, Counts, END},
    put_match,
    words::{AT_ONCE, Words},
};

/// Maximum distance of a match, in bytes.
const FARTHEST: u32 = 32 * 1024;
/// Length of the longest match, in pixels.
const LONGEST_PIXELS: usize = LONGEST / 3;
/// If a match to the left or above has at least this number of pixels, no other is searched for.
const GOOD: usize = 8;
/// A match with the row above is tested for being one colour if it has more pixels than this.
const FLAT: usize = 16;
/// The pixels inside a match of at most this length are indexed, so that a later match can begin
/// at each of them.
const SHORT: usize = 3;
/// Number of bits of the hash of three pixels.
const THREES: u32 = 12;
/// Number of bits of the hash of one pixel.
const ONES: u32 = 12;
/// An index entry for pixels that have not occurred.
const NOWHERE: u32 = u32::MAX;
/// Number of bits of an index entry that hold the pixel; the bits above hold the row.
const PIXEL: u32 = 20;
/// Flags of a token: without a flag, it is a pixel; `FILTER` is the filter byte before a row;
/// `MATCH` is a match with its length and distance.
const FILTER: u32 = 1 << 30;
const MATCH: u32 = 1 << 31;

/// Buffers that are reused for every stripe.
#[derive(Debug, Default)]
pub(super) struct Memory {
    tokens: Vec<u32>,
    threes: Vec<u32>,
    ones: Vec<u32>,
    out: Vec<u8>,
}

/// Returns the number of equal words from both positions on; rows end the comparison.
#[inline(always)]
fn run(words: &[u32], a: usize, b: usize) -> usize {
    let (a, b) = (
        words[a..].as_chunks::<AT_ONCE>().0,
        words[b..].as_chunks().0,
    );
    let mut length = 0;
    for (a, b) in a.iter().zip(b) {
        if a != b {
            let differs = a.iter().zip(b).position(|(a, b)| a != b);
            return length + differs.unwrap_or(0);
        }
        length += AT_ONCE;
    }
    length
}

#[inline(always)]
fn hash(value: u64, bits: u32) -> usize {
    // Fibonacci hashing (Knuth, volume 3, section 6.4).
    (value.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - bits)) as usize
}

#[inline(always)]
fn three(words: &[u32], at: usize) -> usize {
    let [a, b, c] = [words[at], words[at + 1], words[at + 2]].map(u64::from);
    hash(a ^ b << 24 ^ c << 40, THREES)
}

/// Deflates a stripe with the filter byte 0, "None", before each row of RGB. Returns the
/// compressed bytes, and the Adler-32 of the bytes before compression.
#[inline(always)]
pub(super) fn deflate<'s>(words: &Words, memory: &'s mut Memory) -> (&'s [u8], u32) {
    let counts = tokens(words, memory);
    let bytes = (words.width() * 3 + 1) * words.height();
    if memory.out.len() < bound(bytes) {
        memory.out.resize(bound(bytes), 0);
    }
    let mut bits = Bits::new(&mut memory.out);
    let codes = huffman::begin(&mut bits, &counts);
    write(&memory.tokens, &codes, &mut bits);
    let length = bits.end();
    (&memory.out[..length], adler::of_rows(words.rows()))
}

/// Splits the stripe into tokens, and counts their symbols.
#[inline(always)]
fn tokens(stripe: &Words, memory: &mut Memory) -> Counts {
    let (words, width, rows) = (stripe.words(), stripe.width(), stripe.height());
    let pitch = width + 1;
    // The distance in bytes between two pixels. A row adds one byte to the stream, its filter
    // byte, and one word (3 bytes in this calculation) to `words`.
    let back =
        |from: usize, y: usize, to: usize, of: usize| 3 * (from - to) as u32 - 2 * (y - of) as u32;
    let above = 3 * width as u32 + 1;
    let mut counts = Counts::new();
    memory.tokens.clear();
    memory.tokens.reserve(pitch * rows);
    for (table, bits) in [(&mut memory.threes, THREES), (&mut memory.ones, ONES)] {
        table.clear();
        table.resize(1 << bits, NOWHERE);
    }
    let (threes, ones) = (memory.threes.as_mut_slice(), memory.ones.as_mut_slice());
    for y in 0..rows {
        let row = (y as u32) << PIXEL;
        memory.tokens.push(FILTER);
        counts.literals[0] += 1;
        let first = y * pitch;
        let (mut at, end) = (first, first + width);
        while at < end {
            let pixel = words[at];
            let (mut length, mut distance_back, mut flat) = (0, 3, false);
            if at > first && words[at - 1] == pixel {
                length = run(words, at, at - 1);
            }
            if length < GOOD && y > 0 && words[at - pitch] == pixel && above <= FARTHEST {
                let found = run(words, at, at - pitch);
                // One colour costs less as a run, because the distance above has many bits.
                flat =
                    found > FLAT && words[at + 1] == pixel && run(words, at + 1, at) + 1 >= found;
                if flat || found > length {
                    (length, distance_back) = (if flat { 1 } else { found }, above);
                }
            }
            if length < GOOD && !flat {
                let (one, key) = (hash(pixel.into(), ONES), three(words, at));
                let here = row | at as u32;
                let last_one = std::mem::replace(&mut ones[one], here);
                let last_three = std::mem::replace(&mut threes[key], here);
                let place = |packed: u32| {
                    let (pixel, row) = (packed & ((1 << PIXEL) - 1), packed >> PIXEL);
                    (pixel as usize, row as usize)
                };
                // If this pixel has not occurred, neither have three that begin with it.
                let (one_at, one_row) = place(last_one);
                if last_one != NOWHERE && words[one_at] == pixel {
                    let (three_at, three_row) = place(last_three);
                    if last_three != NOWHERE && words[three_at] == pixel {
                        let found = run(words, at, three_at);
                        let far = back(at, y, three_at, three_row);
                        if found > length && found > 1 && far <= FARTHEST {
                            (length, distance_back) = (found, far);
                        }
                    }
                    let far = back(at, y, one_at, one_row);
                    if length == 0 && far <= FARTHEST {
                        (length, distance_back) = (run(words, at, one_at), far);
                    }
                }
            }
            if length == 0 {
                let [blue, green, red, _] = pixel.to_le_bytes();
                for byte in [red, green, blue] {
                    counts.literals[usize::from(byte)] += 1;
                }
                memory.tokens.push(pixel);
                at += 1;
                continue;
            }
            if length <= SHORT {
                for at in at + 1..at + length {
                    threes[three(words, at)] = row | at as u32;
                }
            }
            at += length;
            let (symbol, _) = distance(distance_back);
            while length > 0 {
                let part = length.min(LONGEST_PIXELS);
                let bytes = 3 * part;
                counts.literals[usize::from(LENGTHS[bytes].0)] += 1;
                counts.distances[symbol] += 1;
                let token = MATCH | ((bytes - 3) as u32) << 16 | (distance_back - 1);
                memory.tokens.push(token);
                length -= part;
            }
        }
    }
    counts
}

#[inline(always)]
fn write(tokens: &[u32], codes: &Codes, bits: &mut Bits<'_>) {
    for token in tokens {
        if token & MATCH != 0 {
            let (length, back) = (token >> 16 & 0xff, token & 0xffff);
            put_match(bits, codes, length as usize + 3, back + 1);
        } else if *token == FILTER {
            bits.put_code(codes.literals[0]);
            bits.flush();
        } else {
            let [blue, green, red, _] = token.to_le_bytes();
            for byte in [red, green, blue] {
                bits.put_code(codes.literals[usize::from(byte)]);
            }
            bits.flush();
        }
    }
    bits.put_code(codes.literals[END]);
    bits.flush();
}
