//! Converts messages to internal values, refusing malformed ones, and values to messages.

use std::time::{Duration, SystemTime};

use tonic::Status;

use crate::rpc::{
    limits,
    messages::{status, window::target},
    v1,
};
use crate::{
    encode::Format,
    facts::{ExpectedWindow, Profile, Role},
    failure::{Failure, Stage},
    frame::{CaptureMode, CursorImage, Region, Size},
    gate::{Evidence, Verdict},
    metrics,
    session::{
        AskedRegion, Awaited, Fit, Frame, FrameKind, ImageSpec, Scale, Space, Spec, TileLimit,
        Timings, WindowImage,
    },
};

/// Maximum bytes of a frame id in a coordinate space. It limits what is looked up and what a
/// refusal repeats.
const MAX_ID_BYTES: usize = 64;

/// Default JPEG quality.
const DEFAULT_QUALITY: u8 = 85;

/// Converts a `ScreenshotRequest`.
pub(in crate::rpc) fn spec(request: &v1::ScreenshotRequest) -> Result<Spec, Status> {
    Ok(Spec {
        image: image("capture", request.capture.as_ref())?,
        if_changed_since: id(&request.if_changed_since),
        unproved: request.unproved,
    })
}

/// Converts the id of a frame that the caller has; `None` if it is empty.
pub(in crate::rpc) fn id(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// Converts the `CaptureOptions` of the field with this name.
pub(in crate::rpc) fn image(
    field: &str,
    options: Option<&v1::CaptureOptions>,
) -> Result<ImageSpec, Status> {
    let default = v1::CaptureOptions::default();
    let options = options.unwrap_or(&default);
    let name = |part: &str| format!("{field}.{part}");
    let format = format(&name, options)?;
    let max_image_bytes = match options.max_image_bytes {
        Some(0) => {
            let why = "must be at least 1";
            return Err(status::invalid_field(&name("max_image_bytes"), why));
        }
        Some(limit) => Some(limit),
        None if format == Format::RawBgrx => None,
        None => Some(limits::DEFAULT_MAX_IMAGE_BYTES),
    };
    let region = options.region.as_ref();
    Ok(ImageSpec {
        format,
        region: region
            .map(|asked| self::region(&name("region"), asked))
            .transpose()?,
        scale: match &options.scale {
            None => Scale::Native,
            Some(v1::capture_options::Scale::Size(size)) => {
                Scale::Size(nonempty(&name("size"), size.width, size.height)?)
            }
            Some(v1::capture_options::Scale::Fit(fit)) => Scale::Fit(self::fit(&name("fit"), fit)?),
        },
        cursor: options.include_cursor.unwrap_or(true),
        max_image_bytes,
        space: space(&name("coordinate_space"), options.coordinate_space.as_ref())?,
        window: window_image(&name, options)?,
    })
}

fn window_image(
    name: &impl Fn(&str) -> String,
    options: &v1::CaptureOptions,
) -> Result<Option<WindowImage>, Status> {
    let Some(image) = &options.window else {
        return Ok(None);
    };
    if options.coordinate_space.is_some() {
        let why = "must be unset with `window`: its region is in pixels of the window";
        return Err(status::invalid_field(&name("coordinate_space"), why));
    }
    Ok(Some(WindowImage {
        target: target(&name("window.window"), image.window.as_ref())?,
        with_popups: image.with_popups,
    }))
}

fn fit(field: &str, fit: &v1::Fit) -> Result<Fit, Status> {
    let tiles = fit.tiles.map(|tiles| TileLimit {
        size: tiles.size,
        max_count: tiles.max_count,
    });
    let fit = Fit::new(
        fit.max_side,
        fit.max_pixels,
        tiles,
        fit.multiple_of,
        fit.may_enlarge,
    );
    fit.map_err(|(part, why)| {
        let field = match part {
            "" => field.to_owned(),
            part => format!("{field}.{part}"),
        };
        status::invalid_field(&field, why)
    })
}

fn format(name: &dyn Fn(&str) -> String, options: &v1::CaptureOptions) -> Result<Format, Status> {
    let unknown = || {
        let why = format!("{} is no image format", options.format);
        status::invalid_field(&name("format"), &why)
    };
    let format = v1::ImageFormat::try_from(options.format).map_err(|_| unknown())?;
    if options.quality.is_some() && format != v1::ImageFormat::Jpeg {
        let why = "only JPEG has one";
        return Err(status::invalid_field(&name("quality"), why));
    }
    match format {
        v1::ImageFormat::Unspecified | v1::ImageFormat::Png => Ok(Format::Png),
        v1::ImageFormat::RawBgrx => Ok(Format::RawBgrx),
        v1::ImageFormat::Webp => Ok(Format::Webp),
        v1::ImageFormat::Jpeg => {
            let quality = options.quality.unwrap_or(DEFAULT_QUALITY.into());
            let quality = u8::try_from(quality)
                .ok()
                .filter(|quality| (1..=100).contains(quality));
            quality
                .map(Format::Jpeg)
                .ok_or_else(|| status::invalid_field(&name("quality"), "must be 1 to 100"))
        }
    }
}

pub(in crate::rpc) fn region(field: &str, region: &v1::Region) -> Result<AskedRegion, Status> {
    let size = nonempty(field, region.width, region.height)?;
    match (region.x, region.y) {
        (Some(x), Some(y)) => Ok(AskedRegion { x, y, size }),
        _ => Err(status::invalid_field(field, "must have x and y")),
    }
}

/// Converts the coordinate space of the field with this name.
pub(in crate::rpc) fn space(
    field: &str,
    space: Option<&v1::CoordinateSpace>,
) -> Result<Space, Status> {
    use v1::coordinate_space::Space as Wire;
    Ok(match space.and_then(|space| space.space.as_ref()) {
        None | Some(Wire::Screen(_)) => Space::Screen,
        Some(Wire::Size(size)) => {
            Space::Size(nonempty(&format!("{field}.size"), size.width, size.height)?)
        }
        Some(Wire::FrameId(id)) if id.is_empty() || id.len() > MAX_ID_BYTES => {
            return Err(status::invalid_field(
                &format!("{field}.frame_id"),
                "must be 1 to 64 bytes",
            ));
        }
        Some(Wire::FrameId(id)) => Space::Frame(id.clone()),
    })
}

/// Converts a size, which must have at least one pixel.
pub(in crate::rpc) fn nonempty(field: &str, width: u32, height: u32) -> Result<Size, Status> {
    if width == 0 || height == 0 {
        let why = format!("{width}x{height}: both sides must be at least 1 pixel");
        return Err(status::invalid_field(field, &why));
    }
    Ok(Size { width, height })
}

/// Converts a frame to a message.
pub(in crate::rpc) fn frame(frame: Frame) -> v1::Frame {
    count(&frame);
    uncounted(frame)
}

/// Converts a frame that is not sent, or that is counted already.
pub(in crate::rpc) fn uncounted(frame: Frame) -> v1::Frame {
    let (kind, failure) = match &frame.kind {
        FrameKind::Screen => (v1::FrameKind::Screen, None),
        FrameKind::Unchanged => (v1::FrameKind::Unchanged, None),
        FrameKind::Card(failure) => (v1::FrameKind::FailureCard, Some(self::failure(failure))),
    };
    v1::Frame {
        image: frame.image,
        format: match frame.format {
            Format::Png => v1::ImageFormat::Png,
            Format::Jpeg(_) => v1::ImageFormat::Jpeg,
            Format::Webp => v1::ImageFormat::Webp,
            Format::RawBgrx => v1::ImageFormat::RawBgrx,
        }
        .into(),
        width: frame.size.width,
        height: frame.size.height,
        stride: frame.stride,
        region: frame.region.map(|region| {
            let (x, y) = frame.origin;
            let within = wire_region(region);
            let (left, top) = (within.x().saturating_add(x), within.y().saturating_add(y));
            v1::Region::new(left, top, within.width, within.height)
        }),
        screen_width: frame.screen.map_or(0, |screen| screen.width),
        screen_height: frame.screen.map_or(0, |screen| screen.height),
        frame_id: frame.id,
        server_generation: frame
            .generation
            .map(|generation| generation.to_string())
            .unwrap_or_default(),
        geometry_epoch: frame.geometry_epoch,
        control_epoch: frame.control_epoch,
        capture_time: Some(timestamp(frame.time)),
        kind: kind.into(),
        failure,
        paint: frame.paint.as_deref().map(evidence),
        cursor: frame.cursor.as_ref().map(cursor),
        timings: Some(v1::FrameTimings {
            wait: duration(frame.timings.wait),
            capture: duration(frame.timings.capture),
            encode: duration(frame.timings.encode),
        }),
        capture_mode: mode(frame.mode).into(),
    }
}

/// Counts a frame that is sent in the metrics.
pub(in crate::rpc) fn count(frame: &Frame) {
    let (kind, why) = match &frame.kind {
        FrameKind::Screen => ("screen", ("", "")),
        FrameKind::Unchanged => ("unchanged", ("", "")),
        FrameKind::Card(failure) => ("card", (failure.stage.name(), failure.cause.name())),
    };
    let Timings {
        wait,
        capture,
        encode,
    } = frame.timings;
    metrics::sent(&metrics::Sent {
        kind,
        why,
        format: match frame.format {
            Format::Png => "png",
            Format::Jpeg(_) => "jpeg",
            Format::Webp => "webp",
            Format::RawBgrx => "raw",
        },
        bytes: frame.image.len(),
        times: [wait, capture, encode],
    });
}

/// Converts the evidence for a verdict of the paint gate.
pub(in crate::rpc) fn evidence(evidence: &Evidence) -> v1::PaintEvidence {
    let windows = evidence.windows.iter().map(|seen| v1::PaintWindow {
        role: role(seen.role).into(),
        window: seen.window,
        region: seen.area.map(wire_region),
        viewable: seen.viewable,
        drawn: seen.drawn,
        pongs: seen.pongs,
    });
    let probes = evidence.probes.iter().map(|probe| v1::PaintProbe {
        elapsed: duration(probe.at),
        bytes: probe.bytes,
    });
    v1::PaintEvidence {
        verdict: match evidence.verdict {
            Verdict::NoDisplay => v1::PaintVerdict::NoDisplay,
            Verdict::Blank => v1::PaintVerdict::Blank,
            Verdict::Partial => v1::PaintVerdict::Partial,
            Verdict::Unsettled => v1::PaintVerdict::Unsettled,
            Verdict::Ready => v1::PaintVerdict::Ready,
        }
        .into(),
        profile: match evidence.profile {
            Profile::Xfce => v1::PaintProfile::Xfce,
            Profile::Any => v1::PaintProfile::Any,
        }
        .into(),
        probes: probes.collect(),
        floor_bytes: evidence.floor_bytes,
        size_rule_settled: evidence.size_rule_settled,
        windows: windows.collect(),
        quiet: duration(evidence.quiet),
        animated: evidence.animated.iter().copied().map(wire_region).collect(),
        missing: evidence.missing.clone(),
        elapsed: duration(evidence.elapsed),
        slowest_pong: duration(evidence.slowest_pong),
    }
}

fn role(role: Option<Role>) -> v1::WindowRole {
    match role {
        Some(Role::TopLevel) => v1::WindowRole::Window,
        Some(Role::Desktop) => v1::WindowRole::Desktop,
        Some(Role::Dock) => v1::WindowRole::Dock,
        None => v1::WindowRole::WindowManager,
    }
}

/// Maximum number of windows that a call may wait for.
pub(in crate::rpc) const MAX_EXPECTED: usize = 16;
/// Maximum bytes of a title or class.
pub(in crate::rpc) const MAX_NAME: usize = 256;

/// Converts a `WaitReadyRequest`.
pub(in crate::rpc) fn awaited(request: &v1::WaitReadyRequest) -> Result<Awaited, Status> {
    let windows = &request.expected_windows;
    if windows.len() > MAX_EXPECTED {
        let message = format!("must be at most {MAX_EXPECTED} windows");
        return Err(status::invalid_field("expected_windows", &message));
    }
    let windows = windows.iter().map(|window| {
        let both = [&window.title, &window.class];
        if both.iter().all(|text| text.is_empty()) {
            let message = "must have a title or a class";
            return Err(status::invalid_field("expected_windows", message));
        }
        if both.iter().any(|text| text.len() > MAX_NAME) {
            let message = format!("must have at most {MAX_NAME} bytes of title and class each");
            return Err(status::invalid_field("expected_windows", &message));
        }
        let given = |text: &String| (!text.is_empty()).then(|| text.clone());
        Ok(ExpectedWindow {
            title: given(&window.title),
            class: given(&window.class),
        })
    });
    Ok(Awaited {
        profile: profile(request.profile)?,
        allow_unsettled: request.allow_unsettled,
        windows: windows.collect::<Result<_, _>>()?,
    })
}

/// Converts a profile; `None` for the daemon's own.
pub(in crate::rpc) fn profile(value: i32) -> Result<Option<Profile>, Status> {
    match v1::PaintProfile::try_from(value) {
        Ok(v1::PaintProfile::Unspecified) => Ok(None),
        Ok(v1::PaintProfile::Xfce) => Ok(Some(Profile::Xfce)),
        Ok(v1::PaintProfile::Any) => Ok(Some(Profile::Any)),
        Err(_) => Err(status::invalid_field(
            "profile",
            &format!("{value} is no profile"),
        )),
    }
}

/// Converts the failure that a failure card shows.
pub(in crate::rpc) fn failure(failure: &Failure) -> v1::Failure {
    let stage = match failure.stage {
        Stage::Connect => v1::FailureStage::Connect,
        Stage::Auth => v1::FailureStage::Auth,
        Stage::Display => v1::FailureStage::Display,
        Stage::Paint => v1::FailureStage::Paint,
        Stage::Capture => v1::FailureStage::Capture,
        Stage::Timeout => v1::FailureStage::Timeout,
        Stage::Encode => v1::FailureStage::Encode,
        Stage::Shutdown => v1::FailureStage::Shutdown,
        Stage::Input => v1::FailureStage::Input,
    };
    v1::Failure {
        stage: stage.into(),
        reason: status::reason(failure).into(),
        message: failure.message.clone(),
        retryable: failure.cause.retryable(),
    }
}

/// Converts the pointer.
pub(in crate::rpc) fn cursor(image: &CursorImage) -> v1::Cursor {
    let hotspot = |at: u32| i32::try_from(at).unwrap_or(i32::MAX);
    v1::Cursor {
        position: Some(v1::Point::new(image.x, image.y)),
        visible: image.visible(),
        size: Some(wire_size(image.size)),
        hotspot: Some(v1::Point::new(hotspot(image.hot_x), hotspot(image.hot_y))),
        left_out: image.is_left_out(),
    }
}

/// Converts a size to a message.
pub(in crate::rpc) fn wire_size(size: Size) -> v1::Size {
    v1::Size {
        width: size.width,
        height: size.height,
    }
}

/// Converts the way in which pixels are read.
pub(in crate::rpc) fn mode(mode: Option<CaptureMode>) -> v1::CaptureMode {
    match mode {
        None => v1::CaptureMode::Unspecified,
        Some(CaptureMode::ShmFd) => v1::CaptureMode::ShmFd,
        Some(CaptureMode::ShmSysv) => v1::CaptureMode::ShmSysv,
        Some(CaptureMode::GetImage) => v1::CaptureMode::GetImage,
    }
}

/// Converts a region to a message.
pub(in crate::rpc) fn wire_region(region: Region) -> v1::Region {
    // The sides of a screen have 16 bits.
    let at = |pixels: u32| i32::try_from(pixels).unwrap_or(i32::MAX);
    let (width, height) = (region.size.width, region.size.height);
    v1::Region::new(at(region.x), at(region.y), width, height)
}

pub(in crate::rpc) fn timestamp(time: SystemTime) -> prost_types::Timestamp {
    time.into()
}

/// Converts a duration to a message.
pub(in crate::rpc) fn duration(duration: Duration) -> Option<prost_types::Duration> {
    // A duration within the lifetime of a daemon always fits.
    duration.try_into().ok()
}
