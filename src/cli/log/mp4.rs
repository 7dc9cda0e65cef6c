//! Exports a film through ffmpeg, with a chapter for each step.
//!
//! The film is fragmented, so that what is written when ffmpeg ends early can be played.

use std::{
    ffi::OsString,
    fs,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use super::{
    describe,
    output::{self, NewFile},
    read::LogFile,
    screen::{LoggedScreen, size_of},
};
use crate::{
    cli::{
        exit::{CliError, Exit},
        print::say,
    },
    files,
    frame::Size,
    rpc::v1::{self, log_record::Record},
    text::is_hidden,
};

/// Pictures a second.
const FPS: u32 = 10;
/// Maximum length of a film.
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// Time that the last picture is shown.
const LAST: Duration = Duration::from_secs(1);
/// Maximum length of a chapter's title in characters.
const TITLE: usize = 120;

/// The facts that the film needs before its first picture.
#[derive(Debug, Default)]
struct Plan {
    /// The largest screen of the log.
    size: Option<Size>,
    /// The times at which something happens, in order.
    times: Vec<Duration>,
    /// The time and the title of each step.
    chapters: Vec<(Duration, String)>,
}

/// Exports the film.
pub(super) fn export(
    file: &Path,
    film: &Path,
    force: bool,
    max_pause: Option<Duration>,
) -> Result<Exit, CliError> {
    write(file, film, force, max_pause)?;
    say!("{}", film.display());
    Ok(Exit::Done)
}

/// Writes the film.
pub(super) fn write(
    file: &Path,
    film: &Path,
    force: bool,
    max_pause: Option<Duration>,
) -> Result<(), CliError> {
    let Some(ffmpeg) = files::in_path("ffmpeg") else {
        let why = "ffmpeg is not installed: install it (apt-get install ffmpeg), or export html";
        return Err(CliError::new(Exit::Local, why));
    };
    let plan = plan(file)?;
    let Some(size) = plan.size else {
        let why = format!("{} has no picture of the screen", file.display());
        return Err(CliError::new(Exit::Local, why));
    };
    let clock = Clock::new(&plan.times, max_pause);
    if clock.end() > LONGEST {
        let why = "the film would be longer than a day: shorten its pauses with --max-pause 2s";
        return Err(CliError::new(Exit::Usage, why));
    }
    let out = NewFile::create(film, force)?;
    let mut chapters = film.as_os_str().to_owned();
    chapters.push(".chapters.part");
    let chapters = PathBuf::from(chapters);
    output::write(&chapters, metadata(&plan, &clock).as_bytes())?;
    let made = encode(&ffmpeg, file, out.part(), size, (&clock, &chapters));
    drop(fs::remove_file(&chapters));
    made?;
    out.finish()?;
    Ok(())
}

fn plan(file: &Path) -> Result<Plan, CliError> {
    let mut plan = Plan::default();
    LogFile::open(file)?.each(|at, record| {
        match record {
            Record::Screen(screen) => {
                let Some(size) = screen.size.and_then(size_of) else {
                    return Ok(());
                };
                let before = plan.size.unwrap_or(Size {
                    width: 2,
                    height: 2,
                });
                let both = v1::Size {
                    width: before.width.max(size.width),
                    height: before.height.max(size.height),
                };
                let too_large = || {
                    let why = "no film has room for all screens of the log";
                    CliError::new(Exit::Local, why)
                };
                plan.size = Some(size_of(both).ok_or_else(too_large)?);
            }
            Record::StepBegan(began) => {
                let request = began.request.clone().unwrap_or_default();
                let operation = match request.operation_id.as_str() {
                    "" => String::new(),
                    id => format!(" ({id})"),
                };
                let title = format!("{}{operation}: {}", began.step, describe::step(&began));
                plan.chapters
                    .push((at, title.chars().take(TITLE).collect()));
            }
            _ => {}
        }
        plan.times.push(at);
        Ok(())
    })?;
    // Events are recorded in order, but their times may differ by a little.
    plan.times.sort();
    plan.chapters.sort();
    Ok(plan)
}

/// Maps times of the log to times of the film.
#[derive(Debug)]
struct Clock {
    /// For each event, its time in the log and in the film.
    times: Vec<(Duration, Duration)>,
}

impl Clock {
    fn new(times: &[Duration], max_pause: Option<Duration>) -> Self {
        let (mut last, mut film) = (Duration::ZERO, Duration::ZERO);
        let times = times.iter().map(|at| {
            let pause = at.saturating_sub(last);
            film += max_pause.map_or(pause, |most| pause.min(most));
            last = *at;
            (*at, film)
        });
        Self {
            times: times.collect(),
        }
    }

    fn of(&self, at: Duration) -> Duration {
        let next = self.times.partition_point(|(log, _)| *log < at);
        let found = self.times.get(next).or(self.times.last());
        found.map_or(Duration::ZERO, |(_, film)| *film)
    }

    fn end(&self) -> Duration {
        self.times.last().map_or(Duration::ZERO, |(_, film)| *film) + LAST
    }
}

/// Returns the chapters in ffmpeg's metadata format.
fn metadata(plan: &Plan, clock: &Clock) -> String {
    let mut text = String::from(";FFMETADATA1\n");
    let mut chapters = plan.chapters.iter().peekable();
    while let Some((at, title)) = chapters.next() {
        let start = clock.of(*at).as_millis();
        let end = chapters
            .peek()
            .map_or(clock.end(), |(next, _)| clock.of(*next));
        let end = end.as_millis().max(start + 1);
        let plain = |c: char| match c {
            '=' | ';' | '#' | '\\' => format!("\\{c}"),
            c if is_hidden(c) => " ".to_owned(),
            c => c.to_string(),
        };
        let title: String = title.chars().map(plain).collect();
        text.push_str(&format!(
            "[CHAPTER]\nTIMEBASE=1/1000\nSTART={start}\nEND={end}\ntitle={title}\n"
        ));
    }
    text
}

fn encode(
    ffmpeg: &Path,
    file: &Path,
    film: &Path,
    size: Size,
    (clock, chapters): (&Clock, &Path),
) -> Result<(), CliError> {
    // H.264 needs an even number of rows and columns.
    let even = Size {
        width: size.width.next_multiple_of(2),
        height: size.height.next_multiple_of(2),
    };
    let mut child = Command::new(ffmpeg)
        .args(["-hide_banner", "-loglevel", "error", "-y"])
        .args(["-f", "rawvideo", "-pix_fmt", "bgr0", "-framerate"])
        .arg(FPS.to_string())
        .args(["-video_size", &even.to_string(), "-i", "pipe:0"])
        .args(["-f", "ffmetadata", "-i"])
        .arg(protocol(chapters))
        .args(["-map", "0:v", "-map_metadata", "1", "-map_chapters", "1"])
        .args(["-c:v", "libx264", "-preset", "veryfast", "-crf", "23"])
        .args(["-pix_fmt", "yuv420p", "-g", &FPS.to_string()])
        .args(["-movflags", "+frag_keyframe+empty_moov+default_base_moof"])
        .args(["-f", "mp4"])
        .arg(protocol(film))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| failed(&format!("it cannot be started: {error}")))?;
    // Its messages are read meanwhile, so that it does not wait for a reader.
    let stderr = child.stderr.take();
    let said = std::thread::spawn(move || {
        let mut said = Vec::new();
        let mut stderr = stderr?;
        drop(stderr.by_ref().take(4096).read_to_end(&mut said));
        drop(std::io::copy(&mut stderr, &mut std::io::sink()));
        Some(said)
    });
    let fed = feed(&mut child, file, even, clock);
    drop(child.stdin.take());
    let said = said.join().ok().flatten().unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    let status = child.wait();
    let status = status.map_err(|error| failed(&error.to_string()))?;
    if !status.success() {
        return Err(failed(said.trim()));
    }
    fed
}

