//! The thread with the connection, and its handle.

use std::{
    collections::HashSet,
    io,
    os::fd::AsFd,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        mpsc::{TryRecvError, TrySendError},
    },
    time::Duration,
};

use tokio::sync::{oneshot, watch};
use x11rb::{
    connection::Connection as _,
    protocol::{
        Event,
        shape::ConnectionExt as _,
        xproto::{Atom, ChangeWindowAttributesAux, ConnectionExt as _, EventMask, Window},
    },
};

use super::{
    WindowAtoms,
    change::{Sent, WindowChange, send},
    listed::{KnownShape, Rectangle, WindowList},
    picture::{NoPicture, Redirected, WindowPicture},
    read,
    shape::FrameShape,
};
use crate::failure::{Cause, Failure, Stage};
use crate::frame::Size;
use crate::x11::{
    command::display::Display,
    connection::{
        display_name::DisplayName,
        framing::Purpose,
        mailbox::{Receiver, Sender, Woken, mailbox},
        pulse::Pulse,
        reach::ServerOwner,
        server::{EVENTS_AT_ONCE, Server},
        trust::Trust,
    },
    error::{DisplayError, SILENCE},
    observe::owner,
    screen::{compositor, known::KnownScreen},
};

/// Capacity of the queue: calls that wait for the X server.
const ORDERS: usize = 256;
/// The connection is closed after this time without a call.
const IDLE: Duration = Duration::from_secs(30);
/// Number of further attempts if a window changes while it is read.
const MAX_TRIES: u32 = 5;
/// Maximum number of frames whose shape is followed.
const MAX_SHAPES: usize = 32;
/// Maximum number of windows whose events are selected.
const MAX_FOLLOWED: usize = 1024;

#[derive(Debug)]
enum WindowOrder {
    List(oneshot::Sender<Result<Arc<WindowList>, Failure>>),
    /// The last list, if no event says that it changed; otherwise a new one.
    Recent(oneshot::Sender<Result<Arc<WindowList>, Failure>>),
    /// A new list that knows the shape of this frame.
    Shape(Window, oneshot::Sender<Result<Arc<WindowList>, Failure>>),
    /// The child of the root window that gets a click at this pixel.
    At((i16, i16), oneshot::Sender<Result<Option<Window>, Failure>>),
    /// Change the window with this number, if it still has this id.
    Change {
        xid: Window,
        id: String,
        change: WindowChange,
        reply: oneshot::Sender<Result<Option<Sent>, Failure>>,
    },
    /// Take the picture of the window with this number, if it still has this id.
    Picture {
        xid: Window,
        id: String,
        with_popups: bool,
        reply: oneshot::Sender<Result<Option<WindowPicture>, Failure>>,
    },
}

/// The handle of the thread that lists and changes windows. The thread ends when the handle is
/// dropped.
#[derive(Debug)]
pub struct WindowThread {
    orders: Sender<WindowOrder>,
    changes: watch::Receiver<u64>,
    last: watch::Receiver<Option<Arc<WindowList>>>,
}

impl WindowThread {
    /// Starts the thread. It connects to the display at the first call.
    ///
    /// # Errors
    ///
    /// When no thread can be started, or no file descriptor is left.
    pub fn start(display: &Display) -> io::Result<Self> {
        let (orders, inbox) = mailbox(ORDERS)?;
        let (changed, changes) = watch::channel(0);
        let (tell_last, last) = watch::channel(None);
        let (owner, trust) = display.reach();
        let worker = WindowWorker {
            display: display.name(),
            owner: owner.clone(),
            trust: trust.clone(),
            inbox,
            changed,
            tell_last,
            connection: None,
        };
        std::thread::Builder::new()
            .name("windows".into())
            .spawn(move || worker.run())?;
        Ok(Self {
            orders,
            changes,
            last,
        })
    }

