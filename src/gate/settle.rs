//! Whether the screen has come to rest after input: a pure state machine over
//! facts, as the paint gate is.
//!
//! It asks more than "has nothing changed for a while": a program that was
//! clicked on and works on it has not answered yet, though its screen is still.
//! So a client that has not ponged since the input, a program that is being
//! started, and a process that is at work on what was asked hold it up.

use std::{collections::HashMap, time::Duration};

use super::activity::Activity;
use crate::{
    facts::{Fact, Pinged, ProcessSample, Role, Scene, Window, WindowId},
    frame::{Region, Size},
};

/// The screen rests when it has not changed for so long.
const QUIET: Duration = Duration::from_millis(100);
/// The same after a window came: it paints itself in several strokes.
const QUIET_AFTER_WINDOW: Duration = Duration::from_millis(300);
/// The same after a key that activates what has the focus: GTK shows a button
/// as pressed for 250 ms before it acts.
const QUIET_AFTER_ACTIVATION: Duration = Duration::from_millis(300);
/// The same after a window came to lie over a dock, or left it: xfce4-panel
/// hides a dock 580 ms after that, and sleeps until then.
const QUIET_AFTER_DOCK: Duration = Duration::from_millis(700);
/// Without any change, so long after the input there will be none.
const NO_CHANGE: Duration = Duration::from_millis(400);
/// A client other than the focused one is waited for no longer: it may hang for
/// reasons of its own.
const OTHERS: Duration = Duration::from_millis(250);
/// Work without a visible change holds it up so long at most.
const WORK: Duration = Duration::from_secs(1);
/// A process that worked within so long is at work.
const AT_WORK: Duration = Duration::from_millis(60);
/// A program that was started since the input is waited for until it has not
/// worked for so long.
const STARTING: Duration = Duration::from_millis(400);
/// And no longer than this.
const START: Duration = Duration::from_millis(2500);
/// A process that uses more than one part in this number of its time is at work.
const SHARE: u32 = 5;
/// Samples closer together than this say little.
const APART: Duration = Duration::from_millis(15);
/// A process that was at work for at least this time before the input does not work on it.
const BEFORE: Duration = Duration::from_millis(200);
/// Pings without an answer at once.
const MAX_PINGS: usize = 24;
/// A region that moved by itself, and has moved again within this time, still moves: a
/// clock ticks every second.
const STILL_MOVING: Duration = Duration::from_millis(1500);
/// Something that moves is so near to where it was seen moving, in pixels.
const NEAR: u32 = 8;
/// A change around the place of a press is the pressed control's own if it has at most this
/// width and height in pixels and comes within this time after the press. It shows that the
/// press arrived, and not yet the answer.
const CONTROL: (u32, u32) = (400, 120);
const CONTROL_TIME: Duration = Duration::from_millis(300);

/// Why the waiting ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// The screen changed and came to rest.
    Quiet,
    /// Nothing changed.
    NoChange,
    /// The time ran out.
    Timeout,
}

/// The next step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// It is over.
    Done(Rest),
    /// Ask these, and come again within that time.
    Wait {
        /// Pings to send.
        pings: Vec<Pinged>,
        /// How soon.
        within: Duration,
    },
}

#[derive(Debug, Clone, Copy)]
struct Worker {
    last: (Duration, ProcessSample),
    /// It used its time in one sample after the other since then.
    working_since: Option<Duration>,
    worked_at: Option<Duration>,
    /// It was at work before the input, and is not waited for.
    excused: bool,
    /// It came after the input, at that time.
    came: Option<Duration>,
}

/// The answer that is awaited of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Asked,
    Given(Duration),
}

/// The input that the screen answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Given {
    /// The rest after it is waited for until this time after it.
    pub limit: Duration,
    /// It ends with a key or chord that activates what has the focus.
    pub activates: bool,
    /// Screen pixels of the last press of a button, if that ends it.
    pub press: Option<(u32, u32)>,
    /// Screen pixels of the pointer before it: the program redraws the place that it
    /// leaves, too.
    pub from: Option<(u32, u32)>,
    /// The caller requires at least this time without a change.
    pub quiet: Option<Duration>,
}

#[derive(Debug)]
struct GivenInput {
    began: Duration,
    /// When the last event was sent.
    done: Option<Duration>,
    given: Given,
    excepted: Vec<Region>,
    /// A command or a request is under way.
    under_way: bool,
    /// When the last of them ended.
    came_back: Option<Duration>,
    /// Windows and where they were.
    known: HashMap<WindowId, Option<Region>>,
    /// A window moved over a dock, or away from it.
    at_dock: bool,
    /// Windows that came since, and when each was last drawn into.
    came: HashMap<WindowId, Option<Duration>>,
    answers: HashMap<WindowId, Answer>,
    changed: Option<Region>,
    last_change: Option<Duration>,
    /// Something changed besides the pressed control.
    answered: bool,
}

/// The screen of one display, before and after input.
#[derive(Debug)]
pub struct Settle {
    root: WindowId,
    screen: Size,
    activity: Activity,
    scene: Option<Scene>,
    workers: HashMap<u32, Worker>,
    input: Option<GivenInput>,
    /// Regions that moved without input, and when last.
    moving: Vec<(Region, Duration)>,
}

impl Settle {
    /// Nothing was seen yet of the screen, whose root window is `root`.
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

    /// Takes in what was seen, before, during or after input.
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

    /// Input is about to be given.
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

    /// The input since [`Self::begin`] was another than said there.
    pub fn given(&mut self, given: Given) {
        if let Some(input) = &mut self.input {
            input.given = given;
        }
    }

    /// The last event was sent.
    pub fn done(&mut self, at: Duration) {
        if let Some(input) = &mut self.input {
            input.done = Some(at);
        }
    }

    /// Whether the screen rests, or what must be known next.
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
        // What came back is shown a moment later.
        let due = input.came_back.map_or(due, |back| due.max(back + quiet));
        // Whoever is not heard of looks again soon.
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
            // What moves from now on moves by itself.
            self.activity = Activity::new(self.screen, at);
            return Next::Done(rest);
        }
        let within = look;
        Next::Wait { pings, within }
    }

    /// The rectangle that holds all changes since the input; `None` without any.
    pub fn changed_area(&self) -> Option<Region> {
        self.input.as_ref()?.changed
    }

    /// Regions that are not waited for, because they moved before the input.
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

    /// Every client is asked once, after the input.
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

/// Whether `area` is so small and so near to a press that it is the pressed control.
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

/// Whether `area` lies where something moves, or next to it.
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
