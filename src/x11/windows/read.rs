//! Reads the windows: all requests of a stage are sent before the first reply is read.

use std::collections::HashMap;

use x11rb::{
    connection::Connection,
    errors::ReplyError,
    protocol::{
        res::{ClientIdMask, ClientIdSpec, ConnectionExt as _},
        xproto::{
            Atom, AtomEnum, ConnectionExt as _, GetGeometryReply, GetPropertyReply, InputFocus,
            MapState, Window,
        },
    },
};

use super::{
    WindowAtoms,
    listed::{ListedWindow, Rectangle, WindowKind, WindowList, WindowStates, id},
    tree::{Place, Places, outer, places},
};
use crate::x11::{
    connection::server::{Server, XConnection},
    error::DisplayError,
    observe::{
        properties::{PropertyCookie, gone, values},
        scene,
    },
    screen::root_state::Generation,
};
use crate::{frame::Size, processes, text::keep_start};

/// Maximum number of windows in a list.
pub const MAX_WINDOWS: usize = 1024;
/// Maximum length of a title, in units of 4 bytes.
const TITLE: u32 = 256;
/// Maximum length of the class and instance names together, in units of 4 bytes.
const CLASS: u32 = 128;
/// Maximum length of the startup id, in units of 4 bytes.
const STARTUP_ID: u32 = 32;
/// Maximum number of elements of a list that a window has.
const LIST: u32 = 256;
/// Maximum number of windows that a window manager lists.
const CLIENTS: u32 = 8192;
/// Maximum width of a shadow. GTK's are at most 52 pixels wide, twice that on a fine screen.
const MAX_SHADOW: u32 = 128;
/// The depth of visuals with transparency.
const ARGB: u8 = 32;
/// ICCCM: the state of a minimized window.
const ICONIC: u32 = 3;
/// The workspace of a window that is on all of them.
const ALL_WORKSPACES: u32 = u32::MAX;

/// Reads all windows.
pub(super) fn list(
    server: &Server,
    atoms: &WindowAtoms,
    (has_resource, compositor): (bool, Atom),
    generation: Generation,
    screen: Size,
) -> Result<WindowList, DisplayError> {
    let (conn, root) = (&server.conn, server.root);
    let words = |name: Atom, kind: AtomEnum, most: u32| {
        Ok::<_, DisplayError>(conn.get_property(false, root, name, kind, 0, most)?)
    };
    let check = words(atoms._NET_SUPPORTING_WM_CHECK, AtomEnum::WINDOW, 1)?;
    let supported = words(atoms._NET_SUPPORTED, AtomEnum::ATOM, 1024)?;
    let stacked = words(atoms._NET_CLIENT_LIST_STACKING, AtomEnum::WINDOW, CLIENTS)?;
    let listed = words(atoms._NET_CLIENT_LIST, AtomEnum::WINDOW, CLIENTS)?;
    let active = words(atoms._NET_ACTIVE_WINDOW, AtomEnum::WINDOW, 1)?;
    let workspace = words(atoms._NET_CURRENT_DESKTOP, AtomEnum::CARDINAL, 1)?;
    let compositor = conn.get_selection_owner(compositor)?;
    let focus = conn.get_input_focus()?;
    let all = ClientIdSpec {
        client: 0,
        mask: ClientIdMask::LOCAL_CLIENT_PID,
    };
    let owners = match has_resource {
        true => Some(conn.res_query_client_ids(&[all])?),
        false => None,
    };
    let check = values(check.reply())?;
    let supported = values(supported.reply())?;
    let (stacked, listed) = (values(stacked.reply())?, values(listed.reply())?);
    let active = values(active.reply())?
        .first()
        .copied()
        .filter(|window| *window != 0);
    let workspace = values(workspace.reply())?.first().copied();
    let compositor = compositor
        .reply()
        .map_err(|error| DisplayError::reply("GetSelectionOwner", error))?
        .owner;
    let focus = focus
        .reply()
        .map_err(|error| DisplayError::reply("GetInputFocus", error))?
        .focus;
    let owners = match owners {
        None => None,
        Some(owners) => {
            let reply = owners
                .reply()
                .map_err(|error| DisplayError::reply("XResQueryClientIds", error))?;
            Some(scene::Owners::new(
                Some(reply.ids),
                Connection::setup(conn).resource_id_mask,
            ))
        }
    };
    let manager =
        scene::manager_window(conn, atoms._NET_SUPPORTING_WM_CHECK, check.first().copied())?;
    // Without a window manager, its properties are those of one that has ended.
    let (supported, stacked, listed, active, workspace) = match manager {
        Some(_) => (supported, stacked, listed, active, workspace),
        None => (Vec::new(), Vec::new(), Vec::new(), None, None),
    };
    let managed = if stacked.len() >= listed.len() {
        stacked
    } else {
        listed
    };
    let places = places(server, atoms, &managed, screen)?;
    let total = places.windows.len();
    let mut windows = windows(server, atoms, owners.as_ref(), generation, &places.windows)?;
    let stack = stack(conn, &places, &windows)?;
    // A stable sort: the order of the stack is kept.
    windows.sort_by_key(|window| !window.viewable);
    windows.truncate(MAX_WINDOWS);
    // Any program can write the property of the active window, so the focus of the X server decides.
    // Only if the focus is on another window of the same program, the property says which is meant.
    let client = |window: Window| window & !Connection::setup(conn).resource_id_mask;
    let focused = match top_level(conn, root, focus, &windows)? {
        Some(focused) => Some(focused),
        None => {
            active.filter(|active| focus > 1 && focus != root && client(*active) == client(focus))
        }
    };
    let ids: HashMap<Window, String> = windows
        .iter()
        .map(|window| (window.xid, window.id.clone()))
        .collect();
    for window in &mut windows {
        let main = window.transient_for.and_then(|main| ids.get(&main));
        window.main = main.cloned().unwrap_or_default();
        window.states.focused = Some(window.xid) == focused;
    }
    let manager = match manager {
        None => None,
        Some(window) => Some(text(ask_text(conn, atoms, window)?)?),
    };
    Ok(WindowList {
        windows,
        total,
        manager,
        workspace,
        composited: compositor != x11rb::NONE,
        stack,
        shapes: Vec::new(),
        generation,
        supported,
    })
}

