//! The requests to the X thread, and the state that it reports.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::{oneshot, watch};

use crate::x11::{
    capture::grab::{CaptureChoice, Grab},
    command::arrangement::FollowedWindow,
    connection::{
        display_name::DisplayName, mailbox::Receiver, pulse::Pulse, reach::ServerOwner,
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
    /// Capture the screen, after this request was sent.
    Capture(oneshot::Sender<Result<Arc<Grab>, Failure>>),
    /// Read the pointer's current position and image.
    Cursor(oneshot::Sender<Result<CursorReading, Failure>>),
    /// Follow a window from now on, so that captures report [`Grab::arrangement`].
    Follow(FollowedWindow),
    /// Store a paint proof, if it belongs to the current screen.
    Prove(Proof),
    /// Resize the screen. The answer is whether the server accepted the size.
    Resize(Size, oneshot::Sender<Result<bool, Failure>>),
    /// End the thread.
    Close,
}

/// A paint proof, to be stored with the X server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// The profile under which the desktop is painted.
    pub profile: Profile,
    /// The generation of the X server to which the proof applies.
    pub generation: Generation,
    /// The geometry epoch to which the proof applies.
    pub geometry_epoch: u64,
    /// The windows that carry the proof. The proof is void when the last of them is destroyed. If
    /// there are none, it is valid until the screen is resized or the server ends.
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

/// The state of the connection to the X server.
#[derive(Debug, Clone)]
pub struct Link {
    /// Whether deskd is connected.
    pub state: LinkState,
    /// The screen as last read, also after the connection was lost.
    pub last_screen: Option<ScreenInfo>,
    /// When the server last answered.
    pub last_answer: Option<Instant>,
}

/// Whether deskd is connected to the X server.
#[derive(Debug, Clone)]
pub enum LinkState {
    /// The first attempt to connect has not ended.
    Connecting,
    /// Connected.
    Up(ScreenInfo),
    /// Not connected, and the reason; deskd keeps trying.
    Down(Failure),
}

/// The parameters of the X thread, set by its handle.
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

/// Pending requests. They are kept when a connection ends.
#[derive(Default)]
pub(in crate::x11) struct Orders {
    pub(in crate::x11) captures: Vec<oneshot::Sender<Result<Arc<Grab>, Failure>>>,
    pub(in crate::x11) cursors: Vec<oneshot::Sender<Result<CursorReading, Failure>>>,
    pub(in crate::x11) proofs: Vec<Proof>,
    pub(in crate::x11) follows: Vec<FollowedWindow>,
    pub(in crate::x11) resizes: Vec<(Size, oneshot::Sender<Result<bool, Failure>>)>,
    /// Number of captures so far.
    pub(in crate::x11) grabs: u64,
}

impl Orders {
    pub(in crate::x11) fn answer_all(&mut self, failure: &Failure) {
        // A caller that has given up needs no answer.
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
            DisplayRequest::Follow(window) => self.follows.push(window),
            DisplayRequest::Prove(proof) => self.proofs.push(proof),
            DisplayRequest::Close => return false,
        }
        true
    }

    /// Drops the requests whose callers have given up.
    pub(in crate::x11) fn forget_gone(&mut self) {
        self.captures.retain(|reply| !reply.is_closed());
        self.cursors.retain(|reply| !reply.is_closed());
        self.resizes.retain(|(_, reply)| !reply.is_closed());
    }
}
