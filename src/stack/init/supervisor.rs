//! Decides what the init does: it takes in facts and returns orders.
//!
//! It handles no process and no clock. `run` reports each fact with its time and carries out the
//! orders, so property tests can drive the supervisor with random histories.

use std::time::Duration;

use super::components::{Ready, needs, readiness, stands_on};
use crate::{
    frame::{ScreenSize, Size},
    stack::wire::{Component, Problem, StageStatus, ToInit},
};

/// Maximum pause before a part that keeps ending is started again (R28).
const MAX_BACKOFF: Duration = Duration::from_secs(30);
/// If a part ran for at least this time, its next end counts as its first.
const STABLE: Duration = Duration::from_secs(20);
/// A daemon that sends nothing for this time is replaced (R33).
const SILENT: Duration = Duration::from_secs(10);

/// A fact that `run` reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum StackFact {
    /// Time passed.
    Tick,
    /// The whole machine was paused for that time.
    Paused(Duration),
    /// A part was started, as ordered.
    Started(Component),
    /// A part could not be started.
    NotStarted(Component, Problem, String),
    /// A part that was started is up.
    Ready(Component),
    /// Another program listens on the port that a part needs.
    PortTaken(Component, u16),
    /// A part ended: its exit code (`None` after a signal) and the end of its standard error
    /// output.
    Ended(Component, Option<i32>, String),
    /// The daemon was started, as ordered.
    DaemonStarted,
    /// The daemon sent something.
    DaemonSpoke,
    /// The daemon ended: its exit code (`None` after a signal).
    DaemonEnded(Option<i32>),
    /// The daemon sent an order.
    Ordered(ToInit),
    /// The init ends, because of a signal or an order.
    Ending,
}

/// An order that `run` carries out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum StackOrder {
    /// Start a part. [`StackFact::Started`] or [`StackFact::NotStarted`] follows.
    Start(Component),
    /// End every process of a part.
    End(Component),
    /// End every process of all parts, beginning with the session's.
    EndAll,
    /// Start the daemon. [`StackFact::DaemonStarted`] follows.
    StartDaemon,
    /// Kill the daemon. [`StackFact::DaemonEnded`] follows.
    KillDaemon,
    /// Use this size for the next X server, and these dots per inch unless 0.
    Resize(Size, u32),
    /// Report an event to the daemon.
    Report(Report),
    /// Write this warning to the log.
    Warn(String),
    /// End everything, and exit with that code.
    Exit(u8),
}

/// A change in a bring-up, restart or tear-down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) component: Component,
    pub(super) status: StageStatus,
    /// Time since the bring-up began.
    pub(super) elapsed: Duration,
    pub(super) problem: Option<Problem>,
    pub(super) message: String,
}

/// The state of a part. Times are on the clock of [`Supervisor::step`].
#[derive(Debug)]
pub(super) struct Part {
    pub(super) component: Component,
    pub(super) enabled: bool,
    /// Whether its process runs, or its start was ordered.
    running: bool,
    pub(super) up: bool,
    /// The time by which it must be up.
    due: Option<Duration>,
    /// The earliest time of its next start.
    not_before: Option<Duration>,
    started: Duration,
    /// Number of failures in a row.
    streak: u32,
    pub(super) restarts: u32,
    pub(super) problem: Option<Problem>,
    pub(super) last_output: String,
}

/// The state of the daemon's process.
#[derive(Debug, Default)]
struct DaemonLife {
    /// When it was started, and when it last sent something; `None` while it does not run.
    running: Option<(Duration, Duration)>,
    not_before: Option<Duration>,
    streak: u32,
    /// Whether it has listened once. Before that, an exit code means a wrong command line.
    was_ready: bool,
}

/// The state of the display stack.
#[derive(Debug)]
pub(super) struct Supervisor {
    parts: Vec<Part>,
    daemon: DaemonLife,
    /// Whether the stack is to be up.
    pub(super) wanted: bool,
    /// Whether the init is ending; from then on only its end is ordered.
    ending: bool,
    /// When the current bring-up began.
    began: Duration,
    now: Duration,
    orders: Vec<StackOrder>,
}

