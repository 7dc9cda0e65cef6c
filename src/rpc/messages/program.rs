//! Converts launches, programs and their ends.

use std::time::Duration;

use tonic::Status;

use crate::helper::wire::{End, Launch, Program, ProgramSignal, Target};
use crate::rpc::{
    limits,
    messages::{limited, status, window},
    v1,
};
use crate::session::{Launched, ListedProgram};

/// Maximum number of words of a command line.
pub(in crate::rpc) const MAX_WORDS: usize = 1024;
/// Maximum bytes of a command line, and of all environment variables of a launch.
pub(in crate::rpc) const MAX_WORD_BYTES: usize = 64 << 10;
/// Maximum number of URIs, and of environment variables.
pub(in crate::rpc) const MAX_ITEMS: usize = 64;
/// Maximum bytes of an id.
pub(in crate::rpc) const MAX_ID_BYTES: usize = 64;
/// Maximum bytes of a URI or path.
pub(in crate::rpc) const MAX_URI_BYTES: usize = 4096;
/// Default time to wait for the end of a program that got a signal.
const DEFAULT_SIGNAL: Duration = Duration::from_secs(2);

/// Converts a launch, and the time to wait for a window.
pub(in crate::rpc) fn launch(
    request: v1::LaunchRequest,
) -> Result<(Launch, Option<Duration>), Status> {
    use v1::launch_request::Program as Wire;
    let target = match request.program {
        None => {
            let why = "must be `arguments`, a `desktop_entry` or a `uri`";
            return Err(status::invalid_field("program", why));
        }
        Some(Wire::Arguments(arguments)) => {
            let words = arguments.words;
            let field = "arguments.words";
            if words.first().is_none_or(String::is_empty) {
                return Err(status::invalid_field(field, "must begin with a program"));
            }
            if words[0].contains('/') && !words[0].starts_with('/') {
                let why = "must begin with an absolute path, or a name without a slash";
                return Err(status::invalid_field(field, why));
            }
            bounded_list(field, &words, MAX_WORDS)?;
            Target::Arguments(words)
        }
        Some(Wire::DesktopEntry(entry)) => {
            let field = "desktop_entry.entry";
            if entry.entry.is_empty() {
                return Err(status::invalid_field(field, "must be given"));
            }
            one("desktop_entry.entry", &entry.entry, MAX_URI_BYTES)?;
            if entry.uris.len() > MAX_ITEMS {
                let why = "has too many entries";
                return Err(status::limit("desktop_entry.uris", why, MAX_ITEMS));
            }
            for uri in &entry.uris {
                self::uri("desktop_entry.uris", uri)?;
            }
            Target::Entry {
                entry: entry.entry,
                uris: entry.uris,
            }
        }
        Some(Wire::Uri(uri)) => {
            self::uri("uri", &uri)?;
            Target::Uri(uri)
        }
    };
    if !request.folder.is_empty() && !request.folder.starts_with('/') {
        let why = "must be an absolute path";
        return Err(status::invalid_field("folder", why));
    }
    one("folder", &request.folder, MAX_URI_BYTES)?;
    one("operation_id", &request.operation_id, MAX_ID_BYTES)?;
    let mut environment: Vec<(String, String)> = request.environment.into_iter().collect();
    // The order of a map is random, and a repeated launch must be recognized.
    environment.sort();
    let words: Vec<String> = environment
        .iter()
        .flat_map(|(name, value)| [name.clone(), value.clone()])
        .collect();
    bounded_list("environment", &words, 2 * MAX_ITEMS)?;
    for (name, _) in &environment {
        if name.is_empty() || name.contains('=') {
            let why = "has a name that is empty or contains `=`";
            return Err(status::invalid_field("environment", why));
        }
    }
    let wait = request.wait_window.map(|time| {
        let time = limited::within("wait_window", time, limits::MAX_WINDOW_WAIT)?;
        Ok::<_, Status>(time)
    });
    let launch = Launch {
        target,
        folder: request.folder,
        environment,
        operation_id: request.operation_id,
    };
    Ok((launch, wait.transpose()?))
}

fn one(field: &str, text: &str, most: usize) -> Result<(), Status> {
    if text.contains('\0') {
        return Err(status::invalid_field(field, "must not contain NUL"));
    }
    match text.len() > most {
        true => Err(status::limit(field, "is too long", most)),
        false => Ok(()),
    }
}

fn bounded_list(field: &str, words: &[String], most: usize) -> Result<(), Status> {
    if words.len() > most {
        return Err(status::limit(field, "has too many entries", most));
    }
    let bytes: usize = words.iter().map(String::len).sum();
    if bytes > MAX_WORD_BYTES {
        return Err(status::limit(field, "is too long", MAX_WORD_BYTES));
    }
    words
        .iter()
        .try_for_each(|word| one(field, word, MAX_WORD_BYTES))
}

