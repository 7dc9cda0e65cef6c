//! Reads the pixels of single windows, also of covered ones (Composite 0.4).
//!
//! The X server draws a redirected window into memory of its own. When a window is redirected, it
//! has the pixels that were on the screen, with those of other windows above it; the program is then
//! asked to draw what was covered.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant, SystemTime},
};

use x11rb::{
    connection::Connection as _,
    errors::{ConnectionError, ReplyError},
    protocol::{
        composite::{ConnectionExt as _, Redirect},
        shape::{ConnectionExt as _, SK},
        xproto::{ConnectionExt as _, ImageFormat, Window},
    },
};

use super::{
    listed::{ListedWindow, Rectangle, WindowList},
    tree::outer,
};
use crate::x11::{
    connection::server::Server,
    error::{DisplayError, no_id},
    screen::root_state::Generation,
};
use crate::{
    failure::{Cause, Failure, Stage},
    frame::{BYTES_PER_PIXEL, MAX_OUTPUT_PIXELS, MAX_OUTPUT_SIDE, Pixels, Size},
};

/// Maximum number of windows that are redirected at a time.
const MAX_REDIRECTED: usize = 16;
/// Maximum number of popups in a picture.
const MAX_POPUPS: usize = 16;
/// Maximum number of rectangles of a window's shape.
const MAX_PARTS: u32 = 1 << 15;
/// A window that was covered is drawn when it has not changed for this time.
const DRAWN: Duration = Duration::from_millis(120);
/// Pause between two looks at it.
const LOOK: Duration = Duration::from_millis(20);
/// Maximum time for a program to draw what was covered.
const PATIENCE: Duration = Duration::from_secs(1);

/// The pixels of a window.
#[derive(Debug, Clone)]
pub struct WindowPicture {
    /// Number of the picture, counted from 1.
    pub number: u64,
    /// The window.
    pub xid: Window,
    /// The place of its frame on the screen.
    pub frame: Rectangle,
    /// The pixel of the screen at the top-left corner of the picture.
    pub at: (i32, i32),
    /// The pixels: the frame, and the popups that were requested.
    pub pixels: Arc<Pixels>,
    /// Identity of the X server.
    pub generation: Generation,
    /// When the last reading began.
    pub started: Instant,
    /// The same instant by the sandbox's clock.
    pub time: SystemTime,
    /// Duration of the last reading.
    pub took: Duration,
}

/// The windows that are redirected, the most recently used last.
#[derive(Debug, Default)]
pub(super) struct Redirected {
    windows: Vec<Window>,
    number: u64,
}

/// Why there is no picture.
pub(super) enum NoPicture {
    Lost(DisplayError),
    Failed(Failure),
}

impl From<DisplayError> for NoPicture {
    fn from(error: DisplayError) -> Self {
        match error.ends_connection() {
            true => Self::Lost(error),
            false => Self::Failed(error.failure()),
        }
    }
}

fn failed<T>(cause: Cause, message: impl Into<String>) -> Result<T, NoPicture> {
    Err(NoPicture::Failed(Failure {
        stage: Stage::Capture,
        cause,
        message: message.into(),
    }))
}

impl Redirected {
    /// Takes the picture of a window, with its popups on request.
    pub(super) fn picture(
        &mut self,
        server: &Server,
        list: &WindowList,
        window: &ListedWindow,
        with_popups: bool,
    ) -> Result<WindowPicture, NoPicture> {
        if !server.has_composite {
            return failed(
                Cause::ExtensionMissing,
                "the X server lacks the extension Composite",
            );
        }
        if !window.viewable {
            let why = format!("the window {window} is minimized or on another workspace");
            return failed(Cause::WindowNotShown, why);
        }
        let mut parts = vec![window];
        if with_popups {
            // The list begins with the topmost; it is drawn last.
            let popups = list
                .windows
                .iter()
                .filter(|other| other.viewable && other.xid != window.xid)
                .filter(|other| other.belongs_to(window));
            let popups: Vec<&ListedWindow> = popups.take(MAX_POPUPS).collect();
            parts.extend(popups.into_iter().rev());
        }
        let area = around(&parts);
        let size = Size {
            width: area.width,
            height: area.height,
        };
        if size.pixels() > MAX_OUTPUT_PIXELS || area.width.max(area.height) > MAX_OUTPUT_SIDE {
            return failed(
                Cause::TooLarge,
                format!("the window is {size}, larger than a picture may be"),
            );
        }
        let mut is_new = false;
        for part in &parts {
            is_new |= self.redirect(server, part.frame_xid)?;
        }
        let (began, mut last, mut since) = (Instant::now(), None, Instant::now());
        loop {
            let (started, time) = (Instant::now(), SystemTime::now());
            let mut pixels = vec![0; size.bgrx_bytes()];
            for part in &parts {
                read(server, part, area, &mut pixels)?;
            }
            let took = started.elapsed();
            let now = Instant::now();
            let digest = is_new.then(|| xxhash_rust::xxh3::xxh3_64(&pixels));
            if digest != last {
                (last, since) = (digest, now);
            }
            if is_new && now - since < DRAWN && now - began < PATIENCE {
                thread::sleep(LOOK);
                continue;
            }
            self.number += 1;
            let stride = size.width as usize * BYTES_PER_PIXEL;
            let Some(pixels) = Pixels::new(Box::new(pixels), size, stride) else {
                return failed(Cause::Internal, "a picture of a window has no pixels");
            };
            return Ok(WindowPicture {
                number: self.number,
                xid: window.xid,
                frame: window.frame,
                at: (area.x, area.y),
                pixels: Arc::new(pixels),
                generation: list.generation,
                started,
                time,
                took,
            });
        }
    }

