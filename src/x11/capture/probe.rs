//! Chooses how a connection reads pixels: the fastest way that works with its X server.

use std::io;

use x11rb::{
    connection::RequestConnection as _,
    protocol::{
        shm::{self, ConnectionExt as _},
        xproto::ImageFormat,
    },
};

use crate::{
    frame::{CaptureMode, Size},
    x11::{
        capture::{
            cursor::Cursor,
            damage::Damage,
            grab::{CaptureChoice, Capturer},
            segments::Segments,
        },
        connection::{mailbox::Bell, server::Server},
        error::DisplayError,
    },
};

impl Capturer {
    /// Finds the fastest capture mode that works on this server, once per connection.
    ///
    /// # Errors
    ///
    /// Only errors that end the connection. After any other error, the next mode is tried.
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
        // That the server attached a segment does not suffice: a server in another IPC namespace or
        // container may attach another one. So one pixel is read through the segment.
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
}