impl Supervisor {
    /// Creates the state in which nothing runs, and everything is to be started once the daemon
    /// listens. `vnc` adds the viewer.
    pub(super) fn new(vnc: bool) -> Self {
        let is_vnc = |c| matches!(c, Component::X11vnc | Component::Websockify);
        let part = |component| Part {
            component,
            enabled: vnc || !is_vnc(component),
            running: false,
            up: false,
            due: None,
            not_before: None,
            started: Duration::ZERO,
            streak: 0,
            restarts: 0,
            problem: None,
            last_output: String::new(),
        };
        Self {
            parts: Component::STARTED.into_iter().map(part).collect(),
            daemon: DaemonLife::default(),
            wanted: true,
            ending: false,
            began: Duration::ZERO,
            now: Duration::ZERO,
            orders: Vec::new(),
        }
    }

    /// The parts, in the order in which they are started.
    pub(super) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Parts that were started and are not up yet.
    pub(super) fn starting(&self) -> impl Iterator<Item = Component> {
        let starting = self.parts.iter().filter(|part| part.running && !part.up);
        starting.map(|part| part.component)
    }

    /// Whether a part is still to come up, so that time limits must be checked often.
    pub(super) fn is_busy(&self) -> bool {
        self.wanted && self.parts.iter().any(|part| part.enabled && !part.up)
    }

    /// Takes in a fact that happened at `now`, which never decreases between calls. The orders are
    /// to be carried out in sequence.
    pub(super) fn step(&mut self, now: Duration, fact: StackFact) -> Vec<StackOrder> {
        self.now = self.now.max(now);
        if fact == StackFact::Ending {
            self.ending = true;
            self.end_all("ended with deskd");
        } else if !self.ending {
            self.take_in(fact);
        }
        if !self.ending {
            self.keep_daemon();
            self.keep_parts();
        }
        std::mem::take(&mut self.orders)
    }

    fn take_in(&mut self, fact: StackFact) {
        match fact {
            StackFact::Tick | StackFact::Ending => {}
            StackFact::Paused(pause) => self.paused(pause),
            StackFact::Started(component) => self.started(component),
            StackFact::NotStarted(component, problem, message) => {
                let now = self.now;
                if let Some(part) = self.part(component) {
                    // The part ran for no time, so the pauses before its next starts grow.
                    part.started = now;
                    if problem == Problem::Failed {
                        part.last_output.clone_from(&message);
                    }
                }
                self.fail(component, problem, message);
            }
            // A part may have been ended after it said so.
            StackFact::Ready(component) => {
                if self.part(component).is_some_and(|part| part.running) {
                    self.is_up(component);
                }
            }
            StackFact::PortTaken(component, port) => self.port_taken(component, port),
            StackFact::Ended(component, code, output) => self.ended(component, code, output),
            StackFact::DaemonStarted => self.daemon.running = Some((self.now, self.now)),
            StackFact::DaemonSpoke => {
                if let Some((_, heard)) = &mut self.daemon.running {
                    *heard = self.now;
                }
            }
            StackFact::DaemonEnded(code) => self.daemon_ended(code),
            StackFact::Ordered(order) => self.obey(&order),
        }
    }

    fn part(&mut self, component: Component) -> Option<&mut Part> {
        let mut parts = self.parts.iter_mut();
        parts.find(|part| part.component == component)
    }

    fn report(
        &mut self,
        component: Component,
        status: StageStatus,
        problem: Option<Problem>,
        message: String,
    ) {
        self.orders.push(StackOrder::Report(Report {
            component,
            status,
            elapsed: self.now - self.began,
            problem,
            message,
        }));
    }

    /// Excludes a pause of the whole machine from the daemon's silence and the parts' time limits.
    fn paused(&mut self, pause: Duration) {
        if let Some((_, heard)) = &mut self.daemon.running {
            *heard = self.now;
        }
        for due in self.parts.iter_mut().filter_map(|part| part.due.as_mut()) {
            *due += pause;
        }
    }

