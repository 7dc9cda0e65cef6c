//! Finds the first painted window of a launched program.

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;

use super::{Launched, MAX_REPORTED_OUTPUT, ProgramError, Programs};
use crate::{
    frame::{Region, Size},
    gate,
    helper::wire::{Call, End, Program},
    session::windows::APART,
    text::last_part,
    x11::{Grab, ListedWindow, Rectangle, WindowKind, WindowList},
};

/// The windows and the program are looked at again after this time.
const AGAIN: Duration = Duration::from_millis(50);
/// Minimum pause between two questions whether the program runs: the helper looks at all processes.
const LOOK: Duration = Duration::from_millis(100);

impl Programs {
    /// Waits from `began` until `end` for a painted window of `program`. `before`: the windows when
    /// it was launched.
    pub(super) async fn first_window(
        &self,
        mut program: Program,
        before: &WindowList,
        (began, end): (Instant, Instant),
        reply_by: Instant,
    ) -> Result<Launched, ProgramError> {
        let capture = &self.windows.capture;
        let mut changes = self.windows.thread()?.changes();
        let mut drawn = capture.display.drawn();
        let mut owners = HashMap::new();
        let mut looked = began;
        loop {
            changes.borrow_and_update();
            drawn.borrow_and_update();
            let list = self.windows.list(reply_by).await?;
            let unknown = list.windows.iter().filter_map(|window| window.pid);
            let unknown: Vec<u32> = unknown.filter(|pid| !owners.contains_key(pid)).collect();
            // Without an answer, the same processes are asked for again.
            if let Some(found) = self.owners(&unknown, end).await {
                owners.extend(unknown.iter().map(|pid| (*pid, found.get(pid).cloned())));
            }
            let owner = |window: &ListedWindow| owners.get(&window.pid?)?.clone();
            let is_known = |window: &ListedWindow| {
                let pid = window.pid.as_ref();
                pid.is_none_or(|pid| owners.contains_key(pid))
            };
            // Of another launch's program, a window counts only if that program had one before.
            let had: Vec<Option<String>> = before.windows.iter().map(owner).collect();
            let window = list.windows.iter().find(|window| {
                let owner = owner(window);
                let is_others = !is_known(window) || owner.is_some() && !had.contains(&owner);
                is_candidate(window) && is_of(window, (owner, is_others), &program, before)
            });
            let mut is_painted = false;
            if let Some(window) = window {
                let grab = capture.wait(reply_by, capture.display.capture()).await?;
                is_painted = self.is_painted(window, &list, &grab, reply_by).await;
            }
            let now = Instant::now();
            let has_failed = !program.runs && program.end != Some(End::Code(0));
            if is_painted || now >= end || window.is_none() && has_failed {
                let output = match window.is_none() && !program.runs {
                    true => self.last_output(&program.id, reply_by).await,
                    false => String::new(),
                };
                return Ok(Launched {
                    window: window.map(|window| (window.clone(), is_painted)),
                    program,
                    waited: true,
                    output,
                    painted_after: is_painted.then(|| now - began),
                });
            }
            let next = (now + AGAIN).min(end);
            tokio::time::sleep_until((now + APART).min(next)).await;
            tokio::select! {
                () = tokio::time::sleep_until(next) => {}
                changed = changes.changed() => drop(changed),
                changed = drawn.changed() => drop(changed),
            }
            if looked.elapsed() >= LOOK {
                looked = Instant::now();
                let call = Call::Get {
                    id: program.id.clone(),
                };
                // The program runs on without the helper, and may show its window.
                program = self.program(call, end).await.unwrap_or(program);
            }
        }
    }

    /// Whether anything is drawn in the window. Of a covered window, its own picture decides.
    async fn is_painted(
        &self,
        window: &ListedWindow,
        list: &WindowList,
        grab: &Grab,
        reply_by: Instant,
    ) -> bool {
        let screen = grab.pixels.size();
        let Some(area) = on_screen(window.client, screen) else {
            return self.picture_is_drawn(window, reply_by).await;
        };
        let above = list.stack.iter();
        let above = above.take_while(|(xid, _)| *xid != window.frame_xid);
        let above: Vec<Region> = above
            .filter_map(|(_, area)| on_screen(*area, screen))
            .collect();
        match gate::drawn_outside(&grab.pixels, area, &above) {
            Some(is_drawn) => is_drawn,
            None => self.picture_is_drawn(window, reply_by).await,
        }
    }

    async fn picture_is_drawn(&self, window: &ListedWindow, reply_by: Instant) -> bool {
        let Ok(thread) = self.windows.thread() else {
            return false;
        };
        let picture = thread.picture((window.xid, &window.id), false);
        match self.windows.capture.wait(reply_by, picture).await {
            Ok(Some(picture)) => {
                let whole = Region::whole(picture.pixels.size());
                gate::drawn_outside(&picture.pixels, whole, &[]) == Some(true)
            }
            _ => false,
        }
    }

    async fn last_output(&self, id: &str, by: Instant) -> String {
        let output = self
            .output(id, by)
            .await
            .map_or(String::new(), |(text, ..)| text);
        last_part(&output, MAX_REPORTED_OUTPUT).to_owned()
    }
}

/// Whether a window can be the one that a caller waits for: splash screens, menus and tooltips are
/// not.
fn is_candidate(window: &ListedWindow) -> bool {
    let is_main = matches!(
        window.kind,
        WindowKind::Normal
            | WindowKind::Dialog
            | WindowKind::Utility
            | WindowKind::Dock
            | WindowKind::Desktop
    );
    window.viewable && is_main
}

/// Whether a window belongs to a launched program. Its process does, or it has the launch's startup
/// id. If the launched process ended with code 0, it may have handed its work to another process: then
/// a new window of the same program counts, too, but not the first one of another launch
/// (`is_others`).
fn is_of(
    window: &ListedWindow,
    (owner, is_others): (Option<String>, bool),
    program: &Program,
    before: &WindowList,
) -> bool {
    if owner.as_ref() == Some(&program.id) || window.startup_id == format!("deskd-{}", program.id) {
        return true;
    }
    let is_new = before.find(&window.id).is_none();
    let handed_over = !program.runs && program.end == Some(End::Code(0));
    let names = [&window.program, &window.class, &window.instance];
    let is_named = |wanted: &str| {
        !wanted.is_empty() && names.iter().any(|name| name.eq_ignore_ascii_case(wanted))
    };
    let is_the_programs = program.aliases.is_empty() || program.aliases.iter().any(|a| is_named(a));
    is_new && handed_over && is_the_programs && !is_others
}

/// Returns the part of a rectangle that is on the screen.
fn on_screen(area: Rectangle, screen: Size) -> Option<Region> {
    let (x, y) = (area.x.into(), area.y.into());
    Region::clipped(x, y, area.width, area.height, screen)
}
