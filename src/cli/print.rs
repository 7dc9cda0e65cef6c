//! Standard output that may be a pipe or a full disk.

use std::{
    fmt,
    io::{self, Write},
};

use super::exit::{Error, Exit};

/// Prints a line.
pub(super) fn line(text: fmt::Arguments<'_>) -> Result<(), Error> {
    writeln!(io::stdout(), "{text}").map_err(|error| {
        Error::new(
            Exit::Local,
            format!("standard output cannot be written: {error}"),
        )
    })
}

/// `println!`, but a failure is an error instead of a panic.
macro_rules! say {
    ($($text:tt)*) => { $crate::cli::print::line(format_args!($($text)*))? };
}
pub(super) use say;
