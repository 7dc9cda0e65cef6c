//! The loop: one thread, one `poll`, everything with a deadline.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    os::{
        fd::{AsFd, OwnedFd},
        unix::{net::UnixStream, process::CommandExt},
    },
    process::{Command, Stdio},
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
    child::Child,
    components::{self, Ready},
    home, lock,
    lock::Holder,
    plan::{Plan, PlanError},
    tree,
};
use crate::{
    frame::Size,
    stack::wire::{Component, ComponentState, Event, Problem, Status, ToDaemon, ToInit},
};

/// A daemon that says nothing for so long is replaced (R33).
const SILENT: Duration = Duration::from_secs(10);
/// How often a port or a deadline is looked at.
const TICK: Duration = Duration::from_millis(50);
/// The longest wait between two starts of a part that keeps ending (R28).
const MAX_BACKOFF: Duration = Duration::from_secs(30);
/// A part that ran for so long begins with a clean slate.
const STABLE: Duration = Duration::from_secs(20);
/// So long the daemon may take to end.
const DAEMON_GRACE: Duration = Duration::from_secs(6);
/// A turn of the loop that took longer was a pause of the machine.
const PAUSE: Duration = Duration::from_secs(5);
/// Bytes that wait for a daemon which does not read.
const MAX_UNREAD: usize = 1 << 20;

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

/// One part and what became of it.
#[derive(Debug)]
struct Part {
    component: Component,
    enabled: bool,
    child: Option<Child>,
    up: bool,
    /// It must be up by then.
    due: Option<Instant>,
    /// Not started again before.
    not_before: Option<Instant>,
    started: Instant,
    since_ms: u64,
    streak: u32,
    restarts: u32,
    problem: Option<Problem>,
    last_output: String,
}

impl Part {
    fn new(component: Component, enabled: bool) -> Self {
        Self {
            component,
            enabled,
            child: None,
            up: false,
            due: None,
            not_before: None,
            started: Instant::now(),
            since_ms: 0,
            streak: 0,
            restarts: 0,
            problem: None,
            last_output: String::new(),
        }
    }

    fn state(&self) -> ComponentState {
        ComponentState {
            component: self.component,
            enabled: self.enabled,
            up: self.up,
            pid: self
                .child
                .as_ref()
                .and_then(|child| u32::try_from(child.pid.as_raw()).ok())
                .unwrap_or(0),
            since_ms: if self.up { self.since_ms } else { 0 },
            restarts: self.restarts,
            last_output: self.last_output.clone(),
            problem: self.problem.clone(),
        }
    }

    /// Pause before the next start: none after a first end, then longer.
    fn backoff(&mut self) -> Duration {
        if self.started.elapsed() >= STABLE {
            self.streak = 0;
        }
        self.streak += 1;
        match self.streak {
            1 => Duration::ZERO,
            n => (Duration::from_millis(100) * 2_u32.saturating_pow(n.min(16))).min(MAX_BACKOFF),
        }
    }
}

/// The daemon, and the socket that leads to it.
#[derive(Debug)]
struct Daemon {
    pid: Pid,
    socket: UnixStream,
    unread: Vec<u8>,
    unsent: Vec<u8>,
    heard: Instant,
    started: Instant,
}

