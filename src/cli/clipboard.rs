//! `deskd clipboard`: reads and replaces the clipboard.

use std::io::Read as _;

use super::{
    args::{ClipboardArgs, ClipboardCommand},
    client_args::ClientArgs,
    exit::{CliError, Exit},
    print::{self, say},
};
use crate::{
    rpc::{client, v1},
    x11::MAX_CONTENT,
};

/// Size of a piece in bytes that fits into a request.
const PIECE: usize = 200 << 10;

/// Runs `deskd clipboard`.
pub(super) async fn run(args: ClipboardArgs) -> Result<Exit, CliError> {
    let selection = match args.primary {
        true => v1::ClipboardSelection::Primary,
        false => v1::ClipboardSelection::Clipboard,
    };
    let format = args.format.unwrap_or_default();
    let mut client = args.client;
    match args.command {
        ClipboardCommand::Get => {
            let data = get(&mut client, selection, &format).await?;
            print::all(&data)?;
        }
        ClipboardCommand::Set => set(&mut client, selection, &format, &input()?).await?,
        ClipboardCommand::Formats => {
            for format in formats(&mut client, selection).await? {
                say!("{}", format.escape_debug());
            }
        }
    }
    Ok(Exit::Done)
}

/// Reads standard input to its end.
pub(super) fn input() -> Result<Vec<u8>, CliError> {
    let mut data = Vec::new();
    let limit = MAX_CONTENT as u64 + 1;
    let read = std::io::stdin().take(limit).read_to_end(&mut data);
    let failed = |message: String| CliError::new(Exit::Local, message);
    read.map_err(|error| failed(format!("standard input cannot be read: {error}")))?;
    if data.len() > MAX_CONTENT {
        let message = format!("standard input has more than {MAX_CONTENT} bytes");
        return Err(CliError::new(Exit::Usage, message));
    }
    Ok(data)
}

/// Returns the content in one format; empty: as text.
pub(super) async fn get(
    client: &mut ClientArgs,
    selection: v1::ClipboardSelection,
    format: &str,
) -> Result<Vec<u8>, CliError> {
    let mut daemon = client::clipboard(client.connection().await?);
    let request = v1::ReadClipboardRequest {
        selection: selection.into(),
        format: format.into(),
    };
    let mut stream = daemon
        .read_clipboard(client.request(request))
        .await?
        .into_inner();
    let mut data = Vec::new();
    while let Some(piece) = stream.message().await? {
        data.extend_from_slice(&piece.data);
    }
    Ok(data)
}

/// Returns the names of the formats.
pub(super) async fn formats(
    client: &mut ClientArgs,
    selection: v1::ClipboardSelection,
) -> Result<Vec<String>, CliError> {
    let mut daemon = client::clipboard(client.connection().await?);
    let request = v1::ListFormatsRequest {
        selection: selection.into(),
    };
    let reply = daemon.list_formats(client.request(request)).await?;
    Ok(reply.into_inner().formats)
}

/// Replaces the content.
pub(super) async fn set(
    client: &mut ClientArgs,
    selection: v1::ClipboardSelection,
    format: &str,
    data: &[u8],
) -> Result<(), CliError> {
    let mut daemon = client::clipboard(client.connection().await?);
    let mut pieces = vec![v1::WriteClipboardRequest {
        selection: selection.into(),
        format: format.into(),
        data: Vec::new(),
    }];
    pieces.extend(data.chunks(PIECE).map(|piece| v1::WriteClipboardRequest {
        data: piece.to_vec(),
        ..v1::WriteClipboardRequest::default()
    }));
    let request = client.request(tokio_stream::iter(pieces));
    daemon.write_clipboard(request).await?;
    Ok(())
}
