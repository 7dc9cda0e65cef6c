//! Implements the gRPC service `Clipboard`.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Request, Response, Status, Streaming};

use crate::rpc::{
    limits::MAX_CLIPBOARD_TRANSFERS,
    messages::status::{self, Reason},
    recorder::Recorder,
    transport::{deadline::Deadline, lease},
    v1::{self, clipboard_server::Clipboard},
};
use crate::{
    failure::{Cause, Failure},
    session::{CursorFailure, LeaseKey, Session},
    x11::{ClipboardItem, ClipboardRead, MAX_CONTENT, SelectionName},
};

/// Default deadline of each call.
const DEADLINE: Duration = Duration::from_secs(10);
/// Maximum size of a piece that is sent.
const PIECE: usize = 256 << 10;
/// Maximum bytes of the name of a format.
const MAX_NAME: usize = 256;
/// Maximum number of formats that an error names.
const MAX_SHOWN: usize = 16;
/// Maximum number of formats of one write.
const MAX_FORMATS: usize = 8;
/// Maximum time, and maximum bytes, for which the rest of a refused write is read.
const REST: Duration = Duration::from_secs(1);
const MAX_REST: usize = 4 * MAX_CONTENT;

/// The pieces of a write.
type WritePieces = Streaming<v1::WriteClipboardRequest>;

/// Serves `Clipboard` calls with a session.
#[derive(Debug, Clone)]
pub(in crate::rpc) struct ClipboardService {
    session: Session,
    recorder: Arc<Recorder>,
    read_only: bool,
    /// Limits the content in memory.
    transfers: Arc<Semaphore>,
}

impl ClipboardService {
    pub(in crate::rpc) fn new(session: Session, recorder: Arc<Recorder>, read_only: bool) -> Self {
        Self {
            session,
            recorder,
            read_only,
            transfers: Arc::new(Semaphore::new(MAX_CLIPBOARD_TRANSFERS)),
        }
    }

    /// Receives content and replaces that of the selection. Returns its number of bytes.
    async fn write(
        &self,
        pieces: &mut WritePieces,
        lease: Result<Option<LeaseKey>, Status>,
        deadline: Deadline,
    ) -> Result<usize, Status> {
        if self.read_only {
            return Err(status::read_only("WriteClipboard"));
        }
        let lease = lease?;
        self.session.control.check(lease)?;
        let _room = self.room(deadline).await?;
        let receive = async {
            let mut incoming = Incoming::default();
            while let Some(piece) = pieces.message().await? {
                incoming.take(piece)?;
            }
            incoming.finish()
        };
        let received = tokio::time::timeout_at(deadline.reply_by, receive).await;
        let (selection, items, total) = received.unwrap_or_else(|_| {
            let message = "the content was not sent in time".to_owned();
            Err(status::deadline(Reason::Deadline, message))
        })?;
        // A person may have taken control while the content was sent.
        self.session.control.check(lease)?;
        let clipboard = &self.session.clipboard;
        let written = clipboard.write(selection, items, deadline.reply_by).await;
        written.map_err(failed)?;
        Ok(total)
    }

    /// Waits for room in memory.
    async fn room(&self, deadline: Deadline) -> Result<OwnedSemaphorePermit, Status> {
        let permit = Arc::clone(&self.transfers).acquire_owned();
        match tokio::time::timeout_at(deadline.reply_by, permit).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => {
                let why = "other calls still transfer the content of the clipboard";
                Err(status::exhausted(Reason::QueueFull, why.into()))
            }
        }
    }
}

fn selection(value: i32) -> Result<SelectionName, Status> {
    match v1::ClipboardSelection::try_from(value) {
        Ok(v1::ClipboardSelection::Unspecified | v1::ClipboardSelection::Clipboard) => {
            Ok(SelectionName::Clipboard)
        }
        Ok(v1::ClipboardSelection::Primary) => Ok(SelectionName::Primary),
        Err(_) => {
            let why = format!("{value} is no selection");
            Err(status::invalid_field("selection", &why))
        }
    }
}

fn checked_format(format: &str) -> Result<(), Status> {
    let is_printable = format
        .bytes()
        .all(|byte| byte.is_ascii_graphic() || byte == b' ');
    if format.len() > MAX_NAME || !is_printable {
        let why = format!("must be at most {MAX_NAME} printable ASCII characters");
        return Err(status::invalid_field("format", &why));
    }
    Ok(())
}

fn failed(failure: Failure) -> Status {
    match failure.cause {
        // Another attempt would wait for the same program.
        Cause::ProgramUnresponsive => {
            status::deadline(Reason::ProgramUnresponsive, failure.message)
        }
        _ => CursorFailure(failure).into(),
    }
}

/// The content, in the order in which its formats were named.
#[derive(Default)]
struct Incoming {
    selection: Option<SelectionName>,
    items: Vec<(String, BytesMut)>,
    total: usize,
}

impl Incoming {
    fn take(&mut self, piece: v1::WriteClipboardRequest) -> Result<(), Status> {
        let is_first = self.selection.is_none();
        if is_first {
            self.selection = Some(selection(piece.selection)?);
        }
        if is_first || !piece.format.is_empty() {
            checked_format(&piece.format)?;
            if self.items.iter().any(|(format, _)| *format == piece.format) {
                let why = "names a format for the second time";
                return Err(status::invalid_field("format", why));
            }
            if self.items.len() == MAX_FORMATS {
                return Err(status::limit("format", "has too many formats", MAX_FORMATS));
            }
            self.items.push((piece.format, BytesMut::new()));
        }
        self.total += piece.data.len();
        if self.total > MAX_CONTENT {
            return Err(status::limit("data", "is too long", MAX_CONTENT));
        }
        if let Some((_, data)) = self.items.last_mut() {
            data.extend_from_slice(&piece.data);
        }
        Ok(())
    }

