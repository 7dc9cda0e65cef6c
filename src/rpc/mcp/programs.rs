//! Performs the calls of a model for programs and the clipboard.

use deskd_mcp::{Answer, Content};

use super::computer::Computer;
use crate::{
    rpc::{
        client::CallError,
        v1::{self, LaunchOutcome, launch_request::Program},
    },
    text::keep_start,
};

/// Seconds to wait for the window of a program.
const WAIT: i64 = 20;
/// Maximum bytes of a clipboard's text for a model.
const MAX_TEXT: usize = 64 << 10;

impl Computer {
    /// Starts a program, waits for its window, and returns the screen.
    pub(super) async fn launch(&self, program: Program) -> Result<Answer, CallError> {
        let request = v1::LaunchRequest {
            program: Some(program),
            wait_window: Some(prost_types::Duration {
                seconds: WAIT,
                nanos: 0,
            }),
            ..v1::LaunchRequest::default()
        };
        let reply = self.desktop.launch(request).await?;
        let mut text = format!("{}.", reply.message);
        if !reply.output.is_empty() {
            text += &format!(" It wrote: {}", reply.output.trim_end());
        }
        let mut answer = self.with_screen(text).await;
        // A program without a window may be what was wanted, for example a new tab.
        let has_failed = reply.program.as_ref().is_some_and(|program| {
            use v1::program_end::How;
            !matches!(
                program.end.and_then(|end| end.how),
                None | Some(How::ExitCode(0))
            )
        });
        answer.is_error |= reply.outcome() == LaunchOutcome::Ended && has_failed;
        Ok(answer)
    }

    /// Returns the text of the clipboard.
    pub(super) async fn read_clipboard(&self) -> Result<Answer, CallError> {
        let mut text = self.desktop.clipboard_text().await?;
        if text.len() > MAX_TEXT {
            keep_start(&mut text, MAX_TEXT);
            text += &format!("\n[The text is longer: these are the first {MAX_TEXT} bytes.]");
        }
        Ok(said(text))
    }

    /// Replaces the clipboard.
    pub(super) async fn write_clipboard(&self, text: &str) -> Result<Answer, CallError> {
        self.desktop.set_clipboard_text(text).await?;
        Ok(said("The clipboard has the text.".into()))
    }
}

fn said(text: String) -> Answer {
    Answer {
        content: vec![Content::Text(text)],
        is_error: false,
    }
}
