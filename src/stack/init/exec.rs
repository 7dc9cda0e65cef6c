//! The step between fork and a component's program: a session of its own, and
//! an end when the init ends, however that happens.

use std::{ffi::OsString, io, os::unix::process::CommandExt, process::Command};

use nix::{
    sys::{prctl, signal::Signal},
    unistd::{Pid, getppid, setsid},
};

/// Becomes `program`. Returns only when that fails.
pub fn exec(parent: i32, program: &OsString, arguments: &[OsString]) -> io::Error {
    let prepare = || -> nix::Result<()> {
        prctl::set_pdeathsig(Signal::SIGKILL)?;
        // It may have ended before it was asked for.
        if getppid() != Pid::from_raw(parent) {
            return Err(nix::errno::Errno::ESRCH);
        }
        setsid().map(drop)
    };
    match prepare() {
        Ok(()) => Command::new(program).args(arguments).exec(),
        Err(error) => error.into(),
    }
}
