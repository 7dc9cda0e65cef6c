//! Authenticates with the X server, and reads the properties of its screen.

use std::{io, sync::Arc, time::Duration};

use x11rb::{
    connection::{Connection as _, RequestConnection as _, SequenceNumber},
    errors::ConnectError,
    protocol::{
        Event, composite, shape,
        xproto::{ConnectionExt as _, CreateWindowAux, EventMask, Screen, Window, WindowClass},
        xtest,
    },
    rust_connection::RustConnection,
};
use x11rb_protocol::xauth::{self, Family};

use crate::frame::Size;
use crate::x11::{
    connection::{
        display_name::DisplayName,
        framing::Purpose,
        pixel_format::PixelFormat,
        pulse::Pulse,
        reach::{self, ServerOwner, SocketKind},
        socket::XStream,
        trust::{ServerLife, Trust},
    },
    error::{CookieLookup, DisplayError},
};

/// An x11rb connection over an [`XStream`].
pub(in crate::x11) type XConnection = RustConnection<XStream>;

/// Maximum number of events that are processed before other work continues, because a client can
/// cause events without end. The X server sends fewer during one iteration of the loop.
pub(in crate::x11) const EVENTS_AT_ONCE: usize = 16_384;

/// An authenticated connection, and the properties of its screen.
#[derive(Debug)]
pub(in crate::x11) struct Server {
    pub(in crate::x11) conn: XConnection,
    pub(in crate::x11) root: Window,
    pub(in crate::x11) format: PixelFormat,
    pub(in crate::x11) depth: u8,
    pub(in crate::x11) dpi: u32,
    /// Whether the server has the extension XTEST.
    pub(in crate::x11) has_xtest: bool,
    /// Whether the server has the extension Composite.
    pub(in crate::x11) has_composite: bool,
    /// Whether the server has the extension SHAPE.
    pub(in crate::x11) has_shape: bool,
    pub(in crate::x11) socket: SocketKind,
    pub(in crate::x11) server_uid: Option<u32>,
    trust: Trust,
    life: ServerLife,
}

impl Server {
    /// Connects and reads the screen's pixel format.
    ///
    /// # Errors
    ///
    /// Any [`DisplayError`] of the stages connect, auth and display.
    pub(in crate::x11) fn open(
        display: DisplayName,
        patience: Duration,
        pulse: &Arc<Pulse>,
        (owner, trust): (&ServerOwner, &Trust),
        purpose: Purpose,
    ) -> Result<Self, DisplayError> {
        let connected = reach::open(display, owner)?;
        let stream = XStream::new(connected.stream, patience, Arc::clone(pulse), purpose)
            .map_err(DisplayError::Lost)?;
        let mut server = Self::over(stream, display, connected.kind, connected.server_uid)?;
        server.trust = trust.clone();
        server.life = ServerLife::of(connected.server_pid);
        Ok(server)
    }

