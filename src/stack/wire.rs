//! Messages between the init and the daemon: lines of JSON over a socket pair, so that a
//! person can read them, too.

use serde::{Deserialize, Serialize};

/// One part of the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Component {
    /// The X server.
    Xvfb,
    /// Its keymap: set once, not a process that stays.
    Keymap,
    /// The session's message bus.
    Dbus,
    /// XFCE.
    Session,
    /// The VNC server.
    X11vnc,
    /// The viewer's web socket and page.
    Websockify,
    /// The paint gate.
    Paint,
    /// The lock that keeps two bring-ups apart.
    Lock,
}

impl Component {
    /// The parts that the init starts, in their order.
    pub const STARTED: [Self; 6] = [
        Self::Xvfb,
        Self::Keymap,
        Self::Dbus,
        Self::Session,
        Self::X11vnc,
        Self::Websockify,
    ];

    /// The word in logs and lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Xvfb => "xvfb",
            Self::Keymap => "keymap",
            Self::Dbus => "dbus",
            Self::Session => "session",
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
    /// It was begun.
    Started,
    /// It was ended, and waits to be started again.
    Waiting,
    /// It is there.
    Completed,
    /// It is not, or not any more.
    Failed,
}

impl StageStatus {
    /// The word in lines and metrics.
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
        /// The Debian package that has it.
        package: String,
    },
    /// It ended, or was not there in its time.
    Failed,
}

/// A component now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentState {
    /// Which.
    pub component: Component,
    /// Part of this stack.
    pub enabled: bool,
    /// Running now; of the keymap: set.
    pub up: bool,
    /// Process id; 0 when not running.
    pub pid: u32,
    /// Running since, milliseconds since 1970.
    pub since_ms: u64,
    /// Restarts since the stack was brought up.
    pub restarts: u32,
    /// The end of what it wrote, at most 4 KiB.
    pub last_output: String,
    /// Why it is not up.
    pub problem: Option<Problem>,
    /// Neither it nor what it starts can gain privileges.
    #[serde(default)]
    pub no_new_privs: bool,
}

/// A step of a bring-up, restart or tear-down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Which part.
    pub component: Component,
    /// Its status.
    pub status: StageStatus,
    /// Since the bring-up began, in milliseconds.
    pub elapsed_ms: u64,
    /// When, milliseconds since 1970.
    pub time_ms: u64,
    /// Why it failed.
    pub problem: Option<Problem>,
    /// One English sentence, for a failure with the end of its output.
    pub message: String,
}

/// From the daemon to the init.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToInit {
    /// The daemon listens: the stack may be started.
    Ready,
    /// The daemon works: sent every two seconds.
    Alive,
    /// Bring all up that is not.
    Up,
    /// End all.
    Down,
    /// End the init too, and the daemon with it.
    End,
    /// Another size: the X server is restarted with it.
    Geometry {
        /// Pixels.
        width: u32,
        /// Pixels.
        height: u32,
        /// Dots per inch; 0: as it is.
        dpi: u32,
    },
}

/// From the init to the daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToDaemon {
    /// All components, after each change. `wanted`: the stack is to be up.
    State {
        /// Whether it is to be up.
        wanted: bool,
        /// The components.
        components: Vec<ComponentState>,
        /// The port of the viewer's page on loopback; 0 without a viewer.
        #[serde(default)]
        viewer_port: u16,
    },
    /// Something happened.
    Event(Event),
}
