//! PNG (ISO/IEC 15948, "Portable Network Graphics (PNG) Specification") in stripes. Each stripe is
//! an IDAT chunk of its own and is kept, so that unchanged stripes are not encoded again.
//!
//! The zlib stream's header and its end, with the Adler-32 of all rows, are separate chunks, so
//! that the chunk of an unchanged stripe can be reused with its CRC.

use std::ops::Range;

use deskd_deflate::{LAST, Scratch, Words, combine, deflate};

use super::{error::EncodeError, picture::Picture, stripes::StripedFormat};
use crate::frame::{STRIPE_ROWS, Size};

pub(super) const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// zlib's header: 32 KiB window, fastest algorithm (RFC 1950, section 2.2).
const ZLIB_HEADER: [u8; 2] = [0x78, 0x01];

thread_local! {
    /// Kept for the lifetime of the thread, which encodes again soon or ends.
    static WORKSHOP: std::cell::RefCell<Workshop> = std::cell::RefCell::default();
}

/// Buffers for encoding a stripe, reused.
#[derive(Debug, Default)]
struct Workshop {
    words: Words,
    scratch: Scratch,
}

/// PNG in stripes.
#[derive(Debug)]
pub(super) struct Png;

impl StripedFormat for Png {
    /// Returns the stripe's IDAT chunk, and the Adler-32 of its bytes before compression.
    fn stripe(
        &self,
        picture: &Picture<'_>,
        rows: Range<u32>,
    ) -> Result<(Vec<u8>, u32), EncodeError> {
        WORKSHOP.with_borrow_mut(|Workshop { words, scratch }| {
            let mut next = rows.clone();
            words.load(picture.size().width as usize, rows.len(), |out| {
                if let Some(y) = next.next() {
                    picture.words(y, out);
                }
            });
            let (deflated, adler) = deflate(words, scratch);
            let mut made = Vec::new();
            chunk(&mut made, *b"IDAT", deflated);
            Ok((made, adler))
        })
    }

    fn head(&self, size: Size) -> Result<Vec<u8>, EncodeError> {
        let mut head = SIGNATURE.to_vec();
        chunk(&mut head, *b"IHDR", &header(size));
        chunk(&mut head, *b"IDAT", &ZLIB_HEADER);
        Ok(head)
    }

    fn tail(&self, size: Size, sums: &[u32]) -> Vec<u8> {
        let row = 1 + 3 * size.width as usize;
        let (mut left, mut sum) = (size.height as usize, 1);
        for adler in sums {
            let rows = left.min(STRIPE_ROWS as usize);
            sum = combine(sum, *adler, rows * row);
            left -= rows;
        }
        let [a, b] = LAST;
        let [c, d, e, f] = sum.to_be_bytes();
        let mut tail = Vec::new();
        chunk(&mut tail, *b"IDAT", &[a, b, c, d, e, f]);
        chunk(&mut tail, *b"IEND", &[]);
        tail
    }
}

/// The IHDR chunk's data.
pub(super) fn header(size: Size) -> [u8; 13] {
    let mut header = [0; 13];
    header[..4].copy_from_slice(&size.width.to_be_bytes());
    header[4..8].copy_from_slice(&size.height.to_be_bytes());
    // 8 bits per sample, truecolour; deflate, adaptive filtering, not interlaced.
    header[8..].copy_from_slice(&[8, 2, 0, 0, 0]);
    header
}

