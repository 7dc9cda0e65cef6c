//! The words that every other module shares: sizes, pixels, cursors, failures.
//!
//! A leaf: it knows no X11, no gRPC and no encoder.

use std::fmt;

/// Largest image that a request may ask for, in pixels (7680 × 4320; R43).
pub const MAX_OUTPUT_PIXELS: u64 = 33_177_600;

/// Longest side of an image that a request may ask for, in pixels: the scaler's
/// memory grows with a side times the other side of the screen.
pub const MAX_OUTPUT_SIDE: u32 = 16_384;

/// Rows of a stripe: what changes on a screen is told, and encoded, stripe by stripe.
pub const STRIPE_ROWS: u32 = 16;

/// Width and height in pixels, both at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Size {
    /// Pixels from left to right.
    pub width: u32,
    /// Pixels from top to bottom.
    pub height: u32,
}

impl Size {
    /// Width times height.
    pub fn pixels(self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }

    /// Bytes of a BGRX image of this size without padding.
    pub fn bgrx_bytes(self) -> usize {
        self.width as usize * self.height as usize * BYTES_PER_PIXEL
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

/// A size that a screen can have: sides of 64 to 16,384 pixels, and no more than
/// [`MAX_OUTPUT_PIXELS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScreenSize(Size);

/// Not a [`ScreenSize`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "no screen of {0} can be made: its sides must be 64 to 16384 pixels, and it must have at most {MAX_OUTPUT_PIXELS} in all"
)]
pub struct NoScreenSize(pub Size);

impl TryFrom<Size> for ScreenSize {
    type Error = NoScreenSize;

    fn try_from(size: Size) -> Result<Self, NoScreenSize> {
        let sides = [size.width, size.height];
        let fits = sides.iter().all(|side| (64..=16_384).contains(side));
        if !fits || size.pixels() > MAX_OUTPUT_PIXELS {
            return Err(NoScreenSize(size));
        }
        Ok(Self(size))
    }
}

impl From<ScreenSize> for Size {
    fn from(size: ScreenSize) -> Self {
        size.0
    }
}

/// A rectangle of whole pixels in a space whose origin is its top-left pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Region {
    /// Left column.
    pub x: u32,
    /// Top row.
    pub y: u32,
    /// Columns and rows.
    pub size: Size,
}

impl Region {
    /// Columns `x…x+width-1`, rows `y…y+height-1`.
    pub const fn new(x: u32, y: u32, width: u32, height: u32) -> Self {
        Self {
            x,
            y,
            size: Size { width, height },
        }
    }

    /// All of a screen or image of that size.
    pub fn whole(size: Size) -> Self {
        Self { x: 0, y: 0, size }
    }

    /// Whether every pixel of it lies within `0..size`.
    pub fn fits(&self, size: Size) -> bool {
        u64::from(self.x) + u64::from(self.size.width) <= u64::from(size.width)
            && u64::from(self.y) + u64::from(self.size.height) <= u64::from(size.height)
    }
}

impl Region {
    /// Number of pixels.
    pub fn pixels(&self) -> u64 {
        self.size.pixels()
    }

    /// The part of a rectangle, which may reach beyond the screen, that lies on it.
    pub fn clipped(x: i64, y: i64, width: u32, height: u32, screen: Size) -> Option<Self> {
        let clip = |start: i64, length: u32, limit: u32| {
            let from = start.clamp(0, limit.into());
            let to = (start + i64::from(length)).clamp(0, limit.into());
            let (from, to) = (u32::try_from(from).ok()?, u32::try_from(to).ok()?);
            (to > from).then_some((from, to - from))
        };
        let (x, width) = clip(x, width, screen.width)?;
        let (y, height) = clip(y, height, screen.height)?;
        Some(Self {
            x,
            y,
            size: Size { width, height },
        })
    }

    /// The smallest region that holds both.
    pub fn union(&self, other: &Self) -> Self {
        let (x, y) = (self.x.min(other.x), self.y.min(other.y));
        let right = (self.x + self.size.width).max(other.x + other.size.width);
        let bottom = (self.y + self.size.height).max(other.y + other.size.height);
        Self {
            x,
            y,
            size: Size {
                width: right - x,
                height: bottom - y,
            },
        }
    }

