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
/// Whoever uses more of its time than one part in so many is at work.
const SHARE: u32 = 5;
/// Samples closer together than this say little.
const APART: Duration = Duration::from_millis(15);
/// Whoever was at work for so long before the input does not work on it.
const BEFORE: Duration = Duration::from_millis(200);
/// Pings without an answer at once.
const MAX_PINGS: usize = 24;
/// What moved by itself, and has moved again within so long, still does: a clock
/// ticks every second.
const STILL_MOVING: Duration = Duration::from_millis(1500);
/// Something that moves is so near to where it was seen moving, in pixels.
const NEAR: u32 = 8;

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

/// What is to be done next.
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

/// What is awaited of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Asked,
    Given(Duration),
}

#[derive(Debug)]
struct Input {
    began: Duration,
    /// When the last event was sent.
    done: Option<Duration>,
    limit: Duration,
    excepted: Vec<Region>,
    /// Windows and where they were.
    known: HashMap<WindowId, Option<Region>>,
    activates: bool,
    /// A window moved over a dock, or away from it.
    at_dock: bool,
    /// Windows that came since, and when each was last drawn into.
    came: HashMap<WindowId, Option<Duration>>,
    answers: HashMap<WindowId, Answer>,
    changed: Option<Region>,
    last_change: Option<Duration>,
}

