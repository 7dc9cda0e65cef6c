//! `deskd log replay`: does the steps of a log again, and reports where the screen differs.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use serde_json::{Value, json};

use super::steps::{Left, LoggedStep, each_step};
use crate::{
    cli::{
        client_args::ClientArgs,
        exit::{CliError, Exit},
        print::say,
    },
    client::{self, DesktopClient},
    decode,
    frame::{BYTES_PER_PIXEL, Size},
    rpc::v1::{self, ActOutcome},
};

#[derive(Debug, Args)]
pub(super) struct ReplayArgs {
    #[command(flatten)]
    client: ClientArgs,
    /// The log.
    file: PathBuf,
    /// Do the steps. Without it, only say what would be done.
    #[arg(long)]
    run: bool,
    /// Leave out steps that cannot be done again, for example because their text is not in the log.
    #[arg(long)]
    skip_missing: bool,
    /// The longest pause of the run that is waited for between two steps.
    #[arg(long, default_value = "2s", value_parser = humantime::parse_duration, value_name = "TIME")]
    max_pause: Duration,
    /// Stop when more than this share of the screen differs, in percent.
    #[arg(long, value_parser = percent, value_name = "PERCENT")]
    max_difference: Option<f64>,
}

fn percent(text: &str) -> Result<f64, String> {
    let number = text.trim_end_matches('%').parse().ok();
    let number = number.filter(|number| (0.0..=100.0).contains(number));
    number.ok_or_else(|| "give a number from 0 to 100".into())
}

/// The result of doing a step again.
#[derive(Debug, Default)]
struct Report {
    text: String,
    /// Whether the step was done.
    is_done: bool,
    /// Whether the replay goes on.
    goes_on: bool,
    outcome: &'static str,
    /// The share of the screen that differs in percent; `None` if it could not be compared.
    difference: Option<f64>,
    /// The rectangle around what differs: left, top, width, height.
    within: Option<[usize; 4]>,
}

/// Runs `deskd log replay`.
pub(super) async fn replay(mut args: ReplayArgs) -> Result<Exit, CliError> {
    let as_json = args.client.json;
    let left_out = |step: &LoggedStep, why: &str| {
        let (number, text) = (step.number, &step.text);
        match as_json {
            true => say!("{}", json!({"step": number, "what": text, "left_out": why})),
            false => say!("step {number}: {text}: left out, {why}"),
        }
        Ok::<_, CliError>(())
    };
    let (mut steps, mut possible, mut missing) = (0, 0, 0);
    let mut screen = None;
    each_step(&args.file, |step| {
        steps += 1;
        screen = screen.or(step.screen.as_ref().map(|(size, _)| *size));
        match &step.request {
            Ok(_) => possible += 1,
            Err(Left::NotDone(why)) => left_out(&step, why)?,
            Err(Left::Missing(why)) => {
                missing += 1;
                left_out(&step, why)?;
            }
        }
        let (number, text) = (step.number, &step.text);
        match step.request.is_ok() && !args.run {
            true if as_json => say!("{}", json!({"step": number, "what": text})),
            true => say!("step {number}: {text}"),
            false => {}
        }
        Ok(())
    })?;
    if !args.run {
        let size = screen.map_or(String::new(), |size| format!(" on a screen of {size}"));
        if !as_json {
            say!("{possible} of {steps} steps would be done{size}; --run does them");
        }
        return Ok(Exit::Done);
    }
    if missing > 0 && !args.skip_missing {
        let why = format!(
            "{missing} of {steps} steps cannot be done again, as said above: leave them out with --skip-missing, or record with --log-typed-text if their text is missing"
        );
        return Err(CliError::new(Exit::Usage, why));
    }
    let mut daemon = args.client.connect().await?;
    has_size(&mut daemon, &args.client, screen).await?;
    // The steps are read again one by one: their screens are large.
    let (sender, mut received) = tokio::sync::mpsc::channel(1);
    let file = args.file.clone();
    let reader = std::thread::spawn(move || {
        each_step(&file, |step| {
            let gone = |_| CliError::new(Exit::Done, "");
            sender.blocking_send(step).map_err(gone)
        })
    });
    let (mut exit, mut done) = (Exit::Done, 0);
    while let Some(step) = received.recv().await {
        let Ok(request) = &step.request else {
            continue;
        };
        tokio::time::sleep(step.pause.min(args.max_pause)).await;
        let report = again(&mut daemon, &step, request, &args).await;
        let (number, text) = (step.number, &step.text);
        match as_json {
            true => say!("{}", document(&step, &report)),
            false => say!("step {number}: {text}: {}", report.text),
        }
        done += usize::from(report.is_done);
        if !report.goes_on {
            exit = Exit::Refused;
            break;
        }
    }
    drop(received);
    if let Ok(read) = reader.join()
        && let Err(error) = read
        && !error.message.is_empty()
    {
        return Err(error);
    }
    if !as_json {
        say!("{done} of {steps} steps done");
    }
    Ok(exit)
}