/// A URI with a scheme, or an absolute path: neither can be mistaken for an option of a program.
fn uri(field: &str, uri: &str) -> Result<(), Status> {
    one(field, uri, MAX_URI_BYTES)?;
    let scheme = uri.split_once(':').map_or("", |(scheme, _)| scheme);
    let mut letters = scheme.chars();
    let is_scheme = letters.next().is_some_and(|c| c.is_ascii_alphabetic())
        && letters.all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    if uri.starts_with('/') || is_scheme {
        return Ok(());
    }
    let why = "must be a URI with a scheme, such as https:, or an absolute path";
    Err(status::invalid_field(field, why))
}

/// Checks the id of a program.
pub(in crate::rpc) fn id(id: &str) -> Result<(), Status> {
    if id.is_empty() {
        return Err(status::invalid_field("id", "must be given"));
    }
    one("id", id, MAX_ID_BYTES)
}

/// Converts a signal and the time to wait for the end of the program.
pub(in crate::rpc) fn signal(
    request: &v1::SignalProgramRequest,
) -> Result<(ProgramSignal, Duration), Status> {
    let signal = match v1::ProgramSignal::try_from(request.signal) {
        Ok(v1::ProgramSignal::Terminate) => ProgramSignal::Terminate,
        Ok(v1::ProgramSignal::Kill) => ProgramSignal::Kill,
        Ok(v1::ProgramSignal::Interrupt) => ProgramSignal::Interrupt,
        Ok(v1::ProgramSignal::HangUp) => ProgramSignal::HangUp,
        Ok(v1::ProgramSignal::Unspecified) | Err(_) => {
            let why = format!("{} is no signal", request.signal);
            return Err(status::invalid_field("signal", &why));
        }
    };
    let limit = match request.timeout {
        None => DEFAULT_SIGNAL,
        Some(time) => limited::within("timeout", time, limits::MAX_CHANGE)?,
    };
    Ok((signal, limit))
}

/// Converts the result of a launch.
pub(in crate::rpc) fn launched(launched: Launched) -> v1::LaunchResponse {
    let program = &launched.program;
    let name = &program.name;
    let ended = match program.end {
        Some(End::Code(code)) => format!("ended with exit code {code}"),
        Some(End::Signal(signal)) => format!("was ended by signal {signal}"),
        None => "runs".into(),
    };
    let (outcome, message) = match &launched.window {
        _ if !launched.waited => (
            v1::LaunchOutcome::Started,
            format!("{name} was started; no window was waited for"),
        ),
        Some((window, true)) => (
            v1::LaunchOutcome::WindowPainted,
            format!("{name} has painted the window {window}"),
        ),
        Some((window, false)) => (
            v1::LaunchOutcome::WindowBlank,
            format!("{name} has the window {window}, in which nothing is drawn"),
        ),
        None if !program.runs && program.end == Some(End::Code(0)) => (
            v1::LaunchOutcome::Ended,
            format!(
                "{name} {ended} and showed no new window; it may have handed its work to a program that was running"
            ),
        ),
        None if !program.runs => (
            v1::LaunchOutcome::Ended,
            format!("{name} {ended} before it showed a window"),
        ),
        None => (
            v1::LaunchOutcome::NoWindow,
            format!("{name} {ended}, but showed no window in time"),
        ),
    };
    v1::LaunchResponse {
        outcome: outcome.into(),
        program: Some(self::program(program)),
        window: launched.window.map(|(window, _)| window::window(&window)),
        message,
        output: launched.output,
        painted_after: launched
            .painted_after
            .and_then(|time| prost_types::Duration::try_from(time).ok()),
    }
}

/// Converts a launched program.
pub(in crate::rpc) fn program(program: &Program) -> v1::Program {
    use v1::program_end::How;
    let end = program.end.map(|end| v1::ProgramEnd {
        how: Some(match end {
            End::Code(code) => How::ExitCode(code),
            End::Signal(signal) => How::Signal(signal),
        }),
    });
    let since = std::time::UNIX_EPOCH.checked_add(Duration::from_millis(program.since_ms));
    v1::Program {
        id: program.id.clone(),
        pid: program.pid,
        name: program.name.clone(),
        launched_at: since.map(prost_types::Timestamp::from),
        windows: Vec::new(),
        end,
    }
}

/// Converts a program with its windows.
pub(in crate::rpc) fn listed(listed: &ListedProgram) -> v1::Program {
    let program = match &listed.launched {
        Some(launched) => program(launched),
        None => v1::Program {
            pid: listed.pid,
            name: listed.name.clone(),
            ..v1::Program::default()
        },
    };
    v1::Program {
        windows: listed.windows.iter().map(window::window).collect(),
        ..program
    }
}
