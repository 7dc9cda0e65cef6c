//! Pacing: an action of a step begins when the one before it has taken effect.
//!
//! X delivers input in order, but programs do not act on it in order. A window manager holds the
//! pointer frozen until it has decided on a click, and moves the focus later. A browser looks for
//! the clicked element in another process than the one that takes keys. An input method returns
//! characters after the next click. So between two actions of one step five facts are established,
//! each with a bound:
//!
//! 1. The server has processed what was sent: the pointer is where it was sent, and released keys
//!    and buttons are up.
//! 2. The window manager has processed the input: it has answered a later request.
//! 3. The focus has arrived: keys that follow a press in a window that takes the focus wait until
//!    that window has the focus.
//! 4. The program has read the input: it has answered a ping (`_NET_WM_PING`).
//! 5. The program has dealt with the input: every thread of the program, of its child processes and
//!    of the input methods sleeps, and none used the CPU between two polls.
//!
//! If the first or the fourth fails, the step ends, because input that follows could reach the
//! wrong place. The others are reported as unconfirmed.

use std::time::{Duration, Instant};

use super::{
    action::{Action, Done},
    hands::Hands,
    planned::Step,
    stop::{Stop, failed},
};
use crate::{
    failure::Cause,
    processes::{self, Demand},
    x11::{Focus, KeyOrButton},
};

/// Maximum time for the server to process input while another program holds the
/// pointer or the keyboard frozen. Window managers release them within milliseconds.
const FROZEN: Duration = Duration::from_secs(3);
/// Maximum time for the pointer to reach its target on a thawed server.
const ARRIVES: Duration = Duration::from_secs(1);
/// Maximum time for the window manager to answer, unless it was stopped.
const MANAGER: Duration = Duration::from_secs(2);
/// Maximum time for the focus to arrive after the window manager has answered.
const FOCUS: Duration = Duration::from_millis(300);
/// Maximum time for a program to read its input.
const READS: Duration = Duration::from_secs(5);
/// Maximum time for a program to read its input in the middle of a text, after which the text
/// continues. Also applies to windows that neither got the last input nor get the next.
const IN_TEXT: Duration = Duration::from_secs(1);
/// Maximum time that a program and an input method may keep working on one key, not counting the
/// time that they wait for a CPU.
const ONE_KEY: Duration = Duration::from_millis(20);
/// Maximum time that a program may keep working on its input, not counting the time that it waits
/// for a CPU. An animation never ends, so this time is short.
const WORKS: Duration = Duration::from_millis(150);
/// Maximum time that a program may keep working on its input, including the time that it waits for
/// a CPU.
const STARVES: Duration = Duration::from_millis(1500);
/// Time in which a program draws its next frame: one frame at 60 Hz, plus a margin. A key or chord
/// often opens something at that frame.
pub(super) const FRAME: Duration = Duration::from_millis(20);
/// A program that opened something has finished when it has slept for this long. GTK's file chooser
/// was seen to reset its field 5 to 15 ms after the key that opened it.
const OPENED: Duration = Duration::from_millis(150);
/// Maximum time for a program to finish opening something, not counting the time that it waits for
/// a CPU.
const OPENS: Duration = Duration::from_millis(1000);
/// Interval between two polls of the processes' CPU demand.
const LOOK: Duration = Duration::from_millis(2);
/// Poll interval while the window manager is stopped.
const STOPPED: Duration = Duration::from_millis(20);
/// Interval between two polls of the server.
const POLL: Duration = Duration::from_millis(1);
/// Time after which the processes of a program, and the presence of an input method, are looked up
/// again.
const FAMILY: Duration = Duration::from_secs(1);

/// The kind of input that an action gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InputKind {
    Pointer,
    Keys,
    None,
}

fn kind(step: &Step) -> InputKind {
    match step {
        Step::Move { .. } | Step::Click { .. } | Step::Drag { .. } | Step::Scroll { .. } => {
            InputKind::Pointer
        }
        Step::Down { held, .. } => of_input(held.input),
        Step::Up { input, .. } => of_input(*input),
        Step::Type { .. } | Step::Paste { .. } | Step::Chord { .. } => InputKind::Keys,
        Step::Wait(_) | Step::Screenshot(_) => InputKind::None,
    }
}

