//! Maps key names to keysyms.
//!
//! Names are compared without letter case, `_`, `-` and spaces, in this order: a single character,
//! then [`ALIASES`], then every X keysym name (X11's keysymdef.h and XF86keysym.h, without the
//! prefix `XK_`), then `U+20AC` or `U20AC`. A single letter names a key, not a character: `A` is
//! the key `a`, and a chord must name Shift if it needs it.

use std::{collections::HashMap, sync::OnceLock};

use xkeysym::Keysym;

/// Further key names, each with its X keysym name: those of OpenAI's and Anthropic's tools, of
/// browsers (`KeyboardEvent.key` and `.code`), and common ones.
pub const ALIASES: &[(&str, &str)] = &[
    ("alt", "Alt_L"),
    ("alt left", "Alt_L"),
    ("alt right", "Alt_R"),
    ("altgr", "ISO_Level3_Shift"),
    ("alt graph", "ISO_Level3_Shift"),
    ("option", "Alt_L"),
    ("ctrl", "Control_L"),
    ("control", "Control_L"),
    ("control left", "Control_L"),
    ("control right", "Control_R"),
    ("shift", "Shift_L"),
    ("shift left", "Shift_L"),
    ("shift right", "Shift_R"),
    ("cmd", "Super_L"),
    ("command", "Super_L"),
    ("meta", "Super_L"),
    ("meta left", "Super_L"),
    ("meta right", "Super_R"),
    ("os left", "Super_L"),
    ("os right", "Super_R"),
    ("super", "Super_L"),
    ("win", "Super_L"),
    ("windows", "Super_L"),
    ("hyper", "Hyper_L"),
    ("enter", "Return"),
    ("esc", "Escape"),
    ("del", "Delete"),
    ("ins", "Insert"),
    ("spacebar", "space"),
    ("arrow left", "Left"),
    ("arrow right", "Right"),
    ("arrow up", "Up"),
    ("arrow down", "Down"),
    ("left arrow", "Left"),
    ("right arrow", "Right"),
    ("up arrow", "Up"),
    ("down arrow", "Down"),
    ("page dn", "Page_Down"),
    ("page down", "Page_Down"),
    ("page up", "Page_Up"),
    ("pg up", "Page_Up"),
    ("pg dn", "Page_Down"),
    ("context menu", "Menu"),
    ("apps", "Menu"),
    ("print screen", "Print"),
    ("prt sc", "Print"),
    ("break", "Break"),
    ("backquote", "grave"),
    ("quote", "apostrophe"),
    ("dot", "period"),
    ("bracket left", "bracketleft"),
    ("bracket right", "bracketright"),
    ("numpad 0", "KP_0"),
    ("numpad 1", "KP_1"),
    ("numpad 2", "KP_2"),
    ("numpad 3", "KP_3"),
    ("numpad 4", "KP_4"),
    ("numpad 5", "KP_5"),
    ("numpad 6", "KP_6"),
    ("numpad 7", "KP_7"),
    ("numpad 8", "KP_8"),
    ("numpad 9", "KP_9"),
    ("numpad enter", "KP_Enter"),
    ("numpad add", "KP_Add"),
    ("numpad subtract", "KP_Subtract"),
    ("numpad multiply", "KP_Multiply"),
    ("numpad divide", "KP_Divide"),
    ("numpad decimal", "KP_Decimal"),
    ("numpad equal", "KP_Equal"),
    ("volume up", "XF86AudioRaiseVolume"),
    ("volume down", "XF86AudioLowerVolume"),
    ("volume mute", "XF86AudioMute"),
    ("audio volume up", "XF86AudioRaiseVolume"),
    ("audio volume down", "XF86AudioLowerVolume"),
    ("audio volume mute", "XF86AudioMute"),
    ("browser back", "XF86Back"),
    ("browser forward", "XF86Forward"),
    ("browser refresh", "XF86Refresh"),
    ("browser home", "XF86HomePage"),
    ("media play pause", "XF86AudioPlay"),
    ("media track next", "XF86AudioNext"),
    ("media track previous", "XF86AudioPrev"),
    ("media stop", "XF86AudioStop"),
];

