//! The handle to the display: what the rest of deskd may ask the X thread.

use std::{
    io,
    sync::{Arc, mpsc::TrySendError},
    time::Duration,
};

use tokio::sync::{oneshot, watch};

use crate::x11::{
    capture::grab::{CaptureChoice, Grab},
    command::{
        order::{CursorReading, DisplayRequest, Link, LinkState, Proof, ThreadSetup},
        thread,
    },
    connection::{
        display_name::DisplayName,
        mailbox,
        mailbox::mailbox,
        socket::{Pulse, ServerOwner},
        trust::Trust,
    },
    error::SILENCE,
};
use crate::{
    failure::{Cause, Failure, Stage},
    frame::Size,
};

/// Requests that may wait at once: every stream of every connection (64 × 16).
const QUEUE: usize = 1024;

/// The X thread comes round every 2 s when nothing happens.
const STUCK: Duration = Duration::from_secs(10);

/// A handle to the display: cheap to share, never blocks.
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
    /// Starts the thread, which connects as soon as the display exists and is
    /// `owner`'s. Of proofs that are kept with it those are believed that `trust` holds.
    ///
    /// # Errors
    ///
    /// When the system has no thread left.
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

    /// Rises when something was drawn since the last capture, and when the connection
    /// comes or goes.
    pub fn drawn(&self) -> watch::Receiver<u64> {
        self.drawn.clone()
    }

    /// The owner of the X server that it connects to.
    pub fn owner(&self) -> &ServerOwner {
        &self.owner
    }

    /// The owner of the X server that it connects to, and which records there are believed.
    pub(in crate::x11) fn reach(&self) -> (&ServerOwner, &Trust) {
        (&self.owner, &self.trust)
    }

    /// The fastest way to read pixels that may be used.
    pub fn choice(&self) -> CaptureChoice {
        self.choice
    }

    /// Keeps a proof with the X server, unless the screen is another one by now.
    /// Captures asked for after this call carry it.
    pub fn prove(&self, proof: Proof) {
        // Without the thread, or behind a full queue, the paint is proved again
        // by the next who waits.
        drop(self.commands.try_send(DisplayRequest::Prove(proof)));
    }

    /// The display's name.
    pub fn name(&self) -> DisplayName {
        self.name
    }

    /// The state of the connection, and a signal when it changes.
    pub fn link(&self) -> watch::Receiver<Link> {
        self.link.clone()
    }

    /// How long the X thread has been waiting for the server's next byte; `None`
    /// when it is not waiting.
    pub fn waiting(&self) -> Option<Duration> {
        self.pulse.waiting()
    }

    /// The whole screen, captured after this call began. Calls that wait
    /// together share one capture.
    ///
    /// Waits as long as it takes: the caller brings the deadline.
    ///
    /// # Errors
    ///
    /// A failure that does not go away by waiting.
    pub async fn capture(&self) -> Result<Arc<Grab>, Failure> {
        let (reply, answer) = oneshot::channel();
        self.send(DisplayRequest::Capture(reply))?;
        answer.await.unwrap_or_else(|_| Err(gone()))
    }

    /// The pointer, read after this call began. Waits as [`Self::capture`] does.
    ///
    /// # Errors
    ///
    /// A failure that does not go away by waiting.
    pub async fn cursor(&self) -> Result<CursorReading, Failure> {
        let (reply, answer) = oneshot::channel();
        self.send(DisplayRequest::Cursor(reply))?;
        answer.await.unwrap_or_else(|_| Err(gone()))
    }

    /// Resizes the screen. False when the server cannot take that size. Waits as
    /// [`Self::capture`] does.
    ///
    /// # Errors
    ///
    /// A failure that does not go away by waiting.
    pub async fn resize(&self, size: Size) -> Result<bool, Failure> {
        let (reply, answer) = oneshot::channel();
        self.send(DisplayRequest::Resize(size, reply))?;
        answer.await.unwrap_or_else(|_| Err(gone()))
    }

    /// Whether the X thread turns: it waits for the server, which is bounded, or
    /// it came round lately. A thread that does neither is stuck.
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
        // A full queue: the thread finds the receivers gone and ends later.
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
