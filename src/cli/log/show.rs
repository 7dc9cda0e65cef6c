//! `deskd log show`: a line for each record.

use std::{path::Path, time::Duration};

use serde_json::json;

use super::{describe, read::LogFile};
use crate::{
    cli::{
        exit::{CliError, Exit},
        json as messages,
        print::say,
    },
    rpc::v1::{self, log_record::Record},
};

/// Prints each record.
pub(super) fn show(file: &Path, as_json: bool) -> Result<Exit, CliError> {
    LogFile::open(file)?.each(|at, record| {
        if as_json {
            // A value that JSON has no form for makes one line unreadable, not the rest.
            let document = document(at, record);
            let document = document.unwrap_or_else(|error| json!({"error": error.message}));
            say!("{document}");
        } else {
            let line = line(&record);
            say!("{:>10.3}  {}", at.as_secs_f64(), describe::plain(&line));
        }
        Ok(())
    })?;
    Ok(Exit::Done)
}

/// Returns a record as JSON, without pictures.
fn document(at: Duration, mut record: Record) -> Result<serde_json::Value, CliError> {
    match &mut record {
        Record::Screen(screen) => {
            for part in &mut screen.parts {
                part.image = bytes::Bytes::new();
            }
        }
        Record::PointerImage(image) => image.pixels.clear(),
        Record::Frame(frame) => frame.image = bytes::Bytes::new(),
        _ => {}
    }
    let record = v1::LogRecord {
        at: prost_types::Duration::try_from(at).ok(),
        record: Some(record),
    };
    messages::value("LogRecord", &record)
}

fn line(record: &Record) -> String {
    match record {
        Record::Start(start) => {
            let began = describe::time_of(start.began_at);
            let began = began.map_or("at an unknown time".to_owned(), |at| {
                humantime::format_rfc3339_millis(at).to_string()
            });
            let text = match start.typed_text {
                true => "typed text is in the log",
                false => "typed text is not in the log",
            };
            let (version, display) = (&start.version, &start.display);
            let instance: String = start.instance_id.chars().take(8).collect();
            format!(
                "log of deskd {version}, instance {instance}, display {display}, began {began}, {text}"
            )
        }
        Record::Screen(screen) => {
            let bytes: usize = screen.parts.iter().map(|part| part.image.len()).sum();
            let number = screen.number;
            let what = match (screen.key, screen.parts.len()) {
                (true, _) => "whole".to_owned(),
                (false, 0) => "the pointer moved".to_owned(),
                (false, 1) => {
                    let region = screen.parts[0].region.as_ref();
                    region.map_or(String::new(), describe::region)
                }
                (false, parts) => format!("{parts} parts"),
            };
            format!("screen {number}: {what}, {bytes} bytes")
        }
        Record::PointerImage(image) => format!("pointer image {}", image.number),
        Record::Frame(frame) => {
            let kind = frame.kind();
            let kind = kind.as_str_name().trim_start_matches("FRAME_KIND_");
            let size = frame.size.unwrap_or_default();
            let failure = frame.failure.as_ref().map_or(String::new(), |failure| {
                let reason = failure.reason();
                let reason = reason.as_str_name().trim_start_matches("REASON_");
                format!(", {reason}: {}", failure.message)
            });
            let screen = match frame.screen {
                0 => "not in the log".to_owned(),
                screen => format!("screen {screen}"),
            };
            let (id, width, height) = (&frame.frame_id, size.width, size.height);
            format!("  frame {id}: {kind} {width}x{height}, {screen}{failure}")
        }
        Record::StepBegan(began) => {
            let who = match began.in_viewer {
                true => " of a person",
                false => "",
            };
            let request = began.request.as_ref();
            let operation = request.map_or("", |request| request.operation_id.as_str());
            let operation = match operation {
                "" => String::new(),
                id => format!(" ({id})"),
            };
            format!(
                "step {}{who}{operation}: {}",
                began.step,
                describe::step(began)
            )
        }
        Record::StepEnded(ended) => format!("  step {} {}", ended.step, describe::end(ended)),
        Record::Call(call) => format!("call {}", describe::call(call)),
        Record::Control(state) => format!("control: {}", describe::control(state)),
        Record::Display(display) => format!("display: {}", describe::display(display)),
        Record::Stack(event) => format!("stack: {}", describe::stack(event)),
        Record::Gap(gap) => format!("GAP: {}", describe::gap(gap)),
        Record::End(end) => format!("end: {}", describe::log_end(end)),
    }
}
