//! The paint gate: decides from observed facts whether the desktop is painted. It uses no clock, no
//! X connection and no thread.
//!
//! [`session`](crate::session) calls it with the facts that [`x11`](crate::x11) observes. The rules
//! and the reasons for the numbers are in docs/concepts/painted.md.
//!
//! - `activity`: regions that keep moving, and the time since which the rest is still.
//! - `pongs`, `sleep`: whether the clients answer pings and their processes are at rest.
//! - `picture`: classifies the pixels.
//! - `size_rule`: the byte-size rule, reported but not decisive.
//! - `verdict`: the judgement.

mod activity;
#[cfg(test)]
mod boots;
mod evidence;
#[cfg(test)]
mod histories;
mod picture;
mod pongs;
#[cfg(test)]
mod rests;
mod settle;
mod size_rule;
mod sleep;
#[cfg(test)]
mod story;
mod verdict;

pub use evidence::{Evidence, Seen, Verdict};
pub use picture::{drawn_outside, look};
pub use settle::{Given, Next, Rest, Settle};

use std::{collections::HashMap, time::Duration};

use crate::facts::{Fact, PictureFact, Pinged, Role, Scene, Window, WindowId};
use activity::{Activity, Motion};
use pongs::Pongs;
use size_rule::Probes;
use sleep::Sleep;

/// Minimum interval between two pixel samples.
const LOOK: Duration = Duration::from_millis(200);
/// While the screen changes, pixel samples take at most one part in this number of the time.
const LOOK_SHARE: u32 = 20;
/// Intervals between process samples, while the screen changes and when it is quiet. They do not
/// divide the periods with which schedulers stop and continue processes.
const SAMPLE: [Duration; 2] = [Duration::from_millis(87), Duration::from_millis(43)];
/// Maximum time until the next round when no profile has all its required windows.
const IDLE: Duration = Duration::from_millis(500);
/// Maximum time until the next round when some profile has all its required windows.
const SOON: Duration = Duration::from_millis(40);
/// If an answer of the X server or the next round is later than this, changes may have been missed,
/// and the quiet time restarts.
const UNSEEN: Duration = Duration::from_millis(400);

/// Time after which the layout of a new panel is final. XFCE's panel draws the text of its
/// clock clipped, and corrects that 1.4 to 1.7 s after it was first drawn (12 starts).
const ARRANGES: Duration = Duration::from_secs(2);

/// The facts that the gate needs next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wants {
    /// Whether to sample the pixels.
    pub picture: bool,
    /// Pings to send.
    pub pings: Vec<Pinged>,
    /// Whether to sample the processes.
    pub processes: bool,
    /// Maximum time until the next round; it begins earlier if a fact arrives.
    pub within: Duration,
}

/// The observations of one X server at one size.
#[derive(Debug)]
pub struct Gate {
    began: Duration,
    now: Duration,
    expected: Duration,
    scene: Option<Scene>,
    /// The reason why there is no scene.
    no_display: String,
    activity: Activity,
    /// The time at which the layout of each dock is final.
    docks: HashMap<WindowId, Duration>,
    /// Processes that may show a window soon.
    starting: Vec<u32>,
    /// The motion at the last round: first with `allow_unsettled` off, then with it on.
    motion: [Motion; 2],
    pongs: Pongs,
    sleep: Sleep,
    sampled_at: Option<Duration>,
    picture: Option<(Duration, PictureFact)>,
    probes: Probes,
    /// The slowest recent answer of the X server; after 1 s any newer answer replaces it.
    slowest_answer: Duration,
    slowest_answer_at: Duration,
}

impl Gate {
    /// Returns a gate that has observed nothing.
    pub fn new() -> Self {
        Self::since(Duration::ZERO)
    }

