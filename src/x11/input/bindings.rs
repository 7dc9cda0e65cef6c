//! Spare keycodes, bound to characters that the keymap lacks, and given back as
//! they were (X Keyboard Extension 1.0, `SetMap`).
//!
//! Some of the keys that nobody presses are grabbed, so that only the program with the grab
//! would get them. Each key is therefore tried with a grab of our own before it is used.

use std::collections::{HashSet, VecDeque};

use x11rb::{
    connection::Connection as _,
    errors::ReplyError,
    protocol::{
        xkb::{self, ConnectionExt as _, KeySymMap, SetMapAux},
        xproto::{AtomEnum, ConnectionExt as _, GrabMode, ModMask, PropMode},
    },
    wrapper::ConnectionExt as _,
};

use crate::facts::WindowId;
use crate::x11::{
    connection::server::Server,
    error::DisplayError,
    input::keymap::{CORE_KEYBOARD, Keymap, Symbols},
};

/// The root window's property that says which keycodes are bound, and what they
/// gave before.
const BOUND: &[u8] = b"_DESKD_BOUND";
/// The first keycode that may be bound, and with it all others above. Under `evdev`
/// there are, but for ten, only multimedia keys and none at all; below are Super
/// and Menu, which people's options change.
const FIRST: u8 = 147;
/// The longest such property that is read, in units of 4 bytes.
const MAX_PROPERTY: u32 = 64 * 1024;

/// A keycode that deskd bound.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Binding {
    keycode: u8,
    was: Symbols,
    now: Symbols,
}

/// All that are bound.
#[derive(Debug, Default)]
pub(in crate::x11) struct Bindings {
    all: Vec<Binding>,
    /// Windows that may have keys of them still to read.
    unread: Vec<WindowId>,
    /// Keysyms that a step names as keys: they make no room until it ends.
    pinned: HashSet<u32>,
}

impl Bindings {
    pub(in crate::x11) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(in crate::x11) fn has(&self, keycode: u8) -> bool {
        self.all.iter().any(|binding| binding.keycode == keycode)
    }

    /// Windows that may have keys of what is bound still to read, also of another
    /// life of the daemon.
    pub(in crate::x11) fn unread(&self) -> &[WindowId] {
        &self.unread
    }

