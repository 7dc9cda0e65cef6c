//! Answers requests for a selection.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use x11rb::{
    protocol::xproto::{
        Atom, AtomEnum, ChangeWindowAttributesAux, ConnectionExt as _, EventMask, PropMode,
        SELECTION_NOTIFY_EVENT, SelectionNotifyEvent, SelectionRequestEvent, Window,
    },
    wrapper::ConnectionExt as _,
};

use super::{
    SelectionWorker,
    item::{Item, Transfer},
};
use crate::{
    processes,
    x11::{error::DisplayError, observe::owner},
};

/// Maximum length of data that is sent at once. Longer data is sent in pieces of this size (ICCCM
/// 2.7.2), so that no request is near the server's limit and no other requestor waits for it.
const PIECE: usize = 64 << 10;
/// A transfer ends if the requestor takes no piece for this time.
const STALLED: Duration = Duration::from_secs(5);
/// Maximum number of transfers in pieces at the same time, to one requestor and in total. They
/// share the data that they send, so each costs little.
const MAX_TRANSFERS: (usize, usize) = (8, 64);
/// Maximum number of requestors in `SelectionWorker::requestors`.
const MAX_REQUESTORS: usize = 256;
/// Maximum number of targets in a MULTIPLE request; further ones are ignored.
const MAX_MULTIPLE: usize = 64;

impl SelectionWorker {
    /// Answers a request: with the requested content, or with a refusal.
    pub(super) fn answer(&mut self, event: &SelectionRequestEvent) -> Result<(), DisplayError> {
        // Obsolete clients name no property (ICCCM 2.2).
        let property = if event.property == x11rb::NONE {
            event.target
        } else {
            event.property
        };
        let given = if event.target == self.atoms.MULTIPLE {
            self.give_multiple(event, property)?
        } else {
            self.give(event.requestor, event.selection, event.target, property)?
        };
        let notice = SelectionNotifyEvent {
            response_type: SELECTION_NOTIFY_EVENT,
            sequence: 0,
            time: event.time,
            requestor: event.requestor,
            selection: event.selection,
            target: event.target,
            property: if given { property } else { x11rb::NONE },
        };
        let conn = &self.server.conn;
        conn.send_event(false, event.requestor, EventMask::NO_EVENT, notice)?
            .ignore_error();
        if std::mem::take(&mut self.given) {
            // Reported only after the server has processed the answer: the next key, which is
            // sent on another connection, must come after it.
            self.server.geometry()?;
            self.tell(true);
        }
        Ok(())
    }

    fn give(
        &mut self,
        requestor: Window,
        selection: Atom,
        target: Atom,
        property: Atom,
    ) -> Result<bool, DisplayError> {
        let found = self.selections.iter().find(|s| s.name == selection);
        let Some((found, since)) = found.and_then(|s| Some((s, s.since?))) else {
            return Ok(false);
        };
        let is_text = found.before.is_some();
        let numbers = |kind: AtomEnum, numbers: &[u32]| Item {
            kind: kind.into(),
            format: 32,
            data: numbers.iter().flat_map(|n| n.to_ne_bytes()).collect(),
        };
        let item = if target == self.atoms.TARGETS {
            let own = [
                self.atoms.TARGETS,
                self.atoms.TIMESTAMP,
                self.atoms.MULTIPLE,
            ];
            let mut targets: Vec<Atom> = found.content.keys().copied().collect();
            targets.sort_unstable();
            targets.extend(own);
            numbers(AtomEnum::ATOM, &targets)
        } else if target == self.atoms.TIMESTAMP {
            numbers(AtomEnum::INTEGER, &[since])
        } else {
            match found.content.get(&target) {
                Some(item) => item.clone(),
                None => return Ok(false),
            }
        };
        let content = target != self.atoms.TARGETS && target != self.atoms.TIMESTAMP;
        let offered = is_text && content;
        // Requests of other programs, such as one that polls the clipboard, do not delay the
        // restoration of the former content.
        let awaited = is_text && self.is_of_focus(requestor)?;
        if awaited {
            self.active = Instant::now();
        }
        if awaited && offered {
            self.tell(false);
        }
        if item.data.len() <= PIECE {
            self.put(requestor, property, &item, &item.data)?;
            self.given |= awaited && offered;
            return Ok(true);
        }
        // A transfer that this requestor did not take to the end is replaced.
        let same = |t: &Transfer| t.requestor == requestor && t.property == property;
        self.transfers.retain(|transfer| !same(transfer));
        let to_it = self.transfers.iter().filter(|t| t.requestor == requestor);
        if to_it.count() >= MAX_TRANSFERS.0 || self.transfers.len() >= MAX_TRANSFERS.1 {
            return Ok(false);
        }
        self.listen(requestor, EventMask::PROPERTY_CHANGE)?;
        let length = u32::try_from(item.data.len()).unwrap_or(u32::MAX);
        let announced = Item {
            kind: self.atoms.INCR,
            format: 32,
            data: Arc::new(length.to_ne_bytes()),
        };
        self.put(requestor, property, &announced, &announced.data)?;
        self.transfers.push(Transfer {
            requestor,
            property,
            item,
            sent: 0,
            ended: false,
            last: Instant::now(),
            offered,
            awaited,
        });
        Ok(true)
    }

