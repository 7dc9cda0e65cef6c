//! Characters that change how text is shown; and cuts text to a number of bytes. `str::floor_char_boundary` and `str::ceil_char_boundary` of the
//! standard library do the same, but require Rust 1.91.

/// Whether a character is not shown itself, but changes how other text is shown: control characters,
/// separators of lines, and the marks by which text changes its direction (Unicode, UAX #9).
pub(crate) fn is_hidden(one: char) -> bool {
    let is_mark = matches!(
        one,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    one.is_control() || is_mark
}

/// Cuts off what is beyond `most` bytes, and the whole of a character that would be cut.
pub(crate) fn keep_start(text: &mut String, most: usize) {
    if text.len() > most {
        let end = (0..=most).rev().find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or(0));
    }
}

/// Returns the last `most` bytes of a text, without a character that would be cut.
pub(crate) fn last_part(text: &str, most: usize) -> &str {
    let start = text.len().saturating_sub(most);
    let start = (start..=text.len()).find(|start| text.is_char_boundary(*start));
    &text[start.unwrap_or(text.len())..]
}

#[cfg(test)]
mod tests {
    use super::{is_hidden, keep_start, last_part};

    #[test]
    fn what_changes_other_text_is_hidden() {
        for one in [
            '\n', '\u{1b}', '\u{9b}', '\u{202e}', '\u{2066}', '\u{2028}', '\u{200f}',
        ] {
            assert!(is_hidden(one), "{one:?}");
        }
        for one in ['a', ' ', '漢', 'ع', 'א', '\u{301}', '😀', '\u{200d}'] {
            assert!(!is_hidden(one), "{one:?}");
        }
    }

    #[test]
    fn no_character_is_cut() {
        for (most, start, end) in [
            (0, "", ""),
            (1, "a", "b"),
            (2, "a", "b"),
            (3, "a", "b"),
            (4, "a漢", "漢b"),
            (5, "a漢b", "a漢b"),
            (9, "a漢b", "a漢b"),
        ] {
            let mut text = "a漢b".to_owned();
            assert_eq!(last_part(&text, most), end, "the last {most} bytes");
            keep_start(&mut text, most);
            assert_eq!(text, start, "the first {most} bytes");
        }
    }
}
