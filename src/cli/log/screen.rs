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
    /// The number of the screen in the log; 0 if it is not known: before the first key frame, and after
    /// missing records until the next one.
    pub(super) number: u64,
    /// The number of the last record.
    last: u64,
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
        let follows = self.number != 0 && change.number == self.last + 1;
        self.last = change.number;
        if change.key {
            self.size = Some(size);
            self.pixels = vec![0; size.bgrx_bytes()];
        } else if !follows || self.size != Some(size) {
            // A record is missing. What is drawn before the next key frame is not known.
            self.number = 0;
            return Ok(());
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
        let whole = (Region::whole(size), size);
        self.encode(whole, Format::RawBgrx, Effort::Fast, true)
    }

    /// Returns the image of a frame as its caller received it; `None` if the log does not have it.
    pub(super) fn image(&self, frame: &v1::LogFrame) -> Option<(Vec<u8>, &'static str)> {
        let quality = u8::try_from(frame.quality.clamp(1, 100)).ok()?;
        let (format, end) = match frame.format() {
            v1::ImageFormat::Jpeg => (Format::Jpeg(quality), "jpg"),
            v1::ImageFormat::Webp => (Format::Webp, "webp"),
            v1::ImageFormat::RawBgrx => (Format::RawBgrx, "bgrx"),
            _ => (Format::Png, "png"),
        };
        if !frame.image.is_empty() {
            return Some((frame.image.to_vec(), end));
        }
        if frame.screen == 0 || frame.screen != self.number {
            return None;
        }
        let region = region_of(frame.region.as_ref()?)?;
        let output = size_of(frame.size?)?;
        // Without the pointer's image, this would be another picture.
        if frame.pointer && self.pointer_image != 0 && self.cursor().is_none() {
            return None;
        }
        let effort = match frame.compact {
            true => Effort::Tight,
            false => Effort::Fast,
        };
        let image = self.encode((region, output), format, effort, frame.pointer)?;
        Some((image, end))
    }

    /// Returns the screen with the pointer as PNG.
    pub(super) fn png(&self) -> Option<Vec<u8>> {
        let size = self.size?;
        let whole = (Region::whole(size), size);
        self.encode(whole, Format::Png, Effort::Fast, true)
    }

    fn encode(
        &self,
        (region, output): (Region, Size),
        format: Format,
        effort: Effort,
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
            effort,
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn png(size: Size) -> bytes::Bytes {
        let pixels = vec![200; size.bgrx_bytes()];
        let pixels = Pixels::new(Box::new(pixels), size, size.width as usize * 4).unwrap();
        let order = EncodeOrder {
            output: size,
            format: Format::Png,
            effort: Effort::Fast,
            is_alone: true,
            seed: 0,
        };
        let picture = Picture::new(&pixels, Region::whole(size), None);
        encode(&picture, order, None, |_| true).unwrap().bytes
    }

    fn side() -> impl Strategy<Value = u32> {
        prop_oneof![0_u32..70, Just(u32::MAX), Just(16_384), Just(1 << 31)]
    }

    proptest! {
        /// A log may be anybody's: whatever its records say, they are drawn or refused.
        #[test]
        fn records_that_do_not_fit_are_refused(
            key: bool,
            screen in (side(), side()),
            place in (-3_i32..70, -3_i32..70),
            told in (side(), side()),
            real in (1_u32..40, 1_u32..40),
            pointer in (any::<i32>(), any::<i32>(), side(), side(), 0_usize..300),
            frame in (-3_i32..70, side(), side(), side(), side()),
        ) {
            let mut shown = LoggedScreen::default();
            let size = |(width, height)| v1::Size { width, height };
            let whole = |width, height| v1::LogScreen {
                number: 1,
                key: true,
                size: Some(size((width, height))),
                ..v1::LogScreen::default()
            };
            shown.apply(&whole(64, 48)).unwrap();
            let (x, y, width, height, bytes) = pointer;
            shown.learn(v1::LogPointerImage {
                number: 1,
                size: Some(size((width, height))),
                hotspot: Some(v1::Point::new(x, y)),
                pixels: vec![9; bytes],
            });
            let real = Size { width: real.0, height: real.1 };
            let part = v1::ChangedRegion {
                region: Some(v1::Region::new(place.0, place.1, told.0, told.1)),
                image: png(real),
            };
            // A key frame of 16,384×16,384 would be refused for its size.
            drop(shown.apply(&v1::LogScreen {
                number: 2,
                key: key && screen.0 < 70 && screen.1 < 70,
                size: Some(size(screen)),
                parts: vec![part],
                pointer: Some(v1::Point::new(x, y)),
                pointer_image: 1,
                ..v1::LogScreen::default()
            }));
            let (at, width, height, wide, high) = frame;
            let small = |side: u32| side.min(70);
            drop(shown.image(&v1::LogFrame {
                screen: shown.number,
                region: Some(v1::Region::new(at, at, width, height)),
                size: Some(size((small(wide), small(high)))),
                pointer: true,
                ..v1::LogFrame::default()
            }));
            drop(shown.png());
        }
    }

    #[test]
    fn what_a_record_says_of_its_picture_must_be_so() {
        let mut shown = LoggedScreen::default();
        let size = Size {
            width: 30,
            height: 20,
        };
        let change = |number, key, region, image| v1::LogScreen {
            number,
            key,
            size: Some(v1::Size {
                width: 30,
                height: 20,
            }),
            parts: vec![v1::ChangedRegion {
                region: Some(region),
                image,
            }],
            ..v1::LogScreen::default()
        };
        let whole = v1::Region::new(0, 0, 30, 20);
        // Nothing is drawn before a key frame.
        assert!(shown.apply(&change(1, false, whole, png(size))).is_ok());
        assert_eq!((shown.number, shown.size()), (0, None));
        assert!(shown.apply(&change(2, true, whole, png(size))).is_ok());
        let other = v1::Region::new(0, 0, 29, 20);
        assert!(shown.apply(&change(3, false, other, png(size))).is_err());
        let beyond = v1::Region::new(1, 0, 30, 20);
        assert!(shown.apply(&change(4, false, beyond, png(size))).is_err());
        let no_image = bytes::Bytes::from_static(b"\x89PNG and no more");
        assert!(shown.apply(&change(5, false, whole, no_image)).is_err());
        // A record is missing: the screen is not known until the next key frame.
        assert!(shown.apply(&change(6, true, whole, png(size))).is_ok());
        assert!(shown.apply(&change(8, false, whole, png(size))).is_ok());
        assert_eq!(shown.number, 0);
        assert!(shown.apply(&change(9, false, whole, png(size))).is_ok());
        assert_eq!(shown.number, 0);
        assert!(shown.apply(&change(10, true, whole, png(size))).is_ok());
        assert_eq!(shown.number, 10);
    }
}
