//! Coordinates as a request has them: not yet known to be on anything.

use std::fmt;

use crate::frame::Size;

/// A coordinate space.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Space {
    /// The screen.
    #[default]
    Screen,
    /// The screen as if scaled to that size.
    Size(Size),
    /// The image of an earlier frame, by its id.
    Frame(String),
}

/// A region as a request has it: not yet known to be on anything.
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
