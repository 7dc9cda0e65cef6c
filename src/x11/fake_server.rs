//! Tests against a server that sends wrong data, partial data or nothing, which Xvfb cannot be made
//! to do: a thread runs a script on the other end of the stream.

use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::failure::Cause;
use crate::frame::{CaptureMode, Size};
use crate::x11::{
    capture::grab::{CaptureChoice, Capturer},
    connection::{
        display_name::DisplayName, framing::Purpose, mailbox::Bell, pulse::Pulse,
        reach::SocketKind, server::Server, socket::XStream,
    },
    error::DisplayError,
    screen::{known::KnownScreen, root_state},
};

const DISPLAY: DisplayName = DisplayName {
    number: 9,
    screen: 0,
};
const PATIENCE: Duration = Duration::from_millis(300);
const SIZE: Size = Size {
    width: 64,
    height: 48,
};

/// Connects to a thread that runs `script` on the other end of the stream.
fn connect(
    script: impl FnOnce(UnixStream) + Send + 'static,
) -> (Result<Server, DisplayError>, JoinHandle<()>) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let server = thread::spawn(move || script(theirs));
    let stream = XStream::new(ours, PATIENCE, Arc::new(Pulse::new()), Purpose::Screen).unwrap();
    (
        Server::over(stream, DISPLAY, SocketKind::Path, None),
        server,
    )
}

fn padded(length: usize) -> usize {
    length.next_multiple_of(4)
}

/// Reads the client's connection setup (X11 protocol, "Connection Setup").
fn read_greeting(stream: &mut UnixStream) {
    let mut head = [0; 12];
    stream.read_exact(&mut head).unwrap();
    let length = |at: usize| usize::from(u16::from_ne_bytes([head[at], head[at + 1]]));
    let mut rest = vec![0; padded(length(6)) + padded(length(8))];
    stream.read_exact(&mut rest).unwrap();
}

/// Returns a connection setup with one TrueColor screen that has these masks.
fn greeting(depth: u8, bits: u8, masks: [u32; 3]) -> Vec<u8> {
    let mut body = Vec::new();
    let mut put = |bytes: &[u8]| body.extend_from_slice(bytes);
    put(&1_u32.to_ne_bytes()); // release
    put(&0x0020_0000_u32.to_ne_bytes()); // resource id base
    put(&0x001f_ffff_u32.to_ne_bytes()); // resource id mask
    put(&0_u32.to_ne_bytes()); // motion buffer
    put(&4_u16.to_ne_bytes()); // vendor's length
    put(&u16::MAX.to_ne_bytes()); // longest request
    put(&[1, 1]); // screens, formats
    put(&[0, 0, 32, 32]); // LSB first, bitmap order, unit, pad
    put(&[8, 255, 0, 0, 0, 0]); // keycodes, unused
    put(b"fake");
    put(&[depth, bits, 32, 0, 0, 0, 0, 0]);
    put(&0x100_u32.to_ne_bytes()); // root
    put(&[0; 16]); // colormap, white, black, input masks
    for side in [SIZE.width, SIZE.height, 17, 13] {
        put(&u16::try_from(side).unwrap().to_ne_bytes());
    }
    put(&[1, 0, 1, 0]); // installed maps
    put(&0x21_u32.to_ne_bytes()); // root visual
    put(&[0, 0, depth, 1]); // backing, save-unders, depth, depths
    put(&[depth, 0, 1, 0, 0, 0, 0, 0]); // one depth with one visual
    put(&0x21_u32.to_ne_bytes());
    put(&[4, 8, 0, 1]); // TrueColor, bits, entries
    for mask in masks {
        put(&mask.to_ne_bytes());
    }
    put(&[0; 4]);
    let mut whole = vec![1, 0];
    whole.extend_from_slice(&11_u16.to_ne_bytes());
    whole.extend_from_slice(&0_u16.to_ne_bytes());
    whole.extend_from_slice(&u16::try_from(body.len() / 4).unwrap().to_ne_bytes());
    whole.extend_from_slice(&body);
    whole
}

fn good_greeting() -> Vec<u8> {
    greeting(24, 32, [0x00ff_0000, 0xff00, 0xff])
}

/// Reads one request and returns its opcode.
fn read_request(stream: &mut UnixStream) -> Option<u8> {
    let mut head = [0; 4];
    stream.read_exact(&mut head).ok()?;
    let mut units = u32::from(u16::from_ne_bytes([head[2], head[3]]));
    let mut read = 1;
    if units == 0 {
        let mut long = [0; 4];
        stream.read_exact(&mut long).ok()?;
        (units, read) = (u32::from_ne_bytes(long), 2);
    }
    let mut rest = vec![0; (units - read) as usize * 4];
    stream.read_exact(&mut rest).ok()?;
    Some(head[0])
}

