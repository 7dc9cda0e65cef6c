//! Frames on their way to a reader: at most two wait in a connection, and a
//! reader that takes nothing for 30 s is cut off (R39).
//!
//! A reply's place is tied to its body. The transport would take a body of any
//! length at once and keep it, whether the reader reads or not; so the body is
//! handed over in pieces, which the transport asks for only while little waits
//! to be written. The place is free again when all but the last few pieces are
//! on the wire.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame};
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
        Some(Self::take(
            caller,
            tokio::time::timeout_at(until, permit).await.ok()?.ok()?,
        ))
    }

    fn take(caller: &Caller, permit: OwnedSemaphorePermit) -> Self {
        let cut = caller.cut.clone();
        // Not detached: ended by `Held`.
        let timer = tokio::spawn(async move {
            tokio::time::sleep(limits::SLOW_READER).await;
            tracing::warn!("a connection that does not read its frames is cut off");
            cut.cancel();
        });
        Self(Arc::new(Held {
            _permit: permit,
            timer: timer.abort_handle(),
        }))
    }
}

/// Bytes handed to the transport at once: some of its frames, and small beside
/// the 400 KiB that it lets wait.
const PIECE_BYTES: usize = 64 * 1024;

/// A body that comes in pieces and keeps its reply's place until it is done or
/// dropped.
#[derive(Debug)]
pub(super) struct Placed<B> {
    body: B,
    /// What of the body's present frame was not handed over yet.
    waiting: Bytes,
    place: Option<Place>,
}

impl<B: Default> Default for Placed<B> {
    fn default() -> Self {
        Self {
            body: B::default(),
            waiting: Bytes::new(),
            place: None,
        }
    }
}

/// Moves the place from the response into its body.
pub(super) fn tie<B>(mut response: http::Response<B>) -> http::Response<Placed<B>> {
    let place = response.extensions_mut().remove::<Place>();
    response.map(|body| Placed {
        body,
        waiting: Bytes::new(),
        place,
    })
}

impl<B: Body<Data = Bytes> + Unpin> Body for Placed<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        if self.waiting.is_empty() {
            match std::task::ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.waiting = data,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                end => {
                    self.place = None;
                    return Poll::Ready(end);
                }
            }
        }
        let count = self.waiting.len().min(PIECE_BYTES);
        Poll::Ready(Some(Ok(Frame::data(self.waiting.split_to(count)))))
    }

    fn is_end_stream(&self) -> bool {
        self.waiting.is_empty() && self.body.is_end_stream()
    }
}
