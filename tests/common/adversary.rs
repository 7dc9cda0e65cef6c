//! A hostile X client. It speaks the X protocol by itself (X11 protocol, appendix B), so
//! that it can send what no library sends, as fast as the server reads.

use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use super::{XServer, xserver::COOKIE};

/// Event types.
pub const KEYMAP_NOTIFY: u8 = 11;
pub const DESTROY_NOTIFY: u8 = 17;
pub const CONFIGURE_NOTIFY: u8 = 22;
pub const CLIENT_MESSAGE: u8 = 33;
/// StructureNotify, SubstructureNotify and PropertyChange.
const MASK: u32 = 0x2_0000 | 0x8_0000 | 0x40_0000;

/// One connection.
pub struct Adversary {
    stream: UnixStream,
    pub root: u32,
    base: u32,
    made: u32,
}

/// A request that is repeated without end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flood {
    /// ConfigureNotify, made by SendEvent, to the root window.
    SentConfigure,
    /// ClientMessage to the root window.
    SentMessages,
    /// A property of the root window changes.
    Properties,
    /// A child of the root window comes and goes.
    Maps,
    /// It moves.
    Moves,
    /// The clipboard is asked for.
    Requests,
    /// The pointer mapping is set.
    Mappings,
}

impl Flood {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::SentConfigure,
        Self::SentMessages,
        Self::Properties,
        Self::Maps,
        Self::Moves,
        Self::Requests,
        Self::Mappings,
    ];
}

/// A resource of a client on the X server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    /// A window.
    Window,
    /// A Damage object.
    Damage,
    /// A region of XFIXES.
    Region,
    /// A segment of MIT-SHM.
    Segment,
}

/// A flood that goes on until it is dropped.
pub struct Flooding {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<u64>>,
}

