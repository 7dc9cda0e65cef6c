//! Records the input that a program receives: a window of the witness covers the screen,
//! has the focus, and records each event.

use std::time::{Duration, Instant};

use xcb::{Xid, x};

use super::{Witness, XServer, wait_for};

/// One event as it was delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// A key, by its code; the modifiers in force before it.
    Key { down: bool, code: u8, state: u16 },
    /// A button, where the pointer was, and the modifiers and buttons in force before it.
    Button {
        down: bool,
        number: u8,
        at: (i16, i16),
        state: u16,
    },
    /// The pointer.
    Motion((i16, i16)),
}

/// The window.
pub struct Recorder {
    witness: Witness,
    window: x::Window,
}

impl Recorder {
    /// Maps it, and waits until it has the focus.
    pub fn new(server: &XServer) -> Self {
        let witness = Witness::new(server);
        let window: x::Window = witness.conn.generate_id();
        let screen = witness.conn.get_setup().roots().next().unwrap();
        let mask = x::EventMask::KEY_PRESS
            | x::EventMask::KEY_RELEASE
            | x::EventMask::BUTTON_PRESS
            | x::EventMask::BUTTON_RELEASE
            | x::EventMask::POINTER_MOTION
            | x::EventMask::EXPOSURE;
        witness.checked(&x::CreateWindow {
            depth: 0,
            wid: window,
            parent: screen.root(),
            x: 0,
            y: 0,
            width: screen.width_in_pixels(),
            height: screen.height_in_pixels(),
            border_width: 0,
            class: x::WindowClass::InputOutput,
            visual: 0,
            value_list: &[
                x::Cw::BackPixel(0x0020_4060),
                x::Cw::OverrideRedirect(true),
                x::Cw::EventMask(mask),
            ],
        });
        witness.checked(&x::MapWindow { window });
        witness.checked(&x::SetInputFocus {
            revert_to: x::InputFocus::PointerRoot,
            focus: window,
            time: x::CURRENT_TIME,
        });
        let recorder = Self { witness, window };
        recorder.take();
        recorder
    }

    /// Its connection.
    pub fn witness(&self) -> &Witness {
        &self.witness
    }

    /// Its window's id.
    pub fn window(&self) -> x::Window {
        self.window
    }

    /// All events since the last question; everything that was sent before is in it.
    pub fn take(&self) -> Vec<Seen> {
        self.witness.round_trip();
        let mut seen = Vec::new();
        while let Some(event) = self.witness.conn.poll_for_event().unwrap() {
            seen.extend(read(&event));
        }
        seen
    }

    /// The keysyms of the keys that were pressed since the last question, by the keymap
    /// in force now, without those of modifiers.
    pub fn keysyms_pressed(&self) -> Vec<u32> {
        let seen = self.take();
        let setup = self.witness.conn.get_setup();
        let (first, last) = (setup.min_keycode(), setup.max_keycode());
        let cookie = self.witness.conn.send_request(&x::GetKeyboardMapping {
            first_keycode: first,
            count: last - first + 1,
        });
        let map = self.witness.conn.wait_for_reply(cookie).unwrap();
        let width = usize::from(map.keysyms_per_keycode());
        let presses = seen.iter().filter_map(|seen| match seen {
            Seen::Key {
                down: true,
                code,
                state,
            } => Some((*code, *state)),
            _ => None,
        });
        let gives = presses.map(|(code, state)| {
            let all = &map.keysyms()[usize::from(code - first) * width..][..width];
            let (shift, level3) = (state & 1 != 0, state & 0x80 != 0);
            // Levels 3 and 4 follow two groups of two.
            let index = usize::from(shift) + if level3 { 4 } else { 0 };
            let shifted = all.get(index).copied().unwrap_or(0);
            let plain = if level3 { all.get(4) } else { all.first() };
            if shifted == 0 {
                plain.copied().unwrap_or(0)
            } else {
                shifted
            }
        });
        let is_modifier = |keysym: &u32| matches!(keysym, 0xffe1..=0xffee | 0xfe03 | 0xff7f);
        gives.filter(|keysym| !is_modifier(keysym)).collect()
    }