struct Init {
    plan: Plan,
    parts: Vec<Part>,
    daemon: Option<Daemon>,
    daemon_not_before: Option<Instant>,
    daemon_streak: u32,
    /// The daemon has listened once: from then on its end is no mistake of the
    /// command line.
    was_ready: bool,
    wanted: bool,
    began: Instant,
    told: Option<ToDaemon>,
    turned: Instant,
    /// Held as long as the process lives.
    _lock: Flock<std::fs::File>,
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
    tree::end(&plan.mark(""), tree::GRACE, || {});
    let vnc = plan.options.vnc;
    let is_vnc = |c| matches!(c, Component::X11vnc | Component::Websockify);
    let part = |component| Part::new(component, vnc || !is_vnc(component));
    let mut init = Init {
        parts: Component::STARTED.into_iter().map(part).collect(),
        plan,
        daemon: None,
        daemon_not_before: None,
        daemon_streak: 0,
        was_ready: false,
        wanted: true,
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

    // --- The daemon ---

    fn daemon_ended(&mut self, code: Option<i32>) {
        let stable = self
            .daemon
            .as_ref()
            .is_some_and(|daemon| daemon.started.elapsed() >= STABLE);
        self.daemon = None;
        self.daemon_streak = if stable { 1 } else { self.daemon_streak + 1 };
        let pause = match self.daemon_streak {
            1 => Duration::ZERO,
            n => (Duration::from_millis(100) * 2_u32.saturating_pow(n.min(16))).min(MAX_BACKOFF),
        };
        self.daemon_not_before = Some(Instant::now() + pause);
        let how = code.map_or("by a signal".into(), |code| format!("with {code}"));
        complain(&format!("the daemon ended {how}; it is started again"));
    }

    fn keep_daemon(&mut self) -> Result<(), InitError> {
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
        let mut command = Command::new("/proc/self/exe");
        command
            .args(&self.plan.options.daemon)
            .env("XAUTHORITY", &self.plan.daemon_cookie)
            .env("DISPLAY", format!(":{}", self.plan.options.display))
            .stdin(Stdio::from(OwnedFd::from(theirs)));
        if self.plan.is_root && self.plan.daemon.uid != 0 {
            command.uid(self.plan.daemon.uid).gid(self.plan.daemon.gid);
        }
        let process = command.spawn()?;
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
    fn listen(&mut self) {
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

    fn obey(&mut self, order: &ToInit) {
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
            ToInit::Geometry { width, height, dpi } => {
                let size = Size {
                    width: *width,
                    height: *height,
                };
                let options = &mut self.plan.options;
                options.geometry = size;
                options.max_geometry = Size {
                    width: options.max_geometry.width.max(size.width),
                    height: options.max_geometry.height.max(size.height),
                };
                if *dpi != 0 {
                    options.dpi = *dpi;
                }
                self.began = Instant::now();
                self.end_parts("ended for another size");
            }
        }
    }

    /// Sends the state when it changed.
    fn tell(&mut self) {
        let state = ToDaemon::State {
            wanted: self.wanted,
            components: self.parts.iter().map(Part::state).collect(),
        };
        if self.daemon.is_some() && self.told.as_ref() != Some(&state) {
            self.send(&state);
            self.told = Some(state);
        }
        self.flush();
    }

    fn send(&mut self, message: &ToDaemon) {
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

    fn flush(&mut self) {
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

    fn event(
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

    // --- The parts ---

    fn keep_parts(&mut self) {
        for index in 0..self.parts.len() {
            if let Some(child) = &mut self.parts[index].child {
                child.read();
            }
            if self.parts[index].child.is_some() && !self.parts[index].up {
                self.look(index);
            }
            let part = &self.parts[index];
            let idle = part.enabled && !part.up && part.child.is_none();
            let hopeless = matches!(part.problem, Some(Problem::Missing { .. }));
            let due = part.not_before.is_none_or(|at| Instant::now() >= at);
            if self.wanted && idle && due && !hopeless && self.has_ground(index) {
                self.start(index);
            }
        }
    }

    fn has_ground(&self, index: usize) -> bool {
        let needed = components::needs(self.parts[index].component);
        needed.is_none_or(|needed| {
            let ground = self.parts.iter().find(|part| part.component == needed);
            ground.is_some_and(|part| part.up)
        })
    }

    fn start(&mut self, index: usize) {
        let component = self.parts[index].component;
        if let Some(problem) = components::missing(component) {
            let Problem::Missing { program, package } = &problem else {
                return;
            };
            let message =
                format!("{program} is not installed: install the Debian package {package}");
            self.fail(index, problem.clone(), message);
            return;
        }
        let prepared = self.prepare(component);
        let started = prepared.and_then(|()| {
            let start = components::start(component, &self.plan);
            Child::start(&start).map_err(|error| error.to_string())
        });
        match started {
            Ok(child) => {
                let (ready, limit) = components::readiness(component);
                let part = &mut self.parts[index];
                part.child = Some(child);
                part.started = Instant::now();
                part.since_ms = now_ms();
                part.due = Some(part.started + limit);
                part.up = ready == Ready::Runs;
                let status = if part.up {
                    Status::Completed
                } else {
                    Status::Started
                };
                if part.up {
                    part.problem = None;
                }
                self.event(
                    component,
                    status,
                    None,
                    format!("{} was started", component.name()),
                );
            }
            Err(why) => {
                let message = format!("{} cannot be started: {why}", component.name());
                self.parts[index].last_output.clone_from(&message);
                self.fail(index, Problem::Failed, message);
            }
        }
    }

    /// What must be there before a part is started.
    fn prepare(&mut self, component: Component) -> Result<(), String> {
        let display = self.plan.options.display;
        match component {
            Component::Xvfb => {
                // Of a life that ended while nobody looked.
                tree::end(&self.plan.mark(Component::Xvfb.name()), tree::GRACE, || {});
                match lock::judge(display).map_err(|error| error.to_string())? {
                    Holder::Nobody => {}
                    Holder::Server => {
                        return Err(format!(
                            "another X server has display :{display}: end it, give another --display, or use --stack none"
                        ));
                    }
                }
                self.plan.write_cookies().map_err(|error| error.to_string())
            }
            Component::Dbus => {
                // Of a bus that was killed.
                drop(std::fs::remove_file(self.plan.desktop_dir.join("bus")));
                Ok(())
            }
            Component::Session => {
                home::seed(&self.plan.desktop, self.plan.is_root).map_err(|error| {
                    let home = self.plan.desktop.home.display();
                    format!("the home {home} cannot be written: {error}; make room, or give another HOME or --desktop-user")
                })
            }
            Component::X11vnc => self
                .plan
                .write_vnc_password()
                .map_err(|error| error.to_string()),
            _ => Ok(()),
        }
    }

    /// Whether a part that was started is up, or late.
    fn look(&mut self, index: usize) {
        let part = &self.parts[index];
        let component = part.component;
        let Some(child) = &part.child else {
            return;
        };
        let (ready, limit) = components::readiness(component);
        let is_up = match ready {
            Ready::Said => child.said.contains(&b'\n'),
            Ready::Runs => true,
            Ready::Ended => false,
            Ready::Listens(_) => components::port(ready, &self.plan).is_some_and(listens),
        };
        if is_up {
            self.is_up(index);
        } else if part.due.is_some_and(|due| Instant::now() > due) {
            let message = format!(
                "{} was not up within {} s",
                component.name(),
                limit.as_secs()
            );
            self.end_part(index);
            self.fail(index, Problem::Failed, message);
        }
    }

    fn is_up(&mut self, index: usize) {
        let part = &mut self.parts[index];
        part.up = true;
        part.due = None;
        part.problem = None;
        let component = part.component;
        let took = part.started.elapsed().as_millis();
        self.event(
            component,
            Status::Completed,
            None,
            format!("{} is up after {took} ms", component.name()),
        );
    }

    fn part_ended(&mut self, index: usize, code: Option<i32>) {
        let part = &mut self.parts[index];
        let component = part.component;
        if let Some(child) = &mut part.child {
            child.read();
            part.last_output = String::from_utf8_lossy(&child.complained).into_owned();
        }
        part.child = None;
        if components::readiness(component).0 == Ready::Ended && !part.up {
            if code == Some(0) {
                self.is_up(index);
                return;
            }
            // Keys may be missing, but the screen is there: it is said, not more.
            let said = last_lines(&self.parts[index].last_output);
            let message = format!("{} failed: {said}", component.name());
            self.parts[index].up = true;
            self.event(component, Status::Failed, Some(Problem::Failed), message);
            return;
        }
        let how = code.map_or("by a signal".to_owned(), |code| format!("with code {code}"));
        let said = last_lines(&self.parts[index].last_output);
        let message = format!("{} ended {how}{said}", component.name());
        self.fail(index, Problem::Failed, message);
    }

    /// A part is not up: what stands on it goes down, and it is tried again.
    fn fail(&mut self, index: usize, problem: Problem, message: String) {
        let component = self.parts[index].component;
        self.parts[index].up = false;
        for other in (0..self.parts.len()).rev() {
            if components::stands_on(self.parts[other].component, component) {
                self.end_part(other);
            }
        }
        // What it started and left.
        self.end_part(index);
        let part = &mut self.parts[index];
        let pause = part.backoff();
        part.not_before = Some(Instant::now() + pause);
        part.restarts += 1;
        part.problem = Some(problem.clone());
        self.event(component, Status::Failed, Some(problem), message);
    }

    /// Ends all parts: the session is asked first, so that programs can save
    /// what they have; then all, within two seconds together (R29).
    fn end_parts(&mut self, why: &str) {
        let was: Vec<Component> = self
            .parts
            .iter()
            .filter(|part| part.up || part.child.is_some())
            .map(|part| part.component)
            .collect();
        // Zombies carry no mark: they are collected in the loop's next turn.
        let reap = || {};
        let half = tree::GRACE / 2;
        tree::ask(&self.plan.mark(Component::Session.name()), half, reap);
        tree::end(&self.plan.mark(""), half, reap);
        for part in &mut self.parts {
            part.child = None;
            part.up = false;
            part.due = None;
        }
        for component in was.into_iter().rev() {
            let message = format!("{} was {why}", component.name());
            self.event(component, Status::Waiting, None, message);
        }
    }

    /// Ends every process of a part.
    fn end_part(&mut self, index: usize) {
        let part = &mut self.parts[index];
        let mark = self.plan.mark(part.component.name());
        let child = part.child.take();
        part.up = false;
        part.due = None;
        tree::end(&mark, tree::GRACE, || {
            if let Some(child) = &child {
                let _ = waitpid(child.pid, Some(WaitPidFlag::WNOHANG));
            }
        });
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
        tree::end(&self.plan.mark(""), tree::GRACE, || {});
        self.plan.remove_folders();
    }
}

fn listens(port: u16) -> bool {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    TcpStream::connect_timeout(&address, TICK).is_ok()
}

/// The last lines of what a part wrote, for a message.
fn last_lines(output: &str) -> String {
    let lines: Vec<&str> = output
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let last = &lines[lines.len().saturating_sub(3)..];
    if last.is_empty() {
        String::new()
    } else {
        format!(": {}", last.join(" / "))
    }
}

/// The init's own words: the daemon, which has the log, may be what is missing.
fn complain(message: &str) {
    tracing::warn!("{message}");
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, millis)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
