//! Decides when the screen is at rest after input: a pure state machine over facts, as the paint
//! gate is.
//!
//! A quiet screen is not enough: a program that still works on a click has not answered yet,
//! although its window does not change. So three things extend the wait: a client that has not
//! answered a ping since the input, a program that is starting, and a process that is at work on
//! the input.

use std::{collections::HashMap, time::Duration};

use super::activity::Activity;
use crate::{
    facts::{Fact, Pinged, ProcessSample, Role, Scene, Window, WindowId},
    frame::{Region, Size},
};

/// The screen is at rest after this time without a change.
const QUIET: Duration = Duration::from_millis(100);
/// Quiet time after a new window appeared: a window paints itself in several strokes.
const QUIET_AFTER_WINDOW: Duration = Duration::from_millis(300);
/// Quiet time after a key that activates the focused control: GTK shows a button as pressed for 250
/// ms before it acts.
const QUIET_AFTER_ACTIVATION: Duration = Duration::from_millis(300);
/// Quiet time after a window moved over a dock or away from it: xfce4-panel hides a dock 580 ms
/// later, and sleeps until then.
const QUIET_AFTER_DOCK: Duration = Duration::from_millis(700);
/// If nothing has changed this long after the input, the wait ends with [`Rest::NoChange`].
const NO_CHANGE: Duration = Duration::from_millis(400);
/// Maximum wait for the pong of a client that is neither focused nor new: it may hang for unrelated
/// reasons.
const OTHERS: Duration = Duration::from_millis(250);
/// Maximum time that a busy process extends the wait after the last visible change.
const WORK: Duration = Duration::from_secs(1);
/// A process counts as at work until this time after its last sample that showed work.
const AT_WORK: Duration = Duration::from_millis(60);
/// A program that was started since the input is waited for until this time after its last sample
/// that showed work.
const STARTING: Duration = Duration::from_millis(400);
/// Maximum wait for a program that was started since the input.
const START: Duration = Duration::from_millis(2500);
/// A process that uses more than one part in this number of its time is at work.
const SHARE: u32 = 5;
/// Minimum interval between two samples of a process that are compared.
const APART: Duration = Duration::from_millis(15);
/// A process that was busy for at least this time before the input is not waited for: its work has
/// another cause.
const BEFORE: Duration = Duration::from_millis(200);
/// Maximum number of pings sent in one round.
const MAX_PINGS: usize = 24;
/// An excepted region stays excepted in the next step if it moved within this time before it: a
/// clock ticks every second.
const STILL_MOVING: Duration = Duration::from_millis(1500);
/// A change this near to a moving region, in pixels, belongs to it.
const NEAR: u32 = 8;
/// Maximum width and height, in pixels, of a change near a press that counts as the redraw of
/// the pressed control. Such a redraw shows that the press arrived, but it is not the program's
/// answer.
const CONTROL: (u32, u32) = (400, 120);
/// Maximum time from the press to such a redraw.
const CONTROL_TIME: Duration = Duration::from_millis(300);

/// Why the wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// The screen changed and came to rest.
    Quiet,
    /// Nothing changed.
    NoChange,
    /// The limit was reached before the screen was at rest.
    Timeout,
}

/// The next thing that the caller has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// The wait is over.
    Done(Rest),
    /// Send these pings, and call [`Settle::advance`] again within that time.
    Wait {
        /// Pings to send.
        pings: Vec<Pinged>,
        /// Maximum time until the next call.
        within: Duration,
    },
}

#[derive(Debug, Clone, Copy)]
struct Worker {
    last: (Duration, ProcessSample),
    /// Start of the unbroken run of samples in which it was busy; `None` if the last one was not.
    working_since: Option<Duration>,
    worked_at: Option<Duration>,
    /// Whether it was busy before the input and is therefore not waited for.
    excused: bool,
    /// When it was first sampled, if it was started after the input.
    came: Option<Duration>,
}

/// The state of the ping to a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Asked,
    Given(Duration),
}

/// The input of a step, as far as it matters for the wait.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Given {
    /// Maximum wait after the input.
    pub limit: Duration,
    /// Whether the input ends with a key or chord that activates the focused control.
    pub activates: bool,
    /// Screen pixels of the last button press, if the input ends with one.
    pub press: Option<(u32, u32)>,
    /// Screen pixels of the pointer before that press: the program redraws the control that the
    /// pointer leaves, too.
    pub from: Option<(u32, u32)>,
    /// Minimum time without a change that the caller requires.
    pub quiet: Option<Duration>,
}

