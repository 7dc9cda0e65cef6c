//! Observes a display while a caller waits for the desktop to be painted, and around each
//! step: drawing, windows that appear or disappear, and answers to pings.
//!
//! The observer has its own connection, because it selects far more events than captures
//! need. The X server drops these event selections when the connection closes.

use std::{
    collections::{HashMap, VecDeque},
    os::fd::AsFd,
    sync::Arc,
    time::{Duration, Instant},
};

use x11rb::{
    connection::{Connection as _, SequenceNumber},
    errors::ReplyError,
    protocol::{
        Event,
        damage::{ConnectionExt as _, ReportLevel as DamageLevel},
        xfixes::ConnectionExt as _,
        xproto::{
            ChangeWindowAttributesAux, ClientMessageEvent, ConfigureNotifyEvent,
            ConfigureWindowAux, ConnectionExt as _, EventMask, Mapping, Rectangle, Window,
        },
    },
};

use crate::x11::{
    capture::{
        compare::differences,
        damage,
        damage::available as has_damage_extension,
        grab::{CaptureChoice, Capturer, Grab},
    },
    command::display::Display,
    connection::{
        framing::Purpose,
        mailbox::Bell,
        pulse::Pulse,
        server::{EVENTS_AT_ONCE, Server},
    },
    error::{DisplayError, SILENCE, no_id},
    observe::{focus, focus::Focus, owner, properties::Atoms, scene, scene::PlacedWindow},
    screen::{known::KnownScreen, root_state::Generation},
};
use crate::{
    facts::{Fact, NamedWindow, Pinged, WindowId, WindowManager},
    frame::{Pixels, Region, Size},
};

/// Minimum interval between two [`Observer::step`] calls. Without it, a burst of damage
/// events would cause a call for each event.
const APART: Duration = Duration::from_millis(20);
/// The scene is read again after this time, even if no event reported a change.
const REREAD: Duration = Duration::from_secs(1);
/// Maximum number of received pongs kept until the next [`Observer::step`]; more are dropped.
const MAX_PONGS: usize = 256;
/// Maximum number of pings without an answer; older ones are discarded.
const MAX_PINGED: usize = 128;
/// Maximum number of windows, the root window included, that have a Damage object each.
const MAX_FOLLOWED: usize = 64;

/// A connection that observes the display.
#[derive(Debug)]
pub struct Observer {
    pub(in crate::x11) server: Server,
    known: KnownScreen,
    /// Created by the first [`Self::grab`].
    capturer: Option<Capturer>,
    bell: Bell,
    choice: CaptureChoice,
    atoms: Atoms,
    has_resource: bool,
    has_damage: bool,
    /// The capture that the next one is compared with, if the server does not report drawing.
    compared: Option<Arc<Pixels>>,
    /// The areas of the viewable windows, to which differences between captures are attributed.
    standing: Vec<(Window, Region)>,
    /// Damage id → its window, and the position of that window's origin on the screen.
    followed: HashMap<u32, PlacedWindow>,
    damaged: Vec<(u32, Rectangle)>,
    /// Sequence number of the last DamageSubtract on the screen that returned any drawing.
    screen_fetched: SequenceNumber,
    /// The XFIXES region through which damage is fetched.
    parts: u32,
    /// deskd's own window, which is never mapped. The window manager answers requests to move
    /// it, see [`Self::ping_manager`], which shows that the window manager is at work.
    asking: Window,
    scene_is_stale: bool,
    keymap_is_stale: bool,
    /// Whether the pointer mapping may have changed.
    mapping_is_stale: bool,
    /// The cached window manager. The outer `None` means that its properties must be read again.
    manager: Option<Option<WindowManager>>,
    /// The damage object of the last [`Self::watch`], until it is destroyed.
    watching: Option<u32>,
    /// Increases with each MapNotify event, and whenever events were lost.
    maps: u64,
    /// The check window of the last window manager that was read.
    last_manager: Option<Window>,
    /// Whether the window manager of `last_manager` has answered a ping.
    manager_spoke: bool,
    /// Positions that `asking` was requested to move to and has not reached yet, oldest first.
    places: VecDeque<i16>,
    /// Unanswered pings as (serial, window), oldest first.
    pinged: VecDeque<(u32, WindowId)>,
    scene_read_at: Option<Instant>,
    pongs: Vec<Pinged>,
    last_step: Option<Instant>,
    /// The x coordinate that `asking` was last requested to move to.
    place: i16,
    /// Serial and window of the ping of [`Self::ask`], whose answer is not added to the facts.
    asked: Option<(u32, WindowId)>,
    grabs: u64,
}

