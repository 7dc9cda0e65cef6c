//! Replies with images that wait to be read. At most two wait in a connection, and at most
//! 256 MiB of large images in all connections. A reader that reads nothing for 30 s is
//! disconnected (R39); a slow reader that continues to read is served.
//!
//! A reply place is the permission to have one such reply in a connection; it is tied to the
//! reply's body. The transport would accept a body of any length at once and buffer it, even
//! if the reader does not read. So the body is handed over in pieces, and the transport polls
//! for the next piece only while little data waits. The place is released when all but the
//! last few pieces are sent.
//!
//! A frame's image is not encoded into the message, which would copy it. It is inserted
//! between the parts of the encoded message.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame};
use prost::{
    DecodeError,
    encoding::{self, DecodeContext, WireType},
};
use tokio::{
    sync::{OwnedSemaphorePermit, watch},
    task::AbortHandle,
    time::Instant,
};

use crate::rpc::{limits, transport::connection::Caller, v1};

/// Maximum time that a frame waits for its reader to read the previous ones.
pub(in crate::rpc) const READING: Duration = Duration::from_millis(250);

/// A reply place, dropped with the reply's body.
#[derive(Debug, Clone)]
pub(in crate::rpc) struct ReplyPlace(#[expect(dead_code, reason = "held, not read")] Arc<HeldBody>);

#[derive(Debug)]
struct HeldBody {
    _permit: OwnedSemaphorePermit,
    _memory: Option<OwnedSemaphorePermit>,
    timer: AbortHandle,
}

impl Drop for HeldBody {
    fn drop(&mut self) {
        self.timer.abort();
    }
}

impl ReplyPlace {
    /// Acquires a place for an image that exists already. Waits at most [`READING`] for the
    /// reader to read earlier replies. Does not wait for a place for a large image, because
    /// many of those would be in memory meanwhile.
    pub(in crate::rpc) async fn soon(
        (caller, progress): (&Caller, &SendProgress),
        bytes: usize,
        until: Instant,
    ) -> Option<Self> {
        let is_large = bytes > limits::LARGE_IMAGE;
        let reading = if is_large { Duration::ZERO } else { READING };
        let until = (Instant::now() + reading).min(until);
        Self::wait((caller, progress), bytes, until).await
    }

    /// Waits until `until` for a place for an image of `bytes` bytes. Returns `None` if the
    /// reader does not read, or if the images of other readers leave no room.
    pub(in crate::rpc) async fn wait(
        (caller, progress): (&Caller, &SendProgress),
        bytes: usize,
        until: Instant,
    ) -> Option<Self> {
        let kib = u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX);
        let kib = kib.min(limits::MAX_WAITING_KIB);
        let both = async {
            // The connection's own permit is acquired first, so that a reader that does not
            // read reserves no shared memory while it waits.
            let permit = Arc::clone(&caller.replies).acquire_owned().await.ok()?;
            if bytes <= limits::LARGE_IMAGE {
                return Some((permit, None));
            }
            let room = Arc::clone(&caller.memory).acquire_many_owned(kib);
            Some((permit, Some(room.await.ok()?)))
        };
        let (permit, memory) = tokio::time::timeout_at(until, both).await.ok()??;
        Some(Self::take(caller, progress, permit, memory))
    }

    fn take(
        caller: &Caller,
        progress: &SendProgress,
        permit: OwnedSemaphorePermit,
        memory: Option<OwnedSemaphorePermit>,
    ) -> Self {
        let cut = caller.standing.cut().clone();
        let mut pieces = progress.0.subscribe();
        // The task is aborted when `HeldBody` is dropped.
        let timer = tokio::spawn(async move {
            // Each piece that the transport takes shows that the reader reads.
            while let Ok(Ok(())) = tokio::time::timeout(limits::SLOW_READER, pieces.changed()).await
            {
            }
            tracing::warn!("a connection that does not read its frames is cut off");
            cut.cancel();
        });
        Self(Arc::new(HeldBody {
            _permit: permit,
            _memory: memory,
            timer: timer.abort_handle(),
        }))
    }
}

