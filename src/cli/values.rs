//! Parsers for the values of flags.

use std::{ops::RangeBounds, str::FromStr, time::Duration};

use crate::{config::Address, frame::Size, session::AskedRegion, stack::init};

/// Parses the value of a switch's environment variable.
pub(super) fn switch(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "" | "0" | "false" | "no" | "off" => Ok(false),
        _ => Err("give 1 or 0, true or false, yes or no, on or off".into()),
    }
}

/// Returns a parser of whole numbers within `range`; `limits` describes the range in the error
/// message.
pub(super) fn whole<T>(
    range: impl RangeBounds<T> + Clone,
    limits: &'static str,
) -> impl Fn(&str) -> Result<T, String> + Clone
where
    T: FromStr + PartialOrd,
{
    move |text| {
        let number = text.parse().ok();
        let number = number.filter(|number| range.contains(number));
        number.ok_or_else(|| format!("give a whole number{limits}"))
    }
}

/// Parses a coordinate or a distance; the daemon checks its limits.
pub(super) fn pixels(text: &str) -> Result<i32, String> {
    whole(.., " of pixels, for example 640")(text)
}

/// Parses a user id.
pub(super) fn uid(text: &str) -> Result<u32, String> {
    let number = text.parse();
    number.map_err(|_| "give a user's id as a number: `id -u NAME` prints it".into())
}

/// Parses a duration longer than 0.
pub(super) fn deadline(text: &str) -> Result<Duration, String> {
    let parsed = humantime::parse_duration(text)
        .map_err(|_| "give a time with its unit, for example 2s or 500ms".to_owned())?;
    if parsed.is_zero() {
        Err("must be longer than nothing".into())
    } else {
        Ok(parsed)
    }
}

/// Parses the size of a log: a number of bytes, or of KiB, MiB or GiB.
pub(super) fn log_bytes(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" | "b" => Some(1),
        "k" | "kib" => Some(1 << 10),
        "m" | "mib" => Some(1 << 20),
        "g" | "gib" => Some(1 << 30),
        _ => None,
    };
    let bytes = digits.parse().ok().zip(unit);
    let bytes = bytes.and_then(|(number, unit): (u64, u64)| number.checked_mul(unit));
    let bytes = bytes.filter(|bytes| ((1 << 20)..=(1 << 44)).contains(bytes));
    bytes.ok_or_else(|| "give a size of at least 1MiB, for example 64MiB or 2GiB".into())
}

/// Parses the ids of a user and a group.
pub(super) fn ids(text: &str) -> Result<(u32, u32), String> {
    let ids = text.split_once(':');
    let ids = ids.and_then(|(user, group)| Some((user.parse().ok()?, group.parse().ok()?)));
    ids.ok_or_else(|| "give a user's and a group's id: 1000:1000".into())
}

/// Parses the address at which Prometheus reads the metrics.
pub(super) fn metrics(text: &str) -> Result<Address, String> {
    match text.parse() {
        Ok(address @ Address::Tcp { .. }) => Ok(address),
        Ok(Address::Unix(_)) | Err(_) => {
            Err("give the address for Prometheus as host:port, for example 127.0.0.1:9464".into())
        }
    }
}

/// Parses the address of the HTTP server.
pub(super) fn http(text: &str) -> Result<Address, String> {
    match text.parse() {
        Ok(address @ Address::Tcp { .. }) => Ok(address),
        Ok(Address::Unix(_)) | Err(_) => {
            Err("give the address for HTTP as host:port, for example 127.0.0.1:7080".into())
        }
    }
}

/// Parses the mode of a file.
pub(super) fn mode(text: &str) -> Result<u32, String> {
    let mode = u32::from_str_radix(text, 8)
        .ok()
        .filter(|mode| *mode <= 0o777);
    mode.ok_or_else(|| "give an octal mode up to 0777, for example 0660".into())
}

