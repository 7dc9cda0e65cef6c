//! The selections: deskd offers text for a paste, and restores the former content afterwards
//! (ICCCM 2.0, section 2).
//!
//! This code has its own thread and connection, because a selection owner must answer at any
//! time: the program that pastes waits for the answer.
//!
//! - `fetch`: reads the content of another program's selection.
//! - `serve`: answers requests for a selection.
//! - `order`: what callers ask of a selection.
//! - `store`: reads and replaces the content for callers.

mod fetch;
mod item;
mod order;
mod serve;
mod store;

use std::{
    collections::HashMap,
    io,
    os::fd::AsFd,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
        mpsc::TryRecvError,
    },
    time::{Duration, Instant},
};

use tokio::sync::oneshot;
use x11rb::{
    connection::Connection as _,
    protocol::{
        Event,
        xproto::{
            Atom, AtomEnum, ChangeWindowAttributesAux, ConnectionExt as _, EventMask, PropMode,
            Property, Timestamp, Window,
        },
    },
    wrapper::ConnectionExt as _,
};

use crate::failure::Failure;
use crate::x11::{
    command::display::Display,
    connection::{
        framing::Purpose,
        mailbox::{Bell, Receiver, Sender, mailbox},
        pulse::Pulse,
        server::{EVENTS_AT_ONCE, Server},
    },
    error::{DisplayError, SILENCE},
    observe::{focus::Focus, owner},
};
use item::{Item, TargetItems, Transfer};
use order::StoreOrder;
pub use order::{ClipboardItem, ClipboardRead, MAX_CONTENT, SelectionName};

/// Time after the last request for the text, and after the end of the step, before the former
/// content is restored. Chromium requests the text as soon as it is offered, and not again when
/// it pastes.
const GIVE_BACK: Duration = Duration::from_millis(500);
/// Time after a paste that no program took in which requests are refused: a program that is late
/// must not paste the former content instead.
pub const WITHHELD: Duration = Duration::from_secs(10);
/// Time that a clipboard manager has at the end to take over the restored content.
const SAVED: Duration = Duration::from_millis(500);
/// Capacity of the command queue while the former owner is queried: more than there can be steps.
const ORDERS: usize = 1024;
/// Limit of a wait without a deadline.
const LONG: Duration = Duration::from_secs(3600);

x11rb::atom_manager! {
    Atoms: AtomsCookie {
        CLIPBOARD,
        TARGETS,
        MULTIPLE,
        TIMESTAMP,
        INCR,
        ATOM_PAIR,
        UTF8_STRING,
        TEXT,
        TEXT_PLAIN: b"text/plain",
        TEXT_PLAIN_UTF8: b"text/plain;charset=utf-8",
        CLIPBOARD_MANAGER,
        SAVE_TARGETS,
        DELETE,
        INSERT_SELECTION,
        INSERT_PROPERTY,
        _DESKD_SELECTION,
    }
}

/// One of the two selections.
#[derive(Debug)]
struct Selection {
    name: Atom,
    /// Server time at which deskd became the owner; `None` if deskd is not the owner.
    since: Option<Timestamp>,
    /// The content with which deskd answers requests.
    content: TargetItems,
    /// The former content, while deskd offers text on this selection; otherwise `None`.
    before: Option<TargetItems>,
}

impl Selection {
    /// Notes that another program owns the selection: there is nothing to restore.
    fn lose(&mut self) {
        self.since = None;
        self.content.clear();
        self.before = None;
    }
}

/// Progress of an offered text. Shared with the step that waits for it.
#[derive(Debug, Default)]
pub struct Offer {
    ready: AtomicBool,
    taken: AtomicU32,
    asked: AtomicBool,
    /// Whether the former content of a selection could not be read completely.
    lost: AtomicBool,
    /// Whether the step no longer waits for this offer.
    withdrawn: AtomicBool,
}