    /// A counter that rises when a window may have changed since the last [`Self::list`].
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.clone()
    }

    /// Lists the windows, after this call began. Concurrent calls share one list. Waits without a
    /// time limit: the caller sets the deadline.
    ///
    /// # Errors
    ///
    /// When the display cannot be reached or the connection ended.
    pub async fn list(&self) -> Result<Arc<WindowList>, Failure> {
        let (reply, answer) = oneshot::channel();
        self.send(WindowOrder::List(reply))?;
        answer.await.unwrap_or_else(|_| Err(ended()))
    }

    /// Returns the last list at once, whether or not it still holds. [`Self::recent`] tells: it returns
    /// the same list if it does.
    pub fn last(&self) -> Option<Arc<WindowList>> {
        self.last.borrow().clone()
    }

    /// Returns the last list, if the places, the order and the properties of the windows have not
    /// changed since, otherwise a new one. Titles and places are as of this call; which window has the
    /// focus, and the names of programs, may be older. Waits as [`Self::list`] does.
    ///
    /// # Errors
    ///
    /// When the display cannot be reached or the connection ended.
    pub async fn recent(&self) -> Result<Arc<WindowList>, Failure> {
        let (reply, answer) = oneshot::channel();
        self.send(WindowOrder::Recent(reply))?;
        answer.await.unwrap_or_else(|_| Err(ended()))
    }

    /// Returns a new list, in which the shape of this frame is known, if it still exists. Waits as
    /// [`Self::list`] does.
    ///
    /// # Errors
    ///
    /// When the display cannot be reached or the connection ended.
    pub async fn shape(&self, frame: u32) -> Result<Arc<WindowList>, Failure> {
        let (reply, answer) = oneshot::channel();
        self.send(WindowOrder::Shape(frame, reply))?;
        answer.await.unwrap_or_else(|_| Err(ended()))
    }

    /// Returns the child of the root window that gets a click at a pixel of the screen; `None`: the
    /// root window does. Waits as [`Self::list`] does.
    ///
    /// # Errors
    ///
    /// When the display cannot be reached or the connection ended.
    pub async fn at(&self, (x, y): (i32, i32)) -> Result<Option<u32>, Failure> {
        let (reply, answer) = oneshot::channel();
        let short = |value: i32| i16::try_from(value).unwrap_or(i16::MAX);
        self.send(WindowOrder::At((short(x), short(y)), reply))?;
        answer.await.unwrap_or_else(|_| Err(ended()))
    }

    /// Requests a change of the window with this number and id. Returns `None` if there is no such
    /// window any more. Waits as [`Self::list`] does.
    ///
    /// # Errors
    ///
    /// When the display cannot be reached or the connection ended.
    pub async fn change(
        &self,
        (xid, id): (u32, &str),
        change: WindowChange,
    ) -> Result<Option<Sent>, Failure> {
        let (reply, answer) = oneshot::channel();
        let id = id.to_owned();
        self.send(WindowOrder::Change {
            xid,
            id,
            change,
            reply,
        })?;
        answer.await.unwrap_or_else(|_| Err(ended()))
    }

    /// Takes the picture of the window with this number and id. Returns `None` if there is no such
    /// window any more. Waits as [`Self::list`] does.
    ///
    /// # Errors
    ///
    /// When the window has no pixels, the X server lacks Composite, the display cannot be reached or
    /// the connection ended.
    pub async fn picture(
        &self,
        (xid, id): (u32, &str),
        with_popups: bool,
    ) -> Result<Option<WindowPicture>, Failure> {
        let (reply, answer) = oneshot::channel();
        let id = id.to_owned();
        let order = WindowOrder::Picture {
            xid,
            id,
            with_popups,
            reply,
        };
        self.send(order)?;
        answer.await.unwrap_or_else(|_| Err(ended()))
    }

    fn send(&self, order: WindowOrder) -> Result<(), Failure> {
        self.orders.try_send(order).map_err(|error| match error {
            TrySendError::Full(_) => Failure {
                stage: Stage::Timeout,
                cause: Cause::Deadline,
                message: format!("{ORDERS} requests for windows already wait for the X server"),
            },
            TrySendError::Disconnected(_) => ended(),
        })
    }
}

fn ended() -> Failure {
    Failure {
        stage: Stage::Display,
        cause: Cause::Internal,
        message: "a defect in deskd ended the work on a window".into(),
    }
}

struct WindowWorker {
    display: DisplayName,
    owner: ServerOwner,
    trust: Trust,
    inbox: Receiver<WindowOrder>,
    changed: watch::Sender<u64>,
    tell_last: watch::Sender<Option<Arc<WindowList>>>,
    connection: Option<WindowConnection>,
}

