//! The identity that deskd keeps in a property of the root window, so that it
//! survives reconnects and restarts of deskd and dies with the X server.

use std::fmt;

use x11rb::{
    connection::RequestConnection,
    errors::ReplyError,
    protocol::xproto::{AtomEnum, ConnectionExt as _, PropMode, Window},
    wrapper::ConnectionExt as _,
};

use super::Error;
use crate::frame::Size;

/// Name of the property, of type STRING.
const PROPERTY: &[u8] = b"_DESKD_STATE";

/// Identity of one life of an X server: 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Generation(u128);

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// What the property holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RootState {
    pub(super) generation: Generation,
    /// Rises by one with each resize, from 1.
    pub(super) epoch: u64,
    /// The size that `epoch` stands for.
    pub(super) size: Size,
}

impl RootState {
    /// Above it, the property was written by somebody who wants resizes unseen.
    const MAX_EPOCH: u64 = 1 << 53;

    fn write(&self) -> String {
        format!("1 {} {} {}", self.generation, self.epoch, self.size)
    }

    /// `None` for anything that deskd did not write: the property belongs to
    /// the session, where anybody can change it.
    fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let mut words = text.split(' ');
        let (version, generation) = (words.next()?, words.next()?);
        let (epoch, size) = (words.next()?, words.next()?);
        let (width, height) = size.split_once('x')?;
        let state = Self {
            generation: Generation(u128::from_str_radix(generation, 16).ok()?),
            epoch: epoch.parse().ok()?,
            size: Size {
                width: width.parse().ok()?,
                height: height.parse().ok()?,
            },
        };
        // Written back it must be the same text: no signs, no leading zeros.
        (version == "1"
            && state.epoch <= Self::MAX_EPOCH
            && words.next().is_none()
            && state.write() == text)
            .then_some(state)
    }
}

/// Reads the state, or makes one; counts a resize that happened meanwhile.
///
/// Two daemons that start at once agree on one generation, because the server
/// is grabbed between reading and writing.
pub(super) fn adopt<C: RequestConnection + x11rb::connection::Connection>(
    conn: &C,
    root: Window,
    size: Size,
) -> Result<RootState, Error> {
    let property = conn.intern_atom(false, PROPERTY)?.reply();
    let property = property
        .map_err(|error| Error::reply("InternAtom", error))?
        .atom;
    conn.grab_server()?.ignore_error();
    let state = adopt_grabbed(conn, root, property, size);
    // Also after an error: another client's requests wait for it.
    conn.ungrab_server()?.ignore_error();
    conn.flush()?;
    state
}

fn adopt_grabbed<C: RequestConnection>(
    conn: &C,
    root: Window,
    property: u32,
    size: Size,
) -> Result<RootState, Error> {
    let reply = conn
        .get_property(false, root, property, AtomEnum::STRING, 0, 64)?
        .reply();
    let reply = reply.map_err(|error| Error::reply("GetProperty", error))?;
    let state = match RootState::parse(&reply.value) {
        Some(state) if state.size == size => return Ok(state),
        Some(state) => RootState {
            epoch: state.epoch.saturating_add(1),
            size,
            ..state
        },
        None => RootState {
            generation: Generation(random_u128()?),
            epoch: 1,
            size,
        },
    };
    conn.change_property8(
        PropMode::REPLACE,
        root,
        property,
        AtomEnum::STRING,
        state.write().as_bytes(),
    )?
    .check()
    .map_err(|error: ReplyError| Error::reply("ChangeProperty", error))?;
    Ok(state)
}

fn random_u128() -> Result<u128, Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| Error::Lost(error.into()))?;
    Ok(u128::from_ne_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_survives_its_text() {
        let state = RootState {
            generation: Generation(0x0123),
            epoch: 7,
            size: Size {
                width: 1280,
                height: 800,
            },
        };
        let text = state.write();
        assert_eq!(text, "1 00000000000000000000000000000123 7 1280x800");
        assert_eq!(RootState::parse(text.as_bytes()), Some(state));
    }

    #[test]
    fn what_deskd_did_not_write_is_ignored() {
        for text in [
            "",
            "1",
            "2 00000000000000000000000000000123 7 1280x800",
            "1 123 7 1280x800",
            "1 00000000000000000000000000000123 +7 1280x800",
            "1 00000000000000000000000000000123 7 1280x800 ",
            "1 00000000000000000000000000000123 7 1280",
            "1 0000000000000000000000000000012G 7 1280x800",
            "1 00000000000000000000000000000123 99999999999999999999999 1280x800",
        ] {
            assert_eq!(RootState::parse(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(RootState::parse(b"\xff"), None);
    }
}
