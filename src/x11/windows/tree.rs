//! Which windows there are: those that the window manager lists, and the others on the screen.

use std::collections::{HashMap, HashSet};

use x11rb::protocol::xproto::{
    AtomEnum, ConnectionExt as _, GetGeometryReply, MapState, Window, WindowClass,
};

use super::{WindowAtoms, listed::Rectangle};
use crate::frame::Size;
use crate::x11::{
    connection::server::{Server, XConnection},
    error::DisplayError,
    observe::properties::gone,
};

/// Maximum number of windows that are examined. A desktop with more is not used by people.
const MAX_EXAMINED: usize = 8192;
/// Maximum number of windows between a window and the root window.
const MAX_DEPTH: usize = 8;
/// Maximum number of windows in a frame that are examined.
const MAX_FRAMED: usize = 64;

/// A window, and the child of the root window that contains it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) window: Window,
    pub(super) frame: Window,
    pub(super) managed: bool,
}

/// The places of windows on the screen.
type Areas = HashMap<Window, Rectangle>;

/// The windows, and what covers the screen.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// The windows, the topmost first.
    pub(super) windows: Vec<Place>,
    /// The children of the root window, the topmost first.
    pub(super) stack: Vec<Window>,
    /// The places of those that cover pixels of the screen. Frames of the window manager's windows are
    /// missing.
    pub(super) areas: Areas,
}

/// Returns all windows. `listed`: the window manager's list, in any order.
pub(super) fn places(
    server: &Server,
    atoms: &WindowAtoms,
    listed: &[Window],
    screen: Size,
) -> Result<Places, DisplayError> {
    let conn = &server.conn;
    let tree = conn.query_tree(server.root)?.reply();
    let tree = tree.map_err(|error| DisplayError::reply("QueryTree", error))?;
    let mut children = tree.children;
    // The last one is the topmost.
    children.reverse();
    children.truncate(MAX_EXAMINED);
    let listed = &listed[..listed.len().min(MAX_EXAMINED)];
    let frames = frames(conn, server.root, listed)?;
    let clients: HashMap<Window, Window> = frames
        .iter()
        .map(|(client, frame)| (*frame, *client))
        .collect();
    let rest: Vec<Window> = children
        .iter()
        .copied()
        .filter(|child| !clients.contains_key(child))
        .collect();
    let (rest, areas) = unlisted(conn, atoms, &rest, screen)?;
    // A window whose frame was made after the tree was read is new, and therefore on top.
    let known: HashSet<Window> = children.iter().copied().collect();
    let new = frames.iter().filter(|(_, frame)| !known.contains(frame));
    let mut found: Vec<Place> = new
        .map(|(window, frame)| Place {
            window: *window,
            frame: *frame,
            managed: true,
        })
        .collect();
    let mut stack: Vec<Window> = found.iter().map(|place| place.frame).collect();
    stack.extend(&children);
    for child in children {
        if let Some(client) = clients.get(&child) {
            found.push(Place {
                window: *client,
                frame: child,
                managed: true,
            });
        } else if let Some(place) = rest.get(&child) {
            found.push(*place);
        }
    }
    Ok(Places {
        windows: found,
        stack,
        areas,
    })
}

/// Returns, for each window, the child of the root window that contains it.
fn frames(
    conn: &XConnection,
    root: Window,
    windows: &[Window],
) -> Result<Vec<(Window, Window)>, DisplayError> {
    let mut known = HashSet::new();
    // A window manager may list a window twice.
    let windows = windows.iter().filter(|window| known.insert(**window));
    let mut open: Vec<(Window, Window)> = windows.map(|window| (*window, *window)).collect();
    let mut found = Vec::new();
    for _ in 0..MAX_DEPTH {
        let mut asked = Vec::new();
        for (_, at) in &open {
            asked.push(conn.query_tree(*at)?);
        }
        let mut next = Vec::new();
        for ((window, at), tree) in open.into_iter().zip(asked) {
            match gone(tree.reply())?.map(|tree| tree.parent) {
                None | Some(0) => {}
                Some(parent) if parent == root => found.push((window, at)),
                Some(parent) => next.push((window, parent)),
            }
        }
        if next.is_empty() {
            break;
        }
        open = next;
    }
    Ok(found)
}

