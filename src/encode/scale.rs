//! Scales with the `fast_image_resize` crate: convolution with a Lanczos-3 kernel. When the
//! picture shrinks, the kernel widens with the ratio, so that thin lines and small text blur
//! instead of vanishing.

use fast_image_resize::{
    FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer,
    images::{Image, ImageRef},
};

use super::{EncodeError, Picture};
use crate::frame::Size;

/// Scales a picture to `output`, as BGRX without padding, the fourth byte 255.
pub(super) fn scale(picture: &Picture<'_>, output: Size) -> Result<Vec<u8>, EncodeError> {
    let (size, bgrx) = (picture.size(), picture.to_bgrx());
    let source = ImageRef::new(size.width, size.height, &bgrx, PixelType::U8x4)?;
    let mut scaled = Image::new(output.width, output.height, PixelType::U8x4);
    // The fourth byte is not alpha, so colours are not multiplied by it.
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3))
        .use_alpha(false);
    Resizer::new().resize(&source, &mut scaled, &options)?;
    Ok(scaled.into_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Pixels, Region};

    #[test]
    fn flat_stays_flat_and_halves_keep_their_sides() {
        let size = Size {
            width: 64,
            height: 48,
        };
        let row: Vec<u8> = (0..64)
            .flat_map(|x| {
                if x < 32 {
                    [10, 20, 30, 0]
                } else {
                    [200, 180, 160, 0]
                }
            })
            .collect();
        let pixels = Pixels::new(Box::new(row.repeat(48)), size, 256).unwrap();
        let picture = Picture::new(&pixels, Region::whole(size), None);
        for output in [
            Size {
                width: 16,
                height: 12,
            },
            Size {
                width: 130,
                height: 7,
            },
        ] {
            let scaled = scale(&picture, output).unwrap();
            assert_eq!(scaled.len(), output.bgrx_bytes());
            for row in scaled.chunks_exact(output.width as usize * 4) {
                assert_eq!(row[..4], [10, 20, 30, 255]);
                assert_eq!(row[row.len() - 4..], [200, 180, 160, 255]);
            }
        }
    }
}
