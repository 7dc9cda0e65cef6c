//! The messages between the init and the daemon: lines of JSON over a socket pair, which people can
//! read, too.

use serde::{Deserialize, Serialize};

/// One part of the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Component {
    /// The X server.
    Xvfb,
    /// The X server's keymap: set once, without a process that keeps running.
    Keymap,
    /// The session's message bus.
    Dbus,
    /// The desktop session.
    Session,
    /// The session helper.
    SessionHelper,
    /// The VNC server.
    X11vnc,
    /// The viewer's WebSocket and page.
    Websockify,
    /// The paint gate.
    Paint,
    /// The lock that prevents two bring-ups of one display.
    Lock,
}

impl Component {
    /// The parts that the init starts, in their order.
    pub const STARTED: [Self; 7] = [
        Self::Xvfb,
        Self::Keymap,
        Self::Dbus,
        Self::Session,
        Self::SessionHelper,
        Self::X11vnc,
        Self::Websockify,
    ];

    /// The name used in logs and output lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Xvfb => "xvfb",
            Self::Keymap => "keymap",
            Self::Dbus => "dbus",
            Self::Session => "session",
            Self::SessionHelper => "session-helper",
            Self::X11vnc => "x11vnc",
            Self::Websockify => "websockify",
            Self::Paint => "paint",
            Self::Lock => "lock",
        }
    }
}

/// The status of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum StageStatus {
    /// The component was started and is not up yet.
    Started,
    /// The component was ended and waits to be started again.
    Waiting,
    /// The component is up.
    Completed,
    /// The component failed to start, or ended.
    Failed,
}

impl StageStatus {
    /// The name used in output lines and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Waiting => "waiting",
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }
}

/// Why a component is not up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Problem {
    /// Its program is not installed.
    Missing {
        /// The program.
        program: String,
        /// The Debian package that contains it.
        package: String,
    },
    /// It could not be started, ended, or was not up within its time limit.
    Failed,
}

/// The state of a component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentState {
    /// The component.
    pub component: Component,
    /// Whether it is part of this stack.
    pub enabled: bool,
    /// Whether it is up; for the keymap: whether setting it has ended.
    pub up: bool,
    /// Process id; 0 when not running.
    pub pid: u32,
    /// When the component was started, in milliseconds since 1970; 0 if it is not up.
    pub since_ms: u64,
    /// Restarts since the stack was brought up.
    pub restarts: u32,
    /// The end of its standard error output, or why it was not started; at most 4 KiB.
    pub last_output: String,
    /// Why it is not up.
    pub problem: Option<Problem>,
    /// Whether neither it nor its children can gain privileges.
    #[serde(default)]
    pub no_new_privs: bool,
}

/// A change in a bring-up, restart or tear-down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The component.
    pub component: Component,
    /// Its status.
    pub status: StageStatus,
    /// Milliseconds since the bring-up began.
    pub elapsed_ms: u64,
    /// Time of the event, in milliseconds since 1970.
    pub time_ms: u64,
    /// Why it failed.
    pub problem: Option<Problem>,
    /// One English sentence; for a failure, it contains the end of the component's output.
    pub message: String,
}

/// A message from the daemon to the init.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToInit {
    /// The daemon listens: the stack may be started.
    Ready,
    /// Heartbeat: the daemon works. Sent every 2 s.
    Alive,
    /// Bring up every component that is not up.
    Up,
    /// End all components.
    Down,
    /// End the init, and with it the daemon.
    End,
    /// Change the screen size; the X server is restarted.
    Geometry {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// Dots per inch; 0 leaves them unchanged.
        dpi: u32,
    },
}

/// A message from the init to the daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToDaemon {
    /// The state of all components, sent after each change.
    State {
        /// Whether the stack is to be up.
        wanted: bool,
        /// The components.
        components: Vec<ComponentState>,
        /// The port of the viewer's page on loopback; 0 without a viewer.
        #[serde(default)]
        viewer_port: u16,
    },
    /// A stage event of a component.
    Event(Event),
}