    /// The pixels that lie in both.
    pub fn intersection(&self, other: &Self) -> Option<Self> {
        let (x, y) = (self.x.max(other.x), self.y.max(other.y));
        let right = (self.x + self.size.width).min(other.x + other.size.width);
        let bottom = (self.y + self.size.height).min(other.y + other.size.height);
        (right > x && bottom > y).then(|| Self {
            x,
            y,
            size: Size {
                width: right - x,
                height: bottom - y,
            },
        })
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{},{},{},{}",
            self.x, self.y, self.size.width, self.size.height
        )
    }
}

/// Bytes of one BGRX pixel.
pub const BYTES_PER_PIXEL: usize = 4;

/// An image of BGRX pixels: blue, green, red and one byte without meaning,
/// 8 bits each, top row first.
///
/// The bytes may lie in memory shared with the X server, so they must be read
/// once into private memory before anything depends on them twice.
pub struct Pixels {
    bytes: Box<dyn AsRef<[u8]> + Send + Sync>,
    size: Size,
    stride: usize,
}

impl Pixels {
    /// Wraps `bytes`, whose rows are `stride` bytes apart.
    ///
    /// Returns `None` when they are too few for `size`.
    pub fn new(
        bytes: Box<dyn AsRef<[u8]> + Send + Sync>,
        size: Size,
        stride: usize,
    ) -> Option<Self> {
        let row = size.width as usize * BYTES_PER_PIXEL;
        let needed = stride
            .checked_mul(size.height as usize - 1)?
            .checked_add(row)?;
        (stride >= row && (*bytes).as_ref().len() >= needed).then_some(Self {
            bytes,
            size,
            stride,
        })
    }

    /// Width and height in pixels.
    pub fn size(&self) -> Size {
        self.size
    }

    /// `width` pixels of row `y`, beginning at column `x`.
    ///
    /// # Panics
    ///
    /// When that lies outside the image.
    pub fn row(&self, x: u32, y: u32, width: u32) -> &[u8] {
        assert!(u64::from(x) + u64::from(width) <= u64::from(self.size.width));
        assert!(y < self.size.height);
        let start = y as usize * self.stride + x as usize * BYTES_PER_PIXEL;
        &(*self.bytes).as_ref()[start..start + width as usize * BYTES_PER_PIXEL]
    }
}

impl fmt::Debug for Pixels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never the pixels themselves: what is captured stays out of logs.
        write!(f, "Pixels({})", self.size)
    }
}

/// The pointer's image, as XFIXES describes it.
#[derive(Clone, PartialEq, Eq)]
pub struct CursorImage {
    /// Column of the hotspot on the screen; may lie outside it.
    pub x: i32,
    /// Row of the hotspot on the screen.
    pub y: i32,
    /// Column of the hotspot in the image.
    pub hot_x: u32,
    /// Row of the hotspot in the image.
    pub hot_y: u32,
    /// Size of the image; either side may be 0.
    pub size: Size,
    /// Premultiplied ARGB, 8 bits each, in native integers, rows without padding. Empty
    /// when the image is too large to be read, see [`Self::is_left_out`].
    pub argb: Vec<u32>,
}

impl CursorImage {
    /// Whether the image is too large to be read: only its place and size are known.
    pub fn is_left_out(&self) -> bool {
        self.argb.is_empty() && self.size.pixels() > 0
    }

    /// Whether any of its pixels is known not to be fully transparent.
    pub fn visible(&self) -> bool {
        self.argb.iter().any(|pixel| pixel >> 24 != 0)
    }
}

impl fmt::Debug for CursorImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CursorImage({} at {},{})", self.size, self.x, self.y)
    }
}

/// How pixels come from the X server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CaptureMode {
    /// MIT-SHM 1.2 on a sealed memfd.
    ShmFd,
    /// MIT-SHM on a System V segment.
    ShmSysv,
    /// Core `GetImage` over the socket.
    GetImage,
}

