//! Starts programs, and keeps what became of them.

use std::{
    cell::RefCell,
    collections::VecDeque,
    io,
    os::fd::OwnedFd,
    process::Stdio,
    rc::Rc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    net::UnixStream,
    process::{Child, Command},
};

use super::{
    entry::{CommandLine, Refusal, command_line},
    keep::Report,
    mark,
    output::Output,
    wire::{Answer, End, Launch, Program, ProgramSignal, RefusedReason, monotonic_ms},
};

/// Maximum number of launched programs that run.
const MAX_RUNNING: usize = 256;
/// Number of ended programs that are listed, and whose output is kept.
const LISTED: usize = 64;
/// Number of ended programs that are kept. Their operation ids start nothing again.
const KEPT: usize = 1024;
/// Maximum time until a program is started. Its file may be on a file system that hangs.
const START: Duration = Duration::from_millis(1500);

/// The launched programs, the latest first.
#[derive(Debug, Default)]
pub(super) struct Launches {
    list: VecDeque<Launched>,
}

#[derive(Debug)]
struct Launched {
    program: Program,
    output: Output,
    /// The operation id and the digest of the launch.
    operation: (String, u64),
    /// Whether the process that keeps it runs, and so a process of the program.
    kept: bool,
}

/// Starts a program. A launch whose operation id was used before starts nothing. `until_ms`: the
/// program is not started after this time.
///
/// # Errors
///
/// When the program cannot be started.
pub(super) async fn start(
    launches: &Rc<RefCell<Launches>>,
    launch: &Launch,
    until_ms: u64,
) -> Result<Program, Refusal> {
    if let Some(program) = launches.borrow().repeated(launch)? {
        return Ok(program);
    }
    let command = command_line(&launch.target)?;
    let id = new_id();
    let (report, theirs) = std::os::unix::net::UnixStream::pair().map_err(system)?;
    report.set_nonblocking(true).map_err(system)?;
    let mut report = BufReader::new(UnixStream::from_std(report).map_err(system)?);
    if monotonic_ms() > until_ms {
        let why = "the session helper read the request too late";
        return Err((RefusedReason::Late, why.into()));
    }
    let mut keeper = spawn(&command, launch, &id, theirs)?;
    let output = Output::default();
    if let Some(pipe) = keeper.stdout.take() {
        tokio::task::spawn_local(output.clone().follow(pipe));
    }
    if let Some(pipe) = keeper.stderr.take() {
        tokio::task::spawn_local(output.clone().follow(pipe));
    }
    let first = tokio::time::timeout(START, next_report(&mut report)).await;
    let pid = match first {
        Ok(Some(Report::Started(pid))) => pid,
        Ok(Some(Report::Failed(error))) => {
            let error = io::Error::from_raw_os_error(error);
            tokio::task::spawn_local(async move { drop(keeper.wait().await) });
            return Err(not_started(&command, &error));
        }
        _ => {
            // The program may not start later: a process that hangs before it has the mark, too.
            send(&id, Signal::SIGKILL);
            drop(keeper.start_kill());
            tokio::task::spawn_local(async move { drop(keeper.wait().await) });
            let error = io::Error::from(io::ErrorKind::TimedOut);
            return Err(not_started(&command, &error));
        }
    };
    let program = Program {
        id: id.clone(),
        pid,
        name: command.name,
        aliases: command.aliases,
        since_ms: now_ms(),
        end: None,
        runs: true,
    };
    launches.borrow_mut().list.push_front(Launched {
        program: program.clone(),
        output,
        operation: (launch.operation_id.clone(), digest(launch)),
        kept: true,
    });
    launches.borrow_mut().forget();
    let launches = Rc::clone(launches);
    tokio::task::spawn_local(async move {
        while let Some(report) = next_report(&mut report).await {
            let end = match report {
                Report::Code(code) => End::Code(code),
                Report::Signal(signal) => End::Signal(signal),
                Report::Started(_) | Report::Failed(_) => continue,
            };
            launches.borrow_mut().ended(&id, end);
        }
        drop(keeper.wait().await);
        launches.borrow_mut().released(&id);
    });
    Ok(program)
}

async fn next_report(report: &mut BufReader<UnixStream>) -> Option<Report> {
    let mut line = String::new();
    match report.read_line(&mut line).await {
        Ok(1..) => Report::of(&line),
        _ => None,
    }
}

impl Launches {
    /// Returns the program of an earlier launch with the same operation id.
    ///
    /// # Errors
    ///
    /// When that was another launch, or too many programs run.
    fn repeated(&self, launch: &Launch) -> Result<Option<Program>, Refusal> {
        let known = self.list.iter().find(|known| {
            !launch.operation_id.is_empty() && known.operation.0 == launch.operation_id
        });
        match known {
            Some(known) if known.operation.1 == digest(launch) => return Ok(Some(state(known))),
            Some(_) => {
                let why = "this operation id was used for another launch: give a new one";
                return Err((RefusedReason::Reused, why.into()));
            }
            None => {}
        }
        let running = self.list.iter().filter(|known| known.program.end.is_none());
        if running.count() >= MAX_RUNNING {
            let why = format!("{MAX_RUNNING} launched programs run: end some");
            return Err((RefusedReason::Full, why));
        }
        Ok(None)
    }

    /// Notes the end of a started process.
    fn ended(&mut self, id: &str, end: End) {
        if let Some(launched) = self.find_mut(id) {
            launched.program.end = Some(end);
        }
        self.forget();
    }

