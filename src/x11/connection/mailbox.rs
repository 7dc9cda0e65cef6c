//! A thread's inbox: a bounded queue with an eventfd ([`Bell`]) that `poll` can wait for, so that
//! the thread waits for callers and for the X server at the same time.

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

/// An eventfd that wakes the thread that waits for it.
#[derive(Debug, Clone)]
pub struct Bell(Arc<EventFd>);

impl Bell {
    /// Creates a bell that has not been rung.
    ///
    /// # Errors
    ///
    /// When no file descriptor is left.
    pub fn new() -> io::Result<Self> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        Ok(Self(Arc::new(EventFd::from_flags(flags)?)))
    }

    /// Wakes the waiting thread, or the next one to wait.
    pub fn ring(&self) {
        // The write fails only if the counter is full, and then the bell has already been rung.
        let _ = self.0.write(1);
    }

    /// Waits until the bell rings, `socket` is readable or `limit` has passed. [`Woken::Work`] does
    /// not say which of the first two happened.
    ///
    /// # Errors
    ///
    /// When `poll` fails.
    pub fn wait(&self, socket: Option<BorrowedFd<'_>>, limit: Duration) -> io::Result<Woken> {
        let deadline = Instant::now() + limit;
        let mut fds = vec![PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        fds.extend(socket.map(|socket| PollFd::new(socket, PollFlags::POLLIN)));
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            // Rounded up to a millisecond; otherwise the loop would spin through the last fraction.
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
        // Resets the bell before the caller reads the queue, so that no message is missed.
        let _ = self.0.read();
        Ok(Woken::Work)
    }
}

/// Creates a queue of at most `capacity` messages and returns its two ends.
///
/// # Errors
///
/// When no file descriptor is left.
pub fn mailbox<T>(capacity: usize) -> io::Result<(Sender<T>, Receiver<T>)> {
    let (sender, receiver) = mpsc::sync_channel(capacity);
    let bell = Bell::new()?;
    let sender = Sender {
        queue: sender,
        bell: bell.clone(),
    };
    let receiver = Receiver {
        queue: receiver,
        bell,
    };
    Ok((sender, receiver))
}

/// Sends messages, and rings the bell for each.
#[derive(Debug)]
pub struct Sender<T> {
    queue: SyncSender<T>,
    bell: Bell,
}

impl<T> Sender<T> {
    /// Adds a message to the queue. Never blocks.
    ///
    /// # Errors
    ///
    /// When the queue is full or the receiver was dropped.
    pub fn try_send(&self, message: T) -> Result<(), TrySendError<T>> {
        self.queue.try_send(message)?;
        self.bell.ring();
        Ok(())
    }

    /// The bell that wakes the receiver.
    pub fn bell(&self) -> &Bell {
        &self.bell
    }
}

/// Receives messages.
#[derive(Debug)]
pub struct Receiver<T> {
    queue: mpsc::Receiver<T>,
    bell: Bell,
}

impl<T> Receiver<T> {
    /// Returns the next message, if there is one.
    ///
    /// # Errors
    ///
    /// When the queue is empty or all senders were dropped.
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        self.queue.try_recv()
    }

    /// The bell that rings for each message.
    pub fn bell(&self) -> &Bell {
        &self.bell
    }
}

/// Why a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Woken {
    /// The time passed.
    Time,
    /// The bell rang, or the socket is readable.
    Work,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_wakes_and_time_passes() {
        let (sender, receiver) = mailbox(1).unwrap();
        let short = Duration::from_millis(1);
        assert_eq!(receiver.bell().wait(None, short).unwrap(), Woken::Time);
        sender.try_send(7).unwrap();
        assert!(sender.try_send(8).is_err());
        let long = Duration::from_secs(60);
        assert_eq!(receiver.bell().wait(None, long).unwrap(), Woken::Work);
        assert_eq!(receiver.try_recv(), Ok(7));
        // The wait above has reset the bell.
        assert_eq!(receiver.bell().wait(None, short).unwrap(), Woken::Time);
    }

    #[test]
    fn bytes_on_the_socket_wake() {
        use std::io::Write;
        let bell = Bell::new().unwrap();
        let (here, mut there) = std::os::unix::net::UnixStream::pair().unwrap();
        there.write_all(b"x").unwrap();
        let woken = bell.wait(Some(here.as_fd()), Duration::from_secs(60));
        assert_eq!(woken.unwrap(), Woken::Work);
    }
}
