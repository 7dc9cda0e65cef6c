//! The segment into which the server writes images, and the slots into which they are copied for
//! readers.

use std::{num::NonZeroUsize, ops::Range, os::fd::OwnedFd, sync::Arc};

use x11rb::{
    connection::Connection as _,
    errors::ReplyOrIdError,
    protocol::shm::{ConnectionExt as _, Seg},
};

use crate::frame::{CaptureMode, Size};
use crate::x11::{
    capture::shm::{Segment, Store, remove_sysv},
    connection::{framing::MAX_PACKET_BYTES, mailbox::Bell, server::Server},
    error::DisplayError,
};

/// Maximum number of stores, and so of captures whose pixels are in use at once. A further capture
/// waits until a reader releases one.
const MAX_STORES: usize = 4;

/// Maximum size of a screen image in bytes: that of a packet over the socket.
const MAX_SCREEN_BYTES: u64 = MAX_PACKET_BYTES;

/// A segment that the server has attached. Every client of the server can name the segment, and can
/// make the server overwrite or detach it.
#[derive(Debug)]
struct Attached {
    id: Seg,
    segment: Segment,
}

/// A copy of the screen.
#[derive(Debug)]
pub(in crate::x11) struct Slot {
    store: Arc<Store>,
    /// The range from the first to the last row drawn on since the rows were copied into the slot.
    stale: Range<u32>,
}

/// A slot's memory, in use by a reader. Dropping the lease wakes the X thread, because a capture
/// may be waiting for the memory.
struct Lease {
    store: Option<Arc<Store>>,
    wake: Bell,
}

impl AsRef<[u8]> for Lease {
    fn as_ref(&self) -> &[u8] {
        self.store.as_deref().map_or(&[], AsRef::as_ref)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.store = None;
        self.wake.ring();
    }
}

/// The segment and the slots of one connection.
#[derive(Debug)]
pub(in crate::x11) struct Segments {
    attached: Option<Attached>,
    slots: Vec<Slot>,
    wake: Bell,
}

impl Segments {
    /// Starts without a segment or slots. `wake` wakes the X thread.
    pub(in crate::x11) fn new(wake: Bell) -> Self {
        Self {
            attached: None,
            slots: Vec::new(),
            wake,
        }
    }

    pub(in crate::x11) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    pub(in crate::x11) fn slot(&self, index: usize) -> &Slot {
        &self.slots[index]
    }

    /// The resource id of the attached segment; 0, which names no segment, if none is attached.
    pub(in crate::x11) fn id(&self) -> Seg {
        self.attached.as_ref().map_or(0, |attached| attached.id)
    }

