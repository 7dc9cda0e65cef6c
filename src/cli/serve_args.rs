//! Flags of the daemon, and their environment variables.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::values;
use crate::{
    config::{self, Address},
    facts::Profile,
    frame::{CaptureMode, Size},
    telemetry::{self, LogFormat},
    wallpaper::Background,
    x11::DisplayName,
};

#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    /// Where to listen: unix:/path or host:port; may be repeated.
    #[arg(long, env = "DESKD_LISTEN", value_delimiter = ',', value_name = "ADDR")]
    pub(super) listen: Vec<Address>,
    /// The X display [default: $DISPLAY, else :0].
    #[arg(long, env = "DESKD_DISPLAY", value_name = "NAME")]
    pub(super) display: Option<DisplayName>,
    /// The process that starts the display: another one, or deskd as its init [default: none, with
    /// --session command].
    #[arg(long, env = "DESKD_STACK_KIND", value_enum, value_name = "KIND")]
    stack: Option<StackArg>,
    /// With --stack command, which it implies: the command line of the session, for sh(1). It must run
    /// as long as the session does: "tint2 & exec openbox".
    #[arg(long, env = "DESKD_SESSION", value_name = "COMMAND")]
    pub(super) session: Option<String>,
    /// With --stack: the desktop's background, a colour such as #336699 or the absolute path of a PNG
    /// or JPEG file [default: the session's own; of XFCE, a wallpaper].
    #[arg(long, env = "DESKD_BACKGROUND", value_name = "FILE|COLOUR")]
    pub(super) background: Option<Background>,
    /// The definition of "painted" for frames without `unproved` [default: xfce with --stack
    /// xfce, else any].
    #[arg(long, env = "DESKD_PROFILE", value_enum)]
    pub(super) profile: Option<ProfileArg>,
    /// With --stack: the size up to which the screen can grow without a restart
    /// of the X server [default: the geometry].
    #[arg(long, env = "DESKD_MAX_GEOMETRY", value_parser = config::parse_size, value_name = "WxH")]
    pub(super) max_geometry: Option<Size>,
    /// With --stack: dots per inch [default: 96].
    #[arg(long, env = "DESKD_DPI", value_parser = values::whole(24_u32..=960, " from 24 to 960"), value_name = "N")]
    pub(super) dpi: Option<u32>,
    /// With --stack, as root: the user whose desktop it is [default: "desktop"
    /// where there is such a user, else deskd's own].
    #[arg(long, env = "DESKD_DESKTOP_USER", value_name = "NAME")]
    pub(super) desktop_user: Option<String>,
    /// With --stack: a variable that the desktop's programs get besides the language, the time zone
    /// and what libraries look at: with this value, or that of deskd's environment; `NAME*` for all
    /// that begin so. Repeat it for more. $DESKD_SESSION_ENV has further ones, with commas between them.
    #[arg(
        long,
        alias = "desktop-env",
        value_name = "NAME[=VALUE]",
        value_parser = values::session_variable
    )]
    pub(super) session_env: Vec<String>,
    /// The socket of `deskd session-helper`, which starts programs [default:
    /// $XDG_RUNTIME_DIR/deskd-session.sock; with --stack, the init starts the helper].
    #[arg(long, env = "DESKD_SESSION_HELPER", value_name = "PATH")]
    pub(super) session_helper: Option<PathBuf>,
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
        value_parser = values::uid,
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
    /// Serve HTTP at host:port: with --mcp, MCP at /mcp; with --viewer-key-file, the viewer at /viewer/.
    #[arg(long, env = "DESKD_HTTP", value_parser = values::http, value_name = "ADDR")]
    pub(super) http: Option<Address>,
    /// Serve MCP (Streamable HTTP) at the address of --http. It uses the first Unix socket of
    /// --listen.
    #[arg(long, env = "DESKD_MCP", value_parser = values::switch, requires_all = ["http", "token_file"])]
    pub(super) mcp: bool,
    /// File with the keys of viewer tokens, one a line: serve the viewer at the address of --http.
    /// Mint tokens with `deskd viewer-token`.
    #[arg(
        long,
        env = "DESKD_VIEWER_KEY_FILE",
        requires = "http",
        value_name = "FILE"
    )]
    pub(super) viewer_key_file: Option<PathBuf>,
    /// Accept only viewer tokens with this claim `workspace`.
    #[arg(
        long,
        env = "DESKD_VIEWER_WORKSPACE",
        requires = "viewer_key_file",
        value_name = "ID"
    )]
    pub(super) viewer_workspace: Option<String>,
    /// Accept only viewer tokens with this claim `session`.
    #[arg(
        long,
        env = "DESKD_VIEWER_SESSION",
        requires = "viewer_key_file",
        value_name = "ID"
    )]
    pub(super) viewer_session: Option<String>,
    /// A host name under which browsers reach the viewer. IP addresses and localhost need none.
    #[arg(
        long,
        env = "DESKD_VIEWER_HOST",
        value_delimiter = ',',
        requires = "viewer_key_file",
        value_name = "NAME"
    )]
    pub(super) viewer_host: Vec<String>,
    /// An origin, such as `https://example.com`, whose pages may embed the viewer.
    #[arg(long, env = "DESKD_VIEWER_EMBED", value_delimiter = ',', value_parser = values::origin, requires = "viewer_key_file", value_name = "ORIGIN")]
    pub(super) viewer_embed: Vec<String>,
    /// Write a log of every step, frame and change of control to a new file in this folder. The folder
    /// must belong to deskd alone.
    #[arg(long, env = "DESKD_LOG_DIR", value_name = "FOLDER")]
    pub(super) log_dir: Option<PathBuf>,
    /// Maximum size of a log. After seven eighths, it gets no further pictures; at the maximum it ends.
    /// The daemon's logs in the folder have at most four times this size, those of callers eight times
    /// [default: 1GiB with --log-dir, else 64MiB].
    #[arg(long, env = "DESKD_LOG_MAX_BYTES", value_parser = values::log_bytes, value_name = "SIZE")]
    pub(super) log_max_bytes: Option<u64>,
    /// Write typed and pasted text to the logs. A person's input in the viewer never is.
    #[arg(long, env = "DESKD_LOG_TYPED_TEXT", value_parser = values::switch)]
    pub(super) log_typed_text: bool,
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
    /// deskd: Xvfb, D-Bus and the session of --session.
    Command,
}

impl ServeArgs {
    /// The process that starts the display.
    pub(super) fn stack(&self) -> StackArg {
        self.stack.unwrap_or(match self.session {
            Some(_) => StackArg::Command,
            None => StackArg::None,
        })
    }
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
