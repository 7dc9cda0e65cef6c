//! Flags and their environment variables.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::values;
use crate::{
    config::{self, Address},
    facts::Profile,
    frame::{CaptureMode, Size},
    session::AskedRegion,
    telemetry::{self, LogFormat},
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
    Serve(Box<Serve>),
    /// Say what the daemon is, sees and can do.
    Info(Client),
    /// Say where the pointer is.
    Cursor(Client),
    /// Take a picture of the screen. Exits with 3 when a failure card came back.
    Screenshot(Box<Screenshot>),
    /// Show a line for each frame as the screen changes, until interrupted.
    Watch(Box<Watch>),
    /// Do a step: an ActRequest in proto3's JSON mapping.
    Act(Act),
    /// Click.
    Click(Click),
    /// Move the pointer.
    Move(Move),
    /// Type text.
    Type(Type),
    /// Paste text: put it on the clipboard, press Shift+Insert, give back what was there.
    Paste(Paste),
    /// Press a chord, for example ctrl+shift+t.
    Key(Key),
    /// Turn the wheel.
    Scroll(Scroll),
    /// Say what deskd holds down.
    Pressed(Client),
    /// Release what deskd holds down, and cancel the step under way.
    Release(Client),
    /// Wait until the desktop is painted. Exits with 0 when it is, 11 without a
    /// display, 14 when it is not.
    Ready(Ready),
    /// Bring the desktop up, and wait for its paint; start a daemon if none answers.
    Up(Up),
    /// End every process that `up` started.
    Down(Down),
    /// Say what runs of the desktop.
    Status(Status),
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
    Doctor(Doctor),
    /// The daemon's socket over standard input and output, for providers that only
    /// give exec.
    Bridge(Bridge),
    /// Seed this user's home for XFCE; for deskd-session.service.
    #[command(hide = true)]
    SeedHome {
        /// The user's and group's ids to do it as; from the init.
        #[arg(long, value_parser = values::ids)]
        user: Option<(u32, u32)>,
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
pub(super) struct Serve {
    /// Where to listen: unix:/path or host:port; may be repeated.
    #[arg(long, env = "DESKD_LISTEN", value_delimiter = ',', value_name = "ADDR")]
    pub(super) listen: Vec<Address>,
    /// The X display [default: $DISPLAY, else :0].
    #[arg(long, env = "DESKD_DISPLAY", value_name = "NAME")]
    pub(super) display: Option<DisplayName>,
    /// The process that starts the display: another one, or deskd as its init.
    #[arg(
        long,
        env = "DESKD_STACK_KIND",
        value_enum,
        default_value = "none",
        value_name = "KIND"
    )]
    pub(super) stack: StackArg,
    /// The definition of "painted" for frames without `unproved` [default: xfce with --stack
    /// xfce, else any].
    #[arg(long, env = "DESKD_PROFILE", value_enum)]
    pub(super) profile: Option<ProfileArg>,
    /// With --stack: the size up to which the screen can grow without a restart
    /// of the X server [default: the geometry].
    #[arg(long, env = "DESKD_MAX_GEOMETRY", value_parser = config::parse_size, value_name = "WxH")]
    pub(super) max_geometry: Option<Size>,
    /// With --stack: dots per inch [default: 96].
    #[arg(long, env = "DESKD_DPI", value_parser = clap::value_parser!(u32).range(24..=960), value_name = "N")]
    pub(super) dpi: Option<u32>,
    /// With --stack, as root: the user whose desktop it is [default: "desktop"
    /// where there is such a user, else deskd's own].
    #[arg(long, env = "DESKD_DESKTOP_USER", value_name = "NAME")]
    pub(super) desktop_user: Option<String>,
    /// With --stack: a variable of deskd's environment that the desktop's programs get
    /// besides the language, the time zone and what libraries look at; `NAME*` for all
    /// that begin so. Repeat it for more.
    #[arg(
        long,
        env = "DESKD_DESKTOP_ENV",
        value_name = "NAME",
        value_delimiter = ','
    )]
    pub(super) desktop_env: Vec<String>,
    /// With --stack: no program of the desktop gains privileges: sudo and other
    /// set-user-ID programs do not work in it.
    #[arg(long, env = "DESKD_DESKTOP_NO_NEW_PRIVS", value_parser = values::switch)]
    pub(super) desktop_no_new_privs: bool,
    /// With --stack: x11vnc and noVNC too, on loopback.
    #[arg(long, env = "DESKD_VNC", value_parser = values::switch)]
    pub(super) vnc: bool,
    /// Standard input is the init's socket.
    #[arg(long, hide = true)]
    pub(super) supervised: bool,
    /// Started by `up`: end at once when another init has the display.
    #[arg(long, hide = true)]
    pub(super) by_up: bool,
    /// Size of the screen with --stack, and of a failure card while no screen
    /// was seen yet [default: 1280x800].
    #[arg(long, env = "DESKD_GEOMETRY", value_parser = config::parse_size, value_name = "WxH")]
    pub(super) geometry: Option<Size>,
    /// Fastest way to read pixels that may be used.
    #[arg(
        long,
        env = "DESKD_CAPTURE_MODE",
        value_enum,
        default_value = "shm-fd",
        value_name = "MODE"
    )]
    pub(super) capture_mode: CaptureArg,
    /// User ids that may use the Unix sockets; may be repeated [default: own and root].
    #[arg(
        long,
        env = "DESKD_ALLOW_UID",
        value_delimiter = ',',
        value_name = "UID"
    )]
    pub(super) allow_uid: Vec<u32>,
    /// Mode of the Unix sockets, octal.
    #[arg(long, env = "DESKD_SOCKET_MODE", default_value = "0600", value_parser = values::mode, value_name = "MODE")]
    pub(super) socket_mode: u32,
    /// File with the bearer token that callers over TCP need.
    #[arg(long, env = "DESKD_TOKEN_FILE", value_name = "FILE")]
    pub(super) token_file: Option<PathBuf>,
    /// Certificate chain for TLS over TCP, PEM.
    #[arg(
        long,
        env = "DESKD_TLS_CERT",
        requires = "tls_key",
        value_name = "FILE"
    )]
    pub(super) tls_cert: Option<PathBuf>,
    /// Private key for TLS, PEM.
    #[arg(
        long,
        env = "DESKD_TLS_KEY",
        requires = "tls_cert",
        value_name = "FILE"
    )]
    pub(super) tls_key: Option<PathBuf>,
    /// Certificates that clients' must be signed by, PEM.
    #[arg(
        long,
        env = "DESKD_TLS_CLIENT_CA",
        requires = "tls_cert",
        value_name = "FILE"
    )]
    pub(super) tls_client_ca: Option<PathBuf>,
    /// Where Prometheus reads metrics, host:port; plain HTTP, no token.
    #[arg(long, env = "DESKD_METRICS", value_parser = values::metrics, value_name = "ADDR")]
    pub(super) metrics: Option<Address>,
    /// Refuse every call that acts on the desktop or changes it.
    #[arg(long, env = "DESKD_READ_ONLY", value_parser = values::switch)]
    pub(super) read_only: bool,
    /// How log lines look.
    #[arg(
        long,
        env = "DESKD_LOG_FORMAT",
        value_enum,
        default_value = "text",
        value_name = "FORMAT"
    )]
    pub(super) log_format: LogFormat,
    /// The log filter, for example info, or deskd=debug.
    #[arg(
        long,
        env = "DESKD_LOG",
        default_value = "info",
        value_parser = telemetry::filter,
        value_name = "FILTER"
    )]
    pub(super) log: String,
}

