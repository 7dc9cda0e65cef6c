//! Exports OSWorld's trajectory: `traj.jsonl` with a line and a screenshot for each step, and
//! `recording.mp4` where ffmpeg is installed.

use std::{
    collections::HashMap,
    path::Path,
    time::{Duration, SystemTime},
};

use serde_json::json;

use super::{
    describe, mp4,
    output::{self, NewFile},
    points::KnownFrames,
    pyautogui,
    read::LogFile,
    screen::LoggedScreen,
};
use crate::{
    cli::{
        exit::{CliError, Exit},
        print::{note, say},
    },
    rpc::v1::{self, log_record::Record},
};

/// Writes the trajectory into a new folder. Steps of a person are in it, and marked.
pub(super) fn export(file: &Path, folder: &Path) -> Result<Exit, CliError> {
    let log = LogFile::open(file)?;
    output::new_folder(folder)?;
    let mut lines = NewFile::create(&folder.join("traj.jsonl"), false)?;
    let (mut screen, mut known) = (LoggedScreen::default(), KnownFrames::default());
    let mut open: HashMap<u64, (v1::LogStepBegan, Duration)> = HashMap::new();
    let (mut began_at, mut number) = (SystemTime::UNIX_EPOCH, 0);
    log.each(|at, record| {
        match record {
            Record::Start(start) => {
                let time = start.began_at.and_then(|at| SystemTime::try_from(at).ok());
                began_at = time.unwrap_or(began_at);
            }
            Record::Screen(change) => {
                screen.apply(&change)?;
                known.screen = screen.size();
            }
            Record::PointerImage(image) => screen.learn(image),
            Record::Frame(frame) => known.learn(&frame),
            Record::StepBegan(began) => {
                open.insert(began.step, (began, at));
            }
            Record::StepEnded(ended) => {
                let Some((began, arrived)) = open.remove(&ended.step) else {
                    return Ok(());
                };
                number += 1;
                let time = stamp(began_at + arrived);
                let name = format!("step_{number}_{time}.png");
                let picture = screen.png();
                if let Some(picture) = &picture {
                    output::write(&folder.join(&name), picture)?;
                }
                let name = picture.map(|_| name);
                let line = line(number, &time, &began, &ended, &known, name);
                lines.write(format!("{line}\n").as_bytes())?;
            }
            _ => {}
        }
        Ok(())
    })?;
    lines.finish()?;
    match mp4::export(file, &folder.join("recording.mp4"), false, None) {
        Ok(_) => {}
        Err(error) => note(format_args!("recording.mp4 is left out: {}", error.message)),
    }
    say!("{}", folder.display());
    Ok(Exit::Done)
}

fn line(
    number: usize,
    time: &str,
    began: &v1::LogStepBegan,
    ended: &v1::LogStepEnded,
    known: &KnownFrames,
    screenshot: Option<String>,
) -> serde_json::Value {
    let request = began.request.clone().unwrap_or_default();
    let action = match known.on_screen(&request) {
        Some(request) => pyautogui::step(&request, &began.redactions),
        None => format!("# {}", describe::step(began)),
    };
    let response = ended.response.as_ref();
    let outcome = response.map(|response| {
        let outcome = response.outcome();
        outcome.as_str_name().trim_start_matches("ACT_OUTCOME_")
    });
    json!({
        "step_num": number,
        "action_timestamp": time,
        "action": action,
        "response": null,
        "reward": 0,
        "done": false,
        "info": {
            "step": began.step,
            "operation_id": request.operation_id,
            "by_person": began.in_viewer,
            "outcome": outcome,
            "result": describe::end(ended),
        },
        "screenshot_file": screenshot,
    })
}

/// Returns a time as OSWorld writes it: `20261127@101500123456`, in UTC.
fn stamp(time: SystemTime) -> String {
    let text = humantime::format_rfc3339_micros(time).to_string();
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let (day, rest) = digits.split_at(digits.len().min(8));
    format!("{day}@{rest}")
}
