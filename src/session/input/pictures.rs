//! Takes the pictures of a step: those of its `screenshot` actions, and the frame in the answer.

use tokio::time::Instant;

use super::{Input, action::Act, job::ErrandEnd, refused::Refused};
use crate::session::capture::{Fit, Frame, FrameKind, ImageSpec, Scale, Space, Spec};

/// The frame after a step, and the pictures of its actions with the index of each action.
pub(super) type StepPictures = (Option<Frame>, Vec<(usize, Frame)>);

impl Input {
    /// Takes the picture of an action, or a failure card in its place.
    pub(super) async fn photograph(
        &self,
        act: &Act,
        (index, image): (usize, ImageSpec),
        deadline: Instant,
        pictures: &mut Vec<(usize, Frame)>,
    ) -> ErrandEnd {
        let spec = Spec {
            image,
            if_changed_since: None,
            unproved: act.unproved,
        };
        let taken = self.windows.screenshot(&spec, Instant::now(), deadline);
        match taken.await {
            Ok(frame) => {
                let end = match &frame.kind {
                    FrameKind::Card(failure) => ErrandEnd::Failed(failure.clone()),
                    FrameKind::Screen | FrameKind::Unchanged => ErrandEnd::Taken,
                };
                pictures.push((index, frame));
                end
            }
            Err(refusal) => ErrandEnd::Refused(Refused::OfPicture {
                action: index,
                refusal,
            }),
        }
    }

    /// Returns the frame after a step; `None` if the request asks for none. The step was executed,
    /// so a picture that is not possible any more is no reason to refuse it.
    pub(super) async fn show(&self, act: &Act, reply_by: Instant) -> Option<Frame> {
        let image = act.picture.as_ref()?;
        let spec = Spec {
            image: image.clone(),
            if_changed_since: None,
            unproved: act.unproved,
        };
        let shown = self
            .windows
            .screenshot(&spec, Instant::now(), reply_by)
            .await;
        match shown {
            Ok(frame) => Some(frame),
            // The step changed the screen, so the requested picture is not possible: show the whole
            // screen, as large as an image may be.
            Err(_) => {
                let fit = match spec.image.scale {
                    Scale::Fit(fit) => fit,
                    Scale::Native | Scale::Size(_) => Fit::any_image(),
                };
                let whole = Spec {
                    image: ImageSpec {
                        region: None,
                        scale: Scale::Fit(fit),
                        space: Space::Screen,
                        window: None,
                        ..spec.image
                    },
                    ..spec
                };
                let whole = self.capture.screenshot(&whole, Instant::now(), reply_by);
                whole.await.ok()
            }
        }
    }
}
