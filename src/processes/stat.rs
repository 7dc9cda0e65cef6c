//! Reads the kernel's reports on a process: `/proc/PID` (proc(5)).

use std::{collections::HashMap, fs, time::Duration};

use crate::facts::{Doing, ProcessSample};

/// The state and CPU times of all threads of some processes at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Demand {
    /// Whether a thread runs, or waits for a CPU or a disk.
    pub(crate) running: bool,
    /// Whether a process was stopped by a signal or a debugger.
    pub(crate) stopped: bool,
    /// CPU time that the threads used so far.
    used: Duration,
    /// Time that the threads waited for a CPU so far.
    pub(crate) waited: Duration,
    /// The number of threads.
    threads: usize,
}

/// Maximum number of threads that are examined.
const MAX_THREADS: usize = 4096;

/// Threads that only paint or work in the background, by the first letters of their names: raster
/// workers of Chromium and Firefox, and Chromium's thread pool. Their work does not decide where
/// the next input goes.
const PAINTERS: [&str; 4] = [
    "CompositorTileW",
    "ThreadPoolForeg",
    "WRWorker",
    "SwComposite",
];

/// Returns the current demand of these processes. A process that has ended adds nothing.
pub(crate) fn demand(pids: &[u32]) -> Demand {
    let mut demand = Demand::default();
    for pid in pids {
        let threads = fs::read_dir(format!("/proc/{pid}/task"))
            .into_iter()
            .flatten();
        for thread in threads.filter_map(Result::ok) {
            let path = thread.path();
            let Some(stat) = fs::read(path.join("stat")).ok() else {
                continue;
            };
            let Some(stat) = Stat::parse(&String::from_utf8_lossy(&stat)) else {
                continue;
            };
            if PAINTERS.iter().any(|name| stat.name.starts_with(name)) {
                continue;
            }
            demand.threads += 1;
            if demand.threads > MAX_THREADS {
                // Too many threads to examine: the processes count as busy.
                demand.running = true;
                return demand;
            }
            demand.running |= !matches!(stat.state, b'S' | b'I' | b'T' | b't' | b'Z' | b'X');
            demand.stopped |= matches!(stat.state, b'T' | b't');
            let fine = fs::read_to_string(path.join("schedstat"));
            match fine.ok().and_then(|text| parse_schedstat(&text)) {
                Some((used, waited)) => {
                    demand.used += Duration::from_nanos(used);
                    demand.waited += Duration::from_nanos(waited);
                }
                // gVisor has no schedstat, so use the CPU time in hundredths of a second.
                None => demand.used += Duration::from_millis(stat.ticks * 10),
            }
        }
    }
    demand
}

/// Returns the ids of all processes.
pub(crate) fn all() -> impl Iterator<Item = u32> {
    let folders = fs::read_dir("/proc").into_iter().flatten();
    let names = folders.filter_map(Result::ok);
    names.filter_map(|folder| folder.file_name().to_str()?.parse().ok())
}

/// Returns a process's name, at most 15 bytes; empty if it has ended. The process chooses its name,
/// so control characters are replaced to keep a log line on one line.
pub(crate) fn name(pid: u32) -> String {
    let name = Stat::read(pid).map(|stat| stat.name).unwrap_or_default();
    shown(&name)
}

/// Returns the parent of a process.
pub(crate) fn parent_of(pid: u32) -> Option<u32> {
    Stat::read(pid).map(|stat| stat.parent)
}

/// Returns when a process was started, as [`started`] does, and its name, as [`name`] does, from one
/// look.
pub(crate) fn started_and_name(pid: u32) -> (Option<u64>, String) {
    match Stat::read(pid) {
        Some(stat) => (Some(stat.started), shown(&stat.name)),
        None => (None, String::new()),
    }
}

fn shown(name: &str) -> String {
    name.replace(char::is_control, "?")
}

/// Whether a process exists and is not a zombie.
pub(crate) fn exists(pid: u32) -> bool {
    Stat::read(pid).is_some_and(|stat| stat.lives(pid))
}

