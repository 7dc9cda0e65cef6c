//! Frames as files, as JSON, and as a line for people.

use std::{
    fs,
    io::{self, Write},
    path::Path,
    time::Duration,
};

use serde_json::json;

use super::{
    args::{FormatArg, PictureArgs},
    exit::{CliError, Exit},
    json, print,
};
use crate::rpc::v1;

impl FormatArg {
    fn wire(self) -> v1::ImageFormat {
        match self {
            Self::Png => v1::ImageFormat::Png,
            Self::Jpeg => v1::ImageFormat::Jpeg,
            Self::Webp => v1::ImageFormat::Webp,
            Self::Raw => v1::ImageFormat::RawBgrx,
        }
    }

    /// As the file's name ends; `None` when it has no ending.
    ///
    /// # Errors
    ///
    /// An ending that says another format than deskd's.
    fn by_name(file: &Path) -> Result<Option<Self>, CliError> {
        let Some(ending) = file.extension() else {
            return Ok(None);
        };
        Ok(Some(match ending.to_ascii_lowercase().to_str() {
            Some("png") => Self::Png,
            Some("jpg" | "jpeg") => Self::Jpeg,
            Some("webp") => Self::Webp,
            Some("raw" | "bgrx") => Self::Raw,
            _ => {
                let message = format!(
                    "{}: deskd writes no image of that kind: end the name in .png, .jpg, .webp or .raw, or give --format",
                    file.display()
                );
                return Err(CliError::new(Exit::Usage, message));
            }
        }))
    }
}

/// The format that a file's name says; PNG when it has no ending.
///
/// # Errors
///
/// A name that says another format than deskd's.
pub(super) fn format_of(file: &Path) -> Result<v1::ImageFormat, CliError> {
    let named = FormatArg::by_name(file)?;
    Ok(named.unwrap_or(FormatArg::Png).wire())
}

impl PictureArgs {
    /// As the daemon is asked for it; `file` is where one image goes.
    ///
    /// # Errors
    ///
    /// A file whose name says another format than deskd's.
    pub(super) fn options(&self, file: Option<&Path>) -> Result<v1::CaptureOptions, CliError> {
        let format = match (self.format, file) {
            (Some(format), _) => format.wire(),
            (None, Some(file)) => format_of(file)?,
            (None, None) => v1::ImageFormat::Png,
        };
        use v1::capture_options::Scale;
        let size = self.size.map(|size| {
            Scale::Size(v1::Size {
                width: size.width,
                height: size.height,
            })
        });
        let fit = self.fit.map(|(side, pixels)| {
            Scale::Fit(v1::Fit {
                max_side: Some(side),
                max_pixels: pixels,
                ..v1::Fit::default()
            })
        });
        Ok(v1::CaptureOptions {
            format: format.into(),
            quality: self.quality,
            region: self.region.map(|region| {
                v1::Region::new(region.x, region.y, region.size.width, region.size.height)
            }),
            scale: size.or(fit),
            include_cursor: Some(!self.no_cursor),
            max_image_bytes: self.max_image_bytes,
            coordinate_space: None,
        })
    }
}

/// The frame as JSON, with the number of its image's bytes in place of them.
pub(super) fn document(frame: &v1::Frame) -> Result<serde_json::Value, CliError> {
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

/// Writes an image; `-` is standard output.
pub(super) fn write(path: &Path, image: &[u8]) -> Result<(), CliError> {
    let written = if path.as_os_str() == "-" {
        io::stdout()
            .write_all(image)
            .and_then(|()| io::stdout().flush())
    } else {
        write_file(path, image)
    };
    written.map_err(|error| {
        CliError::of_output(&error, || {
            format!("the image cannot be written to {}: {error}", path.display())
        })
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

/// A time of a message in milliseconds; 0 where it has none.
pub(super) fn millis(time: Option<prost_types::Duration>) -> f64 {
    let time = time.and_then(|time| Duration::try_from(time).ok());
    time.unwrap_or_default().as_secs_f64() * 1e3
}

/// Says on standard error that the frame is a card, if it is one.
pub(super) fn tell_card(frame: &v1::Frame) -> bool {
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
        print::complain(format_args!(
            "a failure card came back: stage {stage}, {reason}: {}; {retry}",
            failure.message
        ));
    }
    frame.failure.is_some()
}
