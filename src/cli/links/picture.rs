//! A screenshot for `scrot` and its like: one file.
//!
//! A failed capture writes the failure card and exits with 0, because a worker hands the file to a
//! model, which reads the card. With DESKD_STRICT=1 nothing is written, and the exit code is 1.

use std::{
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use super::{
    super::{
        args::FormatArg,
        exit::{CliError, Exit},
        image, print,
    },
    Settings,
};
use crate::{frame::Region, rpc::v1};

/// A screenshot that a command asks for.
#[derive(Debug)]
pub(super) struct Wanted {
    /// The file; `-` is standard output.
    pub(super) file: PathBuf,
    /// Whether the file's name may have codes of strftime(3) and `$w`, `$h`.
    pub(super) has_codes: bool,
    /// Encoding, if the file's name does not decide it.
    pub(super) format: Option<FormatArg>,
    /// Quality of a JPEG image.
    pub(super) quality: Option<u32>,
    /// Whether the pointer is drawn.
    pub(super) has_pointer: bool,
    /// Whether an existing file is replaced; otherwise, a number is added to the name.
    pub(super) overwrites: bool,
    /// The part of the screen.
    pub(super) region: Option<Region>,
    /// Time to wait before.
    pub(super) delay: Duration,
}

/// Takes the screenshot and writes it.
///
/// # Errors
///
/// When no daemon answers, it refuses the call, or the file cannot be written.
pub(super) async fn run(wanted: Wanted, settings: Settings, name: &str) -> Result<Exit, CliError> {
    let mut client = settings.client;
    let format = match wanted.format {
        Some(format) => format.wire(),
        None => image::format_of(&wanted.file)?,
    };
    if wanted.delay > Duration::ZERO {
        tokio::time::sleep(wanted.delay).await;
    }
    let mut daemon = client.connect().await?;
    let request = v1::ScreenshotRequest {
        capture: Some(v1::CaptureOptions {
            format: format.into(),
            // The other formats have none, as with the originals, which ignore it there.
            quality: wanted.quality.filter(|_| format == v1::ImageFormat::Jpeg),
            region: wanted.region.map(|region| {
                let size = region.size;
                let at = |side: u32| i32::try_from(side).unwrap_or(i32::MAX);
                v1::Region::new(at(region.x), at(region.y), size.width, size.height)
            }),
            include_cursor: Some(wanted.has_pointer),
            ..v1::CaptureOptions::default()
        }),
        unproved: settings.unproved,
        ..v1::ScreenshotRequest::default()
    };
    let reply = daemon.screenshot(client.request(request)).await?;
    let frame = reply.into_inner().frame.unwrap_or_default();
    if let Some(failure) = &frame.failure {
        if settings.strict {
            return Err(CliError::new(Exit::Card, failure.message.clone()));
        }
        print::note(format_args!(
            "{name}: a failure card was written in place of the screen: {}",
            failure.message
        ));
    }
    let file = match wanted.has_codes {
        true => named(&wanted.file, SystemTime::now(), (frame.width, frame.height)),
        false => wanted.file,
    };
    let file = match wanted.overwrites || file.as_os_str() == "-" {
        true => file,
        false => free(&file)?,
    };
    image::write(&file, &frame.image)?;
    Ok(Exit::Done)
}

/// Replaces the codes in a file's name. The time is in UTC.
fn named(file: &Path, now: SystemTime, (width, height): (u32, u32)) -> PathBuf {
    let Some(text) = file.to_str() else {
        return file.to_owned();
    };
    // 2026-11-26T20:04:05Z
    let time = humantime::format_rfc3339_seconds(now).to_string();
    let part = |from: usize, to: usize| time.get(from..to).unwrap_or_default().to_owned();
    let mut name = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        let code = match letter {
            '%' | '$' => letters.next(),
            _ => None,
        };
        match (letter, code) {
            ('%', Some('Y')) => name += &part(0, 4),
            ('%', Some('y')) => name += &part(2, 4),
            ('%', Some('m')) => name += &part(5, 7),
            ('%', Some('d')) => name += &part(8, 10),
            ('%', Some('H')) => name += &part(11, 13),
            ('%', Some('M')) => name += &part(14, 16),
            ('%', Some('S')) => name += &part(17, 19),
            ('%', Some('F')) => name += &part(0, 10),
            ('%', Some('T')) => name += &part(11, 19),
            ('%', Some('s')) => {
                let since = now.duration_since(SystemTime::UNIX_EPOCH);
                name += &since.unwrap_or_default().as_secs().to_string();
            }
            ('%', Some('%')) => name.push('%'),
            ('$', Some('w')) => name += &width.to_string(),
            ('$', Some('h')) => name += &height.to_string(),
            ('$', Some('p')) => name += &(u64::from(width) * u64::from(height)).to_string(),
            ('$', Some('$')) => name.push('$'),
            (first, second) => {
                name.push(first);
                name.extend(second);
            }
        }
    }
    PathBuf::from(name)
}

/// Returns a name that no file has: `x.png`, else `x_000.png`, `x_001.png` and so on.
///
/// # Errors
///
/// When all of them exist.
fn free(file: &Path) -> Result<PathBuf, CliError> {
    if !file.exists() {
        return Ok(file.to_owned());
    }
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let ending = file.extension().map(|ending| ending.to_string_lossy());
    let numbered = |number: u32| match &ending {
        Some(ending) => file.with_file_name(format!("{stem}_{number:03}.{ending}")),
        None => file.with_file_name(format!("{stem}_{number:03}")),
    };
    let found = (0..1000).map(numbered).find(|name| !name.exists());
    found.ok_or_else(|| {
        let message = format!(
            "{}: a thousand files have this name and a number",
            file.display()
        );
        CliError::new(Exit::Local, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_the_time_and_the_size() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_723_445);
        let name = |text: &str| {
            named(Path::new(text), now, (1280, 800))
                .display()
                .to_string()
        };
        assert_eq!(
            name("%Y-%m-%d-%H%M%S_$wx$h_scrot.png"),
            "2026-11-26-200405_1280x800_scrot.png"
        );
        assert_eq!(name("a%%b$$c%q"), "a%b$c%q");
        assert_eq!(name("plain.png"), "plain.png");
    }

    #[test]
    fn an_existing_file_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.png");
        assert_eq!(free(&file).unwrap(), file);
        std::fs::write(&file, "").unwrap();
        assert_eq!(free(&file).unwrap(), folder.path().join("x_000.png"));
        std::fs::write(folder.path().join("x_000.png"), "").unwrap();
        assert_eq!(free(&file).unwrap(), folder.path().join("x_001.png"));
    }
}
