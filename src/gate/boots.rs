//! Whole histories of desktops, told as facts: what the verdict is, and that no
//! history makes it READY before it is true.

use std::time::Duration;

use proptest::prelude::*;

use super::{Gate, Verdict};
use crate::{
    facts::{
        Content, Doing, Fact, Picture, Pinged, ProcessSample, Profile, Role, Scene, Window,
        WindowManager,
    },
    frame::{Region, Size},
};

const SCREEN: Size = Size {
    width: 1280,
    height: 800,
};
const DESKTOP: u32 = 10;
const DOCK: u32 = 20;
const PROGRAM: u32 = 30;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn region(x: u32, y: u32, width: u32, height: u32) -> Region {
    Region {
        x,
        y,
        size: Size { width, height },
    }
}

/// A display that is played to a gate in steps of 50 ms.
#[derive(Debug, Clone)]
struct Display {
    manager: bool,
    desktop: bool,
    dock: bool,
    program: Option<Region>,
    content: Content,
    flat: Vec<u32>,
    /// Who does not answer pings.
    deaf: Vec<Pinged>,
    /// A process that uses all it gets.
    busy: Option<u32>,
    stopped: Option<u32>,
    latency: Duration,
    /// Its pixels cannot be read at the time.
    unseen: bool,
    /// How long a look at them takes.
    look: Duration,
    /// Process ids change with each life of the session.
    life: u32,
    others: Option<usize>,
}

impl Display {
    /// A bare X server.
    fn bare(content: Content) -> Self {
        Self {
            manager: false,
            desktop: false,
            dock: false,
            program: None,
            content,
            flat: vec![DESKTOP, DOCK, PROGRAM],
            deaf: Vec::new(),
            busy: None,
            stopped: None,
            latency: ms(1),
            unseen: false,
            look: ms(0),
            life: 0,
            others: None,
        }
    }

    fn xfce() -> Self {
        Self {
            manager: true,
            desktop: true,
            dock: true,
            flat: Vec::new(),
            others: Some(6),
            ..Self::bare(Content::Drawn)
        }
    }

    fn scene(&self) -> Scene {
        let window = |id, role, area| Window {
            id,
            role,
            area: Some(area),
            viewable: true,
            pings: true,
            pid: Some(id + 1000 * self.life),
        };
        let whole = Region::whole(SCREEN);
        let windows = [
            self.desktop.then(|| window(DESKTOP, Role::Desktop, whole)),
            self.dock
                .then(|| window(DOCK, Role::Dock, region(0, 0, 1280, 27))),
            self.program
                .map(|area| window(PROGRAM, Role::TopLevel, area)),
        ];
        Scene {
            size: SCREEN,
            window_manager: self.manager.then_some(WindowManager {
                window: 5,
                pings: true,
                pid: Some(5 + 1000 * self.life),
            }),
            windows: windows.into_iter().flatten().collect(),
            other_clients: self.others,
        }
    }

    fn picture(&self) -> Picture {
        Picture {
            screen: self.content,
            flat: self.flat.clone(),
            bytes: 70_000,
            cost: self.look,
        }
    }

    fn processes(&self, at: Duration) -> Fact {
        let sample = |pid: u32| ProcessSample {
            pid,
            doing: if self.stopped == Some(pid) {
                Doing::Stopped
            } else {
                Doing::Asleep
            },
            used: if self.busy == Some(pid) {
                at / 2
            } else {
                at / 200
            },
            wanted: if self.busy == Some(pid) { at } else { at / 100 },
            grain: Duration::ZERO,
        };
        Fact::Processes {
            required: vec![sample(5), sample(DESKTOP), sample(DOCK)],
            others: vec![sample(PROGRAM)],
        }
    }
}

/// A gate and the time.
struct Story {
    gate: Gate,
    now: Duration,
}

impl Story {
    fn new() -> Self {
        Self {
            gate: Gate::new(),
            now: Duration::ZERO,
        }
    }

    /// One step; what was drawn in it.
    fn step(&mut self, display: &Display, drawn: &[(u32, Region)]) {
        self.now += ms(50);
        let at = self.now;
        self.gate.observe(at, Fact::Scene(display.scene()));
        for (window, area) in drawn {
            let (window, area) = (*window, *area);
            self.gate.observe(at, Fact::Damage { window, area });
        }
        self.gate.observe(at, Fact::Answer(display.latency));
        let wants = self.gate.advance(at);
        if wants.picture && !display.unseen {
            self.now += display.look;
            let picture = Fact::Picture(at, display.picture());
            self.gate.observe(self.now, picture);
        }
        let at = self.now;
        for to in wants.pings {
            self.gate.observe(at, Fact::Ping(to));
            if !display.deaf.contains(&to) {
                self.gate.observe(at, Fact::Pong(to));
            }
        }
        if wants.processes {
            self.gate.observe(at, display.processes(at));
        }
        self.gate.advance(at);
    }

