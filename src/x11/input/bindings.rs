//! Binds unused keycodes to characters that the keymap lacks, and restores their former symbols
//! afterwards (X Keyboard Extension 1.0, `SetMap`).
//!
//! Another program may have grabbed an unused keycode; that program alone would then receive the
//! key. deskd therefore tries to grab each keycode before it uses it.

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

/// The root window's property that records the bound keycodes and their former symbols.
const BOUND: &[u8] = b"_DESKD_BOUND";
/// The lowest keycode that may be bound. Under `evdev`, all but ten keycodes from here on are
/// multimedia keys or no key at all. Below are Super and Menu, which users' keymap options
/// change.
const FIRST: u8 = 147;
/// Maximum length of [`BOUND`] that is read, in units of 4 bytes.
const MAX_PROPERTY: u32 = 64 * 1024;

/// A keycode that deskd bound.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Binding {
    keycode: u8,
    was: Symbols,
    now: Symbols,
}

/// All bound keycodes.
#[derive(Debug, Default)]
pub(in crate::x11) struct Bindings {
    all: Vec<Binding>,
    /// Windows that may still have key events of bound keycodes to read.
    unread: Vec<WindowId>,
    /// Keysyms that the current step names as keys: they are not replaced until the step ends.
    pinned: HashSet<u32>,
}

impl Bindings {
    pub(in crate::x11) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(in crate::x11) fn has(&self, keycode: u8) -> bool {
        self.all.iter().any(|binding| binding.keycode == keycode)
    }

    /// Windows that may still have key events of bound keycodes to read, including those that an
    /// earlier instance recorded.
    pub(in crate::x11) fn unread(&self) -> &[WindowId] {
        &self.unread
    }

    /// Adds a window to [`Self::unread()`] and records it on the X server for a later instance.
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

    /// Restores bound keycodes that another program has grabbed meanwhile, because only that
    /// program would receive them. Returns whether there were any.
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

    /// Binds the first `wanted` keysyms that fit, and returns their number. Without `replace`,
    /// uses only free places and does not count keysyms that are bound already. With `replace`,
    /// removes bound keysyms that are neither wanted nor pinned; wanted ones keep their place.
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
        // A bound keycode that has no keysym now looks unused: exclude it.
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
            // Pinned keysyms are not replaced.
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
        // Fill the level that needs no modifier first.
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

    /// Sets the keysyms that [`Self::bind`] must not replace.
    pub(in crate::x11) fn pin(&mut self, keysyms: &[u32]) {
        self.pinned = keysyms.iter().copied().collect();
    }

    /// Restores the former symbols of all bound keycodes.
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

    /// Takes over the bindings that an earlier instance recorded on the X server.
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

    /// Sends the symbols of all keycodes from [`FIRST`] on, including unchanged ones.
    ///
    /// One request always covers the same keycodes. While Xlib reads a change, it loses
    /// notifications of other changes (libX11 1.8, `_XkbCheckPendingRefresh`). If those concern
    /// the same keycodes, the reply already contains them. With several requests, xterm lost
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
            // Xwayland answers every SetMap with BadValue if a compositor made the keymap.
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

    /// Does the same with the core protocol (`ChangeKeyboardMapping`). There, the keysyms of a key
    /// are two levels each of up to two groups, then the further levels (XKB protocol, 12.4). The
    /// third and fourth group of a key are lost.
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

    /// Drops the bindings of keycodes that another program has changed: they are not restored.
    fn forget_replaced(&mut self, keymap: &Keymap) {
        self.all.retain(|binding| {
            let symbols = keymap.symbols(binding.keycode);
            symbols.is_some_and(|symbols| symbols.serves_as(&binding.now))
        });
    }

    /// Records on the X server which keycodes are, or are about to be, bound.
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

/// Returns the keycodes that no other program has grabbed.
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
            // Another program has grabbed the keycode.
            Err(ReplyError::X11Error(_)) => {}
            Err(error) => return Err(DisplayError::reply("GrabKey", error)),
        }
    }
    Ok(free)
}

/// Text such as `1 89:0.0.0.0/0/0/=2.0.0.0/1/2/1000431,0 w40000a`: the version; each keycode with
/// its former and its present symbols (types, groups, levels, keysyms in hexadecimal); the
/// unread windows.
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

/// Parses the text that `format` writes. Ignores malformed entries, and other versions entirely.
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
