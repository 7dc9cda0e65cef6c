//! Errors between deskd and the X server, and the failures that cards show for them.

use std::{io, path::PathBuf, time::Duration};

use nix::errno::Errno;
use x11rb::{
    errors::{ConnectError, ConnectionError, ReplyError, ReplyOrIdError},
    protocol::ErrorKind,
    x11_utils::X11Error,
};

use crate::failure::{Cause, Failure, Stage};
use crate::frame::Size;
use crate::x11::connection::display_name::DisplayName;

/// Maximum time without a byte while a reply is due. After it, the connection is closed and
/// opened again.
pub(super) const SILENCE: Duration = Duration::from_secs(15);

/// An error of the connection to the display, or of a request on it.
#[derive(Debug, thiserror::Error)]
pub enum DisplayError {
    /// Neither of the display's sockets accepts a connection.
    #[error(
        "no X server answers on {display}: {path}: {path_error}; abstract socket: {abstract_error}"
    )]
    NoServer {
        /// The display asked for.
        display: DisplayName,
        /// The socket's path.
        path: PathBuf,
        /// The error of connecting to the path.
        path_error: io::Error,
        /// The error of connecting to the abstract socket.
        abstract_error: io::Error,
    },
    /// Another X server answers than the one that deskd starts on this display.
    #[error("the X server that deskd starts on {display} is not up")]
    Foreign {
        /// The display.
        display: DisplayName,
    },
    /// The X server refused the connection: the cookie is missing or wrong.
    #[error("the X server on {display} refused the connection ({said}); {cookie}")]
    Refused {
        /// The display asked for.
        display: DisplayName,
        /// The server's text, printable ASCII.
        said: String,
        /// The result of the search for a cookie.
        cookie: CookieLookup,
    },
    /// The X server has reached its maximum number of clients.
    #[error("the X server on {display} takes no further client ({said})")]
    Full {
        /// The display asked for.
        display: DisplayName,
        /// The server's text, printable ASCII.
        said: String,
    },
    /// The X server sent nothing for this time while a reply was due.
    #[error("the X server sent nothing for {} s", .0.as_secs())]
    Silent(Duration),
    /// The connection ended.
    #[error("the connection to the X server ended: {0}")]
    Lost(#[source] io::Error),
    /// The X server violated the X protocol.
    #[error("the X server broke the X protocol: {0}")]
    Protocol(&'static str),
    /// A screen number that the server does not have.
    #[error("the X server on {display} has no screen {}", display.screen)]
    NoScreen {
        /// The display asked for.
        display: DisplayName,
    },
    /// A pixel format that deskd cannot convert exactly.
    #[error("the screen's pixels are of {0}; deskd reads TrueColor of depth 30, 24 and 16")]
    PixelFormat(String),
    /// The X server lacks an extension.
    #[error("the X server has no {0} extension")]
    NoExtension(&'static str),
    /// The selection `_DESKD_INPUT` has another owner: another deskd that gives input on this
    /// display, or a program that claims to.
    #[error(
        "{0} owns the selection _DESKD_INPUT, as a deskd that gives input on this display does: use that deskd, or end it"
    )]
    InputTaken(String),
    /// The X server refused a request.
    #[error("the X server answered {request} with {error}")]
    Request {
        /// The request's name.
        request: &'static str,
        /// The X error's name.
        error: String,
        /// Whether the error is BadMatch: the request does not fit the screen's current state.
        is_match: bool,
    },
    /// The screen changed its size during every attempt to read it.
    #[error(
        "the screen was resized during each of {0} captures; try again when its size is stable"
    )]
    Resizing(u32),
    /// The screen is larger than deskd supports.
    #[error("the screen is {0}, beyond the limit of deskd")]
    TooLarge(Size),
    /// Shared memory could not be allocated.
    #[error("shared memory: {0}")]
    SharedMemory(#[source] io::Error),
    /// The X server has no more resource ids.
    #[error("the X server has no more resource ids for deskd")]
    IdsExhausted,
}

/// The result of the search for a cookie.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CookieLookup {
    /// A cookie was found and sent.
    #[error("the cookie that XAUTHORITY has for it is wrong")]
    Sent,
    /// The file has no cookie for this display, or there is no file.
    #[error("no cookie for it was found in {0}")]
    None(String),
    /// The file cannot be read.
    #[error("the cookie file {0} cannot be read: {1}")]
    Unreadable(String, String),
}

impl DisplayError {
    /// Whether the connection can no longer be used.
    pub(super) fn ends_connection(&self) -> bool {
        !matches!(
            self,
            Self::Request { .. } | Self::Resizing(_) | Self::SharedMemory(_) | Self::TooLarge(_)
        )
    }

    /// Whether a retry soon is pointless. Callers then get the error at once and not at their
    /// deadline.
    pub(super) fn is_final(&self) -> bool {
        matches!(
            self,
            Self::Refused { .. }
                | Self::NoScreen { .. }
                | Self::PixelFormat(_)
                | Self::NoExtension(_)
        )
    }

