//! Checks of a step that need no X server, and its report if control changed hands.

use tokio::time::Instant;

use super::{
    Input,
    action::{Account, Act, Action, Outcome},
    refused::Refused,
};
use crate::{
    failure::{Cause, Failure, Stage},
    session::{capture::Resolved, control::ControlRefusal, paint},
    x11::LinkState,
};

impl Input {
    /// Returns why a step was stopped when control changed hands.
    pub(super) fn handed_over(&self, act: &Act, epoch: u64) -> ControlRefusal {
        let refused = self.leases.check(act.lease).err();
        let changed = || ControlRefusal::Changed {
            expected: epoch,
            now: self.leases.epoch(),
        };
        refused.unwrap_or_else(changed)
    }

    /// Says that a change of control stopped the step, if it was one.
    pub(super) fn explain(&self, account: &mut Account, act: &Act, epoch: u64) {
        if account.outcome != Outcome::Cancelled || self.leases.epoch() == epoch {
            return;
        }
        let refusal = self.handed_over(act, epoch);
        let cause = match refusal {
            ControlRefusal::Human { .. } => Cause::HumanInControl,
            _ => Cause::ControlChanged,
        };
        let failures = account
            .results
            .iter_mut()
            .flat_map(|done| &mut done.failure);
        for failure in failures.filter(|failure| failure.cause == Cause::Cancelled) {
            *failure = Failure {
                stage: Stage::Input,
                cause,
                message: refusal.to_string(),
            };
        }
    }

    /// Returns the first place of the step that lies on the screen.
    pub(super) fn first_point(&self, act: &Act, space: &Resolved) -> Option<(u32, u32)> {
        let LinkState::Up(screen) = self.capture.link().state else {
            return None;
        };
        let first = act.actions.iter().find_map(Action::first_point)?;
        space.point(first, screen.size).ok()
    }

    /// Waits while the connection to the display is being made.
    pub(super) async fn connecting(&self, until: Instant) {
        let mut link = self.capture.display.link();
        let made = link.wait_for(|link| !matches!(link.state, LinkState::Connecting));
        // The caller reads the result from the link state.
        drop(tokio::time::timeout_at(until, made).await);
    }

    /// Performs the checks that need no X server, and resolves the coordinate space.
    pub(super) fn check(&self, act: &Act) -> Result<Resolved, Refused> {
        let link = self.capture.link();
        match &link.state {
            LinkState::Up(_) => {}
            LinkState::Down(failure) => return Err(Refused::NoInput(failure.clone())),
            LinkState::Connecting => return Err(Refused::NoInput(self.capture.overdue())),
        }
        let LinkState::Up(screen) = &link.state else {
            return Err(Refused::NoInput(self.capture.overdue()));
        };
        self.leases.check(act.lease)?;
        if let Some(expected) = act.expect.control_epoch {
            self.leases.check_epoch(expected)?;
        }
        if let Some(id) = &act.expect.frame {
            let shown = self.capture.frames().find(id)?;
            self.leases.check_epoch(shown.control_epoch)?;
            let shown = Resolved::Frame(id.clone(), shown);
            shown.is_of(screen.generation, screen.geometry_epoch)?;
        }
        let space = self.capture.resolve(&act.space)?;
        if let Resolved::Frame(_, shown) = &space {
            self.leases.check_epoch(shown.control_epoch)?;
        }
        // Refuse a picture that this screen cannot provide before any action is executed.
        if let Some(image) = &act.picture {
            self.capture.can_show(image, screen)?;
        }
        for (action, one) in act.actions.iter().enumerate() {
            if let Action::Screenshot(image) = one
                && !act.stop_at_first
            {
                let shown = self.capture.can_show(image, screen);
                shown.map_err(|refusal| Refused::OfPicture { action, refusal })?;
            }
        }
        if !act.unproved && !self.capture.is_proved(&link) {
            self.capture.paint.expect(paint::AWAITED);
            return Err(Refused::NotPainted(self.capture.paint.failure()));
        }
        Ok(space)
    }
}
