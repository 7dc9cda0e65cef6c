//! Images decoded by libraries that deskd does not encode with where there is a
//! choice, and compared pixel by pixel.

use std::{fmt, path::Path};

use deskd::v1;

/// 8-bit RGB, rows without padding.
#[derive(Clone, PartialEq, Eq)]
pub struct Image {
    pub width: u32,
    pub height: u32,
    pub rgb: Vec<u8>,
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Image({}x{})", self.width, self.height)
    }
}

impl Image {
    /// From BGRX pixels.
    pub fn from_bgrx(bgrx: &[u8], width: u32, height: u32) -> Self {
        assert_eq!(bgrx.len(), width as usize * height as usize * 4);
        let rgb = bgrx
            .chunks_exact(4)
            .flat_map(|p| [p[2], p[1], p[0]])
            .collect();
        Self { width, height, rgb }
    }

    /// From a frame, by its own format; checks its size.
    pub fn from_frame(frame: &v1::Frame) -> Self {
        let image = match frame.format() {
            v1::ImageFormat::Png => Self::from_png(&frame.image),
            v1::ImageFormat::Jpeg => Self::from_jpeg(&frame.image),
            v1::ImageFormat::RawBgrx => {
                assert_eq!(frame.stride, frame.width * 4);
                Self::from_bgrx(&frame.image, frame.width, frame.height)
            }
            other => panic!("a frame of format {other:?}"),
        };
        assert_eq!((image.width, image.height), (frame.width, frame.height));
        image
    }

    /// From a PNG file's bytes: 8-bit RGB or RGBA.
    pub fn from_png(bytes: &[u8]) -> Self {
        let mut reader = png::Decoder::new(std::io::Cursor::new(bytes))
            .read_info()
            .unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        assert_eq!(info.bit_depth, png::BitDepth::Eight);
        let rgb = match info.color_type {
            png::ColorType::Rgb => pixels,
            png::ColorType::Rgba => pixels
                .chunks_exact(4)
                .flat_map(|p| [p[0], p[1], p[2]])
                .collect(),
            other => panic!("a PNG of {other:?}"),
        };
        Self {
            width: info.width,
            height: info.height,
            rgb,
        }
    }

    /// From a JPEG file's bytes.
    pub fn from_jpeg(bytes: &[u8]) -> Self {
        let mut decoder = jpeg_decoder::Decoder::new(bytes);
        let rgb = decoder.decode().unwrap();
        let info = decoder.info().unwrap();
        assert_eq!(info.pixel_format, jpeg_decoder::PixelFormat::RGB24);
        Self {
            width: info.width.into(),
            height: info.height.into(),
            rgb,
        }
    }

    /// From a PNG file.
    pub fn read(path: &Path) -> Self {
        Self::from_png(&std::fs::read(path).unwrap())
    }

    /// One pixel.
    pub fn at(&self, x: u32, y: u32) -> [u8; 3] {
        let at = (y as usize * self.width as usize + x as usize) * 3;
        [self.rgb[at], self.rgb[at + 1], self.rgb[at + 2]]
    }

    /// Its pixels, row by row: red, green, blue.
    pub fn rgb(&self) -> &[u8] {
        &self.rgb
    }

    /// Puts a piece over it.
    pub fn paste(&mut self, piece: &Self, x: u32, y: u32) {
        let row = piece.width as usize * 3;
        for (source, y) in piece.rgb.chunks_exact(row).zip(y..) {
            let at = (y as usize * self.width as usize + x as usize) * 3;
            self.rgb[at..at + row].copy_from_slice(source);
        }
    }

    /// A part.
    pub fn crop(&self, x: u32, y: u32, width: u32, height: u32) -> Self {
        let rows = (y..y + height).flat_map(|y| (x..x + width).flat_map(move |x| self.at(x, y)));
        Self {
            width,
            height,
            rgb: rows.collect(),
        }
    }

    /// Whether a region looks the same in both: fewer than 2 % of its pixels
    /// differ by more than 24 levels, so that a clock or a pointer does not count.
    pub fn alike(&self, other: &Self, (x, y, width, height): (u32, u32, u32, u32)) -> bool {
        let apart = |a: [u8; 3], b: [u8; 3]| a.iter().zip(b).any(|(a, b)| a.abs_diff(b) > 24);
        let mut differing = 0_u64;
        for y in y..y + height {
            for x in x..x + width {
                differing += u64::from(apart(self.at(x, y), other.at(x, y)));
            }
        }
        differing * 50 < u64::from(width) * u64::from(height)
    }

    /// Pixels that differ.
    pub fn differing(&self, other: &Self) -> usize {
        assert_eq!((self.width, self.height), (other.width, other.height));
        self.rgb
            .chunks_exact(3)
            .zip(other.rgb.chunks_exact(3))
            .filter(|(a, b)| a != b)
            .count()
    }
}
