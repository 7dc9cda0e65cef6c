//! PNG (ISO/IEC 15948, "Portable Network Graphics (PNG) Specification"): rows
//! without filter, deflated at level 1 in bands, one band a thread, one IDAT
//! chunk a band.
//!
//! Why so: on a painted XFCE desktop no filter with zlib level 1 is both the
//! fastest and the smallest of the fast settings (ARCHITECTURE.md, "What was
//! measured"). A band ends with a sync flush, so that the bands' streams can be
//! joined (RFC 1951, section 3.2.4).

use std::thread;

use flate2::{Compress, Compression, FlushCompress};

use super::{Effort, Error, Picture, adler};

/// Rows handed to the compressor at once: at 1280 pixels 120 KiB, so that they
/// are still in the cache of the core that converted them.
const ROWS: u32 = 32;

const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// zlib's header: 32 KiB window, fastest algorithm (RFC 1950, section 2.2).
const ZLIB_HEADER: [u8; 2] = [0x78, 0x01];

/// Encodes a picture as 8-bit RGB.
pub(super) fn encode(
    picture: &Picture<'_>,
    effort: Effort,
    threads: usize,
) -> Result<Vec<u8>, Error> {
    match effort {
        Effort::Fast => in_bands(picture, Compression::new(1), threads),
        // Which of the two is smaller depends on what is shown: no filter for
        // interfaces, adaptive filters for photographs.
        Effort::Tight => {
            let plain = in_bands(picture, Compression::new(6), threads)?;
            let filtered = filtered(picture)?;
            Ok(if filtered.len() < plain.len() {
                filtered
            } else {
                plain
            })
        }
    }
}

/// Without filter at level 1 in one stream.
pub(super) fn unfiltered(picture: &Picture<'_>) -> Result<Vec<u8>, Error> {
    in_bands(picture, Compression::new(1), 1)
}

/// A horizontal slice of the picture, compressed on its own.
struct Band {
    deflated: Vec<u8>,
    adler: u32,
    /// Bytes before compression.
    length: usize,
}