/// Returns the effective user of a process.
pub(crate) fn user(pid: u32) -> Option<u32> {
    users(pid).get(1).copied()
}

/// Whether a process runs as that user, or was started by that user and gained privileges, for
/// example by a set-user-ID program: its real, effective or saved user is `user`.
pub(crate) fn is_user(pid: u32, user: u32) -> bool {
    users(pid).contains(&user)
}

/// Returns the real, the effective and the saved user of a process.
fn users(pid: u32) -> Vec<u32> {
    let status = status(pid).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    let ids = line.unwrap_or_default().split_whitespace().take(3);
    ids.filter_map(|id| id.parse().ok()).collect()
}

/// Reads a process's `status` (proc(5)). The name in it may not be valid UTF-8.
fn status(pid: u32) -> Option<String> {
    let status = fs::read(format!("/proc/{pid}/status")).ok()?;
    Some(String::from_utf8_lossy(&status).into_owned())
}

/// Returns a process's start time in hundredths of a second since boot (proc(5), `starttime`).
pub(crate) fn started(pid: u32) -> Option<u64> {
    Stat::read(pid).map(|stat| stat.started)
}

/// Returns the age of a process; `None` if it has ended, or the kernel does not report start times
/// (gVisor).
pub(crate) fn age(pid: u32) -> Option<Duration> {
    age_of(started(pid)?, since_boot()?)
}

pub(super) fn age_of(started: u64, now: Duration) -> Option<Duration> {
    // A start time of 0 means that it is not known: only the kernel's first processes have it.
    (started > 0).then(|| now.saturating_sub(Duration::from_millis(started * 10)))
}

/// Returns the time since boot, on the same clock as [`started`].
pub(super) fn since_boot() -> Option<Duration> {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME);
    now.ok().map(Duration::from)
}

/// Whether neither a process nor its children can gain privileges (prctl(2),
/// `PR_SET_NO_NEW_PRIVS`). Returns false if that is not known.
pub(crate) fn has_no_new_privs(pid: u32) -> bool {
    let status = status(pid).unwrap_or_default();
    let value = status
        .lines()
        .find_map(|line| line.strip_prefix("NoNewPrivs:"));
    value.is_some_and(|value| value.trim() == "1")
}

/// Returns all processes except zombies, each with its parent.
pub(crate) fn living() -> Vec<(u32, u32)> {
    let lives = |pid: u32| {
        let stat = Stat::read(pid)?;
        stat.lives(pid).then_some((pid, stat.parent))
    };
    all().filter_map(lives).collect()
}

/// Returns the `stat` data of all processes by their ids.
pub(super) fn table() -> HashMap<u32, Stat> {
    all()
        .filter_map(|pid| Some((pid, Stat::read(pid)?)))
        .collect()
}

/// Samples a process; `None` if it has ended or is a zombie.
pub(crate) fn sample(pid: u32) -> Option<ProcessSample> {
    let stat = Stat::read(pid)?;
    let doing = match stat.state {
        b'S' | b'I' => Doing::Asleep,
        b'T' | b't' => Doing::Stopped,
        b'Z' | b'X' if !stat.lives(pid) => return None,
        _ => Doing::Running,
    };
    // The sum over all threads in nanoseconds, if the kernel reports it.
    let threads = fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    let fine = threads
        .filter_map(Result::ok)
        .map(|thread| fs::read_to_string(thread.path().join("schedstat")).ok())
        .map(|text| parse_schedstat(&text?))
        .try_fold((0, 0), |(used, waited), thread| {
            let (u, w) = thread?;
            Some((used + u, waited + w))
        });
    let (used, waited, grain) = match fine {
        Some((used, waited)) => (
            Duration::from_nanos(used),
            Duration::from_nanos(waited),
            Duration::ZERO,
        ),
        // gVisor has no schedstat, so use hundredths of a second without the waiting time.
        None => (
            Duration::from_millis(stat.ticks * 10),
            Duration::ZERO,
            Duration::from_millis(10),
        ),
    };
    Some(ProcessSample {
        pid,
        doing,
        used,
        wanted: used + waited,
        grain,
    })
}

