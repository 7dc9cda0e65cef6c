//! Executes planned actions, one after the other, on a connection. Input that stays down for some
//! time is recorded in the ledger before it is pressed, so that it is released in every case.

use std::time::{Duration, Instant};

use tokio::sync::oneshot::{self, error::TryRecvError};
use tokio_util::sync::CancellationToken;

use super::{
    action::Done,
    job::ErrandEnd,
    ledger::{Held, Ledger},
    planned::{Keys, Pixel, Step},
    state::{LastClick, Pacing, Unread},
    stop::Stop,
};
use crate::{
    keys,
    session::windows::Waited,
    x11::{Bell, Clipboard, Display, DisplayError, Injector, KeyOrButton, KeyboardState, uptime},
};

/// Keys must not repeat during a chord that is held for less than this time. The server repeats
/// keys from 660 ms on (measured on Xvfb 21.1), but a server that was stopped measures a longer
/// hold.
const REPEATS: Duration = Duration::from_millis(660);
/// Poll interval while another thread takes a picture: another wait may have consumed the bell that
/// announces it.
const TAKEN: Duration = Duration::from_millis(100);

/// State borrowed while executing one action.
pub(super) struct Hands<'a> {
    pub(super) injector: &'a mut Injector,
    pub(super) ledger: &'a mut Ledger,
    pub(super) last_click: &'a mut Option<LastClick>,
    pub(super) unread: &'a mut Unread,
    pub(super) pacing: &'a mut Pacing,
    pub(super) clipboard: &'a mut Option<Clipboard>,
    pub(super) display: &'a Display,
    pub(super) cancel: &'a CancellationToken,
    pub(super) bell: &'a Bell,
    pub(super) until: Instant,
    /// Called after each change of the ledger.
    pub(super) publish: &'a dyn Fn(&Ledger),
}

