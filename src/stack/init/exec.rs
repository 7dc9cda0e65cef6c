//! The step between fork and a component's program: a session of its own, no
//! blocked signals, and an end when the init ends, however that happens.

use std::{ffi::OsString, io, os::unix::process::CommandExt, process::Command};

use nix::{
    sys::{
        prctl,
        signal::{SigSet, Signal},
    },
    unistd::{Pid, getppid, setsid},
};

/// Undoes what the init does to its own signals, and children inherit.
///
/// # Errors
///
/// None in practice: the set is valid.
pub fn unblock_signals() -> nix::Result<()> {
    SigSet::all().thread_unblock()
}

/// Becomes `program`. With `no_new_privs` neither it nor what it starts gains privileges
/// by set-user-ID programs (prctl(2)). Returns only when that fails.
pub fn exec(
    parent: i32,
    no_new_privs: bool,
    program: &OsString,
    arguments: &[OsString],
) -> io::Error {
    let prepare = || -> nix::Result<()> {
        prctl::set_pdeathsig(Signal::SIGKILL)?;
        if no_new_privs {
            prctl::set_no_new_privs()?;
        }
        // It may have ended before it was asked for.
        if getppid() != Pid::from_raw(parent) {
            return Err(nix::errno::Errno::ESRCH);
        }
        setsid()?;
        unblock_signals()
    };
    match prepare() {
        Ok(()) => Command::new(program).args(arguments).exec(),
        Err(error) => error.into(),
    }
}
