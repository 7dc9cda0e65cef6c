//! Waits until the desktop is painted. All waiting callers share one observation of the
//! display, which ends when no caller waits.

mod shared;
mod watching;

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tokio::sync::watch;

pub use shared::{Awaited, Readiness};

use crate::{
    facts::Profile,
    failure::{Cause, Failure, Stage},
    gate::{Evidence, Verdict},
    x11::{Display, Generation, Grab},
};
use shared::{Assessment, PaintShared, PaintState, PaintWaiting, RETRY};

/// Time within which a caller that received NOT_PAINTED is expected to call again.
pub(super) const AWAITED: Duration = Duration::from_secs(12);
/// Maximum time that an unproved frame waits for the first assessment of the display.
const GLANCE: Duration = Duration::from_millis(250);

/// The paint state of one display.
#[derive(Debug)]
pub(super) struct Paint(Arc<PaintShared>);

impl Paint {
    /// Creates the state. The observation begins when the first caller waits.
    pub(super) fn new(display: Arc<Display>, profile: Profile) -> Self {
        Self(Arc::new(PaintShared {
            display,
            profile,
            place: Mutex::default(),
        }))
    }

    /// Returns the daemon's own paint profile.
    pub(super) fn profile(&self) -> Profile {
        self.0.profile
    }

    /// Whether the display had a paint proof that covers the daemon's profile when `grab` was
    /// captured.
    pub(super) fn trusts(&self, grab: &Grab) -> bool {
        grab.proof
            .is_some_and(|proof| proof.implies(self.0.profile))
    }

    /// Returns the evidence of the paint proof that makes a frame trusted.
    pub(super) fn proof(&self, generation: Generation, epoch: u64) -> Arc<Evidence> {
        let place = self.0.place();
        let kept = place.kept.as_ref();
        let kept = kept
            .filter(|kept| kept.generation == generation && kept.geometry_epoch == epoch)
            .map(|kept| Arc::clone(&kept.evidence));
        // An earlier instance recorded the paint proof; its evidence is not available.
        kept.unwrap_or_else(|| Arc::new(Evidence::bare(Verdict::Ready, self.0.profile)))
    }

    /// Keeps the observation running for `time`, because a caller is expected to query again.
    pub(super) fn expect(&self, time: Duration) {
        let mut place = self.0.place();
        place.until = place.until.max(Some(Instant::now() + time));
        self.ensure_running(&mut place);
    }

