//! Frames on their way to a reader: at most two wait in a connection, and a
//! reader that takes nothing for 30 s is cut off (R39).
//!
//! A reply's body is finished only when HTTP/2 could hand all of it to the
//! reader's window, so a place that is tied to the body is free again when the
//! reader has really taken the frame.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::{sync::OwnedSemaphorePermit, task::AbortHandle, time::Instant};

use super::{connection::Caller, limits};

/// A reply's place. Dropped with the reply's body.
#[derive(Debug, Clone)]
pub(super) struct Place(#[expect(dead_code, reason = "held, not read")] Arc<Held>);

#[derive(Debug)]
struct Held {
    _permit: OwnedSemaphorePermit,
    timer: AbortHandle,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.timer.abort();
    }
}

impl Place {
    /// Waits for a place until `until`. `None` when the reader does not read.
    pub(super) async fn wait(caller: &Caller, until: Instant) -> Option<Self> {
        let permit = Arc::clone(&caller.replies).acquire_owned();
        let permit = tokio::time::timeout_at(until, permit).await.ok()?.ok()?;
        let cut = caller.cut.clone();
        // Not detached: ended by `Held`.
        let timer = tokio::spawn(async move {
            tokio::time::sleep(limits::SLOW_READER).await;
            tracing::warn!("a connection that does not read its frames is cut off");
            cut.cancel();
        });
        Some(Self(Arc::new(Held { _permit: permit, timer: timer.abort_handle() })))
    }
}

/// A body that keeps its reply's place until it is done or dropped.
#[derive(Debug)]
pub(super) struct Placed<B> {
    body: B,
    place: Option<Place>,
}

impl<B: Default> Default for Placed<B> {
    fn default() -> Self {
        Self { body: B::default(), place: None }
    }
}

/// Moves the place from the response into its body.
pub(super) fn tie<B>(mut response: http::Response<B>) -> http::Response<Placed<B>> {
    let place = response.extensions_mut().remove::<Place>();
    response.map(|body| Placed { body, place })
}

impl<B: Body<Data = Bytes> + Unpin> Body for Placed<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(context));
        if frame.is_none() {
            self.place = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
