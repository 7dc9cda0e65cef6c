//! The daemon: this program once more, over a socket pair that is its standard
//! input.

use std::{
    ffi::OsStr,
    io::{self, Read, Write},
    os::{
        fd::OwnedFd,
        unix::{ffi::OsStrExt, net::UnixStream, process::CommandExt},
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::{
    parts::{Part, STABLE, backoff},
    supervise::{Init, InitError, millis, now_ms},
};
use crate::{
    frame::{ScreenSize, Size},
    stack::wire::{Component, Event, Problem, Status, ToDaemon, ToInit},
};

/// A daemon that says nothing for so long is replaced (R33).
const SILENT: Duration = Duration::from_secs(10);
/// Bytes that wait for a daemon which does not read.
const MAX_UNREAD: usize = 1 << 20;

/// The daemon, and the socket that leads to it.
#[derive(Debug)]
pub(super) struct Daemon {
    pub(super) pid: Pid,
    pub(super) socket: UnixStream,
    pub(super) unread: Vec<u8>,
    pub(super) unsent: Vec<u8>,
    pub(super) heard: Instant,
    pub(super) started: Instant,
}

impl Init {
    pub(super) fn daemon_ended(&mut self, code: Option<i32>) {
        let stable = self
            .daemon
            .as_ref()
            .is_some_and(|daemon| daemon.started.elapsed() >= STABLE);
        self.daemon = None;
        self.daemon_streak = if stable { 1 } else { self.daemon_streak + 1 };
        let pause = backoff(self.daemon_streak);
        self.daemon_not_before = Some(Instant::now() + pause);
        let how = code.map_or("by a signal".into(), |code| format!("with {code}"));
        complain(&format!("the daemon ended {how}; it is started again"));
    }

    pub(super) fn keep_daemon(&mut self) -> Result<(), InitError> {
        if let Some(daemon) = &self.daemon {
            if daemon.heard.elapsed() > SILENT {
                complain("the daemon says nothing: it is replaced");
                let _ = kill(daemon.pid, Signal::SIGKILL);
                if let Some(daemon) = &mut self.daemon {
                    daemon.heard = Instant::now();
                }
            }
            return Ok(());
        }
        if self.daemon_not_before.is_some_and(|at| Instant::now() < at) {
            return Ok(());
        }
        // Before its start, so that it finds a cookie that it can read.
        if !self.plan.daemon_cookie.exists() {
            self.plan.write_cookies()?;
        }
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let start = |program: &Path| {
            let mut command = Command::new(program);
            command
                .args(&self.plan.options.daemon)
                .env("XAUTHORITY", &self.plan.daemon_cookie)
                .env("DISPLAY", format!(":{}", self.plan.options.display))
                .stdin(Stdio::from(OwnedFd::from(theirs.try_clone()?)));
            if self.plan.is_root && self.plan.daemon.uid != 0 {
                command.uid(self.plan.daemon.uid).gid(self.plan.daemon.gid);
            }
            command.spawn()
        };
        // By its name, so that it is found by it, and a new version is started
        // where there is one; else what runs here.
        let named = std::env::current_exe().and_then(|program| start(&by_name(&program)));
        let process = named.or_else(|_| start(Path::new("/proc/self/exe")))?;
        self.daemon = Some(Daemon {
            pid: Pid::from_raw(i32::try_from(process.id()).map_err(io::Error::other)?),
            socket: ours,
            unread: Vec::new(),
            unsent: Vec::new(),
            heard: Instant::now(),
            started: Instant::now(),
        });
        self.told = None;
        Ok(())
    }

    /// Takes the daemon's orders.
    pub(super) fn listen(&mut self) {
        let Some(daemon) = &mut self.daemon else {
            return;
        };
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = daemon.socket.read(&mut buffer) {
            daemon.unread.extend_from_slice(&buffer[..count]);
            daemon.heard = Instant::now();
        }
        let mut orders = Vec::new();
        while let Some(end) = daemon.unread.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = daemon.unread.drain(..=end).collect();
            orders.extend(serde_json::from_slice::<ToInit>(&line));
        }
        if daemon.unread.len() > MAX_UNREAD {
            daemon.unread.clear();
        }
        for order in orders {
            self.obey(&order);
        }
    }

    pub(super) fn obey(&mut self, order: &ToInit) {
        match order {
            ToInit::Ready => self.was_ready = true,
            ToInit::Alive => {}
            ToInit::Up => {
                if !self.wanted {
                    self.began = Instant::now();
                }
                self.wanted = true;
                for part in self.parts.iter_mut().filter(|part| !part.up) {
                    // Somebody asks for it: it is tried at once.
                    part.not_before = None;
                    part.streak = 0;
                    part.restarts = 0;
                    part.problem = None;
                }
            }
            ToInit::Down => {
                self.wanted = false;
                self.end_parts("ended on request");
                for part in &mut self.parts {
                    part.problem = None;
                    part.last_output.clear();
                    (part.streak, part.restarts, part.not_before) = (0, 0, None);
                }
            }
            ToInit::End => self.ending = true,
            ToInit::Geometry { width, height, dpi } => {
                let size = Size {
                    width: *width,
                    height: *height,
                };
                // The daemon has checked it; what it says is checked all the same.
                if let Err(error) = ScreenSize::try_from(size) {
                    complain(&error.to_string());
                    return;
                }
                let options = &mut self.plan.options;
                options.geometry = size;
                if *dpi != 0 {
                    options.dpi = *dpi;
                }
                self.began = Instant::now();
                self.end_parts("ended for another size");
            }
        }
    }

    /// Sends the state when it changed.
    pub(super) fn tell(&mut self) {
        let state = ToDaemon::State {
            wanted: self.wanted,
            components: self.parts.iter().map(Part::state).collect(),
            viewer_port: if self.plan.options.vnc {
                self.plan.options.viewer_port
            } else {
                0
            },
        };
        if self.daemon.is_some() && self.told.as_ref() != Some(&state) {
            self.send(&state);
            self.told = Some(state);
        }
        self.flush();
    }

    pub(super) fn send(&mut self, message: &ToDaemon) {
        let Some(daemon) = &mut self.daemon else {
            return;
        };
        // A daemon that does not read gets the newest later.
        if daemon.unsent.len() < MAX_UNREAD
            && let Ok(line) = serde_json::to_vec(message)
        {
            daemon.unsent.extend_from_slice(&line);
            daemon.unsent.push(b'\n');
        }
        self.flush();
    }

    pub(super) fn flush(&mut self) {
        let Some(daemon) = &mut self.daemon else {
            return;
        };
        while !daemon.unsent.is_empty() {
            match daemon.socket.write(&daemon.unsent) {
                Ok(count @ 1..) => {
                    daemon.unsent.drain(..count);
                }
                _ => return,
            }
        }
    }

    pub(super) fn event(
        &mut self,
        component: Component,
        status: Status,
        problem: Option<Problem>,
        message: String,
    ) {
        let event = Event {
            component,
            status,
            elapsed_ms: millis(self.began.elapsed()),
            time_ms: now_ms(),
            problem,
            message,
        };
        self.send(&ToDaemon::Event(event));
    }
}

/// Where this program was found. The kernel marks a file that was replaced since.
fn by_name(program: &Path) -> PathBuf {
    let name = program.as_os_str().as_encoded_bytes();
    let name = name.strip_suffix(b" (deleted)").unwrap_or(name);
    OsStr::from_bytes(name).into()
}

/// The init's own words: the daemon, which has the log, may be what is missing.
fn complain(message: &str) {
    tracing::warn!("{message}");
}
