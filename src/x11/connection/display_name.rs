//! Display names: `:0`, `:0.1`, `unix:0`. A host name would mean TCP, which
//! deskd never uses.

use std::{fmt, path::PathBuf, str::FromStr};

/// A local display: `:number.screen`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DisplayName {
    /// The X server's number.
    pub number: u16,
    /// The screen within it; 0 when the name has none.
    pub screen: usize,
}

impl DisplayName {
    /// The socket's path; the abstract socket has the same name.
    pub fn socket_path(self) -> PathBuf {
        PathBuf::from(format!("/tmp/.X11-unix/X{}", self.number))
    }
}

/// Why a display name cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The name contains a host.
    #[error(
        "the display {0:?} names a host; deskd never uses TCP: give a local display such as :0"
    )]
    Host(String),
    /// The text is not a display name.
    #[error("{0:?} is not a display name: give :NUMBER or :NUMBER.SCREEN, for example :0")]
    Malformed(String),
}

impl FromStr for DisplayName {
    type Err = ParseError;

    fn from_str(name: &str) -> Result<Self, ParseError> {
        let malformed = || ParseError::Malformed(name.to_owned());
        let (host, rest) = name.rsplit_once(':').ok_or_else(malformed)?;
        let (number, screen) = rest.split_once('.').unwrap_or((rest, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(number) || !digits(screen) {
            return Err(malformed());
        }
        if !matches!(host, "" | "unix") {
            return Err(ParseError::Host(name.to_owned()));
        }
        Ok(Self {
            number: number.parse().map_err(|_| malformed())?,
            screen: screen.parse().map_err(|_| malformed())?,
        })
    }
}

impl fmt::Display for DisplayName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, ":{}", self.number)?;
        if self.screen != 0 {
            write!(f, ".{}", self.screen)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_names_parse() {
        let zero = DisplayName {
            number: 0,
            screen: 0,
        };
        assert_eq!(":0".parse(), Ok(zero));
        assert_eq!(":0.0".parse(), Ok(zero));
        assert_eq!("unix:0".parse(), Ok(zero));
        assert_eq!(
            ":17.2".parse(),
            Ok(DisplayName {
                number: 17,
                screen: 2
            })
        );
        assert_eq!(":17.2".parse::<DisplayName>().unwrap().to_string(), ":17.2");
    }

    #[test]
    fn hosts_are_refused_by_name() {
        assert!(matches!(
            "localhost:0".parse::<DisplayName>(),
            Err(ParseError::Host(_))
        ));
        assert!(matches!(
            "::1:0".parse::<DisplayName>(),
            Err(ParseError::Host(_))
        ));
    }

    #[test]
    fn nonsense_is_malformed() {
        for name in [
            "",
            "0",
            ":",
            ":x",
            ":-1",
            ":0.",
            ":.0",
            ":65536",
            ":+1",
            "wayland-0",
        ] {
            assert!(
                matches!(name.parse::<DisplayName>(), Err(ParseError::Malformed(_))),
                "{name:?}"
            );
        }
    }
}