    /// Events until `enough` of them are there.
    pub fn until(&self, limit: Duration, enough: impl Fn(&[Seen]) -> bool) -> Vec<Seen> {
        let mut seen = Vec::new();
        wait_for("the witness's events", limit, || {
            seen.extend(self.take());
            enough(&seen).then(|| seen.clone())
        })
    }

    /// Events within that time.
    pub fn within(&self, time: Duration) -> Vec<Seen> {
        let end = Instant::now() + time;
        let mut seen = Vec::new();
        while Instant::now() < end {
            seen.extend(self.take());
            std::thread::sleep(Duration::from_millis(5));
        }
        seen
    }

    /// Nothing is down: no key, no button.
    pub fn nothing_is_down(&self) -> bool {
        self.keys_down().is_empty() && self.buttons_down() == 0
    }

    /// Codes of the keys that are down.
    pub fn keys_down(&self) -> Vec<u8> {
        let cookie = self.witness.conn.send_request(&x::QueryKeymap {});
        let reply = self.witness.conn.wait_for_reply(cookie).unwrap();
        (0..=255_u8)
            .filter(|code| reply.keys()[usize::from(code / 8)] & (1 << (code % 8)) != 0)
            .collect()
    }

    /// Bits of the buttons 1 to 5 that are down.
    pub fn buttons_down(&self) -> u32 {
        (self.pointer().2 >> 8) & 0x1f
    }

    /// Where the pointer is, and what is in force.
    pub fn pointer(&self) -> (i16, i16, u32) {
        let window = self.witness.conn.get_setup().roots().next().unwrap().root();
        let cookie = self.witness.conn.send_request(&x::QueryPointer { window });
        let reply = self.witness.conn.wait_for_reply(cookie).unwrap();
        (reply.root_x(), reply.root_y(), reply.mask().bits())
    }

    /// The code of the first key that gives this keysym alone.
    pub fn code_of(&self, keysym: u32) -> u8 {
        let setup = self.witness.conn.get_setup();
        let (first, last) = (setup.min_keycode(), setup.max_keycode());
        let cookie = self.witness.conn.send_request(&x::GetKeyboardMapping {
            first_keycode: first,
            count: last - first + 1,
        });
        let reply = self.witness.conn.wait_for_reply(cookie).unwrap();
        let width = usize::from(reply.keysyms_per_keycode());
        let index = reply
            .keysyms()
            .chunks(width)
            .position(|keysyms| keysyms[0] == keysym);
        first + u8::try_from(index.expect("the keymap has it")).unwrap()
    }

    /// Kills every client that has a window of one pixel: deskd's are such.
    pub fn kill_daemons_connections(&self) -> usize {
        let window = self.witness.conn.get_setup().roots().next().unwrap().root();
        let cookie = self.witness.conn.send_request(&x::QueryTree { window });
        let tree = self.witness.conn.wait_for_reply(cookie).unwrap();
        let mut killed = 0;
        for child in tree.children() {
            let drawable = x::Drawable::Window(*child);
            let cookie = self.witness.conn.send_request(&x::GetGeometry { drawable });
            let small = self.witness.conn.wait_for_reply(cookie);
            if small.is_ok_and(|reply| reply.width() == 1) {
                self.witness.checked(&x::KillClient {
                    resource: child.resource_id(),
                });
                killed += 1;
            }
        }
        killed
    }
}

fn read(event: &xcb::Event) -> Option<Seen> {
    use xcb::Event::X;
    Some(match event {
        X(x::Event::KeyPress(e)) => Seen::Key {
            down: true,
            code: e.detail(),
            state: bits(e.state()),
        },
        X(x::Event::KeyRelease(e)) => Seen::Key {
            down: false,
            code: e.detail(),
            state: bits(e.state()),
        },
        X(x::Event::ButtonPress(e)) => Seen::Button {
            down: true,
            number: e.detail(),
            at: (e.root_x(), e.root_y()),
            state: bits(e.state()),
        },
        X(x::Event::ButtonRelease(e)) => Seen::Button {
            down: false,
            number: e.detail(),
            at: (e.root_x(), e.root_y()),
            state: bits(e.state()),
        },
        X(x::Event::MotionNotify(e)) => Seen::Motion((e.root_x(), e.root_y())),
        _ => return None,
    })
}

fn bits(state: x::KeyButMask) -> u16 {
    u16::try_from(state.bits()).unwrap()
}
