//! `deskd watch`.

use std::{
    fs, io,
    os::fd::AsFd,
    path::Path,
    time::{Duration, Instant},
};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde_json::{Value, json};
use tonic::Code;

use super::{
    args::WatchArgs,
    exit::{CliError, Exit},
    image,
    print::say,
};
use crate::rpc::v1;

/// Prints frames until `--count` or `--time` is reached, or it is interrupted.
pub(super) async fn run(mut args: Box<WatchArgs>) -> Result<Exit, CliError> {
    let before = match &args.output {
        Some(folder) if folder.as_os_str() == "-" => {
            let what = "-o names a folder: each frame is a file of its own";
            return Err(CliError::new(Exit::Usage, what));
        }
        Some(folder) => last_in(folder).map_err(|error| {
            let what = format!("the folder {} cannot be used: {error}", folder.display());
            CliError::new(Exit::Local, what)
        })?,
        None => 0,
    };
    let mut daemon = args.client.connect().await?;
    // The stream has no deadline; it ends as the flags say.
    let request = v1::WatchRequest {
        capture: Some(args.picture.options(None)?),
        max_fps: args.fps,
        changed_regions: args.regions,
        if_changed_since: String::new(),
        unproved: args.picture.unproved,
    };
    let mut stream = daemon
        .watch(tonic::Request::new(request))
        .await?
        .into_inner();
    let began = Instant::now();
    let end = args
        .time
        .map(|time| tokio::time::Instant::from_std(began) + time);
    let mut exit = Exit::Done;
    let mut frames = 0;
    while args.count.is_none_or(|count| frames < count) {
        let next = tokio::select! {
            next = stream.message() => next,
            () = until(end) => break,
            () = nobody_reads() => break,
        };
        let Some(step) = next.map_err(ended)? else {
            return Err(gone());
        };
        frames += 1;
        let frame = step.frame().cloned().unwrap_or_default();
        if frame.failure.is_some() {
            exit = Exit::Card;
        }
        if let Some(folder) = &args.output {
            write(folder, before + frames, &frame, step.changed())?;
        }
        if args.client.json {
            say!("{}", document(&step, &frame)?);
        } else if !image::tell_card(&frame) {
            say!("{}", line(began.elapsed(), &step, &frame));
        }
    }
    Ok(exit)
}

/// Returns one line of text about a frame.
fn line(time: Duration, step: &v1::WatchResponse, frame: &v1::Frame) -> String {
    let timings = frame.timings.unwrap_or_default();
    let changed: usize = step.changed().iter().map(|part| part.image.len()).sum();
    let mut line = format!(
        "{:>9.3} s  {}  {}x{}  {:>9} bytes  capture {:>5.1} ms  encode {:>5.1} ms",
        time.as_secs_f64(),
        frame.frame_id,
        frame.width,
        frame.height,
        frame.image.len() + changed,
        image::millis(timings.capture),
        image::millis(timings.encode),
    );
    for region in step
        .changed()
        .iter()
        .filter_map(|part| part.region.as_ref())
    {
        let (x, y, width, height) = (region.x(), region.y(), region.width, region.height);
        line += &format!("  {x},{y},{width},{height}");
    }
    if step.skipped > 0 {
        line += &format!("  skipped {}", step.skipped);
    }
    line
}

fn document(step: &v1::WatchResponse, frame: &v1::Frame) -> Result<Value, CliError> {
    let changed = step.changed().iter().map(|part| {
        let region = part.region.unwrap_or_default();
        json!({
            "region": {"x": region.x, "y": region.y, "width": region.width, "height": region.height},
            "imageBytes": part.image.len(),
        })
    });
    Ok(json!({
        "frame": image::document(frame)?,
        "changed": changed.collect::<Vec<_>>(),
        "skipped": step.skipped,
    }))
}

/// Creates the folder, and returns the number of the last frame in it.
fn last_in(folder: &Path) -> io::Result<u32> {
    fs::create_dir_all(folder)?;
    let mut last = 0;
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let digits = name.to_str().and_then(|name| name.split(['-', '.']).next());
        let number = digits.and_then(|digits| digits.parse::<u32>().ok());
        last = last.max(number.unwrap_or(0));
    }
    Ok(last)
}

/// Waits until standard output is a pipe without a reader. While the screen does not change,
/// nothing is written, so no write would fail and reveal that.
async fn nobody_reads() {
    loop {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let stdout = io::stdout();
        let mut fds = [PollFd::new(stdout.as_fd(), PollFlags::empty())];
        let told = poll(&mut fds, PollTimeout::ZERO).is_ok_and(|count| count > 0);
        if told
            && fds[0]
                .revents()
                .is_some_and(|events| events.contains(PollFlags::POLLERR))
        {
            return;
        }
    }
}

/// Writes the frame, or a file for each changed rectangle, named by its corner. The name of a raw
/// file also contains the size.
fn write(
    folder: &Path,
    number: u32,
    frame: &v1::Frame,
    changed: &[v1::ChangedRegion],
) -> Result<(), CliError> {
    let ending = match frame.format() {
        v1::ImageFormat::Png => "png",
        v1::ImageFormat::Jpeg => "jpg",
        v1::ImageFormat::Webp => "webp",
        _ => "bgrx",
    };
    let is_raw = ending == "bgrx";
    let size = |width, height| {
        if is_raw {
            format!("-{width}x{height}")
        } else {
            String::new()
        }
    };
    if !frame.image.is_empty() {
        let size = size(frame.width, frame.height);
        image::write(
            &folder.join(format!("{number:06}{size}.{ending}")),
            &frame.image,
        )?;
    }
    for part in changed {
        let region = part.region.unwrap_or_default();
        let (x, y, width, height) = (region.x(), region.y(), region.width, region.height);
        let name = format!("{number:06}-{x}-{y}{}.{ending}", size(width, height));
        image::write(&folder.join(name), &part.image)?;
    }
    Ok(())
}

/// Waits until that time; permanently if it is `None`.
async fn until(end: Option<tokio::time::Instant>) {
    match end {
        Some(end) => tokio::time::sleep_until(end).await,
        None => std::future::pending().await,
    }
}

fn ended(status: tonic::Status) -> CliError {
    match status.code() {
        Code::Unknown | Code::Unavailable => gone(),
        _ => status.into(),
    }
}

fn gone() -> CliError {
    CliError::new(
        Exit::NoDaemon,
        "the daemon ended, or cut off a reader that was too slow; it may be back already: run this again",
    )
}
