//! Gives input through XTEST, on a connection that also observes the effect of the input (XTEST
//! Extension Library 2.2, FakeInput).
//!
//! Requests that belong together are buffered and sent in one write: a press and its release
//! reach the server at once, so that nothing happens between them.

use std::{cell::Cell, fmt, time::Duration};

use nix::{
    time::{ClockId, clock_gettime},
    unistd::geteuid,
};
use x11rb::{
    connection::Connection as _,
    protocol::{
        xproto::{
            AtomEnum, AutoRepeatMode, BUTTON_PRESS_EVENT, BUTTON_RELEASE_EVENT,
            ChangeKeyboardControlAux, ConnectionExt as _, KEY_PRESS_EVENT, KEY_RELEASE_EVENT,
            MOTION_NOTIFY_EVENT, PropMode,
        },
        xtest::ConnectionExt as _,
    },
    wrapper::ConnectionExt as _,
};

use crate::x11::{
    command::display::Display,
    connection::{mailbox::Bell, server as connect},
    error::DisplayError,
    input::{
        bindings::Bindings,
        keymap,
        keymap::{KeyboardState, Keymap},
        pointer::{Pointer, PointerState},
    },
    observe::{observer::Observer, owner},
    screen::root_state::Generation,
};
use crate::{facts::WindowId, frame::Size, processes};

/// A key or a button.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyOrButton {
    /// By its keycode.
    Key(u8),
    /// By its number: 1 left, 2 middle, 3 right, 8 back, 9 forward.
    Button(u8),
}

/// A key or button that deskd pressed, as recorded on the X server, so that a later instance can
/// release it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// The input that is down.
    pub input: KeyOrButton,
    /// When it is to be released, by the clock of [`uptime`]; `None`: within the step.
    pub until: Option<Duration>,
}

/// Time since boot, including suspend.
pub fn uptime() -> Duration {
    clock_gettime(ClockId::CLOCK_BOOTTIME)
        .or_else(|_| clock_gettime(ClockId::CLOCK_MONOTONIC))
        .map_or(Duration::ZERO, Duration::from)
}

/// A connection that gives input.
#[derive(Debug)]
pub struct Injector {
    observer: Observer,
    keymap: Option<Keymap>,
    bindings: Bindings,
    pointer: Pointer,
    marked: u32,
    is_marked: bool,
    /// The keys and buttons that are recorded on the X server.
    marks: Vec<Mark>,
    /// Whether deskd has turned off the keyboard's auto-repeat.
    keeps_from_repeating: bool,
    /// Whether the server has sent a reply since the last request that has none.
    is_confirmed: Cell<bool>,
}

/// The display at one moment, before a step.
#[derive(Debug, Clone, Copy)]
pub struct Survey {
    /// Identity of the X server.
    pub generation: Generation,
    /// The geometry epoch, which increases with each resize.
    pub epoch: u64,
    /// The screen's size in pixels.
    pub screen: Size,
    /// The state of the keyboard.
    pub keyboard: KeyboardState,
    /// The pointer and its buttons.
    pub pointer: PointerState,
}

/// The root window's property that records the keys and buttons that deskd has pressed.
const PRESSED: &[u8] = b"_DESKD_PRESSED";
/// The selection that the input connection owns, so that only one deskd a display gives input.
const INPUT: &str = "_DESKD_INPUT";
/// Number of attempts to take [`INPUT`] while another client owns it.
const TRIES: u32 = 5;
/// Pause between two of these attempts.
const AGAIN: Duration = Duration::from_millis(20);
/// The longest hold that the API accepts; a recorded time beyond it is reduced to it.
const LONGEST: Duration = Duration::from_secs(60);

impl Injector {
    /// Connects to the display; `bell` ends a wait.
    ///
    /// Blocks while the server does not answer, at most 15 s at a time.
    ///
    /// # Errors
    ///
    /// When the display cannot be reached, the server lacks XTEST or XKB, or another deskd gives
    /// input on the display.
    pub fn connect(display: &Display, bell: Bell) -> Result<Self, DisplayError> {
        let observer = Observer::connect(display, bell)?;
        let conn = &observer.server.conn;
        if !observer.server.has_xtest {
            return Err(DisplayError::NoExtension("XTEST"));
        }
        let version = conn.xtest_get_version(2, 2)?.reply();
        version.map_err(|error| DisplayError::reply("XTestGetVersion", error))?;
        // Another client's server grab must not delay requests of this connection.
        conn.xtest_grab_control(true)?.ignore_error();
        keymap::enable(conn)?;
        own(&observer)?;
        let marked = conn.intern_atom(false, PRESSED)?.reply();
        let marked = marked.map_err(|error| DisplayError::reply("InternAtom", error))?;
        let mut bindings = Bindings::default();
        bindings.adopt(&observer.server)?;
        Ok(Self {
            keymap: None,
            bindings,
            pointer: Pointer::new(&observer.server)?,
            marked: marked.atom,
            is_marked: true,
            marks: Vec::new(),
            keeps_from_repeating: false,
            is_confirmed: Cell::new(false),
            observer,
        })
    }

