//! PNG by libraries: the reference encoding of the paint gate, which must not change when deskd's
//! own encoder changes, and the smallest PNG that can be made in some tens of milliseconds.

use flate2::{Compress, Compression, FlushCompress};

use super::{
    EncodeError, Picture,
    png::{SIGNATURE, chunk, header},
};

/// Number of rows passed to the compressor at once: 120 KiB at 1280 pixels, so that they are still
/// in the cache of the core that converted them.
const ROWS: u32 = 32;

/// Encodes without filters, at level 1 and in one zlib stream.
pub(super) fn unfiltered(picture: &Picture<'_>) -> Result<Vec<u8>, EncodeError> {
    plain(picture, Compression::new(1))
}

/// Encodes twice and returns the smaller file: without filters, which suits interfaces, and with
/// adaptive filters, which suit photographs.
pub(super) fn small(picture: &Picture<'_>) -> Result<Vec<u8>, EncodeError> {
    let plain = plain(picture, Compression::new(6))?;
    let filtered = filtered(picture)?;
    Ok(if filtered.len() < plain.len() {
        filtered
    } else {
        plain
    })
}

fn plain(picture: &Picture<'_>, level: Compression) -> Result<Vec<u8>, EncodeError> {
    let size = picture.size();
    // One filter byte, 0 for "None", before each row of RGB.
    let row_bytes = 1 + size.width as usize * 3;
    let mut raw = vec![0; row_bytes * ROWS.min(size.height) as usize];
    let mut stream = Vec::with_capacity(row_bytes * size.height as usize / 8 + 1024);
    let mut deflate = Compress::new(level, true);
    let mut y = 0;
    while y < size.height {
        let count = ROWS.min(size.height - y);
        let raw = &mut raw[..row_bytes * count as usize];
        for (row, y) in raw.chunks_exact_mut(row_bytes).zip(y..) {
            picture.rgb_row(y, &mut row[1..]);
        }
        y += count;
        let flush = if y == size.height {
            FlushCompress::Finish
        } else {
            FlushCompress::None
        };
        deflate_into(&mut deflate, raw, &mut stream, flush)?;
    }
    let mut file = Vec::with_capacity(stream.len() + 64);
    file.extend_from_slice(SIGNATURE);
    chunk(&mut file, *b"IHDR", &header(size));
    chunk(&mut file, *b"IDAT", &stream);
    chunk(&mut file, *b"IEND", &[]);
    Ok(file)
}

/// Feeds all of `input`, growing `out` as needed.
fn deflate_into(
    deflate: &mut Compress,
    mut input: &[u8],
    out: &mut Vec<u8>,
    flush: FlushCompress,
) -> Result<(), EncodeError> {
    loop {
        out.reserve((input.len() / 4).max(1024));
        let before = deflate.total_in();
        deflate.compress_vec(input, out, flush)?;
        let taken = usize::try_from(deflate.total_in() - before).unwrap_or(usize::MAX);
        input = &input[taken.min(input.len())..];
        // If capacity is left over, the compressor has no more output.
        if input.is_empty() && out.len() < out.capacity() {
            return Ok(());
        }
    }
}

/// Encodes with the adaptive filters of the `png` crate, which suit photographs.
fn filtered(picture: &Picture<'_>) -> Result<Vec<u8>, EncodeError> {
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
