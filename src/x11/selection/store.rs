//! Reads and replaces the content of a selection for callers.

use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::oneshot;
use x11rb::protocol::xproto::{Atom, AtomEnum, ConnectionExt as _};

use super::{
    SelectionWorker,
    fetch::{FetchStep, Patience},
    item::{Item, TargetItems},
    order::{ClipboardItem, ClipboardRead, MAX_CONTENT, SelectionName, StoreOrder},
};
use crate::{
    failure::{Cause, Failure, Stage},
    x11::error::DisplayError,
};

/// Maximum number of formats that are listed.
const MAX_FORMATS: usize = 256;
/// Maximum time for the owner to deliver the content, and for one answer or piece of it.
const PATIENCE: Duration = Duration::from_secs(8);
const ANSWER: Duration = Duration::from_secs(3);
/// Maximum number of bytes of the name of a format. Longer names are left out.
const MAX_NAME: usize = 256;

/// Who owns a selection.
enum Owner {
    Nobody,
    Own(TargetItems),
    Other,
}

/// Decodes ISO 8859-1 (ICCCM 2.7.1): the first 256 characters of Unicode.
fn latin(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// The owner did not answer, or not to the end.
fn stalled() -> Failure {
    Failure {
        stage: Stage::Timeout,
        cause: Cause::ProgramUnresponsive,
        message: "the program that owns the clipboard did not deliver its content in time".into(),
    }
}

impl<'p> Patience<'p> {
    /// That of a caller who waits for content.
    fn of(is_gone: &'p dyn Fn() -> bool) -> Self {
        Self {
            until: Instant::now() + PATIENCE,
            answer: ANSWER,
            is_gone,
        }
    }
}

impl SelectionWorker {
    /// Carries out an order. An error ends the connection; the caller then gets it, too.
    pub(super) fn store(&mut self, order: StoreOrder) -> Result<(), DisplayError> {
        fn send<T>(
            reply: oneshot::Sender<Result<T, Failure>>,
            done: Result<Result<T, Failure>, DisplayError>,
        ) -> Result<(), DisplayError> {
            match done {
                Ok(answer) => {
                    // The caller may have gone.
                    drop(reply.send(answer));
                    Ok(())
                }
                Err(error) => {
                    drop(reply.send(Err(error.failure())));
                    Err(error)
                }
            }
        }
        match order {
            StoreOrder::Formats(name, reply) => {
                let is_gone = || reply.is_closed();
                let patience = Patience::of(&is_gone);
                let formats = self.formats(self.atom_of(name), &patience);
                let names = formats.and_then(|formats| self.names_of(formats));
                send(reply, names)
            }
            StoreOrder::Read(name, format, reply) => {
                let is_gone = || reply.is_closed();
                let patience = Patience::of(&is_gone);
                let read = self.read(self.atom_of(name), format, &patience);
                send(reply, read)
            }
            // A caller that has gone was told that nothing was written.
            StoreOrder::Write(_, _, reply) if reply.is_closed() => Ok(()),
            StoreOrder::Write(name, items, reply) => {
                let written = self.write(self.atom_of(name), items);
                send(reply, written)
            }
        }
    }

    fn atom_of(&self, name: SelectionName) -> Atom {
        match name {
            SelectionName::Clipboard => self.atoms.CLIPBOARD,
            SelectionName::Primary => AtomEnum::PRIMARY.into(),
        }
    }

    /// Returns the content if deskd owns the selection, else whether another program does. The
    /// server is asked: the event of a lost selection may not have been read yet.
    fn owner(&self, selection: Atom) -> Result<Owner, DisplayError> {
        let owner = self.server.conn.get_selection_owner(selection)?.reply();
        let owner = owner.map_err(|error| DisplayError::reply("GetSelectionOwner", error))?;
        let own = self.selections.iter().find(|own| own.name == selection);
        Ok(match own {
            Some(own) if owner.owner == self.window => Owner::Own(own.content.clone()),
            _ if owner.owner == x11rb::NONE => Owner::Nobody,
            _ => Owner::Other,
        })
    }

    /// Returns the formats that the owner lists, without those that carry no content.
    fn formats(
        &mut self,
        selection: Atom,
        patience: &Patience<'_>,
    ) -> Result<Result<Vec<Atom>, Failure>, DisplayError> {
        match self.owner(selection)? {
            Owner::Nobody => return Ok(Ok(Vec::new())),
            Owner::Own(content) => {
                let mut formats: Vec<Atom> = content.keys().copied().collect();
                formats.sort_unstable();
                return Ok(Ok(formats));
            }
            Owner::Other => {}
        }
        let targets = self.atoms.TARGETS;
        Ok(
            match self.fetch(selection, targets, patience, MAX_CONTENT)? {
                FetchStep::Item(item) => {
                    let mut formats = self.contents(&item);
                    formats.truncate(MAX_FORMATS);
                    Ok(formats)
                }
                FetchStep::Refused => Ok(Vec::new()),
                FetchStep::Missed | FetchStep::TooLong => Err(stalled()),
            },
        )
    }

    fn names_of(
        &self,
        formats: Result<Vec<Atom>, Failure>,
    ) -> Result<Result<Vec<String>, Failure>, DisplayError> {
        let formats = match formats {
            Ok(formats) => formats,
            Err(failure) => return Ok(Err(failure)),
        };
        let mut asked = Vec::new();
        for format in formats {
            asked.push(self.server.conn.get_atom_name(format)?);
        }
        let mut names = Vec::new();
        for cookie in asked {
            // The owner may list numbers that are no atoms.
            if let Ok(reply) = cookie.reply()
                && reply.name.len() <= MAX_NAME
            {
                names.push(String::from_utf8_lossy(&reply.name).into_owned());
            }
        }
        Ok(Ok(names))
    }

    fn read(
        &mut self,
        selection: Atom,
        format: String,
        patience: &Patience<'_>,
    ) -> Result<Result<ClipboardRead, Failure>, DisplayError> {
        let wanted = match format.as_str() {
            "" => self.texts(),
            name => vec![self.intern(name)?],
        };
        let owner = self.owner(selection)?;
        for target in wanted {
            let step = match &owner {
                Owner::Nobody => FetchStep::Refused,
                Owner::Own(content) => match content.get(&target) {
                    Some(item) => FetchStep::Item(item.clone()),
                    None => FetchStep::Refused,
                },
                Owner::Other => self.fetch(selection, target, patience, MAX_CONTENT)?,
            };
            let item = match step {
                FetchStep::Item(item) => item,
                FetchStep::Refused => continue,
                FetchStep::TooLong => return Ok(Ok(ClipboardRead::TooLarge)),
                FetchStep::Missed => return Ok(Err(stalled())),
            };
            let data = match format.is_empty() {
                true if item.format != 8 => continue,
                true if item.kind == u32::from(AtomEnum::STRING) => latin(&item.data).into(),
                true => String::from_utf8_lossy(&item.data).into_owned().into(),
                false => Bytes::copy_from_slice(&item.data),
            };
            return Ok(Ok(ClipboardRead::Content(ClipboardItem { format, data })));
        }
        let offered = self.formats(selection, patience)?;
        let offered = self.names_of(offered)?;
        Ok(offered.map(ClipboardRead::NotOffered))
    }

    /// The formats of text, the most exact first.
    fn texts(&self) -> Vec<Atom> {
        let atoms = &self.atoms;
        vec![
            atoms.UTF8_STRING,
            atoms.TEXT_PLAIN_UTF8,
            AtomEnum::STRING.into(),
            atoms.TEXT_PLAIN,
        ]
    }

    fn write(
        &mut self,
        selection: Atom,
        items: Vec<ClipboardItem>,
    ) -> Result<Result<(), Failure>, DisplayError> {
        let mut content = TargetItems::new();
        for item in items {
            if item.format.is_empty() {
                // The text was validated.
                content.extend(self.text(&String::from_utf8_lossy(&item.data)));
                continue;
            }
            let kind = self.intern(&item.format)?;
            let data = item.data.as_ref().into();
            content.insert(
                kind,
                Item {
                    kind,
                    format: 8,
                    data,
                },
            );
        }
        let time = self.time()?;
        for own in &mut self.selections {
            if own.name == selection {
                own.before = None;
                own.content = std::mem::take(&mut content);
                own.since = Some(time);
            }
        }
        let conn = &self.server.conn;
        conn.set_selection_owner(self.window, selection, time)?
            .ignore_error();
        let owner = self.server.conn.get_selection_owner(selection)?.reply();
        let owner = owner.map_err(|error| DisplayError::reply("GetSelectionOwner", error))?;
        // A clipboard manager may already have taken the content over; then it was read.
        tracing::debug!(
            own = owner.owner == self.window,
            "the clipboard was written"
        );
        Ok(Ok(()))
    }

    fn intern(&self, name: &str) -> Result<Atom, DisplayError> {
        let atom = self
            .server
            .conn
            .intern_atom(false, name.as_bytes())?
            .reply();
        Ok(atom
            .map_err(|error| DisplayError::reply("InternAtom", error))?
            .atom)
    }
}
