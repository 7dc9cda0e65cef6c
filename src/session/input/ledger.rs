//! Records held input and when each hold ends. The ledger outlives the connection to the X server,
//! because the server keeps a key down after the client that pressed it has disconnected.

use std::time::Duration;

use crate::x11::{KeyOrButton, Mark};

/// A key or button that is down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) input: KeyOrButton,
    /// A key's name; empty for a button.
    pub(super) name: String,
    /// The hold time and its end, in uptime. The hold time starts again each time an action names
    /// the input. `None`: pressed only for the step.
    pub(super) hold: Option<(Duration, Duration)>,
}

/// All keys and buttons that deskd holds down, oldest first.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    held: Vec<Held>,
    /// Input that the action under way has named: its hold does not end during that action.
    named: Vec<KeyOrButton>,
}

impl Ledger {
    /// Records a press.
    pub(super) fn press(&mut self, held: Held) {
        self.held.retain(|other| other.input != held.input);
        self.held.push(held);
    }

    /// Records a release. Returns false if the input was not held.
    pub(super) fn release(&mut self, input: KeyOrButton) -> bool {
        let before = self.held.len();
        self.held.retain(|held| held.input != input);
        self.held.len() < before
    }

    pub(super) fn is_held(&self, input: KeyOrButton) -> bool {
        self.held.iter().any(|held| held.input == input)
    }

    pub(super) fn all(&self) -> &[Held] {
        &self.held
    }

    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Restarts the hold time of held input.
    pub(super) fn renew(&mut self, input: KeyOrButton, now: Duration) {
        for held in self.held.iter_mut().filter(|held| held.input == input) {
            if let Some((time, until)) = &mut held.hold {
                *until = now + *time;
            }
        }
    }

    /// Sets the input whose hold does not end during the action under way.
    pub(super) fn keep(&mut self, named: &[KeyOrButton]) {
        self.named = named.to_vec();
    }

    /// Returns when the next hold ends, in uptime. Input that the action under way has named is not
    /// considered.
    pub(super) fn next_end(&self) -> Option<Duration> {
        let free = |held: &&Held| !self.named.contains(&held.input);
        let ends = self.held.iter().filter(free).filter_map(|held| held.hold);
        ends.map(|(_, until)| until).min()
    }

    /// Returns input whose hold has ended, newest first.
    pub(super) fn ended(&self, now: Duration) -> Vec<KeyOrButton> {
        let over = |held: &Held| held.hold.is_some_and(|(_, until)| until <= now);
        self.pick(|held| over(held) && !self.named.contains(&held.input))
    }

    /// Returns input that was pressed only for the step, newest first.
    pub(super) fn of_call(&self) -> Vec<KeyOrButton> {
        self.pick(|held| held.hold.is_none())
    }

    /// Returns all held input, newest first.
    pub(super) fn everything(&self) -> Vec<KeyOrButton> {
        self.pick(|_| true)
    }

    fn pick(&self, which: impl Fn(&Held) -> bool) -> Vec<KeyOrButton> {
        let picked = self.held.iter().rev().filter(|held| which(held));
        picked.map(|held| held.input).collect()
    }

    /// Returns the marks of held input, which are stored in a property of the root window.
    pub(super) fn marks(&self) -> Vec<Mark> {
        let mark = |held: &Held| Mark {
            input: held.input,
            until: held.hold.map(|(_, until)| until),
        };
        self.held.iter().map(mark).collect()
    }

    /// Forgets all held input, because its X server no longer exists.
    pub(super) fn clear(&mut self) {
        self.held.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(code: u8, until: Option<u64>) -> Held {
        Held {
            input: KeyOrButton::Key(code),
            name: String::new(),
            hold: until.map(|until| (Duration::from_secs(10), Duration::from_secs(until))),
        }
    }

    #[test]
    fn holds_end_are_renewed_and_marked() {
        let mut ledger = Ledger::default();
        for (code, until) in [(37, Some(20)), (50, None), (64, Some(12))] {
            ledger.press(held(code, until));
        }
        assert_eq!(ledger.next_end(), Some(Duration::from_secs(12)));
        assert_eq!(ledger.ended(Duration::from_secs(11)), []);
        ledger.renew(KeyOrButton::Key(64), Duration::from_secs(11));
        // The hold of an input that was named does not end.
        ledger.keep(&[KeyOrButton::Key(64)]);
        assert_eq!(ledger.next_end(), Some(Duration::from_secs(20)));
        assert_eq!(
            ledger.ended(Duration::from_secs(21)),
            [KeyOrButton::Key(37)]
        );
        ledger.keep(&[]);
        assert_eq!(
            ledger.ended(Duration::from_secs(21)),
            [KeyOrButton::Key(64), KeyOrButton::Key(37)]
        );
        assert_eq!(ledger.of_call(), [KeyOrButton::Key(50)]);
        assert_eq!(
            ledger.everything(),
            [
                KeyOrButton::Key(64),
                KeyOrButton::Key(50),
                KeyOrButton::Key(37)
            ]
        );
        let marks = ledger.marks();
        assert_eq!(marks[1].until, None);
        assert_eq!(marks[2].until, Some(Duration::from_secs(21)));
        assert!(ledger.release(KeyOrButton::Key(50)));
        assert!(!ledger.release(KeyOrButton::Key(50)));
        // A key that is pressed again has one entry, the newest.
        ledger.press(held(37, None));
        assert_eq!(
            ledger.everything(),
            [KeyOrButton::Key(37), KeyOrButton::Key(64)]
        );
    }
}
