//! Flags of the commands for windows and conditions.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::{client_args::ClientArgs, values};
use crate::session::AskedRegion;

#[derive(Debug, Args)]
pub(super) struct WindowsArgs {
    #[command(flatten)]
    pub(super) client: ClientArgs,
    /// Only windows with this part of a title.
    #[arg(value_name = "TITLE")]
    pub(super) title: Option<String>,
    /// Only windows of programs of this class (`xprop WM_CLASS`).
    #[arg(long, value_name = "CLASS")]
    pub(super) class: Option<String>,
}

/// Names one window.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(super) struct TargetArgs {
    /// A part of its title that no other window has.
    #[arg(value_name = "TITLE")]
    pub(super) title: Option<String>,
    /// The class of its program (`xprop WM_CLASS`).
    #[arg(long, value_name = "CLASS")]
    pub(super) class: Option<String>,
    /// Its id, as `deskd windows` prints it.
    #[arg(long, value_name = "ID", conflicts_with_all = ["title", "class"])]
    pub(super) id: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct FocusArgs {
    #[command(flatten)]
    pub(super) client: ClientArgs,
    #[command(flatten)]
    pub(super) target: TargetArgs,
}

/// Changes of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum OperationArg {
    /// Show it, raise it and give it the focus.
    Activate,
    /// Ask it to close.
    Close,
    /// Minimize it.
    Minimize,
    /// Maximize it.
    Maximize,
    /// Make it fill the screen.
    Fullscreen,
    /// End the states minimized, maximized and fullscreen.
    Restore,
    /// Move it to --at, or give it the --size.
    Place,
}

#[derive(Debug, Args)]
pub(super) struct WindowArgs {
    #[command(flatten)]
    pub(super) client: ClientArgs,
    /// What to do with the window.
    #[arg(value_enum)]
    pub(super) operation: OperationArg,
    #[command(flatten)]
    pub(super) target: TargetArgs,
    /// With `place`: where the top-left corner of its frame is to be, in pixels.
    #[arg(long, value_parser = values::point, value_name = "X,Y", allow_hyphen_values = true)]
    pub(super) at: Option<(i32, i32)>,
    /// With `place`: the size of its frame in pixels.
    #[arg(long, value_parser = values::any_size, value_name = "WxH")]
    pub(super) size: Option<crate::frame::Size>,
}

#[derive(Debug, Args)]
pub(super) struct WaitForArgs {
    #[command(flatten)]
    pub(super) client: ClientArgs,
    /// A part of the title of a window.
    #[arg(value_name = "TITLE")]
    pub(super) title: Option<String>,
    /// The class of its program (`xprop WM_CLASS`).
    #[arg(long, value_name = "CLASS")]
    pub(super) class: Option<String>,
    /// Wait until no such window is on the screen [default: until one is].
    #[arg(long)]
    pub(super) gone: bool,
    /// Wait until such a window has the keyboard focus.
    #[arg(long, conflicts_with = "gone")]
    pub(super) focused: bool,
    /// Wait until this part of the screen changes; with a window, also for this.
    #[arg(long, value_parser = values::region, value_name = "X,Y,W,H", allow_hyphen_values = true)]
    pub(super) changes: Option<AskedRegion>,
    /// Wait until this part of the screen has not changed for half a second; with a window, also
    /// for this.
    #[arg(long, value_parser = values::region, value_name = "X,Y,W,H", allow_hyphen_values = true)]
    pub(super) rests: Option<AskedRegion>,
    /// How long to wait; sets the deadline too.
    #[arg(long, default_value = "10s", value_parser = values::deadline, value_name = "TIME")]
    pub(super) timeout: Duration,
}