/// The screen of one display, before and after input.
#[derive(Debug)]
pub struct Settle {
    root: WindowId,
    screen: Size,
    activity: Activity,
    scene: Option<Scene>,
    workers: HashMap<u32, Worker>,
    input: Option<Input>,
    blind: bool,
    /// What moved by itself, and when last.
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
            blind: false,
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
            Fact::Blind => self.blind = true,
            Fact::NoDisplay
            | Fact::Answer(_)
            | Fact::Ping(_)
            | Fact::Pong(Pinged::WindowManager)
            | Fact::Picture(..) => {}
        }
    }

    /// Input is about to be given, which ends with a key that `activates` or does
    /// not; the rest after it is waited for until `limit` after it.
    pub fn begin(&mut self, at: Duration, limit: Duration, activates: bool) {
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
        self.input = Some(Input {
            began: at,
            done: None,
            limit,
            excepted,
            known: known.map(|w| (w.id, w.area)).collect(),
            activates,
            at_dock: false,
            came: HashMap::new(),
            answers: HashMap::new(),
            changed: None,
            last_change: None,
        });
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
        if at >= done + input.limit {
            return Next::Done(Rest::Timeout);
        }
        for to in &pings {
            if let Pinged::Window(window) = to {
                input.answers.insert(*window, Answer::Asked);
            }
        }
        let quiet = [
            (!input.came.is_empty(), QUIET_AFTER_WINDOW),
            (input.activates, QUIET_AFTER_ACTIVATION),
            (input.at_dock, QUIET_AFTER_DOCK),
        ];
        let quiet = quiet.iter().filter(|(applies, _)| *applies);
        let quiet = quiet.map(|(_, quiet)| *quiet).max().unwrap_or(QUIET);
        let (rest, due) = match input.last_change {
            Some(last) => (Rest::Quiet, last.max(done) + quiet),
            None => (Rest::NoChange, done + NO_CHANGE),
        };
        // Whoever is not heard of looks again soon.
        let look = Duration::from_millis(20);
        if at < due || self.blind && at < done + NO_CHANGE.max(QUIET_AFTER_WINDOW) {
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

    /// What is not waited for, because it moved before the input.
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
        let undrawn = input.came.values().any(Option::is_none) && !self.blind;
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
        deaf || undrawn || at_work
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Doing;

    const ROOT: WindowId = 1;
    const EDITOR: WindowId = 7;
    const OTHER: WindowId = 8;
    const NEW: WindowId = 9;
    const SCREEN: Size = Size {
        width: 1280,
        height: 800,
    };

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// A display with an editor that has the focus, and another program.
    struct Story {
        settle: Settle,
        now: Duration,
        /// Who answers pings.
        answers: Vec<WindowId>,
    }

    fn window(id: WindowId, role: Role, area: Region) -> Window {
        Window {
            id,
            role,
            area: Some(area),
            viewable: true,
            managed: true,
            pings: true,
            pid: None,
        }
    }

    fn scene(windows: Vec<Window>) -> Fact {
        Fact::Scene(Scene {
            size: SCREEN,
            window_manager: None,
            active: Some(EDITOR),
            windows,
            other_clients: None,
        })
    }

    fn programs() -> Vec<Window> {
        vec![
            window(EDITOR, Role::TopLevel, Region::new(0, 0, 600, 400)),
            window(OTHER, Role::TopLevel, Region::new(600, 0, 300, 300)),
        ]
    }

    fn process(used: u64) -> ProcessSample {
        ProcessSample {
            pid: 500,
            doing: Doing::Asleep,
            used: ms(used),
            wanted: ms(used),
            grain: Duration::ZERO,
        }
    }

    impl Story {
        fn new() -> Self {
            let mut settle = Settle::new(ROOT, SCREEN, Duration::ZERO);
            settle.observe(Duration::ZERO, scene(programs()));
            Self {
                settle,
                now: Duration::ZERO,
                answers: vec![EDITOR, OTHER, NEW],
            }
        }

        fn begin(&mut self, activates: bool) -> Duration {
            self.settle.begin(self.now, ms(3000), activates);
            self.settle.done(self.now);
            self.now
        }

        fn draw(&mut self, area: Region) {
            self.settle.observe(self.now, Fact::Damage { window: ROOT, area });
        }

        /// Goes on in steps of 10 ms until it rests; how, and after how long.
        /// `each` tells what happens, by the time since the input.
        fn rests(&mut self, mut each: impl FnMut(&mut Self, u64)) -> (Rest, u64) {
            let began = self.now;
            loop {
                let since = u64::try_from((self.now - began).as_millis()).unwrap();
                each(self, since);
                match self.settle.advance(self.now) {
                    Next::Done(rest) => return (rest, since),
                    Next::Wait { pings, within } => {
                        assert!(within <= ms(40) && within > Duration::ZERO);
                        for to in pings {
                            if let Pinged::Window(window) = to
                                && self.answers.contains(&window)
                            {
                                self.settle.observe(self.now, Fact::Pong(to));
                            }
                        }
                    }
                }
                self.now += ms(10);
            }
        }
    }

    #[test]
    fn nothing_changes_for_400_ms_and_a_change_rests_for_100() {
        let mut story = Story::new();
        story.begin(false);
        assert_eq!(story.rests(|_, _| {}), (Rest::NoChange, 400));
        assert_eq!(story.settle.changed_area(), None);
        story.begin(false);
        let strokes = [30, 90, 160];
        let rest = story.rests(|story, since| {
            if strokes.contains(&since) {
                story.draw(Region::new(10 + u32::try_from(since).unwrap(), 20, 30, 40));
            }
        });
        assert_eq!(rest, (Rest::Quiet, 260));
        let changed = Region::new(40, 20, 160, 40);
        assert_eq!(story.settle.changed_area(), Some(changed));
    }

    #[test]
    fn what_never_rests_runs_out_of_time() {
        let mut story = Story::new();
        story.begin(false);
        let rest = story.rests(|story, _| story.draw(Region::new(0, 0, 900, 700)));
        assert_eq!(rest, (Rest::Timeout, 3000));
    }

    #[test]
    fn the_focused_program_must_have_answered_and_others_only_soon() {
        let mut story = Story::new();
        story.answers = vec![OTHER];
        story.begin(false);
        let rest = story.rests(|story, since| match since {
            20 => story.draw(Region::new(0, 0, 9, 9)),
            700 => story
                .settle
                .observe(story.now, Fact::Pong(Pinged::Window(EDITOR))),
            _ => {}
        });
        assert_eq!(rest, (Rest::Quiet, 700));
        // Another one may hang for reasons of its own.
        story.answers = vec![EDITOR];
        story.begin(false);
        let rest = story.rests(|story, since| {
            if since == 20 {
                story.draw(Region::new(0, 0, 9, 9));
            }
        });
        assert_eq!(rest, (Rest::Quiet, 250));
    }

    #[test]
    fn a_new_window_must_be_drawn_and_rests_for_300() {
        let mut story = Story::new();
        story.begin(false);
        let with_new = || {
            let mut windows = programs();
            windows.push(window(NEW, Role::TopLevel, Region::new(50, 50, 400, 300)));
            scene(windows)
        };
        let rest = story.rests(|story, since| match since {
            150 => {
                story.draw(Region::new(50, 50, 400, 300));
                story.settle.observe(story.now, with_new());
            }
            800 => {
                let area = Region::new(50, 50, 400, 300);
                let drawn = Fact::Damage { window: NEW, area };
                story.settle.observe(story.now, drawn);
                story.draw(area);
            }
            _ => {}
        });
        assert_eq!(rest, (Rest::Quiet, 1100));
    }

    #[test]
    fn a_program_that_starts_is_waited_for_as_long_as_it_works() {
        let works = |until: u64| {
            let mut story = Story::new();
            story.begin(false);
            story.rests(|story, since| {
                if since == 10 {
                    story.draw(Region::new(0, 0, 9, 9));
                }
                if since >= 50 && since % 20 == 10 {
                    // All of a core, until then.
                    let others = vec![process(since.min(until))];
                    let required = Vec::new();
                    let fact = Fact::Processes { required, others };
                    story.settle.observe(story.now, fact);
                }
            })
        };
        let (rest, took) = works(600);
        assert_eq!(rest, Rest::Quiet);
        assert!((1000..=1040).contains(&took), "{took}");
        // Not for ever.
        let (rest, took) = works(100_000);
        assert_eq!(rest, Rest::Quiet);
        assert!((2540..=2600).contains(&took), "{took}");
    }

    #[test]
    fn a_busy_client_is_waited_for_unless_it_was_busy_before() {
        let sample = |story: &mut Story, used| {
            let required = vec![process(used)];
            let others = Vec::new();
            let fact = Fact::Processes { required, others };
            story.settle.observe(story.now, fact);
        };
        let mut story = Story::new();
        sample(&mut story, 0);
        story.now += ms(500);
        sample(&mut story, 1);
        story.begin(false);
        let busy = |story: &mut Story, since: u64| {
            if since == 10 {
                story.draw(Region::new(0, 0, 9, 9));
            }
            if since % 20 == 10 {
                sample(story, 1 + since);
            }
        };
        let (rest, took) = story.rests(busy);
        assert_eq!(rest, Rest::Quiet);
        // A second after the last change.
        assert!((1010..=1030).contains(&took), "{took}");
        // It goes on: it does not work on the next input.
        let used = 1 + took;
        story.now += ms(400);
        sample(&mut story, used + 400);
        story.begin(false);
        let (rest, took) = story.rests(|story, since| {
            if since == 10 {
                story.draw(Region::new(0, 0, 9, 9));
            }
            if since % 20 == 10 {
                sample(story, used + 400 + since);
            }
        });
        assert_eq!((rest, took), (Rest::Quiet, 110));
    }

    #[test]
    fn keys_that_activate_and_docks_take_longer() {
        let change = |story: &mut Story, since: u64| {
            if since == 10 {
                story.draw(Region::new(0, 0, 9, 9));
            }
        };
        let mut story = Story::new();
        story.begin(true);
        assert_eq!(story.rests(change), (Rest::Quiet, 310));
        let desktop = |editor: Region| {
            let dock = window(30, Role::Dock, Region::new(400, 750, 300, 50));
            scene(vec![window(EDITOR, Role::TopLevel, editor), dock])
        };
        story.answers.push(30);
        let small = Region::new(0, 0, 600, 400);
        story.settle.observe(story.now, desktop(small));
        story.begin(false);
        // It grows over the dock.
        let rest = story.rests(|story, since| {
            if since == 10 {
                let large = desktop(Region::new(0, 0, 1280, 800));
                story.settle.observe(story.now, large);
                story.draw(Region::new(0, 0, 1280, 800));
            }
        });
        assert_eq!(rest, (Rest::Quiet, 710));
        story.begin(false);
        assert_eq!(story.rests(change), (Rest::Quiet, 110));
    }

    #[test]
    fn what_moved_by_itself_before_is_excepted_and_what_the_last_step_did_is_not() {
        let mut story = Story::new();
        let spinner = Region::new(700, 500, 48, 48);
        let spin = |story: &mut Story| {
            if story.now.as_millis() % 250 == 0 {
                story.draw(spinner);
            }
        };
        for _ in 0..300 {
            spin(&mut story);
            story.now += ms(10);
        }
        story.begin(false);
        assert_eq!(story.settle.excepted(), [spinner]);
        let (rest, _) = story.rests(|story, _| spin(story));
        assert_eq!(rest, Rest::NoChange);
        // A step that changes the same place ten times, and then rests.
        let mut story = Story::new();
        story.begin(false);
        story.rests(|story, since| {
            if since < 1000 && since % 100 == 10 {
                story.draw(spinner);
            }
        });
        story.begin(false);
        assert_eq!(story.settle.excepted(), []);
    }
}