/// Returns the windows that cover pixels, the topmost first. The frame of a window that is not
/// viewable may be.
fn stack(
    conn: &XConnection,
    places: &Places,
    windows: &[ListedWindow],
) -> Result<Vec<(Window, Rectangle)>, DisplayError> {
    let mut areas = places.areas.clone();
    let mut asked = Vec::new();
    for window in windows {
        if window.viewable {
            areas.insert(window.frame_xid, window.outer);
        } else if window.frame_xid != window.xid {
            asked.push((window, conn.get_window_attributes(window.frame_xid)?));
        }
    }
    for (window, attributes) in asked {
        let attributes = gone(attributes.reply())?;
        if attributes.is_some_and(|frame| frame.map_state == MapState::VIEWABLE) {
            areas.insert(window.frame_xid, window.outer);
        }
    }
    let of = |frame: &Window| Some((*frame, *areas.get(frame)?));
    Ok(places.stack.iter().filter_map(of).collect())
}

/// Returns the listed window that contains `window`.
fn top_level(
    conn: &XConnection,
    root: Window,
    window: Window,
    windows: &[ListedWindow],
) -> Result<Option<Window>, DisplayError> {
    let mut at = window;
    for _ in 0..16 {
        if at == u32::from(InputFocus::NONE) || at == root {
            return Ok(None);
        }
        if at == u32::from(InputFocus::POINTER_ROOT) {
            // The window under the pointer receives the keys.
            at = match gone(conn.query_pointer(root)?.reply())? {
                Some(pointer) => pointer.child,
                None => return Ok(None),
            };
            continue;
        }
        if let Some(found) = windows
            .iter()
            .find(|window| window.xid == at || window.frame_xid == at)
        {
            return Ok(Some(found.xid));
        }
        match gone(conn.query_tree(at)?.reply())? {
            Some(tree) => at = tree.parent,
            None => return Ok(None),
        }
    }
    Ok(None)
}