/// Parses a size. The daemon checks its limits, so that its error message is shown.
pub(super) fn any_size(text: &str) -> Result<Size, String> {
    let sides = text
        .split_once(['x', 'X'])
        .map(|(width, height)| (width.parse(), height.parse()));
    match sides {
        Some((Ok(width), Ok(height))) => Ok(Size { width, height }),
        _ => Err("give WIDTHxHEIGHT in pixels, for example 640x400".into()),
    }
}

/// Parses the longer side of an image and its number of pixels; the daemon checks their limits.
pub(super) fn fit(text: &str) -> Result<(u32, Option<u64>), String> {
    let (side, pixels) = match text.split_once(',') {
        Some((side, pixels)) => (side, Some(pixels.trim().parse())),
        None => (text, None),
    };
    match (side.trim().parse(), pixels.transpose()) {
        (Ok(side), Ok(pixels)) => Ok((side, pixels)),
        _ => Err(
            "give the longer side in pixels, and if wanted the number of pixels: 1568,1150000"
                .into(),
        ),
    }
}

/// Parses a region; the daemon checks its limits.
pub(super) fn region(text: &str) -> Result<AskedRegion, String> {
    let usage = || "give X,Y,WIDTH,HEIGHT in pixels, for example 0,0,640,400".to_owned();
    let parts: Vec<&str> = text.split(',').map(str::trim).collect();
    let [x, y, width, height] = parts.as_slice() else {
        return Err(usage());
    };
    let size = Size {
        width: width.parse().map_err(|_| usage())?,
        height: height.parse().map_err(|_| usage())?,
    };
    Ok(AskedRegion {
        x: x.parse().map_err(|_| usage())?,
        y: y.parse().map_err(|_| usage())?,
        size,
    })
}

/// A variable of the desktop's programs: NAME, NAME* or NAME=VALUE.
pub(super) fn session_variable(text: &str) -> Result<String, String> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (text, None),
    };
    let bare = match value {
        None => name.strip_suffix('*').unwrap_or(name),
        Some(_) => name,
    };
    let is_name = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    if bare.is_empty() || !is_name(bare) || bare.starts_with(|first: char| first.is_ascii_digit()) {
        return Err("give NAME, NAME* or NAME=VALUE, for example HTTPS_PROXY".into());
    }
    if value.is_some() && init::SET_BY_DESKD.contains(&name) {
        return Err(format!("{name} is set by deskd: leave it out"));
    }
    Ok(text.to_owned())
}

/// An environment variable: NAME=VALUE.
pub(super) fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("give NAME=VALUE".into()),
    }
}

/// A point: X,Y.
pub(super) fn point(text: &str) -> Result<(i32, i32), String> {
    let usage = || "give X,Y in pixels, for example 40,12".to_owned();
    let (x, y) = text.split_once(',').ok_or_else(usage)?;
    let number = |text: &str| text.trim().parse().map_err(|_| usage());
    Ok((number(x)?, number(y)?))
}

/// Parses the origin of a web page: a scheme and a host, with or without a port.
pub(super) fn origin(text: &str) -> Result<String, String> {
    let host = ["https://", "http://"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme));
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]*".contains(&byte);
    match host {
        Some(host) if !host.is_empty() && host.bytes().all(is_host) => Ok(text.to_owned()),
        _ => Err("give a scheme and a host, for example https://example.com".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_of_the_session_have_names() {
        for fine in ["APP_MODE", "APP_*", "APP_MODE=a b,c=d", "EMPTY="] {
            assert_eq!(session_variable(fine), Ok(fine.to_owned()));
        }
        for wrong in [
            "",
            "*",
            "=x",
            "APP MODE",
            "1A",
            "A*=x",
            "DISPLAY=:5",
            "HOME=/root",
        ] {
            assert!(session_variable(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_no_number_is_told_what_would_be() {
        assert_eq!(whole(1..=3, " from 1 to 3")("3"), Ok(3));
        for wrong in ["", "0", "4", "two", "1.5", "99999999999"] {
            let told = whole(1..=3, " from 1 to 3")(wrong);
            assert_eq!(told, Err("give a whole number from 1 to 3".into()));
        }
        assert_eq!(pixels("-7"), Ok(-7));
        assert!(pixels("left").is_err() && uid("abc").is_err());
    }
}
