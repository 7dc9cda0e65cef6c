//! The handle to the display: what the rest of deskd may ask the X thread.

use std::{
    io,
    sync::{Arc, mpsc::TrySendError},
    time::{Duration, Instant},
};

use tokio::sync::{oneshot, watch};

use super::{
    CaptureChoice, DisplayName, Generation, Grab, ScreenInfo,
    mailbox::{self, mailbox},
    socket::{Owner, Pulse, SILENCE},
    thread::{self, Job},
    trust::Trust,
};
use crate::{
    facts::{Profile, WindowId},
    failure::{Cause, Failure, Stage},
    frame::{CursorImage, Size},
};

/// Requests that may wait at once: every stream of every connection (64 × 16).
const QUEUE: usize = 1024;

/// The X thread comes round every 2 s when nothing happens.
const STUCK: Duration = Duration::from_secs(10);

/// A request to the X thread. Each answer goes to its own channel.
#[derive(Debug)]
pub(super) enum Command {
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

/// A handle to the display: cheap to share, never blocks.
#[derive(Debug)]
pub struct Display {
    name: DisplayName,
    choice: CaptureChoice,
    commands: mailbox::Sender<Command>,
    link: watch::Receiver<Link>,
    drawn: watch::Receiver<u64>,
    pulse: Arc<Pulse>,
    owner: Owner,
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
        owner: Owner,
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
        thread::spawn(Job {
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
    pub fn owner(&self) -> &Owner {
        &self.owner
    }

    /// The owner of the X server that it connects to, and which records there are believed.
    pub(super) fn reach(&self) -> (&Owner, &Trust) {
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
        drop(self.commands.try_send(Command::Prove(proof)));
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
        self.send(Command::Capture(reply))?;
        answer.await.unwrap_or_else(|_| Err(gone()))
    }

    /// The pointer, read after this call began. Waits as [`Self::capture`] does.
    ///
    /// # Errors
    ///
    /// A failure that does not go away by waiting.
    pub async fn cursor(&self) -> Result<CursorReading, Failure> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Cursor(reply))?;
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
        self.send(Command::Resize(size, reply))?;
        answer.await.unwrap_or_else(|_| Err(gone()))
    }

    /// Whether the X thread turns: it waits for the server, which is bounded, or
    /// it came round lately. A thread that does neither is stuck.
    pub fn works(&self) -> bool {
        self.pulse.waiting().is_some() || self.pulse.turned() < STUCK
    }

    fn send(&self, command: Command) -> Result<(), Failure> {
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
        drop(self.commands.try_send(Command::Close));
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
