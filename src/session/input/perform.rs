//! Executes one step on the input thread: plans it, executes its actions one by one, releases
//! leftover input, and waits until the screen settles.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use super::{
    action::{Account, Action, ActionStatus, Done, Outcome, Settled},
    hands::end_holds,
    job::{Errand, ErrandWork, Job},
    pacing::{InputKind, input_of},
    planned::Step,
    pressed::publish,
    refused::Refused,
    stop::{Stop, failed},
    thread::{InputConnection, InputWorker, LONG},
};
use crate::{
    failure::{Cause, Failure, Stage},
    gate::Given,
    session::windows::Waited,
    x11::{DisplayError, Injector, KeyOrButton, PointerState, Survey, uptime},
};

/// Keysyms: Return, the keypad's Enter, space.
const RETURN: u32 = 0xff0d;
const ENTER: u32 = 0xff8d;
const SPACE: u32 = 0x20;
/// Alt, left and right.
const ALT: [u32; 2] = [0xffe9, 0xffea];

/// The progress of a step.
struct Course {
    outcome: Outcome,
    /// One result for each action so far.
    results: Vec<Done>,
    /// The planned action of each action that was executed so far.
    steps: Vec<Step>,
    /// Number of actions up to and including the last picture.
    seen: usize,
    /// How the screen settled before that picture.
    settled: Option<Settled>,
    /// Position of the pointer in screen pixels at the beginning of the step, or at the last
    /// picture.
    from: (i32, i32),
}

impl Course {
    fn new(pointer: (i32, i32)) -> Self {
        Self {
            outcome: Outcome::Done,
            results: Vec::new(),
            steps: Vec::new(),
            seen: 0,
            settled: None,
            from: pointer,
        }
    }

    /// The input that `button_down` and `key_down` of the step pressed.
    fn pressed(&self) -> Vec<KeyOrButton> {
        let pressed = self.steps.iter().filter_map(|step| match step {
            Step::Down { held, .. } => Some(held.input),
            _ => None,
        });
        pressed.collect()
    }

    /// Whether no action was executed since the last picture, or since the beginning of the step.
    /// Then the screen has nothing to answer.
    fn is_seen(&self) -> bool {
        let since = self.results[self.seen..].iter();
        since.map(|done| &done.refused).all(Option::is_some)
    }
}

impl InputWorker {
    pub(super) fn perform(&mut self, job: Job) {
        let answer = job.span.in_scope(|| self.attempt(&job));
        // The receiver may be gone; then the account is not needed any more.
        drop(job.reply.send(answer));
    }

    fn attempt(&mut self, job: &Job) -> Result<Account, Refused> {
        if job.cancel.is_cancelled() || Instant::now() >= job.until {
            return Err(Refused::Late(late()));
        }
        let first = if job.act.stop_at_first {
            0..1.min(job.act.actions.len())
        } else {
            0..job.act.actions.len()
        };
        let (planned, survey) = match self.prepare(job, first) {
            Ok(prepared) => prepared,
            Err(error) => {
                self.lose(&error);
                return Err(Refused::NoInput(error.failure()));
            }
        };
        if let Err(refused) = &planned
            && !(job.act.stop_at_first && refused.is_of_action())
        {
            return Err(refused.clone());
        }
        let PointerState { x, y, .. } = survey.pointer;
        if let Err(error) = self.watch_for_rest(job) {
            return Err(Refused::NoInput(error.failure()));
        }
        if !job.begun.begin() {
            return Err(Refused::Late(late()));
        }
        let mut course = Course::new((x, y));
        self.pacing.owner = None;
        match planned {
            Ok(steps) => self.do_all(job, steps, &survey, &mut course),
            Err(refused) => {
                let mut done = Done::default();
                course.outcome = self.stopped(job, Stop::Refused(refused), &mut done);
                course.results.push(done);
            }
        }
        // A step that stops early will not execute its own `button_up` and `key_up`, so what it
        // left down is released here.
        let abandoned = matches!(course.outcome, Outcome::Cancelled | Outcome::Deadline);
        let down = if abandoned {
            course.pressed()
        } else {
            Vec::new()
        };
        if self.connected.is_some()
            && let Err(error) = self.hands(&job.cancel, job.until, |hands| hands.clean_up(&down))
        {
            self.lose(&error);
            course.outcome = Outcome::Unknown;
        }
        self.publish();
        let bound = self
            .connected
            .as_ref()
            .is_some_and(|c| c.injector.has_bound());
        self.typed = bound.then(Instant::now);
        let settled = if course.is_seen() {
            course.settled.take().unwrap_or_else(Settled::skipped)
        } else {
            self.settle(job, &course)
        };
        if let Some(clipboard) = &self.clipboard {
            clipboard.finish();
        }
        let mut results = course.results;
        results.resize_with(job.act.actions.len(), Done::default);
        Ok(Account {
            outcome: course.outcome,
            results,
            settled,
        })
    }

