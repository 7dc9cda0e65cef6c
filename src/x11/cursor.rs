//! The pointer's image, by XFIXES.

use x11rb::{
    connection::RequestConnection,
    cookie::Cookie,
    errors::ReplyError,
    protocol::xfixes::{self, ConnectionExt as _, GetCursorImageReply},
};

use super::Error;
use crate::frame::{CursorImage, Size};

/// Whether the server can show its cursor to us. `GetCursorImage` is of XFIXES
/// 1.0, and the extension wants its version asked before anything else.
pub(super) fn available(conn: &impl RequestConnection) -> Result<bool, Error> {
    if conn
        .extension_information(xfixes::X11_EXTENSION_NAME)?
        .is_none()
    {
        return Ok(false);
    }
    let version = conn.xfixes_query_version(4, 0)?.reply();
    Ok(version
        .map_err(|error| Error::reply("XFixesQueryVersion", error))?
        .major_version
        >= 1)
}

/// The answer to `GetCursorImage`: `None` when no cursor is shown at all.
pub(super) fn image<C: RequestConnection>(
    cookie: Cookie<'_, C, GetCursorImageReply>,
) -> Result<Option<CursorImage>, Error> {
    match cookie.reply() {
        Ok(reply) => of_reply(reply).map(Some),
        // BadCursor: the server shows none.
        Err(ReplyError::X11Error(_)) => Ok(None),
        Err(error) => Err(Error::reply("XFixesGetCursorImage", error)),
    }
}

fn of_reply(reply: GetCursorImageReply) -> Result<CursorImage, Error> {
    let size = Size {
        width: reply.width.into(),
        height: reply.height.into(),
    };
    if u64::try_from(reply.cursor_image.len()) != Ok(size.pixels()) {
        return Err(Error::Protocol("a cursor image has the wrong length"));
    }
    Ok(CursorImage {
        x: reply.x.into(),
        y: reply.y.into(),
        hot_x: reply.xhot.into(),
        hot_y: reply.yhot.into(),
        size,
        argb: reply.cursor_image,
    })
}
