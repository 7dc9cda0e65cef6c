//! Coordinates as a request gives them, not yet validated against the screen.

use std::fmt;

use crate::frame::Size;

/// A coordinate space.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Space {
    /// The screen.
    #[default]
    Screen,
    /// The screen as if it were scaled to this size.
    Size(Size),
    /// The image of an earlier frame, identified by its frame id.
    Frame(String),
}

/// A region as a request gives it, not yet validated against the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AskedRegion {
    /// Left column.
    pub x: i32,
    /// Top row.
    pub y: i32,
    /// Columns and rows, both at least 1.
    pub size: Size,
}

impl fmt::Display for AskedRegion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{},{},{},{}",
            self.x, self.y, self.size.width, self.size.height
        )
    }
}
