//! The init's loop: one thread, one `poll`, and a time limit on every wait. It reports facts to the
//! supervisor and carries out its orders.

use std::{
    collections::VecDeque,
    io,
    os::fd::AsFd,
    time::{Duration, Instant},
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
    clock::{millis, now_ms},
    daemon::{Daemon, StartError},
    lock,
    parts::Parts,
    plan::{PlanError, StackPlan},
    supervisor::{StackFact, StackOrder, Supervisor},
};
use crate::stack::wire::{Event, ToDaemon};

/// Interval of the checks of ports and time limits while a part is to come up.
const TICK: Duration = Duration::from_millis(50);
/// Time after which a daemon that does not end is killed.
const DAEMON_GRACE: Duration = Duration::from_secs(6);
/// If a turn of the loop takes at least this time, the whole machine was paused.
const PAUSE: Duration = Duration::from_secs(5);

/// The reason why the init cannot work.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// A user, a file or a folder.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// Another init has the display.
    #[error("another deskd ({1}) manages display :{0}: end it, or give another --display")]
    Locked(u16, String),
    /// The lock file cannot be created.
    #[error("the lock {0} cannot be taken: {1}")]
    Lock(String, io::Error),
    /// A system call failed.
    #[error("cannot supervise: {0}")]
    System(#[from] io::Error),
}

impl From<StartError> for InitError {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Plan(error) => error.into(),
            StartError::System(error) => error.into(),
        }
    }
}

impl From<Errno> for InitError {
    fn from(error: Errno) -> Self {
        Self::System(error.into())
    }
}

struct Init {
    plan: StackPlan,
    supervisor: Supervisor,
    parts: Parts,
    daemon: Option<Daemon>,
    /// The start of the supervisor's clock.
    began: Instant,
    /// The state that was last sent to the daemon.
    told: Option<ToDaemon>,
    /// The time of the last turn of the loop.
    turned: Instant,
    /// The lock of the display, held until the process ends.
    _lock: Flock<std::fs::File>,
}

/// Runs until SIGTERM, SIGINT or SIGHUP, or an order to end; returns the exit code. With `at_once`,
/// it does not wait for another init to end.
///
/// # Errors
///
/// When another init has the display, or a system call fails.
pub fn run(plan: StackPlan, at_once: bool) -> Result<u8, InitError> {
    let path = plan.lock.display().to_string();
    let lock = lock::take(&plan.lock, at_once).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => {
            InitError::Locked(plan.options.display, lock::holder(&plan.lock))
        }
        _ => InitError::Lock(path.clone(), error),
    })?;
    // Orphans of the session become our children, and are reaped.
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
    // A killed init left processes, and the desktop's user may have filled their folder.
    let parts = Parts::new(&plan);
    plan.remove_folders();
    plan.make_folders()?;
    let began = Instant::now();
    let mut init = Init {
        supervisor: Supervisor::new(plan.options.vnc),
        parts,
        plan,
        daemon: None,
        began,
        told: None,
        turned: began,
        _lock: lock,
    };
    let code = init.turn_until_told(&signals);
    init.end();
    code
}

