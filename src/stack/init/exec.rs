//! Prepares a component's process between fork and exec: a session of its own, no blocked signals,
//! and SIGKILL when the init ends for any reason.

use std::{
    ffi::{OsStr, OsString},
    io,
    os::unix::process::CommandExt,
    path::Path,
    process::Command,
};

use nix::{
    sys::{
        prctl,
        signal::{SigSet, Signal},
    },
    unistd::{Gid, Pid, Uid, getppid, setgid, setgroups, setsid, setuid},
};

/// Undoes the init's signal mask, which children inherit.
///
/// # Errors
///
/// None in practice, because the set is valid.
pub fn unblock_signals() -> nix::Result<()> {
    SigSet::all().thread_unblock()
}

/// The program of a component and its settings.
#[derive(Debug)]
pub struct ComponentProgram<'a> {
    /// The init's process id; the component is killed when that process ends.
    pub parent: i32,
    /// User and group ids; `None` keeps those of the init.
    pub user: Option<(u32, u32)>,
    /// The working folder.
    pub folder: &'a Path,
    /// Whether set-user-ID programs give neither it nor its children privileges (prctl(2)).
    pub no_new_privs: bool,
    /// The program.
    pub program: &'a OsStr,
    /// Its arguments.
    pub arguments: &'a [OsString],
}

/// Replaces this process with a component's program. Returns only when that fails.
///
/// The init waits only until this `deskd` runs. Everything that the desktop's user can delay
/// comes later: entering the folder, and running as that user, who can then send signals to it.
pub fn exec(component: &ComponentProgram<'_>) -> io::Error {
    let prepare = || -> nix::Result<()> {
        if component.no_new_privs {
            prctl::set_no_new_privs()?;
        }
        become_user(component.user)?;
        // Changing the user clears the parent-death signal, so it is set afterwards.
        prctl::set_pdeathsig(Signal::SIGKILL)?;
        // The init may have ended before the parent-death signal was set.
        if getppid() != Pid::from_raw(component.parent) {
            return Err(nix::errno::Errno::ESRCH);
        }
        setsid()?;
        unblock_signals()
    };
    match prepare() {
        Ok(()) => match std::env::set_current_dir(component.folder) {
            Ok(()) => Command::new(component.program)
                .args(component.arguments)
                .exec(),
            Err(error) => {
                let folder = component.folder.display();
                let why = format!("the folder {folder} cannot be entered: {error}");
                io::Error::new(error.kind(), why)
            }
        },
        Err(error) => error.into(),
    }
}

/// Changes to that user and group, and drops all supplementary groups.
///
/// # Errors
///
/// When this process may not change its user.
pub(super) fn become_user(user: Option<(u32, u32)>) -> nix::Result<()> {
    let Some((uid, gid)) = user else {
        return Ok(());
    };
    setgroups(&[])?;
    setgid(Gid::from_raw(gid))?;
    setuid(Uid::from_raw(uid))
}
