//! The pixel format of the screen, read from the server's connection setup and never assumed.
//!
//! Masks, depth, bits per pixel, scanline pad and byte order are those of the
//! X11 protocol's connection setup ("Connection Setup" and "Visual Information"
//! in the X Window System Protocol, X Version 11).

use x11rb::protocol::xproto::{ImageOrder, Screen, Setup, VisualClass};

use crate::frame::{BYTES_PER_PIXEL, Size};
use crate::x11::error::DisplayError;

/// One colour of a TrueColor visual.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Channel {
    shift: u32,
    /// Largest value: `2^bits - 1`, at most 1023.
    max: u32,
}

impl Channel {
    /// Returns `None` unless the mask is one run of 1 to 10 bits.
    fn of_mask(mask: u32) -> Option<Self> {
        let max = mask.checked_shr(mask.trailing_zeros())?;
        (max != 0 && max <= 1023 && (max + 1).is_power_of_two()).then(|| Self {
            shift: mask.trailing_zeros(),
            max,
        })
    }

    /// The channel's value in 8 bits, rounded to nearest. QueryColors returns the same value in 16
    /// bits.
    fn eight_bits(self, pixel: u32) -> u8 {
        let value = (pixel >> self.shift) & self.max;
        // At most 255 by construction.
        u8::try_from((value * 255 + self.max / 2) / self.max).unwrap_or(u8::MAX)
    }
}

/// The layout of the root window's pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::x11) struct PixelFormat {
    bytes_per_pixel: usize,
    scanline_pad_bytes: usize,
    lsb_first: bool,
    red: Channel,
    green: Channel,
    blue: Channel,
}

impl PixelFormat {
    /// Reads the format of a screen's root window.
    ///
    /// # Errors
    ///
    /// [`DisplayError::PixelFormat`] for all formats but TrueColor of depth 24 or 30 in 32 bits and
    /// of depth 16 in 16 bits; [`DisplayError::Protocol`] if the setup is inconsistent.
    pub(in crate::x11) fn of_root(setup: &Setup, screen: &Screen) -> Result<Self, DisplayError> {
        let depth = screen.root_depth;
        let visual = screen
            .allowed_depths
            .iter()
            .flat_map(|allowed| &allowed.visuals)
            .find(|visual| visual.visual_id == screen.root_visual)
            .ok_or(DisplayError::Protocol(
                "the root window's visual is not listed",
            ))?;
        let format = setup
            .pixmap_formats
            .iter()
            .find(|format| format.depth == depth)
            .ok_or(DisplayError::Protocol(
                "the root window's depth has no pixmap format",
            ))?;
        let bits = format.bits_per_pixel;
        let unsupported = |why: &str| DisplayError::PixelFormat(format!("depth {depth}{why}"));
        if visual.class != VisualClass::TRUE_COLOR {
            let class = match visual.class {
                VisualClass::STATIC_GRAY => "StaticGray",
                VisualClass::GRAY_SCALE => "GrayScale",
                VisualClass::STATIC_COLOR => "StaticColor",
                VisualClass::PSEUDO_COLOR => "PseudoColor",
                VisualClass::DIRECT_COLOR => "DirectColor",
                _ => "an unknown class",
            };
            return Err(unsupported(&format!(" in {class}")));
        }
        if !matches!((depth, bits), (24 | 30, 32) | (16, 16)) {
            return Err(unsupported(&format!(" in {bits} bits")));
        }
        if !matches!(format.scanline_pad, 8 | 16 | 32 | 64) {
            return Err(DisplayError::Protocol(
                "its scanline pad is none of the protocol's",
            ));
        }
        let channel = |mask| Channel::of_mask(mask).ok_or_else(|| unsupported(" with odd masks"));
        Ok(Self {
            bytes_per_pixel: usize::from(bits) / 8,
            scanline_pad_bytes: usize::from(format.scanline_pad) / 8,
            lsb_first: setup.image_byte_order == ImageOrder::LSB_FIRST,
            red: channel(visual.red_mask)?,
            green: channel(visual.green_mask)?,
            blue: channel(visual.blue_mask)?,
        })
    }

    /// Whether the server's bytes are BGRX already.
    pub(in crate::x11) fn is_bgrx(&self) -> bool {
        let byte = |shift| Channel { shift, max: 255 };
        self.lsb_first
            && self.bytes_per_pixel == BYTES_PER_PIXEL
            && (self.blue, self.green, self.red) == (byte(0), byte(8), byte(16))
    }