    /// Answers a request for several targets (ICCCM 2.6.2); refused ones are replaced by NONE.
    fn give_multiple(
        &mut self,
        event: &SelectionRequestEvent,
        property: Atom,
    ) -> Result<bool, DisplayError> {
        let units = u32::try_from(2 * MAX_MULTIPLE).unwrap_or(u32::MAX);
        let reply = self
            .server
            .conn
            .get_property(false, event.requestor, property, AtomEnum::ANY, 0, units)?
            .reply();
        // The requestor may have ended.
        let Ok(reply) = reply else {
            return Ok(false);
        };
        let mut pairs: Vec<u32> = reply.value32().into_iter().flatten().collect();
        for pair in pairs.chunks_exact_mut(2) {
            let nested = pair[0] == self.atoms.MULTIPLE;
            if nested || !self.give(event.requestor, event.selection, pair[0], pair[1])? {
                pair[0] = x11rb::NONE;
            }
        }
        let conn = &self.server.conn;
        let kind = self.atoms.ATOM_PAIR;
        conn.change_property32(PropMode::REPLACE, event.requestor, property, kind, &pairs)?
            .ignore_error();
        Ok(true)
    }

    /// Sends the next piece of a transfer, after the requestor has deleted the property.
    pub(super) fn go_on(&mut self, requestor: Window, property: Atom) -> Result<(), DisplayError> {
        let same = |t: &Transfer| t.requestor == requestor && t.property == property;
        let Some(index) = self.transfers.iter().position(same) else {
            return Ok(());
        };
        let transfer = &mut self.transfers[index];
        transfer.last = Instant::now();
        if transfer.ended {
            let done = self.transfers.swap_remove(index);
            if done.offered && done.awaited {
                self.active = Instant::now();
                self.tell(true);
            }
            if !self.transfers.iter().any(|t| t.requestor == requestor) {
                self.listen(requestor, EventMask::NO_EVENT)?;
            }
            return Ok(());
        }
        let rest = &transfer.item.data[transfer.sent..];
        let piece = rest[..rest.len().min(PIECE)].to_vec();
        transfer.sent += piece.len();
        transfer.ended = piece.is_empty();
        let item = transfer.item.clone();
        self.put(requestor, property, &item, &piece)
    }

    /// Ends stalled transfers, and returns the time until the next one would be stalled.
    pub(super) fn end_stalled(&mut self) -> Option<Duration> {
        self.transfers.retain(|t| t.last.elapsed() < STALLED);
        let left = |t: &Transfer| STALLED.saturating_sub(t.last.elapsed());
        self.transfers.iter().map(left).min()
    }

    fn put(
        &self,
        requestor: Window,
        property: Atom,
        item: &Item,
        data: &[u8],
    ) -> Result<(), DisplayError> {
        let unit = usize::from(item.format / 8).max(1);
        let length = u32::try_from(data.len() / unit).unwrap_or(u32::MAX);
        let conn = &self.server.conn;
        let (mode, kind, format) = (PropMode::REPLACE, item.kind, item.format.max(8));
        conn.change_property(mode, requestor, property, kind, format, length, data)?
            .ignore_error();
        Ok(())
    }

    fn listen(&self, requestor: Window, events: EventMask) -> Result<(), DisplayError> {
        let aux = ChangeWindowAttributesAux::new().event_mask(events);
        let conn = &self.server.conn;
        conn.change_window_attributes(requestor, &aux)?
            .ignore_error();
        Ok(())
    }

    /// Reports to the step that waits for the offer that the focused program has requested the
    /// text, or if `whole`, that it has received all of it.
    fn tell(&self, whole: bool) {
        let Some((offer, _)) = &self.offer else {
            return;
        };
        if whole {
            offer.taken.fetch_add(1, Ordering::AcqRel);
        } else {
            offer.asked.store(true, Ordering::Release);
        }
        self.bell.ring();
    }

    /// Whether a window belongs to the focused program, for which the text is meant.
    ///
    /// The window may be of the same client or of another X connection of its process
    /// (LibreOffice has one). It may also be of another process of the same Wine, whose
    /// explorer.exe sends requests for all programs.
    fn is_of_focus(&mut self, requestor: Window) -> Result<bool, DisplayError> {
        let Some((_, focus)) = &self.offer else {
            return Ok(false);
        };
        // The program that has grabbed the keyboard is unknown, so any window may be of it.
        if focus.grabbed || focus.made(requestor) {
            return Ok(true);
        }
        if !self.has_resource {
            return Ok(false);
        }
        if let Some(known) = self.requestors.get(&requestor) {
            return Ok(*known);
        }
        let pid = owner::client_pid(&self.server, requestor)?;
        let wine = |pid: u32| focus.is_wine() && processes::name(pid).ends_with(".exe");
        let is_of_focus = pid.is_some_and(|pid| focus.pid == Some(pid) || wine(pid));
        if self.requestors.len() >= MAX_REQUESTORS {
            self.requestors.clear();
        }
        self.requestors.insert(requestor, is_of_focus);
        Ok(is_of_focus)
    }
}
