//! The windows on the screen: window manager, desktop, docks, others, and the processes
//! behind them (EWMH 1.5; X-Resource 1.2).

use std::collections::HashMap;

use x11rb::{
    connection::Connection as _,
    errors::ReplyError,
    protocol::{
        res::{ClientIdMask, ClientIdSpec, ConnectionExt as _},
        xproto::{
            Atom, AtomEnum, ConnectionExt as _, GetPropertyReply, MapState, Window, WindowClass,
        },
    },
};

use crate::x11::{
    connection::server::{Server, XConnection},
    error::DisplayError,
    observe::{
        owner,
        properties::{Atoms, gone, property, values},
    },
};
use crate::{
    facts::{self, NamedWindow, Role, Scene, WindowManager},
    frame::{Region, Size},
    processes,
};

/// Maximum number of windows read from each list; more are ignored.
const MAX_WINDOWS: usize = 256;

/// A window, and the position of its top-left corner on the screen, which may lie outside.
#[derive(Debug, Clone, Copy)]
pub(in crate::x11) struct PlacedWindow {
    pub(in crate::x11) window: Window,
    pub(in crate::x11) x: i16,
    pub(in crate::x11) y: i16,
}

/// Reads the scene, and the position of each window in it.
pub(in crate::x11) fn read(
    server: &Server,
    atoms: &Atoms,
    has_resource: bool,
    size: Size,
) -> Result<(Scene, Vec<PlacedWindow>), DisplayError> {
    let conn = &server.conn;
    let root = server.root;
    let check = property(conn, root, atoms._NET_SUPPORTING_WM_CHECK, AtomEnum::WINDOW)?;
    let listed = property(conn, root, atoms._NET_CLIENT_LIST, AtomEnum::WINDOW)?;
    let active = property(conn, root, atoms._NET_ACTIVE_WINDOW, AtomEnum::WINDOW)?;
    let tree = conn.query_tree(root)?;
    let owners = if has_resource {
        let all = ClientIdSpec {
            client: 0,
            mask: ClientIdMask::LOCAL_CLIENT_PID,
        };
        Some(conn.res_query_client_ids(&[all])?)
    } else {
        None
    };
    let check = values(check.reply())?;
    let listed = values(listed.reply())?;
    let active = values(active.reply())?;
    let children = tree
        .reply()
        .map_err(|error| DisplayError::reply("QueryTree", error))?;
    let ids = match owners {
        None => None,
        Some(cookie) => {
            let reply = cookie
                .reply()
                .map_err(|error| DisplayError::reply("XResQueryClientIds", error))?;
            Some(reply.ids)
        }
    };
    let owners = Owners::new(ids, conn.setup().resource_id_mask);

    let manager =
        match manager_window(conn, atoms._NET_SUPPORTING_WM_CHECK, check.first().copied())? {
            None => None,
            Some(window) => Some(WindowManager {
                window,
                pid: match owners.pids {
                    Some(_) => owners.pid(window),
                    None => owner::own_word(owner::process(conn, atoms, window)?)?,
                },
            }),
        };
    let of_manager =
        |window: Window| manager.is_some_and(|manager| owners.same_client(window, manager.window));
    // Children of the root window that belong to the window manager are frames. The client
    // windows inside them are listed in `_NET_CLIENT_LIST`.
    let mut candidates = if manager.is_some() {
        listed
    } else {
        Vec::new()
    };
    candidates.truncate(MAX_WINDOWS);
    let managed = candidates.len();
    let children = children.children.iter().copied().rev();
    let (frames, mut rest): (Vec<Window>, Vec<Window>) = children.partition(|w| of_manager(*w));
    // i3 does not list docks, although they lie in frames too.
    let framed = framed(conn, &frames[..frames.len().min(MAX_WINDOWS)])?;
    rest.extend(framed.into_iter().filter(|window| !of_manager(*window)));
    for window in rest.into_iter().take(MAX_WINDOWS) {
        if !candidates.contains(&window) {
            candidates.push(window);
        }
    }
    let (windows, places) = windows(server, atoms, candidates.split_at(managed), &owners, size)?;
    let seen: Vec<u32> = windows
        .iter()
        .filter(|w| w.viewable)
        .map(|w| w.id)
        .collect();
    let other_clients = owners.others(manager.and_then(|m| m.pid), &seen);
    let scene = Scene {
        size,
        window_manager: manager,
        active: active.first().copied().filter(|window| *window != 0),
        windows,
        other_clients,
    };
    Ok((scene, places))
}

/// Returns the children of the window manager's frames, in one round trip.
fn framed(conn: &XConnection, frames: &[Window]) -> Result<Vec<Window>, DisplayError> {
    let mut asked = Vec::new();
    for frame in frames {
        asked.push(conn.query_tree(*frame)?);
    }
    let mut found = Vec::new();
    for cookie in asked {
        let tree = gone(cookie.reply())?;
        found.extend(tree.into_iter().flat_map(|tree| tree.children));
    }
    Ok(found)
}

