//! A call of a step: its turn, its task, its account and its frame.

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
    action::{Account, Act, Acted, Action, ActionStatus, Done, Ended, Outcome, Settled},
    job::{Begun, InputOrder, Job, StepWaiting},
    journal::{KnownStep, StepProgress},
    lock,
    pictures::StepPictures,
    refused::Refused,
};
use crate::{
    failure::{Cause, Failure, Stage},
    session::{
        capture::{Frame, Resolved},
        paint,
    },
    x11::LinkState,
};

/// Time before the reply must leave at which the wait for the screen ends, so that a frame
/// can still be taken; a quarter of the step's time if that is less.
const FRAME_LEAD: Duration = Duration::from_millis(300);
/// The input thread ends a step in time by itself; after so much longer it is not
/// waited for any more. The reply still arrives: it leaves 100 ms early.
const GRACE: Duration = Duration::from_millis(50);
/// Time before the end of the input thread's step at which the wait for an action's picture
/// ends: a card is sent in its place.
const PICTURE_LEAD: Duration = Duration::from_millis(30);
impl Input {
    /// Does a step, and shows the screen after it.
    ///
    /// # Errors
    ///
    /// A [`Refused`]: nothing was done.
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

    /// Does a new step in a task of its own, and waits for it.
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
        // Every line of the log that this step causes carries its id.
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
        // The task itself keeps to the deadline.
        let account = outcome(act, &mut account).await?;
        let (frame, pictures) = match frame.await {
            Ok(seen) => seen,
            Err(_) => (self.show(act, reply_by).await?, Vec::new()),
        };
        drop(waiting);
        Ok(Acted {
            account,
            frame,
            pictures,
            replayed: false,
        })
    }

    /// Waits for a step that another call began, or takes what it did.
    async fn join(
        self: &Arc<Self>,
        act: &Act,
        reply_by: Instant,
        mut progress: StepProgress,
    ) -> Result<Acted, Refused> {
        // It goes on when the one who began it goes away.
        let _waiting = progress.waiting.upgrade();
        let account = tokio::time::timeout_at(reply_by, outcome(act, &mut progress.account));
        let account = account.await.unwrap_or_else(|_| Err(still_at_work()))?;
        let frame = self.show(act, reply_by).await?;
        Ok(Acted {
            account,
            frame,
            pictures: Vec::new(),
            replayed: true,
        })
    }

    /// The step itself: waits for its turn, does it, and keeps the input until
    /// the frame is taken.
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
            // Nothing was done: the same id may be tried again.
            lock(&self.journal).take_back(&operation.id);
        }
        match &account {
            Ok(account) => tracing::debug!(
                outcome = ?account.outcome, actions = account.results.len(),
                settled = ?account.settled.ended, "done"
            ),
            // Its words may hold a character of a text.
            Err(_) => tracing::debug!("refused"),
        }
        let done = account.is_ok();
        sender.send_if_modified(|known| {
            // What came late is better than that it is not known.
            let new = known.is_none();
            known.get_or_insert(account);
            new
        });
        if done
            && !cancel.is_cancelled()
            && let Ok(frame) = self.show(&act, reply_by).await
        {
            // Who waits may have gone.
            drop(framed.send((frame, pictures)));
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
        let space = self.check(act)?;
        let left = reply_by.saturating_duration_since(Instant::now());
        let until = StdInstant::now() + left - FRAME_LEAD.min(left / 4);
        let (reply, mut answer) = oneshot::channel();
        let (camera, mut shots) = mpsc::unbounded_channel();
        let begun = Arc::new(Begun::default());
        let job = Job {
            begun: Arc::clone(&begun),
            act: Arc::clone(act),
            space,
            cancel: cancel.clone(),
            stopping: self.shutdown.clone(),
            until,
            reply,
            camera,
            span: tracing::Span::current(),
        };
        if !self.order(InputOrder::Perform(Box::new(job))) {
            return Err(Refused::NoInput(self.capture.overdue()));
        }
        let photographer = async {
            while let Some(shot) = shots.recv().await {
                let deadline = Instant::from_std(until) - PICTURE_LEAD;
                self.photograph(act, shot, deadline, pictures).await;
                self.orders.bell().ring();
            }
            // The thread has no more for it: its answer comes.
            std::future::pending::<Infallible>().await
        };
        // The thread ends by itself at `until`, unless the server hangs: then
        // nobody knows what of it was done.
        tokio::select! {
            biased;
            answer = &mut answer => {
                let stopping = || Refused::NoInput(Failure::stopping());
                let answer = answer.unwrap_or_else(|_| {
                    // A thread that is not asked to end has met a defect.
                    let over = self.shutdown.is_cancelled();
                    if over { Err(stopping()) } else { Ok(Account::unknown(act, defect())) }
                });
                match answer {
                    // Its time was not up: the daemon's is.
                    Err(Refused::Late(_)) if self.shutdown.is_cancelled() => Err(stopping()),
                    account => Ok((account?, Some(turn))),
                }
            }
            never = photographer => match never {},
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
                // The input stays taken until the thread is through with it. A retry
                // learns what was done after all.
                let late = sender.clone();
                lock(&self.tasks).spawn(async move {
                    if let Ok(Ok(account)) = answer.await {
                        late.send_replace(Some(Ok(account)));
                    }
                    drop(turn);
                });
                Ok((account, None))
            }
        }
    }

    /// Waits while the first connection is being made.
    async fn connecting(&self, until: Instant) {
        let mut link = self.capture.display.link();
        let made = link.wait_for(|link| !matches!(link.state, LinkState::Connecting));
        // Whatever came of it, the state says so.
        drop(tokio::time::timeout_at(until, made).await);
    }

    /// Checks that need no X server.
    fn check(&self, act: &Act) -> Result<Resolved, Refused> {
        let link = self.capture.link();
        match &link.state {
            LinkState::Up(_) => {}
            LinkState::Down(failure) => return Err(Refused::NoInput(failure.clone())),
            LinkState::Connecting => return Err(Refused::NoInput(self.capture.overdue())),
        }
        let LinkState::Up(screen) = &link.state else {
            return Err(Refused::NoInput(self.capture.overdue()));
        };
        if let Some(id) = &act.expect.frame {
            let shown = Resolved::Frame(id.clone(), self.capture.frames().find(id)?);
            shown.is_of(screen.generation, screen.geometry_epoch)?;
        }
        let space = self.capture.resolve(&act.space)?;
        // What no screen can answer with is known before anything is done.
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

impl Account {
    /// The account of a step whose server hangs.
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
    // A task that ended without a word has met a defect.
    done.unwrap_or_else(|| Ok(Account::unknown(act, defect())))
}

/// The answer to a call that repeats a running step, at the call's own deadline.
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
