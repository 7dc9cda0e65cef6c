//! The server's keymap: which key, with which modifiers held, gives a keysym or a character (X
//! Keyboard Extension 1.0, "Computing Effective Modifier and Group").

use std::collections::HashMap;

use x11rb::protocol::xkb::{self, ConnectionExt as _, KeySymMap, KeyType, MapPart};

use crate::keys;
use crate::x11::{connection::server::XConnection, error::DisplayError};

/// XKB's device id of the core keyboard.
pub(in crate::x11) const CORE_KEYBOARD: xkb::DeviceSpec = 0x100;

/// Shift's bit in the core protocol.
const SHIFT: u8 = 1;

/// Lock's bit, which Caps Lock sets.
const LOCK: u8 = 2;

/// The keysym of the key that selects the third level (`ISO_Level3_Shift`).
const LEVEL3: u32 = 0xfe03;

/// Index of the key type `ALPHABETIC` in every keymap (XKB, "The Canonical Key Types"): Shift and
/// Caps Lock select the second of two levels.
const ALPHABETIC: u8 = 2;

/// Vendor-specific keysyms, which include those of multimedia keys.
const VENDOR: std::ops::RangeInclusive<u32> = 0x1008_0000..=0x1008_ffff;

/// The lowest keycode that is used. Many programs ignore keycode 8: its evdev code is 0,
/// "reserved".
const FIRST_USABLE: u8 = 9;

/// The highest keycode of the main block: letters, digits, function keys and keypad (`evdev`).
/// Above are multimedia keys.
const LAST_MAIN: u8 = 135;

/// Keycodes on which a browser acts regardless of their keysyms. Chromium was observed to do so
/// with copy, paste, cut and reload; the others have functions of that kind too (keycode = code
/// in Linux `input-event-codes.h` plus 8).
const BY_PLACE: [u8; 22] = [
    // power, stop, copy, open, paste, cut, sleep,
    124, 136, 141, 142, 143, 145, 150, //
    // the web, mail, bookmarks, back, forward, home page, reload, exit,
    158, 163, 164, 166, 167, 180, 181, 182, //
    // new, suspend, close, search, send, forward mail, save.
    189, 213, 214, 225, 239, 241, 242,
];

/// The modifier Control in the core protocol.
const CONTROL: u8 = 4;

/// Keysyms of modifier keys that turn a character into a shortcut: Meta, Alt, Super, Hyper.
const SHORTCUTS: std::ops::RangeInclusive<u32> = 0xffe7..=0xffee;

/// Keysyms of keys that set a modifier while they are down.
const HOLDING: [std::ops::RangeInclusive<u32>; 3] = [
    // Shift, Control; Meta, Alt, Super, Hyper. The lock keys lie between the two ranges.
    0xffe1..=0xffe4,
    0xffe7..=0xffee,
    // ISO_Level3_Shift. deskd does not use Mode_switch.
    0xfe03..=0xfe03,
];

/// The present state of the keyboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyboardState {
    /// Modifiers of keys that are down.
    pub down: u8,
    /// Modifiers that are locked.
    pub locked: u8,
    /// Whether modifiers or the layout are latched, for the next key only.
    pub latched: bool,
    /// The effective group (layout), from 0.
    pub group: u8,
}

/// A key, and the modifier keys to hold with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stroke {
    /// The key.
    pub keycode: u8,
    /// Keys of modifiers to hold, in the order to press them.
    pub hold: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct KeyPlace {
    keycode: u8,
    group: u8,
    level: u8,
}

/// The symbols of a key, as the protocol encodes them (XKB, `KEYSYMMAP`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::x11) struct Symbols {
    /// Key type of each group.
    pub(in crate::x11) types: [u8; 4],
    /// Number of groups (low 4 bits), and how groups beyond them are mapped.
    pub(in crate::x11) group_info: u8,
    /// Number of levels in each group.
    pub(in crate::x11) width: u8,
    /// By group, then by level.
    pub(in crate::x11) keysyms: Vec<u32>,
}

impl Symbols {
    fn groups(&self) -> u8 {
        self.group_info & 0x0f
    }

