//! Constructors of small messages, for clients and for the daemon.

use crate::rpc::v1;

impl v1::Point {
    /// The pixel in column `x` and row `y`.
    pub fn new(x: i32, y: i32) -> Self {
        Self {
            x: Some(x),
            y: Some(y),
        }
    }
}

impl From<(i32, i32)> for v1::Point {
    fn from((x, y): (i32, i32)) -> Self {
        Self::new(x, y)
    }
}

impl From<v1::Point> for v1::Target {
    fn from(point: v1::Point) -> Self {
        Self {
            target: Some(v1::target::Target::Point(point)),
        }
    }
}

impl From<(i32, i32)> for v1::Target {
    fn from(point: (i32, i32)) -> Self {
        v1::Point::from(point).into()
    }
}

impl v1::ActionResult {
    /// Whether the action was executed completely.
    pub fn is_done(&self) -> bool {
        self.status() == v1::ActionStatus::Done
    }
}

impl v1::WatchResponse {
    /// Returns the frame of the update: a whole frame, a failure card, or the metadata of
    /// changed regions.
    pub fn frame(&self) -> Option<&v1::Frame> {
        match self.update.as_ref()? {
            v1::watch_response::Update::Frame(frame) => Some(frame),
            v1::watch_response::Update::Regions(regions) => regions.frame.as_ref(),
        }
    }

    /// Returns the regions that changed; empty if the update is a whole frame.
    pub fn changed(&self) -> &[v1::ChangedRegion] {
        match &self.update {
            Some(v1::watch_response::Update::Regions(regions)) => &regions.changed,
            _ => &[],
        }
    }
}

impl v1::Region {
    /// The rectangle whose first pixel is in column `x` and row `y`.
    pub fn new(x: i32, y: i32, width: u32, height: u32) -> Self {
        Self {
            x: Some(x),
            y: Some(y),
            width,
            height,
        }
    }
}
