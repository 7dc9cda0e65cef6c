//! The thread that owns the connection.
//!
//! X replies are waited for without limit by x11rb, so the waiting happens
//! here, and callers wait on channels with their own deadlines. A caller that
//! gives up takes nothing from the others: its request is dropped when its
//! turn comes. The connection is rebuilt only at end of stream, after a
//! protocol error, or after [`SILENCE`](super::socket::SILENCE) with work
//! pending; what was asked meanwhile is done on the next connection.

use std::{
    io,
    os::fd::AsFd,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, mpsc::TryRecvError},
    time::{Duration, Instant},
};

use tokio::sync::{oneshot, watch};
use x11rb::{
    connection::Connection as _,
    protocol::{
        Event,
        xfixes::ConnectionExt as _,
        xproto::{ChangeWindowAttributesAux, ConnectionExt as _, EventMask, Window},
    },
};

use super::{
    CaptureChoice, CursorReading, DisplayName, Error, Grab, Link, LinkState, Proof, ScreenInfo,
    capture::{Capturer, Known},
    connect::Server,
    cursor,
    display::Command,
    mailbox::{Receiver, Sender, Woken},
    resize,
    root_state::{self, Proven, RootState},
    socket::{Owner, Pulse},
};
use crate::frame::{Cause, Failure, Size, Stage};

/// How often a quiet connection is asked whether it lives. Health wants an
/// answer at most 5 s old (design section 2), so two of them fit.
const HEARTBEAT: Duration = Duration::from_secs(2);

/// Pauses between attempts to connect: from the first to the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(250));

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

/// What the thread needs from its handle.
pub(super) struct Job {
    pub(super) name: DisplayName,
    pub(super) choice: CaptureChoice,
    pub(super) patience: Duration,
    pub(super) inbox: Receiver,
    /// Wakes the thread itself, when a segment is let go.
    pub(super) wake: Sender,
    pub(super) publish: watch::Sender<Link>,
    pub(super) pulse: Arc<Pulse>,
    pub(super) owner: Owner,
}

/// Starts the thread, which ends by [`Command::Close`].
pub(super) fn spawn(job: Job) -> io::Result<()> {
    let worker = Worker {
        job,
        captures: Vec::new(),
        cursors: Vec::new(),
        proofs: Vec::new(),
        resizes: Vec::new(),
        carriers: Vec::new(),
        grabs: 0,
    };
    std::thread::Builder::new()
        .name("x11".into())
        .spawn(move || worker.run())?;
    Ok(())
}

struct Worker {
    job: Job,
    captures: Vec<oneshot::Sender<Result<Arc<Grab>, Failure>>>,
    cursors: Vec<oneshot::Sender<Result<CursorReading, Failure>>>,
    proofs: Vec<Proof>,
    resizes: Vec<(Size, oneshot::Sender<Result<bool, Failure>>)>,
    /// Windows that carry the proof.
    carriers: Vec<Window>,
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
            matches!(&self.job.publish.borrow().state, LinkState::Down(last) if last == failure);
        if !repeated {
            tracing::warn!(
                display = %self.job.name, stage = failure.stage.name(), reason = failure.cause.name(),
                "no connection to the X server: {}", failure.message
            );
            self.job
                .publish
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
        for (_, reply) in self.resizes.drain(..) {
            drop(reply.send(Err(failure.clone())));
        }
    }

    /// Collects commands for that long. False when the thread must end.
    fn collect_for(&mut self, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        loop {
            self.job.pulse.turn();
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            // Without a socket to wait for, only commands wake it.
            if self.job.inbox.wait(None, left).is_err() || !self.take_commands() {
                return false;
            }
        }
        self.forget_gone();
        true
    }

