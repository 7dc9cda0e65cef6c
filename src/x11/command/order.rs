//! The requests to the X thread, and what it reports.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::{oneshot, watch};

use crate::x11::{
    capture::grab::{CaptureChoice, Grab},
    connection::{
        display_name::DisplayName,
        mailbox::Receiver,
        socket::{Pulse, ServerOwner},
        trust::Trust,
    },
    screen::{info::ScreenInfo, root_state::Generation},
};
use crate::{
    facts::{Profile, WindowId},
    failure::Failure,
    frame::{CursorImage, Size},
};

/// A request to the X thread. Each answer goes to its own channel.
#[derive(Debug)]
pub(in crate::x11) enum DisplayRequest {
    /// A capture that starts after this command was sent.
    Capture(oneshot::Sender<Result<Arc<Grab>, Failure>>),
    /// Where the pointer is now.
    Cursor(oneshot::Sender<Result<CursorReading, Failure>>),
    /// Keep a proof of paint, if it is of the screen as it is now.
    Prove(Proof),
    /// Resize the screen: whether the server took the size.
    Resize(Size, oneshot::Sender<Result<bool, Failure>>),
    /// End the thread.
    Close,
}

/// A proof of paint, to be kept with the X server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// The profile that was proved.
    pub profile: Profile,
    /// The X server that it was proved of.
    pub generation: Generation,
    /// At which size.
    pub geometry_epoch: u64,
    /// The windows that carry it: with the last of them it is void. None: it
    /// stands until the screen is resized or the server ends.
    pub windows: Vec<WindowId>,
}

/// The pointer at one instant.
#[derive(Debug, Clone)]
pub struct CursorReading {
    /// Column and row on the screen.
    pub position: (i32, i32),
    /// Its image; `None` when the server shows none.
    pub image: Option<CursorImage>,
    /// Identity of the X server.
    pub generation: Generation,
    /// Rises with each resize.
    pub geometry_epoch: u64,
}

/// The state of the connection.
#[derive(Debug, Clone)]
pub struct Link {
    /// Whether there is one.
    pub state: LinkState,
    /// The screen as last seen, also after the connection was lost.
    pub last_screen: Option<ScreenInfo>,
    /// When the server last answered.
    pub last_answer: Option<Instant>,
}

/// Whether there is a connection.
#[derive(Debug, Clone)]
pub enum LinkState {
    /// Not yet tried to the end.
    Connecting,
    /// Connected.
    Up(ScreenInfo),
    /// Not connected, and why; deskd keeps trying.
    Down(Failure),
}

/// The work of the thread, as its handle requests it.
pub(in crate::x11) struct ThreadSetup {
    pub(in crate::x11) name: DisplayName,
    pub(in crate::x11) choice: CaptureChoice,
    pub(in crate::x11) patience: Duration,
    pub(in crate::x11) inbox: Receiver<DisplayRequest>,
    pub(in crate::x11) publish: watch::Sender<Link>,
    pub(in crate::x11) draw: watch::Sender<u64>,
    pub(in crate::x11) pulse: Arc<Pulse>,
    pub(in crate::x11) owner: ServerOwner,
    pub(in crate::x11) trust: Trust,
}

/// Requests that are not done. They outlive a connection.
#[derive(Default)]
pub(in crate::x11) struct Orders {
    pub(in crate::x11) captures: Vec<oneshot::Sender<Result<Arc<Grab>, Failure>>>,
    pub(in crate::x11) cursors: Vec<oneshot::Sender<Result<CursorReading, Failure>>>,
    pub(in crate::x11) proofs: Vec<Proof>,
    pub(in crate::x11) resizes: Vec<(Size, oneshot::Sender<Result<bool, Failure>>)>,
    /// Captures made so far.
    pub(in crate::x11) grabs: u64,
}

impl Orders {
    pub(in crate::x11) fn answer_all(&mut self, failure: &Failure) {
        // A caller that has gone away needs no answer.
        for reply in self.captures.drain(..) {
            drop(reply.send(Err(failure.clone())));
        }
        for reply in self.cursors.drain(..) {
            drop(reply.send(Err(failure.clone())));
        }
        for (_, reply) in self.resizes.drain(..) {
            drop(reply.send(Err(failure.clone())));
        }
    }

    pub(in crate::x11) fn accept(&mut self, command: DisplayRequest) -> bool {
        match command {
            DisplayRequest::Capture(reply) => self.captures.push(reply),
            DisplayRequest::Cursor(reply) => self.cursors.push(reply),
            DisplayRequest::Resize(size, reply) => self.resizes.push((size, reply)),
            DisplayRequest::Prove(proof) => self.proofs.push(proof),
            DisplayRequest::Close => return false,
        }
        true
    }

    /// Work that was queued for a caller who gave up never runs.
    pub(in crate::x11) fn forget_gone(&mut self) {
        self.captures.retain(|reply| !reply.is_closed());
        self.cursors.retain(|reply| !reply.is_closed());
        self.resizes.retain(|(_, reply)| !reply.is_closed());
    }
}
