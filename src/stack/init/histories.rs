//! Property tests with random histories of a display stack: no order is wrong, and in the end every
//! part is up.

use std::{collections::HashSet, time::Duration};

use proptest::prelude::*;

use super::{
    components::{Ready, needs, readiness},
    supervisor::{StackFact, StackOrder, Supervisor},
};
use crate::stack::wire::{Component, Problem, ToInit};

const ENABLED: [Component; 5] = [
    Component::Xvfb,
    Component::Keymap,
    Component::Dbus,
    Component::Session,
    Component::SessionHelper,
];

/// Something that happens to the stack.
#[derive(Debug, Clone)]
enum Happening {
    Passes(u64),
    Pauses(u64),
    IsReady(Component),
    Ends(Component, Option<i32>),
    HasNoPort(Component),
    /// This number of the next starts fails.
    Refused(u8),
    Missing,
    Orders(ToInit),
    DaemonSpeaks,
    DaemonEnds(Option<i32>),
}

fn change() -> impl Strategy<Value = Happening> {
    let part = || prop::sample::select(Component::STARTED.to_vec());
    let code = || prop_oneof![Just(None), Just(Some(0)), Just(Some(1))];
    let order = prop_oneof![
        4 => Just(ToInit::Ready),
        2 => Just(ToInit::Up),
        1 => Just(ToInit::Down),
        1 => Just(ToInit::Alive),
        1 => (0_u32..4000).prop_map(|width| ToInit::Geometry { width, height: 600, dpi: 0 }),
    ];
    prop_oneof![
        6 => (1_u64..15_000).prop_map(Happening::Passes),
        1 => (5_000_u64..60_000).prop_map(Happening::Pauses),
        8 => part().prop_map(Happening::IsReady),
        4 => (part(), code()).prop_map(|(part, code)| Happening::Ends(part, code)),
        1 => part().prop_map(Happening::HasNoPort),
        1 => (1_u8..4).prop_map(Happening::Refused),
        1 => Just(Happening::Missing),
        4 => order.prop_map(Happening::Orders),
        4 => Just(Happening::DaemonSpeaks),
        2 => code().prop_map(Happening::DaemonEnds),
    ]
}

/// A simulated machine that carries out the supervisor's orders and checks each of them.
struct Machine {
    supervisor: Supervisor,
    now: Duration,
    running: HashSet<Component>,
    up: HashSet<Component>,
    daemon: bool,
    /// Number of daemons that were started.
    daemons: u32,
    /// Whether the daemon has listened.
    listened: bool,
    wanted: bool,
    refused: u8,
    missing: bool,
    /// The exit code, once an exit was ordered.
    exited: Option<u8>,
    /// The parts that were ordered to start, and when.
    starts: Vec<(Component, Duration)>,
}

impl Machine {
    fn new(vnc: bool) -> Self {
        let mut machine = Self {
            supervisor: Supervisor::new(vnc),
            now: Duration::ZERO,
            running: HashSet::new(),
            up: HashSet::new(),
            daemon: false,
            daemons: 0,
            listened: false,
            wanted: true,
            refused: 0,
            missing: false,
            exited: None,
            starts: Vec::new(),
        };
        machine.happens(StackFact::Tick);
        machine
    }

    fn happens(&mut self, fact: StackFact) {
        let mut facts = vec![fact];
        while let Some(fact) = facts.pop() {
            for order in self.supervisor.step(self.now, fact) {
                assert!(self.exited.is_none(), "after the end: {order:?}");
                facts.extend(self.does(order));
            }
        }
        for part in &self.running {
            let ground = needs(*part).is_none_or(|needed| self.up.contains(&needed));
            assert!(ground, "{part:?} runs without what it needs");
        }
        let said = self.supervisor.parts().iter().filter(|part| part.up);
        let said: HashSet<Component> = said.map(|part| part.component).collect();
        assert_eq!(said, self.up);
    }

