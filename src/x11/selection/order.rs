//! What callers ask of a selection, and the answers.

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::failure::Failure;

/// Maximum size of the content in bytes.
pub const MAX_CONTENT: usize = 16 << 20;
/// One of the two selections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SelectionName {
    /// What was copied.
    Clipboard,
    /// What is selected.
    Primary,
}

/// Content in one format. Its `Debug` output shows only the length.
#[derive(Clone, PartialEq, Eq)]
pub struct ClipboardItem {
    /// The name of the format; empty for text in UTF-8.
    pub format: String,
    /// The content.
    pub data: Bytes,
}

impl std::fmt::Debug for ClipboardItem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "ClipboardItem({:?}, {} bytes)",
            self.format,
            self.data.len()
        )
    }
}

/// The answer to a request for content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClipboardRead {
    /// The content.
    Content(ClipboardItem),
    /// The owner does not offer the format. Contains the formats that it offers.
    NotOffered(Vec<String>),
    /// The content has more bytes than [`MAX_CONTENT`].
    TooLarge,
}

/// An order of a caller.
pub(super) enum StoreOrder {
    Formats(SelectionName, oneshot::Sender<Result<Vec<String>, Failure>>),
    Read(
        SelectionName,
        String,
        oneshot::Sender<Result<ClipboardRead, Failure>>,
    ),
    Write(
        SelectionName,
        Vec<ClipboardItem>,
        oneshot::Sender<Result<(), Failure>>,
    ),
}
