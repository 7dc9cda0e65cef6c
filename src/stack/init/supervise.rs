//! The loop: one thread, one `poll`, everything with a deadline.

use std::{
    io,
    os::fd::AsFd,
    time::{Duration, Instant, SystemTime},
};

use nix::{
    errno::Errno,
    fcntl::Flock,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        prctl,
        signal::{SigSet, Signal, kill},
        signalfd::{SfdFlags, SignalFd},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};

use super::{
    cgroup::Group,
    daemon::Daemon,
    lock,
    parts::Part,
    plan::{Plan, PlanError},
    tree::{self, Which},
};
use crate::stack::wire::{Component, ToDaemon};

/// How often a port or a deadline is looked at.
const TICK: Duration = Duration::from_millis(50);
/// Maximum time until the daemon has ended.
const DAEMON_GRACE: Duration = Duration::from_secs(6);
/// A turn of the loop that took longer was a pause of the machine.
const PAUSE: Duration = Duration::from_secs(5);

/// Why the init cannot work.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// A folder, file or user.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// Another init has the display.
    #[error("another deskd ({1}) manages display :{0}: end it, or give another --display")]
    Locked(u16, String),
    /// The lock file cannot be made.
    #[error("the lock {0} cannot be taken: {1}")]
    Lock(String, io::Error),
    /// The system.
    #[error("cannot supervise: {0}")]
    System(#[from] io::Error),
}

impl From<Errno> for InitError {
    fn from(error: Errno) -> Self {
        Self::System(error.into())
    }
}

pub(super) struct Init {
    pub(super) plan: Plan,
    /// The control group of all parts, if one can be made.
    pub(super) group: Option<Group>,
    pub(super) parts: Vec<Part>,
    pub(super) daemon: Option<Daemon>,
    pub(super) daemon_not_before: Option<Instant>,
    pub(super) daemon_streak: u32,
    /// The daemon has listened once: from then on its end is no mistake of the
    /// command line.
    pub(super) was_ready: bool,
    pub(super) wanted: bool,
    /// The daemon has asked for the end of all.
    pub(super) ending: bool,
    pub(super) began: Instant,
    pub(super) told: Option<ToDaemon>,
    pub(super) turned: Instant,
    /// Held as long as the process lives.
    pub(super) _lock: Flock<std::fs::File>,
}

/// Runs until SIGTERM or SIGINT, and returns the exit code. With `at_once`, an
/// init that is just ending is not waited for.
///
/// # Errors
///
/// When the display is another's, or the system refuses what an init needs.
pub fn run(plan: Plan, at_once: bool) -> Result<u8, InitError> {
    let path = plan.lock.display().to_string();
    let lock = lock::take(&plan.lock, at_once).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => {
            InitError::Locked(plan.options.display, lock::holder(&plan.lock))
        }
        _ => InitError::Lock(path.clone(), error),
    })?;
    plan.make_folders()?;
    // Orphans of the session come to us, and are reaped.
    prctl::set_child_subreaper(true)?;
    let mut signals = SigSet::empty();
    for signal in [
        Signal::SIGTERM,
        Signal::SIGINT,
        Signal::SIGHUP,
        Signal::SIGCHLD,
    ] {
        signals.add(signal);
    }
    signals.thread_block()?;
    let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
    let signals = SignalFd::with_flags(&signals, flags)?;
    // What an init that was killed left behind: we hold its lock.
    let group = Group::make(&format!("deskd-X{}", plan.options.display));
    let left = Which {
        mark: plan.mark(""),
        group: group.as_ref(),
        ..Which::default()
    };
    tree::end(&left, tree::GRACE);
    let vnc = plan.options.vnc;
    let is_vnc = |c| matches!(c, Component::X11vnc | Component::Websockify);
    let part = |component| Part::new(component, vnc || !is_vnc(component));
    let mut init = Init {
        parts: Component::STARTED.into_iter().map(part).collect(),
        plan,
        group,
        daemon: None,
        daemon_not_before: None,
        daemon_streak: 0,
        was_ready: false,
        wanted: true,
        ending: false,
        began: Instant::now(),
        told: None,
        turned: Instant::now(),
        _lock: lock,
    };
    let code = init.turn_until_told(&signals);
    init.end_all();
    code
}