impl WindowWorker {
    fn run(mut self) {
        loop {
            let (mut lists, mut changes, mut pictures) = (Vec::new(), Vec::new(), Vec::new());
            let (mut recent, mut shapes, mut points) = (Vec::new(), Vec::new(), Vec::new());
            loop {
                match self.inbox.try_recv() {
                    Ok(WindowOrder::List(reply)) => lists.push(reply),
                    Ok(WindowOrder::Recent(reply)) => recent.push(reply),
                    Ok(WindowOrder::Shape(frame, reply)) => shapes.push((frame, reply)),
                    Ok(WindowOrder::At(point, reply)) => points.push((point, reply)),
                    Ok(WindowOrder::Change {
                        xid,
                        id,
                        change,
                        reply,
                    }) => {
                        changes.push((xid, id, change, reply));
                    }
                    Ok(WindowOrder::Picture {
                        xid,
                        id,
                        with_popups,
                        reply,
                    }) => pictures.push((xid, id, with_popups, reply)),
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => return,
                }
            }
            lists.retain(|reply| !reply.is_closed());
            for (xid, id, change, reply) in changes {
                // A caller that has gone does not want the change any more.
                if !reply.is_closed() {
                    let sent = self.work(|connection| connection.change(xid, &id, change));
                    drop(reply.send(sent));
                }
            }
            if !lists.is_empty() {
                let list = self.work(WindowConnection::list);
                self.tell_last.send_replace(list.clone().ok());
                for reply in lists {
                    drop(reply.send(list.clone()));
                }
            }
            if !recent.is_empty() {
                let list = self.work(WindowConnection::recent);
                self.tell_last.send_replace(list.clone().ok());
                for reply in recent {
                    drop(reply.send(list.clone()));
                }
            }
            for (frame, reply) in shapes {
                let list = self.work(|connection| connection.shape(frame));
                self.tell_last.send_replace(list.clone().ok());
                drop(reply.send(list));
            }
            for (point, reply) in points {
                let window = self.work(|connection| connection.at(point));
                drop(reply.send(window));
            }
            for (xid, id, with_popups, reply) in pictures {
                if !reply.is_closed() {
                    let picture = self.work(|connection| connection.picture(xid, &id, with_popups));
                    drop(reply.send(picture.and_then(|picture| picture)));
                }
            }
            if !self.wait() {
                return;
            }
        }
    }

    /// Works on the connection, which is opened if there is none. Work that changes nothing yet is
    /// not repeated: the caller gets the error.
    fn work<T>(
        &mut self,
        work: impl FnOnce(&mut WindowConnection) -> Result<T, DisplayError>,
    ) -> Result<T, Failure> {
        // A panic while a reply is read must not end the thread.
        let worked = catch_unwind(AssertUnwindSafe(|| {
            let connection = match &mut self.connection {
                Some(connection) => connection,
                None => {
                    let opened = WindowConnection::open(self.display, &self.owner, &self.trust)?;
                    self.connection.insert(opened)
                }
            };
            work(connection)
        }));
        match worked {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => {
                if error.ends_connection() {
                    self.connection = None;
                }
                Err(error.failure())
            }
            Err(_) => {
                self.connection = None;
                Err(ended())
            }
        }
    }

    /// Waits for orders and events. Returns false if the thread must end.
    fn wait(&mut self) -> bool {
        let socket = self
            .connection
            .as_ref()
            .map(|connection| connection.server.conn.stream().as_fd());
        let limit = if socket.is_some() {
            IDLE
        } else {
            Duration::from_secs(3600)
        };
        match self.inbox.bell().wait(socket, limit) {
            Err(_) => return false,
            Ok(Woken::Time) => self.connection = None,
            Ok(Woken::Work) => {}
        }
        let Some(connection) = &mut self.connection else {
            return true;
        };
        match connection.take_events() {
            Ok(false) => {}
            Ok(true) => self.changed.send_modify(|times| *times += 1),
            Err(_) => {
                self.connection = None;
                self.changed.send_modify(|times| *times += 1);
            }
        }
        true
    }
}

