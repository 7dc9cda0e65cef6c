//! The daemon's side: one connection for each request. The answers come from a process that the
//! desktop's user controls, so their size and time are limited.

use std::{io, path::PathBuf, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
    time::timeout,
};

use super::wire::{Answer, Call, MAX_LINE, RefusedReason, Request, VERSION};

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
    /// It does not run, or cannot be reached.
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
    /// When the helper cannot be reached, does not answer within 5 s, or refuses.
    pub async fn ask(&self, call: Call) -> Result<Answer, HelperError> {
        let away = |why: &str| HelperError::Away(format!("the session helper {why}"));
        let Some(socket) = &self.socket else {
            return Err(away(
                "is not known to this daemon: start `deskd session-helper` in the session, and give its socket with --session-helper",
            ));
        };
        let asked = async {
            let mut stream = UnixStream::connect(socket).await?;
            let request = Request {
                version: VERSION,
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
                .map_err(|_| io::Error::other("the answer cannot be read"))
        };
        match timeout(PATIENCE, asked).await {
            Err(_) => Err(away("does not answer")),
            Ok(Err(error)) => Err(away(&format!(
                "at {} cannot be used: {error}",
                socket.display()
            ))),
            Ok(Ok(Answer::Refused { reason, message })) => {
                Err(HelperError::Refused(reason, one_line(&message)))
            }
            Ok(Ok(answer)) => Ok(answer),
        }
    }
}

/// Cuts a message and keeps it on one line.
fn one_line(message: &str) -> String {
    let line = message.chars().take(500);
    line.map(|c| if c.is_control() { ' ' } else { c }).collect()
}