    /// Redirects a window. Returns whether it was not redirected before.
    fn redirect(&mut self, server: &Server, window: Window) -> Result<bool, NoPicture> {
        if let Some(known) = self.windows.iter().position(|known| *known == window) {
            let window = self.windows.remove(known);
            self.windows.push(window);
            return Ok(false);
        }
        let conn = &server.conn;
        let version = conn
            .composite_query_version(0, 4)
            .map_err(DisplayError::from)?
            .reply();
        version.map_err(|error| DisplayError::reply("CompositeQueryVersion", error))?;
        let redirected = conn
            .composite_redirect_window(window, Redirect::AUTOMATIC)
            .map_err(DisplayError::from)?
            .check();
        redirected.map_err(|error| DisplayError::reply("CompositeRedirectWindow", error))?;
        if self.windows.len() == MAX_REDIRECTED {
            let oldest = self.windows.remove(0);
            // The window may have ended.
            conn.composite_unredirect_window(oldest, Redirect::AUTOMATIC)
                .map_err(DisplayError::from)?
                .ignore_error();
        }
        self.windows.push(window);
        Ok(true)
    }
}

/// Returns the smallest rectangle around all frames.
fn around(windows: &[&ListedWindow]) -> Rectangle {
    let mut area: Option<[i64; 4]> = None;
    for window in windows {
        let Rectangle {
            x,
            y,
            width,
            height,
        } = window.frame;
        let own = [
            x.into(),
            y.into(),
            i64::from(x) + i64::from(width),
            i64::from(y) + i64::from(height),
        ];
        area = Some(match area {
            None => own,
            Some(area) => [
                area[0].min(own[0]),
                area[1].min(own[1]),
                area[2].max(own[2]),
                area[3].max(own[3]),
            ],
        });
    }
    let [left, top, right, bottom] = area.unwrap_or_default();
    // Coordinates of windows have 16 bits, so these fit.
    let place = |at: i64| i32::try_from(at).unwrap_or(0);
    let side = |length: i64| u32::try_from(length).unwrap_or(1).max(1);
    Rectangle {
        x: place(left),
        y: place(top),
        width: side(right - left),
        height: side(bottom - top),
    }
}

