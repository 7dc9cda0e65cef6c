//! The options of the HTTP server, from the flags of `deskd serve`.

use std::path::PathBuf;

use super::{
    exit::{CliError, Exit},
    serve_args::ServeArgs,
};
use crate::{
    config::Address,
    rpc::{
        ServerOptions,
        client::Desktop,
        http::HttpOptions,
        viewer::{ViewerDesktop, ViewerOptions},
    },
};

/// The client by which the MCP server calls its own daemon.
fn own_client(socket: Option<&PathBuf>) -> Result<Desktop, CliError> {
    let path = socket.ok_or_else(|| {
        let why = "--mcp calls the daemon through a Unix socket: add one with --listen unix:/path";
        CliError::new(Exit::Usage, why)
    })?;
    Ok(Desktop::new(Address::Unix(path.clone())))
}

/// The token and TLS files of HTTP are those of gRPC.
pub(super) fn http_options(
    args: &ServeArgs,
    options: &ServerOptions,
    socket: Option<&PathBuf>,
) -> Result<HttpOptions, CliError> {
    let mcp = match (args.mcp, &options.token_file) {
        (true, Some(token_file)) => Some((own_client(socket)?, token_file.clone())),
        (true, None) => {
            let why = "--mcp requires a token: give --token-file";
            return Err(CliError::new(Exit::Usage, why));
        }
        (false, _) => None,
    };
    let viewer = args.viewer_key_file.clone().map(|key_file| ViewerOptions {
        key_file,
        desktop: ViewerDesktop {
            workspace: args.viewer_workspace.clone(),
            session: args.viewer_session.clone(),
        },
        hosts: args.viewer_host.clone(),
        embedded_by: args.viewer_embed.clone(),
        read_only: args.read_only,
    });
    if mcp.is_none() && viewer.is_none() {
        let why = "--http serves nothing by itself: give --mcp, --viewer-key-file or both";
        return Err(CliError::new(Exit::Usage, why));
    }
    Ok(HttpOptions {
        mcp,
        viewer,
        tls: options.tls.clone(),
    })
}
