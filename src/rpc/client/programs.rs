//! Programs and the clipboard for programs.

use std::time::Duration;

use super::{CallError, ClipboardClient, Desktop, ProgramsClient, desktop::timed};
use crate::rpc::v1;

/// Size of a piece of the clipboard in bytes that fits into a request.
const PIECE: usize = 200 << 10;

impl Desktop {
    /// Starts a program once, and returns what became of it. A repeated attempt starts nothing: without
    /// an `operation_id`, the request gets one.
    ///
    /// # Errors
    ///
    /// When the daemon refuses the request or does not answer in time. A program that shows no window
    /// in time is not an error; see the outcome.
    pub async fn launch(
        &self,
        mut request: v1::LaunchRequest,
    ) -> Result<v1::LaunchResponse, CallError> {
        if request.operation_id.is_empty() {
            let id = getrandom::u64().unwrap_or_default();
            request.operation_id = format!("{id:016x}");
        }
        let wait = request.wait_window.and_then(|time| time.try_into().ok());
        let wait: Duration = wait.unwrap_or_default();
        self.call(self.timeout.saturating_add(wait), |connection, timeout| {
            let request = timed(request.clone(), timeout);
            async move { ProgramsClient::new(connection).launch(request).await }
        })
        .await
    }

    /// Returns the text of the clipboard.
    ///
    /// # Errors
    ///
    /// When the clipboard has no text, or the daemon does not answer in time.
    pub async fn clipboard_text(&self) -> Result<String, CallError> {
        let request = v1::ReadClipboardRequest::default();
        let data = self
            .call(self.timeout, |connection, timeout| {
                let request = timed(request.clone(), timeout);
                async move {
                    let mut client = ClipboardClient::new(connection);
                    let mut stream = client.read_clipboard(request).await?.into_inner();
                    let mut data = Vec::new();
                    while let Some(piece) = stream.message().await? {
                        data.extend_from_slice(&piece.data);
                    }
                    Ok(tonic::Response::new(data))
                }
            })
            .await?;
        Ok(String::from_utf8_lossy(&data).into_owned())
    }

    /// Replaces the clipboard by a text.
    ///
    /// # Errors
    ///
    /// When the daemon refuses the text or does not answer in time.
    pub async fn set_clipboard_text(&self, text: &str) -> Result<(), CallError> {
        let piece = |data: &[u8]| v1::WriteClipboardRequest {
            data: data.into(),
            ..v1::WriteClipboardRequest::default()
        };
        let mut pieces = vec![piece(b"")];
        pieces.extend(text.as_bytes().chunks(PIECE).map(piece));
        self.call(self.timeout, |connection, timeout| {
            let request = timed(tokio_stream::iter(pieces.clone()), timeout);
            async move {
                ClipboardClient::new(connection)
                    .write_clipboard(request)
                    .await
            }
        })
        .await?;
        Ok(())
    }
}