/// The state at the start of a watch for screen changes, see [`Observer::watch`].
#[derive(Debug)]
pub struct ChangeWatch {
    maps: u64,
    /// The capture at the start of the watch, if the server does not report drawing.
    before: Option<Arc<Pixels>>,
}

impl Observer {
    /// Connects to the display; `bell` ends a wait.
    ///
    /// Blocks while the server does not answer, at most 15 s at a time.
    ///
    /// # Errors
    ///
    /// When the display cannot be reached.
    pub fn connect(display: &Display, bell: Bell) -> Result<Self, DisplayError> {
        let (name, choice) = (display.name(), display.choice());
        let pulse = Arc::new(Pulse::new());
        let server = Server::open(name, SILENCE, &pulse, display.reach(), Purpose::Observer)?;
        let conn = &server.conn;
        let root_events = EventMask::SUBSTRUCTURE_NOTIFY
            | EventMask::STRUCTURE_NOTIFY
            | EventMask::PROPERTY_CHANGE;
        let select = ChangeWindowAttributesAux::new().event_mask(root_events);
        conn.change_window_attributes(server.root, &select)?
            .check()
            .map_err(|error| DisplayError::reply("ChangeWindowAttributes", error))?;
        let (known, _) = KnownScreen::read(&server)?;
        let atoms = Atoms::new(conn)?.reply();
        let atoms = atoms.map_err(|error| DisplayError::reply("InternAtom", error))?;
        let has_resource = owner::knows_processes(&server)?;
        let has_damage = has_damage_extension(&server)?;
        let asking = server.own_window()?;
        let parts = conn.generate_id().map_err(no_id)?;
        if has_damage {
            conn.xfixes_create_region(parts, &[])?.ignore_error();
        }
        let mut observer = Self {
            known,
            capturer: None,
            bell,
            choice,
            atoms,
            has_resource,
            has_damage,
            compared: None,
            standing: Vec::new(),
            followed: HashMap::new(),
            damaged: Vec::new(),
            screen_fetched: 0,
            parts,
            asking,
            scene_is_stale: true,
            keymap_is_stale: false,
            mapping_is_stale: true,
            manager: None,
            watching: None,
            maps: 0,
            last_manager: None,
            manager_spoke: false,
            places: VecDeque::new(),
            pinged: VecDeque::new(),
            scene_read_at: None,
            pongs: Vec::new(),
            last_step: None,
            place: -10,
            asked: None,
            grabs: 0,
            server,
        };
        observer.follow(PlacedWindow {
            window: observer.server.root,
            x: 0,
            y: 0,
        })?;
        Ok(observer)
    }

    /// The X server's generation and the geometry epoch that the facts belong to.
    pub fn identity(&self) -> (Generation, u64) {
        (self.known.generation, self.known.epoch)
    }

    /// The root window.
    pub fn root(&self) -> WindowId {
        self.server.root
    }

    /// Whether the server reports the process of a client (X-Resource).
    pub(in crate::x11) fn has_resource(&self) -> bool {
        self.has_resource
    }

    /// A window that this connection created and never maps.
    pub(in crate::x11) fn asking(&self) -> WindowId {
        self.asking
    }

    /// The screen's size when the observer last read it.
    pub fn size(&self) -> Size {
        self.known.size
    }

