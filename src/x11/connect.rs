//! Being let in by the X server, and understanding its screen.

use std::{io, sync::Arc, time::Duration};

use x11rb::{
    connection::{Connection as _, RequestConnection as _, SequenceNumber},
    errors::ConnectError,
    protocol::{
        Event,
        xproto::{ConnectionExt as _, CreateWindowAux, EventMask, Screen, Window, WindowClass},
        xtest,
    },
    rust_connection::RustConnection,
};
use x11rb_protocol::xauth::{self, Family};

use super::{
    DisplayName, Error, Generation, SocketKind,
    capture::{Capturer, Known},
    error::CookieLookup,
    pixel_format::PixelFormat,
    root_state::{self, RootState},
    socket::{self, Owner, Pulse, Purpose, XStream},
    trust::{ServerLife, Trust},
};
use crate::{
    facts::Profile,
    frame::{CaptureMode, Size},
};

/// x11rb's connection over our stream.
pub(super) type XConnection = RustConnection<XStream>;

/// A connected screen.
#[derive(Debug, Clone)]
pub struct ScreenInfo {
    /// Size in pixels, as last seen.
    pub size: Size,
    /// Dots per inch, rounded, as stated when the connection was made.
    pub dpi: u32,
    /// Bits of a pixel that carry colour.
    pub depth: u8,
    /// Identity of the X server.
    pub generation: Generation,
    /// Rises with each resize.
    pub geometry_epoch: u64,
    /// The profile under which the display was proved: its paint was seen whole and at
    /// rest.
    pub proof: Option<Profile>,
    /// Windows that carry the proof and still stand.
    pub carriers: usize,
    /// How pixels are read.
    pub capture_mode: CaptureMode,
    /// Why the mode is not `ShmFd`.
    pub capture_mode_reason: Option<String>,
    /// Whether the server shows its cursor (XFIXES).
    pub has_cursor: bool,
    /// Whether the server reports drawing (DAMAGE).
    pub has_damage: bool,
    /// Whether the server takes input from its clients (XTEST).
    pub has_xtest: bool,
    /// Which socket leads to the server.
    pub socket: SocketKind,
    /// User id of the X server, if the kernel reports it.
    pub server_uid: Option<u32>,
}

/// Events that are taken from a connection before one looks at something else: a client
/// may make them without end. More than the X server sends within a turn of the loop.
pub(super) const EVENTS_AT_ONCE: usize = 16_384;

/// A connection that was let in, with its screen.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) conn: XConnection,
    pub(super) root: Window,
    pub(super) format: PixelFormat,
    pub(super) depth: u8,
    pub(super) dpi: u32,
    pub(super) has_xtest: bool,
    pub(super) socket: SocketKind,
    pub(super) server_uid: Option<u32>,
    trust: Trust,
    life: ServerLife,
}

impl Server {
    /// Connects and reads the screen's pixel format.
    ///
    /// # Errors
    ///
    /// Every [`Error`] of the stages connect, auth and display.
    pub(super) fn open(
        display: DisplayName,
        patience: Duration,
        pulse: &Arc<Pulse>,
        (owner, trust): (&Owner, &Trust),
        purpose: Purpose,
    ) -> Result<Self, Error> {
        let connected = socket::open(display, owner)?;
        let stream = XStream::new(connected.stream, patience, Arc::clone(pulse), purpose)
            .map_err(Error::Lost)?;
        let mut server = Self::over(stream, display, connected.kind, connected.server_uid)?;
        server.trust = trust.clone();
        server.life = ServerLife::of(connected.server_pid);
        Ok(server)
    }

    /// The same over a stream that is connected already.
    pub(super) fn over(
        stream: XStream,
        display: DisplayName,
        socket: SocketKind,
        server_uid: Option<u32>,
    ) -> Result<Self, Error> {
        let (lookup, (name, data)) = find_cookie(display);
        let conn =
            RustConnection::connect_to_stream_with_auth_info(stream, display.screen, name, data)
                .map_err(|error| refusal(display, error, lookup))?;
        Self::understand(conn, display, socket, server_uid)
    }

    fn understand(
        conn: XConnection,
        display: DisplayName,
        socket: SocketKind,
        server_uid: Option<u32>,
    ) -> Result<Self, Error> {
        let setup = conn.setup();
        let screen = setup
            .roots
            .get(display.screen)
            .ok_or(Error::NoScreen { display })?;
        let format = PixelFormat::of_root(setup, screen)?;
        let (root, depth, dpi) = (screen.root, screen.root_depth, dots_per_inch(screen));
        let has_xtest = conn
            .extension_information(xtest::X11_EXTENSION_NAME)?
            .is_some();
        Ok(Self {
            has_xtest,
            conn,
            root,
            format,
            depth,
            dpi,
            socket,
            server_uid,
            trust: Trust::default(),
            life: ServerLife::of(None),
        })
    }

