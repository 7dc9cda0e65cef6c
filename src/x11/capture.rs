//! Reading the whole screen in one piece.

use std::{
    io,
    time::{Duration, Instant, SystemTime},
};

use x11rb::{
    connection::RequestConnection as _,
    errors::ReplyError,
    protocol::{
        shm::{self, ConnectionExt as _},
        xfixes::ConnectionExt as _,
        xproto::{ConnectionExt as _, ImageFormat, Window},
    },
};

use super::{
    Error, Generation,
    connect::{Server, screen_size},
    cursor,
    mailbox::Bell,
    segments::{Segments, Slot},
};
use crate::{
    facts::Profile,
    frame::{CaptureMode, CursorImage, Pixels, Size},
};

/// Tries while the screen keeps changing its size.
const MAX_TRIES: u32 = 5;

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
    pub pixels: Pixels,
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
    /// What the display was proved to be when the pixels were read.
    pub proof: Option<Profile>,
}

/// The screen as it was last seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) size: Size,
    pub(super) generation: Generation,
    pub(super) epoch: u64,
    pub(super) proof: Option<Profile>,
}

impl Known {
    /// Reads all of it, and the windows that carry the proof.
    pub(super) fn read(server: &Server) -> Result<(Self, Vec<Window>), Error> {
        let state = server.identify()?;
        let (proof, windows) = state
            .proof
            .map(|proof| (proof.profile, proof.windows))
            .unzip();
        let known = Self {
            size: state.size,
            generation: state.generation,
            epoch: state.epoch,
            proof,
        };
        Ok((known, windows.unwrap_or_default()))
    }
}

/// Reads the screen of one connection.
#[derive(Debug)]
pub(super) struct Capturer {
    mode: CaptureMode,
    mode_reason: Option<String>,
    has_cursor: bool,
    segments: Segments,
}

impl Capturer {
    /// Finds the fastest way that works on this server, once a connection.
    ///
    /// # Errors
    ///
    /// Only those that end the connection: a refused way is passed over.
    pub(super) fn probe(
        server: &Server,
        size: Size,
        choice: CaptureChoice,
        wake: Bell,
    ) -> Result<Self, Error> {
        let mut capturer = Self {
            mode: CaptureMode::GetImage,
            mode_reason: None,
            has_cursor: cursor::available(&server.conn)?,
            segments: Segments::new(wake),
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
        Ok(capturer)
    }

    /// How pixels are read, and why not faster.
    pub(super) fn mode(&self) -> (CaptureMode, Option<String>) {
        (self.mode, self.mode_reason.clone())
    }

    /// Whether the server shows its cursor.
    pub(super) fn has_cursor(&self) -> bool {
        self.has_cursor
    }

    fn try_shm(&mut self, server: &Server, mode: CaptureMode, size: Size) -> Result<(), Error> {
        let unavailable =
            |why: &str| Error::SharedMemory(io::Error::new(io::ErrorKind::Unsupported, why));
        if server
            .conn
            .extension_information(shm::X11_EXTENSION_NAME)?
            .is_none()
        {
            return Err(unavailable("the X server has no MIT-SHM"));
        }
        let version = server.conn.shm_query_version()?.reply();
        let version = version.map_err(|error| Error::reply("ShmQueryVersion", error))?;
        if mode == CaptureMode::ShmFd && (version.major_version, version.minor_version) < (1, 2) {
            return Err(unavailable("the X server's MIT-SHM is older than 1.2"));
        }
        let slot = Slot::attach(server, mode, size)?;
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
                slot.id,
                0,
            )?
            .reply();
        match one {
            Ok(_) => self.segments.add(slot),
            Err(error) => {
                slot.detach(server)?;
                return Err(Error::reply("ShmGetImage", error));
            }
        }
        Ok(())
    }

