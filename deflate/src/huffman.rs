//! The Huffman codes for the symbols of one block, and the header that describes them (RFC 1951,
//! sections 3.2.2 and 3.2.7).

use super::bits::Bits;

/// Number of symbols for literals, the end of the block, and lengths of matches.
const LITERALS: usize = 286;
const DISTANCES: usize = 30;
/// The symbol that ends a block.
pub(super) const END: usize = 256;
/// Maximum length of a code, and of a code for code lengths.
const LONGEST: usize = 15;
const LONGEST_OF_LENGTHS: usize = 7;
/// The order in which the header gives the lengths of the codes for code lengths.
const ORDER: [usize; 19] = [
    16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
];

/// How often each symbol occurs.
#[derive(Debug)]
pub(super) struct Counts {
    pub(super) literals: [u32; LITERALS],
    pub(super) distances: [u32; DISTANCES],
}

impl Counts {
    /// All counts are 0, except that of the end symbol, which occurs once.
    pub(super) fn new() -> Self {
        let mut literals = [0; LITERALS];
        literals[END] = 1;
        Self {
            literals,
            distances: [0; DISTANCES],
        }
    }
}

/// Codes, the first bit lowest, with their lengths in the bits from 16 on; 0 for a symbol that has
/// no code.
#[derive(Debug)]
pub(super) struct Codes {
    pub(super) literals: [u32; LITERALS],
    pub(super) distances: [u32; DISTANCES],
}

/// Writes the header of a block that is not the last, and returns the block's codes.
pub(super) fn begin(bits: &mut Bits<'_>, counts: &Counts) -> Codes {
    let mut lengths = [0_u8; LITERALS + DISTANCES];
    let (literals, distances) = lengths.split_at_mut(LITERALS);
    choose(&counts.literals, LONGEST, literals);
    choose(&counts.distances, LONGEST, distances);
    let mut codes = Codes {
        literals: [0; LITERALS],
        distances: [0; DISTANCES],
    };
    assign(literals, &mut codes.literals);
    assign(distances, &mut codes.distances);
    let used = |lengths: &[u8], least: usize| {
        let last = lengths.iter().rposition(|length| *length > 0);
        last.map_or(least, |last| least.max(last + 1))
    };
    let (literals_told, distances_told) = (used(literals, 257), used(distances, 1));
    lengths.copy_within(LITERALS..LITERALS + distances_told, literals_told);
    let told = runs(&lengths[..literals_told + distances_told]);

    let mut counts = [0_u32; 19];
    for (symbol, ..) in &told {
        counts[usize::from(*symbol)] += 1;
    }
    let (mut lengths, mut code) = ([0_u8; 19], [0_u32; 19]);
    choose(&counts, LONGEST_OF_LENGTHS, &mut lengths);
    assign(&lengths, &mut code);
    let last = ORDER.iter().rposition(|symbol| lengths[*symbol] > 0);
    let lengths_told = last.map_or(4, |last| 4.max(last + 1));

    // Not the last block; dynamic Huffman codes.
    bits.put(0b100, 3);
    bits.put((literals_told - 257) as u64, 5);
    bits.put((distances_told - 1) as u64, 5);
    bits.put((lengths_told - 4) as u64, 4);
    bits.flush();
    for symbol in &ORDER[..lengths_told] {
        bits.put(u64::from(lengths[*symbol]), 3);
        bits.flush();
    }
    for (symbol, extra, count) in told {
        bits.put_code(code[usize::from(symbol)]);
        bits.put(u64::from(extra), count);
        bits.flush();
    }
    codes
}

/// Encodes code lengths as symbols with repetitions. Each entry is a symbol, its extra bits and
/// their number.
fn runs(lengths: &[u8]) -> Vec<(u8, u8, u32)> {
    let mut told = Vec::with_capacity(lengths.len());
    for run in lengths.chunk_by(|a, b| a == b) {
        let (value, mut left) = (run[0], run.len());
        if value == 0 {
            while left >= 11 {
                let part = left.min(138);
                told.push((18, (part - 11) as u8, 7));
                left -= part;
            }
            if left >= 3 {
                told.push((17, (left - 3) as u8, 3));
                left = 0;
            }
        } else {
            told.push((value, 0, 0));
            left -= 1;
            while left >= 3 {
                let part = left.min(6);
                told.push((16, (part - 3) as u8, 2));
                left -= part;
            }
        }
        told.extend(std::iter::repeat_n((value, 0, 0), left));
    }
    told
}