/// Reads the names that windows give themselves.
pub(in crate::x11) fn names(
    server: &Server,
    atoms: &Atoms,
    windows: &[Window],
) -> Result<Vec<NamedWindow>, DisplayError> {
    let conn = &server.conn;
    let mut asked = Vec::new();
    for window in windows {
        let text = |name, kind: Atom| conn.get_property(false, *window, name, kind, 0, 256);
        asked.push((
            text(atoms._NET_WM_NAME, atoms.UTF8_STRING)?,
            text(AtomEnum::WM_NAME.into(), AtomEnum::ANY.into())?,
            text(AtomEnum::WM_CLASS.into(), AtomEnum::STRING.into())?,
        ));
    }
    let mut found = Vec::new();
    for (window, (title, older, class)) in windows.iter().zip(asked) {
        let text = |reply: Result<GetPropertyReply, ReplyError>| {
            Ok::<_, DisplayError>(
                gone(reply)?.map_or(String::new(), |reply| match reply.type_ {
                    // ISO 8859-1 (ICCCM 2.7.1): the first 256 characters of Unicode.
                    kind if kind == u32::from(AtomEnum::STRING) => {
                        reply.value.into_iter().map(char::from).collect()
                    }
                    _ => String::from_utf8_lossy(&reply.value).into_owned(),
                }),
            )
        };
        let (title, older, class) = (
            text(title.reply())?,
            text(older.reply())?,
            text(class.reply())?,
        );
        let parts = class.split('\0').filter(|part| !part.is_empty());
        found.push(NamedWindow {
            window: *window,
            title: if title.is_empty() { older } else { title },
            class: parts.map(str::to_owned).collect(),
        });
    }
    Ok(found)
}

/// Reads the window manager only, for the pacing of a step.
pub(in crate::x11) fn window_manager(
    server: &Server,
    atoms: &Atoms,
    has_resource: bool,
) -> Result<Option<WindowManager>, DisplayError> {
    let (conn, root) = (&server.conn, server.root);
    let check = property(conn, root, atoms._NET_SUPPORTING_WM_CHECK, AtomEnum::WINDOW)?;
    let check = values(check.reply())?;
    let Some(window) =
        manager_window(conn, atoms._NET_SUPPORTING_WM_CHECK, check.first().copied())?
    else {
        return Ok(None);
    };
    Ok(Some(WindowManager {
        window,
        pid: owner::pid(server, atoms, window, has_resource)?,
    }))
}

/// Returns the check window if its own property names it, as EWMH requires. Otherwise the root
/// window's property was left by a window manager that has ended. `name`: the atom of
/// `_NET_SUPPORTING_WM_CHECK`.
pub(in crate::x11) fn manager_window(
    conn: &XConnection,
    name: Atom,
    check: Option<Window>,
) -> Result<Option<Window>, DisplayError> {
    let Some(window) = check else {
        return Ok(None);
    };
    let own = property(conn, window, name, AtomEnum::WINDOW)?;
    let own = values(own.reply())?;
    Ok((own.first() == Some(&window)).then_some(window))
}

fn windows(
    server: &Server,
    atoms: &Atoms,
    (managed, others): (&[Window], &[Window]),
    owners: &Owners,
    screen: Size,
) -> Result<(Vec<facts::Window>, Vec<PlacedWindow>), DisplayError> {
    let conn = &server.conn;
    // All requests are sent before the first reply is read: one round trip for all windows.
    let candidates = || managed.iter().chain(others);
    let mut asked = Vec::new();
    for window in candidates() {
        asked.push((
            conn.get_window_attributes(*window)?,
            conn.get_geometry(*window)?,
            conn.translate_coordinates(*window, server.root, 0, 0)?,
            property(conn, *window, atoms._NET_WM_WINDOW_TYPE, AtomEnum::ATOM)?,
            property(conn, *window, atoms.WM_PROTOCOLS, AtomEnum::ATOM)?,
            match owners.pids {
                Some(_) => None,
                None => Some(owner::process(conn, atoms, *window)?),
            },
        ));
    }
    let (mut found, mut places) = (Vec::new(), Vec::new());
    for (window, (attributes, geometry, origin, kind, protocols, said)) in candidates().zip(asked) {
        let attributes = gone(attributes.reply())?;
        let geometry = gone(geometry.reply())?;
        let origin = gone(origin.reply())?;
        let kind = values(kind.reply())?;
        let protocols = values(protocols.reply())?;
        let pid = match said {
            None => owners.pid(*window),
            Some(said) => owner::own_word(said)?,
        };
        let (Some(attributes), Some(geometry), Some(origin)) = (attributes, geometry, origin)
        else {
            continue;
        };
        if attributes.class == WindowClass::INPUT_ONLY {
            continue;
        }
        let (x, y) = (origin.dst_x, origin.dst_y);
        let (width, height) = (geometry.width.into(), geometry.height.into());
        let role = if kind.contains(&atoms._NET_WM_WINDOW_TYPE_DESKTOP) {
            Role::Desktop
        } else if kind.contains(&atoms._NET_WM_WINDOW_TYPE_DOCK) {
            Role::Dock
        } else {
            Role::TopLevel
        };
        found.push(facts::Window {
            id: *window,
            role,
            area: Region::clipped(x.into(), y.into(), width, height, screen),
            viewable: attributes.map_state == MapState::VIEWABLE,
            managed: managed.contains(window),
            pings: protocols.contains(&atoms._NET_WM_PING),
            pid,
            age: pid.filter(|_| role == Role::Dock).and_then(processes::age),
        });
        places.push(PlacedWindow {
            window: *window,
            x,
            y,
        });
    }
    Ok((found, places))
}

