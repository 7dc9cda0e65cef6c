//! Reading the whole screen in one piece.

use std::{
    io,
    ops::Range,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use x11rb::{
    connection::{RequestConnection as _, SequenceNumber},
    cookie::Cookie,
    errors::ReplyError,
    protocol::{
        shm::{self, ConnectionExt as _},
        xproto::{ConnectionExt as _, GetGeometryReply, GetImageReply, ImageFormat, Rectangle},
    },
};

use crate::x11::{
    capture::{
        cursor,
        cursor::Cursor,
        damage,
        damage::Damage,
        segments::{Segments, Slot},
    },
    connection::{
        mailbox::Bell,
        server::{Server, XConnection, screen_size},
    },
    error::DisplayError,
    screen::{known::KnownScreen, root_state::Generation},
};
use crate::{
    facts::Profile,
    frame::{BYTES_PER_PIXEL, CaptureMode, CursorImage, Pixels, Region, STRIPE_ROWS, Size},
};

/// Tries while the screen keeps changing its size.
const MAX_TRIES: u32 = 5;

/// Readings of what changed, while more changes between them; then all is read at
/// once, which is of one instant by itself.
const ROUNDS: u32 = 3;

/// The fastest way that may be used; slower ones follow where it is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CaptureChoice(Option<CaptureMode>);

impl From<CaptureMode> for CaptureChoice {
    fn from(mode: CaptureMode) -> Self {
        Self(Some(mode))
    }
}

/// The whole screen at one instant, with the pointer apart from it.
#[derive(Debug)]
pub struct Grab {
    /// Counts the captures of this daemon life.
    pub number: u64,
    /// The screen without the pointer.
    pub pixels: Arc<Pixels>,
    /// For each stripe of [`STRIPE_ROWS`] rows the number of the capture in which it
    /// last changed, or may have.
    pub changed: Arc<[u64]>,
    /// The pointer; `None` when the server shows none.
    pub cursor: Option<CursorImage>,
    /// Identity of the X server.
    pub generation: Generation,
    /// Rises with each resize.
    pub geometry_epoch: u64,
    /// How it was read.
    pub mode: CaptureMode,
    /// When the first request of it was sent.
    pub started: Instant,
    /// The same by the sandbox's clock.
    pub time: SystemTime,
    /// How long it took.
    pub took: Duration,
    /// The profile that the display was proved under when the pixels were read.
    pub proof: Option<Profile>,
}

/// Reads the screen of one connection.
#[derive(Debug)]
pub(in crate::x11) struct Capturer {
    mode: CaptureMode,
    mode_reason: Option<String>,
    cursor: Cursor,
    segments: Segments,
    /// Reports changes; `None` if the server cannot: then everything is read each time.
    damage: Option<Damage>,
    last: Option<Last>,
    /// For each stripe the number of the capture in which it last may have changed.
    changed: Vec<u64>,
    /// Drawn on since the last capture, as the server said already, at least.
    pending: Vec<Region>,
    /// The last request of the last capture.
    last_request: SequenceNumber,
}

/// The subject of the last capture, and its pixels unless their memory is needed.
#[derive(Debug)]
struct Last {
    known: KnownScreen,
    pixels: Option<Arc<Pixels>>,
}

/// The result of the first look.
enum FirstLook {
    /// The screen has another size.
    Resized,
    /// Nothing was drawn since the last capture.
    Same(Arc<Pixels>, Option<CursorImage>),
    /// Something was; and whether the server was asked for all of it.
    Changed(bool),
}

/// The result of reading.
enum Reading {
    Resized,
    /// All segments are in use.
    Busy,
    Done(Arc<Pixels>, Option<CursorImage>),
}

impl Capturer {
    /// Finds the fastest way that works on this server, once a connection.
    ///
    /// # Errors
    ///
    /// Only those that end the connection: a refused way is passed over.
    pub(in crate::x11) fn probe(
        server: &Server,
        size: Size,
        choice: CaptureChoice,
        wake: Bell,
    ) -> Result<Self, DisplayError> {
        let mut capturer = Self {
            mode: CaptureMode::GetImage,
            mode_reason: None,
            cursor: Cursor::of(server)?,
            segments: Segments::new(wake),
            damage: Damage::follow(server)?,
            last: None,
            changed: Vec::new(),
            pending: Vec::new(),
            last_request: 0,
        };
        let mut reasons = Vec::new();
        for mode in [CaptureMode::ShmFd, CaptureMode::ShmSysv] {
            let allowed = match choice.0 {
                None | Some(CaptureMode::ShmFd) => true,
                Some(CaptureMode::ShmSysv) => mode == CaptureMode::ShmSysv,
                Some(CaptureMode::GetImage) => false,
            };
            if !allowed {
                reasons.push(format!("{mode:?}: not wanted (--capture-mode)"));
                continue;
            }
            match capturer.try_shm(server, mode, size) {
                Ok(()) => {
                    capturer.mode = mode;
                    break;
                }
                Err(error) if error.ends_connection() => return Err(error),
                Err(error) => reasons.push(format!("{mode:?}: {error}")),
            }
        }
        capturer.mode_reason = (!reasons.is_empty()).then(|| reasons.join("; "));
        if capturer.mode == CaptureMode::GetImage {
            capturer.end_damage(server)?;
        }
        Ok(capturer)
    }

    /// While the server reads pixels for GetImage, it takes its cursor off the screen and
    /// sends a DamageNotify in the middle of the reply (Xvfb 21.1). The stream cannot be
    /// read after that, so damage is not reported on this connection.
    fn end_damage(&mut self, server: &Server) -> Result<(), DisplayError> {
        self.pending.clear();
        self.damage
            .take()
            .map_or(Ok(()), |damage| damage.end(server))
    }

    /// How pixels are read, and why not faster.
    pub(in crate::x11) fn mode(&self) -> (CaptureMode, Option<String>) {
        (self.mode, self.mode_reason.clone())
    }

    /// The server's cursor.
    pub(in crate::x11) fn cursor(&self) -> &Cursor {
        &self.cursor
    }

    /// The request after which the last capture was whole.
    pub(in crate::x11) fn last_request(&self) -> SequenceNumber {
        self.last_request
    }

    /// Whether the server reports drawing.
    pub(in crate::x11) fn has_damage(&self) -> bool {
        self.damage.is_some()
    }

    fn try_shm(
        &mut self,
        server: &Server,
        mode: CaptureMode,
        size: Size,
    ) -> Result<(), DisplayError> {
        let unavailable =
            |why: &str| DisplayError::SharedMemory(io::Error::new(io::ErrorKind::Unsupported, why));
        if server
            .conn
            .extension_information(shm::X11_EXTENSION_NAME)?
            .is_none()
        {
            return Err(unavailable("the X server has no MIT-SHM"));
        }
        let version = server.conn.shm_query_version()?.reply();
        let version = version.map_err(|error| DisplayError::reply("ShmQueryVersion", error))?;
        if mode == CaptureMode::ShmFd && (version.major_version, version.minor_version) < (1, 2) {
            return Err(unavailable("the X server's MIT-SHM is older than 1.2"));
        }
        self.segments.attach(server, mode, size)?;
        // Attaching proves little: a server in another IPC namespace or container
        // may attach something else. One pixel through it proves the way.
        let one = server
            .conn
            .shm_get_image(
                server.root,
                0,
                0,
                1,
                1,
                u32::MAX,
                ImageFormat::Z_PIXMAP.into(),
                self.segments.id(),
                0,
            )?
            .reply();
        if let Err(error) = one {
            self.segments.detach(server)?;
            return Err(DisplayError::reply("ShmGetImage", error));
        }
        Ok(())
    }

    /// The screen as it is, following it when it was resized. What was not drawn on
    /// since the last capture is not read again. `None` when all segments are in use:
    /// the X thread is woken when one is let go.
    ///
    /// # Errors
    ///
    /// Those of the stages capture and connect.
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
                // Asked for rows that the screen has no more: it is being resized.
                Err(error @ DisplayError::Request { is_match: true, .. }) => {
                    refused = Some(error);
                    Reading::Resized
                }
                Err(error) => {
                    // What was drawn may have been fetched and is lost: all is read anew.
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
                    }));
                }
                Reading::Resized => {}
            }
            self.last = None;
            // A resize voids the proof, and with it the windows that carry it.
            (*known, _) = KnownScreen::read(server)?;
        }
        tracing::debug!(elapsed = ?first.elapsed(), "the screen kept changing its size");
        Err(refused.unwrap_or(DisplayError::Resizing(MAX_TRIES)))
    }

    /// Asks what was drawn since the last capture, and where the pointer is.
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
                // What was drawn so far is in what is read next.
                drop(damage.ask(server)?);
            }
            let stripes = known.size.height.div_ceil(STRIPE_ROWS) as usize;
            self.changed = vec![number; stripes];
            self.pending.clear();
            self.segments.note(&(0..known.size.height));
            return Ok(FirstLook::Changed(true));
        };
        if !self.pending.is_empty() {
            // What the server told is read at once, and with it what it did not tell.
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

    /// Notes what was drawn on: it is to be read, and to be encoded, again.
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

    /// Takes in that the server reported drawing there by itself, after that request.
    pub(in crate::x11) fn drawn(&mut self, area: &Rectangle, after: SequenceNumber, screen: Size) {
        if let Some(area) = damage::clipped(area, screen) {
            let is_known = |damage: &Damage| damage.knew(&area, after);
            if self.damage.as_ref().is_some_and(is_known) {
                return;
            }
            // It is around all that was told before.
            self.pending.retain(|part| area.union(part) != area);
            self.pending.push(area);
        }
    }

    /// Reads what changed, until nothing changes between: a frame is of one instant.
    /// `asked`: whether all that was drawn before is known.
    fn read(
        &mut self,
        server: &Server,
        known: &KnownScreen,
        number: u64,
        mut asked: bool,
    ) -> Result<Reading, DisplayError> {
        let whole = 0..known.size.height;
        // Its memory may be the one to read into.
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
                // Memory for one more is short: wait for one in use.
                Err(_) if !self.segments.is_empty() => return Ok(Reading::Busy),
                Err(error) => {
                    self.mode = CaptureMode::GetImage;
                    self.mode_reason = Some(error.to_string());
                    self.end_damage(server)?;
                    // Others may follow the screen on this connection, and end that first.
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
            // All requests leave in one write. The size is asked before and after
            // the pixels, so that a frame never has parts of two sizes.
            let ask = || self.damage.as_ref().map(|damage| damage.ask(server));
            let drawn_before = if asked { None } else { ask() };
            let drawn_before = drawn_before.transpose()?;
            let before = server.conn.get_geometry(server.root)?;
            let image = self.ask_image(server, known.size, slot, &rows)?;
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
            // Some of it lies before the pixels, some after.
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

    /// Asks for rows, which go where they belong in the slot.
    fn ask_image<'c>(
        &self,
        server: &'c Server,
        size: Size,
        slot: Option<usize>,
        rows: &Range<u32>,
    ) -> Result<AskedImage<'c>, DisplayError> {
        let (conn, root, format) = (&server.conn, server.root, ImageFormat::Z_PIXMAP);
        let (width, _) = wire_size(size)?;
        let short = |pixels: u32| i16::try_from(pixels).map_err(|_| DisplayError::TooLarge(size));
        let (y, height) = (
            short(rows.start)?,
            u16::try_from(rows.len()).map_err(|_| DisplayError::TooLarge(size))?,
        );
        let band = Size {
            height: rows.end - rows.start,
            ..size
        };
        let expected = server.format.image_bytes(band);
        let depth = server.depth;
        let kind = match slot {
            Some(_) => {
                let offset = server.format.stride(size.width) * rows.start as usize;
                let offset = u32::try_from(offset).map_err(|_| DisplayError::TooLarge(size))?;
                let (id, all) = (self.segments.id(), u32::MAX);
                let format = format.into();
                ImageAsked::Shared(
                    conn.shm_get_image(root, 0, y, width, height, all, format, id, offset)?,
                )
            }
            None => {
                ImageAsked::Plain(conn.get_image(format, root, 0, y, width, height, u32::MAX)?)
            }
        };
        Ok(AskedImage {
            asked: kind,
            expected,
            depth,
        })
    }

    /// Wraps the data of a reading as pixels.
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

    /// Gives back what a burst of captures needed and a quiet time does not.
    pub(in crate::x11) fn trim(&mut self) {
        self.segments.trim();
    }
}

