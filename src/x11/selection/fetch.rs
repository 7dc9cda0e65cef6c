//! Reads the content of another program's selection before that program loses it.

use std::time::{Duration, Instant};

use x11rb::protocol::{
    Event,
    xproto::{Atom, AtomEnum, ConnectionExt as _, Property},
};

use super::{
    SelectionWorker,
    item::{Item, TargetItems},
};
use crate::x11::DisplayError;

/// For the answer to one request, and for the next piece of a long one.
const ANSWER: Duration = Duration::from_millis(500);
/// For all of it.
const ALL: Duration = Duration::from_secs(2);
/// Bytes that are kept of one selection.
const MAX_BYTES: usize = 16 << 20;
/// Formats that are kept of one selection.
const MAX_TARGETS: usize = 32;

/// Data that was read.
pub(super) struct Fetched {
    pub(super) content: TargetItems,
    /// Nothing is missing.
    pub(super) whole: bool,
}

/// The answer to the question for one format.
enum FetchStep {
    Item(Item),
    /// Its owner does not have it.
    Refused,
    /// It is too long, or comes too late.
    Missed,
}

impl SelectionWorker {
    /// All formats in which a selection can be had.
    pub(super) fn fetch_all(&mut self, selection: Atom) -> Result<Fetched, DisplayError> {
        let mut fetched = Fetched {
            content: TargetItems::new(),
            whole: true,
        };
        let owner = self.server.conn.get_selection_owner(selection)?.reply();
        let owner = owner.map_err(|error| DisplayError::reply("GetSelectionOwner", error))?;
        if owner.owner == x11rb::NONE {
            return Ok(fetched);
        }
        let until = Instant::now() + ALL;
        let targets = self.fetch(selection, self.atoms.TARGETS, until, MAX_BYTES)?;
        let FetchStep::Item(targets) = targets else {
            fetched.whole = false;
            return Ok(fetched);
        };
        let atoms = &self.atoms;
        let no_content = [
            atoms.TARGETS,
            atoms.MULTIPLE,
            atoms.TIMESTAMP,
            atoms.SAVE_TARGETS,
            atoms.DELETE,
            atoms.INSERT_SELECTION,
            atoms.INSERT_PROPERTY,
        ];
        let targets: Vec<Atom> = targets
            .data
            .chunks_exact(4)
            .map(|bytes| u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
            .filter(|target| !no_content.contains(target))
            .collect();
        fetched.whole = targets.len() <= MAX_TARGETS;
        let mut left = MAX_BYTES;
        for target in targets.into_iter().take(MAX_TARGETS) {
            match self.fetch(selection, target, until, left)? {
                FetchStep::Item(item) => {
                    left -= item.data.len().min(left);
                    fetched.content.insert(target, item);
                }
                // What its owner lists and refuses is not lost by us.
                FetchStep::Refused => {}
                FetchStep::Missed => fetched.whole = false,
            }
        }
        fetched.whole &= !fetched.content.is_empty();
        Ok(fetched)
    }

    /// One format of it.
    fn fetch(
        &mut self,
        selection: Atom,
        target: Atom,
        until: Instant,
        most: usize,
    ) -> Result<FetchStep, DisplayError> {
        let (window, property) = (self.window, self.atoms._DESKD_SELECTION);
        let conn = &self.server.conn;
        conn.delete_property(window, property)?.ignore_error();
        let time = x11rb::CURRENT_TIME;
        conn.convert_selection(window, selection, target, property, time)?
            .ignore_error();
        let limit = until.min(Instant::now() + ANSWER);
        let notice = self.until(limit, |event| match event {
            Event::SelectionNotify(event)
                if event.selection == selection && event.target == target =>
            {
                Some(event.property)
            }
            _ => None,
        })?;
        match notice {
            None => return Ok(FetchStep::Missed),
            Some(x11rb::NONE) => return Ok(FetchStep::Refused),
            Some(_) => {}
        }
        let Some(item) = self.take_property(most)? else {
            return Ok(FetchStep::Missed);
        };
        if item.kind != self.atoms.INCR {
            return Ok(FetchStep::Item(item));
        }
        // In pieces, each put there when the one before was taken away.
        let (mut data, mut kind, mut format) = (Vec::new(), 0, 8);
        loop {
            let limit = until.min(Instant::now() + ANSWER);
            let piece = self.until(limit, |event| match event {
                Event::PropertyNotify(event)
                    if event.window == window
                        && event.atom == property
                        && event.state == Property::NEW_VALUE =>
                {
                    Some(())
                }
                _ => None,
            })?;
            let Some(piece) = piece.and(self.take_property(most)?) else {
                return Ok(FetchStep::Missed);
            };
            if piece.data.is_empty() {
                let data = data.into();
                return Ok(FetchStep::Item(Item { kind, format, data }));
            }
            (kind, format) = (piece.kind, piece.format);
            data.extend_from_slice(&piece.data);
            if data.len() > most {
                return Ok(FetchStep::Missed);
            }
        }
    }

    /// Reads the answer, and takes it away; `None` when it is longer than that.
    fn take_property(&mut self, most: usize) -> Result<Option<Item>, DisplayError> {
        let units = u32::try_from(most / 4 + 1).unwrap_or(u32::MAX);
        let name = self.atoms._DESKD_SELECTION;
        let reply = self
            .server
            .conn
            .get_property(true, self.window, name, AtomEnum::ANY, 0, units)?
            .reply();
        let reply = reply.map_err(|error| DisplayError::reply("GetProperty", error))?;
        if reply.bytes_after > 0 {
            let conn = &self.server.conn;
            conn.delete_property(self.window, name)?.ignore_error();
            return Ok(None);
        }
        Ok(Some(Item {
            kind: reply.type_,
            format: reply.format,
            data: reply.value.into(),
        }))
    }

    /// Waits for an event, answering others; `None` when the time is up.
    pub(super) fn until<T>(
        &mut self,
        limit: Instant,
        mut wanted: impl FnMut(&Event) -> Option<T>,
    ) -> Result<Option<T>, DisplayError> {
        use x11rb::connection::Connection as _;
        loop {
            // What waits to be sent, of questions and of answers to others, is sent
            // before one waits; that may bring events.
            let mut event = self.server.next_event()?;
            if event.is_none() {
                self.server.conn.flush()?;
                event = self.server.next_event()?;
            }
            if let Some((event, _)) = event {
                if let Some(found) = wanted(&event) {
                    return Ok(Some(found));
                }
                self.take(&event)?;
                if Instant::now() < limit {
                    continue;
                }
            }
            let left = limit.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            use std::os::fd::AsFd;
            let socket = self.server.conn.stream().as_fd();
            let bell = self.inbox.bell();
            bell.wait(Some(socket), left).map_err(DisplayError::Lost)?;
        }
    }
}
