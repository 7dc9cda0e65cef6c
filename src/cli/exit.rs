//! Exit codes: stable, because scripts depend on them (docs/reference/exit-codes.md).

use std::process::ExitCode;

use tonic::Code;

use crate::{
    rpc::client::ConnectError,
    rpc::http::HttpError,
    rpc::{BindError, ServeError, TokenError, client},
};

/// The exit code of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// The command succeeded.
    Done = 0,
    /// A local failure: a check of the doctor failed, or a file cannot be written.
    Local = 1,
    /// The command line is wrong.
    Usage = 2,
    /// A failure card was returned; its image was written all the same.
    Card = 3,
    /// The daemon refused the call, or the step ended early.
    Refused = 4,
    /// No daemon answers at the address.
    NoDaemon = 5,
    /// The deadline passed.
    Deadline = 6,
    /// The token is wrong or missing, or the user is not allowed.
    Unauthenticated = 7,
    /// `serve`: another daemon uses the address.
    InUse = 8,
    /// `serve`: deskd cannot listen on the address.
    CannotListen = 9,
    /// `serve`: the token or TLS files cannot be used.
    Credentials = 10,
    /// `ready`, `up`: no X server answers.
    NoDisplay = 11,
    /// `up`: x11vnc failed.
    Vnc = 12,
    /// `up`: websockify failed.
    Viewer = 13,
    /// `ready`, `up`: the desktop is not painted.
    NotPainted = 14,
    /// `up`: another deskd holds the display's lock.
    Locked = 15,
    /// `wait-for`, `run`, `open`: the condition was not met in time.
    NotMet = 16,
    /// `up`: the stack was not up in time.
    OutOfTime = 124,
}

impl Exit {
    /// Returns the exit code for a daemon that ended with `code` before it listened.
    pub(super) fn of_daemon(code: u8) -> Self {
        let all = [
            Self::Usage,
            Self::InUse,
            Self::CannotListen,
            Self::Credentials,
        ];
        let same = all.into_iter().find(|exit| *exit as u8 == code);
        same.unwrap_or(Self::Local)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        // The discriminants are the exit codes.
        ExitCode::from(exit as u8)
    }
}

/// The reason why a command ended early, as one line of text.
#[derive(Debug)]
pub(super) struct CliError {
    pub(super) exit: Exit,
    pub(super) message: String,
}

impl CliError {
    pub(super) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
        }
    }

    /// Converts an error of writing output. If the reader has closed the pipe, as `head` does, the
    /// command ends successfully and without a message.
    pub(super) fn of_output(error: &std::io::Error, message: impl FnOnce() -> String) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            return Self::new(Exit::Done, "");
        }
        Self::new(Exit::Local, message())
    }
}

impl From<BindError> for CliError {
    fn from(error: BindError) -> Self {
        let exit = match error {
            BindError::InUse(_) => Exit::InUse,
            BindError::NeedsToken(_) => Exit::Usage,
            BindError::NoFolder(_) | BindError::NotASocket(_) | BindError::System { .. } => {
                Exit::CannotListen
            }
        };
        Self::new(exit, error.to_string())
    }
}

impl From<TokenError> for CliError {
    fn from(error: TokenError) -> Self {
        Self::new(Exit::Credentials, error.to_string())
    }
}

impl From<ServeError> for CliError {
    fn from(error: ServeError) -> Self {
        let exit = match error {
            ServeError::Token(_)
            | ServeError::TlsFile { .. }
            | ServeError::Tls(_)
            | ServeError::ClientAuthority(_) => Exit::Credentials,
            ServeError::Io(_) | ServeError::Transport(_) | ServeError::Reflection(_) => Exit::Local,
        };
        Self::new(exit, error.to_string())
    }
}

impl From<HttpError> for CliError {
    fn from(error: HttpError) -> Self {
        let exit = match error {
            HttpError::Token(_) | HttpError::Viewer(_) | HttpError::Tls(_) => Exit::Credentials,
            HttpError::Io(_) => Exit::CannotListen,
        };
        Self::new(exit, error.to_string())
    }
}

impl From<ConnectError> for CliError {
    fn from(error: ConnectError) -> Self {
        let hint = match &error {
            ConnectError::Unreachable { .. } => "; start `deskd serve`, or give --server",
            ConnectError::HungUp { .. }
            | ConnectError::Unusable { .. }
            | ConnectError::NoProgram { .. } => "",
        };
        Self::new(Exit::NoDaemon, format!("{error}{hint}"))
    }
}

/// Whether the connection ended without an answer of the daemon.
fn ended(status: &tonic::Status) -> bool {
    status.metadata().get("deskd-reason").is_none()
        && std::error::Error::source(status)
            .is_some_and(|source| source.is::<tonic::transport::Error>())
}

/// Whether the client's own timeout ended the call.
fn is_timeout(status: &tonic::Status) -> bool {
    let mut source = std::error::Error::source(status);
    while let Some(error) = source {
        if error.is::<tonic::TimeoutExpired>() {
            return true;
        }
        source = error.source();
    }
    false
}

impl From<tonic::Status> for CliError {
    fn from(status: tonic::Status) -> Self {
        let is_own = status.metadata().get("deskd-reason").is_none();
        let exit = match status.code() {
            // The client's own timeout has the code `Cancelled`.
            Code::Cancelled if is_own && is_timeout(&status) => {
                let why = "no answer came before --deadline: what listens there is stopped, busy, or no deskd; give it more time, or look with `deskd doctor`";
                return Self::new(Exit::Deadline, why);
            }
            Code::Cancelled if is_own => {
                let why = "the connection ended before an answer: what listens there may be no deskd; see --server";
                return Self::new(Exit::NoDaemon, why);
            }
            // tonic reports a connection that ended with these codes.
            Code::Unknown | Code::Unavailable if ended(&status) => {
                let why = "the connection to the daemon ended before its answer: it stopped, or what listens there is no deskd. What a step did is not known: look at the screen before you repeat it";
                return Self::new(Exit::NoDaemon, why);
            }
            Code::DeadlineExceeded | Code::Cancelled => Exit::Deadline,
            Code::Unauthenticated => Exit::Unauthenticated,
            _ => Exit::Refused,
        };
        let reason = client::reason(&status);
        let known = reason != crate::rpc::v1::Reason::Unspecified;
        let name = reason.as_str_name().trim_start_matches("REASON_");
        let name = if known {
            format!(", {name}")
        } else {
            String::new()
        };
        Self::new(
            exit,
            format!("{} ({:?}{name})", status.message(), status.code()),
        )
    }
}
