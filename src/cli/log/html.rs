//! Exports one web page that plays a run. It needs no network and no server.

use std::path::Path;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use super::{describe, output::NewFile, points::KnownFrames, read::LogFile};
use crate::{
    cli::{
        exit::{CliError, Exit},
        print::{note, say},
    },
    frame::Size,
    rpc::v1::{self, action::Action, log_record::Record},
};

const PAGE: &str = include_str!("page/player.html");
const STYLE: &str = include_str!("page/player.css");
const SCRIPT: &str = include_str!("page/player.js");
/// Size in bytes from which a browser may not open a page.
const LARGE: u64 = 512 << 20;
/// The place of the records in the page.
const RECORDS: &str = "@RECORDS@";

/// Writes the page.
pub(super) fn export(file: &Path, page: &Path, force: bool) -> Result<Exit, CliError> {
    let log = LogFile::open(file)?;
    let filled = PAGE.replace("@STYLE@", STYLE).replace("@SCRIPT@", SCRIPT);
    let Some((before, after)) = filled.split_once(RECORDS) else {
        return Err(CliError::new(
            Exit::Local,
            "a defect in deskd: the page has no records",
        ));
    };
    let mut out = NewFile::create(page, force)?;
    out.write(before.as_bytes())?;
    let (mut known, mut is_first) = (KnownFrames::default(), true);
    log.each(|at, record| {
        match &record {
            Record::Frame(frame) => known.learn(frame),
            Record::Screen(screen) => {
                known.screen = screen.size.map(|size| Size {
                    width: size.width,
                    height: size.height,
                });
            }
            _ => {}
        }
        let Some(mut entry) = entry(&record, &known) else {
            return Ok(());
        };
        entry["t"] = json!(at.as_secs_f64());
        let separator = if std::mem::take(&mut is_first) {
            ""
        } else {
            ",\n"
        };
        // Nothing in the log can end the element that the records are in.
        let text = entry.to_string().replace('<', "\\u003c");
        out.write(separator.as_bytes())?;
        out.write(text.as_bytes())
    })?;
    out.write(after.as_bytes())?;
    let bytes = out.finish()?;
    if bytes > LARGE {
        note(format_args!(
            "the page is large, and a browser may not open it: export frames or mp4"
        ));
    }
    say!("{}", page.display());
    Ok(Exit::Done)
}

/// Returns a record for the page; `None` if the page does not show it.
fn entry(record: &Record, known: &KnownFrames) -> Option<Value> {
    let note = |kind: &str, text: String| Some(json!({"k": "note", "kind": kind, "text": text}));
    match record {
        Record::Start(start) => {
            let began = describe::time_of(start.began_at).and_then(|at| {
                let since = at.duration_since(std::time::UNIX_EPOCH).ok()?;
                u64::try_from(since.as_millis()).ok()
            });
            Some(json!({
                "k": "start", "began": began, "name": start.name, "version": start.version,
                "instance": start.instance_id, "display": start.display,
            }))
        }
        Record::Screen(screen) => {
            let parts = screen.parts.iter().filter_map(|part| {
                let region = part.region.as_ref()?;
                let image = BASE64_STANDARD.encode(&part.image);
                Some(json!([region.x(), region.y(), image]))
            });
            let size = screen.size.unwrap_or_default();
            let pointer = screen.pointer.map(|point| json!([point.x(), point.y()]));
            Some(json!({
                "k": "screen", "key": screen.key, "w": size.width, "h": size.height,
                "n": screen.number, "p": pointer, "pi": screen.pointer_image,
                "parts": parts.collect::<Vec<_>>(),
            }))
        }
        Record::PointerImage(image) => {
            let (size, hotspot) = (
                image.size.unwrap_or_default(),
                image.hotspot.unwrap_or_default(),
            );
            Some(json!({
                "k": "pointer", "n": image.number, "w": size.width, "h": size.height,
                "x": hotspot.x(), "y": hotspot.y(), "d": BASE64_STANDARD.encode(&image.pixels),
            }))
        }
        Record::Frame(frame) => {
            let failure = frame.failure.as_ref()?;
            let reason = failure.reason();
            let reason = reason.as_str_name().trim_start_matches("REASON_");
            note(
                "card",
                format!("Failure card, {reason}: {}", failure.message),
            )
        }
        Record::StepBegan(began) => {
            let request = began.request.clone().unwrap_or_default();
            let mapped = known.on_screen(&request).unwrap_or_default();
            let points: Vec<Value> = mapped.actions.iter().flat_map(points).collect();
            Some(json!({
                "k": "step", "n": began.step, "text": describe::step(began),
                "person": began.in_viewer, "id": request.operation_id, "points": points,
            }))
        }
        Record::StepEnded(ended) => {
            let response = ended.response.as_ref();
            let is_done = response.is_some_and(|r| r.outcome() == v1::ActOutcome::Done);
            let changed = response.and_then(|r| r.settle.as_ref()?.changed);
            let changed = changed.map(|r| json!([r.x(), r.y(), r.width, r.height]));
            Some(json!({
                "k": "end", "n": ended.step, "text": describe::end(ended), "ok": is_done,
                "refused": ended.refused.is_some(), "changed": changed,
            }))
        }
        Record::Call(call) => note("call", describe::call(call)),
        Record::Control(state) => note("control", describe::control(state)),
        Record::Display(display) => note("display", describe::display(display)),
        Record::Stack(event) => note("stack", describe::stack(event)),
        Record::Gap(gap) => note("gap", describe::gap(gap)),
        Record::End(end) => note("end", describe::log_end(end).to_owned()),
    }
}

/// Returns the points of an action whose coordinates are pixels of the screen.
fn points(action: &v1::Action) -> Vec<Value> {
    let targets: Vec<Option<&v1::Target>> = match &action.action {
        Some(Action::Move(a)) => vec![a.to.as_ref()],
        Some(Action::Click(a)) => vec![a.at.as_ref()],
        Some(Action::ButtonDown(a)) => vec![a.at.as_ref()],
        Some(Action::ButtonUp(a)) => vec![a.at.as_ref()],
        Some(Action::Scroll(a)) => vec![a.at.as_ref()],
        Some(Action::Drag(a)) => a.path.iter().map(Some).collect(),
        _ => Vec::new(),
    };
    let points = targets.into_iter().filter_map(describe::point);
    points.map(|(x, y)| json!([x, y])).collect()
}
