//! The gate's answer, and why.

use std::time::Duration;

use crate::{
    facts::{Profile, Role, WindowId},
    frame::Region,
};

/// The paint gate's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// No X server to look at.
    NoDisplay,
    /// Nothing is drawn: a flat or tiled screen.
    Blank,
    /// Something is drawn, but not all that the profile requires.
    Partial,
    /// All is there, but not at rest.
    Unsettled,
    /// All is there, drawn and at rest.
    Ready,
}

impl Verdict {
    /// The word on the command line, in logs and on cards.
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

/// A window that the verdict looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its part; `None`: the window manager's own window.
    pub role: Option<Role>,
    /// Its id; 0 when there is none.
    pub window: WindowId,
    /// Where it is.
    pub area: Option<Region>,
    /// Mapped, as are its ancestors.
    pub viewable: bool,
    /// Its content is not of one colour, or its client is done with it.
    pub drawn: bool,
    /// Answers to pings that were sent since the last change.
    pub pongs: u32,
}

/// One measurement of the screen by the reference encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// Since the observation began.
    pub at: Duration,
    /// Size in bytes.
    pub bytes: u64,
}

/// Why the verdict is what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The verdict.
    pub verdict: Verdict,
    /// The profile that it holds for.
    pub profile: Profile,
    /// The last probes, oldest first.
    pub probes: Vec<Probe>,
    /// The floor of the byte-size rule, in bytes.
    pub floor_bytes: u64,
    /// The result of the byte-size rule alone.
    pub size_rule_settled: bool,
    /// Windows that the profile requires, found or missing.
    pub windows: Vec<Seen>,
    /// No damage other than excepted animation for so long.
    pub quiet: Duration,
    /// Where something small keeps moving.
    pub animated: Vec<Region>,
    /// The conditions that are not met, one phrase each.
    pub missing: Vec<String>,
    /// The slowest of the last answers to pings.
    pub slowest_pong: Duration,
    /// Since the observation began.
    pub elapsed: Duration,
}

impl Evidence {
    /// Without an observation: the verdict alone.
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
