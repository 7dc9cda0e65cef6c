//! Implements the gRPC service `Desktop`.

use std::{sync::Arc, time::Duration};

use tonic::{Request, Response, Status};

use crate::rpc::{
    limits,
    messages::{condition, convert, outcome as acted, status, step as act},
    recorder::{Recorder, RecorderError, StepLog},
    services::{health, watch},
    transport::{
        auth::Credential,
        connection::Caller,
        deadline,
        deadline::Deadline,
        lease, replies,
        replies::{ImageBody, ReplyPlace, SendProgress},
    },
    v1::{self, Feature, desktop_server::Desktop},
};
use crate::{
    frame::MAX_OUTPUT_PIXELS,
    metrics,
    session::{self, HISTORY},
    x11::{LinkState, ScreenInfo, SocketKind},
};

/// Serves `Desktop` calls with a session.
#[derive(Debug, Clone)]
pub(in crate::rpc) struct DesktopService {
    pub(in crate::rpc) session: session::Session,
    pub(in crate::rpc) recorder: Arc<Recorder>,
    pub(in crate::rpc) read_only: bool,
}

#[tonic::async_trait]
impl Desktop for DesktopService {
    async fn get_info(
        &self,
        _: Request<v1::GetInfoRequest>,
    ) -> Result<Response<v1::GetInfoResponse>, Status> {
        let link = self.session.capture.link();
        let alive = health::is_alive(&link);
        let screen = link.last_screen.as_ref();
        let failure = match &link.state {
            _ if alive => None,
            LinkState::Down(failure) => Some(failure.clone()),
            LinkState::Up(_) => Some(self.session.capture.overdue()),
            LinkState::Connecting => Some(self.session.capture.not_yet_connected()),
        };
        Ok(Response::new(v1::GetInfoResponse {
            version: env!("CARGO_PKG_VERSION").into(),
            instance_id: self.session.instance_id().into(),
            boot_id: boot_id(),
            display: self.session.capture.display().to_string(),
            connected: alive,
            failure: failure.as_ref().map(convert::failure),
            geometry: screen.map(|screen| v1::Geometry {
                size: Some(convert::wire_size(screen.size)),
                dpi: screen.dpi,
                depth: screen.depth.into(),
            }),
            server_generation: screen
                .map(|screen| screen.generation.to_string())
                .unwrap_or_default(),
            geometry_epoch: screen.map_or(0, |screen| screen.geometry_epoch),
            capture_mode: convert::mode(screen.map(|screen| screen.capture_mode)).into(),
            capture_mode_reason: screen
                .and_then(|screen| screen.capture_mode_reason.clone())
                .unwrap_or_default(),
            isolation: isolation(screen).into(),
            limits: Some(limits()),
            features: self.features(screen, failure.as_ref()),
            display_socket: match screen.map(|screen| screen.socket) {
                None => v1::DisplaySocket::Unspecified,
                Some(SocketKind::Path) => v1::DisplaySocket::Path,
                Some(SocketKind::Abstract) => v1::DisplaySocket::Abstract,
            }
            .into(),
            xauthority: crate::x11::cookie_file(),
            no_new_privs: crate::processes::has_no_new_privs(std::process::id()),
        }))
    }

    async fn wait_ready(
        &self,
        request: Request<v1::WaitReadyRequest>,
    ) -> Result<Response<v1::WaitReadyResponse>, Status> {
        let deadline = Deadline::of(request.metadata(), deadline::WAIT_READY);
        let request = request.get_ref();
        let awaited = convert::awaited(request)?;
        let mut until = deadline.reply_by;
        if let Some(timeout) = request.timeout {
            let timeout = Duration::try_from(timeout)
                .map_err(|_| status::invalid_field("timeout", "must not be negative"))?;
            until = until.min(deadline.arrived + timeout.min(deadline::LONGEST));
        }
        let ready = self.session.capture.wait_ready(&awaited, until).await;
        metrics::verdict(ready.evidence.verdict.name());
        Ok(Response::new(v1::WaitReadyResponse {
            evidence: Some(convert::evidence(&ready.evidence)),
            server_generation: ready
                .generation
                .map(|generation| generation.to_string())
                .unwrap_or_default(),
            geometry_epoch: ready.geometry_epoch,
        }))
    }