    /// Notes another one, for another life of the daemon.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub(in crate::x11) fn note_unread(
        &mut self,
        server: &Server,
        window: WindowId,
    ) -> Result<(), DisplayError> {
        if self.unread.contains(&window) {
            return Ok(());
        }
        self.unread.push(window);
        self.mark(server)
    }

    /// Gives up those that somebody grabbed since they were bound: what they give
    /// would reach nobody else.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub(in crate::x11) fn recheck(
        &mut self,
        server: &Server,
        keymap: &Keymap,
    ) -> Result<bool, DisplayError> {
        self.forget_replaced(keymap);
        let codes: Vec<u8> = self.all.iter().map(|binding| binding.keycode).collect();
        let free = free(server, &codes)?;
        if free.len() == codes.len() {
            return Ok(false);
        }
        for binding in &mut self.all {
            if !free.contains(&binding.keycode) {
                binding.now = binding.was.clone();
            }
        }
        self.set(server, keymap)?;
        self.all.retain(|binding| free.contains(&binding.keycode));
        self.mark(server)?;
        Ok(true)
    }

    /// Binds as many of these keysyms as there is room for, from the first on, and
    /// returns how many are bound then. Without `replace` only free places are used;
    /// with it, what is bound and not among them makes room, and what is among them
    /// stays where it is.
    ///
    /// # Errors
    ///
    /// When the connection ended, or the server refuses the new map.
    pub(in crate::x11) fn bind(
        &mut self,
        server: &Server,
        keymap: &Keymap,
        wanted: &[u32],
        replace: bool,
    ) -> Result<usize, DisplayError> {
        self.forget_replaced(keymap);
        let (kind, levels) = keymap.letters();
        // A keycode that is bound to nothing now looks unused.
        let more = keymap.unused().filter(|keycode| *keycode >= FIRST);
        let more = more.filter(|keycode| !self.has(*keycode) && keymap.can_carry(*keycode));
        let mut more = free(server, &more.collect::<Vec<_>>())?;
        let gives = |keycode: &u8| keymap.symbols(*keycode).is_some_and(Symbols::gives);
        // Keycodes without a keysym of their own come first.
        more.sort_by_key(gives);
        let known = self.all.len();
        for keycode in more {
            let Some(was) = keymap.symbols(keycode).cloned() else {
                continue;
            };
            let now = Symbols {
                types: [kind, 0, 0, 0],
                // One group, which serves all layouts.
                group_info: 1,
                width: levels,
                keysyms: vec![0; usize::from(levels)],
            };
            self.all.push(Binding { keycode, was, now });
        }
        let places = || self.all.iter().flat_map(|binding| &binding.now.keysyms);
        let room = match replace {
            // What is pinned stays.
            true => places()
                .filter(|keysym| !self.pinned.contains(keysym))
                .count(),
            false => places().filter(|keysym| **keysym == 0).count(),
        };
        let bound: HashSet<u32> = places().copied().collect();
        let wanted: Vec<u32> = match replace {
            true => wanted.iter().copied().take(room).collect(),
            false => {
                let new = wanted.iter().filter(|keysym| !bound.contains(keysym));
                new.copied().take(room).collect()
            }
        };
        if replace {
            let mut keep: HashSet<u32> = wanted.iter().copied().collect();
            keep.extend(&self.pinned);
            let places = self.all.iter_mut().flat_map(|b| &mut b.now.keysyms);
            for place in places.filter(|place| !keep.contains(place)) {
                *place = 0;
            }
        }
        let mut left: VecDeque<u32> = wanted
            .iter()
            .copied()
            .filter(|keysym| !replace || !bound.contains(keysym))
            .collect();
        let changes = !left.is_empty();
        // First of all the level that needs no modifier.
        for level in 0..usize::from(levels) {
            for binding in &mut self.all {
                let free = binding.now.keysyms.get_mut(level);
                if let Some(place) = free.filter(|place| **place == 0) {
                    *place = left.pop_front().unwrap_or(0);
                }
            }
        }
        // Keycodes that received no keysym are not remapped.
        let mut index = 0;
        self.all.retain(|binding| {
            index += 1;
            index <= known || binding.now.gives()
        });
        if changes || replace {
            self.mark(server)?;
            self.set(server, keymap)?;
        }
        Ok(wanted.len())
    }

    /// Sets the keysyms that make no room for others.
    pub(in crate::x11) fn pin(&mut self, keysyms: &[u32]) {
        self.pinned = keysyms.iter().copied().collect();
    }

    /// Gives all keycodes back.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub(in crate::x11) fn restore(
        &mut self,
        server: &Server,
        keymap: &Keymap,
    ) -> Result<(), DisplayError> {
        self.forget_replaced(keymap);
        for binding in &mut self.all {
            binding.now = binding.was.clone();
        }
        self.set(server, keymap)?;
        self.all.clear();
        self.unread.clear();
        self.mark(server)
    }

    /// Takes over what another life of the daemon bound.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub(in crate::x11) fn adopt(&mut self, server: &Server) -> Result<(), DisplayError> {
        let name = server.conn.intern_atom(false, BOUND)?.reply();
        let name = name
            .map_err(|error| DisplayError::reply("InternAtom", error))?
            .atom;
        let kind = AtomEnum::STRING;
        let reply = server
            .conn
            .get_property(false, server.root, name, kind, 0, MAX_PROPERTY)?
            .reply();
        let reply = reply.map_err(|error| DisplayError::reply("GetProperty", error))?;
        (self.all, self.unread) = parse(&reply.value);
        self.pinned.clear();
        Ok(())
    }

    /// Says what the keys from [`FIRST`] on give, also those that stay as they are.
    ///
    /// Sends all of it in one request, and always the same keys. While Xlib reads a change,
    /// it loses notices of other changes (libX11 1.8, `_XkbCheckPendingRefresh`); if they
    /// are of the same keys, the reply has them already. With several requests, xterm lost
    /// whole texts.
    fn set(&self, server: &Server, keymap: &Keymap) -> Result<(), DisplayError> {
        let setup = server.conn.setup();
        let last = setup.max_keycode;
        let gives = |keycode: u8| {
            let bound = self.all.iter().find(|binding| binding.keycode == keycode);
            let now = bound.map(|binding| &binding.now);
            now.or_else(|| keymap.symbols(keycode)).cloned()
        };
        let syms: Vec<KeySymMap> = (FIRST..=last)
            .map(|keycode| gives(keycode).unwrap_or_default().into())
            .collect();
        let count = u8::try_from(syms.len()).unwrap_or(u8::MAX);
        let total: usize = syms.iter().map(|key| key.syms.len()).sum();
        let aux = SetMapAux {
            syms: Some(syms),
            ..SetMapAux::default()
        };
        let (flags, vmods) = (xkb::SetMapFlags::from(0_u16), xkb::VMod::from(0_u16));
        let total = u16::try_from(total).unwrap_or(u16::MAX);
        let conn = &server.conn;
        let set = conn.xkb_set_map(
            CORE_KEYBOARD,
            flags,
            setup.min_keycode,
            last,
            0,
            0,
            FIRST,
            count,
            total,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            vmods,
            &aux,
        )?;
        match set.check() {
            Ok(()) => Ok(()),
            // Xwayland answers BadValue to any SetMap of a map that a compositor made.
            Err(ReplyError::X11Error(error)) => {
                tracing::debug!(
                    "XkbSetMap: {:?}; by ChangeKeyboardMapping instead",
                    error.error_kind
                );
                self.set_core(server, keymap)
            }
            Err(error) => Err(DisplayError::reply("XkbSetMap", error)),
        }
    }

    /// The same by the core protocol (`ChangeKeyboardMapping`), where each key has up to
    /// two groups of two levels, then the further levels (XKB protocol, 12.4). A key's
    /// third and fourth group are lost.
    fn set_core(&self, server: &Server, keymap: &Keymap) -> Result<(), DisplayError> {
        const WIDTH: u8 = 8;
        let last = server.conn.setup().max_keycode;
        let Some(count) = last.checked_sub(FIRST).map(|count| count + 1) else {
            return Ok(());
        };
        let mut keysyms = Vec::new();
        for keycode in FIRST..=last {
            let bound = self.all.iter().find(|binding| binding.keycode == keycode);
            let now = bound.map(|b| &b.now).or_else(|| keymap.symbols(keycode));
            keysyms.extend(now.map(Symbols::in_core_order).unwrap_or_default());
        }
        let change = server
            .conn
            .change_keyboard_mapping(count, FIRST, WIDTH, &keysyms)?;
        change
            .check()
            .map_err(|error| DisplayError::reply("ChangeKeyboardMapping", error))
    }

    /// A keycode that somebody else changed meanwhile is theirs.
    fn forget_replaced(&mut self, keymap: &Keymap) {
        self.all.retain(|binding| {
            let symbols = keymap.symbols(binding.keycode);
            symbols.is_some_and(|symbols| symbols.serves_as(&binding.now))
        });
    }

    /// Notes with the X server what is, or is about to be, bound.
    fn mark(&self, server: &Server) -> Result<(), DisplayError> {
        let conn = &server.conn;
        let name = conn.intern_atom(false, BOUND)?.reply();
        let name = name
            .map_err(|error| DisplayError::reply("InternAtom", error))?
            .atom;
        if self.all.is_empty() {
            conn.delete_property(server.root, name)?.ignore_error();
            return Ok(());
        }
        let (text, kind) = (format(&self.all, &self.unread), AtomEnum::STRING);
        conn.change_property8(PropMode::REPLACE, server.root, name, kind, text.as_bytes())?
            .ignore_error();
        Ok(())
    }
}