impl Offer {
    /// Whether deskd owns the selections, so that the text can be requested.
    pub fn ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    /// How often the focused program has received the whole text.
    pub fn taken(&self) -> u32 {
        self.taken.load(Ordering::Acquire)
    }

    /// Whether the focused program has requested the text at all.
    pub fn asked(&self) -> bool {
        self.asked.load(Ordering::Acquire)
    }

    /// Withdraws the offer: a text that is not on the selections yet is not put there any more.
    /// [`Clipboard::withhold`] withdraws a text that is there.
    pub fn withdraw(&self) {
        self.withdrawn.store(true, Ordering::Release);
    }

    fn is_withdrawn(&self) -> bool {
        self.withdrawn.load(Ordering::Acquire)
    }

    /// Whether some former content could not be read and is lost.
    pub fn lost(&self) -> bool {
        self.lost.load(Ordering::Acquire)
    }
}

enum SelectionOrder {
    Offer {
        text: String,
        focus: Focus,
        offer: Arc<Offer>,
    },
    Finish,
    Withhold,
    Store(StoreOrder),
}

/// The handle of the clipboard thread, which ends when the handle is dropped.
#[derive(Debug)]
pub struct Clipboard {
    orders: Sender<SelectionOrder>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl std::fmt::Debug for SelectionOrder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Offer { .. } => "Offer",
            Self::Finish => "Finish",
            Self::Withhold => "Withhold",
            Self::Store(_) => "Store",
        })
    }
}

impl Clipboard {
    /// Connects to the display; `bell` is rung when the state of an [`Offer`] changes.
    ///
    /// # Errors
    ///
    /// When the display cannot be reached, or no thread can be started.
    pub fn start(display: &Display, bell: Bell) -> Result<Self, DisplayError> {
        let (orders, inbox) = mailbox(ORDERS).map_err(DisplayError::Lost)?;
        let worker = SelectionWorker::connect(display, inbox, bell)?;
        let thread = std::thread::Builder::new()
            .name("clipboard".into())
            .spawn(move || worker.run())
            .map_err(DisplayError::Lost)?;
        Ok(Self {
            orders,
            thread: Some(thread),
        })
    }

    /// Puts a text on the selections, for the window that has the focus. [`Offer::ready`] reports
    /// when it is there. That takes a second or two if the former owner does not answer when
    /// deskd reads its content.
    ///
    /// # Errors
    ///
    /// When the thread has ended or its queue is full.
    pub fn offer(&self, text: &str, focus: &Focus) -> Result<Arc<Offer>, DisplayError> {
        let offer = Arc::new(Offer::default());
        let order = SelectionOrder::Offer {
            text: text.to_owned(),
            focus: focus.clone(),
            offer: Arc::clone(&offer),
        };
        let gone = |_| DisplayError::Lost(io::ErrorKind::BrokenPipe.into());
        self.orders.try_send(order).map_err(gone)?;
        Ok(offer)
    }

    /// Reports the end of the step, after which the former content is restored soon.
    pub fn finish(&self) {
        drop(self.orders.try_send(SelectionOrder::Finish));
    }

    /// Removes the text of a withdrawn offer: requests are refused, and the former content is
    /// restored after [`WITHHELD`].
    pub fn withhold(&self) {
        // If the thread has ended, no text is offered.
        drop(self.orders.try_send(SelectionOrder::Withhold));
    }

    /// Lists the formats of a selection. Waits without a time limit: the caller sets the deadline.
    ///
    /// # Errors
    ///
    /// When the owner does not answer, or the connection ended.
    pub async fn formats(&self, selection: SelectionName) -> Result<Vec<String>, Failure> {
        self.ask(|reply| StoreOrder::Formats(selection, reply))
            .await
    }

    /// Reads a selection in one format; empty: as text. Waits as [`Self::formats`] does.
    ///
    /// # Errors
    ///
    /// When the owner does not deliver, or the connection ended.
    pub async fn read(
        &self,
        selection: SelectionName,
        format: &str,
    ) -> Result<ClipboardRead, Failure> {
        let format = format.to_owned();
        self.ask(|reply| StoreOrder::Read(selection, format, reply))
            .await
    }