impl Init {
    fn turn_until_told(&mut self, signals: &SignalFd) -> Result<u8, InitError> {
        loop {
            for fact in self.look() {
                if let Some(code) = self.happened(fact)? {
                    return Ok(code);
                }
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

    /// Collects the facts since the last turn.
    fn look(&mut self) -> Vec<StackFact> {
        let mut facts = Vec::new();
        let pause = self.turned.elapsed();
        self.turned = Instant::now();
        if pause >= PAUSE {
            facts.push(StackFact::Paused(pause));
        }
        facts.extend(self.reap());
        if let Some(daemon) = &mut self.daemon
            && let Some(orders) = daemon.listen()
        {
            facts.push(StackFact::DaemonSpoke);
            facts.extend(orders.into_iter().map(StackFact::Ordered));
        }
        self.parts.read();
        let starting = self.supervisor.starting();
        facts.extend(starting.filter_map(|part| self.parts.look(part, &self.plan)));
        facts.push(StackFact::Tick);
        facts
    }

    /// Passes a fact to the supervisor and carries out its orders, and does the same with the facts
    /// that result. Returns an exit code when the supervisor orders the end.
    fn happened(&mut self, fact: StackFact) -> Result<Option<u8>, InitError> {
        let mut facts = VecDeque::from([fact]);
        while let Some(fact) = facts.pop_front() {
            for order in self.supervisor.step(self.began.elapsed(), fact) {
                match order {
                    StackOrder::Start(part) => facts.push_back(self.parts.start(part, &self.plan)),
                    StackOrder::End(part) => self.parts.end(part, &self.plan),
                    StackOrder::EndAll => self.parts.end_all(&self.plan),
                    StackOrder::StartDaemon => {
                        let daemon = Daemon::start(&self.plan)?;
                        self.parts.daemon = Some(daemon.pid);
                        self.daemon = Some(daemon);
                        self.told = None;
                        facts.push_back(StackFact::DaemonStarted);
                    }
                    StackOrder::KillDaemon => {
                        if let Some(daemon) = &self.daemon {
                            let _ = kill(daemon.pid, Signal::SIGKILL);
                        }
                    }
                    StackOrder::Resize(size, dpi) => {
                        let options = &mut self.plan.options;
                        options.geometry = size;
                        if dpi != 0 {
                            options.dpi = dpi;
                        }
                    }
                    StackOrder::Report(report) => self.send(&ToDaemon::Event(Event {
                        component: report.component,
                        status: report.status,
                        elapsed_ms: millis(report.elapsed),
                        time_ms: now_ms(),
                        problem: report.problem,
                        message: report.message,
                    })),
                    // The init logs this itself, because the daemon may not run.
                    StackOrder::Warn(message) => tracing::warn!("{message}"),
                    StackOrder::Exit(code) => return Ok(Some(code)),
                }
            }
        }
        Ok(None)
    }

    fn send(&mut self, message: &ToDaemon) {
        if let Some(daemon) = &mut self.daemon {
            daemon.send(message);
        }
    }

    /// Sends the state to the daemon if it has changed.
    fn tell(&mut self) {
        let parts = self.supervisor.parts().iter();
        let options = &self.plan.options;
        let state = ToDaemon::State {
            wanted: self.supervisor.wanted,
            components: parts.map(|part| self.parts.state(part)).collect(),
            viewer_port: if options.vnc { options.viewer_port } else { 0 },
        };
        let Some(daemon) = &mut self.daemon else {
            return;
        };
        daemon.flush();
        // A state that found no room is sent in the next turn.
        if self.told.as_ref() != Some(&state) && daemon.send(&state) {
            self.told = Some(state);
        }
    }

    fn wait(&self, signals: &SignalFd) -> Result<(), InitError> {
        let mut fds = vec![PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
        if let Some(daemon) = &self.daemon {
            fds.push(PollFd::new(daemon.socket(), PollFlags::POLLIN));
        }
        let pipes = self.parts.pipes();
        fds.extend(pipes.map(|pipe| PollFd::new(pipe, PollFlags::POLLIN)));
        let unsent = self.daemon.as_ref().is_none_or(Daemon::has_unsent);
        let timeout = if self.supervisor.is_busy() || unsent {
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

    /// Reaps every child that has ended, the init's own and orphans.
    fn reap(&mut self) -> Vec<StackFact> {
        let mut facts = Vec::new();
        loop {
            let (pid, code) = match waitpid(None::<Pid>, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, code)) => (pid, Some(code)),
                Ok(WaitStatus::Signaled(pid, ..)) => (pid, None),
                Ok(WaitStatus::StillAlive) | Err(_) => return facts,
                Ok(_) => continue,
            };
            if self.daemon.as_ref().is_some_and(|daemon| daemon.pid == pid) {
                (self.daemon, self.parts.daemon) = (None, None);
                facts.push(StackFact::DaemonEnded(code));
            } else {
                facts.extend(self.parts.ended(pid, code));
            }
        }
    }

    /// Ends everything: first SIGTERM to the daemon, so that its callers get failure cards, then
    /// all parts.
    fn end(&mut self) {
        if let Some(daemon) = &self.daemon {
            let _ = kill(daemon.pid, Signal::SIGTERM);
        }
        // The supervisor orders nothing that can fail here.
        drop(self.happened(StackFact::Ending));
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
        self.parts.daemon = None;
        self.parts.sweep(&self.plan);
        self.plan.remove_folders();
    }
}
