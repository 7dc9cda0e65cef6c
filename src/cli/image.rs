//! Writes frames as files and as JSON, and reports failure cards.

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
use crate::rpc::{v1, window_named};

impl FormatArg {
    pub(super) fn wire(self) -> v1::ImageFormat {
        match self {
            Self::Png => v1::ImageFormat::Png,
            Self::Jpeg => v1::ImageFormat::Jpeg,
            Self::Webp => v1::ImageFormat::Webp,
            Self::Raw => v1::ImageFormat::RawBgrx,
        }
    }

    /// Returns the format for a file's extension; `None` without an extension.
    ///
    /// # Errors
    ///
    /// When the extension is not that of a format of deskd.
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
                    "{}: deskd writes no image of that kind: end the name in .png, .jpg, .webp or .raw",
                    file.display()
                );
                return Err(CliError::new(Exit::Usage, message));
            }
        }))
    }
}

/// Returns the format for a file's extension; PNG without an extension.
///
/// # Errors
///
/// When the extension is not that of a format of deskd.
pub(super) fn format_of(file: &Path) -> Result<v1::ImageFormat, CliError> {
    let named = FormatArg::by_name(file)?;
    Ok(named.unwrap_or(FormatArg::Png).wire())
}

impl PictureArgs {
    /// Returns the options for the request; `file` is the output file of a single image.
    ///
    /// # Errors
    ///
    /// When the extension of `file` is not that of a format of deskd.
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
            window: self.window.clone().map(|window| v1::WindowImage {
                window: Some(window_named(window)),
                with_popups: self.popups,
            }),
        })
    }
}

/// Returns the frame as JSON, with the size of its image in place of the bytes.
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

/// Writes a file that has either the whole image or its previous content.
fn write_file(path: &Path, image: &[u8]) -> io::Result<()> {
    // A device, a pipe or a link is written directly.
    if fs::symlink_metadata(path).is_ok_and(|meta| !meta.is_file()) {
        return fs::write(path, image);
    }
    // A name that nobody can foresee, and no link: another user may write into the folder.
    let mut random = [0; 8];
    getrandom::fill(&mut random)?;
    let mut partial = path.as_os_str().to_owned();
    partial.push(format!(".{:016x}.part", u64::from_ne_bytes(random)));
    let partial = Path::new(&partial);
    // An existing file keeps its permissions.
    let permissions = fs::metadata(path).map(|meta| meta.permissions());
    let mut file = fs::File::create_new(partial)?;
    let done = file
        .write_all(image)
        .and_then(|()| permissions.map_or(Ok(()), |kept| fs::set_permissions(partial, kept)))
        .and_then(|()| fs::rename(partial, path));
    done.inspect_err(|_| drop(fs::remove_file(partial)))
}

/// Converts a duration of a message to milliseconds; 0 if it is not set.
pub(super) fn millis(time: Option<prost_types::Duration>) -> f64 {
    let time = time.and_then(|time| Duration::try_from(time).ok());
    time.unwrap_or_default().as_secs_f64() * 1e3
}

/// Prints a line to standard error if the frame is a failure card, and returns whether it is.
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
