//! The thread that owns the connection, and the handle that the rest uses.
//!
//! X replies are waited for without limit by x11rb, so the waiting happens
//! here, and callers wait on channels with their own deadlines. A caller that
//! gives up takes nothing from the others: its request is dropped when its
//! turn comes. The connection is rebuilt only at end of stream, after a
//! protocol error, or after [`SILENCE`] with work pending; what was asked
//! meanwhile is done on the next connection.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, TrySendError, sync_channel},
    },
    time::{Duration, Instant},
};

use tokio::sync::{oneshot, watch};
use x11rb::{
    connection::Connection as _,
    protocol::{xfixes::ConnectionExt as _, xproto::ConnectionExt as _},
};

use super::{
    CaptureChoice, DisplayName, Error, Generation, Grab, ScreenInfo,
    capture::{Capturer, Known},
    connect::Server,
    cursor,
    socket::{Pulse, SILENCE},
};
use crate::frame::{Cause, CursorImage, Failure, Stage};

/// How often a quiet connection is asked whether it lives. Health wants an
/// answer at most 5 s old (design section 2), so two of them fit.
const HEARTBEAT: Duration = Duration::from_secs(2);

/// Requests that may wait at once: every stream of every connection (64 × 16).
const QUEUE: usize = 1024;

/// Pauses between attempts to connect: from the first to the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(250));

/// What the X thread is asked. Each answer goes to its own channel.
pub(super) enum Command {
    /// A capture that starts after this command was sent.
    Capture(oneshot::Sender<Result<Arc<Grab>, Failure>>),
    /// Where the pointer is now.
    Cursor(oneshot::Sender<Result<CursorReading, Failure>>),
    /// Look again: a segment was let go.
    Wake,
    /// End the thread.
    Close,
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

/// What is known of the connection.
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
    commands: SyncSender<Command>,
    link: watch::Receiver<Link>,
    pulse: Arc<Pulse>,
}

impl Display {
    /// Starts the thread, which connects as soon as the display exists.
    ///
    /// # Errors
    ///
    /// When the system has no thread left.
    pub fn open(name: DisplayName, choice: CaptureChoice) -> io::Result<Self> {
        Self::open_with_patience(name, choice, SILENCE)
    }

    pub(super) fn open_with_patience(
        name: DisplayName,
        choice: CaptureChoice,
        patience: Duration,
    ) -> io::Result<Self> {
        let (commands, inbox) = sync_channel(QUEUE);
        let link = Link {
            state: LinkState::Connecting,
            last_screen: None,
            last_answer: None,
        };
        let (publish, link) = watch::channel(link);
        let pulse = Arc::new(Pulse::new());
        let worker = Worker {
            name,
            choice,
            patience,
            inbox,
            wake: commands.clone(),
            publish,
            pulse: Arc::clone(&pulse),
            captures: Vec::new(),
            cursors: Vec::new(),
            grabs: 0,
        };
        std::thread::Builder::new()
            .name("x11".into())
            .spawn(move || worker.run())?;
        Ok(Self {
            name,
            commands,
            link,
            pulse,
        })
    }

    /// The display's name.
    pub fn name(&self) -> DisplayName {
        self.name
    }

    /// What is known of the connection, and a signal when it changes.
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
    /// A failure that waiting does not mend.
    pub async fn capture(&self) -> Result<Arc<Grab>, Failure> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Capture(reply))?;
        answer.await.unwrap_or_else(|_| Err(gone()))
    }

    /// The pointer, read after this call began. Waits as [`Self::capture`] does.
    ///
    /// # Errors
    ///
    /// A failure that waiting does not mend.
    pub async fn cursor(&self) -> Result<CursorReading, Failure> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Cursor(reply))?;
        answer.await.unwrap_or_else(|_| Err(gone()))
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

/// Why the work on a connection ended.
enum End {
    Closed,
    Failed(Error),
}

