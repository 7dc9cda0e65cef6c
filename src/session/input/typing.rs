//! Types a text. Each character is sent by a key of the layout; otherwise by an unused keycode that
//! deskd binds to it; otherwise through the selection.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use super::{
    action::{Done, Method, Run, Text},
    carriable::typing_state,
    hands::Hands,
    pacing::FRAME,
    planned::Step,
    stop::{Stop, failed},
};
use crate::{
    failure::Cause,
    keys,
    x11::{ChangeWatch, DisplayError, Focus, KeyOrButton, KeyboardState, Mark, Stroke},
};

/// Maximum number of characters that are sent at once. The caller may cancel between two bursts,
/// and no more characters than this wait in the server.
const BURST: usize = 64;
/// A change higher than this, in pixels, is more than a typed character: the line that a program
/// redraws is lower.
const LINE: u32 = 64;
/// Number of characters at the beginning of a text that are sent one by one.
const FIRST: usize = 1;
/// The value of [`BURST`] where an input method runs. Qt passes each key to the input method
/// without waiting for the answer, and was seen to take answers out of order with 16 keys under
/// way.
const METHOD_BURST: usize = 1;
/// Maximum number of runs in the result of an action; the last run covers the rest of the text.
const MAX_RUNS: usize = 256;
/// Maximum number of characters that are bound ahead: more than there are keycodes.
const AHEAD: usize = 1024;

/// The text that is being typed, and the progress.
struct Typing<'t> {
    characters: &'t [char],
    at: usize,
    /// The stroke that typed each character, for [`Hands::still_the_same`]: after a keymap change,
    /// the same stroke could give another character.
    used: HashMap<char, Stroke>,
    keyboard: KeyboardState,
    /// The window that receives the keys now.
    focus: Focus,
    /// Number of characters that are still to be sent alone, see [`Hands::after_first`].
    alone: usize,
    /// Whether an input method may take the keys.
    method: bool,
    /// Pause between two characters; `None`: no pause.
    pause: Option<Duration>,
    began: Instant,
}