/// Those of the keycodes that nobody grabbed.
fn free(server: &Server, keycodes: &[u8]) -> Result<Vec<u8>, DisplayError> {
    let (conn, root) = (&server.conn, server.root);
    let (any, mode) = (ModMask::ANY, GrabMode::ASYNC);
    let mut tries = Vec::with_capacity(keycodes.len());
    for keycode in keycodes {
        tries.push((
            *keycode,
            conn.grab_key(false, root, any, *keycode, mode, mode)?,
        ));
        conn.ungrab_key(*keycode, root, any)?.ignore_error();
    }
    let mut free = Vec::with_capacity(keycodes.len());
    for (keycode, tried) in tries {
        match tried.check() {
            Ok(()) => free.push(keycode),
            // Another program has it.
            Err(ReplyError::X11Error(_)) => {}
            Err(error) => return Err(DisplayError::reply("GrabKey", error)),
        }
    }
    Ok(free)
}

/// `1 89:0.0.0.0/0/0/=2.0.0.0/1/2/1000431,0 w40000a`: version; keycode; what it gave
/// before and gives now: types, groups, levels, keysyms in hexadecimal; windows.
fn format(bindings: &[Binding], unread: &[WindowId]) -> String {
    let symbols = |symbols: &Symbols| {
        let types = symbols.types.map(|kind| kind.to_string()).join(".");
        let keysyms: Vec<String> = symbols.keysyms.iter().map(|k| format!("{k:x}")).collect();
        let (info, width, keysyms) = (symbols.group_info, symbols.width, keysyms.join(","));
        format!("{types}/{info}/{width}/{keysyms}")
    };
    let mut text = "1".to_owned();
    for Binding { keycode, was, now } in bindings {
        text.push_str(&format!(" {keycode}:{}={}", symbols(was), symbols(now)));
    }
    for window in unread {
        text.push_str(&format!(" w{window:x}"));
    }
    text
}

