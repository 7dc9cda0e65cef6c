//! One `Act` call: its wait for the input, its task, its account and its frame.

use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant as StdInstant},
};

use tokio::{
    sync::{OwnedSemaphorePermit, mpsc, oneshot, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::{
    Input,
    action::{Account, Act, Acted, ActionStatus, Done, Ended, Outcome, Settled},
    errands::Errands,
    job::{Begun, InputOrder, Job, StepWaiting},
    journal::{KnownStep, StepProgress},
    lock,
    pictures::StepPictures,
    refused::Refused,
};
use crate::{
    failure::{Cause, Failure, Stage},
    session::capture::{Frame, Refusal},
};

/// Time before `reply_by` at which the input thread ends the step, so that a frame can still be
/// taken; a quarter of the remaining time if that is less.
const FRAME_LEAD: Duration = Duration::from_millis(300);
/// Time after `reply_by` at which the call stops waiting for the input thread, which normally ends
/// a step by itself. The reply still arrives: `reply_by` is usually at least 100 ms before the
/// caller's deadline.
const GRACE: Duration = Duration::from_millis(50);
/// Time before the end of the input thread's step at which the wait for an action's picture or
/// condition ends. A failure card takes the place of the picture.
const ERRAND_LEAD: Duration = Duration::from_millis(30);

impl Input {
    /// Executes a step, and returns the screen after it.
    ///
    /// # Errors
    ///
    /// A [`Refused`]: this call sent no event, or the final picture is refused. If another call
    /// executes the same operation, the step may still send events.
    pub async fn act(self: Arc<Self>, act: Act, reply_by: Instant) -> Result<Acted, Refused> {
        let act = Arc::new(act);
        let (sender, account) = watch::channel(None);
        let waiting = Arc::new(StepWaiting {
            cancel: self.shutdown.child_token(),
            bell: self.orders.bell().clone(),
        });
        let Some(operation) = &act.operation else {
            let permit = self.queue_up()?;
            return self.start(&act, reply_by, sender, waiting, permit).await;
        };
        if operation.instance != *self.instance_id {
            return Err(Refused::OtherInstance);
        }
        let progress = StepProgress {
            account,
            waiting: Arc::downgrade(&waiting),
        };
        let (known, permit) = {
            let mut journal = lock(&self.journal);
            let known = journal.enter(&operation.id, operation.digest, &progress);
            let permit = match known {
                KnownStep::New => Some(self.queue_up().inspect_err(|_| {
                    journal.take_back(&operation.id);
                })?),
                _ => None,
            };
            (known, permit)
        };
        match (known, permit) {
            (KnownStep::Other, _) => Err(Refused::IdReused),
            (KnownStep::Forgotten, _) => Err(Refused::Forgotten),
            (KnownStep::Same(progress), _) => self.join(&act, reply_by, progress).await,
            (KnownStep::New, Some(permit)) => {
                self.start(&act, reply_by, sender, waiting, permit).await
            }
            (KnownStep::New, None) => Err(Refused::QueueFull),
        }
    }

    fn queue_up(&self) -> Result<OwnedSemaphorePermit, Refused> {
        let permit = Arc::clone(&self.queue).try_acquire_owned();
        permit.map_err(|_| Refused::QueueFull)
    }

    /// Runs a new step in a task of its own, and waits for the result.
    async fn start(
        self: &Arc<Self>,
        act: &Arc<Act>,
        reply_by: Instant,
        sender: watch::Sender<Option<Result<Account, Refused>>>,
        waiting: Arc<StepWaiting>,
        permit: OwnedSemaphorePermit,
    ) -> Result<Acted, Refused> {
        let mut account = sender.subscribe();
        let (framed, frame) = oneshot::channel();
        // Every log line of this step carries the operation id.
        let operation = act
            .operation
            .as_ref()
            .map(|operation| operation.id.as_str());
        let span = tracing::info_span!("act", operation);
        let task = Arc::clone(self).run(
            Arc::clone(act),
            reply_by,
            waiting.cancel.clone(),
            sender,
            framed,
            permit,
        );
        {
            let mut tasks = lock(&self.tasks);
            while tasks.try_join_next().is_some() {}
            tasks.spawn(task.instrument(span.clone()));
        }
        // This wait has no timeout, because the task ends by the deadline.
        let account = outcome(act, &mut account).await?;
        let (frame, pictures) = match frame.await {
            Ok(seen) => seen,
            Err(_) => (self.show(act, reply_by).await, Vec::new()),
        };
        drop(waiting);
        Ok(Acted {
            account,
            frame,
            pictures,
            replayed: false,
        })
    }

    /// Waits for a step that another call began, or returns its account if it has ended.
    async fn join(
        self: &Arc<Self>,
        act: &Act,
        reply_by: Instant,
        mut progress: StepProgress,
    ) -> Result<Acted, Refused> {
        // Holding this handle keeps the step running if the caller that began it disconnects.
        let _waiting = progress.waiting.upgrade();
        let account = tokio::time::timeout_at(reply_by, outcome(act, &mut progress.account));
        let account = account.await.unwrap_or_else(|_| Err(still_at_work()))?;
        let frame = self.show(act, reply_by).await;
        Ok(Acted {
            account,
            frame,
            pictures: Vec::new(),
            replayed: true,
        })
    }

    /// Runs the step: waits for the input, executes the step, and keeps the input until the frame
    /// is taken.
    async fn run(
        self: Arc<Self>,
        act: Arc<Act>,
        reply_by: Instant,
        cancel: CancellationToken,
        sender: watch::Sender<Option<Result<Account, Refused>>>,
        framed: oneshot::Sender<StepPictures>,
        permit: OwnedSemaphorePermit,
    ) {
        let mut pictures = Vec::new();
        let account = self
            .do_it(&act, reply_by, &cancel, &sender, &mut pictures)
            .await;
        let (account, turn) = match account {
            Ok((account, turn)) => (Ok(account), turn),
            Err(refused) => (Err(refused), None),
        };
        if account.is_err()
            && let Some(operation) = &act.operation
        {
            // Nothing was done: the same id can be used again.
            lock(&self.journal).take_back(&operation.id);
        }
        match &account {
            Ok(account) => tracing::debug!(
                outcome = ?account.outcome, actions = account.results.len(),
                settled = ?account.settled.ended, "done"
            ),
            // The message of a refusal may contain a character of a text, so it is not logged.
            Err(_) => tracing::debug!("refused"),
        }
        let done = account.is_ok();
        let observed = act.observer.as_ref();
        let observed =
            observed.and_then(|observer| Some((observer, account.as_ref().ok()?.clone())));
        sender.send_if_modified(|known| {
            // The input thread may already have sent its late account, which is kept: it is more
            // exact than an unknown outcome.
            let new = known.is_none();
            known.get_or_insert(account);
            new
        });
        if done && !cancel.is_cancelled() {
            let frame = self.show(&act, reply_by).await;
            if let Some((observer, account)) = observed {
                observer.ended(&account, frame.as_ref(), &pictures);
            }
            // The caller may have disconnected.
            drop(framed.send((frame, pictures)));
        } else if let Some((observer, account)) = observed {
            observer.ended(&account, None, &pictures);
        }
        drop((turn, permit));
    }

    async fn do_it(
        &self,
        act: &Arc<Act>,
        reply_by: Instant,
        cancel: &CancellationToken,
        sender: &watch::Sender<Option<Result<Account, Refused>>>,
        pictures: &mut Vec<(usize, Frame)>,
    ) -> Result<(Account, Option<OwnedSemaphorePermit>), Refused> {
        let turn = tokio::select! {
            biased;
            turn = Arc::clone(&self.turn).acquire_owned() => turn.ok(),
            () = cancel.cancelled() => None,
            () = tokio::time::sleep_until(reply_by) => None,
        };
        let Some(turn) = turn else {
            return Err(if self.shutdown.is_cancelled() {
                Refused::NoInput(Failure::stopping())
            } else {
                Refused::Late(self.capture.overdue())
            });
        };
        *lock(&self.current) = cancel.clone();
        self.connecting(reply_by).await;
        // Who takes control cancels the step that `current` names, so one of both sees the other.
        let control_epoch = self.leases.epoch();
        let space = self.check(act)?;
        if let Some(window) = space.window() {
            let point = self.first_point(act, &space);
            let checked = self.windows.check_space(window, point, reply_by).await;
            checked.map_err(Refusal::from)?;
        }
        let left = reply_by.saturating_duration_since(Instant::now());
        let until = StdInstant::now() + left - FRAME_LEAD.min(left / 4);
        let (reply, mut answer) = oneshot::channel();
        let deadline = Instant::from_std(until) - ERRAND_LEAD;
        let mut errands = Errands::begin(self, act, space.clone(), deadline).await?;
        let (sends_errands, mut asked) = mpsc::unbounded_channel();
        let begun = Arc::new(Begun::default());
        let job = Job {
            begun: Arc::clone(&begun),
            act: Arc::clone(act),
            space,
            cancel: cancel.clone(),
            stopping: self.shutdown.clone(),
            until,
            reply,
            errands: sends_errands,
            span: tracing::Span::current(),
        };
        if !self.order(InputOrder::Perform(Box::new(job))) {
            return Err(Refused::NoInput(self.capture.overdue()));
        }
        let runner = async {
            while let Some(errand) = asked.recv().await {
                errands.run(errand, pictures).await;
                self.orders.bell().ring();
            }
            // The input thread has dropped its end: there are no more errands, and its answer
            // follows.
            std::future::pending::<Infallible>().await
        };
        // The input thread ends the step at `until`, unless the X server hangs. Then it is not
        // known which actions were done.
        tokio::select! {
            biased;
            answer = &mut answer => {
                let stopping = || Refused::NoInput(Failure::stopping());
                let answer = answer.unwrap_or_else(|_| {
                    // Unless the daemon stops, a closed reply channel means that deskd has a
                    // defect.
                    let over = self.shutdown.is_cancelled();
                    if over { Err(stopping()) } else { Ok(Account::unknown(act, defect())) }
                });
                match answer {
                    // The shutdown ended the step, not its deadline.
                    Err(Refused::Late(_)) if self.shutdown.is_cancelled() => Err(stopping()),
                    Err(Refused::Late(_)) if self.leases.epoch() != control_epoch => {
                        Err(self.handed_over(act, control_epoch).into())
                    }
                    account => {
                        let mut account = account?;
                        self.explain(&mut account, act, control_epoch);
                        Ok((account, Some(turn)))
                    }
                }
            }
            never = runner => match never {},
            () = tokio::time::sleep_until(reply_by + GRACE) => {
                if begun.prevent() {
                    // No event was sent, and none will be.
                    lock(&self.tasks).spawn(async move {
                        drop(answer.await);
                        drop(turn);
                    });
                    return Err(Refused::Late(self.capture.overdue()));
                }
                let (waits, call) = self.waits_in();
                tracing::warn!(
                    waits,
                    call,
                    "a step did not end at its deadline: what was done of it is not known yet"
                );
                let account = Account::unknown(act, self.capture.overdue());
                // The step keeps the input until the thread has ended it. A retry with the same
                // operation id receives the late account.
                let (late, observer) = (sender.clone(), act.observer.clone());
                lock(&self.tasks).spawn(async move {
                    if let Ok(Ok(account)) = answer.await {
                        if let Some(observer) = observer {
                            observer.ended(&account, None, &[]);
                        }
                        late.send_replace(Some(Ok(account)));
                    }
                    drop(turn);
                });
                Ok((account, None))
            }
        }
    }
}

impl Account {
    /// Returns the account of a step of which nothing is known, because the X server hangs or deskd
    /// has a defect.
    fn unknown(act: &Act, failure: Failure) -> Self {
        let unknown = Done {
            status: ActionStatus::Unknown,
            ..Done::default()
        };
        let mut results = vec![unknown; act.actions.len()];
        if let Some(first) = results.first_mut() {
            first.failure = Some(Failure {
                stage: Stage::Input,
                ..failure
            });
        }
        Self {
            outcome: Outcome::Unknown,
            results,
            settled: Settled {
                ended: Ended::Deadline,
                waited: Duration::ZERO,
                changed: None,
                excepted: Vec::new(),
            },
        }
    }
}

/// Waits for the account of a step.
async fn outcome(
    act: &Act,
    account: &mut watch::Receiver<Option<Result<Account, Refused>>>,
) -> Result<Account, Refused> {
    let done = account.wait_for(Option::is_some).await;
    let done = done.ok().and_then(|account| account.clone());
    // A task that ended without an account has a defect.
    done.unwrap_or_else(|| Ok(Account::unknown(act, defect())))
}

/// Returns the refusal of a call that repeats a running step and has reached its own deadline.
fn still_at_work() -> Refused {
    Refused::Late(Failure {
        stage: Stage::Timeout,
        cause: Cause::Deadline,
        message: "the step that this call repeats is still under way".into(),
    })
}

fn defect() -> Failure {
    Failure {
        stage: Stage::Input,
        cause: Cause::Internal,
        message: "a defect in deskd ended the step".into(),
    }
}
