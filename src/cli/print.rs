//! Standard output that may be a pipe or a full disk.

use std::{
    fmt,
    io::{self, Write as _},
};

use super::exit::CliError;

/// Prints a line.
pub(super) fn line(text: fmt::Arguments<'_>) -> Result<(), CliError> {
    all(legible(&format!("{text}\n")).as_bytes())
}

/// Replaces control characters: a program of the desktop may have written them, and a
/// terminal would act upon them.
fn legible(text: &str) -> String {
    let acts = |one: char| one.is_control() && !matches!(one, '\n' | '\t');
    text.replace(acts, "?")
}

/// Prints bytes as they are.
pub(super) fn all(bytes: &[u8]) -> Result<(), CliError> {
    let mut output = io::stdout();
    let written = output.write_all(bytes).and_then(|()| output.flush());
    written.map_err(|error| {
        CliError::of_output(&error, || {
            format!("standard output cannot be written: {error}")
        })
    })
}

/// Says what went wrong, on standard error.
pub(super) fn complain(text: fmt::Arguments<'_>) {
    note(format_args!("deskd: {text}"));
}

/// Says something to people, on standard error, where nobody may be to read it.
pub(super) fn note(text: fmt::Arguments<'_>) {
    drop(io::stderr().write_all(legible(&format!("{text}\n")).as_bytes()));
}

/// `println!`, but a failure is an error instead of a panic.
macro_rules! say {
    ($($text:tt)*) => { $crate::cli::print::line(format_args!($($text)*))? };
}
pub(super) use say;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_act_upon_is_replaced() {
        assert_eq!(legible("a\tb\n\u{1b}]0;x\u{7}\u{9b}é"), "a\tb\n?]0;x??é");
    }
}
