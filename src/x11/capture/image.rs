//! Requests rows of the screen, and checks the replies.

use std::ops::Range;

use x11rb::{
    cookie::Cookie,
    protocol::{
        shm::{self, ConnectionExt as _, Seg},
        xproto::{ConnectionExt as _, GetImageReply, ImageFormat},
    },
};

use crate::{
    frame::Size,
    x11::{
        connection::server::{Server, XConnection},
        error::DisplayError,
    },
};

/// Requests rows of the screen. The shared segment, if one is given, receives them at their place
/// in the whole image; else the reply has them.
pub(super) fn ask<'c>(
    server: &'c Server,
    size: Size,
    segment: Option<Seg>,
    rows: &Range<u32>,
) -> Result<AskedImage<'c>, DisplayError> {
    let (conn, root, format) = (&server.conn, server.root, ImageFormat::Z_PIXMAP);
    let (width, _) = wire_size(size)?;
    let short = |pixels: u32| i16::try_from(pixels).map_err(|_| DisplayError::TooLarge(size));
    let (y, height) = (
        short(rows.start)?,
        u16::try_from(rows.len()).map_err(|_| DisplayError::TooLarge(size))?,
    );
    let band = Size {
        height: rows.end - rows.start,
        ..size
    };
    let expected = server.format.image_bytes(band);
    let depth = server.depth;
    let kind = match segment {
        Some(id) => {
            let offset = server.format.stride(size.width) * rows.start as usize;
            let offset = u32::try_from(offset).map_err(|_| DisplayError::TooLarge(size))?;
            let all = u32::MAX;
            let format = format.into();
            ImageAsked::Shared(
                conn.shm_get_image(root, 0, y, width, height, all, format, id, offset)?,
            )
        }
        None => ImageAsked::Plain(conn.get_image(format, root, 0, y, width, height, u32::MAX)?),
    };
    Ok(AskedImage {
        asked: kind,
        expected,
        depth,
    })
}

/// An image request that was sent.
pub(super) struct AskedImage<'c> {
    asked: ImageAsked<'c>,
    /// Minimum number of bytes in the reply.
    expected: usize,
    depth: u8,
}

enum ImageAsked<'c> {
    /// The image goes into shared memory.
    Shared(Cookie<'c, XConnection, shm::GetImageReply>),
    /// The image comes over the socket.
    Plain(Cookie<'c, XConnection, GetImageReply>),
}

impl AskedImage<'_> {
    /// Returns the image's bytes; none if they are in shared memory.
    pub(super) fn reply(self) -> Result<Vec<u8>, DisplayError> {
        let (depth, bytes, data) = match self.asked {
            ImageAsked::Shared(cookie) => {
                let reply = cookie.reply();
                let reply = reply.map_err(|error| DisplayError::reply("ShmGetImage", error))?;
                (reply.depth, reply.size as usize, Vec::new())
            }
            ImageAsked::Plain(cookie) => {
                let reply = cookie.reply();
                let reply = reply.map_err(|error| DisplayError::reply("GetImage", error))?;
                (reply.depth, reply.data.len(), reply.data)
            }
        };
        if depth != self.depth || bytes < self.expected {
            return Err(too_short());
        }
        Ok(data)
    }
}

pub(super) fn too_short() -> DisplayError {
    DisplayError::Protocol("an image is shorter than the screen")
}

fn wire_size(size: Size) -> Result<(u16, u16), DisplayError> {
    let side = |pixels: u32| u16::try_from(pixels).map_err(|_| DisplayError::TooLarge(size));
    Ok((side(size.width)?, side(size.height)?))
}
