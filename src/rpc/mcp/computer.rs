//! Performs the calls of a model on a desktop.

use std::sync::{Mutex, PoisonError};

use deskd_mcp::{Answer, Arguments as Object, Content};

use super::call::{self, Wanted};
use crate::rpc::{
    client::{CallError, CallErrorKind, Desktop},
    v1::{self, action::Action, capture_options::Scale},
};

/// Longer side and number of pixels of a picture: what most models see without scaling.
const SIDE: u32 = 1568;
const PIXELS: u64 = 1_150_000;
/// Size of an image in bytes that fits into the 1 MB of common hosts as base64, with a margin.
const MOST_BYTES: u64 = 700 * 1024;

/// The tools whose points and regions refer to a screenshot.
const TAKES_ID: [&str; 2] = ["computer", "zoom"];

/// A desktop, and what the model has seen of it.
pub(super) struct Computer {
    pub(super) desktop: Desktop,
    /// Whether several callers may share this, so that each picture is named.
    is_shared: bool,
    seen: Mutex<Option<Seen>>,
    /// Held while a call of the only caller is performed.
    turn: tokio::sync::Mutex<()>,
}

/// The last picture of the whole screen.
#[derive(Debug, Clone)]
struct Seen {
    frame_id: String,
    size: (u32, u32),
    screen: (u32, u32),
}

impl Computer {
    pub(super) fn new(desktop: Desktop, is_shared: bool) -> Self {
        Self {
            desktop,
            is_shared,
            seen: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        }
    }

    /// Whether several callers may share this.
    pub(super) fn is_shared(&self) -> bool {
        self.is_shared
    }

    /// Performs a call of a tool; `None` if there is no such tool.
    pub(super) async fn call(&self, tool: &str, mut arguments: Object) -> Option<Answer> {
        // Otherwise it is an unknown argument, as the schema says.
        let named = match self.is_shared && TAKES_ID.contains(&tool) {
            true => arguments.remove("screenshot_id"),
            false => None,
        };
        let named = match named {
            Some(serde_json::Value::String(name)) => Some(name),
            None | Some(serde_json::Value::Null) => None,
            Some(_) => {
                let why = "Invalid call, not performed: screenshot_id must be a string";
                return Some(error(why.into()));
            }
        };
        // Calls are performed one after another, so that a picture shows what the call before it did.
        let _turn = match self.is_shared {
            true => None,
            false => Some(self.turn.lock().await),
        };
        Some(match call::read(tool, arguments)? {
            Ok(wanted) => self.perform(wanted, named).await,
            Err(why) => error(format!("Invalid call, not performed: {why}")),
        })
    }

    async fn perform(&self, wanted: Wanted, named: Option<String>) -> Answer {
        let acts = matches!(
            wanted,
            Wanted::Act(..) | Wanted::Window(..) | Wanted::Launch(..) | Wanted::WriteClipboard(..)
        );
        let looks = matches!(wanted, Wanted::Screenshot | Wanted::Zoom(..));
        let done = match wanted {
            Wanted::Screenshot => self
                .look()
                .await
                .map(|frame| self.shown(String::new(), &frame)),
            Wanted::Zoom(x, y, width, height) => self.zoom((x, y, width, height), named).await,
            Wanted::Cursor => self.cursor().await,
            Wanted::Act(actions, said) => self.act(actions, said, named).await,
            Wanted::Windows => self.windows().await,
            Wanted::Window(target, operation) => self.change(target, operation).await,
            Wanted::WaitFor(window, event, time) => self.wait_for(window, event, time).await,
            Wanted::Launch(program) => self.launch(program).await,
            Wanted::ReadClipboard => self.read_clipboard().await,
            Wanted::WriteClipboard(text) => self.write_clipboard(&text).await,
        };
        match done {
            Ok(answer) => answer,
            Err(error) => self.refused(&error, (acts, looks)).await,
        }
    }

    /// The coordinate space of a call: the picture that it names, else the last one.
    fn space(&self, named: Option<String>) -> Option<v1::CoordinateSpace> {
        // The last picture may be that of another caller.
        let last = self.seen().filter(|_| !self.is_shared);
        let frame_id = named.or_else(|| last.map(|seen| seen.frame_id))?;
        Some(v1::CoordinateSpace {
            space: Some(v1::coordinate_space::Space::FrameId(frame_id)),
        })
    }

    /// The answer to a call whose points refer to no picture.
    fn no_space(&self) -> String {
        let what = match self.is_shared {
            true => "give the screenshot_id of the screenshot to which the coordinates refer",
            false => "take a screenshot first",
        };
        format!("This was not performed: {what}. Here is a screenshot.")
    }

