//! Stands between a daemon and its X server, and makes requests fail that a real server
//! fails only when it has no memory left (X11 protocol, appendix B).

use std::{
    collections::HashMap,
    io::{self, Read, Write},
    os::unix::net::{UnixListener, UnixStream},
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use super::XServer;

/// Core requests and errors.
const QUERY_EXTENSION: u8 = 98;
const BAD_ALLOC: u8 = 11;
/// A request that is to fail is held for so long: something can be drawn meanwhile.
pub const HELD: Duration = Duration::from_millis(300);
/// MIT-SHM's GetImage.
const SHM_GET_IMAGE: u8 = 4;

/// A display that leads to a server's. File descriptors are not passed on.
pub struct XProxy {
    number: u32,
    path: PathBuf,
    failures: Arc<AtomicU32>,
}

/// A request that has a reply, by its sequence number.
#[derive(Clone, Copy)]
enum Asked {
    ShmExtension,
    ShmGetImage,
}

#[derive(Default)]
struct Stream {
    asked: HashMap<u16, Asked>,
    shm: Option<u8>,
}

impl XProxy {
    /// Listens on a display number of its own.
    pub fn new(server: &XServer) -> Self {
        let number = 51_000 + std::process::id() % 9_000;
        let path = PathBuf::from(format!("/tmp/.X11-unix/X{number}"));
        drop(std::fs::remove_file(&path));
        let listener = UnixListener::bind(&path).unwrap();
        let failures = Arc::new(AtomicU32::new(0));
        let to = server.display().trim_start_matches(':').to_owned();
        let of_all = Arc::clone(&failures);
        std::thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                let server = UnixStream::connect(format!("/tmp/.X11-unix/X{to}")).unwrap();
                let stream = Arc::new(Mutex::new(Stream::default()));
                let (from, into) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let same = Arc::clone(&stream);
                let failures = Arc::clone(&of_all);
                std::thread::spawn(move || requests(from, into, &same, &failures));
                let failures = Arc::clone(&of_all);
                std::thread::spawn(move || answers(server, client, &stream, &failures));
            }
        });
        Self {
            number,
            path,
            failures,
        }
    }

    /// The display's name.
    pub fn display(&self) -> String {
        format!(":{}", self.number)
    }

    /// The next captures through shared memory fail with BadAlloc.
    pub fn fail_captures(&self, count: u32) {
        self.failures.store(count, Ordering::SeqCst);
    }

    /// How many of them are still to fail.
    pub fn to_fail(&self) -> u32 {
        self.failures.load(Ordering::SeqCst)
    }
}

impl Drop for XProxy {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.path));
    }
}

fn number(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .rev()
        .fold(0, |number, byte| number << 8 | usize::from(*byte))
}

/// Reads `more` bytes behind `packet`.
fn extend(from: &mut UnixStream, packet: &mut Vec<u8>, more: usize) -> io::Result<()> {
    let start = packet.len();
    packet.resize(start + more, 0);
    from.read_exact(&mut packet[start..])
}

fn requests(
    mut from: UnixStream,
    mut into: UnixStream,
    stream: &Mutex<Stream>,
    failures: &AtomicU32,
) {
    let mut pass = || -> io::Result<()> {
        let mut hello = Vec::new();
        extend(&mut from, &mut hello, 12)?;
        let padded = |at: usize, hello: &[u8]| number(&hello[at..at + 2]).next_multiple_of(4);
        let more = padded(6, &hello) + padded(8, &hello);
        extend(&mut from, &mut hello, more)?;
        into.write_all(&hello)?;
        for sequence in 1_u32.. {
            let mut request = Vec::new();
            extend(&mut from, &mut request, 4)?;
            let mut length = number(&request[2..4]) * 4;
            if length == 0 {
                extend(&mut from, &mut request, 4)?;
                length = number(&request[4..8]) * 4;
            }
            let more = length - request.len();
            extend(&mut from, &mut request, more)?;
            let is_capture;
            {
                let mut stream = stream.lock().unwrap();
                let asked = match request[0] {
                    QUERY_EXTENSION if request[8..].starts_with(b"MIT-SHM") => {
                        Some(Asked::ShmExtension)
                    }
                    opcode if Some(opcode) == stream.shm && request[1] == SHM_GET_IMAGE => {
                        Some(Asked::ShmGetImage)
                    }
                    _ => None,
                };
                let sequence = u16::try_from(sequence & 0xffff).unwrap();
                asked.map(|asked| stream.asked.insert(sequence, asked));
                is_capture = matches!(asked, Some(Asked::ShmGetImage));
            }
            if is_capture && failures.load(Ordering::SeqCst) > 0 {
                std::thread::sleep(HELD);
            }
            into.write_all(&request)?;
        }
        Ok(())
    };
    // Either end has gone.
    drop(pass());
    drop(into.shutdown(std::net::Shutdown::Both));
}

fn answers(
    mut from: UnixStream,
    mut into: UnixStream,
    stream: &Mutex<Stream>,
    failures: &AtomicU32,
) {
    let mut pass = || -> io::Result<()> {
        let mut setup = Vec::new();
        extend(&mut from, &mut setup, 8)?;
        let more = number(&setup[6..8]) * 4;
        extend(&mut from, &mut setup, more)?;
        into.write_all(&setup)?;
        loop {
            let mut packet = Vec::new();
            extend(&mut from, &mut packet, 32)?;
            // Replies and generic events are longer.
            if packet[0] == 1 || packet[0] & 0x7f == 35 {
                let more = number(&packet[4..8]) * 4;
                extend(&mut from, &mut packet, more)?;
            }
            if packet[0] == 1 {
                let sequence = u16::from_le_bytes([packet[2], packet[3]]);
                let mut stream = stream.lock().unwrap();
                match stream.asked.remove(&sequence) {
                    Some(Asked::ShmExtension) => stream.shm = Some(packet[9]),
                    Some(Asked::ShmGetImage) => {
                        let less = |left: u32| left.checked_sub(1);
                        let order = Ordering::SeqCst;
                        if failures.fetch_update(order, order, less).is_ok() {
                            let opcode = stream.shm.unwrap();
                            packet = vec![0; 32];
                            packet[1] = BAD_ALLOC;
                            packet[2..4].copy_from_slice(&sequence.to_le_bytes());
                            packet[8] = SHM_GET_IMAGE;
                            packet[10] = opcode;
                        }
                    }
                    None => {}
                }
            }
            into.write_all(&packet)?;
        }
    };
    drop(pass());
    drop(into.shutdown(std::net::Shutdown::Both));
}
