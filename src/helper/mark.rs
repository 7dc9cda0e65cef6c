//! Finds the program to which a process belongs. Each launch has its id in the environment of the
//! process that keeps it, which is an ancestor of all processes of the launch.

use crate::processes;

/// The variable with the id of the launch.
pub(super) const MARK: &str = "DESKD_PROGRAM";
/// Maximum number of ancestors that are looked at.
const MAX_DEPTH: usize = 32;

/// Returns the id of the launch to which a process belongs. A process that cleared its environment
/// belongs to the launch of its parent.
pub(super) fn of(pid: u32) -> Option<String> {
    let mut process = pid;
    for _ in 0..MAX_DEPTH {
        if process <= 1 || process == std::process::id() {
            return None;
        }
        let environment = processes::environment(process).unwrap_or_default();
        let mut variables = environment.split(|byte| *byte == 0);
        let id = variables.find_map(|variable| {
            let value = variable.strip_prefix(MARK.as_bytes())?.strip_prefix(b"=")?;
            std::str::from_utf8(value).ok()
        });
        if let Some(id) = id {
            return Some(id.to_owned());
        }
        process = processes::parent_of(process)?;
    }
    None
}

/// Returns the processes of this user, with the ids of the launches that they belong to. `wanted`
/// says of which launches. The children of this process, which keep the programs, do not count.
pub(super) fn all(wanted: impl Fn(&str) -> bool) -> Vec<(u32, String)> {
    let user = nix::unistd::geteuid().as_raw();
    let own = std::process::id();
    processes::all()
        .filter(|pid| *pid != own && processes::is_user(*pid, user) && processes::exists(*pid))
        .filter_map(|pid| Some((pid, of(pid)?)))
        .filter(|(pid, id)| wanted(id) && processes::parent_of(*pid) != Some(own))
        .collect()
}