/// Keysyms with two X names: the name in the keysym table, and the better known one.
const BETTER_KNOWN: [(&str, &str); 4] = [
    ("Prior", "Page_Up"),
    ("Next", "Page_Down"),
    ("KP_Prior", "KP_Page_Up"),
    ("KP_Next", "KP_Page_Down"),
];

/// The base of the Unicode keysyms.
const UNICODE: u32 = 0x0100_0000;

/// Maximum length of a name that is looked up, in bytes.
const MAX_NAME: usize = 40;

/// Returns the keysym of a key name; `None` if the name is unknown.
pub fn keysym(name: &str) -> Option<u32> {
    let mut characters = name.chars();
    if let (Some(one), None) = (characters.next(), characters.next()) {
        return of_character(one.to_lowercase().next().unwrap_or(one));
    }
    if name.len() > MAX_NAME {
        return None;
    }
    let plain = plain(name);
    let names = names();
    // Some X names differ only in case, such as `Agrave` and `agrave`.
    let exact = names.exact.get(name).copied();
    exact
        .filter(|_| !names.aliases.contains_key(plain.as_str()))
        .or_else(|| names.aliases.get(plain.as_str()).copied())
        .or_else(|| names.plain.get(plain.as_str()).copied())
        .or_else(|| dom_code(&plain))
        .or_else(|| of_character(unicode(&plain)?))
}

/// Splits a chord such as `ctrl+shift+t` into key names. The plus key stands last or alone:
/// `ctrl++`.
pub fn chord(chord: &str) -> Vec<String> {
    if chord.is_empty() {
        return Vec::new();
    }
    let (rest, plus) = match chord.strip_suffix("++") {
        Some(rest) => (Some(rest), true),
        None if chord == "+" => (None, true),
        None => (Some(chord), false),
    };
    let mut keys: Vec<String> = Vec::new();
    for name in rest.into_iter().flat_map(|rest| rest.split('+')) {
        // `U+20AC` is one name, although it contains a plus.
        let hexadecimal = name.len() >= 4 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        match keys.last_mut() {
            Some(last) if hexadecimal && last.eq_ignore_ascii_case("u") => {
                last.push('+');
                last.push_str(name);
            }
            _ => keys.push(name.to_owned()),
        }
    }
    if plus {
        keys.push("+".into());
    }
    keys
}

/// Returns the keysym of a character; `None` for control characters.
pub fn of_character(character: char) -> Option<u32> {
    let typable = !character.is_control();
    typable.then(|| Keysym::from_char(character).raw())
}

/// Returns the keysym that every toolkit maps to the character: Latin-1 directly, all others as
/// Unicode keysyms (X11 Protocol, appendix A: 0x01000000 + code point). Toolkits do not map many
/// older keysyms to characters, such as those of box drawing (0x08a3) or `permille` (0x0ad5).
/// Returns `None` for control characters.
pub fn unicode_keysym(character: char) -> Option<u32> {
    let code = u32::from(character);
    match code {
        _ if character.is_control() => None,
        0x20..=0x7e | 0xa0..=0xff => Some(code),
        _ => Some(UNICODE + code),
    }
}

/// Whether a key that the layout lacks can be bound to an unused keycode. A modifier or a lock
/// cannot: the keycode would have its keysym but not its effect.
pub fn is_bindable(keysym: u32) -> bool {
    let is_modifier = matches!(
        keysym,
        0xffe1..=0xffee | 0xfe01..=0xfe13 | 0xff7e | 0xff7f | 0xff14
    );
    keysym != 0 && !is_modifier
}

/// Whether toolkits map a keysym of the layout to its character. They map only some keysyms of the
/// technical, special, publishing and APL sets.
pub fn is_mapped_back(keysym: u32) -> bool {
    !(0x08a0..=0x0bff).contains(&keysym)
}

