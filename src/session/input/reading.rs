//! Waits until a program has read the keys that it received. A keycode that deskd bound may be
//! bound again only after that.

use std::time::{Duration, Instant};

use super::{hands::Hands, stop::Stop};
use crate::{
    failure::{Cause, Failure, Stage},
    processes::{self, Demand},
    x11::Focus,
};

/// Minimum time for a program that answers no pings to read its keys. It gets more time while it
/// works or is stopped.
const UNPINGED: Duration = Duration::from_millis(50);
/// Time after which a program whose process is not known counts as having read its keys, such as a
/// program that grabbed the keyboard.
const UNKNOWN: Duration = Duration::from_millis(500);
/// Time after which a program that never sleeps counts as having read its keys.
const NEVER_SLEEPS: Duration = Duration::from_secs(2);
/// Interval between two checks whether a program has read its keys.
const LOOK: Duration = Duration::from_millis(3);

impl Hands<'_> {
    /// Records that a window may have keys of bound keycodes still to read.
    pub(super) fn is_to_read(&mut self, focus: &Focus) -> Result<(), Stop> {
        if !self.unread.contains(focus) {
            self.injector.note_unread(focus.window)?;
            self.unread.push(focus.clone());
        }
        Ok(())
    }

    /// Waits until the program in focus has read the keymap that its next key belongs to.
    pub(super) fn until_map_is_known(&mut self) -> Result<(), Stop> {
        match self.injector.observer().focus_window()? {
            Some(focus) if focus.pings => self.until_dealt_with(&focus),
            _ => Ok(()),
        }
    }

    /// Records that the window in focus may have a key of a bound keycode still to read.
    pub(super) fn note_focus_unread(&mut self) -> Result<(), Stop> {
        match self.injector.observer().focus_window()? {
            Some(focus) => self.is_to_read(&focus),
            None => Ok(()),
        }
    }

    /// Waits until every program has read the keys of bound keycodes that it received.
    pub(super) fn until_read(&mut self) -> Result<(), Stop> {
        while let Some(focus) = self.unread.last().cloned() {
            self.until_has_read(&focus)?;
            self.unread.pop();
        }
        Ok(())
    }

    /// Waits until the program has read all keys that it got, or until its window has gone.
    pub(super) fn until_has_read(&mut self, focus: &Focus) -> Result<(), Stop> {
        if !self.is_same(focus)? {
            return Ok(());
        }
        let asked = self.ask(focus)?;
        let mut last = Demand::default();
        while !self.has_read(focus, asked, &mut last)? {
            self.check().map_err(|stop| late(stop, focus))?;
            self.injector.observer().doze(LOOK)?;
            if asked.elapsed() > UNPINGED && !self.is_same(focus)? {
                return Ok(());
            }
        }
        if focus.pings {
            // LibreOffice answers pings before it processes the keys that it has read.
            self.until_idle(&focus.pid.into_iter().collect::<Vec<_>>())
                .map_err(|stop| late(stop, focus))?;
        }
        Ok(())
    }

    /// Whether the window still exists and belongs to the same program: the X server reuses ids.
    fn is_same(&mut self, focus: &Focus) -> Result<bool, Stop> {
        if focus.grabbed {
            return Ok(true);
        }
        let now = self.injector.observer().describe(focus.window)?;
        Ok(now.is_some_and(|now| now.pid == focus.pid && now.pings == focus.pings))
    }

    /// Sends a ping, which a program answers after it has read its keys, if the window takes pings.
    /// Returns the time of the ping.
    pub(super) fn ask(&mut self, focus: &Focus) -> Result<Instant, Stop> {
        if focus.pings {
            self.injector.observer().ask(focus.window)?;
        }
        Ok(Instant::now())
    }

    /// Returns whether the program, pinged at `asked`, has read its keys. `last` holds the
    /// program's CPU demand at the previous poll.
    pub(super) fn has_read(
        &mut self,
        focus: &Focus,
        asked: Instant,
        last: &mut Demand,
    ) -> Result<bool, Stop> {
        if focus.pings {
            return Ok(self.injector.observer().answered(focus.window)?);
        }
        // A program has read its keys when all its threads sleep. In Java, other threads than the
        // first one read the keys.
        let Some(pid) = focus.pid else {
            return Ok(asked.elapsed() >= UNKNOWN);
        };
        let now = processes::demand(&[pid]);
        let rests = !now.running && !now.stopped && now == *last;
        *last = now;
        // A program that never sleeps, such as a terminal with much output, counts as having read
        // its keys after this time.
        let busy = asked.elapsed() >= NEVER_SLEEPS && !now.stopped;
        Ok(asked.elapsed() >= UNPINGED && (rests || busy))
    }
}

/// Turns [`Stop::Deadline`] into [`Stop::Late`], whose message names the window that was waited
/// for.
fn late(stop: Stop, focus: &Focus) -> Stop {
    match stop {
        Stop::Deadline => Stop::Late(Failure {
            stage: Stage::Input,
            cause: Cause::Deadline,
            message: format!(
                "the deadline came while the window {:#x} ({:?}) had keys still to read, whose keycodes are needed for other characters",
                focus.window,
                focus.class.replace('\0', " ").trim()
            ),
        }),
        stop => stop,
    }
}
