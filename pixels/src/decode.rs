//! Decodes a PNG or JPEG file so that it fills a screen.

use std::io;

use fast_image_resize::{
    FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer,
    images::{Image, ImageRef},
};

use crate::frame::{BYTES_PER_PIXEL, MAX_OUTPUT_PIXELS, Size};

/// Returns the pixels (blue, green, red, 255) of a PNG or JPEG file that fills `size`. A picture of
/// another shape is cut at two sides.
///
/// # Errors
///
/// When the bytes are neither PNG nor JPEG, or the picture is larger than a screen may be.
pub fn filling(file: &[u8], size: Size) -> io::Result<Vec<u8>> {
    let (from, pixels) = match file.starts_with(b"\x89PNG") {
        true => decode_png(file)?,
        false => decode_jpeg(file)?,
    };
    fill(from, &pixels, size)
}

/// Returns the size and the pixels (blue, green, red, 255) of a PNG file.
///
/// # Errors
///
/// When the bytes are no PNG, or the picture is larger than a screen may be.
pub fn png(file: &[u8]) -> io::Result<(Size, Vec<u8>)> {
    decode_png(file)
}

fn checked(width: u32, height: u32) -> io::Result<Size> {
    let size = Size { width, height };
    match size.pixels() <= MAX_OUTPUT_PIXELS && size.pixels() > 0 {
        true => Ok(size),
        false => Err(io::Error::other(format!(
            "the picture is {size}, larger than a screen may be"
        ))),
    }
}

fn decode_png(bytes: &[u8]) -> io::Result<(Size, Vec<u8>)> {
    let mut decoder = png::Decoder::new(io::Cursor::new(bytes));
    decoder.set_transformations(
        png::Transformations::normalize_to_color8() | png::Transformations::ALPHA,
    );
    let mut reader = decoder.read_info().map_err(io::Error::other)?;
    let size = checked(reader.info().width, reader.info().height)?;
    let length = reader.output_buffer_size().unwrap_or(0);
    let mut data = vec![0; length];
    let frame = reader.next_frame(&mut data).map_err(io::Error::other)?;
    data.truncate(frame.buffer_size());
    let bgrx = |rgb: [u8; 3]| [rgb[2], rgb[1], rgb[0], 255];
    let pixels = match frame.color_type {
        png::ColorType::Rgba => data
            .chunks_exact(4)
            .flat_map(|p| bgrx([p[0], p[1], p[2]]))
            .collect(),
        png::ColorType::GrayscaleAlpha => {
            data.chunks_exact(2).flat_map(|p| bgrx([p[0]; 3])).collect()
        }
        other => {
            return Err(io::Error::other(format!(
                "the PNG has the colour type {other:?}"
            )));
        }
    };
    Ok((size, pixels))
}

fn decode_jpeg(bytes: &[u8]) -> io::Result<(Size, Vec<u8>)> {
    let header = turbojpeg::read_header(bytes)
        .map_err(|_| io::Error::other("the file is neither PNG nor JPEG"))?;
    let side = |side: usize| u32::try_from(side).unwrap_or(u32::MAX);
    let size = checked(side(header.width), side(header.height))?;
    let mut image = turbojpeg::Image {
        pixels: vec![255; size.bgrx_bytes()],
        width: header.width,
        pitch: header.width * BYTES_PER_PIXEL,
        height: header.height,
        format: turbojpeg::PixelFormat::BGRX,
    };
    turbojpeg::Decompressor::new()
        .and_then(|mut decompressor| decompressor.decompress(bytes, image.as_deref_mut()))
        .map_err(io::Error::other)?;
    image
        .pixels
        .iter_mut()
        .skip(3)
        .step_by(4)
        .for_each(|x| *x = 255);
    Ok((size, image.pixels))
}

fn fill(from: Size, pixels: &[u8], to: Size) -> io::Result<Vec<u8>> {
    let source = ImageRef::new(from.width, from.height, pixels, PixelType::U8x4)
        .map_err(io::Error::other)?;
    let mut target = Image::new(to.width, to.height, PixelType::U8x4);
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3))
        .use_alpha(false)
        .fit_into_destination(Some((0.5, 0.5)));
    Resizer::new()
        .resize(&source, &mut target, &options)
        .map_err(io::Error::other)?;
    Ok(target.into_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_fills_the_screen_and_is_cut() {
        // Three columns: red, green, blue. Of a square, only the middle is left.
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, 30, 10);
        encoder.set_color(png::ColorType::Rgb);
        let row: Vec<u8> = [[255, 0, 0], [0, 255, 0], [0, 0, 255]]
            .into_iter()
            .flat_map(|rgb: [u8; 3]| rgb.repeat(10))
            .collect();
        let mut writer = encoder.write_header().unwrap();
        writer.write_image_data(&row.repeat(10)).unwrap();
        writer.finish().unwrap();
        let size = Size {
            width: 20,
            height: 20,
        };
        let filled = filling(&file, size).unwrap();
        let middle = (10 * 20 + 10) * 4;
        assert_eq!(filled[middle..middle + 4], [0, 255, 0, 255]);
        let error = filling(b"no picture", size).unwrap_err();
        assert!(error.to_string().contains("neither PNG nor JPEG"));
    }
}
