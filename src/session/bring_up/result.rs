//! What came of a bring-up.

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
    /// All was up and proved.
    AlreadyReady,
    /// Another bring-up was under way, and was joined.
    Contention,
    /// Another program starts this display.
    Unknown,
}

/// The result of a bring-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpResult {
    /// The desktop is up and, if that was waited for, painted.
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
    /// The caller's time ended first.
    TimedOut,
}

impl UpResult {
    /// The result when that component does not start.
    pub(super) fn of_failed(component: Component) -> Self {
        match component {
            Component::Xvfb | Component::Keymap => Self::NoXServer,
            Component::X11vnc => Self::VncFailed,
            Component::Websockify => Self::ViewerFailed,
            Component::Dbus | Component::Session | Component::Paint => Self::NotPainted,
            Component::Lock => Self::Locked,
        }
    }
}

/// How a bring-up went.
#[derive(Debug, Clone)]
pub struct BroughtUp {
    /// Whether the desktop is up, and what failed otherwise.
    pub result: UpResult,
    /// Its kind.
    pub classification: Classification,
    /// Its stages.
    pub stages: Vec<Numbered>,
    /// The paint's verdict; `None` when it was not waited for.
    pub paint: Option<Readiness>,
}

/// Why the stack did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StackError {
    /// Another program starts this display.
    #[error(
        "deskd runs with --stack none: whoever started the display manages it; start deskd with --stack xfce"
    )]
    NotManaged,
    /// No server takes that size.
    #[error(transparent)]
    Unsupported(#[from] NoScreenSize),
    /// It was not done in time.
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
