//! The daemon's process, and the messages over the socket pair whose other end is its standard
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

/// Maximum number of bytes that are buffered in each direction.
const MAX_UNREAD: usize = 1 << 20;

/// The daemon's process, and the init's end of the socket pair.
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
    /// The daemon's cookie file cannot be written.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A system call failed.
    #[error(transparent)]
    System(#[from] io::Error),
}

impl Daemon {
    /// Starts the daemon with a cookie file that it can read.
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
        // The program is started by its path, so that tools show its name and an updated version is
        // used. If that fails, the running binary is started.
        let named = std::env::current_exe().and_then(|program| start(&by_name(&program)));
        let process = named.or_else(|_| start(Path::new("/proc/self/exe")))?;
        Ok(Self {
            pid: Pid::from_raw(i32::try_from(process.id()).map_err(io::Error::other)?),
            socket: ours,
            unread: Vec::new(),
            unsent: Vec::new(),
        })
    }

    /// Returns the socket, for `poll`.
    pub(super) fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Whether a message waits to be sent.
    pub(super) fn has_unsent(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Reads the daemon's orders; `None` if it sent nothing.
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

    /// Queues a message, and sends as much as the daemon reads. Returns false if the queue was
    /// full and the message was dropped.
    pub(super) fn send(&mut self, message: &ToDaemon) -> bool {
        let has_room = self.unsent.len() < MAX_UNREAD;
        if has_room && let Ok(line) = serde_json::to_vec(message) {
            self.unsent.extend_from_slice(&line);
            self.unsent.push(b'\n');
        }
        self.flush();
        has_room
    }

    /// Sends queued messages, as far as the daemon reads them.
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

/// Returns the path of this program, without the kernel's mark of a replaced file.
fn by_name(program: &Path) -> PathBuf {
    let name = program.as_os_str().as_encoded_bytes();
    let name = name.strip_suffix(b" (deleted)").unwrap_or(name);
    OsStr::from_bytes(name).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A daemon that does not read gets the newest state once it reads again.
    #[test]
    fn what_is_dropped_is_reported() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        for end in [&ours, &theirs] {
            end.set_nonblocking(true).unwrap();
        }
        let mut daemon = Daemon {
            pid: Pid::this(),
            socket: ours,
            unread: Vec::new(),
            unsent: Vec::new(),
        };
        let state = |wanted| ToDaemon::State {
            wanted,
            components: Vec::new(),
            viewer_port: 0,
        };
        let dropped = (0..100_000).find(|_| !daemon.send(&state(false)));
        assert!(dropped.is_some(), "the queue has a bound");
        let mut reader = &theirs;
        let mut read = Vec::new();
        while daemon.has_unsent() {
            // It ends with `WouldBlock` when all that was sent is read.
            let _ = reader.read_to_end(&mut read);
            daemon.flush();
        }
        assert!(daemon.send(&state(true)));
        let _ = reader.read_to_end(&mut read);
        let last = read.split(|byte| *byte == b'\n').rev().nth(1).unwrap();
        assert_eq!(
            serde_json::from_slice::<ToDaemon>(last).unwrap(),
            state(true)
        );
    }
}
