//! The handle to the display, through which the rest of deskd sends requests to the X thread.

use std::{
    io,
    sync::{Arc, mpsc::TrySendError},
    time::Duration,
};

use tokio::sync::{oneshot, watch};

use crate::x11::{
    capture::grab::{CaptureChoice, Grab},
    command::{
        arrangement::FollowedWindow,
        order::{CursorReading, DisplayRequest, Link, LinkState, Proof, ThreadSetup},
        thread,
    },
    connection::{
        display_name::DisplayName, mailbox, mailbox::mailbox, pulse::Pulse, reach::ServerOwner,
        trust::Trust,
    },
    error::SILENCE,
};
use crate::{
    failure::{Cause, Failure, Stage},
    frame::Size,
};

/// Capacity of the queue of requests. Further requests are refused.
const QUEUE: usize = 1024;

/// Maximum age of the X thread's last loop iteration. An idle thread starts one every 2 s.
const STUCK: Duration = Duration::from_secs(10);

/// A handle to the display. It is cheap to share, and sending a request never blocks.
#[derive(Debug)]
pub struct Display {
    name: DisplayName,
    choice: CaptureChoice,
    commands: mailbox::Sender<DisplayRequest>,
    link: watch::Receiver<Link>,
    drawn: watch::Receiver<u64>,
    pulse: Arc<Pulse>,
    owner: ServerOwner,
    trust: Trust,
}

impl Display {
    /// Starts the X thread, which connects as soon as the display exists and `owner` allows its X
    /// server. A paint proof that is stored there is accepted only if `trust` confirms it.
    ///
    /// # Errors
    ///
    /// When no thread or file descriptor is left.
    pub fn open(
        name: DisplayName,
        choice: CaptureChoice,
        owner: ServerOwner,
        trust: Trust,
    ) -> io::Result<Self> {
        let (commands, inbox) = mailbox(QUEUE)?;
        let link = Link {
            state: LinkState::Connecting,
            last_screen: None,
            last_answer: None,
        };
        let (publish, link) = watch::channel(link);
        let (draw, drawn) = watch::channel(0);
        let pulse = Arc::new(Pulse::new());
        thread::spawn(ThreadSetup {
            name,
            choice,
            patience: SILENCE,
            inbox,
            publish,
            draw,
            pulse: Arc::clone(&pulse),
            owner: owner.clone(),
            trust: trust.clone(),
        })?;
        Ok(Self {
            name,
            choice,
            commands,
            link,
            drawn,
            pulse,
            owner,
            trust,
        })
    }

    /// A counter that increases when the server reports drawing, and when the connection is
    /// established or lost.
    pub fn drawn(&self) -> watch::Receiver<u64> {
        self.drawn.clone()
    }

    /// The X servers to which the display may connect.
    pub fn owner(&self) -> &ServerOwner {
        &self.owner
    }

    /// The X servers to which the display may connect, and the paint proofs accepted from them.
    pub(in crate::x11) fn reach(&self) -> (&ServerOwner, &Trust) {
        (&self.owner, &self.trust)
    }

    /// The fastest capture mode that may be used.
    pub fn choice(&self) -> CaptureChoice {
        self.choice
    }

    /// Stores a paint proof with the X server, unless the screen has changed since. Captures
    /// requested after this call report the proof.
    pub fn prove(&self, proof: Proof) {
        // If the thread has ended or the queue is full, the proof is dropped. The next caller that
        // waits for the paint proves it again.
        drop(self.commands.try_send(DisplayRequest::Prove(proof)));
    }

    /// Follows a window from the next capture on, so that captures report
    /// `Grab::arrangement`. At most 32 windows are followed; a further one replaces the oldest.
    pub fn follow(&self, window: FollowedWindow) {
        // If it is dropped, the captures report another arrangement than expected, or none.
        drop(self.commands.try_send(DisplayRequest::Follow(window)));
    }

    /// The display's name.
    pub fn name(&self) -> DisplayName {
        self.name
    }

    /// The state of the connection. The receiver is notified when the state changes.
    pub fn link(&self) -> watch::Receiver<Link> {
        self.link.clone()
    }

    /// How long the X thread has been waiting for the server's next byte; `None` when it does not
    /// wait.
    pub fn waiting(&self) -> Option<Duration> {
        self.pulse.waiting()
    }

    /// Captures the whole screen after this call began. Concurrent calls share one capture.
    ///
    /// Waits without a time limit: the caller sets the deadline.
    ///
    /// # Errors
    ///
    /// A failure that does not end by waiting.
    pub async fn capture(&self) -> Result<Arc<Grab>, Failure> {
        let (reply, answer) = oneshot::channel();
        self.send(DisplayRequest::Capture(reply))?;
        answer.await.unwrap_or_else(|_| Err(gone()))
    }

    /// Reads the pointer after this call began. Waits as [`Self::capture`] does.
    ///
    /// # Errors
    ///
    /// A failure that does not end by waiting.
    pub async fn cursor(&self) -> Result<CursorReading, Failure> {
        let (reply, answer) = oneshot::channel();
        self.send(DisplayRequest::Cursor(reply))?;
        answer.await.unwrap_or_else(|_| Err(gone()))
    }

    /// Resizes the screen. Returns false if the server does not accept that size. Waits as
    /// [`Self::capture`] does.
    ///
    /// # Errors
    ///
    /// A failure that does not end by waiting.
    pub async fn resize(&self, size: Size) -> Result<bool, Failure> {
        let (reply, answer) = oneshot::channel();
        self.send(DisplayRequest::Resize(size, reply))?;
        answer.await.unwrap_or_else(|_| Err(gone()))
    }

    /// Whether the X thread makes progress: it waits for the server, which has a time limit, or it
    /// started a loop iteration in the last 10 s.
    pub fn works(&self) -> bool {
        self.pulse.waiting().is_some() || self.pulse.turned() < STUCK
    }

    fn send(&self, command: DisplayRequest) -> Result<(), Failure> {
        self.commands
            .try_send(command)
            .map_err(|error| match error {
                TrySendError::Full(_) => Failure {
                    stage: Stage::Timeout,
                    cause: Cause::Deadline,
                    message: format!("{QUEUE} requests already wait for the X server"),
                },
                TrySendError::Disconnected(_) => gone(),
            })
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        // If the queue is full, the thread ends later, when it finds that the sender was dropped.
        drop(self.commands.try_send(DisplayRequest::Close));
    }
}

fn gone() -> Failure {
    let message = "the X thread has ended".into();
    Failure {
        stage: Stage::Capture,
        cause: Cause::Internal,
        message,
    }
}
