//! Waiting for the desktop's paint: one observation, shared by all who wait, and
//! ended when nobody does.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::watch;

use super::watching;
use crate::{
    facts::{ExpectedWindow, NamedWindow, Profile},
    failure::{Cause, Failure, Stage},
    gate::{Evidence, Gate, Verdict},
    x11::{Display, Generation, Grab, LinkState, Proof},
};

/// Time for which the observation goes on after the last waiting caller: callers often come
/// again.
const LINGER: Duration = Duration::from_secs(1);
/// Maximum time within which a caller that got NOT_PAINTED is expected again.
pub(super) const AWAITED: Duration = Duration::from_secs(12);
/// Pause between attempts to reach the display.
pub(super) const RETRY: Duration = Duration::from_millis(100);
/// An unproved frame waits so long for the first look at the display.
const GLANCE: Duration = Duration::from_millis(250);
/// An assessment older than this is of a server that does not answer.
const STALE: Duration = Duration::from_millis(1500);

/// The gate's verdicts at one moment.
#[derive(Debug, Clone)]
pub(super) struct Assessment {
    at: Instant,
    /// Strict and lenient, for each profile.
    xfce: [Arc<Evidence>; 2],
    any: [Arc<Evidence>; 2],
    /// The X server and its size; `None` without one.
    identity: Option<(Generation, u64)>,
    /// A caller allowed continuous motion, so that it could be proved.
    may_move: bool,
    /// The windows that can be seen, while somebody waits for some, and whether each is
    /// drawn.
    named: Vec<(NamedWindow, bool)>,
}

/// The conditions that a caller waits for.
#[derive(Debug, Clone, Default)]
pub struct Awaited {
    /// The definition of "painted"; `None`: the daemon's own.
    pub profile: Option<Profile>,
    /// Continuous motion in one place is no reason to wait.
    pub allow_unsettled: bool,
    /// Windows that must be on the screen besides.
    pub windows: Vec<ExpectedWindow>,
}

impl Assessment {
    pub(super) fn of(
        gate: &Gate,
        identity: Option<(Generation, u64)>,
        may_move: bool,
        named: Vec<NamedWindow>,
    ) -> Self {
        let drawn = |window: NamedWindow| {
            let drawn = gate.is_window_drawn(window.window);
            (window, drawn)
        };
        let both = |profile| [false, true].map(|lenient| Arc::new(gate.judge(profile, lenient)));
        Self {
            at: Instant::now(),
            xfce: both(Profile::Xfce),
            any: both(Profile::Any),
            identity,
            may_move,
            named: named.into_iter().map(drawn).collect(),
        }
    }

    pub(super) fn evidence(&self, profile: Profile, lenient: bool) -> &Arc<Evidence> {
        match profile {
            Profile::Xfce => &self.xfce[usize::from(lenient)],
            Profile::Any => &self.any[usize::from(lenient)],
        }
    }
}

/// The answer to "is it painted?".
#[derive(Debug, Clone)]
pub struct Readiness {
    /// The verdict and why.
    pub evidence: Arc<Evidence>,
    /// Identity of the X server; `None` when there is none.
    pub generation: Option<Generation>,
    /// Rises with each resize; 0 when not known.
    pub geometry_epoch: u64,
}

/// A proof, and of what it is one.
#[derive(Debug, Clone)]
struct Kept {
    generation: Generation,
    geometry_epoch: u64,
    evidence: Arc<Evidence>,
}

#[derive(Debug, Default)]
struct Place {
    running: Option<watch::Receiver<Option<Assessment>>>,
    waiting: usize,
    /// Those of them that allow continuous motion.
    lenient: usize,
    /// Those of them that wait for windows.
    expecting: usize,
    /// A caller is expected to ask again until then.
    until: Option<Instant>,
    kept: Option<Kept>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) display: Arc<Display>,
    pub(super) profile: Profile,
    place: Mutex<Place>,
}

/// The paint of one display.
#[derive(Debug)]
pub(super) struct Paint(Arc<Shared>);

/// One who waits: while it lives, the observation goes on.
struct Waiting<'a> {
    shared: &'a Shared,
    lenient: bool,
    expecting: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut place = self.shared.place();
        place.waiting -= 1;
        place.lenient -= usize::from(self.lenient);
        place.expecting -= usize::from(self.expecting);
        place.until = place.until.max(Some(Instant::now() + LINGER));
    }
}

impl Paint {
    /// Nothing is observed before somebody waits.
    pub(super) fn new(display: Arc<Display>, profile: Profile) -> Self {
        Self(Arc::new(Shared {
            display,
            profile,
            place: Mutex::default(),
        }))
    }

    /// The daemon's own profile.
    pub(super) fn profile(&self) -> Profile {
        self.0.profile
    }

    /// Whether the frame is of a display that is proved.
    pub(super) fn trusts(&self, grab: &Grab) -> bool {
        grab.proof
            .is_some_and(|proof| proof.implies(self.0.profile))
    }

