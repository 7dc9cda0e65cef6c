//! Exit codes: stable, because scripts depend on them (docs/reference/exit-codes.md).

use std::process::ExitCode;

use tonic::Code;

use crate::{
    rpc::client::ConnectError,
    rpc::{BindError, ServeError, TokenError, client},
};

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// Something on this machine: a check of the doctor failed, a file cannot be written.
    Local = 1,
    /// The command line cannot be used.
    Usage = 2,
    /// A failure card came back; the image was written all the same.
    Card = 3,
    /// The daemon refused.
    Refused = 4,
    /// No daemon at the address.
    NoDaemon = 5,
    /// The deadline came.
    Deadline = 6,
    /// Wrong or missing token, or a user who is not allowed.
    Unauthenticated = 7,
    /// `serve`: another daemon has the address.
    InUse = 8,
    /// `serve`: the address cannot be listened on.
    CannotListen = 9,
    /// `serve`: the token or TLS files cannot be used.
    Credentials = 10,
    /// `ready`, `up`: no X server.
    NoDisplay = 11,
    /// `up`: x11vnc.
    Vnc = 12,
    /// `up`: websockify.
    Viewer = 13,
    /// `ready`, `up`: the desktop is not painted.
    NotPainted = 14,
    /// `up`: another deskd holds the display's lock.
    Locked = 15,
    /// `up`: the time ran out.
    OutOfTime = 124,
}

impl Exit {
    /// The exit code of a daemon that ended before it listened.
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
        // The discriminants are the codes.
        ExitCode::from(exit as u8)
    }
}

/// Why a command ended early: one line for people.
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

    /// Output that cannot be written. Who reads it may have read enough, as `head` does:
    /// then that is the end, and nothing is said.
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

/// Whether the connection ended, and no daemon answered.
fn ended(status: &tonic::Status) -> bool {
    status.metadata().get("deskd-reason").is_none()
        && std::error::Error::source(status)
            .is_some_and(|source| source.is::<tonic::transport::Error>())
}

/// Whether the client's own timer ended the call.
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
            // The client's own timer says CANCELLED.
            Code::Cancelled if is_own && is_timeout(&status) => {
                let why = "no answer came before --deadline: what listens there is stopped, busy, or no deskd; give it more time, or look with `deskd doctor`";
                return Self::new(Exit::Deadline, why);
            }
            Code::Cancelled if is_own => {
                let why = "the connection ended before an answer: what listens there may be no deskd; see --server";
                return Self::new(Exit::NoDaemon, why);
            }
            // tonic's word for a connection that ended: no daemon said it.
            Code::Unknown | Code::Unavailable if ended(&status) => {
                let why = "the connection to the daemon ended before its answer: it stopped, or what listens there is no deskd. What a step did is not known; one with an operationId can be sent again";
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
