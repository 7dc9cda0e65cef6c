//! The desktop's background: a colour, or a picture that fills the screen.

use std::{io, path::PathBuf, str::FromStr};

use crate::{
    decode,
    frame::{BYTES_PER_PIXEL, Size},
};

/// Maximum size of a picture's file in bytes.
const MAX_FILE: u64 = 64 << 20;

/// A background.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Background {
    /// Red, green and blue.
    Colour([u8; 3]),
    /// A PNG or JPEG file.
    File(PathBuf),
}

impl FromStr for Background {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some(digits) = text.strip_prefix('#') else {
            return match text.starts_with('/') {
                true => Ok(Self::File(text.into())),
                false => {
                    Err("give a colour, such as #336699, or the absolute path of a picture".into())
                }
            };
        };
        let is_number = digits.len() == 6 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        let number = u32::from_str_radix(digits, 16).ok();
        match number.filter(|_| is_number) {
            Some(number) => {
                let [_, red, green, blue] = number.to_be_bytes();
                Ok(Self::Colour([red, green, blue]))
            }
            None => Err("a colour has six hexadecimal digits, such as #336699".into()),
        }
    }
}

impl std::fmt::Display for Background {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Colour([red, green, blue]) => write!(f, "#{red:02x}{green:02x}{blue:02x}"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// Returns the pixels (blue, green, red, 255) of a background that fills `size`. A picture of another
/// shape is cut.
///
/// # Errors
///
/// When the file cannot be read, or is neither PNG nor JPEG.
pub fn pixels(background: &Background, size: Size) -> io::Result<Vec<u8>> {
    match background {
        Background::Colour([red, green, blue]) => {
            Ok([*blue, *green, *red, 255].repeat(size.bgrx_bytes() / BYTES_PER_PIXEL))
        }
        Background::File(path) => {
            decode::filling(&crate::files::read_at_most(path, MAX_FILE)?, size)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_background_is_a_colour_or_a_path() {
        assert_eq!(
            "#3366ff".parse(),
            Ok(Background::Colour([0x33, 0x66, 0xff]))
        );
        assert_eq!("/a/b.png".parse(), Ok(Background::File("/a/b.png".into())));
        for wrong in ["", "#36f", "#12345g", "#+12345", "blue", "a.png"] {
            assert!(wrong.parse::<Background>().is_err(), "{wrong}");
        }
        let blue: Background = "#3366ff".parse().unwrap();
        assert_eq!(blue.to_string(), "#3366ff");
    }
}
