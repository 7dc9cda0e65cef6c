//! The input thread. It owns the connection that gives input, executes one step at a time, releases
//! held input on time, and releases what a lost connection or an earlier instance left down.

use std::{
    io,
    panic::{self, AssertUnwindSafe},
    sync::{
        Arc,
        atomic::{AtomicI32, Ordering},
        mpsc::TryRecvError,
    },
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;

use super::{
    hands::Hands,
    job::InputOrder,
    ledger::Ledger,
    pressed::{Board, Pressed, adopt, pressed, publish},
    resting::Resting,
    state::{LastClick, Pacing, Unread},
    stop::Stop,
};
use crate::{
    failure::Cause,
    x11::{Bell, Clipboard, Display, DisplayError, Generation, Injector, Receiver, uptime},
};

/// Pauses between attempts to connect to a server on which input may be down: the first pause and
/// the longest.
const RETRY: std::ops::Range<Duration> = Duration::from_millis(100)..Duration::from_secs(2);
/// Bound keycodes are unbound this long after the last text that used them.
const GIVE_BACK: Duration = Duration::from_secs(5);
/// Maximum time to wait, before unbinding, for a program to read its last keys. If it does not read
/// them, unbinding is tried again later.
const READ: Duration = Duration::from_millis(300);
/// Maximum time for that at shutdown, after which there is no other attempt.
const LAST_READ: Duration = Duration::from_millis(500);
/// Maximum duration of a wait when no hold is due to end.
pub(super) const LONG: Duration = Duration::from_secs(3600);

/// Starts the thread, which ends after [`InputOrder::Close`]. The thread stores its kernel thread
/// id (its folder in `/proc/self/task`) in `number`.
pub(super) fn spawn(
    display: Arc<Display>,
    inbox: Receiver<InputOrder>,
    board: Board,
    number: Arc<AtomicI32>,
) -> io::Result<std::thread::JoinHandle<()>> {
    let worker = InputWorker {
        display,
        bell: inbox.bell().clone(),
        inbox,
        board,
        connected: None,
        ledger: Ledger::default(),
        of: None,
        last_click: None,
        unread: Unread::new(),
        pacing: Pacing::default(),
        clipboard: None,
        typed: None,
        unsure: false,
        retry: RETRY.start,
        retry_at: None,
        began: Instant::now(),
    };
    std::thread::Builder::new()
        .name("input".into())
        .spawn(move || {
            number.store(nix::unistd::gettid().as_raw(), Ordering::Relaxed);
            worker.run();
        })
}

pub(super) struct InputConnection {
    pub(super) injector: Injector,
    pub(super) resting: Resting,
}

pub(super) struct InputWorker {
    display: Arc<Display>,
    inbox: Receiver<InputOrder>,
    pub(super) bell: Bell,
    pub(super) board: Board,
    pub(super) connected: Option<InputConnection>,
    pub(super) ledger: Ledger,
    /// The X server on which the ledger's input is down.
    of: Option<Generation>,
    last_click: Option<LastClick>,
    unread: Unread,
    pub(super) pacing: Pacing,
    /// `None` until the first paste.
    pub(super) clipboard: Option<Clipboard>,
    /// When bound keycodes were last used; `None` if no keycode is bound.
    pub(super) typed: Option<Instant>,
    /// Whether input may be down that the ledger does not contain, for example after a lost
    /// connection.
    unsure: bool,
    /// Pause before the next attempt to connect.
    retry: Duration,
    /// When the next attempt to connect is due, after one that failed.
    retry_at: Option<Instant>,
    began: Instant,
}

impl InputWorker {
    fn run(mut self) {
        loop {
            match self.next() {
                InputOrder::Perform(job) => {
                    let performed = AssertUnwindSafe(|| self.perform(*job));
                    if panic::catch_unwind(performed).is_err() {
                        // The caller gets an error because the reply channel closes. The next
                        // connection finds what is down by the marks of held input (a property of
                        // the root window).
                        tracing::error!("a defect ended a step; what it holds is released");
                        self.connected = None;
                        self.unsure = true;
                    }
                }
                InputOrder::ReleaseAll(reply) => {
                    let held = self.pressed();
                    let released = self.release_all().map_err(|error| {
                        self.lose(&error);
                        self.without(&error);
                        error.failure()
                    });
                    drop(reply.send(released.map(|()| held)));
                }
                InputOrder::Connect => {
                    if let Err(error) = self.connect() {
                        tracing::debug!("no input yet: {error}");
                        // Input that an earlier instance left down may still be down.
                        self.unsure = true;
                    }
                }
                InputOrder::Close => {
                    // The next instance finds input that cannot be released now by the marks of
                    // held input.
                    drop(self.release_all());
                    if !matches!(self.unbind(LAST_READ), Ok(true)) {
                        // Unbinding would lose the unread text. The next instance finds the bound
                        // keycodes by a property of the root window.
                        tracing::info!("a program has not read its keys: they stay bound for it");
                    }
                    return;
                }
            }
        }
    }

    /// Waits for the next order, and meanwhile releases held input on time and processes X events.
    ///
    /// Each wait consumes the bell that announces orders. So [`Self::idle`] waits at most once, and
    /// the queue is read between two waits.
    fn next(&mut self) -> InputOrder {
        loop {
            match self.inbox.try_recv() {
                Ok(order) => return order,
                Err(TryRecvError::Disconnected) => return InputOrder::Close,
                Err(TryRecvError::Empty) => {}
            }
            if let Err(error) = self.idle() {
                self.lose(&error);
            }
        }
    }

    fn idle(&mut self) -> Result<(), DisplayError> {
        if !self.ledger.is_empty() || self.unsure {
            if self.connected.is_none() {
                let now = Instant::now();
                if let Some(due) = self.retry_at.filter(|due| *due > now) {
                    self.bell
                        .wait(None, due - now)
                        .map_err(DisplayError::Lost)?;
                    return Ok(());
                }
                if let Err(error) = self.connect() {
                    self.without(&error);
                    // Held input must be released on time, so retry soon. Otherwise the pause
                    // doubles.
                    let hurry = !self.ledger.is_empty();
                    let pause = if hurry { RETRY.start } else { self.retry };
                    self.retry = (2 * pause).min(RETRY.end);
                    self.retry_at = Some(Instant::now() + pause);
                }
                // Connecting may have waited for a program and thereby consumed the bell of an
                // order: read the queue first.
                return Ok(());
            }
            self.hands(&CancellationToken::new(), Instant::now(), |hands| {
                hands.end_holds()
            })?;
        }
        if self.typed.is_some_and(|typed| typed.elapsed() >= GIVE_BACK) {
            if !self.unbind(READ)? {
                self.typed = Some(Instant::now());
            }
            // That wait may have consumed the bell of an order: read the queue first.
            return Ok(());
        }
        let next = self.ledger.next_end();
        let hold = next.map_or(LONG, |end| end.saturating_sub(uptime()));
        let typed = self
            .typed
            .map(|typed| GIVE_BACK.saturating_sub(typed.elapsed()));
        let hold = typed.map_or(hold, |left| left.min(hold));
        match &mut self.connected {
            Some(InputConnection { injector, resting }) => resting.idle(injector.observer(), hold),
            None => {
                self.bell.wait(None, hold).map_err(DisplayError::Lost)?;
                Ok(())
            }
        }
    }

    /// Unbinds the bound keycodes, once no program has keys of them still to read. Returns false if
    /// a program has not read its keys within `limit`.
    pub(super) fn unbind(&mut self, limit: Duration) -> Result<bool, DisplayError> {
        if self.connected.is_none() {
            // The next connection finds the bound keycodes by a property of the root window.
            self.typed = None;
            return Ok(true);
        }
        let until = Instant::now() + limit;
        match self.hands(&CancellationToken::new(), until, |hands| hands.until_read()) {
            Ok(()) => {}
            Err(Stop::Lost(error)) => return Err(error),
            Err(_) => return Ok(false),
        }
        if let Some(InputConnection { injector, .. }) = &mut self.connected {
            injector.unbind()?;
        }
        self.typed = None;
        Ok(true)
    }

    /// Drops the connection after an error. The ledger keeps the held input.
    pub(super) fn lose(&mut self, error: &DisplayError) {
        if self.connected.take().is_some() {
            tracing::debug!("the input's connection ended: {error}");
            // Input may be down that the ledger does not contain.
            self.unsure = true;
        }
        self.typed = None;
        self.unread.clear();
        self.pacing = Pacing::default();
    }

    /// Clears the ledger if there is no X server: then nothing is down.
    fn without(&mut self, error: &DisplayError) {
        if error.failure().cause == Cause::NoDisplay {
            self.ledger.clear();
            self.unsure = false;
            self.publish();
        }
    }

    /// Connects if there is no connection. Adopts the input that was left down: releases it now, or
    /// when its hold ends.
    pub(super) fn connect(&mut self) -> Result<(), DisplayError> {
        if self.connected.is_some() {
            return Ok(());
        }
        let mut injector = Injector::connect(&self.display, self.bell.clone())?;
        let (generation, _) = injector.observer().identity();
        if self.of.replace(generation) != Some(generation) {
            // On a new X server nothing is down, except input with marks.
            self.ledger.clear();
            self.last_click = None;
        }
        for mark in injector.left_behind()? {
            if !self.ledger.is_held(mark.input) {
                let held = adopt(&mut injector, mark)?;
                self.ledger.press(held);
            }
        }
        self.unsure = false;
        self.retry = RETRY.start;
        self.retry_at = None;
        let resting = Resting::new(injector.observer(), self.display.name().number, self.began);
        self.connected = Some(InputConnection { injector, resting });
        if !self.ledger.is_empty() {
            tracing::info!(
                "keys or buttons are down that deskd pressed: they are released on time"
            );
        }
        self.hands(&CancellationToken::new(), Instant::now(), |hands| {
            hands.clean_up(&[])?;
            hands.end_holds()
        })?;
        self.adopt_bound()
    }

    /// Unbinds keycodes that an earlier instance bound, once their keys are read.
    fn adopt_bound(&mut self) -> Result<(), DisplayError> {
        let Some(InputConnection { injector, .. }) = &mut self.connected else {
            return Ok(());
        };
        if !injector.has_bound() {
            return Ok(());
        }
        for window in injector.unread().to_vec() {
            self.unread.extend(injector.observer().describe(window)?);
        }
        if !self.unbind(READ)? {
            self.typed = Some(Instant::now());
        }
        Ok(())
    }

    fn release_all(&mut self) -> Result<(), DisplayError> {
        if self.ledger.is_empty() && !self.unsure {
            return Ok(());
        }
        // A new connection adopts what an earlier one left down, so that it is released here, too.
        self.connect()?;
        let Some(InputConnection { injector, .. }) = &mut self.connected else {
            return Ok(());
        };
        for input in self.ledger.everything() {
            injector.release(input)?;
            self.ledger.release(input);
        }
        injector.mark(&[])?;
        injector.pointer()?;
        self.publish();
        Ok(())
    }

    fn pressed(&self) -> Vec<Pressed> {
        pressed(&self.ledger)
    }

    pub(super) fn publish(&self) {
        publish(&self.board, &self.ledger);
    }

    /// Calls `work` with the [`Hands`] of this connection; fails if there is no connection.
    pub(super) fn hands<T, E: From<DisplayError>>(
        &mut self,
        cancel: &CancellationToken,
        until: Instant,
        work: impl FnOnce(&mut Hands<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let Some(InputConnection { injector, .. }) = &mut self.connected else {
            return Err(DisplayError::Protocol("the connection went at once").into());
        };
        let board = &self.board;
        let publish = |ledger: &Ledger| publish(board, ledger);
        work(&mut Hands {
            injector,
            ledger: &mut self.ledger,
            last_click: &mut self.last_click,
            unread: &mut self.unread,
            pacing: &mut self.pacing,
            clipboard: &mut self.clipboard,
            display: &self.display,
            cancel,
            bell: &self.bell,
            until,
            publish: &publish,
        })
    }
}
