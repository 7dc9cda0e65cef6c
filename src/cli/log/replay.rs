//! `deskd log replay`: does the steps of a log again, and reports where the screen differs.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;

use super::{
    describe,
    points::KnownFrames,
    read::{self, LogFile, is_last_end},
    screen::LoggedScreen,
};
use crate::{
    cli::{
        client_args::ClientArgs,
        exit::{CliError, Exit},
        print::say,
        values,
    },
    client::{self, DesktopClient},
    decode,
    frame::{BYTES_PER_PIXEL, Size},
    rpc::v1::{self, ActOutcome, action::Action, log_record::Record},
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
    /// Leave out steps whose text is not in the log, and steps that cannot be done again.
    #[arg(long)]
    skip_missing: bool,
    /// The longest pause of the run that is waited for between two steps.
    #[arg(long, default_value = "2s", value_parser = values::deadline, value_name = "TIME")]
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

/// A step of the log.
#[derive(Debug)]
struct LoggedStep {
    number: u64,
    /// Time since the step before.
    pause: Duration,
    text: String,
    /// The request with coordinates of the screen, or why the step cannot be done again.
    request: Result<v1::ActRequest, String>,
    /// How the step ended.
    outcome: ActOutcome,
    /// The screen after the step, without the pointer.
    screen: Option<(Size, Vec<u8>)>,
}

/// Runs `deskd log replay`.
pub(super) async fn replay(mut args: ReplayArgs) -> Result<Exit, CliError> {
    let (mut steps, mut missing) = (0, 0);
    let mut screen = None;
    each_step(&args.file, |step| {
        steps += 1;
        let text = &step.text;
        screen = screen.or(step.screen.as_ref().map(|(size, _)| *size));
        match &step.request {
            Ok(_) if args.run => {}
            Ok(_) => say!("step {}: {text}", step.number),
            Err(why) => {
                missing += 1;
                say!("step {}: {text}: left out, {why}", step.number);
            }
        }
        Ok(())
    })?;
    if !args.run {
        let size = screen.map_or(String::new(), |size| format!(" on a screen of {size}"));
        say!(
            "{} of {steps} steps would be done{size}; --run does them",
            steps - missing
        );
        return Ok(Exit::Done);
    }
    if missing > 0 && !args.skip_missing {
        let why = format!(
            "{missing} of {steps} steps cannot be done again: record with --log-typed-text, or leave them out with --skip-missing"
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
        let (report, is_same) = again(&mut daemon, &step, request, &args).await;
        say!("step {}: {}: {report}", step.number, step.text);
        done += 1;
        if !is_same {
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
    say!("{done} of {steps} steps done");
    Ok(exit)
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

/// Does a step again. Returns a report, and whether the replay goes on.
async fn again(
    daemon: &mut DesktopClient<client::Connection>,
    step: &LoggedStep,
    request: &v1::ActRequest,
    args: &ReplayArgs,
) -> (String, bool) {
    let mut call = tonic::Request::new(request.clone());
    let own = crate::rpc::own_time;
    let own: Duration = request.actions.iter().map(own).sum();
    call.set_timeout(args.client.deadline + own);
    let response = match daemon.act(call).await {
        Ok(response) => response.into_inner(),
        Err(status) => return (format!("refused: {}", status.message()), false),
    };
    let outcome = response.outcome();
    let name = |outcome: ActOutcome| outcome.as_str_name().trim_start_matches("ACT_OUTCOME_");
    if outcome != step.outcome {
        let (now, before) = (name(outcome), name(step.outcome));
        return (format!("{now}, and {before} in the log"), false);
    }
    let frame = response.frame.unwrap_or_default();
    let difference = match (&step.screen, decode::png(&frame.image)) {
        (Some((size, before)), Ok((now_size, now))) if *size == now_size => {
            difference(before, &now, *size)
        }
        (None, _) => return (format!("{}, the log has no screen", name(outcome)), true),
        _ => {
            return (
                format!("{}, and the screen cannot be compared", name(outcome)),
                false,
            );
        }
    };
    let Some((share, (left, top, right, bottom))) = difference else {
        return (format!("{}, the screen is the same", name(outcome)), true);
    };
    let (width, height) = (right - left + 1, bottom - top + 1);
    let report = format!(
        "{}, {share:.2} % of the screen differs, within {left},{top} {width}x{height}",
        name(outcome)
    );
    let is_near = args.max_difference.is_none_or(|most| share <= most);
    (report, is_near)
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

/// Calls `each` with every step of the log that ended.
fn each_step(
    file: &Path,
    mut each: impl FnMut(LoggedStep) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let (mut screen, mut known) = (LoggedScreen::default(), KnownFrames::default());
    let mut open: Vec<(v1::LogStepBegan, Duration, Option<v1::ActRequest>)> = Vec::new();
    // The screen of the last frame that a caller received.
    let mut seen = None;
    let mut last = None;
    let mut repeated = read::repeated_ends(file)?;
    LogFile::open(file)?.each(|at, record| {
        match record {
            Record::Screen(change) => {
                screen.apply(&change)?;
                known.screen = screen.size();
            }
            Record::Frame(frame) => {
                known.learn(&frame);
                if frame.screen != 0 && frame.screen == screen.number {
                    let pixels = || screen.pixels().to_vec();
                    seen = screen.size().map(|size| (frame.screen, size, pixels()));
                }
            }
            Record::StepBegan(began) => {
                let request = began.request.as_ref();
                let mapped = request.and_then(|request| known.on_screen(request));
                open.push((began, at, mapped));
            }
            Record::StepEnded(ended) if is_last_end(&mut repeated, ended.step) => {
                let found = open.iter().position(|(began, ..)| began.step == ended.step);
                let Some(found) = found else {
                    return Ok(());
                };
                let (began, arrived, mapped) = open.remove(found);
                let pause = last.map_or(Duration::ZERO, |last| arrived.saturating_sub(last));
                last = Some(at);
                let response = ended.response.as_ref();
                let of_frame = seen.take().filter(|(number, ..)| *number == ended.screen);
                let is_shown = ended.screen != 0 && ended.screen == screen.number;
                let now = || Some((screen.size()?, screen.pixels().to_vec()));
                let after = of_frame
                    .map(|(_, size, pixels)| (size, pixels))
                    .or_else(|| is_shown.then(now).flatten());
                each(LoggedStep {
                    number: began.step,
                    pause,
                    text: describe::step(&began),
                    request: request(&began, &ended, mapped),
                    outcome: response
                        .map_or(ActOutcome::Unspecified, |response| response.outcome()),
                    screen: after,
                })?;
            }
            _ => {}
        }
        Ok(())
    })
}

/// Returns the request that does a step again, or why that is not possible.
fn request(
    began: &v1::LogStepBegan,
    ended: &v1::LogStepEnded,
    mapped: Option<v1::ActRequest>,
) -> Result<v1::ActRequest, String> {
    if let Some(refused) = &ended.refused {
        return Err(format!("it was refused: {}", describe::refusal(refused)));
    }
    if ended
        .response
        .as_ref()
        .is_some_and(|response| response.replayed)
    {
        return Err("it repeated an earlier step".into());
    }
    if !began.redactions.is_empty() {
        return Err("its text is not in the log".into());
    }
    let mut mapped = mapped.ok_or("the log does not have the frame of its coordinates")?;
    let space = began
        .request
        .as_ref()
        .and_then(|request| request.coordinate_space.as_ref());
    let is_scaled = space.is_some_and(|space| {
        !matches!(
            space.space,
            None | Some(v1::coordinate_space::Space::Screen(_))
        )
    });
    for action in &mut mapped.actions {
        match &mut action.action {
            // Its picture is not compared, and its options may name a frame of the run.
            Some(Action::Screenshot(screenshot)) => screenshot.capture = None,
            Some(Action::WaitFor(wait)) if is_scaled && has_region(wait) => {
                return Err("it waits for a region of another frame".into());
            }
            _ => {}
        }
    }
    Ok(v1::ActRequest {
        operation_id: String::new(),
        instance_id: String::new(),
        expect: None,
        capture: Some(v1::CaptureOptions {
            format: v1::ImageFormat::Png.into(),
            include_cursor: Some(false),
            ..v1::CaptureOptions::default()
        }),
        no_frame: false,
        ..mapped
    })
}

fn has_region(wait: &v1::WaitForAction) -> bool {
    let condition = wait.condition.as_ref();
    let kind = condition.and_then(|condition| condition.condition.as_ref());
    matches!(kind, Some(v1::condition::Condition::Region(_)))
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
