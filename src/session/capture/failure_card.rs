//! Draws the failure card that is returned instead of a frame.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use tokio::time::Instant;

use super::{
    Capture,
    frames::Source,
    picture::{Frame, FrameKind, ImageSpec, Timings},
    screenshot::within_limit,
    space::Resolved,
};
use crate::{card, encode::Format, failure::Failure, x11::LinkState};

impl Capture {
    /// Draws and encodes a failure card. Never fails: a built-in card is the fallback.
    pub(super) async fn card(
        &self,
        image: &ImageSpec,
        space: &Resolved,
        failure: Failure,
        arrived: Instant,
    ) -> Frame {
        let link = self.link();
        let screen = link.last_screen.as_ref();
        let known = screen.map(|screen| screen.size);
        let whole = space.whole(known.unwrap_or(self.configured)).size;
        let region = image.region.map(|region| region.size);
        // The region is not validated against the screen yet, so its size may exceed the
        // limits.
        let region = region.filter(|size| within_limit(*size).is_ok());
        let asked = image.scale.of(region.unwrap_or(whole));
        let size = card::size_for(asked);
        let (time, id) = (SystemTime::now(), self.frames().issue());
        let began = Instant::now();

        let printed = humantime::format_rfc3339_seconds(time).to_string();
        let pixels = {
            let (failure, id) = (failure.clone(), id.clone());
            let draw = move || card::draw(&failure, size, &printed, &id);
            tokio::task::spawn_blocking(draw).await.ok().flatten()
        };
        let encoded = match pixels {
            Some(pixels) => self.encodings.encode_card(pixels, image.format).await.ok(),
            None => None,
        };
        let (bytes, format, size, stride) = match encoded {
            Some(encoded) => (encoded.bytes, image.format, encoded.size, encoded.stride),
            None => (
                Bytes::from_static(card::FALLBACK_PNG),
                Format::Png,
                card::FALLBACK_SIZE,
                0,
            ),
        };
        let up = matches!(link.state, LinkState::Up(_));
        Frame {
            kind: FrameKind::Card(failure),
            image: bytes,
            format,
            size,
            stride,
            region: None,
            origin: (0, 0),
            screen: known,
            id,
            generation: screen.filter(|_| up).map(|screen| screen.generation),
            geometry_epoch: screen
                .filter(|_| up)
                .map_or(0, |screen| screen.geometry_epoch),
            control_epoch: self.leases.epoch(),
            time,
            cursor: None,
            mode: None,
            paint: self
                .paint
                .known(self.paint.profile(), false)
                .map(|known| known.evidence),
            timings: Timings {
                wait: began - arrived,
                capture: Duration::ZERO,
                encode: began.elapsed(),
            },
        }
    }

    /// Logs that a failure card is returned instead of a frame, and records its frame id.
    pub(super) fn answer_with(&self, card: Frame, source: Source) -> Frame {
        if let FrameKind::Card(failure) = &card.kind {
            tracing::warn!(
                frame = card.id,
                stage = failure.stage.name(),
                reason = failure.cause.name(),
                "answered with a failure card: {}",
                failure.message
            );
        }
        self.frames().remember(source, &card.id, None);
        self.report_card(source, &card);
        card
    }
}
