//! A simulated display whose facts are fed to a gate, for tests.

use std::time::Duration;

use super::{Gate, Verdict};
use crate::{
    facts::{
        Content, Doing, Fact, PictureFact, Pinged, ProcessSample, Profile, Role, Scene, Window,
        WindowManager,
    },
    frame::{Region, Size},
};

pub(super) const SCREEN: Size = Size {
    width: 1280,
    height: 800,
};
pub(super) const DESKTOP: u32 = 10;
pub(super) const DOCK: u32 = 20;
pub(super) const PROGRAM: u32 = 30;

pub(super) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A simulated display; each [`Story::step`] takes 50 ms.
#[derive(Debug, Clone)]
pub(super) struct StoryDisplay {
    pub(super) manager: bool,
    pub(super) desktop: bool,
    pub(super) dock: bool,
    pub(super) program: Option<Region>,
    pub(super) content: Content,
    pub(super) flat: Vec<u32>,
    /// Clients that do not answer pings.
    pub(super) deaf: Vec<Pinged>,
    /// A process that uses half of a core and demands all of it.
    pub(super) busy: Option<u32>,
    pub(super) stopped: Option<u32>,
    pub(super) latency: Duration,
    /// Whether its pixels cannot be read.
    pub(super) unseen: bool,
    /// Duration of a pixel sample.
    pub(super) look: Duration,
    /// How often the session was restarted; the process ids depend on it.
    pub(super) life: u32,
    pub(super) others: Option<usize>,
    /// Age of the processes that own windows.
    pub(super) age: Option<Duration>,
}

impl StoryDisplay {
    /// A bare X server.
    pub(super) fn bare(content: Content) -> Self {
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
            age: Some(ms(60_000)),
        }
    }

    pub(super) fn xfce() -> Self {
        Self {
            manager: true,
            desktop: true,
            dock: true,
            flat: Vec::new(),
            others: Some(6),
            ..Self::bare(Content::Drawn)
        }
    }

    pub(super) fn scene(&self) -> Scene {
        let window = |id, role, area| Window {
            managed: true,
            id,
            role,
            area: Some(area),
            viewable: true,
            pings: true,
            pid: Some(id + 1000 * self.life),
            age: self.age,
        };
        let whole = Region::whole(SCREEN);
        let windows = [
            self.desktop.then(|| window(DESKTOP, Role::Desktop, whole)),
            self.dock
                .then(|| window(DOCK, Role::Dock, Region::new(0, 0, 1280, 27))),
            self.program
                .map(|area| window(PROGRAM, Role::TopLevel, area)),
        ];
        Scene {
            active: None,
            size: SCREEN,
            window_manager: self.manager.then_some(WindowManager {
                window: 5,
                pid: Some(5 + 1000 * self.life),
            }),
            windows: windows.into_iter().flatten().collect(),
            other_clients: self.others,
        }
    }

    pub(super) fn picture(&self) -> PictureFact {
        PictureFact {
            screen: self.content,
            flat: self.flat.clone(),
            bytes: 70_000,
            cost: self.look,
        }
    }

    pub(super) fn processes(&self, at: Duration) -> Fact {
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

/// A gate under test, and the current time.
pub(super) struct Story {
    pub(super) gate: Gate,
    pub(super) now: Duration,
}

impl Story {
    pub(super) fn new() -> Self {
        Self {
            gate: Gate::new(),
            now: Duration::ZERO,
        }
    }

    /// Runs one round in which the regions `drawn` change.
    pub(super) fn step(&mut self, display: &StoryDisplay, drawn: &[(u32, Region)]) {
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

    pub(super) fn rest(&mut self, display: &StoryDisplay, time: u64) -> &mut Self {
        for _ in 0..time / 50 {
            self.step(display, &[]);
        }
        self
    }

    pub(super) fn verdict(&self, profile: Profile) -> Verdict {
        self.gate.judge(profile, false).verdict
    }

    /// The time after which an unchanging display is READY; `None` if it is not within 10 s.
    pub(super) fn ready_after(display: &StoryDisplay, profile: Profile) -> Option<Duration> {
        let mut story = Self::new();
        (0..200).find_map(|_| {
            story.step(display, &[]);
            (story.verdict(profile) == Verdict::Ready).then_some(story.now)
        })
    }
}
