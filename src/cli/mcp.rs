//! `deskd mcp`: MCP on standard input and output.

use rmcp::{ServiceExt as _, transport::io::stdio_pipes};

use super::{
    client_args::ClientArgs,
    exit::{CliError, Exit},
};
use crate::rpc::{Token, client, mcp::Handler};

/// Serves until the host closes standard input. The daemon is connected at the first call, so that
/// the host gets its answer to `initialize` at once.
pub(super) async fn run(args: ClientArgs) -> Result<Exit, CliError> {
    let token = args.token_file.as_deref().map(Token::read).transpose();
    let token = token.map_err(|error| CliError::new(Exit::Usage, error.to_string()))?;
    let mut desktop = client::Desktop::new(args.address()).with_timeout(args.deadline);
    if let Some(token) = token {
        desktop = desktop.with_token(token);
    }
    if let Some(tls) = args.tls()? {
        desktop = desktop.with_tls(tls);
    }
    let failed = |error: String| CliError::new(Exit::Local, format!("MCP: {error}"));
    let service = Handler::new(desktop).serve(stdio_pipes()).await;
    let service = service.map_err(|error| failed(error.to_string()))?;
    let ended = service.waiting().await;
    ended.map_err(|error| failed(error.to_string()))?;
    Ok(Exit::Done)
}
