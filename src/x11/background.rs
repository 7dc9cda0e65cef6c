//! Sets the background of the root window, for sessions that draw none.

use std::{sync::Arc, time::Duration};

use x11rb::{
    connection::Connection as _,
    protocol::xproto::{
        AtomEnum, ChangeWindowAttributesAux, CloseDown, ConnectionExt as _, CreateGCAux,
        ImageFormat, PropMode,
    },
    wrapper::ConnectionExt as _,
};

use super::{
    connection::{
        display_name::DisplayName, framing::Purpose, pulse::Pulse, reach::ServerOwner,
        server::Server, trust::Trust,
    },
    error::{DisplayError, no_id},
};
use crate::frame::{BYTES_PER_PIXEL, Size};

/// Maximum wait for the X server.
const PATIENCE: Duration = Duration::from_secs(10);
/// Number of bytes in one request, below the server's limit of 256 KiB without BIG-REQUESTS.
const PIECE: usize = 200 << 10;

/// Why there is no background.
#[derive(Debug, thiserror::Error)]
pub enum BackgroundError {
    /// The display cannot be reached.
    #[error(transparent)]
    Display(#[from] DisplayError),
    /// The picture cannot be made.
    #[error(transparent)]
    Picture(#[from] std::io::Error),
    /// The screen has another pixel format.
    #[error("the screen has depth {0}, and only 24 with 32 bits a pixel is supported")]
    Format(u8),
}

/// Draws what `picture` returns for the size of the screen. Programs that show the background, such
/// as transparent terminals, find it in `_XROOTPMAP_ID`.
///
/// # Errors
///
/// When the display cannot be reached, has another pixel format, or there is no picture.
pub fn set_background(
    display: DisplayName,
    picture: impl FnOnce(Size) -> std::io::Result<Vec<u8>>,
) -> Result<(), BackgroundError> {
    let reach = (&ServerOwner::anybody(), &Trust::default());
    let pulse = Arc::new(Pulse::new());
    let server = Server::open(display, PATIENCE, &pulse, reach, Purpose::Screen)?;
    if !server.format.is_bgrx() {
        return Err(BackgroundError::Format(server.depth));
    }
    let size = server.geometry()?;
    draw(&server, size, &picture(size)?)?;
    Ok(())
}

fn draw(server: &Server, size: Size, pixels: &[u8]) -> Result<(), DisplayError> {
    let (conn, root) = (&server.conn, server.root);
    let side = |side: u32| u16::try_from(side).unwrap_or(u16::MAX);
    let (width, height) = (side(size.width), side(size.height));
    let pixmap = conn.generate_id().map_err(no_id)?;
    conn.create_pixmap(server.depth, pixmap, root, width, height)?;
    let context = conn.generate_id().map_err(no_id)?;
    conn.create_gc(context, pixmap, &CreateGCAux::new())?;
    let row = size.width as usize * BYTES_PER_PIXEL;
    let rows = (PIECE / row).max(1);
    for (index, piece) in pixels.chunks(rows * row).enumerate() {
        let lines = u16::try_from(piece.len() / row).unwrap_or(0);
        let top = i16::try_from(index * rows).unwrap_or(i16::MAX);
        let z = ImageFormat::Z_PIXMAP;
        conn.put_image(
            z,
            pixmap,
            context,
            width,
            lines,
            0,
            top,
            0,
            server.depth,
            piece,
        )?;
    }
    let attributes = ChangeWindowAttributesAux::new().background_pixmap(pixmap);
    conn.change_window_attributes(root, &attributes)?;
    conn.clear_area(false, root, 0, 0, 0, 0)?;
    for name in [b"_XROOTPMAP_ID".as_slice(), b"ESETROOT_PMAP_ID"] {
        let atom = conn.intern_atom(false, name)?.reply();
        let atom = atom.map_err(|error| DisplayError::reply("InternAtom", error))?;
        conn.change_property32(
            PropMode::REPLACE,
            root,
            atom.atom,
            AtomEnum::PIXMAP,
            &[pixmap],
        )?;
    }
    // The pixmap outlives this connection.
    conn.set_close_down_mode(CloseDown::RETAIN_PERMANENT)?;
    let done = conn.get_input_focus()?.reply();
    done.map_err(|error| DisplayError::reply("GetInputFocus", error))?;
    Ok(())
}
