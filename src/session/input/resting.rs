//! Watches the screen before and after input, for [`Settle`].

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;

use super::action::{Ended, Settled};
use crate::{
    facts::Fact,
    gate::{Given, Next, Settle},
    processes, sockets,
    x11::{DisplayError, Injector, Observer},
};

/// Time after input during which the screen is still polled, so that regions that move by
/// themselves are known before the next input.
const LINGER: Duration = Duration::from_secs(60);
/// Minimum interval between two such polls. If nothing changes, there is no poll.
const LOOK: Duration = Duration::from_millis(250);
/// Age at which the list of the clients' processes is read again.
const FAMILY: Duration = Duration::from_secs(2);
/// Minimum interval between two samples of the processes.
const SAMPLE: Duration = Duration::from_millis(20);

/// The observed state of the screen between and after steps.
pub(super) struct Resting {
    settle: Settle,
    began: Instant,
    /// The screen is polled until this time.
    until: Instant,
    looked: Instant,
    clients: Vec<u32>,
    family: Vec<u32>,
    family_read: Option<Instant>,
    sampled: Option<Instant>,
    /// When the last input began.
    input_at: Instant,
    /// The processes of the programs that receive the input.
    answering: Vec<u32>,
    /// All processes that were seen. The value is true if the process started after the input and
    /// belongs to the display.
    known: HashMap<u32, bool>,
    display: u16,
}

impl Resting {
    /// Creates the state for the display with that number. Times are counted from `began`.
    pub(super) fn new(observer: &Observer, display: u16, began: Instant) -> Self {
        let now = Instant::now();
        Self {
            settle: Settle::new(observer.root(), observer.size(), began.elapsed()),
            began,
            until: now,
            looked: now,
            clients: Vec::new(),
            family: Vec::new(),
            family_read: None,
            sampled: None,
            input_at: now,
            answering: Vec::new(),
            known: HashMap::new(),
            display,
        }
    }

    /// Waits at most `limit` for an order or an X event, and records the changes of the screen.
    pub(super) fn idle(
        &mut self,
        observer: &mut Observer,
        limit: Duration,
    ) -> Result<(), DisplayError> {
        let now = Instant::now();
        if now >= self.until {
            return observer.doze(limit);
        }
        let next = self.looked + LOOK;
        if !observer.doze_until_news(limit.min(self.until - now))? {
            return Ok(());
        }
        if now < next {
            // Poll at most every `LOOK`, so that a screen that changes all the time costs little.
            return observer.pause(limit.min(next - now));
        }
        self.looked = now;
        self.step(observer)
    }

    fn step(&mut self, observer: &mut Observer) -> Result<(), DisplayError> {
        let mut facts = Vec::new();
        observer.step(&mut facts)?;
        let at = self.began.elapsed();
        for fact in facts {
            if let Fact::Scene(scene) = &fact {
                self.clients = processes::clients(scene);
                self.family_read = None;
            }
            self.settle.observe(at, fact);
        }
        Ok(())
    }

    /// Records that input is about to be given.
    pub(super) fn begin(
        &mut self,
        observer: &mut Observer,
        given: Given,
    ) -> Result<(), DisplayError> {
        self.step(observer)?;
        self.known = processes::all().map(|pid| (pid, false)).collect();
        // Requests of the last step's programs that are still unanswered do not belong to this
        // step.
        self.answering.clear();
        self.sample();
        self.input_at = Instant::now();
        self.settle.begin(self.began.elapsed(), given);
        Ok(())
    }

    /// Replaces the description of the input since [`Self::begin`].
    pub(super) fn given(&mut self, given: Given) {
        self.settle.given(given);
    }

    /// Waits until the screen is at rest. `tend` releases held input whose time is up, and returns
    /// the time until the next such release.
    pub(super) fn settle(
        &mut self,
        injector: &mut Injector,
        cancel: &CancellationToken,
        until: Instant,
        mut tend: impl FnMut(&mut Injector) -> Result<Duration, DisplayError>,
    ) -> Result<Settled, DisplayError> {
        let start = Instant::now();
        self.until = start + LINGER;
        self.settle.done(self.began.elapsed());
        self.answering = answering(injector.observer())?;
        let ended = loop {
            let hold = tend(injector)?;
            let observer = injector.observer();
            if cancel.is_cancelled() {
                break Ended::Skipped;
            }
            if Instant::now() >= until {
                break Ended::Deadline;
            }
            let (pings, within) = match self.settle.advance(self.began.elapsed()) {
                Next::Done(rest) => break Ended::Rest(rest),
                Next::Wait { pings, within } => (pings, within),
            };
            let mut facts = Vec::new();
            for to in pings {
                observer.ping(to, &mut facts)?;
            }
            let left = until.saturating_duration_since(Instant::now());
            observer.wait(within.min(left).min(hold))?;
            self.step(observer)?;
            self.sample();
        };
        self.looked = Instant::now();
        self.refresh();
        Ok(Settled {
            ended,
            waited: start.elapsed(),
            changed: self.settle.changed_area(),
            excepted: self.settle.excepted(),
        })
    }

    /// Samples the processes of the clients, and the processes that started since the input.
    fn sample(&mut self) {
        if self.sampled.is_some_and(|last| last.elapsed() < SAMPLE) {
            return;
        }
        self.sampled = Some(Instant::now());
        if self.family.is_empty() {
            self.refresh();
        }
        let sample =
            |pids: &mut dyn Iterator<Item = u32>| pids.filter_map(processes::sample).collect();
        let (mut new, mut command) = (Vec::new(), false);
        for pid in processes::all() {
            let ours = match self.known.get(&pid) {
                Some(known) => *known,
                None => {
                    let ours = processes::is_of(pid, &self.family, self.display);
                    if let Some(ours) = ours {
                        self.known.insert(pid, ours);
                    }
                    // `is_of` cannot decide during an exec: until the next sample the process
                    // counts as one of the display.
                    ours.unwrap_or(true)
                }
            };
            if ours {
                command |= processes::is_command(pid);
                new.push(pid);
            }
        }
        let known = self.family.iter().filter(|pid| !new.contains(pid));
        let fact = Fact::Processes {
            required: sample(&mut known.copied()),
            others: sample(&mut new.iter().copied()),
        };
        self.settle.observe(self.began.elapsed(), fact);
        let request = sockets::await_answer(&self.answering, self.input_at.elapsed());
        let fact = Fact::UnderWay { command, request };
        self.settle.observe(self.began.elapsed(), fact);
    }

    /// Finds the clients' processes, if the list is empty or older than [`FAMILY`]. This reads all
    /// of `/proc`, so it runs only at the end of a wait, or if the list is empty.
    fn refresh(&mut self) {
        let old = self.family_read.is_none_or(|read| read.elapsed() > FAMILY);
        if old || self.family.is_empty() {
            self.family_read = Some(Instant::now());
            self.family = processes::family(&self.clients);
        }
    }
}

/// Returns the processes of the programs that input reaches: of the window in focus and of the
/// window under the pointer.
fn answering(observer: &mut Observer) -> Result<Vec<u32>, DisplayError> {
    let windows = [observer.focus_window()?, observer.at_pointer()?];
    let mut pids: Vec<u32> = windows
        .into_iter()
        .flatten()
        .filter_map(|w| w.pid)
        .collect();
    pids.dedup();
    Ok(processes::program(&pids))
}
