//! Sends the requests that change a window: to the window manager, or to the window itself if no
//! window manager runs.

use x11rb::{
    connection::Connection as _,
    protocol::xproto::{
        Atom, ClientMessageEvent, ConfigureWindowAux, ConnectionExt as _, EventMask, InputFocus,
        StackMode, Window,
    },
};

use super::{
    WindowAtoms,
    listed::{ListedWindow, Rectangle, WindowList},
};
use crate::x11::{connection::server::Server, error::DisplayError};

/// A change of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowChange {
    /// Change its state.
    Operation(Operation),
    /// Move or resize it.
    Place(Placement),
}

/// What to do with a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Show it, raise it and give it the focus.
    Activate,
    /// Ask it to close.
    Close,
    /// Minimize it.
    Minimize,
    /// Maximize it in both directions.
    Maximize,
    /// Make it fill the screen.
    Fullscreen,
    /// End the states minimized, maximized and fullscreen.
    Restore,
}

/// The place of a window's frame; what is `None` stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placement {
    /// Left column and top row.
    pub x: Option<i32>,
    /// See `x`.
    pub y: Option<i32>,
    /// Width in pixels.
    pub width: Option<u32>,
    /// Height in pixels.
    pub height: Option<u32>,
}

impl Placement {
    /// Returns the frame that a window with this frame is to have.
    pub fn of(self, frame: Rectangle) -> Rectangle {
        Rectangle {
            x: self.x.unwrap_or(frame.x),
            y: self.y.unwrap_or(frame.y),
            width: self.width.unwrap_or(frame.width),
            height: self.height.unwrap_or(frame.height),
        }
    }
}

/// Whether a request was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// It was sent.
    Yes,
    /// It cannot be done, for this reason. Nothing was sent.
    Unsupported(String),
}

/// EWMH: the request comes from a pager, a program that acts for the person.
const FROM_A_PAGER: u32 = 2;
/// `_NET_WM_STATE`: remove and add.
const REMOVE: u32 = 0;
const ADD: u32 = 1;
/// ICCCM: the state of a minimized window.
const ICONIC: u32 = 3;
/// `_NET_MOVERESIZE_WINDOW`: the position is that of the frame's top-left corner.
const NORTH_WEST: u32 = 1;

/// Sends a change to the window manager or the window.
pub(super) fn send(
    server: &Server,
    atoms: &WindowAtoms,
    list: &WindowList,
    window: &ListedWindow,
    change: WindowChange,
) -> Result<Sent, DisplayError> {
    let sender = Sender {
        server,
        atoms,
        list,
        window,
    };
    let sent = match change {
        WindowChange::Operation(operation) => sender.operate(operation),
        WindowChange::Place(place) => sender.place(place),
    };
    server.conn.flush()?;
    sent
}

struct Sender<'s> {
    server: &'s Server,
    atoms: &'s WindowAtoms,
    list: &'s WindowList,
    window: &'s ListedWindow,
}

