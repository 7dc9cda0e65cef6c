//! What the callers who wait for the paint and the thread that observes it share.

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

/// Time for which the observation goes on after the last waiting caller: callers often come
/// again.
const LINGER: Duration = Duration::from_secs(1);
/// Pause between attempts to reach the display.
pub(super) const RETRY: Duration = Duration::from_millis(100);
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
    pub(super) may_move: bool,
    /// The windows that can be seen, while somebody waits for some, and whether each is
    /// drawn.
    pub(super) named: Vec<(NamedWindow, bool)>,
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
pub(super) struct KeptProof {
    pub(super) generation: Generation,
    pub(super) geometry_epoch: u64,
    pub(super) evidence: Arc<Evidence>,
}

#[derive(Debug, Default)]
pub(super) struct PaintState {
    pub(super) running: Option<watch::Receiver<Option<Assessment>>>,
    pub(super) waiting: usize,
    /// Those of them that allow continuous motion.
    pub(super) lenient: usize,
    /// Those of them that wait for windows.
    pub(super) expecting: usize,
    /// A caller is expected to ask again until then.
    pub(super) until: Option<Instant>,
    pub(super) kept: Option<KeptProof>,
}

#[derive(Debug)]
pub(super) struct PaintShared {
    pub(super) display: Arc<Display>,
    pub(super) profile: Profile,
    pub(super) place: Mutex<PaintState>,
}

/// One who waits: while it lives, the observation goes on.
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
        // Whole after any panic: its changes are single steps.
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest assessment, with a server's silence added.
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
    pub(super) fn is_in_force(&self, profile: Profile) -> bool {
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
