//! Settings parsed from the text of the command line and the environment.
//!
//! This module only converts text to values; it reads nothing from the system.

use std::{fmt, path::PathBuf, str::FromStr};

use crate::frame::{MAX_OUTPUT_PIXELS, Size};

/// Default geometry in pixels.
pub const DEFAULT_GEOMETRY: Size = Size {
    width: 1280,
    height: 800,
};

/// Where a daemon listens, or a client connects: `unix:/path` or `host:port`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A Unix socket.
    Unix(PathBuf),
    /// A TCP port. The host may be a name.
    Tcp {
        /// Name or IP address, without brackets.
        host: String,
        /// Port; 0 lets the system choose when listening.
        port: u16,
    },
}

/// Why an address cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an address: give unix:/absolute/path or host:port")]
pub struct AddressError(String);

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let malformed = || AddressError(text.to_owned());
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            let absolute = path.starts_with('/') && path.len() > 1;
            return absolute
                .then(|| Self::Unix(path.into()))
                .ok_or_else(malformed);
        }
        let (host, port) = text.rsplit_once(':').ok_or_else(malformed)?;
        let bracketed = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        let host = bracketed.unwrap_or(host);
        let colons_without_brackets = bracketed.is_none() && host.contains(':');
        if host.is_empty() || host.contains('/') || colons_without_brackets {
            return Err(malformed());
        }
        if !port.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(malformed());
        }
        Ok(Self::Tcp {
            host: host.to_owned(),
            port: port.parse().map_err(|_| malformed())?,
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
        }
    }
}

impl Address {
    /// The address that daemon and client use by default.
    pub fn default_for(runtime_dir: Option<PathBuf>) -> Self {
        let system = || PathBuf::from("/run/deskd/deskd.sock");
        // An empty or relative path counts as not set (XDG Base Directory Specification, 0.8).
        let usable = runtime_dir.filter(|dir| dir.is_absolute());
        Self::Unix(usable.map_or_else(system, |dir| dir.join("deskd.sock")))
    }
}

/// Why a size cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SizeError {
    /// Not two numbers.
    #[error("{0:?} is not a size: give WIDTHxHEIGHT in pixels, for example 1280x800")]
    Malformed(String),
    /// A side of 0.
    #[error("{0:?}: both sides must be at least 1 pixel")]
    Empty(String),
    /// More than [`MAX_OUTPUT_PIXELS`].
    #[error("{0:?} is above the limit of {MAX_OUTPUT_PIXELS} pixels")]
    TooLarge(String),
}

/// Parses `WIDTHxHEIGHT`.
///
/// # Errors
///
/// When the text is not two numbers, a side is 0, or the size has too many pixels.
pub fn parse_size(text: &str) -> Result<Size, SizeError> {
    let malformed = || SizeError::Malformed(text.to_owned());
    let side = |side: &str| -> Result<u32, SizeError> {
        if side.is_empty() || !side.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(malformed());
        }
        side.parse()
            .map_err(|_| SizeError::TooLarge(text.to_owned()))
    };
    let (width, height) = text.split_once(['x', 'X']).ok_or_else(malformed)?;
    let size = Size {
        width: side(width)?,
        height: side(height)?,
    };
    if size.width == 0 || size.height == 0 {
        return Err(SizeError::Empty(text.to_owned()));
    }
    if size.pixels() > MAX_OUTPUT_PIXELS {
        return Err(SizeError::TooLarge(text.to_owned()));
    }
    Ok(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_parse_and_print() {
        for (text, printed) in [
            ("unix:/run/x.sock", "unix:/run/x.sock"),
            ("unix:///run/x.sock", "unix:/run/x.sock"),
            ("127.0.0.1:7000", "127.0.0.1:7000"),
            ("[::1]:7000", "[::1]:7000"),
            ("sandbox.internal:0", "sandbox.internal:0"),
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), printed);
        }
        for text in [
            "",
            "unix:",
            "unix:relative",
            "7000",
            ":7000",
            "host:",
            "host:70000",
            "::1:7000",
            "http://h:1",
            "host:+1",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn sizes_parse_within_limits() {
        assert_eq!(
            parse_size("7680x4320"),
            Ok(Size {
                width: 7680,
                height: 4320
            })
        );
        assert!(matches!(
            parse_size("7681x4320"),
            Err(SizeError::TooLarge(_))
        ));
        assert!(matches!(
            parse_size("99999999999x1"),
            Err(SizeError::TooLarge(_))
        ));
        assert!(matches!(parse_size("0x1"), Err(SizeError::Empty(_))));
        for text in ["", "x", "1x", "1280", "-1x5", "1x2x3", "a"] {
            assert!(
                matches!(parse_size(text), Err(SizeError::Malformed(_))),
                "{text:?}"
            );
        }
    }
}
