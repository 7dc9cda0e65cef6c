//! `deskd screenshot`.

use std::{
    io::{self, IsTerminal},
    path::Path,
    time::{Duration, Instant},
};

use serde_json::json;

use super::{
    args::ScreenshotArgs,
    exit::{CliError, Exit},
    image,
    print::{self, say},
};
use crate::rpc::v1;

/// Takes a screenshot, or with `--count` several.
pub(super) async fn run(mut args: Box<ScreenshotArgs>) -> Result<Exit, CliError> {
    let to_stdout = match &args.output {
        Some(path) => path.as_os_str() == "-",
        // With `--count` the timings matter, so no image is written by default.
        None => args.count.is_none() && !args.client.json,
    };
    if to_stdout && args.client.json {
        return Err(CliError::new(
            Exit::Usage,
            "--json and the image cannot both go to standard output: give -o FILE",
        ));
    }
    if to_stdout && io::stdout().is_terminal() {
        return Err(CliError::new(
            Exit::Usage,
            "the image would go to the terminal: give -o FILE, or -o - in a pipe",
        ));
    }
    let asked = v1::ScreenshotRequest {
        capture: Some(args.picture.options(args.output.as_deref())?),
        if_changed_since: String::new(),
        unproved: args.picture.unproved,
    };
    let mut daemon = args.client.connect().await?;
    let (mut exit, mut times) = (Exit::Done, Vec::new());
    let mut last = None;
    for _ in 0..args.count.unwrap_or(1) {
        let began = Instant::now();
        let reply = daemon
            .screenshot(args.client.request(asked.clone()))
            .await?;
        times.push(began.elapsed());
        let frame = reply.into_inner().frame.unwrap_or_default();
        if frame.kind() == v1::FrameKind::FailureCard {
            exit = Exit::Card;
        }
        if args.client.json {
            say!("{}", image::document(&frame)?);
        }
        last = Some(frame);
    }
    if let Some(frame) = last {
        if args.output.is_some() || to_stdout {
            image::write(
                args.output.as_deref().unwrap_or(Path::new("-")),
                &frame.image,
            )?;
        }
        describe(&args, &frame, times.last().copied().unwrap_or_default());
    }
    if args.count.is_some() {
        say!("{}", percentiles(times));
    }
    Ok(exit)
}

/// Prints one line about the frame to standard error.
fn describe(args: &ScreenshotArgs, frame: &v1::Frame, took: Duration) {
    if !image::tell_card(frame)
        && !args.client.json
        && args.count.is_none()
        && args.output.is_some()
    {
        let timings = frame.timings.unwrap_or_default();
        print::note(format_args!(
            "{}x{}, {} bytes, frame {}: {:.1} ms (capture {:.1}, encode {:.1})",
            frame.width,
            frame.height,
            frame.image.len(),
            frame.frame_id,
            millis(took),
            image::millis(timings.capture),
            image::millis(timings.encode),
        ));
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Returns nearest-rank percentiles of the calls' durations, as measured by the client.
fn percentiles(mut times: Vec<Duration>) -> serde_json::Value {
    times.sort_unstable();
    let at = |percent: usize| {
        let rank = (times.len() * percent).div_ceil(100).max(1);
        times.get(rank - 1).map_or(0, Duration::as_micros)
    };
    let value = |micros: u128| u64::try_from(micros).unwrap_or(u64::MAX);
    json!({
        "count": times.len(),
        "p50_us": value(at(50)),
        "p95_us": value(at(95)),
        "p99_us": value(at(99)),
        "max_us": value(at(100)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_rank() {
        let times = (1..=200).rev().map(Duration::from_micros).collect();
        let line = percentiles(times);
        assert_eq!(
            line,
            json!({"count": 200, "p50_us": 100, "p95_us": 190, "p99_us": 198, "max_us": 200})
        );
        let one = percentiles(vec![Duration::from_micros(7)]);
        assert_eq!(
            one,
            json!({"count": 1, "p50_us": 7, "p95_us": 7, "p99_us": 7, "max_us": 7})
        );
    }
}
