//! `deskd windows`, `deskd focus`, `deskd window` and `deskd wait-for`.

use std::time::Duration;

use super::{
    client_args::ClientArgs,
    exit::{CliError, Exit},
    json,
    print::{complain, say},
    window_args::{FocusArgs, OperationArg, TargetArgs, WaitForArgs, WindowArgs, WindowsArgs},
};
use crate::rpc::{client, v1};

/// Lists the windows, a line each.
pub(super) async fn list(mut args: WindowsArgs) -> Result<Exit, CliError> {
    let mut daemon = client::windows(args.client.connection().await?);
    let wanted = matching(args.title, args.class);
    let request = v1::ListWindowsRequest { r#match: wanted };
    let reply = daemon
        .list_windows(args.client.request(request))
        .await?
        .into_inner();
    if args.client.json {
        say!("{}", json::value("ListWindowsResponse", &reply)?);
        return Ok(Exit::Done);
    }
    for window in &reply.windows {
        say!("{}", line(window));
    }
    let more = (reply.total as usize).saturating_sub(reply.windows.len());
    if more > 0 {
        complain(format_args!("{more} more windows are not listed"));
    }
    Ok(Exit::Done)
}

/// Gives a window the focus.
pub(super) async fn focus(args: FocusArgs) -> Result<Exit, CliError> {
    let change = v1::change_window_request::Change::Operation(v1::WindowOperation::Activate.into());
    self::change(args.client, args.target, change).await
}

/// Changes a window.
pub(super) async fn window(args: WindowArgs) -> Result<Exit, CliError> {
    use v1::{WindowOperation, change_window_request::Change};
    let operation = match args.operation {
        OperationArg::Activate => Some(WindowOperation::Activate),
        OperationArg::Close => Some(WindowOperation::Close),
        OperationArg::Minimize => Some(WindowOperation::Minimize),
        OperationArg::Maximize => Some(WindowOperation::Maximize),
        OperationArg::Fullscreen => Some(WindowOperation::Fullscreen),
        OperationArg::Restore => Some(WindowOperation::Restore),
        OperationArg::Place => None,
    };
    let is_placed = args.at.is_some() || args.size.is_some();
    let change = match operation {
        Some(_) if is_placed => {
            let message = "--at and --size are for `deskd window place`";
            return Err(CliError::new(Exit::Usage, message));
        }
        None if !is_placed => {
            return Err(CliError::new(Exit::Usage, "`place` needs --at or --size"));
        }
        Some(operation) => Change::Operation(operation.into()),
        None => Change::Place(v1::WindowPlacement {
            x: args.at.map(|(x, _)| x),
            y: args.at.map(|(_, y)| y),
            width: args.size.map(|size| size.width),
            height: args.size.map(|size| size.height),
        }),
    };
    self::change(args.client, args.target, change).await
}

async fn change(
    mut client: ClientArgs,
    target: TargetArgs,
    change: v1::change_window_request::Change,
) -> Result<Exit, CliError> {
    use v1::window_target::Target;
    let mut daemon = client::windows(client.connection().await?);
    let target = match (target.id, matching(target.title, target.class)) {
        (Some(id), _) => Some(Target::Id(id)),
        (None, wanted) => wanted.map(Target::Match),
    };
    let request = v1::ChangeWindowRequest {
        window: Some(v1::WindowTarget { target }),
        change: Some(change),
        timeout: None,
    };
    let reply = daemon
        .change_window(client.request(request))
        .await?
        .into_inner();
    let outcome = reply.outcome();
    if client.json {
        say!("{}", json::value("ChangeWindowResponse", &reply)?);
    } else if let Some(window) = &reply.window {
        say!("{}", line(window));
    }
    match outcome {
        v1::WindowOutcome::Done | v1::WindowOutcome::Already => Ok(Exit::Done),
        _ => Err(CliError::new(Exit::Refused, reply.message)),
    }
}

/// Waits for a condition.
pub(super) async fn wait_for(mut args: WaitForArgs) -> Result<Exit, CliError> {
    use v1::{RegionEvent, WindowEvent, condition::Condition};
    // The call's deadline exceeds `--timeout`, so that the daemon's answer arrives before it.
    args.client.deadline = args.timeout + args.timeout / 10 + Duration::from_secs(1);
    let event = match (args.gone, args.focused) {
        (true, _) => WindowEvent::Disappears,
        (false, true) => WindowEvent::GetsFocus,
        (false, false) => WindowEvent::Appears,
    };
    let mut conditions = Vec::new();
    if let Some(wanted) = matching(args.title, args.class) {
        conditions.push(Condition::Window(v1::WindowCondition {
            r#match: Some(wanted),
            event: event.into(),
        }));
    } else if event != WindowEvent::Appears {
        let message = "--gone and --focused need a TITLE or --class";
        return Err(CliError::new(Exit::Usage, message));
    }
    for (region, event) in [
        (args.changes, RegionEvent::Changes),
        (args.rests, RegionEvent::Rests),
    ] {
        conditions.extend(region.map(|region| {
            let size = region.size;
            Condition::Region(v1::RegionCondition {
                region: Some(v1::Region::new(region.x, region.y, size.width, size.height)),
                event: event.into(),
                quiet: None,
            })
        }));
    }
    if conditions.is_empty() {
        let message = "give a TITLE, --class, --changes or --rests";
        return Err(CliError::new(Exit::Usage, message));
    }
    let conditions = conditions.into_iter().map(|condition| v1::Condition {
        condition: Some(condition),
    });
    let all = v1::Conditions {
        conditions: conditions.collect(),
    };
    let mut daemon = args.client.connect().await?;
    let request = v1::WaitForRequest {
        condition: Some(v1::Condition {
            condition: Some(Condition::All(all)),
        }),
        timeout: prost_types::Duration::try_from(args.timeout).ok(),
        coordinate_space: None,
    };
    let reply = daemon
        .wait_for(args.client.request(request))
        .await?
        .into_inner();
    let report = reply.report.clone().unwrap_or_default();
    if args.client.json {
        say!("{}", json::value("WaitForResponse", &reply)?);
    } else {
        let windows = report.states.iter().flat_map(|state| &state.windows);
        for window in windows.chain(&report.windows) {
            say!("{}", line(window));
        }
    }
    if report.met {
        return Ok(Exit::Done);
    }
    let there = match report.windows.len() {
        0 => "no window is on the screen".to_owned(),
        count => format!("{count} windows are on the screen"),
    };
    let message = format!("the condition was not met in time: {there}");
    Err(CliError::new(Exit::NotMet, message))
}

fn matching(title: Option<String>, class: Option<String>) -> Option<v1::WindowMatch> {
    if title.is_none() && class.is_none() {
        return None;
    }
    Some(v1::WindowMatch {
        title: title.unwrap_or_default(),
        class: class.unwrap_or_default(),
        ..v1::WindowMatch::default()
    })
}

/// Describes a window in one line. Its title may contain anything, so it is escaped.
fn line(window: &v1::Window) -> String {
    let frame = window.frame.unwrap_or_default();
    let place = format!(
        "{}x{}+{}+{}",
        frame.width,
        frame.height,
        frame.x(),
        frame.y()
    );
    let states = window
        .states()
        .map(|state| short(state.as_str_name(), "WINDOW_STATE_"));
    let mut words: Vec<String> = states.collect();
    if window.kind() != v1::WindowKind::Normal {
        words.insert(0, short(window.kind().as_str_name(), "WINDOW_KIND_"));
    }
    let class = window.class.escape_debug();
    let title = window.title.escape_debug();
    format!(
        "{:<18} {place:<20} {:<20} {class} \"{title}\"",
        window.id,
        words.join(",")
    )
}

fn short(name: &str, prefix: &str) -> String {
    name.trim_start_matches(prefix).to_ascii_lowercase()
}
