//! Pastes a text: offers it on the selections, presses the chord that pastes, and waits until the
//! program takes it.

use std::time::{Duration, Instant};

use super::{
    action::{Done, Method},
    hands::Hands,
    planned::Keys,
    stop::{Stop, failed},
    typing::note_run,
};
use crate::{
    failure::{Cause, Failure, Stage},
    processes::Demand,
    x11::{Clipboard, Focus, KeyOrButton, Offer, WITHHELD},
};

/// The chord that pastes if the caller names none (Shift and Insert): GTK, Qt and Chromium paste
/// CLIPBOARD with it, terminals PRIMARY.
pub(super) const DEFAULT_CHORD: [u32; 2] = [0xffe1, 0xff63];
/// Time after a program has read the chord within which it requests the text, or does not paste.
const ASKED: Duration = Duration::from_secs(2);
/// Interval between two polls.
const LOOK: Duration = Duration::from_millis(5);

impl Hands<'_> {
    /// Makes the program in focus paste a text.
    pub(super) fn paste(&mut self, text: &str, keys: &Keys, done: &mut Done) -> Result<(), Stop> {
        let Some(focus) = self.injector.observer().focus(None)? else {
            return Err(nobody(
                "no window has the focus: click where it should go first",
            ));
        };
        // Earlier keys may select what the paste replaces: first wait until the program has read
        // them.
        self.until_has_read(&focus)?;
        self.until_chord_is_dealt_with(&focus)?;
        let offer = self.clipboard()?.offer(text, &focus)?;
        let pasted = self
            .until_offered(&offer)
            .and_then(|()| self.press_and_wait(keys, &focus, &offer));
        done.clipboard_lost |= offer.lost();
        if pasted.is_err() {
            // A text that was reported as not pasted must not arrive later, and neither must the
            // former content of the clipboard.
            offer.withdraw();
            self.pacing.untaken = Some((focus.window, Instant::now()));
            if let Some(clipboard) = self.clipboard.as_ref() {
                clipboard.withhold();
            }
        }
        pasted?;
        let characters = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
        note_run(done, Method::Selection, characters);
        Ok(())
    }

    /// Refuses a paste into a window whose program may still request the text of the last paste,
    /// which was reported as not done. The text would arrive for both chords.
    fn until_chord_is_dealt_with(&mut self, focus: &Focus) -> Result<(), Stop> {
        let untaken = self.pacing.untaken.take();
        let recent =
            untaken.filter(|(window, at)| *window == focus.window && at.elapsed() < WITHHELD);
        let pids: Vec<u32> = focus.pid.into_iter().collect();
        if recent.is_none() || pids.is_empty() || self.until_idle(&pids)? {
            return Ok(());
        }
        self.pacing.untaken = recent;
        Err(nobody(
            "the program still works, and may ask for what the last paste offered: the text could arrive twice; look at the frame, and paste again when it rests",
        ))
    }

    fn until_offered(&mut self, offer: &Offer) -> Result<(), Stop> {
        while !offer.ready() {
            self.works()?;
            self.pause(LOOK)?;
        }
        Ok(())
    }

    fn press_and_wait(&mut self, keys: &Keys, focus: &Focus, offer: &Offer) -> Result<(), Stop> {
        self.unlatched()?;
        let keys = &self.renewing(keys)?;
        self.injector.set_repeat(false)?;
        // From an unknown program (`grabbed`), any request counts, and a clipboard manager requests
        // the text as soon as it is offered: count only later requests. A known program, such as
        // Chromium, may have requested the text already and not request it again.
        let before = if focus.grabbed { offer.taken() } else { 0 };
        self.press_all(keys)?;
        self.release_all(keys)?;
        self.injector.pointer()?;
        self.injector.set_repeat(true)?;
        let asked = self.ask(focus)?;
        let mut read: Option<Instant> = None;
        let mut last = Demand::default();
        // Some programs request the text before they have read the chord. Wait for both, so that
        // the next key comes after the chord was read.
        while offer.taken() == before || read.is_none() {
            self.works()?;
            if read.is_none() && self.has_read(focus, asked, &mut last)? {
                read = Some(Instant::now());
            }
            if !offer.asked() && read.is_some_and(|read| read.elapsed() >= ASKED) {
                return Err(nobody(
                    "the program in focus did not ask for what was pasted: it has no place for text there, or another chord pastes, or it is busy; should it ask later, it gets nothing",
                ));
            }
            self.pause(LOOK)?;
        }
        Ok(())
    }

    fn works(&self) -> Result<(), Stop> {
        let works = self.clipboard.as_ref().is_some_and(Clipboard::works);
        if works {
            return Ok(());
        }
        Err(failed(
            Cause::ConnectionLost,
            "the connection to the X server that had the clipboard ended".into(),
        ))
    }

    fn clipboard(&mut self) -> Result<&Clipboard, Stop> {
        let works = self.clipboard.as_ref().is_some_and(Clipboard::works);
        if !works {
            // No key was pressed yet, so only this action fails, and the input's connection is
            // kept.
            let started = Clipboard::start(self.display, self.bell.clone());
            let started = started.map_err(|error| {
                Stop::Failed(Failure {
                    stage: Stage::Input,
                    ..error.failure()
                })
            });
            *self.clipboard = Some(started?);
        }
        self.clipboard
            .as_ref()
            .ok_or_else(|| nobody("there is no clipboard"))
    }

    /// Returns the keys of the default chord.
    pub(super) fn paste_keys(&mut self) -> Result<Keys, Stop> {
        let group = self.injector.keyboard()?.group;
        let keymap = self.injector.keymap()?;
        let mut press = Vec::new();
        for keysym in DEFAULT_CHORD {
            let stroke = keymap.press_keysym(keysym, group);
            let stroke = stroke.ok_or_else(|| nobody("the keyboard has no Shift and Insert"))?;
            press.push(KeyOrButton::Key(stroke.keycode));
        }
        Ok(Keys {
            press,
            renew: Vec::new(),
        })
    }
}

fn nobody(why: &str) -> Stop {
    failed(Cause::NotTaken, why.to_owned())
}
