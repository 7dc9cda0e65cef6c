//! The frame of a single window, whose pixels were read elsewhere.

use std::sync::Arc;

use tokio::time::Instant;

use super::{
    Capture,
    frames::Source,
    kept::{ImagePlan, WindowPlace},
    picture::{Frame, Spec},
    refusal::Refusal,
    screenshot::{Look, within_limit},
};
use crate::{
    encode::Effort,
    failure::Failure,
    frame::Region,
    session::paint::Awaited,
    x11::{Grab, LinkState, WindowPicture},
};

/// Numbers of captures of windows begin here, so that none is taken for one of the screen.
const FIRST: u64 = 1 << 63;

impl Capture {
    /// Waits until the desktop is painted.
    pub(in crate::session) async fn painted(&self) {
        if !self.is_proved(&self.link()) {
            self.until_painted(&Awaited::default()).await;
        }
    }

    /// Returns the frame of a window's picture. Its part is in pixels of the picture.
    pub(in crate::session) async fn window_frame(
        &self,
        spec: &Spec,
        picture: WindowPicture,
        arrived: Instant,
    ) -> Result<Result<Frame, Failure>, Refusal> {
        let size = picture.pixels.size();
        let image = &spec.image;
        let region = match image.region {
            None => Region::whole(size),
            Some(asked) => {
                let outside = || Refusal::OutOfScreen {
                    asked,
                    within: format!("the window, whose picture is {size}"),
                };
                let at = |pixel: i32| u32::try_from(pixel).map_err(|_| outside());
                let region = Region {
                    x: at(asked.x)?,
                    y: at(asked.y)?,
                    size: asked.size,
                };
                if !region.fits(size) {
                    return Err(outside());
                }
                region
            }
        };
        let output = image.scale.of(region.size);
        within_limit(output)?;
        let screen = match self.link().state {
            LinkState::Up(screen) => screen,
            LinkState::Down(failure) => return Ok(Err(failure)),
            LinkState::Connecting => return Ok(Err(self.not_yet_connected())),
        };
        let place = WindowPlace {
            xid: picture.xid,
            x: picture.at.0,
            y: picture.at.1,
            size: (picture.frame.width, picture.frame.height),
            frame: (picture.frame.x, picture.frame.y),
        };
        let plan = ImagePlan {
            region,
            output,
            format: image.format,
            cursor: false,
            effort: Effort::Fast,
            window: Some(place),
        };
        let stripes = size.height.div_ceil(crate::frame::STRIPE_ROWS) as usize;
        let number = FIRST | picture.number;
        let grab = Grab {
            number,
            pixels: Arc::clone(&picture.pixels),
            // What changed is found by the digests of the stripes.
            changed: vec![number; stripes].into(),
            cursor: None,
            generation: picture.generation,
            geometry_epoch: screen.geometry_epoch,
            mode: crate::frame::CaptureMode::GetImage,
            started: picture.started,
            time: picture.time,
            took: picture.took,
            proof: None,
        };
        let look = Look {
            grab: Arc::new(grab),
            plan,
            paint: None,
        };
        let frame = self.frame_of(spec, &look, arrived, Source::Call).await;
        Ok(frame.map(|frame| Frame {
            screen: Some(screen.size),
            ..frame
        }))
    }
}
