//! Finds the processes of the desktop that belong to a window, a program or the display.
//!
//! - `ignored`: signals that deskd's own process ignores.
//! - [`said`]: files of `/proc` that a process can keep from being read.
//! - [`stat`]: the kernel's reports on a process.
//! - [`terminal`]: commands that run in terminals.

mod ignored;
mod said;
mod stat;
mod terminal;

use std::{collections::HashMap, io, path::Path, time::Duration};

use crate::facts::Scene;
pub(crate) use ignored::handle_ignored;
pub(crate) use stat::{
    Demand, age, all, demand, exists, has_no_new_privs, is_user, living, name, parent_of, sample,
    started, started_and_name, user,
};
use stat::{Stat, age_of, since_boot, table};
pub(crate) use terminal::is_command;

/// Names of processes that D-Bus starts for other programs, and whose answer a panel or a desktop
/// waits for.
const SERVICES: [&str; 1] = ["xfconfd"];

/// Maximum number of processes that are examined; further ones are ignored.
const MAX: usize = 256;

/// Returns the processes that have windows, and the parent of the window manager.
pub(crate) fn clients(scene: &Scene) -> Vec<u32> {
    let mut clients: Vec<u32> = scene.windows.iter().filter_map(|w| w.pid).collect();
    let manager = scene.window_manager.and_then(|manager| manager.pid);
    clients.extend(manager.and_then(parent));
    clients.sort_unstable();
    clients.dedup();
    clients
}

/// Returns `roots`, all their descendants, and the services of their sessions. Reads all of `/proc`
/// once.
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

/// The first letters of the names of input methods. A toolkit passes keys to these processes and
/// gets the characters back, on connections that deskd cannot observe.
const INPUT_METHODS: [&str; 5] = ["ibus", "fcitx", "scim", "uim-", "nabi"];

/// Returns these processes and their descendants in the same session. A browser's renderers are in
/// its session; a terminal's shell has a session of its own.
pub(crate) fn program(roots: &[u32]) -> Vec<u32> {
    if roots.is_empty() {
        return Vec::new();
    }
    descendants(&table(), roots)
}

/// Returns the processes that react to input for `roots`: `roots` and their descendants in the same
/// session, without Chromium's utility processes, and the input methods of the display.
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

fn descendants(all: &HashMap<u32, Stat>, roots: &[u32]) -> Vec<u32> {
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

/// Whether a process is one of Chromium's utility processes (network, storage, audio), which do not
/// decide where input goes.
fn is_utility(pid: u32) -> bool {
    let command = command_line(pid);
    let mut arguments = command.split(|byte| matches!(byte, 0 | b' '));
    arguments.any(|argument| argument == b"--type=utility")
}

/// Whether an input method runs for a display.
pub(crate) fn has_input_method(display: u16) -> bool {
    let all = table();
    let mut methods = all.iter().filter(|(_, entry)| is_method(&entry.name));
    methods.any(|(pid, _)| serves(*pid, display))
}

/// Whether the environment of a process names a display. Other desktops of the machine have input
/// methods of their own.
fn serves(pid: u32, display: u16) -> bool {
    is_of(pid, &[], display).unwrap_or(true)
}

fn is_method(name: &str) -> bool {
    INPUT_METHODS.iter().any(|known| name.starts_with(known))
}

/// The process id of kthreadd, the parent of the kernel's own threads.
const KTHREADD: u32 = 2;

/// Whether `pid` belongs to a display: one of `family` is its ancestor, or its environment names
/// the display. A process whose environment may not be read counts as belonging to it. Returns
/// `None` while the environment is empty: during an exec a process has none for a moment.
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
    match environment(pid) {
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

/// Returns the environment that a process was started with, as far as it is read; empty during an
/// exec.
///
/// # Errors
///
/// When the process has ended, or its environment may not be read.
pub(crate) fn environment(pid: u32) -> io::Result<Vec<u8>> {
    beginning_of(pid, "environ")
}

fn beginning_of(pid: u32, file: &str) -> io::Result<Vec<u8>> {
    said::read(Path::new(&format!("/proc/{pid}/{file}")))
}

/// Returns the command line of a process; empty if it has ended or may not be read.
pub(crate) fn command_line(pid: u32) -> Vec<u8> {
    beginning_of(pid, "cmdline").unwrap_or_default()
}

/// Returns the parent of `pid`, if it belongs to the same desktop: it is neither process 1 nor an
/// ancestor of deskd.
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

/// A process younger than this may be about to show its first window.
pub(crate) const YOUNG: Duration = Duration::from_secs(5);

/// Returns the processes of a start script: those of the display, in the window manager's session
/// or among its descendants, that are younger than [`YOUNG`] and not in `shown`. Every deskd
/// process and its ancestors are left out, because `timeout 5 deskd ready` shows no window.
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
    let is_young = |entry: &Stat| age_of(entry.started, now).is_some_and(|age| age < YOUNG);
    let found = all.iter().filter(|(pid, entry)| {
        (entry.session == session || below.contains(pid))
            && is_young(entry)
            && !known.contains(pid)
            && is_of(**pid, &below, display) == Some(true)
    });
    found.map(|(pid, _)| *pid).take(MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A process determines the size of its environment.
    #[test]
    fn of_a_large_environment_the_beginning_is_read() {
        let mut child = std::process::Command::new("sleep");
        child.arg("60").env_clear();
        for number in 0..12 {
            child.env(format!("N{number:02}"), "x".repeat(100_000));
        }
        let mut child = child.spawn().unwrap();
        let read = (0..100).find_map(|_| {
            std::thread::sleep(Duration::from_millis(10));
            let read = environment(child.id()).unwrap();
            read.starts_with(b"N00=").then_some(read.len() as u64)
        });
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(read, Some(said::MAX_BYTES));
    }

    #[test]
    fn a_program_is_its_processes_of_one_session() {
        let entry = |parent, session| Stat {
            parent,
            session,
            ..Stat::default()
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
        assert_eq!(after.doing, crate::facts::Doing::Running);
        assert_eq!(sample(pid), None);
    }
}
