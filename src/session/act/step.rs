//! One step on the input thread: planned whole, begun, done, cleaned up after,
//! settled.

use std::time::{Duration, Instant};

use super::{
    Account, Ended, Outcome, Refused, Settled,
    action::{Action, Done},
    hands::{Stop, end_holds},
    ledger::Ledger,
    pacing::gives_input,
    plan::{Ground, Step, plan},
    pressed::publish,
    thread::{Connected, Job, LONG, Worker},
};
use crate::{
    failure::{Cause, Failure, Stage},
    gate::Given,
    x11::{Error, Generation, Injector, Input, PointerState, Survey, uptime},
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
        let (steps, survey) = match self.prepare(job) {
            Ok(prepared) => prepared?,
            Err(error) => {
                self.lose(&error);
                return Err(Refused::NoInput(error.failure()));
            }
        };
        let PointerState { x, y, .. } = survey.pointer;
        let from = u32::try_from(x).ok().zip(u32::try_from(y).ok());
        if let (Some(settling), Some(connected)) = (job.act.settle, &mut self.connected) {
            let given = Given {
                limit: settling.limit,
                activates: activates(&job.act.actions),
                press: last_press(&steps),
                from,
                quiet: settling.quiet,
            };
            let observer = connected.injector.observer();
            let began = connected.resting.begin(observer, given);
            if let Err(error) = began {
                self.lose(&error);
                return Err(Refused::NoInput(error.failure()));
            }
        }
        if !job.begun.begin() {
            return Err(Refused::Late(late()));
        }
        let mut results = Vec::with_capacity(steps.len());
        let mut outcome = Outcome::Done;
        // The last action that gave input: a wait after it changes nothing.
        let mut acted = None;
        for (index, step) in steps.iter().enumerate() {
            let next = steps.get(index + 1);
            let mut done = Done::default();
            let start = Instant::now();
            self.pacing.on = job.act.paced && next.is_some();
            if gives_input(step) {
                acted = Some(step);
            }
            let stop = self.hands(&job.cancel, job.until, |hands| {
                hands.perform(step, &mut done)
            });
            done.took = start.elapsed();
            done.done = stop.is_ok();
            if let Err(stop) = stop {
                outcome = self.stopped(stop, &mut done);
                results.push(done);
                break;
            }
            let next = next.filter(|next| job.act.paced && gives_input(next));
            let (Some(next), Some(acted)) = (next, acted) else {
                results.push(done);
                continue;
            };
            let paced = self.hands(&job.cancel, job.until, |hands| {
                hands.take_effect(acted, next, &mut done)
            });
            results.push(done);
            if let Err(stop) = paced {
                // The next action is the one that could not begin.
                let mut done = Done::default();
                outcome = self.stopped(stop, &mut done);
                results.push(done);
                break;
            }
        }
        if self.connected.is_some()
            && let Err(error) = self.hands(&job.cancel, job.until, |hands| hands.clean_up())
        {
            self.lose(&error);
            outcome = Outcome::Unknown;
        }
        self.publish();
        let bound = self
            .connected
            .as_ref()
            .is_some_and(|c| c.injector.has_bound());
        self.typed = bound.then(Instant::now);
        let settled = self.settle(job);
        if let Some(clipboard) = &self.clipboard {
            clipboard.finish();
        }
        Ok(Account {
            outcome,
            results,
            settled,
        })
    }

    fn stopped(&mut self, stop: Stop, done: &mut Done) -> Outcome {
        match stop {
            Stop::Cancelled => Outcome::Cancelled,
            Stop::Deadline => Outcome::Deadline,
            Stop::Late(failure) => {
                done.failure = Some(failure);
                Outcome::Deadline
            }
            Stop::Failed(failure) => {
                done.failure = Some(failure);
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

    /// Finds out how to do it all, before anything is done.
    fn prepare(&mut self, job: &Job) -> Result<Result<(Vec<Step>, Survey), Refused>, Error> {
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
        let planned = self.plan(job, &survey)?;
        let bound = self
            .connected
            .as_ref()
            .is_some_and(|c| c.injector.has_bound());
        if bound && self.typed.is_none() {
            // Also those that were bound for a step that is refused are given back.
            self.typed = Some(Instant::now());
        }
        let bound = self
            .connected
            .as_ref()
            .is_some_and(|c| c.injector.has_bound());
        if bound && matches!(planned, Err(Refused::NoKey { .. })) {
            // It may be one that was taken for characters.
            let left = job.until.saturating_duration_since(Instant::now());
            if self.unbind(left)? {
                let survey = self.survey()?;
                let planned = self.plan(job, &survey)?;
                return Ok(planned.map(|steps| (steps, survey)));
            }
        }
        Ok(planned.map(|steps| (steps, survey)))
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

    fn plan(&mut self, job: &Job, survey: &Survey) -> Result<Result<Vec<Step>, Refused>, Error> {
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
        if let Err(refused) = expected(job, generation, epoch) {
            return Ok(Err(refused));
        }
        bind_keys(injector, &job.act.actions, keyboard.group)?;
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
        Ok(plan(&ground, &job.act.actions))
    }

    fn settle(&mut self, job: &Job) -> Settled {
        let skipped = Settled {
            ended: Ended::Skipped,
            waited: Duration::ZERO,
            changed: None,
            excepted: Vec::new(),
        };
        let Some(Connected { injector, resting }) = &mut self.connected else {
            return skipped;
        };
        if job.act.settle.is_none() {
            return skipped;
        }
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
        | Action::Wait(_) => &[],
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
fn expected(job: &Job, generation: Generation, epoch: u64) -> Result<(), Refused> {
    let expect = &job.act.expect;
    let now = generation.to_string();
    if let Some(expected) = expect.generation.as_ref().filter(|e| **e != now) {
        return Err(Refused::StaleGeneration {
            expected: expected.clone(),
            now,
        });
    }
    if let Some(expected) = expect.epoch.filter(|e| *e != epoch) {
        return Err(Refused::StaleEpoch {
            expected,
            now: epoch,
        });
    }
    Ok(job.space.is_of(generation, epoch)?)
}

fn late() -> Failure {
    Failure {
        stage: Stage::Timeout,
        cause: Cause::Deadline,
        message: "the caller's deadline came, or the caller went".into(),
    }
}