    /// The failure that a failure card shows.
    pub fn failure(&self) -> Failure {
        let (stage, cause) = match self {
            _ if self.is_out_of_descriptors() => (Stage::Connect, Cause::OutOfDescriptors),
            Self::Full { .. } => (Stage::Connect, Cause::ServerFull),
            Self::NoServer { .. } | Self::Foreign { .. } => (Stage::Connect, Cause::NoDisplay),
            Self::Refused {
                cookie: CookieLookup::Unreadable(..),
                ..
            } => (Stage::Auth, Cause::CookieUnreadable),
            Self::Refused { .. } => (Stage::Auth, Cause::AuthRefused),
            Self::Silent(_) => (Stage::Timeout, Cause::Unresponsive),
            Self::Lost(_) => (Stage::Connect, Cause::ConnectionLost),
            Self::Protocol(_) => (Stage::Connect, Cause::ProtocolError),
            Self::NoScreen { .. } => (Stage::Display, Cause::ScreenNotFound),
            Self::PixelFormat(_) => (Stage::Display, Cause::PixelFormatUnsupported),
            Self::NoExtension(_) => (Stage::Display, Cause::ExtensionMissing),
            Self::InputTaken(_) => (Stage::Input, Cause::InputTaken),
            Self::Request { .. }
            | Self::Resizing(_)
            | Self::TooLarge(_)
            | Self::SharedMemory(_)
            | Self::IdsExhausted => (Stage::Capture, Cause::CaptureFailed),
        };
        Failure {
            stage,
            cause,
            message: self.to_string(),
        }
    }

    fn is_out_of_descriptors(&self) -> bool {
        let error = match self {
            Self::NoServer { path_error, .. } => path_error,
            Self::Lost(error) | Self::SharedMemory(error) => error,
            _ => return false,
        };
        let number = error.raw_os_error().map(Errno::from_raw);
        matches!(number, Some(Errno::EMFILE | Errno::ENFILE))
    }

    /// Converts an I/O error of the connection.
    pub(super) fn io(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::TimedOut => Self::Silent(SILENCE),
            io::ErrorKind::InvalidData => Self::Protocol("a packet is longer than any screen"),
            _ => Self::Lost(error),
        }
    }

    /// Converts the error of a reply to `request`.
    pub(super) fn reply(request: &'static str, error: ReplyError) -> Self {
        match error {
            ReplyError::ConnectionError(error) => error.into(),
            ReplyError::X11Error(error) => Self::x11(request, &error),
        }
    }

    /// Converts the error of a request that also takes a resource id.
    pub(super) fn reply_or_id(request: &'static str, error: ReplyOrIdError) -> Self {
        match error {
            ReplyOrIdError::IdsExhausted => Self::IdsExhausted,
            ReplyOrIdError::ConnectionError(error) => error.into(),
            ReplyOrIdError::X11Error(error) => Self::x11(request, &error),
        }
    }

    /// Returns the error for a resource of this connection that was destroyed. Any X client can
    /// destroy the resources of any other, and the server does not report it. The connection is
    /// closed and opened again.
    pub(super) fn robbed(what: &str) -> Self {
        let why = format!("another program destroyed deskd's {what} on the X server");
        Self::Lost(io::Error::other(why))
    }

    fn x11(request: &'static str, error: &X11Error) -> Self {
        match error.error_kind {
            ErrorKind::ShmBadSeg => return Self::robbed("shared memory"),
            ErrorKind::DamageBadDamage => return Self::robbed("record of what is drawn"),
            ErrorKind::XfixesBadRegion => return Self::robbed("region"),
            _ => {}
        }
        Self::Request {
            request,
            error: format!("{:?} (code {})", error.error_kind, error.error_code),
            is_match: error.error_kind == ErrorKind::Match,
        }
    }
}

impl From<ConnectionError> for DisplayError {
    fn from(error: ConnectionError) -> Self {
        match error {
            ConnectionError::IoError(error) => Self::io(error),
            ConnectionError::ParseError(_) => Self::Protocol("a reply cannot be parsed"),
            ConnectionError::UnsupportedExtension => Self::Protocol("an extension has vanished"),
            ConnectionError::MaximumRequestLengthExceeded => {
                Self::Protocol("its longest request is too short")
            }
            ConnectionError::FdPassingFailed => Self::Protocol("it takes no file descriptors"),
            ConnectionError::InsufficientMemory | ConnectionError::UnknownError => {
                Self::Lost(io::Error::from(io::ErrorKind::Other))
            }
            _ => Self::Lost(io::Error::from(io::ErrorKind::Other)),
        }
    }
}

impl From<ConnectError> for DisplayError {
    /// Converts every error except a refusal, which `refusal` in `connection::server` converts.
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::IoError(error) => Self::io(error),
            ConnectError::Incomplete { .. } => {
                Self::Lost(io::Error::from(io::ErrorKind::UnexpectedEof))
            }
            ConnectError::ZeroIdMask => Self::Protocol("its resource id mask is zero"),
            _ => Self::Protocol("its greeting cannot be parsed"),
        }
    }
}

/// Converts the error of a server that has no more resource ids.
pub(super) fn no_id(error: ReplyOrIdError) -> DisplayError {
    DisplayError::reply_or_id("GetXIDRange", error)
}