    /// Replaces the content of a selection. Waits as [`Self::formats`] does.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub async fn write(
        &self,
        selection: SelectionName,
        items: Vec<ClipboardItem>,
    ) -> Result<(), Failure> {
        self.ask(|reply| StoreOrder::Write(selection, items, reply))
            .await
    }

    async fn ask<T>(
        &self,
        order: impl FnOnce(oneshot::Sender<Result<T, Failure>>) -> StoreOrder,
    ) -> Result<T, Failure> {
        let ended = || DisplayError::Lost(io::ErrorKind::BrokenPipe.into()).failure();
        let (reply, answer) = oneshot::channel();
        let order = SelectionOrder::Store(order(reply));
        self.orders.try_send(order).map_err(|_| ended())?;
        answer.await.unwrap_or_else(|_| Err(ended()))
    }

    /// Whether the thread is running.
    pub fn works(&self) -> bool {
        self.thread.as_ref().is_some_and(|t| !t.is_finished())
    }
}

struct SelectionWorker {
    server: Server,
    atoms: Atoms,
    /// The owner of deskd's selections.
    window: Window,
    receiver: fetch::Receiving,
    inbox: Receiver<SelectionOrder>,
    /// Rung for the step that waits for an offer.
    bell: Bell,
    selections: [Selection; 2],
    transfers: Vec<Transfer>,
    /// Whether the server reports the process of each client.
    has_resource: bool,
    /// Whether the answer in progress gives the text to the focused program.
    given: bool,
    offer: Option<(Arc<Offer>, Focus)>,
    /// Windows that sent requests since the offer, and whether they belong to the focused program.
    requestors: HashMap<Window, bool>,
    /// Time of the last request of the focused program, of the offer, or of the end of its step,
    /// whichever came last.
    active: Instant,
    /// Whether the step of the offer has ended.
    finished: bool,
    /// Since when requests are refused, because no program took the text in time.
    withheld: Option<Instant>,
}

impl SelectionWorker {
    fn connect(
        display: &Display,
        inbox: Receiver<SelectionOrder>,
        bell: Bell,
    ) -> Result<Self, DisplayError> {
        let pulse = Arc::new(Pulse::new());
        let server = Server::open(
            display.name(),
            SILENCE,
            &pulse,
            display.reach(),
            Purpose::Clipboard,
        )?;
        let conn = &server.conn;
        let atoms = Atoms::new(conn)?.reply();
        let atoms = atoms.map_err(|error| DisplayError::reply("InternAtom", error))?;
        let window = server.own_window()?;
        // The events report the destruction of the window, with which deskd loses its selections.
        let events = EventMask::PROPERTY_CHANGE | EventMask::STRUCTURE_NOTIFY;
        let select = ChangeWindowAttributesAux::new().event_mask(events);
        conn.change_window_attributes(window, &select)?
            .ignore_error();
        let has_resource = owner::knows_processes(&server)?;
        let selection = |name| Selection {
            name,
            since: None,
            content: TargetItems::new(),
            before: None,
        };
        let primary = u32::from(AtomEnum::PRIMARY);
        Ok(Self {
            selections: [selection(atoms.CLIPBOARD), selection(primary)],
            server,
            atoms,
            window,
            receiver: fetch::Receiving::default(),
            inbox,
            bell,
            transfers: Vec::new(),
            has_resource,
            given: false,
            offer: None,
            requestors: HashMap::new(),
            active: Instant::now(),
            finished: true,
            withheld: None,
        })
    }

    fn run(mut self) {
        loop {
            match self.turn() {
                Ok(true) => {}
                Ok(false) => {
                    if let Err(error) = self.give_back().and_then(|()| self.save()) {
                        tracing::debug!("the clipboard's connection ended: {error}");
                    }
                    return;
                }
                Err(error) => {
                    tracing::debug!("the clipboard's connection ended: {error}");
                    return;
                }
            }
        }
    }

