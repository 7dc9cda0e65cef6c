//! Encodes rows as differences from what their neighbours predict (PNG's filters Sub and Paeth).
//! Only runs of zeros become matches.
//!
//! A photograph has almost no matches, but its differences are small: Huffman codes made for each
//! stripe encode them in a third of the bits (docs/design/2026-11-26-encoding.md).

use super::{
    LENGTHS, LONGEST,
    bits::Bits,
    bound,
    huffman::{self, Codes, Counts, END},
    put_match,
    words::Words,
};

/// PNG's filter types (PNG, section 9.2).
const SUB: u8 = 1;
const PAETH: u8 = 4;
/// A run of zeros becomes a match if it fills an aligned group of this number of bytes.
const ZEROS: usize = 8;

/// Buffers that are reused for every stripe.
#[derive(Debug, Default)]
pub(super) struct Memory {
    above: Vec<u8>,
    row: Vec<u8>,
    filtered: Vec<u8>,
    /// Number of literals up to and including the first zero of a run, and of the zeros after it.
    parts: Vec<(u32, u32)>,
    out: Vec<u8>,
}

/// Deflates a stripe. Returns the compressed bytes, and the Adler-32 of the filtered rows.
#[inline(always)]
pub(super) fn deflate<'s>(words: &Words, memory: &'s mut Memory) -> (&'s [u8], u32) {
    filter(words, memory);
    let adler = simd_adler32::adler32(&memory.filtered.as_slice());
    let counts = parts(&memory.filtered, &mut memory.parts);
    let most = bound(memory.filtered.len());
    if memory.out.len() < most {
        memory.out.resize(most, 0);
    }
    let mut bits = Bits::new(&mut memory.out);
    let codes = huffman::begin(&mut bits, &counts);
    write(&memory.filtered, &memory.parts, &codes, &mut bits);
    let length = bits.end();
    (&memory.out[..length], adler)
}

/// Filters the first row with Sub, which needs no row above, and the other rows with Paeth.
#[inline(always)]
fn filter(words: &Words, memory: &mut Memory) {
    memory.filtered.clear();
    for (y, pixels) in words.rows().enumerate() {
        std::mem::swap(&mut memory.above, &mut memory.row);
        memory.row.clear();
        memory.row.extend(pixels.iter().flat_map(|word| {
            let [blue, green, red, _] = word.to_le_bytes();
            [red, green, blue]
        }));
        let (row, above) = (memory.row.as_slice(), memory.above.as_slice());
        let out = &mut memory.filtered;
        if y == 0 {
            out.push(SUB);
            out.extend_from_slice(&row[..3]);
            let pairs = row[3..].iter().zip(row);
            out.extend(pairs.map(|(value, left)| value.wrapping_sub(*left)));
        } else {
            out.push(PAETH);
            let first = row.iter().zip(above).take(3);
            out.extend(first.map(|(value, up)| value.wrapping_sub(*up)));
            let neighbours = row.iter().zip(&above[3..]).zip(above);
            let residual = |(value, ((left, up), corner)): (&u8, ((&u8, &u8), &u8))| {
                value.wrapping_sub(paeth(*left, *up, *corner))
            };
            out.extend(row[3..].iter().zip(neighbours).map(residual));
        }
    }
}

/// Returns the one of the three that is nearest to `left + up - corner` (PNG, section 9.4).
#[inline(always)]
fn paeth(left: u8, up: u8, corner: u8) -> u8 {
    let [a, b, c] = [left, up, corner].map(i16::from);
    let (to_left, to_up) = ((b - c).abs(), (a - c).abs());
    let to_corner = (a + b - 2 * c).abs();
    if to_left <= to_up && to_left <= to_corner {
        left
    } else if to_up <= to_corner {
        up
    } else {
        corner
    }
}

#[inline(always)]
fn parts(filtered: &[u8], parts: &mut Vec<(u32, u32)>) -> Counts {
    let mut counts = Counts::new();
    let mut zeros = 0;
    parts.clear();
    let mut began = 0;
    let (words, rest) = filtered.as_chunks::<ZEROS>();
    let tail = filtered.len() - rest.len();
    let mut index = 0;
    while index < words.len() {
        if u64::from_ne_bytes(words[index]) != 0 {
            index += 1;
            continue;
        }
        let more = words[index..]
            .iter()
            .take_while(|word| **word == [0; ZEROS]);
        let (from, to) = (index * ZEROS, (index + more.count()) * ZEROS);
        // The run includes the zeros before and after the groups that are all zero.
        let is_zero = |byte: &&u8| **byte == 0;
        let start = from
            - filtered[began..from]
                .iter()
                .rev()
                .take_while(is_zero)
                .count();
        let end = to + filtered[to..].iter().take_while(is_zero).count();
        // The first zero is a literal, which the match repeats.
        let mut left = end - start - 1;
        parts.push(((start + 1 - began) as u32, left as u32));
        zeros += left;
        while left >= 3 {
            let length = left.min(LONGEST);
            counts.literals[usize::from(LENGTHS[length].0)] += 1;
            counts.distances[0] += 1;
            left -= length;
        }
        zeros -= left;
        began = end;
        index = end.div_ceil(ZEROS);
    }
    parts.push(((filtered.len() - began) as u32, 0));
    // Four counters, so that counting equal neighbours does not have to wait for the last result.
    let mut literals = [[0_u32; 256]; 4];
    for word in words {
        let [a, b, c, d, e, f, g, h] = *word;
        for (counter, (one, two)) in literals.iter_mut().zip([(a, e), (b, f), (c, g), (d, h)]) {
            counter[usize::from(one)] += 1;
            counter[usize::from(two)] += 1;
        }
    }
    for byte in &filtered[tail..] {
        literals[0][usize::from(*byte)] += 1;
    }
    for counted in literals {
        for (sum, count) in counts.literals.iter_mut().zip(counted) {
            *sum += count;
        }
    }
    counts.literals[0] -= zeros as u32;
    counts
}

#[inline(always)]
fn write(filtered: &[u8], parts: &[(u32, u32)], codes: &Codes, bits: &mut Bits<'_>) {
    let mut at = 0;
    for (literals, zeros) in parts {
        let part = &filtered[at..at + *literals as usize];
        let (threes, rest) = part.as_chunks::<3>();
        for three in threes {
            for byte in three {
                bits.put_code(codes.literals[usize::from(*byte)]);
            }
            bits.flush();
        }
        for byte in rest {
            bits.put_code(codes.literals[usize::from(*byte)]);
            bits.flush();
        }
        let mut left = *zeros as usize;
        at += part.len() + left;
        while left >= 3 {
            let length = left.min(LONGEST);
            put_match(bits, codes, length, 1);
            left -= length;
        }
        for _ in 0..left {
            bits.put_code(codes.literals[0]);
            bits.flush();
        }
    }
    bits.put_code(codes.literals[END]);
    bits.flush();
}