    /// Takes all commands that wait. False when the thread must end.
    fn take_commands(&mut self) -> bool {
        loop {
            match self.job.inbox.try_recv() {
                Ok(command) => {
                    if !self.accept(command) {
                        return false;
                    }
                }
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn accept(&mut self, command: Command) -> bool {
        match command {
            Command::Capture(reply) => self.captures.push(reply),
            Command::Cursor(reply) => self.cursors.push(reply),
            Command::Resize(size, reply) => self.resizes.push((size, reply)),
            Command::Prove(proof) => self.proofs.push(proof),
            Command::Wake => {}
            Command::Close => return false,
        }
        true
    }

    /// Work that was queued for a caller who gave up never runs.
    fn forget_gone(&mut self) {
        self.captures.retain(|reply| !reply.is_closed());
        self.cursors.retain(|reply| !reply.is_closed());
        self.resizes.retain(|(_, reply)| !reply.is_closed());
    }

    fn one_connection(&mut self) -> End {
        match self.connect() {
            Ok((server, known, capturer)) => self.serve(&server, known, capturer),
            Err(error) => End::Failed(error),
        }
    }

    fn connect(&mut self) -> Result<(Server, Known, Capturer), Error> {
        let server = Server::open(
            self.job.name,
            self.job.patience,
            &self.job.pulse,
            &self.job.owner,
        )?;
        // Resizes are told, and the end of the windows that carry the proof.
        let watch = ChangeWindowAttributesAux::new().event_mask(EventMask::STRUCTURE_NOTIFY);
        server
            .conn
            .change_window_attributes(server.root, &watch)?
            .ignore_error();
        let (known, carriers) = Known::read(&server)?;
        root_state::watch(&server.conn, &carriers)?;
        self.carriers = carriers;
        let capturer =
            Capturer::probe(&server, known.size, self.job.choice, self.job.wake.clone())?;
        let (mode, reason) = capturer.mode();
        tracing::info!(
            display = %self.job.name, size = %known.size, depth = server.depth, socket = ?server.socket,
            mode = ?mode, reason, generation = %known.generation, epoch = known.epoch,
            proof = known.proof.map(tracing::field::display),
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
        self.job.pulse.turn();
        if !self.take_commands() {
            return Err(End::Closed);
        }
        self.forget_gone();
        self.resize(server, known, capturer)?;
        self.keep_proofs(server, known, capturer)?;
        self.capture(server, known, capturer)?;
        self.read_cursor(server, known, capturer)?;
        self.take_events(server, known, capturer)?;
        server.conn.flush()?;
        let socket = server.conn.stream();
        match self
            .job
            .inbox
            .wait(Some(socket.as_fd()), HEARTBEAT)
            .map_err(Error::Lost)?
        {
            Woken::Work => Ok(()),
            Woken::Time => Ok(self.heartbeat(server, known, capturer)?),
        }
    }

    /// What the server tells by itself: resizes, and the end of windows. Errors
    /// of unchecked requests and MappingNotify come as events too, and would
    /// pile up.
    fn take_events(
        &mut self,
        server: &Server,
        known: &mut Known,
        capturer: &Capturer,
    ) -> Result<(), Error> {
        while let Some(event) = server.conn.poll_for_event()? {
            match event {
                Event::ConfigureNotify(event) if event.window == server.root => {
                    self.look_again(server, known, capturer)?;
                }
                Event::DestroyNotify(event) if self.carriers.contains(&event.window) => {
                    self.carriers.retain(|window| *window != event.window);
                    if self.carriers.is_empty() && known.proof.is_some() {
                        self.void(server, known, capturer)?;
                    } else {
                        self.publish_screen(server, known, capturer);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The last window that carried the proof has gone.
    fn void(&self, server: &Server, known: &mut Known, capturer: &Capturer) -> Result<(), Error> {
        tracing::info!("the windows that carried the proof of paint have gone");
        known.proof = None;
        root_state::set_proof(&server.conn, server.root, &state(known, None))?;
        self.publish_screen(server, known, capturer);
        Ok(())
    }

    fn resize(
        &mut self,
        server: &Server,
        known: &mut Known,
        capturer: &Capturer,
    ) -> Result<(), Error> {
        while let Some((size, reply)) = self.resizes.pop() {
            let result = match resize::resize(server, server.dpi, size) {
                Err(error) if error.ends_connection() => return Err(error),
                result => result.map_err(|error| error.failure()),
            };
            self.look_again(server, known, capturer)?;
            drop(reply.send(result));
        }
        Ok(())
    }

    fn keep_proofs(
        &mut self,
        server: &Server,
        known: &mut Known,
        capturer: &Capturer,
    ) -> Result<(), Error> {
        for proof in std::mem::take(&mut self.proofs) {
            let current =
                proof.generation == known.generation && proof.geometry_epoch == known.epoch;
            let better = !known.proof.is_some_and(|kept| kept.implies(proof.profile));
            if !(current && better) {
                continue;
            }
            let proven = Proven {
                profile: proof.profile,
                windows: proof.windows,
            };
            let state = state(known, Some(proven));
            if let Some(carriers) = root_state::set_proof(&server.conn, server.root, &state)? {
                tracing::info!(profile = %proof.profile, generation = %known.generation, "the paint is proved");
                self.carriers = carriers;
                known.proof = Some(proof.profile);
                self.publish_screen(server, known, capturer);
            }
        }
        Ok(())
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
            Ok(Some(grab)) => Ok(grab),
            Ok(None) => return Ok(()),
            Err(error) if error.ends_connection() => return Err(error),
            Err(error) => Err(error.failure()),
        };
        // What was told before the pixels lies before them in the stream.
        self.take_events(server, known, capturer)?;
        let grab = grab.map(|mut grab| {
            let same = (grab.generation, grab.geometry_epoch) == (known.generation, known.epoch);
            grab.proof = known.proof.filter(|_| same);
            Arc::new(grab)
        });
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
        self.look_again(server, known, capturer)
    }

    /// Notes a resize.
    fn look_again(
        &self,
        server: &Server,
        known: &mut Known,
        capturer: &Capturer,
    ) -> Result<(), Error> {
        if server.geometry()? == known.size {
            self.publish_answer();
        } else {
            (*known, _) = Known::read(server)?;
            self.publish_screen(server, known, capturer);
        }
        Ok(())
    }

    /// Notes that the server answered. Who looks at the age of the answer looks
    /// by the second, so a burst of captures does not wake them each time.
    fn publish_answer(&self) {
        self.job.publish.send_if_modified(|link| {
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
        let screen = ScreenInfo {
            carriers: self.carriers.len(),
            ..server.info(known, capturer)
        };
        self.job.publish.send_modify(|link| {
            *link = Link {
                state: LinkState::Up(screen.clone()),
                last_screen: Some(screen),
                last_answer: Some(Instant::now()),
            };
        });
    }
}

fn state(known: &Known, proof: Option<Proven>) -> RootState {
    RootState {
        generation: known.generation,
        epoch: known.epoch,
        size: known.size,
        proof,
    }
}