impl<E: Into<Error>> From<E> for End {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

struct Worker {
    name: DisplayName,
    choice: CaptureChoice,
    patience: Duration,
    inbox: Receiver<Command>,
    wake: SyncSender<Command>,
    publish: watch::Sender<Link>,
    pulse: Arc<Pulse>,
    captures: Vec<oneshot::Sender<Result<Arc<Grab>, Failure>>>,
    cursors: Vec<oneshot::Sender<Result<CursorReading, Failure>>>,
    grabs: u64,
}

impl Worker {
    fn run(mut self) {
        let mut pause = BACKOFF.0;
        loop {
            let before = Instant::now();
            // A defect in reading one reply must not end the daemon's sight.
            let end = catch_unwind(AssertUnwindSafe(|| self.one_connection()));
            let (failure, is_final) = match end {
                Ok(End::Closed) => return,
                Ok(End::Failed(error)) => (error.failure(), error.is_final()),
                Err(_) => {
                    let message = "a defect in deskd's reading of the X protocol".into();
                    (
                        Failure {
                            stage: Stage::Capture,
                            cause: Cause::Internal,
                            message,
                        },
                        false,
                    )
                }
            };
            self.report(&failure);
            if is_final {
                self.answer_all(&failure);
            }
            if before.elapsed() > BACKOFF.1 {
                pause = BACKOFF.0;
            }
            if !self.collect_for(pause) {
                return;
            }
            pause = (pause * 2).min(BACKOFF.1);
        }
    }

    /// Tells the log and the callers' side, once for each new failure.
    fn report(&self, failure: &Failure) {
        let repeated =
            matches!(&self.publish.borrow().state, LinkState::Down(last) if last == failure);
        if !repeated {
            tracing::warn!(
                display = %self.name, stage = failure.stage.name(), reason = failure.cause.name(),
                "no connection to the X server: {}", failure.message
            );
            self.publish
                .send_modify(|link| link.state = LinkState::Down(failure.clone()));
        }
    }

    fn answer_all(&mut self, failure: &Failure) {
        // A caller that has gone away needs no answer.
        for reply in self.captures.drain(..) {
            drop(reply.send(Err(failure.clone())));
        }
        for reply in self.cursors.drain(..) {
            drop(reply.send(Err(failure.clone())));
        }
    }

    /// Collects commands for that long. False when the thread must end.
    fn collect_for(&mut self, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.inbox.recv_timeout(left) {
                Ok(command) => {
                    if !self.accept(command) {
                        return false;
                    }
                }
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return false,
            }
        }
        self.forget_gone();
        true
    }

    fn accept(&mut self, command: Command) -> bool {
        match command {
            Command::Capture(reply) => self.captures.push(reply),
            Command::Cursor(reply) => self.cursors.push(reply),
            Command::Wake => {}
            Command::Close => return false,
        }
        true
    }

    /// Work that was queued for a caller who gave up never runs.
    fn forget_gone(&mut self) {
        self.captures.retain(|reply| !reply.is_closed());
        self.cursors.retain(|reply| !reply.is_closed());
    }

    fn one_connection(&mut self) -> End {
        match self.connect() {
            Ok((server, known, capturer)) => self.serve(&server, known, capturer),
            Err(error) => End::Failed(error),
        }
    }

    fn connect(&mut self) -> Result<(Server, Known, Capturer), Error> {
        let server = Server::open(self.name, self.patience, &self.pulse)?;
        let known = Known::read(&server)?;
        let capturer = Capturer::probe(&server, known.size, self.choice, self.wake.clone())?;
        let (mode, reason) = capturer.mode();
        tracing::info!(
            display = %self.name, size = %known.size, depth = server.depth, socket = ?server.socket,
            mode = ?mode, reason, generation = %known.generation, epoch = known.epoch,
            "connected to the X server"
        );
        Ok((server, known, capturer))
    }

    fn serve(&mut self, server: &Server, mut known: Known, mut capturer: Capturer) -> End {
        self.publish_screen(server, &known, &capturer);
        loop {
            match self.serve_once(server, &mut known, &mut capturer) {
                Ok(()) => {}
                Err(end) => return end,
            }
        }
    }