    /// Reads the screen, following it when it was resized. `None` when all
    /// segments are in use: the X thread is woken when one is let go.
    ///
    /// # Errors
    ///
    /// Those of the stages capture and connect.
    pub(super) fn grab(
        &mut self,
        server: &Server,
        known: &mut Known,
        number: u64,
    ) -> Result<Option<Grab>, Error> {
        let started = Instant::now();
        for _ in 0..MAX_TRIES {
            let (start, time) = (Instant::now(), SystemTime::now());
            let slot = match self.mode {
                CaptureMode::GetImage => None,
                mode => match self.segments.free(server, mode, known.size) {
                    Ok(Some(slot)) => Some(slot),
                    Ok(None) => return Ok(None),
                    Err(error) if error.ends_connection() => return Err(error),
                    // Memory for one more is short: wait for one in use.
                    Err(_) if !self.segments.is_empty() => return Ok(None),
                    Err(error) => {
                        self.mode = CaptureMode::GetImage;
                        self.mode_reason = Some(error.to_string());
                        None
                    }
                },
            };
            let slot = slot.map(|index| self.segments.slot(index));
            if let Some((pixels, cursor)) = self.read(server, known, slot)? {
                return Ok(Some(Grab {
                    number,
                    pixels,
                    cursor,
                    generation: known.generation,
                    geometry_epoch: known.epoch,
                    mode: self.mode,
                    started: start,
                    time,
                    took: start.elapsed(),
                    proof: known.proof,
                }));
            }
            // A resize voids the proof, and with it the windows that carry it.
            (*known, _) = Known::read(server)?;
        }
        tracing::debug!(elapsed = ?started.elapsed(), "the screen kept changing its size");
        Err(Error::Resizing(MAX_TRIES))
    }

    /// One try: `None` when the screen is of another size than `known`.
    fn read(
        &self,
        server: &Server,
        known: &Known,
        slot: Option<&Slot>,
    ) -> Result<Option<(Pixels, Option<CursorImage>)>, Error> {
        let conn = &server.conn;
        let format: u8 = ImageFormat::Z_PIXMAP.into();
        let (width, height) = wire_size(known.size)?;
        // All requests leave in one write. The size is asked before and after
        // the pixels, so that a frame never has parts of two sizes.
        let before = conn.get_geometry(server.root)?;
        let (shared, plain) = match slot {
            Some(slot) => {
                let all = u32::MAX;
                (
                    Some(conn.shm_get_image(
                        server.root,
                        0,
                        0,
                        width,
                        height,
                        all,
                        format,
                        slot.id,
                        0,
                    )?),
                    None,
                )
            }
            None => {
                let format = ImageFormat::Z_PIXMAP;
                (
                    None,
                    Some(conn.get_image(format, server.root, 0, 0, width, height, u32::MAX)?),
                )
            }
        };
        let pointer = if self.has_cursor {
            Some(conn.xfixes_get_cursor_image()?)
        } else {
            None
        };
        let after = conn.get_geometry(server.root)?;

        let size = |reply: Result<x11rb::protocol::xproto::GetGeometryReply, ReplyError>| {
            let reply = reply.map_err(|error| Error::reply("GetGeometry", error))?;
            screen_size(reply.width, reply.height)
        };
        let before = size(before.reply())?;
        let shared = shared.map(|cookie| cookie.reply());
        let plain = plain.map(|cookie| cookie.reply());
        let pointer = pointer.map(cursor::image).transpose()?.flatten();
        let after = size(after.reply())?;
        if before != known.size || after != known.size {
            return Ok(None);
        }

        let expected = server.format.image_bytes(known.size);
        let short = || Error::Protocol("an image is shorter than the screen");
        let stride = server.format.stride(known.size.width);
        let pixels = match (shared, slot, plain) {
            (Some(reply), Some(slot), _) => {
                let reply = reply.map_err(|error| Error::reply("ShmGetImage", error))?;
                if reply.depth != server.depth || reply.size as usize != expected {
                    return Err(short());
                }
                if server.format.is_bgrx() {
                    let lease = self.segments.lease(slot);
                    Pixels::new(Box::new(lease), known.size, stride)
                } else {
                    let image = slot.bytes();
                    let owned = server.format.to_bgrx(image, known.size).ok_or_else(short)?;
                    Pixels::new(Box::new(owned), known.size, known.size.width as usize * 4)
                }
            }
            (_, _, Some(reply)) => {
                let reply = reply.map_err(|error| Error::reply("GetImage", error))?;
                if reply.depth != server.depth {
                    return Err(short());
                }
                if server.format.is_bgrx() {
                    Pixels::new(Box::new(reply.data), known.size, stride)
                } else {
                    let owned = server
                        .format
                        .to_bgrx(&reply.data, known.size)
                        .ok_or_else(short)?;
                    Pixels::new(Box::new(owned), known.size, known.size.width as usize * 4)
                }
            }
            _ => return Err(short()),
        };
        Ok(Some((pixels.ok_or_else(short)?, pointer)))
    }

    /// Gives back what a burst of captures needed and a quiet time does not.
    pub(super) fn trim(&mut self, server: &Server) -> Result<(), Error> {
        self.segments.trim(server)
    }
}

fn wire_size(size: Size) -> Result<(u16, u16), Error> {
    let side = |pixels: u32| u16::try_from(pixels).map_err(|_| Error::TooLarge(size));
    Ok((side(size.width)?, side(size.height)?))
}
