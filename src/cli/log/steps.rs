//! The steps of a log, as they can be done again.

use std::{path::Path, time::Duration};

use super::{
    describe,
    points::KnownFrames,
    read::{self, LogFile, is_last_end},
    screen::LoggedScreen,
};
use crate::{
    cli::exit::CliError,
    frame::Size,
    rpc::v1::{self, ActOutcome, action::Action, log_record::Record},
};

/// A step of the log.
#[derive(Debug)]
pub(super) struct LoggedStep {
    pub(super) number: u64,
    /// Time since the step before.
    pub(super) pause: Duration,
    pub(super) text: String,
    /// The request with coordinates of the screen, or why the step is left out.
    pub(super) request: Result<v1::ActRequest, Left>,
    /// How the step ended.
    pub(super) outcome: ActOutcome,
    /// The screen after the step, without the pointer.
    pub(super) screen: Option<(Size, Vec<u8>)>,
}

/// Why a step is left out.
#[derive(Debug)]
pub(super) enum Left {
    /// It was not done in the run, either.
    NotDone(String),
    /// The log does not have what is needed to do it again.
    Missing(String),
}

/// Calls `each` with every step of the log that ended.
pub(super) fn each_step(
    file: &Path,
    mut each: impl FnMut(LoggedStep) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let (mut screen, mut known) = (LoggedScreen::default(), KnownFrames::default());
    let mut open: Vec<(v1::LogStepBegan, Duration, Option<v1::ActRequest>)> = Vec::new();
    // The screen of the last frame that a caller received.
    let mut seen = None;
    let mut first = None;
    let mut last = None;
    let mut repeated = read::repeated_ends(file)?;
    LogFile::open(file)?.each(|at, record| {
        match record {
            Record::Screen(change) => {
                screen.apply(&change)?;
                known.screen = screen.size();
            }
            Record::Frame(frame) => {
                known.learn(&frame);
                if frame.screen != 0 && frame.screen == screen.number {
                    let pixels = || screen.pixels().to_vec();
                    seen = screen.size().map(|size| (frame.screen, size, pixels()));
                }
            }
            Record::StepBegan(began) => {
                let request = began.request.as_ref();
                let mapped = request.and_then(|request| known.on_screen(request));
                open.push((began, at, mapped));
            }
            Record::StepEnded(ended) if is_last_end(&mut repeated, ended.step) => {
                let found = open.iter().position(|(began, ..)| began.step == ended.step);
                let Some(found) = found else {
                    return Ok(());
                };
                let (began, arrived, mapped) = open.remove(found);
                let pause = last.map_or(Duration::ZERO, |last| arrived.saturating_sub(last));
                last = Some(at);
                let response = ended.response.as_ref();
                let of_frame = seen.take().filter(|(number, ..)| *number == ended.screen);
                let is_shown = ended.screen != 0 && ended.screen == screen.number;
                let now = || Some((screen.size()?, screen.pixels().to_vec()));
                let after = of_frame
                    .map(|(_, size, pixels)| (size, pixels))
                    .or_else(|| is_shown.then(now).flatten());
                // The coordinates of a step mean the size that the replay's screen has.
                let size = screen.size();
                first = first.or(size);
                let is_resized = size.is_some() && size != first;
                each(LoggedStep {
                    number: began.step,
                    pause,
                    text: describe::step(&began),
                    request: request(&began, &ended, mapped, is_resized),
                    outcome: response
                        .map_or(ActOutcome::Unspecified, |response| response.outcome()),
                    screen: after,
                })?;
            }
            _ => {}
        }
        Ok(())
    })
}

/// Returns the request that does a step again, or why that is not possible.
fn request(
    began: &v1::LogStepBegan,
    ended: &v1::LogStepEnded,
    mapped: Option<v1::ActRequest>,
    is_resized: bool,
) -> Result<v1::ActRequest, Left> {
    let missing = |why: &str| Left::Missing(why.to_owned());
    if let Some(refused) = &ended.refused {
        let why = describe::refusal(refused);
        return Err(Left::NotDone(format!("it was refused: {why}")));
    }
    if ended
        .response
        .as_ref()
        .is_some_and(|response| response.replayed)
    {
        return Err(Left::NotDone("it repeated an earlier step".into()));
    }
    if !began.redactions.is_empty() {
        return Err(missing("its text is not in the log"));
    }
    if began.omitted_bytes > 0 {
        return Err(missing("its request is not in the log"));
    }
    if is_resized {
        return Err(missing("the screen had another size"));
    }
    let mut mapped =
        mapped.ok_or_else(|| missing("the log does not have the frame of its coordinates"))?;
    let space = began
        .request
        .as_ref()
        .and_then(|request| request.coordinate_space.as_ref());
    let is_scaled = space.is_some_and(|space| {
        !matches!(
            space.space,
            None | Some(v1::coordinate_space::Space::Screen(_))
        )
    });
    for action in &mut mapped.actions {
        match &mut action.action {
            // Its picture is not compared, and its options may name a frame of the run.
            Some(Action::Screenshot(screenshot)) => screenshot.capture = None,
            Some(Action::WaitFor(wait)) if is_scaled && has_region(wait) => {
                return Err(missing("it waits for a region of another frame"));
            }
            _ => {}
        }
    }
    Ok(v1::ActRequest {
        operation_id: String::new(),
        instance_id: String::new(),
        expect: None,
        capture: Some(v1::CaptureOptions {
            format: v1::ImageFormat::Png.into(),
            include_cursor: Some(false),
            ..v1::CaptureOptions::default()
        }),
        no_frame: false,
        ..mapped
    })
}

fn has_region(wait: &v1::WaitForAction) -> bool {
    let condition = wait.condition.as_ref();
    let kind = condition.and_then(|condition| condition.condition.as_ref());
    matches!(kind, Some(v1::condition::Condition::Region(_)))
}