    fn since(at: Duration) -> Self {
        let size = crate::frame::Size {
            width: 1,
            height: 1,
        };
        Self {
            began: at,
            now: at,
            expected: at + IDLE,
            scene: None,
            no_display: "deskd has not seen it yet".into(),
            activity: Activity::new(size, at),
            docks: HashMap::new(),
            starting: Vec::new(),
            motion: [Motion::default(), Motion::default()],
            pongs: Pongs::default(),
            sleep: Sleep::default(),
            sampled_at: None,
            picture: None,
            probes: Probes::default(),
            slowest_answer: Duration::ZERO,
            slowest_answer_at: at,
        }
    }

    /// Takes in a fact observed at the time `at`, which never decreases between calls.
    pub fn observe(&mut self, at: Duration, fact: Fact) {
        // The observer was delayed and may have missed changes. A pixel sample is no such delay: it
        // may take long on a slow machine.
        let own_work = matches!(fact, Fact::Picture(..));
        if at > self.expected + UNSEEN && !own_work {
            self.activity.restart(at);
        }
        self.now = at;
        self.expected = self.expected.max(at);
        match fact {
            Fact::NoDisplay(why) => {
                *self = Self::since(at);
                self.no_display = why;
            }
            Fact::Starting(pids) => self.starting = pids,
            // Only [`Settle`] uses this fact.
            Fact::UnderWay { .. } => {}
            Fact::Scene(scene) => {
                let resized = self
                    .scene
                    .as_ref()
                    .is_some_and(|old| old.size != scene.size);
                if resized {
                    *self = Self::since(at);
                }
                if self.scene.is_none() {
                    self.activity = Activity::new(scene.size, at);
                } else if self.scene.as_ref().is_some_and(|old| differ(old, &scene)) {
                    // A window appeared, disappeared or moved: that is a change, too.
                    self.activity.restart(at);
                }
                if let Some(old) = &self.scene {
                    // A window id may belong to another program now; its old answers do not count.
                    let same = |to: &Pinged| pinger(old, *to) == pinger(&scene, *to);
                    self.pongs.keep(same);
                }
                self.note_docks(at, &scene);
                self.scene = Some(scene);
            }
            Fact::Damage { window, area } => self.activity.note(at, window, area),
            Fact::Answer(latency) => {
                if latency > UNSEEN {
                    // While the server did not answer, clients could not send their changes.
                    self.activity.restart(at);
                }
                let old = at.saturating_sub(self.slowest_answer_at) > Duration::from_secs(1);
                if old || latency > self.slowest_answer {
                    self.slowest_answer = latency;
                    self.slowest_answer_at = at;
                }
            }
            Fact::Ping(to) => self.pongs.sent(at, to),
            Fact::Pong(by) => self.pongs.answered(at, by),
            Fact::Picture(began, picture) => {
                self.probes.add(began, picture.bytes);
                self.picture = Some((began, picture));
            }
            Fact::Processes { required, others } => {
                self.sampled_at = Some(at);
                self.sleep.note(at, &required, &others);
            }
        }
    }

    /// Records when each dock's layout is final. In the first scene the age of a dock's process
    /// counts; a dock that appears later counts as new.
    fn note_docks(&mut self, at: Duration, scene: &Scene) {
        let first = self.scene.is_none();
        let docks = scene
            .windows
            .iter()
            .filter(|window| window.role == Role::Dock && counts(window, scene));
        let docks = docks.map(|window| {
            let age = window.age.filter(|_| first).unwrap_or_default();
            let new = (at + ARRANGES).saturating_sub(age);
            (
                window.id,
                self.docks.get(&window.id).copied().unwrap_or(new),
            )
        });
        self.docks = docks.collect();
    }