    fn rest(&mut self, display: &Display, time: u64) -> &mut Self {
        for _ in 0..time / 50 {
            self.step(display, &[]);
        }
        self
    }

    fn verdict(&self, profile: Profile) -> Verdict {
        self.gate.judge(profile, false).verdict
    }

    /// The first time at which it is ready, of a display that rests.
    fn ready_after(display: &Display, profile: Profile) -> Option<Duration> {
        let mut story = Self::new();
        (0..200).find_map(|_| {
            story.step(display, &[]);
            (story.verdict(profile) == Verdict::Ready).then_some(story.now)
        })
    }
}

use Profile::{Any, Xfce};

#[test]
fn the_truth_table() {
    for content in [Content::Flat, Content::Tiled] {
        let bare = Display::bare(content);
        assert_eq!(
            Story::new().rest(&bare, 20_000).verdict(Xfce),
            Verdict::Blank
        );
        assert_eq!(
            Story::new().rest(&bare, 20_000).verdict(Any),
            Verdict::Blank
        );
    }
    let drawn = Display::bare(Content::Drawn);
    assert_eq!(
        Story::new().rest(&drawn, 20_000).verdict(Xfce),
        Verdict::Partial
    );
    assert!(Story::ready_after(&drawn, Any).is_some());

    let panel_on_black = Display {
        desktop: false,
        flat: vec![],
        ..Display::xfce()
    };
    let story = |display: &Display| Story::new().rest(display, 20_000).verdict(Xfce);
    assert_eq!(story(&panel_on_black), Verdict::Partial);
    let no_docks = Display {
        dock: false,
        ..Display::xfce()
    };
    assert_eq!(story(&no_docks), Verdict::Partial);
    let no_manager = Display {
        manager: false,
        ..Display::xfce()
    };
    assert_eq!(story(&no_manager), Verdict::Partial);
    assert_eq!(story(&Display::xfce()), Verdict::Ready);
    let nothing = Gate::new();
    assert_eq!(nothing.judge(Xfce, false).verdict, Verdict::NoDisplay);
}

#[test]
fn a_painted_desktop_is_ready_soon_and_a_plain_one_a_little_later() {
    let ready = |display: &Display| Story::ready_after(display, Xfce).unwrap();
    assert!(ready(&Display::xfce()) <= ms(1200));
    let plain = Display {
        flat: vec![DESKTOP],
        ..Display::xfce()
    };
    assert!(ready(&plain) <= ms(1600));
    let hidden_panel = Display {
        flat: vec![DOCK],
        ..Display::xfce()
    };
    let after = ready(&hidden_panel);
    assert!(after >= ms(2000) && after <= ms(2600), "{after:?}");
}

#[test]
fn a_kiosk_and_a_lonely_window_manager_are_ready_under_any() {
    let whole = Region::whole(SCREEN);
    let kiosk = Display {
        program: Some(whole),
        flat: vec![],
        ..Display::bare(Content::Tiled)
    };
    assert!(Story::ready_after(&kiosk, Any).is_some());
    let empty = Display {
        program: Some(whole),
        ..Display::bare(Content::Flat)
    };
    assert_eq!(Story::new().rest(&empty, 9000).verdict(Any), Verdict::Blank);
    let lonely = Display {
        manager: true,
        others: Some(0),
        ..Display::bare(Content::Flat)
    };
    let after = Story::ready_after(&lonely, Any).unwrap();
    assert!(after >= ms(3000), "{after:?}");
    let booting = Display {
        others: Some(1),
        ..lonely
    };
    assert_eq!(Story::ready_after(&booting, Any), None);
}

#[test]
fn who_does_not_answer_holds_it_up() {
    for deaf in [
        Pinged::WindowManager,
        Pinged::Window(DESKTOP),
        Pinged::Window(DOCK),
    ] {
        let display = Display {
            deaf: vec![deaf],
            ..Display::xfce()
        };
        assert_eq!(Story::ready_after(&display, Xfce), None, "{deaf:?}");
    }
}

#[test]
fn who_is_at_work_or_stopped_holds_it_up() {
    for pid in [5, DESKTOP, DOCK] {
        let busy = Display {
            busy: Some(pid),
            ..Display::xfce()
        };
        assert_eq!(Story::ready_after(&busy, Xfce), None, "{pid}");
        let stopped = Display {
            stopped: Some(pid),
            ..Display::xfce()
        };
        assert_eq!(Story::ready_after(&stopped, Xfce), None, "{pid}");
    }
    // A program that never rests holds it up for a while only.
    let indexer = Display {
        busy: Some(PROGRAM),
        ..Display::xfce()
    };
    let mut story = Story::new();
    assert_eq!(story.rest(&indexer, 9000).verdict(Xfce), Verdict::Unsettled);
    assert_eq!(story.rest(&indexer, 3000).verdict(Xfce), Verdict::Ready);
}

