//! The X thread's inbox: a bounded queue with a bell that `poll` hears, so that
//! the thread waits for callers and for the X server at once.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
    sync::{
        Arc,
        mpsc::{self, SyncSender, TryRecvError, TrySendError},
    },
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::eventfd::{EfdFlags, EventFd},
};

use super::display::Command;

/// A sender and the receiver of at most `capacity` commands.
///
/// # Errors
///
/// When no file descriptor is left.
pub(super) fn mailbox(capacity: usize) -> io::Result<(Sender, Receiver)> {
    let (sender, receiver) = mpsc::sync_channel(capacity);
    let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
    let bell = Arc::new(EventFd::from_flags(flags)?);
    let sender = Sender {
        queue: sender,
        bell: Arc::clone(&bell),
    };
    let receiver = Receiver {
        queue: receiver,
        bell,
    };
    Ok((sender, receiver))
}

/// Sends commands, and rings.
#[derive(Debug, Clone)]
pub(super) struct Sender {
    queue: SyncSender<Command>,
    bell: Arc<EventFd>,
}

impl Sender {
    /// Never blocks: a full queue is an error.
    pub(super) fn try_send(&self, command: Command) -> Result<(), TrySendError<Command>> {
        self.queue.try_send(command)?;
        // A bell that is full has been rung.
        let _ = self.bell.write(1);
        Ok(())
    }
}

/// Takes commands.
#[derive(Debug)]
pub(super) struct Receiver {
    queue: mpsc::Receiver<Command>,
    bell: Arc<EventFd>,
}

impl Receiver {
    /// The next command, if there is one.
    pub(super) fn try_recv(&self) -> Result<Command, TryRecvError> {
        self.queue.try_recv()
    }

    /// Waits for a command, for bytes on `socket`, or for the time to pass; what
    /// it was shows when one looks.
    ///
    /// # Errors
    ///
    /// When the system cannot wait.
    pub(super) fn wait(
        &self,
        socket: Option<BorrowedFd<'_>>,
        limit: Duration,
    ) -> io::Result<Woken> {
        let deadline = Instant::now() + limit;
        let mut fds = vec![PollFd::new(self.bell.as_fd(), PollFlags::POLLIN)];
        fds.extend(socket.map(|socket| PollFd::new(socket, PollFlags::POLLIN)));
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            // Rounded up: else the last part of a millisecond is spent turning.
            let left = Duration::from_millis(
                u64::try_from(left.as_micros().div_ceil(1000)).unwrap_or(u64::MAX),
            );
            let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
            match poll(&mut fds, timeout) {
                Ok(0) => return Ok(Woken::Time),
                Ok(_) => break,
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        // Silenced before the queue is looked at: nothing is missed.
        let _ = self.bell.read();
        Ok(Woken::Work)
    }
}

/// Why a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Woken {
    /// The time passed.
    Time,
    /// There is something to look at.
    Work,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_wakes_and_time_passes() {
        let (sender, receiver) = mailbox(1).unwrap();
        let short = Duration::from_millis(1);
        assert_eq!(receiver.wait(None, short).unwrap(), Woken::Time);
        sender.try_send(Command::Wake).unwrap();
        assert!(sender.try_send(Command::Wake).is_err());
        let long = Duration::from_secs(60);
        assert_eq!(receiver.wait(None, long).unwrap(), Woken::Work);
        assert!(matches!(receiver.try_recv(), Ok(Command::Wake)));
        // Heard once.
        assert_eq!(receiver.wait(None, short).unwrap(), Woken::Time);
    }

    #[test]
    fn bytes_on_the_socket_wake() {
        use std::io::Write;
        let (_sender, receiver) = mailbox(1).unwrap();
        let (here, mut there) = std::os::unix::net::UnixStream::pair().unwrap();
        there.write_all(b"x").unwrap();
        let woken = receiver.wait(Some(here.as_fd()), Duration::from_secs(60));
        assert_eq!(woken.unwrap(), Woken::Work);
    }
}