    /// Lends a slot's memory to a reader. The slot is in use until the result is dropped.
    pub(in crate::x11) fn lease(&self, slot: &Slot) -> impl AsRef<[u8]> + Send + Sync + 'static {
        Lease {
            store: Some(Arc::clone(&slot.store)),
            wake: self.wake.clone(),
        }
    }

    /// Marks rows as drawn on, in all slots.
    pub(in crate::x11) fn note(&mut self, rows: &Range<u32>) {
        for slot in &mut self.slots {
            slot.note(rows);
        }
    }

    /// Marks a slot as equal to the screen.
    pub(in crate::x11) fn clean(&mut self, index: usize) {
        self.slots[index].stale = 0..0;
    }

    /// Copies bytes that the server has just written into a slot that no reader uses.
    pub(in crate::x11) fn take(&mut self, index: usize, bytes: Range<usize>) {
        let store = Arc::get_mut(&mut self.slots[index].store);
        if let (Some(store), Some(attached)) = (store, &self.attached) {
            store.copy_from(&attached.segment, bytes);
        }
    }

    /// Returns the index of a slot that has the screen's size and no reader: the one with the
    /// fewest stale rows. Creates one if there is none, up to [`MAX_STORES`]; then returns `None`.
    pub(in crate::x11) fn free(
        &mut self,
        server: &Server,
        mode: CaptureMode,
        size: Size,
    ) -> Result<Option<usize>, DisplayError> {
        let bytes = bytes_of(server, size)?;
        let fits = |attached: &Attached| attached.segment.bytes() == bytes.get();
        if !self.attached.as_ref().is_some_and(fits) {
            self.attach(server, mode, size)?;
        }
        // A resize leaves slots of the wrong length. Readers keep the memory until they drop it.
        self.slots
            .retain(|slot| (*slot.store).as_ref().len() == bytes.get());
        let free = (0..self.slots.len())
            .filter(|index| Arc::strong_count(&self.slots[*index].store) == 1)
            .min_by_key(|index| self.slots[*index].stale.len());
        if free.is_some() || self.slots.len() >= MAX_STORES {
            return Ok(free);
        }
        let store = Store::new(bytes).map_err(DisplayError::SharedMemory)?;
        self.slots.push(Slot {
            store: Arc::new(store),
            stale: 0..size.height,
        });
        Ok(Some(self.slots.len() - 1))
    }

    /// Drops unused slots until one slot is left.
    pub(in crate::x11) fn trim(&mut self) {
        while self.slots.len() > 1 {
            let free = self
                .slots
                .iter()
                .position(|slot| Arc::strong_count(&slot.store) == 1);
            let Some(index) = free else { break };
            self.slots.swap_remove(index);
        }
    }

    /// Creates a segment of the screen's size, in place of the one before, and makes the server
    /// attach it.
    pub(in crate::x11) fn attach(
        &mut self,
        server: &Server,
        mode: CaptureMode,
        size: Size,
    ) -> Result<(), DisplayError> {
        self.detach(server)?;
        let bytes = bytes_of(server, size)?;
        let conn = &server.conn;
        let id = conn
            .generate_id()
            .map_err(|error: ReplyOrIdError| DisplayError::reply_or_id("id", error))?;
        let segment = if mode == CaptureMode::ShmFd {
            let (segment, fd): (Segment, OwnedFd) =
                Segment::memfd(bytes).map_err(DisplayError::SharedMemory)?;
            let attached = conn.shm_attach_fd(id, fd, false)?.check();
            attached.map_err(|error| DisplayError::reply("ShmAttachFd", error))?;
            segment
        } else {
            let (segment, sysv) = Segment::sysv(bytes).map_err(DisplayError::SharedMemory)?;
            let attached = conn.shm_attach(id, sysv.cast_unsigned(), false);
            let attached = attached.map_err(DisplayError::from).and_then(|cookie| {
                cookie
                    .check()
                    .map_err(|error| DisplayError::reply("ShmAttach", error))
            });
            // Even after an error: the segment must not outlive both processes.
            remove_sysv(sysv);
            attached?;
            segment
        };
        self.attached = Some(Attached { id, segment });
        Ok(())
    }

    /// Makes the server detach its segment.
    pub(in crate::x11) fn detach(&mut self, server: &Server) -> Result<(), DisplayError> {
        if let Some(Attached { id, .. }) = self.attached.take() {
            server.conn.shm_detach(id)?.ignore_error();
        }
        Ok(())
    }
}

fn bytes_of(server: &Server, size: Size) -> Result<NonZeroUsize, DisplayError> {
    let bytes = NonZeroUsize::new(server.format.image_bytes(size));
    bytes
        .filter(|bytes| bytes.get() as u64 <= MAX_SCREEN_BYTES)
        .ok_or(DisplayError::TooLarge(size))
}

impl Slot {
    /// The range from the first to the last row that may differ from the screen.
    pub(in crate::x11) fn stale(&self) -> Range<u32> {
        self.stale.clone()
    }

    fn note(&mut self, rows: &Range<u32>) {
        self.stale = if self.stale.is_empty() {
            rows.clone()
        } else {
            self.stale.start.min(rows.start)..self.stale.end.max(rows.end)
        };
    }

    /// The copied image.
    pub(in crate::x11) fn bytes(&self) -> &[u8] {
        (*self.store).as_ref()
    }
}
