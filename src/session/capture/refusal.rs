//! Reasons for which a request for an image is refused.

use super::{asked::AskedRegion, picture::HISTORY, window_target::WindowRefusal};
use crate::{failure::Failure, frame::Size};

/// Why a request is refused. Nothing was done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A frame id that is not among the last [`HISTORY`].
    #[error("frame {0:?} is not among the last {HISTORY} frames of this daemon: take a new one")]
    UnknownFrame(String),
    /// A frame id that belongs to a failure card.
    #[error("frame {0:?} is a failure card, which has no coordinates: take a new frame")]
    FrameIsCard(String),
    /// A frame of another X server.
    #[error("frame {0:?} is of another X server: take a new frame")]
    StaleGeneration(String),
    /// A frame of another screen size.
    #[error("frame {0:?} is from before the screen was resized: take a new frame")]
    StaleEpoch(String),
    /// A region that is not within its coordinate space.
    #[error("region {asked} is not within {within}: give one that is; nothing is clamped")]
    OutOfScreen {
        /// The requested region.
        asked: AskedRegion,
        /// Description of the coordinate space that the region must lie in.
        within: String,
    },
    /// An image with more pixels or a longer side than allowed.
    #[error(
        "an image of {0} has more than {max} pixels or a side above {side}: ask for a smaller one",
        max = crate::frame::MAX_OUTPUT_PIXELS, side = crate::frame::MAX_OUTPUT_SIDE
    )]
    OutputTooLarge(Size),
    /// The window to show, or the window of a coordinate space, is not as the request expects.
    #[error(transparent)]
    Window(Box<WindowRefusal>),
}

impl From<WindowRefusal> for Refusal {
    fn from(refusal: WindowRefusal) -> Self {
        Self::Window(Box::new(refusal))
    }
}

/// Why the pointer could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CursorFailure(pub Failure);
