//! Captures the whole screen at one instant.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use x11rb::{
    connection::SequenceNumber,
    errors::ReplyError,
    protocol::xproto::{ConnectionExt as _, GetGeometryReply, Rectangle},
};

use crate::x11::{
    capture::{
        cursor,
        cursor::Cursor,
        damage,
        damage::Damage,
        image,
        image::too_short,
        segments::{Segments, Slot},
    },
    command::arrangement::Arrangement,
    connection::server::{Server, screen_size},
    error::DisplayError,
    screen::{known::KnownScreen, root_state::Generation},
};
use crate::{
    facts::Profile,
    frame::{BYTES_PER_PIXEL, CaptureMode, CursorImage, Pixels, Region, STRIPE_ROWS, Size},
};

/// Maximum number of attempts while the screen keeps changing its size.
const MAX_TRIES: u32 = 5;

/// Maximum number of reads of the changed rows, if drawing continues during each of them. Then one
/// request reads the whole screen, which the server serves at one instant.
const ROUNDS: u32 = 3;

/// The fastest capture mode that may be used. If the server refuses it, slower modes are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CaptureChoice(pub(super) Option<CaptureMode>);

impl From<CaptureMode> for CaptureChoice {
    fn from(mode: CaptureMode) -> Self {
        Self(Some(mode))
    }
}

/// The whole screen at one instant, and the pointer separately.
#[derive(Debug)]
pub struct Grab {
    /// Number of the capture, counted from 1 by the thread that captures.
    pub number: u64,
    /// The screen without the pointer.
    pub pixels: Arc<Pixels>,
    /// For each stripe of [`STRIPE_ROWS`] rows, the number of the capture in which the stripe last
    /// changed, or may have changed.
    pub changed: Arc<[u64]>,
    /// The pointer; `None` if the server shows none.
    pub cursor: Option<CursorImage>,
    /// Identity of the X server.
    pub generation: Generation,
    /// Rises with each resize.
    pub geometry_epoch: u64,
    /// The mode in which the pixels were read.
    pub mode: CaptureMode,
    /// When the capture's first request was sent.
    pub started: Instant,
    /// The same instant by the sandbox's clock.
    pub time: SystemTime,
    /// Duration of the capture.
    pub took: Duration,
    /// The profile of the paint proof that was valid when the pixels were read.
    pub proof: Option<Profile>,
    /// Where the windows were when the pixels were read; `None` while no window is followed.
    pub arrangement: Option<Arrangement>,
}

/// Reads the screen of one connection.
#[derive(Debug)]
pub(in crate::x11) struct Capturer {
    pub(super) mode: CaptureMode,
    pub(super) mode_reason: Option<String>,
    pub(super) cursor: Cursor,
    pub(super) segments: Segments,
    /// The record of changes. Without it, the whole screen is read each time.
    pub(super) damage: Option<Damage>,
    pub(super) last: Option<Last>,
    /// For each stripe, the number of the capture in which the stripe last may have changed.
    pub(super) changed: Vec<u64>,
    /// Areas drawn on since the last capture, as far as the server has reported them already.
    pub(super) pending: Vec<Region>,
    /// Sequence number of the last request of the last capture.
    pub(super) last_request: SequenceNumber,
}

/// The screen of the last capture, and its pixels unless a new capture needs their memory.
#[derive(Debug)]
pub(super) struct Last {
    known: KnownScreen,
    pixels: Option<Arc<Pixels>>,
}

/// The result of `Capturer::look`.
enum FirstLook {
    /// The screen has another size.
    Resized,
    /// Nothing was drawn since the last capture. Contains that capture's pixels and the pointer.
    Same(Arc<Pixels>, Option<CursorImage>),
    /// Something was drawn. Contains whether all the damage was queried already.
    Changed(bool),
}

/// The result of `Capturer::read`.
enum Reading {
    Resized,
    /// Readers use all slots.
    Busy,
    Done(Arc<Pixels>, Option<CursorImage>),
}

