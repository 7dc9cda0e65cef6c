//! Exports OSWorld's trajectory: `traj.jsonl` with a line and a screenshot for each step, and
//! `recording.mp4` where ffmpeg is installed.

use std::{
    collections::HashMap,
    fmt::Write as _,
    path::Path,
    time::{Duration, SystemTime},
};

use serde_json::json;

use super::{
    describe, mp4,
    output::{self, NewFile},
    points::KnownFrames,
    pyautogui,
    read::{self, LogFile, is_last_end},
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
pub(super) fn export(
    file: &Path,
    folder: &Path,
    max_pause: Option<Duration>,
) -> Result<Exit, CliError> {
    let log = LogFile::open(file)?;
    let mut repeated = read::repeated_ends(file)?;
    output::new_folder(folder)?;
    let mut lines = NewFile::create(&folder.join("traj.jsonl"), false)?;
    let (mut screen, mut known) = (LoggedScreen::default(), KnownFrames::default());
    let mut open: HashMap<u64, (v1::LogStepBegan, Duration)> = HashMap::new();
    let (mut began_at, mut number) = (SystemTime::UNIX_EPOCH, 0);
    log.each(|at, record| {
        match record {
            Record::Start(start) => {
                began_at = describe::time_of(start.began_at).unwrap_or(began_at);
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
            Record::StepEnded(ended) if is_last_end(&mut repeated, ended.step) => {
                let Some((began, arrived)) = open.remove(&ended.step) else {
                    return Ok(());
                };
                number += 1;
                let time = stamp(began_at.checked_add(arrived).unwrap_or(began_at));
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
    match mp4::write(file, &folder.join("recording.mp4"), false, max_pause) {
        Ok(()) => {}
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
        // Nothing was done, so nothing is to be done again.
        _ if ended.refused.is_some() => format!("# not done: {}", describe::step(began)),
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
    // Far beyond the year 9999 there is nothing to write.
    let mut text = String::new();
    if write!(text, "{}", humantime::format_rfc3339_micros(time)).is_err() {
        text = "9999-12-31T23:59:59.999999Z".into();
    }
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let (day, rest) = digits.split_at(digits.len().min(8));
    format!("{day}@{rest}")
}
