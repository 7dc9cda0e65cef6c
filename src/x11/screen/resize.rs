//! Resizing the screen by RandR (RANDR 1.5): Xvfb can shrink, and grow again up
//! to the size that it was started with.

use x11rb::protocol::randr::{ConnectionExt as _, Crtc, Mode, Output, Rotation, SetConfig};

use crate::frame::Size;
use crate::x11::{connection::server::Server, error::DisplayError};

/// Resizes the screen. Returns false if the server does not accept that size.
pub(in crate::x11) fn resize(server: &Server, dpi: u32, size: Size) -> Result<bool, DisplayError> {
    let conn = &server.conn;
    let reply = |name: &'static str| move |error| DisplayError::reply(name, error);
    let range = conn.randr_get_screen_size_range(server.root)?.reply();
    let range = range.map_err(reply("RRGetScreenSizeRange"))?;
    let side = |pixels: u32, low: u16, high: u16| {
        u16::try_from(pixels)
            .ok()
            .filter(|side| (low..=high).contains(side))
    };
    let (Some(width), Some(height)) = (
        side(size.width, range.min_width, range.max_width),
        side(size.height, range.min_height, range.max_height),
    ) else {
        return Ok(false);
    };
    let resources = conn.randr_get_screen_resources(server.root)?.reply();
    let resources = resources.map_err(reply("RRGetScreenResources"))?;
    let (Some(crtc), Some(output)) = (resources.crtcs.first(), resources.outputs.first()) else {
        return Ok(false);
    };
    let known = resources
        .modes
        .iter()
        .find(|mode| (mode.width, mode.height) == (width, height))
        .map(|mode| mode.id);
    let mode = match known {
        Some(mode) => mode,
        None => match new_mode(server, *output, width, height)? {
            Some(mode) => mode,
            None => return Ok(false),
        },
    };
    let millimetres = |pixels: u16| u32::from(pixels) * 254 / (dpi.max(1) * 10);
    // The server refuses a screen that is smaller than its CRTC. So the CRTC is switched off before
    // the resize and on again afterwards. The grab hides this from other clients.
    use x11rb::{connection::Connection as _, protocol::xproto::ConnectionExt as _};
    conn.grab_server()?.ignore_error();
    let off = set_crtc(server, *crtc, 0, &[]);
    let resized = conn.randr_set_screen_size(
        server.root,
        width,
        height,
        millimetres(width).max(1),
        millimetres(height).max(1),
    )?;
    let resized = resized.check().is_ok();
    let on = set_crtc(server, *crtc, mode, &[*output]);
    conn.ungrab_server()?.ignore_error();
    conn.flush()?;
    Ok(off? && resized && on?)
}

fn set_crtc(
    server: &Server,
    crtc: Crtc,
    mode: Mode,
    outputs: &[Output],
) -> Result<bool, DisplayError> {
    let now = x11rb::CURRENT_TIME;
    let rotation = Rotation::ROTATE0;
    let conn = &server.conn;
    let reply = conn
        .randr_set_crtc_config(crtc, now, now, 0, 0, mode, rotation, outputs)?
        .reply();
    let reply = reply.map_err(|error| DisplayError::reply("RRSetCrtcConfig", error))?;
    Ok(reply.status == SetConfig::SUCCESS)
}

/// Creates a mode of that size. Its rate of 60 Hz is nominal: there is no monitor.
fn new_mode(
    server: &Server,
    output: Output,
    width: u16,
    height: u16,
) -> Result<Option<Mode>, DisplayError> {
    let conn = &server.conn;
    let name = format!("{width}x{height}");
    let info = x11rb::protocol::randr::ModeInfo {
        width,
        height,
        dot_clock: u32::from(width) * u32::from(height) * 60,
        hsync_start: width,
        hsync_end: width,
        htotal: width,
        vsync_start: height,
        vsync_end: height,
        vtotal: height,
        name_len: u16::try_from(name.len()).unwrap_or(0),
        ..x11rb::protocol::randr::ModeInfo::default()
    };
    let created = conn
        .randr_create_mode(server.root, info, name.as_bytes())?
        .reply();
    let Ok(created) = created else {
        return Ok(None);
    };
    let added = conn.randr_add_output_mode(output, created.mode)?.check();
    Ok(added.is_ok().then_some(created.mode))
}
