//! Property tests with random histories of a display: none makes READY too early, and after each a
//! painted desktop becomes READY.

use std::time::Duration;

use proptest::prelude::*;

use super::{
    Verdict,
    story::{DESKTOP, DOCK, SCREEN, Story, StoryDisplay, ms},
};
use crate::{
    facts::{Content, Pinged, Profile},
    frame::Region,
};

/// A change of the simulated display in one step.
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
    let area = area.prop_map(|(x, y, width, height)| Region::new(x, y, width, height));
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

    /// The verdict under `xfce` is never READY while a part of the desktop is missing, undrawn,
    /// deaf or stopped, nor within 400 ms of a change that is not an animation.
    #[test]
    fn no_history_makes_it_ready_too_early(changes in prop::collection::vec(change(), 1..80)) {
        let mut display = StoryDisplay::xfce();
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
                let evidence = story.gate.judge(Profile::Xfce, false);
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
                // A client that is deaf or stopped at the time of a change prevents READY.
                let hindered = !display.deaf.is_empty() || display.stopped.is_some();
                if hindered && story.now < last_change + ms(400) && evidence.animated.is_empty() {
                    prop_assert!(evidence.verdict != Verdict::Ready);
                }
            }
        }
    }

    /// After any history, a complete desktop at rest becomes READY.
    #[test]
    fn every_history_ends_in_ready(changes in prop::collection::vec(change(), 1..60)) {
        let mut story = Story::new();
        let mut display = StoryDisplay::xfce();
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
            story.rest(&StoryDisplay::xfce(), 5000);
            story.gate.judge(Profile::Xfce, false)
        };
        prop_assert_eq!(evidence.verdict, Verdict::Ready, "{:?}", evidence);
    }
}
