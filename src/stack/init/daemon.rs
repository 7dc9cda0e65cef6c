//! The daemon's process, and the messages over the socket pair that is its standard
//! input.

use std::{
    ffi::OsStr,
    io::{self, Read, Write},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::{ffi::OsStrExt, net::UnixStream, process::CommandExt},
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use nix::unistd::Pid;

use super::plan::{PlanError, StackPlan};
use crate::stack::wire::{ToDaemon, ToInit};

/// Bytes that wait for a daemon which does not read.
const MAX_UNREAD: usize = 1 << 20;

/// The daemon, and the socket that leads to it.
#[derive(Debug)]
pub(super) struct Daemon {
    pub(super) pid: Pid,
    socket: UnixStream,
    unread: Vec<u8>,
    unsent: Vec<u8>,
}

/// Why the daemon cannot be started.
#[derive(Debug, thiserror::Error)]
pub(super) enum StartError {
    /// Its cookie.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The system.
    #[error(transparent)]
    System(#[from] io::Error),
}

impl Daemon {
    /// Starts it, with a cookie that it can read.
    pub(super) fn start(plan: &StackPlan) -> Result<Self, StartError> {
        if !plan.daemon_cookie.exists() {
            plan.write_cookies()?;
        }
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let start = |program: &Path| {
            let mut command = Command::new(program);
            command
                .args(&plan.options.daemon)
                .env("XAUTHORITY", &plan.daemon_cookie)
                .env("DISPLAY", format!(":{}", plan.options.display))
                .stdin(Stdio::from(OwnedFd::from(theirs.try_clone()?)));
            if plan.is_root && plan.daemon.uid != 0 {
                command.uid(plan.daemon.uid).gid(plan.daemon.gid);
            }
            command.spawn()
        };
        // By its name, so that it is found by it, and a new version is started
        // where there is one; else what runs here.
        let named = std::env::current_exe().and_then(|program| start(&by_name(&program)));
        let process = named.or_else(|_| start(Path::new("/proc/self/exe")))?;
        Ok(Self {
            pid: Pid::from_raw(i32::try_from(process.id()).map_err(io::Error::other)?),
            socket: ours,
            unread: Vec::new(),
            unsent: Vec::new(),
        })
    }

    /// The socket to wait for.
    pub(super) fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Whether a message waits to be sent.
    pub(super) fn has_unsent(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Takes its orders; `None` when it sent nothing at all.
    pub(super) fn listen(&mut self) -> Option<Vec<ToInit>> {
        let mut buffer = [0; 4096];
        let mut has_spoken = false;
        while let Ok(count @ 1..) = self.socket.read(&mut buffer) {
            self.unread.extend_from_slice(&buffer[..count]);
            has_spoken = true;
        }
        let mut orders = Vec::new();
        while let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.unread.drain(..=end).collect();
            orders.extend(serde_json::from_slice::<ToInit>(&line));
        }
        if self.unread.len() > MAX_UNREAD {
            self.unread.clear();
        }
        has_spoken.then_some(orders)
    }

    /// Sends a message, now or when the daemon reads. One that does not read gets the
    /// newest state later.
    pub(super) fn send(&mut self, message: &ToDaemon) {
        if self.unsent.len() < MAX_UNREAD
            && let Ok(line) = serde_json::to_vec(message)
        {
            self.unsent.extend_from_slice(&line);
            self.unsent.push(b'\n');
        }
        self.flush();
    }

    /// Sends what waits, as far as the daemon reads.
    pub(super) fn flush(&mut self) {
        while !self.unsent.is_empty() {
            match self.socket.write(&self.unsent) {
                Ok(count @ 1..) => {
                    self.unsent.drain(..count);
                }
                _ => return,
            }
        }
    }
}

/// Where this program was found. The kernel marks a file that was replaced since.
fn by_name(program: &Path) -> PathBuf {
    let name = program.as_os_str().as_encoded_bytes();
    let name = name.strip_suffix(b" (deleted)").unwrap_or(name);
    OsStr::from_bytes(name).into()
}
