//! Finds the window that receives keys or lies under the pointer, and its program.

use x11rb::{
    connection::Connection as _,
    protocol::xproto::{AtomEnum, ConnectionExt as _, GrabMode, GrabStatus, InputFocus, Window},
};

use crate::facts::WindowId;
use crate::x11::{
    connection::server::Server,
    error::DisplayError,
    observe::{owner::pid, properties::Atoms},
};

/// Maximum number of levels that are searched in the window tree.
const DEEPEST: usize = 16;
/// Flag in `WM_HINTS.flags`: the field that says whether the window takes the focus is set
/// (ICCCM 4.1.2.4).
const INPUT_HINT: u32 = 1;

/// The client window that has the focus or lies under the pointer.
///
/// It is the innermost of the focused window and its ancestors that has `WM_STATE` (ICCCM
/// 4.1.3.1), which the window manager sets. If none has it, it is the innermost one with
/// `WM_CLASS` or `WM_PROTOCOLS`, else the child of the root window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Focus {
    /// Its id.
    pub window: WindowId,
    /// Whether the window supports `_NET_WM_PING`.
    pub pings: bool,
    /// The process that created the window, if the X server reports it (X-Resource), else the
    /// one that `_NET_WM_PID` names.
    pub pid: Option<u32>,
    /// `WM_CLASS`, in lower case.
    pub class: String,
    /// Whether a window manager gives the window the focus on a click: it has `WM_STATE`, is
    /// neither a desktop nor a dock, and accepts the focus or sets it itself (`WM_TAKE_FOCUS`).
    pub takes_focus: bool,
    /// Whether the window is GTK's file chooser, by its `WM_WINDOW_ROLE`.
    pub file_chooser: bool,
    /// Whether this is a stand-in: no window has the focus, and an unknown program has grabbed
    /// the keyboard, as prompts such as dmenu do.
    pub grabbed: bool,
    /// Mask of the bits of a resource id that identify its client.
    client: u32,
    /// The window that the server reported as the focus; `window` or a descendant of it.
    focused: Window,
}

/// Words in the `WM_CLASS` of terminals; `-`, `_` and `.` separate words.
const TERMINALS: [&str; 33] = [
    "alacritty",
    "aterm",
    "contour",
    "eterm",
    "foot",
    "footclient",
    "ghostty",
    "guake",
    "kitty",
    "koi8rxterm",
    "konsole",
    "lxterm",
    "lxterminal",
    "mlterm",
    "qterminal",
    "roxterm",
    "rxvt",
    "sakura",
    "st",
    "terminal",
    "terminator",
    "terminology",
    "termit",
    "termite",
    "tilda",
    "tilix",
    "urxvt",
    "urxvtd",
    "uxterm",
    "wezterm",
    "xterm",
    "yakuake",
    "term",
];

/// Words in the `WM_CLASS` of xterm and its variants.
const XTERMS: [&str; 3] = ["xterm", "uxterm", "koi8rxterm"];

impl Focus {
    /// Whether the window is a terminal, by its `WM_CLASS`.
    pub fn is_terminal(&self) -> bool {
        self.words().any(|word| TERMINALS.contains(&word))
    }

    /// Whether the program receives a character correctly from a keycode that deskd bound to it.
    /// If not, the character is pasted through the selection. Wine sees only the first two levels
    /// of keycodes that it knew at its start; Java drops characters beyond U+FFFF.
    pub fn takes_bound(&self, character: char) -> bool {
        let code = u32::from(character);
        // GTK and Chromium look keysyms up by their low 16 bits. A keysym whose low bits are those
        // of a dead key, `Multi_key` or a Greek accent begins a compose sequence.
        let sequence = matches!(code & 0xffff, 0xfe50..=0xfe93 | 0xff20 | 0x07ae | 0x07af);
        // xterm and prompts use Xlib, which compares all bits of a keysym.
        let xlib = self.grabbed || self.words().any(|word| XTERMS.contains(&word));
        let by_table = code > 0xff && sequence && !xlib;
        // Xlib's compose file turns each of these ligatures into two letters.
        let by_xlib = matches!(code, 0xfef5 | 0xfef7 | 0xfef9 | 0xfefb);
        !by_table && !by_xlib && !self.is_wine() && (code <= 0xffff || !self.is_java())
    }

    /// Whether the program must have processed `before` when it receives `next`, because it
    /// could swap them or merge them into one. LibreOffice handles characters, line feeds and
    /// zero-width characters on different paths, and its plain X11 plugin takes quick presses of
    /// one key for auto-repeat.
    pub fn reorders(&self, before: char, next: char) -> bool {
        let alone = |one: char| {
            one.is_control()
                || matches!(u32::from(one), 0x200b..=0x200f | 0xfe00..=0xfe0f | 0x300..=0x36f)
                || u32::from(one) > 0xffff
        };
        self.is_libreoffice() && (before == next || alone(before) || alone(next))
    }