    /// Notes the end of the process that keeps a program.
    fn released(&mut self, id: &str) {
        if let Some(launched) = self.find_mut(id) {
            launched.kept = false;
            // If that process was killed, nobody knows how the program ends.
            launched
                .program
                .end
                .get_or_insert(End::Signal(libc::SIGKILL));
        }
        self.forget();
    }

    /// Returns a program, or a refusal.
    pub(super) fn get(&self, id: &str) -> Answer {
        self.find(id)
            .map_or_else(unknown, |launched| Answer::Program(state(launched)))
    }

    /// Returns the programs that run, and the latest of the others.
    pub(super) fn all(&self) -> Answer {
        let mut others = 0;
        let states = self.list.iter().map(state).filter(|program| {
            others += usize::from(!program.runs);
            program.runs || others <= LISTED
        });
        Answer::Programs(states.collect())
    }

    /// Returns the end of what a program wrote, or a refusal.
    pub(super) fn output(&self, id: &str) -> Answer {
        let Some(launched) = self.find(id) else {
            return unknown();
        };
        let (output, total) = launched.output.read();
        Answer::Output {
            output,
            total,
            program: state(launched),
        }
    }

    /// Sends a signal to all processes of a program.
    pub(super) fn signal(&self, id: &str, signal: ProgramSignal) -> Answer {
        let Some(launched) = self.find(id) else {
            return unknown();
        };
        let signal = match signal {
            ProgramSignal::Terminate => Signal::SIGTERM,
            ProgramSignal::Kill => Signal::SIGKILL,
            ProgramSignal::Interrupt => Signal::SIGINT,
            ProgramSignal::HangUp => Signal::SIGHUP,
        };
        Answer::Signalled {
            count: send(id, signal),
            program: state(launched),
        }
    }

    fn find(&self, id: &str) -> Option<&Launched> {
        self.list.iter().find(|launched| launched.program.id == id)
    }

    fn find_mut(&mut self, id: &str) -> Option<&mut Launched> {
        let mut list = self.list.iter_mut();
        list.find(|launched| launched.program.id == id)
    }

    /// Forgets the oldest ended programs, and the output of older ones.
    fn forget(&mut self) {
        let mut ended = 0;
        self.list.retain_mut(|launched| {
            if launched.kept {
                return true;
            }
            ended += 1;
            if ended > LISTED {
                launched.output = Output::default();
            }
            ended <= KEPT
        });
    }
}

fn unknown() -> Answer {
    Answer::Refused {
        reason: RefusedReason::Unknown,
        message: "no launched program has this id".into(),
    }
}

/// Sends a signal to all processes of a launch. Returns the number of those that got it.
fn send(id: &str, signal: Signal) -> u32 {
    let mut count = 0;
    for (pid, _) in mark::all(|of| of == id) {
        let pid = i32::try_from(pid).unwrap_or(0);
        // A process that has ended meanwhile needs no signal.
        count += u32::from(pid > 1 && kill(Pid::from_raw(pid), signal).is_ok());
    }
    count
}

/// Looks whether any process of the program runs.
fn state(launched: &Launched) -> Program {
    Program {
        runs: launched.kept,
        ..launched.program.clone()
    }
}

/// Starts the process that starts and keeps the program. It reports to `report`.
fn spawn(
    command: &CommandLine,
    launch: &Launch,
    id: &str,
    report: std::os::unix::net::UnixStream,
) -> Result<Child, Refusal> {
    let home = std::env::var("HOME").unwrap_or_default();
    let named = [Some(launch.folder.clone()), command.folder.clone()];
    let named = named.into_iter().flatten().find(|path| !path.is_empty());
    let folder = named.unwrap_or(home);
    let refused = |why: String| (RefusedReason::NotStarted, why);
    if !std::path::Path::new(&folder).is_dir() {
        let shown: String = folder.chars().take(200).collect();
        return Err(refused(format!("the folder {shown:?} cannot be entered")));
    }
    let mut process = Command::new("/proc/self/exe");
    process
        .arg0("deskd")
        .arg("keep-program")
        .arg(&command.program)
        .args(&command.words)
        .envs(launch.environment.iter().map(|(name, value)| (name, value)))
        .env(mark::MARK, id)
        // Without a time: a window manager would take it for the time of the user's last input.
        .env("DESKTOP_STARTUP_ID", startup_id(id))
        .current_dir(&folder)
        .process_group(0)
        .stdin(OwnedFd::from(report))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    process
        .spawn()
        .map_err(|error| not_started(command, &error))
}

fn not_started(command: &CommandLine, error: &io::Error) -> Refusal {
    let name = command.program.display();
    let advice = match error.raw_os_error() {
        Some(libc::ENOENT) => "; does the interpreter in its first line exist?",
        Some(libc::EACCES) => "; may the desktop's user execute it, and enter the folder?",
        Some(libc::E2BIG) => "; its arguments or variables are too long",
        _ => "",
    };
    let why = format!("{name} cannot be started: {error}{advice}");
    (RefusedReason::NotStarted, why)
}

fn system(error: io::Error) -> Refusal {
    let why = format!("the session helper cannot start programs: {error}");
    (RefusedReason::NotStarted, why)
}

/// The startup id of a launch (Startup Notification Protocol 0.1). A program that hands its work to
/// another process passes it on, and the window has it in `_NET_STARTUP_ID`.
pub(super) fn startup_id(id: &str) -> String {
    format!("deskd-{id}")
}

fn new_id() -> String {
    format!("p{:016x}", getrandom::u64().unwrap_or_default())
}

fn digest(launch: &Launch) -> u64 {
    let text = serde_json::to_vec(launch).unwrap_or_default();
    xxhash_rust::xxh3::xxh3_64(&text)
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
}