    /// Bytes from one row to the next in a ZPixmap that is `width` pixels wide.
    pub(in crate::x11) fn stride(&self, width: u32) -> usize {
        (width as usize * self.bytes_per_pixel).next_multiple_of(self.scanline_pad_bytes)
    }

    /// Bytes of a complete ZPixmap.
    pub(in crate::x11) fn image_bytes(&self, size: Size) -> usize {
        self.stride(size.width) * size.height as usize
    }

    /// Converts the server's pixels to BGRX without padding.
    ///
    /// Returns `None` when `image` is too short for `size`.
    pub(in crate::x11) fn to_bgrx(self, image: &[u8], size: Size) -> Option<Vec<u8>> {
        let image = image.get(..self.image_bytes(size))?;
        let used = size.width as usize * self.bytes_per_pixel;
        let mut out = Vec::with_capacity(size.bgrx_bytes());
        for row in image.chunks_exact(self.stride(size.width)) {
            for bytes in row[..used].chunks_exact(self.bytes_per_pixel) {
                let mut word = [0; 4];
                word[..bytes.len()].copy_from_slice(bytes);
                if !self.lsb_first {
                    word[..bytes.len()].reverse();
                }
                let pixel = u32::from_le_bytes(word);
                out.extend_from_slice(&[
                    self.blue.eight_bits(pixel),
                    self.green.eight_bits(pixel),
                    self.red.eight_bits(pixel),
                    255,
                ]);
            }
        }
        Some(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rgb565() -> PixelFormat {
        PixelFormat {
            bytes_per_pixel: 2,
            scanline_pad_bytes: 4,
            lsb_first: true,
            red: Channel::of_mask(0xf800).unwrap(),
            green: Channel::of_mask(0x07e0).unwrap(),
            blue: Channel::of_mask(0x001f).unwrap(),
        }
    }

    #[test]
    fn masks_must_be_one_run() {
        assert_eq!(
            Channel::of_mask(0x00ff_0000),
            Some(Channel {
                shift: 16,
                max: 255
            })
        );
        for mask in [0, 0b101, 0x7ff, u32::MAX] {
            assert_eq!(Channel::of_mask(mask), None, "{mask:#x}");
        }
    }

    #[test]
    fn five_bits_become_eight_with_rounding() {
        let blue = rgb565().blue;
        let all: Vec<u8> = (0..32).map(|value| blue.eight_bits(value)).collect();
        assert_eq!(
            (all[0], all[1], all[3], all[15], all[31]),
            (0, 8, 25, 123, 255)
        );
        assert!(all.is_sorted());
    }

    #[test]
    fn ten_bits_become_eight_with_rounding() {
        let red = Channel::of_mask(0x3ff0_0000).unwrap();
        for value in 0..1024_u32 {
            let exact = f64::from(value) * 255.0 / 1023.0;
            let eight = f64::from(red.eight_bits(value << 20));
            assert!((eight - exact).abs() <= 0.5, "{value}");
        }
    }

    #[test]
    fn sixteen_bits_with_padding_convert() {
        let format = rgb565();
        let size = Size {
            width: 1,
            height: 2,
        };
        assert_eq!(format.stride(1), 4);
        let image = [0x1f, 0xf8, 9, 9, 0xe0, 0x07, 9, 9];
        let out = format.to_bgrx(&image, size).unwrap();
        assert_eq!(out, [255, 0, 255, 255, 0, 255, 0, 255]);
        assert_eq!(format.to_bgrx(&image[..7], size), None);
    }

    #[test]
    fn the_other_byte_order_and_other_masks_convert() {
        let format = PixelFormat {
            bytes_per_pixel: 4,
            scanline_pad_bytes: 4,
            lsb_first: false,
            red: Channel::of_mask(0xff).unwrap(),
            green: Channel::of_mask(0xff00).unwrap(),
            blue: Channel::of_mask(0x00ff_0000).unwrap(),
        };
        assert!(!format.is_bgrx());
        let out = format
            .to_bgrx(
                &[0, 3, 2, 1],
                Size {
                    width: 1,
                    height: 1,
                },
            )
            .unwrap();
        assert_eq!(out, [3, 2, 1, 255]);
    }
}
