//! The waits of pacing, each with a bound: for the server, the window manager, the focus, and
//! the program that received the input.

use std::time::{Duration, Instant};

use super::{
    hands::Hands,
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
pub(super) const IN_TEXT: Duration = Duration::from_secs(1);
/// Maximum time that a program and an input method may keep working on one key, not counting the
/// time that they wait for a CPU.
const ONE_KEY: Duration = Duration::from_millis(20);
/// Maximum time that a program may keep working on its input, not counting the time that it waits
/// for a CPU. An animation never ends, so this time is short.
pub(super) const WORKS: Duration = Duration::from_millis(150);
/// Maximum time that a program may keep working on its input, including the time that it waits for
/// a CPU.
const STARVES: Duration = Duration::from_millis(1500);
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

impl Hands<'_> {
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
    pub(super) fn until_managed(&mut self) -> Result<bool, Stop> {
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
    pub(super) fn until_focused(&mut self, target: &Focus) -> Result<bool, Stop> {
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
    pub(super) fn until_answered(&mut self, window: &Focus) -> Result<(), Stop> {
        if self.has_answered_within(window, READS)? {
            return Ok(());
        }
        Err(self.unresponsive(window))
    }

    /// Waits at most `limit` until a program has read its input. Returns whether the program has
    /// read it.
    pub(super) fn has_answered_within(
        &mut self,
        window: &Focus,
        limit: Duration,
    ) -> Result<bool, Stop> {
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
    pub(super) fn until_asleep(
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
