//! The arguments of a linked command.

use std::ffi::OsString;

use super::super::exit::{CliError, Exit};

/// Returns the arguments as text.
pub(super) fn text(arguments: Vec<OsString>) -> Result<Vec<String>, CliError> {
    let text = |argument: OsString| {
        argument
            .into_string()
            .map_err(|argument| refused(format!("{argument:?} is not valid UTF-8")))
    };
    arguments.into_iter().map(text).collect()
}

/// The error for arguments that cannot be carried out.
pub(super) fn refused(message: impl Into<String>) -> CliError {
    CliError::new(Exit::Usage, message)
}

/// The error for an option or command that deskd does not have.
pub(super) fn unknown(what: &str) -> CliError {
    refused(format!(
        "deskd does not support {what:?} (docs/guides/drop-in.md lists what it supports); nothing was done"
    ))
}

/// Arguments that are read one after another.
#[derive(Debug)]
pub(super) struct Words<'a> {
    left: &'a [String],
}

impl<'a> Words<'a> {
    pub(super) fn new(arguments: &'a [String]) -> Self {
        Self { left: arguments }
    }

    /// Returns the next argument without taking it.
    pub(super) fn peek(&self) -> Option<&'a str> {
        self.left.first().map(String::as_str)
    }

    /// Takes the next argument.
    pub(super) fn next(&mut self) -> Option<&'a str> {
        let (first, left) = self.left.split_first()?;
        self.left = left;
        Some(first)
    }

    /// Takes all remaining arguments.
    pub(super) fn rest(&mut self) -> &'a [String] {
        std::mem::take(&mut self.left)
    }

    /// Takes the next argument, which `what` requires.
    pub(super) fn value(&mut self, what: &str) -> Result<&'a str, CliError> {
        self.next()
            .ok_or_else(|| refused(format!("{what} requires a value; nothing was done")))
    }

    /// Takes the next argument, a number that `what` requires.
    pub(super) fn number<T: std::str::FromStr>(&mut self, what: &str) -> Result<T, CliError> {
        let text = self.value(what)?;
        text.parse().map_err(|_| {
            refused(format!(
                "{what}: {text:?} is no valid number; nothing was done"
            ))
        })
    }
}
