//! Pictures of single windows, also in steps.

use std::sync::{Arc, atomic::AtomicBool};

use tokio::time::Instant;

use super::lists::Windows;
use crate::{
    frame::{Region, Size},
    session::capture::{
        Frame, ImageSpec, Refusal, Resolved, ShownWindow, Spec, WindowImage, WindowPlace,
        WindowRefusal, WindowTarget,
    },
    x11::{FollowedWindow, Grab, ListedWindow, Rectangle, WindowList},
};

/// Number of attempts to capture a window while the windows do not change.
const MAX_TRIES: usize = 4;
/// Maximum width in pixels of the shadow that a compositing manager draws around a window.
const SHADOW: u32 = 64;

impl Windows {
    /// Returns the picture that `spec` asks for, of the screen or of a window, taken after `arrived`.
    /// If that is not possible before `reply_by`, returns a failure card.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] if the request is invalid, or there is no such window.
    pub async fn screenshot(
        &self,
        spec: &Spec,
        arrived: Instant,
        reply_by: Instant,
    ) -> Result<Frame, Refusal> {
        let Some(window) = &spec.image.window else {
            return self.capture.screenshot(spec, arrived, reply_by).await;
        };
        let unpainted = AtomicBool::new(false);
        let work = async {
            if !spec.unproved {
                self.capture.painted().await;
            }
            self.picture(spec, window, arrived, reply_by).await
        };
        let (image, space) = (&card_image(&spec.image), Resolved::Screen);
        let time = arrived..reply_by;
        let answer = self.capture.or_card(image, &space, time, &unpainted, work);
        Ok(answer.await?.unwrap_or_else(|card| card))
    }

    async fn picture(
        &self,
        spec: &Spec,
        window: &WindowImage,
        arrived: Instant,
        reply_by: Instant,
    ) -> Result<Result<Frame, crate::failure::Failure>, Refusal> {
        let thread = match self.thread() {
            Ok(thread) => thread,
            Err(failure) => return Ok(Err(failure)),
        };
        if let Some((grab, place)) = self.still_bare(window, reply_by).await {
            return self
                .capture
                .window_on_screen(spec, grab, place, arrived)
                .await;
        }
        let recent = || self.capture.wait(reply_by, thread.recent());
        let is_named = |list: &Arc<WindowList>| window.target.find(list).is_ok();
        let mut list = match thread.last().filter(is_named) {
            Some(list) => list,
            None => match recent().await {
                Ok(list) => list,
                Err(failure) => return Ok(Err(failure)),
            },
        };
        // A window that nothing covers is a part of the screen, and costs what that part costs.
        for _ in 0..MAX_TRIES {
            let target = window.target.find(&list)?;
            if !is_bare(&list, target, window.with_popups) {
                break;
            }
            let (xid, frame_xid) = (target.xid, target.frame_xid);
            let Some(shape) = list.shape_of(frame_xid) else {
                list = match self.capture.wait(reply_by, thread.shape(frame_xid)).await {
                    Ok(list) => list,
                    Err(failure) => return Ok(Err(failure)),
                };
                continue;
            };
            let Some(left_out) = &shape.left_out else {
                break;
            };
            self.capture.display.follow(FollowedWindow {
                frame: frame_xid,
                client: xid,
            });
            let capture = self.capture.display.capture();
            let grab = match self.capture.wait(reply_by, capture).await {
                Ok(grab) => grab,
                Err(failure) => return Ok(Err(failure)),
            };
            // The list must still hold after the capture: then it held during the capture.
            let after = match recent().await {
                Ok(after) => after,
                Err(failure) => return Ok(Err(failure)),
            };
            let is_same = Arc::ptr_eq(&list, &after) && grab.generation == list.generation;
            match on_screen(target, left_out, grab.pixels.size()) {
                Some(place) if is_same => {
                    self.arranged().note(grab.arrangement, &list, xid);
                    return self
                        .capture
                        .window_on_screen(spec, grab, place, arrived)
                        .await;
                }
                None if is_same => break,
                _ => list = after,
            }
        }
        // The list may be an old one.
        let list = match recent().await {
            Ok(list) => list,
            Err(failure) => return Ok(Err(failure)),
        };
        let target = window.target.find(&list)?;
        let picture = thread.picture((target.xid, &target.id), window.with_popups);
        match self.capture.wait(reply_by, picture).await {
            Err(failure) => Ok(Err(failure)),
            Ok(None) => Err(WindowRefusal::unknown(&window.target, &list).into()),
            Ok(Some(picture)) => self.capture.window_frame(spec, picture, arrived).await,
        }
    }

