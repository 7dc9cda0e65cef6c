//! Finds every process of the stack, and no other: by a mark in their environment, which
//! children inherit, also after the init was killed; by their descent, because orphans come
//! to the init; and by a control group, where there is one.

use std::{
    collections::{HashMap, HashSet},
    fs, thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::cgroup::Group;
use crate::processes;

/// The variable that marks them: lock file, colon, component.
pub(super) const MARK: &str = "DESKD_STACK";

/// Maximum time of a process to end after SIGTERM (R29).
pub(super) const GRACE: Duration = Duration::from_secs(2);
/// Maximum time until the rest is gone after SIGKILL.
const GONE: Duration = Duration::from_secs(2);

/// Some of the stack's processes.
#[derive(Debug, Default)]
pub(super) struct Which<'a> {
    /// The beginning of their mark.
    pub(super) mark: String,
    /// These, and all that descend from them.
    pub(super) from: Vec<Pid>,
    /// Orphans that came to this init without a mark, and all that descend from them.
    pub(super) orphans: Option<Orphans>,
    /// All of a group.
    pub(super) group: Option<&'a Group>,
}

/// Which orphans are the stack's. In a container where the init is the first process, those
/// of other programs come to it, too, as of `docker exec`.
#[derive(Debug)]
pub(super) struct Orphans {
    /// The user of the desktop.
    pub(super) of: u32,
    /// The init's own children.
    pub(super) but: Vec<Pid>,
}

/// A process, as `/proc/PID/stat` has it.
#[derive(Debug, Clone, Copy)]
struct Process {
    pid: Pid,
    parent: Pid,
}

impl Which<'_> {
    /// Those that live.
    fn processes(&self) -> Vec<Pid> {
        let (own, living) = (Pid::this(), living());
        let mut children: HashMap<Pid, Vec<Pid>> = HashMap::new();
        for process in &living {
            children
                .entry(process.parent)
                .or_default()
                .push(process.pid);
        }
        let mut found: Vec<Pid> = self.from.clone();
        let marked = living.iter().filter(|p| carries(p.pid, &self.mark));
        found.extend(marked.map(|process| process.pid));
        if let Some(Orphans { of, but }) = &self.orphans {
            let orphans = children.get(&own).into_iter().flatten();
            let orphans = orphans.filter(|pid| !but.contains(pid) && !carries(**pid, ""));
            found.extend(orphans.filter(|pid| user(**pid) == Some(*of)));
        }
        found.extend(self.group.map(Group::processes).unwrap_or_default());
        // And what descends from them.
        let mut seen = HashSet::new();
        while let Some(pid) = found.pop() {
            if pid != own && seen.insert(pid) {
                found.extend(children.get(&pid).into_iter().flatten());
            }
        }
        let lives = |pid: &Pid| living.iter().any(|process| process.pid == *pid);
        seen.into_iter().filter(lives).collect()
    }
}

/// All processes but zombies.
fn living() -> Vec<Process> {
    let folders = fs::read_dir("/proc").into_iter().flatten();
    let pids = folders.filter_map(|folder| folder.ok()?.file_name().to_str()?.parse().ok());
    let process = |pid: i32| {
        // A process may have a name that is no UTF-8.
        let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
        let stat = String::from_utf8_lossy(&stat);
        let (_, rest) = stat.rsplit_once(") ")?;
        let mut words = rest.split(' ');
        let (state, parent) = (words.next()?, words.next()?.parse().ok()?);
        let (pid, parent) = (Pid::from_raw(pid), Pid::from_raw(parent));
        (state != "Z").then_some(Process { pid, parent })
    };
    pids.filter_map(process).collect()
}

fn user(pid: Pid) -> Option<u32> {
    processes::user(u32::try_from(pid.as_raw()).ok()?)
}

/// Whether a process has a mark that begins like that; `""`: any.
fn carries(pid: Pid, beginning: &str) -> bool {
    // Another user's, or gone: not ours.
    let number = u32::try_from(pid.as_raw()).unwrap_or(0);
    let environment = processes::environment(number).unwrap_or_default();
    let entry = format!("{MARK}={beginning}");
    environment
        .split(|byte| *byte == 0)
        .any(|variable| variable.starts_with(entry.as_bytes()))
}

/// Asks them to end, by SIGTERM, and waits for at most `grace`. Whether they
/// have. Children are not collected meanwhile: a zombie keeps its number.
pub(super) fn ask(which: &Which<'_>, grace: Duration) -> bool {
    send(&which.processes(), Signal::SIGTERM);
    let until = Instant::now() + grace;
    loop {
        if which.processes().is_empty() {
            return true;
        }
        if Instant::now() >= until {
            return false;
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// Ends them: SIGTERM, and SIGKILL after `grace`, which is at most two seconds
/// (R29).
pub(super) fn end(which: &Which<'_>, grace: Duration) {
    if ask(which, grace) {
        return;
    }
    let until = Instant::now() + GONE;
    // Again and again: one may be starting another at this moment.
    loop {
        let left = which.processes();
        if left.is_empty() || Instant::now() >= until {
            return;
        }
        send(&left, Signal::SIGKILL);
        thread::sleep(Duration::from_millis(5));
    }
}

fn send(pids: &[Pid], signal: Signal) {
    for pid in pids {
        // Gone already, when it fails.
        let _ = kill(*pid, signal);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        ffi::OsStr,
        os::unix::{ffi::OsStrExt, fs::symlink},
        process::Command,
    };

    use super::*;

    /// A process cannot hide by its name.
    #[test]
    fn a_process_with_a_strange_name_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join(OsStr::from_bytes(b"\xff) Z 1 "));
        symlink("/bin/sleep", &program).unwrap();
        let mut child = Command::new(&program);
        child.arg("60").env_clear();
        // The kernel shows this before the mark, too.
        let mut child = child.env(MARK, "place:session").spawn().unwrap();
        let pid = Pid::from_raw(child.id().cast_signed());
        let found = (0..100).any(|_| {
            thread::sleep(Duration::from_millis(10));
            let name = fs::read(format!("/proc/{pid}/comm")).unwrap();
            let there = living().iter().any(|process| process.pid == pid);
            name.starts_with(b"\xff") && there && carries(pid, "place:") && user(pid).is_some()
        });
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(found);
    }
}
