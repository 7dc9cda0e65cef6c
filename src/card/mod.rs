//! The failure card: the image that a caller gets in place of a frame, so that a model can read in
//! words that the screen could not be captured, and why.
//!
//! Drawing it needs nothing that can fail: glyphs are tables in the binary. If drawing or encoding
//! fails nevertheless, [`FALLBACK_PNG`] is sent. [`session`](crate::session) draws and encodes the
//! card.

mod layout;
mod text;

use crate::failure::{Failure, Stage};
use crate::frame::{Pixels, Size};

/// A 1280 × 800 card without details, for when drawing or encoding fails. A test draws the same
/// card and compares the two.
pub const FALLBACK_PNG: &[u8] = include_bytes!("fallback.png");

/// Size of [`FALLBACK_PNG`].
pub const FALLBACK_SIZE: Size = Size {
    width: 1280,
    height: 800,
};

/// Size of the smallest card: the text of a smaller one would not be legible.
pub const MIN_SIZE: Size = Size {
    width: 320,
    height: 240,
};

/// The size of the card that replaces a frame of size `wanted`.
pub fn size_for(wanted: Size) -> Size {
    Size {
        width: wanted.width.max(MIN_SIZE.width),
        height: wanted.height.max(MIN_SIZE.height),
    }
}

/// The paragraph that is cut if space is short. The message may be long, but the text must stay
/// readable that explains what the card is and what to do.
const MESSAGE: usize = 2;

/// Draws a card of `size`, which is at least [`MIN_SIZE`].
///
/// `time` and `frame_id` are printed as they are.
pub fn draw(failure: &Failure, size: Size, time: &str, frame_id: &str) -> Option<Pixels> {
    let retry = if failure.cause.retryable() {
        "Retry: yes, the same call may work later."
    } else {
        "Retry: no, first mend the cause."
    };
    layout::draw(
        size,
        "SCREEN CAPTURE FAILED",
        [
            why_not_blank(failure.stage),
            &format!(
                "Stage: {}. Reason: {}.",
                failure.stage.name(),
                failure.cause.name()
            ),
            &format!("What happened: {}.", failure.message),
            retry,
            &format!("Check: {}.", failure.cause.remedy()),
            &format!("Time: {time} Frame: {frame_id}"),
        ],
        MESSAGE,
    )
}

/// Returns the text that keeps a model from concluding from a card that the screen is blank.
fn why_not_blank(stage: Stage) -> &'static str {
    match stage {
        Stage::Paint => {
            "This is not the real screen. Do not say the screen is blank: the desktop has not finished starting."
        }
        _ => "This is not the real screen. Do not say the screen is blank: it could not be read.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        encode::{Effort, EncodeOrder, Format, Picture, encode},
        failure::Cause,
        frame::Region,
    };

    fn failure(message: &str) -> Failure {
        Failure {
            stage: Stage::Capture,
            cause: Cause::Internal,
            message: message.into(),
        }
    }

    /// Compares the fallback file with a new drawing. `UPDATE_FALLBACK=1 cargo test fallback`
    /// replaces the file after an intended change.
    #[test]
    fn the_fallback_is_what_the_code_draws() {
        let failure = failure("the card for this failure could not be drawn");
        let pixels = draw(&failure, FALLBACK_SIZE, "unknown", "none").unwrap();
        let picture = Picture::new(&pixels, Region::whole(FALLBACK_SIZE), None);
        let order = EncodeOrder {
            output: FALLBACK_SIZE,
            format: Format::Png,
            effort: Effort::Tight,
            is_alone: true,
            seed: 0,
        };
        let png = encode(&picture, order, None, |_| true).unwrap();
        if std::env::var_os("UPDATE_FALLBACK").is_some() {
            std::fs::write(
                concat!(env!("CARGO_MANIFEST_DIR"), "/src/card/fallback.png"),
                &png.bytes,
            )
            .unwrap();
        }
        assert!(
            png.bytes == FALLBACK_PNG,
            "drawing has changed: see this test's comment"
        );
    }

    #[test]
    fn any_size_and_any_message_draws() {
        for message in [
            "",
            "short",
            &"a very long story ".repeat(500),
            "\u{1f600}\n\t\u{0}",
            &"x".repeat(3000),
        ] {
            for (width, height) in [
                (320, 240),
                (321, 1000),
                (4000, 240),
                (640, 480),
                (3840, 2160),
            ] {
                let size = Size { width, height };
                let pixels = draw(&failure(message), size, "now", "id").unwrap();
                assert_eq!(pixels.size(), size);
            }
        }
    }

    #[test]
    fn a_small_request_gets_a_legible_card() {
        let size = |width, height| size_for(Size { width, height });
        assert_eq!(size(1, 1), MIN_SIZE);
        assert_eq!(
            size(1000, 10),
            Size {
                width: 1000,
                height: 240
            }
        );
        assert_eq!(
            size(1280, 800),
            Size {
                width: 1280,
                height: 800
            }
        );
    }
}
