//! Processes, as the kernel reports them (proc(5)): a leaf.

use std::{
    collections::HashMap,
    fs,
    io::{self, Read as _},
    os::unix::fs::OpenOptionsExt as _,
    time::Duration,
};

use crate::facts::{Doing, ProcessSample, Scene};

/// Processes that D-Bus starts on behalf of others, by name: those whose answer
/// a panel or a desktop waits for.
const SERVICES: [&str; 1] = ["xfconfd"];

/// Processes that are looked at; more are left out.
const MAX: usize = 256;

/// The processes that have windows, and the process that started the window manager.
pub(crate) fn clients(scene: &Scene) -> Vec<u32> {
    let mut clients: Vec<u32> = scene.windows.iter().filter_map(|w| w.pid).collect();
    let manager = scene.window_manager.and_then(|manager| manager.pid);
    clients.extend(manager.and_then(parent));
    clients.sort_unstable();
    clients.dedup();
    clients
}

/// The processes below `roots`, the roots included, and the services of their
/// session. One look at all of `/proc`.
pub(crate) fn family(roots: &[u32]) -> Vec<u32> {
    let all = table();
    let own = std::process::id();
    let mut family: Vec<u32> = roots.to_vec();
    let sessions: Vec<u32> = all
        .iter()
        .filter(|(pid, _)| roots.contains(pid))
        .map(|(_, entry)| entry.session)
        .collect();
    let services = all.iter().filter(|(_, entry)| {
        SERVICES.contains(&entry.name.as_str()) && sessions.contains(&entry.session)
    });
    family.extend(services.map(|(pid, _)| *pid));
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for (pid, entry) in &all {
        children.entry(entry.parent).or_default().push(*pid);
    }
    let mut next = 0;
    while next < family.len() && family.len() < MAX {
        for child in children.get(&family[next]).into_iter().flatten() {
            if *child != own && !family.contains(child) {
                family.push(*child);
            }
        }
        next += 1;
    }
    family.sort_unstable();
    family.dedup();
    family
}

/// Input methods by the beginning of their processes' names: a toolkit passes keys to
/// them and gets the characters back, on connections that no one else can see.
const INPUT_METHODS: [&str; 5] = ["ibus", "fcitx", "scim", "uim-", "nabi"];

/// These processes and their descendants in the same session: a browser's renderers
/// belong to it; a terminal's shell has a session of its own.
pub(crate) fn program(roots: &[u32]) -> Vec<u32> {
    if roots.is_empty() {
        return Vec::new();
    }
    descendants(&table(), roots)
}

/// The processes that take part when these ones react to input: those of their programs
/// that decide where input goes, and the input methods of the display.
pub(crate) fn reacting(roots: &[u32], display: u16) -> Vec<u32> {
    let all = table();
    let mut found = descendants(&all, roots);
    found.retain(|pid| roots.contains(pid) || !is_utility(*pid));
    for (pid, entry) in &all {
        let method = is_method(&entry.name) && serves(*pid, display);
        if found.len() < MAX && method && !found.contains(pid) {
            found.push(*pid);
        }
    }
    found
}

fn descendants(all: &HashMap<u32, Entry>, roots: &[u32]) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for (pid, entry) in all {
        children.entry(entry.parent).or_default().push(*pid);
    }
    let mut found: Vec<u32> = roots.to_vec();
    let mut next = 0;
    while next < found.len() && found.len() < MAX {
        let root = found[next];
        let session = all.get(&root).map(|entry| entry.session);
        for child in children.get(&root).into_iter().flatten() {
            let same = all.get(child).map(|entry| entry.session) == session;
            if same && !found.contains(child) && found.len() < MAX {
                found.push(*child);
            }
        }
        next += 1;
    }
    found
}

/// Whether a process is one of Chromium's utility processes (network, storage, audio):
/// none of them decides where input goes.
fn is_utility(pid: u32) -> bool {
    // A command line may be as long as its process likes.
    let mut command = Vec::new();
    let file = fs::File::open(format!("/proc/{pid}/cmdline"));
    if file.is_ok_and(|file| file.take(64 << 10).read_to_end(&mut command).is_err()) {
        return false;
    }
    let mut arguments = command.split(|byte| matches!(byte, 0 | b' '));
    arguments.any(|argument| argument == b"--type=utility")
}

