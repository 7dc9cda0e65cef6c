//! Streams of replies: each has a task of its own, and ends for the same reasons.

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Status};

use super::{
    auth::{self, Credential},
    deadline::{self, Deadline},
};
use crate::failure::Failure;
use crate::rpc::messages::status::{self, Reason};

/// Items of a stream, on their way to the reader.
pub(in crate::rpc) type ItemSender<T> = mpsc::Sender<Result<T, Status>>;

/// Runs `content`, which sends the items of a stream. The stream ends with `content`. It also ends when
/// the reader has gone, and with a status at the call's deadline, when its token is revoked and when
/// the daemon stops. `waiting`: maximum number of items that wait for the reader.
///
/// If the reader has not read the last items, it does not get that status.
pub(in crate::rpc) fn stream<R, T, F>(
    request: &Request<R>,
    stopping: CancellationToken,
    waiting: usize,
    content: impl FnOnce(ItemSender<T>) -> F,
) -> ReceiverStream<Result<T, Status>>
where
    T: Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let until = Deadline::of_stream(request.metadata());
    let credential = request.extensions().get::<Credential>().cloned();
    let (sender, items) = mpsc::channel(waiting);
    let content = content(sender.clone());
    tokio::spawn(async move {
        let status = tokio::select! {
            () = content => return,
            () = sender.closed() => return,
            status = auth::revoked(credential.as_ref()) => status,
            () = deadline::until(until) => {
                let late = "the stream's deadline came: call again for more";
                status::deadline(Reason::Deadline, late.into())
            }
            () = stopping.cancelled() => status::unavailable(&Failure::stopping()),
        };
        drop(sender.try_send(Err(status)));
    });
    ReceiverStream::new(items)
}
