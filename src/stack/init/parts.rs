//! The parts: started when what they stand on is up, watched, started again.

use std::{
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use nix::unistd::Pid;

use super::{
    child::Child,
    components::{self, Ready},
    home,
    lock::{self, Holder},
    supervise::{Init, now_ms},
    tree::{self, Orphans, Which},
};
use crate::{
    processes,
    sockets::{self, Listening},
    stack::wire::{Component, ComponentState, Problem, Status},
};

/// How long a port may take to answer that somebody listens.
const KNOCK: Duration = Duration::from_millis(50);
/// The longest wait between two starts of a part that keeps ending (R28).
const MAX_BACKOFF: Duration = Duration::from_secs(30);
/// A part that ran for so long begins with a clean slate.
pub(super) const STABLE: Duration = Duration::from_secs(20);

/// Pause before the next start: none after a first end, then longer.
pub(super) fn backoff(streak: u32) -> Duration {
    match streak {
        1 => Duration::ZERO,
        n => (Duration::from_millis(100) * 2_u32.saturating_pow(n.min(16))).min(MAX_BACKOFF),
    }
}

/// One part and what became of it.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) component: Component,
    pub(super) enabled: bool,
    pub(super) child: Option<Child>,
    pub(super) up: bool,
    /// It must be up by then.
    pub(super) due: Option<Instant>,
    /// Not started again before.
    pub(super) not_before: Option<Instant>,
    pub(super) started: Instant,
    pub(super) since_ms: u64,
    pub(super) streak: u32,
    pub(super) restarts: u32,
    pub(super) problem: Option<Problem>,
    pub(super) last_output: String,
}

impl Part {
    pub(super) fn new(component: Component, enabled: bool) -> Self {
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

    pub(super) fn state(&self) -> ComponentState {
        let pid = self.child.as_ref().map(|child| child.pid.as_raw());
        let pid = pid.and_then(|pid| u32::try_from(pid).ok()).unwrap_or(0);
        ComponentState {
            component: self.component,
            enabled: self.enabled,
            up: self.up,
            pid,
            no_new_privs: pid != 0 && processes::has_no_new_privs(pid),
            since_ms: if self.up { self.since_ms } else { 0 },
            restarts: self.restarts,
            last_output: self.last_output.clone(),
            problem: self.problem.clone(),
        }
    }

    /// Pause before the next start: none after a first end, then longer.
    pub(super) fn backoff(&mut self) -> Duration {
        if self.started.elapsed() >= STABLE {
            self.streak = 0;
        }
        self.streak += 1;
        backoff(self.streak)
    }
}

impl Init {
    pub(super) fn keep_parts(&mut self) {
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

    pub(super) fn has_ground(&self, index: usize) -> bool {
        let needed = components::needs(self.parts[index].component);
        needed.is_none_or(|needed| {
            let ground = self.parts.iter().find(|part| part.component == needed);
            ground.is_some_and(|part| part.up)
        })
    }

    pub(super) fn start(&mut self, index: usize) {
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
            Child::start(&start).map_err(|error| {
                let (program, folder) = (start.program, start.folder.display());
                let user = start
                    .account
                    .map_or("this user", |account| account.name.as_str());
                format!("{error}; can {user} run {program}, and enter {folder}?")
            })
        });
        match started {
            Ok(child) => {
                if let Some(group) = &self.group {
                    group.add(child.pid);
                }
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
                // It ran for no time: the pauses grow.
                self.parts[index].started = Instant::now();
                self.parts[index].last_output.clone_from(&message);
                self.fail(index, Problem::Failed, message);
            }
        }
    }

