//! The doctor's checks of the daemon: its answers, its address, its token.

use std::{
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    time::{Duration, Instant},
};

use super::{
    super::{
        client_args::ClientArgs,
        exit::{CliError, Exit},
    },
    check::{Check, fail, pass, warn},
};
use crate::{config::Address, rpc::v1};

pub(super) fn token_file(path: &Path) -> Check {
    if let Err(error) = crate::rpc::Token::read(path) {
        return fail(
            "token file",
            error.to_string(),
            "write a token to it, for example from `openssl rand -hex 32`",
        );
    }
    match std::fs::metadata(path) {
        Ok(meta) => {
            let mode = meta.permissions().mode() & 0o777;
            let found = format!(
                "{}: mode {mode:04o}, user id {}",
                path.display(),
                meta.uid()
            );
            if mode & 0o077 == 0 {
                pass("token file", found)
            } else {
                fail(
                    "token file",
                    format!("{found}: others can read the token"),
                    "chmod 0600 it, owned by deskd's user",
                )
            }
        }
        Err(error) => fail(
            "token file",
            format!("{}: {error}", path.display()),
            "check the path",
        ),
    }
}

/// Maximum time that the doctor waits for the daemon to connect to its display: a daemon that has
/// just started may not have connected yet.
const CONNECTING: Duration = Duration::from_secs(2);

pub(super) async fn look_at_daemon(client: &ClientArgs) -> (Check, Option<v1::GetInfoResponse>) {
    let asked = async {
        let mut daemon = crate::client::desktop(client.connection_now().await?);
        let until = Instant::now() + CONNECTING;
        loop {
            let info = daemon
                .get_info(client.request(v1::GetInfoRequest {}))
                .await?
                .into_inner();
            if info.connected || Instant::now() >= until {
                return Ok::<_, CliError>(info);
            }
            tokio::time::sleep(CONNECTING / 40).await;
        }
    };
    match asked.await {
        Ok(info) => {
            let found = format!(
                "deskd {} at {} on display {}",
                info.version,
                client.address(),
                info.display
            );
            match &info.failure {
                None => (pass("daemon", found), Some(info)),
                Some(failure) => {
                    let found = format!("{found}, not connected: {}", failure.message);
                    (
                        fail(
                            "daemon",
                            found,
                            "see the checks of the display, and the daemon's log",
                        ),
                        Some(info),
                    )
                }
            }
        }
        Err(error) if error.exit == Exit::NoDaemon => {
            let remedy = "start it with `deskd serve`, or give --server";
            (warn("daemon", error.message, remedy), None)
        }
        Err(error) => (
            fail(
                "daemon",
                error.message,
                "check the token, the user id and the address",
            ),
            None,
        ),
    }
}

/// Maximum time that the doctor waits for READY; a desktop at rest needs less.
const PAINT: Duration = Duration::from_secs(3);

/// Checks whether the daemon reports that the desktop is painted.
pub(super) async fn paint(client: &ClientArgs) -> Check {
    let wait = async {
        let mut daemon = crate::client::desktop(client.connection_now().await?);
        let request = v1::WaitReadyRequest {
            timeout: prost_types::Duration::try_from(PAINT).ok(),
            ..v1::WaitReadyRequest::default()
        };
        let reply = daemon.wait_ready(client.request(request)).await?;
        Ok::<_, CliError>(reply.into_inner().evidence.unwrap_or_default())
    };
    match wait.await {
        Ok(evidence) if evidence.verdict() == v1::PaintVerdict::Ready => {
            pass("paint", "the desktop is painted and at rest")
        }
        Ok(evidence) => {
            let verdict = evidence
                .verdict()
                .as_str_name()
                .trim_start_matches("PAINT_VERDICT_");
            let missing = evidence.missing.join("; ");
            warn(
                "paint",
                format!("{verdict}: {missing}"),
                "start the desktop session, or wait for it: `deskd ready`",
            )
        }
        Err(error) => warn("paint", error.message, "see the daemon's log"),
    }
}

/// Checks which other programs can reach the daemon's address.
pub(super) fn port(client: &ClientArgs) -> Check {
    match client.address() {
        Address::Unix(path) => match std::fs::symlink_metadata(&path) {
            Ok(meta) => {
                let mode = meta.permissions().mode() & 0o777;
                pass(
                    "port",
                    format!(
                        "{}: mode {mode:04o}, user id {}, no TCP",
                        path.display(),
                        meta.uid()
                    ),
                )
            }
            Err(error) => warn(
                "port",
                format!("{}: {error}", path.display()),
                "start `deskd serve`, or give --server",
            ),
        },
        address @ Address::Tcp { .. } if client.token_file.is_none() => warn(
            "port",
            format!("{address} without a token: every program of this machine can use it"),
            "give daemon and client --token-file",
        ),
        address @ Address::Tcp { .. } if client.tls_ca.is_none() => warn(
            "port",
            format!("{address} without TLS: token and frames can be read on the way"),
            "give the daemon --tls-cert and --tls-key, or reach it through a tunnel",
        ),
        address @ Address::Tcp { .. } => pass("port", format!("{address} with token and TLS")),
    }
}

pub(super) fn privileges(info: &v1::GetInfoResponse) -> Check {
    if info.no_new_privs {
        return pass("privileges", "the daemon can gain none (no_new_privs)");
    }
    warn(
        "privileges",
        "the daemon could gain some: the kernel did not set no_new_privs",
        "run it on a kernel that has prctl(PR_SET_NO_NEW_PRIVS)",
    )
}

pub(super) fn isolation(info: Option<&v1::GetInfoResponse>) -> Check {
    let remedy = "run deskd as a user of its own, so that the desktop's programs cannot reach its memory and token";
    match info.map(v1::GetInfoResponse::isolation) {
        Some(v1::Isolation::User) => {
            pass("isolation", "the desktop runs as another user than deskd")
        }
        Some(v1::Isolation::None) => warn(
            "isolation",
            "none: the desktop can run as deskd's user",
            remedy,
        ),
        Some(v1::Isolation::Unspecified) => warn(
            "isolation",
            "not known: the daemon has no display",
            "mend the display first",
        ),
        None => warn(
            "isolation",
            "not known: no daemon answers",
            "start `deskd serve`",
        ),
    }
}
