//! Doing the steps, one after the other, on a connection: what is pressed is in
//! the ledger before it is down, and comes up whatever happens.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::{
    action::Done,
    ledger::{Held, Ledger},
    plan::{Keys, Pixel, Step},
    typing::Unread,
};
use crate::{
    frame::{Cause, Failure, Stage},
    keys,
    x11::{Bell, Clipboard, Display, Error, Injector, Input, uptime},
};

/// A chord that is held shorter than this must not repeat, whatever the server's
/// clock says: it repeats keys from 660 ms on (measured on Xvfb 21.1).
const REPEATS: Duration = Duration::from_millis(660);
/// Between the clicks of one action: Chromium takes two presses of the same
/// millisecond for one.
const NEXT_CLICK: Duration = Duration::from_millis(3);
/// A click comes so long after one at the same place that it is not taken for
/// its second half: Chromium counts within 500 ms, GTK and Qt within 400.
const CLICKS_APART: Duration = Duration::from_millis(520);
/// The same after a double click, of which it would be the third: GTK counts within
/// twice its 400 ms.
const AFTER_DOUBLE: Duration = Duration::from_millis(820);
/// "The same place", in pixels: GTK's is 5.
const CLICK_PLACE: u32 = 8;
/// Pause between two movements of a drag.
const DRAG_STEP: Duration = Duration::from_millis(10);
/// At its end a drag goes pixel by pixel, so many of them, so that the program
/// below hears of it several times and can say that it takes what is dropped:
/// Chromium loses up to 8 of 50 drops of a drag that ends abruptly, however long
/// it rests there, and none after four such movements 20 ms apart.
const DRAG_END: u32 = 4;
/// The time for that; a third of the drag's where that is less.
const DRAG_ENDS: Duration = Duration::from_millis(100);
/// Turns of the wheel that are sent at once: between them the caller may cancel,
/// and no more of them wait in the server than this.
const BURST: usize = 64;

/// Why the hands stop.
#[derive(Debug)]
pub(super) enum Stop {
    /// Nobody waits for it any more, or somebody said so.
    Cancelled,
    /// The caller's time is up.
    Deadline,
    /// The connection ended.
    Lost(Error),
    /// This action cannot be done.
    Failed(Failure),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Lost(error)
    }
}

/// A click that another one could be added to.
#[derive(Debug, Clone, Copy)]
pub(super) struct LastClick {
    button: Input,
    at: (i32, i32),
    time: Instant,
    /// So long it can be added to.
    open: Duration,
}

/// What the hands have at hand.
pub(super) struct Hands<'a> {
    pub(super) injector: &'a mut Injector,
    pub(super) ledger: &'a mut Ledger,
    pub(super) last_click: &'a mut Option<LastClick>,
    pub(super) unread: &'a mut Unread,
    pub(super) clipboard: &'a mut Option<Clipboard>,
    pub(super) display: &'a Display,
    pub(super) cancel: &'a CancellationToken,
    pub(super) bell: &'a Bell,
    pub(super) until: Instant,
    /// The ledger changed.
    pub(super) publish: &'a dyn Fn(&Ledger),
}