    fn does(&mut self, order: StackOrder) -> Option<StackFact> {
        match order {
            StackOrder::Start(part) => {
                assert!(self.wanted && self.listened, "{part:?} is started unasked");
                assert!(!self.running.contains(&part) && !self.up.contains(&part));
                assert!(needs(part).is_none_or(|needed| self.up.contains(&needed)));
                self.starts.push((part, self.now));
                if self.missing || self.refused > 0 {
                    let problem = match self.missing {
                        true => Problem::Missing {
                            program: "none".into(),
                            package: "none".into(),
                        },
                        false => Problem::Failed,
                    };
                    self.refused = self.refused.saturating_sub(1);
                    return Some(StackFact::NotStarted(part, problem, "not started".into()));
                }
                self.running.insert(part);
                if readiness(part).0 == Ready::Runs {
                    self.up.insert(part);
                }
                Some(StackFact::Started(part))
            }
            StackOrder::End(part) => {
                self.running.remove(&part);
                self.up.remove(&part);
                None
            }
            StackOrder::EndAll => {
                self.running.clear();
                self.up.clear();
                None
            }
            StackOrder::StartDaemon => {
                assert!(!self.daemon, "a second daemon is started");
                self.daemon = true;
                self.daemons += 1;
                Some(StackFact::DaemonStarted)
            }
            StackOrder::KillDaemon => {
                assert!(self.daemon, "no daemon is there to be killed");
                self.daemon = false;
                Some(StackFact::DaemonEnded(None))
            }
            StackOrder::Exit(code) => {
                self.exited = Some(code);
                None
            }
            StackOrder::Resize(..) | StackOrder::Report(_) | StackOrder::Warn(_) => None,
        }
    }

    fn change(&mut self, change: Happening) {
        if self.exited.is_some() {
            return;
        }
        match change {
            Happening::Passes(ms) => {
                self.now += Duration::from_millis(ms);
                self.happens(StackFact::Tick);
            }
            Happening::Pauses(ms) => {
                self.now += Duration::from_millis(ms);
                self.happens(StackFact::Paused(Duration::from_millis(ms)));
            }
            Happening::IsReady(part)
                if self.running.contains(&part) && !self.up.contains(&part) =>
            {
                if readiness(part).0 == Ready::Ended {
                    self.running.remove(&part);
                    self.up.insert(part);
                    self.happens(StackFact::Ended(part, Some(0), String::new()));
                } else {
                    self.up.insert(part);
                    self.happens(StackFact::Ready(part));
                }
            }
            // It said so before it was ended.
            Happening::IsReady(part)
                if !self.running.contains(&part)
                    && !matches!(readiness(part).0, Ready::Ended | Ready::Runs) =>
            {
                self.happens(StackFact::Ready(part));
            }
            Happening::Ends(part, code) if self.running.remove(&part) => {
                // A keymap that could not be set leaves the screen usable, so it counts as up.
                if readiness(part).0 == Ready::Ended {
                    self.up.insert(part);
                } else {
                    self.up.remove(&part);
                }
                self.happens(StackFact::Ended(part, code, "one\n\ntwo\n".into()));
            }
            Happening::HasNoPort(part)
                if self.running.contains(&part)
                    && matches!(readiness(part).0, Ready::Listens(_))
                    && !self.up.contains(&part) =>
            {
                self.happens(StackFact::PortTaken(part, 6080));
            }
            Happening::Refused(times) => self.refused = times,
            Happening::Missing => self.missing = !self.missing,
            Happening::Orders(order) if self.daemon => {
                match order {
                    ToInit::Ready => self.listened = true,
                    ToInit::Up => self.wanted = true,
                    ToInit::Down => self.wanted = false,
                    _ => {}
                }
                self.happens(StackFact::Ordered(order));
            }
            Happening::DaemonSpeaks if self.daemon => self.happens(StackFact::DaemonSpoke),
            Happening::DaemonEnds(code) if self.daemon => {
                self.daemon = false;
                self.happens(StackFact::DaemonEnded(code));
            }
            _ => {}
        }
    }

