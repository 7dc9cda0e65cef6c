//! Reads the content of another program's selection before that program loses it.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use x11rb::protocol::{
    Event,
    xproto::{
        Atom, AtomEnum, ChangeWindowAttributesAux, ConnectionExt as _, EventMask, Property, Window,
    },
};

use super::{
    SelectionWorker,
    item::{Item, TargetItems},
};
use crate::x11::DisplayError;

/// Maximum time for one answer before a paste, which waits for it.
const ANSWER: Duration = Duration::from_millis(500);
/// Pause between two looks whether the content is still wanted.
const LOOK: Duration = Duration::from_millis(50);
/// Maximum time for reading all formats of a selection.
const ALL: Duration = Duration::from_secs(2);
/// Maximum number of bytes kept of one selection.
const MAX_BYTES: usize = 16 << 20;
/// Maximum number of formats kept of one selection.
const MAX_TARGETS: usize = 32;

/// Maximum number of windows with abandoned transfers.
const MAX_ABANDONED: usize = 8;

/// How long the owner of a selection is waited for.
pub(super) struct Patience<'p> {
    /// The end of all.
    pub(super) until: Instant,
    /// Maximum time for the answer to one request, and for the next piece of long content.
    pub(super) answer: Duration,
    /// Whether nobody wants the content any more.
    pub(super) is_gone: &'p dyn Fn() -> bool,
}

/// The windows on which deskd receives content.
#[derive(Debug, Default)]
pub(super) struct Receiving {
    window: Option<Window>,
    /// Former windows, to which an owner may still deliver what deskd no longer waits for. On the
    /// present window that would be taken for the content of another owner. They are not destroyed
    /// at once, because that is an error for the owner, which many programs do not survive.
    abandoned: VecDeque<Window>,
}

/// The content that was read.
pub(super) struct Fetched {
    pub(super) content: TargetItems,
    /// Whether no content is missing.
    pub(super) whole: bool,
}

/// The result of requesting one format.
pub(super) enum FetchStep {
    Item(Item),
    /// The owner does not have this format.
    Refused,
    /// The content did not arrive in time.
    Missed,
    /// The content is too long.
    TooLong,
}