    fn is_libreoffice(&self) -> bool {
        self.words()
            .any(|word| matches!(word, "libreoffice" | "soffice"))
    }

    /// Whether the window belongs to Wine.
    pub(in crate::x11) fn is_wine(&self) -> bool {
        self.class.split('\0').any(|part| part.ends_with(".exe"))
    }

    fn is_java(&self) -> bool {
        // Java gives the focus to a helper window of its own.
        self.class
            .split('\0')
            .any(|name| name == "focusproxy" || name.starts_with("sun-awt-x11"))
    }

    /// The words of `WM_CLASS`: `xfce4-terminal` has two.
    fn words(&self) -> impl Iterator<Item = &str> {
        self.class.split(['\0', '-', '_', '.'])
    }

    /// Whether the same client created `window`.
    pub fn made(&self, window: WindowId) -> bool {
        window & self.client == self.window & self.client
    }
}

/// The window that has the focus, else a stand-in for a program that has grabbed the keyboard;
/// `None` if there is neither. Faster if the focus is still on `last`.
pub(in crate::x11) fn read(
    server: &Server,
    atoms: &Atoms,
    has_resource: bool,
    last: Option<&Focus>,
) -> Result<Option<Focus>, DisplayError> {
    match self::window(server, atoms, has_resource, last)? {
        Some(focus) => Ok(Some(focus)),
        None => grabber(server),
    }
}

/// The window that has the focus; `None` when no window has it.
pub(in crate::x11) fn window(
    server: &Server,
    atoms: &Atoms,
    has_resource: bool,
    last: Option<&Focus>,
) -> Result<Option<Focus>, DisplayError> {
    let conn = &server.conn;
    let focus = conn.get_input_focus()?.reply();
    let focus = focus.map_err(|error| DisplayError::reply("GetInputFocus", error))?;
    let focused = focus.focus;
    let mut window = focused;
    if window == u32::from(u8::from(InputFocus::NONE)) {
        return Ok(None);
    }
    let at_pointer = window == u32::from(u8::from(InputFocus::POINTER_ROOT));
    if at_pointer || window == server.root {
        // The window under the pointer receives the keys.
        window = under_pointer(server)?;
    } else if let Some(last) = last.filter(|last| last.focused == focused) {
        return Ok(Some(last.clone()));
    }
    let focus = describe(server, atoms, has_resource, window)?;
    Ok(focus.map(|focus| Focus { focused, ..focus }))
}

/// The client window under the pointer; `None` over the bare root window.
pub(in crate::x11) fn at_pointer(
    server: &Server,
    atoms: &Atoms,
    has_resource: bool,
) -> Result<Option<Focus>, DisplayError> {
    describe(server, atoms, has_resource, under_pointer(server)?)
}

/// Returns a stand-in for the program that has grabbed the keyboard; `None` if none has. X11 has
/// no request for that, so deskd tries a grab of its own, which then fails with AlreadyGrabbed.
/// Called only if no window has the focus, because a successful grab sends focus events.
fn grabber(server: &Server) -> Result<Option<Focus>, DisplayError> {
    let (conn, mode) = (&server.conn, GrabMode::ASYNC);
    let reply = conn
        .grab_keyboard(false, server.root, x11rb::CURRENT_TIME, mode, mode)?
        .reply();
    let status = reply
        .map_err(|error| DisplayError::reply("GrabKeyboard", error))?
        .status;
    if status == GrabStatus::SUCCESS {
        conn.ungrab_keyboard(x11rb::CURRENT_TIME)?.ignore_error();
        conn.flush()?;
    }
    Ok((status == GrabStatus::ALREADY_GRABBED).then(|| Focus {
        window: server.root,
        pings: false,
        pid: None,
        class: String::new(),
        takes_focus: false,
        file_chooser: false,
        grabbed: true,
        client: u32::MAX,
        focused: server.root,
    }))
}

