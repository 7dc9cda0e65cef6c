//! The stream of a connection, as x11rb uses it: with a time limit for each wait, and without
//! the packets that [`framing`](super::framing) removes.
//!
//! x11rb itself waits for replies without a time limit.

use std::{
    io,
    os::{
        fd::{AsFd, BorrowedFd},
        unix::net::UnixStream,
    },
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use x11rb::{
    connection::SequenceNumber,
    rust_connection::{DefaultStream, PollMode, Stream},
    utils::RawFdContainer,
};

use crate::x11::connection::{
    framing::{Framing, MAX_GO_BYTES, Purpose},
    pulse::Pulse,
};

/// Time for which the thread polls for a reply before it sleeps. Most replies arrive sooner than a
/// sleeping thread would be woken.
const SOON: Duration = Duration::from_micros(60);

/// x11rb's stream, with a time limit for each wait and with a filter for packets.
#[derive(Debug)]
pub(in crate::x11) struct XStream {
    inner: DefaultStream,
    patience: Duration,
    pulse: Arc<Pulse>,
    framing: Mutex<Framing>,
}

impl XStream {
    pub(in crate::x11) fn new(
        stream: UnixStream,
        patience: Duration,
        pulse: Arc<Pulse>,
        purpose: Purpose,
    ) -> io::Result<Self> {
        let (inner, _) = DefaultStream::from_unix_stream(stream)?;
        Ok(Self {
            inner,
            patience,
            pulse,
            framing: Mutex::new(Framing::new(purpose)),
        })
    }

    /// Records that an event that passed was processed.
    pub(in crate::x11) fn event_was_taken(&self) {
        let mut framing = self.framing.lock().unwrap_or_else(PoisonError::into_inner);
        framing.events = framing.events.saturating_sub(1);
    }

    /// Sets the client whose selection requests are awaited, by one of its windows.
    pub(in crate::x11) fn await_requests_of(&self, window: u32) {
        let mut framing = self.framing.lock().unwrap_or_else(PoisonError::into_inner);
        framing.allowance.awaited(window);
    }

    /// Cuts the reply to request `sequence` to its head of 32 bytes, if more than `most` units of 4
    /// bytes follow the head.
    pub(in crate::x11) fn cut_reply(&self, sequence: SequenceNumber, most: u32) {
        let mut framing = self.framing.lock().unwrap_or_else(PoisonError::into_inner);
        // A packet contains the low 16 bits of the sequence number.
        let low = u16::try_from(sequence & 0xffff).unwrap_or(0);
        framing.cut = Some((low, most));
    }

    /// Whether events were removed since the last call, because too many were unprocessed.
    pub(in crate::x11) fn overflowed(&self) -> bool {
        let mut framing = self.framing.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut framing.overflowed)
    }

    /// Reads and discards the rest of a cut reply, in large pieces.
    fn skip(&self, framing: &mut Framing, fds: &mut Vec<RawFdContainer>) -> io::Result<()> {
        let length = usize::try_from(framing.skip).unwrap_or(usize::MAX);
        let mut scratch = vec![0; length.min(MAX_GO_BYTES)];
        match self.inner.read(&mut scratch, fds)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            count => {
                framing.skip -= count as u64;
                Ok(())
            }
        }
    }
}

impl AsFd for XStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}

impl Stream for XStream {
    fn poll(&self, mode: PollMode) -> io::Result<()> {
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::POLLIN, mode.readable());
        flags.set(PollFlags::POLLOUT, mode.writable());
        let began = Instant::now();
        let deadline = began + self.patience;
        self.pulse.begin();
        let result = loop {
            let now = Instant::now();
            let is_soon = now < began + SOON;
            let left = deadline.saturating_duration_since(now);
            let timeout = match PollTimeout::try_from(left) {
                _ if is_soon => PollTimeout::ZERO,
                Ok(left) => left,
                Err(_) => PollTimeout::MAX,
            };
            match poll(&mut [PollFd::new(self.inner.as_fd(), flags)], timeout) {
                // Yields, because the server needs the core if there is only one.
                Ok(0) if is_soon => std::thread::yield_now(),
                Ok(0) => break Err(io::Error::from(io::ErrorKind::TimedOut)),
                Ok(_) => break Ok(()),
                Err(nix::errno::Errno::EINTR) => {}
                Err(error) => break Err(error.into()),
            }
        };
        self.pulse.end();
        result
    }

    fn read(&self, buf: &mut [u8], fds: &mut Vec<RawFdContainer>) -> io::Result<usize> {
        let mut framing = self.framing.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            // Within a packet the read continues: the server is still sending the packet.
            if framing.in_go >= MAX_GO_BYTES && framing.rest == 0 {
                framing.in_go = 0;
                return Err(io::ErrorKind::WouldBlock.into());
            }
            if framing.rest == 0 && framing.skip > 0 {
                self.skip(&mut framing, fds)?;
                continue;
            }
            let count = match self.inner.read(buf, fds) {
                Ok(0) => return Ok(0),
                Ok(count) => count,
                Err(error) => {
                    framing.in_go = 0;
                    return Err(error);
                }
            };
            framing.in_go += count;
            match framing.accept(&mut buf[..count]) {
                // A return value of 0 would mean the end of the stream.
                Some(0) => {}
                Some(kept) => return Ok(kept),
                None => return Err(io::ErrorKind::InvalidData.into()),
            }
        }
    }

    fn write(&self, buf: &[u8], fds: &mut Vec<RawFdContainer>) -> io::Result<usize> {
        self.inner.write(buf, fds)
    }

    fn write_vectored(
        &self,
        bufs: &[io::IoSlice<'_>],
        fds: &mut Vec<RawFdContainer>,
    ) -> io::Result<usize> {
        self.inner.write_vectored(bufs, fds)
    }
}