    /// Prepares the start of a part.
    pub(super) fn prepare(&mut self, component: Component) -> Result<(), String> {
        let display = self.plan.options.display;
        match component {
            Component::Xvfb => {
                // Of a life that ended while nobody looked.
                let left = Which {
                    mark: self.plan.mark(Component::Xvfb.name()),
                    ..Which::default()
                };
                tree::end(&left, tree::GRACE);
                match lock::judge(display).map_err(|error| error.to_string())? {
                    Holder::Nobody => {}
                    Holder::Server => {
                        return Err(format!(
                            "another X server has display :{display}: end it, set another DESKD_DISPLAY, or run `deskd serve --stack none` beside it"
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
                home::seed_as(&self.plan.desktop, self.plan.is_root).map_err(|error| {
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
    pub(super) fn look(&mut self, index: usize) {
        let part = &self.parts[index];
        let component = part.component;
        let Some(child) = &part.child else {
            return;
        };
        let (ready, limit) = components::readiness(component);
        let port = components::port(ready, &self.plan);
        let listener = port.map(|port| (port, listening(port, child.pid)));
        if let Some((port, Listening::Others)) = listener {
            let message = format!(
                "{} is not up: another program listens on port {port}; end that, or {}",
                component.name(),
                match component {
                    Component::Websockify => "set STREAM_PORT to another port",
                    _ => "start deskd without --vnc",
                }
            );
            self.end_part(index);
            self.parts[index].last_output.clone_from(&message);
            self.fail(index, Problem::Failed, message);
            return;
        }
        let is_up = match ready {
            Ready::Said => child.said.contains(&b'\n'),
            Ready::Runs => true,
            Ready::Ended => false,
            Ready::Listens(_) => listener.is_some_and(|(_, who)| who == Listening::Ours),
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

    pub(super) fn is_up(&mut self, index: usize) {
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

    pub(super) fn part_ended(&mut self, index: usize, code: Option<i32>) {
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
    pub(super) fn fail(&mut self, index: usize, problem: Problem, message: String) {
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
    pub(super) fn end_parts(&mut self, why: &str) {
        let was: Vec<Component> = self
            .parts
            .iter()
            .filter(|part| part.up || part.child.is_some())
            .map(|part| part.component)
            .collect();
        let half = tree::GRACE / 2;
        let session = self.parts.iter().position(is_session);
        if let Some(session) = session {
            tree::ask(&self.processes_of(session), half);
        }
        tree::end(&self.everything(), half);
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
    pub(super) fn end_part(&mut self, index: usize) {
        let which = self.processes_of(index);
        tree::end(&which, tree::GRACE);
        let part = &mut self.parts[index];
        part.child = None;
        part.up = false;
        part.due = None;
    }

    /// The processes of one part. What came to the init without a mark is the session's:
    /// the others start nothing that leaves them.
    fn processes_of(&self, index: usize) -> Which<'_> {
        let part = &self.parts[index];
        Which {
            mark: self.plan.mark(part.component.name()),
            from: part.child.iter().map(|child| child.pid).collect(),
            orphans: is_session(part).then(|| self.orphans()),
            group: None,
        }
    }

    /// The processes of all parts.
    pub(super) fn everything(&self) -> Which<'_> {
        let children = self.parts.iter().filter_map(|part| part.child.as_ref());
        Which {
            mark: self.plan.mark(""),
            from: children.map(|child| child.pid).collect(),
            orphans: Some(self.orphans()),
            group: self.group.as_ref(),
        }
    }

    fn orphans(&self) -> Orphans {
        // What the init itself started is none.
        let parts = self.parts.iter().filter_map(|part| part.child.as_ref());
        let daemon = self.daemon.iter().map(|daemon| daemon.pid);
        Orphans {
            of: self.plan.desktop.uid,
            but: parts.map(|child| child.pid).chain(daemon).collect(),
        }
    }
}

fn is_session(part: &Part) -> bool {
    part.component == Component::Session
}

/// The listener of a port of loopback. If the kernel does not report it, any answer counts
/// as the component's.
fn listening(port: u16, pid: Pid) -> Listening {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    if TcpStream::connect_timeout(&address, KNOCK).is_err() {
        return Listening::Nobody;
    }
    let pid = u32::try_from(pid.as_raw()).unwrap_or(0);
    let who = sockets::listening(port, &processes::program(&[pid]));
    who.unwrap_or(Listening::Ours)
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