    /// Ends a round, after all facts up to `at` were observed. Returns what the gate needs next.
    pub fn advance(&mut self, at: Duration) -> Wants {
        self.now = at;
        self.motion = [false, true].map(|allowed| self.activity.motion(at, allowed));
        let [strict, allowed] = &self.motion;
        let structure = self.has_structure();
        let quiet = at.saturating_sub(strict.quiet_since);
        let last = self.picture.as_ref();
        let picture = self.scene.is_some()
            && last.is_none_or(|(began, last)| {
                // If all else is at rest, the verdict waits only for this sample.
                let pause = if quiet >= LOOK {
                    LOOK
                } else {
                    LOOK.max(last.cost * LOOK_SHARE)
                };
                let stale =
                    *began <= strict.quiet_since || (structure && *began <= allowed.quiet_since);
                stale && at >= *began + pause
            });
        if let Some((began, last)) = last
            && *began > strict.quiet_since
            && at >= *began + size_rule::APART
        {
            // Nothing was drawn since the last sample, so a new probe would have the same size.
            self.probes.add(at, last.bytes);
        }
        let pinged = if structure { self.pinged() } else { Vec::new() };
        let due = |to: &Pinged| self.pongs.due(at, *to);
        let sample = SAMPLE[usize::from(quiet >= LOOK / 2)];
        let within = if structure { SOON } else { IDLE };
        self.expected = at + within;
        Wants {
            picture,
            pings: pinged.into_iter().filter(due).collect(),
            processes: structure && self.sampled_at.is_none_or(|last| at >= last + sample),
            within,
        }
    }

    /// The windows on the screen, as last observed.
    pub fn scene(&self) -> Option<&Scene> {
        self.scene.as_ref()
    }

    /// Whether no window shows that the desktop exists (see `counts`).
    pub fn is_bare(&self) -> bool {
        let scene = self.scene.as_ref();
        scene.is_some_and(|scene| !scene.windows.iter().any(|window| counts(window, scene)))
    }

    /// The processes that must be at rest: the window manager's, and those of viewable desktop and
    /// dock windows.
    pub fn required_pids(&self) -> Vec<u32> {
        let Some(scene) = &self.scene else {
            return Vec::new();
        };
        let manager = scene.window_manager.and_then(|manager| manager.pid);
        let windows = scene
            .windows
            .iter()
            .filter(|window| window.viewable && window.role != Role::TopLevel)
            .filter_map(|window| window.pid);
        let mut pids: Vec<u32> = windows.chain(manager).collect();
        pids.sort_unstable();
        pids.dedup();
        pids
    }

    /// The window manager and the clients that must answer pings.
    fn pinged(&self) -> Vec<Pinged> {
        let Some(scene) = &self.scene else {
            return Vec::new();
        };
        let windows = scene
            .windows
            .iter()
            .filter(|window| window.pings && counts(window, scene))
            .map(|window| Pinged::Window(window.id));
        scene
            .window_manager
            .map(|_| Pinged::WindowManager)
            .into_iter()
            .chain(windows)
            .collect()
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

/// The window that answers a ping, and its process.
fn pinger(scene: &Scene, to: Pinged) -> Option<(u32, Option<u32>)> {
    match to {
        Pinged::WindowManager => scene.window_manager.map(|m| (m.window, m.pid)),
        Pinged::Window(id) => {
            let window = scene.windows.iter().find(|window| window.id == id);
            window.map(|window| (id, window.pid))
        }
    }
}

/// Whether a window is evidence about the paint: a viewable desktop or dock, or a viewable window
/// that covers a quarter of the screen.
fn counts(window: &Window, scene: &Scene) -> bool {
    let large = |window: &Window| {
        window
            .area
            .is_some_and(|area| area.pixels() * 4 >= scene.size.pixels())
    };
    window.viewable && window.area.is_some() && (window.role != Role::TopLevel || large(window))
}

/// Whether a window that counts appeared, disappeared, moved or changed its role, or the window
/// manager changed.
fn differ(old: &Scene, new: &Scene) -> bool {
    let standing = |scene: &Scene| {
        let mut windows: Vec<_> = scene
            .windows
            .iter()
            .filter(|window| counts(window, scene))
            .map(|window| (window.id, window.role as u8, window.area.map(area_key)))
            .collect();
        windows.sort_unstable();
        (windows, scene.window_manager.map(|manager| manager.window))
    };
    standing(old) != standing(new)
}

fn area_key(area: crate::frame::Region) -> (u32, u32, u32, u32) {
    (area.x, area.y, area.size.width, area.size.height)
}