fn in_bands(picture: &Picture<'_>, level: Compression, threads: usize) -> Result<Vec<u8>, Error> {
    let height = picture.size().height;
    // A thread for a few rows costs more than it saves.
    let bands = u32::try_from(threads)
        .unwrap_or(u32::MAX)
        .clamp(1, height.div_ceil(4 * ROWS));
    let edge = |band: u32| {
        // At most `height`, which is 32 bits.
        u32::try_from(u64::from(height) * u64::from(band) / u64::from(bands)).unwrap_or(height)
    };
    let compress = |band: u32| {
        let last = band + 1 == bands;
        compress_band(picture, edge(band)..edge(band + 1), level, last)
    };
    let mut parts: Vec<Result<Band, Error>> = Vec::new();
    thread::scope(|scope| {
        let others: Vec<_> = (1..bands)
            .map(|band| scope.spawn(move || compress(band)))
            .collect();
        parts.push(compress(0));
        for other in others {
            match other.join() {
                Ok(part) => parts.push(part),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
    });
    let parts = parts.into_iter().collect::<Result<Vec<_>, _>>()?;

    let total: usize = parts.iter().map(|band| band.deflated.len() + 16).sum();
    let mut file = Vec::with_capacity(total + 64);
    file.extend_from_slice(SIGNATURE);
    chunk(&mut file, *b"IHDR", &[&header(picture)])?;
    let mut adler = 1;
    for (index, band) in parts.iter().enumerate() {
        adler = adler::combine(adler, band.adler, band.length);
        let trailer = adler.to_be_bytes();
        let head: &[u8] = if index == 0 { &ZLIB_HEADER } else { &[] };
        let tail: &[u8] = if index + 1 == parts.len() {
            &trailer
        } else {
            &[]
        };
        chunk(&mut file, *b"IDAT", &[head, &band.deflated, tail])?;
    }
    chunk(&mut file, *b"IEND", &[])?;
    Ok(file)
}

fn compress_band(
    picture: &Picture<'_>,
    rows: std::ops::Range<u32>,
    level: Compression,
    last: bool,
) -> Result<Band, Error> {
    // One filter byte, 0 for "None", before each row of RGB.
    let row_bytes = 1 + picture.size().width as usize * 3;
    let mut raw = vec![0; row_bytes * ROWS.min(rows.len().try_into().unwrap_or(ROWS)) as usize];
    let length = row_bytes * rows.len();
    let mut band = Band {
        deflated: Vec::with_capacity(length / 8 + 1024),
        adler: 1,
        length,
    };
    let mut checksum = simd_adler32::Adler32::new();
    let mut deflate = Compress::new(level, false);
    let mut y = rows.start;
    while y < rows.end {
        let count = ROWS.min(rows.end - y);
        let raw = &mut raw[..row_bytes * count as usize];
        for (row, y) in raw.chunks_exact_mut(row_bytes).zip(y..) {
            picture.rgb_row(y, &mut row[1..]);
        }
        y += count;
        checksum.write(raw);
        let flush = match (y == rows.end, last) {
            (false, _) => FlushCompress::None,
            (true, false) => FlushCompress::Sync,
            (true, true) => FlushCompress::Finish,
        };
        deflate_into(&mut deflate, raw, &mut band.deflated, flush)?;
    }
    band.adler = checksum.finish();
    Ok(band)
}

/// Feeds all of `input`, growing `out` as needed.
fn deflate_into(
    deflate: &mut Compress,
    mut input: &[u8],
    out: &mut Vec<u8>,
    flush: FlushCompress,
) -> Result<(), Error> {
    loop {
        out.reserve((input.len() / 4).max(1024));
        let before = deflate.total_in();
        deflate.compress_vec(input, out, flush)?;
        let taken = usize::try_from(deflate.total_in() - before).unwrap_or(usize::MAX);
        input = &input[taken.min(input.len())..];
        // Room left over means that nothing waits to be written.
        if input.is_empty() && out.len() < out.capacity() {
            return Ok(());
        }
    }
}

fn header(picture: &Picture<'_>) -> [u8; 13] {
    let mut header = [0; 13];
    header[..4].copy_from_slice(&picture.size().width.to_be_bytes());
    header[4..8].copy_from_slice(&picture.size().height.to_be_bytes());
    // 8 bits a sample, truecolour; deflate, adaptive filtering, not interlaced.
    header[8..].copy_from_slice(&[8, 2, 0, 0, 0]);
    header
}

/// Appends a chunk: length, type, data, CRC of type and data.
fn chunk(file: &mut Vec<u8>, kind: [u8; 4], parts: &[&[u8]]) -> Result<(), Error> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    // Unreachable below 33 Mpx; a chunk holds less than 2^31 bytes.
    let length =
        i32::try_from(length).map_err(|_| std::io::Error::from(std::io::ErrorKind::FileTooLarge));
    let length = length.map_err(png::EncodingError::IoError)?;
    file.extend_from_slice(&length.to_be_bytes());
    let start = file.len();
    file.extend_from_slice(&kind);
    for part in parts {
        file.extend_from_slice(part);
    }
    let crc = crc32fast::hash(&file[start..]);
    file.extend_from_slice(&crc.to_be_bytes());
    Ok(())
}

/// Adaptive filters by the `png` crate, for what shows photographs.
fn filtered(picture: &Picture<'_>) -> Result<Vec<u8>, Error> {
    let size = picture.size();
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, size.width, size.height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Balanced);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&picture.to_rgb())?;
    writer.finish()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Pixels, Region, Size};

    fn noise(size: Size) -> Pixels {
        let mut state = 1_u32;
        let bytes = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            // Half noise, half flat: both kinds of deflate block.
            if state >> 31 == 0 {
                state.to_be_bytes()[1]
            } else {
                7
            }
        });
        let bytes: Vec<u8> = bytes.take(size.bgrx_bytes()).collect();
        Pixels::new(Box::new(bytes), size, size.width as usize * 4).unwrap()
    }

    fn decode(file: &[u8]) -> (Size, Vec<u8>) {
        let mut reader = png::Decoder::new(std::io::Cursor::new(file))
            .read_info()
            .unwrap();
        let mut rgb = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut rgb).unwrap();
        assert_eq!(info.color_type, png::ColorType::Rgb);
        (
            Size {
                width: info.width,
                height: info.height,
            },
            rgb,
        )
    }

    #[test]
    fn every_size_thread_count_and_effort_decodes_to_the_same_pixels() {
        for (width, height) in [(1, 1), (3, 1), (1, 500), (64, 127), (257, 600)] {
            let size = Size { width, height };
            let pixels = noise(size);
            let picture = Picture::new(&pixels, Region::whole(size), None);
            let expected: Vec<u8> = picture
                .to_bgrx()
                .chunks_exact(4)
                .flat_map(|p| [p[2], p[1], p[0]])
                .collect();
            for effort in [Effort::Fast, Effort::Tight] {
                for threads in [1, 2, 3, 64] {
                    let file = encode(&picture, effort, threads).unwrap();
                    let decoded = decode(&file);
                    assert!(
                        decoded == (size, expected.clone()),
                        "{size} {effort:?} {threads}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_flat_picture_is_small() {
        let size = Size {
            width: 1280,
            height: 800,
        };
        let pixels = Pixels::new(Box::new(vec![0; size.bgrx_bytes()]), size, 5120).unwrap();
        let file = encode(
            &Picture::new(&pixels, Region::whole(size), None),
            Effort::Fast,
            2,
        )
        .unwrap();
        assert!(file.len() < 30_000, "{}", file.len());
    }
}