impl Flooding {
    /// Ends it; how many requests were sent.
    pub fn end(mut self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Flooding {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

impl Adversary {
    /// Connects to a server's first screen.
    ///
    /// # Panics
    ///
    /// When the server refuses that.
    pub fn new(server: &XServer) -> Self {
        Self::try_new(server).expect("refused")
    }

    /// The same; `None` when the server refuses that.
    pub fn try_new(server: &XServer) -> Option<Self> {
        let path = format!(
            "/tmp/.X11-unix/X{}",
            server.display().trim_start_matches(':')
        );
        let mut stream = UnixStream::connect(path).unwrap();
        let name = b"MIT-MAGIC-COOKIE-1";
        let mut hello = vec![b'l', 0, 11, 0, 0, 0, 18, 0, 16, 0, 0, 0];
        hello.extend_from_slice(name);
        hello.extend_from_slice(&[0, 0]);
        hello.extend_from_slice(COOKIE.as_bytes());
        stream.write_all(&hello).unwrap();
        let mut head = [0; 8];
        stream.read_exact(&mut head).unwrap();
        if head[0] != 1 {
            return None;
        }
        let mut setup = vec![0; usize::from(u16::from_le_bytes([head[6], head[7]])) * 4];
        stream.read_exact(&mut setup).unwrap();
        let word = |at: usize| u32::from_le_bytes(setup[at..at + 4].try_into().unwrap());
        let vendor = usize::from(u16::from_le_bytes([setup[16], setup[17]]));
        let formats = usize::from(setup[21]);
        Some(Self {
            root: word(32 + vendor.next_multiple_of(4) + 8 * formats),
            base: word(4),
            made: 0,
            stream,
        })
    }

    /// The bytes of a SendEvent request. The event's first word names `window`.
    pub fn event(to: u32, mask: u32, kind: u8, window: u32) -> Vec<u8> {
        let mut request = vec![25, 0, 11, 0];
        request.extend_from_slice(&to.to_le_bytes());
        request.extend_from_slice(&mask.to_le_bytes());
        let mut event = [0xff; 32];
        event[0] = kind;
        event[1] = 32;
        event[4..8].copy_from_slice(&window.to_le_bytes());
        event[8..12].copy_from_slice(&window.to_le_bytes());
        request.extend_from_slice(&event);
        request
    }

    /// Sends an event to the root window.
    pub fn send_to_root(&mut self, kind: u8, window: u32) {
        let event = Self::event(self.root, MASK, kind, window);
        self.send(&event);
    }

    /// Sends a ClientMessage about a window to the root window.
    pub fn message_to_root(&mut self, window: u32, kind: u32, data: [u32; 5]) {
        let mut request = Self::event(self.root, MASK, CLIENT_MESSAGE, window);
        request[20..24].copy_from_slice(&kind.to_le_bytes());
        for (at, word) in (24..).step_by(4).zip(data) {
            request[at..at + 4].copy_from_slice(&word.to_le_bytes());
        }
        self.send(&request);
    }

    /// Sends an event to who made a window.
    pub fn send_to(&mut self, window: u32, kind: u8) {
        let event = Self::event(window, 0, kind, window);
        self.send(&event);
    }

    /// Sends requests.
    pub fn send(&mut self, requests: &[u8]) {
        self.stream.write_all(requests).unwrap();
    }

    /// Waits until the server has done all that was sent; nothing else answers.
    pub fn round_trip(&mut self) {
        self.send(&[43, 0, 1, 0]);
        self.reply();
    }

    /// An InputOnly window of 10 × 10 pixels at the origin.
    pub fn window(&mut self) -> u32 {
        self.made += 1;
        let window = self.base + self.made;
        let mut request = vec![1, 0, 8, 0];
        for word in [window, self.root, 0, 10 | 10 << 16, 2 << 16, 0, 0] {
            request.extend_from_slice(&u32::to_le_bytes(word));
        }
        self.send(&request);
        window
    }

    /// An id for an atom.
    pub fn atom(&mut self, name: &str) -> u32 {
        let reply = self.ask_by_name(16, name);
        u32::from_le_bytes(reply[8..12].try_into().unwrap())
    }

    /// The major opcode of an extension.
    pub fn extension(&mut self, name: &str) -> u8 {
        self.ask_by_name(98, name)[9]
    }

    /// The reply to InternAtom or QueryExtension, whose requests have one form.
    fn ask_by_name(&mut self, opcode: u8, name: &str) -> [u8; 32] {
        let length = u16::try_from(name.len()).unwrap();
        let units = 2 + length.div_ceil(4);
        let mut request = vec![opcode, 0];
        request.extend_from_slice(&units.to_le_bytes());
        request.extend_from_slice(&length.to_le_bytes());
        request.extend_from_slice(&[0, 0]);
        request.extend_from_slice(name.as_bytes());
        request.resize(usize::from(units) * 4, 0);
        self.send(&request);
        self.reply()
    }

    fn reply(&mut self) -> [u8; 32] {
        let mut packet = [0; 32];
        loop {
            self.stream.read_exact(&mut packet).unwrap();
            if packet[0] == 1 {
                return packet;
            }
        }
    }

    /// Destroys what other clients made under the first ids of each, but for the client
    /// that has `spared`: an X server lets every client do that.
    pub fn destroy_of_others(&mut self, what: Made, spared: u32) {
        let head = match what {
            Made::Window => [4, 0],
            Made::Damage => [self.extension("DAMAGE"), 2],
            Made::Region => [self.extension("XFIXES"), 10],
            Made::Segment => [self.extension("MIT-SHM"), 2],
        };
        let kept = [self.base >> 21, spared >> 21];
        for base in (1..24).filter(|base| !kept.contains(base)) {
            for number in 0..48 {
                let mut request = [head[0], head[1], 2, 0].to_vec();
                request.extend_from_slice(&(base << 21 | number).to_le_bytes());
                self.send(&request);
            }
        }
        self.round_trip();
    }

    /// Has the server write ten rows of the screen, from `row` on, to the beginning of the
    /// segments that others attached.
    pub fn overwrite_segments(&mut self, row: u32) {
        let (opcode, own) = (self.extension("MIT-SHM"), self.base >> 21);
        for base in (1..24).filter(|base| *base != own) {
            for number in 0..48 {
                let mut request = vec![opcode, 4, 8, 0];
                let (place, size) = (row << 16, 640 | 10 << 16);
                let segment = base << 21 | number;
                for word in [self.root, place, size, u32::MAX, 2, segment, 0] {
                    request.extend_from_slice(&u32::to_le_bytes(word));
                }
                self.send(&request);
            }
        }
        // Replies come for those that were there; then nothing is left to be written.
        self.stream
            .set_read_timeout(Some(Duration::from_millis(200)))
            .unwrap();
        let mut buffer = [0; 4096];
        while self.stream.read(&mut buffer).is_ok_and(|read| read > 0) {}
        self.stream.set_read_timeout(None).unwrap();
    }

    /// Sends a flood from a thread of its own until that is ended.
    pub fn flood(mut self, flood: Flood) -> Flooding {
        let requests = self.requests(flood);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let batch = requests.concat().repeat(200);
        let count = 200 * requests.len() as u64;
        // Its own events and replies are read away.
        let mut reader = self.stream.try_clone().unwrap();
        reader
            .set_read_timeout(Some(Duration::from_millis(100)))
            .unwrap();
        let done = Arc::clone(&stop);
        let drain = std::thread::spawn(move || {
            let mut buffer = vec![0; 1 << 16];
            while !done.load(Ordering::Relaxed) {
                drop(reader.read(&mut buffer));
            }
        });
        let thread = std::thread::spawn(move || {
            let mut sent = 0;
            while !stopped.load(Ordering::Relaxed) {
                self.send(&batch);
                sent += count;
            }
            // The server has done it all when it answers; the reader may take that.
            drop(drain.join());
            self.stream.set_read_timeout(None).unwrap();
            sent
        });
        Flooding {
            stop,
            thread: Some(thread),
        }
    }

    /// The requests that are repeated.
    fn requests(&mut self, flood: Flood) -> Vec<Vec<u8>> {
        let words = |head: [u8; 4], words: &[u32]| {
            let mut request = head.to_vec();
            for word in words {
                request.extend_from_slice(&word.to_le_bytes());
            }
            request
        };
        let root = self.root;
        match flood {
            Flood::SentConfigure => vec![Self::event(root, MASK, CONFIGURE_NOTIFY, root)],
            Flood::SentMessages => vec![Self::event(root, MASK, CLIENT_MESSAGE, root)],
            Flood::Properties => {
                // PRIMARY of type STRING: an atom that means nothing there.
                let format_and_length = [8, 1, u32::from(b'x')];
                let rest = [&[root, 1, 31][..], &format_and_length].concat();
                vec![words([18, 0, 7, 0], &rest)]
            }
            Flood::Maps => {
                let window = self.window();
                vec![
                    words([8, 0, 2, 0], &[window]),
                    words([10, 0, 2, 0], &[window]),
                ]
            }
            Flood::Moves => {
                let window = self.window();
                let to = |x: u32| words([12, 0, 4, 0], &[window, 1, x]);
                vec![to(1), to(2)]
            }
            Flood::Requests => {
                let window = self.window();
                let (clipboard, utf8) = (self.atom("CLIPBOARD"), self.atom("UTF8_STRING"));
                vec![words([24, 0, 6, 0], &[window, clipboard, utf8, 1, 0])]
            }
            Flood::Mappings => {
                let set = |last: u32| {
                    let first = [
                        1 | 2 << 8 | 3 << 16 | 4 << 24,
                        5 | 6 << 8 | 7 << 16 | 8 << 24,
                    ];
                    words([116, 10, 4, 0], &[first[0], first[1], last])
                };
                vec![set(9 | 10 << 8), set(10 | 9 << 8)]
            }
        }
    }
}