/// How far a capture came before it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Reaching the X server's socket.
    Connect,
    /// Being let in.
    Auth,
    /// Understanding the display.
    Display,
    /// Proving that the desktop is painted.
    Paint,
    /// Reading the pixels.
    Capture,
    /// The deadline came first.
    Timeout,
    /// Making an image of the pixels.
    Encode,
    /// The daemon is stopping.
    Shutdown,
    /// Giving input.
    Input,
}

impl Stage {
    /// The word that a card and a log use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Auth => "auth",
            Self::Display => "display",
            Self::Paint => "paint",
            Self::Capture => "capture",
            Self::Timeout => "timeout",
            Self::Encode => "encode",
            Self::Shutdown => "shutdown",
            Self::Input => "input",
        }
    }
}

/// Why a capture failed. The wire's `Reason` has these and more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// No X server answers at the display's sockets.
    NoDisplay,
    /// The X server refused the connection.
    AuthRefused,
    /// The cookie file cannot be read, and the server wants a cookie.
    CookieUnreadable,
    /// The connection ended in the middle of the work.
    ConnectionLost,
    /// The X server does not answer.
    Unresponsive,
    /// The X server sent something that is not the X protocol.
    ProtocolError,
    /// The display has no such screen.
    ScreenNotFound,
    /// Depth or visual that cannot be converted exactly.
    PixelFormatUnsupported,
    /// The X server answered a request with an error.
    CaptureFailed,
    /// An extension that the work needs is missing.
    ExtensionMissing,
    /// The pointer did not get to where it was sent.
    PointerElsewhere,
    /// Another program holds the pointer or the keyboard frozen.
    InputFrozen,
    /// A program has not read its input in time.
    ProgramUnresponsive,
    /// The keyboard layout became another one in the middle of a text.
    KeymapChanged,
    /// No program asked for what was pasted.
    NotTaken,
    /// Another daemon gives input on the display.
    InputTaken,
    /// The X server takes no further client.
    ServerFull,
    /// No file descriptors are left.
    OutOfDescriptors,
    /// The paint gate has not proved the desktop.
    NotPainted,
    /// The time ran out in deskd itself.
    Deadline,
    /// Encoding failed.
    EncodeFailed,
    /// The image is above `max_image_bytes`.
    TooLarge,
    /// The daemon is stopping.
    ShuttingDown,
    /// A defect in deskd.
    Internal,
}

