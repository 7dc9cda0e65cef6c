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
    waits::{IN_TEXT, WORKS},
};
use crate::{
    failure::Cause,
    processes::{self},
    x11::{Focus, KeyOrButton},
};

/// Time in which a program draws its next frame: one frame at 60 Hz, plus a margin. A key or chord
/// often opens something at that frame.
pub(super) const FRAME: Duration = Duration::from_millis(20);

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
        Step::Wait(_) | Step::WaitFor { .. } | Step::Screenshot(_) => InputKind::None,
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
        Action::Wait(_) | Action::WaitFor { .. } | Action::Screenshot(_) => InputKind::None,
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
}