    /// Begins to watch the screen, for the wait after the input that follows. Does nothing if the
    /// step has no `settle`.
    fn watch_for_rest(&mut self, job: &Job) -> Result<(), DisplayError> {
        let (Some(settling), Some(connected)) = (job.act.settle, &mut self.connected) else {
            return Ok(());
        };
        let given = Given {
            limit: settling.limit,
            quiet: settling.quiet,
            ..Given::default()
        };
        let observer = connected.injector.observer();
        let began = connected.resting.begin(observer, given);
        began.inspect_err(|error| self.lose(error))
    }

    /// Executes the planned actions; then plans and executes the other actions one by one, until
    /// one of them cannot be done.
    fn do_all(&mut self, job: &Job, planned: Vec<Step>, survey: &Survey, course: &mut Course) {
        let actions = &job.act.actions;
        let mut planned = VecDeque::from(planned);
        // Index of the last action that gave input. A wait or a picture after it does not change
        // it.
        let mut acted = None;
        for (index, action) in actions.iter().enumerate() {
            let mut done = Done::default();
            let start = Instant::now();
            let next = actions.get(index + 1).map(input_of);
            self.pacing.on = job.act.paced && next.is_some();
            let step = self.next_step(job, index, &mut planned, survey);
            let performed = step.and_then(|step| {
                self.perform_one(job, index, &step, course, &mut done)?;
                Ok(step)
            });
            done.took = start.elapsed();
            let step = match performed {
                Ok(step) => step,
                Err(stop) => {
                    course.outcome = self.stopped(job, stop, &mut done);
                    course.results.push(done);
                    return;
                }
            };
            done.status = ActionStatus::Done;
            course.results.push(done);
            course.steps.push(step);
            if input_of(action) != InputKind::None {
                acted = Some(index);
            }
            if matches!(action, Action::Screenshot(_)) {
                course.seen = course.steps.len();
            }
            let next = next.filter(|next| job.act.paced && *next != InputKind::None);
            let (Some(next), Some(acted)) = (next, acted) else {
                continue;
            };
            let Some(done) = course.results.last_mut() else {
                continue;
            };
            let step = &course.steps[acted];
            let paced = self.hands(&job.cancel, job.until, |hands| {
                hands.take_effect(step, next, done)
            });
            if let Err(stop) = paced {
                // The failure belongs to the next action, which could not begin.
                let mut done = Done::default();
                course.outcome = self.stopped(job, stop, &mut done);
                course.results.push(done);
                return;
            }
        }
    }

    fn perform_one(
        &mut self,
        job: &Job,
        index: usize,
        step: &Step,
        course: &mut Course,
        done: &mut Done,
    ) -> Result<(), Stop> {
        let image = match step {
            Step::Screenshot(image) => image,
            Step::WaitFor { condition, limit } => {
                let work = ErrandWork::WaitFor {
                    condition: condition.clone(),
                    limit: *limit,
                };
                let Some(waited) = self.errand(job, index, work)? else {
                    return Ok(());
                };
                let stop = (!waited.is_met).then(|| not_met(&waited, *limit));
                done.waited = Some(waited);
                return stop.map_or(Ok(()), Err);
            }
            step => return self.hands(&job.cancel, job.until, |hands| hands.perform(step, done)),
        };
        if job.act.settle.is_some() && !course.is_seen() {
            let settled = self.settle(job, course);
            done.settled = Some(settled.clone());
            course.settled = Some(settled);
        }
        self.errand(job, index, ErrandWork::Picture(image.clone()))?;
        self.hands(&job.cancel, job.until, |hands| {
            let (x, y) = hands.injector.pointer()?;
            course.from = (x, y);
            done.pointer = Some((x, y));
            Ok::<_, Stop>(())
        })?;
        Ok(self.watch_for_rest(job)?)
    }

    /// Has the call's task do the work, and waits for it.
    fn errand(
        &mut self,
        job: &Job,
        index: usize,
        work: ErrandWork,
    ) -> Result<Option<Waited>, Stop> {
        let (reply, answer) = oneshot::channel();
        drop(job.errands.send(Errand { index, work, reply }));
        self.hands(&job.cancel, job.until, |hands| hands.until_done(answer))
    }