    async fn screenshot(
        &self,
        request: Request<v1::ScreenshotRequest>,
    ) -> Result<Response<v1::ScreenshotResponse>, Status> {
        let deadline = Deadline::of(request.metadata(), deadline::SCREENSHOT);
        let caller = request.extensions().get::<Caller>().cloned();
        let spec = convert::spec(request.get_ref())?;
        let mut frame = self
            .session
            .windows
            .screenshot(&spec, deadline.arrived, deadline.reply_by)
            .await?;
        // The reply place is acquired after the capture, so that a call that waits for a hung
        // display does not delay the failure card of another call. If the reader does not free
        // a place in time, the frame is dropped, and captured again when there is a place. So
        // the number of frames in memory stays bounded by the number of places.
        let (mut place, progress) = (None, SendProgress::default());
        if let Some(caller) = &caller {
            let bytes = frame.image.len();
            place = ReplyPlace::soon((caller, &progress), bytes, deadline.reply_by).await;
            if place.is_none() {
                drop(frame);
                place = ReplyPlace::wait((caller, &progress), bytes, deadline.reply_by).await;
                if place.is_none() {
                    return Err(status::slow_reader());
                }
                frame = self
                    .session
                    .windows
                    .screenshot(&spec, deadline.arrived, deadline.reply_by)
                    .await?;
            }
        }
        let mut frame = convert::frame(frame);
        let image = ImageBody::of(&mut frame, replies::SCREENSHOT_FRAME);
        let mut response = Response::new(v1::ScreenshotResponse { frame: Some(frame) });
        if let Some(image) = image {
            response.extensions_mut().insert(image);
        }
        if let Some(place) = place {
            response.extensions_mut().insert(place);
            response.extensions_mut().insert(progress);
        }
        Ok(response)
    }

    async fn wait_for(
        &self,
        request: Request<v1::WaitForRequest>,
    ) -> Result<Response<v1::WaitForResponse>, Status> {
        let (metadata, request) = (request.metadata(), request.get_ref());
        let name = |part: &str| part.to_owned();
        let (condition, limit) =
            condition::wait(&name, request.condition.as_ref(), request.timeout)?;
        let space = convert::space("coordinate_space", request.coordinate_space.as_ref())?;
        let deadline = Deadline::of(metadata, deadline::QUERY + limit);
        let windows = &self.session.windows;
        let waited = windows
            .until(&condition, &space, limit, deadline.reply_by)
            .await?;
        Ok(Response::new(v1::WaitForResponse {
            report: Some(condition::report(&waited)),
        }))
    }

    async fn act(
        &self,
        request: Request<v1::ActRequest>,
    ) -> Result<Response<v1::ActResponse>, Status> {
        let log = self.recorder.step(request.get_ref());
        let answer = self.step(request, log.as_ref()).await;
        if let Some(log) = log {
            log.answered(&answer);
        }
        answer
    }

    type WatchStream = watch::FrameStream;

    async fn watch(
        &self,
        request: Request<v1::WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let until = Deadline::of_stream(request.metadata());
        let caller = request.extensions().get::<Caller>().cloned();
        let credential = request.extensions().get::<Credential>().cloned();
        let reader = (caller, credential);
        let frames = watch::open(&self.session, request.get_ref(), reader, until)?;
        let progress = frames.progress.clone();
        let mut response = Response::new(frames);
        response.extensions_mut().insert(progress);
        Ok(response)
    }

    async fn get_cursor(
        &self,
        request: Request<v1::GetCursorRequest>,
    ) -> Result<Response<v1::GetCursorResponse>, Status> {
        let deadline = Deadline::of(request.metadata(), deadline::QUERY);
        let reading = self.session.capture.cursor(deadline.reply_by).await?;
        let (x, y) = reading.position;
        let position = Some(v1::Point::new(x, y));
        let cursor = match &reading.image {
            Some(image) => v1::Cursor {
                position,
                ..convert::cursor(image)
            },
            None => v1::Cursor {
                position,
                ..v1::Cursor::default()
            },
        };
        Ok(Response::new(v1::GetCursorResponse {
            cursor: Some(cursor),
            server_generation: reading.generation.to_string(),
            geometry_epoch: reading.geometry_epoch,
        }))
    }