    /// Like [`Self::open`], over a stream that is already connected.
    pub(in crate::x11) fn over(
        stream: XStream,
        display: DisplayName,
        socket: SocketKind,
        server_uid: Option<u32>,
    ) -> Result<Self, DisplayError> {
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
    ) -> Result<Self, DisplayError> {
        let setup = conn.setup();
        let screen = setup
            .roots
            .get(display.screen)
            .ok_or(DisplayError::NoScreen { display })?;
        let format = PixelFormat::of_root(setup, screen)?;
        let (root, depth, dpi) = (screen.root, screen.root_depth, dots_per_inch(screen));
        let has_xtest = conn
            .extension_information(xtest::X11_EXTENSION_NAME)?
            .is_some();
        let has_composite = conn
            .extension_information(composite::X11_EXTENSION_NAME)?
            .is_some();
        let has_shape = conn
            .extension_information(shape::X11_EXTENSION_NAME)?
            .is_some();
        Ok(Self {
            has_xtest,
            has_composite,
            has_shape,
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

    /// Returns the next pending event, and the number of the last request that the server processed
    /// before the event.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub(in crate::x11) fn next_event(
        &self,
    ) -> Result<Option<(Event, SequenceNumber)>, DisplayError> {
        let next = self.conn.poll_for_event_with_sequence()?;
        // Errors of unchecked requests also arrive as events; the stream does not count them.
        if let Some((event, _)) = &next
            && !matches!(event, Event::Error(_))
        {
            self.conn.stream().event_was_taken();
        }
        Ok(next)
    }

    /// Whether events were dropped since the last call. If so, anything may have changed.
    pub(in crate::x11) fn lost_events(&self) -> bool {
        self.conn.stream().overflowed()
    }

    /// Whether `text`, the content of the state property `_DESKD_STATE`, is the one that deskd
    /// wrote last.
    pub(in crate::x11) fn trusts(&self, text: &[u8]) -> bool {
        self.trust.holds(self.life, text)
    }

    /// The content of `_DESKD_STATE` that this daemon wrote last to this X server.
    pub(in crate::x11) fn last_written(&self) -> Option<Vec<u8>> {
        self.trust.last(self.life)
    }

    /// Records a content of `_DESKD_STATE` that is about to be written.
    pub(in crate::x11) fn will_write(&self, text: &[u8]) {
        self.trust.note(self.life, text);
    }

    /// Creates a window outside the screen, for requests that need a window. The connection
    /// receives its property changes.
    pub(in crate::x11) fn own_window(&self) -> Result<Window, DisplayError> {
        let conn = &self.conn;
        let window = conn.generate_id();
        let window = window.map_err(|error| DisplayError::reply_or_id("GetXIDRange", error))?;
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

    /// Queries the root window's size.
    pub(in crate::x11) fn geometry(&self) -> Result<Size, DisplayError> {
        let reply = self.conn.get_geometry(self.root)?.reply();
        let reply = reply.map_err(|error| DisplayError::reply("GetGeometry", error))?;
        screen_size(reply.width, reply.height)
    }
}

/// Rejects a size with a zero side: no X server has one, and later arithmetic does not support it.
pub(in crate::x11) fn screen_size(width: u16, height: u16) -> Result<Size, DisplayError> {
    if width == 0 || height == 0 {
        return Err(DisplayError::Protocol("its root window has no size"));
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

/// Finds the cookie for `display` in `$XAUTHORITY`, else in `~/.Xauthority`.
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

/// Path of the file that is searched for a cookie: `$XAUTHORITY`, else `~/.Xauthority`.
pub fn cookie_file() -> String {
    let named = std::env::var_os("XAUTHORITY");
    let home = || {
        std::env::var_os("HOME").map(|home| std::path::Path::new(&home).join(".Xauthority").into())
    };
    named.or_else(home).map_or("~/.Xauthority".into(), |file| {
        file.to_string_lossy().into_owned()
    })
}

fn refusal(display: DisplayName, error: ConnectError, cookie: CookieLookup) -> DisplayError {
    let said = match &error {
        ConnectError::SetupFailed(failed) => &failed.reason,
        ConnectError::SetupAuthenticate(authenticate) => &authenticate.reason,
        ConnectError::InvalidScreen => return DisplayError::NoScreen { display },
        _ => return error.into(),
    };
    // The server's text is shown on failure cards and in logs, so only printable ASCII is kept, at
    // most 120 characters.
    let printable = |byte: &&u8| byte.is_ascii_graphic() || **byte == b' ';
    let said: String = said
        .iter()
        .filter(printable)
        .take(120)
        .map(|b| char::from(*b))
        .collect();
    let lower = said.to_ascii_lowercase();
    if lower.contains("maximum number of clients") {
        return DisplayError::Full { display, said };
    }
    DisplayError::Refused {
        display,
        said: said.trim().to_owned(),
        cookie,
    }
}
