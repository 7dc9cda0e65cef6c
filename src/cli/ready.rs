//! `deskd ready`.

use super::{
    args::ReadyArgs,
    exit::{CliError, Exit},
    image, json,
    print::{self, say},
    serve_args::ProfileArg,
};
use crate::rpc::v1;

/// Waits until the desktop is painted, and prints the verdict with its evidence.
pub(super) async fn run(mut args: ReadyArgs) -> Result<Exit, CliError> {
    // The call's deadline exceeds `--timeout`, so that the daemon's answer arrives before it.
    args.client.deadline = args.timeout + args.timeout / 10 + std::time::Duration::from_secs(1);
    let began = std::time::Instant::now();
    let mut daemon = args.client.connect().await?;
    // The time that waiting for the daemon took is subtracted.
    let timeout = args.timeout.saturating_sub(began.elapsed());
    let profile = match args.profile {
        None => v1::PaintProfile::Unspecified,
        Some(ProfileArg::Xfce) => v1::PaintProfile::Xfce,
        Some(ProfileArg::Any) => v1::PaintProfile::Any,
    };
    let request = v1::WaitReadyRequest {
        timeout: prost_types::Duration::try_from(timeout).ok(),
        profile: profile.into(),
        allow_unsettled: args.allow_unsettled,
        expected_windows: args
            .window_title
            .into_iter()
            .map(|title| v1::ExpectedWindow {
                title,
                ..v1::ExpectedWindow::default()
            })
            .chain(
                args.window_class
                    .into_iter()
                    .map(|class| v1::ExpectedWindow {
                        class,
                        ..v1::ExpectedWindow::default()
                    }),
            )
            .collect(),
    };
    let reply = daemon
        .wait_ready(args.client.request(request))
        .await?
        .into_inner();
    let evidence = reply.evidence.clone().unwrap_or_default();
    if args.client.json {
        say!("{}", json::value("WaitReadyResponse", &reply)?);
    } else {
        for line in describe(&evidence) {
            say!("{line}");
        }
    }
    if evidence.verdict() != v1::PaintVerdict::Ready {
        let first = evidence.missing.first().map_or("", String::as_str);
        print::complain(format_args!("the desktop is not ready: {first}"));
    }
    Ok(match evidence.verdict() {
        v1::PaintVerdict::Ready => Exit::Done,
        v1::PaintVerdict::NoDisplay => Exit::NoDisplay,
        _ => Exit::NotPainted,
    })
}

/// Returns the verdict and its evidence as lines of text.
pub(super) fn describe(evidence: &v1::PaintEvidence) -> Vec<String> {
    let name = |name: &'static str, prefix| name.trim_start_matches(prefix);
    let verdict = name(evidence.verdict().as_str_name(), "PAINT_VERDICT_");
    let profile = name(evidence.profile().as_str_name(), "PAINT_PROFILE_").to_ascii_lowercase();
    let mut lines = vec![format!(
        "{verdict} under {profile}, watched for {:.0} ms, still for {:.0} ms",
        image::millis(evidence.elapsed),
        image::millis(evidence.quiet)
    )];
    lines.extend(
        evidence
            .missing
            .iter()
            .map(|missing| format!("  {missing}")),
    );
    let place = |region: &v1::Region| {
        format!(
            "{}x{}+{}+{}",
            region.width,
            region.height,
            region.x(),
            region.y()
        )
    };
    for window in &evidence.windows {
        let area = window.region.as_ref().map(place).unwrap_or_default();
        if window.window == 0 {
            continue;
        }
        let drawn = if window.drawn { " drawn" } else { "" };
        let role = name(window.role().as_str_name(), "WINDOW_ROLE_");
        let role = role.to_ascii_lowercase().replace('_', " ");
        lines.push(format!(
            "  {role:<14} {:#x} {area}{drawn}, answered {} pings since the last change",
            window.window, window.pongs
        ));
    }
    lines.extend(
        evidence
            .animated
            .iter()
            .map(|region| format!("  keeps moving: {}", place(region))),
    );
    if let Some(probe) = evidence.probes.last() {
        let rule = if evidence.size_rule_settled {
            "settled"
        } else {
            "not settled"
        };
        lines.push(format!(
            "  for comparison, the byte-size rule: {} bytes, floor {}, {rule}",
            probe.bytes, evidence.floor_bytes
        ));
    }
    lines
}