    /// The observer of the display, on the same connection.
    pub fn observer(&mut self) -> &mut Observer {
        &mut self.observer
    }

    /// The current keymap.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub fn keymap(&mut self) -> Result<&Keymap, DisplayError> {
        let changed = self.observer.take_keymap_news()?;
        let kept = self.keymap.take().filter(|_| !changed);
        let keymap = match kept {
            Some(keymap) => keymap,
            None => Keymap::read(&self.observer.server.conn)?,
        };
        Ok(self.keymap.insert(keymap))
    }

    /// Whether the keymap may have changed since [`Self::keymap`] was last called.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub fn keymap_changed(&mut self) -> Result<bool, DisplayError> {
        if self.observer.take_keymap_news()? {
            self.keymap = None;
        }
        Ok(self.keymap.is_none())
    }

    /// Binds the first of these keysyms that fit to unused keycodes, and returns their number.
    /// With `replace`, removes other bound keysyms to make room; then no program may still have
    /// key events of bound keycodes to read.
    ///
    /// # Errors
    ///
    /// When the connection ended, or the server refuses the new map.
    pub fn bind(&mut self, keysyms: &[u32], replace: bool) -> Result<usize, DisplayError> {
        self.keymap()?;
        let (keymap, server) = (self.keymap.take(), &self.observer.server);
        let Some(keymap) = keymap else {
            return Ok(0);
        };
        let count = self.bindings.bind(server, &keymap, keysyms, replace)?;
        self.settle_keymap()?;
        Ok(count)
    }

    /// Sets the bound keysyms that [`Self::bind`] must not replace: the keys that a step names.
    pub fn pin(&mut self, keysyms: &[u32]) {
        self.bindings.pin(keysyms);
    }

    /// Restores all bound keycodes. No program may still have key events of them to read.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub fn unbind(&mut self) -> Result<(), DisplayError> {
        if self.bindings.is_empty() {
            return Ok(());
        }
        self.keymap()?;
        if let Some(keymap) = self.keymap.take() {
            self.bindings.restore(&self.observer.server, &keymap)?;
        }
        self.settle_keymap()
    }

    /// Restores bound keycodes that another program has grabbed meanwhile.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub fn recheck_bound(&mut self) -> Result<(), DisplayError> {
        if self.bindings.is_empty() {
            return Ok(());
        }
        self.keymap()?;
        if let Some(keymap) = self.keymap.take()
            && !self.bindings.recheck(&self.observer.server, &keymap)?
        {
            self.keymap = Some(keymap);
            return Ok(());
        }
        self.settle_keymap()
    }

    /// Windows that may still have key events of bound keycodes to read, as recorded on the X
    /// server.
    pub fn unread(&self) -> &[WindowId] {
        self.bindings.unread()
    }

    /// Adds a window to [`Self::unread`] for a later instance.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub fn note_unread(&mut self, window: WindowId) -> Result<(), DisplayError> {
        self.bindings.note_unread(&self.observer.server, window)
    }

    /// Discards the notification of deskd's own keymap change; a later one is another program's.
    fn settle_keymap(&mut self) -> Result<(), DisplayError> {
        self.pointer()?;
        self.observer.take_keymap_news()?;
        Ok(())
    }

    /// Clears latched modifiers and the latched group, which would change the next key.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub fn clear_latches(&self) -> Result<(), DisplayError> {
        use x11rb::protocol::{
            xkb::{ConnectionExt as _, Group},
            xproto::ModMask,
        };
        let (none, all) = (ModMask::from(0_u16), ModMask::from(0xff_u16));
        let conn = &self.observer.server.conn;
        let device = keymap::CORE_KEYBOARD;
        conn.xkb_latch_lock_state(device, none, none, false, Group::M1, all, true, 0)?
            .ignore_error();
        Ok(())
    }

    /// Whether any keycode is bound.
    pub fn has_bound(&self) -> bool {
        !self.bindings.is_empty()
    }

    /// Whether deskd has bound this keycode.
    pub fn is_bound(&self, keycode: u8) -> bool {
        self.bindings.has(keycode)
    }

    /// Reads the state of the keyboard.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub fn keyboard(&self) -> Result<KeyboardState, DisplayError> {
        keymap::state(&self.observer.server.conn)
    }

    /// Whether each key is down, by keycode.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub fn keys_down(&self) -> Result<[bool; 256], DisplayError> {
        let reply = self.observer.server.conn.query_keymap()?.reply();
        let reply = reply.map_err(|error| DisplayError::reply("QueryKeymap", error))?;
        Ok(std::array::from_fn(|code| {
            reply.keys[code / 8] & (1 << (code % 8)) != 0
        }))
    }

    /// Reads the pointer mapping again if it changed, and returns whether a physical button is
    /// mapped to this logical one.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub fn has_button(&mut self, number: u8) -> Result<bool, DisplayError> {
        if self.observer.take_pointer_mapping_news()? {
            self.pointer.read_mapping(&self.observer.server)?;
        }
        Ok(self.pointer.physical(number).is_some())
    }

    /// Presses a key or button; sent with the next [`Self::flush`] or query.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub fn press(&self, input: KeyOrButton) -> Result<(), DisplayError> {
        match input {
            KeyOrButton::Key(code) => self.fake(KEY_PRESS_EVENT, code, (0, 0)),
            KeyOrButton::Button(number) => self.fake_button(BUTTON_PRESS_EVENT, number),
        }
    }

    /// Sends an event of the physical button that XTEST requires; callers name the logical one.
    /// A logical button without a physical one was refused earlier, see [`Self::has_button`].
    fn fake_button(&self, kind: u8, number: u8) -> Result<(), DisplayError> {
        match self.pointer.physical(number) {
            Some(physical) => self.fake(kind, physical, (0, 0)),
            None => Ok(()),
        }
    }

    /// Releases a key or button; sent with the next [`Self::flush`] or query.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub fn release(&self, input: KeyOrButton) -> Result<(), DisplayError> {
        match input {
            KeyOrButton::Key(code) => self.fake(KEY_RELEASE_EVENT, code, (0, 0)),
            KeyOrButton::Button(number) => self.fake_button(BUTTON_RELEASE_EVENT, number),
        }
    }

    /// Moves the pointer to a pixel of the screen; sent with the next [`Self::flush`] or query.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub fn move_to(&self, x: u32, y: u32) -> Result<(), DisplayError> {
        // A screen's side has 16 bits, but X11 gives pointer coordinates a sign and 15 bits.
        let narrow = |side: u32| i16::try_from(side).unwrap_or(i16::MAX);
        self.fake(MOTION_NOTIFY_EVENT, 0, (narrow(x), narrow(y)))
    }

    fn fake(&self, kind: u8, detail: u8, (x, y): (i16, i16)) -> Result<(), DisplayError> {
        let server = &self.observer.server;
        server
            .conn
            .xtest_fake_input(kind, detail, 0, server.root, x, y, 0)?
            .ignore_error();
        self.is_confirmed.set(false);
        Ok(())
    }

    /// Sends all buffered requests.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub fn flush(&self) -> Result<(), DisplayError> {
        Ok(self.observer.server.conn.flush()?)
    }

    /// The pointer's position in screen pixels, after the server has processed all input that was
    /// sent.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub fn pointer(&self) -> Result<(i32, i32), DisplayError> {
        let state = self.pointer_state()?;
        Ok((state.x, state.y))
    }

    /// The pointer's position and its buttons. While another program holds the pointer
    /// frozen (a synchronous grab), both are as they were before the freeze.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub fn pointer_state(&self) -> Result<PointerState, DisplayError> {
        let state = self.pointer.ask(&self.observer.server)?.answer()?;
        self.is_confirmed.set(true);
        Ok(state)
    }

    /// Waits until the server has processed everything that was sent, unless it has confirmed
    /// that already. If the connection ends, the server drops requests that it has not read.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub fn confirm(&self) -> Result<(), DisplayError> {
        if !self.is_confirmed.get() {
            self.pointer_state()?;
        }
        Ok(())
    }

    /// Reads the state on which a step is planned, in one round trip unless the screen changed.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub fn survey(&mut self) -> Result<Survey, DisplayError> {
        let server = &self.observer.server;
        let geometry = server.conn.get_geometry(server.root)?;
        let keyboard = keymap::ask_state(&server.conn)?;
        let pointer = self.pointer.ask(server)?;
        let geometry = geometry.reply();
        let geometry = geometry.map_err(|error| DisplayError::reply("GetGeometry", error))?;
        let (keyboard, pointer) = (keymap::answer(keyboard)?, pointer.answer()?);
        let size = connect::screen_size(geometry.width, geometry.height)?;
        let (generation, epoch) = self.observer.identity_at(size)?;
        Ok(Survey {
            generation,
            epoch,
            screen: self.observer.size(),
            keyboard,
            pointer,
        })
    }

    /// Turns the auto-repeat of keys that are down on or off. The server's clock times repeats: a
    /// server that was stopped would repeat a key that was held only for an instant. Sent with the
    /// next [`Self::flush`] or query.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub fn set_repeat(&mut self, on: bool) -> Result<(), DisplayError> {
        if self.keeps_from_repeating != on {
            return Ok(());
        }
        let conn = &self.observer.server.conn;
        let mode = if on {
            AutoRepeatMode::ON
        } else {
            let control = conn.get_keyboard_control()?.reply();
            let control =
                control.map_err(|error| DisplayError::reply("GetKeyboardControl", error))?;
            // If another program turned auto-repeat off, leave it off.
            if control.global_auto_repeat != AutoRepeatMode::ON {
                return Ok(());
            }
            AutoRepeatMode::OFF
        };
        self.keeps_from_repeating = !on;
        // Recorded before it takes effect, like every press.
        self.note()?;
        let aux = ChangeKeyboardControlAux::new().auto_repeat_mode(mode);
        let conn = &self.observer.server.conn;
        conn.change_keyboard_control(&aux)?.ignore_error();
        self.is_confirmed.set(false);
        Ok(())
    }

    /// Records on the X server which keys and buttons are, or are about to be, down; sent before
    /// any press that follows.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub fn mark(&mut self, marks: &[Mark]) -> Result<(), DisplayError> {
        self.marks = marks.to_vec();
        self.note()
    }

    fn note(&mut self) -> Result<(), DisplayError> {
        let server = &self.observer.server;
        if self.marks.is_empty() && !self.keeps_from_repeating {
            if self.is_marked {
                server
                    .conn
                    .delete_property(server.root, self.marked)?
                    .ignore_error();
                self.is_confirmed.set(false);
                self.is_marked = false;
            }
            return Ok(());
        }
        let text = format(&self.marks, self.keeps_from_repeating);
        server
            .conn
            .change_property8(
                PropMode::REPLACE,
                server.root,
                self.marked,
                AtomEnum::STRING,
                text.as_bytes(),
            )?
            .ignore_error();
        self.is_confirmed.set(false);
        self.is_marked = true;
        Ok(())
    }

    /// Returns the marks of an earlier instance whose keys and buttons are still down. Turns
    /// auto-repeat on again if that instance turned it off.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub fn left_behind(&mut self) -> Result<Vec<Mark>, DisplayError> {
        let server = &self.observer.server;
        let reply = server
            .conn
            .get_property(false, server.root, self.marked, AtomEnum::STRING, 0, 4096)?
            .reply();
        let reply = reply.map_err(|error| DisplayError::reply("GetProperty", error))?;
        let (mut marks, kept) = parse(&reply.value);
        let pointer = self.pointer_state()?;
        let keys = self.keys_down()?;
        let latest = uptime() + LONGEST;
        marks.retain_mut(|mark| {
            mark.until = mark.until.map(|until| until.min(latest));
            match mark.input {
                KeyOrButton::Key(code) => keys[usize::from(code)],
                KeyOrButton::Button(number) => pointer.is_down(number).unwrap_or(true),
            }
        });
        if kept {
            // An instance that was killed turned auto-repeat off.
            self.keeps_from_repeating = true;
            self.set_repeat(true)?;
        }
        Ok(marks)
    }
}