    /// Captures the screen, if the window was bare in a capture before. Returns the capture and the
    /// window's part of it if nothing has moved since, without a question to the thread of the
    /// windows.
    async fn still_bare(
        &self,
        window: &WindowImage,
        reply_by: Instant,
    ) -> Option<(Arc<Grab>, ShownWindow)> {
        // The title of another window may have changed, which is not a change of the arrangement.
        let WindowTarget::Id(id) = &window.target else {
            return None;
        };
        let (arrangement, list, target) = self.arranged().find(id)?;
        if !is_bare(&list, &target, window.with_popups) {
            return None;
        }
        let capture = self.capture.display.capture();
        let grab = self.capture.wait(reply_by, capture).await.ok()?;
        let is_same = grab.arrangement == Some(arrangement) && grab.generation == list.generation;
        let left_out = list.shape_of(target.frame_xid)?.left_out.as_ref()?;
        let shown = on_screen(&target, left_out, grab.pixels.size())?;
        is_same.then_some((grab, shown))
    }

    /// Refuses a step in the coordinate space of a window that is not where its picture was taken, or
    /// that another window covers at the step's first point. `point` is a pixel of the screen.
    pub(in crate::session) async fn check_space(
        &self,
        place: WindowPlace,
        point: Option<(u32, u32)>,
        reply_by: Instant,
    ) -> Result<(), WindowRefusal> {
        let list = self.list(reply_by).await?;
        let Some(window) = list.by_xid(place.xid) else {
            return Err(WindowRefusal::Unknown {
                wanted: "the number of the coordinate space: the window has ended".into(),
                candidates: list.windows.clone(),
            });
        };
        let Rectangle {
            x,
            y,
            width,
            height,
        } = window.frame;
        if ((x, y), (width, height)) != (place.frame, place.size) || !window.viewable {
            return Err(WindowRefusal::Moved {
                window: Box::new(window.clone()),
            });
        }
        let Some((x, y)) = point else {
            return Ok(());
        };
        let point = (i32::try_from(x).unwrap_or(0), i32::try_from(y).unwrap_or(0));
        let thread = self.thread()?;
        let at = self.capture.wait(reply_by, thread.at(point)).await?;
        if at == Some(window.frame_xid) {
            return Ok(());
        }
        let other = list.windows.iter().find(|w| Some(w.frame_xid) == at);
        match other {
            Some(other) if other.belongs_to(window) => Ok(()),
            _ => Err(WindowRefusal::Covered {
                other: other.map(|other| Box::new(other.clone())),
                point,
            }),
        }
    }
}

/// Whether the screen shows exactly this window at its place.
fn is_bare(list: &WindowList, window: &ListedWindow, with_popups: bool) -> bool {
    // A compositing manager draws shadows around the windows above.
    let reach = match list.composited {
        true => SHADOW,
        false => 0,
    };
    let mut stack = list.stack.iter();
    let Some(place) = stack.position(|(xid, _)| *xid == window.frame_xid) else {
        return false;
    };
    let mut above = list.stack[..place].iter();
    let is_covered = above.any(|(_, area)| overlap(*area, window.frame, reach));
    let mut above = list.windows.iter().take_while(|w| w.xid != window.xid);
    let has_popups = with_popups && above.any(|other| other.viewable && other.belongs_to(window));
    let is_opaque = !list.composited || !window.translucent;
    window.viewable && is_opaque && !is_covered && !has_popups
}

/// Returns a window as a part of the screen; `None` if it is not completely on the screen.
/// `left_out`: the parts that do not belong to it, see
/// [`WindowList::shapes`].
fn on_screen(window: &ListedWindow, left_out: &[Region], screen: Size) -> Option<ShownWindow> {
    let frame = window.frame;
    let (x, y) = (frame.x.into(), frame.y.into());
    let area = Region::clipped(x, y, frame.width, frame.height, screen)?;
    let is_whole = area.size.width == frame.width && area.size.height == frame.height;
    let hidden = left_out.iter().filter_map(|part| {
        let x = i64::from(window.outer.x) + i64::from(part.x);
        let y = i64::from(window.outer.y) + i64::from(part.y);
        Region::clipped(x, y, part.size.width, part.size.height, screen)
    });
    is_whole.then(|| ShownWindow {
        xid: window.xid,
        area,
        hidden: hidden.collect(),
    })
}

/// Whether two rectangles are nearer to each other than `reach` pixels.
fn overlap(one: Rectangle, other: Rectangle, reach: u32) -> bool {
    let reach = i64::from(reach);
    let meets = |a: i32, length: u32, b: i32, other: u32| {
        i64::from(a) < i64::from(b) + i64::from(other) + reach
            && i64::from(b) < i64::from(a) + i64::from(length) + reach
    };
    meets(one.x, one.width, other.x, other.width) && meets(one.y, one.height, other.y, other.height)
}

/// The options of a failure card in place of a window: it has no region.
fn card_image(image: &ImageSpec) -> ImageSpec {
    ImageSpec {
        region: None,
        window: None,
        ..image.clone()
    }
}
