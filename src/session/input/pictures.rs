//! The pictures of a step: those of its actions, and the one that answers it.

use tokio::time::Instant;

use super::{Input, action::Act, job::Shot, refused::Refused};
use crate::session::capture::{Frame, FrameKind, ImageSpec, Scale, Space, Spec};

/// The frame after a step, and the pictures of its actions by their numbers.
pub(super) type StepPictures = (Option<Frame>, Vec<(usize, Frame)>);

impl Input {
    /// Takes the picture of an action, or a card in its place.
    pub(super) async fn photograph(
        &self,
        act: &Act,
        shot: Shot,
        deadline: Instant,
        pictures: &mut Vec<(usize, Frame)>,
    ) {
        let Shot {
            index,
            image,
            mut reply,
        } = shot;
        let spec = Spec {
            image,
            if_changed_since: None,
            unproved: act.unproved,
        };
        let taken = tokio::select! {
            taken = self.capture.screenshot(&spec, Instant::now(), deadline) => taken,
            // The step has ended.
            () = reply.closed() => return,
        };
        let taken = taken.map(|frame| {
            let failure = match &frame.kind {
                FrameKind::Card(failure) => Some(failure.clone()),
                FrameKind::Screen | FrameKind::Unchanged => None,
            };
            pictures.push((index, frame));
            failure
        });
        drop(reply.send(taken));
    }

    /// The picture that answers a step; `None` if none is asked for.
    pub(super) async fn show(
        &self,
        act: &Act,
        reply_by: Instant,
    ) -> Result<Option<Frame>, Refused> {
        let Some(image) = &act.picture else {
            return Ok(None);
        };
        let spec = Spec {
            image: image.clone(),
            if_changed_since: None,
            unproved: act.unproved,
        };
        let frame = match self
            .capture
            .screenshot(&spec, Instant::now(), reply_by)
            .await
        {
            Ok(frame) => frame,
            // The step itself made it another screen: it is shown whole.
            Err(_) => {
                let scale = match spec.image.scale {
                    Scale::Fit(fit) => Scale::Fit(fit),
                    Scale::Native | Scale::Size(_) => Scale::Native,
                };
                let whole = Spec {
                    image: ImageSpec {
                        region: None,
                        scale,
                        space: Space::Screen,
                        ..spec.image
                    },
                    ..spec
                };
                self.capture
                    .screenshot(&whole, Instant::now(), reply_by)
                    .await?
            }
        };
        Ok(Some(frame))
    }
}