#[derive(Debug)]
struct GivenInput {
    began: Duration,
    /// When the last event was sent.
    done: Option<Duration>,
    given: Given,
    excepted: Vec<Region>,
    /// Whether a command or a request is under way (see [`Fact::UnderWay`]).
    under_way: bool,
    /// When the last command or request under way ended.
    came_back: Option<Duration>,
    /// The windows before the input, and their areas.
    known: HashMap<WindowId, Option<Region>>,
    /// Whether a window moved over a dock, or away from one, since the input.
    at_dock: bool,
    /// Windows that appeared since the input, and when each was last drawn into.
    came: HashMap<WindowId, Option<Duration>>,
    answers: HashMap<WindowId, Answer>,
    changed: Option<Region>,
    last_change: Option<Duration>,
    /// Whether something other than the pressed control changed.
    answered: bool,
}

/// The observations of a screen, before and after input.
#[derive(Debug)]
pub struct Settle {
    root: WindowId,
    screen: Size,
    activity: Activity,
    scene: Option<Scene>,
    workers: HashMap<u32, Worker>,
    input: Option<GivenInput>,
    /// Regions that moved without input, and when each last moved.
    moving: Vec<(Region, Duration)>,
}

impl Settle {
    /// Creates the state of a screen with the root window `root`, before any observation.
    pub fn new(root: WindowId, screen: Size, at: Duration) -> Self {
        Self {
            root,
            screen,
            activity: Activity::new(screen, at),
            scene: None,
            workers: HashMap::new(),
            input: None,
            moving: Vec::new(),
        }
    }

    /// Takes in a fact that was observed before, during or after input.
    pub fn observe(&mut self, at: Duration, fact: Fact) {
        match fact {
            Fact::Damage { window, area } if window == self.root => self.changed(at, area),
            Fact::Damage { window, .. } => {
                let came = self.input.as_mut();
                if let Some(drawn) = came.and_then(|input| input.came.get_mut(&window)) {
                    *drawn = Some(at);
                }
            }
            Fact::Scene(scene) => {
                if scene.size != self.screen {
                    self.screen = scene.size;
                    self.activity = Activity::new(scene.size, at);
                }
                self.note_windows(&scene);
                self.scene = Some(scene);
            }
            Fact::Pong(Pinged::Window(window)) => {
                if let Some(input) = &mut self.input {
                    input.answers.insert(window, Answer::Given(at));
                }
            }
            Fact::Processes { required, others } => {
                self.sampled(at, &required, false);
                self.sampled(at, &others, true);
            }
            Fact::UnderWay { command, request } => {
                if let Some(input) = &mut self.input {
                    if input.under_way && !(command || request) {
                        input.came_back = Some(at);
                    }
                    input.under_way = command || request;
                }
            }
            Fact::NoDisplay(_)
            | Fact::Answer(_)
            | Fact::Ping(_)
            | Fact::Starting(_)
            | Fact::Pong(Pinged::WindowManager)
            | Fact::Picture(..) => {}
        }
    }

    /// Starts a step: its input is about to be sent.
    pub fn begin(&mut self, at: Duration, given: Given) {
        self.moving.retain(|(_, last)| *last + STILL_MOVING >= at);
        for area in self.activity.motion(at, true).animated {
            if !self.moving.iter().any(|(known, _)| *known == area) {
                self.moving.push((area, at));
            }
        }
        let excepted = self.moving.iter().map(|(area, _)| *area).collect();
        let scene = self.scene.iter();
        let known = scene.flat_map(|scene| &scene.windows);
        for worker in self.workers.values_mut() {
            worker.came = None;
            worker.excused = worker
                .working_since
                .is_some_and(|since| since + BEFORE <= at);
        }
        self.input = Some(GivenInput {
            began: at,
            done: None,
            given,
            excepted,
            under_way: false,
            came_back: None,
            known: known.map(|w| (w.id, w.area)).collect(),
            at_dock: false,
            came: HashMap::new(),
            answers: HashMap::new(),
            changed: None,
            last_change: None,
            answered: false,
        });
    }