/// Returns the character of a keysym.
pub fn character(keysym: u32) -> Option<char> {
    Keysym::new(keysym).key_char()
}

/// Returns the X name of a keysym; without one, the code point of its character or its number.
pub fn name(keysym: u32) -> String {
    x_name(keysym).unwrap_or_else(|| match character(keysym) {
        Some(character) => format!("U{:04X}", u32::from(character)),
        None => format!("{keysym:#x}"),
    })
}

/// Returns all X keysym names, sorted.
pub fn x_names() -> Vec<String> {
    let mut list: Vec<String> = names().exact.keys().cloned().collect();
    list.sort_unstable();
    list
}

/// Returns the key of a W3C UI Events `code` such as `KeyA` or `Digit1`.
fn dom_code(plain: &str) -> Option<u32> {
    let rest = plain
        .strip_prefix("key")
        .or_else(|| plain.strip_prefix("digit"))?;
    let mut characters = rest.chars();
    match (characters.next(), characters.next()) {
        (Some(one), None) if one.is_ascii_alphanumeric() => of_character(one),
        _ => None,
    }
}

fn unicode(plain: &str) -> Option<char> {
    let digits = plain.strip_prefix("u")?;
    let digits = digits.strip_prefix('+').unwrap_or(digits);
    if !(4..=6).contains(&digits.len()) {
        return None;
    }
    char::from_u32(u32::from_str_radix(digits, 16).ok()?)
}

/// Converts a name to lower case and removes `_`, `-` and spaces.
fn plain(name: &str) -> String {
    let kept = name.chars().filter(|c| !matches!(c, '_' | '-' | ' '));
    kept.flat_map(char::to_lowercase).collect()
}

struct Names {
    exact: HashMap<String, u32>,
    plain: HashMap<String, u32>,
    aliases: HashMap<String, u32>,
}

fn names() -> &'static Names {
    static NAMES: OnceLock<Names> = OnceLock::new();
    NAMES.get_or_init(|| {
        // The ranges of the keysyms: the core sets, and those of vendors.
        let all = (0x20..=0x20ff)
            .chain(0xfc00..=0xffff)
            .chain(0x0100_0100..=0x0100_30ff)
            .chain(0x1008_fe00..=0x1008_ffff)
            .filter_map(|keysym| Some((keysym, x_name(keysym)?)));
        let mut names = Names {
            exact: all.map(|(keysym, name)| (name, keysym)).collect(),
            plain: HashMap::new(),
            aliases: HashMap::new(),
        };
        // Of names that differ only in case, the one with the fewest capitals is used, then the
        // alphabetically first: `Greek_alpha` before `Greek_ALPHA`.
        let capitals = |name: &str| name.chars().filter(|one| one.is_uppercase()).count();
        let mut sorted: Vec<(&String, &u32)> = names.exact.iter().collect();
        sorted.sort_by_key(|(name, _)| (capitals(name), name.as_str()));
        for (name, keysym) in sorted {
            names.plain.entry(plain(name)).or_insert(*keysym);
        }
        for (alias, name) in ALIASES.iter().chain(&BETTER_KNOWN) {
            if let Some(keysym) = names.exact.get(*name) {
                names.aliases.insert(plain(alias), *keysym);
            }
        }
        names
    })
}

