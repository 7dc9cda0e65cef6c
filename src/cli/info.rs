//! `deskd info` and `deskd cursor`.

use super::{
    client_args::ClientArgs,
    exit::{CliError, Exit},
    json,
    print::say,
};
use crate::rpc::v1;

/// `deskd info`: prints the daemon's identity, its display and its features.
pub(super) async fn info(mut client: ClientArgs) -> Result<Exit, CliError> {
    let mut daemon = client.connect().await?;
    let info = daemon
        .get_info(client.request(v1::GetInfoRequest {}))
        .await?
        .into_inner();
    if client.json {
        say!("{}", json::value("GetInfoResponse", &info)?);
        return Ok(Exit::Done);
    }
    say!("deskd {} instance {}", info.version, info.instance_id);
    let screen = info
        .geometry
        .as_ref()
        .and_then(|geometry| Some((geometry, geometry.size?)));
    let screen = screen.map_or("size not known yet".to_owned(), |(geometry, size)| {
        format!(
            "{}x{} px, {} dpi, depth {}",
            size.width, size.height, geometry.dpi, geometry.depth
        )
    });
    let state = if info.connected {
        "connected"
    } else {
        "not connected"
    };
    say!("display {} {state}, {screen}", info.display);
    if let Some(failure) = &info.failure {
        say!("  {}", failure.message);
    }
    say!(
        "server generation {} geometry epoch {}",
        info.server_generation,
        info.geometry_epoch
    );
    let name = |name: &'static str, prefix| name.trim_start_matches(prefix).to_ascii_lowercase();
    say!(
        "capture {} {}",
        name(info.capture_mode().as_str_name(), "CAPTURE_MODE_"),
        info.capture_mode_reason
    );
    say!(
        "socket {} isolation {}",
        name(info.display_socket().as_str_name(), "DISPLAY_SOCKET_"),
        name(info.isolation().as_str_name(), "ISOLATION_")
    );
    for status in &info.features {
        let state = if status.available { "yes" } else { "no" };
        let feature = name(status.feature().as_str_name(), "FEATURE_");
        say!("  {feature:<16} {state:<4} {}", status.message);
    }
    Ok(Exit::Done)
}

/// `deskd cursor`: prints the position of the pointer.
pub(super) async fn cursor(mut client: ClientArgs) -> Result<Exit, CliError> {
    let mut daemon = client.connect().await?;
    let reply = daemon
        .get_cursor(client.request(v1::GetCursorRequest {}))
        .await?
        .into_inner();
    if client.json {
        say!("{}", json::value("GetCursorResponse", &reply)?);
        return Ok(Exit::Done);
    }
    let cursor = reply.cursor.unwrap_or_default();
    let at = cursor.position.unwrap_or_default();
    say!(
        "{},{}{}",
        at.x(),
        at.y(),
        if cursor.visible { "" } else { " (not visible)" }
    );
    Ok(Exit::Done)
}