/// Returns a path that ffmpeg takes for that of a file, whatever its name.
fn protocol(path: &Path) -> OsString {
    let mut name = OsString::from("file:");
    name.push(path);
    name
}

fn failed(why: &str) -> CliError {
    CliError::new(Exit::Local, format!("ffmpeg made no film: {why}"))
}

/// Writes the pictures to ffmpeg's standard input.
fn feed(child: &mut Child, file: &Path, size: Size, clock: &Clock) -> Result<(), CliError> {
    let Some(mut pipe) = child.stdin.take() else {
        return Err(failed("it has no standard input"));
    };
    let mut screen = LoggedScreen::default();
    let (mut picture, mut sent) = (vec![0; size.bgrx_bytes()], 0);
    let mut until = |time: Duration, picture: &[u8]| {
        let end = time.as_millis() * u128::from(FPS) / 1000;
        while sent < end {
            let written = pipe.write_all(picture);
            written.map_err(|error| failed(&error.to_string()))?;
            sent += 1;
        }
        Ok::<_, CliError>(())
    };
    LogFile::open(file)?.each(|at, record| {
        match record {
            Record::Screen(change) => {
                until(clock.of(at), &picture)?;
                screen.apply(&change)?;
                if let (Some(shown), Some(of)) = (screen.with_pointer(), screen.size()) {
                    place(&mut picture, size, &shown, of);
                }
            }
            Record::PointerImage(image) => screen.learn(image),
            _ => {}
        }
        Ok(())
    })?;
    until(clock.end(), &picture)
}

/// Draws a screen into the top left corner of a picture; the rest is black.
fn place(picture: &mut [u8], size: Size, shown: &[u8], of: Size) {
    let (row, length) = (
        size.width as usize * 4,
        of.width.min(size.width) as usize * 4,
    );
    if of != size {
        picture.fill(0);
    }
    let from = shown.chunks_exact(of.width as usize * 4);
    for (to, from) in picture.chunks_exact_mut(row).zip(from) {
        to[..length].copy_from_slice(&from[..length]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_shortened_and_titles_cannot_end_their_line() {
        let seconds = Duration::from_secs;
        let times = [seconds(1), seconds(10), seconds(11)];
        let clock = Clock::new(&times, Some(seconds(2)));
        assert_eq!(times.map(|at| clock.of(at)), [1, 3, 4].map(seconds));
        assert_eq!(clock.end(), seconds(5));
        let whole = Clock::new(&times, None);
        assert_eq!(times.map(|at| whole.of(at)), times);
        let plan = Plan {
            chapters: vec![
                (seconds(1), "a=b\n[CHAPTER]".into()),
                (seconds(10), "b".into()),
            ],
            ..Plan::default()
        };
        let text = metadata(&plan, &clock);
        assert_eq!(text.matches("\n[CHAPTER]\n").count(), 2);
        assert!(
            text.contains("START=1000\nEND=3000\ntitle=a\\=b [CHAPTER]\n"),
            "{text}"
        );
        assert!(text.contains("START=3000\nEND=5000\ntitle=b\n"), "{text}");
    }
}
