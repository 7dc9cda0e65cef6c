//! The common part of the client commands: connecting, and calling with a deadline.

use std::{
    fs::Metadata,
    io::{self, IsTerminal as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use tonic::Request;

use super::{
    client_args::ClientArgs,
    exit::{CliError, Exit},
    print,
};
use crate::{
    client::{self, ConnectError, DesktopClient},
    config::Address,
    files,
    rpc::Token,
    x11::DisplayName,
};

/// Pause between two attempts to connect to a daemon.
const AGAIN: Duration = Duration::from_millis(50);
/// Time after which the user is notified that the command waits for a daemon.
const PATIENT: Duration = Duration::from_secs(1);
/// Minimum deadline of the call after the wait for a connection.
const LEAST: Duration = Duration::from_millis(100);

/// Runs a client command.
pub(super) fn block_on(
    command: impl Future<Output = Result<Exit, CliError>>,
) -> Result<Exit, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime
        .map_err(|error| CliError::new(Exit::Local, format!("cannot start: {error}")))?
        .block_on(command)
}

/// The address that a client or daemon uses by default.
pub(super) fn default_address() -> Address {
    Address::default_for(runtime_folder("deskd.sock"))
}

/// Returns `XDG_RUNTIME_DIR` for a socket with this name. The folder is ignored if it belongs to another
/// user, for example when root runs with the environment of a user, or if another user's socket is
/// there, as in /tmp or an `emptyDir` of Kubernetes. That user would receive typed text and the token.
pub(super) fn runtime_folder(socket: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from)?;
    let is_anothers = |found: io::Result<Metadata>| {
        found.is_ok_and(|found| ![0, nix::unistd::geteuid().as_raw()].contains(&found.uid()))
    };
    let socket = folder.join(socket);
    let is_own = !is_anothers(folder.metadata()) && !is_anothers(socket.symlink_metadata());
    is_own.then_some(folder)
}

/// Returns the value of an environment variable; an empty one counts as not set.
pub(super) fn variable(name: &str) -> Option<String> {
    let value = std::env::var_os(name)?.to_string_lossy().into_owned();
    (!value.is_empty()).then_some(value)
}

/// Returns the given display, else that of the environment, else `:0`.
pub(super) fn display(given: Option<DisplayName>) -> Result<DisplayName, CliError> {
    match (given, variable("DISPLAY")) {
        (Some(display), _) => Ok(display),
        (None, Some(text)) => text
            .parse()
            .map_err(|error| CliError::new(Exit::Usage, format!("DISPLAY: {error}"))),
        (None, None) => Ok(DisplayName {
            number: 0,
            screen: 0,
        }),
    }
}

impl ClientArgs {
    /// Returns the daemon's address.
    pub(super) fn address(&self) -> Address {
        self.server.clone().unwrap_or_else(default_address)
    }

    /// Connects, and returns a client of the service `Desktop`.
    pub(super) async fn connect(&mut self) -> Result<DesktopClient<client::Connection>, CliError> {
        Ok(client::desktop(self.connection().await?))
    }

    /// Connects to the daemon. If none answers, retries until the deadline, and reduces the
    /// deadline of the call by that time. So `deskd serve & deskd screenshot` is not a race.
    pub(super) async fn connection(&mut self) -> Result<client::Connection, CliError> {
        let began = Instant::now();
        let mut told = false;
        loop {
            let error = match self.attempt().await? {
                Ok(connection) => {
                    let left = self.deadline.saturating_sub(began.elapsed());
                    self.deadline = left.max(LEAST);
                    return Ok(connection);
                }
                Err(error) => error,
            };
            let is_absent = matches!(error, ConnectError::Unreachable { .. });
            if !is_absent || began.elapsed() + AGAIN >= self.deadline {
                return Err(error.into());
            }
            if !told && began.elapsed() > PATIENT && io::stderr().is_terminal() {
                told = true;
                print::complain(format_args!("waiting for a daemon at {}", self.address()));
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Connects to a daemon without retrying.
    pub(super) async fn connection_now(&self) -> Result<client::Connection, CliError> {
        Ok(self.attempt().await??)
    }

    async fn attempt(&self) -> Result<Result<client::Connection, ConnectError>, CliError> {
        let token = self.token_file.as_deref().map(Token::read).transpose();
        let token = token.map_err(|error| CliError::new(Exit::Usage, error.to_string()))?;
        let tls = self.tls()?;
        let address = self.address();
        let (token, lease) = (token.as_ref(), self.lease());
        Ok(client::connect_under(&address, token, lease, tls.as_ref(), self.deadline).await)
    }

    /// Reads the TLS files; `None` without TLS.
    pub(super) fn tls(&self) -> Result<Option<client::Tls>, CliError> {
        let Some(authority) = &self.tls_ca else {
            return Ok(None);
        };
        Ok(Some(client::Tls {
            authority: read(authority)?,
            identity: match (&self.tls_client_cert, &self.tls_client_key) {
                (Some(certificate), Some(key)) => Some((read(certificate)?, read(key)?)),
                _ => None,
            },
        }))
    }

    /// Returns the lease; an empty one counts as not set.
    pub(super) fn lease(&self) -> Option<&str> {
        self.lease.as_deref().filter(|lease| !lease.is_empty())
    }

    /// Returns a request with the deadline.
    pub(super) fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        // gRPC's largest timeout is 8 digits of hours.
        request.set_timeout(self.deadline.min(Duration::from_secs(365 * 24 * 3600)));
        request
    }
}

fn read(path: &Path) -> Result<Vec<u8>, CliError> {
    files::read_at_most(path, files::SMALL).map_err(|error| {
        CliError::new(
            Exit::Usage,
            format!("the TLS file {} cannot be read: {error}", path.display()),
        )
    })
}

/// Default port of the viewer.
const VIEWER_PORT: u16 = 6080;

/// Returns the viewer's port: `STREAM_PORT`, which older images set, else the default.
pub(super) fn viewer_port() -> Result<u16, CliError> {
    match variable("STREAM_PORT") {
        Some(text) => text
            .parse()
            .map_err(|_| CliError::new(Exit::Usage, format!("STREAM_PORT: {text:?} is no port"))),
        None => Ok(VIEWER_PORT),
    }
}