    /// Waits until the paint is proved and the paint proof (the record on the root window) is
    /// written. A step that follows immediately is then not refused with NOT_PAINTED.
    pub(super) async fn until_ready(&self, awaited: &Awaited) -> Readiness {
        let (profile, lenient) = self.wish(awaited);
        let (_waiting, mut receiver) = self.wait(lenient, !awaited.windows.is_empty());
        let mut link = self.0.display.link();
        loop {
            link.borrow_and_update();
            if let Some(now) = self.0.current(&mut receiver, profile, lenient)
                && now.evidence.verdict == Verdict::Ready
                // While no caller allowed motion, lenient evidence recorded no paint proof.
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
                // The observation has ended; start another.
                tokio::time::sleep(RETRY).await;
                receiver = self.ensure_running(&mut self.0.place());
            }
        }
    }

    /// Returns the current assessment; waits only for the first one, at most [`GLANCE`].
    pub(super) async fn glance(&self, profile: Profile) -> Option<Arc<Evidence>> {
        let (_waiting, mut receiver) = self.wait(false, false);
        let first = async {
            while receiver.borrow_and_update().is_none() {
                if receiver.changed().await.is_err() {
                    return;
                }
            }
        };
        // On timeout there is no assessment, and the result is `None`.
        drop(tokio::time::timeout(GLANCE, first).await);
        let now = self.0.current(&mut receiver, profile, false);
        now.map(|now| now.evidence)
    }

    /// Returns the current assessment under the conditions of `awaited`, without waiting.
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

    fn wait(
        &self,
        lenient: bool,
        expecting: bool,
    ) -> (PaintWaiting<'_>, watch::Receiver<Option<Assessment>>) {
        let mut place = self.0.place();
        place.waiting += 1;
        place.lenient += usize::from(lenient);
        place.expecting += usize::from(expecting);
        let receiver = self.ensure_running(&mut place);
        drop(place);
        let shared = &self.0;
        let waiting = PaintWaiting {
            shared,
            lenient,
            expecting,
        };
        (waiting, receiver)
    }

    fn ensure_running(&self, place: &mut PaintState) -> watch::Receiver<Option<Assessment>> {
        let alive = |receiver: &&watch::Receiver<_>| receiver.has_changed().is_ok();
        if let Some(receiver) = place.running.as_ref().filter(alive) {
            return receiver.clone();
        }
        let (sender, receiver) = watch::channel(None);
        let shared = Arc::clone(&self.0);
        let spawned = std::thread::Builder::new()
            .name("paint".into())
            .spawn(move || watching::observe(&shared, &sender));
        match spawned {
            Ok(_) => place.running = Some(receiver.clone()),
            // The sender was dropped, so waiting callers try again.
            Err(error) => tracing::error!("no thread to watch the paint: {error}"),
        }
        receiver
    }

    fn wish(&self, awaited: &Awaited) -> (Profile, bool) {
        let profile = awaited.profile.unwrap_or(self.profile());
        (profile, awaited.allow_unsettled)
    }

    /// Returns the current assessment, without waiting.
    pub(super) fn known(&self, profile: Profile, lenient: bool) -> Option<Readiness> {
        let mut receiver = self.0.place().running.clone()?;
        self.0.current(&mut receiver, profile, lenient)
    }

    /// Returns the failure for a frame that is missing because the paint is not proved.
    pub(super) fn failure(&self) -> Failure {
        let profile = self.0.profile;
        let known = self.known(profile, false);
        // The failure card lists what is missing. It does not describe the screen, because a
        // model could take the word "blank" for its content.
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

/// Describes each awaited window that is not on the screen or not drawn.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::x11::{CaptureChoice, ServerOwner, Trust};

    fn paint() -> Paint {
        let display = Display::open(
            ":64997".parse().unwrap(),
            CaptureChoice::default(),
            ServerOwner::anybody(),
            Trust::default(),
        );
        Paint::new(Arc::new(display.unwrap()), Profile::Any)
    }

    /// Without a display, the verdict is NO_DISPLAY and the wait for READY goes on. The
    /// observation ends when no caller waits.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_display_that_is_not_there_is_no_paint() {
        let paint = paint();
        assert!(
            paint.known(Profile::Any, false).is_none(),
            "nobody asked yet"
        );
        let seen = paint.glance(Profile::Any).await.unwrap();
        assert_eq!(seen.verdict, Verdict::NoDisplay);
        let awaited = Awaited::default();
        let ready = paint.until_ready(&awaited);
        assert!(
            tokio::time::timeout(Duration::from_millis(300), ready)
                .await
                .is_err()
        );
        let known = paint.known_for(&awaited).unwrap();
        assert_eq!(
            (known.evidence.verdict, known.generation),
            (Verdict::NoDisplay, None)
        );
        assert_eq!(paint.failure().cause, Cause::NotPainted);
        assert_eq!(paint.0.place().waiting, 0);
        let ended = async {
            while paint.0.place().running.is_some() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        assert!(
            tokio::time::timeout(Duration::from_secs(10), ended)
                .await
                .is_ok()
        );
    }

    /// A caller that is expected to query again keeps the observation running.
    #[tokio::test(flavor = "multi_thread")]
    async fn an_expected_caller_is_observed_for() {
        let paint = paint();
        paint.expect(Duration::from_secs(30));
        tokio::time::sleep(Duration::from_millis(1500)).await;
        assert!(paint.0.place().running.is_some());
        assert!(!paint.0.may_move() && !paint.0.expects_windows());
        let awaited = Awaited {
            allow_unsettled: true,
            ..Awaited::default()
        };
        let waiting = tokio::time::timeout(Duration::from_millis(500), async {
            tokio::join!(paint.until_ready(&awaited), async {
                assert!(paint.0.may_move());
            });
        });
        assert!(waiting.await.is_err());
        assert!(!paint.0.may_move());
    }
}
