//! The commands, and the flags of those that capture, wait, and manage the desktop.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::{
    act_args::{ActArgs, ClickArgs, KeyArgs, MoveArgs, PasteArgs, ScrollArgs, TypeArgs},
    client_args::ClientArgs,
    control::ControlArgs,
    log::LogArgs,
    program_args::{OpenArgs, ProgramsArgs, RunArgs, SessionHelperArgs},
    serve_args::{ProfileArg, ServeArgs},
    values,
    viewer_token::ViewerTokenArgs,
    window_args::{FocusArgs, WaitForArgs, WindowArgs, WindowsArgs},
};
use crate::{
    config::{self, Address},
    frame::Size,
    session::AskedRegion,
    wallpaper::Background,
    x11::DisplayName,
};

/// See, act on, and trust the desktop of a Linux sandbox.
#[derive(Debug, Parser)]
#[command(name = "deskd", version, max_term_width = 100)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the daemon beside a display.
    Serve(Box<ServeArgs>),
    /// Say what the daemon is, sees and can do.
    Info(ClientArgs),
    /// Say where the pointer is.
    Cursor(ClientArgs),
    /// Take a picture of the screen. Exits with 3 when a failure card came back.
    Screenshot(Box<ScreenshotArgs>),
    /// Show a line for each frame as the screen changes, until interrupted.
    Watch(Box<WatchArgs>),
    /// Do a step: an ActRequest in proto3's JSON mapping.
    Act(ActArgs),
    /// Click.
    Click(ClickArgs),
    /// Move the pointer.
    Move(MoveArgs),
    /// Type text.
    Type(TypeArgs),
    /// Paste text: put it on the clipboard, press Shift+Insert, give back what was there.
    Paste(PasteArgs),
    /// Press a chord, for example ctrl+shift+t.
    Key(KeyArgs),
    /// Turn the wheel.
    Scroll(ScrollArgs),
    /// List the windows, the topmost first: id, frame, states, class and title.
    Windows(WindowsArgs),
    /// Give a window the focus, in front of the others.
    Focus(FocusArgs),
    /// Change a window. Exits with 4 if it did not become as requested.
    Window(WindowArgs),
    /// Wait for a window, or for a part of the screen. Exits with 16 if it does not come to be.
    WaitFor(WaitForArgs),
    /// Read or replace what programs have copied.
    Clipboard(ClipboardArgs),
    /// Start a program in the desktop, and print its id, its process and its window.
    Run(RunArgs),
    /// Open a URI or a file with the program that the desktop's user prefers.
    Open(OpenArgs),
    /// List the programs that were started and those that have windows.
    Programs(ProgramsArgs),
    /// Take control of the input from an agent, give it back, or say who is in control.
    Control(ControlArgs),
    /// Record runs, and show, export and replay their logs.
    Log(LogArgs),
    /// Say what deskd holds down.
    Pressed(ClientArgs),
    /// Release what deskd holds down, and cancel the step under way.
    Release(ClientArgs),
    /// Wait until the desktop is painted. Exits with 0 when it is, 11 without a
    /// display, 14 when it is not.
    Ready(ReadyArgs),
    /// Bring the desktop up, and wait for its paint; start a daemon if none answers.
    Up(UpArgs),
    /// End every process that `up` started.
    Down(DownArgs),
    /// Say what runs of the desktop.
    Status(StatusArgs),
    /// Become a component's program; for the init alone.
    #[command(hide = true)]
    ExecComponent {
        /// The init.
        #[arg(long)]
        parent: i32,
        /// Set-user-ID programs give it nothing.
        #[arg(long)]
        no_new_privs: bool,
        /// Its user's and group's ids.
        #[arg(long, value_parser = values::ids)]
        user: Option<(u32, u32)>,
        /// Its first folder.
        #[arg(long, default_value = "/")]
        folder: PathBuf,
        /// The program.
        program: OsString,
        /// Its arguments.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Check the display, the machine and the daemon; report what is wrong and what to do.
    Doctor(DoctorArgs),
    /// The daemon's socket over standard input and output, for providers that only
    /// give exec.
    Bridge(BridgeArgs),
    /// Print a token that lets a person open the viewer once.
    ViewerToken(ViewerTokenArgs),
    /// Serve the desktop to an MCP host on standard input and output.
    Mcp(ClientArgs),
    /// Make links named scrot, xdotool, gnome-screenshot, import and xclip to deskd, which then does
    /// through the daemon what those programs do.
    InstallLinks {
        /// The folder, which must come early in PATH.
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
    /// Start programs for the daemon, as the desktop's user in its session. With --stack, deskd's init
    /// starts it.
    SessionHelper(SessionHelperArgs),
    /// Seed this user's home for XFCE; for deskd-session.service.
    #[command(hide = true)]
    SeedHome {
        /// The user's and group's ids to do it as; from the init.
        #[arg(long, value_parser = values::ids)]
        user: Option<(u32, u32)>,
        /// A colour such as #336699, or the path of a picture.
        #[arg(long)]
        background: Option<Background>,
    },
    /// Decode the picture of a background; for the init alone.
    #[command(hide = true)]
    CheckBackground {
        /// The user's and group's ids to do it as.
        #[arg(long, value_parser = values::ids)]
        user: Option<(u32, u32)>,
        /// A colour such as #336699, or the path of a picture.
        background: Background,
    },
    /// Start a program, and stay until all of its processes have ended; for the session helper alone.
    #[command(hide = true)]
    KeepProgram {
        /// The program's file.
        program: OsString,
        /// Its arguments, with its name first.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<OsString>,
    },
    /// Draw the background, and become the session; for the init alone.
    #[command(hide = true)]
    ExecSession {
        /// The background.
        #[arg(long)]
        background: Background,
        /// The program.
        program: OsString,
        /// Its arguments.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Write the man pages into a folder.
    #[command(hide = true)]
    Man {
        /// Which.
        folder: PathBuf,
    },
    /// Print completions for a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Args)]
pub(super) struct BridgeArgs {
    /// The daemon: unix:/path or host:port [default: unix:$XDG_RUNTIME_DIR/deskd.sock, else unix:/run/deskd/deskd.sock].
    #[arg(long, env = "DESKD_SERVER", value_name = "ADDR")]
    pub(super) server: Option<Address>,
}

impl Cli {
    /// Parses these arguments of `serve` with the environment, for a command that starts one.
    pub(super) fn serve(arguments: &[OsString]) -> Result<Box<ServeArgs>, clap::Error> {
        let all = [OsString::from("deskd")];
        match Self::try_parse_from(all.iter().chain(arguments))?.command {
            Command::Serve(serve) => Ok(serve),
            _ => Err(clap::Error::new(clap::error::ErrorKind::InvalidSubcommand)),
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct ScreenshotArgs {
    #[command(flatten)]
    pub(super) client: ClientArgs,
    /// Where to write the image; - is standard output, the default unless that is a terminal.
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    #[command(flatten)]
    pub(super) picture: PictureArgs,
    /// Repeat the call on one connection and end with a line of percentiles.
    #[arg(long, value_parser = values::whole(1_u32.., " from 1"), value_name = "N")]
    pub(super) count: Option<u32>,
}

#[derive(Debug, Args)]
pub(super) struct WatchArgs {
    #[command(flatten)]
    pub(super) client: ClientArgs,
    /// Write the frames to this folder, which is made: 000001.png, 000002.png, … It goes
    /// on after those that are there.
    #[arg(short, long, value_name = "DIR")]
    pub(super) output: Option<PathBuf>,
    #[command(flatten)]
    pub(super) picture: PictureArgs,
    /// Frames a second at most, 1 to 60 [default: 10].
    #[arg(long, value_parser = values::whole(1_u32..=60, " from 1 to 60"), value_name = "N", allow_hyphen_values = true)]
    pub(super) fps: Option<u32>,
    /// After the first frame, only the rectangles that changed.
    #[arg(long)]
    pub(super) regions: bool,
    /// End after so many frames.
    #[arg(long, value_parser = values::whole(1_u32.., " from 1"), value_name = "N")]
    pub(super) count: Option<u32>,
    /// End after this time [default: when interrupted].
    #[arg(long = "for", value_parser = values::deadline, value_name = "TIME")]
    pub(super) time: Option<Duration>,
}

#[derive(Debug, Args)]
pub(super) struct ClipboardArgs {
    #[command(flatten)]
    pub(super) client: ClientArgs,
    /// What to do.
    #[arg(value_enum)]
    pub(super) command: ClipboardCommand,
    /// The format, such as text/html or image/png [default: text].
    #[arg(long, value_name = "TYPE")]
    pub(super) format: Option<String>,
    /// The selection that the middle button pastes, in place of the clipboard.
    #[arg(long)]
    pub(super) primary: bool,
}

/// What to do with the clipboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ClipboardCommand {
    /// Write its content to standard output, and nothing else.
    Get,
    /// Replace its content by standard input.
    Set,
    /// List the formats in which it can be read, a line each.
    Formats,
}

/// Which picture.
#[derive(Debug, Args)]
pub(super) struct PictureArgs {
    /// Encoding [default: as the output file's name ends, else png].
    #[arg(long, env = "DESKD_FORMAT", value_enum)]
    pub(super) format: Option<FormatArg>,
    /// JPEG quality, 1 to 100 [default: 85].
    #[arg(long, value_name = "N")]
    pub(super) quality: Option<u32>,
    /// Part of the screen: X,Y,W,H in pixels.
    #[arg(long, value_parser = values::region, value_name = "X,Y,W,H", allow_hyphen_values = true)]
    pub(super) region: Option<AskedRegion>,
    /// Size of the image [default: the part's own].
    #[arg(long, value_parser = values::any_size, value_name = "WxH")]
    pub(super) size: Option<Size>,
    /// Largest size of the image that keeps its shape: the longer side, and the number of
    /// pixels.
    #[arg(long, value_parser = values::fit, value_name = "SIDE[,PIXELS]", conflicts_with = "size")]
    pub(super) fit: Option<(u32, Option<u64>)>,
    /// Only this window, also where others cover it: its id, or a part of its title. A region is then a
    /// part of the window.
    #[arg(long, value_name = "WINDOW")]
    pub(super) window: Option<String>,
    /// With the window's menus and dialogs.
    #[arg(long, requires = "window")]
    pub(super) popups: bool,
    /// Leave the pointer out.
    #[arg(long)]
    pub(super) no_cursor: bool,
    /// Also before the desktop's paint is proved.
    #[arg(long)]
    pub(super) unproved: bool,
    /// Largest image in bytes [default: 3670016; none for raw].
    #[arg(long, value_name = "BYTES")]
    pub(super) max_image_bytes: Option<u64>,
}

/// Encodings of a screenshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum FormatArg {
    /// Lossless.
    Png,
    /// Smaller, lossy.
    Jpeg,
    /// Lossless; of text, smaller than PNG.
    Webp,
    /// Rows of blue, green, red, 255.
    Raw,
}

#[derive(Debug, Args)]
pub(super) struct UpArgs {
    #[command(flatten)]
    pub(super) client: ClientArgs,
    /// How long it may take; sets the deadline too.
    #[arg(long, default_value = "90s", value_parser = values::deadline, value_name = "TIME")]
    pub(super) timeout: Duration,
    /// Size of the screen [default: as it is, or the daemon's].
    #[arg(long, value_parser = config::parse_size, value_name = "WxH")]
    pub(super) geometry: Option<Size>,
    /// Do not wait for the paint.
    #[arg(long)]
    pub(super) no_wait: bool,
}

#[derive(Debug, Args)]
pub(super) struct DownArgs {
    #[command(flatten)]
    pub(super) client: ClientArgs,
}

#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    #[command(flatten)]
    pub(super) client: ClientArgs,
    /// Say what happens, a line each, until interrupted.
    #[arg(long)]
    pub(super) events: bool,
}

#[derive(Debug, Args)]
pub(super) struct ReadyArgs {
    #[command(flatten)]
    pub(super) client: ClientArgs,
    /// How long to wait; sets the deadline too.
    #[arg(long, default_value = "90s", value_parser = values::deadline, value_name = "TIME")]
    pub(super) timeout: Duration,
    /// The definition of "painted" [default: the daemon's own].
    #[arg(long, value_enum)]
    pub(super) profile: Option<ProfileArg>,
    /// Ready also while something keeps moving, such as a video.
    #[arg(long)]
    pub(super) allow_unsettled: bool,
    /// Wait for a window too, by a part of its title. Repeat it for more.
    #[arg(long, value_name = "TITLE")]
    pub(super) window_title: Vec<String>,
    /// Wait for a window too, by its program's class (`xprop WM_CLASS`). Repeat it for
    /// more.
    #[arg(long, value_name = "CLASS")]
    pub(super) window_class: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    #[command(flatten)]
    pub(super) client: ClientArgs,
    /// The X display [default: $DISPLAY, else :0].
    #[arg(long, env = "DESKD_DISPLAY", value_name = "NAME")]
    pub(super) display: Option<DisplayName>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn negative_regions_reach_the_daemon() {
        let cli = Cli::try_parse_from(["deskd", "screenshot", "--region", "-5,0,10,10"]).unwrap();
        let Command::Screenshot(screenshot) = cli.command else {
            panic!("not a screenshot")
        };
        assert_eq!(screenshot.picture.region.unwrap().x, -5);
    }

    #[test]
    fn nonsense_is_refused_with_a_hint() {
        for arguments in [
            ["screenshot", "--size", "0"],
            ["screenshot", "--region", "1,2,3"],
            ["screenshot", "--deadline", "10"],
            ["screenshot", "--deadline", "0s"],
            ["screenshot", "--count", "0"],
            ["serve", "--socket-mode", "rw"],
            ["serve", "--socket-mode", "1000"],
            ["serve", "--display", "host:0"],
            ["serve", "--listen", "7000"],
            ["serve", "--metrics", "unix:/run/metrics.sock"],
            ["serve", "--tls-cert", "x"],
        ] {
            let all = ["deskd"].into_iter().chain(arguments);
            assert!(Cli::try_parse_from(all).is_err(), "{arguments:?}");
        }
    }
}