impl Hands<'_> {
    /// Types the whole text.
    pub(super) fn type_text(
        &mut self,
        text: &Text,
        rate: Option<u32>,
        done: &mut Done,
    ) -> Result<(), Stop> {
        let characters: Vec<char> = text.0.chars().collect();
        let mut typing = Typing {
            characters: &characters,
            at: 0,
            used: HashMap::new(),
            keyboard: typing_state(self.unlatched()?),
            focus: self.focus(None, 0)?,
            alone: FIRST,
            method: self.has_input_method(),
            pause: rate.map(|rate| Duration::from_secs(1) / rate.max(1)),
            began: Instant::now(),
        };
        self.injector.recheck_bound()?;
        self.injector.set_repeat(false)?;
        while typing.at < characters.len() {
            self.check()?;
            let strokes = self.strokes(&mut typing)?;
            if !strokes.is_empty() {
                self.strike_all(&mut typing, &strokes, done)?;
            } else if !self.bind(&mut typing)? {
                // No keycode is unused, or this program does not accept the character from a bound
                // keycode.
                self.through_selection(&mut typing, done)?;
            }
        }
        self.injector.set_repeat(true)?;
        self.injector.mark(&self.ledger.marks())?;
        Ok(self.injector.flush()?)
    }

    /// Returns the window that receives the text; fails if no window has the focus.
    fn focus(&mut self, last: Option<&Focus>, sent: usize) -> Result<Focus, Stop> {
        let focus = self.injector.observer().focus(last)?;
        focus.ok_or_else(|| {
            let message = match sent {
                0 => "no window has the focus: click where the text should go first".to_owned(),
                sent => format!(
                    "no window has the focus any more, after {sent} characters were sent: the last of them may have reached nobody"
                ),
            };
            failed(Cause::NotTaken, message)
        })
    }

    /// Returns the strokes of the next characters, up to the first character that no usable key
    /// gives.
    fn strokes(&mut self, typing: &mut Typing<'_>) -> Result<Vec<Stroke>, Stop> {
        typing.keyboard = typing_state(self.injector.keyboard()?);
        self.injector.keymap()?;
        let (mut strokes, injector) = (Vec::new(), &mut *self.injector);
        for one in &typing.characters[typing.at..] {
            let stroke = injector.keymap()?.type_character(*one, typing.keyboard);
            // Skip a bound keycode if this program does not accept the character from one.
            let Some(stroke) =
                stroke.filter(|s| !injector.is_bound(s.keycode) || typing.focus.takes_bound(*one))
            else {
                break;
            };
            strokes.push(stroke);
        }
        Ok(strokes)
    }

    /// Binds unused keycodes to the next characters that the layout lacks. Returns whether a key
    /// now gives the next character.
    fn bind(&mut self, typing: &mut Typing<'_>) -> Result<bool, Stop> {
        let next = typing.characters.get(typing.at);
        if next.is_none_or(|next| !typing.focus.takes_bound(*next)) {
            return Ok(false);
        }
        self.injector.keymap()?;
        let rest = &typing.characters[typing.at..];
        let mut seen = HashSet::new();
        let mut needed = Vec::new();
        for one in rest.iter().filter(|one| seen.insert(**one)) {
            if needed.len() == AHEAD {
                break;
            }
            let stroke = self
                .injector
                .keymap()?
                .type_character(*one, typing.keyboard);
            let of_layout = stroke.is_some_and(|s| !self.injector.is_bound(s.keycode));
            if !of_layout && typing.focus.takes_bound(*one) {
                needed.extend(keys::unicode_keysym(*one));
            }
        }
        // No key gives the next character yet; `needed` begins with it.
        let next = *next.unwrap_or(&' ');
        let free = self.injector.bind(&needed, false)?;
        if free == 0 || !self.gives(next, typing.keyboard)? {
            // Rebinding changes the characters of keys that are still unread: first wait until all
            // are read.
            self.until_read()?;
            // The keys of bound keycodes were read, so a new meaning of their strokes does no harm.
            let injector = &*self.injector;
            typing
                .used
                .retain(|_, stroke| !injector.is_bound(stroke.keycode));
            self.injector.bind(&needed, true)?;
        }
        // Chromium reads the new keymap asynchronously: its first key must come after that.
        if typing.focus.pings {
            self.until_dealt_with(&typing.focus)?;
        }
        self.gives(next, typing.keyboard)
    }

    /// Whether a key gives the character in that state of the keyboard.
    fn gives(&mut self, one: char, keyboard: KeyboardState) -> Result<bool, Stop> {
        let keymap = self.injector.keymap()?;
        Ok(keymap.type_character(one, keyboard).is_some())
    }

    fn strike_all(
        &mut self,
        typing: &mut Typing<'_>,
        strokes: &[Stroke],
        done: &mut Done,
    ) -> Result<(), Stop> {
        let burst = match (typing.pause, typing.method) {
            (Some(_), _) => 1,
            (None, true) => METHOD_BURST,
            (None, false) => BURST,
        };
        if strokes.len() > burst || typing.pause.is_some() {
            self.mark_strokes(strokes)?;
        }
        let (first, rest) = strokes.split_at(typing.alone.min(strokes.len()));
        let mut from = typing.at + first.len();
        let parts = rest.chunks(burst).flat_map(|part| {
            let characters = &typing.characters[from..from + part.len()];
            from += part.len();
            cuts(&typing.focus, characters, part)
        });
        let parts: Vec<&[Stroke]> = first.chunks(1).chain(parts).collect();
        for part in parts.into_iter().filter(|part| !part.is_empty()) {
            if let Some(pause) = typing.pause {
                // Pauses follow the clock: after a pause that was too long, the next ones are
                // shorter.
                let due = pause * u32::try_from(typing.at).unwrap_or(u32::MAX);
                self.pause(due.saturating_sub(typing.began.elapsed()))?;
                typing.focus = self.focus(Some(&typing.focus), typing.at)?;
                if self.has_changed(typing)? {
                    return self.still_the_same(typing);
                }
            }
            self.tend()?;
            let watch = match typing.alone {
                0 => None,
                _ if typing.focus.is_terminal() => None,
                _ => Some(self.injector.observer().watch()?),
            };
            let mut binds = false;
            for stroke in part {
                self.strike(stroke)?;
                let one = typing.characters[typing.at];
                let bound = self.injector.is_bound(stroke.keycode);
                let method = if bound { Method::BoundKey } else { Method::Key };
                note_run(done, method, 1);
                typing.used.insert(one, stroke.clone());
                typing.at += 1;
                binds |= bound;
            }
            // This check waits for the server's reply, so at most one burst waits in the server.
            let changed = self.has_changed(typing)?;
            let focus = self.injector.observer().focus(Some(&typing.focus))?;
            if binds {
                // The keys went to the former or to the present window in focus.
                self.is_to_read(&typing.focus)?;
                if let Some(focus) = &focus {
                    self.is_to_read(focus)?;
                }
            }
            if changed {
                self.still_the_same(typing)?;
            }
            typing.focus = match focus {
                Some(focus) => focus,
                // The last character of the text closed the window.
                None if typing.at == typing.characters.len() => return Ok(()),
                None => self.focus(None, typing.at)?,
            };
            typing.alone = 0;
            if let Some(watch) = watch
                && !self.after_first(typing, watch)?
            {
                return Ok(());
            }
            if changed {
                return Ok(());
            }
            let [before, next, ..] = typing.characters[typing.at - 1..] else {
                continue;
            };
            let all = typing.method && typing.pause.is_none() && !typing.focus.is_terminal();
            let focus = typing.focus.clone();
            if focus.reorders(before, next) {
                self.until_dealt_with(&focus)?;
            } else if all {
                self.until_key_dealt_with(&focus)?;
            }
        }
        Ok(())
    }

    /// Waits after the first character, which may move the focus inside the program: a file list
    /// opens a search field for it, a page takes it for a shortcut. Waits until the program has
    /// processed the character and, if it opened something, until that is at rest. Returns false if
    /// the program opened something or another window has the focus. GTK's file chooser always
    /// counts: it opens a field for the path, sooner or later than one frame.
    fn after_first(&mut self, typing: &mut Typing<'_>, watch: ChangeWatch) -> Result<bool, Stop> {
        if typing.at == typing.characters.len() {
            self.injector.observer().watched(watch)?;
            return Ok(true);
        }
        let sent = Instant::now();
        self.until_dealt_with(&typing.focus)?;
        // Something that the program opened becomes visible at its next frame.
        self.pause(FRAME.saturating_sub(sent.elapsed()))?;
        let (changed, mapped) = self.injector.observer().watched(watch)?;
        let opened = mapped || changed.height > LINE || typing.focus.file_chooser;
        if opened {
            self.until_opened(&typing.focus)?;
            typing.focus = self.focus(Some(&typing.focus), typing.at)?;
            return Ok(false);
        }
        let before = typing.focus.window;
        typing.focus = self.focus(Some(&typing.focus), typing.at)?;
        Ok(typing.focus.window == before)
    }

    /// Whether the keymap, the locked modifiers or the group have changed. Stores the new state of
    /// the keyboard.
    fn has_changed(&mut self, typing: &mut Typing<'_>) -> Result<bool, Stop> {
        let keyboard = typing_state(self.injector.keyboard()?);
        let changed = self.injector.keymap_changed()? || keyboard != typing.keyboard;
        typing.keyboard = keyboard;
        Ok(changed)
    }

    /// Whether a planned action presses a key whose keycode deskd bound.
    pub(super) fn has_bound_key(&self, step: &Step) -> bool {
        let is_bound = |input: &KeyOrButton| match input {
            KeyOrButton::Key(code) => self.injector.is_bound(*code),
            KeyOrButton::Button(_) => false,
        };
        match step {
            Step::Click {
                modifiers: keys, ..
            }
            | Step::Drag {
                modifiers: keys, ..
            }
            | Step::Scroll {
                modifiers: keys, ..
            }
            | Step::Paste { keys, .. }
            | Step::Chord { keys, .. } => keys.press.iter().any(is_bound),
            Step::Down { held, .. } => is_bound(&held.input),
            Step::Up { .. }
            | Step::Move { .. }
            | Step::Type { .. }
            | Step::Wait(_)
            | Step::WaitFor { .. }
            | Step::Screenshot(_) => false,
        }
    }

    /// Fails if another program changed the keymap so that keys that were sent give other
    /// characters: the program in focus may not have read these keys yet.
    fn still_the_same(&mut self, typing: &Typing<'_>) -> Result<(), Stop> {
        let keymap = self.injector.keymap()?;
        let same = |(one, stroke): (&char, &Stroke)| {
            keymap.type_character(*one, typing.keyboard).as_ref() == Some(stroke)
        };
        if typing.used.iter().all(same) {
            return Ok(());
        }
        Err(failed(
            Cause::KeymapChanged,
            format!(
                "another program changed the keyboard layout after {} characters were sent; the program may have read the last of them by the new layout: look at the frame",
                typing.at
            ),
        ))
    }

    /// Adds the keys of `strokes` to the marks of held input (a property of the root window). If
    /// the daemon is killed between two writes, any of these keys may stay down.
    fn mark_strokes(&mut self, strokes: &[Stroke]) -> Result<(), DisplayError> {
        let codes = strokes
            .iter()
            .flat_map(|stroke| stroke.hold.iter().chain([&stroke.keycode]));
        let codes: std::collections::BTreeSet<u8> = codes.copied().collect();
        let mut marks = self.ledger.marks();
        marks.extend(codes.into_iter().map(|code| Mark {
            input: KeyOrButton::Key(code),
            until: None,
        }));
        self.injector.mark(&marks)
    }

    fn strike(&mut self, stroke: &Stroke) -> Result<(), Stop> {
        for code in &stroke.hold {
            self.injector.press(KeyOrButton::Key(*code))?;
        }
        self.injector.press(KeyOrButton::Key(stroke.keycode))?;
        self.injector.release(KeyOrButton::Key(stroke.keycode))?;
        for code in stroke.hold.iter().rev() {
            self.injector.release(KeyOrButton::Key(*code))?;
        }
        Ok(())
    }

    /// Pastes the next characters that no usable key gives, up to the first one that a key gives.
    fn through_selection(&mut self, typing: &mut Typing<'_>, done: &mut Done) -> Result<(), Stop> {
        let mut text = String::new();
        for one in &typing.characters[typing.at..] {
            let stroke = self
                .injector
                .keymap()?
                .type_character(*one, typing.keyboard);
            let usable =
                |s: Stroke| !self.injector.is_bound(s.keycode) || typing.focus.takes_bound(*one);
            if stroke.is_some_and(usable) {
                break;
            }
            text.push(*one);
        }
        if text.is_empty() {
            return Ok(());
        }
        let keys = self.paste_keys()?;
        self.paste(&text, &keys, done)?;
        typing.at += text.chars().count();
        Ok(())
    }
}

