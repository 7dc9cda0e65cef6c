//! `deskd mcp`: MCP on standard input and output.

use std::sync::Arc;

use super::{
    client_args::ClientArgs,
    exit::{CliError, Exit},
};
use crate::rpc::{
    Token, client,
    mcp::{DesktopTools, MAX_MESSAGE_BYTES},
};

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
    let tools = Arc::new(DesktopTools::new(desktop));
    let served = deskd_mcp::serve_stdio(tools, MAX_MESSAGE_BYTES).await;
    served.map_err(|error| CliError::new(Exit::Local, format!("MCP: {error}")))?;
    Ok(Exit::Done)
}