    /// Does all the work that can be done, then waits for more.
    fn serve_once(
        &mut self,
        server: &Server,
        known: &mut Known,
        capturer: &mut Capturer,
    ) -> Result<(), End> {
        loop {
            match self.inbox.try_recv() {
                Ok(command) => {
                    if !self.accept(command) {
                        return Err(End::Closed);
                    }
                }
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return Err(End::Closed),
            }
        }
        self.forget_gone();
        self.capture(server, known, capturer)?;
        self.read_cursor(server, known, capturer)?;
        // Errors of unchecked requests and MappingNotify come as events, and
        // would pile up.
        while server.conn.poll_for_event()?.is_some() {}
        match self.inbox.recv_timeout(HEARTBEAT) {
            Ok(command) => {
                if self.accept(command) {
                    Ok(())
                } else {
                    Err(End::Closed)
                }
            }
            Err(RecvTimeoutError::Disconnected) => Err(End::Closed),
            Err(RecvTimeoutError::Timeout) => Ok(self.heartbeat(server, known, capturer)?),
        }
    }

    /// One capture for all who wait.
    fn capture(
        &mut self,
        server: &Server,
        known: &mut Known,
        capturer: &mut Capturer,
    ) -> Result<(), Error> {
        if self.captures.is_empty() {
            return Ok(());
        }
        let before = (*known, capturer.mode().0);
        let grab = match capturer.grab(server, known, self.grabs + 1) {
            Ok(Some(grab)) => Ok(Arc::new(grab)),
            Ok(None) => return Ok(()),
            Err(error) if error.ends_connection() => return Err(error),
            Err(error) => Err(error.failure()),
        };
        self.grabs += 1;
        for reply in self.captures.drain(..) {
            // The caller may have given up meanwhile.
            drop(reply.send(grab.clone()));
        }
        if before == (*known, capturer.mode().0) {
            self.publish_answer();
        } else {
            self.publish_screen(server, known, capturer);
        }
        Ok(())
    }

    fn read_cursor(
        &mut self,
        server: &Server,
        known: &Known,
        capturer: &Capturer,
    ) -> Result<(), Error> {
        if self.cursors.is_empty() {
            return Ok(());
        }
        let conn = &server.conn;
        let pointer = conn.query_pointer(server.root)?;
        let image = if capturer.has_cursor() {
            Some(conn.xfixes_get_cursor_image()?)
        } else {
            None
        };
        let pointer = pointer
            .reply()
            .map_err(|error| Error::reply("QueryPointer", error))?;
        let reading = CursorReading {
            position: (pointer.root_x.into(), pointer.root_y.into()),
            image: image.map(cursor::image).transpose()?.flatten(),
            generation: known.generation,
            geometry_epoch: known.epoch,
        };
        for reply in self.cursors.drain(..) {
            drop(reply.send(Ok(reading.clone())));
        }
        self.publish_answer();
        Ok(())
    }

    fn heartbeat(
        &mut self,
        server: &Server,
        known: &mut Known,
        capturer: &mut Capturer,
    ) -> Result<(), Error> {
        capturer.trim(server)?;
        if server.geometry()? == known.size {
            self.publish_answer();
        } else {
            *known = Known::read(server)?;
            self.publish_screen(server, known, capturer);
        }
        Ok(())
    }

    /// Notes that the server answered. Who looks at the age of the answer looks
    /// by the second, so a burst of captures does not wake them each time.
    fn publish_answer(&self) {
        self.publish.send_if_modified(|link| {
            let now = Instant::now();
            let stale = link
                .last_answer
                .is_none_or(|last| now - last > HEARTBEAT / 2);
            if stale {
                link.last_answer = Some(now);
            }
            stale
        });
    }

    fn publish_screen(&self, server: &Server, known: &Known, capturer: &Capturer) {
        let screen = server.info(known, capturer);
        self.publish.send_modify(|link| {
            *link = Link {
                state: LinkState::Up(screen.clone()),
                last_screen: Some(screen),
                last_answer: Some(Instant::now()),
            };
        });
    }
}
