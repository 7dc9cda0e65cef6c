//! Requested images, and the frames or failure cards that answer the requests.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;

use super::{
    asked::{AskedRegion, Space},
    fit::Fit,
    window_target::WindowImage,
};
use crate::{
    encode::Format,
    failure::Failure,
    frame::{CaptureMode, CursorImage, Region, Size},
    gate::Evidence,
    x11::Generation,
};

/// The parameters of an image of the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageSpec {
    /// The encoding of the image.
    pub format: Format,
    /// The part to show, in coordinates of `space`; `None` for all that `space` covers.
    pub region: Option<AskedRegion>,
    /// The size of the image.
    pub scale: Scale,
    /// Whether the pointer is drawn.
    pub cursor: bool,
    /// Maximum size of the encoded image in bytes; `None` for no limit.
    pub max_image_bytes: Option<u64>,
    /// The coordinate space of `region`.
    pub space: Space,
    /// The window to show in place of the screen. `region` is then a part of it.
    pub window: Option<WindowImage>,
}

/// How the size of an image is determined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// The size of the region.
    Native,
    /// This size; the region is stretched to it.
    Size(Size),
    /// The largest size within these limits.
    Fit(Fit),
}

impl Scale {
    /// Returns the size of the image that shows a region of size `region`.
    pub fn of(self, region: Size) -> Size {
        match self {
            Self::Native => region,
            Self::Size(size) => size,
            Self::Fit(fit) => fit.size(region),
        }
    }
}

/// The parameters of a screenshot or a stream.
#[derive(Debug, Clone)]
pub struct Spec {
    /// The image.
    pub image: ImageSpec,
    /// Id of a frame that the caller has. An image that equals it is not sent again.
    pub if_changed_since: Option<String>,
    /// Whether a frame is also sent before the paint is proved.
    pub unproved: bool,
}

/// A frame of the screen, or a failure card in its place.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Whether this is a new image, an unchanged one or a failure card.
    pub kind: FrameKind,
    /// The image. Empty for [`FrameKind::Unchanged`] and in a stream update with changed
    /// regions.
    pub image: Bytes,
    /// The format of `image`.
    pub format: Format,
    /// Size of the image in pixels.
    pub size: Size,
    /// Bytes from one row to the next for raw pixels; otherwise 0.
    pub stride: u32,
    /// The part of the screen that the image shows; `None` on a failure card.
    pub region: Option<Region>,
    /// The place on the screen from which `region` counts: that of a window, else 0, 0.
    pub origin: (i32, i32),
    /// Size of the screen; `None` if it is not known.
    pub screen: Option<Size>,
    /// The frame id.
    pub id: String,
    /// The server generation; `None` if it is not known.
    pub generation: Option<Generation>,
    /// The geometry epoch, which increases with each resize; 0 if it is not known.
    pub geometry_epoch: u64,
    /// The control epoch when the capture began; on a failure card, when it was drawn.
    pub control_epoch: u64,
    /// The time at which the pixels were read, or the failure card was drawn.
    pub time: SystemTime,
    /// The pointer; `None` on a failure card, or if the X server does not report it.
    pub cursor: Option<CursorImage>,
    /// How the pixels were read; `None` on a failure card.
    pub mode: Option<CaptureMode>,
    /// The paint gate's evidence; `None` if there is none yet.
    pub paint: Option<Arc<Evidence>>,
    /// How long each part of the call took.
    pub timings: Timings,
}

/// The kind of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FrameKind {
    /// An image of the screen.
    Screen,
    /// No image, because it would equal the image of the frame that the caller has.
    Unchanged,
    /// A failure card.
    Card(Failure),
}

/// How long each part of a call took.
#[derive(Debug, Clone, Copy, Default)]
pub struct Timings {
    /// From the call's arrival to the start of the capture.
    pub wait: Duration,
    /// Reading the pixels and the pointer.
    pub capture: Duration,
    /// Encoding the image.
    pub encode: Duration,
}

/// Number of frames of each `Source` that a request can refer to. A stream sends 64 frames in
/// less time than a model needs for one answer, so 64 would be too few.
pub const HISTORY: usize = 1024;