impl Sender<'_> {
    /// Whether a window manager runs that manages this window.
    fn is_managed(&self) -> bool {
        self.list.manager.is_some() && self.window.managed
    }

    fn operate(&self, operation: Operation) -> Result<Sent, DisplayError> {
        let atoms = self.atoms;
        match operation {
            Operation::Activate if self.is_managed() => self.wanted(
                atoms._NET_ACTIVE_WINDOW,
                "_NET_ACTIVE_WINDOW",
                [FROM_A_PAGER, 0, 0, 0, 0],
            ),
            Operation::Activate => self.activate_alone(),
            Operation::Close => self.close(),
            Operation::Minimize if self.is_managed() => {
                self.to_root(atoms.WM_CHANGE_STATE, [ICONIC, 0, 0, 0, 0])?;
                Ok(Sent::Yes)
            }
            Operation::Maximize if self.is_managed() => self.states(
                "_NET_WM_STATE_MAXIMIZED_VERT",
                [(
                    ADD,
                    atoms._NET_WM_STATE_MAXIMIZED_VERT,
                    atoms._NET_WM_STATE_MAXIMIZED_HORZ,
                )],
            ),
            Operation::Fullscreen if self.is_managed() => self.states(
                "_NET_WM_STATE_FULLSCREEN",
                [(ADD, atoms._NET_WM_STATE_FULLSCREEN, 0)],
            ),
            Operation::Restore if self.is_managed() => self.restore(),
            Operation::Minimize
            | Operation::Maximize
            | Operation::Fullscreen
            | Operation::Restore => Ok(self.not_managed()),
        }
    }

    fn not_managed(&self) -> Sent {
        Sent::Unsupported(match self.list.manager {
            None => "no window manager runs, and only a window manager can do this".into(),
            Some(_) => "the window manager does not manage this window".into(),
        })
    }

    /// Sends a message to the window manager if it says that it supports it.
    fn wanted(&self, message: Atom, name: &str, data: [u32; 5]) -> Result<Sent, DisplayError> {
        if !self.list.supported.contains(&message) {
            return Ok(self.lacks(name));
        }
        self.to_root(message, data)?;
        Ok(Sent::Yes)
    }

    fn lacks(&self, name: &str) -> Sent {
        let manager = self.list.manager.as_deref().filter(|name| !name.is_empty());
        let manager = manager.unwrap_or("the window manager");
        Sent::Unsupported(format!("{manager} does not support {name}"))
    }

    fn states<const N: usize>(
        &self,
        name: &str,
        changes: [(u32, Atom, Atom); N],
    ) -> Result<Sent, DisplayError> {
        if !changes
            .iter()
            .all(|(_, state, _)| self.list.supported.contains(state))
        {
            return Ok(self.lacks(name));
        }
        for (change, one, other) in changes {
            let data = [change, one, other, FROM_A_PAGER, 0];
            self.to_root(self.atoms._NET_WM_STATE, data)?;
        }
        Ok(Sent::Yes)
    }

    fn restore(&self) -> Result<Sent, DisplayError> {
        let (atoms, states) = (self.atoms, self.window.states);
        if states.fullscreen {
            let data = [REMOVE, atoms._NET_WM_STATE_FULLSCREEN, 0, FROM_A_PAGER, 0];
            self.to_root(atoms._NET_WM_STATE, data)?;
        }
        if states.maximized {
            let (vertical, horizontal) = (
                atoms._NET_WM_STATE_MAXIMIZED_VERT,
                atoms._NET_WM_STATE_MAXIMIZED_HORZ,
            );
            self.to_root(
                atoms._NET_WM_STATE,
                [REMOVE, vertical, horizontal, FROM_A_PAGER, 0],
            )?;
        }
        if states.minimized {
            // Mapping the window asks for the state Normal (ICCCM 4.1.4).
            self.server.conn.map_window(self.window.xid)?.ignore_error();
        }
        Ok(Sent::Yes)
    }

    fn close(&self) -> Result<Sent, DisplayError> {
        if self.is_managed() && self.list.supported.contains(&self.atoms._NET_CLOSE_WINDOW) {
            self.to_root(self.atoms._NET_CLOSE_WINDOW, [0, FROM_A_PAGER, 0, 0, 0])?;
            return Ok(Sent::Yes);
        }
        if !self.window.closes {
            return Ok(Sent::Unsupported(
                "the program does not accept requests to close this window (WM_DELETE_WINDOW)"
                    .into(),
            ));
        }
        let data = [self.atoms.WM_DELETE_WINDOW, 0, 0, 0, 0];
        let message = ClientMessageEvent::new(32, self.window.xid, self.atoms.WM_PROTOCOLS, data);
        let conn = &self.server.conn;
        conn.send_event(false, self.window.xid, EventMask::NO_EVENT, message)?
            .ignore_error();
        Ok(Sent::Yes)
    }

    /// Activates a window that no window manager manages.
    fn activate_alone(&self) -> Result<Sent, DisplayError> {
        let conn = &self.server.conn;
        conn.map_window(self.window.frame_xid)?.ignore_error();
        let raise = ConfigureWindowAux::new().stack_mode(StackMode::ABOVE);
        conn.configure_window(self.window.frame_xid, &raise)?
            .ignore_error();
        conn.set_input_focus(InputFocus::PARENT, self.window.xid, x11rb::CURRENT_TIME)?
            .ignore_error();
        Ok(Sent::Yes)
    }

    fn place(&self, place: Placement) -> Result<Sent, DisplayError> {
        let (now, [left, _, top, _]) = (self.window, self.window.shadows);
        let wanted = place.of(now.frame);
        let signed = |value: u32| i32::try_from(value).unwrap_or(0);
        // The size of the client: what the frame has beside it stays.
        let inner = |wanted: u32, frame: u32, client: u32| {
            let decoration = i64::from(frame) - i64::from(client);
            u32::try_from(i64::from(wanted) - decoration)
                .unwrap_or(1)
                .max(1)
        };
        let width = inner(wanted.width, now.frame.width, now.client.width);
        let height = inner(wanted.height, now.frame.height, now.client.height);
        // A program that draws its own shadow has a window that is larger than its frame.
        let x = wanted.x.saturating_sub(signed(left));
        let y = wanted.y.saturating_sub(signed(top));
        let moves = place.x.is_some() || place.y.is_some();
        let resizes = place.width.is_some() || place.height.is_some();
        if self.is_managed() {
            let mut flags = NORTH_WEST | FROM_A_PAGER << 12;
            flags |= if moves { 0b11 << 8 } else { 0 };
            flags |= if resizes { 0b11 << 10 } else { 0 };
            let data = [flags, x.cast_unsigned(), y.cast_unsigned(), width, height];
            return self.wanted(
                self.atoms._NET_MOVERESIZE_WINDOW,
                "_NET_MOVERESIZE_WINDOW",
                data,
            );
        }
        let mut configure = ConfigureWindowAux::new();
        if moves {
            configure = configure.x(x).y(y);
        }
        if resizes {
            configure = configure.width(width).height(height);
        }
        self.server
            .conn
            .configure_window(self.window.xid, &configure)?
            .ignore_error();
        Ok(Sent::Yes)
    }

    fn to_root(&self, message: Atom, data: [u32; 5]) -> Result<(), DisplayError> {
        let root: Window = self.server.root;
        let event = ClientMessageEvent::new(32, self.window.xid, message, data);
        let mask = EventMask::SUBSTRUCTURE_REDIRECT | EventMask::SUBSTRUCTURE_NOTIFY;
        self.server
            .conn
            .send_event(false, root, mask, event)?
            .ignore_error();
        Ok(())
    }
}