/// An image that was asked for.
struct AskedImage<'c> {
    asked: ImageAsked<'c>,
    /// Bytes that it has.
    expected: usize,
    depth: u8,
}

enum ImageAsked<'c> {
    /// Into shared memory.
    Shared(Cookie<'c, XConnection, shm::GetImageReply>),
    /// Over the socket.
    Plain(Cookie<'c, XConnection, GetImageReply>),
}

impl AskedImage<'_> {
    /// Its bytes; none when they are in shared memory.
    fn reply(self) -> Result<Vec<u8>, DisplayError> {
        let (depth, bytes, data) = match self.asked {
            ImageAsked::Shared(cookie) => {
                let reply = cookie.reply();
                let reply = reply.map_err(|error| DisplayError::reply("ShmGetImage", error))?;
                (reply.depth, reply.size as usize, Vec::new())
            }
            ImageAsked::Plain(cookie) => {
                let reply = cookie.reply();
                let reply = reply.map_err(|error| DisplayError::reply("GetImage", error))?;
                (reply.depth, reply.data.len(), reply.data)
            }
        };
        if depth != self.depth || bytes < self.expected {
            return Err(too_short());
        }
        Ok(data)
    }
}

fn too_short() -> DisplayError {
    DisplayError::Protocol("an image is shorter than the screen")
}

fn size_of(reply: Result<GetGeometryReply, ReplyError>) -> Result<Size, DisplayError> {
    let reply = reply.map_err(|error| DisplayError::reply("GetGeometry", error))?;
    screen_size(reply.width, reply.height)
}

fn wire_size(size: Size) -> Result<(u16, u16), DisplayError> {
    let side = |pixels: u32| u16::try_from(pixels).map_err(|_| DisplayError::TooLarge(size));
    Ok((side(size.width)?, side(size.height)?))
}