    /// Runs one turn of the loop; returns false if the [`Clipboard`] was dropped.
    fn turn(&mut self) -> Result<bool, DisplayError> {
        match self.inbox.try_recv() {
            Ok(SelectionOrder::Offer { text, focus, offer }) => {
                self.offer(&text, focus, offer)?;
                return Ok(true);
            }
            // Read the queue again after each command: a wait in between may have consumed the
            // bell of the next one.
            Ok(SelectionOrder::Finish) => {
                self.finished = true;
                self.active = Instant::now();
                return Ok(true);
            }
            Ok(SelectionOrder::Withhold) => {
                self.withhold();
                return Ok(true);
            }
            Ok(SelectionOrder::Store(order)) => {
                self.store(order)?;
                return Ok(true);
            }
            Err(TryRecvError::Disconnected) => return Ok(false),
            Err(TryRecvError::Empty) => {}
        }
        if self.take_events()? {
            // More events may be pending, but commands come first.
            return Ok(true);
        }
        let left = match self.withheld {
            Some(since) => Some(WITHHELD.saturating_sub(since.elapsed())),
            None if self.offer.is_some() && self.finished => {
                Some(GIVE_BACK.saturating_sub(self.active.elapsed()))
            }
            None => None,
        };
        let wait = if let Some(left) = left {
            if left.is_zero() && self.transfers.is_empty() {
                self.give_back()?;
                LONG
            } else {
                left.max(Duration::from_millis(10))
            }
        } else {
            LONG
        };
        let wait = self.end_stalled().map_or(wait, |next| next.min(wait));
        self.doze(wait)?;
        Ok(true)
    }

    /// Sends all answers. Then handles an event that is pending, or waits at most `limit`.
    fn doze(&mut self, limit: Duration) -> Result<(), DisplayError> {
        self.server.conn.flush()?;
        // x11rb may have received events while it sent.
        if let Some((event, _)) = self.server.next_event()? {
            return self.take(&event);
        }
        let socket = self.server.conn.stream().as_fd();
        let bell = self.inbox.bell();
        bell.wait(Some(socket), limit).map_err(DisplayError::Lost)?;
        Ok(())
    }

    /// Handles a limited number of events. Returns whether events were lost.
    fn take_events(&mut self) -> Result<bool, DisplayError> {
        for _ in 0..EVENTS_AT_ONCE {
            let Some((event, _)) = self.server.next_event()? else {
                break;
            };
            self.take(&event)?;
        }
        if self.server.lost_events() {
            self.events_were_lost()?;
            return Ok(true);
        }
        Ok(false)
    }

    /// Handles lost events. Lost requests stay unanswered, which is the fault of the client that
    /// sends so many. A lost SelectionClear is found by reading the owner again.
    fn events_were_lost(&mut self) -> Result<(), DisplayError> {
        tracing::debug!("events were lost: too many came at once");
        for index in 0..self.selections.len() {
            if self.selections[index].since.is_none() {
                continue;
            }
            let name = self.selections[index].name;
            let owner = self.server.conn.get_selection_owner(name)?.reply();
            let owner = owner.map_err(|error| DisplayError::reply("GetSelectionOwner", error))?;
            if owner.owner != self.window {
                self.selections[index].lose();
            }
        }
        Ok(())
    }

