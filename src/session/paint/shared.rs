//! State that the callers waiting for the paint share with the thread that observes it.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::watch;

use crate::{
    facts::{ExpectedWindow, NamedWindow, Profile},
    gate::{Evidence, Gate, Verdict},
    x11::{Display, Generation, LinkState, Proof},
};

/// Time for which the observation continues after the last caller has stopped waiting,
/// because callers often return.
const LINGER: Duration = Duration::from_secs(1);
/// Pause between attempts to connect to the display.
pub(super) const RETRY: Duration = Duration::from_millis(100);
/// Age from which an assessment is stale: the X server does not answer.
const STALE: Duration = Duration::from_millis(1500);

/// The paint gate's verdicts at one moment.
#[derive(Debug, Clone)]
pub(super) struct Assessment {
    at: Instant,
    /// For each profile, the strict evidence and the lenient one, which allows continuous
    /// motion.
    xfce: [Arc<Evidence>; 2],
    any: [Arc<Evidence>; 2],
    /// The server generation and geometry epoch; `None` without an X server.
    identity: Option<(Generation, u64)>,
    /// Whether a caller allowed continuous motion, so that lenient evidence could be recorded
    /// as a paint proof.
    pub(super) may_move: bool,
    /// The visible windows, and whether each is drawn. Empty unless a caller waits for
    /// windows.
    pub(super) named: Vec<(NamedWindow, bool)>,
}

/// The conditions that a caller waits for.
#[derive(Debug, Clone, Default)]
pub struct Awaited {
    /// The profile that defines "painted"; `None` for the daemon's own.
    pub profile: Option<Profile>,
    /// Whether continuous motion in one place is allowed.
    pub allow_unsettled: bool,
    /// Windows that must be drawn on the screen in addition.
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

/// The paint gate's verdict, and the screen that it applies to.
#[derive(Debug, Clone)]
pub struct Readiness {
    /// The verdict and its reasons.
    pub evidence: Arc<Evidence>,
    /// The server generation; `None` without an X server.
    pub generation: Option<Generation>,
    /// The geometry epoch, which increases with each resize; 0 if it is not known.
    pub geometry_epoch: u64,
}

/// The evidence of a paint proof, and the screen that it applies to.
#[derive(Debug, Clone)]
pub(super) struct KeptProof {
    pub(super) generation: Generation,
    pub(super) geometry_epoch: u64,
    pub(super) evidence: Arc<Evidence>,
}

#[derive(Debug, Default)]
pub(super) struct PaintState {
    pub(super) running: Option<watch::Receiver<Option<Assessment>>>,
    pub(super) waiting: usize,
    /// Number of waiting callers that allow continuous motion.
    pub(super) lenient: usize,
    /// Number of waiting callers that wait for windows.
    pub(super) expecting: usize,
    /// Time until which a caller is expected to query again.
    pub(super) until: Option<Instant>,
    pub(super) kept: Option<KeptProof>,
}

#[derive(Debug)]
pub(super) struct PaintShared {
    pub(super) display: Arc<Display>,
    pub(super) profile: Profile,
    pub(super) place: Mutex<PaintState>,
}

/// Represents one waiting caller: the observation continues while this value exists.
pub(super) struct PaintWaiting<'a> {
    pub(super) shared: &'a PaintShared,
    pub(super) lenient: bool,
    pub(super) expecting: bool,
}

impl Drop for PaintWaiting<'_> {
    fn drop(&mut self) {
        let mut place = self.shared.place();
        place.waiting -= 1;
        place.lenient -= usize::from(self.lenient);
        place.expecting -= usize::from(self.expecting);
        place.until = place.until.max(Some(Instant::now() + LINGER));
    }
}

impl PaintShared {
    pub(super) fn place(&self) -> MutexGuard<'_, PaintState> {
        // The state is consistent even after a panic: each change is a single operation.
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the newest assessment. A stale one is at most UNSETTLED, and names the silence
    /// of the X server as a reason.
    pub(super) fn current(
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

    /// Whether the X server has a paint proof that covers `profile`.
    fn is_proved(&self, profile: Profile) -> bool {
        let link = self.display.link();
        let proof = match &link.borrow().state {
            LinkState::Up(screen) => screen.proof,
            LinkState::Down(_) | LinkState::Connecting => None,
        };
        proof.is_some_and(|proof| proof.implies(profile))
    }

    /// Whether a READY verdict for `profile` takes effect for all calls. A profile that
    /// implies the daemon's own requires its paint proof to be recorded. Any other profile
    /// records none, so there is nothing to wait for.
    pub(super) fn is_in_force(&self, profile: Profile) -> bool {
        !profile.implies(self.profile) || self.is_proved(self.profile)
    }

    /// Whether a waiting caller allows continuous motion.
    pub(super) fn may_move(&self) -> bool {
        self.place().lenient > 0
    }

    /// Whether a waiting caller waits for windows.
    pub(super) fn expects_windows(&self) -> bool {
        self.place().expecting > 0
    }

    /// Whether a caller waits or is expected soon. Otherwise, ends the observation.
    pub(super) fn is_wanted(&self) -> bool {
        let mut place = self.place();
        let soon = place.until.is_some_and(|until| until > Instant::now());
        // Once the paint is proved, an expected caller needs no observation.
        let wanted = place.waiting > 0 || (soon && !self.is_proved(self.profile));
        if !wanted {
            place.running = None;
        }
        wanted
    }

    /// Records the paint proof that the assessment supports, before any caller receives it.
    pub(super) fn prove(&self, gate: &Gate, assessment: &Assessment) {
        let Some((generation, geometry_epoch)) = assessment.identity else {
            return;
        };
        // A paint proof for XFCE covers both profiles, so it is preferred.
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
        self.place().kept = Some(KeptProof {
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