/// Whether an input method runs on a display.
pub(crate) fn has_input_method(display: u16) -> bool {
    let all = table();
    let mut methods = all.iter().filter(|(_, entry)| is_method(&entry.name));
    methods.any(|(pid, _)| serves(*pid, display))
}

/// Whether a process is of a display, by its environment: other desktops of the machine
/// have input methods of their own.
fn serves(pid: u32, display: u16) -> bool {
    is_of(pid, &[], display).unwrap_or(true)
}

fn is_method(name: &str) -> bool {
    INPUT_METHODS.iter().any(|known| name.starts_with(known))
}

/// The state of all threads of some processes at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Demand {
    /// A thread runs, or waits for a CPU or a disk.
    pub(crate) running: bool,
    /// A process was stopped by a signal or a debugger.
    pub(crate) stopped: bool,
    /// CPU time that the threads used so far.
    used: Duration,
    /// Time that the threads waited for a CPU so far.
    pub(crate) waited: Duration,
    /// How many threads there are.
    threads: usize,
}

/// Threads that are looked at.
const MAX_THREADS: usize = 4096;

/// Threads that only paint or work in the background, by the beginning of their names:
/// raster workers of Chromium and Firefox, and Chromium's pool. What they do does not
/// decide where the next input goes.
const PAINTERS: [&str; 4] = [
    "CompositorTileW",
    "ThreadPoolForeg",
    "WRWorker",
    "SwComposite",
];

/// The demand of these processes now. Processes that have ended demand nothing.
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
                // Too many to look at: never idle.
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
                // gVisor has no schedstat: hundredths of a second.
                None => demand.used += Duration::from_millis(stat.ticks * 10),
            }
        }
    }
    demand
}

/// All processes.
pub(crate) fn all() -> impl Iterator<Item = u32> {
    let folders = fs::read_dir("/proc").into_iter().flatten();
    let names = folders.filter_map(Result::ok);
    names.filter_map(|folder| folder.file_name().to_str()?.parse().ok())
}

/// The process that starts the kernel's own.
const KTHREADD: u32 = 2;

/// Whether `pid` belongs to a display: one of `family` started it, or its
/// environment names the display. Whoever may not be looked at may belong to it.
/// `None` while it cannot be told: a process that is just becoming another
/// program has no environment for a moment.
pub(crate) fn is_of(pid: u32, family: &[u32], display: u16) -> Option<bool> {
    let mut ancestor = pid;
    for _ in 0..16 {
        let Some(stat) = Stat::read(ancestor) else {
            break;
        };
        if family.contains(&stat.parent) {
            return Some(true);
        }
        if stat.parent == KTHREADD {
            return Some(false);
        }
        if stat.parent <= 1 {
            break;
        }
        ancestor = stat.parent;
    }
    match fs::read(format!("/proc/{pid}/environ")) {
        Ok(environment) if environment.is_empty() => None,
        Ok(environment) => Some(environment.split(|byte| *byte == 0).any(|variable| {
            let name = variable.strip_prefix(b"DISPLAY=:");
            let name = name.and_then(|name| std::str::from_utf8(name).ok());
            let number = name.and_then(|name| name.split('.').next()?.parse().ok());
            number == Some(display)
        })),
        Err(error) => Some(error.kind() == io::ErrorKind::PermissionDenied),
    }
}

/// The process that started `pid`, when it belongs to the same desktop: neither
/// the first process of all, nor one that started deskd too.
fn parent(pid: u32) -> Option<u32> {
    let parent = Stat::read(pid)?.parent;
    let mut ancestor = std::process::id();
    while ancestor > 1 {
        if ancestor == parent {
            return None;
        }
        ancestor = Stat::read(ancestor)?.parent;
    }
    (parent > 1).then_some(parent)
}

/// A process's name, at most 15 bytes; empty when it has gone. The process chooses it, so
/// control characters are replaced: a log line stays one line.
pub(crate) fn name(pid: u32) -> String {
    let name = Stat::read(pid).map(|stat| stat.name).unwrap_or_default();
    name.replace(char::is_control, "?")
}

/// Whether a process exists and is not a zombie.
pub(crate) fn exists(pid: u32) -> bool {
    Stat::read(pid).is_some_and(|stat| !matches!(stat.state, b'Z' | b'X'))
}

/// The user that a process runs as.
pub(crate) fn user(pid: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    // Real, effective, saved, file system's.
    line.split_whitespace().nth(1)?.parse().ok()
}

