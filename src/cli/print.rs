//! Output to standard output and standard error, which may be a pipe or on a full disk.

use std::{
    fmt,
    io::{self, Write as _},
};

use super::exit::CliError;
use crate::text::is_hidden;

/// Prints a line.
pub(super) fn line(text: fmt::Arguments<'_>) -> Result<(), CliError> {
    all(legible(&format!("{text}\n")).as_bytes())
}

/// Replaces control characters, which a program of the desktop may have produced and a terminal
/// would interpret.
fn legible(text: &str) -> String {
    let acts = |one: char| is_hidden(one) && !matches!(one, '\n' | '\t');
    text.replace(acts, "?")
}

/// Prints bytes unchanged.
pub(super) fn all(bytes: &[u8]) -> Result<(), CliError> {
    let mut output = io::stdout();
    let written = output.write_all(bytes).and_then(|()| output.flush());
    written.map_err(|error| {
        CliError::of_output(&error, || {
            format!("standard output cannot be written: {error}")
        })
    })
}

/// Prints a failure to standard error.
pub(super) fn complain(text: fmt::Arguments<'_>) {
    note(format_args!("deskd: {text}"));
}

/// Prints a line to standard error; write errors are ignored.
pub(super) fn note(text: fmt::Arguments<'_>) {
    drop(io::stderr().write_all(legible(&format!("{text}\n")).as_bytes()));
}

/// Like `println!`, but a write error is returned instead of a panic.
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
