//! Watching a display, while somebody waits for its paint and around each step:
//! what is drawn, which windows come and go, who answers pings.
//!
//! It uses a connection of its own, because it selects far more events than captures
//! need; the selections end with the connection.

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
        mailbox::Bell,
        server::{EVENTS_AT_ONCE, Server},
        socket::{Pulse, Purpose},
    },
    error::{DisplayError, SILENCE, no_id},
    observe::{focus, focus::Focus, owner, properties::Atoms, scene, scene::PlacedWindow},
    screen::{known::KnownScreen, root_state::Generation},
};
use crate::{
    facts::{Fact, NamedWindow, Pinged, WindowId, WindowManager},
    frame::{Pixels, Region, Size},
};

/// Steps are no closer than this: a storm of damage costs a step each.
const APART: Duration = Duration::from_millis(20);
/// The scene is read again after so long even when nothing seemed to change.
const REREAD: Duration = Duration::from_secs(1);
/// Answers to pings that are kept until the next step; more are left out.
const MAX_PONGS: usize = 256;
/// Maximum number of pings without an answer; older ones are discarded.
const MAX_PINGED: usize = 128;
/// Windows whose damage is followed one by one.
const MAX_FOLLOWED: usize = 64;

/// A connection that watches.
#[derive(Debug)]
pub struct Observer {
    pub(in crate::x11) server: Server,
    known: KnownScreen,
    /// Once pixels were wanted.
    capturer: Option<Capturer>,
    bell: Bell,
    choice: CaptureChoice,
    atoms: Atoms,
    has_resource: bool,
    has_damage: bool,
    /// The last compared capture, if the server does not report drawing.
    compared: Option<Arc<Pixels>>,
    /// The places of the viewable windows, to which differences are attributed.
    standing: Vec<(Window, Region)>,
    /// Damage id → its window's origin on the screen.
    followed: HashMap<u32, PlacedWindow>,
    damaged: Vec<(u32, Rectangle)>,
    /// The request that last fetched drawing on the screen, and found some.
    screen_fetched: SequenceNumber,
    /// The XFIXES region that damage is fetched through.
    parts: u32,
    /// Our own window, which is never mapped: what the window manager does with it shows
    /// that it is at work.
    asking: Window,
    scene_is_stale: bool,
    keymap_is_stale: bool,
    /// The pointer mapping may have changed.
    mapping_is_stale: bool,
    /// The window manager, once read; read again when its property changes.
    manager: Option<Option<WindowManager>>,
    /// The damage object of the last [`Self::watch`], until it is destroyed.
    watching: Option<u32>,
    /// Windows that were mapped as children of the root window.
    maps: u64,
    /// The check window of the last one.
    last_manager: Option<Window>,
    /// That window manager has answered.
    manager_spoke: bool,
    /// Places that our window was asked to take and has not taken yet, oldest first.
    places: VecDeque<i16>,
    /// Pings without an answer, by their serial, and their windows, oldest first.
    pinged: VecDeque<(u32, WindowId)>,
    scene_read_at: Option<Instant>,
    pongs: Vec<Pinged>,
    last_step: Option<Instant>,
    /// The place that our window was last asked to take, in pixels from the left.
    place: i16,
    /// The serial of a question whose answer is not among the facts, and the window.
    asked: Option<(u32, WindowId)>,
    grabs: u64,
}

/// A collection of what changes on the screen, see [`Observer::watch`].
#[derive(Debug)]
pub struct ChangeWatch {
    maps: u64,
    /// The first capture, if the server does not report drawing.
    before: Option<Arc<Pixels>>,
}

impl Observer {
    /// Connects to the display; `bell` ends a wait.
    ///
    /// Blocks as long as the server takes, at most 15 s at a time.
    ///
    /// # Errors
    ///
    /// Any of reaching the display.
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

    /// Which X server, and which of its sizes, the facts are about.
    pub fn identity(&self) -> (Generation, u64) {
        (self.known.generation, self.known.epoch)
    }

    /// The root window.
    pub fn root(&self) -> WindowId {
        self.server.root
    }

    /// Whether the server reports the process of a client.
    pub(in crate::x11) fn has_resource(&self) -> bool {
        self.has_resource
    }

    /// A window of its own.
    pub(in crate::x11) fn asking(&self) -> WindowId {
        self.asking
    }

    /// The screen's size, as last seen.
    pub fn size(&self) -> Size {
        self.known.size
    }

    /// As [`Self::identity`], when the server has just reported the screen's size.
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

    /// Returns true if there is something to look at; otherwise waits at most `limit` and
    /// returns false. It never does both, because a wait takes the bell of an order.
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

    /// Waits for the bell alone.
    ///
    /// # Errors
    ///
    /// When the system cannot wait.
    pub fn pause(&mut self, limit: Duration) -> Result<(), DisplayError> {
        self.bell.wait(None, limit).map_err(DisplayError::Lost)?;
        Ok(())
    }

    /// Waits until the server sends an event, at most `within`.
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

