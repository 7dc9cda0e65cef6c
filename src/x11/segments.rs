//! Segments of shared memory that the server has attached, and who reads them.

use std::{num::NonZeroUsize, ops::Range, os::fd::OwnedFd, sync::Arc};

use x11rb::{
    connection::Connection as _,
    errors::ReplyOrIdError,
    protocol::shm::{ConnectionExt as _, Seg},
};

use super::{
    Error,
    connect::Server,
    mailbox::Bell,
    shm::{Segment, remove_sysv},
    socket::MAX_PACKET_BYTES,
};
use crate::frame::{CaptureMode, Size};

/// Segments at most, and so captures whose pixels are in use at once. A capture
/// beyond them waits for the first that is let go.
const MAX_SEGMENTS: usize = 4;

/// Largest screen image in bytes: what an answer over the socket may have.
const MAX_SCREEN_BYTES: u64 = MAX_PACKET_BYTES;

/// A segment that the server has attached.
#[derive(Debug)]
pub(super) struct Slot {
    /// The server's name for it.
    pub(super) id: Seg,
    segment: Arc<Segment>,
    /// Rows that were drawn on since they were read into it, and those between them.
    stale: Range<u32>,
}

/// A slot's memory in use. When it is let go, the X thread is woken, because a
/// capture may be waiting for it.
struct Lease {
    segment: Option<Arc<Segment>>,
    wake: Bell,
}

impl AsRef<[u8]> for Lease {
    fn as_ref(&self) -> &[u8] {
        self.segment.as_deref().map_or(&[], AsRef::as_ref)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.segment = None;
        self.wake.ring();
    }
}

/// The segments of one connection.
#[derive(Debug)]
pub(super) struct Segments {
    slots: Vec<Slot>,
    wake: Bell,
}

impl Segments {
    /// None yet. `wake` wakes the X thread.
    pub(super) fn new(wake: Bell) -> Self {
        Self {
            slots: Vec::new(),
            wake,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    pub(super) fn add(&mut self, slot: Slot) {
        self.slots.push(slot);
    }

    pub(super) fn slot(&self, index: usize) -> &Slot {
        &self.slots[index]
    }

    /// A slot's memory for a reader; the slot is not free until it is dropped.
    pub(super) fn lease(&self, slot: &Slot) -> impl AsRef<[u8]> + Send + Sync + 'static {
        Lease {
            segment: Some(Arc::clone(&slot.segment)),
            wake: self.wake.clone(),
        }
    }

    /// These rows of the screen were drawn on.
    pub(super) fn note(&mut self, rows: &Range<u32>) {
        for slot in &mut self.slots {
            slot.note(rows);
        }
    }

    /// Its rows are as on the screen.
    pub(super) fn clean(&mut self, index: usize) {
        self.slots[index].stale = 0..0;
    }

    /// Index of a slot of the screen's size that nobody reads, the one of which the
    /// least is stale; made when there is none and room for one more.
    pub(super) fn free(
        &mut self,
        server: &Server,
        mode: CaptureMode,
        size: Size,
    ) -> Result<Option<usize>, Error> {
        let bytes = server.format.image_bytes(size);
        // A resize leaves segments of the wrong length behind. Detaching ends
        // the server's use; readers keep the memory until they are done.
        for index in (0..self.slots.len()).rev() {
            if self.slots[index].segment.bytes() != bytes {
                self.slots.swap_remove(index).detach(server)?;
            }
        }
        let free = (0..self.slots.len())
            .filter(|index| Arc::strong_count(&self.slots[*index].segment) == 1)
            .min_by_key(|index| self.slots[*index].stale.len());
        if free.is_some() || self.slots.len() >= MAX_SEGMENTS {
            return Ok(free);
        }
        self.slots.push(Slot::attach(server, mode, size)?);
        Ok(Some(self.slots.len() - 1))
    }

    /// Keeps one, and those that are read.
    pub(super) fn trim(&mut self, server: &Server) -> Result<(), Error> {
        while self.slots.len() > 1 {
            let free = self
                .slots
                .iter()
                .position(|slot| Arc::strong_count(&slot.segment) == 1);
            let Some(index) = free else { break };
            self.slots.swap_remove(index).detach(server)?;
        }
        Ok(())
    }
}

impl Slot {
    /// Makes a segment of the screen's size and has the server attach it.
    pub(super) fn attach(server: &Server, mode: CaptureMode, size: Size) -> Result<Self, Error> {
        let bytes = NonZeroUsize::new(server.format.image_bytes(size));
        let bytes = bytes
            .filter(|bytes| bytes.get() as u64 <= MAX_SCREEN_BYTES)
            .ok_or(Error::TooLarge(size))?;
        let conn = &server.conn;
        let id = conn
            .generate_id()
            .map_err(|error: ReplyOrIdError| Error::reply_or_id("id", error))?;
        let segment = if mode == CaptureMode::ShmFd {
            let (segment, fd): (Segment, OwnedFd) =
                Segment::memfd(bytes).map_err(Error::SharedMemory)?;
            let attached = conn.shm_attach_fd(id, fd, false)?.check();
            attached.map_err(|error| Error::reply("ShmAttachFd", error))?;
            segment
        } else {
            let (segment, sysv) = Segment::sysv(bytes).map_err(Error::SharedMemory)?;
            let attached = conn.shm_attach(id, sysv.cast_unsigned(), false);
            let attached = attached.map_err(Error::from).and_then(|cookie| {
                cookie
                    .check()
                    .map_err(|error| Error::reply("ShmAttach", error))
            });
            // Whatever came of it: the segment must not outlive both of us.
            remove_sysv(sysv);
            attached?;
            segment
        };
        Ok(Self {
            id,
            segment: Arc::new(segment),
            stale: 0..size.height,
        })
    }

    /// Rows that are not as on the screen, and those between them.
    pub(super) fn stale(&self) -> Range<u32> {
        self.stale.clone()
    }

    fn note(&mut self, rows: &Range<u32>) {
        self.stale = if self.stale.is_empty() {
            rows.clone()
        } else {
            self.stale.start.min(rows.start)..self.stale.end.max(rows.end)
        };
    }

    /// Has the server let it go. Readers keep the memory until they are done.
    pub(super) fn detach(self, server: &Server) -> Result<(), Error> {
        server.conn.shm_detach(self.id)?.ignore_error();
        Ok(())
    }

    /// The memory, as the server last wrote it.
    pub(super) fn bytes(&self) -> &[u8] {
        (*self.segment).as_ref()
    }
}
