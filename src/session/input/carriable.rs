//! Determines which characters can be typed.

use crate::x11::{KeyboardState, Keymap};

/// Checks that all of a text can be typed. Otherwise returns the first character that no key and no
/// keysym gives, and its position.
pub(super) fn carriable(
    keymap: &Keymap,
    keyboard: KeyboardState,
    text: &str,
) -> Result<(), (usize, char)> {
    let keyboard = typing_state(keyboard);
    let lost = text.chars().enumerate().find(|(_, one)| {
        let keysym = crate::keys::of_character(*one);
        (keysym.is_none() || is_noncharacter(*one))
            && keymap.type_character(*one, keyboard).is_none()
    });
    lost.map_or(Ok(()), Err)
}

/// Returns the state of the keyboard while a text is typed: latches are cleared first, and no other
/// key may be down.
pub(super) fn typing_state(keyboard: KeyboardState) -> KeyboardState {
    KeyboardState {
        down: 0,
        latched: false,
        ..keyboard
    }
}

/// Whether a code point is permanently no character (Unicode, section 23.7).
fn is_noncharacter(one: char) -> bool {
    let code = u32::from(one);
    code & 0xfffe == 0xfffe || (0xfdd0..=0xfdef).contains(&code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noncharacters_are_known() {
        for one in ['\u{fffe}', '\u{fdd0}', '\u{1ffff}'] {
            assert!(is_noncharacter(one));
        }
        assert!(!is_noncharacter('\u{fffd}'));
    }
}
