//! Inspects the display for the doctor, on a separate connection.

use std::{sync::Arc, time::Duration};

use x11rb::{
    connection::{Connection as _, RequestConnection as _},
    protocol::xproto::{AtomEnum, ConnectionExt as _},
};

use crate::x11::{
    capture::grab::{CaptureChoice, Capturer},
    connection::{
        display_name::DisplayName, framing::Purpose, mailbox::Bell, pulse::Pulse,
        reach::ServerOwner, server::Server, trust::Trust,
    },
    error::DisplayError,
    screen::{info::ScreenInfo, known::KnownScreen},
};

/// Extensions that deskd uses, and their purposes.
const EXTENSIONS: [(&str, &str); 6] = [
    ("MIT-SHM", "fast captures"),
    ("XFIXES", "the pointer in the picture"),
    ("DAMAGE", "knowing when the screen changes"),
    ("XTEST", "input"),
    ("RANDR", "resizing"),
    ("XKEYBOARD", "typing"),
];

/// The findings on a display.
#[derive(Debug)]
pub struct Findings {
    /// The screen and how it can be captured.
    pub screen: ScreenInfo,
    /// Extensions that deskd uses but the server lacks, and their purposes.
    pub missing_extensions: Vec<(&'static str, &'static str)>,
    /// Printable ASCII characters that no key of the keymap produces.
    pub untypable: Vec<char>,
    /// Name of the running window manager, if there is one (EWMH: `_NET_SUPPORTING_WM_CHECK`).
    pub window_manager: Option<String>,
}

/// Connects, collects the findings, and disconnects.
///
/// Each wait for the server is limited to about `patience`.
///
/// # Errors
///
/// Any error of connecting to the display or of reading its properties.
pub fn inspect(
    display: DisplayName,
    choice: CaptureChoice,
    patience: Duration,
) -> Result<Findings, DisplayError> {
    look(display, choice, patience).map_err(|error| match error {
        // The error contains the daemon's timeout, which is not the one of this connection.
        DisplayError::Silent(_) => DisplayError::Silent(patience),
        error => error,
    })
}

fn look(
    display: DisplayName,
    choice: CaptureChoice,
    patience: Duration,
) -> Result<Findings, DisplayError> {
    let server = Server::open(
        display,
        patience,
        &Arc::new(Pulse::new()),
        (&ServerOwner::anybody(), &Trust::default()),
        Purpose::Screen,
    )?;
    let (known, _) = KnownScreen::read(&server)?;
    let wake = Bell::new().map_err(DisplayError::Lost)?;
    let capturer = Capturer::probe(&server, known.size, choice, wake)?;
    let mut missing_extensions = Vec::new();
    for (name, purpose) in EXTENSIONS {
        if server.conn.extension_information(name)?.is_none() {
            missing_extensions.push((name, purpose));
        }
    }
    Ok(Findings {
        screen: ScreenInfo::of(&server, &known, &capturer),
        missing_extensions,
        untypable: untypable(&server)?,
        window_manager: window_manager(&server)?,
    })
}

/// Returns the characters from space to tilde that the core keyboard mapping lacks. Their keysyms
/// equal their code points (X11 protocol, appendix "Keysym Encoding").
fn untypable(server: &Server) -> Result<Vec<char>, DisplayError> {
    let setup = server.conn.setup();
    let (first, last) = (setup.min_keycode, setup.max_keycode);
    let count = last.saturating_sub(first).saturating_add(1);
    let mapping = server.conn.get_keyboard_mapping(first, count)?.reply();
    let keysyms = mapping
        .map_err(|error| DisplayError::reply("GetKeyboardMapping", error))?
        .keysyms;
    Ok((' '..='~')
        .filter(|c| !keysyms.contains(&u32::from(*c)))
        .collect())
}

fn window_manager(server: &Server) -> Result<Option<String>, DisplayError> {
    let conn = &server.conn;
    let atom = |name: &'static str| -> Result<u32, DisplayError> {
        let reply = conn.intern_atom(false, name.as_bytes())?.reply();
        Ok(reply
            .map_err(|error| DisplayError::reply("InternAtom", error))?
            .atom)
    };
    let check = atom("_NET_SUPPORTING_WM_CHECK")?;
    // An error means that the window was destroyed, so there is no window manager.
    let child = |window: u32| -> Result<Option<u32>, DisplayError> {
        let reply = conn
            .get_property(false, window, check, AtomEnum::WINDOW, 0, 1)?
            .reply();
        Ok(reply.ok().and_then(|reply| reply.value32()?.next()))
    };
    let Some(window) = child(server.root)? else {
        return Ok(None);
    };
    // The property may be left over from a dead window manager: the child must name itself.
    if child(window)? != Some(window) {
        return Ok(None);
    }
    let (name, utf8) = (atom("_NET_WM_NAME")?, atom("UTF8_STRING")?);
    let name = conn.get_property(false, window, name, utf8, 0, 64)?.reply();
    let name = name.map(|reply| String::from_utf8_lossy(&reply.value).into_owned());
    let printable: String = name
        .unwrap_or_default()
        .chars()
        .filter(|c| !c.is_control())
        .collect();
    Ok(Some(if printable.is_empty() {
        "unnamed".into()
    } else {
        printable
    }))
}