    /// Ends parts that exceed their time limit, and starts wanted parts whose prerequisite is up.
    fn keep_parts(&mut self) {
        if !self.daemon.was_ready {
            return;
        }
        let is_late = |part: &&Part| part.running && part.due.is_some_and(|due| self.now > due);
        let late: Vec<Component> = self
            .parts
            .iter()
            .filter(is_late)
            .map(|p| p.component)
            .collect();
        for component in late {
            let limit = readiness(component).1.as_secs();
            let message = format!("{} was not up within {limit} s", component.name());
            self.end(component);
            self.fail(component, Problem::Failed, message);
        }
        if !self.wanted {
            return;
        }
        for index in 0..self.parts.len() {
            let part = &self.parts[index];
            let needed = needs(part.component);
            let has_ground = needed.is_none_or(|needed| {
                let ground = self.parts.iter().find(|part| part.component == needed);
                ground.is_some_and(|part| part.up)
            });
            let hopeless = matches!(part.problem, Some(Problem::Missing { .. }));
            let due = part.not_before.is_none_or(|at| self.now >= at);
            if part.enabled && !part.up && !part.running && due && !hopeless && has_ground {
                // It counts as running until the result of its start is known.
                self.parts[index].running = true;
                self.orders
                    .push(StackOrder::Start(self.parts[index].component));
            }
        }
    }

    fn started(&mut self, component: Component) {
        let now = self.now;
        let (ready, limit) = readiness(component);
        let Some(part) = self.part(component) else {
            return;
        };
        part.running = true;
        part.started = now;
        part.due = Some(now + limit);
        part.up = ready == Ready::Runs;
        let mut status = StageStatus::Started;
        if part.up {
            status = StageStatus::Completed;
            (part.problem, part.due) = (None, None);
        }
        let message = format!("{} was started", component.name());
        self.report(component, status, None, message);
    }

    fn is_up(&mut self, component: Component) {
        let now = self.now;
        let Some(part) = self.part(component) else {
            return;
        };
        part.up = true;
        (part.due, part.problem) = (None, None);
        let took = (now - part.started).as_millis();
        let message = format!("{} is up after {took} ms", component.name());
        self.report(component, StageStatus::Completed, None, message);
    }

    fn port_taken(&mut self, component: Component, port: u16) {
        let remedy = match component {
            Component::Websockify => "set STREAM_PORT to another port",
            _ => "start deskd without --vnc",
        };
        let name = component.name();
        let message = format!(
            "{name} is not up: another program listens on port {port}; end that, or {remedy}"
        );
        self.end(component);
        if let Some(part) = self.part(component) {
            part.last_output.clone_from(&message);
        }
        self.fail(component, Problem::Failed, message);
    }

    fn ended(&mut self, component: Component, code: Option<i32>, output: String) {
        let said = last_lines(&output);
        let Some(part) = self.part(component) else {
            return;
        };
        part.last_output = output;
        part.running = false;
        let was_up = part.up;
        if readiness(component).0 == Ready::Ended && !was_up {
            if code == Some(0) {
                self.is_up(component);
                return;
            }
            // Without the keymap some keys may be missing, but the screen works, so only report
            // this.
            (part.up, part.due) = (true, None);
            let message = format!("{} failed{said}", component.name());
            self.report(
                component,
                StageStatus::Failed,
                Some(Problem::Failed),
                message,
            );
            return;
        }
        let how = code.map_or("by a signal".to_owned(), |code| format!("with code {code}"));
        let message = format!("{} ended {how}{said}", component.name());
        self.fail(component, Problem::Failed, message);
    }

    /// Handles the failure of a part: ends everything that depends on it, and schedules its
    /// restart.
    fn fail(&mut self, component: Component, problem: Problem, message: String) {
        for other in Component::STARTED.into_iter().rev() {
            if stands_on(other, component) {
                self.end(other);
            }
        }
        // End the processes that the part started and left behind.
        self.end(component);
        let now = self.now;
        if let Some(part) = self.part(component) {
            if now.saturating_sub(part.started) >= STABLE {
                part.streak = 0;
            }
            part.streak += 1;
            part.not_before = Some(now + backoff(part.streak));
            part.restarts += 1;
            part.problem = Some(problem.clone());
        }
        self.report(component, StageStatus::Failed, Some(problem), message);
    }