/// The process that starts the display.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum StackArg {
    /// Another process.
    None,
    /// deskd: Xvfb, D-Bus and XFCE.
    Xfce,
}

/// The definition of "painted".
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ProfileArg {
    /// An XFCE session: window manager, desktop and docks.
    Xfce,
    /// Anything that is really drawn.
    Any,
}

impl From<ProfileArg> for Profile {
    fn from(arg: ProfileArg) -> Self {
        match arg {
            ProfileArg::Xfce => Self::Xfce,
            ProfileArg::Any => Self::Any,
        }
    }
}

/// A way to read pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum CaptureArg {
    /// MIT-SHM on a memfd.
    ShmFd,
    /// MIT-SHM on a System V segment.
    ShmSysv,
    /// Over the socket.
    GetImage,
}

impl From<CaptureArg> for CaptureMode {
    fn from(arg: CaptureArg) -> Self {
        match arg {
            CaptureArg::ShmFd => Self::ShmFd,
            CaptureArg::ShmSysv => Self::ShmSysv,
            CaptureArg::GetImage => Self::GetImage,
        }
    }
}

/// The flags of every client command.
#[derive(Debug, Args)]
pub(super) struct Client {
    /// The daemon: unix:/path or host:port [default: unix:$XDG_RUNTIME_DIR/deskd.sock, else unix:/run/deskd/deskd.sock].
    #[arg(long, env = "DESKD_SERVER", value_name = "ADDR")]
    pub(super) server: Option<Address>,
    /// File with the bearer token.
    #[arg(long, env = "DESKD_TOKEN_FILE", value_name = "FILE")]
    pub(super) token_file: Option<PathBuf>,
    /// Certificates that the daemon's must be signed by, PEM; turns TLS on.
    #[arg(long, env = "DESKD_TLS_CA", value_name = "FILE")]
    pub(super) tls_ca: Option<PathBuf>,
    /// Our own certificate for mutual TLS, PEM.
    #[arg(long, env = "DESKD_TLS_CLIENT_CERT", requires_all = ["tls_ca", "tls_client_key"], value_name = "FILE")]
    pub(super) tls_client_cert: Option<PathBuf>,
    /// Its private key, PEM.
    #[arg(
        long,
        env = "DESKD_TLS_CLIENT_KEY",
        requires = "tls_client_cert",
        value_name = "FILE"
    )]
    pub(super) tls_client_key: Option<PathBuf>,
    /// How long a call may take; a stream, to begin.
    #[arg(long, env = "DESKD_DEADLINE", default_value = "10s", value_parser = values::deadline, value_name = "TIME")]
    pub(super) deadline: Duration,
    /// Print JSON: one document; of a stream, one a line.
    #[arg(long, env = "DESKD_JSON", value_parser = values::switch)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Bridge {
    /// The daemon: unix:/path or host:port [default: unix:$XDG_RUNTIME_DIR/deskd.sock, else unix:/run/deskd/deskd.sock].
    #[arg(long, env = "DESKD_SERVER", value_name = "ADDR")]
    pub(super) server: Option<Address>,
}

