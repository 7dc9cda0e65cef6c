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
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, mpsc::TryRecvError},
    time::{Duration, Instant},
};

use tokio::sync::{oneshot, watch};

use super::{
    CaptureChoice, CursorReading, DisplayName, Error, Grab, Link, LinkState, Proof,
    connected::Connected,
    display::Command,
    mailbox::Receiver,
    socket::{Owner, Pulse},
    trust::Trust,
};
use crate::failure::{Cause, Failure, Stage};
use crate::frame::Size;

/// Pauses between attempts to connect: from the first to the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(250));

/// Why the work on a connection ended.
enum End {
    Closed,
    Failed(Error),
}

/// The work of the thread, as its handle requests it.
pub(super) struct Job {
    pub(super) name: DisplayName,
    pub(super) choice: CaptureChoice,
    pub(super) patience: Duration,
    pub(super) inbox: Receiver<Command>,
    pub(super) publish: watch::Sender<Link>,
    pub(super) draw: watch::Sender<u64>,
    pub(super) pulse: Arc<Pulse>,
    pub(super) owner: Owner,
    pub(super) trust: Trust,
}

/// Starts the thread, which ends by [`Command::Close`].
pub(super) fn spawn(job: Job) -> io::Result<()> {
    let worker = Worker {
        job,
        orders: Orders::default(),
    };
    std::thread::Builder::new()
        .name("x11".into())
        .spawn(move || worker.run())?;
    Ok(())
}

struct Worker {
    job: Job,
    orders: Orders,
}

/// Requests that are not done. They outlive a connection.
#[derive(Default)]
pub(super) struct Orders {
    pub(super) captures: Vec<oneshot::Sender<Result<Arc<Grab>, Failure>>>,
    pub(super) cursors: Vec<oneshot::Sender<Result<CursorReading, Failure>>>,
    pub(super) proofs: Vec<Proof>,
    pub(super) resizes: Vec<(Size, oneshot::Sender<Result<bool, Failure>>)>,
    /// Captures made so far.
    pub(super) grabs: u64,
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
                self.orders.answer_all(&failure);
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

    /// Reports each new failure once, to the log and to the callers.
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
            self.job.draw.send_modify(|times| *times += 1);
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
            if self.job.inbox.bell().wait(None, left).is_err() || !self.take_commands() {
                return false;
            }
        }
        self.orders.forget_gone();
        true
    }

    /// Takes all commands that wait. False when the thread must end.
    fn take_commands(&mut self) -> bool {
        loop {
            match self.job.inbox.try_recv() {
                Ok(command) => {
                    if !self.orders.accept(command) {
                        return false;
                    }
                }
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn one_connection(&mut self) -> End {
        let mut connected = match Connected::open(&self.job) {
            Ok(connected) => connected,
            Err(error) => return End::Failed(error),
        };
        loop {
            self.job.pulse.turn();
            if !self.take_commands() {
                return End::Closed;
            }
            self.orders.forget_gone();
            let worked = connected.work(&mut self.orders);
            if let Err(error) = worked.and_then(|()| connected.wait(self.job.inbox.bell())) {
                return End::Failed(error);
            }
        }
    }
}

impl Orders {
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

    fn accept(&mut self, command: Command) -> bool {
        match command {
            Command::Capture(reply) => self.captures.push(reply),
            Command::Cursor(reply) => self.cursors.push(reply),
            Command::Resize(size, reply) => self.resizes.push((size, reply)),
            Command::Prove(proof) => self.proofs.push(proof),
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
}