/// The owner of the [`INPUT`] selection.
#[derive(Debug)]
struct GrabHolder {
    window: WindowId,
    /// Its process, name and user id, if the server and the kernel report them.
    process: Option<(u32, String, u32)>,
}

impl GrabHolder {
    fn of(observer: &Observer, window: WindowId) -> Result<Self, DisplayError> {
        let pid = match observer.has_resource() {
            true => owner::client_pid(&observer.server, window)?,
            false => None,
        };
        let process = pid.and_then(|pid| Some((pid, processes::name(pid), processes::user(pid)?)));
        Ok(Self { window, process })
    }

    /// Whether the owner may be another deskd, which runs as the same user or as root. An unknown
    /// process may be one.
    fn may_be_deskd(&self) -> bool {
        self.process.as_ref().is_none_or(|(pid, name, user)| {
            // Any client can name a window of this process as the owner. deskd itself never has
            // two input connections: it drops the old one first.
            let own = *pid == std::process::id();
            !own && name == "deskd" && (*user == geteuid().as_raw() || *user == 0)
        })
    }
}

impl fmt::Display for GrabHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.process {
            Some((pid, name, user)) => write!(f, "process {pid} ({name}, user {user})"),
            None => write!(f, "the program of the window {:#x}", self.window),
        }
    }
}