    /// From now on all starts succeed, for that time.
    fn goes_well(&mut self, time: Duration) {
        (self.refused, self.missing) = (0, false);
        let until = self.now + time;
        self.change(Happening::Orders(ToInit::Ready));
        self.change(Happening::Orders(ToInit::Up));
        while self.now < until && self.exited.is_none() {
            self.change(Happening::Passes(50));
            self.change(Happening::DaemonSpeaks);
            if !self.listened {
                self.change(Happening::Orders(ToInit::Ready));
            }
            for part in Component::STARTED {
                self.change(Happening::IsReady(part));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    /// No part is started while it is not wanted, twice or without its prerequisite, and none runs
    /// without it. There is one daemon, and no order follows the exit.
    #[test]
    fn no_history_makes_a_wrong_order(vnc: bool, changes in prop::collection::vec(change(), 1..120)) {
        let mut machine = Machine::new(vnc);
        for change in changes {
            machine.change(change);
        }
    }

    /// After any history, every part comes up within the longest pause once all starts succeed.
    #[test]
    fn every_history_ends_with_all_up(vnc: bool, changes in prop::collection::vec(change(), 1..120)) {
        let mut machine = Machine::new(vnc);
        for change in changes {
            machine.change(change);
        }
        // First a daemon that has ended is started again.
        machine.goes_well(Duration::from_secs(31));
        machine.goes_well(Duration::from_secs(1));
        let all = if vnc { Component::STARTED.len() } else { ENABLED.len() };
        prop_assert!(machine.exited.is_some() || machine.up.len() == all, "{:?}", machine.up);
    }

    /// After `Down` no part runs until `Up`.
    #[test]
    fn down_is_down(changes in prop::collection::vec(change(), 1..60), after in prop::collection::vec(change(), 1..60)) {
        let mut machine = Machine::new(true);
        for change in changes {
            machine.change(change);
        }
        machine.change(Happening::DaemonSpeaks);
        if machine.daemon && machine.exited.is_none() {
            machine.change(Happening::Orders(ToInit::Down));
            let is_order = |change: &Happening| matches!(change, Happening::Orders(_));
            for change in after.into_iter().filter(|change| !is_order(change)) {
                machine.change(change);
                prop_assert!(machine.running.is_empty() && machine.up.is_empty());
            }
        }
    }
}

fn listening() -> Machine {
    let mut machine = Machine::new(false);
    machine.change(Happening::Orders(ToInit::Ready));
    machine
}

#[test]
fn what_keeps_ending_is_started_after_growing_pauses() {
    let mut machine = listening();
    for _ in 0..2_000 {
        machine.change(Happening::Ends(Component::Xvfb, Some(1)));
        machine.change(Happening::Passes(100));
        machine.change(Happening::DaemonSpeaks);
    }
    let starts = machine.starts.windows(2);
    let pauses: Vec<Duration> = starts.map(|pair| pair[1].1 - pair[0].1).collect();
    assert_eq!(
        pauses[0],
        Duration::ZERO,
        "the first end may be an accident"
    );
    assert!(
        pauses.windows(2).all(|pair| pair[0] <= pair[1]),
        "{pauses:?}"
    );
    let last = pauses.last().copied().unwrap_or_default();
    assert!(last >= Duration::from_secs(30) && last <= Duration::from_millis(30_100));
}

#[test]
fn a_daemon_that_sends_nothing_is_replaced_and_a_pause_of_the_machine_is_no_silence() {
    let mut machine = listening();
    machine.change(Happening::DaemonSpeaks);
    machine.change(Happening::Pauses(60_000));
    let late = machine
        .starts
        .iter()
        .filter(|(part, _)| *part == Component::Xvfb);
    assert_eq!(late.count(), 1, "nor is it a part's delay");
    machine.change(Happening::Passes(9_900));
    assert_eq!(machine.daemons, 1);
    machine.change(Happening::Passes(200));
    assert_eq!(machine.daemons, 2);
    assert!(machine.daemon);
}

#[test]
fn a_daemon_that_never_listened_ends_the_init_with_its_code() {
    let mut machine = Machine::new(false);
    machine.change(Happening::DaemonEnds(Some(9)));
    assert_eq!(machine.exited, Some(9));
    // An end by a signal does not indicate a wrong command line.
    let mut machine = Machine::new(false);
    machine.change(Happening::DaemonEnds(None));
    assert!(machine.exited.is_none() && machine.daemon);
}
