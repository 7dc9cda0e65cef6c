//! Follows where windows are on the connection that captures, so that each capture says whether they
//! moved since another one.
//!
//! The X server sends an event before the reply to a later request of the same connection. So if two
//! captures have the same [`Arrangement`], no window changed between them. No further request is
//! necessary to find that out.

use std::time::Instant;

use x11rb::protocol::{
    Event,
    shape::ConnectionExt as _,
    xproto::{ChangeWindowAttributesAux, ConnectionExt as _, EventMask, Window},
};

use crate::x11::{connection::server::Server, error::DisplayError, screen::compositor};

/// Maximum number of windows that are followed.
const MAX_FOLLOWED: usize = 32;

/// The places of the windows at one moment. Two captures have an equal value if the X server reported
/// no change between them: no window moved, appeared or disappeared, and no followed window changed
/// its shape or a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrangement {
    /// When the connection began to follow windows.
    since: Instant,
    /// Number of times that something may have changed.
    changes: u64,
}

/// A window that is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FollowedWindow {
    /// The child of the root window that contains it.
    pub frame: Window,
    /// The window of the program.
    pub client: Window,
}

/// The windows that one connection follows.
#[derive(Debug, Default)]
pub(in crate::x11) struct FollowedWindows {
    /// The latest last.
    windows: Vec<FollowedWindow>,
    now: Option<Arrangement>,
}

impl FollowedWindows {
    /// The present arrangement; `None` while no window is followed.
    pub(in crate::x11) fn now(&self) -> Option<Arrangement> {
        self.now
    }

    /// Notes that something may have changed.
    pub(in crate::x11) fn note_change(&mut self) {
        if let Some(now) = &mut self.now {
            now.changes += 1;
        }
    }

    /// Notes what an event reports.
    pub(in crate::x11) fn note(&mut self, event: &Event) {
        if let Event::DestroyNotify(event) = event {
            // Another window can get its number.
            self.windows
                .retain(|window| ![window.frame, window.client].contains(&event.window));
        }
        let is_change = matches!(
            event,
            Event::CreateNotify(_)
                | Event::DestroyNotify(_)
                | Event::MapNotify(_)
                | Event::UnmapNotify(_)
                | Event::ReparentNotify(_)
                | Event::ConfigureNotify(_)
                | Event::GravityNotify(_)
                | Event::CirculateNotify(_)
                | Event::PropertyNotify(_)
                | Event::ShapeNotify(_)
                | Event::XfixesSelectionNotify(_)
        );
        if is_change {
            self.note_change();
        }
    }

    /// Forgets the windows, whose events the connection selected for another purpose.
    pub(in crate::x11) fn forget(&mut self) {
        self.windows.clear();
        self.note_change();
    }

    /// Selects the events of a window, and with the first one those of the root window's children.
    /// `selected`: the events of the root window that the connection already selected, which it
    /// keeps. `needed`: windows whose events the connection needs otherwise.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub(in crate::x11) fn follow(
        &mut self,
        server: &Server,
        (screen, selected): (usize, EventMask),
        needed: &[Window],
        window: FollowedWindow,
    ) -> Result<(), DisplayError> {
        if self.windows.contains(&window) {
            return Ok(());
        }
        let conn = &server.conn;
        if self.now.is_none() {
            select(
                server,
                server.root,
                selected | EventMask::SUBSTRUCTURE_NOTIFY,
            )?;
            // One that starts or ends changes what the windows cover.
            compositor::follow(server, screen)?;
            let since = Instant::now();
            self.now = Some(Arrangement { since, changes: 0 });
        }
        if self.windows.len() == MAX_FOLLOWED {
            let left = self.windows.remove(0);
            let is_followed = |window| {
                let is_it = |other: &FollowedWindow| [other.frame, other.client].contains(&window);
                needed.contains(&window) || self.windows.iter().any(is_it)
            };
            for window in [left.frame, left.client] {
                if !is_followed(window) {
                    select(server, window, EventMask::NO_EVENT)?;
                }
            }
            if server.has_shape && !self.windows.iter().any(|other| other.frame == left.frame) {
                conn.shape_select_input(left.frame, false)?.ignore_error();
            }
            self.note_change();
        }
        for window in [window.frame, window.client] {
            let events = EventMask::STRUCTURE_NOTIFY | EventMask::PROPERTY_CHANGE;
            select(server, window, events)?;
        }
        if server.has_shape {
            conn.shape_select_input(window.frame, true)?.ignore_error();
        }
        self.windows.push(window);
        Ok(())
    }
}

/// Selects events of a window, which may have been destroyed.
fn select(server: &Server, window: Window, events: EventMask) -> Result<(), DisplayError> {
    let select = ChangeWindowAttributesAux::new().event_mask(events);
    let sent = server.conn.change_window_attributes(window, &select)?;
    sent.ignore_error();
    Ok(())
}
