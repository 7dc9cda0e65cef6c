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

use crate::frame::Size;
use crate::x11::{
    connection::{
        display_name::DisplayName,
        pixel_format::PixelFormat,
        socket,
        socket::{Pulse, Purpose, ServerOwner, SocketKind, XStream},
        trust::{ServerLife, Trust},
    },
    error::{CookieLookup, DisplayError},
};

/// x11rb's connection over our stream.
pub(in crate::x11) type XConnection = RustConnection<XStream>;

/// Events that are taken from a connection before one looks at something else: a client
/// may make them without end. More than the X server sends within a turn of the loop.
pub(in crate::x11) const EVENTS_AT_ONCE: usize = 16_384;

/// A connection that was let in, with its screen.
#[derive(Debug)]
pub(in crate::x11) struct Server {
    pub(in crate::x11) conn: XConnection,
    pub(in crate::x11) root: Window,
    pub(in crate::x11) format: PixelFormat,
    pub(in crate::x11) depth: u8,
    pub(in crate::x11) dpi: u32,
    pub(in crate::x11) has_xtest: bool,
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
    /// Every [`DisplayError`] of the stages connect, auth and display.
    pub(in crate::x11) fn open(
        display: DisplayName,
        patience: Duration,
        pulse: &Arc<Pulse>,
        (owner, trust): (&ServerOwner, &Trust),
        purpose: Purpose,
    ) -> Result<Self, DisplayError> {
        let connected = socket::open(display, owner)?;
        let stream = XStream::new(connected.stream, patience, Arc::clone(pulse), purpose)
            .map_err(DisplayError::Lost)?;
        let mut server = Self::over(stream, display, connected.kind, connected.server_uid)?;
        server.trust = trust.clone();
        server.life = ServerLife::of(connected.server_pid);
        Ok(server)
    }

    /// The same over a stream that is connected already.
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
    pub(in crate::x11) fn next_event(
        &self,
    ) -> Result<Option<(Event, SequenceNumber)>, DisplayError> {
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
    pub(in crate::x11) fn lost_events(&self) -> bool {
        self.conn.stream().overflowed()
    }

    /// Whether a text about the screen is one that this daemon wrote.
    pub(in crate::x11) fn trusts(&self, text: &[u8]) -> bool {
        self.trust.holds(self.life, text)
    }

    /// The text about the screen that this daemon wrote last.
    pub(in crate::x11) fn last_written(&self) -> Option<Vec<u8>> {
        self.trust.last(self.life)
    }

    /// Notes a text about the screen that is about to be written.
    pub(in crate::x11) fn will_write(&self, text: &[u8]) {
        self.trust.note(self.life, text);
    }

    /// A window outside the screen that reports changes of its properties, for requests
    /// that need a window.
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

    /// The root window's size now.
    pub(in crate::x11) fn geometry(&self) -> Result<Size, DisplayError> {
        let reply = self.conn.get_geometry(self.root)?.reply();
        let reply = reply.map_err(|error| DisplayError::reply("GetGeometry", error))?;
        screen_size(reply.width, reply.height)
    }
}

/// Refuses sizes that no X server has and that arithmetic should not meet.
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

fn refusal(display: DisplayName, error: ConnectError, cookie: CookieLookup) -> DisplayError {
    let said = match &error {
        ConnectError::SetupFailed(failed) => &failed.reason,
        ConnectError::SetupAuthenticate(authenticate) => &authenticate.reason,
        ConnectError::InvalidScreen => return DisplayError::NoScreen { display },
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
        return DisplayError::Full { display, said };
    }
    DisplayError::Refused {
        display,
        said: said.trim().to_owned(),
        cookie,
    }
}