    async fn act(
        &self,
        actions: Vec<Action>,
        said: String,
        named: Option<String>,
    ) -> Result<Answer, CallError> {
        let space = self.space(named);
        if space.is_none() && actions.iter().any(has_point) {
            // A point refers to a picture, and there is none.
            let frame = self.look().await?;
            return Ok(self.shown(self.no_space(), &frame));
        }
        if actions.is_empty() {
            let frame = self.look().await?;
            return Ok(self.shown(said, &frame));
        }
        let actions = actions.into_iter().map(|action| v1::Action {
            action: Some(action),
        });
        let request = v1::ActRequest {
            actions: actions.collect(),
            coordinate_space: space,
            capture: Some(whole(v1::ImageFormat::Png, None, SIDE)),
            on_failure: v1::OnFailure::StopAtFirst.into(),
            ..v1::ActRequest::default()
        };
        let reply = self.desktop.act(request).await?;
        let failure = reply
            .results
            .iter()
            .find_map(|result| result.failure.clone());
        let is_stale = failure
            .as_ref()
            .is_some_and(|failure| is_stale(failure.reason()));
        let state = reply.settle.clone().unwrap_or_default().state();
        let frame = match reply.frame.clone() {
            Some(frame) if !is_too_large(&frame) => Ok(self.saw(frame)),
            _ => self.look().await,
        };
        let text = match (reply.outcome(), failure) {
            (v1::ActOutcome::Done, _) => match state {
                v1::SettleState::NoChange => format!("{said} The screen did not change."),
                v1::SettleState::Timeout => format!("{said} The screen is still changing."),
                _ => said,
            },
            (v1::ActOutcome::Unknown, _) => {
                "It is not known whether this was done. Look at the screen.".to_owned()
            }
            (_, Some(failure)) => {
                let what = if is_stale {
                    "This was not performed"
                } else {
                    "Failed"
                };
                format!("{what}: {} [{}]", failure.message, name(failure.reason()))
            }
            (outcome, None) => format!("Failed: the step ended with {}", outcome.as_str_name()),
        };
        let mut answer = self.with_frame(text, frame);
        // A stale picture is no error of the model: it decides again with the new one.
        answer.is_error |= reply.outcome() != v1::ActOutcome::Done && !is_stale;
        Ok(answer)
    }

    async fn zoom(
        &self,
        (x, y, width, height): (i32, i32, u32, u32),
        named: Option<String>,
    ) -> Result<Answer, CallError> {
        let Some(space) = self.space(named) else {
            let frame = self.look().await?;
            return Ok(self.shown(self.no_space(), &frame));
        };
        let part = |format, quality, side| v1::CaptureOptions {
            region: Some(v1::Region::new(x, y, width, height)),
            coordinate_space: Some(space.clone()),
            scale: Some(Scale::Fit(v1::Fit {
                max_side: Some(side),
                max_pixels: Some(PIXELS),
                may_enlarge: true,
                ..v1::Fit::default()
            })),
            ..whole(format, quality, side)
        };
        let side = self
            .seen()
            .map_or(SIDE, |seen| seen.size.0.max(seen.size.1));
        let frame = self.picture(part, side).await?;
        Ok(shown(String::new(), &frame))
    }

    async fn cursor(&self) -> Result<Answer, CallError> {
        let position = self.desktop.cursor().await?.position.unwrap_or_default();
        let (mut x, mut y) = (i64::from(position.x()), i64::from(position.y()));
        if let Some(seen) = self.seen() {
            let scaled = |at: i64, size: u32, screen: u32| {
                (2 * at + 1) * i64::from(size) / (2 * i64::from(screen.max(1)))
            };
            x = scaled(x, seen.size.0, seen.screen.0);
            y = scaled(y, seen.size.1, seen.screen.1);
        }
        let text = Content::Text(format!("X={x},Y={y}"));
        Ok(Answer {
            content: vec![text],
            is_error: false,
        })
    }

    /// Answers a call that the daemon refused or did not answer; with a new picture if the daemon
    /// answers at all.
    /// `acts`: whether the call changes the desktop; `looks`: whether it asks for a picture.
    async fn refused(&self, refusal: &CallError, (acts, looks): (bool, bool)) -> Answer {
        let is_stale = is_stale(refusal.reason);
        if is_stale {
            *self.lock() = None;
        }
        let is_unknown = match refusal.kind {
            CallErrorKind::OutcomeUnknown | CallErrorKind::Deadline => true,
            CallErrorKind::Unavailable => !refusal.unsent,
            _ => false,
        };
        let what = match (acts, is_unknown) {
            (true, true) => "It is not known whether this was done",
            (true, false) => "This was not performed",
            (false, _) if looks => "No picture of the screen",
            (false, _) => "No answer",
        };
        let mut text = format!("{what}: {}", refusal.message);
        if refusal.reason != v1::Reason::Unspecified {
            text += &format!(" [{}]", name(refusal.reason));
        }
        let is_away = matches!(
            refusal.kind,
            CallErrorKind::Unavailable | CallErrorKind::Deadline | CallErrorKind::NotAllowed
        );
        if is_away {
            return error(text);
        }
        let Ok(frame) = self.look().await else {
            return error(text);
        };
        let mut answer = self.shown(text, &frame);
        answer.is_error |= !is_stale;
        answer
    }