/// Makes this connection the only one that gives input on its display, by owning [`INPUT`].
fn own(observer: &Observer) -> Result<(), DisplayError> {
    let conn = &observer.server.conn;
    let name = conn.intern_atom(false, INPUT.as_bytes())?.reply();
    let name = name
        .map_err(|error| DisplayError::reply("InternAtom", error))?
        .atom;
    for attempt in 1.. {
        let owner = conn.get_selection_owner(name)?.reply();
        let owner = owner.map_err(|error| DisplayError::reply("GetSelectionOwner", error))?;
        if owner.owner == x11rb::NONE {
            break;
        }
        if attempt == TRIES {
            let holder = GrabHolder::of(observer, owner.owner)?;
            if holder.may_be_deskd() {
                return Err(DisplayError::InputTaken(holder.to_string()));
            }
            tracing::warn!("{holder} owns {INPUT}, and is no deskd: it is taken from it");
            break;
        }
        // The server may not have noticed yet that the owner's connection has just ended.
        std::thread::sleep(AGAIN);
    }
    conn.set_selection_owner(observer.asking(), name, x11rb::CURRENT_TIME)?
        .ignore_error();
    Ok(())
}

/// Text such as `1 r k37:0 b1:81230`: the version; `r` if deskd has turned auto-repeat off; each
/// key or button with its release time, an uptime in milliseconds, or 0 for within the step.
fn format(marks: &[Mark], keeps_from_repeating: bool) -> String {
    let mut text = if keeps_from_repeating { "1 r" } else { "1" }.to_owned();
    for mark in marks {
        let (kind, number) = match mark.input {
            KeyOrButton::Key(code) => ('k', code),
            KeyOrButton::Button(number) => ('b', number),
        };
        let until = mark.until.map_or(0, |until| until.as_millis().max(1));
        text.push_str(&format!(" {kind}{number}:{until}"));
    }
    text
}