    async fn get_pressed(
        &self,
        _: Request<v1::GetPressedRequest>,
    ) -> Result<Response<v1::GetPressedResponse>, Status> {
        let pressed = acted::pressed(self.session.input.pressed());
        Ok(Response::new(v1::GetPressedResponse { pressed }))
    }

    async fn release_all(
        &self,
        request: Request<v1::ReleaseAllRequest>,
    ) -> Result<Response<v1::ReleaseAllResponse>, Status> {
        let deadline = Deadline::of(request.metadata(), deadline::QUERY);
        if self.read_only {
            return Err(status::read_only("ReleaseAll"));
        }
        let release = async {
            self.session.control.check(lease::of(request.metadata())?)?;
            let released = self.session.input.release_all(deadline.reply_by).await;
            let released = released.map_err(|failure| status::unavailable(&failure))?;
            let released = acted::pressed(released);
            Ok(Response::new(v1::ReleaseAllResponse { released }))
        };
        self.recorder.logged("ReleaseAll", || None, release).await
    }
}

/// Returns the kernel's boot id; empty if there is none, as may be the case in gVisor.
fn boot_id() -> String {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    text.trim().to_owned()
}

/// Whether the desktop's programs run as a user that cannot access deskd. The X server's user
/// is assumed to be theirs. If it is root, programs may run as root as well.
fn isolation(screen: Option<&ScreenInfo>) -> v1::Isolation {
    match screen.and_then(|screen| screen.server_uid) {
        None => v1::Isolation::Unspecified,
        Some(0) => v1::Isolation::None,
        Some(uid) if uid == nix::unistd::geteuid().as_raw() => v1::Isolation::None,
        Some(_) => v1::Isolation::User,
    }
}

fn limits() -> v1::Limits {
    v1::Limits {
        max_output_pixels: MAX_OUTPUT_PIXELS,
        default_max_image_bytes: limits::DEFAULT_MAX_IMAGE_BYTES,
        max_request_bytes: limits::MAX_REQUEST_BYTES as u64,
        max_connections: u32::try_from(limits::MAX_CONNECTIONS).unwrap_or(u32::MAX),
        max_streams: limits::MAX_STREAMS,
        frame_history: u32::try_from(HISTORY).unwrap_or(u32::MAX),
        max_text_bytes: limits::MAX_TEXT_BYTES,
        max_scroll_notches: limits::MAX_SCROLL_NOTCHES,
        max_wait: prost_types::Duration::try_from(limits::MAX_WAIT).ok(),
    }
}

impl DesktopService {
    async fn step(
        &self,
        request: Request<v1::ActRequest>,
        log: Option<&Arc<StepLog>>,
    ) -> Result<Response<v1::ActResponse>, Status> {
        let own = act::own_time(request.get_ref());
        let deadline = Deadline::of(request.metadata(), deadline::ACT + own);
        let caller = request.extensions().get::<Caller>().cloned();
        if self.read_only {
            return Err(status::read_only("Act"));
        }
        let mut asked = act::asked(request.get_ref())?;
        asked.act.lease = lease::of(request.metadata())?;
        if let Some(log) = log {
            if let Some(status) = &asked.malformed {
                log.is_malformed(status);
            }
            asked.act.observer = Some(Arc::<StepLog>::clone(log));
        }
        let session = self.session.clone();
        let mut acted = session.input.act(asked.act, deadline.reply_by).await?;
        // The results of the step are always returned. If the reader has not read its earlier
        // images, the response has no images.
        let (mut place, progress) = (None, SendProgress::default());
        let frames = acted.pictures.iter().map(|(_, frame)| frame);
        let bytes = frames.chain(&acted.frame).map(|frame| frame.image.len());
        let bytes = bytes.sum();
        if let Some(caller) = caller.filter(|_| bytes > 0) {
            place = ReplyPlace::soon((&caller, &progress), bytes, deadline.reply_by).await;
            if place.is_none() {
                acted.frame = None;
                acted.pictures.clear();
            }
        }
        let took = deadline.arrived.elapsed();
        let mut acted = acted::acted(acted, took, asked.malformed, asked.count);
        let frame = acted.frame.as_mut();
        let image = frame.and_then(|frame| ImageBody::of(frame, replies::ACT_FRAME));
        let mut response = Response::new(acted);
        if let Some(image) = image {
            response.extensions_mut().insert(image);
        }
        if let Some(place) = place {
            response.extensions_mut().insert(place);
            response.extensions_mut().insert(progress);
        }
        Ok(response)
    }

