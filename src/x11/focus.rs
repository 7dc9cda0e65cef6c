//! The window that keys go to, and the program behind it.

use x11rb::{
    connection::Connection as _,
    protocol::{
        res::{ClientIdMask, ClientIdSpec, ConnectionExt as _},
        xproto::{AtomEnum, ConnectionExt as _, InputFocus, Window},
    },
};

use super::{
    Error,
    connect::Server,
    scene::{self, Atoms},
};
use crate::facts::WindowId;

/// How far a focused window may lie below its top-level window.
const DEEPEST: usize = 16;

/// The top-level window that has the focus: the one with `WM_CLASS` (ICCCM 2.0),
/// else the child of the root window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Focus {
    /// Its id.
    pub window: WindowId,
    /// It takes part in `_NET_WM_PING`.
    pub pings: bool,
    /// The process that made it, where the X server tells (X-Resource), or it says so.
    pub pid: Option<u32>,
    /// `WM_CLASS`, in lower case.
    pub class: String,
    /// The bits of an id that say which client it belongs to.
    client: u32,
    /// What the server calls its focus.
    focused: Window,
}

impl Focus {
    /// Whether the same client made that window.
    pub fn made(&self, window: WindowId) -> bool {
        window & self.client == self.window & self.client
    }
}

/// Who has the focus, when it may still be `last`; `None` when nobody has.
pub(super) fn read(
    server: &Server,
    atoms: &Atoms,
    has_resource: bool,
    last: Option<&Focus>,
) -> Result<Option<Focus>, Error> {
    let conn = &server.conn;
    let focus = conn.get_input_focus()?.reply();
    let focus = focus.map_err(|error| Error::reply("GetInputFocus", error))?;
    let focused = focus.focus;
    let mut window = focused;
    if window == u32::from(u8::from(InputFocus::NONE)) {
        return Ok(None);
    }
    let at_pointer = window == u32::from(u8::from(InputFocus::POINTER_ROOT));
    if at_pointer || window == server.root {
        // Keys go to whatever lies under the pointer.
        window = under_pointer(server)?;
    } else if let Some(last) = last.filter(|last| last.focused == focused) {
        return Ok(Some(last.clone()));
    }
    let focus = describe(server, atoms, has_resource, window)?;
    Ok(focus.map(|focus| Focus { focused, ..focus }))
}

/// The top-level window of a window; `None` when it has gone.
pub(super) fn describe(
    server: &Server,
    atoms: &Atoms,
    has_resource: bool,
    mut window: Window,
) -> Result<Option<Focus>, Error> {
    let conn = &server.conn;
    for _ in 0..DEEPEST {
        if window == 0 || window == server.root {
            return Ok(None);
        }
        let class =
            conn.get_property(false, window, AtomEnum::WM_CLASS, AtomEnum::STRING, 0, 64)?;
        let protocols =
            conn.get_property(false, window, atoms.WM_PROTOCOLS, AtomEnum::ATOM, 0, 32)?;
        let tree = conn.query_tree(window)?;
        // It may go while one looks.
        let (Ok(class), Ok(protocols), Ok(tree)) = (class.reply(), protocols.reply(), tree.reply())
        else {
            return Ok(None);
        };
        if class.type_ == x11rb::NONE && tree.parent != server.root {
            window = tree.parent;
            continue;
        }
        let mut protocols = protocols.value32().into_iter().flatten();
        return Ok(Some(Focus {
            window,
            pings: protocols.any(|atom| atom == atoms._NET_WM_PING),
            pid: pid(server, atoms, window, has_resource)?,
            class: String::from_utf8_lossy(&class.value).to_lowercase(),
            client: !conn.setup().resource_id_mask,
            focused: window,
        }));
    }
    Ok(None)
}

/// The smallest window under the pointer; 0 without one.
fn under_pointer(server: &Server) -> Result<Window, Error> {
    let (mut window, mut below) = (0, server.root);
    for _ in 0..DEEPEST {
        let Ok(reply) = server.conn.query_pointer(below)?.reply() else {
            break;
        };
        if reply.child == 0 {
            break;
        }
        window = reply.child;
        below = reply.child;
    }
    Ok(window)
}

fn pid(
    server: &Server,
    atoms: &Atoms,
    window: Window,
    has_resource: bool,
) -> Result<Option<u32>, Error> {
    if !has_resource {
        return scene::own_word(scene::process(&server.conn, atoms, window)?);
    }
    let spec = ClientIdSpec {
        client: window,
        mask: ClientIdMask::LOCAL_CLIENT_PID,
    };
    let reply = server.conn.res_query_client_ids(&[spec])?.reply();
    let reply = reply.map_err(|error| Error::reply("XResQueryClientIds", error))?;
    let pid = reply.ids.iter().find_map(|id| id.value.first().copied());
    // 0: a process that the server cannot name.
    Ok(pid.filter(|pid| *pid != 0))
}