    /// Replaces the description of the input that was passed to [`Self::begin`].
    pub fn given(&mut self, given: Given) {
        if let Some(input) = &mut self.input {
            input.given = given;
        }
    }

    /// Notes that the last input event was sent.
    pub fn done(&mut self, at: Duration) {
        if let Some(input) = &mut self.input {
            input.done = Some(at);
        }
    }

    /// Reports whether the screen is at rest, or else the pings to send and the time to wait.
    pub fn advance(&mut self, at: Duration) -> Next {
        let Some(done) = self.input.as_ref().and_then(|input| input.done) else {
            return Next::Done(Rest::NoChange);
        };
        let pings = self.pings();
        let Some(input) = &mut self.input else {
            return Next::Done(Rest::NoChange);
        };
        if at >= done + input.given.limit {
            return Next::Done(Rest::Timeout);
        }
        for to in &pings {
            if let Pinged::Window(window) = to {
                input.answers.insert(*window, Answer::Asked);
            }
        }
        let quiet = [
            (!input.came.is_empty(), QUIET_AFTER_WINDOW),
            (input.given.activates, QUIET_AFTER_ACTIVATION),
            (input.at_dock, QUIET_AFTER_DOCK),
        ];
        let quiet = quiet.iter().filter(|(applies, _)| *applies);
        let quiet = quiet.map(|(_, quiet)| *quiet).max().unwrap_or(QUIET);
        let quiet = quiet.max(input.given.quiet.unwrap_or_default());
        let (rest, due) = match input.last_change {
            Some(last) if input.answered => (Rest::Quiet, last.max(done) + quiet),
            // Only the pressed control changed: the answer may still come.
            Some(last) => (
                Rest::NoChange,
                (last.max(done) + quiet).max(done + NO_CHANGE),
            ),
            None => (Rest::NoChange, done + NO_CHANGE.max(quiet)),
        };
        // The result of a finished command or request is drawn a moment later.
        let due = input.came_back.map_or(due, |back| due.max(back + quiet));
        // An outstanding pong is checked for again soon.
        let look = Duration::from_millis(20);
        if at < due {
            let within = due.saturating_sub(at).max(Duration::from_millis(1));
            let within = if self.must_look(at) {
                within.min(look)
            } else {
                within.min(Duration::from_millis(40))
            };
            return Next::Wait { pings, within };
        }
        if pings.is_empty() && !self.is_held_up(at, done) {
            // Changes from now on are not caused by this input.
            self.activity = Activity::new(self.screen, at);
            return Next::Done(rest);
        }
        let within = look;
        Next::Wait { pings, within }
    }

    /// Returns the rectangle that encloses all changes since the input; `None` without any.
    pub fn changed_area(&self) -> Option<Region> {
        self.input.as_ref()?.changed
    }

    /// Returns the regions whose changes are ignored, because they moved before the input.
    pub fn excepted(&self) -> Vec<Region> {
        let input = self.input.as_ref();
        input
            .map(|input| input.excepted.clone())
            .unwrap_or_default()
    }

    fn changed(&mut self, at: Duration, area: Region) {
        self.activity.note(at, self.root, area);
        for (moving, last) in &mut self.moving {
            if is_within(&area, moving) {
                *last = at;
            }
        }
        let Some(input) = &mut self.input else {
            return;
        };
        if input.excepted.iter().any(|moving| is_within(&area, moving)) {
            return;
        }
        input.changed = Some(input.changed.map_or(area, |whole| whole.union(&area)));
        input.last_change = Some(at.max(input.began));
        let soon = at < input.done.unwrap_or(at) + CONTROL_TIME;
        let given = &input.given;
        let places = [given.press, given.press.and(given.from)];
        let own = places
            .into_iter()
            .flatten()
            .any(|place| is_of_control(&area, place));
        input.answered |= !(soon && own);
    }