/// The requests for the properties of one window.
struct Asked<'c> {
    attributes:
        x11rb::cookie::Cookie<'c, XConnection, x11rb::protocol::xproto::GetWindowAttributesReply>,
    geometry: x11rb::cookie::Cookie<'c, XConnection, x11rb::protocol::xproto::GetGeometryReply>,
    origin:
        x11rb::cookie::Cookie<'c, XConnection, x11rb::protocol::xproto::TranslateCoordinatesReply>,
    frame: x11rb::cookie::Cookie<'c, XConnection, x11rb::protocol::xproto::GetGeometryReply>,
    title: (PropertyCookie<'c>, PropertyCookie<'c>),
    class: PropertyCookie<'c>,
    states: PropertyCookie<'c>,
    state: PropertyCookie<'c>,
    kinds: PropertyCookie<'c>,
    transient_for: PropertyCookie<'c>,
    workspace: PropertyCookie<'c>,
    protocols: PropertyCookie<'c>,
    shadows: PropertyCookie<'c>,
    startup_id: PropertyCookie<'c>,
    opacity: PropertyCookie<'c>,
    pid: Option<PropertyCookie<'c>>,
}

impl<'c> Asked<'c> {
    fn ask(
        conn: &'c XConnection,
        root: Window,
        atoms: &WindowAtoms,
        place: Place,
        asks_pid: bool,
    ) -> Result<Self, DisplayError> {
        let window = place.window;
        let words = |name: Atom, kind: AtomEnum, most: u32| {
            Ok::<_, DisplayError>(conn.get_property(false, window, name, kind, 0, most)?)
        };
        Ok(Self {
            attributes: conn.get_window_attributes(window)?,
            geometry: conn.get_geometry(window)?,
            origin: conn.translate_coordinates(window, root, 0, 0)?,
            frame: conn.get_geometry(place.frame)?,
            title: ask_text(conn, atoms, window)?,
            class: words(AtomEnum::WM_CLASS.into(), AtomEnum::STRING, CLASS)?,
            states: words(atoms._NET_WM_STATE, AtomEnum::ATOM, LIST)?,
            state: conn.get_property(false, window, atoms.WM_STATE, atoms.WM_STATE, 0, 1)?,
            kinds: words(atoms._NET_WM_WINDOW_TYPE, AtomEnum::ATOM, LIST)?,
            transient_for: words(AtomEnum::WM_TRANSIENT_FOR.into(), AtomEnum::WINDOW, 1)?,
            workspace: words(atoms._NET_WM_DESKTOP, AtomEnum::CARDINAL, 1)?,
            protocols: words(atoms.WM_PROTOCOLS, AtomEnum::ATOM, LIST)?,
            shadows: words(atoms._GTK_FRAME_EXTENTS, AtomEnum::CARDINAL, 4)?,
            startup_id: conn.get_property(
                false,
                window,
                atoms._NET_STARTUP_ID,
                atoms.UTF8_STRING,
                0,
                STARTUP_ID,
            )?,
            opacity: words(atoms._NET_WM_WINDOW_OPACITY, AtomEnum::CARDINAL, 1)?,
            pid: match asks_pid {
                true => Some(words(atoms._NET_WM_PID, AtomEnum::CARDINAL, 1)?),
                false => None,
            },
        })
    }
}

