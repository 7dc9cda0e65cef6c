//! Whether the desktop's processes are at rest.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use crate::facts::{Doing, ProcessSample};

/// Minimum period over which a process's CPU time is judged.
const WINDOW: Duration = Duration::from_millis(300);
/// Maximum age of a sample that is kept.
const MEMORY: Duration = Duration::from_secs(2);
/// A process that uses more than one part in this number of its time is at work. An idle panel uses
/// 1/100. A process under a quota, or one that is stopped nine tenths of the time, can use 1/10 at
/// most.
const USED: u32 = 20;
/// A process that demands (uses or waits for) more than one part in this number of its time is at
/// work, but a quota or other processes keep it from running.
const WANTED: u32 = 2;

#[derive(Debug)]
struct Past {
    required: bool,
    samples: VecDeque<(Duration, ProcessSample)>,
}

/// The reason why a process is not at rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unrest {
    /// Too few samples yet to judge it.
    Unknown,
    /// At work.
    Busy,
    /// Stopped in every sample since the last change.
    Stopped,
}

impl Unrest {
    pub(super) fn phrase(self) -> &'static str {
        match self {
            Self::Unknown => "has not been watched for long enough",
            Self::Busy => "is at work",
            Self::Stopped => "is stopped",
        }
    }
}

/// The samples of each process over the last [`MEMORY`].
#[derive(Debug, Default)]
pub(super) struct Sleep {
    past: HashMap<u32, Past>,
    sampled: bool,
}

impl Sleep {
    pub(super) fn note(
        &mut self,
        at: Duration,
        required: &[ProcessSample],
        others: &[ProcessSample],
    ) {
        self.sampled = true;
        let lists = [(true, required), (false, others)];
        let alive = |pid: &u32| {
            lists
                .iter()
                .any(|(_, list)| list.iter().any(|sample| sample.pid == *pid))
        };
        self.past.retain(|pid, _| alive(pid));
        for (required, list) in lists {
            for sample in list {
                let past = self.past.entry(sample.pid).or_insert_with(|| Past {
                    required,
                    samples: VecDeque::new(),
                });
                past.required = required;
                past.samples.push_back((at, *sample));
                while past.samples.front().is_some_and(|(t, _)| *t + MEMORY < at) {
                    past.samples.pop_front();
                }
            }
        }
    }

    /// Whether the processes were ever sampled.
    pub(super) fn sampled(&self) -> bool {
        self.sampled
    }

    /// Lists the processes that are not at rest, required ones first: process id, whether it owns a
    /// required window, and the reason. `since` is the time of the last change.
    pub(super) fn restless(&self, since: Duration) -> Vec<(u32, bool, Unrest)> {
        let mut list: Vec<_> = self
            .past
            .iter()
            .filter_map(|(pid, past)| Some((*pid, past.required, unrest(past, since)?)))
            .collect();
        list.sort_unstable_by_key(|(pid, required, _)| (!required, *pid));
        list
    }
}

fn unrest(past: &Past, since: Duration) -> Option<Unrest> {
    let (now, last) = past.samples.back()?;
    let after = || past.samples.iter().filter(|(at, _)| *at >= since);
    // A process that is stopped and continued in turns is sampled in another state sooner or later.
    if last.doing == Doing::Stopped && after().all(|(_, s)| s.doing == Doing::Stopped) {
        return Some(Unrest::Stopped);
    }
    if last.doing == Doing::Running {
        return Some(Unrest::Busy);
    }
    let begin = past
        .samples
        .iter()
        .rev()
        .find(|(at, _)| *at + WINDOW <= *now);
    let Some((begin, first)) = begin else {
        return Some(Unrest::Unknown);
    };
    let time = now.saturating_sub(*begin);
    let used = last.used.saturating_sub(first.used);
    let wanted = last.wanted.saturating_sub(first.wanted);
    let busy = used > time / USED + last.grain || wanted > time / WANTED + last.grain;
    busy.then_some(Unrest::Busy)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn sample(doing: Doing, used: u64, wanted: u64) -> ProcessSample {
        ProcessSample {
            pid: 5,
            doing,
            used: ms(used),
            wanted: ms(wanted),
            grain: Duration::ZERO,
        }
    }

    /// Feeds the samples to `Sleep`, 100 ms apart; the screen changes last at 100 ms.
    fn after(samples: &[ProcessSample]) -> Vec<(u32, bool, Unrest)> {
        let mut sleep = Sleep::default();
        for (at, sample) in (0..).map(|i| ms(i * 100)).zip(samples) {
            sleep.note(at, &[*sample], &[]);
        }
        sleep.restless(ms(100))
    }

    #[test]
    fn an_idle_process_rests_once_it_was_watched() {
        let idle: Vec<_> = (0..6).map(|i| sample(Doing::Asleep, i, i)).collect();
        assert_eq!(after(&idle), []);
        assert_eq!(after(&idle[..3]), [(5, true, Unrest::Unknown)]);
    }

    #[test]
    fn work_waiting_and_stopping_are_seen() {
        let busy = |used: u64, wanted: u64| -> Vec<_> {
            (0..6)
                .map(|i| sample(Doing::Asleep, i * used, i * wanted))
                .collect()
        };
        // It uses 1/10 of its time because SIGSTOP keeps it from more: at work.
        assert_eq!(after(&busy(10, 10)), [(5, true, Unrest::Busy)]);
        // Under a quota it uses little CPU time and demands it all the time: at work.
        assert_eq!(after(&busy(2, 99)), [(5, true, Unrest::Busy)]);
        // An idle process on a busy machine waits a little before each turn: at rest.
        assert_eq!(after(&busy(1, 30)), []);
        let mut list: Vec<_> = (0..6).map(|_| sample(Doing::Asleep, 0, 0)).collect();
        list[5].doing = Doing::Running;
        assert_eq!(after(&list), [(5, true, Unrest::Busy)]);
        let stopped = vec![sample(Doing::Stopped, 0, 0); 6];
        assert_eq!(after(&stopped), [(5, true, Unrest::Stopped)]);
        // It was not stopped in one sample after the change, so it is not reported as stopped.
        let mut turns = stopped;
        turns[3].doing = Doing::Asleep;
        assert_eq!(after(&turns), []);
    }

    #[test]
    fn who_has_gone_is_forgotten() {
        let mut sleep = Sleep::default();
        sleep.note(ms(0), &[sample(Doing::Running, 0, 0)], &[]);
        sleep.note(ms(100), &[], &[]);
        assert_eq!(sleep.restless(ms(0)), []);
        assert!(sleep.sampled());
    }
}