/// Splits strokes into parts that the program may get at once without changing their order.
fn cuts<'s>(focus: &Focus, characters: &[char], strokes: &'s [Stroke]) -> Vec<&'s [Stroke]> {
    let (mut parts, mut start) = (Vec::new(), 0);
    for (index, pair) in characters.windows(2).enumerate() {
        if focus.reorders(pair[0], pair[1]) {
            parts.push(&strokes[start..=index]);
            start = index + 1;
        }
    }
    parts.push(&strokes[start..]);
    parts
}

/// Adds characters to the runs of an action's result.
pub(super) fn note_run(done: &mut Done, method: Method, characters: u32) {
    let start = done.characters;
    done.characters += characters;
    let is_full = done.runs.len() >= MAX_RUNS;
    match done
        .runs
        .last_mut()
        .filter(|run| is_full || run.method == method)
    {
        Some(run) if run.method == method => run.characters += characters,
        Some(run) => {
            run.method = Method::Several;
            run.characters += characters;
        }
        None => done.runs.push(Run {
            start,
            characters,
            method,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_one_method_are_one_run() {
        let mut done = Done::default();
        for (method, characters) in [
            (Method::Key, 3),
            (Method::Key, 2),
            (Method::BoundKey, 1),
            (Method::Key, 1),
        ] {
            note_run(&mut done, method, characters);
        }
        let starts: Vec<_> = done.runs.iter().map(|r| (r.start, r.characters)).collect();
        assert_eq!((done.characters, starts), (7, vec![(0, 5), (5, 1), (6, 1)]));
        for _ in 0..1000 {
            note_run(&mut done, Method::Key, 1);
            note_run(&mut done, Method::Selection, 1);
        }
        assert_eq!(done.runs.len(), MAX_RUNS);
        let last = done.runs.last().unwrap();
        assert_eq!(last.method, Method::Several);
        assert_eq!(last.start + last.characters, done.characters);
    }
}
