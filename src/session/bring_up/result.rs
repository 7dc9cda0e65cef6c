//! Results and errors of a bring-up.

use super::super::paint::Readiness;
use crate::{
    frame::NoScreenSize,
    gate::Verdict,
    stack::{Numbered, wire::Component},
};

/// The kind of a bring-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Classification {
    /// Started from nothing.
    Cold,
    /// All components were up and the paint was proved.
    AlreadyReady,
    /// Another bring-up was in progress, and this call joined it.
    Contention,
    /// Another program starts this display.
    Unknown,
}

/// The result of a bring-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpResult {
    /// The desktop is up and, if the call waited for the paint, painted.
    Up,
    /// The X server or its keymap did not start.
    NoXServer,
    /// The VNC server did not start.
    VncFailed,
    /// The viewer's web server did not start.
    ViewerFailed,
    /// The session did not start, or the desktop was not painted in time.
    NotPainted,
    /// Another daemon manages the display.
    Locked,
    /// The caller's deadline passed first.
    TimedOut,
}

impl UpResult {
    /// Returns the result for a component that does not start.
    pub(super) fn of_failed(component: Component) -> Self {
        match component {
            Component::Xvfb | Component::Keymap => Self::NoXServer,
            Component::X11vnc => Self::VncFailed,
            Component::Websockify => Self::ViewerFailed,
            Component::Dbus | Component::Session | Component::SessionHelper | Component::Paint => {
                Self::NotPainted
            }
            Component::Lock => Self::Locked,
        }
    }
}

/// The details of a bring-up.
#[derive(Debug, Clone)]
pub struct BroughtUp {
    /// Whether the desktop is up; otherwise, what failed.
    pub result: UpResult,
    /// The kind of the bring-up.
    pub classification: Classification,
    /// The events of the bring-up.
    pub stages: Vec<Numbered>,
    /// The verdict on the paint; `None` if the call did not wait for it.
    pub paint: Option<Readiness>,
}

/// Why a request to the stack was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StackError {
    /// Another program starts this display.
    #[error(
        "deskd runs with --stack none: whoever started the display manages it; start deskd with --stack xfce"
    )]
    NotManaged,
    /// No X server supports this size.
    #[error(transparent)]
    Unsupported(#[from] NoScreenSize),
    /// The request was not carried out in time.
    #[error("not done in time: {0}")]
    Late(String),
}

pub(super) fn paint_result(ready: &Readiness) -> UpResult {
    match ready.evidence.verdict {
        Verdict::Ready => UpResult::Up,
        Verdict::NoDisplay => UpResult::NoXServer,
        Verdict::Blank | Verdict::Partial | Verdict::Unsettled => UpResult::NotPainted,
    }
}
