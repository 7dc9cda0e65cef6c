//! Finds every process of the stack, and no other: by a mark in their environment, which
//! children inherit, also after the init was killed; by their descent, because orphans come
//! to the init; and by a control group, where there is one.

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
    /// The init's lock file.
    pub(super) lock: PathBuf,
}

impl Which<'_> {
    /// Those that live.
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
        let is_marked = |pid: &&Pid| mark(**pid).is_some_and(|mark| mark.starts_with(&self.mark));
        found.extend(living.keys().filter(is_marked));
        if let Some(Orphans { of, but, lock }) = &self.orphans {
            let orphans = children.get(&own).into_iter().flatten();
            let orphans = orphans.filter(|pid| !but.contains(pid) && !is_anothers(**pid, lock));
            found.extend(orphans.filter(|pid| processes::is_user(number(**pid), *of)));
        }
        found.extend(self.group.map(Group::processes).unwrap_or_default());
        // And what descends from them.
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

    /// Whether none is left: also of those that start others faster than one looks.
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

/// The mark of a process; `None` without one, and of one that cannot be looked at.
fn mark(pid: Pid) -> Option<String> {
    let environment = processes::environment(number(pid)).ok()?;
    let mut variables = environment.split(|byte| *byte == 0);
    let value = variables.find_map(|variable| {
        let value = variable.strip_prefix(MARK.as_bytes())?;
        value.strip_prefix(b"=")
    })?;
    Some(String::from_utf8_lossy(value).into_owned())
}

/// Whether a process is of another init: its mark names the lock of another display, which is
/// held. Any process can carry any mark.
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

/// Asks them to end, by SIGTERM, and waits for at most `grace`. Whether they
/// have. Children are not collected meanwhile: a zombie keeps its number.
pub(super) fn ask(which: &Which<'_>, grace: Duration) -> bool {
    send(&which.processes(), Signal::SIGTERM);
    let until = Instant::now() + grace;
    loop {
        if which.is_empty() {
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
    let has_ended = ask(which, grace);
    if let Some(group) = which.group {
        group.kill();
    }
    if has_ended {
        return;
    }
    let until = Instant::now() + GONE;
    // Again and again: one may be starting another at this moment.
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
        // Gone already, when it fails.
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
