//! `deskd log`: records runs, and shows, exports and replays their logs.
//!
//! - `client`: starts, stops, lists and fetches logs of a daemon.
//! - `read`: reads the records of a file; `screen` draws the screen that they describe.
//! - `describe`: steps, calls and errors as one line of text; `points` maps coordinates.
//! - `show`: a line for each record.
//! - `html`, `frames`, `osworld`, `mp4`: the exports.
//! - `replay`: does the steps again; `steps` are those of a log.

mod client;
mod describe;
mod frames;
mod html;
mod mp4;
mod osworld;
mod output;
mod points;
mod pyautogui;
mod read;
mod replay;
mod screen;
mod show;
mod steps;

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{
    call,
    exit::{CliError, Exit},
};

#[derive(Debug, Args)]
pub(super) struct LogArgs {
    #[command(subcommand)]
    command: LogCommand,
}

#[derive(Debug, Subcommand)]
enum LogCommand {
    /// Begin a log, and print its id.
    Start(client::StartArgs),
    /// End a log.
    Stop(client::StopArgs),
    /// List the logs of the daemon, the newest first.
    List(client::ListArgs),
    /// Copy a log of the daemon to a file, also while it records.
    Fetch(client::FetchArgs),
    /// Show what happened, a line for each record.
    Show(ShowArgs),
    /// Make a web page, OSWorld's trajectory, pictures or a film of a log.
    Export(ExportArgs),
    /// Do the steps of a log again on another desktop. Without --run, only say what would be done.
    Replay(Box<replay::ReplayArgs>),
}

#[derive(Debug, Args)]
struct ShowArgs {
    /// The log.
    file: PathBuf,
    /// Print each record as a JSON document, without pictures.
    #[arg(long)]
    json: bool,
}

/// The kind of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ExportKind {
    /// One web page that plays the run.
    Html,
    /// OSWorld's traj.jsonl with a screenshot for each step.
    Osworld,
    /// Each frame that a caller received, as a picture.
    Frames,
    /// A film with a chapter for each step; needs ffmpeg.
    Mp4,
}

#[derive(Debug, Args)]
struct ExportArgs {
    /// The log.
    file: PathBuf,
    /// The kind of the export.
    #[arg(long, value_enum, value_name = "KIND")]
    to: ExportKind,
    /// The file, or for frames and osworld the new folder [default: the log's name with another end].
    #[arg(short, long, value_name = "PATH")]
    output: Option<PathBuf>,
    /// For html and mp4: overwrite an existing file.
    #[arg(long)]
    force: bool,
    /// For mp4 and osworld: the longest pause that the film keeps [default: pauses stay].
    #[arg(long, value_name = "TIME", value_parser = super::values::deadline)]
    max_pause: Option<std::time::Duration>,
}

/// Runs `deskd log`.
pub(super) fn run(args: LogArgs) -> Result<Exit, CliError> {
    match args.command {
        LogCommand::Start(args) => call::block_on(client::start(args)),
        LogCommand::Stop(args) => call::block_on(client::stop(args)),
        LogCommand::List(args) => call::block_on(client::list(args)),
        LogCommand::Fetch(args) => call::block_on(client::fetch(args)),
        LogCommand::Show(args) => show::show(&args.file, args.json),
        LogCommand::Export(args) => export(&args),
        LogCommand::Replay(args) => call::block_on(replay::replay(*args)),
    }
}

fn export(args: &ExportArgs) -> Result<Exit, CliError> {
    let beside = |end: &str| {
        let named = args.output.clone();
        named.unwrap_or_else(|| args.file.with_extension(end))
    };
    let has_film = matches!(args.to, ExportKind::Mp4 | ExportKind::Osworld);
    if args.max_pause.is_some() && !has_film {
        let why = "--max-pause is for --to mp4 and osworld";
        return Err(CliError::new(Exit::Usage, why));
    }
    if args.force && !matches!(args.to, ExportKind::Html | ExportKind::Mp4) {
        let why = "--force is for --to html and mp4: name a new folder with -o";
        return Err(CliError::new(Exit::Usage, why));
    }
    match args.to {
        ExportKind::Html => html::export(&args.file, &beside("html"), args.force),
        ExportKind::Osworld => osworld::export(&args.file, &beside("osworld"), args.max_pause),
        ExportKind::Frames => frames::export(&args.file, &beside("frames")),
        ExportKind::Mp4 => mp4::export(&args.file, &beside("mp4"), args.force, args.max_pause),
    }
}
