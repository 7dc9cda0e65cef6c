//! The clipboard for callers. A step's pastes have a connection of their own, so that neither waits
//! for the other; the X server decides who owns a selection.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

use super::capture::Capture;
use crate::{
    failure::{Cause, Failure, Stage},
    x11::{Bell, Clipboard, ClipboardItem, ClipboardRead, SelectionName},
};

/// The clipboard of one display.
#[derive(Debug)]
pub struct ClipboardStore {
    capture: Arc<Capture>,
    /// Connected by the first call, and again after the connection was lost.
    clipboard: Mutex<Option<Arc<Clipboard>>>,
}

impl ClipboardStore {
    pub(super) fn new(capture: Arc<Capture>) -> Self {
        Self {
            capture,
            clipboard: Mutex::default(),
        }
    }

    /// Lists the formats of a selection.
    ///
    /// # Errors
    ///
    /// When the owner does not answer, or the display cannot be reached before `reply_by`.
    pub async fn formats(
        &self,
        selection: SelectionName,
        reply_by: Instant,
    ) -> Result<Vec<String>, Failure> {
        let work = async { self.clipboard().await?.formats(selection).await };
        self.capture.wait(reply_by, work).await
    }

    /// Reads a selection in one format; empty: as text.
    ///
    /// # Errors
    ///
    /// When the owner does not deliver, or the display cannot be reached before `reply_by`.
    pub async fn read(
        &self,
        selection: SelectionName,
        format: &str,
        reply_by: Instant,
    ) -> Result<ClipboardRead, Failure> {
        let work = async { self.clipboard().await?.read(selection, format).await };
        self.capture.wait(reply_by, work).await
    }

    /// Replaces the content of a selection.
    ///
    /// # Errors
    ///
    /// When the display cannot be reached before `reply_by`.
    pub async fn write(
        &self,
        selection: SelectionName,
        items: Vec<ClipboardItem>,
        reply_by: Instant,
    ) -> Result<(), Failure> {
        let work = async { self.clipboard().await?.write(selection, items).await };
        self.capture.wait(reply_by, work).await
    }

    async fn clipboard(&self) -> Result<Arc<Clipboard>, Failure> {
        let known = self.lock().clone().filter(|clipboard| clipboard.works());
        if let Some(clipboard) = known {
            return Ok(clipboard);
        }
        let display = Arc::clone(&self.capture.display);
        // Connecting blocks while the X server does not answer.
        let started = tokio::task::spawn_blocking(move || {
            let bell = Bell::new().map_err(crate::x11::DisplayError::Lost)?;
            Clipboard::start(&display, bell)
        });
        let started = started.await.map_err(|_| Failure {
            stage: Stage::Connect,
            cause: Cause::Internal,
            message: "a defect in deskd ended the work on the clipboard".into(),
        })?;
        let started = Arc::new(started.map_err(|error| error.failure())?);
        Ok(Arc::clone(self.lock().insert(started)))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Arc<Clipboard>>> {
        self.clipboard
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
