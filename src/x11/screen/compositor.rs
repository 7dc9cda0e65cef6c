//! The compositing manager of a screen, which draws shadows and transparency.

use x11rb::{
    connection::RequestConnection as _,
    protocol::{
        xfixes,
        xfixes::{ConnectionExt as _, SelectionEventMask},
        xproto::{Atom, ConnectionExt as _},
    },
};

use crate::x11::{connection::server::Server, error::DisplayError};

/// Returns the selection that the compositing manager of the screen owns (EWMH 1.5,
/// `_NET_WM_CM_Sn`), and has the server report each change of its owner, if the server can
/// (XFIXES 1.0).
///
/// # Errors
///
/// When the connection ended.
pub(in crate::x11) fn follow(server: &Server, screen: usize) -> Result<Atom, DisplayError> {
    let conn = &server.conn;
    let name = format!("_NET_WM_CM_S{screen}");
    let atom = conn.intern_atom(false, name.as_bytes())?.reply();
    let atom = atom.map_err(|error| DisplayError::reply("InternAtom", error))?;
    let has_fixes = conn.extension_information(xfixes::X11_EXTENSION_NAME)?;
    // The extension requires a version query before any other request.
    if has_fixes.is_some() && conn.xfixes_query_version(5, 0)?.reply().is_ok() {
        let events = SelectionEventMask::SET_SELECTION_OWNER
            | SelectionEventMask::SELECTION_WINDOW_DESTROY
            | SelectionEventMask::SELECTION_CLIENT_CLOSE;
        conn.xfixes_select_selection_input(server.root, atom.atom, events)?
            .ignore_error();
    }
    Ok(atom.atom)
}
