//! Answers to pings: a client that answers has processed everything that the X server sent
//! it before.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use crate::facts::Pinged;

/// Minimum interval between two pings to the same receiver.
pub(super) const APART: Duration = Duration::from_millis(200);
/// Time without an answer after which a ping counts as lost and another one is sent. No observed
/// program took more than half of it, even at a twentieth of a core.
const LOST: Duration = Duration::from_secs(20);
/// Time without an answer after which a receiver that has never answered is pinged again.
const STARTS: Duration = Duration::from_secs(1);
/// Number of answers that are kept of each receiver.
const KEPT: usize = 16;

#[derive(Debug, Default)]
struct History {
    /// When the unanswered ping was sent; of several, the first.
    waiting_since: Option<Duration>,
    last_sent: Option<Duration>,
    /// The answered pings: when each was sent, and when its answer arrived.
    answered: VecDeque<(Duration, Duration)>,
}

/// All pings and their answers.
#[derive(Debug, Default)]
pub(super) struct Pongs(HashMap<Pinged, History>);

/// The answers to pings that were sent at or after a given time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counted {
    /// Their number.
    pub(super) count: u32,
    /// Whether two of them answer pings that were sent at least [`APART`] from each other.
    pub(super) twice: bool,
    /// The longest time from a ping to its answer.
    pub(super) slowest: Duration,
}

impl Pongs {
    /// Drops the history of each receiver for which `same` returns false.
    pub(super) fn keep(&mut self, same: impl Fn(&Pinged) -> bool) {
        self.0.retain(|to, _| same(to));
    }

    pub(super) fn sent(&mut self, at: Duration, to: Pinged) {
        let history = self.0.entry(to).or_default();
        // An answer does not tell which ping it is for, so it counts for the first unanswered one.
        if history.waiting_since.is_none() || !history.answered.is_empty() {
            history.waiting_since = Some(at);
        }
        history.last_sent = Some(at);
    }

    pub(super) fn answered(&mut self, at: Duration, by: Pinged) {
        let history = self.0.entry(by).or_default();
        if let Some(sent) = history.waiting_since.take() {
            if history.answered.len() == KEPT {
                history.answered.pop_front();
            }
            history.answered.push_back((sent, at));
        }
    }

    /// Whether the next ping is to be sent now.
    pub(super) fn due(&self, at: Duration, to: Pinged) -> bool {
        self.0.get(&to).is_none_or(|history| {
            // An answer is lost if the pinged window was destroyed. A program that is just starting
            // may not have listened yet.
            let lost = match (history.waiting_since, history.last_sent) {
                (Some(_), Some(last)) if history.answered.is_empty() => at >= last + STARTS,
                (Some(sent), _) => at >= sent + LOST,
                (None, _) => false,
            };
            let answered = history.waiting_since.is_none();
            (lost || answered) && history.last_sent.is_none_or(|sent| at >= sent + APART)
        })
    }

    /// The longest time from a ping to its answer, of all answers that are kept.
    pub(super) fn slowest(&self) -> Duration {
        let answers = self.0.values().flat_map(|history| &history.answered);
        answers
            .map(|(sent, answered)| answered.saturating_sub(*sent))
            .max()
            .unwrap_or_default()
    }

    /// Whether it has been pinged for 20 s and has never answered.
    pub(super) fn is_mute(&self, at: Duration, to: Pinged) -> bool {
        self.0.get(&to).is_some_and(|history| {
            let asked = history.waiting_since.is_some_and(|sent| at >= sent + LOST);
            asked && history.answered.is_empty()
        })
    }

    /// Counts the answers to pings that were sent at or after `since`.
    pub(super) fn counted(&self, by: Pinged, since: Duration) -> Counted {
        let none = VecDeque::new();
        let answered = self.0.get(&by).map_or(&none, |history| &history.answered);
        let valid = || answered.iter().filter(|(sent, _)| *sent >= since);
        let first = valid().next().map(|(sent, _)| *sent);
        Counted {
            count: u32::try_from(valid().count()).unwrap_or(u32::MAX),
            twice: first.is_some_and(|first| valid().any(|(sent, _)| *sent >= first + APART)),
            slowest: valid()
                .map(|(sent, answered)| answered.saturating_sub(*sent))
                .max()
                .unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const W: Pinged = Pinged::Window(7);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn only_pings_after_the_change_count_and_two_must_be_apart() {
        let mut pongs = Pongs::default();
        for (sent, answered) in [(0, 2), (200, 203), (400, 401)] {
            assert!(pongs.due(ms(sent), W));
            pongs.sent(ms(sent), W);
            assert!(!pongs.due(ms(sent + 1), W));
            pongs.answered(ms(answered), W);
        }
        let all = pongs.counted(W, ms(0));
        assert_eq!((all.count, all.twice, all.slowest), (3, true, ms(3)));
        assert!(pongs.counted(W, ms(200)).twice);
        let one = pongs.counted(W, ms(201));
        assert_eq!((one.count, one.twice), (1, false));
        assert_eq!(pongs.counted(Pinged::WindowManager, ms(0)).count, 0);
    }

    #[test]
    fn an_answer_that_is_late_is_waited_for_and_told() {
        let mut pongs = Pongs::default();
        pongs.sent(ms(0), W);
        pongs.answered(ms(1), W);
        pongs.sent(ms(1000), W);
        assert!(!pongs.due(ms(6000), W));
        assert!(pongs.due(ms(21_000), W));
        pongs.answered(ms(6000), W);
        assert!(pongs.due(ms(6000), W));
        assert_eq!(pongs.counted(W, ms(0)).slowest, ms(5000));
        // An answer without a ping is ignored.
        pongs.answered(ms(6001), W);
        assert_eq!(pongs.counted(W, ms(0)).count, 2);
    }

    #[test]
    fn a_program_that_did_not_listen_yet_is_asked_again() {
        let mut pongs = Pongs::default();
        pongs.sent(ms(0), W);
        assert!(!pongs.due(ms(900), W));
        assert!(pongs.due(ms(1000), W));
        pongs.sent(ms(1000), W);
        assert!(!pongs.is_mute(ms(19_999), W) && pongs.is_mute(ms(20_000), W));
        // The answer may be to either ping, so it counts for the first.
        pongs.answered(ms(1100), W);
        let counted = pongs.counted(W, ms(0));
        assert_eq!((counted.count, counted.slowest), (1, ms(1100)));
        assert_eq!(pongs.counted(W, ms(500)).count, 0);
        assert!(!pongs.is_mute(ms(30_000), W));
    }
}