fn document(step: &LoggedStep, report: &Report) -> Value {
    json!({
        "step": step.number,
        "what": step.text,
        "done": report.is_done,
        "outcome": report.outcome,
        "result": report.text,
        "difference_percent": report.difference,
        "within": report.within,
    })
}

/// Refuses a desktop of another size: coordinates would mean other places.
async fn has_size(
    daemon: &mut DesktopClient<client::Connection>,
    client: &ClientArgs,
    wanted: Option<Size>,
) -> Result<(), CliError> {
    let info = daemon
        .get_info(client.request(v1::GetInfoRequest {}))
        .await?;
    let size = info
        .into_inner()
        .geometry
        .and_then(|geometry| geometry.size);
    let size = size.map(|size| Size {
        width: size.width,
        height: size.height,
    });
    match (size, wanted) {
        (Some(size), Some(wanted)) if size != wanted => {
            let why = format!(
                "the screen is {size}, and that of the log {wanted}: give the desktop that size (--geometry {wanted})"
            );
            Err(CliError::new(Exit::Refused, why))
        }
        _ => Ok(()),
    }
}

/// Does a step again.
async fn again(
    daemon: &mut DesktopClient<client::Connection>,
    step: &LoggedStep,
    request: &v1::ActRequest,
    args: &ReplayArgs,
) -> Report {
    let mut call = tonic::Request::new(request.clone());
    let own: Duration = request.actions.iter().map(crate::rpc::own_time).sum();
    call.set_timeout(args.client.deadline + own);
    let response = match daemon.act(call).await {
        Ok(response) => response.into_inner(),
        Err(status) => {
            return Report {
                text: format!("refused: {}", status.message()),
                ..Report::default()
            };
        }
    };
    let name = |outcome: ActOutcome| outcome.as_str_name().trim_start_matches("ACT_OUTCOME_");
    let outcome = name(response.outcome());
    let report = |text: &str| Report {
        text: format!("{outcome}, {text}"),
        is_done: true,
        goes_on: true,
        outcome,
        ..Report::default()
    };
    if response.outcome() != step.outcome {
        return Report {
            goes_on: false,
            ..report(&format!("and {} in the log", name(step.outcome)))
        };
    }
    let Some((size, before)) = &step.screen else {
        return report("the log has no screen");
    };
    let frame = response.frame.unwrap_or_default();
    let now = decode::png(&frame.image).ok();
    let Some((_, now)) = now.filter(|(now, _)| now == size) else {
        return Report {
            goes_on: false,
            ..report("and the screen cannot be compared")
        };
    };
    let Some((share, (left, top, right, bottom))) = difference(before, &now, *size) else {
        return Report {
            difference: Some(0.0),
            ..report("the screen is the same")
        };
    };
    let (width, height) = (right - left + 1, bottom - top + 1);
    let place = format!("{share:.2} % of the screen differs, within {left},{top} {width}x{height}");
    Report {
        difference: Some(share),
        within: Some([left, top, width, height]),
        goes_on: args.max_difference.is_none_or(|most| share <= most),
        ..report(&place)
    }
}

/// Left column, top row, right column and bottom row.
type Edges = (usize, usize, usize, usize);

/// Returns the share of pixels that differ in percent, and the rectangle around them; `None` if none do.
fn difference(before: &[u8], now: &[u8], size: Size) -> Option<(f64, Edges)> {
    let width = size.width as usize;
    let pixels = before.chunks_exact(BYTES_PER_PIXEL);
    let pixels = pixels.zip(now.chunks_exact(BYTES_PER_PIXEL)).enumerate();
    // The fourth byte has no colour.
    let differing = pixels.filter(|(_, (before, now))| before[..3] != now[..3]);
    let (mut count, mut edges): (u32, Option<Edges>) = (0, None);
    for (index, _) in differing {
        let (x, y) = (index % width, index / width);
        let (left, top, right, bottom) = edges.unwrap_or((x, y, x, y));
        edges = Some((left.min(x), top.min(y), right.max(x), bottom.max(y)));
        count += 1;
    }
    let all = u32::try_from(size.pixels()).unwrap_or(u32::MAX);
    edges.map(|edges| (f64::from(count) * 100.0 / f64::from(all), edges))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_has_its_share_and_its_place() {
        let size = Size {
            width: 10,
            height: 10,
        };
        let before = vec![0; size.bgrx_bytes()];
        assert_eq!(difference(&before, &before, size), None);
        let mut now = before.clone();
        // The fourth byte has no colour.
        now[3] = 9;
        assert_eq!(difference(&before, &now, size), None);
        for (x, y) in [(2, 3), (7, 5)] {
            now[(y * 10 + x) * 4] = 1;
        }
        assert_eq!(difference(&before, &now, size), Some((2.0, (2, 3, 7, 5))));
    }
}