impl Capturer {
    /// While the server reads pixels for GetImage, it takes its cursor off the screen and sends a
    /// DamageNotify in the middle of the reply (Xvfb 21.1). After that, the stream cannot be
    /// parsed. So a connection that uses GetImage does not follow damage.
    pub(super) fn end_damage(&mut self, server: &Server) -> Result<(), DisplayError> {
        self.pending.clear();
        self.damage
            .take()
            .map_or(Ok(()), |damage| damage.end(server))
    }

    /// The capture mode, and why no faster mode is used.
    pub(in crate::x11) fn mode(&self) -> (CaptureMode, Option<String>) {
        (self.mode, self.mode_reason.clone())
    }

    /// The server's cursor.
    pub(in crate::x11) fn cursor(&self) -> &Cursor {
        &self.cursor
    }

    /// Sequence number of the last request of the last capture.
    pub(in crate::x11) fn last_request(&self) -> SequenceNumber {
        self.last_request
    }

    /// Whether the server reports drawing.
    pub(in crate::x11) fn has_damage(&self) -> bool {
        self.damage.is_some()
    }

    /// Captures the screen, at its new size if it was resized. Areas that were not drawn on since
    /// the last capture are not read again. Returns `None` if all slots are in use; the X thread is
    /// woken when a reader releases one.
    ///
    /// # Errors
    ///
    /// Errors of the stages capture and connect.
    pub(in crate::x11) fn grab(
        &mut self,
        server: &Server,
        known: &mut KnownScreen,
        number: u64,
    ) -> Result<Option<Grab>, DisplayError> {
        let first = Instant::now();
        let mut refused = None;
        for _ in 0..MAX_TRIES {
            let (started, time) = (Instant::now(), SystemTime::now());
            let looked = self.look(server, known, number);
            let read = looked.and_then(|looked| match looked {
                FirstLook::Resized => Ok(Reading::Resized),
                FirstLook::Same(pixels, cursor) => Ok(Reading::Done(pixels, cursor)),
                FirstLook::Changed(asked) => self.read(server, known, number, asked),
            });
            let read = match read {
                // Rows were requested that the screen no longer has: it is being resized.
                Err(error @ DisplayError::Request { is_match: true, .. }) => {
                    refused = Some(error);
                    Reading::Resized
                }
                Err(error) => {
                    // Damage may have been fetched and is lost now, so the next capture reads
                    // everything.
                    self.last = None;
                    return Err(error);
                }
                Ok(read) => read,
            };
            match read {
                Reading::Busy => return Ok(None),
                Reading::Done(pixels, cursor) => {
                    return Ok(Some(Grab {
                        number,
                        pixels,
                        changed: self.changed.as_slice().into(),
                        cursor,
                        generation: known.generation,
                        geometry_epoch: known.epoch,
                        mode: self.mode,
                        started,
                        time,
                        took: started.elapsed(),
                        proof: known.proof,
                        arrangement: None,
                    }));
                }
                Reading::Resized => {}
            }
            self.last = None;
            // A resize voids the paint proof, so no windows carry it.
            (*known, _) = KnownScreen::read(server)?;
        }
        tracing::debug!(elapsed = ?first.elapsed(), "the screen kept changing its size");
        Err(refused.unwrap_or(DisplayError::Resizing(MAX_TRIES)))
    }

