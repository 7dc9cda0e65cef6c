//! Starting programs so that nothing outlives its owner.

use std::{
    ffi::OsStr,
    io,
    process::{Child, Command},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// A command that is killed when the thread that starts it ends, however it
/// ends, and whose absence is a clear failure.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
        .env_remove("DISPLAY")
        .env_remove("XAUTHORITY")
        .env_remove("XDG_RUNTIME_DIR");
    command
}

/// Runs a program to its end and returns what it printed.
///
/// # Panics
///
/// When it is missing or fails.
pub fn output(command: &mut Command, package: &str) -> Vec<u8> {
    let output = command
        .output()
        .unwrap_or_else(|error| missing(command, package, &error));
    assert!(
        output.status.success(),
        "{command:?}: {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

/// Starts a program.
///
/// # Panics
///
/// When it is missing.
pub fn spawn(command: &mut Command, package: &str) -> Running {
    let child = command
        .spawn()
        .unwrap_or_else(|error| missing(command, package, &error));
    Running(child)
}

fn missing(command: &Command, package: &str, error: &io::Error) -> ! {
    panic!(
        "{command:?} cannot be started ({error}): install the Debian package {package}, or run `make deps`"
    )
}

/// A program that is killed and reaped when it is let go.
#[derive(Debug)]
pub struct Running(pub Child);

impl Running {
    /// Process id.
    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Sends a signal by name, for example `STOP`.
    pub fn signal(&self, name: &str) {
        signal(self.pid(), name);
    }
}

/// Sends a signal to a process by name.
pub fn signal(pid: u32, name: &str) {
    let signal = match name {
        "STOP" => Signal::SIGSTOP,
        "CONT" => Signal::SIGCONT,
        "TERM" => Signal::SIGTERM,
        "KILL" => Signal::SIGKILL,
        other => panic!("signal {other} is not used here"),
    };
    let pid = Pid::from_raw(i32::try_from(pid).unwrap());
    kill(pid, signal).unwrap();
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