impl Cause {
    /// The name on the wire, without its prefix.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoDisplay => "NO_DISPLAY",
            Self::AuthRefused => "X_AUTH_REFUSED",
            Self::CookieUnreadable => "X_COOKIE_UNREADABLE",
            Self::ConnectionLost => "X_CONNECTION_LOST",
            Self::Unresponsive => "X_UNRESPONSIVE",
            Self::ProtocolError => "X_PROTOCOL_ERROR",
            Self::ScreenNotFound => "SCREEN_NOT_FOUND",
            Self::PixelFormatUnsupported => "PIXEL_FORMAT_UNSUPPORTED",
            Self::CaptureFailed => "CAPTURE_FAILED",
            Self::ExtensionMissing => "EXTENSION_MISSING",
            Self::PointerElsewhere => "POINTER_ELSEWHERE",
            Self::InputFrozen => "INPUT_FROZEN",
            Self::ProgramUnresponsive => "PROGRAM_UNRESPONSIVE",
            Self::KeymapChanged => "KEYMAP_CHANGED",
            Self::NotTaken => "NOT_TAKEN",
            Self::InputTaken => "INPUT_TAKEN",
            Self::ServerFull => "X_CLIENTS_EXHAUSTED",
            Self::OutOfDescriptors => "OUT_OF_DESCRIPTORS",
            Self::NotPainted => "NOT_PAINTED",
            Self::Deadline => "DEADLINE",
            Self::EncodeFailed => "ENCODE_FAILED",
            Self::TooLarge => "TOO_LARGE",
            Self::ShuttingDown => "SHUTTING_DOWN",
            Self::Internal => "INTERNAL",
        }
    }

    /// Whether the same call may succeed later with nothing else changed.
    pub fn retryable(self) -> bool {
        match self {
            Self::NoDisplay
            | Self::ConnectionLost
            | Self::Unresponsive
            | Self::ProtocolError
            | Self::CaptureFailed
            | Self::PointerElsewhere
            | Self::InputFrozen
            | Self::ProgramUnresponsive
            | Self::InputTaken
            | Self::ServerFull
            | Self::OutOfDescriptors
            | Self::NotPainted
            | Self::Deadline
            | Self::ShuttingDown => true,
            Self::AuthRefused
            | Self::CookieUnreadable
            | Self::ScreenNotFound
            | Self::PixelFormatUnsupported
            | Self::ExtensionMissing
            | Self::KeymapChanged
            | Self::NotTaken
            | Self::EncodeFailed
            | Self::TooLarge
            | Self::Internal => false,
        }
    }

    /// What a person should look at, for the card and the doctor.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::NoDisplay => "that the X server runs on this display",
            Self::AuthRefused => "that XAUTHORITY names the X server's cookie file",
            Self::CookieUnreadable => "that deskd's user may read the XAUTHORITY file",
            Self::ConnectionLost => "the X server's log: it may have crashed or restarted",
            Self::Unresponsive => "whether the X server is stopped, swapped out or overloaded",
            Self::ProtocolError => "that the socket belongs to an X server",
            Self::ScreenNotFound => "the screen number in the display name",
            Self::PixelFormatUnsupported => "that the X server has depth 24 or 16",
            Self::CaptureFailed => "the X server's log and memory",
            Self::ExtensionMissing => "the X server's extensions (`xdpyinfo`)",
            Self::KeymapChanged => "which program sets the keyboard layout",
            Self::InputTaken => "which other deskd runs on this display",
            Self::ServerFull => "which programs hold many connections (`xlsclients`)",
            Self::OutOfDescriptors => "the limit of open files (`ulimit -n`, LimitNOFILE)",
            Self::NotTaken => "what has the focus, and which chord it pastes by",
            Self::InputFrozen => {
                "which program holds a synchronous grab; the window manager may hang"
            }
            Self::ProgramUnresponsive => "whether that program hangs or was stopped",
            Self::PointerElsewhere => "which program confines or moves the pointer",
            Self::NotPainted => {
                "that the desktop session started; `deskd ready` says what is missing"
            }
            Self::Deadline => "the machine's load, or allow a longer deadline",
            Self::EncodeFailed | Self::Internal => "deskd's log",
            Self::TooLarge => "ask for a smaller size, a region, JPEG, or a larger max_image_bytes",
            Self::ShuttingDown => "that deskd is started again",
        }
    }
}

/// A failed capture: what a card draws and what its structured twin says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// How far it came.
    pub stage: Stage,
    /// Why it failed.
    pub cause: Cause,
    /// One English sentence with the values concerned; no secrets.
    pub message: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size {
        width: 3,
        height: 2,
    };

    #[test]
    fn region_at_the_far_edge_fits_and_one_pixel_more_does_not() {
        let mut region = Region {
            x: 1,
            y: 1,
            size: Size {
                width: 2,
                height: 1,
            },
        };
        assert!(region.fits(SIZE));
        region.size.width = 3;
        assert!(!region.fits(SIZE));
        region = Region {
            x: u32::MAX,
            y: 0,
            size: SIZE,
        };
        assert!(!region.fits(SIZE));
    }

    #[test]
    fn pixels_refuse_too_few_bytes() {
        assert!(Pixels::new(Box::new(vec![0; 23]), SIZE, 12).is_none());
        assert!(Pixels::new(Box::new(vec![0; 24]), SIZE, 12).is_some());
        assert!(Pixels::new(Box::new(vec![0; 24]), SIZE, 11).is_none());
        assert!(Pixels::new(Box::new(vec![0; 24]), SIZE, usize::MAX).is_none());
    }

    #[test]
    fn row_skips_the_padding() {
        let bytes: Vec<u8> = (0..32).collect();
        let pixels = Pixels::new(Box::new(bytes), SIZE, 16).unwrap();
        assert_eq!(pixels.row(1, 1, 2), &[20, 21, 22, 23, 24, 25, 26, 27]);
    }
}
