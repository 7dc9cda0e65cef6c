//! Plans the actions of a step for the current screen, keyboard and pointer: all of them before the
//! first, or each when its turn comes.

use std::{
    collections::VecDeque,
    ops::Range,
    time::{Duration, Instant},
};

use super::{
    action::Action,
    job::Job,
    ledger::Ledger,
    plan::{Ground, plan},
    planned::Step,
    refused::Refused,
    stop::Stop,
    thread::{InputConnection, InputWorker},
};
use crate::x11::{DisplayError, Injector, KeyOrButton, Survey, uptime};

/// Maximum time to wait for the end of another program's click.
const CLICK: Duration = Duration::from_millis(200);
/// Interval between two checks whether that click has ended.
const LOOK: Duration = Duration::from_millis(2);
/// The planned actions, or the refusal of one of them; and the survey on which the plan is based.
pub(super) type Prepared = (Result<Vec<Step>, Refused>, Survey);

impl InputWorker {
    /// Connects if necessary, and plans the actions in `range`, before the first action of the step
    /// is executed.
    pub(super) fn prepare(
        &mut self,
        job: &Job,
        range: Range<usize>,
    ) -> Result<Prepared, DisplayError> {
        self.connect()?;
        let survey = match self.survey() {
            Ok(survey) => survey,
            // If the X server was replaced, the first request on the old connection fails: connect
            // again.
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

    /// Plans actions. If a key is missing while keycodes are bound to characters, unbinds these and
    /// plans again.
    fn plan_with(
        &mut self,
        job: &Job,
        survey: Survey,
        range: Range<usize>,
    ) -> Result<Prepared, DisplayError> {
        let planned = self.plan(job, &survey, range.clone())?;
        let bound = self
            .connected
            .as_ref()
            .is_some_and(|c| c.injector.has_bound());
        if bound && self.typed.is_none() {
            // Keycodes that were bound for a step that is then refused are unbound later, too.
            self.typed = Some(Instant::now());
        }
        if bound && matches!(planned, Err(Refused::NoKey { .. })) {
            // The missing key may need a keycode that is bound to a character.
            let left = job.until.saturating_duration_since(Instant::now());
            if self.unbind(left)? {
                let survey = self.survey()?;
                return Ok((self.plan(job, &survey, range)?, survey));
            }
        }
        Ok((planned, survey))
    }

    /// Waits at most [`CLICK`] until no other program holds a button. Another program's click ends
    /// within milliseconds, while a window manager holds the pointer frozen, so it is no reason to
    /// refuse a step.
    fn until_others_let_go(
        &mut self,
        job: &Job,
        mut survey: Survey,
    ) -> Result<Survey, DisplayError> {
        let start = Instant::now();
        let is_ours = |ledger: &Ledger, number| ledger.is_held(KeyOrButton::Button(number));
        while survey.pointer.down().any(|one| !is_ours(&self.ledger, one))
            && start.elapsed() < CLICK
            && !job.cancel.is_cancelled()
        {
            self.bell.wait(None, LOOK).map_err(DisplayError::Lost)?;
            survey = self.survey()?;
        }
        Ok(survey)
    }

    fn survey(&mut self) -> Result<Survey, DisplayError> {
        match &mut self.connected {
            Some(connected) => connected.injector.survey(),
            None => Err(DisplayError::Protocol("the connection went at once")),
        }
    }

    fn plan(
        &mut self,
        job: &Job,
        survey: &Survey,
        range: Range<usize>,
    ) -> Result<Result<Vec<Step>, Refused>, DisplayError> {
        let Some(InputConnection { injector, .. }) = &mut self.connected else {
            return Err(DisplayError::Protocol("the connection went at once"));
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

    /// Returns the planned action whose turn has come. Plans it now if it is not planned yet, or if
    /// the screen has changed since it was planned.
    pub(super) fn next_step(
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
        step.ok_or(Stop::Lost(DisplayError::Protocol("an action has no step")))
    }
}

/// Binds the named keys that the layout lacks to unused keycodes, so that every key name of X
/// except a modifier's can be pressed.
fn bind_keys(injector: &mut Injector, actions: &[Action], group: u8) -> Result<(), DisplayError> {
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
        | Action::WaitFor { .. }
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

/// Refuses a step whose `expect` or coordinate space belongs to another desktop.
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