fn of_input(input: KeyOrButton) -> InputKind {
    match input {
        KeyOrButton::Key(_) => InputKind::Keys,
        KeyOrButton::Button(_) => InputKind::Pointer,
    }
}

/// Returns the kind of input that an action gives.
pub(super) fn input_of(action: &Action) -> InputKind {
    match action {
        Action::Move { .. }
        | Action::Click { .. }
        | Action::ButtonDown { .. }
        | Action::ButtonUp { .. }
        | Action::Drag { .. }
        | Action::Scroll { .. } => InputKind::Pointer,
        Action::Type { .. }
        | Action::Paste { .. }
        | Action::Chord { .. }
        | Action::KeyDown { .. }
        | Action::KeyUp { .. } => InputKind::Keys,
        Action::Wait(_) | Action::Screenshot(_) => InputKind::None,
    }
}

/// Whether a planned action presses or releases a button, which may move the focus.
fn presses(step: &Step) -> bool {
    matches!(
        step,
        Step::Click { .. } | Step::Drag { .. } | Step::Down { .. } | Step::Up { .. }
    ) && kind(step) == InputKind::Pointer
}

impl Hands<'_> {
    /// Stores the window in focus as the target of the coming key action, for
    /// [`Self::take_effect`]. Clears the target for a pointer action.
    pub(super) fn note_target(&mut self, step: &Step) -> Result<(), Stop> {
        if kind(step) == InputKind::None {
            return Ok(());
        }
        self.pacing.target = None;
        if self.pacing.on && kind(step) == InputKind::Keys {
            self.pacing.target = self.injector.observer().focus_window()?;
            self.note_whether_known();
        }
        Ok(())
    }

    /// Clears the target's process id if no such process exists: it may be an id of another pid
    /// namespace.
    fn note_whether_known(&mut self) {
        if let Some(target) = &mut self.pacing.target {
            target.pid = target.pid.filter(|pid| processes::exists(*pid));
        }
    }

    /// Stores the window under the pointer as the target of a pointer action; called after the
    /// pointer has arrived.
    pub(super) fn note_target_at_pointer(&mut self) -> Result<(), Stop> {
        if self.pacing.on {
            self.pacing.target = self.injector.observer().at_pointer()?;
            self.note_whether_known();
        }
        Ok(())
    }

    /// Waits until an action has taken effect, so that `next` can begin. Stores in `done` how long
    /// that took and whether the effect is confirmed.
    pub(super) fn take_effect(
        &mut self,
        step: &Step,
        next: InputKind,
        done: &mut Done,
    ) -> Result<(), Stop> {
        let start = Instant::now();
        let waited = self.until_in_effect(step, next);
        done.paced = start.elapsed();
        done.unconfirmed = !waited?;
        Ok(())
    }

    /// Waits for facts 2 to 5 of the module documentation; returns whether all were established.
    fn until_in_effect(&mut self, step: &Step, next: InputKind) -> Result<bool, Stop> {
        let target = self.pacing.target.take();
        let mut certain = self.until_managed()?;
        if next == InputKind::Keys
            && presses(step)
            && let Some(target) = &target
        {
            certain &= self.until_focused(target)?;
        }
        let mut windows: Vec<Focus> = target.iter().cloned().collect();
        let now = match kind(step) {
            InputKind::Pointer => self.injector.observer().at_pointer()?,
            _ => None,
        };
        let focus = self.injector.observer().focus_window()?;
        for window in now.into_iter().chain(focus.clone()) {
            if !windows.iter().any(|known| known.window == window.window) {
                windows.push(window);
            }
        }
        // Only a program that got this input or gets the next one may end the step. If another
        // program hangs, the effect is only unconfirmed.
        for window in &windows {
            let same = |other: &Option<Focus>| {
                other
                    .as_ref()
                    .is_some_and(|other| other.window == window.window)
            };
            if same(&target) || next == InputKind::Keys && same(&focus) {
                self.until_answered(window)?;
            } else {
                certain &= self.has_answered_within(window, IN_TEXT)?;
            }
        }
        let mut pids: Vec<u32> = windows.iter().filter_map(|window| window.pid).collect();
        if let Some(manager) = self.injector.observer().window_manager()?
            && self.pacing.deaf == Some(manager.window)
        {
            pids.extend(manager.pid);
        }
        pids.sort_unstable();
        pids.dedup();
        let rest = match step {
            Step::Chord { .. } => FRAME,
            _ => Duration::ZERO,
        };
        certain &= self.until_asleep(&pids, rest, WORKS)?;
        if presses(step) || kind(step) == InputKind::Keys {
            self.pacing.owner = target;
        }
        if next == InputKind::Keys
            && let Some(owner) = self.pacing.owner.clone()
        {
            self.same_program(&owner)?;
        }
        Ok(certain)
    }

    /// Fails if the program and the window that the next keys are meant for have gone, so that the
    /// keys do not reach another program.
    fn same_program(&mut self, target: &Focus) -> Result<(), Stop> {
        let ended = target.pid.is_some_and(|pid| !processes::exists(pid));
        if !ended || self.injector.observer().describe(target.window)?.is_some() {
            return Ok(());
        }
        Err(failed(
            Cause::NotTaken,
            format!(
                "the program of the window {:#x} ended before the next keys, which were meant for it; take a new frame and decide",
                target.window
            ),
        ))
    }

    /// Waits until the server reports all of `inputs` as up, except those that the ledger contains
    /// (held input). Returns the pointer's position.
    pub(super) fn until_up(&mut self, inputs: &[KeyOrButton]) -> Result<(i32, i32), Stop> {
        let start = Instant::now();
        loop {
            let pointer = self.injector.pointer_state()?;
            let is_key = |input: &KeyOrButton| matches!(input, KeyOrButton::Key(_));
            let keys = match inputs.iter().any(is_key) {
                true => Some(self.injector.keys_down()?),
                false => None,
            };
            let down = inputs.iter().filter(|input| !self.ledger.is_held(**input));
            let down = down.copied().find(|input| match input {
                KeyOrButton::Button(number) => pointer.is_down(*number) == Some(true),
                KeyOrButton::Key(code) => keys.is_some_and(|keys| keys[usize::from(*code)]),
            });
            let Some(down) = down else {
                return Ok((pointer.x, pointer.y));
            };
            if start.elapsed() >= FROZEN {
                let what = match down {
                    KeyOrButton::Button(_) => "pointer",
                    KeyOrButton::Key(_) => "keyboard",
                };
                return Err(failed(
                    Cause::InputFrozen,
                    format!(
                        "the {what} has not let go for {} s: another program holds it frozen (a synchronous grab) and gets what was sent when it lets go, or somebody presses the same on another device; take a new frame",
                        FROZEN.as_secs()
                    ),
                ));
            }
            self.poll(start)?;
        }
    }

    /// Waits, at most for a limited time, until the pointer is at `x`,`y`. Returns the pointer's
    /// last position.
    pub(super) fn until_there(&mut self, x: i32, y: i32) -> Result<(i32, i32), Stop> {
        let start = Instant::now();
        let mut asked = false;
        loop {
            let there = self.injector.pointer()?;
            if there == (x, y) {
                return Ok(there);
            }
            if start.elapsed() >= ARRIVES {
                if asked {
                    return Ok(there);
                }
                // A slow window manager may hold the pointer frozen.
                self.until_managed()?;
                asked = true;
                continue;
            }
            self.poll(start)?;
        }
    }

    /// Pauses between two polls. There is no pause during the first [`POLL`], because most answers
    /// come at once.
    fn poll(&mut self, start: Instant) -> Result<(), Stop> {
        self.tend()?;
        if start.elapsed() > POLL {
            self.pause(POLL)?;
        }
        Ok(())
    }

    /// Waits until the window manager has processed all input so far. Returns false if it does not
    /// answer; fails if it is stopped.
    fn until_managed(&mut self) -> Result<bool, Stop> {
        let Some(manager) = self.injector.observer().window_manager()? else {
            return Ok(true);
        };
        if self.pacing.deaf == Some(manager.window) {
            return Ok(true);
        }
        self.injector.observer().ask_manager()?;
        let start = Instant::now();
        while !self.injector.observer().manager_answered()? {
            let stopped = || {
                let pid = manager.pid?;
                processes::demand(&[pid]).stopped.then_some(pid)
            };
            if start.elapsed() >= MANAGER {
                match stopped() {
                    Some(_) if start.elapsed() < READS => self.pause(STOPPED)?,
                    Some(pid) => {
                        return Err(failed(
                            Cause::ProgramUnresponsive,
                            format!(
                                "the window manager (process {pid}) is stopped, so it cannot act on the input; continue it (SIGCONT), then take a new frame"
                            ),
                        ));
                    }
                    None => {
                        let observer = self.injector.observer();
                        if !observer.manager_has_answered() {
                            // This window manager has never answered such a request: do not send it
                            // another one.
                            self.pacing.deaf = Some(manager.window);
                        }
                        // The window manager may have ended: its properties are read again.
                        observer.forget_manager();
                        return Ok(false);
                    }
                }
            }
            self.doze()?;
        }
        Ok(true)
    }

    /// Waits until `target` has the focus. Returns true also if `target` takes no focus or has
    /// gone, or if no window manager runs.
    fn until_focused(&mut self, target: &Focus) -> Result<bool, Stop> {
        if !target.takes_focus || self.injector.observer().window_manager()?.is_none() {
            return Ok(true);
        }
        let start = Instant::now();
        loop {
            let focus = self.injector.observer().focus_window()?;
            if focus.is_some_and(|focus| focus.window == target.window) {
                return Ok(true);
            }
            if start.elapsed() >= FOCUS {
                // A menu of the window, or a new window, may have the focus.
                let there = self.injector.observer().describe(target.window)?;
                return Ok(there.is_none());
            }
            self.doze()?;
        }
    }

    /// Waits until a program has read its input; fails after [`READS`].
    fn until_answered(&mut self, window: &Focus) -> Result<(), Stop> {
        if self.has_answered_within(window, READS)? {
            return Ok(());
        }
        Err(self.unresponsive(window))
    }

    /// Waits at most `limit` until a program has read its input. Returns whether the program has
    /// read it.
    fn has_answered_within(&mut self, window: &Focus, limit: Duration) -> Result<bool, Stop> {
        let asked = self.ask(window)?;
        while !self.answered(window)? {
            if asked.elapsed() >= limit {
                return Ok(false);
            }
            self.doze()?;
        }
        Ok(true)
    }

    /// Waits until a program has read (at most [`IN_TEXT`]) and processed the text that was sent so
    /// far. A program that hangs reads the rest later, in order.
    pub(super) fn until_dealt_with(&mut self, window: &Focus) -> Result<(), Stop> {
        if self.has_answered_within(window, IN_TEXT)? {
            let pids: Vec<u32> = window.pid.into_iter().collect();
            self.until_idle(&pids)?;
        }
        Ok(())
    }

    /// Whether a program has answered its ping. A program that takes no pings counts as having
    /// answered unless it is stopped: [`Self::until_idle`] polls its threads.
    fn answered(&mut self, window: &Focus) -> Result<bool, Stop> {
        if window.pings {
            return Ok(self.injector.observer().answered(window.window)?);
        }
        let stopped = window
            .pid
            .is_some_and(|pid| processes::demand(&[pid]).stopped);
        Ok(!stopped)
    }

    fn unresponsive(&self, window: &Focus) -> Stop {
        failed(
            Cause::ProgramUnresponsive,
            format!(
                "the program of the window {:#x} ({:?}) has not read its input for {} s; look at the frame, wait until it works again",
                window.window,
                window.class.replace('\0', " ").trim(),
                READS.as_secs()
            ),
        )
    }

    /// Waits until a program has read one key, then at most [`ONE_KEY`] until the program and the
    /// input method are idle.
    pub(super) fn until_key_dealt_with(&mut self, window: &Focus) -> Result<(), Stop> {
        if self.has_answered_within(window, IN_TEXT)? {
            let pids: Vec<u32> = window.pid.into_iter().collect();
            self.until_asleep(&pids, Duration::ZERO, ONE_KEY)?;
        }
        Ok(())
    }

    /// Waits until a program has finished opening a field or a dialog, at most [`OPENS`].
    pub(super) fn until_opened(&mut self, window: &Focus) -> Result<(), Stop> {
        let pids: Vec<u32> = window.pid.into_iter().collect();
        self.until_asleep(&pids, OPENED, OPENS)?;
        Ok(())
    }

    /// Waits until all threads of `roots`, and of the processes that react to input for them,
    /// sleep: at most [`WORKS`], plus waits for a CPU. Returns whether they sleep.
    pub(super) fn until_idle(&mut self, roots: &[u32]) -> Result<bool, Stop> {
        self.until_asleep(roots, Duration::ZERO, WORKS)
    }

    /// Waits as [`Self::until_idle`] does, but until the threads have slept for at least `rest`,
    /// and at most `works` plus waits for a CPU.
    fn until_asleep(
        &mut self,
        roots: &[u32],
        rest: Duration,
        works: Duration,
    ) -> Result<bool, Stop> {
        if roots.is_empty() {
            // The processes of the program are not known, so the effect is not confirmed.
            self.pause(rest)?;
            return Ok(false);
        }
        let pids = self.family(roots);
        let first = processes::demand(&pids);
        let (start, mut last) = (Instant::now(), first);
        let mut asleep_since = start;
        loop {
            // An X event ends a wait early, and two polls at almost the same time show no
            // difference.
            let look = Instant::now();
            while look.elapsed() < LOOK {
                self.tend()?;
                let left = LOOK.saturating_sub(look.elapsed());
                self.injector.observer().doze(left)?;
            }
            let now = processes::demand(&pids);
            if !is_idle(&last, &now) {
                asleep_since = Instant::now();
            } else if asleep_since.elapsed() >= rest {
                return Ok(true);
            }
            let starved = now.waited.saturating_sub(first.waited);
            let limit = (works + starved).min(STARVES);
            if start.elapsed() >= limit {
                return Ok(false);
            }
            last = now;
        }
    }

    /// Whether an input method runs on this display.
    pub(super) fn has_input_method(&mut self) -> bool {
        if let Some((runs, read)) = self.pacing.method
            && read.elapsed() < FAMILY
        {
            return runs;
        }
        let runs = processes::has_input_method(self.display.name().number);
        self.pacing.method = Some((runs, Instant::now()));
        runs
    }

    fn family(&mut self, roots: &[u32]) -> Vec<u32> {
        if let Some((known, family, read)) = &self.pacing.family
            && known == roots
            && read.elapsed() < FAMILY
        {
            return family.clone();
        }
        let family = processes::reacting(roots, self.display.name().number);
        self.pacing.family = Some((roots.to_vec(), family.clone(), Instant::now()));
        family
    }

    fn doze(&mut self) -> Result<(), Stop> {
        self.tend()?;
        Ok(self.injector.observer().doze(POLL)?)
    }
}