    /// Returns every feature: available, or unavailable with a reason.
    fn features(
        &self,
        screen: Option<&ScreenInfo>,
        failure: Option<&crate::failure::Failure>,
    ) -> Vec<v1::FeatureStatus> {
        let cell = |feature: Feature, missing: Option<(v1::Reason, String)>| {
            let available = missing.is_none();
            let (reason, message) = missing.unwrap_or_default();
            v1::FeatureStatus {
                feature: feature.into(),
                available,
                reason: reason.into(),
                message,
            }
        };
        let down = failure.map(|failure| (status::reason(failure), failure.message.clone()));
        let pointer = screen.is_some_and(|screen| !screen.has_cursor);
        let no_pointer = (
            v1::Reason::ExtensionMissing,
            "the X server has no XFIXES".to_owned(),
        );
        let no_composite = screen.filter(|screen| !screen.has_composite).map(|_| {
            let why = "the X server has no Composite".to_owned();
            (v1::Reason::ExtensionMissing, why)
        });
        let slow = screen.and_then(|screen| screen.capture_mode_reason.clone());
        let slow = slow.filter(|_| {
            screen.is_some_and(|s| s.capture_mode == crate::frame::CaptureMode::GetImage)
        });
        let mut cells = vec![
            cell(Feature::Screenshot, down.clone()),
            cell(
                Feature::Cursor,
                down.clone().or(pointer.then_some(no_pointer)),
            ),
            cell(Feature::PaintGate, down.clone()),
            cell(Feature::ExpectedWindows, down.clone()),
            cell(Feature::Watch, down.clone()),
            cell(Feature::Webp, down.clone()),
            cell(Feature::Fit, down.clone()),
            cell(Feature::WaitFor, down.clone()),
            cell(Feature::WindowImage, down.clone().or(no_composite)),
            cell(
                Feature::SharedMemory,
                down.clone()
                    .or(slow.map(|why| (v1::Reason::ExtensionMissing, why))),
            ),
        ];
        let no_input = || {
            (
                v1::Reason::ExtensionMissing,
                "the X server has no XTEST".to_owned(),
            )
        };
        let looks_only = || {
            (
                v1::Reason::ReadOnly,
                "deskd runs with --read-only".to_owned(),
            )
        };
        let no_xtest = screen.is_some_and(|screen| !screen.has_xtest);
        let input = down
            .clone()
            .or_else(|| self.read_only.then(looks_only))
            .or_else(|| no_xtest.then(no_input));
        let inputs = [
            Feature::Act,
            Feature::Type,
            Feature::Paste,
            Feature::Pacing,
            Feature::MoveModifiers,
            Feature::ScreenshotAction,
            Feature::OnFailure,
        ];
        cells.extend(inputs.map(|feature| cell(feature, input.clone())));
        cells.push(cell(
            Feature::Windows,
            down.clone().or_else(|| self.read_only.then(looks_only)),
        ));
        cells.push(cell(Feature::Clipboard, down.clone()));
        cells.push(cell(Feature::Control, self.read_only.then(looks_only)));
        let no_folder = || {
            let why = RecorderError::NoFolder.to_string();
            (v1::Reason::RecordingUnavailable, why)
        };
        let has_folder = self.recorder.has_folder();
        cells.push(cell(Feature::Recorder, (!has_folder).then(no_folder)));
        let no_helper = || {
            let why = "no session helper runs: see docs/guides/programs.md".to_owned();
            (v1::Reason::NoSessionHelper, why)
        };
        let has_helper = self.session.programs.has_helper();
        let programs = down
            .or_else(|| self.read_only.then(looks_only))
            .or_else(|| (!has_helper).then(no_helper));
        cells.push(cell(Feature::Programs, programs));
        let unmanaged = (
            v1::Reason::StackNotManaged,
            "deskd runs with --stack none".to_owned(),
        );
        cells.push(cell(
            Feature::Stack,
            (!self.session.bring_up.is_managed()).then_some(unmanaged),
        ));
        cells
    }
}
