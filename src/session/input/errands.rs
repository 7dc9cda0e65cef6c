//! The work that a call's task does for the actions of its step: pictures, and waits for conditions.

use tokio::time::Instant;

use super::{
    Input,
    action::{Act, Action},
    job::{Errand, ErrandEnd, ErrandWork},
    refused::Refused,
};
use crate::session::{
    capture::{Frame, Resolved, WindowRefusal},
    windows::{Baseline, WaitRefusal},
};

/// Does the errands of one step.
pub(super) struct Errands<'i> {
    input: &'i Input,
    act: &'i Act,
    space: Resolved,
    /// When an errand must end.
    deadline: Instant,
    /// For each `wait_for` to come: what its regions were at the beginning of the step, or at the
    /// end of the last `wait_for`.
    baselines: Vec<(usize, Baseline)>,
}

impl<'i> Errands<'i> {
    /// Notes the regions of the conditions that the step waits for.
    ///
    /// # Errors
    ///
    /// When a region is not possible on this screen, unless the step stops at the first failure.
    pub(super) async fn begin(
        input: &'i Input,
        act: &'i Act,
        space: Resolved,
        deadline: Instant,
    ) -> Result<Self, Refused> {
        let mut errands = Self {
            input,
            act,
            space,
            deadline,
            baselines: Vec::new(),
        };
        errands
            .note(0)
            .await
            .or_else(|refused| match act.stop_at_first {
                true => Ok(()),
                false => Err(refused),
            })?;
        Ok(errands)
    }

    /// Notes the regions of the conditions of the actions from `first` on.
    async fn note(&mut self, first: usize) -> Result<(), Refused> {
        self.baselines.clear();
        let windows = &self.input.windows;
        for (action, one) in self.act.actions.iter().enumerate().skip(first) {
            if let Action::WaitFor { condition, .. } = one {
                let baseline = windows
                    .baseline(condition, &self.space, self.deadline)
                    .await;
                let baseline = baseline.map_err(|refusal| refused(action, refusal))?;
                self.baselines.push((action, baseline));
            }
        }
        Ok(())
    }

    /// Does an errand, unless the step does not need it any more.
    pub(super) async fn run(&mut self, errand: Errand, pictures: &mut Vec<(usize, Frame)>) {
        let Errand {
            index,
            work,
            mut reply,
        } = errand;
        let end = tokio::select! {
            end = self.work(index, work, pictures) => end,
            () = reply.closed() => return,
        };
        drop(reply.send(end));
    }

    async fn work(
        &mut self,
        index: usize,
        work: ErrandWork,
        pictures: &mut Vec<(usize, Frame)>,
    ) -> ErrandEnd {
        let (condition, limit) = match work {
            ErrandWork::Picture(image) => {
                let shot = (index, image);
                return self
                    .input
                    .photograph(self.act, shot, self.deadline, pictures)
                    .await;
            }
            ErrandWork::WaitFor { condition, limit } => (condition, limit),
        };
        let noted = self.baselines.iter().find(|(action, _)| *action == index);
        let baseline = noted
            .map(|(_, baseline)| baseline.clone())
            .unwrap_or_default();
        let windows = &self.input.windows;
        let waited = windows.wait_for(&condition, (&self.space, &baseline), limit, self.deadline);
        match waited.await {
            Ok(waited) => {
                // If a later region is not possible any more, its own wait reports it.
                drop(self.note(index + 1).await);
                ErrandEnd::Waited(waited)
            }
            Err(WaitRefusal::Windows(WindowRefusal::Failed(failure))) => ErrandEnd::Failed(failure),
            Err(refusal) => ErrandEnd::Refused(refused(index, refusal)),
        }
    }
}

fn refused(action: usize, refusal: WaitRefusal) -> Refused {
    match refusal {
        WaitRefusal::Region(refusal) => Refused::OfCondition { action, refusal },
        WaitRefusal::Windows(WindowRefusal::Failed(failure)) => Refused::NoInput(failure),
        // A condition names no single window.
        WaitRefusal::Windows(other) => Refused::NoInput(crate::failure::Failure {
            stage: crate::failure::Stage::Input,
            cause: crate::failure::Cause::Internal,
            message: other.to_string(),
        }),
    }
}
