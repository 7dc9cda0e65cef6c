//! Tests of [`Settle`]: steps, the changes that follow them, and when the screen is at rest.

use std::time::Duration;

use super::settle::{Given, Next, Rest, Settle};
use crate::{
    facts::{Doing, Fact, Pinged, ProcessSample, Role, Scene, Window, WindowId},
    frame::{Region, Size},
};

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
struct RestStory {
    settle: Settle,
    now: Duration,
    /// Windows that answer pings.
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
        age: None,
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

impl RestStory {
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
        let given = Given {
            limit: ms(3000),
            activates,
            ..Given::default()
        };
        self.settle.begin(self.now, given);
        self.settle.done(self.now);
        self.now
    }

    fn draw(&mut self, area: Region) {
        self.settle
            .observe(self.now, Fact::Damage { window: ROOT, area });
    }

    /// Advances by 10 ms at a time until the screen is at rest. Returns the kind of rest and the
    /// milliseconds that it took. `each` adds facts, given the milliseconds since the input.
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
    let mut story = RestStory::new();
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
    let mut story = RestStory::new();
    story.begin(false);
    let rest = story.rests(|story, _| story.draw(Region::new(0, 0, 900, 700)));
    assert_eq!(rest, (Rest::Timeout, 3000));
}

#[test]
fn the_focused_program_must_have_answered_and_others_only_soon() {
    let mut story = RestStory::new();
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
    // Other clients may hang for unrelated reasons.
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
    let mut story = RestStory::new();
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
        let mut story = RestStory::new();
        story.begin(false);
        story.rests(|story, since| {
            if since == 10 {
                story.draw(Region::new(0, 0, 9, 9));
            }
            if since >= 50 && since % 20 == 10 {
                // It uses a whole core until `until`.
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
    // The wait is bounded by `START`.
    let (rest, took) = works(100_000);
    assert_eq!(rest, Rest::Quiet);
    assert!((2540..=2600).contains(&took), "{took}");
}

#[test]
fn a_busy_client_is_waited_for_unless_it_was_busy_before() {
    let sample = |story: &mut RestStory, used| {
        let required = vec![process(used)];
        let others = Vec::new();
        let fact = Fact::Processes { required, others };
        story.settle.observe(story.now, fact);
    };
    let mut story = RestStory::new();
    sample(&mut story, 0);
    story.now += ms(500);
    sample(&mut story, 1);
    story.begin(false);
    let busy = |story: &mut RestStory, since: u64| {
        if since == 10 {
            story.draw(Region::new(0, 0, 9, 9));
        }
        if since % 20 == 10 {
            sample(story, 1 + since);
        }
    };
    let (rest, took) = story.rests(busy);
    assert_eq!(rest, Rest::Quiet);
    // `WORK` (1 s) after the last change.
    assert!((1010..=1030).contains(&took), "{took}");
    // It was busy before the next input, so it is not waited for.
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
    let change = |story: &mut RestStory, since: u64| {
        if since == 10 {
            story.draw(Region::new(0, 0, 9, 9));
        }
    };
    let mut story = RestStory::new();
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
    // The editor's window grows over the dock.
    let rest = story.rests(|story, since| {
        if since == 10 {
            let large = desktop(Region::new(0, 0, 1280, 800));
            story.settle.observe(story.now, large);
            story.draw(Region::new(0, 0, 1280, 800));
        }
    });
    assert_eq!(rest, (Rest::Quiet, 710));
    // The editor still covers the dock but has not moved, so the dock's delay does not apply.
    story.begin(false);
    let rest = story.rests(|story, since| {
        change(story, since);
        let same = desktop(Region::new(0, 0, 1280, 800));
        story.settle.observe(story.now, same);
    });
    assert_eq!(rest, (Rest::Quiet, 110));
}

#[test]
fn what_moved_by_itself_before_is_excepted_and_what_the_last_step_did_is_not() {
    let mut story = RestStory::new();
    let spinner = Region::new(700, 500, 48, 48);
    let spin = |story: &mut RestStory| {
        if story.now.as_millis().is_multiple_of(250) {
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
    // A region that only the last step changed, ten times, is not excepted in the next one.
    let mut story = RestStory::new();
    story.begin(false);
    story.rests(|story, since| {
        if since < 1000 && since % 100 == 10 {
            story.draw(spinner);
        }
    });
    story.begin(false);
    assert_eq!(story.settle.excepted(), []);
}

/// A press after which only the pressed control is redrawn.
#[test]
fn the_pressed_control_is_no_answer_by_itself() {
    let press = |quiet| Given {
        limit: ms(3000),
        press: Some((100, 60)),
        from: Some((700, 500)),
        quiet,
        ..Given::default()
    };
    let button = Region::new(40, 40, 120, 40);
    let mut story = RestStory::new();
    story.settle.begin(story.now, press(None));
    story.settle.done(story.now);
    let rest = story.rests(|story, since| {
        if since == 20 {
            story.draw(button);
            // The control that the pointer left.
            story.draw(Region::new(650, 480, 120, 40));
        }
    });
    // The program's answer may still come until 400 ms after the input.
    assert_eq!(rest, (Rest::NoChange, 400));
    assert!(story.settle.changed_area().is_some());
    // A change elsewhere is an answer.
    story.settle.begin(story.now, press(None));
    story.settle.done(story.now);
    let rest = story.rests(|story, since| match since {
        20 => story.draw(button),
        60 => story.draw(Region::new(500, 300, 200, 200)),
        _ => {}
    });
    assert_eq!(rest, (Rest::Quiet, 160));
    // A change of the control later than `CONTROL_TIME` is an answer, too.
    story.settle.begin(story.now, press(None));
    story.settle.done(story.now);
    let rest = story.rests(|story, since| match since {
        20 | 350 => story.draw(button),
        _ => {}
    });
    assert_eq!(rest, (Rest::Quiet, 450));
    // A caller may request a longer quiet time.
    story.settle.begin(story.now, press(Some(ms(600))));
    story.settle.done(story.now);
    let rest = story.rests(|story, since| {
        if since == 30 {
            story.draw(Region::new(500, 300, 200, 200));
        }
    });
    assert_eq!(rest, (Rest::Quiet, 630));
}

#[test]
fn a_request_and_a_command_under_way_are_waited_for() {
    for command in [true, false] {
        let mut story = RestStory::new();
        story.begin(false);
        let rest = story.rests(|story, since| {
            let under_way = (40..900).contains(&since);
            let fact = Fact::UnderWay {
                command: command && under_way,
                request: !command && under_way,
            };
            story.settle.observe(story.now, fact);
            match since {
                20 => story.draw(Region::new(10, 20, 30, 40)),
                930 => story.draw(Region::new(10, 200, 300, 40)),
                _ => {}
            }
        });
        assert_eq!(rest, (Rest::Quiet, 1030));
    }
    // A request that never ends is waited for until the caller's limit.
    let mut story = RestStory::new();
    story.begin(false);
    let rest = story.rests(|story, _| {
        let fact = Fact::UnderWay {
            command: false,
            request: true,
        };
        story.settle.observe(story.now, fact);
    });
    assert_eq!(rest, (Rest::Timeout, 3000));
}
