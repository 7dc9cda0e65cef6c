//! Carries out what `xdotool` was asked for.

use std::time::Duration;

use super::{
    super::{
        super::{
            client_args::ClientArgs,
            exit::{CliError, Exit},
            print::say,
        },
        Settings,
    },
    Part,
};
use crate::{
    client::{Connection, DesktopClient, reason},
    rpc::{
        own_time,
        v1::{self, action::Action},
    },
};

/// The version of xdotool whose commands these are, and that of deskd.
const VERSION: &str = concat!(
    "xdotool version 3.20160805.1 (deskd ",
    env!("CARGO_PKG_VERSION"),
    ")"
);
/// Maximum number of actions of a step.
const MOST: usize = 100;

/// Carries out the parts of a call.
///
/// # Errors
///
/// When the daemon cannot be reached or refuses a step.
pub(in crate::cli::links) async fn run(
    parts: Vec<Part>,
    settings: Settings,
) -> Result<Exit, CliError> {
    let Settings {
        mut client,
        unproved,
        ..
    } = settings;
    if parts.iter().all(|part| *part == Part::Version) {
        say!("{VERSION}");
        return Ok(Exit::Done);
    }
    let mut daemon = client.connect().await?;
    let mut pending: Vec<v1::Action> = Vec::new();
    for part in parts {
        match part {
            Part::Act(action) => {
                pending.push(v1::Action {
                    action: Some(action),
                });
                continue;
            }
            Part::MoveBy(x, y) => {
                act(&mut daemon, &client, unproved, &mut pending).await?;
                let here = pointer(&mut daemon, &client).await?;
                let to = (here.x().saturating_add(x), here.y().saturating_add(y));
                let to = v1::MoveAction {
                    to: Some(to.into()),
                    modifiers: Vec::new(),
                };
                pending.push(v1::Action {
                    action: Some(Action::Move(to)),
                });
            }
            Part::Location(prefix) => {
                act(&mut daemon, &client, unproved, &mut pending).await?;
                let here = pointer(&mut daemon, &client).await?;
                let (x, y) = (here.x(), here.y());
                // deskd does not report the window below the pointer.
                match prefix {
                    None => say!("x:{x} y:{y} screen:0 window:0"),
                    Some(prefix) => {
                        say!("{prefix}X={x}\n{prefix}Y={y}\n{prefix}SCREEN=0\n{prefix}WINDOW=0");
                    }
                }
            }
            Part::Version => say!("{VERSION}"),
            Part::Geometry(shell) => {
                act(&mut daemon, &client, unproved, &mut pending).await?;
                let request = client.request(v1::GetInfoRequest {});
                let info = daemon.get_info(request).await?.into_inner();
                if let Some(failure) = info.failure.filter(|_| !info.connected) {
                    return Err(CliError::new(Exit::Refused, failure.message));
                }
                let size = info.geometry.and_then(|geometry| geometry.size);
                let size = size.ok_or_else(|| {
                    CliError::new(Exit::Refused, "the size of the screen is not known yet")
                })?;
                match shell {
                    false => say!("{} {}", size.width, size.height),
                    true => say!("WIDTH={}\nHEIGHT={}", size.width, size.height),
                }
            }
        }
    }
    act(&mut daemon, &client, unproved, &mut pending).await?;
    Ok(Exit::Done)
}

async fn pointer(
    daemon: &mut DesktopClient<Connection>,
    client: &ClientArgs,
) -> Result<v1::Point, CliError> {
    let request = client.request(v1::GetCursorRequest {});
    let cursor = daemon.get_cursor(request).await?.into_inner().cursor;
    let position = cursor.and_then(|cursor| cursor.position);
    position.ok_or_else(|| CliError::new(Exit::Refused, "the pointer's position is not known"))
}

/// Performs the pending actions. Waits first until the desktop is painted.
async fn act(
    daemon: &mut DesktopClient<Connection>,
    client: &ClientArgs,
    unproved: bool,
    pending: &mut Vec<v1::Action>,
) -> Result<(), CliError> {
    let actions = std::mem::take(pending);
    for actions in actions.chunks(MOST) {
        let request = v1::ActRequest {
            actions: actions.to_vec(),
            no_frame: true,
            unproved,
            settle: Some(v1::SettleOptions {
                skip: true,
                ..v1::SettleOptions::default()
            }),
            ..v1::ActRequest::default()
        };
        // The step's own time comes on top of the deadline.
        let own: Duration = actions.iter().map(time).sum();
        let extended = || {
            let mut extended = client.request(request.clone());
            extended.set_timeout(client.deadline.saturating_add(own));
            extended
        };
        let reply = match daemon.act(extended()).await {
            Err(status) if reason(&status) == v1::Reason::NotPainted => {
                let ready = client.request(v1::WaitReadyRequest::default());
                daemon.wait_ready(ready).await?;
                daemon.act(extended()).await?
            }
            reply => reply?,
        };
        let reply = reply.into_inner();
        let failed = reply
            .results
            .iter()
            .find_map(|result| result.failure.as_ref());
        if let Some(failure) = failed {
            return Err(CliError::new(Exit::Refused, failure.message.clone()));
        }
        if reply.outcome() != v1::ActOutcome::Done {
            let outcome = reply.outcome().as_str_name();
            let outcome = outcome.trim_start_matches("ACT_OUTCOME_").to_lowercase();
            return Err(CliError::new(
                Exit::Refused,
                format!("the step ended as {outcome}: look at the screen"),
            ));
        }
    }
    Ok(())
}

/// Returns the time to allow for an action.
fn time(action: &v1::Action) -> Duration {
    // deskd keeps separate clicks at one place apart.
    let is_click = matches!(action.action, Some(Action::Click(_)));
    own_time(action) + Duration::from_secs(is_click.into())
}