    fn end(&mut self, component: Component) {
        self.orders.push(StackOrder::End(component));
        if let Some(part) = self.part(component) {
            part.is_ended();
        }
    }

    /// Ends all parts; `why` is the reason in the reports.
    fn end_all(&mut self, why: &str) {
        let was = self.parts.iter().filter(|part| part.up || part.running);
        let was: Vec<Component> = was.map(|part| part.component).collect();
        self.orders.push(StackOrder::EndAll);
        for part in &mut self.parts {
            part.is_ended();
        }
        for component in was.into_iter().rev() {
            let message = format!("{} was {why}", component.name());
            self.report(component, StageStatus::Waiting, None, message);
        }
    }

    fn keep_daemon(&mut self) {
        if let Some((_, heard)) = &mut self.daemon.running {
            if self.now - *heard > SILENT {
                *heard = self.now;
                let message = "the daemon sends nothing: it is replaced";
                self.orders.push(StackOrder::Warn(message.into()));
                self.orders.push(StackOrder::KillDaemon);
            }
        } else if self.daemon.not_before.is_none_or(|at| self.now >= at) {
            // It counts as running until its start is reported.
            self.daemon.running = Some((self.now, self.now));
            self.orders.push(StackOrder::StartDaemon);
        }
    }

    fn daemon_ended(&mut self, code: Option<i32>) {
        let failed = code.and_then(|code| u8::try_from(code).ok());
        if let (false, Some(code)) = (self.daemon.was_ready, failed) {
            self.exit(code);
            return;
        }
        let lived = self.daemon.running.map(|(since, _)| self.now - since);
        let stable = lived.is_some_and(|lived| lived >= STABLE);
        self.daemon.running = None;
        self.daemon.streak = if stable { 1 } else { self.daemon.streak + 1 };
        self.daemon.not_before = Some(self.now + backoff(self.daemon.streak));
        let how = code.map_or("by a signal".into(), |code| format!("with {code}"));
        let message = format!("the daemon ended {how}; it is started again");
        self.orders.push(StackOrder::Warn(message));
    }

    fn obey(&mut self, order: &ToInit) {
        match order {
            ToInit::Ready => self.daemon.was_ready = true,
            ToInit::Alive => {}
            ToInit::Up => {
                if !self.wanted {
                    self.began = self.now;
                }
                self.wanted = true;
                for part in self.parts.iter_mut().filter(|part| !part.up) {
                    // An explicit order resets the pauses, so the part is started at once.
                    part.forget();
                }
            }
            ToInit::Down => {
                self.wanted = false;
                self.end_all("ended on request");
                for part in &mut self.parts {
                    part.forget();
                    part.last_output.clear();
                }
            }
            ToInit::End => self.exit(0),
            ToInit::Geometry { width, height, dpi } => {
                let size = Size {
                    width: *width,
                    height: *height,
                };
                // The daemon has checked the size, but the init does not rely on that.
                if let Err(error) = ScreenSize::try_from(size) {
                    self.orders.push(StackOrder::Warn(error.to_string()));
                    return;
                }
                self.orders.push(StackOrder::Resize(size, *dpi));
                self.began = self.now;
                self.end_all("ended for another size");
            }
        }
    }

    fn exit(&mut self, code: u8) {
        self.ending = true;
        self.orders.push(StackOrder::Exit(code));
    }
}

impl Part {
    fn is_ended(&mut self) {
        (self.running, self.up, self.due) = (false, false, None);
    }

    /// Earlier failures count no more.
    fn forget(&mut self) {
        (self.not_before, self.problem) = (None, None);
        (self.streak, self.restarts) = (0, 0);
    }
}

/// Pause before the next start: none after a first end, then longer.
fn backoff(streak: u32) -> Duration {
    match streak {
        1 => Duration::ZERO,
        n => (Duration::from_millis(100) * 2_u32.saturating_pow(n.min(16))).min(MAX_BACKOFF),
    }
}

/// The last lines of what a part wrote, for a message.
fn last_lines(output: &str) -> String {
    let lines = output.lines().map(str::trim);
    let lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
    let last = &lines[lines.len().saturating_sub(3)..];
    if last.is_empty() {
        String::new()
    } else {
        format!(": {}", last.join(" / "))
    }
}
