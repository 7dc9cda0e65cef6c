//! Follows the screen for a log: returns what changed between captures, without loss.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use tokio::{sync::watch, time::Instant};

use super::{Capture, kept::ImagePlan};
use crate::{
    encode::{Effort, Format, Tiles},
    failure::Failure,
    frame::{CursorImage, Region, Size},
    x11::{Generation, Grab},
};

/// Minimum time between two captures that no caller asked for.
const EVERY: Duration = Duration::from_millis(200);
/// Pause after a capture that failed.
const FAILED: Duration = Duration::from_secs(1);
/// Bytes of pictures that no caller asked for: at once, and added each second. A film that plays on
/// the screen must not fill the disk.
const BUDGET: f64 = (4 << 20) as f64;
const BUDGET_RATE: f64 = (256 << 10) as f64;

/// The screen as a log has it.
#[derive(Debug)]
pub struct ScreenFollower {
    capture: Arc<Capture>,
    drawn: watch::Receiver<u64>,
    last: Option<LastScreen>,
    /// Earliest time of the next capture that no caller asked for.
    due: Instant,
    budget: f64,
    budget_at: Instant,
}

#[derive(Debug)]
struct LastScreen {
    generation: Generation,
    size: Size,
    number: u64,
    tiles: Arc<Tiles>,
    cursor: Option<CursorImage>,
}

/// A change of the screen.
#[derive(Debug)]
pub struct ScreenChange {
    /// Whether `parts` is the whole screen.
    pub key: bool,
    /// The size of the screen.
    pub size: Size,
    /// When the pixels were read, by the sandbox's clock.
    pub time: SystemTime,
    /// When the pixels were read.
    pub started: std::time::Instant,
    /// The parts that changed, as PNG, without the pointer.
    pub parts: Vec<(Region, Bytes)>,
    /// The pointer.
    pub cursor: Option<CursorImage>,
}

impl ScreenFollower {
    /// Follows the screen of `capture`. The first change is the whole screen.
    pub fn new(capture: Arc<Capture>) -> Self {
        let mut drawn = capture.display.drawn();
        drawn.mark_changed();
        let now = Instant::now();
        Self {
            capture,
            drawn,
            last: None,
            due: now,
            budget: BUDGET,
            budget_at: now,
        }
    }

    /// Waits until something was drawn, and another capture is due.
    pub async fn stir(&mut self) {
        tokio::time::sleep_until(self.due).await;
        if self.drawn.changed().await.is_err() {
            // The X thread has ended: nothing will be drawn.
            std::future::pending::<()>().await;
        }
    }

    /// Begins a capture that no caller asked for. Its result goes to [`Self::change`].
    pub fn capture(&mut self) -> impl Future<Output = Result<Arc<Grab>, Failure>> + Send + 'static {
        self.drawn.mark_unchanged();
        self.due = self.due.max(Instant::now() + EVERY);
        let capture = Arc::clone(&self.capture);
        async move { capture.display.capture().await }
    }

    /// Delays the next capture, because the last one failed.
    pub fn failed(&mut self) {
        self.due = Instant::now() + FAILED;
        self.drawn.mark_changed();
    }

    /// Whether a capture is newer than the last one that was compared.
    pub fn is_newer(&self, grab: &Grab) -> bool {
        let last = self.last.as_ref();
        last.is_none_or(|last| last.generation != grab.generation || last.number < grab.number)
    }

    /// Returns what changed up to a capture; `None` if nothing did.
    ///
    /// # Errors
    ///
    /// The failure of the encoder.
    pub async fn change(&mut self, grab: &Arc<Grab>) -> Result<Option<ScreenChange>, Failure> {
        let size = grab.pixels.size();
        let before = self
            .last
            .as_ref()
            .filter(|last| (last.generation, last.size) == (grab.generation, size));
        if before.is_some_and(|before| before.number == grab.number) {
            return Ok(None);
        }
        let is_pointer_same = before.is_some_and(|before| before.cursor == grab.cursor);
        let is_drawn = |before: &LastScreen| {
            before.number > grab.number || grab.changed.iter().any(|number| *number > before.number)
        };
        if let Some(before) = before
            && is_pointer_same
            && !is_drawn(before)
        {
            return Ok(None);
        }
        let plan = ImagePlan {
            region: Region::whole(size),
            output: size,
            format: Format::Png,
            cursor: false,
            effort: Effort::Fast,
            window: None,
            hidden: Arc::default(),
        };
        let encodings = &self.capture.encodings;
        // A capture from before the last one may differ anywhere.
        let known = before
            .filter(|before| before.number < grab.number)
            .map(|before| (Arc::clone(&before.tiles), before.number));
        let tiles = encodings.next_tiles(grab, &plan, known).await?;
        let (key, parts) = match before {
            Some(before) => (false, tiles.changed_since(&before.tiles)),
            None => (true, vec![Region::whole(size)]),
        };
        let parts = match parts.is_empty() {
            true if is_pointer_same => return Ok(None),
            true => Vec::new(),
            false => encodings.encode_parts(grab, plan, parts).await?,
        };
        if before.is_some_and(|before| before.number > grab.number) {
            // The log has gone back to an older capture, so that a new one is due.
            self.drawn.mark_changed();
        }
        self.last = Some(LastScreen {
            generation: grab.generation,
            size,
            number: grab.number,
            tiles,
            cursor: grab.cursor.clone(),
        });
        Ok(Some(ScreenChange {
            key,
            size,
            time: grab.time,
            started: grab.started,
            parts,
            cursor: grab.cursor.clone(),
        }))
    }

    /// Makes the next change the whole screen, because the log misses a part.
    pub fn forget(&mut self) {
        self.last = None;
        self.drawn.mark_changed();
    }

    /// Delays the next capture that no caller asked for, if the pictures take too many bytes. `bytes`:
    /// those of the last one.
    pub fn spend(&mut self, bytes: u64) {
        let now = Instant::now();
        let since = (now - self.budget_at).as_secs_f64();
        self.budget = (self.budget + since * BUDGET_RATE).min(BUDGET);
        self.budget_at = now;
        self.budget -= f64::from(u32::try_from(bytes).unwrap_or(u32::MAX));
        if self.budget < 0.0 {
            self.due = now + Duration::from_secs_f64(-self.budget / BUDGET_RATE);
        }
    }
}