/// Appends a chunk: length, type, data, CRC of type and data.
pub(super) fn chunk(file: &mut Vec<u8>, kind: [u8; 4], data: &[u8]) {
    // An image has at most 33 Mpx, so a chunk holds far less than 2^31 bytes.
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
    file.reserve(data.len() + 12);
    file.extend_from_slice(&length.to_be_bytes());
    let start = file.len();
    file.extend_from_slice(&kind);
    file.extend_from_slice(data);
    let crc = crc32fast::hash(&file[start..]);
    file.extend_from_slice(&crc.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        encode::stripes::KeptStripes,
        frame::{BYTES_PER_PIXEL, Pixels, Region},
    };

    /// Pixels for all kinds of stripe: noise, smooth colours, scattered dots, and one colour.
    fn screen(size: Size, mut state: u32) -> Vec<u8> {
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 16
        };
        let mut bytes = Vec::with_capacity(size.bgrx_bytes());
        for y in 0..size.height {
            let kind = y / STRIPE_ROWS % 4;
            for x in 0..size.width {
                let noise = random();
                let [low, high, ..] = noise.to_le_bytes();
                let [smooth, ..] = ((x + y) / 3).to_le_bytes();
                bytes.extend(match kind {
                    0 => [low, high, low ^ high, 7],
                    1 => [
                        smooth.wrapping_add(low & 3),
                        smooth,
                        smooth.wrapping_add(high & 1),
                        0,
                    ],
                    2 if noise % 9 == 0 => [200, 10, low & 1, 255],
                    2 => [30, 30, 30, low],
                    _ => [0; 4],
                });
            }
        }
        bytes
    }

    fn pixels(size: Size, bytes: Vec<u8>) -> Pixels {
        Pixels::new(Box::new(bytes), size, size.width as usize * BYTES_PER_PIXEL).unwrap()
    }

    fn rgb(bytes: &[u8]) -> Vec<u8> {
        let pixels = bytes.chunks_exact(BYTES_PER_PIXEL);
        pixels.flat_map(|p| [p[2], p[1], p[0]]).collect()
    }

    fn decode(file: &[u8]) -> (Size, Vec<u8>) {
        let mut reader = ::png::Decoder::new(std::io::Cursor::new(file))
            .read_info()
            .unwrap();
        let mut rgb = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut rgb).unwrap();
        assert_eq!(info.color_type, ::png::ColorType::Rgb);
        let (width, height) = (info.width, info.height);
        (Size { width, height }, rgb)
    }

    fn next(
        before: Option<&KeptStripes>,
        pixels: &Pixels,
        stale: &[bool],
        is_alone: bool,
    ) -> KeptStripes {
        let picture = Picture::new(pixels, Region::whole(pixels.size()), None);
        let may_differ = |rows: Range<u32>| stale[(rows.start / STRIPE_ROWS) as usize];
        KeptStripes::next(&Png, before, &picture, may_differ, 7, is_alone).unwrap()
    }

    #[test]
    fn every_size_and_thread_count_decodes_to_the_same_pixels() {
        let sizes = [
            (1, 1),
            (2, 1),
            (3, 17),
            (1, 500),
            (64, 127),
            (257, 600),
            (11_000, 40),
        ];
        for (width, height) in sizes {
            let size = Size { width, height };
            let bytes = screen(size, width);
            for is_alone in [true, false] {
                let kept = next(None, &pixels(size, bytes.clone()), &[], is_alone);
                assert!(
                    decode(&kept.file) == (size, rgb(&bytes)),
                    "{size} {is_alone}"
                );
            }
        }
    }

    #[test]
    fn only_what_may_differ_is_encoded_again() {
        let size = Size {
            width: 50,
            height: 16 * 9 + 5,
        };
        let mut bytes = screen(size, 3);
        let mut kept = next(None, &pixels(size, bytes.clone()), &[], false);
        for (round, row) in [0, 15, 16, 77, 148, 143, 40].into_iter().enumerate() {
            let stripe = row / STRIPE_ROWS as usize;
            let before = kept.clone();
            bytes[row * 200 + round * 4] ^= 0x55;
            let now = pixels(size, bytes.clone());
            let mut stale = vec![false; 10];
            // A stripe that cannot differ according to `stale` is not read.
            assert_eq!(next(Some(&kept), &now, &stale, false).file, before.file);
            stale[stripe] = true;
            kept = next(Some(&kept), &now, &stale, false);
            assert!(decode(&kept.file) == (size, rgb(&bytes)), "{row}");
            let changed = kept
                .prints()
                .iter()
                .zip(before.prints())
                .filter(|(a, b)| *a != b)
                .count();
            assert_eq!(changed, 1);
            // If no stripe differs, the file is the same, although all were compared.
            let again = next(Some(&kept), &now, &[true; 10], false);
            assert_eq!(again.file.as_ptr(), kept.file.as_ptr());
        }
    }

    #[test]
    fn a_flat_picture_is_small() {
        let size = Size {
            width: 1280,
            height: 800,
        };
        let kept = next(None, &pixels(size, vec![0; size.bgrx_bytes()]), &[], false);
        assert!(kept.file.len() < 10_000, "{}", kept.file.len());
    }
}
