//! The input thread. It owns the connection that gives input, does one step at a time, ends
//! holds on time, and releases what a lost connection or an earlier instance left down.

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

/// Pauses between attempts to reach a server on which something may be down: the
/// first, and the longest.
const RETRY: std::ops::Range<Duration> = Duration::from_millis(100)..Duration::from_secs(2);
/// Spare keycodes are given back so long after the last text that used them.
const GIVE_BACK: Duration = Duration::from_secs(5);
/// For a program to read its last keys before that; else it is tried again later.
const READ: Duration = Duration::from_millis(300);
/// The same at shutdown, when there is no later.
const LAST_READ: Duration = Duration::from_millis(500);
/// With nothing to end and nobody to wait for, as long as one likes.
pub(super) const LONG: Duration = Duration::from_secs(3600);

/// Starts the thread, which ends by [`InputOrder::Close`]. Its number in `/proc/self/task` is
/// stored in `number`.
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
    /// The X server on which the ledger's entries are down.
    of: Option<Generation>,
    last_click: Option<LastClick>,
    unread: Unread,
    pub(super) pacing: Pacing,
    /// Once something was pasted.
    pub(super) clipboard: Option<Clipboard>,
    /// When spare keycodes were last used, as long as some are bound.
    pub(super) typed: Option<Instant>,
    /// A connection was lost: something may be down that only the server knows of.
    unsure: bool,
    /// Pause before the next attempt to reach that server.
    retry: Duration,
    /// When that attempt is due, after one that failed.
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
                        // Who waits is told by the end of the channel. What is down is
                        // found by the marks, on a new connection.
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
                        // What another life left down may still be.
                        self.unsure = true;
                    }
                }
                InputOrder::Close => {
                    // What cannot be released now, the next daemon life finds marked.
                    drop(self.release_all());
                    if !matches!(self.unbind(LAST_READ), Ok(true)) {
                        // Its text would be lost; the next daemon life finds the mark.
                        tracing::info!("a program has not read its keys: they stay bound for it");
                    }
                    return;
                }
            }
        }
    }

    /// Waits for the next order, ends holds, and processes X events.
    ///
    /// Each wait takes the bell that announces orders, so [`Self::idle`] waits at most
    /// once: the queue is looked at between two waits.
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
                    // What is held ends on time; else there is no hurry.
                    let hurry = !self.ledger.is_empty();
                    let pause = if hurry { RETRY.start } else { self.retry };
                    self.retry = (2 * pause).min(RETRY.end);
                    self.retry_at = Some(Instant::now() + pause);
                }
                // Connecting may have waited for a program, and so have taken the bell of
                // an order: look at the orders first.
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
            // That wait may have taken the bell of an order: look at the orders first.
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

    /// Gives spare keycodes back, when no program has keys of them still to read;
    /// false when one has after that time.
    pub(super) fn unbind(&mut self, limit: Duration) -> Result<bool, DisplayError> {
        if self.connected.is_none() {
            // They are found by their mark, on the next connection.
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

    /// The connection is of no use any more; what is down is not forgotten.
    pub(super) fn lose(&mut self, error: &DisplayError) {
        if self.connected.take().is_some() {
            tracing::debug!("the input's connection ended: {error}");
            // Something may be down that only the server knows of.
            self.unsure = true;
        }
        self.typed = None;
        self.unread.clear();
        self.pacing = Pacing::default();
    }

    /// Clears the ledger if there is no server: nothing is down then.
    fn without(&mut self, error: &DisplayError) {
        if error.failure().cause == Cause::NoDisplay {
            self.ledger.clear();
            self.unsure = false;
            self.publish();
        }
    }

    /// Connects, unless it is, and releases what was left down.
    pub(super) fn connect(&mut self) -> Result<(), DisplayError> {
        if self.connected.is_some() {
            return Ok(());
        }
        let mut injector = Injector::connect(&self.display, self.bell.clone())?;
        let (generation, _) = injector.observer().identity();
        if self.of.replace(generation) != Some(generation) {
            // Another server: nothing is down there, but for what is marked.
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

    /// Spare keycodes that another life of the daemon bound are given back, once
    /// their keys are read.
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
        // What another connection left down is released with it.
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

    /// Lends the hands, which must have a connection.
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
