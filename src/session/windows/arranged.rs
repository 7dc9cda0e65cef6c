//! Windows whose pictures were parts of the screen, while no window has moved since.

use std::sync::Arc;

use crate::x11::{Arrangement, ListedWindow, WindowList};

/// The last list that held at a capture, and the windows that were a part of that capture.
#[derive(Debug, Default)]
pub(super) struct Arranged(Option<Held>);

#[derive(Debug)]
struct Held {
    arrangement: Arrangement,
    list: Arc<WindowList>,
    windows: Vec<u32>,
}

impl Arranged {
    /// Notes that `list` held at the capture with this arrangement, in which the display followed the
    /// window `xid`.
    pub(super) fn note(
        &mut self,
        arrangement: Option<Arrangement>,
        list: &Arc<WindowList>,
        xid: u32,
    ) {
        let Some(arrangement) = arrangement else {
            return;
        };
        let last = self.0.take().filter(|held| held.arrangement == arrangement);
        let mut windows = last.map(|held| held.windows).unwrap_or_default();
        if !windows.contains(&xid) {
            windows.push(xid);
        }
        self.0 = Some(Held {
            arrangement,
            list: Arc::clone(list),
            windows,
        });
    }

    /// Returns the window with this id, if it was noted, with its list and the arrangement that a
    /// capture must have for both to hold.
    pub(super) fn find(&self, id: &str) -> Option<(Arrangement, Arc<WindowList>, ListedWindow)> {
        let held = self.0.as_ref()?;
        let window = held.list.find(id)?;
        let is_noted = held.windows.contains(&window.xid);
        is_noted.then(|| (held.arrangement, Arc::clone(&held.list), window.clone()))
    }
}
