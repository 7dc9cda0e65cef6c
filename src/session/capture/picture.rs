//! Requested pictures, and their frames or cards.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;

use super::{
    asked::{AskedRegion, Space},
    fit::Fit,
};
use crate::{
    encode::Format,
    failure::Failure,
    frame::{CaptureMode, CursorImage, Region, Size},
    gate::Evidence,
    x11::Generation,
};

/// Which picture of the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageSpec {
    /// Its encoding.
    pub format: Format,
    /// Which part, in `space`; `None`: all of it.
    pub region: Option<AskedRegion>,
    /// Its size.
    pub scale: Scale,
    /// With the pointer.
    pub cursor: bool,
    /// Largest image in bytes.
    pub max_image_bytes: Option<u64>,
    /// The coordinate space of `region`.
    pub space: Space,
}

/// The size of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// The region's own.
    Native,
    /// This one: the region is stretched.
    Size(Size),
    /// Within these limits.
    Fit(Fit),
}

impl Scale {
    /// The size of the image that shows a region of that size.
    pub fn of(self, region: Size) -> Size {
        match self {
            Self::Native => region,
            Self::Size(size) => size,
            Self::Fit(fit) => fit.size(region),
        }
    }
}

/// A picture, and when it is sent.
#[derive(Debug, Clone)]
pub struct Spec {
    /// Which picture.
    pub image: ImageSpec,
    /// A frame that the caller has.
    pub if_changed_since: Option<String>,
    /// Also before the paint is proved.
    pub unproved: bool,
}

/// A picture of the screen, or a card in its place.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Its kind.
    pub kind: FrameKind,
    /// The image; empty exactly when it is [`FrameKind::Unchanged`].
    pub image: Bytes,
    /// The format of `image`.
    pub format: Format,
    /// Size of the image in pixels.
    pub size: Size,
    /// Bytes from one row to the next for raw pixels, else 0.
    pub stride: u32,
    /// The part of the screen that it shows; `None` on a card.
    pub region: Option<Region>,
    /// The screen; `None` when not known.
    pub screen: Option<Size>,
    /// Names it.
    pub id: String,
    /// Identity of the X server; `None` when not known.
    pub generation: Option<Generation>,
    /// Rises with each resize; 0 when not known.
    pub geometry_epoch: u64,
    /// When the pixels were read, or the card was drawn.
    pub time: SystemTime,
    /// The pointer; `None` on a card or when the server shows none.
    pub cursor: Option<CursorImage>,
    /// How the pixels were read; `None` on a card.
    pub mode: Option<CaptureMode>,
    /// The paint gate's evidence; `None` if it has none.
    pub paint: Option<Arc<Evidence>>,
    /// Where the time went.
    pub timings: Timings,
}

/// The kind of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FrameKind {
    /// The real screen.
    Screen,
    /// The same image as the frame of this id.
    Unchanged,
    /// A card.
    Card(Failure),
}

/// Where a call's time went.
#[derive(Debug, Clone, Copy, Default)]
pub struct Timings {
    /// From arrival to the start of the capture.
    pub wait: Duration,
    /// Reading pixels and pointer.
    pub capture: Duration,
    /// Making the image.
    pub encode: Duration,
}

/// Frames of each `Source` that can be named. A model thinks for longer than a stream
/// takes to send 64.
pub const HISTORY: usize = 1024;