#[test]
fn a_server_that_does_not_answer_is_not_quiet() {
    let slow = Display {
        latency: ms(500),
        ..Display::xfce()
    };
    assert_eq!(Story::ready_after(&slow, Xfce), None);
    // Time that the observer did not see is not quiet either.
    let mut story = Story::new();
    story.rest(&Display::xfce(), 600);
    story.now += ms(30_000);
    story.step(&Display::xfce(), &[]);
    let evidence = story.gate.judge(Xfce, false);
    assert_eq!(evidence.verdict, Verdict::Unsettled, "{evidence:?}");
    assert!(evidence.quiet < ms(100));
}

/// At 3840 × 2160 under a CPU quota a look takes longer than the quiet time.
#[test]
fn a_slow_look_does_not_begin_the_quiet_time_anew() {
    let display = Display {
        look: ms(1500),
        ..Display::xfce()
    };
    assert!(Story::ready_after(&display, Xfce).unwrap() < ms(5000));
}

#[test]
fn pixels_from_before_a_change_prove_nothing() {
    let mut story = Story::new();
    story.rest(&Display::xfce(), 500);
    let mut display = Display {
        unseen: true,
        ..Display::xfce()
    };
    story.step(&display, &[(DESKTOP, Region::whole(SCREEN))]);
    story.rest(&display, 9000);
    assert_eq!(story.verdict(Xfce), Verdict::Unsettled);
    display.unseen = false;
    story.rest(&display, 100);
    assert_eq!(story.verdict(Xfce), Verdict::Ready);
}

#[test]
fn a_resize_a_new_window_and_a_lost_display_begin_anew() {
    let mut story = Story::new();
    assert_eq!(
        story.rest(&Display::xfce(), 3000).verdict(Xfce),
        Verdict::Ready
    );
    let no_dock = Display {
        dock: false,
        ..Display::xfce()
    };
    assert_eq!(story.rest(&no_dock, 100).verdict(Xfce), Verdict::Partial);
    // The dock is there, and must answer for itself.
    assert_eq!(
        story.rest(&Display::xfce(), 100).verdict(Xfce),
        Verdict::Unsettled
    );
    assert_eq!(
        story.rest(&Display::xfce(), 1000).verdict(Xfce),
        Verdict::Ready
    );
    story.gate.observe(story.now, Fact::NoDisplay);
    story.gate.advance(story.now);
    assert_eq!(story.verdict(Xfce), Verdict::NoDisplay);
}

/// A session that is started again gets the ids of the one before, and the ping
/// that died with that one must not be waited for.
#[test]
fn a_ping_that_died_with_its_program_is_not_waited_for() {
    let mut story = Story::new();
    let mut display = Display {
        deaf: vec![Pinged::Window(DOCK), Pinged::WindowManager],
        ..Display::xfce()
    };
    story.rest(&display, 1000);
    display.deaf.clear();
    display.life = 1;
    story.rest(&display, 2000);
    let evidence = story.gate.judge(Xfce, false);
    assert_eq!(evidence.verdict, Verdict::Ready, "{evidence:?}");
}

#[test]
fn a_caret_settles_and_is_named_and_a_video_does_not() {
    let display = Display {
        program: Some(region(100, 100, 600, 400)),
        ..Display::xfce()
    };
    let caret = (PROGRAM, region(150, 150, 8, 16));
    let video = (PROGRAM, region(200, 200, 320, 240));
    let mut story = Story::new();
    let mut ready = None;
    for step in 1..60 {
        let blinks = [caret];
        story.step(&display, &blinks[..usize::from(step % 12 == 0)]);
        let evidence = story.gate.judge(Xfce, false);
        if evidence.verdict == Verdict::Ready {
            ready = Some(evidence);
            break;
        }
    }
    assert_eq!(ready.unwrap().animated, [caret.1]);

    let mut story = Story::new();
    for _ in 0..400 {
        story.step(&display, &[video]);
        assert!(story.verdict(Xfce) < Verdict::Ready);
        assert!(story.verdict(Any) < Verdict::Ready);
    }
    let allowed = story.gate.judge(Xfce, true);
    assert_eq!(allowed.verdict, Verdict::Ready, "{allowed:?}");
    assert_eq!(allowed.animated, [video.1]);
}

#[test]
fn without_damage_nothing_is_known_to_rest() {
    let mut story = Story::new();
    story.gate.observe(ms(0), Fact::Blind);
    assert_eq!(
        story.rest(&Display::xfce(), 9000).verdict(Xfce),
        Verdict::Unsettled
    );
}

