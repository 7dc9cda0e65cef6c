//! One running program, and the end of its output.

use std::{
    ffi::OsString,
    io::{self, Read},
    os::fd::{AsFd, BorrowedFd},
    path::PathBuf,
    process::{ChildStderr, ChildStdout, Command, Stdio},
};

use nix::{
    fcntl::{FcntlArg, OFlag, fcntl},
    unistd::Pid,
};

use super::plan::UserAccount;

/// Number of bytes of its output that are kept (R28).
const KEPT: usize = 4096;

/// The program, arguments and settings of a process to start.
#[derive(Debug, Clone)]
pub(super) struct Start<'a> {
    pub(super) program: &'a str,
    pub(super) arguments: Vec<OsString>,
    pub(super) environment: Vec<(OsString, OsString)>,
    /// The user to run as; `None` for the init's own.
    pub(super) account: Option<&'a UserAccount>,
    pub(super) folder: PathBuf,
    /// Whether set-user-ID programs give it no privileges.
    pub(super) no_new_privs: bool,
    /// Its standard input; `None` for none.
    pub(super) stdin: Option<BorrowedFd<'a>>,
}

/// A running program.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) pid: Pid,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    /// The end of its standard output, in which some programs report that they are ready.
    pub(super) said: Vec<u8>,
    /// The end of its standard error output.
    pub(super) complained: Vec<u8>,
}

impl Child {
    /// Starts the program through `deskd exec-component`, which ensures that it ends with the init.
    pub(super) fn start(start: &Start<'_>) -> io::Result<Self> {
        let mut command = Command::new("/proc/self/exe");
        command.arg("exec-component").arg("--parent");
        command.arg(Pid::this().to_string());
        if start.no_new_privs {
            command.arg("--no-new-privs");
        }
        if let Some(account) = start.account {
            command.arg("--user").arg(account.ids());
        }
        command.arg("--folder").arg(&start.folder);
        command.arg("--").arg(start.program).args(&start.arguments);
        let stdin = match start.stdin {
            Some(stdin) => Stdio::from(stdin.try_clone_to_owned()?),
            None => Stdio::null(),
        };
        command
            .env_clear()
            .envs(start.environment.iter().map(|(name, value)| (name, value)))
            .current_dir("/")
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut process = command.spawn()?;
        let (stdout, stderr) = (process.stdout.take(), process.stderr.take());
        for pipe in [
            stdout.as_ref().map(AsFd::as_fd),
            stderr.as_ref().map(AsFd::as_fd),
        ] {
            pipe.map(unblock).transpose()?;
        }
        Ok(Self {
            pid: Pid::from_raw(i32::try_from(process.id()).map_err(io::Error::other)?),
            stdout,
            stderr,
            said: Vec::new(),
            complained: Vec::new(),
        })
    }

    /// Returns its output pipes, for `poll`.
    pub(super) fn pipes(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let stdout = self.stdout.as_ref().map(AsFd::as_fd);
        stdout
            .into_iter()
            .chain(self.stderr.as_ref().map(AsFd::as_fd))
    }

    /// Reads its output.
    pub(super) fn read(&mut self) {
        if drain(&mut self.stdout, &mut self.said) {
            self.stdout = None;
        }
        if drain(&mut self.stderr, &mut self.complained) {
            self.stderr = None;
        }
    }
}

/// Reads the available output and keeps its end. Returns true at the end of the stream.
fn drain(pipe: &mut Option<impl Read>, kept: &mut Vec<u8>) -> bool {
    let Some(pipe) = pipe else {
        return false;
    };
    let mut buffer = [0; 4096];
    // The number of reads is limited, because a program may write without a pause.
    for _ in 0..64 {
        match pipe.read(&mut buffer) {
            Ok(0) => return true,
            Ok(count) => {
                kept.extend_from_slice(&buffer[..count]);
                let excess = kept.len().saturating_sub(KEPT);
                kept.drain(..excess);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return true,
        }
    }
    false
}

pub(super) fn unblock(fd: BorrowedFd<'_>) -> io::Result<()> {
    let flags = OFlag::from_bits_truncate(fcntl(fd, FcntlArg::F_GETFL)?);
    fcntl(fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}