/// Returns those children of the root window that are on the screen and show something, and the places
/// of all that cover pixels. Without a list of the window manager, a child may be the frame of a
/// window, which has `WM_STATE` (ICCCM 4.1.3.1).
fn unlisted(
    conn: &XConnection,
    atoms: &WindowAtoms,
    children: &[Window],
    screen: Size,
) -> Result<(HashMap<Window, Place>, Areas), DisplayError> {
    let mut areas = Areas::new();
    let mut asked = Vec::new();
    for child in children {
        asked.push((
            conn.get_window_attributes(*child)?,
            conn.get_geometry(*child)?,
        ));
    }
    let mut shown = Vec::new();
    for (child, (attributes, geometry)) in children.iter().zip(asked) {
        let (attributes, geometry) = (gone(attributes.reply())?, gone(geometry.reply())?);
        let (Some(attributes), Some(geometry)) = (attributes, geometry) else {
            continue;
        };
        let overlaps = |start: i16, length: u16, screen: u32| {
            let start = i64::from(start);
            start < i64::from(screen) && start + i64::from(length) > 0
        };
        if attributes.map_state != MapState::VIEWABLE || attributes.class == WindowClass::INPUT_ONLY
        {
            continue;
        }
        areas.insert(*child, outer(&geometry));
        let is_shown = geometry.width > 1
            && geometry.height > 1
            && overlaps(geometry.x, geometry.width, screen.width)
            && overlaps(geometry.y, geometry.height, screen.height);
        if is_shown {
            shown.push((*child, attributes.override_redirect));
        }
    }
    let mut asked = Vec::new();
    for (child, _) in &shown {
        asked.push((has_state(conn, atoms, *child)?, conn.query_tree(*child)?));
    }
    let mut found = HashMap::new();
    for ((child, is_popup), (state, tree)) in shown.into_iter().zip(asked) {
        let is_client = gone(state.reply())?.is_some_and(|state| state.type_ != 0);
        let inner = gone(tree.reply())?
            .map(|tree| tree.children)
            .unwrap_or_default();
        let client = match is_client || is_popup && inner.is_empty() {
            true => None,
            false => client_of(conn, atoms, &inner)?,
        };
        let place = Place {
            window: client.unwrap_or(child),
            frame: child,
            managed: is_client || client.is_some(),
        };
        found.insert(child, place);
    }
    Ok((found, areas))
}

/// Returns the place of a child of the root window, with its border.
pub(super) fn outer(geometry: &GetGeometryReply) -> Rectangle {
    let border = 2 * u32::from(geometry.border_width);
    Rectangle {
        x: geometry.x.into(),
        y: geometry.y.into(),
        width: u32::from(geometry.width) + border,
        height: u32::from(geometry.height) + border,
    }
}

type StateCookie<'c> =
    x11rb::cookie::Cookie<'c, XConnection, x11rb::protocol::xproto::GetPropertyReply>;

fn has_state<'c>(
    conn: &'c XConnection,
    atoms: &WindowAtoms,
    window: Window,
) -> Result<StateCookie<'c>, DisplayError> {
    Ok(conn.get_property(false, window, atoms.WM_STATE, AtomEnum::ANY, 0, 0)?)
}

fn client_of(
    conn: &XConnection,
    atoms: &WindowAtoms,
    children: &[Window],
) -> Result<Option<Window>, DisplayError> {
    let children = &children[..children.len().min(MAX_FRAMED)];
    let mut asked = Vec::new();
    for child in children {
        asked.push(has_state(conn, atoms, *child)?);
    }
    let mut found = None;
    for (child, state) in children.iter().zip(asked) {
        let is_client = gone(state.reply())?.is_some_and(|state| state.type_ != 0);
        if is_client && found.is_none() {
            found = Some(*child);
        }
    }
    Ok(found)
}
