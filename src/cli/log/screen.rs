//! Draws the screen that the records of a log describe.

use std::collections::HashMap;

use crate::{
    cli::exit::{CliError, Exit},
    decode,
    encode::{Effort, EncodeOrder, Format, Picture, encode},
    frame::{BYTES_PER_PIXEL, CursorImage, MAX_OUTPUT_PIXELS, Pixels, Region, Size},
    rpc::v1,
};

/// Maximum number of images of the pointer that are kept.
const MAX_POINTERS: usize = 1024;

/// The screen at one moment of a log.
#[derive(Debug, Default)]
pub(super) struct LoggedScreen {
    /// The number of the screen in the log; 0 before the first one.
    pub(super) number: u64,
    size: Option<Size>,
    /// Blue, green, red, 255, without the pointer.
    pixels: Vec<u8>,
    pointer: Option<(i32, i32)>,
    pointer_image: u64,
    images: HashMap<u64, v1::LogPointerImage>,
}

impl LoggedScreen {
    /// Takes over an image of the pointer.
    pub(super) fn learn(&mut self, image: v1::LogPointerImage) {
        if self.images.len() >= MAX_POINTERS {
            self.images.clear();
        }
        self.images.insert(image.number, image);
    }

    /// Draws a change.
    pub(super) fn apply(&mut self, change: &v1::LogScreen) -> Result<(), CliError> {
        let size = change.size.and_then(size_of).ok_or_else(malformed)?;
        if change.key {
            self.size = Some(size);
            self.pixels = vec![0; size.bgrx_bytes()];
        }
        if self.size != Some(size) {
            return Err(malformed());
        }
        for part in &change.parts {
            self.draw(part, size).ok_or_else(malformed)?;
        }
        self.number = change.number;
        self.pointer = change.pointer.map(|point| (point.x(), point.y()));
        self.pointer_image = change.pointer_image;
        Ok(())
    }

    fn draw(&mut self, part: &v1::ChangedRegion, screen: Size) -> Option<()> {
        let region = region_of(part.region.as_ref()?)?;
        let (size, pixels) = decode::png(&part.image).ok()?;
        if size != region.size || !region.fits(screen) {
            return None;
        }
        let length = region.size.width as usize * BYTES_PER_PIXEL;
        for (row, from) in (region.y..).zip(pixels.chunks_exact(length)) {
            let start =
                (row as usize * screen.width as usize + region.x as usize) * BYTES_PER_PIXEL;
            self.pixels
                .get_mut(start..start + length)?
                .copy_from_slice(from);
        }
        Some(())
    }

    /// Returns the size of the screen; `None` before the first key frame.
    pub(super) fn size(&self) -> Option<Size> {
        self.size
    }

    /// Returns the pixels without the pointer: blue, green, red, 255.
    pub(super) fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// Returns the pixels with the pointer.
    pub(super) fn with_pointer(&self) -> Option<Vec<u8>> {
        let size = self.size?;
        self.encode(Region::whole(size), size, Format::RawBgrx, true)
    }

    /// Returns the image of a frame as its caller received it; `None` if the log does not have it.
    pub(super) fn image(&self, frame: &v1::LogFrame) -> Option<(Vec<u8>, &'static str)> {
        let (format, end) = match frame.format() {
            v1::ImageFormat::Jpeg => (Format::Jpeg(u8::try_from(frame.quality).ok()?), "jpg"),
            v1::ImageFormat::Webp => (Format::Webp, "webp"),
            _ => (Format::Png, "png"),
        };
        if !frame.image.is_empty() {
            let end = match frame.format() {
                v1::ImageFormat::RawBgrx => "bgrx",
                _ => end,
            };
            return Some((frame.image.to_vec(), end));
        }
        if frame.screen == 0 || frame.screen != self.number {
            return None;
        }
        let region = region_of(frame.region.as_ref()?)?;
        let output = size_of(frame.size?)?;
        Some((self.encode(region, output, format, frame.pointer)?, end))
    }

    /// Returns the screen with the pointer as PNG.
    pub(super) fn png(&self) -> Option<Vec<u8>> {
        let size = self.size?;
        self.encode(Region::whole(size), size, Format::Png, true)
    }

    fn encode(
        &self,
        region: Region,
        output: Size,
        format: Format,
        pointer: bool,
    ) -> Option<Vec<u8>> {
        let size = self.size?;
        if !region.fits(size) {
            return None;
        }
        let stride = size.width as usize * BYTES_PER_PIXEL;
        let pixels = Pixels::new(Box::new(self.pixels.clone()), size, stride)?;
        let cursor = self.cursor().filter(|_| pointer);
        let picture = Picture::new(&pixels, region, cursor.as_ref());
        let order = EncodeOrder {
            output,
            format,
            effort: Effort::Fast,
            is_alone: true,
            seed: 0,
        };
        Some(encode(&picture, order, None, |_| true).ok()?.bytes.to_vec())
    }

    /// Returns the pointer as it is drawn.
    fn cursor(&self) -> Option<CursorImage> {
        let (x, y) = self.pointer?;
        let image = self.images.get(&self.pointer_image)?;
        let size = size_of(image.size?)?;
        let hotspot = image.hotspot?;
        let words = image.pixels.chunks_exact(4);
        let argb: Vec<u32> = words
            .map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]))
            .collect();
        (argb.len() as u64 == size.pixels()).then_some(CursorImage {
            x,
            y,
            hot_x: u32::try_from(hotspot.x()).ok()?,
            hot_y: u32::try_from(hotspot.y()).ok()?,
            size,
            argb,
        })
    }
}

/// Returns a size, if an image can have it.
pub(super) fn size_of(size: v1::Size) -> Option<Size> {
    let size = Size {
        width: size.width,
        height: size.height,
    };
    (size.pixels() > 0 && size.pixels() <= MAX_OUTPUT_PIXELS).then_some(size)
}

/// Returns a region in pixels of the screen.
pub(super) fn region_of(region: &v1::Region) -> Option<Region> {
    Some(Region {
        x: u32::try_from(region.x()).ok()?,
        y: u32::try_from(region.y()).ok()?,
        size: size_of(v1::Size {
            width: region.width,
            height: region.height,
        })?,
    })
}

fn malformed() -> CliError {
    let why = "a record of the screen does not fit the ones before: the log is malformed";
    CliError::new(Exit::Local, why)
}