/// Computes the lengths of an optimal code (Moffat and Katajainen, "In-Place Calculation of
/// Minimum-Redundancy Codes", 1995), then limits them to `longest`.
fn choose(counts: &[u32], longest: usize, lengths: &mut [u8]) {
    // Count and symbol are packed into one number, so that one sort orders both.
    let mut symbols = [0_u64; LITERALS];
    let mut number = 0;
    for (symbol, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        symbols[number] = u64::from(*count) << 16 | symbol as u64;
        number += 1;
    }
    let symbols = &mut symbols[..number];
    let symbol = |packed: u64| (packed & 0xffff) as usize;
    if let [only] = symbols {
        lengths[symbol(*only)] = 1;
    }
    if number < 2 {
        return;
    }
    symbols.sort_unstable();
    let mut nodes = [0_u64; LITERALS];
    let nodes = &mut nodes[..number];
    for (node, packed) in nodes.iter_mut().zip(&*symbols) {
        *node = packed >> 16;
    }
    // Left to right: the weights of inner nodes, and the parent of each.
    let (mut leaf, mut root) = (0, 0);
    for next in 0..number - 1 {
        let mut sum = 0;
        for _ in 0..2 {
            if leaf >= number || (root < next && nodes[root] < nodes[leaf]) {
                sum += nodes[root];
                nodes[root] = next as u64;
                root += 1;
            } else {
                sum += nodes[leaf];
                leaf += 1;
            }
        }
        nodes[next] = sum;
    }
    // Right to left: the depths of inner nodes.
    nodes[number - 2] = 0;
    for next in (0..number - 2).rev() {
        nodes[next] = nodes[nodes[next] as usize] + 1;
    }
    // From the depths of inner nodes: the number of codes of each length.
    let mut of_length = [0_u64; 64];
    let (mut available, mut depth, mut inner) = (1, 0, number - 1);
    while available > 0 {
        let mut used = 0;
        while inner > 0 && nodes[inner - 1] == depth {
            used += 1;
            inner -= 1;
        }
        of_length[(depth as usize).min(63)] += available - used;
        available = 2 * used;
        depth += 1;
    }
    cut(&mut of_length, longest);
    // The rarest symbols get the longest codes.
    let mut rest = symbols.iter();
    for length in (1..=longest).rev() {
        for packed in rest.by_ref().take(of_length[length] as usize) {
            lengths[symbol(*packed)] = length as u8;
        }
    }
}

/// Shortens codes that are longer than `longest`, then lengthens others until the code is valid
/// again (Kraft's inequality).
fn cut(of_length: &mut [u64; 64], longest: usize) {
    for length in longest + 1..64 {
        of_length[longest] += std::mem::take(&mut of_length[length]);
    }
    let share = |(length, count): (usize, &u64)| count << (longest - length);
    let mut total: u64 = of_length
        .iter()
        .enumerate()
        .take(longest + 1)
        .map(share)
        .sum();
    while total > 1 << longest {
        of_length[longest] -= 1;
        let shorter = (1..longest).rev().find(|length| of_length[*length] > 0);
        if let Some(shorter) = shorter {
            of_length[shorter] -= 1;
            of_length[shorter + 1] += 2;
        }
        total -= 1;
    }
}

/// Assigns canonical codes of these lengths, in the order of the symbols.
fn assign(lengths: &[u8], codes: &mut [u32]) {
    let mut next = [0_u32; LONGEST + 2];
    for length in lengths.iter().filter(|length| **length > 0) {
        next[usize::from(*length) + 1] += 1;
    }
    // Turns the number of codes of each length into the first code of each length.
    let mut code = 0;
    for first in &mut next[1..] {
        code = (code + *first) << 1;
        *first = code;
    }
    for (length, out) in lengths.iter().zip(codes) {
        if *length > 0 {
            let code = &mut next[usize::from(*length)];
            *out = code.reverse_bits() >> (32 - u32::from(*length)) | u32::from(*length) << 16;
            *code += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sum of 2^-length, in units of 2^-15.
    fn kraft(lengths: &[u8]) -> u32 {
        let used = lengths.iter().filter(|length| **length > 0);
        used.map(|length| 1 << (15 - length)).sum()
    }

    #[test]
    fn codes_are_complete_optimal_and_no_longer_than_allowed() {
        // Fibonacci numbers as counts make the longest codes.
        let mut fibonacci = [0_u32; 40];
        (fibonacci[0], fibonacci[1]) = (1, 1);
        for at in 2..40 {
            fibonacci[at] = fibonacci[at - 1] + fibonacci[at - 2];
        }
        for longest in [7, 15] {
            let mut lengths = [0; 40];
            choose(&fibonacci, longest, &mut lengths);
            assert_eq!(kraft(&lengths), 1 << 15);
            let most = lengths.iter().max().copied();
            assert_eq!(most.map(usize::from), Some(longest));
        }
        let mut lengths = [0; 5];
        choose(&[0, 15, 7, 6, 6], 15, &mut lengths);
        assert_eq!(lengths, [0, 1, 2, 3, 3][..]);
        choose(&[5, 0, 0, 0, 0], 15, &mut lengths);
        assert_eq!(lengths[0], 1);
    }

    #[test]
    fn codes_are_those_of_the_specification() {
        // RFC 1951, section 3.2.2: lengths (3, 3, 3, 3, 3, 2, 4, 4).
        let mut codes = [0; 8];
        assign(&[3, 3, 3, 3, 3, 2, 4, 4], &mut codes);
        let told = [2, 3, 4, 5, 6, 0, 14, 15];
        let lengths = [3, 3, 3, 3, 3, 2, 4, 4];
        for ((code, told), length) in codes.iter().zip(told).zip(lengths) {
            assert_eq!(code >> 16, length);
            assert_eq!((code & 0xffff).reverse_bits() >> (32 - length), told);
        }
    }

    #[test]
    fn repetitions_are_told_as_such() {
        let lengths: Vec<u8> = [vec![0; 150], vec![7; 10], vec![0; 4], vec![3, 3]].concat();
        assert_eq!(
            runs(&lengths),
            [
                (18, 127, 7),
                (18, 1, 7),
                (7, 0, 0),
                (16, 3, 2),
                (16, 0, 2),
                (17, 1, 3),
                (3, 0, 0),
                (3, 0, 0)
            ]
        );
    }
}
