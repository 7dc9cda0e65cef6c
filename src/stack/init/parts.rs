//! Starts, observes and ends the processes of the stack.

use std::{
    net::{SocketAddr, TcpStream},
    os::{
        fd::{AsFd as _, BorrowedFd},
        unix::net::UnixListener,
    },
    time::Duration,
};

use nix::unistd::Pid;

use super::{
    cgroup::Group,
    child::Child,
    clock::now_ms,
    components::{self, Ready},
    home,
    lock::{self, Holder},
    plan::StackPlan,
    supervisor::{Part, StackFact},
    tree::{self, Orphans, Which},
};
use crate::{
    processes,
    sockets::{self, Listening},
    stack::wire::{Component, ComponentState, Problem},
};

/// Maximum time of a connection attempt that checks whether a program listens on a port.
const KNOCK: Duration = Duration::from_millis(50);

/// The process of a part.
#[derive(Debug)]
struct PartProcess {
    component: Component,
    /// The running program; `None` when it does not run.
    child: Option<Child>,
    /// When it was started, in milliseconds since 1970.
    since_ms: u64,
}

/// The processes of all parts.
#[derive(Debug)]
pub(super) struct Parts {
    processes: Vec<PartProcess>,
    /// The control group of the parts, if one can be created.
    group: Option<Group>,
    /// The socket at which the session helper is reached.
    helper: Option<UnixListener>,
    /// The daemon, which is a child of the init but not part of the stack.
    pub(super) daemon: Option<Pid>,
}

impl Parts {
    /// Creates the state in which no part runs. Processes that a killed init left behind are ended.
    pub(super) fn new(plan: &StackPlan) -> Self {
        let group = Group::make(&format!("deskd-X{}", plan.options.display));
        let left = Which {
            mark: plan.mark(""),
            group: group.as_ref(),
            ..Which::default()
        };
        tree::end(&left, tree::GRACE);
        let process = |component| PartProcess {
            component,
            child: None,
            since_ms: 0,
        };
        Self {
            processes: Component::STARTED.into_iter().map(process).collect(),
            group,
            helper: None,
            daemon: None,
        }
    }

    fn process(&mut self, component: Component) -> Option<&mut PartProcess> {
        let mut processes = self.processes.iter_mut();
        processes.find(|process| process.component == component)
    }

    fn child(&self, component: Component) -> Option<&Child> {
        let mut processes = self.processes.iter();
        let process = processes.find(|process| process.component == component);
        process.and_then(|process| process.child.as_ref())
    }

    fn children(&self) -> impl Iterator<Item = &Child> {
        self.processes
            .iter()
            .filter_map(|process| process.child.as_ref())
    }

    /// Returns the output pipes of all parts, for `poll`.
    pub(super) fn pipes(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.children().flat_map(Child::pipes)
    }

    /// Reads the output of all parts.
    pub(super) fn read(&mut self) {
        for process in &mut self.processes {
            if let Some(child) = &mut process.child {
                child.read();
            }
        }
    }

    /// Returns the state of a part as it is reported to the daemon.
    pub(super) fn state(&self, part: &Part) -> ComponentState {
        let process = self
            .processes
            .iter()
            .find(|process| process.component == part.component);
        let child = process.and_then(|process| process.child.as_ref());
        let pid = child.and_then(|child| u32::try_from(child.pid.as_raw()).ok());
        let since_ms = process
            .filter(|_| part.up)
            .map_or(0, |process| process.since_ms);
        ComponentState {
            component: part.component,
            enabled: part.enabled,
            up: part.up,
            pid: pid.unwrap_or(0),
            no_new_privs: pid.is_some_and(processes::has_no_new_privs),
            since_ms,
            restarts: part.restarts,
            last_output: part.last_output.clone(),
            problem: part.problem.clone(),
        }
    }

    /// Starts a part.
    pub(super) fn start(&mut self, component: Component, plan: &StackPlan) -> StackFact {
        if let Some(problem) = components::missing(component, &plan.options) {
            let message = match &problem {
                Problem::Missing { program, package } => {
                    format!("{program} is not installed: install the Debian package {package}")
                }
                Problem::Failed => format!("{} cannot be started", component.name()),
            };
            return StackFact::NotStarted(component, problem, message);
        }
        if component == Component::SessionHelper && self.helper.is_none() {
            match plan.helper_listener() {
                Ok(listener) => self.helper = Some(listener),
                Err(error) => {
                    let message = format!("session-helper cannot be started: {error}");
                    return StackFact::NotStarted(component, Problem::Failed, message);
                }
            }
        }
        let started = prepare(component, plan).and_then(|()| {
            let mut start = components::start(component, plan);
            if component == Component::SessionHelper {
                start.stdin = self.helper.as_ref().map(|listener| listener.as_fd());
            }
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
                if let Some(group) = self.group_of(component) {
                    group.add(child.pid);
                }
                if let Some(process) = self.process(component) {
                    process.child = Some(child);
                    process.since_ms = now_ms();
                }
                StackFact::Started(component)
            }
            Err(why) => {
                let message = format!("{} cannot be started: {why}", component.name());
                StackFact::NotStarted(component, Problem::Failed, message)
            }
        }
    }

