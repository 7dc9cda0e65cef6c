//! Sends the screen to a page.

use std::time::Duration;

use tokio_tungstenite::tungstenite::Message;

use super::{
    socket::{Conversation, End, GONE},
    wire::{self, ImageKind, ToPage},
};
use crate::{
    encode::Format,
    session::{FrameKind, ImageSpec, Scale, Space, Spec, StreamUpdate, Watch},
};

/// Maximum number of updates a second.
const FPS: u32 = 30;

impl Conversation<'_> {
    /// Sends the screen as it changes. An update is made when the page has drawn all but the last one, so
    /// that the page draws while the next one is made, and never gets an old screen.
    pub(super) async fn show(&self) -> End {
        let spec = Spec {
            image: ImageSpec {
                format: Format::Png,
                region: None,
                scale: Scale::Native,
                cursor: false,
                max_image_bytes: None,
                space: Space::Screen,
                window: None,
            },
            if_changed_since: None,
            unproved: true,
        };
        let every = Duration::from_secs(1) / FPS;
        let Ok(mut watch) = self.session.capture.watch(spec, every, true) else {
            return (1011, "the screen cannot be shown");
        };
        loop {
            // It is given back by the page.
            match self.updates.acquire().await {
                Ok(permit) => permit.forget(),
                Err(_) => return (1011, "a defect in deskd"),
            }
            let Some(update) = self.next(&mut watch).await else {
                return (1011, "the screen cannot be shown");
            };
            if !self.send(&update).await {
                return (GONE, "");
            }
        }
    }

    /// Returns the next update that has something new; `None` if the screen cannot be shown.
    async fn next(&self, watch: &mut Watch) -> Option<StreamUpdate> {
        loop {
            watch.stir().await;
            let found = match watch.look().await {
                Ok(Some(found)) => found,
                Ok(None) => continue,
                Err(_) => return None,
            };
            if let Some(update) = watch.tell(found) {
                return Some(update);
            }
        }
    }

    async fn send(&self, update: &StreamUpdate) -> bool {
        let frame = &update.frame;
        let image = |kind| wire::image(kind, (0, 0), frame.size, &frame.image);
        let mut messages = Vec::new();
        match &frame.kind {
            FrameKind::Card(failure) => {
                self.say(&ToPage::Card {
                    reason: failure.cause.name(),
                    message: &failure.message,
                })
                .await;
                messages.push(image(ImageKind::Card));
            }
            FrameKind::Screen if update.changed.is_empty() => {
                messages.push(image(ImageKind::Screen));
            }
            FrameKind::Screen => {
                let parts = update.changed.iter();
                messages.extend(parts.map(|(region, bytes)| wire::part(*region, bytes)));
            }
            FrameKind::Unchanged => {}
        }
        for message in messages {
            if self.out.send(Message::Binary(message)).await.is_err() {
                return false;
            }
        }
        self.say(&ToPage::End).await;
        true
    }
}
