//! Starts, stops and resizes the desktop.
//!
//! It sends orders to the init that runs the stack, waits for the paint proof (the record on the
//! root window that the desktop is painted), and reports to callers.

mod keeping;
#[cfg(test)]
mod orders;
mod result;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

use result::paint_result;
pub use result::{BroughtUp, Classification, StackError, UpResult};

use super::{capture::Capture, paint::Awaited};
use crate::{
    failure::Failure,
    frame::{ScreenSize, Size},
    stack::{
        Numbered, Stack, StackState,
        wire::{Component, StageStatus, ToInit},
    },
    x11::LinkState,
};

/// Time after which a started or restarted session that is not painted is reported as failed.
/// The daemon continues to wait for the paint.
const PAINT: Duration = Duration::from_secs(90);
/// A caller that waited for [`PAINT`] minus this time counts as having waited for all of it.
const SLACK: Duration = Duration::from_secs(1);

/// The display stack that this daemon manages, or the display that another program starts.
#[derive(Debug)]
pub struct BringUp {
    managed: Option<Managed>,
    capture: Arc<Capture>,
    shutdown: CancellationToken,
}

/// A stack that deskd starts.
#[derive(Debug)]
struct Managed {
    stack: Stack,
    /// Number of `up` calls in progress.
    callers: AtomicUsize,
    /// The size that the screen should have.
    wanted_size: watch::Sender<Size>,
}

impl BringUp {
    /// Manages `stack`, if it is given; `size` is the size that its screen should have.
    pub(super) fn new(
        stack: Option<Stack>,
        size: Size,
        capture: Arc<Capture>,
        shutdown: CancellationToken,
    ) -> Self {
        let managed = |stack| Managed {
            stack,
            callers: AtomicUsize::new(0),
            wanted_size: watch::Sender::new(size),
        };
        Self {
            managed: stack.map(managed),
            capture,
            shutdown,
        }
    }

    fn stack(&self) -> Option<&Stack> {
        self.managed.as_ref().map(|managed| &managed.stack)
    }

    /// Whether deskd, rather than another program, starts the display.
    pub fn is_managed(&self) -> bool {
        self.managed.is_some()
    }

    /// Returns a receiver of the stack's state; `None` if another program starts the display.
    pub fn state(&self) -> Option<watch::Receiver<StackState>> {
        self.stack().map(Stack::state)
    }

    /// Returns a receiver of the sequence number of the newest event.
    ///
    /// # Errors
    ///
    /// [`StackError::NotManaged`] if another program starts the display.
    pub fn news(&self) -> Result<watch::Receiver<u64>, StackError> {
        let stack = self.stack().ok_or(StackError::NotManaged)?;
        Ok(stack.news())
    }

    /// Returns the stored events with a greater sequence number, oldest first.
    pub fn events_after(&self, sequence: u64) -> Vec<Numbered> {
        let stack = self.stack();
        stack.map_or_else(Vec::new, |stack| stack.events_after(sequence))
    }

    /// Reports to the init that the daemon listens, so that the init may start the desktop.
    pub async fn begin(&self) {
        if let Some(stack) = self.stack() {
            stack.order(ToInit::Ready).await;
        }
    }

    /// Orders the init to end, which also ends this daemon.
    pub async fn end(&self) {
        if let Some(stack) = self.stack() {
            stack.order(ToInit::End).await;
        }
    }

    /// Starts all components and, unless `no_wait`, waits for the paint. If another program
    /// manages the stack, only waits for the paint.
    pub async fn up(
        &self,
        size: Option<Size>,
        no_wait: bool,
        reply_by: Instant,
    ) -> Result<BroughtUp, StackError> {
        let Some(managed) = &self.managed else {
            let paint = self.capture.wait_ready(&Awaited::default(), reply_by).await;
            return Ok(BroughtUp {
                result: paint_result(&paint),
                classification: Classification::Unknown,
                stages: Vec::new(),
                paint: Some(paint),
            });
        };
        if let Some(size) = size {
            ScreenSize::try_from(size)?;
        }
        let arrived = Instant::now();
        let others = managed.callers.fetch_add(1, Ordering::Relaxed);
        let _leave = Leave(&managed.callers);
        let before = managed.stack.last_event_before_bring_up();
        let mut classification = if managed.stack.state().borrow().all_up()
            && self.capture.proved(self.capture.profile()).is_some()
        {
            Classification::AlreadyReady
        } else if others > 0 {
            Classification::Contention
        } else {
            Classification::Cold
        };
        let known = self.capture.link().last_screen.map(|screen| screen.size);
        if let Some(size) = size
            && known != Some(size)
        {
            classification = Classification::Cold;
            if known.is_some() {
                self.set_geometry(size, 0, reply_by).await?;
            } else {
                managed.wanted_size.send_replace(size);
                let (width, height) = (size.width, size.height);
                let order = ToInit::Geometry {
                    width,
                    height,
                    dpi: 0,
                };
                managed.stack.order(order).await;
            }
        }
        managed.stack.order(ToInit::Up).await;
        let mut result = self.until_up(managed, reply_by).await;
        let mut paint = None;
        if result == UpResult::Up && !no_wait {
            let ready = self.capture.wait_ready(&Awaited::default(), reply_by).await;
            result = paint_result(&ready);
            let own_time = reply_by.saturating_duration_since(arrived);
            if result == UpResult::NotPainted && own_time < PAINT - SLACK {
                // The caller's deadline passed before the paint's time limit.
                result = UpResult::TimedOut;
            }
            paint = Some(ready);
            if classification != Classification::AlreadyReady && result == UpResult::Up {
                self.until_told(managed, before, reply_by).await;
            }
        }
        Ok(BroughtUp {
            result,
            classification,
            stages: managed.stack.events_after(before),
            paint,
        })
    }

