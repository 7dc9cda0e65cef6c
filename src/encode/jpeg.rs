//! JPEG by the `jpeg-encoder` crate, with its SIMD path where the processor has
//! AVX2. `make bench` has its row; a faster crate is worth a search.

use jpeg_encoder::{ColorType, Encoder};

use super::{Effort, Error, Picture};

/// Encodes a picture at `quality` 1 to 100.
pub(super) fn encode(picture: &Picture<'_>, quality: u8, effort: Effort) -> Result<Vec<u8>, Error> {
    let size = picture.size();
    let side = |pixels: u32| u16::try_from(pixels).map_err(|_| Error::Size(size));
    let (width, height) = (side(size.width)?, side(size.height)?);
    let mut file = Vec::with_capacity(size.bgrx_bytes() / 16 + 1024);
    let mut encoder = Encoder::new(&mut file, quality);
    if effort == Effort::Tight {
        // The same quantisation, and so the same pixels, in fewer bytes.
        encoder.set_optimized_huffman_tables(true);
    }
    encoder.encode(&picture.to_bgrx(), width, height, ColorType::Bgra)?;
    Ok(file)
}
