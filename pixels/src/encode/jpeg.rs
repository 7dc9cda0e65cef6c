//! Baseline JPEG (ITU-T T.81) in stripes, by libjpeg-turbo. Restart markers separate the stripes,
//! so that each is encoded separately, on any free core, and kept.
//!
//! Measured at 1280×800 and quality 85 on one core, for a desktop and a photograph:
//! libjpeg-turbo takes 4.2 and 2.3 ms, `jpeg-encoder` with AVX2 takes 13.5 and 7.5 ms, for the
//! same bytes.

use std::ops::Range;

use turbojpeg::{Compressor, Image, PixelFormat, Subsamp};

use super::{error::EncodeError, picture::Picture, stripes::StripedFormat};
use crate::frame::{BYTES_PER_PIXEL, STRIPE_ROWS, Size};

/// From this quality on, colour has as many samples as brightness (no chroma subsampling).
const FULL_COLOUR: u8 = 90;

/// Markers (T.81, table B.1).
const START_OF_FRAME: u8 = 0xc0;
const START_OF_SCAN: u8 = 0xda;
const RESTART_INTERVAL: u8 = 0xdd;
const RESTART: u8 = 0xd0;
const END: [u8; 2] = [0xff, 0xd9];

/// JPEG in stripes, at a quality of 1 to 100.
#[derive(Debug)]
pub(super) struct Jpeg {
    pub(super) quality: u8,
}

impl Jpeg {
    fn compressor(&self) -> Result<Compressor, EncodeError> {
        let mut compressor = Compressor::new()?;
        compressor.set_quality(self.quality.into())?;
        compressor.set_subsamp(if self.quality < FULL_COLOUR {
            Subsamp::Sub2x2
        } else {
            Subsamp::None
        })?;
        Ok(compressor)
    }

    /// Number of coded units in one stripe (MCU; T.81, A.2.4), of 16×16 or of 8×8 pixels.
    fn units(&self, width: u32) -> u32 {
        if self.quality < FULL_COLOUR {
            width.div_ceil(16)
        } else {
            2 * width.div_ceil(8)
        }
    }
}

/// Encodes rows as a complete file with one scan and no restart markers.
fn file(compressor: &mut Compressor, bgrx: &[u8], size: Size) -> Result<Vec<u8>, EncodeError> {
    let (width, height) = (size.width as usize, size.height as usize);
    Ok(compressor.compress_to_vec(Image {
        pixels: bgrx,
        width,
        pitch: width * BYTES_PER_PIXEL,
        height,
        format: PixelFormat::BGRX,
    })?)
}

/// Encodes all rows in one scan, with Huffman codes made for this picture. This takes fewer bytes;
/// the quantisation, and so the decoded pixels, are the same.
pub(super) fn small(picture: &Picture<'_>, quality: u8) -> Result<Vec<u8>, EncodeError> {
    let mut compressor = Jpeg { quality }.compressor()?;
    compressor.set_optimize(true)?;
    file(&mut compressor, &picture.to_bgrx(), picture.size())
}

/// Calls `each` with the marker and the range of every segment before the scan's data. Returns
/// where that data begins.
fn segments(file: &[u8], mut each: impl FnMut(u8, Range<usize>)) -> Option<usize> {
    let mut at = 2;
    loop {
        let (marker, length) = match *file.get(at..at + 4)? {
            [0xff, marker, high, low] => (marker, u16::from_be_bytes([high, low])),
            _ => return None,
        };
        let end = at + 2 + usize::from(length);
        each(marker, at..end);
        if marker == START_OF_SCAN {
            return Some(end);
        }
        at = end;
    }
}

fn unreadable() -> EncodeError {
    EncodeError::Stripe("libjpeg-turbo's file has no scan")
}

