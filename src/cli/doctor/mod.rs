//! `deskd doctor`: checks the display, the machine and the daemon, and reports each problem with
//! its remedy. It works without a daemon, too.

mod check;
mod daemon;
mod display;

use std::{os::unix::process::CommandExt, path::Path, process::Command};

use check::CheckVerdict;
use daemon::{isolation, look_at_daemon, paint, port, privileges, token_file};
use display::{look_at_display, shared_memory, x_port};
use serde_json::json;

use super::{
    args::DoctorArgs,
    call,
    exit::{CliError, Exit},
    print::say,
};
use crate::{
    config::Address,
    rpc::v1,
    x11::{DisplayName, cookie_file},
};

/// Runs all checks and prints the results. Exits with 1 if a check fails.
pub(super) async fn run(args: DoctorArgs) -> Result<Exit, CliError> {
    let (daemon, info) = look_at_daemon(&args.client).await;
    if let Some(info) = &info
        && matches!(args.client.address(), Address::Unix(_))
        && args
            .display
            .is_none_or(|named| named.to_string() == info.display)
    {
        look_as_the_daemon(args.display, info)?;
    }
    let display = call::display(args.display)?;
    let mut checks = look_at_display(display);
    checks.push(shared_memory(Path::new("/dev/shm")));
    checks.push(x_port(display));
    checks.extend(args.client.token_file.as_deref().map(token_file));
    checks.push(daemon);
    if info.is_some() {
        checks.push(paint(&args.client).await);
    }
    checks.push(port(&args.client));
    checks.push(isolation(info.as_ref()));
    checks.extend(info.as_ref().map(privileges));

    if args.client.json {
        let list: Vec<_> = checks
            .iter()
            .map(|check| {
                json!({
                    "check": check.name, "verdict": check.verdict.name(),
                    "found": check.found, "remedy": check.remedy,
                })
            })
            .collect();
        say!("{}", json!({ "checks": list }));
    } else {
        for check in &checks {
            say!(
                "{:<4}  {:<14} {}",
                check.verdict.name(),
                check.name,
                check.found
            );
            if !check.remedy.is_empty() {
                say!("{:<21}→ {}", "", check.remedy);
            }
        }
    }
    let failed = checks
        .iter()
        .any(|check| check.verdict == CheckVerdict::Fail);
    Ok(if failed { Exit::Local } else { Exit::Done })
}

/// Executes this command again with the display of the daemon that answers, and with its cookie
/// file if that can be read. Returns if both are in use already.
fn look_as_the_daemon(
    named: Option<DisplayName>,
    info: &v1::GetInfoResponse,
) -> Result<(), CliError> {
    let own_display = call::display(named).is_ok_and(|own| own.to_string() == info.display);
    let theirs = Path::new(&info.xauthority);
    let new_cookie = info.xauthority != cookie_file() && std::fs::File::open(theirs).is_ok();
    if own_display && !new_cookie {
        return Ok(());
    }
    let mut again = Command::new("/proc/self/exe");
    again
        .args(std::env::args_os().skip(1))
        .env("DESKD_DISPLAY", &info.display);
    if new_cookie {
        again.env("XAUTHORITY", theirs);
    }
    let error = again.exec();
    Err(CliError::new(
        Exit::Local,
        format!("deskd cannot be started once more: {error}"),
    ))
}
