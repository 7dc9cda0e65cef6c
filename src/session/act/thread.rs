//! The input thread: it owns the connection that gives input, does one step at a
//! time, ends holds on time, and releases what is left of a lost connection or
//! of another daemon life.

use std::{
    io,
    panic::{self, AssertUnwindSafe},
    sync::{Arc, Mutex, PoisonError, mpsc::TryRecvError},
    time::{Duration, Instant, SystemTime},
};

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::{
    Account, Begun, Button, Ended, Outcome, Refused, Settled,
    action::{Act, Action, Done},
    hands::{Hands, LastClick, Stop, end_holds},
    ledger::{Held, Ledger},
    plan::{Ground, plan},
    resting::Resting,
    typing::Unread,
};
use crate::{
    frame::{Cause, Failure, Stage},
    keys,
    session::space::Resolved,
    x11::{Bell, Clipboard, Display, Error, Generation, Injector, Input, Mark, Receiver, uptime},
};

/// Pauses between attempts to reach a server on which something may be down: the
/// first, and the longest.
const RETRY: std::ops::Range<Duration> = Duration::from_millis(100)..Duration::from_secs(2);
/// Spare keycodes are given back so long after the last text that used them.
const GIVE_BACK: Duration = Duration::from_secs(5);
/// For a program to read its last keys before that; else it is tried again later.
const READ: Duration = Duration::from_millis(100);
/// The same at shutdown, when there is no later.
const LAST_READ: Duration = Duration::from_millis(500);
/// Keysyms: Return, the keypad's Enter, space.
const RETURN: u32 = 0xff0d;
const ENTER: u32 = 0xff8d;
const SPACE: u32 = 0x20;
/// With nothing to end and nobody to wait for, as long as one likes.
const LONG: Duration = Duration::from_secs(3600);

/// What the thread is asked.
#[derive(Debug)]
pub(super) enum Order {
    /// Do a step.
    Perform(Box<Job>),
    /// Release everything; what it was.
    ReleaseAll(oneshot::Sender<Result<Vec<Pressed>, Failure>>),
    /// The display is there: see whether something was left down.
    Connect,
    /// Release everything, and end.
    Close,
}

/// A step, and who waits for it.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) begun: Arc<Begun>,
    pub(super) act: Arc<Act>,
    pub(super) space: Resolved,
    pub(super) cancel: CancellationToken,
    pub(super) until: Instant,
    pub(super) reply: oneshot::Sender<Result<Account, Refused>>,
}

/// One key or button that deskd holds down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pressed {
    /// Which.
    pub what: PressedInput,
    /// When it is released by itself; `None`: at the end of the step under way.
    pub until: Option<SystemTime>,
}

/// A key by name, or a button.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PressedInput {
    /// A key.
    Key(String),
    /// A button.
    Button(Button),
}

/// What is held now, for those who ask.
pub(super) type Board = Arc<Mutex<Vec<Pressed>>>;

/// Starts the thread, which ends by [`Order::Close`].
pub(super) fn spawn(
    display: Arc<Display>,
    inbox: Receiver<Order>,
    board: Board,
) -> io::Result<std::thread::JoinHandle<()>> {
    let worker = Worker {
        display,
        bell: inbox.bell().clone(),
        inbox,
        board,
        connected: None,
        ledger: Ledger::default(),
        of: None,
        last_click: None,
        unread: Unread::new(),
        clipboard: None,
        typed: None,
        unsure: false,
        retry: RETRY.start,
        began: Instant::now(),
    };
    std::thread::Builder::new()
        .name("input".into())
        .spawn(move || worker.run())
}

struct Connected {
    injector: Injector,
    resting: Resting,
}

struct Worker {
    display: Arc<Display>,
    inbox: Receiver<Order>,
    bell: Bell,
    board: Board,
    connected: Option<Connected>,
    ledger: Ledger,
    /// The X server on which the ledger's entries are down.
    of: Option<Generation>,
    last_click: Option<LastClick>,
    unread: Unread,
    /// Once something was pasted.
    clipboard: Option<Clipboard>,
    /// When spare keycodes were last used, as long as some are bound.
    typed: Option<Instant>,
    /// A connection was lost: something may be down that only the server knows of.
    unsure: bool,
    /// Pause before the next attempt to reach that server.
    retry: Duration,
    began: Instant,
}