    /// Checks a part that was started and is not up yet: whether it is up, or its port is taken.
    pub(super) fn look(&self, component: Component, plan: &StackPlan) -> Option<StackFact> {
        let child = self.child(component)?;
        let (ready, _) = components::readiness(component);
        let is_up = match (ready, components::port(ready, plan)) {
            (_, Some(port)) => match listening(port, child.pid) {
                Listening::Ours => true,
                Listening::Others => return Some(StackFact::PortTaken(component, port)),
                Listening::Nobody => false,
            },
            (Ready::Said, None) => child.said.contains(&b'\n'),
            (Ready::Runs, None) => true,
            (Ready::Ended | Ready::Listens(_), None) => false,
        };
        is_up.then_some(StackFact::Ready(component))
    }

    /// Handles the end of a child process; `None` if the process is not a part.
    pub(super) fn ended(&mut self, pid: Pid, code: Option<i32>) -> Option<StackFact> {
        let is = |process: &&mut PartProcess| process.child.as_ref().is_some_and(|c| c.pid == pid);
        let process = self.processes.iter_mut().find(is)?;
        let mut child = process.child.take()?;
        child.read();
        let output = String::from_utf8_lossy(&child.complained).into_owned();
        Some(StackFact::Ended(process.component, code, output))
    }

    /// Ends every process of a part.
    pub(super) fn end(&mut self, component: Component, plan: &StackPlan) {
        let group = self.group_of(component);
        let which = self.processes_of(component, plan, group.as_ref());
        tree::end(&which, tree::GRACE);
        if let Some(process) = self.process(component) {
            process.child = None;
        }
    }

    /// Ends all parts. The session and launched programs get SIGTERM first, so that they can save their
    /// data, then
    /// all parts, within two seconds together (R29).
    pub(super) fn end_all(&mut self, plan: &StackPlan) {
        let half = tree::GRACE / 2;
        let asked = [Component::Session, Component::SessionHelper];
        let groups = asked.map(|part| self.group_of(part));
        let asked = [0, 1].map(|at| self.processes_of(asked[at], plan, groups[at].as_ref()));
        tree::ask(&asked, half);
        tree::end(&self.everything(plan), half);
        for process in &mut self.processes {
            process.child = None;
        }
    }

    /// Ends processes that were started during the tear-down, and removes the control group.
    pub(super) fn sweep(&mut self, plan: &StackPlan) {
        tree::end(&self.everything(plan), tree::GRACE);
        if let Some(group) = &self.group {
            group.remove();
        }
    }

    /// Selects the processes of one part. Orphans without a mark count as the session's, because no
    /// other part starts processes that outlive it.
    fn processes_of<'a>(
        &self,
        component: Component,
        plan: &StackPlan,
        group: Option<&'a Group>,
    ) -> Which<'a> {
        Which {
            mark: plan.mark(component.name()),
            from: self
                .child(component)
                .iter()
                .map(|child| child.pid)
                .collect(),
            orphans: (component == Component::Session).then(|| self.orphans(plan)),
            group,
        }
    }

    fn group_of(&self, component: Component) -> Option<Group> {
        let group = self.group.as_ref()?;
        Some(group.part(component.name()))
    }

    /// The processes of all parts.
    fn everything(&self, plan: &StackPlan) -> Which<'_> {
        Which {
            mark: plan.mark(""),
            from: self.children().map(|child| child.pid).collect(),
            orphans: Some(self.orphans(plan)),
            group: self.group.as_ref(),
        }
    }

    fn orphans(&self, plan: &StackPlan) -> Orphans {
        // The init's own children are not orphans.
        let parts = self.children().map(|child| child.pid);
        Orphans {
            of: plan.desktop.uid,
            but: parts.chain(self.daemon).collect(),
            lock: plan.lock.clone(),
        }
    }
}

/// Prepares the start of a part.
fn prepare(component: Component, plan: &StackPlan) -> Result<(), String> {
    let display = plan.options.display;
    match component {
        Component::Xvfb => {
            // Processes of an earlier X server that still run although its end was not observed.
            let left = Which {
                mark: plan.mark(Component::Xvfb.name()),
                ..Which::default()
            };
            tree::end(&left, tree::GRACE);
            match lock::judge(display).map_err(|error| error.to_string())? {
                Holder::Nobody => {}
                Holder::Server(who) => {
                    return Err(format!(
                        "another X server{who} has display :{display}: end it, set another DESKD_DISPLAY, or run `deskd serve --stack none` beside it"
                    ));
                }
            }
            plan.write_cookies().map_err(|error| error.to_string())
        }
        Component::Dbus => {
            // The socket of a bus that was killed, or a file that the user put there.
            match lock::set_aside(&plan.desktop_dir.join("bus")) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    let folder = plan.desktop_dir.display();
                    Err(format!("{folder}/bus cannot be removed: {error}"))
                }
                _ => Ok(()),
            }
        }
        Component::Session if plan.options.session.is_none() => home::seed_as(
            &plan.desktop,
            plan.is_root,
            plan.options.background.as_ref(),
        )
        .map_err(|error| {
            let home = plan.desktop.home.display();
            format!(
                "the home {home} cannot be written: {error}; or give another HOME or --desktop-user"
            )
        }),
        Component::X11vnc => plan.write_vnc_password().map_err(|error| error.to_string()),
        _ => Ok(()),
    }
}

/// Finds the listener on a loopback port. If the kernel does not report it, any listener counts as
/// the component's.
fn listening(port: u16, pid: Pid) -> Listening {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    if TcpStream::connect_timeout(&address, KNOCK).is_err() {
        return Listening::Nobody;
    }
    let pid = u32::try_from(pid.as_raw()).unwrap_or(0);
    let who = sockets::listening(port, &processes::program(&[pid]));
    who.unwrap_or(Listening::Ours)
}