/// Builds a reply: `detail` is its second byte, and `body` begins at byte 8.
fn reply(sequence: u16, detail: u8, body: &[u8]) -> Vec<u8> {
    let mut whole = vec![1, detail];
    whole.extend_from_slice(&sequence.to_ne_bytes());
    let extra = body.len().saturating_sub(24).div_ceil(4);
    whole.extend_from_slice(&u32::try_from(extra).unwrap().to_ne_bytes());
    whole.extend_from_slice(body);
    whole.resize(32 + extra * 4, 0);
    whole
}

const INTERN_ATOM: u8 = 16;
const GET_PROPERTY: u8 = 20;
const GET_GEOMETRY: u8 = 14;
const CHANGE_PROPERTY: u8 = 18;
const GRAB_SERVER: u8 = 36;
const UNGRAB_SERVER: u8 = 37;
const GET_IMAGE: u8 = 73;
const QUERY_EXTENSION: u8 = 98;
const GET_INPUT_FOCUS: u8 = 43;

fn geometry(sequence: u16, size: Size) -> Vec<u8> {
    let mut body = vec![0; 24];
    body[..4].copy_from_slice(&0x100_u32.to_ne_bytes());
    body[8..10].copy_from_slice(&u16::try_from(size.width).unwrap().to_ne_bytes());
    body[10..12].copy_from_slice(&u16::try_from(size.height).unwrap().to_ne_bytes());
    reply(sequence, 24, &body)
}

/// Answers requests as a server without extensions does; image requests are answered by
/// `image`.
fn serve(mut stream: UnixStream, mut image: impl FnMut(u16, &mut UnixStream) -> bool) {
    read_greeting(&mut stream);
    stream.write_all(&good_greeting()).unwrap();
    let mut sequence = 0_u16;
    while let Some(opcode) = read_request(&mut stream) {
        sequence += 1;
        let answer = match opcode {
            INTERN_ATOM => reply(sequence, 0, &77_u32.to_ne_bytes()),
            GET_PROPERTY | QUERY_EXTENSION | GET_INPUT_FOCUS => reply(sequence, 0, &[0; 24]),
            GET_GEOMETRY => geometry(sequence, SIZE),
            GET_IMAGE => {
                if !image(sequence, &mut stream) {
                    return;
                }
                continue;
            }
            _ => continue,
        };
        if stream.write_all(&answer).is_err() {
            return;
        }
    }
}

/// Captures once from a server whose answers to GetImage come from `image`.
fn capture(
    image: impl FnMut(u16, &mut UnixStream) -> bool + Send + 'static,
) -> Result<(), DisplayError> {
    let (server, thread) = connect(move |stream| serve(stream, image));
    let server = server.unwrap();
    let wake = Bell::new().map_err(DisplayError::Lost)?;
    let result = KnownScreen::read(&server).and_then(|(mut known, _)| {
        assert_eq!(known.size, SIZE);
        let choice = CaptureChoice::default();
        let mut capturer = Capturer::probe(&server, known.size, choice, wake)?;
        assert_eq!(capturer.mode().0, CaptureMode::GetImage);
        let grab = capturer.grab(&server, &mut known, 1)?.unwrap();
        assert_eq!(grab.pixels.size(), SIZE);
        assert_eq!(grab.pixels.row(0, 47, 64), &[9; 256]);
        Ok(())
    });
    drop(server);
    thread.join().unwrap();
    result
}

fn whole_image() -> Vec<u8> {
    let mut body = vec![0; 24];
    body.extend_from_slice(&[9; 64 * 48 * 4]);
    body
}

#[test]
fn a_truthful_fake_is_captured() {
    capture(|sequence, stream| {
        stream
            .write_all(&reply(sequence, 24, &whole_image()))
            .is_ok()
    })
    .unwrap();
}

#[test]
fn a_cut_in_mid_reply_is_a_lost_connection_and_no_frame() {
    let error = capture(|sequence, stream| {
        let whole = reply(sequence, 24, &whole_image());
        stream.write_all(&whole[..whole.len() / 2]).unwrap();
        false
    });
    assert_eq!(error.unwrap_err().failure().cause, Cause::ConnectionLost);
}