/// Text that no daemon wrote means nothing.
fn parse(text: &[u8]) -> (Vec<Binding>, Vec<WindowId>) {
    let symbols = |text: &str| {
        let mut parts = text.split('/');
        let types: Vec<u8> = list(parts.next()?, '.', |kind| kind.parse().ok())?;
        let (info, width) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let hexadecimal = |keysym: &str| u32::from_str_radix(keysym, 16).ok();
        let keysyms = list(parts.next()?, ',', hexadecimal)?;
        let symbols = Symbols {
            types: types.try_into().ok()?,
            group_info: info,
            width,
            keysyms,
        };
        let (groups, width) = (usize::from(info & 0x0f), usize::from(width));
        let whole = groups <= 4 && symbols.keysyms.len() == groups * width;
        (whole && parts.next().is_none()).then_some(symbols)
    };
    let binding = |word: &str| {
        let (keycode, rest) = word.split_once(':')?;
        let (was, now) = rest.split_once('=')?;
        Some(Binding {
            keycode: keycode.parse().ok().filter(|code| *code >= 8)?,
            was: symbols(was)?,
            now: symbols(now)?,
        })
    };
    let Ok(text) = std::str::from_utf8(text) else {
        return Default::default();
    };
    let mut words = text.split(' ');
    if words.next() != Some("1") {
        return Default::default();
    }
    let window = |word: &str| u32::from_str_radix(word.strip_prefix('w')?, 16).ok();
    (
        words.clone().filter_map(binding).take(256).collect(),
        words.filter_map(window).take(64).collect(),
    )
}

fn list<T>(text: &str, by: char, read: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    if text.is_empty() {
        return Some(Vec::new());
    }
    text.split(by).map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bindings_are_read_as_they_were_written_and_nothing_else_is() {
        let symbols = |width: u8, keysyms: &[u32]| Symbols {
            types: [2, 0, 0, 1],
            group_info: u8::from(width > 0),
            width,
            keysyms: keysyms.to_vec(),
        };
        let bindings = [
            Binding {
                keycode: 89,
                was: symbols(0, &[]),
                now: symbols(2, &[0x0100_0431, 0]),
            },
            Binding {
                keycode: 255,
                was: symbols(1, &[0x1008_ffb5]),
                now: symbols(4, &[1, 2, 3, 4]),
            },
        ];
        let text = format(&bindings, &[0x40_000a]);
        assert_eq!(
            text,
            "1 89:2.0.0.1/0/0/=2.0.0.1/1/2/1000431,0 255:2.0.0.1/1/1/1008ffb5=2.0.0.1/1/4/1,2,3,4 w40000a"
        );
        assert_eq!(parse(text.as_bytes()), (bindings.to_vec(), vec![0x40_000a]));
        for odd in [
            "",
            "2 89:2.0.0.1/0/0/=2.0.0.1/1/2/1,0",
            "1 7:2.0.0.1/0/0/=2.0.0.1/1/2/1,0",
            "1 89:2.0.0/0/0/=2.0.0.1/1/2/1,0",
            "1 89:2.0.0.1/0/0/=2.0.0.1/1/3/1,0",
            "1 89:2.0.0.1/5/1/1,2,3,4,5=2.0.0.1/1/2/1,0",
            "1 89:2.0.0.1/0/0/=2.0.0.1/1/2/1,0/9",
            "1 89:2.0.0.1/0/0/",
            "1 é",
        ] {
            assert_eq!(parse(odd.as_bytes()).0, [], "{odd}");
        }
    }
}
