//! The daemon's side: one connection for each request. The answers come from a process that the
//! desktop's user controls, so their size and time are limited.

use std::{io, path::PathBuf, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
    time::{Instant, timeout},
};

use super::wire::{Answer, Call, MAX_LINE, RefusedReason, Request, VERSION, monotonic_ms};

/// Maximum time for one answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The session helper of one desktop.
#[derive(Debug, Clone)]
pub struct Helper {
    socket: Option<PathBuf>,
}

/// Why the helper did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HelperError {
    /// It does not run.
    #[error("{0}")]
    Absent(String),
    /// It does not answer, or not as a helper does.
    #[error("{0}")]
    Away(String),
    /// It refused.
    #[error("{1}")]
    Refused(RefusedReason, String),
}

impl Helper {
    /// A helper that listens at `socket`. Without a socket, every call fails.
    pub fn new(socket: Option<PathBuf>) -> Self {
        Self { socket }
    }

    /// Whether the socket of a helper is there.
    pub fn is_known(&self) -> bool {
        self.socket.as_ref().is_some_and(|socket| socket.exists())
    }

    /// Sends a request and returns the answer, which is no refusal.
    ///
    /// # Errors
    ///
    /// When the helper cannot be reached, does not answer within 5 s and until `by`, or refuses.
    pub async fn ask(&self, call: Call, by: Instant) -> Result<Answer, HelperError> {
        let away = |why: &str| HelperError::Away(format!("the session helper {why}"));
        let Some(socket) = &self.socket else {
            let why = "the session helper is not known to this daemon: start `deskd session-helper` in the session, and give its socket with --session-helper";
            return Err(HelperError::Absent(why.into()));
        };
        let patience = PATIENCE.min(by.saturating_duration_since(Instant::now()));
        // What the helper begins later could be done after the caller was told that it was not.
        let until_ms = monotonic_ms() + u64::try_from((patience / 2).as_millis()).unwrap_or(0);
        let is_launch = matches!(call, Call::Launch(_));
        let asked = async {
            let mut stream = match UnixStream::connect(socket).await {
                Ok(stream) => stream,
                Err(error) => return Ok(Err(error)),
            };
            let request = Request {
                version: VERSION,
                until_ms,
                call,
            };
            let mut line = serde_json::to_vec(&request)?;
            if line.len() >= MAX_LINE {
                return Err(io::Error::other("the request is too large"));
            }
            line.push(b'\n');
            stream.write_all(&line).await?;
            let mut answer = Vec::new();
            stream
                .take(MAX_LINE as u64)
                .read_to_end(&mut answer)
                .await?;
            serde_json::from_slice(&answer)
                .map(Ok)
                .map_err(|_| io::Error::other("its answer cannot be read"))
        };
        match timeout(patience, asked).await {
            Err(_) if is_launch => Err(away(
                "does not answer; with the same operation_id, another attempt starts the program once",
            )),
            Err(_) => Err(away("does not answer")),
            Ok(Err(error)) => Err(away(&format!(
                "at {} cannot be used: {error}",
                socket.display()
            ))),
            Ok(Ok(Err(error))) => Err(HelperError::Absent(format!(
                "no session helper can be reached at {}: {error}",
                socket.display()
            ))),
            Ok(Ok(Ok(Answer::Refused { reason, message }))) => {
                Err(HelperError::Refused(reason, one_line(&message)))
            }
            Ok(Ok(Ok(answer))) => Ok(answer),
        }
    }
}

/// Cuts a message and keeps it on one line.
fn one_line(message: &str) -> String {
    let line = message.chars().take(500);
    line.map(|c| if c.is_control() { ' ' } else { c }).collect()
}