impl Cli {
    /// Parses these arguments of `serve` with the environment, for a command that starts one.
    pub(super) fn serve(arguments: &[OsString]) -> Result<Box<Serve>, clap::Error> {
        let all = [OsString::from("deskd")];
        match Self::try_parse_from(all.iter().chain(arguments))?.command {
            Command::Serve(serve) => Ok(serve),
            _ => Err(clap::Error::new(clap::error::ErrorKind::InvalidSubcommand)),
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct Screenshot {
    #[command(flatten)]
    pub(super) client: Client,
    /// Where to write the image; - is standard output, the default unless that is a terminal.
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    #[command(flatten)]
    pub(super) picture: Picture,
    /// Repeat the call on one connection and end with a line of percentiles.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..), value_name = "N")]
    pub(super) count: Option<u32>,
}

#[derive(Debug, Args)]
pub(super) struct Watch {
    #[command(flatten)]
    pub(super) client: Client,
    /// Write the frames to this folder, which is made: 000001.png, 000002.png, … It goes
    /// on after those that are there.
    #[arg(short, long, value_name = "DIR")]
    pub(super) output: Option<PathBuf>,
    #[command(flatten)]
    pub(super) picture: Picture,
    /// Frames a second at most, 1 to 60 [default: 10].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=60), value_name = "N", allow_hyphen_values = true)]
    pub(super) fps: Option<u32>,
    /// After the first frame, only the rectangles that changed.
    #[arg(long)]
    pub(super) regions: bool,
    /// End after so many frames.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..), value_name = "N")]
    pub(super) count: Option<u32>,
    /// End after this time [default: when interrupted].
    #[arg(long = "for", value_parser = values::deadline, value_name = "TIME")]
    pub(super) time: Option<Duration>,
}

/// Which picture.
#[derive(Debug, Args)]
pub(super) struct Picture {
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

/// The flags of every step.
#[derive(Debug, Args)]
pub(super) struct Step {
    #[command(flatten)]
    pub(super) client: Client,
    /// Write the screen after the step to this file; the picture of a `screenshot` action
    /// goes beside it: a-2.png for the action number 2, counted from 0, of a.png.
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Also before the desktop's paint is proved.
    #[arg(long)]
    pub(super) unproved: bool,
    /// Do not wait until the screen rests.
    #[arg(long)]
    pub(super) no_settle: bool,
}

#[derive(Debug, Args)]
pub(super) struct Act {
    #[command(flatten)]
    pub(super) step: Step,
    /// The request: JSON, a file with it, or - for standard input.
    #[arg(default_value = "-", value_name = "FILE|-|JSON")]
    pub(super) request: String,
}

#[derive(Debug, Args)]
pub(super) struct Click {
    #[command(flatten)]
    pub(super) step: Step,
    /// Column, from 0.
    #[arg(allow_negative_numbers = true)]
    pub(super) x: i32,
    /// Row, from 0.
    #[arg(allow_negative_numbers = true)]
    pub(super) y: i32,
    /// Which button.
    #[arg(long, value_enum, default_value = "left")]
    pub(super) button: ButtonArg,
    /// How often, 1 to 3.
    #[arg(long, default_value = "1", value_parser = clap::value_parser!(u32).range(1..=3))]
    pub(super) count: u32,
    /// Keys held meanwhile, for example ctrl+shift.
    #[arg(long, value_name = "KEYS")]
    pub(super) modifiers: Option<String>,
}

/// A pointer button.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ButtonArg {
    /// 1.
    Left,
    /// 2, the wheel.
    Middle,
    /// 3.
    Right,
    /// 8.
    Back,
    /// 9.
    Forward,
}

#[derive(Debug, Args)]
pub(super) struct Move {
    #[command(flatten)]
    pub(super) step: Step,
    /// Column, from 0.
    #[arg(allow_negative_numbers = true)]
    pub(super) x: i32,
    /// Row, from 0.
    #[arg(allow_negative_numbers = true)]
    pub(super) y: i32,
    /// Keys held meanwhile, for example alt.
    #[arg(long, value_name = "KEYS")]
    pub(super) modifiers: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Type {
    #[command(flatten)]
    pub(super) step: Step,
    /// The text; - reads it from standard input, where no other process sees it; a
    /// line feed at its end counts. What begins with a hyphen stands after --; a lone
    /// hyphen goes by standard input.
    pub(super) text: String,
    /// Characters a second [default: as fast as they are taken].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(super) rate: Option<u32>,
}

#[derive(Debug, Args)]
pub(super) struct Paste {
    #[command(flatten)]
    pub(super) step: Step,
    /// The text; - reads it from standard input, where no other process sees it; a
    /// line feed at its end counts. What begins with a hyphen stands after --.
    pub(super) text: String,
    /// The chord that pastes, its keys joined by + [default: Shift+Insert].
    #[arg(long)]
    pub(super) chord: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Key {
    #[command(flatten)]
    pub(super) step: Step,
    /// Keys joined by +, pressed in this order; ctrl++ for the plus itself.
    #[arg(required_unless_present = "list")]
    pub(super) chord: Option<String>,
    /// How often, 1 to 100.
    #[arg(long, default_value = "1")]
    pub(super) repeat: u32,
    /// How long it stays down each time, in milliseconds, at most 300,000.
    #[arg(long, default_value = "0", value_name = "MS")]
    pub(super) hold: u32,
    /// Print the names of all keys.
    #[arg(long)]
    pub(super) list: bool,
}

#[derive(Debug, Args)]
pub(super) struct Scroll {
    #[command(flatten)]
    pub(super) step: Step,
    /// Column, from 0.
    #[arg(allow_negative_numbers = true)]
    pub(super) x: i32,
    /// Row, from 0.
    #[arg(allow_negative_numbers = true)]
    pub(super) y: i32,
    /// To the right, in pixels; 100 make a notch of the wheel.
    #[arg(allow_negative_numbers = true)]
    pub(super) dx: i32,
    /// Downwards, in pixels.
    #[arg(allow_negative_numbers = true)]
    pub(super) dy: i32,
    /// Count in notches.
    #[arg(long)]
    pub(super) notches: bool,
    /// Keys held meanwhile, for example ctrl.
    #[arg(long, value_name = "KEYS")]
    pub(super) modifiers: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Up {
    #[command(flatten)]
    pub(super) client: Client,
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
pub(super) struct Down {
    #[command(flatten)]
    pub(super) client: Client,
}

#[derive(Debug, Args)]
pub(super) struct Status {
    #[command(flatten)]
    pub(super) client: Client,
    /// Say what happens, a line each, until interrupted.
    #[arg(long)]
    pub(super) events: bool,
}

#[derive(Debug, Args)]
pub(super) struct Ready {
    #[command(flatten)]
    pub(super) client: Client,
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
pub(super) struct Doctor {
    #[command(flatten)]
    pub(super) client: Client,
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
