//! Reports the frames that callers receive, for a log.

use std::sync::Arc;

use super::{Capture, frames::Source, picture::Frame, screenshot::Look};
use crate::{encode::Effort, x11::Grab};

/// Receives the frames of calls. Streams are not reported.
pub trait FrameObserver: std::fmt::Debug + Send + Sync {
    /// Whether frames are to be reported now.
    fn observes(&self) -> bool;
    /// A caller receives this frame.
    fn frame(&self, seen: SeenFrame);
}

/// A frame that a caller receives.
#[derive(Debug)]
pub struct SeenFrame {
    /// The frame. It has its image only if that is not a part of the screen.
    pub frame: Frame,
    /// Whether the image shows the pointer.
    pub pointer: bool,
    /// How much work was spent on the size of the image.
    pub effort: Effort,
    /// The capture of the screen; `None` for a failure card and the picture of a window.
    pub grab: Option<Arc<Grab>>,
}

impl Capture {
    /// Sets the observer of frames. Only the first one is used.
    pub fn observe(&self, observer: Arc<dyn FrameObserver>) {
        drop(self.observer.set(observer));
    }

    fn observer(&self, source: Source) -> Option<&Arc<dyn FrameObserver>> {
        let observer = self.observer.get().filter(|_| source == Source::Call);
        observer.filter(|observer| observer.observes())
    }

    /// Reports a frame of the screen or of a window.
    pub(super) fn report_frame(&self, source: Source, frame: &Frame, look: &Look, effort: Effort) {
        let Some(observer) = self.observer(source) else {
            return;
        };
        let is_window = look.plan.window.is_some();
        let image = match is_window {
            true => frame.image.clone(),
            false => bytes::Bytes::new(),
        };
        observer.frame(SeenFrame {
            frame: Frame {
                image,
                ..frame.clone()
            },
            pointer: look.plan.cursor,
            effort,
            grab: (!is_window).then(|| Arc::clone(&look.grab)),
        });
    }

    /// Reports a failure card.
    pub(super) fn report_card(&self, source: Source, card: &Frame) {
        if let Some(observer) = self.observer(source) {
            observer.frame(SeenFrame {
                frame: Frame {
                    image: bytes::Bytes::new(),
                    ..card.clone()
                },
                pointer: false,
                effort: Effort::Fast,
                grab: None,
            });
        }
    }
}
