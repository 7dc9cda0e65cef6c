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
    x11::{Grab, LinkState, ScreenInfo, WindowPicture},
};

/// Numbers of captures of windows begin here, so that none is taken for one of the screen.
const FIRST: u64 = 1 << 63;

/// A window that the screen shows whole.
#[derive(Debug)]
pub(in crate::session) struct ShownWindow {
    pub(in crate::session) xid: u32,
    /// The part of the screen that shows it.
    pub(in crate::session) area: Region,
    /// Parts of the screen that do not belong to it. They are black in its picture.
    pub(in crate::session) hidden: Arc<[Region]>,
}

impl Capture {
    /// Waits until the desktop is painted.
    pub(in crate::session) async fn painted(&self) {
        if !self.is_proved(&self.link()) {
            self.until_painted(&Awaited::default()).await;
        }
    }

    /// Returns the frame of a window's picture, which was read apart from the screen.
    pub(in crate::session) async fn window_frame(
        &self,
        spec: &Spec,
        picture: WindowPicture,
        arrived: Instant,
    ) -> Result<Result<Frame, Failure>, Refusal> {
        let size = picture.pixels.size();
        let screen = match self.screen() {
            Ok(screen) => screen,
            Err(failure) => return Ok(Err(failure)),
        };
        let place = WindowPlace {
            xid: picture.xid,
            x: picture.at.0,
            y: picture.at.1,
            size: (picture.frame.width, picture.frame.height),
            frame: (picture.frame.x, picture.frame.y),
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
            arrangement: None,
        };
        let area = Region::whole(size);
        let grab = Arc::new(grab);
        self.frame_in(spec, (grab, area, Arc::default()), place, arrived)
            .await
    }

    /// Returns the frame of a window whose pixels are a part of the screen: `area`.
    pub(in crate::session) async fn window_on_screen(
        &self,
        spec: &Spec,
        grab: Arc<Grab>,
        shown: ShownWindow,
        arrived: Instant,
    ) -> Result<Result<Frame, Failure>, Refusal> {
        let ShownWindow { xid, area, hidden } = shown;
        let at = |pixel: u32| i32::try_from(pixel).unwrap_or(i32::MAX);
        let place = WindowPlace {
            xid,
            // The picture is that of the screen.
            x: 0,
            y: 0,
            size: (area.size.width, area.size.height),
            frame: (at(area.x), at(area.y)),
        };
        self.frame_in(spec, (grab, area, hidden), place, arrived)
            .await
    }

    /// Returns the frame of a window that `area` of the capture shows. The requested part is in pixels
    /// of that area.
    async fn frame_in(
        &self,
        spec: &Spec,
        (grab, area, hidden): (Arc<Grab>, Region, Arc<[Region]>),
        place: WindowPlace,
        arrived: Instant,
    ) -> Result<Result<Frame, Failure>, Refusal> {
        let image = &spec.image;
        let region = match image.region {
            None => area,
            Some(asked) => {
                let outside = || Refusal::OutOfScreen {
                    asked,
                    within: format!("the window, whose picture is {}", area.size),
                };
                let at = |pixel: i32| u32::try_from(pixel).map_err(|_| outside());
                let part = Region {
                    x: at(asked.x)?,
                    y: at(asked.y)?,
                    size: asked.size,
                };
                if !part.fits(area.size) {
                    return Err(outside());
                }
                Region {
                    x: area.x + part.x,
                    y: area.y + part.y,
                    size: part.size,
                }
            }
        };
        let output = image.scale.of(region.size);
        within_limit(output)?;
        let screen = match self.screen() {
            Ok(screen) => screen,
            Err(failure) => return Ok(Err(failure)),
        };
        let plan = ImagePlan {
            region,
            output,
            format: image.format,
            cursor: false,
            effort: Effort::Fast,
            window: Some(place),
            hidden,
        };
        let control_epoch = self.leases.epoch_at(grab.started);
        let look = Look {
            grab,
            plan,
            paint: None,
            control_epoch,
        };
        let frame = self.frame_of(spec, &look, arrived, Source::Call).await;
        Ok(frame.map(|frame| Frame {
            screen: Some(screen.size),
            ..frame
        }))
    }

    fn screen(&self) -> Result<ScreenInfo, Failure> {
        match self.link().state {
            LinkState::Up(screen) => Ok(screen),
            LinkState::Down(failure) => Err(failure),
            LinkState::Connecting => Err(self.not_yet_connected()),
        }
    }
}
