//! The messages between the daemon and the session helper: one line of JSON each.

use serde::{Deserialize, Serialize};

/// The version of these messages. The helper refuses another one: both are started from the same
/// binary, and only an update in between separates them.
pub const VERSION: u32 = 2;
/// Maximum number of bytes of a line.
pub const MAX_LINE: usize = 1 << 20;

/// A request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// [`VERSION`] of the sender.
    pub version: u32,
    /// The time, in milliseconds of CLOCK_MONOTONIC, after which the sender does not want it done.
    pub until_ms: u64,
    /// The call.
    pub call: Call,
}

/// A request of the daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Call {
    /// Start a program.
    Launch(Launch),
    /// The state of one program.
    Get {
        /// The id.
        id: String,
    },
    /// The state of all programs, the latest first.
    List,
    /// For each process, the program that it belongs to.
    Whose {
        /// The processes.
        pids: Vec<u32>,
    },
    /// The end of what a program wrote.
    Output {
        /// The id.
        id: String,
    },
    /// Send a signal to all processes of a program.
    Signal {
        /// The id.
        id: String,
        /// The signal.
        signal: ProgramSignal,
    },
}

/// A program to start.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launch {
    /// The program.
    pub target: Target,
    /// The working folder; empty: the home.
    pub folder: String,
    /// Variables besides those of the helper.
    pub environment: Vec<(String, String)>,
    /// Another launch with the same name starts nothing; empty: none.
    pub operation_id: String,
}

impl std::fmt::Debug for Launch {
    /// Arguments and variables may hold secrets, so they are not printed.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Launch").finish_non_exhaustive()
    }
}

/// The program of a launch.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// A program and its arguments.
    Arguments(Vec<String>),
    /// A desktop entry, and what the program is to open.
    Entry {
        /// Its id, or the absolute path of its file.
        entry: String,
        /// Files and URIs.
        uris: Vec<String>,
    },
    /// A URI or an absolute path, for the preferred program.
    Uri(String),
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Target").finish_non_exhaustive()
    }
}

/// A signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProgramSignal {
    /// SIGTERM.
    Terminate,
    /// SIGKILL.
    Kill,
    /// SIGINT.
    Interrupt,
    /// SIGHUP.
    HangUp,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// A program was started, or its state.
    Program(Program),
    /// All programs.
    Programs(Vec<Program>),
    /// The programs' ids in the order of the processes; `None` for a process of no program.
    Owners(Vec<Option<String>>),
    /// The output of a program.
    Output {
        /// The end of it.
        output: String,
        /// Number of bytes in all.
        total: u64,
        /// The program.
        program: Program,
    },
    /// A signal was sent.
    Signalled {
        /// Number of processes that got it.
        count: u32,
        /// The program.
        program: Program,
    },
    /// The call was refused.
    Refused {
        /// Why.
        reason: RefusedReason,
        /// One sentence for people.
        message: String,
    },
}

/// Why a call was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RefusedReason {
    /// No such program or desktop entry.
    NotFound,
    /// The program cannot be started.
    NotStarted,
    /// No program with this id was launched.
    Unknown,
    /// Too many programs run.
    Full,
    /// The operation id was used for another launch.
    Reused,
    /// The request cannot be read, or its version is another one.
    Protocol,
    /// The request was read too late. Nothing was done.
    Late,
}

/// The present time in milliseconds of CLOCK_MONOTONIC.
pub(super) fn monotonic_ms() -> u64 {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC);
    let now = now.map_or(std::time::Duration::ZERO, std::time::Duration::from);
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

/// A launched program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// Its id, which its processes have in their environment as `DESKD_PROGRAM`.
    pub id: String,
    /// The process that was started.
    pub pid: u32,
    /// The name of the program.
    pub name: String,
    /// Possible classes or program names of its windows: the names of the program's file and of
    /// its desktop entry. Empty: any, because another program does the work.
    pub aliases: Vec<String>,
    /// When it was started, in milliseconds since 1970.
    pub since_ms: u64,
    /// How the started process ended; `None` while it runs.
    pub end: Option<End>,
    /// Whether a process of the program runs, also a descendant.
    pub runs: bool,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// With this exit code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}