    /// Takes a picture of the whole screen.
    pub(super) async fn look(&self) -> Result<v1::Frame, CallError> {
        let frame = self.picture(whole, SIDE).await?;
        Ok(self.saw(frame))
    }

    /// Takes a picture that fits into the hosts' limit: as PNG, else as JPEG, else smaller.
    async fn picture(
        &self,
        options: impl Fn(v1::ImageFormat, Option<u32>, u32) -> v1::CaptureOptions,
        side: u32,
    ) -> Result<v1::Frame, CallError> {
        let ways = [
            (v1::ImageFormat::Png, None, side),
            (v1::ImageFormat::Jpeg, Some(80), side),
            (v1::ImageFormat::Jpeg, Some(60), side / 2),
        ];
        let mut frame = v1::Frame::default();
        for (format, quality, side) in ways {
            let request = v1::ScreenshotRequest {
                capture: Some(options(format, quality, side.max(1))),
                ..v1::ScreenshotRequest::default()
            };
            frame = self.desktop.screenshot(request).await?;
            if !is_too_large(&frame) {
                break;
            }
        }
        Ok(frame)
    }

    fn saw(&self, frame: v1::Frame) -> v1::Frame {
        if frame.failure.is_none() {
            *self.lock() = Some(Seen {
                frame_id: frame.frame_id.clone(),
                size: (frame.width, frame.height),
                screen: (frame.screen_width, frame.screen_height),
            });
        }
        frame
    }

    fn seen(&self) -> Option<Seen> {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The options of a picture of the whole screen.
fn whole(format: v1::ImageFormat, quality: Option<u32>, side: u32) -> v1::CaptureOptions {
    v1::CaptureOptions {
        format: format.into(),
        quality,
        scale: Some(Scale::Fit(v1::Fit {
            max_side: Some(side),
            max_pixels: Some(PIXELS),
            ..v1::Fit::default()
        })),
        max_image_bytes: Some(MOST_BYTES),
        ..v1::CaptureOptions::default()
    }
}

fn is_too_large(frame: &v1::Frame) -> bool {
    let failure = frame.failure.as_ref();
    failure.is_some_and(|failure| failure.reason() == v1::Reason::TooLarge)
}

impl Computer {
    /// An answer with a new picture of the whole screen.
    pub(super) async fn with_screen(&self, text: String) -> Answer {
        let frame = self.look().await;
        self.with_frame(text, frame)
    }

    /// The answer to a call that was performed. If there is no picture, what became of the call is
    /// said all the same.
    fn with_frame(&self, text: String, frame: Result<v1::Frame, CallError>) -> Answer {
        match frame {
            Ok(frame) => self.shown(text, &frame),
            Err(why) => error(format!("{text} No new picture: {}", why.message)),
        }
    }

    /// An answer with a picture of the whole screen, to which later points refer.
    pub(super) fn shown(&self, text: String, frame: &v1::Frame) -> Answer {
        let mut answer = shown(text, frame);
        if self.is_shared && frame.failure.is_none() {
            let name = format!("screenshot_id: {}", frame.frame_id);
            answer.content.push(Content::Text(name));
        }
        answer
    }
}

/// Whether a call was refused because the picture that it refers to is not of this screen.
fn is_stale(reason: v1::Reason) -> bool {
    use v1::Reason;
    matches!(
        reason,
        Reason::StaleEpoch
            | Reason::StaleGeneration
            | Reason::ControlChanged
            | Reason::UnknownFrame
            | Reason::FrameIsCard
    )
}

fn name(reason: v1::Reason) -> &'static str {
    reason.as_str_name().trim_start_matches("REASON_")
}

/// A result with a picture. A failure card is also an error.
fn shown(text: String, frame: &v1::Frame) -> Answer {
    let kind = match frame.format() {
        v1::ImageFormat::Jpeg => "image/jpeg",
        _ => "image/png",
    };
    let mut content = Vec::new();
    if !text.is_empty() {
        content.push(Content::Text(text));
    }
    if let Some(failure) = &frame.failure {
        let text = format!("No picture of the screen: {}", failure.message);
        content.push(Content::Text(text));
    }
    content.push(Content::Image(frame.image.clone(), kind));
    Answer {
        content,
        is_error: frame.failure.is_some(),
    }
}

fn error(text: String) -> Answer {
    Answer {
        content: vec![Content::Text(text)],
        is_error: true,
    }
}

fn has_point(action: &Action) -> bool {
    match action {
        Action::Click(click) => click.at.is_some(),
        Action::Scroll(scroll) => scroll.at.is_some(),
        Action::Move(_) | Action::Drag(_) => true,
        _ => false,
    }
}
