//! Flags of every client command, and their environment variables.

use std::{path::PathBuf, time::Duration};

use clap::Args;

use super::values;
use crate::config::Address;

/// The flags of every client command.
#[derive(Debug, Args)]
pub(super) struct ClientArgs {
    /// The daemon: unix:/path or host:port [default: unix:$XDG_RUNTIME_DIR/deskd.sock, else unix:/run/deskd/deskd.sock].
    #[arg(long, env = "DESKD_SERVER", value_name = "ADDR")]
    pub(super) server: Option<Address>,
    /// File with the bearer token.
    #[arg(long, env = "DESKD_TOKEN_FILE", value_name = "FILE")]
    pub(super) token_file: Option<PathBuf>,
    /// Certificates that the daemon's must be signed by, PEM; turns TLS on.
    #[arg(long, env = "DESKD_TLS_CA", value_name = "FILE")]
    pub(super) tls_ca: Option<PathBuf>,
    /// Our own certificate for mutual TLS, PEM.
    #[arg(long, env = "DESKD_TLS_CLIENT_CERT", requires_all = ["tls_ca", "tls_client_key"], value_name = "FILE")]
    pub(super) tls_client_cert: Option<PathBuf>,
    /// Its private key, PEM.
    #[arg(
        long,
        env = "DESKD_TLS_CLIENT_KEY",
        requires = "tls_client_cert",
        value_name = "FILE"
    )]
    pub(super) tls_client_key: Option<PathBuf>,
    /// The lease under which the command acts, as `deskd control take` printed it.
    #[arg(long, env = "DESKD_LEASE", hide_env_values = true, value_name = "ID")]
    pub(super) lease: Option<String>,
    /// How long a call may take, with the connection before it, and after that 100 ms at least; a stream, to begin.
    #[arg(long, env = "DESKD_DEADLINE", default_value = "10s", value_parser = values::deadline, value_name = "TIME")]
    pub(super) deadline: Duration,
    /// Print JSON: one document; of a stream, one a line.
    #[arg(long, env = "DESKD_JSON", value_parser = values::switch)]
    pub(super) json: bool,
}