    /// The names of windows; empty for those that no longer exist.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub fn names(&self, windows: &[WindowId]) -> Result<Vec<NamedWindow>, DisplayError> {
        scene::names(&self.server, &self.atoms, windows)
    }

    /// The focused window; faster if it is still the last one.
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

    /// A window as if it had the focus; `None` when it has gone.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub fn describe(&self, window: WindowId) -> Result<Option<Focus>, DisplayError> {
        focus::describe(&self.server, &self.atoms, self.has_resource, window)
    }

    /// Asks a window for an answer that is not among the facts.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub fn ask(&mut self, window: WindowId) -> Result<(), DisplayError> {
        let serial = self.send_ping(window)?;
        self.asked = Some((serial, window));
        Ok(())
    }

    /// Whether the answer came, or none will, because the window has gone.
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

    /// Whether the keymap changed since the last question.
    pub(in crate::x11) fn take_keymap_news(&mut self) -> Result<bool, DisplayError> {
        self.take_events()?;
        Ok(std::mem::take(&mut self.keymap_is_stale))
    }

    /// Whether the pointer mapping may have changed since the last question.
    pub(in crate::x11) fn take_pointer_mapping_news(&mut self) -> Result<bool, DisplayError> {
        self.take_events()?;
        Ok(std::mem::take(&mut self.mapping_is_stale))
    }

    /// The window manager, as its properties say; `None` without one.
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

    /// Resets the pings when the window manager is another one.
    fn note_manager(&mut self, manager: Option<WindowManager>) {
        let window = manager.map(|manager| manager.window);
        if window != self.last_manager {
            self.last_manager = window;
            self.manager_spoke = false;
            self.places.clear();
        }
    }

    /// Sends the window manager a request that it answers after everything that the
    /// server sent it before.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub fn ask_manager(&mut self) -> Result<(), DisplayError> {
        self.ping(Pinged::WindowManager, &mut Vec::new())
    }

    /// Whether the window manager has answered every such request.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub fn manager_answered(&mut self) -> Result<bool, DisplayError> {
        self.take_events()?;
        Ok(self.places.is_empty())
    }

    /// Whether this window manager has ever answered such a request.
    pub fn manager_has_answered(&self) -> bool {
        self.manager_spoke
    }

    /// Reads the window manager's properties again before the next request.
    pub fn forget_manager(&mut self) {
        self.manager = None;
    }

    /// The window that has the focus, without looking for a program that has grabbed the
    /// keyboard: that look sends focus events.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub fn focus_window(&self) -> Result<Option<Focus>, DisplayError> {
        focus::window(&self.server, &self.atoms, self.has_resource, None)
    }

    /// Begins to collect what changes on the screen, apart from the facts.
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
            // A new one covers the whole window at first.
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

    /// Ends a watch that a step left when it stopped.
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

    /// Ends that: the width and height in pixels of the largest changed rectangle, each
    /// for itself, and whether a window was mapped.
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

    /// All that happened since the last step.
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
        // After its answer, all that was drawn before has been told.
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

    /// Sends a ping.
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

    /// Asks the window manager to move our window. It grants that, because it does not
    /// manage the window (ICCCM 4.1.5), and it does so in the order of its events. No
    /// other client can: the server redirects every request to move the window to the window
    /// manager, and marks the event of a window that was exempted.
    fn ping_manager(&mut self) -> Result<(), DisplayError> {
        // Another place each time: otherwise nothing changes, and nothing is reported.
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

    /// Handles a new place of our window.
    fn moved(&mut self, event: &ConfigureNotifyEvent) -> Result<(), DisplayError> {
        if event.override_redirect {
            // Another program took the window from the window manager.
            return Err(DisplayError::robbed("window"));
        }
        let answered = self.places.iter().position(|place| *place == event.x);
        if let Some(answered) = answered {
            // Several may have become one.
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

    /// The whole screen; `None` while it is being resized.
    ///
    /// # Errors
    ///
    /// Those of captures.
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
        // DamageNotify must not come on the connection of a GetImage.
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

    /// Switches to comparing captures.
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

    /// Adds the changes since the last comparison, for the screen and for each window at
    /// that place, as DAMAGE would report them.
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
                // Its drawing was fetched already: the event was on its way meanwhile.
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

    /// Anything may have changed, and answers may have been lost.
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
            // The answer to the last request is the answer to all.
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
        // The window manager's own pings come back here, too.
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
            // One that has gone took its damage with it.
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
            // A new one is drawn on as a whole.
            let new = self.standing.iter().filter(|(window, _)| !stood(window));
            facts.extend(new.map(|(window, area)| Fact::Damage {
                window: *window,
                area: *area,
            }));
        }
        facts.push(Fact::Scene(scene));
        Ok(())
    }

    /// Selects reports of drawing into a window.
    fn follow(&mut self, placed: PlacedWindow) -> Result<(), DisplayError> {
        if !self.has_damage || self.followed.len() >= MAX_FOLLOWED {
            return Ok(());
        }
        let conn = &self.server.conn;
        let damage = conn.generate_id().map_err(no_id)?;
        conn.damage_create(damage, placed.window, DamageLevel::NON_EMPTY)?
            .ignore_error();
        // A client's window lies within a frame: it tells of itself.
        if placed.window != self.server.root {
            let select = ChangeWindowAttributesAux::new().event_mask(EventMask::STRUCTURE_NOTIFY);
            conn.change_window_attributes(placed.window, &select)?
                .ignore_error();
        }
        self.followed.insert(damage, placed);
        Ok(())
    }

    /// Fetches what was drawn where the server reported that something was, and always for
    /// the screen: a destroyed Damage object reports nothing.
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
                // Its window has gone, or is not looked at any more.
                continue;
            };
            // One region serves all: requests are done in their order.
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
                // With its window, or alone: then it is followed anew.
                self.followed.remove(&damage);
                self.scene_is_stale = true;
            }
            if placed.window == root && !region.rectangles.is_empty() {
                self.screen_fetched = number;
            }
            let reported = [area];
            let whole = [region.extents];
            let list = match region.rectangles.as_slice() {
                // Another program may have taken it away.
                [] => reported.as_slice(),
                _ if damage::is_gone(&region) => reported.as_slice(),
                // Many rectangles say no more than the one that holds them.
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
