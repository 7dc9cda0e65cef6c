//! Maps the coordinates of logged steps to pixels of the screen.

use std::collections::{HashMap, VecDeque};

use crate::{
    frame::Size,
    rpc::v1::{self, action::Action, coordinate_space::Space, target::Target},
};

/// Number of frames that are kept: as many as the daemon knows.
const MAX_FRAMES: usize = 1024;

/// The frames of a log that coordinates can refer to, and the size of the screen.
#[derive(Debug, Default)]
pub(super) struct KnownFrames {
    frames: HashMap<String, (v1::Region, v1::Size)>,
    order: VecDeque<String>,
    pub(super) screen: Option<Size>,
}

impl KnownFrames {
    /// Takes over a frame.
    pub(super) fn learn(&mut self, frame: &v1::LogFrame) {
        let (Some(region), Some(size)) = (frame.region, frame.size) else {
            return;
        };
        let id = frame.frame_id.clone();
        if self.frames.insert(id.clone(), (region, size)).is_some() {
            return;
        }
        self.order.push_back(id);
        if self.order.len() > MAX_FRAMES
            && let Some(oldest) = self.order.pop_front()
        {
            self.frames.remove(&oldest);
        }
    }

    /// Maps a point of a coordinate space to a pixel of the screen; `None` if the space is not known.
    pub(super) fn map(
        &self,
        space: Option<&v1::CoordinateSpace>,
        (x, y): (i32, i32),
    ) -> Option<(i32, i32)> {
        let (region, size) = match space.and_then(|space| space.space.as_ref()) {
            None | Some(Space::Screen(_)) => return Some((x, y)),
            Some(Space::FrameId(id)) => *self.frames.get(id)?,
            Some(Space::Size(size)) => {
                let screen = self.screen?;
                (v1::Region::new(0, 0, screen.width, screen.height), *size)
            }
        };
        let along = |at: i32, start: i32, length: u32, of: u32| {
            // By pixel centres, in whole numbers: floor((at + 0.5) * length / of).
            let doubled = (i128::from(at) * 2 + 1) * i128::from(length);
            let mapped = doubled.checked_div_euclid(i128::from(of) * 2)?;
            i32::try_from(i128::from(start) + mapped).ok()
        };
        Some((
            along(x, region.x(), region.width, size.width)?,
            along(y, region.y(), region.height, size.height)?,
        ))
    }

    /// Returns a step whose coordinates are pixels of the screen; `None` if its space is not known.
    pub(super) fn on_screen(&self, request: &v1::ActRequest) -> Option<v1::ActRequest> {
        let mut request = request.clone();
        let space = request.coordinate_space.take();
        for action in &mut request.actions {
            let targets: Vec<&mut v1::Target> = match action.action.as_mut() {
                Some(Action::Move(a)) => a.to.iter_mut().collect(),
                Some(Action::Click(a)) => a.at.iter_mut().collect(),
                Some(Action::ButtonDown(a)) => a.at.iter_mut().collect(),
                Some(Action::ButtonUp(a)) => a.at.iter_mut().collect(),
                Some(Action::Scroll(a)) => a.at.iter_mut().collect(),
                Some(Action::Drag(a)) => a.path.iter_mut().collect(),
                _ => Vec::new(),
            };
            for target in targets {
                if let Some(Target::Point(point)) = &mut target.target {
                    let (x, y) = self.map(space.as_ref(), (point.x(), point.y()))?;
                    *point = v1::Point::new(x, y);
                }
            }
        }
        Some(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space(space: Space) -> v1::CoordinateSpace {
        v1::CoordinateSpace { space: Some(space) }
    }

    #[test]
    fn points_are_mapped_by_pixel_centres() {
        let mut known = KnownFrames {
            screen: Some(Size {
                width: 1280,
                height: 800,
            }),
            ..KnownFrames::default()
        };
        known.learn(&v1::LogFrame {
            frame_id: "a-1".into(),
            region: Some(v1::Region::new(100, 50, 640, 400)),
            size: Some(v1::Size {
                width: 320,
                height: 200,
            }),
            ..v1::LogFrame::default()
        });
        let frame = space(Space::FrameId("a-1".into()));
        let half = space(Space::Size(v1::Size {
            width: 640,
            height: 400,
        }));
        for (space, point, wanted) in [
            (None, (7, 9), Some((7, 9))),
            (Some(&frame), (0, 0), Some((101, 51))),
            (Some(&frame), (319, 199), Some((739, 449))),
            (Some(&half), (10, 20), Some((21, 41))),
            (Some(&space(Space::FrameId("b".into()))), (1, 1), None),
            (Some(&space(Space::Size(v1::Size::default()))), (1, 1), None),
        ] {
            assert_eq!(known.map(space, point), wanted, "{space:?} {point:?}");
        }
    }
}
