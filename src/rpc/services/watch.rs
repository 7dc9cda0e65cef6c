//! The stream of `Watch`. A task captures the screen and hands over a frame when the reader
//! can receive one. Each stream has at most one unread frame (R39): the next one is made
//! after the transport has taken the last, so that it shows the latest screen.

use std::{
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_stream::Stream;
use tonic::Status;

use crate::rpc::{
    messages::{convert, status},
    transport::{
        auth,
        auth::Credential,
        connection::Caller,
        deadline,
        replies::{READING, ReplyPlace, SendProgress},
    },
    v1::{self, WatchRequest, WatchResponse, watch_response::Update},
};
use crate::session::{Refusal, Scale, Session, Spec, StreamUpdate, Watch};

/// Frames per second: the default and the maximum.
const DEFAULT_FPS: u32 = 10;
pub(in crate::rpc) const MAX_FPS: u32 = 60;

/// Permits held while a frame is being sent.
#[derive(Debug)]
struct HeldPlace {
    _turn: OwnedSemaphorePermit,
    _place: Option<ReplyPlace>,
}

type StreamItem = Result<(WatchResponse, HeldPlace), Status>;

/// The stream of responses. A response counts as being sent until the next one is polled.
#[derive(Debug)]
pub(in crate::rpc) struct FrameStream {
    items: mpsc::Receiver<StreamItem>,
    on_its_way: Option<HeldPlace>,
    /// Signals the reader's progress.
    pub(in crate::rpc) progress: SendProgress,
}

impl Stream for FrameStream {
    type Item = Result<WatchResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        // The transport polls again after it has taken the previous response.
        self.on_its_way = None;
        let item = std::task::ready!(self.items.poll_recv(context));
        Poll::Ready(item.map(|item| {
            item.map(|(response, held)| {
                self.on_its_way = Some(held);
                response
            })
        }))
    }
}

/// Validates a request and opens its stream.
pub(in crate::rpc) fn open(
    session: &Session,
    request: &WatchRequest,
    (caller, credential): (Option<Caller>, Option<Credential>),
    until: Option<tokio::time::Instant>,
) -> Result<FrameStream, Status> {
    let spec = Spec {
        image: convert::image("capture", request.capture.as_ref())?,
        if_changed_since: convert::id(&request.if_changed_since),
        unproved: request.unproved,
    };
    if spec.image.window.is_some() {
        let why = "cannot be streamed: take screenshots of it";
        return Err(status::invalid_field("capture.window", why));
    }
    let fps = request.max_fps.unwrap_or(DEFAULT_FPS);
    if !(1..=MAX_FPS).contains(&fps) {
        let why = format!("must be 1 to {MAX_FPS}, and is {fps}");
        return Err(status::invalid_field("max_fps", &why));
    }
    if request.changed_regions && spec.image.scale != Scale::Native {
        let why = "cannot have another size with changed_regions, which are in screen pixels";
        return Err(status::invalid_field("capture", why));
    }
    let every = Duration::from_secs(1) / fps;
    let watch = session
        .capture
        .watch(spec, every, request.changed_regions)?;
    let (sender, items) = mpsc::channel(1);
    let stopping = session.stopping();
    let progress = SendProgress::default();
    let reader = progress.clone();
    tokio::spawn(async move {
        tokio::select! {
            () = run(watch, caller.as_ref().map(|caller| (caller, &reader)), &sender) => {}
            status = auth::revoked(credential.as_ref()) => {
                drop(sender.try_send(Err(status)));
            }
            () = sender.closed() => {}
            () = stopping.cancelled() => {
                // If the channel is full, the status is dropped; the end of the connection
                // informs the reader.
                drop(sender.try_send(Err(status::unavailable(&crate::failure::Failure::stopping()))));
            }
            () = deadline::until(until) => {
                let late = status::deadline(
                    v1::Reason::Deadline,
                    "the stream's deadline came: watch again".into(),
                );
                drop(sender.try_send(Err(late)));
            }
        }
    });
    Ok(FrameStream {
        items,
        on_its_way: None,
        progress,
    })
}

/// Captures and sends frames until the stream ends.
async fn run(
    mut watch: Watch,
    caller: Option<(&Caller, &SendProgress)>,
    sender: &mpsc::Sender<StreamItem>,
) {
    let turns = Arc::new(Semaphore::new(1));
    // Expected size of the next image; the first may have the maximum size.
    let mut bytes = watch.most_bytes();
    loop {
        watch.stir().await;
        let turn = tokio::select! {
            biased;
            turn = Arc::clone(&turns).acquire_owned() => turn,
            never = watch.pass() => match never {},
        };
        let Ok(turn) = turn else { return };
        let item = match look(&mut watch, caller, &mut bytes).await {
            Ok(None) => continue,
            Ok(Some((step, place))) => {
                let held = HeldPlace {
                    _turn: turn,
                    _place: place,
                };
                Ok((response(step), held))
            }
            Err(refusal) => Err(refusal.into()),
        };
        let is_last = item.is_err();
        if sender.send(item).await.is_err() || is_last {
            return;
        }
    }
}

/// Returns what is new to the reader, with a reply place for about `bytes`. A capture that
/// takes longer than [`READING`] gives up its place, so that a stream on a hung display does
/// not delay the failure cards of other calls on the connection.
async fn look(
    watch: &mut Watch,
    caller: Option<(&Caller, &SendProgress)>,
    bytes: &mut usize,
) -> Result<Option<(StreamUpdate, Option<ReplyPlace>)>, Refusal> {
    loop {
        let mut place = None;
        if let Some(caller) = caller {
            place = tokio::select! {
                biased;
                place = ReplyPlace::wait(caller, *bytes, far()) => place,
                never = watch.pass() => match never {},
            };
        }
        let found = {
            let mut look = pin!(watch.look());
            match tokio::time::timeout(READING, &mut look).await {
                Ok(found) => found?,
                Err(_) => {
                    place = None;
                    look.await?
                }
            }
        };
        let Some(found) = found else { return Ok(None) };
        *bytes = found.bytes();
        if let Some(caller) = caller.filter(|_| place.is_none()) {
            place = ReplyPlace::soon(caller, *bytes, far()).await;
            if place.is_none() {
                // The reader does not read; the screen is captured again when it does.
                continue;
            }
        }
        return Ok(watch.tell(found).map(|step| (step, place)));
    }
}

/// Returns a deadline that is never reached: a reader that reads nothing is disconnected
/// earlier.
fn far() -> tokio::time::Instant {
    tokio::time::Instant::now() + deadline::LONGEST
}

fn response(step: StreamUpdate) -> WatchResponse {
    let StreamUpdate {
        frame,
        changed,
        skipped,
    } = step;
    let changed = changed
        .into_iter()
        .map(|(region, image)| v1::ChangedRegion {
            region: Some(convert::wire_region(region)),
            image,
        });
    let (frame, changed): (_, Vec<_>) = (convert::frame(frame), changed.collect());
    let update = if changed.is_empty() {
        Update::Frame(frame)
    } else {
        Update::Regions(v1::RegionUpdate {
            frame: Some(frame),
            changed,
        })
    };
    WatchResponse {
        update: Some(update),
        skipped,
    }
}