    fn finish(self) -> Result<(SelectionName, Vec<ClipboardItem>, usize), Status> {
        let Some(selection) = self.selection else {
            return Err(status::invalid_field(
                "data",
                "must be sent in at least one message",
            ));
        };
        let items: Vec<ClipboardItem> = self
            .items
            .into_iter()
            .map(|(format, data)| ClipboardItem {
                format,
                data: data.freeze(),
            })
            .collect();
        let text = items.iter().find(|item| item.format.is_empty());
        if text.is_some_and(|text| std::str::from_utf8(&text.data).is_err()) {
            let why = "must be UTF-8 if no format is named";
            return Err(status::invalid_field("data", why));
        }
        Ok((selection, items, self.total))
    }
}

#[tonic::async_trait]
impl Clipboard for ClipboardService {
    async fn list_formats(
        &self,
        request: Request<v1::ListFormatsRequest>,
    ) -> Result<Response<v1::ListFormatsResponse>, Status> {
        let deadline = Deadline::of(request.metadata(), DEADLINE);
        let selection = selection(request.get_ref().selection)?;
        let formats = self
            .session
            .clipboard
            .formats(selection, deadline.reply_by)
            .await;
        Ok(Response::new(v1::ListFormatsResponse {
            formats: formats.map_err(failed)?,
        }))
    }

    type ReadClipboardStream =
        Pin<Box<dyn Stream<Item = Result<v1::ReadClipboardResponse, Status>> + Send>>;

    async fn read_clipboard(
        &self,
        request: Request<v1::ReadClipboardRequest>,
    ) -> Result<Response<Self::ReadClipboardStream>, Status> {
        let deadline = Deadline::of(request.metadata(), DEADLINE);
        let request = request.into_inner();
        let selection = selection(request.selection)?;
        checked_format(&request.format)?;
        let room = self.room(deadline).await?;
        let clipboard = &self.session.clipboard;
        let read = clipboard
            .read(selection, &request.format, deadline.reply_by)
            .await;
        let data = match read.map_err(failed)? {
            ClipboardRead::Content(item) => item.data,
            ClipboardRead::NotOffered(formats) if formats.is_empty() => {
                let message = "the clipboard is empty".to_owned();
                return Err(status::failed_precondition(
                    Reason::FormatNotOffered,
                    message,
                ));
            }
            ClipboardRead::NotOffered(formats) => {
                let what = match request.format.as_str() {
                    "" => "no text".to_owned(),
                    format => format!("no {format}"),
                };
                let shown = &formats[..formats.len().min(MAX_SHOWN)];
                let more = match formats.len() - shown.len() {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                };
                let shown = shown.join(", ");
                let message = format!("the clipboard has {what}; it has {shown}{more}");
                return Err(status::failed_precondition(
                    Reason::FormatNotOffered,
                    message,
                ));
            }
            ClipboardRead::TooLarge => {
                let message = format!("the clipboard has more than {MAX_CONTENT} bytes");
                return Err(status::failed_precondition(Reason::TooLarge, message));
            }
        };
        let total = data.len() as u64;
        let pieces = tokio_stream::iter(pieces(data)).map(move |data| {
            // The room is given back when the last piece was sent.
            let _ = &room;
            Ok(v1::ReadClipboardResponse { data, total })
        });
        Ok(Response::new(Box::pin(pieces)))
    }

    async fn write_clipboard(
        &self,
        request: Request<WritePieces>,
    ) -> Result<Response<v1::WriteClipboardResponse>, Status> {
        let deadline = Deadline::of(request.metadata(), DEADLINE);
        let lease = lease::of(request.metadata());
        let mut pieces = request.into_inner();
        let written = AtomicU64::new(0);
        let write = async {
            let result = self.write(&mut pieces, lease, deadline).await;
            if result.is_err() {
                read_rest(&mut pieces, deadline).await;
            }
            let total = result? as u64;
            written.store(total, Ordering::Relaxed);
            Ok(Response::new(v1::WriteClipboardResponse { total }))
        };
        let logged = || {
            let bytes = written.load(Ordering::Relaxed);
            Some(v1::log_call::Request::ClipboardBytes(bytes))
        };
        self.recorder.logged("WriteClipboard", logged, write).await
    }
}

/// Reads the rest of a write that is refused, and drops it. A client that still sends while the answer
/// arrives may report its own failed write in place of the answer, for example grpcio with asyncio
/// (grpc issue 36066).
async fn read_rest(pieces: &mut WritePieces, deadline: Deadline) {
    let rest = async {
        let mut total = 0;
        while let Ok(Some(piece)) = pieces.message().await
            && total < MAX_REST
        {
            total += piece.data.len();
        }
    };
    let end = deadline.reply_by.min(Instant::now() + REST);
    let _ = tokio::time::timeout_at(end, rest).await;
}

/// Divides the content; without content, there is one empty piece.
fn pieces(data: Bytes) -> Vec<Bytes> {
    let count = data.len().div_ceil(PIECE).max(1);
    let piece = |number: usize| {
        let start = number * PIECE;
        data.slice(start..(start + PIECE).min(data.len()))
    };
    (0..count).map(piece).collect()
}