struct WindowConnection {
    server: Server,
    known: KnownScreen,
    atoms: WindowAtoms,
    has_resource: bool,
    /// Windows whose events are selected.
    followed: HashSet<Window>,
    /// Frames whose changes of shape are selected, the latest last, with their shape; `None` if it
    /// must be read.
    shape_followed: Vec<(Window, Option<FrameShape>)>,
    redirected: Redirected,
    /// The last list, while no event says that the windows changed.
    recent: Option<Arc<WindowList>>,
    /// The selection that a compositing manager owns.
    compositor: Atom,
}

impl WindowConnection {
    fn open(
        display: DisplayName,
        owner: &ServerOwner,
        trust: &Trust,
    ) -> Result<Self, DisplayError> {
        let pulse = Arc::new(Pulse::new());
        let server = Server::open(display, SILENCE, &pulse, (owner, trust), Purpose::Screen)?;
        let conn = &server.conn;
        let atoms = WindowAtoms::new(conn)?.reply();
        let atoms = atoms.map_err(|error| DisplayError::reply("InternAtom", error))?;
        let has_resource = owner::knows_processes(&server)?;
        let compositor = compositor::follow(&server, display.screen)?;
        let events = EventMask::SUBSTRUCTURE_NOTIFY | EventMask::PROPERTY_CHANGE;
        let select = ChangeWindowAttributesAux::new().event_mask(events);
        conn.change_window_attributes(server.root, &select)?
            .ignore_error();
        let (known, _) = KnownScreen::read(&server)?;
        Ok(Self {
            server,
            known,
            atoms,
            has_resource,
            followed: HashSet::new(),
            shape_followed: Vec::new(),
            redirected: Redirected::default(),
            recent: None,
            compositor,
        })
    }

    fn list(&mut self) -> Result<Arc<WindowList>, DisplayError> {
        self.recent = None;
        let mut list = self.read()?;
        list.shapes = self.shapes(&list)?;
        let list = Arc::new(list);
        self.recent = Some(Arc::clone(&list));
        Ok(list)
    }

    fn shape(&mut self, frame: Window) -> Result<Arc<WindowList>, DisplayError> {
        if !self.shape_followed.iter().any(|(known, _)| *known == frame) {
            let select = |window, is_on| -> Result<(), DisplayError> {
                if self.server.has_shape {
                    self.server
                        .conn
                        .shape_select_input(window, is_on)?
                        .ignore_error();
                }
                Ok(())
            };
            select(frame, true)?;
            if self.shape_followed.len() == MAX_SHAPES {
                select(self.shape_followed[0].0, false)?;
                self.shape_followed.remove(0);
            }
            self.shape_followed.push((frame, None));
        }
        self.list()
    }

    /// The X server regards the windows' shapes for input, too.
    fn at(&mut self, (x, y): (i16, i16)) -> Result<Option<Window>, DisplayError> {
        let (conn, root) = (&self.server.conn, self.server.root);
        let place = conn.translate_coordinates(root, root, x, y)?.reply();
        let place = place.map_err(|error| DisplayError::reply("TranslateCoordinates", error))?;
        Ok(Some(place.child).filter(|child| *child != x11rb::NONE))
    }

    fn recent(&mut self) -> Result<Arc<WindowList>, DisplayError> {
        // The reply comes after all events so far.
        let is_resized = self.refresh_screen()?;
        self.take_events()?;
        match &self.recent {
            Some(recent) if !is_resized => Ok(Arc::clone(recent)),
            _ => self.list(),
        }
    }

    /// Queries the screen's size, and reads the screen's state if the size has changed, which takes
    /// several round trips. Returns whether it has. The server's identity is that of the connection.
    fn refresh_screen(&mut self) -> Result<bool, DisplayError> {
        let is_resized = self.server.geometry()? != self.known.size;
        if is_resized {
            (self.known, _) = KnownScreen::read(&self.server)?;
        }
        Ok(is_resized)
    }

    /// Returns the followed frames, with the parts that do not belong to the windows.
    fn shapes(&mut self, list: &WindowList) -> Result<Vec<KnownShape>, DisplayError> {
        let mut found = Vec::new();
        let mut kept = Vec::new();
        for (frame, shape) in std::mem::take(&mut self.shape_followed) {
            let window = list.windows.iter().find(|window| window.frame_xid == frame);
            let shape = match shape {
                Some(shape) => Some(shape),
                None => FrameShape::read(&self.server, frame)?,
            };
            let (Some(window), Some(shape)) = (window, shape) else {
                continue;
            };
            let Rectangle { width, height, .. } = window.outer;
            let left_out = shape.left_out(Size { width, height });
            found.push(KnownShape { frame, left_out });
            kept.push((frame, Some(shape)));
        }
        self.shape_followed = kept;
        Ok(found)
    }