#[test]
fn silence_in_mid_reply_ends_in_bounded_time() {
    let began = Instant::now();
    let error = capture(|sequence, stream| {
        let whole = reply(sequence, 24, &whole_image());
        stream.write_all(&whole[..100]).unwrap();
        true
    });
    assert_eq!(error.unwrap_err().failure().cause, Cause::Unresponsive);
    assert!(began.elapsed() < PATIENCE * 6);
}

#[test]
fn an_image_too_short_or_of_another_depth_is_no_frame() {
    let short = capture(|sequence, stream| {
        stream
            .write_all(&reply(sequence, 24, &whole_image()[..1000]))
            .is_ok()
    });
    assert_eq!(short.unwrap_err().failure().cause, Cause::ProtocolError);
    let other = capture(|sequence, stream| {
        stream
            .write_all(&reply(sequence, 8, &whole_image()))
            .is_ok()
    });
    assert_eq!(other.unwrap_err().failure().cause, Cause::ProtocolError);
}

#[test]
fn garbage_in_place_of_a_reply_is_an_error_and_no_panic() {
    for seed in 0..50_u32 {
        let error = capture(move |_, stream| {
            let mut state = seed;
            let noise: Vec<u8> = std::iter::repeat_with(|| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                state.to_be_bytes()[0]
            })
            .take(4096)
            .collect();
            drop(stream.write_all(&noise));
            false
        });
        assert!(error.is_err());
    }
}

/// x11rb alone would allocate 16 GiB.
#[test]
fn an_announced_length_beyond_any_screen_ends_the_connection() {
    let error = capture(|sequence, stream| {
        let mut lie = reply(sequence, 24, &[]);
        lie[4..8].copy_from_slice(&u32::MAX.to_ne_bytes());
        stream.write_all(&lie).is_ok()
    });
    let failure = error.unwrap_err().failure();
    assert_eq!(failure.cause, Cause::ProtocolError);
    assert!(
        failure.message.contains("longer than any screen"),
        "{}",
        failure.message
    );
}

#[test]
fn an_x_error_is_named() {
    let error = capture(|sequence, stream| {
        let mut error = vec![0, 8];
        error.extend_from_slice(&sequence.to_ne_bytes());
        error.resize(32, 0);
        error[10] = GET_IMAGE;
        stream.write_all(&error).is_ok()
    });
    let failure = error.unwrap_err().failure();
    assert_eq!(failure.cause, Cause::CaptureFailed);
    assert!(
        failure.message.contains("GetImage") && failure.message.contains("Match"),
        "{}",
        failure.message
    );
}

#[test]
fn garbage_a_cut_or_silence_in_the_greeting_are_told_apart() {
    let cause = |script: fn(UnixStream)| {
        let (server, thread) = connect(script);
        thread.join().unwrap();
        server.unwrap_err().failure().cause
    };
    let cut = cause(|mut stream| {
        read_greeting(&mut stream);
        stream.write_all(&good_greeting()[..50]).unwrap();
    });
    assert_eq!(cut, Cause::ConnectionLost);
    let silent = cause(|mut stream| {
        read_greeting(&mut stream);
        thread::sleep(PATIENCE * 3);
    });
    assert_eq!(silent, Cause::Unresponsive);
    let garbage = cause(|mut stream| {
        read_greeting(&mut stream);
        let mut greeting = good_greeting();
        greeting[8..].fill(0xff);
        stream.write_all(&greeting).unwrap();
    });
    assert_eq!(garbage, Cause::ProtocolError);
}

#[test]
fn a_refusal_is_quoted_without_control_characters() {
    let (server, thread) = connect(|mut stream| {
        read_greeting(&mut stream);
        let said = b"go\x1b[2Jaway\xff\n\0\0\0";
        let mut refusal = vec![0, u8::try_from(said.len()).unwrap()];
        refusal.extend_from_slice(&11_u16.to_ne_bytes());
        refusal.extend_from_slice(&0_u16.to_ne_bytes());
        refusal.extend_from_slice(&u16::try_from(padded(said.len()) / 4).unwrap().to_ne_bytes());
        refusal.extend_from_slice(said);
        refusal.resize(8 + padded(said.len()), 0);
        stream.write_all(&refusal).unwrap();
    });
    thread.join().unwrap();
    let failure = server.unwrap_err().failure();
    assert!(matches!(
        failure.cause,
        Cause::AuthRefused | Cause::CookieUnreadable
    ));
    assert!(
        failure.message.contains("(go[2Jaway)"),
        "{}",
        failure.message
    );
}