/// Maps the resource ids of clients to their processes.
pub(in crate::x11) struct Owners {
    /// Client id → pid; `None` if the server does not report processes.
    pids: Option<HashMap<u32, u32>>,
    id_mask: u32,
}

impl Owners {
    pub(in crate::x11) fn new(
        ids: Option<Vec<x11rb::protocol::res::ClientIdValue>>,
        id_mask: u32,
    ) -> Self {
        let pids = ids.map(|ids| {
            ids.iter()
                .filter_map(|id| Some((id.spec.client & !id_mask, *id.value.first()?)))
                // Client 0 is the server itself.
                .filter(|(client, _)| *client != 0)
                .collect()
        });
        Self { pids, id_mask }
    }

    /// The process of the client that created the window.
    pub(in crate::x11) fn pid(&self, window: Window) -> Option<u32> {
        let pids = self.pids.as_ref()?;
        let pid = pids.get(&(window & !self.id_mask)).copied();
        // The pid is 0 if the server cannot determine the process.
        pid.filter(|pid| *pid != 0)
    }

    fn same_client(&self, a: Window, b: Window) -> bool {
        a & !self.id_mask == b & !self.id_mask
    }

    /// Number of clients besides deskd and the window manager that show a window or were started
    /// within the last 5 s. Others, such as a VNC server, a clipboard manager or the
    /// accessibility bus, draw nothing.
    fn others(&self, manager: Option<u32>, seen: &[Window]) -> Option<usize> {
        let own = std::process::id();
        let is_other = |pid: u32| pid != own && Some(pid) != manager && pid != 0;
        let may_draw = |(client, pid): &(&u32, &u32)| {
            let shows = seen.iter().any(|window| window & !self.id_mask == **client);
            // If the process has ended, it passed its connection on, as `xclip` does: not young.
            let young = || processes::age(**pid).is_some_and(|age| age < processes::YOUNG);
            is_other(**pid) && (shows || young())
        };
        Some(self.pids.as_ref()?.iter().filter(may_draw).count())
    }
}

#[cfg(test)]
mod tests {
    use x11rb::protocol::res::{ClientIdSpec, ClientIdValue};

    use super::*;

    /// Xvfb's: 21 bits of a resource id belong to its client.
    const ID_MASK: u32 = 0x001f_ffff;

    fn of(client: u32, pid: u32) -> ClientIdValue {
        ClientIdValue {
            spec: ClientIdSpec {
                client: client << 21,
                mask: 2_u32.into(),
            },
            value: vec![pid],
        }
    }

    #[test]
    fn a_window_belongs_to_the_process_of_its_client() {
        let owners = Owners::new(Some(vec![of(0, 1), of(3, 42), of(4, 0)]), ID_MASK);
        assert_eq!(owners.pid(3 << 21 | 7), Some(42));
        assert_eq!(owners.pid(4 << 21 | 7), None, "a process that is not known");
        assert_eq!(owners.pid(5 << 21), None, "another client");
        assert_eq!(owners.pid(9), None, "the server's own resources");
        assert!(owners.same_client(3 << 21 | 1, 3 << 21 | 2));
        assert!(!owners.same_client(3 << 21 | 1, 4 << 21 | 1));
        let unknown = Owners::new(None, ID_MASK);
        assert_eq!(unknown.pid(3 << 21 | 7), None);
        assert_eq!(unknown.others(None, &[]), None);
    }

    #[test]
    fn others_are_clients_that_show_a_window_or_are_young() {
        let own = std::process::id();
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        // Process 1 is old; the child is young; 4 and 5 are deskd and the window manager.
        let ids = vec![of(2, 1), of(3, child.id()), of(4, own), of(5, 2), of(6, 0)];
        let owners = Owners::new(Some(ids), ID_MASK);
        let shown = |client: u32| client << 21 | 1;
        assert_eq!(owners.others(Some(2), &[]), Some(1), "the child");
        assert_eq!(
            owners.others(Some(2), &[shown(2)]),
            Some(2),
            "and one that shows"
        );
        let all = [shown(2), shown(3), shown(4), shown(5), shown(6)];
        assert_eq!(owners.others(Some(2), &all), Some(2));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