/// Finds the client window of `window`, see [`Focus`]; `None` if `window` no longer exists.
pub(in crate::x11) fn describe(
    server: &Server,
    atoms: &Atoms,
    has_resource: bool,
    mut window: Window,
) -> Result<Option<Focus>, DisplayError> {
    let conn = &server.conn;
    let mut found = None;
    for _ in 0..DEEPEST {
        if window == 0 || window == server.root {
            break;
        }
        let text = AtomEnum::STRING;
        let class = conn.get_property(false, window, AtomEnum::WM_CLASS, text, 0, 64)?;
        let protocols =
            conn.get_property(false, window, atoms.WM_PROTOCOLS, AtomEnum::ATOM, 0, 32)?;
        let state = conn.get_property(false, window, atoms.WM_STATE, AtomEnum::ANY, 0, 1)?;
        let hints = AtomEnum::WM_HINTS;
        let hints = conn.get_property(false, window, hints, AtomEnum::ANY, 0, 2)?;
        let kind = atoms._NET_WM_WINDOW_TYPE;
        let kind = conn.get_property(false, window, kind, AtomEnum::ATOM, 0, 8)?;
        let role = conn.get_property(false, window, atoms.WM_WINDOW_ROLE, text, 0, 16)?;
        let tree = conn.query_tree(window)?;
        // The window may be destroyed meanwhile.
        let (Ok(class), Ok(protocols), Ok(state)) =
            (class.reply(), protocols.reply(), state.reply())
        else {
            return Ok(None);
        };
        let (Ok(hints), Ok(kind), Ok(role), Ok(tree)) =
            (hints.reply(), kind.reply(), role.reply(), tree.reply())
        else {
            return Ok(None);
        };
        let managed = state.type_ != x11rb::NONE;
        let named = class.type_ != x11rb::NONE || protocols.type_ != x11rb::NONE;
        let outermost = tree.parent == server.root;
        if managed || found.is_none() && (named || outermost) {
            let list: Vec<u32> = protocols.value32().into_iter().flatten().collect();
            let mut hints = hints.value32().into_iter().flatten();
            let (flags, input) = (hints.next().unwrap_or(0), hints.next().unwrap_or(1));
            let input = flags & INPUT_HINT == 0 || input != 0;
            let aside = [
                atoms._NET_WM_WINDOW_TYPE_DESKTOP,
                atoms._NET_WM_WINDOW_TYPE_DOCK,
            ];
            let mut kinds = kind.value32().into_iter().flatten();
            let aside = kinds.any(|kind| aside.contains(&kind));
            found = Some(Focus {
                window,
                pings: list.contains(&atoms._NET_WM_PING),
                pid: pid(server, atoms, window, has_resource)?,
                class: String::from_utf8_lossy(&class.value).to_lowercase(),
                takes_focus: managed && !aside && (input || list.contains(&atoms.WM_TAKE_FOCUS)),
                file_chooser: role.value == b"GtkFileChooserDialog",
                grabbed: false,
                client: !conn.setup().resource_id_mask,
                focused: window,
            });
        }
        if managed || outermost {
            break;
        }
        window = tree.parent;
    }
    Ok(found)
}

/// The innermost window under the pointer; 0 if only the root window lies there.
fn under_pointer(server: &Server) -> Result<Window, DisplayError> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn of_class(class: &str) -> Focus {
        Focus {
            window: 0x40_0007,
            pings: true,
            pid: Some(7),
            class: class.into(),
            takes_focus: true,
            file_chooser: false,
            grabbed: false,
            client: !0x1f_ffff,
            focused: 0x40_0007,
        }
    }

    #[test]
    fn what_a_program_does_not_take_from_a_bound_keycode_is_known() {
        let gtk = of_class("gedit\0gedit");
        assert!(
            ['é', '漢', '─', '😀']
                .into_iter()
                .all(|one| gtk.takes_bound(one))
        );
        for one in ['＠', '\u{fe50}', '\u{7ae}', '\u{fefb}'] {
            assert!(!gtk.takes_bound(one), "{one:?}");
        }
        let xterm = of_class("xterm\0xterm");
        assert!(xterm.takes_bound('＠') && !xterm.takes_bound('\u{fefb}'));
        assert!(!of_class("notepad.exe\0notepad.exe").takes_bound('é'));
        let java = of_class("focus-proxy-window\0focusproxy");
        assert!(java.takes_bound('漢') && !java.takes_bound('😀'));
    }

    #[test]
    fn libreoffice_reorders_what_is_no_letter_and_merges_what_is_twice() {
        let writer = of_class("libreoffice\0libreoffice-writer");
        for (before, next, reorders) in [
            ('a', 'b', false),
            ('a', 'a', true),
            ('a', '\n', true),
            ('\t', 'a', true),
            ('👨', '\u{200d}', true),
        ] {
            assert_eq!(
                writer.reorders(before, next),
                reorders,
                "{before:?} {next:?}"
            );
        }
        assert!(!of_class("gedit\0gedit").reorders('a', '\n'));
    }

    #[test]
    fn a_client_is_known_by_the_bits_of_its_ids() {
        let focus = of_class("a\0a");
        assert!(focus.made(0x40_0123) && !focus.made(0x60_0007));
        for (class, terminal) in [
            ("xfce4-terminal\0xfce4-terminal", true),
            ("org.gnome.terminal\0org.gnome.terminal", true),
            ("st-256color\0st-256color", true),
            ("gedit\0gedit", false),
            ("midterm\0midterm exam", false),
            ("footnote\0footnote", false),
        ] {
            assert_eq!(of_class(class).is_terminal(), terminal);
        }
    }
}