/// Parses the time on a CPU and the time waiting for one, in nanoseconds.
fn parse_schedstat(text: &str) -> Option<(u64, u64)> {
    let mut words = text.split_ascii_whitespace();
    Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
}

/// Fields of `/proc/PID/stat`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) name: String,
    pub(super) state: u8,
    pub(super) parent: u32,
    pub(super) group: u32,
    pub(super) session: u32,
    /// Device number of the controlling terminal; 0 without one.
    pub(super) terminal: u64,
    /// The process group in the foreground of that terminal.
    pub(super) foreground: u32,
    /// CPU time of all threads, in hundredths of a second.
    pub(super) ticks: u64,
    /// See [`started`].
    pub(super) started: u64,
}

impl Stat {
    pub(super) fn read(pid: u32) -> Option<Self> {
        let bytes = fs::read(format!("/proc/{pid}/stat")).ok()?;
        Self::parse(&String::from_utf8_lossy(&bytes))
    }

    /// Whether the process is not a zombie. If its first thread has ended, it is reported like a
    /// zombie although other threads are alive.
    pub(super) fn lives(&self, pid: u32) -> bool {
        if !matches!(self.state, b'Z' | b'X') {
            return true;
        }
        let threads = fs::read_dir(format!("/proc/{pid}/task"));
        let mut threads = threads.into_iter().flatten().filter_map(Result::ok);
        threads.any(|thread| {
            let stat = fs::read(thread.path().join("stat")).unwrap_or_default();
            Self::parse(&String::from_utf8_lossy(&stat))
                .is_some_and(|stat| !matches!(stat.state, b'Z' | b'X'))
        })
    }

    fn parse(text: &str) -> Option<Self> {
        // The name may contain spaces and parentheses; the last closing one ends it.
        let (head, rest) = text.rsplit_once(')')?;
        let (_, name) = head.split_once('(')?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        let number = |index: usize| -> Option<u64> { fields.get(index)?.parse().ok() };
        Some(Self {
            name: name.to_owned(),
            state: *fields.first()?.as_bytes().first()?,
            parent: u32::try_from(number(1)?).ok()?,
            group: u32::try_from(number(2)?).ok()?,
            session: u32::try_from(number(3)?).ok()?,
            terminal: number(4)?,
            // The kernel reports -1 without a terminal.
            foreground: number(5)
                .and_then(|group| u32::try_from(group).ok())
                .unwrap_or(0),
            ticks: number(11)? + number(12)?,
            // Some kernels report fewer fields, without the start time.
            started: number(19).unwrap_or(0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_line_parses_whatever_the_name() {
        let line = "7 (a) (b c) S 3 7 5 0 -1 4194304 1 2 3 4 11 22 0 0 20 0 1 0 99 1 2";
        let stat = Stat::parse(line).unwrap();
        assert_eq!((stat.name.as_str(), stat.state), ("a) (b c", b'S'));
        assert_eq!((stat.parent, stat.session, stat.ticks), (3, 5, 33));
        assert_eq!((stat.group, stat.terminal, stat.foreground), (7, 0, 0));
        assert_eq!(Stat::parse("7 (x"), None);
        assert_eq!(Stat::parse("7 (x) S 1"), None);
    }

    #[test]
    fn a_name_stays_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("a\nFAKE line\u{1b}");
        std::os::unix::fs::symlink("/bin/sleep", &program).unwrap();
        let mut child = std::process::Command::new(&program)
            .arg("60")
            .spawn()
            .unwrap();
        let is_named = || name(child.id()).starts_with("a?FAKE line");
        let told = (0..100).any(|_| {
            std::thread::sleep(Duration::from_millis(10));
            is_named()
        });
        let said = name(child.id());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(told && !said.contains(char::is_control), "{said:?}");
    }

    #[test]
    fn schedstat_is_two_numbers_and_more() {
        assert_eq!(parse_schedstat("123 45 6\n"), Some((123, 45)));
        assert_eq!(parse_schedstat(""), None);
    }
}
