//! Flags of the commands for programs.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};

use super::{client_args::ClientArgs, values};
use crate::x11::DisplayName;

/// Flags of `run` and `open`.
#[derive(Debug, Args)]
pub(super) struct LaunchArgs {
    #[command(flatten)]
    pub(super) client: ClientArgs,
    /// Wait until the program has painted a window; exits with 16 if it does not.
    #[arg(long)]
    pub(super) wait_window: bool,
    /// With --wait-window: how long.
    #[arg(
        long,
        default_value = "30s",
        value_parser = values::deadline,
        value_name = "TIME",
        requires = "wait_window"
    )]
    pub(super) timeout: Duration,
}

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    pub(super) launch: LaunchArgs,
    /// The working folder, in the desktop [default: the home of the desktop's user].
    #[arg(long, value_name = "DIR")]
    pub(super) folder: Option<String>,
    /// An environment variable for the program; may be repeated.
    #[arg(long, value_name = "NAME=VALUE", value_parser = values::variable)]
    pub(super) env: Vec<(String, String)>,
    /// PROGRAM is the id of a desktop entry, such as `thunar`; the arguments are files or URIs.
    #[arg(long)]
    pub(super) entry: bool,
    /// The program, and its arguments.
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "PROGRAM"
    )]
    pub(super) words: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct OpenArgs {
    #[command(flatten)]
    pub(super) launch: LaunchArgs,
    /// A URI, such as `https://example.com/`, or an absolute path in the desktop.
    #[arg(value_name = "URI")]
    pub(super) uri: String,
}

#[derive(Debug, Args)]
pub(super) struct ProgramsArgs {
    #[command(flatten)]
    pub(super) client: ClientArgs,
    /// Print what this launched program wrote.
    #[arg(long, value_name = "ID", conflicts_with = "signal")]
    pub(super) output: Option<String>,
    /// Send a signal to the launched program ID, and wait until it has ended.
    #[arg(long, value_enum, requires = "id", value_name = "SIGNAL")]
    pub(super) signal: Option<SignalArg>,
    /// The program of --signal.
    #[arg(requires = "signal", value_name = "ID")]
    pub(super) id: Option<String>,
}

/// A signal for a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum SignalArg {
    /// SIGTERM.
    Term,
    /// SIGKILL.
    Kill,
    /// SIGINT.
    Int,
    /// SIGHUP.
    Hup,
}

#[derive(Debug, Args)]
pub(super) struct SessionHelperArgs {
    /// Where to listen [default: $XDG_RUNTIME_DIR/deskd-session.sock].
    #[arg(long, env = "DESKD_SESSION_HELPER", value_name = "PATH")]
    pub(super) socket: Option<PathBuf>,
    /// Standard input is a socket that listens, as from systemd or the init.
    #[arg(long, conflicts_with = "socket")]
    pub(super) inherited: bool,
    /// The X display with which the helper ends [default: $DISPLAY, else :0].
    #[arg(long, env = "DESKD_DISPLAY", value_name = "NAME")]
    pub(super) display: Option<DisplayName>,
    /// A program that the helper starts and with which it ends: the session.
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "PROGRAM"
    )]
    pub(super) session: Vec<OsString>,
}