/// Reads the frame of a window into its place in `area`.
fn read(
    server: &Server,
    window: &ListedWindow,
    area: Rectangle,
    pixels: &mut [u8],
) -> Result<(), NoPicture> {
    let conn = &server.conn;
    let gone = |error: ReplyError| match DisplayError::reply("a window's pixels", error) {
        error if error.ends_connection() => NoPicture::Lost(error),
        _ => NoPicture::Failed(Failure {
            stage: Stage::Capture,
            cause: Cause::CaptureFailed,
            message: "the window ended, or changed its size, while it was read".into(),
        }),
    };
    let geometry = conn
        .get_geometry(window.frame_xid)
        .map_err(DisplayError::from)?;
    let shape = match server.has_shape {
        true => {
            let shape = conn
                .shape_get_rectangles(window.frame_xid, SK::BOUNDING)
                .map_err(DisplayError::from)?;
            conn.stream()
                .cut_reply(shape.sequence_number(), 2 * MAX_PARTS);
            Some(shape)
        }
        false => None,
    };
    let pixmap = conn.generate_id().map_err(no_id)?;
    let named = conn
        .composite_name_window_pixmap(window.frame_xid, pixmap)
        .map_err(DisplayError::from)?;
    // The pixmap begins at the border; the frame may leave a shadow out. All requests are sent at
    // once, so the window's size is that of the list, and is compared afterwards.
    let (frame, whole) = (window.frame, window.outer);
    let (left, top) = (frame.x - whole.x, frame.y - whole.y);
    let width = frame
        .width
        .min(whole.width.saturating_sub(left.max(0).cast_unsigned()));
    let height = frame
        .height
        .min(whole.height.saturating_sub(top.max(0).cast_unsigned()));
    if width == 0 || height == 0 {
        return failed(
            Cause::CaptureFailed,
            "no part of the window is in its frame",
        );
    }
    let short = |value: i32| i16::try_from(value).unwrap_or(i16::MAX);
    let side = |value: u32| u16::try_from(value).unwrap_or(u16::MAX);
    let image = conn
        .get_image(
            ImageFormat::Z_PIXMAP,
            pixmap,
            short(left.max(0)),
            short(top.max(0)),
            side(width),
            side(height),
            u32::MAX,
        )
        .map_err(DisplayError::from)?;
    conn.free_pixmap(pixmap)
        .map_err(DisplayError::from)?
        .ignore_error();
    let geometry = geometry.reply().map_err(gone)?;
    let shape = shape.map(|shape| shape.reply());
    named.check().map_err(gone)?;
    let image = image.reply().map_err(gone)?;
    let now = outer(&geometry);
    if (now.width, now.height) != (whole.width, whole.height) {
        return failed(
            Cause::CaptureFailed,
            "the window changed its size while it was read",
        );
    }
    let shape = match shape {
        None => None,
        Some(Ok(shape)) => Some(shape.rectangles),
        // The cut reply has fewer rectangles than it says.
        Some(Err(ReplyError::ConnectionError(ConnectionError::ParseError(_)))) => {
            let why = format!("the window's shape has more than {MAX_PARTS} parts");
            return failed(Cause::TooLarge, why);
        }
        Some(Err(error)) => return Err(gone(error)),
    };
    let size = Size { width, height };
    // A window with transparency has the same layout, and its transparency instead of the fourth
    // byte.
    let is_plain = server.format.is_bgrx() && matches!(image.depth, 24 | 32);
    let data = match is_plain {
        true => image.data,
        false if image.depth == server.depth => match server.format.to_bgrx(&image.data, size) {
            Some(data) => data,
            None => return failed(Cause::ProtocolError, "a picture of a window is too short"),
        },
        false => {
            let why = format!(
                "the window has depth {}, which is not converted",
                image.depth
            );
            return failed(Cause::PixelFormatUnsupported, why);
        }
    };
    let row = width as usize * BYTES_PER_PIXEL;
    if data.len() < row * height as usize {
        return failed(Cause::ProtocolError, "a picture of a window is too short");
    }
    let offset =
        |at: i32, start: i32| usize::try_from(i64::from(at) - i64::from(start)).unwrap_or(0);
    let (x, y) = (offset(frame.x, area.x), offset(frame.y, area.y));
    let stride = area.width as usize * BYTES_PER_PIXEL;
    // Of a window that is not a rectangle, only its own pixels; the rest stays black.
    let origin = [left.max(0), top.max(0)].map(|side| side - i32::from(geometry.border_width));
    let parts = match shape {
        None => vec![(0..width, 0..height)],
        Some(parts) => parts
            .iter()
            .map(|part| {
                let within = |start: i16, length: u16, origin: i32, size: u32| {
                    let start = i64::from(start) - i64::from(origin);
                    let at = |place: i64| u32::try_from(place.clamp(0, size.into())).unwrap_or(0);
                    at(start)..at(start + i64::from(length))
                };
                (
                    within(part.x, part.width, origin[0], width),
                    within(part.y, part.height, origin[1], height),
                )
            })
            .collect(),
    };
    for (columns, lines) in parts {
        let length = columns.len() * BYTES_PER_PIXEL;
        for line in lines {
            let source = line as usize * row + columns.start as usize * BYTES_PER_PIXEL;
            let start =
                (y + line as usize) * stride + (x + columns.start as usize) * BYTES_PER_PIXEL;
            let target = &mut pixels[start..start + length];
            target.copy_from_slice(&data[source..source + length]);
            target
                .chunks_exact_mut(BYTES_PER_PIXEL)
                .for_each(|pixel| pixel[3] = 255);
        }
    }
    Ok(())
}