/// When a process was started, in hundredths of a second since boot (proc(5), `starttime`).
pub(crate) fn started(pid: u32) -> Option<u64> {
    Stat::read(pid).map(|stat| stat.started)
}

/// How long ago a process was started; `None` when it has gone, or where the kernel does
/// not say (gVisor).
pub(crate) fn age(pid: u32) -> Option<Duration> {
    age_of(started(pid)?, since_boot()?)
}

fn age_of(started: u64, now: Duration) -> Option<Duration> {
    // Of the first moments are the kernel's own processes, and no others.
    (started > 0).then(|| now.saturating_sub(Duration::from_millis(started * 10)))
}

/// The clock that [`started`] goes by.
fn since_boot() -> Option<Duration> {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME);
    now.ok().map(Duration::from)
}

/// A process that was started less long ago may be about to show its first window.
pub(crate) const YOUNG: Duration = Duration::from_secs(5);

/// Processes of a start script: those of the display, in the window manager's session or
/// below it, that are younger than [`YOUNG`] and not among `shown`. Each deskd and its
/// ancestors are left out: `timeout 5 deskd ready` shows no window.
pub(crate) fn starting(manager: u32, shown: &[u32], display: u16) -> Vec<u32> {
    let (all, Some(now)) = (table(), since_boot()) else {
        return Vec::new();
    };
    let Some(session) = all.get(&manager).map(|entry| entry.session) else {
        return Vec::new();
    };
    let mut known: Vec<u32> = shown.to_vec();
    known.push(manager);
    for (pid, _) in all.iter().filter(|(_, entry)| entry.name == "deskd") {
        let mut ancestor = *pid;
        while let Some(entry) = all.get(&ancestor)
            && !known.contains(&ancestor)
        {
            known.push(ancestor);
            ancestor = entry.parent;
        }
    }
    let below = descendants(&all, &[manager]);
    let is_young = |entry: &Entry| age_of(entry.started, now).is_some_and(|age| age < YOUNG);
    let found = all.iter().filter(|(pid, entry)| {
        (entry.session == session || below.contains(pid))
            && is_young(entry)
            && !known.contains(pid)
            && is_of(**pid, &below, display) == Some(true)
    });
    found.map(|(pid, _)| *pid).take(MAX).collect()
}

/// Whether a process and what it starts can gain no privileges (prctl(2),
/// `PR_SET_NO_NEW_PRIVS`). False when that is not known.
pub(crate) fn has_no_new_privs(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let value = status
        .lines()
        .find_map(|line| line.strip_prefix("NoNewPrivs:"));
    value.is_some_and(|value| value.trim() == "1")
}

struct Entry {
    name: String,
    parent: u32,
    session: u32,
    /// See [`started`].
    started: u64,
}

fn table() -> HashMap<u32, Entry> {
    all()
        .filter_map(|pid| Some((pid, Stat::read(pid)?)))
        .map(|(pid, stat)| {
            let entry = Entry {
                name: stat.name,
                parent: stat.parent,
                session: stat.session,
                started: stat.started,
            };
            (pid, entry)
        })
        .collect()
}

/// A sample of a process; `None` when it has gone or is a zombie.
pub(crate) fn sample(pid: u32) -> Option<ProcessSample> {
    let stat = Stat::read(pid)?;
    let doing = match stat.state {
        b'S' | b'I' => Doing::Asleep,
        b'T' | b't' => Doing::Stopped,
        b'Z' | b'X' => return None,
        _ => Doing::Running,
    };
    // Of all threads, in nanoseconds, where the kernel counts that.
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
        // gVisor has no schedstat: hundredths of a second, without the waiting.
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

/// Time on a CPU, time waiting for one.
fn parse_schedstat(text: &str) -> Option<(u64, u64)> {
    let mut words = text.split_ascii_whitespace();
    Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
}

/// Majors of the devices of pseudo terminals (Linux `devices.txt`).
const PTS_MAJORS: std::ops::RangeInclusive<u64> = 136..=143;

/// Whether a process is a command that runs in the foreground of a terminal and does not
/// read from it: `sleep 1`, `make`, `curl`. An editor or a pager sets the terminal to
/// non-canonical mode (termios(3)); `cat` waits in the kernel's read of a terminal.
pub(crate) fn is_command(pid: u32) -> bool {
    let Some(stat) = Stat::read(pid) else {
        return false;
    };
    // The low 8 bits and the high 12 are the minor number.
    let minor = (stat.terminal & 0xff) | ((stat.terminal >> 12) & 0xf_ff00);
    let major = (stat.terminal >> 8) & 0xfff;
    // The session's leader is the shell, which waits for its user.
    if stat.group != stat.foreground || stat.session == pid || !PTS_MAJORS.contains(&major) {
        return false;
    }
    let waits = fs::read_to_string(format!("/proc/{pid}/wchan")).unwrap_or_default();
    // A read of a terminal and one of a socket wait at the same place in the kernel.
    let reads = waits.contains("tty_read") || waits.contains("wait_woken") && !is_in_socket(pid);
    if reads || stat.state == b'Z' {
        return false;
    }
    let number = (major - PTS_MAJORS.start()) * 256 + minor;
    let terminal = fs::OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOCTTY | libc::O_NONBLOCK)
        .open(format!("/dev/pts/{number}"));
    let Ok(terminal) = terminal else {
        return false;
    };
    let modes = nix::sys::termios::tcgetattr(&terminal);
    modes.is_ok_and(|modes| {
        modes
            .local_flags
            .contains(nix::sys::termios::LocalFlags::ICANON)
    })
}

