//! Finds the process that a window belongs to.

use x11rb::{
    connection::{Connection as _, RequestConnection as _},
    errors::ReplyError,
    protocol::{
        res::{self, ClientIdMask, ClientIdSpec, ConnectionExt as _},
        xproto::{AtomEnum, Window},
    },
};

use crate::x11::{
    connection::server::{Server, XConnection},
    error::DisplayError,
    observe::properties::{Atoms, PropertyCookie, property, values},
};

/// The process of a window: from the server if it reports processes, else from `_NET_WM_PID`.
pub(in crate::x11) fn pid(
    server: &Server,
    atoms: &Atoms,
    window: Window,
    has_resource: bool,
) -> Result<Option<u32>, DisplayError> {
    if !has_resource {
        // The window belongs to another program, so its property must not name deskd.
        let pid = own_word(process(&server.conn, atoms, window)?)?;
        return Ok(pid.filter(|pid| *pid != std::process::id()));
    }
    client_pid(server, window)
}

/// The process of the client that created a window, as the server reports it; `None` if that
/// client has ended or the server cannot name its process.
pub(in crate::x11) fn client_pid(
    server: &Server,
    window: Window,
) -> Result<Option<u32>, DisplayError> {
    let spec = ClientIdSpec {
        client: window,
        mask: ClientIdMask::LOCAL_CLIENT_PID,
    };
    let reply = server.conn.res_query_client_ids(&[spec])?.reply();
    let reply = match reply {
        Ok(reply) => reply,
        Err(ReplyError::X11Error(_)) => return Ok(None),
        Err(error) => return Err(DisplayError::reply("XResQueryClientIds", error)),
    };
    let pid = reply.ids.iter().find_map(|id| id.value.first().copied());
    // The pid is 0 if the server cannot determine the process.
    Ok(pid.filter(|pid| *pid != 0))
}

/// Requests `_NET_WM_PID` (EWMH), for a server that does not report processes.
pub(in crate::x11) fn process<'c>(
    conn: &'c XConnection,
    atoms: &Atoms,
    window: Window,
) -> Result<PropertyCookie<'c>, DisplayError> {
    property(conn, window, atoms._NET_WM_PID, AtomEnum::CARDINAL)
}

pub(in crate::x11) fn own_word(said: PropertyCookie<'_>) -> Result<Option<u32>, DisplayError> {
    let pid = values(said.reply())?.first().copied();
    Ok(pid.filter(|pid| *pid > 1))
}

/// Whether the server correctly reports the process of each client, tested with this connection.
/// Under gVisor, the server reports itself for all of them, because `SO_PEERCRED` returns the
/// caller; in another pid namespace, the numbers differ.
pub(in crate::x11) fn knows_processes(server: &Server) -> Result<bool, DisplayError> {
    let conn = &server.conn;
    if conn
        .extension_information(res::X11_EXTENSION_NAME)?
        .is_none()
    {
        return Ok(false);
    }
    let version = conn.res_query_version(1, 2)?.reply();
    if !version.is_ok_and(|version| (version.server_major, version.server_minor) >= (1, 2)) {
        return Ok(false);
    }
    let own = ClientIdSpec {
        client: conn.setup().resource_id_base,
        mask: ClientIdMask::LOCAL_CLIENT_PID,
    };
    let reply = conn.res_query_client_ids(&[own])?.reply();
    let reply = reply.map_err(|error| DisplayError::reply("XResQueryClientIds", error))?;
    let pid = reply.ids.iter().find_map(|id| id.value.first().copied());
    Ok(pid == Some(std::process::id()))
}