/// Something that happens to a display at one step.
#[derive(Debug, Clone)]
enum Change {
    Draw(u32, Region),
    Dock(bool),
    Desktop(bool),
    Manager(bool),
    Deaf(Option<u32>),
    Busy(Option<u32>),
    Stopped(Option<u32>),
    Latency(u64),
    Plain(bool),
    Pause(u64),
    Nothing(u64),
}

fn change() -> impl Strategy<Value = Change> {
    let who = || prop_oneof![Just(None), Just(Some(DESKTOP)), Just(Some(DOCK))];
    let area = (0_u32..1200, 0_u32..700, 1_u32..80, 1_u32..80);
    let area = area.prop_map(|(x, y, width, height)| region(x, y, width, height));
    prop_oneof![
        4 => (prop_oneof![Just(1), Just(DESKTOP), Just(DOCK)], area)
            .prop_map(|(window, area)| Change::Draw(window, area)),
        1 => any::<bool>().prop_map(Change::Dock),
        1 => any::<bool>().prop_map(Change::Desktop),
        1 => any::<bool>().prop_map(Change::Manager),
        1 => who().prop_map(Change::Deaf),
        1 => who().prop_map(Change::Busy),
        1 => who().prop_map(Change::Stopped),
        1 => (0_u64..1000).prop_map(Change::Latency),
        1 => any::<bool>().prop_map(Change::Plain),
        1 => (0_u64..3000).prop_map(Change::Pause),
        6 => (1_u64..40).prop_map(Change::Nothing),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// READY under `xfce` is never said of a desktop of which a part is missing,
    /// undrawn, deaf or stopped, nor within 400 ms of a change that is not
    /// an animation.
    #[test]
    fn no_history_makes_it_ready_too_early(changes in prop::collection::vec(change(), 1..80)) {
        let mut display = Display::xfce();
        let mut story = Story::new();
        let mut last_change = Duration::ZERO;
        for change in changes {
            let mut drawn = Vec::new();
            let mut steps = 1;
            match change {
                Change::Draw(window, area) => drawn.push((window, area)),
                Change::Dock(there) => display.dock = there,
                Change::Desktop(there) => display.desktop = there,
                Change::Manager(there) => display.manager = there,
                Change::Deaf(who) => {
                    display.deaf = who.map(Pinged::Window).into_iter().collect();
                }
                Change::Busy(who) => display.busy = who,
                Change::Stopped(who) => display.stopped = who,
                Change::Latency(latency) => display.latency = ms(latency),
                Change::Plain(plain) => {
                    let content = if plain { Content::Flat } else { Content::Drawn };
                    let flat = if plain { vec![DESKTOP, DOCK] } else { Vec::new() };
                    if display.content != content {
                        drawn.push((1, Region::whole(SCREEN)));
                    }
                    (display.content, display.flat) = (content, flat);
                }
                Change::Pause(time) => {
                    story.now += ms(time);
                    if time > 450 {
                        last_change = story.now;
                    }
                }
                Change::Nothing(count) => steps = count,
            }
            for step in 0..steps {
                let drawn = if step == 0 { drawn.as_slice() } else { &[] };
                story.step(&display, drawn);
                if !drawn.is_empty() {
                    last_change = story.now;
                }
                let evidence = story.gate.judge(Xfce, false);
                if evidence.verdict == Verdict::Ready {
                    prop_assert!(display.manager && display.desktop && display.dock);
                    prop_assert!(evidence.missing.is_empty());
                    prop_assert!(evidence.elapsed >= ms(1100));
                    if evidence.animated.is_empty() {
                        prop_assert!(story.now >= last_change + ms(400));
                    }
                } else {
                    prop_assert!(!evidence.missing.is_empty());
                }
                // Whoever is deaf or stopped at the time of a change stays unready.
                let hindered = !display.deaf.is_empty() || display.stopped.is_some();
                if hindered && story.now < last_change + ms(400) && evidence.animated.is_empty() {
                    prop_assert!(evidence.verdict != Verdict::Ready);
                }
            }
        }
    }

    /// Whatever happened before, a whole desktop that rests becomes READY.
    #[test]
    fn every_history_ends_in_ready(changes in prop::collection::vec(change(), 1..60)) {
        let mut story = Story::new();
        let mut display = Display::xfce();
        for change in changes {
            match change {
                Change::Draw(window, area) => story.step(&display, &[(window, area)]),
                Change::Dock(there) => display.dock = there,
                Change::Pause(time) => story.now += ms(time),
                Change::Latency(latency) => display.latency = ms(latency),
                _ => {}
            }
            story.step(&display, &[]);
        }
        let evidence = {
            story.rest(&Display::xfce(), 5000);
            story.gate.judge(Xfce, false)
        };
        prop_assert_eq!(evidence.verdict, Verdict::Ready, "{:?}", evidence);
    }
}
