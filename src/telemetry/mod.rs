//! Logs: one line per event on standard error, as text or JSON.
//!
//! Typed, pasted and captured content and tokens are never logged: the `Debug` output of their
//! types does not contain them.
//!
//! - `writer`: a separate thread writes the lines, so that a blocked log output costs lines and
//!   delays nothing else.

mod writer;

use std::{
    io::{self, IsTerminal as _},
    os::fd::AsFd as _,
};

pub use writer::Writer;

use tracing_subscriber::{EnvFilter, filter::LevelFilter};

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Checks a log filter in `tracing`'s syntax, for example `info` or `info,deskd::x11=debug`. A word
/// that is not a level is refused, because it would name a target and silence all others. An empty
/// text means `info`.
///
/// # Errors
///
/// The reason why the filter is refused.
pub fn filter(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Ok("info".into());
    }
    const WANTED: &str = "a level (error, warn, info, debug, trace, off) or TARGET=LEVEL";
    EnvFilter::try_new(text).map_err(|error| format!("{error}; give {WANTED}"))?;
    // Commas within a span's fields do not separate directives.
    let words = text.split(',').filter(|_| !text.contains('['));
    for word in words {
        if !word.contains('=') && word.parse::<LevelFilter>().is_err() {
            return Err(format!("{word:?} is no level; give {WANTED}"));
        }
    }
    Ok(text.to_owned())
}

/// `filter`, with the MCP library at `error` unless the filter names it: at finer levels it logs
/// whole messages, and these have what an agent types.
fn quiet(filter: &str) -> String {
    match filter.contains("rmcp") {
        true => filter.to_owned(),
        false => format!("{filter},rmcp=error"),
    }
}

/// Starts logging to standard error. `filter` is a result of [`filter`]; `limit` is the size at
/// which a log file of deskd's own is truncated.
///
/// Returns the writer. When it is dropped, it writes the remaining lines, for at most half a
/// second.
pub fn start(format: LogFormat, filter: &str, limit: Option<u64>) -> Writer {
    let writer = Writer::start(io::stderr().as_fd(), limit);
    let lines = writer.lines.clone();
    let logs = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(quiet(filter)))
        .with_ansi(io::stderr().is_terminal())
        .log_internal_errors(false)
        .with_writer(move || lines.clone());
    // An embedding program may have set a logger already, which is then used.
    let is_ours = match format {
        LogFormat::Text => logs.try_init(),
        LogFormat::Json => logs.json().try_init(),
    };
    if is_ours.is_ok() {
        // The default panic hook writes to standard error itself, and may block there.
        std::panic::set_hook(Box::new(|panic| {
            tracing::error!("a defect in deskd: {panic}");
        }));
    }
    writer
}

#[cfg(test)]
mod tests {
    use super::filter;

    #[test]
    fn a_filter_that_would_silence_all_is_refused() {
        for good in [
            "info",
            "OFF",
            "info,deskd::x11=debug",
            "warn,deskd=trace",
            "[act{operation_id}]=debug",
        ] {
            assert_eq!(filter(good).as_deref(), Ok(good));
        }
        assert_eq!(filter("").as_deref(), Ok("info"));
        for bad in ["debg", "info,deskd", "deskd=loud", "nonsense@@"] {
            assert!(filter(bad).unwrap_err().contains("TARGET=LEVEL"), "{bad:?}");
        }
    }
}