    /// The keysyms of the first two groups in the order of the core protocol: two levels of each,
    /// then levels 3 and 4 of each (XKB protocol, 12.4). A single group is used for both.
    pub(in crate::x11) fn in_core_order(&self) -> [u32; 8] {
        let level = |group: u8, level: u8| {
            let group = group.min(self.groups().saturating_sub(1));
            let index = usize::from(group) * usize::from(self.width) + usize::from(level);
            let there = level < self.width;
            self.keysyms
                .get(index)
                .copied()
                .filter(|_| there)
                .unwrap_or(0)
        };
        [
            (0, 0),
            (0, 1),
            (1, 0),
            (1, 1),
            (0, 2),
            (0, 3),
            (1, 2),
            (1, 3),
        ]
        .map(|(group, number)| level(group, number))
    }

    /// Whether the first group gives the keysyms of `wanted`.
    ///
    /// For keysyms that were set with the core protocol, the server chooses the key type and adds
    /// the capital of a letter. So a keysym where `wanted` has no capital is accepted.
    pub(in crate::x11) fn serves_as(&self, wanted: &Self) -> bool {
        let (here, wanted) = (self.in_core_order(), wanted.in_core_order());
        [0, 1, 4, 5].into_iter().all(|place| {
            let is_capital = place % 2 == 1 && wanted[place - 1] != 0 && wanted[place] == 0;
            here[place] == wanted[place] || is_capital
        })
    }

    /// Whether the key has any keysym.
    pub(in crate::x11) fn gives(&self) -> bool {
        self.keysyms.iter().any(|keysym| *keysym != 0)
    }
}

impl From<Symbols> for KeySymMap {
    fn from(key: Symbols) -> Self {
        Self {
            kt_index: key.types,
            group_info: key.group_info,
            width: key.width,
            syms: key.keysyms,
        }
    }
}

impl From<KeySymMap> for Symbols {
    fn from(key: KeySymMap) -> Self {
        Self {
            types: key.kt_index,
            group_info: key.group_info,
            width: key.width,
            keysyms: key.syms,
        }
    }
}

/// The server's keymap at one moment.
#[derive(Debug)]
pub struct Keymap {
    first: u8,
    keys: Vec<Symbols>,
    types: Vec<KeyType>,
    keysyms: HashMap<u32, Vec<KeyPlace>>,
    characters: HashMap<char, Vec<KeyPlace>>,
    /// For each modifier, the keys that set it while they are down, lowest keycode first.
    holders: [Vec<u8>; 8],
    /// Keys that set any modifier.
    modifiers: Vec<u8>,
    /// Modifiers that turn a character into a shortcut.
    shortcuts: u8,
    /// Keys with XKB actions: the server itself acts on them, and no program receives them.
    acting: Vec<u8>,
}

/// Turns XKB on for a connection, and subscribes to new keymaps.
///
/// # Errors
///
/// When the server has no XKB, or the connection ended.
pub(in crate::x11) fn enable(conn: &XConnection) -> Result<(), DisplayError> {
    let reply = conn.xkb_use_extension(1, 0)?.reply();
    let reply = reply.map_err(|error| DisplayError::reply("XkbUseExtension", error))?;
    if !reply.supported {
        return Err(DisplayError::NoExtension("XKB"));
    }
    let which = xkb::EventType::MAP_NOTIFY | xkb::EventType::NEW_KEYBOARD_NOTIFY;
    let all = MapPart::KEY_TYPES | MapPart::KEY_SYMS | MapPart::MODIFIER_MAP;
    conn.xkb_select_events(
        CORE_KEYBOARD,
        xkb::EventType::from(0_u16),
        which,
        all,
        all,
        &xkb::SelectEventsAux::new(),
    )?
    .ignore_error();
    Ok(())
}

/// Reads the present state of the keyboard.
///
/// # Errors
///
/// When the connection ended.
pub(in crate::x11) fn state(conn: &XConnection) -> Result<KeyboardState, DisplayError> {
    answer(ask_state(conn)?)
}

/// A pending request for the keyboard's state.
type StateCookie<'c> = x11rb::cookie::Cookie<'c, XConnection, xkb::GetStateReply>;

/// Requests the keyboard's state; the request stays in the buffer.
pub(in crate::x11) fn ask_state(conn: &XConnection) -> Result<StateCookie<'_>, DisplayError> {
    Ok(conn.xkb_get_state(CORE_KEYBOARD)?)
}