    /// The evidence of the proof that a trusted frame rests on.
    pub(super) fn proof(&self, generation: Generation, epoch: u64) -> Arc<Evidence> {
        let place = self.0.place();
        let kept = place.kept.as_ref();
        let kept = kept
            .filter(|kept| kept.generation == generation && kept.geometry_epoch == epoch)
            .map(|kept| Arc::clone(&kept.evidence));
        // Proved by an earlier life of the daemon.
        kept.unwrap_or_else(|| Arc::new(Evidence::bare(Verdict::Ready, self.0.profile)))
    }

    /// Keeps observing for `time`: somebody will ask again.
    pub(super) fn expect(&self, time: Duration) {
        let mut place = self.0.place();
        place.until = place.until.max(Some(Instant::now() + time));
        self.0.ensure_running(&mut place);
    }

    /// Waits until the paint is proved, and until the proof is in force: a step that
    /// follows the answer at once is not refused as NOT_PAINTED.
    pub(super) async fn until_ready(&self, awaited: &Awaited) -> Readiness {
        let (profile, lenient) = self.wish(awaited);
        let (_waiting, mut receiver) = self.0.wait(lenient, !awaited.windows.is_empty());
        let mut link = self.0.display.link();
        loop {
            link.borrow_and_update();
            if let Some(now) = self.0.current(&mut receiver, profile, lenient)
                && now.evidence.verdict == Verdict::Ready
                // Judged before this caller came, it was proved for nobody.
                && (!lenient || may_move(&receiver))
                && self.0.is_in_force(profile)
                && missing(&receiver, awaited).is_empty()
            {
                return now;
            }
            let ended = tokio::select! {
                changed = receiver.changed() => changed.is_err(),
                changed = link.changed() => changed.is_err(),
            };
            if ended {
                // The observation has ended: begin another.
                tokio::time::sleep(RETRY).await;
                receiver = self.0.ensure_running(&mut self.0.place());
            }
        }
    }

    /// The present assessment; waits for the first one only.
    pub(super) async fn glance(&self, profile: Profile) -> Option<Arc<Evidence>> {
        let (_waiting, mut receiver) = self.0.wait(false, false);
        let first = async {
            while receiver.borrow_and_update().is_none() {
                if receiver.changed().await.is_err() {
                    return;
                }
            }
        };
        // Without a look in time there is none.
        drop(tokio::time::timeout(GLANCE, first).await);
        let now = self.0.current(&mut receiver, profile, false);
        now.map(|now| now.evidence)
    }

    /// The present assessment for that caller, without waiting.
    pub(super) fn known_for(&self, awaited: &Awaited) -> Option<Readiness> {
        let (profile, lenient) = self.wish(awaited);
        let mut known = self.known(profile, lenient)?;
        let receiver = self.0.place().running.clone()?;
        let missing = missing(&receiver, awaited);
        let (most, why) = if !missing.is_empty() {
            (Verdict::Partial, missing)
        } else if known.evidence.verdict == Verdict::Ready && !self.0.is_in_force(profile) {
            let why = "the proof is not in force yet: the X server's property could not be written";
            (Verdict::Unsettled, vec![why.to_owned()])
        } else {
            return Some(known);
        };
        let mut evidence = (*known.evidence).clone();
        evidence.verdict = evidence.verdict.min(most);
        evidence.missing.splice(0..0, why);
        known.evidence = Arc::new(evidence);
        Some(known)
    }

    fn wish(&self, awaited: &Awaited) -> (Profile, bool) {
        let profile = awaited.profile.unwrap_or(self.profile());
        (profile, awaited.allow_unsettled)
    }

    /// The present assessment, without waiting.
    pub(super) fn known(&self, profile: Profile, lenient: bool) -> Option<Readiness> {
        let mut receiver = self.0.place().running.clone()?;
        self.0.current(&mut receiver, profile, lenient)
    }

    /// Why a frame is not there: the paint is not proved.
    pub(super) fn failure(&self) -> Failure {
        let profile = self.0.profile;
        let known = self.known(profile, false);
        // The card says what is missing, not what the screen looks like: a model
        // must not take the word "blank" from it.
        let what = known.map_or_else(
            || "deskd has not seen it yet".to_owned(),
            |known| {
                let missing = known.evidence.missing.iter().take(3);
                missing.map(String::as_str).collect::<Vec<_>>().join("; ")
            },
        );
        Failure {
            stage: Stage::Paint,
            cause: Cause::NotPainted,
            message: format!("the desktop is not painted yet (profile {profile}): {what}"),
        }
    }
}

impl Shared {
    fn place(&self) -> MutexGuard<'_, Place> {
        // Whole after any panic: its changes are single steps.
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(
        self: &Arc<Self>,
        lenient: bool,
        expecting: bool,
    ) -> (Waiting<'_>, watch::Receiver<Option<Assessment>>) {
        let mut place = self.place();
        place.waiting += 1;
        place.lenient += usize::from(lenient);
        place.expecting += usize::from(expecting);
        let receiver = self.ensure_running(&mut place);
        drop(place);
        let shared = self;
        let waiting = Waiting {
            shared,
            lenient,
            expecting,
        };
        (waiting, receiver)
    }

