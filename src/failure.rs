//! Failures of captures and input: the stage that failed, the cause, and the remedy.
//!
//! This module uses no other module. [`card`](crate::card) draws failures, and [`rpc`](crate::rpc)
//! sends them.

/// The stage at which a capture failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Connecting to the X server's socket.
    Connect,
    /// Authenticating to the X server.
    Auth,
    /// Reading the properties of the display.
    Display,
    /// Waiting for the paint gate's verdict READY.
    Paint,
    /// Reading the pixels.
    Capture,
    /// The deadline passed before another stage failed.
    Timeout,
    /// Encoding the pixels as an image.
    Encode,
    /// The daemon is stopping.
    Shutdown,
    /// Sending input.
    Input,
}

impl Stage {
    /// The name used on cards and in logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Auth => "auth",
            Self::Display => "display",
            Self::Paint => "paint",
            Self::Capture => "capture",
            Self::Timeout => "timeout",
            Self::Encode => "encode",
            Self::Shutdown => "shutdown",
            Self::Input => "input",
        }
    }
}

/// The cause of a failure. The API's `Reason` has these values and more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// No X server answers at the display's sockets.
    NoDisplay,
    /// The X server refused the connection.
    AuthRefused,
    /// The cookie file cannot be read, and the server requires a cookie.
    CookieUnreadable,
    /// The connection ended during a request.
    ConnectionLost,
    /// The X server does not answer.
    Unresponsive,
    /// The X server sent something that is not the X protocol.
    ProtocolError,
    /// The display has no such screen.
    ScreenNotFound,
    /// Depth or visual that cannot be converted exactly.
    PixelFormatUnsupported,
    /// The X server answered a request with an error.
    CaptureFailed,
    /// An extension that the work needs is missing.
    ExtensionMissing,
    /// The pointer did not reach the position that it was sent to.
    PointerElsewhere,
    /// Another program holds the pointer or the keyboard frozen.
    InputFrozen,
    /// A program has not read its input in time.
    ProgramUnresponsive,
    /// The keyboard layout changed while a text was typed.
    KeymapChanged,
    /// No program requested the pasted text.
    NotTaken,
    /// A condition was not met in time.
    ConditionNotMet,
    /// A window is minimized or on another workspace.
    WindowNotShown,
    /// Another daemon gives input on the display.
    InputTaken,
    /// The X server accepts no further client.
    ServerFull,
    /// No file descriptors are left.
    OutOfDescriptors,
    /// The paint gate has not reported READY.
    NotPainted,
    /// The deadline passed while deskd itself was at work.
    Deadline,
    /// The caller disconnected, or a call of `ReleaseAll` ended the step.
    Cancelled,
    /// A person took control of the input.
    HumanInControl,
    /// Control of the input changed hands.
    ControlChanged,
    /// Encoding failed.
    EncodeFailed,
    /// The image is above `max_image_bytes`.
    TooLarge,
    /// The daemon is stopping.
    ShuttingDown,
    /// A defect in deskd.
    Internal,
}

