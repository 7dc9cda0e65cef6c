//! The verdict of the paint gate, and the observations that it rests on.

use std::time::Duration;

use crate::{
    facts::{Profile, Role, WindowId},
    frame::Region,
};

/// The paint gate's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// No X server can be observed.
    NoDisplay,
    /// Nothing is drawn: a flat or tiled screen.
    Blank,
    /// Something is drawn, but not all that the profile requires.
    Partial,
    /// All that the profile requires is drawn, but the screen is not at rest.
    Unsettled,
    /// All that the profile requires is drawn and at rest.
    Ready,
}

impl Verdict {
    /// The name used on the command line, in logs and on cards.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoDisplay => "NO_DISPLAY",
            Self::Blank => "BLANK",
            Self::Partial => "PARTIAL",
            Self::Unsettled => "UNSETTLED",
            Self::Ready => "READY",
        }
    }
}

/// A window that the profile requires, found or missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its role; `None` for the window manager's own window.
    pub role: Option<Role>,
    /// Its id; 0 if the window is missing.
    pub window: WindowId,
    /// Its area on the screen.
    pub area: Option<Region>,
    /// Whether it and all its ancestors are mapped.
    pub viewable: bool,
    /// Whether it is drawn: its content is not of one colour, or its client has had time to draw.
    pub drawn: bool,
    /// Answers to pings that were sent since the last change.
    pub pongs: u32,
}

/// One measurement of the screen by the reference encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// Time since the observation began.
    pub at: Duration,
    /// Size in bytes.
    pub bytes: u64,
}

/// The observations that the verdict rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The verdict.
    pub verdict: Verdict,
    /// The profile that was judged.
    pub profile: Profile,
    /// The last probes, oldest first.
    pub probes: Vec<Probe>,
    /// The minimum size in bytes by the byte-size rule.
    pub floor_bytes: u64,
    /// Whether the byte-size rule alone counts the screen as painted.
    pub size_rule_settled: bool,
    /// Windows that the profile requires, found or missing.
    pub windows: Vec<Seen>,
    /// Time since the last change that is not excepted animation.
    pub quiet: Duration,
    /// Regions in which something keeps moving.
    pub animated: Vec<Region>,
    /// The conditions that are not met, one phrase each.
    pub missing: Vec<String>,
    /// The longest time from a ping to its answer.
    pub slowest_pong: Duration,
    /// Time since the observation began.
    pub elapsed: Duration,
}

impl Evidence {
    /// Returns a verdict without observations.
    pub fn bare(verdict: Verdict, profile: Profile) -> Self {
        Self {
            verdict,
            profile,
            probes: Vec::new(),
            floor_bytes: 0,
            size_rule_settled: false,
            windows: Vec::new(),
            quiet: Duration::ZERO,
            animated: Vec::new(),
            missing: Vec::new(),
            slowest_pong: Duration::ZERO,
            elapsed: Duration::ZERO,
        }
    }
}