fn x_name(keysym: u32) -> Option<String> {
    let name = Keysym::new(keysym).name()?.replacen("XK_", "", 1);
    let known = BETTER_KNOWN.iter().find(|(other, _)| *other == name);
    Some(known.map_or(name, |(_, known)| (*known).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_every_vendor_are_known_in_any_case() {
        for (given, meant) in [
            // OpenAI's names.
            ("CTRL", "Control_L"),
            ("ARROWLEFT", "Left"),
            ("ENTER", "Return"),
            ("CMD", "Super_L"),
            ("PAGEUP", "Page_Up"),
            ("F12", "F12"),
            ("BACKSPACE", "BackSpace"),
            ("/", "slash"),
            // Anthropic's names, which are xdotool's.
            ("Return", "Return"),
            ("KP_Enter", "KP_Enter"),
            ("Page_Up", "Page_Up"),
            ("XF86AudioRaiseVolume", "XF86AudioRaiseVolume"),
            ("ISO_Left_Tab", "ISO_Left_Tab"),
            ("super", "Super_L"),
            ("Meta_L", "Meta_L"),
            ("Agrave", "Agrave"),
            ("agrave", "agrave"),
            // Browsers' names.
            ("ArrowLeft", "Left"),
            ("KeyQ", "q"),
            ("Digit7", "7"),
            ("NumpadEnter", "KP_Enter"),
            ("ShiftRight", "Shift_R"),
            (" ", "space"),
            ("AltGraph", "ISO_Level3_Shift"),
            // Other names.
            ("A", "a"),
            ("page down", "Page_Down"),
            ("U+20AC", "EuroSign"),
            ("caps-lock", "Caps_Lock"),
            ("Prior", "Page_Up"),
            ("break", "Break"),
            // Names that differ only in case: an exact match, else the lower-case letter.
            ("Greek_ALPHA", "Greek_ALPHA"),
            ("Greek_alpha", "Greek_alpha"),
            ("GREEK_ALPHA", "Greek_alpha"),
            ("greek alpha", "Greek_alpha"),
            ("Cyrillic_IO", "Cyrillic_IO"),
            ("cyrillic-io", "Cyrillic_io"),
        ] {
            let keysym = keysym(given);
            assert_eq!(keysym.map(name).as_deref(), Some(meant), "{given}");
        }
    }

    #[test]
    fn characters_are_bound_by_keysyms_that_every_toolkit_maps_back() {
        assert_eq!(unicode_keysym('a'), Some(0x61));
        assert_eq!(unicode_keysym('é'), Some(0xe9));
        assert_eq!(unicode_keysym('─'), Some(0x0100_2500));
        assert_eq!(unicode_keysym('\n'), None);
        // horizconnector, permille; Cyrillic_a.
        assert!(!is_mapped_back(0x08a3) && !is_mapped_back(0x0ad5) && is_mapped_back(0x06c1));
        assert!(is_bindable(0xffc8) && !is_bindable(0xffed) && !is_bindable(0xfe03));
    }

    #[test]
    fn what_is_no_key_is_not_known() {
        let long = "a".repeat(4000);
        for name in [
            "",
            "nosuchkey",
            "ctrl+c",
            "KeyAB",
            "U+",
            "\u{7}",
            "UD800",
            &long,
        ] {
            assert_eq!(keysym(name), None, "{name:?}");
        }
    }

    #[test]
    fn every_alias_means_a_key_that_x_knows() {
        for (alias, name) in ALIASES {
            assert!(names().exact.contains_key(*name), "{name}");
            assert_eq!(keysym(alias), names().exact.get(*name).copied(), "{alias}");
        }
        assert!(x_names().len() > 2000);
    }

    #[test]
    fn chords_are_split_at_their_pluses() {
        for (chord, keys) in [
            ("a", vec!["a"]),
            ("ctrl+shift+t", vec!["ctrl", "shift", "t"]),
            ("ctrl++", vec!["ctrl", "+"]),
            ("+", vec!["+"]),
            ("ctrl+-", vec!["ctrl", "-"]),
            ("", vec![]),
            ("a++b", vec!["a", "", "b"]),
            // The last name of the chord is missing.
            ("ctrl+", vec!["ctrl", ""]),
            ("ctrl+U+20AC", vec!["ctrl", "U+20AC"]),
            ("++", vec!["", "+"]),
        ] {
            assert_eq!(super::chord(chord), keys, "{chord}");
        }
    }
}
