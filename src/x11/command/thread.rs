//! The thread that owns the connection.
//!
//! x11rb waits for replies without a time limit. So this thread does the waiting, and callers wait
//! on channels with their own deadlines. If a caller gives up, its request is dropped before the
//! next round of work, and other requests are not affected. The connection is opened again after
//! end of stream, a protocol error, or [`SILENCE`](crate::x11::error::SILENCE) while a reply is
//! due. Pending requests are processed on the next connection.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc::TryRecvError,
    time::{Duration, Instant},
};

use crate::failure::{Cause, Failure, Stage};
use crate::x11::{
    command::{
        connected::ScreenConnection,
        order::{LinkState, Orders, ThreadSetup},
    },
    error::DisplayError,
};

/// Pauses between attempts to connect: the first and the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(250));

/// Why the work on a connection ended.
enum End {
    Closed,
    Failed(DisplayError),
}

/// Starts the thread. [`DisplayRequest::Close`](super::order::DisplayRequest) ends it.
pub(in crate::x11) fn spawn(job: ThreadSetup) -> io::Result<()> {
    let worker = ScreenWorker {
        job,
        orders: Orders::default(),
    };
    std::thread::Builder::new()
        .name("x11".into())
        .spawn(move || worker.run())?;
    Ok(())
}

struct ScreenWorker {
    job: ThreadSetup,
    orders: Orders,
}

impl ScreenWorker {
    fn run(mut self) {
        let mut pause = BACKOFF.0;
        loop {
            let before = Instant::now();
            // A panic while a reply is read must not end the thread.
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

    /// Reports each new failure once, in the log and in the published state of the connection.
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

    /// Collects commands for the time `pause`. Returns false if the thread must end.
    fn collect_for(&mut self, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        loop {
            self.job.pulse.turn();
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            // Without a connection, only a command ends the wait.
            if self.job.inbox.bell().wait(None, left).is_err() || !self.take_commands() {
                return false;
            }
        }
        self.orders.forget_gone();
        true
    }

    /// Takes all queued commands. Returns false if the thread must end.
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
        let mut connected = match ScreenConnection::open(&self.job) {
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
