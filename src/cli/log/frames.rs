//! Exports each frame that a caller received as a picture.

use std::{collections::HashMap, path::Path};

use serde_json::json;

use super::{
    output::{self, NewFile},
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

/// Writes the pictures and `frames.jsonl` into a new folder.
pub(super) fn export(file: &Path, folder: &Path) -> Result<Exit, CliError> {
    let log = LogFile::open(file)?;
    let steps = steps(file)?;
    output::new_folder(folder)?;
    let mut lines = NewFile::create(&folder.join("frames.jsonl"), false)?;
    let (mut screen, mut number, mut missing) = (LoggedScreen::default(), 0, 0);
    log.each(|at, record| {
        match record {
            Record::Screen(change) => screen.apply(&change)?,
            Record::PointerImage(image) => screen.learn(image),
            Record::Frame(frame) => {
                number += 1;
                let image = screen.image(&frame);
                let name = image.as_ref().map(|(_, end)| format!("{number:05}.{end}"));
                if let (Some((image, _)), Some(name)) = (&image, &name) {
                    output::write(&folder.join(name), image)?;
                }
                let is_card = frame.kind() == v1::FrameKind::FailureCard;
                missing += usize::from(image.is_none() && !is_card);
                let failure = frame.failure.as_ref();
                let line = json!({
                    "frame": number,
                    "file": name,
                    "time": at.as_secs_f64(),
                    "frame_id": frame.frame_id,
                    "kind": frame.kind().as_str_name().trim_start_matches("FRAME_KIND_"),
                    "step": steps.get(&frame.frame_id),
                    "failure": failure.map(|failure| json!({
                        "reason": failure.reason().as_str_name().trim_start_matches("REASON_"),
                        "message": failure.message,
                    })),
                });
                lines.write(format!("{line}\n").as_bytes())?;
            }
            _ => {}
        }
        Ok(())
    })?;
    lines.finish()?;
    if missing > 0 {
        note(format_args!(
            "{missing} frames are not in the log: their lines have no file"
        ));
    }
    say!("{}", folder.display());
    Ok(Exit::Done)
}

/// Returns the step that each frame belongs to.
fn steps(file: &Path) -> Result<HashMap<String, u64>, CliError> {
    let mut steps = HashMap::new();
    LogFile::open(file)?.each(|_, record| {
        if let Record::StepEnded(ended) = record
            && let Some(response) = ended.response
        {
            let results = response.results.into_iter();
            let frames = results.filter_map(|result| result.frame);
            for frame in frames.chain(response.frame) {
                // A picture that did not change keeps its id, also over steps.
                steps.entry(frame.frame_id).or_insert(ended.step);
            }
        }
        Ok(())
    })?;
    Ok(steps)
}
