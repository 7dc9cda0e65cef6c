//! Adler-32 of two pieces from the Adler-32 of each (RFC 1950, section 9), so
//! that pieces can be compressed side by side.

const MODULUS: u32 = 65_521;

/// The checksum of `first` followed by `second`, which is `second_length` long.
pub(super) fn combine(first: u32, second: u32, second_length: usize) -> u32 {
    // Both halves of a checksum are below the modulus, so are all sums here
    // below 2^32 when taken in 64 bits and reduced.
    let modulus = u64::from(MODULUS);
    let (a1, b1) = (u64::from(first & 0xffff), u64::from(first >> 16));
    let (a2, b2) = (u64::from(second & 0xffff), u64::from(second >> 16));
    let length = second_length as u64 % modulus;
    // The second piece's sums started from 1, not from a1.
    let a = (a1 + a2 + modulus - 1) % modulus;
    let b = (b1 + b2 + length * (a1 + modulus - 1)) % modulus;
    // Each below the modulus, which has 16 bits.
    u32::try_from(b << 16 | a).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::combine;
    use simd_adler32::adler32;

    #[test]
    fn any_cut_gives_the_whole() {
        let data: Vec<u8> = (0..200_000_u32)
            .map(|i| (i.wrapping_mul(i) >> 7).to_le_bytes()[0])
            .collect();
        let whole = adler32(&data.as_slice());
        for cut in [0, 1, 2, 65_520, 65_521, 65_522, 131_042, 199_999, 200_000] {
            let (first, second) = data.split_at(cut);
            assert_eq!(
                combine(adler32(&first), adler32(&second), second.len()),
                whole,
                "{cut}"
            );
        }
        let white = vec![255; 100_000];
        let (first, second) = white.split_at(70_000);
        assert_eq!(
            combine(adler32(&first), adler32(&second), 30_000),
            adler32(&white.as_slice())
        );
    }
}
