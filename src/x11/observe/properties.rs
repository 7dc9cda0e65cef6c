//! Reads window properties. A window can be destroyed at any moment, which is not an error here.

use x11rb::{
    errors::ReplyError,
    protocol::xproto::{Atom, AtomEnum, ConnectionExt as _, GetPropertyReply, Window},
};

use crate::x11::{connection::server::XConnection, error::DisplayError};

x11rb::atom_manager! {
    /// The atoms that the observer uses.
    pub(in crate::x11) Atoms: AtomsCookie {
        _NET_ACTIVE_WINDOW,
        _NET_CLIENT_LIST,
        _NET_SUPPORTING_WM_CHECK,
        _NET_WM_PING,
        _NET_WM_WINDOW_TYPE,
        _NET_WM_WINDOW_TYPE_DESKTOP,
        _NET_WM_WINDOW_TYPE_DOCK,
        _NET_WM_NAME,
        _NET_WM_PID,
        UTF8_STRING,
        WM_PROTOCOLS,
        WM_STATE,
        WM_TAKE_FOCUS,
        WM_WINDOW_ROLE,
    }
}

pub(in crate::x11) type PropertyCookie<'c> =
    x11rb::cookie::Cookie<'c, XConnection, GetPropertyReply>;

pub(in crate::x11) fn property(
    conn: &XConnection,
    window: Window,
    name: Atom,
    kind: AtomEnum,
) -> Result<PropertyCookie<'_>, DisplayError> {
    Ok(conn.get_property(false, window, name, kind, 0, 1024)?)
}

/// Returns `None` for an X error, which means that the window was destroyed meanwhile.
pub(in crate::x11) fn gone<T>(reply: Result<T, ReplyError>) -> Result<Option<T>, DisplayError> {
    match reply {
        Ok(reply) => Ok(Some(reply)),
        Err(ReplyError::X11Error(_)) => Ok(None),
        Err(error) => Err(DisplayError::reply("a window's state", error)),
    }
}

pub(in crate::x11) fn values(
    reply: Result<GetPropertyReply, ReplyError>,
) -> Result<Vec<u32>, DisplayError> {
    let reply = gone(reply)?;
    let list = reply
        .as_ref()
        .and_then(|reply| Some(reply.value32()?.collect()));
    Ok(list.unwrap_or_default())
}