    /// As [`Self::identity`]. If `size`, which the server has just reported, differs from the
    /// known size, the identity is read again first.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub(in crate::x11) fn identity_at(
        &mut self,
        size: Size,
    ) -> Result<(Generation, u64), DisplayError> {
        if size != self.known.size {
            (self.known, _) = KnownScreen::read(&self.server)?;
            self.scene_is_stale = true;
        }
        Ok(self.identity())
    }

    /// Waits at most `limit` and processes the server's events.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub fn doze(&mut self, limit: Duration) -> Result<(), DisplayError> {
        self.server.conn.flush()?;
        self.take_events()?;
        let socket = self.server.conn.stream().as_fd();
        self.bell
            .wait(Some(socket), limit)
            .map_err(DisplayError::Lost)?;
        self.take_events()
    }

    /// Returns true if there is news: a stale scene, damage or a pong. Otherwise waits at most
    /// `limit` and returns false. It never waits and then returns true, because the wait may
    /// consume the bell of a queued command.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub fn doze_until_news(&mut self, limit: Duration) -> Result<bool, DisplayError> {
        self.take_events()?;
        if self.has_news() {
            return Ok(true);
        }
        self.doze(limit)?;
        Ok(false)
    }

    /// Waits for the bell only, at most `limit`; X events do not end the wait.
    ///
    /// # Errors
    ///
    /// When the system cannot wait.
    pub fn pause(&mut self, limit: Duration) -> Result<(), DisplayError> {
        self.bell.wait(None, limit).map_err(DisplayError::Lost)?;
        Ok(())
    }

    /// Waits at most `within` for an event or the bell, but not less than the rest of the 20 ms
    /// since the last [`Self::step`].
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub fn wait(&mut self, within: Duration) -> Result<(), DisplayError> {
        let end = Instant::now() + within;
        self.server.conn.flush()?;
        self.take_events()?;
        if !self.has_news() {
            let socket = self.server.conn.stream().as_fd();
            self.bell
                .wait(Some(socket), within)
                .map_err(DisplayError::Lost)?;
        }
        if let Some(last) = self.last_step {
            let left = end.saturating_duration_since(Instant::now());
            let rest = APART.saturating_sub(last.elapsed()).min(left);
            if !rest.is_zero() {
                self.bell.wait(None, rest).map_err(DisplayError::Lost)?;
            }
        }
        Ok(())
    }

    /// Returns the names of windows; they are empty for windows that no longer exist.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub fn names(&self, windows: &[WindowId]) -> Result<Vec<NamedWindow>, DisplayError> {
        scene::names(&self.server, &self.atoms, windows)
    }

    /// The window that has the focus, or a stand-in for a program that has grabbed the keyboard.
    /// Faster if the focus is still on `last`.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub fn focus(&self, last: Option<&Focus>) -> Result<Option<Focus>, DisplayError> {
        focus::read(&self.server, &self.atoms, self.has_resource, last)
    }

    /// The client window under the pointer; `None` over the bare root window.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub fn at_pointer(&self) -> Result<Option<Focus>, DisplayError> {
        focus::at_pointer(&self.server, &self.atoms, self.has_resource)
    }

    /// Describes `window` as [`Self::focus`] would; `None` if `window` no longer exists.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub fn describe(&self, window: WindowId) -> Result<Option<Focus>, DisplayError> {
        focus::describe(&self.server, &self.atoms, self.has_resource, window)
    }

    /// Pings a window. [`Self::answered`] reports the answer; it is not added to the facts.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub fn ask(&mut self, window: WindowId) -> Result<(), DisplayError> {
        let serial = self.send_ping(window)?;
        self.asked = Some((serial, window));
        Ok(())
    }

    /// Whether the ping of [`Self::ask`] was answered, or never will be because `window` no
    /// longer exists.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub fn answered(&mut self, window: WindowId) -> Result<bool, DisplayError> {
        self.take_events()?;
        if self.asked.is_none() {
            return Ok(true);
        }
        let there = self.server.conn.get_window_attributes(window)?.reply();
        match there {
            Ok(_) => self.take_events()?,
            Err(ReplyError::X11Error(_)) => self.asked = None,
            Err(error) => return Err(DisplayError::reply("GetWindowAttributes", error)),
        }
        Ok(self.asked.is_none())
    }

    /// Whether the keymap changed since the last call.
    pub(in crate::x11) fn take_keymap_news(&mut self) -> Result<bool, DisplayError> {
        self.take_events()?;
        Ok(std::mem::take(&mut self.keymap_is_stale))
    }

    /// Whether the pointer mapping may have changed since the last call.
    pub(in crate::x11) fn take_pointer_mapping_news(&mut self) -> Result<bool, DisplayError> {
        self.take_events()?;
        Ok(std::mem::take(&mut self.mapping_is_stale))
    }

    /// The window manager that the root window's properties name; `None` if there is none.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub fn window_manager(&mut self) -> Result<Option<WindowManager>, DisplayError> {
        self.take_events()?;
        if let Some(manager) = self.manager {
            return Ok(manager);
        }
        let manager = scene::window_manager(&self.server, &self.atoms, self.has_resource)?;
        self.note_manager(manager);
        Ok(*self.manager.insert(manager))
    }

    /// Discards the unanswered window manager pings if the window manager has changed.
    fn note_manager(&mut self, manager: Option<WindowManager>) {
        let window = manager.map(|manager| manager.window);
        if window != self.last_manager {
            self.last_manager = window;
            self.manager_spoke = false;
            self.places.clear();
        }
    }

    /// Sends the window manager a request that it answers only after it has processed all
    /// earlier events from the server.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub fn ask_manager(&mut self) -> Result<(), DisplayError> {
        self.ping(Pinged::WindowManager, &mut Vec::new())
    }

    /// Whether the window manager has answered every request of [`Self::ask_manager`].
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub fn manager_answered(&mut self) -> Result<bool, DisplayError> {
        self.take_events()?;
        Ok(self.places.is_empty())
    }

    /// Whether this window manager has ever answered a request of [`Self::ask_manager`].
    pub fn manager_has_answered(&self) -> bool {
        self.manager_spoke
    }

    /// Discards the cached window manager, so that its properties are read again.
    pub fn forget_manager(&mut self) {
        self.manager = None;
    }

    /// The window that has the focus. Unlike [`Self::focus`], does not test whether a program has
    /// grabbed the keyboard, because that test sends focus events.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub fn focus_window(&self) -> Result<Option<Focus>, DisplayError> {
        focus::window(&self.server, &self.atoms, self.has_resource, None)
    }

    /// Starts to record changes on the screen, independently of the facts.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub fn watch(&mut self) -> Result<ChangeWatch, DisplayError> {
        self.take_events()?;
        let maps = self.maps;
        self.end_watch()?;
        let conn = &self.server.conn;
        if self.has_damage {
            let damage = conn.generate_id().map_err(no_id)?;
            conn.damage_create(damage, self.server.root, DamageLevel::NON_EMPTY)?
                .ignore_error();
            // A new Damage object reports the whole window as damaged: discard that.
            conn.damage_subtract(damage, x11rb::NONE, x11rb::NONE)?
                .ignore_error();
            self.watching = Some(damage);
        }
        let before = if self.has_damage {
            None
        } else {
            self.grab()?.map(|grab| grab.pixels)
        };
        Ok(ChangeWatch { maps, before })
    }

    /// Ends a watch that an aborted step left open.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub fn end_watch(&mut self) -> Result<(), DisplayError> {
        if let Some(left) = self.watching.take() {
            self.server.conn.damage_destroy(left)?.ignore_error();
        }
        Ok(())
    }

    /// Ends a watch. Returns the largest width and the largest height, in pixels, of all changed
    /// rectangles, and whether a window was mapped.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub fn watched(&mut self, watch: ChangeWatch) -> Result<(Size, bool), DisplayError> {
        let mut size = Size {
            width: 0,
            height: 0,
        };
        if let Some(damage) = self.watching.take() {
            let conn = &self.server.conn;
            let (_, region) = damage::take(conn, damage, self.parts)?;
            conn.damage_destroy(damage)?.ignore_error();
            let region = region.reply();
            let region = region.map_err(|error| DisplayError::reply("XFixesFetchRegion", error))?;
            if damage::is_gone(&region) {
                return Err(DisplayError::robbed("record of what is drawn"));
            }
            for part in region.rectangles {
                size.width = size.width.max(part.width.into());
                size.height = size.height.max(part.height.into());
            }
        } else if let Some(grab) = self.grab()? {
            let before = watch.before.as_ref();
            let changed = before.map(|before| differences(before, &grab.pixels));
            for part in changed.unwrap_or_else(|| vec![Region::whole(self.known.size)]) {
                size.width = size.width.max(part.size.width);
                size.height = size.height.max(part.size.height);
            }
        }
        self.take_events()?;
        Ok((size, self.maps != watch.maps))
    }

    fn has_news(&self) -> bool {
        self.scene_is_stale || !self.damaged.is_empty() || !self.pongs.is_empty()
    }

    /// Adds everything that happened since the last call to `facts`.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub fn step(&mut self, facts: &mut Vec<Fact>) -> Result<(), DisplayError> {
        self.last_step = Some(Instant::now());
        self.take_events()?;
        let old = self
            .scene_read_at
            .is_none_or(|read| read.elapsed() >= REREAD);
        if self.scene_is_stale || old {
            self.read_scene(facts)?;
        }
        self.take_damage(facts)?;
        let asked = Instant::now();
        // This reply arrives after the events for everything drawn before the request.
        let size = self.server.geometry()?;
        let latency = asked.elapsed();
        self.take_events()?;
        self.take_damage(facts)?;
        if !self.has_damage {
            self.compare(facts)?;
        }
        facts.push(Fact::Answer(latency));
        facts.extend(self.pongs.drain(..).map(Fact::Pong));
        if size != self.known.size {
            self.scene_is_stale = true;
        }
        Ok(())
    }

    /// Pings a window or the window manager, and adds that to `facts`.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub fn ping(&mut self, to: Pinged, facts: &mut Vec<Fact>) -> Result<(), DisplayError> {
        match to {
            Pinged::Window(window) => {
                self.send_ping(window)?;
            }
            Pinged::WindowManager => self.ping_manager()?,
        }
        self.server.conn.flush()?;
        facts.push(Fact::Ping(to));
        Ok(())
    }

    /// Requests a move of deskd's window. The server redirects the request to the window manager,
    /// which grants it because it does not manage the window (ICCCM 4.1.5). It processes the
    /// request in the order of its events. No other client can answer in its place: the server
    /// redirects their requests too. If a client exempts the window (override-redirect), the
    /// ConfigureNotify event shows that.
    fn ping_manager(&mut self) -> Result<(), DisplayError> {
        // Use a new position each time: without a change, the server sends no event.
        let last = self.places.back().copied().unwrap_or(self.place);
        let next = if last <= -250 { -10 } else { last - 1 };
        self.place = next;
        if self.places.len() == MAX_PINGED {
            self.places.pop_front();
        }
        self.places.push_back(next);
        let place = ConfigureWindowAux::new().x(i32::from(next));
        let conn = &self.server.conn;
        conn.configure_window(self.asking, &place)?.ignore_error();
        Ok(())
    }

    /// Handles a ConfigureNotify event of deskd's window: the answer to a ping.
    fn moved(&mut self, event: &ConfigureNotifyEvent) -> Result<(), DisplayError> {
        if event.override_redirect {
            // Another client set override-redirect: the window manager no longer gets requests.
            return Err(DisplayError::robbed("window"));
        }
        let answered = self.places.iter().position(|place| *place == event.x);
        if let Some(answered) = answered {
            // One move may answer several requests.
            self.places.drain(..=answered);
            self.manager_spoke = true;
            if self.pongs.len() < MAX_PONGS {
                self.pongs.push(Pinged::WindowManager);
            }
        }
        Ok(())
    }

    /// Sends a ping with a random serial, and returns the serial.
    fn send_ping(&mut self, window: WindowId) -> Result<u32, DisplayError> {
        let mut serial = [0; 4];
        getrandom::fill(&mut serial).map_err(|error| DisplayError::Lost(error.into()))?;
        let serial = u32::from_ne_bytes(serial);
        if self.pinged.len() == MAX_PINGED {
            self.pinged.pop_front();
        }
        self.pinged.push_back((serial, window));
        let data = [self.atoms._NET_WM_PING, serial, window, 0, 0];
        let message = ClientMessageEvent::new(32, window, self.atoms.WM_PROTOCOLS, data);
        let conn = &self.server.conn;
        conn.send_event(false, window, EventMask::NO_EVENT, message)?
            .ignore_error();
        conn.flush()?;
        Ok(serial)
    }

    /// Captures the whole screen; `None` while it is being resized.
    ///
    /// # Errors
    ///
    /// When the capture fails.
    pub fn grab(&mut self) -> Result<Option<Grab>, DisplayError> {
        self.grabs += 1;
        let before = self.identity();
        let capturer = match &mut self.capturer {
            Some(capturer) => capturer,
            none => {
                let (size, bell) = (self.known.size, self.bell.clone());
                none.insert(Capturer::probe(&self.server, size, self.choice, bell)?)
            }
        };
        // A connection that captures with GetImage must not receive DamageNotify events, because
        // the server may send one in the middle of the reply.
        if self.has_damage && !capturer.has_damage() {
            self.end_damage()?;
            return Ok(None);
        }
        let grab = capturer.grab(&self.server, &mut self.known, self.grabs)?;
        if self.identity() != before {
            self.scene_is_stale = true;
            return Ok(None);
        }
        Ok(grab)
    }

    /// Stops using DAMAGE; from now on, changes are found by comparing captures.
    fn end_damage(&mut self) -> Result<(), DisplayError> {
        self.has_damage = false;
        self.end_watch()?;
        for (damage, _) in self.followed.drain() {
            self.server.conn.damage_destroy(damage)?.ignore_error();
        }
        self.damaged.clear();
        self.scene_is_stale = true;
        Ok(())
    }

    /// Compares a new capture with the last one. Adds the changes for the screen and for each
    /// window that they overlap, as DAMAGE would report them.
    fn compare(&mut self, facts: &mut Vec<Fact>) -> Result<(), DisplayError> {
        let Some(grab) = self.grab()? else {
            return Ok(());
        };
        let after = grab.pixels;
        let Some(before) = self.compared.replace(Arc::clone(&after)) else {
            return Ok(());
        };
        let root = (self.server.root, Region::whole(self.known.size));
        for change in differences(&before, &after) {
            for (window, place) in [root].iter().chain(&self.standing) {
                let area = place.intersection(&change);
                facts.extend(area.map(|area| Fact::Damage {
                    window: *window,
                    area,
                }));
            }
        }
        Ok(())
    }

    fn take_events(&mut self) -> Result<(), DisplayError> {
        for _ in 0..EVENTS_AT_ONCE {
            let Some((event, after)) = self.server.next_event()? else {
                break;
            };
            match event {
                // The drawing was fetched already: the server sent this event before it processed
                // that request.
                Event::DamageNotify(event)
                    if event.drawable == self.server.root && after < self.screen_fetched => {}
                Event::DamageNotify(event) => {
                    self.note_damage(event.damage, event.area);
                }
                Event::ClientMessage(event) => self.take_pong(&event),
                Event::PropertyNotify(event)
                    if [
                        self.atoms._NET_CLIENT_LIST,
                        self.atoms._NET_SUPPORTING_WM_CHECK,
                    ]
                    .contains(&event.atom) =>
                {
                    self.scene_is_stale = true;
                    self.manager = None;
                }
                Event::MapNotify(_) => {
                    self.maps += 1;
                    self.scene_is_stale = true;
                }
                Event::ConfigureNotify(event) if event.window == self.asking => {
                    self.moved(&event)?;
                }
                Event::DestroyNotify(event) if event.window == self.asking => {
                    return Err(DisplayError::robbed("window"));
                }
                Event::UnmapNotify(_)
                | Event::DestroyNotify(_)
                | Event::ConfigureNotify(_)
                | Event::ReparentNotify(_)
                | Event::CirculateNotify(_) => self.scene_is_stale = true,
                Event::MappingNotify(event) if event.request == Mapping::POINTER => {
                    self.mapping_is_stale = true;
                }
                Event::XkbMapNotify(_)
                | Event::XkbNewKeyboardNotify(_)
                | Event::MappingNotify(_) => self.keymap_is_stale = true,
                _ => {}
            }
        }
        if self.server.lost_events() {
            self.events_were_lost()?;
        }
        Ok(())
    }

    /// Handles lost events: marks everything as changed, and repeats pings whose answers may be
    /// among them.
    fn events_were_lost(&mut self) -> Result<(), DisplayError> {
        tracing::debug!("events were lost: too many came at once");
        self.scene_is_stale = true;
        self.keymap_is_stale = true;
        self.mapping_is_stale = true;
        self.manager = None;
        self.maps += 1;
        let followed: Vec<u32> = self.followed.keys().copied().collect();
        for damage in followed {
            let whole = Rectangle {
                x: 0,
                y: 0,
                width: u16::MAX,
                height: u16::MAX,
            };
            self.note_damage(damage, whole);
        }
        if let Some((_, window)) = self.asked {
            self.ask(window)?;
        }
        if !self.places.is_empty() {
            // The answer to one new request shows that all earlier ones were processed.
            self.places.clear();
            self.ping(Pinged::WindowManager, &mut Vec::new())?;
        }
        Ok(())
    }

    fn note_damage(&mut self, damage: u32, area: Rectangle) {
        if !self.damaged.iter().any(|(known, _)| *known == damage) {
            self.damaged.push((damage, area));
        }
    }

    fn take_pong(&mut self, event: &ClientMessageEvent) {
        if event.format != 32 || event.type_ != self.atoms.WM_PROTOCOLS {
            return;
        }
        let [protocol, serial, window, ..] = event.data.as_data32();
        if protocol != self.atoms._NET_WM_PING {
            return;
        }
        // Answers to the window manager's own pings arrive here, too.
        let sent = self
            .pinged
            .iter()
            .position(|ping| *ping == (serial, window));
        let Some(sent) = sent else {
            return;
        };
        self.pinged.remove(sent);
        if self.asked == Some((serial, window)) {
            self.asked = None;
        } else if self.pongs.len() < MAX_PONGS {
            self.pongs.push(Pinged::Window(window));
        }
    }

    fn read_scene(&mut self, facts: &mut Vec<Fact>) -> Result<(), DisplayError> {
        self.scene_is_stale = false;
        self.scene_read_at = Some(Instant::now());
        if self.server.geometry()? != self.known.size {
            (self.known, _) = KnownScreen::read(&self.server)?;
        }
        let (scene, places) = scene::read(
            &self.server,
            &self.atoms,
            self.has_resource,
            self.known.size,
        )?;
        let viewable = |window: WindowId| {
            let found = scene.windows.iter().find(|w| w.id == window);
            found.is_some_and(|w| w.viewable && w.area.is_some())
        };
        let root = self.server.root;
        let no_events = ChangeWindowAttributesAux::new().event_mask(EventMask::NO_EVENT);
        let left = self
            .followed
            .extract_if(|_, placed| placed.window != root && !viewable(placed.window));
        for (damage, placed) in left {
            // This fails if the window was destroyed, because that destroys its Damage object.
            let conn = &self.server.conn;
            conn.damage_destroy(damage)?.ignore_error();
            conn.change_window_attributes(placed.window, &no_events)?
                .ignore_error();
            self.damaged.retain(|(told, _)| *told != damage);
        }
        for placed in places.into_iter().filter(|p| viewable(p.window)) {
            let known = self
                .followed
                .values_mut()
                .find(|p| p.window == placed.window);
            match known {
                Some(known) => *known = placed,
                None => self.follow(placed)?,
            }
        }
        self.note_manager(scene.window_manager);
        if !self.has_damage {
            let seen = scene.windows.iter().filter(|window| window.viewable);
            let placed = seen.filter_map(|window| Some((window.id, window.area?)));
            let before = std::mem::replace(&mut self.standing, placed.collect());
            let stood = |window: &Window| before.iter().any(|(other, _)| other == window);
            // A new window counts as drawn on as a whole.
            let new = self.standing.iter().filter(|(window, _)| !stood(window));
            facts.extend(new.map(|(window, area)| Fact::Damage {
                window: *window,
                area: *area,
            }));
        }
        facts.push(Fact::Scene(scene));
        Ok(())
    }

    /// Creates a Damage object that reports drawing into a window.
    fn follow(&mut self, placed: PlacedWindow) -> Result<(), DisplayError> {
        if !self.has_damage || self.followed.len() >= MAX_FOLLOWED {
            return Ok(());
        }
        let conn = &self.server.conn;
        let damage = conn.generate_id().map_err(no_id)?;
        conn.damage_create(damage, placed.window, DamageLevel::NON_EMPTY)?
            .ignore_error();
        // A client's window lies inside a frame, so the root window's event selection does not
        // cover it.
        if placed.window != self.server.root {
            let select = ChangeWindowAttributesAux::new().event_mask(EventMask::STRUCTURE_NOTIFY);
            conn.change_window_attributes(placed.window, &select)?
                .ignore_error();
        }
        self.followed.insert(damage, placed);
        Ok(())
    }

    /// Fetches the drawing of each Damage object that reported some. The screen's object is
    /// always fetched, because a destroyed object reports nothing.
    fn take_damage(&mut self, facts: &mut Vec<Fact>) -> Result<(), DisplayError> {
        let root = self.server.root;
        let screen = self
            .followed
            .iter()
            .find(|(_, placed)| placed.window == root);
        let screen = screen.map(|(damage, _)| *damage);
        let mut told = std::mem::take(&mut self.damaged);
        if let Some(screen) = screen.filter(|screen| !told.iter().any(|(known, _)| known == screen))
        {
            told.push((screen, Rectangle::default()));
        }
        let conn = &self.server.conn;
        let mut asked = Vec::new();
        for (damage, area) in told {
            let Some(placed) = self.followed.get(&damage) else {
                // The window no longer exists or is no longer followed.
                continue;
            };
            // One XFIXES region serves all objects, because requests are processed in order.
            let (number, fetch) = damage::take(conn, damage, self.parts)?;
            asked.push((damage, *placed, area, number, fetch));
        }
        for (damage, placed, area, number, fetch) in asked {
            let region = fetch.reply();
            let region = region.map_err(|error| DisplayError::reply("XFixesFetchRegion", error))?;
            if damage::is_gone(&region) {
                if placed.window == root {
                    return Err(DisplayError::robbed("record of what is drawn"));
                }
                // Another client or the end of the window destroyed the Damage object. If the
                // window still exists, the next scene creates a new one.
                self.followed.remove(&damage);
                self.scene_is_stale = true;
            }
            if placed.window == root && !region.rectangles.is_empty() {
                self.screen_fetched = number;
            }
            let reported = [area];
            let whole = [region.extents];
            let list = match region.rectangles.as_slice() {
                // Another client may have emptied the Damage object: use the event's area.
                [] => reported.as_slice(),
                _ if damage::is_gone(&region) => reported.as_slice(),
                // Report many rectangles as the one that contains them.
                many if many.len() > 16 => whole.as_slice(),
                list => list,
            };
            for part in list.iter().filter(|part| part.width > 0 && part.height > 0) {
                let (x, y) = (
                    i64::from(placed.x) + i64::from(part.x),
                    i64::from(placed.y) + i64::from(part.y),
                );
                let (width, height) = (part.width.into(), part.height.into());
                let area = Region::clipped(x, y, width, height, self.known.size);
                facts.extend(area.map(|area| Fact::Damage {
                    window: placed.window,
                    area,
                }));
            }
        }
        Ok(())
    }
}
