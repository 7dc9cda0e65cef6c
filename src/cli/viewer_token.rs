//! `deskd viewer-token`: mints the token by which a person opens the viewer.

use std::{path::PathBuf, time::Duration};

use clap::Args;

use super::{
    exit::{CliError, Exit},
    print::say,
    values,
};
use crate::rpc::viewer::{ViewerClaims, ViewerMode, ViewerTokenError, mint, seconds_now};

#[derive(Debug, Args)]
pub(super) struct ViewerTokenArgs {
    /// File with the keys, one a line; the first one signs.
    #[arg(long, env = "DESKD_VIEWER_KEY_FILE", value_name = "FILE")]
    viewer_key_file: PathBuf,
    /// The person may only watch (the default).
    #[arg(long, conflicts_with = "control")]
    view: bool,
    /// The person may take control.
    #[arg(long)]
    control: bool,
    /// The token can be used for this time: 1s to 1h.
    #[arg(long, default_value = "120s", value_parser = values::deadline, value_name = "TIME")]
    ttl: Duration,
    /// The name that others see when this person takes control.
    #[arg(long, default_value = "", hide_default_value = true, value_name = "ID")]
    viewer: String,
    /// The workspace for which the token is valid.
    #[arg(long, default_value = "", hide_default_value = true, value_name = "ID")]
    workspace: String,
    /// The session for which the token is valid.
    #[arg(long, default_value = "", hide_default_value = true, value_name = "ID")]
    session: String,
    /// Print a link with the token instead: the address of the viewer, such as https://host:6080.
    #[arg(long, value_parser = values::origin, value_name = "URL")]
    url: Option<String>,
}

/// Prints a token.
pub(super) fn print(args: ViewerTokenArgs) -> Result<Exit, CliError> {
    let random = || getrandom::u64().map_err(|error| CliError::new(Exit::Local, error.to_string()));
    let now = seconds_now();
    let claims = ViewerClaims {
        mode: match args.control && !args.view {
            true => ViewerMode::Control,
            false => ViewerMode::View,
        },
        exp: now + args.ttl.as_secs().max(1),
        iat: now,
        jti: format!("{:016x}{:016x}", random()?, random()?),
        viewer: args.viewer,
        workspace: args.workspace,
        session: args.session,
    };
    let token = mint(&args.viewer_key_file, &claims).map_err(|error| {
        let exit = match error {
            ViewerTokenError::KeyFile { .. } => Exit::Credentials,
            _ => Exit::Usage,
        };
        CliError::new(exit, error.to_string())
    })?;
    match args.url {
        Some(url) => say!("{url}/viewer/#{token}"),
        None => say!("{token}"),
    }
    Ok(Exit::Done)
}
