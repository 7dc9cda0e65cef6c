//! Starts programs, and keeps what became of them.

use std::{
    collections::VecDeque,
    os::unix::process::ExitStatusExt as _,
    process::{ExitStatus, Stdio},
    time::{SystemTime, UNIX_EPOCH},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::process::{Child, Command};

use super::{
    entry::{CommandLine, Refusal, command_line},
    mark,
    output::Output,
    wire::{Answer, End, Launch, Program, ProgramSignal, RefusedReason},
};

/// Maximum number of launched programs that run.
const MAX_RUNNING: usize = 256;
/// Number of ended programs that are kept.
const KEPT: usize = 64;

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
}

/// A started program, whose end somebody must wait for.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) id: String,
    pub(super) child: Child,
}

impl Launches {
    /// Starts a program. Returns no process if the operation id was used before.
    ///
    /// # Errors
    ///
    /// When the program cannot be started.
    pub(super) fn start(&mut self, launch: &Launch) -> Result<(Program, Option<Started>), Refusal> {
        let digest = digest(launch);
        let known = self.list.iter().find(|known| {
            !launch.operation_id.is_empty() && known.operation.0 == launch.operation_id
        });
        if let Some(known) = known {
            return match known.operation.1 == digest {
                true => Ok((known.program.clone(), None)),
                false => {
                    let why = "this operation id was used for another launch: give a new one";
                    Err((RefusedReason::Reused, why.into()))
                }
            };
        }
        let running = self.list.iter().filter(|known| known.program.end.is_none());
        if running.count() >= MAX_RUNNING {
            let why = format!("{MAX_RUNNING} launched programs run: end some");
            return Err((RefusedReason::Full, why));
        }
        let command = command_line(&launch.target)?;
        let id = new_id();
        let mut child = spawn(&command, launch, &id)?;
        let output = Output::default();
        for pipe in [
            child.stdout.take().map(Pipe::Out),
            child.stderr.take().map(Pipe::Error),
        ]
        .into_iter()
        .flatten()
        {
            let output = output.clone();
            match pipe {
                Pipe::Out(pipe) => tokio::spawn(output.follow(pipe)),
                Pipe::Error(pipe) => tokio::spawn(output.follow(pipe)),
            };
        }
        let program = Program {
            id: id.clone(),
            pid: child.id().unwrap_or(0),
            name: command.name,
            aliases: command.aliases,
            since_ms: now_ms(),
            end: None,
            runs: true,
        };
        self.list.push_front(Launched {
            program: program.clone(),
            output,
            operation: (launch.operation_id.clone(), digest),
        });
        self.forget();
        Ok((program, Some(Started { id, child })))
    }

    /// Notes the end of a started process.
    pub(super) fn ended(&mut self, id: &str, status: ExitStatus) {
        if let Some(launched) = self.find_mut(id) {
            let signal = status.signal().map(End::Signal);
            launched.program.end = signal.or(Some(End::Code(status.code().unwrap_or(0))));
        }
        self.forget();
    }

    /// Returns a program, or a refusal.
    pub(super) fn get(&self, id: &str) -> Answer {
        self.find(id).map_or_else(unknown, |launched| {
            Answer::Program(state(&launched.program))
        })
    }

    /// Returns all programs.
    pub(super) fn all(&self) -> Answer {
        let running = mark::all(|_| true);
        let state = |launched: &Launched| Program {
            runs: launched.program.end.is_none()
                || running.iter().any(|(_, id)| *id == launched.program.id),
            ..launched.program.clone()
        };
        Answer::Programs(self.list.iter().map(state).collect())
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
            program: state(&launched.program),
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
        let mut count = 0;
        for (pid, _) in mark::all(|of| of == id) {
            let pid = i32::try_from(pid).unwrap_or(0);
            // A process that has ended meanwhile needs no signal.
            count += u32::from(pid > 1 && kill(Pid::from_raw(pid), signal).is_ok());
        }
        Answer::Signalled {
            count,
            program: state(&launched.program),
        }
    }

    fn find(&self, id: &str) -> Option<&Launched> {
        self.list.iter().find(|launched| launched.program.id == id)
    }

    fn find_mut(&mut self, id: &str) -> Option<&mut Launched> {
        let mut list = self.list.iter_mut();
        list.find(|launched| launched.program.id == id)
    }

    /// Forgets the oldest ended programs.
    fn forget(&mut self) {
        let mut ended = 0;
        self.list.retain(|launched| {
            ended += usize::from(launched.program.end.is_some());
            launched.program.end.is_none() || ended <= KEPT
        });
    }
}

enum Pipe {
    Out(tokio::process::ChildStdout),
    Error(tokio::process::ChildStderr),
}

fn unknown() -> Answer {
    Answer::Refused {
        reason: RefusedReason::Unknown,
        message: "no launched program has this id".into(),
    }
}

/// Looks whether any process of the program runs.
fn state(program: &Program) -> Program {
    Program {
        runs: program.end.is_none() || !mark::all(|id| id == program.id).is_empty(),
        ..program.clone()
    }
}

fn spawn(command: &CommandLine, launch: &Launch, id: &str) -> Result<Child, Refusal> {
    let home = std::env::var("HOME").unwrap_or_default();
    let named = [Some(launch.folder.clone()), command.folder.clone()];
    let named = named.into_iter().flatten().find(|path| !path.is_empty());
    let folder = named.unwrap_or(home);
    let refused = |why: String| (RefusedReason::NotStarted, why);
    if !std::path::Path::new(&folder).is_dir() {
        let shown: String = folder.chars().take(200).collect();
        return Err(refused(format!("the folder {shown:?} cannot be entered")));
    }
    let mut process = Command::new(&command.program);
    process
        .arg0(command.words.first().map_or("", String::as_str))
        .args(command.words.iter().skip(1))
        .envs(launch.environment.iter().map(|(name, value)| (name, value)))
        .env(mark::MARK, id)
        // Without a time: a window manager would take it for the time of the user's last input.
        .env("DESKTOP_STARTUP_ID", startup_id(id))
        .current_dir(&folder)
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    process.spawn().map_err(|error| {
        let name = command.program.display();
        let advice = match error.raw_os_error() {
            Some(libc::ENOENT) => "; does the interpreter in its first line exist?",
            Some(libc::EACCES) => "; may the desktop's user execute it, and enter the folder?",
            Some(libc::E2BIG) => "; its arguments or variables are too long",
            _ => "",
        };
        refused(format!("{name} cannot be started: {error}{advice}"))
    })
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
