//! Pictures of single windows, also in steps.

use std::sync::atomic::AtomicBool;

use tokio::time::Instant;

use super::lists::Windows;
use crate::{
    session::capture::{
        Frame, ImageSpec, Refusal, Resolved, Spec, WindowImage, WindowPlace, WindowRefusal,
    },
    x11::{ListedWindow, Rectangle, WindowList},
};

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
        let list = match self.list(reply_by).await {
            Ok(list) => list,
            Err(failure) => return Ok(Err(failure)),
        };
        let target = window.target.find(&list)?;
        let thread = match self.thread() {
            Ok(thread) => thread,
            Err(failure) => return Ok(Err(failure)),
        };
        let picture = thread.picture((target.xid, &target.id), window.with_popups);
        match self.capture.wait(reply_by, picture).await {
            Err(failure) => Ok(Err(failure)),
            Ok(None) => Err(WindowRefusal::unknown(&window.target, &list).into()),
            Ok(Some(picture)) => self.capture.window_frame(spec, picture, arrived).await,
        }
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
        match top_at(&list, point) {
            Some(other) if !belongs(other, window) => Err(WindowRefusal::Covered {
                other: Box::new(other.clone()),
                point,
            }),
            _ => Ok(()),
        }
    }
}

/// The topmost window at a point of the screen.
fn top_at(list: &WindowList, (x, y): (i32, i32)) -> Option<&ListedWindow> {
    let covers = |area: Rectangle| {
        let within = |at: i32, start: i32, length: u32| {
            at >= start && i64::from(at) < i64::from(start) + i64::from(length)
        };
        within(x, area.x, area.width) && within(y, area.y, area.height)
    };
    let mut shown = list.windows.iter().filter(|window| window.viewable);
    shown.find(|window| covers(window.frame))
}

/// Whether a window is `main`, or a menu or dialog of its program.
fn belongs(window: &ListedWindow, main: &ListedWindow) -> bool {
    let is_its_popup = !window.managed && window.pid.is_some() && window.pid == main.pid;
    window.xid == main.xid || window.transient_for == Some(main.xid) || is_its_popup
}

/// The options of a failure card in place of a window: it has no region.
fn card_image(image: &ImageSpec) -> ImageSpec {
    ImageSpec {
        region: None,
        window: None,
        ..image.clone()
    }
}