/// Signals that a reply or a stream is being read.
#[derive(Debug, Clone)]
pub(in crate::rpc) struct SendProgress(Arc<watch::Sender<()>>);

impl Default for SendProgress {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(())))
    }
}

impl SendProgress {
    /// Signals that the transport takes a further piece.
    fn goes_on(&self) {
        self.0.send_replace(());
    }
}

/// Maximum number of bytes handed to the transport at once: several HTTP/2 frames, and little
/// compared with the 400 KiB that the transport buffers.
const PIECE_BYTES: usize = 64 * 1024;

/// The image of a reply's frame; the message is encoded without it.
#[derive(Debug, Clone)]
pub(in crate::rpc) struct ImageBody {
    bytes: Bytes,
    /// Number of the message's field that holds the frame.
    field: u32,
}

/// Number of the field `frame` in `ScreenshotResponse` and in `ActResponse`.
pub(in crate::rpc) const SCREENSHOT_FRAME: u32 = 1;
pub(in crate::rpc) const ACT_FRAME: u32 = 4;
/// Number of the field `image` in `Frame`.
const IMAGE_FIELD: u32 = 1;

impl ImageBody {
    /// Takes the image out of a frame, if it has one. The caller puts the result into the
    /// response's extensions. `field`: the number of the message's field that holds the
    /// frame.
    pub(in crate::rpc) fn of(frame: &mut v1::Frame, field: u32) -> Option<Self> {
        let bytes = std::mem::take(&mut frame.image);
        (!bytes.is_empty()).then_some(Self { bytes, field })
    }

    /// Inserts the image into an encoded message, as if it had been encoded with it. `data`
    /// begins with the five-byte prefix of gRPC ("Length-Prefixed-Message" in gRPC over
    /// HTTP/2). Returns the bytes before the image, the image, and the bytes after it.
    fn put_into(self, data: &Bytes) -> Result<[Bytes; 3], DecodeError> {
        let mut rest = data.clone();
        rest.advance(PREFIX_BYTES.min(rest.len()));
        loop {
            let before = data.len() - rest.len();
            let (field, kind) = encoding::decode_key(&mut rest)?;
            if field != self.field {
                encoding::skip_field(kind, field, &mut rest, DecodeContext::default())?;
                continue;
            }
            let length = encoding::decode_varint(&mut rest)?;
            let mut own = Vec::new();
            encoding::encode_key(IMAGE_FIELD, WireType::LengthDelimited, &mut own);
            encoding::encode_varint(self.bytes.len() as u64, &mut own);
            let more = own.len() + self.bytes.len();
            let mut head = data[..before].to_vec();
            encoding::encode_key(field, kind, &mut head);
            encoding::encode_varint(length + more as u64, &mut head);
            head.append(&mut own);
            let message = head.len() + self.bytes.len() + rest.len() - PREFIX_BYTES;
            // The message is far below 4 GiB: an image has at most 33 Mpx.
            let message = u32::try_from(message).unwrap_or(u32::MAX);
            head[1..PREFIX_BYTES].copy_from_slice(&message.to_be_bytes());
            return Ok([head.into(), self.bytes, rest]);
        }
    }
}

/// Length of gRPC's prefix of a message: the compression flag and the message's length.
const PREFIX_BYTES: usize = 5;

/// A body that is sent in pieces and holds its reply place until it is done or dropped.
#[derive(Debug)]
pub(in crate::rpc) struct PlacedReply<B> {
    body: B,
    /// The part of the body's current frame that was not handed over yet.
    waiting: VecDeque<Bytes>,
    place: Option<ReplyPlace>,
    progress: Option<SendProgress>,
    image: Option<ImageBody>,
}

impl<B: Default> Default for PlacedReply<B> {
    fn default() -> Self {
        Self {
            body: B::default(),
            waiting: VecDeque::new(),
            place: None,
            progress: None,
            image: None,
        }
    }
}

