//! `deskd screenshot`.

use std::{
    fs,
    io::{self, IsTerminal, Write},
    path::Path,
    time::{Duration, Instant},
};

use serde_json::json;

use super::{
    args::{FormatArg, Screenshot},
    exit::{Error, Exit},
    json,
    print::say,
};
use crate::rpc::v1;

/// Takes one picture, or many.
pub(super) async fn run(args: Box<Screenshot>) -> Result<Exit, Error> {
    let to_stdout = match &args.output {
        Some(path) => path.as_os_str() == "-",
        // Many calls are for their numbers, not for their images.
        None => args.count.is_none() && !args.client.json,
    };
    if to_stdout && args.client.json {
        return Err(Error::new(
            Exit::Usage,
            "--json and the image cannot both go to standard output: give -o FILE",
        ));
    }
    if to_stdout && io::stdout().is_terminal() {
        return Err(Error::new(
            Exit::Usage,
            "the image would go to the terminal: give -o FILE, or -o - in a pipe",
        ));
    }
    let mut daemon = args.client.connect().await?;
    let (mut exit, mut times) = (Exit::Done, Vec::new());
    let mut last = None;
    for _ in 0..args.count.unwrap_or(1) {
        let began = Instant::now();
        let reply = daemon
            .screenshot(args.client.request(request(&args)))
            .await?;
        times.push(began.elapsed());
        let frame = reply.into_inner().frame.unwrap_or_default();
        if frame.kind() == v1::FrameKind::FailureCard {
            exit = Exit::Card;
        }
        if args.client.json {
            say!("{}", document(&frame)?);
        }
        last = Some(frame);
    }
    if let Some(frame) = last {
        write(&args, &frame, to_stdout)?;
        describe(&args, &frame, times.last().copied().unwrap_or_default());
    }
    if args.count.is_some() {
        say!("{}", percentiles(times));
    }
    Ok(exit)
}

fn request(args: &Screenshot) -> v1::ScreenshotRequest {
    let format = match args.format {
        FormatArg::Png => v1::ImageFormat::Png,
        FormatArg::Jpeg => v1::ImageFormat::Jpeg,
        FormatArg::Webp => v1::ImageFormat::Webp,
        FormatArg::Raw => v1::ImageFormat::RawBgrx,
    };
    v1::ScreenshotRequest {
        format: format.into(),
        quality: args.quality,
        region: args.region.map(|region| v1::Region {
            x: region.x,
            y: region.y,
            width: region.size.width,
            height: region.size.height,
        }),
        size: args.size.map(|size| v1::Size {
            width: size.width,
            height: size.height,
        }),
        include_cursor: Some(!args.no_cursor),
        unproved: args.unproved,
        max_image_bytes: args.max_image_bytes,
        ..v1::ScreenshotRequest::default()
    }
}

/// The frame as JSON, with the number of its image's bytes in place of them.
fn document(frame: &v1::Frame) -> Result<serde_json::Value, Error> {
    let bytes = frame.image.len();
    let frame = v1::Frame {
        image: bytes::Bytes::new(),
        ..frame.clone()
    };
    let mut document = json::value("Frame", &frame)?;
    if let Some(fields) = document.as_object_mut() {
        fields.remove("image");
        fields.insert("imageBytes".into(), json!(bytes));
    }
    Ok(document)
}

fn write(args: &Screenshot, frame: &v1::Frame, to_stdout: bool) -> Result<(), Error> {
    let written = match &args.output {
        Some(path) if !to_stdout => write_file(path, &frame.image),
        _ if to_stdout => io::stdout()
            .write_all(&frame.image)
            .and_then(|()| io::stdout().flush()),
        _ => Ok(()),
    };
    written.map_err(|error| {
        let target = args.output.as_deref().unwrap_or(Path::new("-"));
        Error::new(
            Exit::Local,
            format!(
                "the image cannot be written to {}: {error}",
                target.display()
            ),
        )
    })
}

/// A file that has the whole image, or what it had before.
fn write_file(path: &Path, image: &[u8]) -> io::Result<()> {
    // A device or pipe is written through; so is a link.
    if fs::symlink_metadata(path).is_ok_and(|meta| !meta.is_file()) {
        return fs::write(path, image);
    }
    let mut partial = path.as_os_str().to_owned();
    partial.push(format!(".{}.part", std::process::id()));
    let partial = Path::new(&partial);
    // Who may read the file stays as it was.
    let permissions = fs::metadata(path).map(|meta| meta.permissions());
    let done = fs::write(partial, image)
        .and_then(|()| permissions.map_or(Ok(()), |kept| fs::set_permissions(partial, kept)))
        .and_then(|()| fs::rename(partial, path));
    done.inspect_err(|_| drop(fs::remove_file(partial)))
}

/// One line for people, on standard error.
fn describe(args: &Screenshot, frame: &v1::Frame, took: Duration) {
    if let Some(failure) = &frame.failure {
        let stage = failure
            .stage()
            .as_str_name()
            .trim_start_matches("FAILURE_STAGE_")
            .to_ascii_lowercase();
        let reason = failure.reason().as_str_name().trim_start_matches("REASON_");
        let retry = if failure.retryable {
            "the call may be tried again"
        } else {
            "trying again will not help"
        };
        eprintln!(
            "deskd: a failure card came back: stage {stage}, {reason}: {}; {retry}",
            failure.message
        );
    } else if !args.client.json && args.count.is_none() && args.output.is_some() {
        let timings = frame.timings.unwrap_or_default();
        eprintln!(
            "{}x{}, {} bytes, frame {}: {:.1} ms (capture {:.1}, encode {:.1})",
            frame.width,
            frame.height,
            frame.image.len(),
            frame.frame_id,
            millis(took),
            millis(Duration::from_micros(timings.capture_us)),
            millis(Duration::from_micros(timings.encode_us)),
        );
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Nearest-rank percentiles of the calls' times, as the client saw them.
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
