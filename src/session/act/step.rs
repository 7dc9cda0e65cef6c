//! One step on the input thread: planned whole, begun, done, cleaned up after,
//! settled.

use std::{
    collections::VecDeque,
    ops::Range,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use super::{
    Account, Outcome, Refused, Settled,
    action::{Action, Done, Status},
    hands::{Stop, end_holds},
    ledger::Ledger,
    pacing::{Kind, input_of},
    plan::{Ground, Step, plan},
    pressed::publish,
    thread::{Connected, Job, LONG, Shot, Worker},
};
use crate::{
    failure::{Cause, Failure, Stage},
    gate::Given,
    x11::{Error, Injector, Input, PointerState, Survey, uptime},
};

/// Maximum time that a click of another program is waited for.
const CLICK: Duration = Duration::from_millis(200);
/// How often one looks whether it has ended.
const LOOK: Duration = Duration::from_millis(2);
/// Keysyms: Return, the keypad's Enter, space.
const RETURN: u32 = 0xff0d;
const ENTER: u32 = 0xff8d;
const SPACE: u32 = 0x20;
/// Alt, left and right.
const ALT: [u32; 2] = [0xffe9, 0xffea];

/// The steps of some actions, or why one of them cannot be; and the state that says so.
type Prepared = (Result<Vec<Step>, Refused>, Survey);

/// How far a step has come.
struct Course {
    outcome: Outcome,
    /// One for each action so far.
    results: Vec<Done>,
    /// The executed step for each action so far.
    steps: Vec<Step>,
    /// Actions up to the last picture.
    seen: usize,
    /// How the screen settled before that picture.
    settled: Option<Settled>,
    /// Screen pixels of the pointer at the beginning, or at the last picture.
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
    fn pressed(&self) -> Vec<Input> {
        let pressed = self.steps.iter().filter_map(|step| match step {
            Step::Down { held, .. } => Some(held.input),
            _ => None,
        });
        pressed.collect()
    }

    /// Whether nothing was done since the last picture, or at all: the screen has nothing to
    /// answer.
    fn is_seen(&self) -> bool {
        let since = self.results[self.seen..].iter();
        since.map(|done| &done.refused).all(Option::is_some)
    }
}

impl Worker {
    pub(super) fn perform(&mut self, job: Job) {
        let answer = job.span.in_scope(|| self.attempt(&job));
        // Who waits may have gone: the journal has taken it then.
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
        // Nobody releases what a step leaves down that does not go on.
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

    /// Begins to watch what the screen does after the input that follows.
    fn watch_for_rest(&mut self, job: &Job) -> Result<(), Error> {
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

    /// Does the planned steps; then plans and does those of the other actions one by one,
    /// until one of them cannot be done.
    fn do_all(&mut self, job: &Job, planned: Vec<Step>, survey: &Survey, course: &mut Course) {
        let actions = &job.act.actions;
        let mut planned = VecDeque::from(planned);
        // The last step that gave input: a wait after it changes nothing.
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
            done.status = Status::Done;
            course.results.push(done);
            course.steps.push(step);
            if input_of(action) != Kind::None {
                acted = Some(index);
            }
            if matches!(action, Action::Screenshot(_)) {
                course.seen = course.steps.len();
            }
            let next = next.filter(|next| job.act.paced && *next != Kind::None);
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
                // The next action is the one that could not begin.
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
        let Step::Screenshot(image) = step else {
            return self.hands(&job.cancel, job.until, |hands| hands.perform(step, done));
        };
        if job.act.settle.is_some() && !course.is_seen() {
            let settled = self.settle(job, course);
            done.settled = Some(settled.clone());
            course.settled = Some(settled);
        }
        let (reply, answer) = oneshot::channel();
        let shot = Shot {
            index,
            image: image.clone(),
            reply,
        };
        drop(job.camera.send(shot));
        self.hands(&job.cancel, job.until, |hands| {
            hands.until_taken(index, answer)?;
            let (x, y) = hands.injector.pointer()?;
            course.from = (x, y);
            done.pointer = Some((x, y));
            Ok::<_, Stop>(())
        })?;
        Ok(self.watch_for_rest(job)?)
    }

    /// The step of an action whose turn has come: as planned, or planned now if nothing was,
    /// or if the screen is not the one any more that it was planned for.
    fn next_step(
        &mut self,
        job: &Job,
        index: usize,
        planned: &mut VecDeque<Step>,
        of: &Survey,
    ) -> Result<Step, Stop> {
        if index == 0
            && let Some(step) = planned.pop_front()
        {
            return Ok(step);
        }
        let now = self.survey()?;
        if (now.screen, now.epoch) != (of.screen, of.epoch) {
            planned.clear();
        }
        if let Some(step) = planned.pop_front() {
            return Ok(step);
        }
        expected(job, &now).map_err(Stop::Refused)?;
        let (steps, _) = self.plan_with(job, now, index..index + 1)?;
        let mut steps = steps.map_err(Stop::Refused)?;
        let step = steps.pop();
        step.ok_or(Stop::Lost(Error::Protocol("an action has no step")))
    }

    /// Why a step ends, and what that means for the action that it ends at.
    fn stopped(&mut self, job: &Job, stop: Stop, done: &mut Done) -> Outcome {
        done.status = Status::Failed;
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

    /// Finds out how to do the actions in `range`, before the first of the step is done.
    fn prepare(&mut self, job: &Job, range: Range<usize>) -> Result<Prepared, Error> {
        self.connect()?;
        let survey = match self.survey() {
            Ok(survey) => survey,
            // A server that was replaced shows at the first question.
            Err(error) => {
                self.lose(&error);
                self.connect()?;
                self.survey()?
            }
        };
        let survey = self.until_others_let_go(job, survey)?;
        if let Err(refused) = expected(job, &survey) {
            return Ok((Err(refused), survey));
        }
        self.plan_with(job, survey, range)
    }

    /// Plans actions; also with the keycodes of characters, where one is needed for a key.
    fn plan_with(
        &mut self,
        job: &Job,
        survey: Survey,
        range: Range<usize>,
    ) -> Result<Prepared, Error> {
        let planned = self.plan(job, &survey, range.clone())?;
        let bound = self
            .connected
            .as_ref()
            .is_some_and(|c| c.injector.has_bound());
        if bound && self.typed.is_none() {
            // Also those that were bound for a step that is refused are given back.
            self.typed = Some(Instant::now());
        }
        if bound && matches!(planned, Err(Refused::NoKey { .. })) {
            // It may be one that was taken for characters.
            let left = job.until.saturating_duration_since(Instant::now());
            if self.unbind(left)? {
                let survey = self.survey()?;
                return Ok((self.plan(job, &survey, range)?, survey));
            }
        }
        Ok((planned, survey))
    }

    /// A click of another program ends within milliseconds, while a window manager holds
    /// the pointer frozen: it is no reason to refuse a step. Waits at most [`CLICK`].
    fn until_others_let_go(&mut self, job: &Job, mut survey: Survey) -> Result<Survey, Error> {
        let start = Instant::now();
        let is_ours = |ledger: &Ledger, number| ledger.is_held(Input::Button(number));
        while survey.pointer.down().any(|one| !is_ours(&self.ledger, one))
            && start.elapsed() < CLICK
            && !job.cancel.is_cancelled()
        {
            self.bell.wait(None, LOOK).map_err(Error::Lost)?;
            survey = self.survey()?;
        }
        Ok(survey)
    }

    fn survey(&mut self) -> Result<Survey, Error> {
        match &mut self.connected {
            Some(connected) => connected.injector.survey(),
            None => Err(Error::Protocol("the connection went at once")),
        }
    }

    fn plan(
        &mut self,
        job: &Job,
        survey: &Survey,
        range: Range<usize>,
    ) -> Result<Result<Vec<Step>, Refused>, Error> {
        let Some(Connected { injector, .. }) = &mut self.connected else {
            return Err(Error::Protocol("the connection went at once"));
        };
        let Survey {
            generation,
            epoch,
            screen,
            keyboard,
            pointer,
        } = *survey;
        if let Err(refusal) = job.space.is_of(generation, epoch) {
            return Ok(Err(refusal.into()));
        }
        let actions = &job.act.actions;
        bind_keys(injector, &actions[range.clone()], keyboard.group)?;
        let mut missing_buttons = Vec::new();
        for number in 1..=9 {
            if !injector.has_button(number)? {
                missing_buttons.push(number);
            }
        }
        let keymap = injector.keymap()?;
        let ground = Ground {
            space: &job.space,
            screen,
            keymap,
            keyboard,
            ledger: &self.ledger,
            pointer,
            missing_buttons: &missing_buttons,
            now: uptime(),
        };
        Ok(plan(&ground, actions, range))
    }

    /// Waits until the screen rests after what was done since the last picture.
    fn settle(&mut self, job: &Job, course: &Course) -> Settled {
        let skipped = Settled::skipped();
        let Some(Connected { injector, resting }) = &mut self.connected else {
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

/// Binds the named keys that the layout lacks to unused keycodes, so that every name
/// that X knows can be pressed.
fn bind_keys(injector: &mut Injector, actions: &[Action], group: u8) -> Result<(), Error> {
    let named = actions.iter().flat_map(|action| match action {
        Action::Chord { keys, .. } | Action::Paste { keys, .. } => keys.as_slice(),
        Action::Move { modifiers, .. }
        | Action::Click { modifiers, .. }
        | Action::Drag { modifiers, .. }
        | Action::Scroll { modifiers, .. } => modifiers.as_slice(),
        Action::KeyDown { key, .. } | Action::KeyUp { key } => std::slice::from_ref(key),
        Action::ButtonDown { .. }
        | Action::ButtonUp { .. }
        | Action::Type { .. }
        | Action::Wait(_)
        | Action::Screenshot(_) => &[],
    });
    let mut named: Vec<u32> = named.map(|key| key.keysym).collect();
    named.sort_unstable();
    named.dedup();
    let mut missing = Vec::new();
    for keysym in named {
        let stroke = injector.keymap()?.press_keysym(keysym, group);
        let of_layout = stroke.is_some_and(|stroke| !injector.is_bound(stroke.keycode));
        if !of_layout && crate::keys::is_bindable(keysym) {
            missing.push(keysym);
        }
    }
    injector.pin(&missing);
    if !missing.is_empty() {
        injector.bind(&missing, false)?;
    }
    Ok(())
}

/// Whether the last key of a step is one that activates what has the focus.
fn activates(actions: &[Action]) -> bool {
    const ACTIVATE: [u32; 3] = [RETURN, ENTER, SPACE];
    match actions.last() {
        Some(Action::Type { text, .. }) => text.0.ends_with(['\n', ' ']),
        Some(Action::Chord { keys, .. }) => {
            // Alt and a letter press a button by its mnemonic.
            let alt = keys.len() > 1 && keys.iter().any(|key| ALT.contains(&key.keysym));
            alt || keys
                .last()
                .is_some_and(|key| ACTIVATE.contains(&key.keysym))
        }
        _ => false,
    }
}

/// The place of the press that ends the step; `None` when something else ends it, or
/// where the pointer was is not named.
fn last_press(steps: &[Step]) -> Option<(u32, u32)> {
    let mut acting = steps.iter().rev();
    match acting.find(|step| !matches!(step, Step::Wait(_) | Step::Move { .. }))? {
        Step::Click { at, .. } => *at,
        _ => None,
    }
}

/// Refuses a step that is meant for another desktop.
fn expected(job: &Job, survey: &Survey) -> Result<(), Refused> {
    let expect = &job.act.expect;
    let now = survey.generation.to_string();
    if let Some(expected) = expect.generation.as_ref().filter(|e| **e != now) {
        return Err(Refused::StaleGeneration {
            expected: expected.clone(),
            now,
        });
    }
    if let Some(expected) = expect.epoch.filter(|e| *e != survey.epoch) {
        return Err(Refused::StaleEpoch {
            expected,
            now: survey.epoch,
        });
    }
    Ok(job.space.is_of(survey.generation, survey.epoch)?)
}

/// Why a step does not go on that nobody waits for.
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

fn late() -> Failure {
    Failure {
        stage: Stage::Timeout,
        cause: Cause::Deadline,
        message: "the caller's deadline came, or the caller went".into(),
    }
}