impl Hands<'_> {
    /// Does one step. What it did so far is in `done` also when it stops.
    pub(super) fn perform(&mut self, step: &Step, done: &mut Done) -> Result<(), Stop> {
        self.check()?;
        let performed = self.perform_it(step, done);
        self.ledger.keep(&[]);
        if performed.is_ok() && done.pointer.is_none() {
            done.pointer = Some(self.injector.pointer()?);
        }
        performed
    }

    fn perform_it(&mut self, step: &Step, done: &mut Done) -> Result<(), Stop> {
        match step {
            Step::Move(to) => {
                done.pointer = Some(self.go(*to)?);
                Ok(())
            }
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
        }
    }

    /// Releases what was pressed only for the call.
    pub(super) fn clean_up(&mut self) -> Result<(), Error> {
        for input in self.ledger.of_call() {
            self.injector.release(input)?;
            self.ledger.release(input);
        }
        self.injector.set_repeat(true)?;
        self.note()?;
        // Done, and not only sent: the server forgets what it has not read of a
        // connection that ends.
        self.injector.pointer()?;
        Ok(())
    }

    /// Ends holds whose time is up.
    pub(super) fn end_holds(&mut self) -> Result<(), Error> {
        end_holds(self.injector, self.ledger, self.publish)
    }

    fn note(&mut self) -> Result<(), Error> {
        (self.publish)(self.ledger);
        self.injector.mark(&self.ledger.marks())
    }

    pub(super) fn check(&self) -> Result<(), Stop> {
        if self.cancel.is_cancelled() {
            return Err(Stop::Cancelled);
        }
        if Instant::now() >= self.until {
            return Err(Stop::Deadline);
        }
        Ok(())
    }

    /// Between two events: whether to go on, and holds whose time is up.
    pub(super) fn tend(&mut self) -> Result<(), Stop> {
        self.check()?;
        Ok(self.end_holds()?)
    }

    /// Waits, and ends holds meanwhile.
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
            self.bell.wait(None, wait).map_err(Error::Lost)?;
        }
    }

    /// Moves the pointer, and sees that it got there.
    fn go(&mut self, (x, y): Pixel) -> Result<(i32, i32), Stop> {
        self.injector.move_to(x, y)?;
        let there = self.injector.pointer()?;
        let sent = (i64::from(x), i64::from(y));
        if (i64::from(there.0), i64::from(there.1)) != sent {
            return Err(Stop::Failed(Failure {
                stage: Stage::Input,
                cause: Cause::PointerElsewhere,
                message: format!(
                    "the pointer was sent to {x},{y} and is at {},{}: another program confines or moves it",
                    there.0, there.1
                ),
            }));
        }
        Ok(there)
    }

    fn arrive(&mut self, at: Option<Pixel>, done: &mut Done) -> Result<(i32, i32), Stop> {
        let place = match at {
            Some(at) => self.go(at)?,
            None => self.injector.pointer()?,
        };
        done.pointer = Some(place);
        Ok(place)
    }

    fn click(
        &mut self,
        at: Option<Pixel>,
        button: Input,
        count: u8,
        modifiers: &Keys,
        done: &mut Done,
    ) -> Result<(), Stop> {
        let place = self.arrive(at, done)?;
        self.keep_apart(button, place)?;
        // One click is one write: a server that takes it takes all of it.
        let modifiers = &self.renewing(modifiers)?;
        if count > 1 && !modifiers.is_empty() {
            self.hold_all(modifiers)?;
        } else {
            self.press_all(modifiers)?;
        }
        for click in 0..count {
            if click > 0 {
                // By the server's clock, which may do what it gets all at once.
                self.injector.pointer()?;
                self.pause(NEXT_CLICK)?;
            }
            self.injector.press(button)?;
            self.injector.release(button)?;
        }
        if count > 1 && !modifiers.is_empty() {
            self.let_go(modifiers)?;
        } else {
            self.release_all(modifiers)?;
        }
        done.pointer = Some(self.injector.pointer()?);
        self.clicked(button, place);
        if let Some(last) = self.last_click.as_mut().filter(|_| count > 1) {
            last.open = AFTER_DOUBLE;
        }
        Ok(())
    }

    /// A press that the next one could be added to: also that of a drag.
    fn clicked(&mut self, button: Input, at: (i32, i32)) {
        *self.last_click = Some(LastClick {
            button,
            at,
            time: Instant::now(),
            open: CLICKS_APART,
        });
    }

    /// Two clicks of two actions are no double click.
    fn keep_apart(&mut self, button: Input, place: (i32, i32)) -> Result<(), Stop> {
        let near = |a: i32, b: i32| a.abs_diff(b) <= CLICK_PLACE;
        let last = self.last_click.filter(|last| {
            last.button == button && near(last.at.0, place.0) && near(last.at.1, place.1)
        });
        let left = last.map(|last| last.open.saturating_sub(last.time.elapsed()));
        match left.filter(|left| !left.is_zero()) {
            Some(left) => self.pause(left),
            None => Ok(()),
        }
    }

    /// What is to be pressed; what is held and named is held on, and pressed again
    /// where its hold ended since the step began.
    pub(super) fn renewing(&mut self, keys: &Keys) -> Result<Vec<Input>, Stop> {
        let (held, mut press): (Vec<Input>, Vec<Input>) = keys
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

    pub(super) fn press_all(&mut self, inputs: &[Input]) -> Result<(), Stop> {
        for input in inputs {
            self.injector.press(*input)?;
        }
        Ok(())
    }

    pub(super) fn release_all(&mut self, inputs: &[Input]) -> Result<(), Stop> {
        for input in inputs.iter().rev() {
            self.injector.release(*input)?;
        }
        Ok(())
    }

    /// Enters what will be down for some time, and presses it.
    fn hold_all(&mut self, inputs: &[Input]) -> Result<(), Stop> {
        for input in inputs {
            let name = match input {
                Input::Key(code) => self.injector.keymap()?.keysym(*code).map(keys::name),
                Input::Button(_) => None,
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

    /// Releases what [`Self::hold_all`] pressed.
    fn let_go(&mut self, inputs: &[Input]) -> Result<(), Stop> {
        self.release_all(inputs)?;
        for input in inputs {
            self.ledger.release(*input);
        }
        Ok(self.note()?)
    }

    fn down(
        &mut self,
        at: Option<Pixel>,
        held: &Held,
        with: &[Input],
        done: &mut Done,
    ) -> Result<(), Stop> {
        if matches!(held.input, Input::Button(_)) {
            let place = self.arrive(at, done)?;
            if !self.ledger.is_held(held.input) {
                self.keep_apart(held.input, place)?;
                self.clicked(held.input, place);
            }
        }
        let mut held = held.clone();
        // From now, not from when the batch began.
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

    fn up(&mut self, at: Option<Pixel>, input: Input, done: &mut Done) -> Result<(), Stop> {
        if matches!(input, Input::Button(_)) {
            self.arrive(at, done)?;
        }
        // Also what another program left down: who names it wants it up.
        self.injector.release(input)?;
        if self.ledger.release(input) {
            self.note()?;
        }
        done.pointer = Some(self.injector.pointer()?);
        Ok(())
    }

    fn drag(
        &mut self,
        path: &[Pixel],
        button: Input,
        modifiers: &Keys,
        duration: Duration,
        done: &mut Done,
    ) -> Result<(), Stop> {
        let Some(first) = path.first() else {
            return Ok(());
        };
        let place = self.arrive(Some(*first), done)?;
        self.keep_apart(button, place)?;
        let modifiers = &self.renewing(modifiers)?;
        let held: Vec<Input> = modifiers.iter().copied().chain([button]).collect();
        self.hold_all(&held)?;
        self.injector.flush()?;
        self.clicked(button, place);
        let ending = DRAG_ENDS.min(duration / 3);
        let (began, points) = (Instant::now(), gently(path, duration - ending, ending));
        for (point, time) in &points {
            let ahead = time.saturating_sub(began.elapsed());
            if !ahead.is_zero() {
                self.pause(ahead)?;
            }
            self.check()?;
            self.injector.move_to(point.0, point.1)?;
            self.injector.flush()?;
        }
        if let Some(last) = path.last() {
            done.pointer = Some(self.go(*last)?);
        }
        self.pause(ending / (DRAG_END + 1))?;
        self.let_go(&held)?;
        done.pointer = Some(self.injector.pointer()?);
        Ok(())
    }

    fn scroll(
        &mut self,
        at: Option<Pixel>,
        (right, down): (i32, i32),
        modifiers: &Keys,
        done: &mut Done,
    ) -> Result<(), Stop> {
        self.arrive(at, done)?;
        let modifiers = &self.renewing(modifiers)?;
        if !modifiers.is_empty() {
            self.hold_all(modifiers)?;
        }
        for (notches, back, forth) in [(down, 4, 5), (right, 6, 7)] {
            let wheel = Input::Button(if notches < 0 { back } else { forth });
            let mut left = usize::try_from(notches.unsigned_abs()).unwrap_or(usize::MAX);
            while left > 0 {
                self.tend()?;
                let burst = left.min(BURST);
                for _ in 0..burst {
                    self.injector.press(wheel)?;
                    self.injector.release(wheel)?;
                }
                // No more than a burst is ahead of the server.
                self.injector.pointer()?;
                left -= burst;
            }
        }
        if !modifiers.is_empty() {
            self.let_go(modifiers)?;
        }
        done.pointer = Some(self.injector.pointer()?);
        Ok(())
    }

    fn chord(
        &mut self,
        keys: &Keys,
        repeat: u32,
        hold: Duration,
        done: &mut Done,
    ) -> Result<(), Stop> {
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
            done.pointer = Some(self.injector.pointer()?);
        }
        Ok(())
    }
}

/// Ends holds whose time is up.
pub(super) fn end_holds(
    injector: &mut Injector,
    ledger: &mut Ledger,
    publish: &dyn Fn(&Ledger),
) -> Result<(), Error> {
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

/// Points along a path and when to be there: the last pixels one by one, in
/// the time for the end, of which a share is left to rest.
fn gently(path: &[Pixel], moving: Duration, ending: Duration) -> Vec<(Pixel, Duration)> {
    let [.., before, last] = path else {
        return Vec::new();
    };
    let (x, y) = (
        f64::from(last.0) - f64::from(before.0),
        f64::from(last.1) - f64::from(before.1),
    );
    let length = x.hypot(y);
    if length < f64::from(2 * DRAG_END) {
        return along(path, moving);
    }
    let from_end = |pixels: u32| {
        let part = 1.0 - f64::from(pixels) / length;
        (
            between(before.0, last.0, part),
            between(before.1, last.1, part),
        )
    };
    let mut shorter = path.to_vec();
    if let Some(end) = shorter.last_mut() {
        *end = from_end(DRAG_END);
    }
    let mut points = along(&shorter, moving);
    for pixel in 1..=DRAG_END {
        let at = moving + ending * pixel / (DRAG_END + 1);
        points.push((from_end(DRAG_END - pixel), at));
    }
    points
}

/// Points along a path and when to be there, ending with its last one: at least
/// each corner, and one every [`DRAG_STEP`].
fn along(path: &[Pixel], time: Duration) -> Vec<(Pixel, Duration)> {
    let length = |a: &Pixel, b: &Pixel| {
        let (x, y) = (
            f64::from(b.0) - f64::from(a.0),
            f64::from(b.1) - f64::from(a.1),
        );
        x.hypot(y)
    };
    let total: f64 = path.windows(2).map(|pair| length(&pair[0], &pair[1])).sum();
    let mut points = Vec::new();
    let mut passed = 0.0;
    for pair in path.windows(2) {
        let own = length(&pair[0], &pair[1]);
        let (from, to) = (passed, passed + own);
        let share = |length: f64| if total > 0.0 { length / total } else { 1.0 };
        let own_time = time.mul_f64(share(own));
        let steps = (own_time.as_millis() / DRAG_STEP.as_millis()).clamp(1, 1000);
        // No more steps than pixels, and a few where there is no time for them.
        let steps = u32::try_from(steps).unwrap_or(1).max(4);
        for step in 1..=steps {
            let part = f64::from(step) / f64::from(steps);
            let point = (
                between(pair[0].0, pair[1].0, part),
                between(pair[0].1, pair[1].1, part),
            );
            let at = time.mul_f64(share(from + (to - from) * part));
            if points.last().is_none_or(|(last, _)| *last != point) || step == steps {
                points.push((point, at));
            }
        }
        passed = to;
    }
    points
}

/// The whole pixel nearest to `part` of the way from `a` to `b`.
fn between(a: u32, b: u32, part: f64) -> u32 {
    let value = f64::from(a) + (f64::from(b) - f64::from(a)) * part;
    // Between two pixels of a screen, both 16 bits.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let pixel = value.round().max(0.0) as u32;
    pixel
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drag_passes_every_corner_in_time() {
        let path = [(10, 10), (110, 10), (110, 60)];
        let points = along(&path, Duration::from_millis(150));
        assert_eq!(
            points.last(),
            Some(&((110, 60), Duration::from_millis(150)))
        );
        assert!(
            points
                .iter()
                .any(|(point, at)| *point == (110, 10) && *at == Duration::from_millis(100))
        );
        assert_eq!(points.len(), 15);
        assert!(points.windows(2).all(|pair| pair[0].1 <= pair[1].1));
        // The last pixels come one by one.
        let (moving, ending) = (Duration::from_millis(150), Duration::from_millis(100));
        let slow = gently(&path, moving, ending);
        let last: Vec<_> = slow.iter().rev().take(5).rev().copied().collect();
        let ms = Duration::from_millis;
        assert_eq!(
            last,
            [
                ((110, 56), ms(150)),
                ((110, 57), ms(170)),
                ((110, 58), ms(190)),
                ((110, 59), ms(210)),
                ((110, 60), ms(230))
            ]
        );
        assert_eq!(gently(&[(0, 0), (0, 7)], ms(9), ms(9)).len(), 4);
        // No time, and no way: still there, in a few steps.
        let points = along(&[(0, 0), (0, 8)], Duration::ZERO);
        assert_eq!(points.len(), 4);
        assert_eq!(points.last(), Some(&((0, 8), Duration::ZERO)));
        let still = along(&[(5, 5), (5, 5)], Duration::from_millis(40));
        assert_eq!(still.last().map(|(point, _)| *point), Some((5, 5)));
    }
}