    fn read(&mut self) -> Result<WindowList, DisplayError> {
        // Events that arrived until now are answered by the list.
        self.take_events()?;
        self.refresh_screen()?;
        let known = self.known;
        let list = read::list(
            &self.server,
            &self.atoms,
            (self.has_resource, self.compositor),
            known.generation,
            known.size,
        )?;
        let now: HashSet<Window> = list
            .windows
            .iter()
            .take(MAX_FOLLOWED)
            .map(|window| window.xid)
            .collect();
        let events = EventMask::PROPERTY_CHANGE | EventMask::STRUCTURE_NOTIFY;
        let select = ChangeWindowAttributesAux::new().event_mask(events);
        let none = ChangeWindowAttributesAux::new().event_mask(EventMask::NO_EVENT);
        for window in now.difference(&self.followed) {
            self.server
                .conn
                .change_window_attributes(*window, &select)?
                .ignore_error();
        }
        for window in self.followed.difference(&now) {
            self.server
                .conn
                .change_window_attributes(*window, &none)?
                .ignore_error();
        }
        let is_new = now.iter().any(|window| !self.followed.contains(window));
        self.followed = now;
        self.server.conn.flush()?;
        if is_new {
            // A window may have changed between its reading and the selection of its events.
            let again = read::list(
                &self.server,
                &self.atoms,
                (self.has_resource, self.compositor),
                known.generation,
                known.size,
            )?;
            return Ok(again);
        }
        Ok(list)
    }

    fn change(
        &mut self,
        xid: Window,
        id: &str,
        change: WindowChange,
    ) -> Result<Option<Sent>, DisplayError> {
        let list = self.list()?;
        let Some(window) = list.by_xid(xid).filter(|window| window.id == id) else {
            return Ok(None);
        };
        send(&self.server, &self.atoms, &list, window, change).map(Some)
    }

    /// The inner error is a failure of this picture, after which the connection goes on.
    fn picture(
        &mut self,
        xid: Window,
        id: &str,
        with_popups: bool,
    ) -> Result<Result<Option<WindowPicture>, Failure>, DisplayError> {
        let mut tries = 0;
        loop {
            let list = match tries {
                0 => self.recent()?,
                _ => self.list()?,
            };
            let Some(window) = list.by_xid(xid).filter(|window| window.id == id) else {
                return Ok(Ok(None));
            };
            let redirected = &mut self.redirected;
            match redirected.picture(&self.server, &list, window, with_popups) {
                Ok(picture) => return Ok(Ok(Some(picture))),
                // The window changed since it was listed.
                Err(NoPicture::Failed(failure))
                    if failure.cause == Cause::CaptureFailed && tries < MAX_TRIES =>
                {
                    tries += 1;
                }
                Err(NoPicture::Failed(failure)) => return Ok(Err(failure)),
                Err(NoPicture::Lost(error)) => return Err(error),
            }
        }
    }

    /// Takes pending events, at most [`EVENTS_AT_ONCE`]. Returns whether a window may have changed.
    fn take_events(&mut self) -> Result<bool, DisplayError> {
        let mut changed = self.server.lost_events();
        if changed {
            self.shape_followed
                .iter_mut()
                .for_each(|(_, shape)| *shape = None);
        }
        for _ in 0..EVENTS_AT_ONCE {
            match self.server.next_event()? {
                None => break,
                Some((Event::Error(_), _)) => {}
                Some((Event::ShapeNotify(event), _)) => {
                    changed = true;
                    let mut followed = self.shape_followed.iter_mut();
                    if let Some((_, shape)) =
                        followed.find(|(frame, _)| *frame == event.affected_window)
                    {
                        *shape = None;
                    }
                }
                Some((Event::DestroyNotify(event), _)) => {
                    changed = true;
                    self.shape_followed
                        .retain(|(frame, _)| *frame != event.window);
                }
                Some(_) => changed = true,
            }
        }
        if changed {
            self.recent = None;
        }
        Ok(changed)
    }
}