    /// Stores in `done` why the step ends at this action, and returns the outcome of the step.
    fn stopped(&mut self, job: &Job, stop: Stop, done: &mut Done) -> Outcome {
        done.status = ActionStatus::Failed;
        match stop {
            Stop::Cancelled => {
                done.failure = Some(cancelled(job));
                Outcome::Cancelled
            }
            Stop::Deadline => {
                done.failure = Some(Failure {
                    stage: Stage::Timeout,
                    cause: Cause::Deadline,
                    message: "the deadline came before this action was done; take a new frame, and allow more time for the rest".into(),
                });
                Outcome::Deadline
            }
            Stop::Late(failure) => {
                done.failure = Some(failure);
                Outcome::Deadline
            }
            Stop::Failed(failure) => {
                done.failure = Some(failure);
                Outcome::Partial
            }
            Stop::Refused(refused) => {
                done.refused = Some(refused);
                Outcome::Partial
            }
            Stop::Lost(error) => {
                done.failure = Some(Failure {
                    stage: Stage::Input,
                    ..error.failure()
                });
                self.lose(&error);
                Outcome::Unknown
            }
        }
    }

    /// Waits until the screen is at rest after the input since the last picture.
    fn settle(&mut self, job: &Job, course: &Course) -> Settled {
        let skipped = Settled::skipped();
        let Some(InputConnection { injector, resting }) = &mut self.connected else {
            return skipped;
        };
        let Some(settling) = job.act.settle else {
            return skipped;
        };
        let (x, y) = course.from;
        resting.given(Given {
            limit: settling.limit,
            quiet: settling.quiet,
            activates: activates(&job.act.actions[course.seen..course.results.len()]),
            press: last_press(&course.steps[course.seen..]),
            from: u32::try_from(x).ok().zip(u32::try_from(y).ok()),
        });
        let (ledger, board) = (&mut self.ledger, &self.board);
        let tend = |injector: &mut Injector| {
            end_holds(injector, ledger, &|ledger| publish(board, ledger))?;
            let next = ledger.next_end();
            Ok(next.map_or(LONG, |end| end.saturating_sub(uptime())))
        };
        match resting.settle(injector, &job.cancel, job.until, tend) {
            Ok(settled) => settled,
            Err(error) => {
                self.lose(&error);
                skipped
            }
        }
    }
}

/// Whether the last action ends with a key that activates the control in focus.
fn activates(actions: &[Action]) -> bool {
    const ACTIVATE: [u32; 3] = [RETURN, ENTER, SPACE];
    match actions.last() {
        Some(Action::Type { text, .. }) => text.0.ends_with(['\n', ' ']),
        Some(Action::Chord { keys, .. }) => {
            // Alt with a letter activates a button by its mnemonic.
            let alt = keys.len() > 1 && keys.iter().any(|key| ALT.contains(&key.keysym));
            alt || keys
                .last()
                .is_some_and(|key| ACTIVATE.contains(&key.keysym))
        }
        _ => false,
    }
}

/// Returns the point of the click that ends the step; `None` if something else ends it, or if the
/// click names no point.
fn last_press(steps: &[Step]) -> Option<(u32, u32)> {
    let mut acting = steps.iter().rev();
    match acting.find(|step| !matches!(step, Step::Wait(_) | Step::Move { .. }))? {
        Step::Click { at, .. } => *at,
        _ => None,
    }
}

/// Returns why a cancelled step ended: the daemon stops, all callers disconnected, or `ReleaseAll`
/// was called.
fn cancelled(job: &Job) -> Failure {
    let (cause, message) = if job.stopping.is_cancelled() {
        (Cause::ShuttingDown, "deskd is stopping")
    } else {
        let message = "the caller went away, or ReleaseAll was called, before this action was done";
        (Cause::Cancelled, message)
    };
    Failure {
        stage: Stage::Input,
        cause,
        message: message.into(),
    }
}

/// Returns why a condition that was not met ends the step.
fn not_met(waited: &Waited, limit: Duration) -> Stop {
    let seen = match waited.windows.first() {
        Some(window) => format!("the topmost window is {window}"),
        None => "no window is on the screen".into(),
    };
    // The call's deadline came before the action's own.
    if waited.time < limit {
        return Stop::Late(Failure {
            stage: Stage::Timeout,
            cause: Cause::Deadline,
            message: format!("the deadline came before the condition was met; {seen}"),
        });
    }
    let time = humantime::format_duration(limit);
    failed(
        Cause::ConditionNotMet,
        format!("the condition was not met within {time}; {seen}"),
    )
}

fn late() -> Failure {
    Failure {
        stage: Stage::Timeout,
        cause: Cause::Deadline,
        message: "the caller's deadline came, or the caller went".into(),
    }
}