/// Parses the text that `format` writes. Ignores malformed entries, and other versions entirely.
fn parse(text: &[u8]) -> (Vec<Mark>, bool) {
    let Ok(text) = std::str::from_utf8(text) else {
        return Default::default();
    };
    let mut words = text.split(' ').peekable();
    if words.next() != Some("1") {
        return Default::default();
    }
    let keeps_from_repeating = words.next_if_eq(&"r").is_some();
    let mark = |word: &str| {
        let (input, until) = word.split_once(':')?;
        let input = match input.split_at_checked(1)? {
            ("k", code) => KeyOrButton::Key(code.parse().ok().filter(|code| *code >= 8)?),
            ("b", number) => {
                KeyOrButton::Button(number.parse().ok().filter(|n| (1..=9).contains(n))?)
            }
            _ => return None,
        };
        let until: u64 = until.parse().ok()?;
        let until = (until > 0).then(|| Duration::from_millis(until));
        Some(Mark { input, until })
    };
    let marks = words.filter_map(mark).take(256).collect();
    (marks, keeps_from_repeating)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_read_as_they_were_written_and_nothing_else_is() {
        let marks = [
            Mark {
                input: KeyOrButton::Key(37),
                until: None,
            },
            Mark {
                input: KeyOrButton::Button(1),
                until: Some(Duration::from_millis(81_230)),
            },
        ];
        assert_eq!(format(&marks, false), "1 k37:0 b1:81230");
        assert_eq!(format(&[], true), "1 r");
        for repeat in [false, true] {
            let text = format(&marks, repeat);
            assert_eq!(parse(text.as_bytes()), (marks.to_vec(), repeat));
        }
        for text in ["", "2 k37:0", "k37:0", "\u{0}", "1"] {
            assert_eq!(parse(text.as_bytes()), (Vec::new(), false), "{text:?}");
        }
        let (odd, _) = parse("1 k7:0 k256:0 b0:0 b77:5 x1:1 k38 k39:x kk:1 é:1 b3:4".as_bytes());
        let button = Mark {
            input: KeyOrButton::Button(3),
            until: Some(Duration::from_millis(4)),
        };
        assert_eq!(odd, [button]);
    }
}