    /// Queries what was drawn since the last capture, and the pointer.
    fn look(
        &mut self,
        server: &Server,
        known: &KnownScreen,
        number: u64,
    ) -> Result<FirstLook, DisplayError> {
        if let Some(damage) = &self.damage {
            damage.begin();
        }
        let same = |last: &&Last| last.known.is_the_screen_of(known);
        let (Some(last), Some(damage)) = (self.last.as_ref().filter(same), &self.damage) else {
            if let Some(damage) = &self.damage {
                // The following read includes what was drawn so far, so the answer is ignored.
                drop(damage.ask(server)?);
            }
            let stripes = known.size.height.div_ceil(STRIPE_ROWS) as usize;
            self.changed = vec![number; stripes];
            self.pending.clear();
            self.segments.note(&(0..known.size.height));
            return Ok(FirstLook::Changed(true));
        };
        if !self.pending.is_empty() {
            // Areas that the server has reported are read at once. `read` queries the rest with
            // them.
            let drawn = std::mem::take(&mut self.pending);
            self.note(&drawn, number);
            return Ok(FirstLook::Changed(false));
        }
        let pixels = last.pixels.clone();
        let asked = damage.ask(server)?;
        let pointer = self.cursor.ask(server)?;
        let size = server.conn.get_geometry(server.root)?;
        self.last_request = size.sequence_number();
        let drawn = asked.answer(known.size)?;
        damage.note(&drawn);
        let pointer = self.answer_of(pointer)?;
        if size_of(size.reply())? != known.size {
            return Ok(FirstLook::Resized);
        }
        self.note(&drawn, number);
        Ok(match pixels {
            Some(pixels) if drawn.is_empty() => FirstLook::Same(pixels, pointer),
            _ => FirstLook::Changed(true),
        })
    }

    /// Marks drawn areas, so that they are read and encoded again.
    fn note(&mut self, drawn: &[Region], number: u64) {
        for part in drawn {
            let rows = part.y..part.y + part.size.height;
            self.segments.note(&rows);
            let first = (rows.start / STRIPE_ROWS) as usize;
            let last = rows.end.div_ceil(STRIPE_ROWS) as usize;
            if let Some(stripes) = self.changed.get_mut(first..last) {
                stripes.fill(number);
            }
        }
    }

    /// Processes an event that reports drawing in `area`, sent after request `after`.
    pub(in crate::x11) fn drawn(&mut self, area: &Rectangle, after: SequenceNumber, screen: Size) {
        if let Some(area) = damage::clipped(area, screen) {
            let is_known = |damage: &Damage| damage.knew(&area, after);
            if self.damage.as_ref().is_some_and(is_known) {
                return;
            }
            // The new area replaces earlier ones that lie inside it.
            self.pending.retain(|part| area.union(part) != area);
            self.pending.push(area);
        }
    }