fn windows(
    server: &Server,
    atoms: &WindowAtoms,
    owners: Option<&scene::Owners>,
    generation: Generation,
    places: &[Place],
) -> Result<Vec<ListedWindow>, DisplayError> {
    let conn = &server.conn;
    let mut asked = Vec::new();
    for place in places {
        asked.push(Asked::ask(
            conn,
            server.root,
            atoms,
            *place,
            owners.is_none(),
        )?);
    }
    let mut processes: HashMap<u32, (Option<u64>, String)> = HashMap::new();
    let mut found = Vec::new();
    for (place, asked) in places.iter().zip(asked) {
        let (attributes, geometry) = (
            gone(asked.attributes.reply())?,
            gone(asked.geometry.reply())?,
        );
        let (origin, frame) = (gone(asked.origin.reply())?, gone(asked.frame.reply())?);
        let title = text(asked.title)?;
        let class = gone(asked.class.reply())?;
        let states = values(asked.states.reply())?;
        let state = values(asked.state.reply())?;
        let kinds = values(asked.kinds.reply())?;
        let transient_for = values(asked.transient_for.reply())?.first().copied();
        let workspace = values(asked.workspace.reply())?.first().copied();
        let protocols = values(asked.protocols.reply())?;
        let shadows = values(asked.shadows.reply())?;
        let startup_id = gone(asked.startup_id.reply())?;
        let opacity = values(asked.opacity.reply())?.first().copied();
        let pid = match (owners, asked.pid) {
            (Some(owners), _) => owners.pid(place.window),
            (None, Some(said)) => values(said.reply())?
                .first()
                .copied()
                .filter(|pid| *pid > 1),
            (None, None) => None,
        };
        let (Some(attributes), Some(geometry), Some(origin), Some(frame)) =
            (attributes, geometry, origin, frame)
        else {
            continue;
        };
        let is_argb = [geometry.depth, frame.depth].contains(&ARGB);
        let (started, program) = match pid {
            None => (None, String::new()),
            Some(pid) => processes
                .entry(pid)
                .or_insert_with(|| processes::started_and_name(pid))
                .clone(),
        };
        let client = Rectangle {
            x: origin.dst_x.into(),
            y: origin.dst_y.into(),
            width: geometry.width.into(),
            height: geometry.height.into(),
        };
        let shadows = believable(shadows, &geometry);
        let outer = outer(&frame);
        let frame = match place.frame == place.window {
            true => within(client, shadows, geometry.border_width),
            false if shadows != [0; 4] => within(client, shadows, 0),
            false => outer,
        };
        let transient_for = transient_for.filter(|window| *window != 0 && *window != server.root);
        let class = class.map(|class| class.value).unwrap_or_default();
        let mut class = class
            .split(|byte| *byte == 0)
            .map(|name| String::from_utf8_lossy(name).into_owned());
        let (instance, class) = (
            class.next().unwrap_or_default(),
            class.next().unwrap_or_default(),
        );
        found.push(ListedWindow {
            id: id(generation, place.window, pid, started),
            xid: place.window,
            frame_xid: place.frame,
            title,
            class,
            instance,
            pid,
            program,
            frame,
            outer,
            client,
            workspace: workspace.filter(|number| *number != ALL_WORKSPACES),
            states: states_of(atoms, &states, state.first().copied()),
            kind: kind_of(
                atoms,
                &kinds,
                transient_for.is_some(),
                attributes.override_redirect,
            ),
            transient_for,
            main: String::new(),
            startup_id: startup_id.map_or(String::new(), |id| {
                String::from_utf8_lossy(&id.value).into_owned()
            }),
            managed: place.managed,
            viewable: attributes.map_state == MapState::VIEWABLE,
            translucent: is_argb || opacity.is_some_and(|opacity| opacity != u32::MAX),
            closes: protocols.contains(&atoms.WM_DELETE_WINDOW),
            shadows,
        });
    }
    Ok(found)
}

/// Returns the widths of the shadows: left, right, top, bottom. What is wider than any shadow, or leaves
/// nothing of the window, is not believed.
fn believable(said: Vec<u32>, geometry: &GetGeometryReply) -> [u32; 4] {
    let Ok(shadows @ [left, right, top, bottom]) = <[u32; 4]>::try_from(said) else {
        return [0; 4];
    };
    let is_shadow = shadows.iter().all(|width| *width <= MAX_SHADOW)
        && left + right < geometry.width.into()
        && top + bottom < geometry.height.into();
    if is_shadow { shadows } else { [0; 4] }
}

/// Returns the visible part of a window with shadows, and the border around it.
fn within(client: Rectangle, [left, right, top, bottom]: [u32; 4], border: u16) -> Rectangle {
    let border = u32::from(border);
    let inset = |value: u32| i32::try_from(value).unwrap_or(0) - i32::try_from(border).unwrap_or(0);
    Rectangle {
        x: client.x.saturating_add(inset(left)),
        y: client.y.saturating_add(inset(top)),
        width: client
            .width
            .saturating_sub(left.saturating_add(right))
            .max(1)
            + 2 * border,
        height: client
            .height
            .saturating_sub(top.saturating_add(bottom))
            .max(1)
            + 2 * border,
    }
}

fn states_of(atoms: &WindowAtoms, states: &[Atom], state: Option<u32>) -> WindowStates {
    let has = |atom: Atom| states.contains(&atom);
    WindowStates {
        focused: false,
        // A shaded window may be hidden, too, and is not minimized.
        minimized: state == Some(ICONIC)
            || has(atoms._NET_WM_STATE_HIDDEN) && !has(atoms._NET_WM_STATE_SHADED),
        maximized: has(atoms._NET_WM_STATE_MAXIMIZED_VERT)
            && has(atoms._NET_WM_STATE_MAXIMIZED_HORZ),
        fullscreen: has(atoms._NET_WM_STATE_FULLSCREEN),
        modal: has(atoms._NET_WM_STATE_MODAL),
        above: has(atoms._NET_WM_STATE_ABOVE),
        below: has(atoms._NET_WM_STATE_BELOW),
        shaded: has(atoms._NET_WM_STATE_SHADED),
        urgent: has(atoms._NET_WM_STATE_DEMANDS_ATTENTION),
    }
}