impl Init {
    fn turn_until_told(&mut self, signals: &SignalFd) -> Result<u8, InitError> {
        loop {
            self.notice_pause();
            if let Some(code) = self.reap()? {
                return Ok(code);
            }
            self.keep_daemon()?;
            self.listen();
            if self.ending {
                return Ok(0);
            }
            if self.was_ready {
                self.keep_parts();
            }
            self.tell();
            self.wait(signals)?;
            while let Ok(Some(signal)) = signals.read_signal() {
                let number = i32::try_from(signal.ssi_signo).unwrap_or(0);
                if number != Signal::SIGCHLD as i32 {
                    return Ok(0);
                }
            }
        }
    }

    /// A pause of the whole machine is nobody's silence, and no part's delay.
    fn notice_pause(&mut self) {
        let pause = self.turned.elapsed();
        self.turned = Instant::now();
        if pause < PAUSE {
            return;
        }
        if let Some(daemon) = &mut self.daemon {
            daemon.heard = Instant::now();
        }
        for due in self.parts.iter_mut().filter_map(|part| part.due.as_mut()) {
            *due += pause;
        }
    }

    fn wait(&self, signals: &SignalFd) -> Result<(), InitError> {
        let mut fds = vec![PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
        if let Some(daemon) = &self.daemon {
            fds.push(PollFd::new(daemon.socket.as_fd(), PollFlags::POLLIN));
        }
        for child in self.parts.iter().filter_map(|part| part.child.as_ref()) {
            fds.extend(
                child
                    .pipes()
                    .map(|pipe| PollFd::new(pipe, PollFlags::POLLIN)),
            );
        }
        let busy = self.parts.iter().any(|part| part.enabled && !part.up) && self.wanted;
        let unsent = self
            .daemon
            .as_ref()
            .is_none_or(|daemon| !daemon.unsent.is_empty());
        let timeout = if busy || unsent {
            TICK
        } else {
            Duration::from_secs(1)
        };
        let timeout = PollTimeout::try_from(timeout).unwrap_or(PollTimeout::MAX);
        match poll(&mut fds, timeout) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Collects every child that ended, ours and orphans. An exit code when the
    /// daemon never came to listen.
    fn reap(&mut self) -> Result<Option<u8>, InitError> {
        loop {
            let (pid, code) = match waitpid(None::<Pid>, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, code)) => (pid, Some(code)),
                Ok(WaitStatus::Signaled(pid, ..)) => (pid, None),
                Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return Ok(None),
                Ok(_) | Err(Errno::EINTR) => continue,
                Err(error) => return Err(error.into()),
            };
            if self.daemon.as_ref().is_some_and(|daemon| daemon.pid == pid) {
                let failed = code.and_then(|code| u8::try_from(code).ok());
                if let (false, Some(code)) = (self.was_ready, failed) {
                    return Ok(Some(code));
                }
                self.daemon_ended(code);
            } else if let Some(index) = self.index_of(pid) {
                self.part_ended(index, code);
            }
        }
    }

    fn index_of(&self, pid: Pid) -> Option<usize> {
        let is = |part: &Part| part.child.as_ref().is_some_and(|child| child.pid == pid);
        self.parts.iter().position(is)
    }

    /// The end: the daemon first, so that its callers get their cards; then all.
    fn end_all(&mut self) {
        if let Some(daemon) = &self.daemon {
            let _ = kill(daemon.pid, Signal::SIGTERM);
        }
        self.end_parts("ended with deskd");
        let until = Instant::now() + DAEMON_GRACE;
        while let Some(daemon) = &self.daemon {
            match waitpid(daemon.pid, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::StillAlive) if Instant::now() < until => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                Ok(WaitStatus::StillAlive) => {
                    let _ = kill(daemon.pid, Signal::SIGKILL);
                    std::thread::sleep(Duration::from_millis(10));
                }
                _ => self.daemon = None,
            }
        }
        // Whatever was being started in the meantime.
        tree::end(&self.everything(), tree::GRACE);
        if let Some(group) = &self.group {
            group.remove();
        }
        self.plan.remove_folders();
    }
}

pub(super) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, millis)
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