/// Moves the reply place, the progress and the image from the response's extensions to its
/// body.
pub(in crate::rpc) fn tie<B>(mut response: http::Response<B>) -> http::Response<PlacedReply<B>> {
    let place = response.extensions_mut().remove::<ReplyPlace>();
    let progress = response.extensions_mut().remove::<SendProgress>();
    let image = response.extensions_mut().remove::<ImageBody>();
    response.map(|body| PlacedReply {
        body,
        waiting: VecDeque::new(),
        place,
        progress,
        image,
    })
}

impl<B: Body<Data = Bytes> + Unpin> Body for PlacedReply<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        while self.waiting.front().is_some_and(Bytes::is_empty) {
            self.waiting.pop_front();
        }
        if self.waiting.is_empty() {
            match std::task::ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => match self.image.take() {
                        // The data is the whole message: a unary response is encoded at once.
                        Some(image) => match image.put_into(&data) {
                            Ok(parts) => self.waiting.extend(parts),
                            Err(error) => {
                                tracing::error!("a reply cannot take its image: {error}");
                                self.place = None;
                                return Poll::Ready(None);
                            }
                        },
                        None => self.waiting.push_back(data),
                    },
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                end => {
                    self.place = None;
                    return Poll::Ready(end);
                }
            }
        }
        let Some(part) = self.waiting.front_mut() else {
            return Poll::Ready(None);
        };
        let count = part.len().min(PIECE_BYTES);
        let piece = part.split_to(count);
        if let Some(progress) = &self.progress {
            progress.goes_on();
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.waiting.iter().all(Bytes::is_empty) && self.body.is_end_stream()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message;

    fn framed(message: &impl Message) -> Vec<u8> {
        let bytes = message.encode_to_vec();
        let length = u32::try_from(bytes.len()).unwrap();
        [&[0], length.to_be_bytes().as_slice(), &bytes].concat()
    }

    fn frame(image: Vec<u8>) -> v1::Frame {
        v1::Frame {
            image: image.into(),
            width: 640,
            frame_id: "life-1".into(),
            ..v1::Frame::default()
        }
    }

    #[test]
    fn an_image_that_is_put_in_is_as_if_encoded() {
        for bytes in [1, 127, 128, 20_000, 3_000_000] {
            let image: Vec<u8> = (0..bytes).map(|i: u32| i.to_le_bytes()[0]).collect();
            let whole = v1::ScreenshotResponse {
                frame: Some(frame(image.clone())),
            };
            let mut without = whole.clone();
            let taken = ImageBody::of(without.frame.as_mut().unwrap(), SCREENSHOT_FRAME).unwrap();
            let parts = taken.put_into(&framed(&without).into()).unwrap();
            let put = v1::ScreenshotResponse::decode(&parts.concat()[PREFIX_BYTES..]).unwrap();
            assert_eq!(put, whole);
            let length = u32::from_be_bytes(parts[0][1..5].try_into().unwrap());
            assert_eq!(length as usize + PREFIX_BYTES, parts.concat().len());
        }
    }

    #[test]
    fn the_frame_is_found_behind_other_fields() {
        let whole = v1::ActResponse {
            results: vec![v1::ActionResult::default(); 300],
            frame: Some(frame(vec![7; 1000])),
            ..v1::ActResponse::default()
        };
        let mut without = whole.clone();
        let taken = ImageBody::of(without.frame.as_mut().unwrap(), ACT_FRAME).unwrap();
        let parts = taken.put_into(&framed(&without).into()).unwrap();
        let put = v1::ActResponse::decode(&parts.concat()[PREFIX_BYTES..]).unwrap();
        assert_eq!(put, whole);
        // A message without a frame has no position for the image.
        let none = ImageBody {
            bytes: Bytes::new(),
            field: ACT_FRAME,
        };
        let empty = framed(&v1::ActResponse::default()).into();
        assert!(none.put_into(&empty).is_err());
    }
}