impl Hands<'_> {
    /// Executes one planned action. `done` contains the progress also if the action ends early.
    pub(super) fn perform(&mut self, step: &Step, done: &mut Done) -> Result<(), Stop> {
        self.check()?;
        self.note_target(step)?;
        let bound = self.has_bound_key(step);
        if bound {
            self.until_map_is_known()?;
        }
        let performed = self.perform_it(step, done);
        self.ledger.keep(&[]);
        if bound {
            self.note_focus_unread()?;
        }
        match &performed {
            Ok(()) if done.pointer.is_some() => {}
            Err(Stop::Lost(_)) => done.pointer = None,
            // Report the pointer's actual position, also if the action ended early.
            Ok(()) | Err(_) => done.pointer = Some(self.injector.pointer()?),
        }
        performed
    }

    fn perform_it(&mut self, step: &Step, done: &mut Done) -> Result<(), Stop> {
        match step {
            Step::Move { to, modifiers } => self.move_to(*to, modifiers, done),
            Step::Click {
                at,
                button,
                count,
                modifiers,
            } => self.click(*at, *button, *count, modifiers, done),
            Step::Down { at, held, with } => self.down(*at, held, with, done),
            Step::Up { at, input } => self.up(*at, *input, done),
            Step::Drag {
                path,
                button,
                modifiers,
                duration,
            } => self.drag(path, *button, modifiers, *duration, done),
            Step::Scroll {
                at,
                notches,
                modifiers,
            } => self.scroll(*at, *notches, modifiers, done),
            Step::Type { text, rate } => self.type_text(text, *rate, done),
            Step::Paste { text, keys } => self.paste(&text.0, keys, done),
            Step::Chord { keys, repeat, hold } => self.chord(keys, *repeat, *hold, done),
            Step::Wait(time) => self.pause(*time),
            // `InputWorker::perform_one` requests these from the call's task.
            Step::Screenshot(_) | Step::WaitFor { .. } => Ok(()),
        }
    }

    /// Releases input that was pressed only for the step, and the input in `down` that is still
    /// held.
    pub(super) fn clean_up(&mut self, down: &[KeyOrButton]) -> Result<(), DisplayError> {
        self.injector.observer().end_watch()?;
        let held = down.iter().copied();
        let held: Vec<KeyOrButton> = held.filter(|input| self.ledger.is_held(*input)).collect();
        for input in self.ledger.of_call().into_iter().chain(held) {
            self.injector.release(input)?;
            self.ledger.release(input);
        }
        self.injector.set_repeat(true)?;
        self.note()?;
        self.injector.confirm()
    }

    /// Releases held input whose time is up.
    pub(super) fn end_holds(&mut self) -> Result<(), DisplayError> {
        end_holds(self.injector, self.ledger, self.publish)
    }

    fn note(&mut self) -> Result<(), DisplayError> {
        (self.publish)(self.ledger);
        self.injector.mark(&self.ledger.marks())
    }

    /// Clears latches, which apply to the next key only, and returns the state of the keyboard.
    pub(super) fn unlatched(&mut self) -> Result<KeyboardState, DisplayError> {
        let keyboard = self.injector.keyboard()?;
        if !keyboard.latched {
            return Ok(keyboard);
        }
        self.injector.clear_latches()?;
        self.injector.keyboard()
    }

    pub(super) fn check(&self) -> Result<(), Stop> {
        // A caller whose deadline has come also disconnects: check the deadline first.
        if Instant::now() >= self.until {
            return Err(Stop::Deadline);
        }
        if self.cancel.is_cancelled() {
            return Err(Stop::Cancelled);
        }
        Ok(())
    }

    /// Fails if the step must stop; releases held input whose time is up. Called between two
    /// events.
    pub(super) fn tend(&mut self) -> Result<(), Stop> {
        self.check()?;
        Ok(self.end_holds()?)
    }

    /// Waits for `time`, and meanwhile releases held input whose time is up.
    pub(super) fn pause(&mut self, time: Duration) -> Result<(), Stop> {
        self.injector.flush()?;
        let end = Instant::now() + time;
        loop {
            self.check()?;
            self.end_holds()?;
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            let hold = self
                .ledger
                .next_end()
                .map(|end| end.saturating_sub(uptime()));
            let caller = self.until.saturating_duration_since(Instant::now());
            let wait = left.min(caller).min(hold.unwrap_or(left));
            self.bell.wait(None, wait).map_err(DisplayError::Lost)?;
        }
    }

    /// Waits for an errand of the call's task, and meanwhile releases held input whose time is up.
    /// Returns the end of a wait for a condition.
    pub(super) fn until_done(
        &mut self,
        mut answer: oneshot::Receiver<ErrandEnd>,
    ) -> Result<Option<Waited>, Stop> {
        self.injector.flush()?;
        loop {
            self.tend()?;
            match answer.try_recv() {
                Ok(ErrandEnd::Taken) => return Ok(None),
                Ok(ErrandEnd::Waited(waited)) => return Ok(Some(waited)),
                Ok(ErrandEnd::Failed(failure)) => return Err(Stop::Failed(failure)),
                Ok(ErrandEnd::Refused(refused)) => return Err(Stop::Refused(refused)),
                Err(TryRecvError::Closed) => return Err(Stop::Cancelled),
                Err(TryRecvError::Empty) => {}
            }
            let hold = self.ledger.next_end();
            let hold = hold.map_or(TAKEN, |end| end.saturating_sub(uptime()));
            let caller = self.until.saturating_duration_since(Instant::now());
            // The task rings the bell.
            let wait = TAKEN.min(hold).min(caller);
            self.bell.wait(None, wait).map_err(DisplayError::Lost)?;
        }
    }

    /// Returns the keys to press. The hold time of keys in `keys.renew` starts again. If their hold
    /// has ended since they were planned, they are pressed again.
    pub(super) fn renewing(&mut self, keys: &Keys) -> Result<Vec<KeyOrButton>, Stop> {
        let (held, mut press): (Vec<KeyOrButton>, Vec<KeyOrButton>) = keys
            .renew
            .iter()
            .partition(|input| self.ledger.is_held(**input));
        if !held.is_empty() {
            for input in &held {
                self.ledger.renew(*input, uptime());
            }
            self.ledger.keep(&held);
            self.note()?;
        }
        press.extend(&keys.press);
        Ok(press)
    }

    pub(super) fn press_all(&mut self, inputs: &[KeyOrButton]) -> Result<(), Stop> {
        for input in inputs {
            self.injector.press(*input)?;
        }
        Ok(())
    }

    pub(super) fn release_all(&mut self, inputs: &[KeyOrButton]) -> Result<(), Stop> {
        for input in inputs.iter().rev() {
            self.injector.release(*input)?;
        }
        Ok(())
    }

    /// Records in the ledger input that stays down for some time, and presses it.
    pub(super) fn hold_all(&mut self, inputs: &[KeyOrButton]) -> Result<(), Stop> {
        for input in inputs {
            let name = match input {
                KeyOrButton::Key(code) => self.injector.keymap()?.keysym(*code).map(keys::name),
                KeyOrButton::Button(_) => None,
            };
            self.ledger.press(Held {
                input: *input,
                name: name.unwrap_or_default(),
                hold: None,
            });
        }
        self.note()?;
        self.press_all(inputs)
    }

    /// Releases what [`Self::hold_all`] pressed, and waits until the server has processed the
    /// release.
    pub(super) fn let_go(&mut self, inputs: &[KeyOrButton]) -> Result<(), Stop> {
        self.release_all(inputs)?;
        for input in inputs {
            self.ledger.release(*input);
        }
        self.note()?;
        self.until_up(inputs)?;
        Ok(())
    }

    fn down(
        &mut self,
        at: Option<Pixel>,
        held: &Held,
        with: &[KeyOrButton],
        done: &mut Done,
    ) -> Result<(), Stop> {
        if matches!(held.input, KeyOrButton::Button(_)) {
            let place = self.arrive(at, done)?;
            if !self.ledger.is_held(held.input) {
                self.keep_apart(held.input, place)?;
                self.clicked(held.input, place);
            }
        }
        let mut held = held.clone();
        // The hold time begins now, not when the action was planned.
        held.hold = held.hold.map(|(time, _)| (time, uptime() + time));
        let was = self.ledger.is_held(held.input);
        let input = held.input;
        self.ledger.press(held);
        self.note()?;
        if !was {
            self.press_all(with)?;
            self.injector.press(input)?;
            self.release_all(with)?;
        }
        done.pointer = Some(self.injector.pointer()?);
        Ok(())
    }

    fn up(&mut self, at: Option<Pixel>, input: KeyOrButton, done: &mut Done) -> Result<(), Stop> {
        if matches!(input, KeyOrButton::Button(_)) {
            self.arrive(at, done)?;
        }
        // Release also input that another program left down: the caller has named it.
        self.injector.release(input)?;
        if self.ledger.release(input) {
            self.note()?;
        }
        done.pointer = Some(self.until_up(&[input])?);
        Ok(())
    }

    fn chord(
        &mut self,
        keys: &Keys,
        repeat: u32,
        hold: Duration,
        done: &mut Done,
    ) -> Result<(), Stop> {
        self.unlatched()?;
        let keys = &self.renewing(keys)?;
        for _ in 0..repeat {
            self.check()?;
            if hold < REPEATS {
                self.injector.set_repeat(false)?;
            }
            if hold.is_zero() {
                self.press_all(keys)?;
                self.release_all(keys)?;
            } else {
                self.hold_all(keys)?;
                self.pause(hold)?;
                self.let_go(keys)?;
            }
            self.injector.set_repeat(true)?;
            done.pointer = Some(self.until_up(keys)?);
        }
        Ok(())
    }
}

/// Releases held input whose time is up.
pub(super) fn end_holds(
    injector: &mut Injector,
    ledger: &mut Ledger,
    publish: &dyn Fn(&Ledger),
) -> Result<(), DisplayError> {
    let ended = ledger.ended(uptime());
    if ended.is_empty() {
        return Ok(());
    }
    for input in ended {
        tracing::info!("a hold ended by itself");
        injector.release(input)?;
        ledger.release(input);
    }
    publish(ledger);
    injector.mark(&ledger.marks())?;
    injector.pointer()?;
    Ok(())
}