    /// Reads what changed, until nothing is drawn during a read: a frame shows one instant.
    /// `asked`: whether the damage before the read was queried already.
    fn read(
        &mut self,
        server: &Server,
        known: &KnownScreen,
        number: u64,
        mut asked: bool,
    ) -> Result<Reading, DisplayError> {
        let whole = 0..known.size.height;
        // Releases the last pixels, because their memory may be the one to read into.
        self.last = Some(Last {
            known: *known,
            pixels: None,
        });
        let slot = match self.mode {
            CaptureMode::GetImage => None,
            mode => match self.segments.free(server, mode, known.size) {
                Ok(Some(slot)) => Some(slot),
                Ok(None) => return Ok(Reading::Busy),
                Err(error) if error.ends_connection() => return Err(error),
                // No memory for one more slot: the capture waits for one in use.
                Err(_) if !self.segments.is_empty() => return Ok(Reading::Busy),
                Err(error) => {
                    self.mode = CaptureMode::GetImage;
                    self.mode_reason = Some(error.to_string());
                    self.end_damage(server)?;
                    // The caller first destroys its own damage objects on this connection, if any,
                    // then retries.
                    return Err(error);
                }
            },
        };
        for round in 0..=ROUNDS {
            let stale = slot.map(|slot| self.segments.slot(slot).stale());
            let rows = match stale {
                Some(stale) if round < ROUNDS && !stale.is_empty() => stale,
                _ => whole.clone(),
            };
            // All requests are sent in one write. The size is queried before and after the pixels,
            // so that a frame never has parts of two sizes.
            let ask = || self.damage.as_ref().map(|damage| damage.ask(server));
            let drawn_before = if asked { None } else { ask() };
            let drawn_before = drawn_before.transpose()?;
            let before = server.conn.get_geometry(server.root)?;
            let segment = slot.map(|_| self.segments.id());
            let image = image::ask(server, known.size, segment, &rows)?;
            let drawn = ask().transpose()?;
            let pointer = self.cursor.ask(server)?;
            let after = server.conn.get_geometry(server.root)?;
            self.last_request = after.sequence_number();
            let before = size_of(before.reply())?;
            let image = image.reply();
            let answer = |asked: Option<damage::DamageAsked<'_>>| {
                let answer = asked.map(|asked| asked.answer(known.size)).transpose();
                answer.map(Option::unwrap_or_default)
            };
            let (drawn_before, drawn) = (answer(drawn_before)?, answer(drawn)?);
            if let Some(damage) = &self.damage {
                damage.note(&drawn_before);
                damage.note(&drawn);
            }
            asked = true;
            let pointer = self.answer_of(pointer)?;
            if before != known.size || size_of(after.reply())? != known.size {
                return Ok(Reading::Resized);
            }
            let data = image?;
            if let Some(slot) = slot {
                let stride = server.format.stride(known.size.width);
                let bytes = rows.start as usize * stride..rows.end as usize * stride;
                self.segments.take(slot, bytes);
            }
            let is_within =
                |part: &Region| rows.start <= part.y && part.y + part.size.height <= rows.end;
            let is_all = drawn_before.iter().all(is_within);
            self.note(&drawn_before, number);
            if let Some(slot) = slot.filter(|_| is_all) {
                self.segments.clean(slot);
            }
            // The server may have drawn this before or after it read the pixels.
            self.note(&drawn, number);
            if rows != whole && !(drawn.is_empty() && is_all) {
                continue;
            }
            self.pending = drawn;
            let pixels = Arc::new(self.pixels(server, known.size, slot, data)?);
            if let Some(last) = &mut self.last {
                last.pixels = Some(Arc::clone(&pixels));
            }
            return Ok(Reading::Done(pixels, pointer));
        }
        Err(DisplayError::Protocol(
            "the whole screen was read, and yet not whole",
        ))
    }

    fn answer_of(
        &self,
        asked: Option<cursor::CursorAsked<'_>>,
    ) -> Result<Option<CursorImage>, DisplayError> {
        match asked {
            Some(asked) => self.cursor.answer(asked),
            None => Ok(None),
        }
    }

    /// Wraps the captured data as pixels, and converts their format if necessary.
    fn pixels(
        &self,
        server: &Server,
        size: Size,
        slot: Option<usize>,
        data: Vec<u8>,
    ) -> Result<Pixels, DisplayError> {
        let stride = server.format.stride(size.width);
        let plain = size.width as usize * BYTES_PER_PIXEL;
        let slot = slot.map(|slot| self.segments.slot(slot));
        let pixels = match (slot, server.format.is_bgrx()) {
            (Some(slot), true) => Pixels::new(Box::new(self.segments.lease(slot)), size, stride),
            (None, true) => Pixels::new(Box::new(data), size, stride),
            (slot, false) => {
                let bytes = slot.map_or(data.as_slice(), Slot::bytes);
                let owned = server.format.to_bgrx(bytes, size).ok_or_else(too_short)?;
                Pixels::new(Box::new(owned), size, plain)
            }
        };
        pixels.ok_or_else(too_short)
    }

    /// Frees slots that a burst of captures needed and no reader uses.
    pub(in crate::x11) fn trim(&mut self) {
        self.segments.trim();
    }
}

fn size_of(reply: Result<GetGeometryReply, ReplyError>) -> Result<Size, DisplayError> {
    let reply = reply.map_err(|error| DisplayError::reply("GetGeometry", error))?;
    screen_size(reply.width, reply.height)
}
