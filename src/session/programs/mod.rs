//! The programs of the desktop: launches, lists, output and signals. The session helper starts the
//! programs; their windows are found on the display.
//!
//! - `first_window`: finds the first painted window of a launched program.

mod first_window;

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::time::Instant;

use super::windows::Windows;
use crate::{
    failure::Failure,
    helper::{
        Helper, HelperError,
        wire::{Answer, Call, Launch, Program, ProgramSignal},
    },
    text::keep_start,
    x11::ListedWindow,
};

/// Pause between two looks whether a program has ended.
const LOOK: Duration = Duration::from_millis(20);
/// Maximum bytes of output in the result of a launch.
const MAX_REPORTED_OUTPUT: usize = 4096;
/// Maximum bytes of a name that the helper reports.
const MAX_NAME: usize = 256;
/// Maximum number of aliases of a program.
const MAX_ALIASES: usize = 8;

/// Launches and lists programs.
#[derive(Debug)]
pub struct Programs {
    helper: Helper,
    windows: Arc<Windows>,
}

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProgramError {
    /// The session helper refused, or cannot be reached.
    #[error(transparent)]
    Helper(#[from] HelperError),
    /// The display cannot be read.
    #[error("{}", .0.message)]
    Display(Failure),
}

impl From<Failure> for ProgramError {
    fn from(failure: Failure) -> Self {
        Self::Display(failure)
    }
}

/// The result of a launch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launched {
    /// The program.
    pub program: Program,
    /// Its window, and whether it is painted; `None` if it showed none, or nobody waited for it.
    pub window: Option<(ListedWindow, bool)>,
    /// Whether the window was waited for.
    pub waited: bool,
    /// The end of its output, if it ended without a window.
    pub output: String,
    /// Time from the start of the program until its window was seen painted.
    pub painted_after: Option<Duration>,
}

/// A program with its windows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedProgram {
    /// The launched program; `None` if deskd did not launch it.
    pub launched: Option<Program>,
    /// The process that was launched, or that has the windows.
    pub pid: u32,
    /// The name of the program.
    pub name: String,
    /// The windows, the topmost first.
    pub windows: Vec<ListedWindow>,
}

impl Programs {
    pub(super) fn new(helper: Helper, windows: Arc<Windows>) -> Self {
        Self { helper, windows }
    }

    /// Whether a session helper is known. Only a call shows whether it answers.
    pub fn has_helper(&self) -> bool {
        self.helper.is_known()
    }

    /// Starts a program. With `wait`, waits at most so long until it has painted a window.
    ///
    /// # Errors
    ///
    /// When the program cannot be started, or the display cannot be read.
    pub async fn launch(
        &self,
        launch: Launch,
        wait: Option<Duration>,
        reply_by: Instant,
    ) -> Result<Launched, ProgramError> {
        let Some(wait) = wait else {
            let program = self.program(Call::Launch(launch), reply_by).await?;
            return Ok(Launched {
                program,
                window: None,
                waited: false,
                output: String::new(),
                painted_after: None,
            });
        };
        // Without a display, nothing is started.
        let before = self.windows.list(reply_by).await?;
        let began = Instant::now();
        let program = self.program(Call::Launch(launch), reply_by).await?;
        let end = (began + wait).min(reply_by);
        self.first_window(program, &before, (began, end), reply_by)
            .await
    }