#[test]
fn odd_pixel_formats_are_refused_by_name() {
    for (depth, bits, masks) in [
        (12, 16, [0xf00, 0xf0, 0xf]),
        (24, 24, [0x00ff_0000, 0xff00, 0xff]),
        (24, 32, [0x00ff_0000, 0xff00, 0]),
        (24, 32, [0x00f0_f000, 0xff00, 0xff]),
    ] {
        let (server, thread) = connect(move |mut stream| {
            read_greeting(&mut stream);
            stream.write_all(&greeting(depth, bits, masks)).unwrap();
        });
        thread.join().unwrap();
        let failure = server.unwrap_err().failure();
        assert_eq!(failure.cause, Cause::PixelFormatUnsupported);
        assert!(
            failure.message.contains(&format!("depth {depth}")),
            "{}",
            failure.message
        );
    }
}

#[test]
fn a_screen_that_is_not_there_is_named() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let thread = thread::spawn(move || {
        read_greeting(&mut theirs);
        theirs.write_all(&good_greeting()).unwrap();
    });
    let stream = XStream::new(ours, PATIENCE, Arc::new(Pulse::new()), Purpose::Screen).unwrap();
    let second = DisplayName {
        number: 9,
        screen: 1,
    };
    let failure = Server::over(stream, second, SocketKind::Path, None)
        .unwrap_err()
        .failure();
    thread.join().unwrap();
    assert_eq!(failure.cause, Cause::ScreenNotFound);
}

#[test]
fn a_root_window_without_a_size_is_an_error() {
    let (server, thread) = connect(|mut stream| {
        read_greeting(&mut stream);
        stream.write_all(&good_greeting()).unwrap();
        let mut sequence = 0;
        while let Some(opcode) = read_request(&mut stream) {
            sequence += 1;
            let answer = match opcode {
                GET_GEOMETRY => geometry(
                    sequence,
                    Size {
                        width: 0,
                        height: 5,
                    },
                ),
                _ => reply(sequence, 0, &[0; 24]),
            };
            stream.write_all(&answer).unwrap();
        }
    });
    let server = server.unwrap();
    assert_eq!(
        server.geometry().unwrap_err().failure().cause,
        Cause::ProtocolError
    );
    drop(server);
    thread.join().unwrap();
}

/// Builds the error of a request (X11 protocol, "Error Format").
fn error(sequence: u16, code: u8) -> Vec<u8> {
    let mut whole = vec![0, code];
    whole.extend_from_slice(&sequence.to_ne_bytes());
    whole.resize(10, 0);
    whole.push(GET_IMAGE);
    whole.resize(32, 0);
    whole
}

const BAD_MATCH: u8 = 8;

/// GetImage fails while the screen is being resized, so the capture is repeated.
#[test]
fn an_image_that_does_not_match_the_screen_is_taken_again() {
    let mut times = 0;
    capture(move |sequence, stream| {
        times += 1;
        let answer = match times {
            1 | 2 => error(sequence, BAD_MATCH),
            _ => reply(sequence, 24, &whole_image()),
        };
        stream.write_all(&answer).is_ok()
    })
    .unwrap();
    // If every GetImage fails, the capture fails.
    let never = capture(|sequence, stream| stream.write_all(&error(sequence, BAD_MATCH)).is_ok());
    assert!(!never.unwrap_err().ends_connection());
}

/// The size and the state are read while the server is grabbed. Otherwise, another connection could
/// resize the screen in between, and the two would disagree about the epoch.
#[test]
fn the_size_is_read_within_the_grab() {
    let (server, script) = connect(|mut stream| {
        read_greeting(&mut stream);
        stream.write_all(&good_greeting()).unwrap();
        let (mut opcodes, mut sequence) = (Vec::new(), 0);
        while let Some(opcode) = read_request(&mut stream) {
            sequence += 1;
            opcodes.push(opcode);
            let answer = match opcode {
                GET_GEOMETRY => geometry(sequence, SIZE),
                GRAB_SERVER | UNGRAB_SERVER | CHANGE_PROPERTY => continue,
                _ => reply(sequence, 0, &[0; 24]),
            };
            stream.write_all(&answer).unwrap();
        }
        SENT.set(opcodes).unwrap();
    });
    let state = root_state::identify(&server.unwrap()).unwrap();
    assert_eq!((state.epoch, state.size), (1, SIZE));
    script.join().unwrap();
    let sent = SENT.get().unwrap();
    let grab = sent.iter().rposition(|code| *code == GRAB_SERVER).unwrap();
    let size = sent.iter().rposition(|code| *code == GET_GEOMETRY).unwrap();
    assert!(grab < size, "{sent:?}");
}

/// The opcodes that [`the_size_is_read_within_the_grab`] sent.
static SENT: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
