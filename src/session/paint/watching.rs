//! The thread that observes a display for the paint gate, while a caller needs it.

use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::shared::{Assessment, PaintShared, RETRY};
use crate::{
    encode,
    facts::{Fact, NamedWindow, Scene},
    frame::Region,
    gate::{self, Gate, Verdict},
    metrics, processes,
    x11::{Bell, DisplayError, Observer},
};

/// Interval at which the list of the desktop's processes is read again.
const FAMILY: Duration = Duration::from_millis(400);

/// Observes the display until no caller needs it.
pub(super) fn observe(shared: &PaintShared, sender: &watch::Sender<Option<Assessment>>) {
    let began = Instant::now();
    let mut gate = Gate::new();
    let mut watching: Option<Watching> = None;
    while shared.is_wanted() {
        let result = match &mut watching {
            Some(watching) => watching.step(&mut gate, began),
            None => match Bell::new()
                .map_err(DisplayError::Lost)
                .and_then(|bell| Observer::connect(&shared.display, bell))
            {
                Ok(observer) => {
                    watching = Some(Watching::new(observer, shared.display.name().number));
                    continue;
                }
                Err(error) => Err(error),
            },
        };
        if let Err(error) = result {
            tracing::debug!("the paint cannot be watched: {error}");
            watching = None;
            gate.observe(began.elapsed(), Fact::NoDisplay(error.to_string()));
            gate.advance(began.elapsed());
        }
        let identity = watching
            .as_ref()
            .map(|watching| watching.observer.identity());
        let may_move = shared.may_move();
        let named = match &watching {
            Some(watching) if shared.expects_windows() => watching.named(&gate),
            _ => Vec::new(),
        };
        let assessment = Assessment::of(&gate, identity, may_move, named);
        shared.prove(&gate, &assessment);
        let own = assessment.evidence(shared.profile, false);
        metrics::seen(own.verdict > Verdict::Blank, own.verdict == Verdict::Ready);
        tracing::trace!(verdict = own.verdict.name(), missing = ?own.missing, "the paint");
        sender.send_replace(Some(assessment));
        if watching.is_none() {
            std::thread::sleep(RETRY);
        }
    }
}

/// The X connection of the observation, and the state between its rounds.
struct Watching {
    observer: Observer,
    within: Duration,
    family: Family,
    /// The display's number.
    display: u16,
}

/// The processes of the desktop. They are read again at an interval, and after each change of
/// the windows.
#[derive(Default)]
struct Family {
    required: Vec<u32>,
    others: Vec<u32>,
    starting: Vec<u32>,
    read_at: Option<Instant>,
}

impl Watching {
    fn new(observer: Observer, display: u16) -> Self {
        Self {
            observer,
            within: Duration::ZERO,
            family: Family::default(),
            display,
        }
    }

    /// Waits for X events and passes the resulting facts to the paint gate.
    fn step(&mut self, gate: &mut Gate, began: Instant) -> Result<(), DisplayError> {
        self.observer.wait(self.within)?;
        let mut facts = Vec::new();
        let identity = self.observer.identity();
        self.observer.step(&mut facts)?;
        if self.observer.identity() != identity {
            let why = "the screen is another one now".to_owned();
            gate.observe(began.elapsed(), Fact::NoDisplay(why));
        }
        let scene = facts.iter().rev().find_map(|fact| match fact {
            Fact::Scene(scene) => Some(scene.clone()),
            _ => None,
        });
        if scene.is_some() {
            self.family.read_at = None;
        }
        for fact in facts.drain(..) {
            gate.observe(began.elapsed(), fact);
        }
        let wants = gate.advance(began.elapsed());
        if wants.picture {
            self.look(gate, began)?;
        }
        for to in wants.pings {
            self.observer.ping(to, &mut facts)?;
        }
        if wants.processes {
            facts.push(self.sample(gate));
            facts.push(Fact::Starting(self.family.starting.clone()));
        }
        for fact in facts {
            gate.observe(began.elapsed(), fact);
        }
        self.within = gate.advance(began.elapsed()).within;
        Ok(())
    }

    /// Returns the names of the visible windows, for callers that wait for windows.
    fn named(&self, gate: &Gate) -> Vec<NamedWindow> {
        let windows = gate.scene().into_iter().flat_map(|scene| &scene.windows);
        let seen = windows.filter(|window| window.viewable && window.area.is_some());
        let seen: Vec<_> = seen.map(|window| window.id).collect();
        // An error means that the connection has ended; the next round reports it.
        self.observer.names(&seen).unwrap_or_default()
    }

    fn look(&mut self, gate: &mut Gate, began: Instant) -> Result<(), DisplayError> {
        let at = began.elapsed();
        let Some(scene) = gate.scene().cloned() else {
            return Ok(());
        };
        let Some(grab) = self.observer.grab()? else {
            return Ok(());
        };
        let started = Instant::now();
        let picture = encode::Picture::new(&grab.pixels, Region::whole(grab.pixels.size()), None);
        // Deflate does not fail on a complete buffer. If it did, 0 bytes would not meet the
        // size rule.
        let bytes = encode::reference_bytes(&picture).unwrap_or(0);
        let seen = gate::look(&grab.pixels, &scene, bytes, started.elapsed());
        gate.observe(began.elapsed(), Fact::Picture(at, seen));
        Ok(())
    }

    fn sample(&mut self, gate: &Gate) -> Fact {
        let family = &mut self.family;
        if family.read_at.is_none_or(|read| read.elapsed() >= FAMILY) {
            family.read_at = Some(Instant::now());
            family.required = processes::family(&gate.required_pids());
            // Processes that own a window, or were started together with the window manager.
            // Others are left out: a recorder, for example, captures the screen continuously.
            let clients = gate.scene().map(processes::clients).unwrap_or_default();
            family.others = processes::family(&clients);
            family.others.retain(|pid| !family.required.contains(pid));
            let bare = gate.scene().filter(|_| gate.is_bare());
            let starting = bare.map(|scene| starting(scene, self.display));
            family.starting = starting.unwrap_or_default();
        }
        let sample = |pids: &[u32]| {
            pids.iter()
                .filter_map(|pid| processes::sample(*pid))
                .collect()
        };
        Fact::Processes {
            required: sample(&family.required),
            others: sample(&family.others),
        }
    }
}

/// Returns the processes that may soon show their first window.
fn starting(scene: &Scene, display: u16) -> Vec<u32> {
    let Some(manager) = scene.window_manager.and_then(|manager| manager.pid) else {
        return Vec::new();
    };
    let shown = scene.windows.iter().filter(|window| window.viewable);
    let shown: Vec<u32> = shown.filter_map(|window| window.pid).collect();
    processes::starting(manager, &shown, display)
}