impl SelectionWorker {
    /// Reads a selection in all formats that its owner offers.
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
        let patience = Patience {
            until: Instant::now() + ALL,
            answer: ANSWER,
            is_gone: &|| false,
        };
        let targets = self.fetch(selection, self.atoms.TARGETS, &patience, MAX_BYTES)?;
        let FetchStep::Item(targets) = targets else {
            fetched.whole = false;
            return Ok(fetched);
        };
        let targets = self.contents(&targets);
        fetched.whole = targets.len() <= MAX_TARGETS;
        let mut left = MAX_BYTES;
        for target in targets.into_iter().take(MAX_TARGETS) {
            match self.fetch(selection, target, &patience, left)? {
                FetchStep::Item(item) => {
                    left -= item.data.len().min(left);
                    fetched.content.insert(target, item);
                }
                // deskd loses nothing if the owner refuses a format that it lists.
                FetchStep::Refused => {}
                FetchStep::Missed | FetchStep::TooLong => fetched.whole = false,
            }
        }
        fetched.whole &= !fetched.content.is_empty();
        Ok(fetched)
    }

    /// Returns the formats of a list of targets that carry content.
    pub(super) fn contents(&self, targets: &Item) -> Vec<Atom> {
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
        let targets = targets
            .data
            .chunks_exact(4)
            .map(|bytes| u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
        targets
            .filter(|target| !no_content.contains(target))
            .collect()
    }

    /// Reads a selection in one format, at most `most` bytes.
    pub(super) fn fetch(
        &mut self,
        selection: Atom,
        target: Atom,
        patience: &Patience<'_>,
        most: usize,
    ) -> Result<FetchStep, DisplayError> {
        let window = self.receiving_window()?;
        let step = self.fetch_on(window, (selection, target), patience, most)?;
        if matches!(step, FetchStep::Missed | FetchStep::TooLong) {
            self.abandon()?;
        }
        Ok(step)
    }

    fn receiving_window(&mut self) -> Result<Window, DisplayError> {
        if let Some(window) = self.receiver.window {
            return Ok(window);
        }
        let window = self.server.own_window()?;
        let select = ChangeWindowAttributesAux::new().event_mask(EventMask::PROPERTY_CHANGE);
        let conn = &self.server.conn;
        conn.change_window_attributes(window, &select)?
            .ignore_error();
        self.receiver.window = Some(window);
        Ok(window)
    }

    /// Uses another window from now on.
    fn abandon(&mut self) -> Result<(), DisplayError> {
        self.receiver.abandoned.extend(self.receiver.window.take());
        if self.receiver.abandoned.len() > MAX_ABANDONED
            && let Some(oldest) = self.receiver.abandoned.pop_front()
        {
            self.server.conn.destroy_window(oldest)?.ignore_error();
        }
        Ok(())
    }

    fn fetch_on(
        &mut self,
        window: Window,
        (selection, target): (Atom, Atom),
        patience: &Patience<'_>,
        most: usize,
    ) -> Result<FetchStep, DisplayError> {
        let property = self.atoms._DESKD_SELECTION;
        let conn = &self.server.conn;
        conn.delete_property(window, property)?.ignore_error();
        let time = x11rb::CURRENT_TIME;
        conn.convert_selection(window, selection, target, property, time)?
            .ignore_error();
        let notice = self.answer_within(patience, |event| match event {
            Event::SelectionNotify(event)
                if event.requestor == window
                    && event.selection == selection
                    && event.target == target =>
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
        let Some(item) = self.take_property(window, most)? else {
            return Ok(FetchStep::TooLong);
        };
        if item.kind == x11rb::NONE {
            // The property is not there, whatever the answer says.
            return Ok(FetchStep::Refused);
        }
        if item.kind != self.atoms.INCR {
            return Ok(FetchStep::Item(item));
        }
        // INCR: the owner sends pieces, each after deskd has deleted the property of the last one.
        let (mut data, mut kind, mut format) = (Vec::new(), 0, 8);
        loop {
            let piece = self.answer_within(patience, |event| match event {
                Event::PropertyNotify(event)
                    if event.window == window
                        && event.atom == property
                        && event.state == Property::NEW_VALUE =>
                {
                    Some(())
                }
                _ => None,
            })?;
            if piece.is_none() {
                return Ok(FetchStep::Missed);
            }
            let Some(piece) = self.take_property(window, most)? else {
                return Ok(FetchStep::TooLong);
            };
            // The event may be of a piece that was taken with the one before. An empty property ends the
            // transfer, not a missing one.
            if piece.kind == x11rb::NONE {
                continue;
            }
            if piece.data.is_empty() {
                let data = data.into();
                return Ok(FetchStep::Item(Item { kind, format, data }));
            }
            (kind, format) = (piece.kind, piece.format);
            data.extend_from_slice(&piece.data);
            if data.len() > most {
                return Ok(FetchStep::TooLong);
            }
        }
    }

    /// Reads and deletes the property with the answer; `None` if it is longer than `most`.
    fn take_property(&mut self, window: Window, most: usize) -> Result<Option<Item>, DisplayError> {
        let units = u32::try_from(most / 4 + 1).unwrap_or(u32::MAX);
        let name = self.atoms._DESKD_SELECTION;
        let reply = self
            .server
            .conn
            .get_property(true, window, name, AtomEnum::ANY, 0, units)?
            .reply();
        let reply = reply.map_err(|error| DisplayError::reply("GetProperty", error))?;
        if reply.bytes_after > 0 {
            let conn = &self.server.conn;
            conn.delete_property(window, name)?.ignore_error();
            return Ok(None);
        }
        Ok(Some(Item {
            kind: reply.type_,
            format: reply.format,
            data: reply.value.into(),
        }))
    }

    /// Waits for one answer of the owner; `None` if it does not come, or nobody waits for it.
    fn answer_within<T>(
        &mut self,
        patience: &Patience<'_>,
        mut wanted: impl FnMut(&Event) -> Option<T>,
    ) -> Result<Option<T>, DisplayError> {
        let end = patience.until.min(Instant::now() + patience.answer);
        while Instant::now() < end && !(patience.is_gone)() {
            let look = end.min(Instant::now() + LOOK);
            if let Some(found) = self.until(look, &mut wanted)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Waits for an event that `wanted` accepts, and handles all others; `None` after `limit`.
    pub(super) fn until<T>(
        &mut self,
        limit: Instant,
        mut wanted: impl FnMut(&Event) -> Option<T>,
    ) -> Result<Option<T>, DisplayError> {
        use x11rb::connection::Connection as _;
        loop {
            // Requests and answers in the buffer are sent before the wait; sending may bring
            // events.
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
