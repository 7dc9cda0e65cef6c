//! Logs: one line an event on standard error, as text or JSON.
//!
//! A leaf. What is typed, pasted, captured or used as a token is never given
//! to it: those types do not print their content.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts logging. `filter` is in `tracing`'s syntax, for example `info` or
/// `deskd=debug`; what it does not parse is taken as `info`.
pub fn start(format: LogFormat, filter: &str) {
    let parsed = EnvFilter::try_new(filter);
    let bad = parsed.is_err();
    let logs = tracing_subscriber::fmt()
        .with_env_filter(parsed.unwrap_or_else(|_| EnvFilter::new("info")))
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    // An embedding program may have a logger already: then that one is used.
    drop(match format {
        LogFormat::Text => logs.try_init(),
        LogFormat::Json => logs.json().try_init(),
    });
    if bad {
        tracing::warn!("the log filter cannot be parsed; using info");
    }
}
