//! Moves, clicks, drags and scrolls so that GTK, Qt and Chromium interpret the events as intended.

use std::time::{Duration, Instant};

use super::{
    action::Done,
    drag_path::{DRAG_END, gently},
    hands::Hands,
    planned::{Keys, Pixel},
    state::LastClick,
    stop::Stop,
};
use crate::{
    failure::{Cause, Failure, Stage},
    x11::KeyOrButton,
};

/// Pause between the clicks of one action: Chromium treats two presses in the same millisecond as
/// one.
const NEXT_CLICK: Duration = Duration::from_millis(3);
/// Minimum time between clicks of two actions at the same place, so that they do not count as a
/// double click. Chromium counts within 500 ms, GTK and Qt within 400 ms.
const CLICKS_APART: Duration = Duration::from_millis(520);
/// Minimum time after a double click, so that the next click does not make it a triple click. GTK
/// counts within twice its 400 ms.
const AFTER_DOUBLE: Duration = Duration::from_millis(820);
/// Distance in pixels up to which two clicks are at the same place; GTK's is 5.
const CLICK_PLACE: u32 = 8;
/// Maximum time for the pointer to begin to move after a drag's press.
const THAW: Duration = Duration::from_millis(500);
/// Time for the last pixels of a drag; a third of the drag's duration if that is less.
const DRAG_ENDS: Duration = Duration::from_millis(100);
/// Maximum number of wheel notches that are sent at once. The caller may cancel between two bursts,
/// and no more notches than this wait in the server.
const BURST: usize = 64;

impl Hands<'_> {
    /// Moves the pointer, and waits until it is there.
    pub(super) fn go(&mut self, (x, y): Pixel) -> Result<(i32, i32), Stop> {
        self.injector.move_to(x, y)?;
        // A screen coordinate has 16 bits, so it fits.
        let narrow = |side: u32| i32::try_from(side).unwrap_or(i32::MAX);
        let there = self.until_there(narrow(x), narrow(y))?;
        if there != (narrow(x), narrow(y)) {
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

    pub(super) fn arrive(
        &mut self,
        at: Option<Pixel>,
        done: &mut Done,
    ) -> Result<(i32, i32), Stop> {
        let place = match at {
            Some(at) => self.go(at)?,
            None => self.injector.pointer()?,
        };
        self.note_target_at_pointer()?;
        done.pointer = Some(place);
        Ok(place)
    }

    pub(super) fn click(
        &mut self,
        at: Option<Pixel>,
        button: KeyOrButton,
        count: u8,
        modifiers: &Keys,
        done: &mut Done,
    ) -> Result<(), Stop> {
        let place = self.arrive(at, done)?;
        self.keep_apart(button, place)?;
        // A single click is sent in one write, so the server receives all of it or nothing.
        let modifiers = &self.renewing(modifiers)?;
        if count > 1 && !modifiers.is_empty() {
            self.hold_all(modifiers)?;
        } else {
            self.press_all(modifiers)?;
        }
        for click in 0..count {
            if click > 0 {
                // The server may process batched events at once: wait for the release, then pause.
                self.until_up(&[button])?;
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
        // While the window manager holds the pointer frozen, the next movement would be processed
        // before the release, and the click would become a drag: wait for the release.
        let mut all = modifiers.clone();
        all.push(button);
        done.pointer = Some(self.until_up(&all)?);
        self.clicked(button, place);
        if let Some(last) = self.last_click.as_mut().filter(|_| count > 1) {
            last.open = AFTER_DOUBLE;
        }
        Ok(())
    }

    /// Records a press, also that of a drag, with which a program could combine the next one.
    pub(super) fn clicked(&mut self, button: KeyOrButton, at: (i32, i32)) {
        *self.last_click = Some(LastClick {
            button,
            at,
            time: Instant::now(),
            open: CLICKS_APART,
        });
    }

    /// Waits until a press at `place` does not count as a double click with the last press.
    pub(super) fn keep_apart(
        &mut self,
        button: KeyOrButton,
        place: (i32, i32),
    ) -> Result<(), Stop> {
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

    pub(super) fn drag(
        &mut self,
        path: &[Pixel],
        button: KeyOrButton,
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
        let held: Vec<KeyOrButton> = modifiers.iter().copied().chain([button]).collect();
        self.hold_all(&held)?;
        self.injector.flush()?;
        self.clicked(button, place);
        let ending = DRAG_ENDS.min(duration / 3);
        let points = gently(path, duration - ending, ending);
        if let Some((x, y)) = points.first().map(|(point, _)| *point) {
            // The pointer may be frozen until the window manager has processed the press.
            self.until_thawed((x, y))?;
        }
        let began = Instant::now();
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

    /// Moves the pointer and waits, at most [`THAW`], until its position changes: then it is not
    /// frozen any more. A program that confines the pointer is detected at the end of the drag.
    fn until_thawed(&mut self, (x, y): Pixel) -> Result<(), Stop> {
        let before = self.injector.pointer()?;
        let narrow = |side: u32| i32::try_from(side).unwrap_or(i32::MAX);
        self.injector.move_to(x, y)?;
        let start = Instant::now();
        while before != (narrow(x), narrow(y)) && start.elapsed() < THAW {
            if self.injector.pointer()? != before {
                break;
            }
            self.pause(Duration::from_millis(1))?;
        }
        Ok(())
    }

    /// Moves the pointer while modifiers are held.
    pub(super) fn move_to(
        &mut self,
        to: Pixel,
        modifiers: &Keys,
        done: &mut Done,
    ) -> Result<(), Stop> {
        let modifiers = &self.renewing(modifiers)?;
        if !modifiers.is_empty() {
            self.hold_all(modifiers)?;
        }
        done.pointer = Some(self.go(to)?);
        if !modifiers.is_empty() {
            self.let_go(modifiers)?;
        }
        Ok(())
    }

    pub(super) fn scroll(
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
            let wheel = KeyOrButton::Button(if notches < 0 { back } else { forth });
            let mut left = usize::try_from(notches.unsigned_abs()).unwrap_or(usize::MAX);
            while left > 0 {
                self.tend()?;
                let burst = left.min(BURST);
                for _ in 0..burst {
                    self.injector.press(wheel)?;
                    self.injector.release(wheel)?;
                }
                // This request waits for the server's reply, so at most one burst waits in the
                // server.
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
}