impl StripedFormat for Jpeg {
    /// Returns the scan's data and the restart marker after it, and no checksum (0).
    fn stripe(
        &self,
        picture: &Picture<'_>,
        rows: Range<u32>,
    ) -> Result<(Vec<u8>, u32), EncodeError> {
        let is_last = rows.end == picture.size().height;
        let number = rows.start / STRIPE_ROWS % 8;
        let size = Size {
            width: picture.size().width,
            height: rows.end - rows.start,
        };
        let file = file(&mut self.compressor()?, &picture.bgrx_rows(rows), size)?;
        let data = segments(&file, |_, _| {}).ok_or_else(unreadable)?;
        let data = file.get(data..file.len() - END.len());
        let mut data = data.ok_or_else(unreadable)?.to_vec();
        if !is_last {
            let [number, ..] = number.to_le_bytes();
            data.extend_from_slice(&[0xff, RESTART + number]);
        }
        Ok((data, 0))
    }

    /// Takes the head of a small picture's file, sets `size` in it, and adds the restart interval.
    fn head(&self, size: Size) -> Result<Vec<u8>, EncodeError> {
        let short = |value: u32| {
            let short = u16::try_from(value).map_err(|_| EncodeError::Size(size));
            short.map(u16::to_be_bytes)
        };
        let (width, height) = (short(size.width)?, short(size.height)?);
        let [high, low] = short(self.units(size.width))?;
        let small = Size {
            width: 16,
            height: 16,
        };
        let black = vec![0; small.bgrx_bytes()];
        let mut small = file(&mut self.compressor()?, &black, small)?;
        let (mut frame, mut scan) = (0, 0);
        let data = segments(&small, |marker, range| match marker {
            START_OF_FRAME => frame = range.start,
            START_OF_SCAN => scan = range.start,
            _ => {}
        });
        small.truncate(data.ok_or_else(unreadable)?);
        // Height and width follow the marker, the length and the precision (T.81, B.2.2).
        let sides = small.get_mut(frame + 5..frame + 9).ok_or_else(unreadable)?;
        sides[..2].copy_from_slice(&height);
        sides[2..].copy_from_slice(&width);
        let interval = [0xff, RESTART_INTERVAL, 0, 4, high, low];
        small.splice(scan..scan, interval);
        Ok(small)
    }

    fn tail(&self, _: Size, _: &[u32]) -> Vec<u8> {
        END.to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        encode::stripes::KeptStripes,
        frame::{Pixels, Region},
    };

    /// A smooth picture with edges.
    fn pixels(size: Size) -> Pixels {
        let rows = (0..size.height).flat_map(|y| {
            (0..size.width).flat_map(move |x| {
                let edge = if (x / 9 + y / 7) % 3 == 0 { 120 } else { 0 };
                let [a, ..] = (x * 3 + edge).to_le_bytes();
                let [b, ..] = (y * 2 + x / 5).to_le_bytes();
                [a, b, a ^ b, 0]
            })
        });
        Pixels::new(
            Box::new(rows.collect::<Vec<u8>>()),
            size,
            size.width as usize * BYTES_PER_PIXEL,
        )
        .unwrap()
    }

    fn decode(file: &[u8]) -> (Size, Vec<u8>) {
        let mut decoder = jpeg_decoder::Decoder::new(file);
        let rgb = decoder.decode().unwrap();
        let info = decoder.info().unwrap();
        let size = Size {
            width: info.width.into(),
            height: info.height.into(),
        };
        (size, rgb)
    }

    /// Joined stripes decode to the same pixels as libjpeg-turbo's file of the whole picture.
    #[test]
    fn stripes_are_the_whole_picture() {
        for (width, height) in [
            (1, 1),
            (16, 16),
            (17, 33),
            (333, 250),
            (640, 15),
            (100, 401),
        ] {
            for quality in [1, 85, 90, 100] {
                let size = Size { width, height };
                let pixels = pixels(size);
                let picture = Picture::new(&pixels, Region::whole(size), None);
                let format = Jpeg { quality };
                let kept = KeptStripes::next(&format, None, &picture, |_| true, 7, false).unwrap();
                let whole = small(&picture, quality).unwrap();
                let (striped, rgb) = decode(&kept.file);
                assert_eq!(striped, size, "quality {quality}");
                assert!(rgb == decode(&whole).1, "{size} quality {quality}");
            }
        }
    }
}
