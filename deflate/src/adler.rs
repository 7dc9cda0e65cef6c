//! Computes the Adler-32 of two joined pieces from the Adler-32 of each (RFC 1950, section 9), so
//! that pieces can be compressed in parallel.

const MODULUS: u32 = 65_521;

/// Number of pixels whose sums fit in 32 bits.
const AT_ONCE: usize = 1024;

/// The checksum of `first` followed by `second`, which is `second_length` long.
pub fn combine(first: u32, second: u32, second_length: usize) -> u32 {
    // Both halves of a checksum are below the modulus, so no sum overflows 64 bits, and the reduced
    // results fit in 32 bits.
    let modulus = u64::from(MODULUS);
    let (a1, b1) = (u64::from(first & 0xffff), u64::from(first >> 16));
    let (a2, b2) = (u64::from(second & 0xffff), u64::from(second >> 16));
    let length = second_length as u64 % modulus;
    // The sums of the second piece started from 1, not from a1.
    let a = (a1 + a2 + modulus - 1) % modulus;
    let b = (b1 + b2 + length * (a1 + modulus - 1)) % modulus;
    // Both are below the modulus, which has 16 bits.
    u32::try_from(b << 16 | a).unwrap_or(0)
}

/// The checksum of rows of pixels `0x00RRGGBB`. Each row counts as a byte 0, followed by red, green
/// and blue of each pixel.
pub(super) fn of_rows<'w>(rows: impl Iterator<Item = &'w [u32]>) -> u32 {
    let modulus = u64::from(MODULUS);
    let (mut a, mut b) = (1_u64, 0_u64);
    for row in rows {
        b += a;
        for words in row.chunks(AT_ONCE) {
            // Byte i of n contributes once to the first sum, and n - i times to the second.
            let (mut bytes, mut places, mut within) = (0_u32, 0_u32, 0_u32);
            for (place, word) in (0_u32..).zip(words) {
                let (red, green, blue) = (word >> 16, word >> 8 & 255, word & 255);
                let pixel = red + green + blue;
                bytes += pixel;
                places += place * pixel;
                within += green + 2 * blue;
            }
            let count = 3 * words.len() as u64;
            let back = 3 * u64::from(places) + u64::from(within);
            b += count * (a + u64::from(bytes)) - back;
            a += u64::from(bytes);
        }
        (a, b) = (a % modulus, b % modulus);
    }
    u32::try_from(b << 16 | a).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{combine, of_rows};
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

    #[test]
    fn pixels_count_as_their_bytes() {
        for width in [1, 2, 1023, 1024, 1025, 5000] {
            let rows: Vec<Vec<u32>> = (0..17_u32)
                .map(|y| {
                    (0..width)
                        .map(|x: u32| x.wrapping_mul(2_654_435).wrapping_add(y * 77) & 0xff_ffff)
                        .collect()
                })
                .collect();
            let mut bytes = Vec::new();
            for row in &rows {
                bytes.push(0);
                bytes.extend(row.iter().flat_map(|word| {
                    let [blue, green, red, _] = word.to_le_bytes();
                    [red, green, blue]
                }));
            }
            let rows = rows.iter().map(Vec::as_slice);
            assert_eq!(of_rows(rows), adler32(&bytes.as_slice()), "{width}");
        }
        let white = [0xff_ffff; 4000];
        let bytes: Vec<u8> = std::iter::once(0).chain([255; 12_000]).collect();
        let rows = std::iter::repeat_n(white.as_slice(), 9);
        assert_eq!(of_rows(rows), adler32(&bytes.repeat(9).as_slice()));
    }
}
