//! Finds every process of the stack, and no other.
//!
//! It uses three criteria:
//! - A mark in the environment, which children inherit and which survives a killed init.
//! - Descent, because orphans become children of the init.
//! - A control group, if there is one.

use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::{cgroup::Group, lock};
use crate::processes;

/// The environment variable that marks the processes: lock file, colon, component.
pub(super) const MARK: &str = "DESKD_STACK";

/// Maximum time for a process to end after SIGTERM (R29).
pub(super) const GRACE: Duration = Duration::from_secs(2);
/// Maximum time for the remaining processes to end after SIGKILL.
const GONE: Duration = Duration::from_secs(2);

/// Selects some of the stack's processes: those that meet any of these criteria.
#[derive(Debug, Default)]
pub(super) struct Which<'a> {
    /// Processes with this mark; if it ends with a colon, those whose mark begins with it.
    pub(super) mark: String,
    /// These processes and all their descendants.
    pub(super) from: Vec<Pid>,
    /// Orphans without a mark that became children of this init, and all their descendants.
    pub(super) orphans: Option<Orphans>,
    /// All processes of a control group.
    pub(super) group: Option<&'a Group>,
}

/// Selects the stack's orphans. If the init is the first process of a container, orphans of other
/// programs become its children, too, for example those of `docker exec`.
#[derive(Debug)]
pub(super) struct Orphans {
    /// The user id of the desktop.
    pub(super) of: u32,
    /// The init's own children, which are not orphans.
    pub(super) but: Vec<Pid>,
    /// The init's lock file.
    pub(super) lock: PathBuf,
}

impl Which<'_> {
    /// Returns the selected processes that are alive.
    fn processes(&self) -> Vec<Pid> {
        let own = Pid::this();
        let living: HashMap<Pid, Pid> = processes::living()
            .into_iter()
            .map(|(pid, parent)| (id(pid), id(parent)))
            .collect();
        let mut children: HashMap<Pid, Vec<Pid>> = HashMap::new();
        for (pid, parent) in &living {
            children.entry(*parent).or_default().push(*pid);
        }
        let mut found: Vec<Pid> = self.from.clone();
        let is_marked = |pid: &&Pid| mark(**pid).is_some_and(|mark| is_of(&mark, &self.mark));
        found.extend(living.keys().filter(is_marked));
        if let Some(Orphans { of, but, lock }) = &self.orphans {
            let orphans = children.get(&own).into_iter().flatten();
            let orphans = orphans.filter(|pid| !but.contains(pid) && !is_anothers(**pid, lock));
            found.extend(orphans.filter(|pid| processes::is_user(number(**pid), *of)));
        }
        found.extend(self.group.map(Group::processes).unwrap_or_default());
        // Adds the descendants of all processes found.
        let mut seen = HashSet::new();
        while let Some(pid) = found.pop() {
            if pid != own && seen.insert(pid) {
                found.extend(children.get(&pid).into_iter().flatten());
            }
        }
        seen.into_iter()
            .filter(|pid| living.contains_key(pid))
            .collect()
    }

    /// Whether no selected process is left. The group also covers processes that fork faster than
    /// `/proc` can be read.
    fn is_empty(&self) -> bool {
        self.processes().is_empty() && self.group.is_none_or(Group::is_empty)
    }
}

fn id(pid: u32) -> Pid {
    Pid::from_raw(pid.cast_signed())
}

fn number(pid: Pid) -> u32 {
    pid.as_raw().cast_unsigned()
}

/// Whether a mark is that of a part, or of any part if `wanted` ends with a colon. The name of one part
/// may be the beginning of another's.
fn is_of(mark: &str, wanted: &str) -> bool {
    match wanted.ends_with(':') {
        true => mark.starts_with(wanted),
        false => mark == wanted,
    }
}

/// Returns the mark of a process; `None` without one, or if its environment cannot be read.
fn mark(pid: Pid) -> Option<String> {
    let environment = processes::environment(number(pid)).ok()?;
    let mut variables = environment.split(|byte| *byte == 0);
    let value = variables.find_map(|variable| {
        let value = variable.strip_prefix(MARK.as_bytes())?;
        value.strip_prefix(b"=")
    })?;
    Some(String::from_utf8_lossy(value).into_owned())
}

/// Whether a process belongs to another init: its mark names the lock file of another display, and
/// that lock is held. The mark alone is no evidence, because any process can set it.
fn is_anothers(pid: Pid, own: &Path) -> bool {
    let Some(mark) = mark(pid) else {
        return false;
    };
    let lock = Path::new(
        mark.rsplit_once(':')
            .map_or(mark.as_str(), |(lock, _)| lock),
    );
    lock != own && lock.parent() == own.parent() && lock::is_held(lock)
}

/// Sends SIGTERM to the processes and waits at most `grace` for their end. Returns whether all have
/// ended. The init's children are not reaped meanwhile, so a zombie keeps its process id.
pub(super) fn ask(which: &[Which<'_>], grace: Duration) -> bool {
    for which in which {
        send(&which.processes(), Signal::SIGTERM);
    }
    let until = Instant::now() + grace;
    loop {
        if which.iter().all(Which::is_empty) {
            return true;
        }
        if Instant::now() >= until {
            return false;
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// Ends the processes: SIGTERM first, and SIGKILL after `grace`, which is at most two seconds
/// (R29).
pub(super) fn end(which: &Which<'_>, grace: Duration) {
    let has_ended = ask(std::slice::from_ref(which), grace);
    if let Some(group) = which.group {
        group.kill();
    }
    if has_ended {
        return;
    }
    let until = Instant::now() + GONE;
    // SIGKILL is repeated, because a process may be forking at this moment.
    loop {
        if which.is_empty() || Instant::now() >= until {
            return;
        }
        send(&which.processes(), Signal::SIGKILL);
        thread::sleep(Duration::from_millis(5));
    }
}

fn send(pids: &[Pid], signal: Signal) {
    for pid in pids {
        // This fails only if the process has ended.
        let _ = kill(*pid, signal);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        ffi::OsStr,
        fs,
        os::unix::{ffi::OsStrExt, fs::symlink},
        process::Command,
    };

    use super::*;

    #[test]
    fn a_part_is_not_another_whose_name_is_longer() {
        assert!(is_of("/run/X1.lock:session", "/run/X1.lock:session"));
        assert!(!is_of(
            "/run/X1.lock:session-helper",
            "/run/X1.lock:session"
        ));
        assert!(is_of("/run/X1.lock:session-helper", "/run/X1.lock:"));
        assert!(!is_of("/run/X12.lock:session", "/run/X1.lock:"));
    }

    /// A process cannot hide by a strange name.
    #[test]
    fn a_process_with_a_strange_name_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join(OsStr::from_bytes(b"\xff) Z 1 "));
        symlink("/bin/sleep", &program).unwrap();
        let mut child = Command::new(&program);
        child.arg("60").env_clear();
        // `/proc` shows the process before its environment contains the mark.
        let mut child = child.env(MARK, "place:session").spawn().unwrap();
        let pid = Pid::from_raw(child.id().cast_signed());
        let found = (0..100).any(|_| {
            thread::sleep(Duration::from_millis(10));
            let name = fs::read(format!("/proc/{pid}/comm")).unwrap();
            let there = processes::living()
                .iter()
                .any(|(living, _)| id(*living) == pid);
            let is_marked = mark(pid).as_deref() == Some("place:session");
            let user = nix::unistd::geteuid().as_raw();
            name.starts_with(b"\xff") && there && is_marked && processes::is_user(number(pid), user)
        });
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(found);
    }
}
