//! The step between fork and a component's program: a session of its own, no
//! blocked signals, and an end when the init ends, however that happens.

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

/// Undoes what the init does to its own signals, and children inherit.
///
/// # Errors
///
/// None in practice: the set is valid.
pub fn unblock_signals() -> nix::Result<()> {
    SigSet::all().thread_unblock()
}

/// The start of a component.
#[derive(Debug)]
pub struct ComponentProgram<'a> {
    /// The init, with which it ends.
    pub parent: i32,
    /// Its user's and group's ids; `None`: as the init.
    pub user: Option<(u32, u32)>,
    /// Its first folder.
    pub folder: &'a Path,
    /// Neither it nor what it starts gains privileges by set-user-ID programs (prctl(2)).
    pub no_new_privs: bool,
    /// The program.
    pub program: &'a OsStr,
    /// Its arguments.
    pub arguments: &'a [OsString],
}

/// Becomes a component. Returns only when that fails.
///
/// The init waits only until this program runs. What the desktop's user can hold up comes
/// after that: its folder, and signals, which it can send as soon as this is a process of
/// its own.
pub fn exec(component: &ComponentProgram<'_>) -> io::Error {
    let prepare = || -> nix::Result<()> {
        if component.no_new_privs {
            prctl::set_no_new_privs()?;
        }
        become_user(component.user)?;
        // Another user clears it.
        prctl::set_pdeathsig(Signal::SIGKILL)?;
        // It may have ended before it was asked for.
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

/// Becomes that user, without further groups.
///
/// # Errors
///
/// When this process may not.
pub(super) fn become_user(user: Option<(u32, u32)>) -> nix::Result<()> {
    let Some((uid, gid)) = user else {
        return Ok(());
    };
    setgroups(&[])?;
    setgid(Gid::from_raw(gid))?;
    setuid(Uid::from_raw(uid))
}
