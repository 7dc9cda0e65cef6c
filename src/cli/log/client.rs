//! Starts, stops, lists and fetches the logs of a daemon.

use std::{path::PathBuf, time::Duration};

use clap::Args;

use super::output::NewFile;
use crate::{
    cli::{
        client_args::ClientArgs,
        exit::{CliError, Exit},
        json,
        print::{self, note, say},
        values,
    },
    rpc::{client, v1},
};

#[derive(Debug, Args)]
pub(super) struct StartArgs {
    #[command(flatten)]
    client: ClientArgs,
    /// A part of the file's name: letters, digits, `-` and `_`.
    #[arg(
        long,
        default_value = "",
        hide_default_value = true,
        value_name = "NAME"
    )]
    name: String,
    /// Maximum size; then the log ends [default: that of the daemon].
    #[arg(long, value_parser = values::log_bytes, value_name = "SIZE")]
    max_bytes: Option<u64>,
    /// Maximum duration; then the log ends: 1s to 24h [default: without a limit].
    #[arg(long, value_parser = values::deadline, value_name = "TIME")]
    max_duration: Option<Duration>,
}

#[derive(Debug, Args)]
pub(super) struct StopArgs {
    #[command(flatten)]
    client: ClientArgs,
    /// The id, as `deskd log start` printed it.
    id: String,
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    client: ClientArgs,
}

#[derive(Debug, Args)]
pub(super) struct FetchArgs {
    #[command(flatten)]
    client: ClientArgs,
    /// The id, as `deskd log list` prints it.
    id: String,
    /// The new file, or - for standard output [default: ID.deskdlog].
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Overwrite an existing file.
    #[arg(long)]
    force: bool,
}

/// `deskd log start`.
pub(super) async fn start(mut args: StartArgs) -> Result<Exit, CliError> {
    let mut daemon = client::recorder(args.client.connection().await?);
    let request = v1::StartRecordingRequest {
        name: args.name,
        max_bytes: args.max_bytes.unwrap_or(0),
        max_duration: args
            .max_duration
            .and_then(|time| prost_types::Duration::try_from(time).ok()),
    };
    let reply = daemon.start_recording(args.client.request(request)).await?;
    let reply = reply.into_inner();
    match args.client.json {
        true => say!("{}", json::value("StartRecordingResponse", &reply)?),
        false => say!("{}", reply.recording.unwrap_or_default().recording_id),
    }
    Ok(Exit::Done)
}

/// `deskd log stop`.
pub(super) async fn stop(mut args: StopArgs) -> Result<Exit, CliError> {
    let mut daemon = client::recorder(args.client.connection().await?);
    let recording_id = args.id;
    let request = v1::StopRecordingRequest { recording_id };
    let reply = daemon.stop_recording(args.client.request(request)).await?;
    let reply = reply.into_inner();
    match args.client.json {
        true => say!("{}", json::value("StopRecordingResponse", &reply)?),
        false => say!("{}", line(&reply.recording.unwrap_or_default())),
    }
    Ok(Exit::Done)
}

/// `deskd log list`.
pub(super) async fn list(mut args: ListArgs) -> Result<Exit, CliError> {
    let mut daemon = client::recorder(args.client.connection().await?);
    let request = args.client.request(v1::ListRecordingsRequest {});
    let reply = daemon.list_recordings(request).await?.into_inner();
    if args.client.json {
        say!("{}", json::value("ListRecordingsResponse", &reply)?);
        return Ok(Exit::Done);
    }
    for recording in &reply.recordings {
        say!("{}", line(recording));
    }
    Ok(Exit::Done)
}

/// `deskd log fetch`.
pub(super) async fn fetch(mut args: FetchArgs) -> Result<Exit, CliError> {
    let mut daemon = client::recorder(args.client.connection().await?);
    let path = args
        .output
        .unwrap_or_else(|| PathBuf::from(format!("{}.deskdlog", args.id)));
    // The stream has no deadline: the log may be large.
    let recording_id = args.id;
    let offset = 0;
    let request = v1::FetchRecordingRequest {
        recording_id,
        offset,
    };
    let mut pieces = daemon.fetch_recording(request).await?.into_inner();
    let mut file = match path.as_os_str() == "-" {
        true => None,
        false => Some(NewFile::create(&path, args.force)?),
    };
    let mut state = None;
    while let Some(piece) = pieces.message().await? {
        match &mut file {
            Some(file) => file.write(&piece.data)?,
            None => print::all(&piece.data)?,
        }
        state = piece.recording.or(state);
    }
    // The last piece has the state.
    let Some(state) = state else {
        let why = "the daemon ended the transfer early: fetch the log again";
        return Err(CliError::new(Exit::Refused, why));
    };
    if let Some(file) = file {
        file.finish()?;
    }
    if state.recording {
        note(format_args!(
            "the log still records: fetch it again for more"
        ));
    }
    match args.client.json {
        _ if path.as_os_str() == "-" => {}
        true => say!("{}", json::value("Recording", &state)?),
        false => say!("{}", path.display()),
    }
    Ok(Exit::Done)
}

fn line(recording: &v1::Recording) -> String {
    let state = match recording.end_reason() {
        _ if recording.recording => "records",
        v1::LogEndReason::Unspecified => "of an earlier instance",
        v1::LogEndReason::Stopped => "stopped",
        v1::LogEndReason::Shutdown => "ended with the daemon",
        v1::LogEndReason::Size => "reached its maximum size",
        v1::LogEndReason::Duration => "reached its maximum duration",
    };
    let lost = match recording.lost {
        0 => String::new(),
        lost => format!(", {lost} records are missing"),
    };
    let error = match recording.error.as_str() {
        "" => String::new(),
        error => format!(", cannot be written: {error}"),
    };
    let (id, bytes) = (&recording.recording_id, recording.bytes);
    format!("{id}  {bytes:>12} bytes  {state}{lost}{error}")
}