/// Returns the first kind in the list that is known: programs list them by preference.
fn kind_of(
    atoms: &WindowAtoms,
    kinds: &[Atom],
    is_transient: bool,
    is_unmanaged: bool,
) -> WindowKind {
    let known = kinds.iter().find_map(|kind| {
        Some(match *kind {
            kind if kind == atoms._NET_WM_WINDOW_TYPE_NORMAL => WindowKind::Normal,
            kind if kind == atoms._NET_WM_WINDOW_TYPE_DIALOG => WindowKind::Dialog,
            kind if kind == atoms._NET_WM_WINDOW_TYPE_MENU => WindowKind::Menu,
            kind if kind == atoms._NET_WM_WINDOW_TYPE_DROPDOWN_MENU => WindowKind::Menu,
            kind if kind == atoms._NET_WM_WINDOW_TYPE_POPUP_MENU => WindowKind::Menu,
            kind if kind == atoms._NET_WM_WINDOW_TYPE_COMBO => WindowKind::Menu,
            kind if kind == atoms._NET_WM_WINDOW_TYPE_TOOLTIP => WindowKind::Tooltip,
            kind if kind == atoms._NET_WM_WINDOW_TYPE_NOTIFICATION => WindowKind::Notification,
            kind if kind == atoms._NET_WM_WINDOW_TYPE_UTILITY => WindowKind::Utility,
            kind if kind == atoms._NET_WM_WINDOW_TYPE_TOOLBAR => WindowKind::Utility,
            kind if kind == atoms._NET_WM_WINDOW_TYPE_SPLASH => WindowKind::Splash,
            kind if kind == atoms._NET_WM_WINDOW_TYPE_DOCK => WindowKind::Dock,
            kind if kind == atoms._NET_WM_WINDOW_TYPE_DESKTOP => WindowKind::Desktop,
            _ => return None,
        })
    });
    known.unwrap_or(match (is_unmanaged, is_transient) {
        (true, _) => WindowKind::Popup,
        (false, true) => WindowKind::Dialog,
        (false, false) => WindowKind::Normal,
    })
}

type TextCookies<'c> = (PropertyCookie<'c>, PropertyCookie<'c>);

/// Requests the title of a window, in both of its forms.
fn ask_text<'c>(
    conn: &'c XConnection,
    atoms: &WindowAtoms,
    window: Window,
) -> Result<TextCookies<'c>, DisplayError> {
    Ok((
        conn.get_property(
            false,
            window,
            atoms._NET_WM_NAME,
            atoms.UTF8_STRING,
            0,
            TITLE,
        )?,
        conn.get_property(false, window, AtomEnum::WM_NAME, AtomEnum::ANY, 0, TITLE)?,
    ))
}

fn text((modern, old): TextCookies<'_>) -> Result<String, DisplayError> {
    let modern = decoded(modern.reply())?;
    let old = decoded(old.reply())?;
    Ok(if modern.is_empty() { old } else { modern })
}

/// Decodes a text property, and cuts the text to its maximum length.
fn decoded(reply: Result<GetPropertyReply, ReplyError>) -> Result<String, DisplayError> {
    let Some(reply) = gone(reply)? else {
        return Ok(String::new());
    };
    let mut text: String = if reply.type_ == u32::from(AtomEnum::STRING) {
        // ISO 8859-1 (ICCCM 2.7.1): the first 256 characters of Unicode.
        reply.value.into_iter().map(char::from).collect()
    } else {
        let mut bytes = reply.value;
        if reply.bytes_after > 0
            && let Err(error) = std::str::from_utf8(&bytes)
            && error.error_len().is_none()
        {
            // A character that the end of the reply cuts.
            bytes.truncate(error.valid_up_to());
        }
        String::from_utf8_lossy(&bytes).into_owned()
    };
    // Decoding may have made it longer.
    keep_start(&mut text, TITLE as usize * 4);
    Ok(text)
}