impl Worker {
    fn run(mut self) {
        loop {
            match self.next() {
                Order::Perform(job) => {
                    let performed = AssertUnwindSafe(|| self.perform(*job));
                    if panic::catch_unwind(performed).is_err() {
                        // Who waits is told by the end of the channel. What is down is
                        // found by the marks, on a new connection.
                        tracing::error!("a defect ended a step; what it holds is released");
                        self.connected = None;
                        self.unsure = true;
                    }
                }
                Order::ReleaseAll(reply) => {
                    let held = self.pressed();
                    let released = self.release_all().map_err(|error| {
                        self.lose(&error);
                        self.without(&error);
                        error.failure()
                    });
                    drop(reply.send(released.map(|()| held)));
                }
                Order::Connect => {
                    if let Err(error) = self.connect() {
                        tracing::debug!("no input yet: {error}");
                        // What another life left down may still be.
                        self.unsure = true;
                    }
                }
                Order::Close => {
                    // What cannot be released now, the next daemon life finds marked.
                    drop(self.release_all());
                    if !matches!(self.unbind(LAST_READ), Ok(true))
                        && let Some(Connected { injector, .. }) = &mut self.connected
                    {
                        drop(injector.unbind());
                    }
                    return;
                }
            }
        }
    }

    /// Waits for the next order, ends holds, and looks at what the server tells.
    fn next(&mut self) -> Order {
        loop {
            match self.inbox.try_recv() {
                Ok(order) => return order,
                Err(TryRecvError::Disconnected) => return Order::Close,
                Err(TryRecvError::Empty) => {}
            }
            if let Err(error) = self.idle() {
                self.lose(&error);
            }
        }
    }

    fn idle(&mut self) -> Result<(), Error> {
        if !self.ledger.is_empty() || self.unsure {
            if self.connected.is_none()
                && let Err(error) = self.connect()
            {
                self.without(&error);
                // What is held ends on time; else there is no hurry.
                let hurry = !self.ledger.is_empty();
                let pause = if hurry { RETRY.start } else { self.retry };
                self.retry = (2 * pause).min(RETRY.end);
                self.bell.wait(None, pause).map_err(Error::Lost)?;
                return Ok(());
            }
            self.hands(&CancellationToken::new(), Instant::now(), |hands| {
                hands.end_holds()
            })?;
        }
        if self.typed.is_some_and(|typed| typed.elapsed() >= GIVE_BACK) && !self.unbind(READ)? {
            self.typed = Some(Instant::now());
        }
        let next = self.ledger.next_end();
        let hold = next.map_or(LONG, |end| end.saturating_sub(uptime()));
        let typed = self
            .typed
            .map(|typed| GIVE_BACK.saturating_sub(typed.elapsed()));
        let hold = typed.map_or(hold, |left| left.min(hold));
        match &mut self.connected {
            Some(Connected { injector, resting }) => resting.idle(injector.observer(), hold),
            None => {
                self.bell.wait(None, hold).map_err(Error::Lost)?;
                Ok(())
            }
        }
    }

    /// Gives spare keycodes back, when no program has keys of them still to read;
    /// false when one has after that time.
    fn unbind(&mut self, limit: Duration) -> Result<bool, Error> {
        if self.connected.is_none() {
            // They are found by their mark, on the next connection.
            return Ok(true);
        }
        let until = Instant::now() + limit;
        match self.hands(&CancellationToken::new(), until, |hands| hands.until_read()) {
            Ok(()) => {}
            Err(Stop::Lost(error)) => return Err(error),
            Err(_) => return Ok(false),
        }
        if let Some(Connected { injector, .. }) = &mut self.connected {
            injector.unbind()?;
        }
        self.typed = None;
        Ok(true)
    }

    /// The connection is of no use any more; what is down is not forgotten.
    fn lose(&mut self, error: &Error) {
        if self.connected.take().is_some() {
            tracing::debug!("the input's connection ended: {error}");
            // Something may be down that only the server knows of.
            self.unsure = true;
        }
        self.typed = None;
        self.unread.clear();
    }

    /// What follows from a display that cannot be reached: where there is no server,
    /// nothing is down.
    fn without(&mut self, error: &Error) {
        if error.failure().cause == Cause::NoDisplay {
            self.ledger.clear();
            self.unsure = false;
            self.publish();
        }
    }

    /// Connects, unless it is, and releases what was left down.
    fn connect(&mut self) -> Result<(), Error> {
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
        let resting = Resting::new(injector.observer(), self.display.name().number, self.began);
        self.connected = Some(Connected { injector, resting });
        if !self.ledger.is_empty() {
            tracing::info!(
                "keys or buttons are down that deskd pressed: they are released on time"
            );
        }
        self.hands(&CancellationToken::new(), Instant::now(), |hands| {
            hands.clean_up()?;
            hands.end_holds()
        })
    }

