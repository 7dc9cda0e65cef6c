//! The pointer: its position, its buttons, and the mapping from physical to logical
//! buttons (core protocol, `GetPointerMapping`; X Input Extension 2.3,
//! `XIQueryPointer`).

use x11rb::{
    connection::RequestConnection as _,
    cookie::Cookie,
    protocol::{
        xinput::{self, ConnectionExt as _, XIQueryPointerReply},
        xproto::{ConnectionExt as _, QueryPointerReply},
    },
};

use crate::x11::{
    connection::server::{Server, XConnection},
    error::DisplayError,
};

/// The virtual core pointer's device id (X Input Extension 2).
const CORE_POINTER: u16 = 2;

/// Buttons that the core protocol reports: the state mask has five bits for them.
const CORE_BUTTONS: u8 = 5;

/// The pointer at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PointerState {
    /// Screen pixels from the left edge.
    pub x: i32,
    /// Screen pixels from the top edge.
    pub y: i32,
    /// Bit `n` is set while logical button `n` is down.
    buttons: u32,
    /// The highest button number that the server reports.
    reported: u8,
}

impl PointerState {
    /// Whether a logical button is down; `None` if the server does not report it.
    pub fn is_down(&self, number: u8) -> Option<bool> {
        (number <= self.reported).then(|| self.buttons & (1 << number) != 0)
    }

    /// The logical buttons that are down, lowest first.
    pub fn down(&self) -> impl Iterator<Item = u8> + '_ {
        (1..=self.reported.min(31)).filter(|number| self.buttons & (1 << number) != 0)
    }
}

/// Reads the pointer of one server.
#[derive(Debug)]
pub(in crate::x11) struct Pointer {
    /// Whether the server has X Input 2, which reports all buttons and fractions of a pixel.
    has_xinput2: bool,
    /// The logical button of each physical one, from physical button 1.
    mapping: Vec<u8>,
}

impl Pointer {
    pub(in crate::x11) fn new(server: &Server) -> Result<Self, DisplayError> {
        let conn = &server.conn;
        let present = conn
            .extension_information(xinput::X11_EXTENSION_NAME)?
            .is_some();
        let has_xinput2 = present && {
            let version = conn.xinput_xi_query_version(2, 0)?.reply();
            version.is_ok_and(|version| version.major_version >= 2)
        };
        let mut pointer = Self {
            has_xinput2,
            mapping: Vec::new(),
        };
        pointer.read_mapping(server)?;
        Ok(pointer)
    }

    /// Reads the logical button of each physical button.
    pub(in crate::x11) fn read_mapping(&mut self, server: &Server) -> Result<(), DisplayError> {
        let reply = server.conn.get_pointer_mapping()?.reply();
        let reply = reply.map_err(|error| DisplayError::reply("GetPointerMapping", error))?;
        self.mapping = reply.map;
        Ok(())
    }

    /// The lowest physical button that is mapped to this logical one; `None` if none is.
    pub(in crate::x11) fn physical(&self, logical: u8) -> Option<u8> {
        let mut physical = (1..=u8::MAX).zip(&self.mapping);
        physical
            .find(|(_, gives)| **gives == logical)
            .map(|(p, _)| p)
    }

    /// Requests the pointer's position and buttons; the request stays in the buffer.
    pub(in crate::x11) fn ask<'c>(
        &self,
        server: &'c Server,
    ) -> Result<PointerAsked<'c>, DisplayError> {
        let (conn, root) = (&server.conn, server.root);
        Ok(if self.has_xinput2 {
            PointerAsked::XInput2(conn.xinput_xi_query_pointer(root, CORE_POINTER)?)
        } else {
            PointerAsked::Core(conn.query_pointer(root)?)
        })
    }
}

/// A pending request for the pointer's state.
pub(in crate::x11) enum PointerAsked<'c> {
    Core(Cookie<'c, XConnection, QueryPointerReply>),
    XInput2(Cookie<'c, XConnection, XIQueryPointerReply>),
}

impl PointerAsked<'_> {
    /// Waits for the reply.
    pub(in crate::x11) fn answer(self) -> Result<PointerState, DisplayError> {
        match self {
            Self::Core(cookie) => {
                let reply = cookie.reply();
                let reply = reply.map_err(|error| DisplayError::reply("QueryPointer", error))?;
                Ok(PointerState {
                    x: reply.root_x.into(),
                    y: reply.root_y.into(),
                    // Button 1 is bit 8 of the core state.
                    buttons: u32::from(u16::from(reply.mask)) >> 7 & 0b11_1110,
                    reported: CORE_BUTTONS,
                })
            }
            Self::XInput2(cookie) => {
                let reply = cookie.reply();
                let reply = reply.map_err(|error| DisplayError::reply("XIQueryPointer", error))?;
                Ok(PointerState {
                    // 16.16 fixed point; a pixel's index is the floor.
                    x: reply.root_x >> 16,
                    y: reply.root_y >> 16,
                    buttons: reply.buttons.first().copied().unwrap_or(0),
                    reported: 31,
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buttons_are_found_by_what_they_give() {
        let of = |mapping: &[u8]| Pointer {
            has_xinput2: true,
            mapping: mapping.to_vec(),
        };
        let left_handed = of(&[3, 2, 1, 5, 4]);
        assert_eq!(
            [1, 2, 3, 4].map(|b| left_handed.physical(b)),
            [3, 2, 1, 5].map(Some)
        );
        assert_eq!(left_handed.physical(8), None);
        assert_eq!(of(&[1, 0, 2]).physical(2), Some(3));
        assert_eq!(of(&[]).physical(1), None);
    }

    #[test]
    fn buttons_that_the_server_does_not_report_are_unknown() {
        let state = PointerState {
            x: 0,
            y: 0,
            buttons: 0b10_0010,
            reported: CORE_BUTTONS,
        };
        assert_eq!(state.is_down(1), Some(true));
        assert_eq!(state.is_down(2), Some(false));
        assert_eq!(state.is_down(8), None);
        assert_eq!(state.down().collect::<Vec<_>>(), [1, 5]);
    }
}