/// Whether a process waits in a system call on a socket, as far as the kernel says.
fn is_in_socket(pid: u32) -> bool {
    let call = fs::read_to_string(format!("/proc/{pid}/syscall")).unwrap_or_default();
    // The call's number, then its arguments: the first is the file descriptor.
    let first = call.split_ascii_whitespace().nth(1);
    let descriptor = first.and_then(|word| u32::from_str_radix(word.strip_prefix("0x")?, 16).ok());
    let target = descriptor.and_then(|fd| fs::read_link(format!("/proc/{pid}/fd/{fd}")).ok());
    target.is_some_and(|target| target.to_string_lossy().starts_with("socket:"))
}

/// Parts of `/proc/PID/stat`.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    name: String,
    state: u8,
    parent: u32,
    group: u32,
    session: u32,
    /// Device number of the controlling terminal; 0 without one.
    terminal: u64,
    /// The process group in the foreground of that terminal.
    foreground: u32,
    /// CPU time of all threads, in hundredths of a second.
    ticks: u64,
    /// See [`started`].
    started: u64,
}

impl Stat {
    fn read(pid: u32) -> Option<Self> {
        let bytes = fs::read(format!("/proc/{pid}/stat")).ok()?;
        Self::parse(&String::from_utf8_lossy(&bytes))
    }

    fn parse(text: &str) -> Option<Self> {
        // The name may hold spaces and parentheses: the last one ends it.
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
            // -1 without a terminal.
            foreground: number(5)
                .and_then(|group| u32::try_from(group).ok())
                .unwrap_or(0),
            ticks: number(11)? + number(12)?,
            // Short lines are of kernels that do not say it.
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
    fn a_program_is_its_processes_of_one_session() {
        let entry = |parent, session| Entry {
            name: String::new(),
            parent,
            session,
            started: 0,
        };
        // A browser (10) with renderers; a terminal (20) whose shell has its own session.
        let all = HashMap::from([
            (10, entry(1, 10)),
            (11, entry(10, 10)),
            (12, entry(11, 10)),
            (20, entry(1, 20)),
            (21, entry(20, 21)),
            (22, entry(21, 21)),
        ]);
        let mut browser = descendants(&all, &[10]);
        browser.sort_unstable();
        assert_eq!(browser, [10, 11, 12]);
        assert_eq!(descendants(&all, &[20]), [20]);
        assert!(is_method("ibus-daemon") && !is_method("bus"));
    }

    #[test]
    fn schedstat_is_two_numbers_and_more() {
        assert_eq!(parse_schedstat("123 45 6\n"), Some((123, 45)));
        assert_eq!(parse_schedstat(""), None);
    }

    #[test]
    fn a_busy_child_is_found_and_its_time_counted() {
        let mut child = std::process::Command::new("sh")
            .args(["-c", "while :; do :; done"])
            .spawn()
            .unwrap();
        let pid = child.id();
        let family = family(&[std::process::id()]);
        let before = sample(pid).unwrap();
        std::thread::sleep(Duration::from_millis(200));
        let after = sample(pid).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(family.contains(&pid));
        assert!(after.wanted - before.wanted > Duration::from_millis(100));
        assert_eq!(after.doing, Doing::Running);
        assert_eq!(sample(pid), None);
    }
}
