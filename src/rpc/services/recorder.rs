//! Implements the gRPC service `Recorder`.

use std::{
    io::{self, Read as _, Seek as _, SeekFrom},
    sync::Arc,
    time::Duration,
};

use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use crate::rpc::{
    messages::{limited, status, status::Reason},
    recorder::{Asked, Recorder, RecorderError},
    transport::stream::{ItemSender, stream},
    v1,
};
use crate::{log::folder::LogEntry, session::Session};

/// Maximum length of a name.
const MAX_NAME: usize = 48;
/// Minimum size of a log in bytes.
const LEAST: u64 = 1 << 20;
/// Limits of the duration of a log.
const DURATION: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(24 * 3600);
/// Size of a piece that is sent.
const PIECE: usize = 256 << 10;

/// Serves `Recorder` calls.
#[derive(Debug, Clone)]
pub(in crate::rpc) struct RecorderService {
    pub(in crate::rpc) session: Session,
    pub(in crate::rpc) recorder: Arc<Recorder>,
}

#[tonic::async_trait]
impl v1::recorder_server::Recorder for RecorderService {
    async fn start_recording(
        &self,
        request: Request<v1::StartRecordingRequest>,
    ) -> Result<Response<v1::StartRecordingResponse>, Status> {
        let request = request.into_inner();
        let recording = self.recorder.start(asked(request)?).await?;
        Ok(Response::new(v1::StartRecordingResponse {
            recording: Some(recording),
        }))
    }

    async fn stop_recording(
        &self,
        request: Request<v1::StopRecordingRequest>,
    ) -> Result<Response<v1::StopRecordingResponse>, Status> {
        let id = id(&request.get_ref().recording_id)?;
        let recording = self.recorder.stop(id).await?;
        Ok(Response::new(v1::StopRecordingResponse {
            recording: Some(recording),
        }))
    }

    async fn list_recordings(
        &self,
        _: Request<v1::ListRecordingsRequest>,
    ) -> Result<Response<v1::ListRecordingsResponse>, Status> {
        let recordings = self.recorder.list().await?;
        Ok(Response::new(v1::ListRecordingsResponse { recordings }))
    }

    type FetchRecordingStream = ReceiverStream<Result<v1::FetchRecordingResponse, Status>>;

    async fn fetch_recording(
        &self,
        request: Request<v1::FetchRecordingRequest>,
    ) -> Result<Response<Self::FetchRecordingStream>, Status> {
        let asked = request.get_ref();
        let id = id(&asked.recording_id)?;
        if i64::try_from(asked.offset).is_err() {
            let why = "is beyond the end of any file";
            return Err(status::invalid_field("offset", why));
        }
        let file = self.recorder.open(id).await?;
        let (recorder, offset) = (Arc::clone(&self.recorder), asked.offset);
        let pieces = async move |sender: ItemSender<v1::FetchRecordingResponse>| {
            if let Err(status) = send(&recorder, file, offset, &sender).await {
                // Without it, the stream would end as if it were complete.
                drop(sender.send(Err(status)).await);
            }
        };
        let stopping = self.session.stopping();
        Ok(Response::new(stream(&request, stopping, 1, pieces)))
    }
}

/// Sends the file from `offset`, piece by piece.
async fn send(
    recorder: &Recorder,
    (mut file, entry): (std::fs::File, LogEntry),
    mut offset: u64,
    sender: &ItemSender<v1::FetchRecordingResponse>,
) -> Result<(), Status> {
    loop {
        // The state is read before the piece: then a log that has ended is sent to its end.
        let state = recorder.summary(&entry);
        // What is after the last whole record may be cut off again.
        let most = state.bytes.saturating_sub(offset).min(PIECE as u64);
        let read = move || {
            let mut piece = Vec::new();
            file.seek(SeekFrom::Start(offset))?;
            (&mut file).take(most).read_to_end(&mut piece)?;
            Ok::<_, io::Error>((file, piece))
        };
        let (same, data) = recorder.on_disk(read).await?;
        file = same;
        offset += data.len() as u64;
        let is_last = data.len() < PIECE;
        let response = v1::FetchRecordingResponse {
            data,
            offset,
            recording: is_last.then_some(state),
        };
        if sender.send(Ok(response)).await.is_err() || is_last {
            return Ok(());
        }
    }
}

fn asked(request: v1::StartRecordingRequest) -> Result<Asked, Status> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if request.name.len() > MAX_NAME || !request.name.bytes().all(is_plain) {
        let why = "must be at most 48 letters, digits, `-` and `_`";
        return Err(status::invalid_field("name", why));
    }
    let max_bytes = (request.max_bytes != 0).then_some(request.max_bytes);
    if max_bytes.is_some_and(|bytes| bytes < LEAST) {
        let why = "must be at least 1 MiB";
        return Err(status::invalid_field("max_bytes", why));
    }
    let max_duration = request
        .max_duration
        .map(|duration| limited::within("max_duration", duration, *DURATION.end()))
        .transpose()?;
    if max_duration.is_some_and(|duration| duration < *DURATION.start()) {
        return Err(status::invalid_field(
            "max_duration",
            "must be at least 1 s",
        ));
    }
    Ok(Asked {
        name: request.name,
        max_bytes,
        max_duration,
    })
}

fn id(id: &str) -> Result<&str, Status> {
    match crate::log::folder::is_id(id) {
        true => Ok(id),
        false => {
            let why = "must be an id that ListRecordings returns";
            Err(status::invalid_field("recording_id", why))
        }
    }
}

impl From<RecorderError> for Status {
    fn from(error: RecorderError) -> Self {
        let message = error.to_string();
        match error {
            RecorderError::NoFolder | RecorderError::Io(_) => {
                status::unavailable_for(Reason::RecordingUnavailable, message)
            }
            RecorderError::TooLarge(limit) => {
                status::limit("max_bytes", "is more than this daemon allows", limit)
            }
            RecorderError::Reserved => status::invalid_argument(Reason::InvalidField, message),
            RecorderError::TooMany => status::exhausted(Reason::QueueFull, message),
            RecorderError::Unknown(_) => status::not_found(Reason::UnknownRecording, message),
            RecorderError::Protected => status::denied(Reason::RecordingProtected, message),
        }
    }
}
