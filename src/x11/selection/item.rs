//! The content of a selection, and a transfer of content to a requestor.

use std::{collections::HashMap, sync::Arc, time::Instant};

use x11rb::protocol::xproto::{Atom, Window};

/// Content of a selection in one format.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) kind: Atom,
    /// Bits per unit: 8, 16 or 32.
    pub(super) format: u8,
    pub(super) data: Arc<[u8]>,
}

/// The content that an owner offers, by target.
pub(super) type TargetItems = HashMap<Atom, Item>;

/// Long content that is being sent in pieces (INCR).
#[derive(Debug)]
pub(super) struct Transfer {
    pub(super) requestor: Window,
    pub(super) property: Atom,
    pub(super) item: Item,
    pub(super) sent: usize,
    /// Whether the empty last piece was written to the property.
    pub(super) ended: bool,
    pub(super) last: Instant,
    /// Whether the item is the text of an offer.
    pub(super) offered: bool,
    /// Whether the requestor belongs to the focused program.
    pub(super) awaited: bool,
}

impl Transfer {
    /// Whether the item is the text of an offer.
    pub(super) fn is_offered(&self) -> bool {
        self.offered
    }
}
