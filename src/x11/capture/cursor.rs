//! Reads the pointer's image with XFIXES.

use std::{
    cell::RefCell,
    time::{Duration, Instant},
};

use x11rb::{
    connection::RequestConnection,
    cookie::Cookie,
    errors::ReplyError,
    protocol::{
        xfixes::{self, ConnectionExt as _, GetCursorImageReply},
        xproto::{ConnectionExt as _, QueryPointerReply},
    },
};

use crate::frame::{CursorImage, Size};
use crate::x11::{
    connection::server::{Server, XConnection},
    error::DisplayError,
};

/// Maximum size of an image that is read, in pixels: 512 × 512. Any program can set an image of
/// 32,767 × 32,767, which the server sends in full for each request.
pub(in crate::x11) const MAX_PIXELS: u32 = 512 * 512;
/// Pauses after a larger image, before the image is requested again: at least this time, and at
/// least [`TIMES`] times as long as the server took to send the image.
const AGAIN: Duration = Duration::from_secs(2);
const TIMES: u32 = 20;
/// Bytes of a reply before the pixels.
const HEAD: usize = 32;

/// Reads the cursor of one server.
#[derive(Debug)]
pub(in crate::x11) struct Cursor {
    is_there: bool,
    /// The last image that was too large, without its pixels, and when the image is requested
    /// again.
    large: RefCell<Option<(Instant, CursorImage)>>,
}

/// A request that was sent.
pub(in crate::x11) enum CursorAsked<'c> {
    Image(Cookie<'c, XConnection, GetCursorImageReply>, Instant),
    /// Only the position is requested, because the image is known to be too large.
    Place(Cookie<'c, XConnection, QueryPointerReply>, CursorImage),
}

impl Cursor {
    /// Determines whether the server provides its cursor.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub(in crate::x11) fn of(server: &Server) -> Result<Self, DisplayError> {
        Ok(Self {
            is_there: available(&server.conn)?,
            large: RefCell::new(None),
        })
    }

    /// Whether the server provides its cursor.
    pub(in crate::x11) fn is_there(&self) -> bool {
        self.is_there
    }

    /// Requests the cursor; the request stays in the output buffer. Returns `None` if the server
    /// does not provide its cursor.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub(in crate::x11) fn ask<'c>(
        &self,
        server: &'c Server,
    ) -> Result<Option<CursorAsked<'c>>, DisplayError> {
        if !self.is_there {
            return Ok(None);
        }
        let conn = &server.conn;
        if let Some((again, image)) = &*self.large.borrow()
            && Instant::now() < *again
        {
            let pointer = conn.query_pointer(server.root)?;
            return Ok(Some(CursorAsked::Place(pointer, image.clone())));
        }
        let image = conn.xfixes_get_cursor_image()?;
        conn.stream().cut_reply(image.sequence_number(), MAX_PIXELS);
        Ok(Some(CursorAsked::Image(image, Instant::now())))
    }

    /// Waits for the reply. Returns `None` if no cursor is shown.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub(in crate::x11) fn answer(
        &self,
        asked: CursorAsked<'_>,
    ) -> Result<Option<CursorImage>, DisplayError> {
        let (image, asked) = match asked {
            CursorAsked::Place(pointer, image) => {
                let reply = pointer.reply();
                let reply = reply.map_err(|error| DisplayError::reply("QueryPointer", error))?;
                return Ok(Some(CursorImage {
                    x: reply.root_x.into(),
                    y: reply.root_y.into(),
                    ..image
                }));
            }
            CursorAsked::Image(image, asked) => (image, asked),
        };
        let bytes = match image.raw_reply() {
            Ok(bytes) => bytes,
            // BadCursor: the server shows no cursor.
            Err(ReplyError::X11Error(_)) => return Ok(None),
            Err(error) => return Err(DisplayError::reply("XFixesGetCursorImage", error)),
        };
        let image = parse(bytes.as_ref())?;
        if image.is_left_out() {
            let pause = AGAIN.max(asked.elapsed() * TIMES);
            *self.large.borrow_mut() = Some((Instant::now() + pause, image.clone()));
        }
        Ok(Some(image))
    }
}

/// Whether the server has `GetCursorImage` (XFIXES 1.0). The extension requires a version query
/// before any other request.
fn available(conn: &impl RequestConnection) -> Result<bool, DisplayError> {
    if conn
        .extension_information(xfixes::X11_EXTENSION_NAME)?
        .is_none()
    {
        return Ok(false);
    }
    let version = conn.xfixes_query_version(4, 0)?.reply();
    Ok(version
        .map_err(|error| DisplayError::reply("XFixesQueryVersion", error))?
        .major_version
        >= 1)
}

/// Parses a reply, which is complete or cut to its head (XFIXES 2.0, `GetCursorImage`).
fn parse(bytes: &[u8]) -> Result<CursorImage, DisplayError> {
    let wrong = || DisplayError::Protocol("a cursor image has the wrong length");
    let head = bytes.get(..HEAD).ok_or_else(wrong)?;
    let word = |at: usize| [head[at], head[at + 1]];
    let (place, side) = (
        |at| i32::from(i16::from_ne_bytes(word(at))),
        |at| u32::from(u16::from_ne_bytes(word(at))),
    );
    let size = Size {
        width: side(12),
        height: side(14),
    };
    let pixels = bytes[HEAD..].chunks_exact(4);
    let argb: Vec<u32> = pixels
        .map(|pixel| u32::from_ne_bytes([pixel[0], pixel[1], pixel[2], pixel[3]]))
        .collect();
    let is_cut = argb.is_empty() && size.pixels() > MAX_PIXELS.into();
    if argb.len() as u64 != size.pixels() && !is_cut {
        return Err(wrong());
    }
    Ok(CursorImage {
        x: place(8),
        y: place(10),
        hot_x: side(16),
        hot_y: side(18),
        size,
        argb,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(width: u16, height: u16, pixels: usize) -> Vec<u8> {
        let mut bytes = vec![1, 0, 0, 0, 0, 0, 0, 0];
        for word in [5_u16, 6, width, height, 1, 2] {
            bytes.extend_from_slice(&word.to_ne_bytes());
        }
        bytes.resize(HEAD, 0);
        bytes.resize(HEAD + 4 * pixels, 0xff);
        bytes
    }

    #[test]
    fn an_image_is_whole_or_left_out() {
        let small = parse(&reply(2, 3, 6)).unwrap();
        assert!(!small.is_left_out() && small.argb == [u32::MAX; 6]);
        assert_eq!((small.x, small.y, small.hot_x, small.hot_y), (5, 6, 1, 2));
        assert!(!parse(&reply(0, 3, 0)).unwrap().is_left_out());
        let large = parse(&reply(4096, 4096, 0)).unwrap();
        assert!(large.is_left_out() && (large.x, large.hot_y) == (5, 2));
        for wrong in [
            reply(2, 3, 5),
            reply(2, 3, 0),
            reply(600, 600, 1),
            vec![1; 31],
        ] {
            assert!(parse(&wrong).is_err());
        }
    }
}
