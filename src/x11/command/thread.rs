//! The thread that owns the connection.
//!
//! X replies are waited for without limit by x11rb, so the waiting happens
//! here, and callers wait on channels with their own deadlines. A caller that
//! gives up takes nothing from the others: its request is dropped when its
//! turn comes. The connection is rebuilt only at end of stream, after a
//! protocol error, or after [`SILENCE`](crate::x11::error::SILENCE) with work
//! pending; what was asked meanwhile is done on the next connection.

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

/// Pauses between attempts to connect: from the first to the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(250));

/// Why the work on a connection ended.
enum End {
    Closed,
    Failed(DisplayError),
}

/// Starts the thread, which ends by [`DisplayRequest::Close`](super::order::DisplayRequest).
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
