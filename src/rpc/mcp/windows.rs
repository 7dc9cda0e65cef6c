//! Performs the calls of a model for windows.

use std::time::Duration;

use deskd_mcp::{Answer, Content};

use super::computer::Computer;
use crate::rpc::{
    client::CallError,
    v1::{self, change_window_request::Change, condition::Condition},
};

/// Maximum number of windows in a list for a model.
const MAX_WINDOWS: usize = 50;

impl Computer {
    /// Lists the windows.
    pub(super) async fn windows(&self) -> Result<Answer, CallError> {
        let reply = self
            .desktop
            .windows(v1::ListWindowsRequest::default())
            .await?;
        let mut lines: Vec<String> = reply.windows.iter().take(MAX_WINDOWS).map(line).collect();
        let more = (reply.total as usize).saturating_sub(lines.len());
        if more > 0 {
            lines.push(format!("and {more} more"));
        }
        if lines.is_empty() {
            lines.push("There are no windows.".into());
        }
        Ok(Answer {
            content: vec![Content::Text(lines.join("\n"))],
            is_error: false,
        })
    }

    /// Changes a window, and returns the screen.
    pub(super) async fn change(
        &self,
        target: v1::WindowTarget,
        operation: v1::WindowOperation,
    ) -> Result<Answer, CallError> {
        let request = v1::ChangeWindowRequest {
            window: Some(target),
            change: Some(Change::Operation(operation.into())),
            timeout: None,
        };
        let reply = self.desktop.change_window(request).await?;
        let is_done = matches!(
            reply.outcome(),
            v1::WindowOutcome::Done | v1::WindowOutcome::Already
        );
        let mut text = match is_done {
            true => format!("Done: {}.", reply.message),
            false => format!("Failed: {}.", reply.message),
        };
        for window in &reply.appeared {
            text += &format!(" A window appeared: {}", line(window));
        }
        let mut answer = self.with_screen(text).await;
        answer.is_error |= !is_done;
        Ok(answer)
    }

    /// Waits for a window, and returns the screen.
    pub(super) async fn wait_for(
        &self,
        window: v1::WindowMatch,
        event: v1::WindowEvent,
        time: Duration,
    ) -> Result<Answer, CallError> {
        let condition = Condition::Window(v1::WindowCondition {
            r#match: Some(window),
            event: event.into(),
        });
        let request = v1::WaitForRequest {
            condition: Some(v1::Condition {
                condition: Some(condition),
            }),
            timeout: time.try_into().ok(),
            coordinate_space: None,
        };
        let report = self.desktop.wait_for(request).await?;
        let text = match (report.met, event) {
            (true, v1::WindowEvent::Disappears) => "No such window is on the screen.".to_owned(),
            (true, _) => {
                let found = report
                    .states
                    .first()
                    .and_then(|state| state.windows.first());
                let found = found.map(line).unwrap_or_default();
                format!("The window is there: {found}")
            }
            (false, _) => {
                let there: Vec<String> = report.windows.iter().map(line).collect();
                format!(
                    "Not in time. These windows are on the screen:\n{}",
                    there.join("\n")
                )
            }
        };
        let mut answer = self.with_screen(text).await;
        answer.is_error |= !report.met;
        Ok(answer)
    }
}

/// Describes a window in one line.
fn line(window: &v1::Window) -> String {
    let states = window
        .states()
        .map(|state| short(state.as_str_name(), "WINDOW_STATE_"));
    let mut words = vec![short(window.kind().as_str_name(), "WINDOW_KIND_")];
    words.extend(states);
    let class = window.class.escape_debug();
    let title = window.title.escape_debug();
    format!("{} ({}) {class} \"{title}\"", window.id, words.join(", "))
}

fn short(name: &str, prefix: &str) -> String {
    name.trim_start_matches(prefix).to_ascii_lowercase()
}
