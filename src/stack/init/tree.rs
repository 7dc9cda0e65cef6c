//! Every process of the stack, and no other: all carry a mark in their
//! environment, which children inherit, so that those who left the tree are
//! found too, also after the init was killed.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// The variable that marks them: lock file, colon, component.
pub(super) const MARK: &str = "DESKD_STACK";

/// So long a process may take to end after SIGTERM (R29).
pub(super) const GRACE: Duration = Duration::from_secs(2);
/// So long the rest may take to be gone after SIGKILL.
const GONE: Duration = Duration::from_secs(2);

/// Processes whose mark begins like that.
pub(super) fn marked(beginning: &str) -> Vec<Pid> {
    let entry = format!("{MARK}={beginning}");
    let Ok(folders) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let own = Pid::this();
    folders
        .filter_map(Result::ok)
        .filter_map(|folder| folder.file_name().to_str()?.parse().ok().map(Pid::from_raw))
        .filter(|pid| *pid != own && carries(*pid, entry.as_bytes()))
        .collect()
}

fn carries(pid: Pid, entry: &[u8]) -> bool {
    // Another user's, or gone: not ours.
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let marked = environment
        .split(|byte| *byte == 0)
        .any(|variable| variable.starts_with(entry));
    marked && !is_zombie(pid)
}

fn is_zombie(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ")
        .is_some_and(|(_, rest)| rest.starts_with('Z'))
}

/// Asks them to end, by SIGTERM, and waits for at most `grace`. Whether they
/// have. `reap` collects children.
pub(super) fn ask(beginning: &str, grace: Duration, mut reap: impl FnMut()) -> bool {
    send(&marked(beginning), Signal::SIGTERM);
    let until = Instant::now() + grace;
    loop {
        reap();
        if marked(beginning).is_empty() {
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
pub(super) fn end(beginning: &str, grace: Duration, mut reap: impl FnMut()) {
    if ask(beginning, grace, &mut reap) {
        return;
    }
    let until = Instant::now() + GONE;
    // Again and again: one may be starting another at this moment.
    loop {
        let left = marked(beginning);
        reap();
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
