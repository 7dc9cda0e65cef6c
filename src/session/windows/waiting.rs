//! Waits for a condition.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    condition::{Condition, ConditionState, RegionHistory},
    lists::{APART, REREAD, Windows, last_look},
};
use crate::{
    frame::{Pixels, Region},
    session::capture::{AskedRegion, Refusal, Resolved, Space, WindowRefusal},
    x11::{Grab, ListedWindow},
};

/// Maximum number of windows that a wait reports at its end.
const MAX_REPORTED: usize = 32;

/// The end of a wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waited {
    /// Whether the condition was met.
    pub is_met: bool,
    /// The state of each window or region condition at the end, in the order of the request.
    pub states: Vec<ConditionState>,
    /// The windows that were on the screen at the end, the topmost first, if it was not met.
    pub windows: Vec<ListedWindow>,
    /// Duration of the wait.
    pub time: Duration,
}

/// Why a wait is refused or broken off.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WaitRefusal {
    /// A region is not possible on this screen.
    #[error(transparent)]
    Region(#[from] Refusal),
    /// The windows or the screen cannot be read.
    #[error(transparent)]
    Windows(#[from] WindowRefusal),
}

impl From<crate::failure::Failure> for WaitRefusal {
    fn from(failure: crate::failure::Failure) -> Self {
        Self::Windows(failure.into())
    }
}

/// What the regions of a condition were at one moment: the beginning of a wait for a change.
#[derive(Debug, Clone, Default)]
pub(in crate::session) struct Baseline(Option<Vec<u64>>);

impl Windows {
    /// Notes the regions of a condition, so that a later wait finds what changed since.
    ///
    /// # Errors
    ///
    /// When a region is not possible on this screen, or the screen cannot be read.
    pub(in crate::session) async fn baseline(
        &self,
        condition: &Condition,
        space: &Resolved,
        reply_by: Instant,
    ) -> Result<Baseline, WaitRefusal> {
        if !has_region(condition) {
            return Ok(Baseline(None));
        }
        let grab = self
            .capture
            .wait(reply_by, self.capture.display.capture())
            .await?;
        let mut digests = Vec::new();
        condition.map(&mut |region| {
            let region = on_screen(space, *region, &grab)?;
            digests.push(digest(&grab.pixels, region));
            Ok::<_, Refusal>(())
        })?;
        Ok(Baseline(Some(digests)))
    }

    /// Waits until a condition is met, at most for `limit`. Its regions are in pixels of `space`.
    /// Regions are compared with `baseline`, if it was noted.
    ///
    /// # Errors
    ///
    /// When a region is not possible on this screen, or the display cannot be reached.
    pub(in crate::session) async fn wait_for(
        &self,
        condition: &Condition,
        (space, baseline): (&Resolved, &Baseline),
        limit: Duration,
        reply_by: Instant,
    ) -> Result<Waited, WaitRefusal> {
        let began = Instant::now();
        let end = last_look(began + limit, reply_by);
        let thread = self.thread()?;
        let mut changes = thread.changes();
        let mut drawn = self.capture.display.drawn();
        drawn.borrow_and_update();
        let reads_screen = has_region(condition);
        let mut grab = match reads_screen {
            true => Some(
                self.capture
                    .wait(reply_by, self.capture.display.capture())
                    .await?,
            ),
            false => None,
        };
        let mut known = baseline.0.iter().flatten();
        let mut watched = condition.map(&mut |region| {
            let Some(grab) = &grab else {
                return Err(Refusal::UnknownFrame(String::new()));
            };
            let region = on_screen(space, *region, grab)?;
            let now = digest(&grab.pixels, region);
            Ok(RegionHistory::new(
                region,
                known.next().copied().unwrap_or(now),
                began,
            ))
        })?;
        loop {
            changes.borrow_and_update();
            let list = self.list(reply_by).await?;
            let at = Instant::now();
            if let Some(grab) = grab.take() {
                space.still_holds(&grab)?;
                watched.note(at, &|region| match region.fits(grab.pixels.size()) {
                    true => digest(&grab.pixels, region),
                    false => 0,
                });
            }
            let is_met = watched.is_met(&list, at);
            if is_met || at >= end {
                let shown = list
                    .windows
                    .iter()
                    .filter(|window| window.viewable && !is_met);
                return Ok(Waited {
                    is_met,
                    states: watched.states(&list, at),
                    windows: shown.take(MAX_REPORTED).cloned().collect(),
                    time: at - began,
                });
            }
            // The last look is at the end itself.
            let next = (at + REREAD)
                .min(end)
                .min(watched.next_rest(at).unwrap_or(end));
            tokio::time::sleep_until((at + APART).min(next)).await;
            tokio::select! {
                () = tokio::time::sleep_until(next) => {}
                changed = changes.changed() => drop(changed),
                changed = drawn.changed(), if reads_screen => drop(changed),
            }
            if reads_screen {
                drawn.borrow_and_update();
                let capture = self.capture.display.capture();
                grab = Some(self.capture.wait(reply_by, capture).await?);
            }
        }
    }

    /// Waits until a condition is met, at most for `limit`. Its regions are in pixels of `space`.
    ///
    /// # Errors
    ///
    /// When a region is not possible on this screen, or the display cannot be reached.
    pub async fn until(
        &self,
        condition: &Condition,
        space: &Space,
        limit: Duration,
        reply_by: Instant,
    ) -> Result<Waited, WaitRefusal> {
        let space = self.capture.resolve(space)?;
        self.wait_for(condition, (&space, &Baseline::default()), limit, reply_by)
            .await
    }
}

fn has_region(condition: &Condition) -> bool {
    let mut has = false;
    condition.each(&mut |leaf| has |= matches!(leaf, Condition::Region { .. }));
    has
}

fn on_screen(
    space: &Resolved,
    region: Option<AskedRegion>,
    grab: &Arc<Grab>,
) -> Result<Region, Refusal> {
    space.still_holds(grab)?;
    let screen = grab.pixels.size();
    region.map_or_else(
        || Ok(space.whole(screen)),
        |region| space.region(region, screen),
    )
}

fn digest(pixels: &Pixels, region: Region) -> u64 {
    let mut hash = xxhash_rust::xxh3::Xxh3::new();
    for row in region.y..region.y + region.size.height {
        hash.update(pixels.row(region.x, row, region.size.width));
    }
    hash.digest()
}
