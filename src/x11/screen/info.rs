//! The properties of a connected screen, as reported to callers.

use crate::x11::{
    capture::grab::Capturer,
    connection::{reach::SocketKind, server::Server},
    screen::{known::KnownScreen, root_state::Generation},
};
use crate::{
    facts::Profile,
    frame::{CaptureMode, Size},
};

/// The properties of a connected screen.
#[derive(Debug, Clone)]
pub struct ScreenInfo {
    /// Size in pixels, as last read.
    pub size: Size,
    /// Dots per inch, rounded, as the server reported when the connection was made.
    pub dpi: u32,
    /// Bits of a pixel that carry colour.
    pub depth: u8,
    /// Identity of the X server.
    pub generation: Generation,
    /// Rises with each resize.
    pub geometry_epoch: u64,
    /// The profile of the valid paint proof: under this profile, the desktop was seen completely
    /// painted and at rest.
    pub proof: Option<Profile>,
    /// Number of existing windows that carry the paint proof.
    pub carriers: usize,
    /// The mode in which pixels are read.
    pub capture_mode: CaptureMode,
    /// Why the mode is not `ShmFd`.
    pub capture_mode_reason: Option<String>,
    /// Whether the server provides the image of its cursor (XFIXES).
    pub has_cursor: bool,
    /// Whether the server reports drawing (DAMAGE).
    pub has_damage: bool,
    /// Whether the server accepts input from its clients (XTEST).
    pub has_xtest: bool,
    /// Whether the server draws single windows apart (Composite).
    pub has_composite: bool,
    /// The kind of socket that the connection uses.
    pub socket: SocketKind,
    /// User id of the X server, if the kernel reports it.
    pub server_uid: Option<u32>,
}

impl ScreenInfo {
    /// Collects the properties. `carriers` is 0; the caller sets it.
    pub(in crate::x11) fn of(server: &Server, known: &KnownScreen, capturer: &Capturer) -> Self {
        let (capture_mode, capture_mode_reason) = capturer.mode();
        Self {
            size: known.size,
            dpi: server.dpi,
            depth: server.depth,
            generation: known.generation,
            geometry_epoch: known.epoch,
            proof: known.proof,
            carriers: 0,
            capture_mode,
            capture_mode_reason,
            has_cursor: capturer.cursor().is_there(),
            has_damage: capturer.has_damage(),
            has_xtest: server.has_xtest,
            has_composite: server.has_composite,
            socket: server.socket,
            server_uid: server.server_uid,
        }
    }
}