    /// The next event that waits, and the last request that was done before it.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub(super) fn next_event(&self) -> Result<Option<(Event, SequenceNumber)>, Error> {
        let next = self.conn.poll_for_event_with_sequence()?;
        // Errors of unchecked requests come as events, too.
        if let Some((event, _)) = &next
            && !matches!(event, Event::Error(_))
        {
            self.conn.stream().event_was_taken();
        }
        Ok(next)
    }

    /// Whether events were lost since the last question: then anything may have changed.
    pub(super) fn lost_events(&self) -> bool {
        self.conn.stream().overflowed()
    }

    /// All that is known of the screen.
    pub(super) fn info(&self, known: &Known, capturer: &Capturer) -> ScreenInfo {
        let (capture_mode, capture_mode_reason) = capturer.mode();
        ScreenInfo {
            size: known.size,
            dpi: self.dpi,
            depth: self.depth,
            generation: known.generation,
            geometry_epoch: known.epoch,
            proof: known.proof,
            carriers: 0,
            capture_mode,
            capture_mode_reason,
            has_cursor: capturer.cursor().is_there(),
            has_damage: capturer.has_damage(),
            has_xtest: self.has_xtest,
            socket: self.socket,
            server_uid: self.server_uid,
        }
    }

    /// The screen's size now, and the identity kept with it.
    pub(super) fn identify(&self) -> Result<RootState, Error> {
        let size = self.geometry()?;
        root_state::adopt(self, size)
    }

    /// Whether a text about the screen is one that this daemon wrote.
    pub(super) fn trusts(&self, text: &[u8]) -> bool {
        self.trust.holds(self.life, text)
    }

    /// The text about the screen that this daemon wrote last.
    pub(super) fn last_written(&self) -> Option<Vec<u8>> {
        self.trust.last(self.life)
    }

    /// Notes a text about the screen that is about to be written.
    pub(super) fn will_write(&self, text: &[u8]) {
        self.trust.note(self.life, text);
    }

    /// A window outside the screen that reports changes of its properties, for requests
    /// that need a window.
    pub(super) fn own_window(&self) -> Result<Window, Error> {
        let conn = &self.conn;
        let window = conn.generate_id();
        let window = window.map_err(|error| Error::reply_or_id("GetXIDRange", error))?;
        let aux = CreateWindowAux::new().event_mask(EventMask::PROPERTY_CHANGE);
        conn.create_window(
            0,
            window,
            self.root,
            -10,
            -10,
            1,
            1,
            0,
            WindowClass::INPUT_ONLY,
            0,
            &aux,
        )?
        .ignore_error();
        Ok(window)
    }

    /// The root window's size now.
    pub(super) fn geometry(&self) -> Result<Size, Error> {
        let reply = self.conn.get_geometry(self.root)?.reply();
        let reply = reply.map_err(|error| Error::reply("GetGeometry", error))?;
        screen_size(reply.width, reply.height)
    }
}

/// Refuses sizes that no X server has and that arithmetic should not meet.
pub(super) fn screen_size(width: u16, height: u16) -> Result<Size, Error> {
    if width == 0 || height == 0 {
        return Err(Error::Protocol("its root window has no size"));
    }
    Ok(Size {
        width: width.into(),
        height: height.into(),
    })
}

fn dots_per_inch(screen: &Screen) -> u32 {
    let millimetres = u32::from(screen.width_in_millimeters).max(1);
    // 25.4 mm to the inch, in integers, rounded.
    (u32::from(screen.width_in_pixels) * 254 + millimetres * 5) / (millimetres * 10)
}

/// The cookie for `display`, from `$XAUTHORITY`, else `~/.Xauthority`.
fn find_cookie(display: DisplayName) -> (CookieLookup, (Vec<u8>, Vec<u8>)) {
    let file = cookie_file();
    let host = nix::unistd::gethostname().unwrap_or_default();
    let host = std::os::unix::ffi::OsStrExt::as_bytes(host.as_os_str());
    match xauth::get_auth(Family::LOCAL, host, display.number) {
        Ok(Some(cookie)) => (CookieLookup::Sent, cookie),
        Ok(None) => (CookieLookup::None(file), Default::default()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            (CookieLookup::None(file), Default::default())
        }
        Err(error) => (
            CookieLookup::Unreadable(file, error.to_string()),
            Default::default(),
        ),
    }
}

/// The file in which a cookie is looked for: `$XAUTHORITY`, else `~/.Xauthority`.
pub fn cookie_file() -> String {
    let named = std::env::var_os("XAUTHORITY");
    let home = || {
        std::env::var_os("HOME").map(|home| std::path::Path::new(&home).join(".Xauthority").into())
    };
    named.or_else(home).map_or("~/.Xauthority".into(), |file| {
        file.to_string_lossy().into_owned()
    })
}

fn refusal(display: DisplayName, error: ConnectError, cookie: CookieLookup) -> Error {
    let said = match &error {
        ConnectError::SetupFailed(failed) => &failed.reason,
        ConnectError::SetupAuthenticate(authenticate) => &authenticate.reason,
        ConnectError::InvalidScreen => return Error::NoScreen { display },
        _ => return error.into(),
    };
    // The server's words end up on cards and in logs: printable ASCII, bounded.
    let printable = |byte: &&u8| byte.is_ascii_graphic() || **byte == b' ';
    let said: String = said
        .iter()
        .filter(printable)
        .take(120)
        .map(|b| char::from(*b))
        .collect();
    let lower = said.to_ascii_lowercase();
    if lower.contains("maximum number of clients") {
        return Error::Full { display, said };
    }
    Error::Refused {
        display,
        said: said.trim().to_owned(),
        cookie,
    }
}
