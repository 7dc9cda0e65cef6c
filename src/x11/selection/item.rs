//! What is on a selection, and what is on its way to a requestor.

use std::{collections::HashMap, sync::Arc, time::Instant};

use x11rb::protocol::xproto::{Atom, Window};

/// Something in one format.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) kind: Atom,
    /// Bits of a unit: 8, 16 or 32.
    pub(super) format: u8,
    pub(super) data: Arc<[u8]>,
}

/// The formats that an owner offers, by target.
pub(super) type TargetItems = HashMap<Atom, Item>;

/// Something long on its way.
#[derive(Debug)]
pub(super) struct Transfer {
    pub(super) requestor: Window,
    pub(super) property: Atom,
    pub(super) item: Item,
    pub(super) sent: usize,
    /// The last piece, which is empty, was put there.
    pub(super) ended: bool,
    pub(super) last: Instant,
    /// It is the text that was offered.
    pub(super) offered: bool,
    /// The program for which it was meant takes it.
    pub(super) awaited: bool,
}

impl Transfer {
    /// Whether it is the text that was offered.
    pub(super) fn is_offered(&self) -> bool {
        self.offered
    }
}