    fn release_all(&mut self) -> Result<(), Error> {
        if self.ledger.is_empty() && !self.unsure {
            return Ok(());
        }
        // What another connection left down is released with it.
        self.connect()?;
        let Some(Connected { injector, .. }) = &mut self.connected else {
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

    fn publish(&self) {
        publish(&self.board, &self.ledger);
    }

    /// Lends the hands, which must have a connection.
    fn hands<T, E: From<Error>>(
        &mut self,
        cancel: &CancellationToken,
        until: Instant,
        work: impl FnOnce(&mut Hands<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let Some(Connected { injector, .. }) = &mut self.connected else {
            return Err(Error::Protocol("the connection went at once").into());
        };
        let board = &self.board;
        let publish = |ledger: &Ledger| publish(board, ledger);
        work(&mut Hands {
            injector,
            ledger: &mut self.ledger,
            last_click: &mut self.last_click,
            unread: &mut self.unread,
            clipboard: &mut self.clipboard,
            display: &self.display,
            cancel,
            bell: &self.bell,
            until,
            publish: &publish,
        })
    }

    fn perform(&mut self, job: Job) {
        let answer = self.attempt(&job);
        // Who waits may have gone: the journal has taken it then.
        drop(job.reply.send(answer));
    }

    fn attempt(&mut self, job: &Job) -> Result<Account, Refused> {
        if job.cancel.is_cancelled() || Instant::now() >= job.until {
            return Err(Refused::Late(late()));
        }
        let steps = match self.prepare(job) {
            Ok(steps) => steps?,
            Err(error) => {
                self.lose(&error);
                return Err(Refused::NoInput(error.failure()));
            }
        };
        if let (Some(limit), Some(connected)) = (job.act.settle, &mut self.connected) {
            let began = connected.resting.begin(
                connected.injector.observer(),
                limit,
                activates(&job.act.actions),
            );
            if let Err(error) = began {
                self.lose(&error);
                return Err(Refused::NoInput(error.failure()));
            }
        }
        if !job.begun.begin() {
            return Err(Refused::Late(late()));
        }
        let mut results = Vec::with_capacity(steps.len());
        let mut outcome = Outcome::Done;
        for step in &steps {
            let mut done = Done::default();
            let start = Instant::now();
            let stop = self.hands(&job.cancel, job.until, |hands| {
                hands.perform(step, &mut done)
            });
            done.took = start.elapsed();
            done.done = stop.is_ok();
            if let Err(stop) = stop {
                outcome = self.stopped(stop, &mut done);
                results.push(done);
                break;
            }
            results.push(done);
        }
        if self.connected.is_some()
            && let Err(error) = self.hands(&job.cancel, job.until, |hands| hands.clean_up())
        {
            self.lose(&error);
            outcome = Outcome::Unknown;
        }
        self.publish();
        let bound = self
            .connected
            .as_ref()
            .is_some_and(|c| c.injector.has_bound());
        self.typed = bound.then(Instant::now);
        let settled = self.settle(job);
        if let Some(clipboard) = &self.clipboard {
            clipboard.finish();
        }
        Ok(Account {
            outcome,
            results,
            settled,
        })
    }

    fn stopped(&mut self, stop: Stop, done: &mut Done) -> Outcome {
        match stop {
            Stop::Cancelled => Outcome::Cancelled,
            Stop::Deadline => Outcome::Deadline,
            Stop::Failed(failure) => {
                done.failure = Some(failure);
                Outcome::Partial
            }
            Stop::Lost(error) => {
                done.failure = Some(Failure {
                    stage: Stage::Input,
                    ..error.failure()
                });
                self.lose(&error);
                Outcome::Unknown
            }
        }
    }

    /// Finds out how to do it all, before anything is done.
    fn prepare(&mut self, job: &Job) -> Result<Result<Vec<super::plan::Step>, Refused>, Error> {
        // A server that was replaced shows at the first question.
        if let Some(connected) = &mut self.connected
            && let Err(error) = connected.injector.pointer()
        {
            self.lose(&error);
        }
        self.connect()?;
        let planned = self.plan(job)?;
        let bound = self
            .connected
            .as_ref()
            .is_some_and(|c| c.injector.has_bound());
        if bound && matches!(planned, Err(Refused::NoKey { .. })) {
            // It may be one that was taken for characters.
            let left = job.until.saturating_duration_since(Instant::now());
            if self.unbind(left)? {
                return self.plan(job);
            }
        }
        Ok(planned)
    }

    fn plan(&mut self, job: &Job) -> Result<Result<Vec<super::plan::Step>, Refused>, Error> {
        let Some(Connected { injector, .. }) = &mut self.connected else {
            return Err(Error::Protocol("it went at once"));
        };
        let (generation, epoch) = injector.observer().identity_now()?;
        let screen = injector.observer().size();
        if let Err(refused) = expected(job, generation, epoch) {
            return Ok(Err(refused));
        }
        let keyboard = injector.keyboard()?;
        let keymap = injector.keymap()?;
        let ground = Ground {
            space: &job.space,
            screen,
            keymap,
            keyboard,
            ledger: &self.ledger,
            now: uptime(),
        };
        Ok(plan(&ground, &job.act.actions))
    }

    fn settle(&mut self, job: &Job) -> Settled {
        let skipped = Settled {
            ended: Ended::Skipped,
            waited: Duration::ZERO,
            changed: None,
            excepted: Vec::new(),
        };
        let Some(Connected { injector, resting }) = &mut self.connected else {
            return skipped;
        };
        if job.act.settle.is_none() {
            return skipped;
        }
        let (ledger, board) = (&mut self.ledger, &self.board);
        let tend = |injector: &mut Injector| {
            end_holds(injector, ledger, &|ledger| publish(board, ledger))?;
            let next = ledger.next_end();
            Ok(next.map_or(LONG, |end| end.saturating_sub(uptime())))
        };
        match resting.settle(injector, &job.cancel, job.until, tend) {
            Ok(settled) => settled,
            Err(error) => {
                self.lose(&error);
                skipped
            }
        }
    }
}

/// Whether the last key of a step is one that activates what has the focus.
fn activates(actions: &[Action]) -> bool {
    const ACTIVATE: [u32; 3] = [RETURN, ENTER, SPACE];
    match actions.last() {
        Some(Action::Type { text, .. }) => text.0.ends_with(['\n', ' ']),
        Some(Action::Chord { keys, .. }) => keys
            .last()
            .is_some_and(|key| ACTIVATE.contains(&key.keysym)),
        _ => false,
    }
}

/// Says what is held now.
fn publish(board: &Board, ledger: &Ledger) {
    *board.lock().unwrap_or_else(PoisonError::into_inner) = pressed(ledger);
}

/// A thing that another daemon life pressed.
fn adopt(injector: &mut Injector, mark: Mark) -> Result<Held, Error> {
    let name = match mark.input {
        Input::Key(code) => injector
            .keymap()?
            .keysym(code)
            .map_or_else(|| format!("keycode {code}"), keys::name),
        Input::Button(_) => String::new(),
    };
    let hold = mark
        .until
        .map(|until| (until.saturating_sub(uptime()), until));
    Ok(Held {
        input: mark.input,
        name,
        hold,
    })
}

fn pressed(ledger: &Ledger) -> Vec<Pressed> {
    let (now, clock) = (uptime(), SystemTime::now());
    let pressed = |held: &Held| Pressed {
        what: match held.input {
            Input::Key(code) if held.name.is_empty() => {
                PressedInput::Key(format!("keycode {code}"))
            }
            Input::Key(_) => PressedInput::Key(held.name.clone()),
            Input::Button(number) => {
                PressedInput::Button(Button::of_number(number).unwrap_or(Button::Left))
            }
        },
        until: held
            .hold
            .map(|(_, until)| clock + until.saturating_sub(now)),
    };
    ledger.all().iter().map(pressed).collect()
}

/// Refuses a step that is meant for another desktop.
fn expected(job: &Job, generation: Generation, epoch: u64) -> Result<(), Refused> {
    let expect = &job.act.expect;
    let now = generation.to_string();
    if let Some(expected) = expect.generation.as_ref().filter(|e| **e != now) {
        return Err(Refused::StaleGeneration {
            expected: expected.clone(),
            now,
        });
    }
    if let Some(expected) = expect.epoch.filter(|e| *e != epoch) {
        return Err(Refused::StaleEpoch {
            expected,
            now: epoch,
        });
    }
    Ok(job.space.is_of(generation, epoch)?)
}

fn late() -> Failure {
    Failure {
        stage: Stage::Timeout,
        cause: Cause::Deadline,
        message: "the caller's deadline came, or the caller went".into(),
    }
}
