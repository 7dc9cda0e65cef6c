//! Windows and conditions for programs.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    CallError, Desktop, WindowsClient, desktop,
    desktop::{left, timed},
};
use crate::rpc::{condition_limit, v1};

/// Time of a call beside the time that it waits for the desktop.
const OWN: Duration = Duration::from_secs(5);

impl Desktop {
    /// Lists the windows, the topmost first.
    ///
    /// # Errors
    ///
    /// When the daemon refuses the request or does not answer in time.
    pub async fn windows(
        &self,
        request: v1::ListWindowsRequest,
    ) -> Result<v1::ListWindowsResponse, CallError> {
        self.call(self.timeout, |connection, timeout| {
            let request = timed(request.clone(), timeout);
            async move { WindowsClient::new(connection).list_windows(request).await }
        })
        .await
    }

    /// Changes a window, and returns what became of it. The request is sent once: after a first
    /// change, its title may be that of another window.
    ///
    /// # Errors
    ///
    /// When the daemon refuses the request or does not answer in time. A window that does not
    /// become as requested is not an error; see the outcome.
    pub async fn change_window(
        &self,
        request: v1::ChangeWindowRequest,
    ) -> Result<v1::ChangeWindowResponse, CallError> {
        let limit = request.timeout.and_then(|time| time.try_into().ok());
        let limit: Duration = limit.unwrap_or_default();
        let end = Instant::now() + self.timeout.saturating_add(limit);
        let connection = self.connection(end).await?;
        let request = timed(request, left(end)?);
        let reply = WindowsClient::new(connection).change_window(request).await;
        match reply {
            Ok(reply) => Ok(reply.into_inner()),
            Err(status) => Err(self.failed(status).await),
        }
    }

    /// Waits for a condition, and returns how the wait ended.
    ///
    /// # Errors
    ///
    /// When the daemon refuses the request or does not answer in time. A condition that is not met
    /// in time is not an error; see the report.
    pub async fn wait_for(&self, request: v1::WaitForRequest) -> Result<v1::WaitReport, CallError> {
        let limit = condition_limit(request.timeout);
        let reply = self
            .call(limit.saturating_add(OWN), |connection, timeout| {
                let request = timed(request.clone(), timeout);
                async move { desktop(connection).wait_for(request).await }
            })
            .await?;
        Ok(reply.report.unwrap_or_default())
    }
}
