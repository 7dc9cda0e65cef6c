//! Conditions on windows and on the screen. Pure: they are evaluated on what was observed.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    frame::Region,
    session::capture::WindowMatch,
    x11::{ListedWindow, WindowList},
};

/// A condition that a caller waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition<R = Option<crate::session::AskedRegion>> {
    /// Of a window.
    Window {
        /// The window.
        window: WindowMatch,
        /// What must hold of it.
        is: WindowCondition,
    },
    /// Of a part of the screen.
    Region {
        /// The part; `None` for everything that the coordinate space shows.
        region: R,
        /// What must hold of it.
        is: RegionCondition,
    },
    /// At least one of these is met.
    Any(Vec<Self>),
    /// All of these are met at the same moment.
    All(Vec<Self>),
}

/// What must hold of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowCondition {
    /// A window that matches is viewable.
    Appears,
    /// No window that matches is viewable.
    Disappears,
    /// A window that matches has the keyboard focus.
    GetsFocus,
}

/// What must hold of a part of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegionCondition {
    /// It changed since the wait began.
    Changes,
    /// It has not changed for this time.
    Rests(Duration),
}

/// The state of one window or region condition when the wait ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConditionState {
    /// Whether it was met.
    pub is_met: bool,
    /// The windows that match, of a window condition.
    pub windows: Vec<ListedWindow>,
    /// Whether the region changed since the wait began, of a region condition.
    pub has_changed: bool,
    /// Time since the last change of the region, or since the wait began.
    pub rested: Duration,
}

/// Maximum number of windows in the state of a condition.
const MAX_WINDOWS: usize = 8;

/// What is known of a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RegionHistory {
    region: Region,
    last: u64,
    has_changed: bool,
    /// When it changed last, or when the wait began.
    since: Instant,
}

impl RegionHistory {
    /// `digest`: the content when the wait began.
    pub(super) fn new(region: Region, digest: u64, at: Instant) -> Self {
        Self {
            region,
            last: digest,
            has_changed: false,
            since: at,
        }
    }

    fn note(&mut self, digest: u64, at: Instant) {
        if digest != self.last {
            self.last = digest;
            self.has_changed = true;
            self.since = at;
        }
    }
}

impl<R> Condition<R> {
    /// Calls `work` for each window or region condition, in the order in which they are written.
    pub fn each(&self, work: &mut impl FnMut(&Self)) {
        match self {
            Self::Window { .. } | Self::Region { .. } => work(self),
            Self::Any(parts) | Self::All(parts) => parts.iter().for_each(|part| part.each(work)),
        }
    }

    /// Returns the conditions with their regions converted, in order.
    pub(super) fn map<S, E>(
        &self,
        convert: &mut impl FnMut(&R) -> Result<S, E>,
    ) -> Result<Condition<S>, E> {
        Ok(match self {
            Self::Window { window, is } => Condition::Window {
                window: window.clone(),
                is: *is,
            },
            Self::Region { region, is } => Condition::Region {
                region: convert(region)?,
                is: *is,
            },
            Self::Any(parts) => Condition::Any(
                parts
                    .iter()
                    .map(|part| part.map(convert))
                    .collect::<Result<_, _>>()?,
            ),
            Self::All(parts) => Condition::All(
                parts
                    .iter()
                    .map(|part| part.map(convert))
                    .collect::<Result<_, _>>()?,
            ),
        })
    }
}

impl Condition<RegionHistory> {
    /// Whether the condition is met now.
    pub(super) fn is_met(&self, list: &WindowList, at: Instant) -> bool {
        match self {
            Self::Window { .. } | Self::Region { .. } => self.state(list, at).is_met,
            Self::Any(parts) => parts.iter().any(|part| part.is_met(list, at)),
            Self::All(parts) => parts.iter().all(|part| part.is_met(list, at)),
        }
    }

    /// Returns the state of each window or region condition.
    pub(super) fn states(&self, list: &WindowList, at: Instant) -> Vec<ConditionState> {
        let mut states = Vec::new();
        self.each(&mut |leaf| states.push(leaf.state(list, at)));
        states
    }

    fn state(&self, list: &WindowList, at: Instant) -> ConditionState {
        match self {
            Self::Window { window: wanted, is } => {
                let fits = |window: &&ListedWindow| window.viewable && wanted.fits(window);
                let windows: Vec<&ListedWindow> = list.windows.iter().filter(fits).collect();
                ConditionState {
                    is_met: match is {
                        WindowCondition::Appears => !windows.is_empty(),
                        WindowCondition::Disappears => windows.is_empty(),
                        WindowCondition::GetsFocus => {
                            windows.iter().any(|window| window.states.focused)
                        }
                    },
                    windows: windows.into_iter().take(MAX_WINDOWS).cloned().collect(),
                    has_changed: false,
                    rested: Duration::ZERO,
                }
            }
            Self::Region { region, is } => {
                let rested = at.saturating_duration_since(region.since);
                ConditionState {
                    is_met: match is {
                        RegionCondition::Changes => region.has_changed,
                        RegionCondition::Rests(time) => rested >= *time,
                    },
                    windows: Vec::new(),
                    has_changed: region.has_changed,
                    rested,
                }
            }
            Self::Any(_) | Self::All(_) => ConditionState {
                is_met: self.is_met(list, at),
                windows: Vec::new(),
                has_changed: false,
                rested: Duration::ZERO,
            },
        }
    }

    /// Returns when a region that rests now will have rested long enough; `None` if there is none.
    pub(super) fn next_rest(&self, at: Instant) -> Option<Instant> {
        let mut next: Option<Instant> = None;
        self.each(&mut |leaf| {
            if let Self::Region {
                region,
                is: RegionCondition::Rests(time),
            } = leaf
            {
                let end = region.since + *time;
                if end > at {
                    next = Some(next.map_or(end, |next| next.min(end)));
                }
            }
        });
        next
    }

    /// Notes the digests of the regions; `digest` computes that of one.
    pub(super) fn note(&mut self, at: Instant, digest: &impl Fn(Region) -> u64) {
        match self {
            Self::Window { .. } => {}
            Self::Region { region, .. } => region.note(digest(region.region), at),
            Self::Any(parts) | Self::All(parts) => {
                parts.iter_mut().for_each(|part| part.note(at, digest));
            }
        }
    }
}