    fn note_windows(&mut self, scene: &Scene) {
        let Some(input) = &mut self.input else {
            return;
        };
        for window in scene.windows.iter().filter(|w| w.managed && w.viewable) {
            if !input.known.contains_key(&window.id) {
                input.came.entry(window.id).or_insert(None);
            }
        }
        let docks: Vec<Region> = scene
            .windows
            .iter()
            .filter(|w| w.role == Role::Dock)
            .filter_map(|w| w.area)
            .collect();
        let over = |area: &Option<Region>| {
            area.is_some_and(|area| docks.iter().any(|dock| dock.intersection(&area).is_some()))
        };
        let is_program = |w: &&Window| w.role == Role::TopLevel && w.managed;
        input.at_dock |= scene.windows.iter().filter(is_program).any(|w| {
            let before = input.known.get(&w.id).copied().flatten();
            before != w.area && (over(&before) || over(&w.area))
        });
        input
            .came
            .retain(|id, _| scene.windows.iter().any(|w| w.id == *id));
        input
            .answers
            .retain(|id, _| scene.windows.iter().any(|w| w.id == *id));
    }

    /// Returns the clients that were not pinged since the input, at most [`MAX_PINGS`].
    fn pings(&self) -> Vec<Pinged> {
        let (Some(scene), Some(input)) = (&self.scene, &self.input) else {
            return Vec::new();
        };
        let unasked = scene
            .windows
            .iter()
            .filter(|w| w.pings && w.viewable && !input.answers.contains_key(&w.id))
            .map(|w| Pinged::Window(w.id));
        unasked.take(MAX_PINGS).collect()
    }

    fn must_look(&self, at: Duration) -> bool {
        self.input.as_ref().is_some_and(|input| {
            input.answers.values().any(|a| *a == Answer::Asked) || input.began + WORK > at
        })
    }

    fn is_held_up(&self, at: Duration, done: Duration) -> bool {
        let Some(input) = &self.input else {
            return false;
        };
        let active = self.scene.as_ref().and_then(|scene| scene.active);
        let deaf = input.answers.iter().any(|(window, answer)| {
            let concerned = active == Some(*window) || input.came.contains_key(window);
            *answer == Answer::Asked && (concerned || at < done + OTHERS)
        });
        let undrawn = input.came.values().any(Option::is_none);
        let last = input.last_change.unwrap_or(done).max(done);
        let at_work = self.workers.values().any(|worker| {
            let lately = |time: Duration| worker.worked_at.is_some_and(|work| work + time > at);
            match worker.came {
                Some(came) => {
                    at < came + START
                        && (lately(STARTING) || worker.worked_at.is_none() && came + STARTING > at)
                }
                None => !worker.excused && lately(AT_WORK) && at < last + WORK,
            }
        });
        deaf || undrawn || at_work || input.under_way
    }

    fn sampled(&mut self, at: Duration, samples: &[ProcessSample], new: bool) {
        self.workers.retain(|pid, worker| {
            worker.came.is_some() != new || samples.iter().any(|sample| sample.pid == *pid)
        });
        for sample in samples {
            let worker = self.workers.entry(sample.pid).or_insert(Worker {
                last: (at, *sample),
                working_since: None,
                worked_at: None,
                excused: false,
                came: new.then_some(at),
            });
            let (before, old) = worker.last;
            let time = at.saturating_sub(before);
            if time < APART {
                continue;
            }
            let used = sample.wanted.saturating_sub(old.wanted);
            if used > time / SHARE + sample.grain {
                worker.working_since.get_or_insert(before);
                worker.worked_at = Some(at);
            } else {
                worker.working_since = None;
            }
            worker.last = (at, *sample);
        }
    }
}

/// Whether a change is small enough and near enough to a press to be the pressed control.
fn is_of_control(area: &Region, (x, y): (u32, u32)) -> bool {
    let near = Region {
        x: x.saturating_sub(CONTROL.0),
        y: y.saturating_sub(CONTROL.1),
        size: Size {
            width: 2 * CONTROL.0,
            height: 2 * CONTROL.1,
        },
    };
    let (width, height) = (area.size.width, area.size.height);
    let holds = (area.x..=area.x + width).contains(&x) && (area.y..=area.y + height).contains(&y);
    let small = width <= CONTROL.0 && height <= CONTROL.1;
    small && (holds || near.intersection(area) == Some(*area) && width <= 32 && height <= 32)
}

/// Whether `area` lies inside a moving region grown by [`NEAR`].
fn is_within(area: &Region, moving: &Region) -> bool {
    let near = Region {
        x: moving.x.saturating_sub(NEAR),
        y: moving.y.saturating_sub(NEAR),
        size: Size {
            width: moving.size.width + 2 * NEAR,
            height: moving.size.height + 2 * NEAR,
        },
    };
    near.intersection(area) == Some(*area)
}