    fn ensure_running(self: &Arc<Self>, place: &mut Place) -> watch::Receiver<Option<Assessment>> {
        let alive = |receiver: &&watch::Receiver<_>| receiver.has_changed().is_ok();
        if let Some(receiver) = place.running.as_ref().filter(alive) {
            return receiver.clone();
        }
        let (sender, receiver) = watch::channel(None);
        let shared = Arc::clone(self);
        let spawned = std::thread::Builder::new()
            .name("paint".into())
            .spawn(move || watching::observe(&shared, &sender));
        match spawned {
            Ok(_) => place.running = Some(receiver.clone()),
            // The sender is gone: who waits tries again.
            Err(error) => tracing::error!("no thread to watch the paint: {error}"),
        }
        receiver
    }

    /// The newest assessment, with a server's silence added.
    fn current(
        &self,
        receiver: &mut watch::Receiver<Option<Assessment>>,
        profile: Profile,
        lenient: bool,
    ) -> Option<Readiness> {
        let assessment = receiver.borrow_and_update();
        let assessment = assessment.as_ref()?;
        let mut evidence = Arc::clone(assessment.evidence(profile, lenient));
        let age = assessment.at.elapsed();
        if age > STALE && evidence.verdict != Verdict::NoDisplay {
            let mut stale = (*evidence).clone();
            stale.verdict = stale.verdict.min(Verdict::Unsettled);
            let silent = format!(
                "nothing was heard from the X server for {:.1} s",
                age.as_secs_f64()
            );
            stale.missing.insert(0, silent);
            stale.elapsed += age;
            evidence = Arc::new(stale);
        }
        Some(Readiness {
            evidence,
            generation: assessment.identity.map(|(generation, _)| generation),
            geometry_epoch: assessment.identity.map_or(0, |(_, epoch)| epoch),
        })
    }

    /// Whether the X server keeps a proof that is enough for `profile`.
    fn is_proved(&self, profile: Profile) -> bool {
        let link = self.display.link();
        let proof = match &link.borrow().state {
            LinkState::Up(screen) => screen.proof,
            LinkState::Down(_) | LinkState::Connecting => None,
        };
        proof.is_some_and(|proof| proof.implies(profile))
    }

    /// Whether what was proved for `profile` holds for all calls. What the daemon's own
    /// profile does not follow from proves nothing for them.
    fn is_in_force(&self, profile: Profile) -> bool {
        !profile.implies(self.profile) || self.is_proved(self.profile)
    }

    /// Whether somebody allows what keeps moving.
    pub(super) fn may_move(&self) -> bool {
        self.place().lenient > 0
    }

    /// Whether somebody waits for windows.
    pub(super) fn expects_windows(&self) -> bool {
        self.place().expecting > 0
    }

    /// Whether somebody waits, or will soon; else the place is given up.
    pub(super) fn is_wanted(&self) -> bool {
        let mut place = self.place();
        let soon = place.until.is_some_and(|until| until > Instant::now());
        // What is proved needs no more watching.
        let wanted = place.waiting > 0 || (soon && !self.is_proved(self.profile));
        if !wanted {
            place.running = None;
        }
        wanted
    }

    /// Records what the assessment proves, before any caller gets it.
    pub(super) fn prove(&self, gate: &Gate, assessment: &Assessment) {
        let Some((generation, geometry_epoch)) = assessment.identity else {
            return;
        };
        // The stronger one proves both.
        let ready = [Profile::Xfce, Profile::Any]
            .into_iter()
            .filter(|profile| profile.implies(self.profile))
            .flat_map(|profile| [false, true].map(|lenient| (profile, lenient)))
            .filter(|(_, lenient)| assessment.may_move || !lenient)
            .map(|(profile, lenient)| assessment.evidence(profile, lenient))
            .find(|evidence| evidence.verdict == Verdict::Ready);
        let Some(evidence) = ready.filter(|evidence| !self.is_proved(evidence.profile)) else {
            return;
        };
        self.place().kept = Some(Kept {
            generation,
            geometry_epoch,
            evidence: Arc::clone(evidence),
        });
        self.display.prove(Proof {
            profile: evidence.profile,
            generation,
            geometry_epoch,
            windows: gate.proof_windows(),
        });
    }
}

/// Windows that a caller waits for and that are not on the screen, in words.
fn missing(receiver: &watch::Receiver<Option<Assessment>>, awaited: &Awaited) -> Vec<String> {
    let now = receiver.borrow();
    let named = now.as_ref().map_or(&[][..], |now| &now.named);
    let missing = awaited.windows.iter().filter_map(|expected| {
        let mut found = named.iter().filter(|(window, _)| expected.matches(window));
        let mut there = false;
        let drawn = found.any(|(_, drawn)| {
            there = true;
            *drawn
        });
        let what = if there {
            "is empty"
        } else {
            "is not on the screen"
        };
        (!drawn).then(|| format!("{expected} {what}"))
    });
    missing.collect()
}

fn may_move(receiver: &watch::Receiver<Option<Assessment>>) -> bool {
    receiver.borrow().as_ref().is_some_and(|now| now.may_move)
}