impl Cause {
    /// The name of the API's `Reason`, without its prefix.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoDisplay => "NO_DISPLAY",
            Self::AuthRefused => "X_AUTH_REFUSED",
            Self::CookieUnreadable => "X_COOKIE_UNREADABLE",
            Self::ConnectionLost => "X_CONNECTION_LOST",
            Self::Unresponsive => "X_UNRESPONSIVE",
            Self::ProtocolError => "X_PROTOCOL_ERROR",
            Self::ScreenNotFound => "SCREEN_NOT_FOUND",
            Self::PixelFormatUnsupported => "PIXEL_FORMAT_UNSUPPORTED",
            Self::CaptureFailed => "CAPTURE_FAILED",
            Self::ExtensionMissing => "EXTENSION_MISSING",
            Self::PointerElsewhere => "POINTER_ELSEWHERE",
            Self::InputFrozen => "INPUT_FROZEN",
            Self::ProgramUnresponsive => "PROGRAM_UNRESPONSIVE",
            Self::KeymapChanged => "KEYMAP_CHANGED",
            Self::NotTaken => "NOT_TAKEN",
            Self::ConditionNotMet => "CONDITION_NOT_MET",
            Self::WindowNotShown => "WINDOW_NOT_SHOWN",
            Self::InputTaken => "INPUT_TAKEN",
            Self::ServerFull => "X_CLIENTS_EXHAUSTED",
            Self::OutOfDescriptors => "OUT_OF_DESCRIPTORS",
            Self::NotPainted => "NOT_PAINTED",
            Self::Deadline => "DEADLINE",
            Self::Cancelled => "CANCELLED",
            Self::HumanInControl => "HUMAN_IN_CONTROL",
            Self::ControlChanged => "CONTROL_CHANGED",
            Self::EncodeFailed => "ENCODE_FAILED",
            Self::TooLarge => "TOO_LARGE",
            Self::ShuttingDown => "SHUTTING_DOWN",
            Self::Internal => "INTERNAL",
        }
    }

    /// Whether the same call may succeed later although the caller changes nothing.
    pub fn retryable(self) -> bool {
        match self {
            Self::NoDisplay
            | Self::ConnectionLost
            | Self::Unresponsive
            | Self::ProtocolError
            | Self::CaptureFailed
            | Self::PointerElsewhere
            | Self::InputFrozen
            | Self::ProgramUnresponsive
            | Self::InputTaken
            | Self::ServerFull
            | Self::OutOfDescriptors
            | Self::NotPainted
            | Self::ConditionNotMet
            | Self::HumanInControl
            | Self::Deadline
            | Self::ShuttingDown => true,
            Self::AuthRefused
            | Self::Cancelled
            | Self::ControlChanged
            | Self::CookieUnreadable
            | Self::ScreenNotFound
            | Self::PixelFormatUnsupported
            | Self::ExtensionMissing
            | Self::KeymapChanged
            | Self::NotTaken
            | Self::WindowNotShown
            | Self::EncodeFailed
            | Self::TooLarge
            | Self::Internal => false,
        }
    }

    /// The check that the card and the doctor recommend.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::NoDisplay => "that the X server runs on this display",
            Self::AuthRefused => "that XAUTHORITY names the X server's cookie file",
            Self::CookieUnreadable => "that deskd's user may read the XAUTHORITY file",
            Self::ConnectionLost => "the X server's log: it may have crashed or restarted",
            Self::Unresponsive => "whether the X server is stopped, swapped out or overloaded",
            Self::ProtocolError => "that the socket belongs to an X server",
            Self::ScreenNotFound => "the screen number in the display name",
            Self::PixelFormatUnsupported => "that the X server has depth 24",
            Self::CaptureFailed => "the X server's log and memory",
            Self::ExtensionMissing => "the X server's extensions (`xdpyinfo`)",
            Self::KeymapChanged => "which program sets the keyboard layout",
            Self::InputTaken => "which other deskd runs on this display",
            Self::ServerFull => "which programs hold many connections (`xlsclients`)",
            Self::OutOfDescriptors => "the limit of open files (`ulimit -n`, LimitNOFILE)",
            Self::NotTaken => "what has the focus, and which chord it pastes by",
            Self::ConditionNotMet => {
                "the windows that the failure lists, or allow a longer timeout"
            }
            Self::WindowNotShown => "activate the window first",
            Self::InputFrozen => {
                "which program holds a synchronous grab; the window manager may hang"
            }
            Self::ProgramUnresponsive => "whether that program hangs or was stopped",
            Self::PointerElsewhere => "which program confines or moves the pointer",
            Self::NotPainted => {
                "that the desktop session started; `deskd ready` says what is missing"
            }
            Self::Deadline => "the machine's load, or allow a longer deadline",
            Self::Cancelled => "whether the caller went away, and who calls ReleaseAll",
            Self::HumanInControl => "who is in control (`deskd control status`)",
            Self::ControlChanged => "what the screen shows now",
            Self::EncodeFailed | Self::Internal => "deskd's log",
            Self::TooLarge => "ask for a smaller size, a region, JPEG, or a larger max_image_bytes",
            Self::ShuttingDown => "that deskd is started again",
        }
    }
}

/// A failed capture or step, as shown on a card and in its structured form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The stage that failed.
    pub stage: Stage,
    /// The cause.
    pub cause: Cause,
    /// One English sentence with the relevant values and without secrets.
    pub message: String,
}

impl Failure {
    /// The failure of calls that are still waiting at shutdown.
    pub fn stopping() -> Self {
        Self {
            stage: Stage::Shutdown,
            cause: Cause::ShuttingDown,
            message: "deskd is stopping".into(),
        }
    }
}