/// Whether no thread runs, and none ran between the two polls.
fn is_idle(before: &Demand, now: &Demand) -> bool {
    !before.running && before == now
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presses_move_the_focus_and_waits_give_no_input() {
        let click = Step::Click {
            at: None,
            button: KeyOrButton::Button(1),
            count: 1,
            modifiers: super::super::planned::Keys {
                press: Vec::new(),
                renew: Vec::new(),
            },
        };
        let key_up = Step::Up {
            at: None,
            input: KeyOrButton::Key(38),
        };
        assert!(presses(&click) && kind(&click) == InputKind::Pointer);
        assert!(!presses(&key_up) && kind(&key_up) == InputKind::Keys);
        let wait = Step::Wait(Duration::from_millis(1));
        let to = Step::Move {
            to: (1, 1),
            modifiers: super::super::planned::Keys {
                press: Vec::new(),
                renew: Vec::new(),
            },
        };
        assert!(kind(&wait) == InputKind::None && kind(&to) == InputKind::Pointer);
    }

    #[test]
    fn idle_means_that_nothing_runs_and_nothing_ran() {
        let still = Demand::default();
        let (mut waited, mut running) = (still, still);
        waited.waited = Duration::from_nanos(1);
        running.running = true;
        assert!(is_idle(&still, &still));
        assert!(!is_idle(&still, &waited));
        assert!(!is_idle(&running, &running));
    }
}