    /// Waits, at most 1 s, until the event for the completed paint stage is stored.
    async fn until_told(&self, managed: &Managed, before: u64, reply_by: Instant) {
        let mut news = managed.stack.news();
        let soon = reply_by.min(Instant::now() + Duration::from_secs(1));
        loop {
            let last = managed.stack.events_after(before).pop();
            let told = last.is_none_or(|last| {
                last.event.component == Component::Paint
                    && last.event.status == StageStatus::Completed
            });
            if told {
                return;
            }
            tokio::select! {
                changed = news.changed() => if changed.is_err() { return },
                () = tokio::time::sleep_until(soon) => return,
            }
        }
    }

    /// Waits until every component is up, and returns the result.
    async fn until_up(&self, managed: &Managed, reply_by: Instant) -> UpResult {
        let mut state = managed.stack.state();
        // The init must receive the order first: a failure from before the order does not
        // count.
        let ordered = Instant::now();
        loop {
            {
                let now = state.borrow_and_update();
                if now.wanted && now.all_up() {
                    return UpResult::Up;
                }
                let fresh = ordered.elapsed() > Duration::from_millis(300);
                if let Some(failed) = now.failed().filter(|_| fresh && now.wanted) {
                    return UpResult::of_failed(failed.component);
                }
            }
            tokio::select! {
                changed = state.changed() => if changed.is_err() { return UpResult::TimedOut },
                () = tokio::time::sleep(Duration::from_millis(350)) => {}
                () = self.shutdown.cancelled() => return UpResult::TimedOut,
                () = tokio::time::sleep_until(reply_by) => {
                    let now = state.borrow();
                    let late = now.components.iter().find(|c| c.enabled && !c.up);
                    let late = late.filter(|c| c.problem.is_some());
                    return late.map_or(UpResult::TimedOut, |late| UpResult::of_failed(late.component));
                }
            }
        }
    }

    /// Stops everything that [`Self::up`] started. Returns the components that were running.
    ///
    /// # Errors
    ///
    /// [`StackError::NotManaged`], or [`StackError::Late`] if a component still runs at
    /// `reply_by`.
    pub async fn down(&self, reply_by: Instant) -> Result<Vec<Component>, StackError> {
        let managed = self.managed.as_ref().ok_or(StackError::NotManaged)?;
        let mut state = managed.stack.state();
        let running = |state: &crate::stack::StackState| -> Vec<Component> {
            let running = state.components.iter().filter(|c| c.up || c.pid != 0);
            running.map(|c| c.component).collect()
        };
        let ended = running(&state.borrow_and_update());
        managed.stack.order(ToInit::Down).await;
        while !(state.borrow().components.is_empty() || running(&state.borrow()).is_empty())
            || state.borrow().wanted
        {
            tokio::select! {
                changed = state.changed() => if changed.is_err() { break },
                () = tokio::time::sleep_until(reply_by) => {
                    return Err(StackError::Late("some components have not ended yet".into()));
                }
            }
        }
        Ok(ended)
    }

    /// Resizes the screen: live if the X server supports it, otherwise by restarting it.
    ///
    /// # Errors
    ///
    /// Fails if no X server supports the size, or if the screen does not have it in time.
    pub async fn set_geometry(
        &self,
        size: Size,
        dpi: u32,
        reply_by: Instant,
    ) -> Result<crate::x11::ScreenInfo, StackError> {
        let managed = self.managed.as_ref().ok_or(StackError::NotManaged)?;
        ScreenSize::try_from(size)?;
        let before = self.capture.link().last_screen;
        managed.wanted_size.send_replace(size);
        let same_dpi = before
            .as_ref()
            .is_some_and(|screen| dpi == 0 || screen.dpi == dpi);
        let resized = same_dpi
            && matches!(
                self.capture
                    .wait(reply_by, self.capture.display.resize(size))
                    .await,
                Ok(true)
            );
        if !resized {
            let (width, height) = (size.width, size.height);
            managed
                .stack
                .order(ToInit::Geometry { width, height, dpi })
                .await;
        }
        let mut link = self.capture.display.link();
        loop {
            if let LinkState::Up(screen) = &link.borrow_and_update().state {
                let renewed = before
                    .as_ref()
                    .is_none_or(|before| before.generation != screen.generation);
                if screen.size == size && (resized || renewed) {
                    return Ok(screen.clone());
                }
            }
            tokio::select! {
                changed = link.changed() => if changed.is_err() {
                    return Err(StackError::Late("deskd is stopping".into()));
                },
                () = self.shutdown.cancelled() => {
                    return Err(StackError::Late("deskd is stopping".into()));
                }
                () = tokio::time::sleep_until(reply_by) => {
                    let Failure { message, .. } = self.capture.overdue();
                    return Err(StackError::Late(format!("the X server is not back: {message}")));
                }
            }
        }
    }
}

struct Leave<'a>(&'a AtomicUsize);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