/// Waits for the reply to [`ask_state`].
pub(in crate::x11) fn answer(asked: StateCookie<'_>) -> Result<KeyboardState, DisplayError> {
    let reply = asked.reply();
    let reply = reply.map_err(|error| DisplayError::reply("XkbGetState", error))?;
    Ok(KeyboardState {
        down: mask(reply.base_mods),
        locked: mask(reply.locked_mods),
        latched: mask(reply.latched_mods) != 0 || reply.latched_group != 0,
        group: u8::from(reply.group),
    })
}

fn mask(mods: x11rb::protocol::xproto::ModMask) -> u8 {
    u8::try_from(u16::from(mods) & 0xff).unwrap_or(0)
}

impl Keymap {
    /// Reads the server's keymap.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub(in crate::x11) fn read(conn: &XConnection) -> Result<Self, DisplayError> {
        let full =
            MapPart::KEY_TYPES | MapPart::KEY_SYMS | MapPart::KEY_ACTIONS | MapPart::MODIFIER_MAP;
        let none = MapPart::from(0_u16);
        let reply = conn
            .xkb_get_map(
                CORE_KEYBOARD,
                full,
                none,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                xkb::VMod::from(0_u16),
                0,
                0,
                0,
                0,
                0,
                0,
            )?
            .reply();
        let reply = reply.map_err(|error| DisplayError::reply("XkbGetMap", error))?;
        let mut map = Self {
            first: reply.first_key_sym,
            keys: Vec::new(),
            types: reply.map.types_rtrn.unwrap_or_default(),
            keysyms: HashMap::new(),
            characters: HashMap::new(),
            holders: Default::default(),
            modifiers: Vec::new(),
            shortcuts: CONTROL,
            acting: Vec::new(),
        };
        let actions = reply.map.key_actions.iter();
        let counts = actions.flat_map(|actions| &actions.acts_rtrn_count);
        let counts = (reply.first_key_action..=u8::MAX).zip(counts);
        map.acting = counts
            .filter(|(_, count)| **count > 0)
            .map(|(keycode, _)| keycode)
            .collect();
        let keys = reply.map.syms_rtrn.into_iter().flatten();
        map.keys = keys.map(Symbols::from).collect();
        let keys = map.keys.clone();
        for (keycode, key) in (reply.first_key_sym..=u8::MAX).zip(keys) {
            let width = usize::from(key.width).max(1);
            for (group, keysyms) in (0..key.groups()).zip(key.keysyms.chunks(width)) {
                for (level, keysym) in (0..=u8::MAX).zip(keysyms) {
                    map.note(
                        *keysym,
                        KeyPlace {
                            keycode,
                            group,
                            level,
                        },
                    );
                }
            }
        }
        for entry in reply.map.modmap_rtrn.iter().flatten() {
            let bits = mask(entry.mods);
            map.modifiers.push(entry.keycode);
            let has = |keysyms: &[std::ops::RangeInclusive<u32>]| {
                map.keysyms.iter().any(|(keysym, places)| {
                    keysyms.iter().any(|range| range.contains(keysym))
                        && places
                            .iter()
                            .any(|place| place.keycode == entry.keycode && place.level == 0)
                })
            };
            let (holds, shortcut) = (has(&HOLDING), has(&[SHORTCUTS]));
            if shortcut {
                map.shortcuts |= bits;
            }
            if holds {
                for (bit, holders) in map.holders.iter_mut().enumerate() {
                    if bits & (1 << bit) != 0 {
                        holders.push(entry.keycode);
                        holders.sort_unstable();
                    }
                }
            }
        }
        Ok(map)
    }

    /// Modifiers that turn a character into a shortcut: Control, Alt, Super and similar.
    pub fn shortcuts(&self) -> u8 {
        self.shortcuts
    }

    fn note(&mut self, keysym: u32, place: KeyPlace) {
        if keysym == 0 {
            return;
        }
        self.keysyms.entry(keysym).or_default().push(place);
        // Text is not typed with the keys of the keypad, whose keysyms have characters too.
        let function = (0xff00..=0xffff).contains(&keysym);
        let character = keys::character(keysym).filter(|_| keys::is_mapped_back(keysym));
        if let Some(character) = character.filter(|_| !function) {
            self.characters.entry(character).or_default().push(place);
        }
    }

    /// Finds how to type a character; a line feed is Return, a tab is Tab. `None` if no key gives
    /// it in the effective group, or the modifiers that are down prevent that.
    pub fn type_character(&self, character: char, state: KeyboardState) -> Option<Stroke> {
        let places = match character {
            '\n' => self.keysyms.get(&0xff0d),
            '\t' => self.keysyms.get(&0xff09),
            character => self.characters.get(&character),
        };
        // While Caps Lock is on, a program may change the letter of a key that ignores the lock.
        let raised = character.to_uppercase().next() != Some(character);
        self.best(
            places?,
            state.group,
            state.down | state.locked,
            raised && state.locked & LOCK != 0,
        )
    }

    /// Finds how to press a key by its keysym, independent of locks: `Ctrl+A` with Caps
    /// Lock is still `Ctrl+A`.
    pub fn press_keysym(&self, keysym: u32, group: u8) -> Option<Stroke> {
        let places = self.keysyms.get(&keysym)?;
        self.best(places, group, 0, false)
            // No key of this layout gives the keysym: use a key of another layout.
            .or_else(|| {
                let first = places.iter().find(|place| place.level == 0)?;
                Some(Stroke {
                    keycode: first.keycode,
                    hold: Vec::new(),
                })
            })
    }

    /// The keysym that a key gives without modifiers.
    pub fn keysym(&self, keycode: u8) -> Option<u32> {
        let here = |place: &&KeyPlace| place.keycode == keycode && place.level == 0;
        let found = self
            .keysyms
            .iter()
            .filter_map(|(keysym, places)| Some((places.iter().find(here)?.group, *keysym)));
        found.min().map(|(_, keysym)| keysym)
    }

    /// The symbols of a key.
    pub(in crate::x11) fn symbols(&self, keycode: u8) -> Option<&Symbols> {
        let index = keycode.checked_sub(self.first)?;
        self.keys.get(usize::from(index))
    }

    /// Keycodes that have no keysym, or only keysyms of multimedia keys, in ascending order.
    pub(in crate::x11) fn unused(&self) -> impl Iterator<Item = u8> + '_ {
        let keycodes = (self.first.max(FIRST_USABLE)..=u8::MAX)
            .filter(|keycode| !self.modifiers.contains(keycode));
        keycodes.filter(|keycode| {
            let symbols = self.symbols(*keycode);
            let keysyms = symbols.map(|symbols| symbols.keysyms.iter());
            keysyms.is_some_and(|mut all| all.all(|k| *k == 0 || VENDOR.contains(k)))
        })
    }

    /// Whether a keysym bound to that keycode would reach the focused program as a character.
    pub(in crate::x11) fn can_carry(&self, keycode: u8) -> bool {
        !self.acting.contains(&keycode) && !BY_PLACE.contains(&keycode)
    }

    /// The key type for keycodes that are bound to characters, and its number of levels.
    ///
    /// It is the type with four levels, if the keymap has it and a key that selects the third
    /// level. Otherwise it is [`ALPHABETIC`].
    pub(in crate::x11) fn letters(&self) -> (u8, u8) {
        let level3 = self.level3();
        let wanted = [
            (SHIFT, 1),
            (LOCK, 1),
            (level3, 2),
            (SHIFT | level3, 3),
            (LOCK | level3, 3),
        ];
        let four = |kind: &KeyType| {
            let gives = |(modifiers, level)| {
                let entry = kind.map.iter().find(|e| mask(e.mods_mask) == modifiers);
                entry.is_some_and(|entry| entry.active && entry.level == level)
            };
            kind.num_levels == 4
                && mask(kind.mods_mask) == SHIFT | LOCK | level3
                && wanted.into_iter().all(gives)
        };
        let found = self.types.iter().position(four);
        let found = found.filter(|_| level3 != 0);
        match found.and_then(|index| u8::try_from(index).ok()) {
            Some(index) => (index, 4),
            None => (ALPHABETIC, 2),
        }
    }

    /// The modifier that selects the third level; 0 if there is none.
    fn level3(&self) -> u8 {
        let holders = |bit: &u8| &self.holders[usize::from(*bit)];
        let places = self.keysyms.get(&LEVEL3).into_iter().flatten();
        let bits = |place: &KeyPlace| (0..8).find(|bit| holders(bit).contains(&place.keycode));
        let bit: Option<u8> = places.clone().find_map(bits);
        bit.map_or(0, |bit| 1 << bit)
    }

    /// Prefers a key of the main block, then the fewest modifiers, then the lowest keycode. Under
    /// `evdev`, a parenthesis also has a keycode beyond the main block, which Wine does not
    /// support. With `raised`, only keys that Caps Lock affects are used.
    fn best(&self, places: &[KeyPlace], group: u8, in_force: u8, raised: bool) -> Option<Stroke> {
        let is_main = |place: &&KeyPlace| place.keycode <= LAST_MAIN;
        let main: Vec<KeyPlace> = places.iter().filter(is_main).copied().collect();
        self.fewest(&main, group, in_force, raised)
            .or_else(|| self.fewest(places, group, in_force, raised))
    }

    fn fewest(&self, places: &[KeyPlace], group: u8, in_force: u8, raised: bool) -> Option<Stroke> {
        let level3 = self.level3();
        let mut sets = vec![0, SHIFT];
        if level3 != 0 {
            sets.extend([level3, SHIFT | level3]);
        }
        sets.into_iter()
            .filter_map(|set| Some((set, self.hold(set & !in_force)?)))
            .find_map(|(set, hold)| {
                let mut fitting: Vec<u8> = places
                    .iter()
                    .filter(|place| self.gives(place, group, in_force | set, raised))
                    .map(|place| place.keycode)
                    .collect();
                fitting.sort_unstable();
                let keycode = *fitting.first()?;
                Some(Stroke { keycode, hold })
            })
    }

    /// Returns one key for each of these modifiers; `None` if a modifier has no key.
    fn hold(&self, modifiers: u8) -> Option<Vec<u8>> {
        let wanted = (0..8).filter(|bit| modifiers & (1 << bit) != 0);
        wanted
            .map(|bit| self.holders[bit].first().copied())
            .collect()
    }

    /// Whether the key of `place` gives the keysym of `place` with this group and these modifiers.
    fn gives(&self, place: &KeyPlace, group: u8, modifiers: u8, raised: bool) -> bool {
        let Some(key) = self.symbols(place.keycode) else {
            return false;
        };
        // A group that the key lacks wraps around.
        let effective = group % key.groups().max(1);
        if place.group != effective {
            return false;
        }
        let kind = key.types[usize::from(effective.min(3))];
        let Some(kind) = self.types.get(usize::from(kind)) else {
            return place.level == 0 && !raised;
        };
        if raised && mask(kind.mods_mask) & LOCK == 0 {
            return false;
        }
        let relevant = modifiers & mask(kind.mods_mask);
        let entry = kind
            .map
            .iter()
            .find(|entry| entry.active && mask(entry.mods_mask) == relevant);
        entry.map_or(0, |entry| entry.level) == place.level
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(groups: u8, width: u8, keysyms: &[u32]) -> Symbols {
        Symbols {
            types: [0; 4],
            group_info: groups,
            width,
            keysyms: keysyms.to_vec(),
        }
    }

    #[test]
    fn levels_and_groups_have_their_places_in_the_core_protocol() {
        for (symbols, core) in [
            (key(0, 0, &[]), [0; 8]),
            (key(1, 1, &[1]), [1, 0, 1, 0, 0, 0, 0, 0]),
            (key(2, 1, &[1, 2]), [1, 0, 2, 0, 0, 0, 0, 0]),
            (key(1, 4, &[1, 2, 3, 4]), [1, 2, 1, 2, 3, 4, 3, 4]),
            (
                key(2, 4, &[1, 2, 3, 4, 5, 6, 7, 8]),
                [1, 2, 5, 6, 3, 4, 7, 8],
            ),
        ] {
            assert_eq!(symbols.in_core_order(), core);
        }
    }

    #[test]
    fn a_key_serves_as_another_when_only_its_capital_was_filled_in() {
        let bound = key(1, 4, &[u32::from(b'a'), 0, 0, 0]);
        assert!(bound.serves_as(&bound));
        let filled = key(1, 2, &[u32::from(b'a'), u32::from(b'A')]);
        assert!(filled.serves_as(&bound) && !bound.serves_as(&filled));
        let empty = key(1, 4, &[0; 4]);
        assert!(!bound.serves_as(&empty) && key(0, 0, &[]).serves_as(&empty));
    }
}