    /// Lists the launched programs, the latest first, then those that only have windows. Without a
    /// session helper, it lists only those.
    ///
    /// # Errors
    ///
    /// When the display cannot be read, or the session helper does not answer.
    pub async fn list(&self, reply_by: Instant) -> Result<Vec<ListedProgram>, ProgramError> {
        let list = self.windows.list(reply_by).await?;
        let launched = match self.helper.ask(Call::List, reply_by).await {
            Ok(Answer::Programs(programs)) => programs.into_iter().map(bounded).collect(),
            Ok(_) => return Err(wrong_answer()),
            // Windows can be listed without a helper.
            Err(HelperError::Absent(_)) => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        let pids: Vec<u32> = {
            let mut pids: Vec<u32> = list.windows.iter().filter_map(|w| w.pid).collect();
            pids.sort_unstable();
            pids.dedup();
            pids
        };
        let owners = self.owners(&pids, reply_by).await.unwrap_or_default();
        let of_launch = |program: Program| ListedProgram {
            pid: program.pid,
            name: program.name.clone(),
            windows: Vec::new(),
            launched: Some(program),
        };
        let mut programs: Vec<ListedProgram> = launched.into_iter().map(of_launch).collect();
        for window in &list.windows {
            let Some(pid) = window.pid else {
                continue;
            };
            let id = owners.get(&pid);
            let known = programs.iter_mut().find(|known| match &known.launched {
                Some(program) => Some(&program.id) == id,
                None => known.pid == pid,
            });
            match known {
                Some(known) => known.windows.push(window.clone()),
                None => programs.push(ListedProgram {
                    launched: None,
                    pid,
                    name: window.program.clone(),
                    windows: vec![window.clone()],
                }),
            }
        }
        Ok(programs)
    }

    /// Returns the end of what a program wrote, the number of all bytes, and the program.
    ///
    /// # Errors
    ///
    /// When deskd launched no such program, or the helper cannot be reached.
    pub async fn output(
        &self,
        id: &str,
        reply_by: Instant,
    ) -> Result<(String, u64, Program), ProgramError> {
        let call = Call::Output { id: id.into() };
        match self.helper.ask(call, reply_by).await? {
            Answer::Output {
                output,
                total,
                program,
            } => Ok((output, total, bounded(program))),
            _ => Err(wrong_answer()),
        }
    }

    /// Sends a signal to all processes of a program, and waits at most `limit` until they have ended.
    /// Returns the number of processes that got it, and the program.
    ///
    /// # Errors
    ///
    /// When deskd launched no such program, or the helper cannot be reached.
    pub async fn signal(
        &self,
        id: &str,
        signal: ProgramSignal,
        limit: Duration,
        reply_by: Instant,
    ) -> Result<(u32, Program), ProgramError> {
        let end = (Instant::now() + limit).min(reply_by);
        let call = Call::Signal {
            id: id.into(),
            signal,
        };
        let Answer::Signalled { count, program } = self.helper.ask(call, reply_by).await? else {
            return Err(wrong_answer());
        };
        let mut program = bounded(program);
        while program.runs && Instant::now() + LOOK < end {
            tokio::time::sleep(LOOK).await;
            program = self.program(Call::Get { id: id.into() }, reply_by).await?;
        }
        Ok((count, program))
    }

    async fn program(&self, call: Call, by: Instant) -> Result<Program, ProgramError> {
        match self.helper.ask(call, by).await? {
            Answer::Program(program) => Ok(bounded(program)),
            _ => Err(wrong_answer()),
        }
    }

    /// Returns the launches to which these processes belong; of most processes there is none. `None` if
    /// the helper does not answer.
    async fn owners(&self, pids: &[u32], by: Instant) -> Option<HashMap<u32, String>> {
        if pids.is_empty() {
            return Some(HashMap::new());
        }
        let call = Call::Whose {
            pids: pids.to_vec(),
        };
        match self.helper.ask(call, by).await {
            Ok(Answer::Owners(owners)) => {
                let owned = pids.iter().zip(owners);
                let owned = owned.filter_map(|(pid, owner)| Some((*pid, owner?)));
                Some(owned.collect())
            }
            _ => None,
        }
    }
}

fn wrong_answer() -> ProgramError {
    HelperError::Away("the session helper gave an answer to another question".into()).into()
}

/// Cuts what a process of the desktop's user reports to a sensible size.
fn bounded(mut program: Program) -> Program {
    program.aliases.truncate(MAX_ALIASES);
    let aliases = program.aliases.iter_mut();
    for text in aliases.chain([&mut program.id, &mut program.name]) {
        keep_start(text, MAX_NAME);
    }
    program
}