    /// Handles an event. Any client can cause one at any time.
    fn take(&mut self, event: &Event) -> Result<(), DisplayError> {
        match event {
            Event::DestroyNotify(event) if event.window == self.window => {
                return Err(DisplayError::robbed("window"));
            }
            Event::SelectionRequest(event) => self.answer(event)?,
            Event::SelectionClear(event) => {
                let lost = self.selections.iter_mut();
                for selection in lost.filter(|s| s.name == event.selection) {
                    if selection
                        .since
                        .is_some_and(|since| newer(event.time, since))
                    {
                        selection.lose();
                    }
                }
            }
            Event::PropertyNotify(event) if event.state == Property::DELETE => {
                self.go_on(event.window, event.atom)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn offer(&mut self, text: &str, focus: Focus, offer: Arc<Offer>) -> Result<(), DisplayError> {
        if offer.is_withdrawn() {
            return Ok(());
        }
        let content = self.text(text);
        // From now on, requests of the focused program are let through, whatever others send.
        self.server.conn.stream().await_requests_of(focus.window);
        self.offer = Some((Arc::clone(&offer), focus.clone()));
        self.requestors.clear();
        self.finished = false;
        self.withheld = None;
        let selections = if self.marks_what_is_pasted_over(&focus)? {
            1
        } else {
            self.selections.len()
        };
        for index in 0..selections {
            let before = self.before(index, &offer)?;
            let time = self.time()?;
            if offer.is_withdrawn() {
                // The paste chord was not pressed yet, so no program is about to paste.
                let selection = &mut self.selections[index];
                selection.before = selection.since.map(|_| before);
                return self.give_back();
            }
            let selection = &mut self.selections[index];
            selection.before = Some(before);
            selection.content = content.clone();
            selection.since = Some(time);
            let conn = &self.server.conn;
            conn.set_selection_owner(self.window, selection.name, time)?
                .ignore_error();
        }
        // The reply shows that the server has processed SetSelectionOwner.
        self.server.geometry()?;
        offer.ready.store(true, Ordering::Release);
        self.bell.ring();
        self.active = Instant::now();
        Ok(())
    }

    /// Whether the focused program owns PRIMARY and would deselect its text when it loses PRIMARY,
    /// as GTK does: the paste would then not replace the selected text. Terminals paste from
    /// PRIMARY itself, and their pastes replace nothing.
    fn marks_what_is_pasted_over(&self, focus: &Focus) -> Result<bool, DisplayError> {
        let primary = u32::from(AtomEnum::PRIMARY);
        let owner = self.server.conn.get_selection_owner(primary)?.reply();
        let owner = owner.map_err(|error| DisplayError::reply("GetSelectionOwner", error))?;
        Ok(owner.owner != x11rb::NONE && focus.made(owner.owner) && !focus.is_terminal())
    }

    /// Returns the content to restore later. Content that deskd does not have is read from the
    /// selection's owner.
    fn before(&mut self, index: usize, offer: &Offer) -> Result<TargetItems, DisplayError> {
        let selection = &mut self.selections[index];
        if let Some(before) = selection.before.take() {
            return Ok(before);
        }
        if selection.since.is_some() {
            return Ok(selection.content.clone());
        }
        let name = selection.name;
        let fetched = self.fetch_all(name)?;
        if !fetched.whole {
            offer.lost.store(true, Ordering::Release);
        }
        Ok(fetched.content)
    }

    fn withhold(&mut self) {
        for selection in &mut self.selections {
            if selection.before.is_some() {
                selection.content.clear();
                self.withheld = Some(Instant::now());
            }
        }
        self.transfers.retain(|transfer| !transfer.is_offered());
    }

    /// Lets a clipboard manager, if there is one, take over the restored content, which would be
    /// lost with this connection (ICCCM and freedesktop.org, "Clipboard Manager").
    fn save(&mut self) -> Result<(), DisplayError> {
        let selection = &self.selections[0];
        if selection.since.is_none() || selection.content.is_empty() {
            return Ok(());
        }
        let targets: Vec<Atom> = selection.content.keys().copied().collect();
        let (conn, atoms) = (&self.server.conn, &self.atoms);
        let manager = conn.get_selection_owner(atoms.CLIPBOARD_MANAGER)?.reply();
        let manager = manager.map_err(|error| DisplayError::reply("GetSelectionOwner", error))?;
        if manager.owner == x11rb::NONE {
            return Ok(());
        }
        let (property, name) = (atoms._DESKD_SELECTION, atoms.CLIPBOARD_MANAGER);
        conn.change_property32(
            PropMode::REPLACE,
            self.window,
            property,
            AtomEnum::ATOM,
            &targets,
        )?
        .ignore_error();
        let target = atoms.SAVE_TARGETS;
        conn.convert_selection(self.window, name, target, property, x11rb::CURRENT_TIME)?
            .ignore_error();
        let saved = |event: &Event| match event {
            Event::SelectionNotify(event) if event.selection == name => Some(()),
            _ => None,
        };
        self.until(Instant::now() + SAVED, saved)?;
        Ok(())
    }

    fn text(&self, text: &str) -> TargetItems {
        let utf8 = Item {
            kind: self.atoms.UTF8_STRING,
            format: 8,
            data: text.as_bytes().into(),
        };
        let atoms = &self.atoms;
        let mut content = TargetItems::new();
        for target in [atoms.UTF8_STRING, atoms.TEXT] {
            content.insert(target, utf8.clone());
        }
        for target in [atoms.TEXT_PLAIN_UTF8, atoms.TEXT_PLAIN] {
            let kind = target;
            content.insert(
                target,
                Item {
                    kind,
                    ..utf8.clone()
                },
            );
        }
        // Latin-1, if it can represent the whole text.
        let latin: Option<Vec<u8>> = text.chars().map(|one| u8::try_from(one).ok()).collect();
        if let Some(latin) = latin {
            let kind = u32::from(AtomEnum::STRING);
            let data = latin.into();
            content.insert(
                kind,
                Item {
                    kind,
                    format: 8,
                    data,
                },
            );
        }
        content
    }

    /// Restores the former content of the selections.
    fn give_back(&mut self) -> Result<(), DisplayError> {
        self.offer = None;
        self.withheld = None;
        for index in 0..self.selections.len() {
            let Some(before) = self.selections[index].before.take() else {
                continue;
            };
            let time = self.time()?;
            let selection = &mut self.selections[index];
            let owner = if before.is_empty() {
                selection.since = None;
                x11rb::NONE
            } else {
                selection.since = Some(time);
                self.window
            };
            selection.content = before;
            let conn = &self.server.conn;
            // Set even if deskd is already the owner: this notifies clients that watch the
            // selection.
            conn.set_selection_owner(owner, selection.name, time)?
                .ignore_error();
        }
        Ok(self.server.conn.flush()?)
    }

    /// The server's time, from the event that an empty property change causes (ICCCM 2.1).
    fn time(&mut self) -> Result<Timestamp, DisplayError> {
        let (conn, name) = (&self.server.conn, self.atoms._DESKD_SELECTION);
        conn.change_property8(PropMode::APPEND, self.window, name, AtomEnum::STRING, &[])?
            .ignore_error();
        self.server.geometry()?;
        // The event arrived before that reply.
        while let Some((event, _)) = self.server.next_event()? {
            match &event {
                Event::PropertyNotify(event)
                    if event.window == self.window && event.atom == name =>
                {
                    return Ok(event.time);
                }
                other => self.take(other)?,
            }
        }
        Ok(x11rb::CURRENT_TIME)
    }
}

/// Whether `a` is not before `b`; both are server times in milliseconds, which wrap around.
fn newer(a: Timestamp, b: Timestamp) -> bool {
    a == x11rb::CURRENT_TIME || a.wrapping_sub(b) < u32::MAX / 2
}

impl Drop for Clipboard {
    fn drop(&mut self) {
        // The thread ends when its sender is dropped; the bell wakes it. It is then joined.
        let (closed, _) = match mailbox(1) {
            Ok(pair) => pair,
            Err(_) => return,
        };
        let orders = std::mem::replace(&mut self.orders, closed);
        let bell = orders.bell().clone();
        drop(orders);
        bell.ring();
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}
