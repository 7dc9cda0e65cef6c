//! What steps did, and what is held, as messages.

use std::time::Duration;

use super::{convert, v1};
use crate::{
    gate::Rest,
    metrics,
    session::{Account, Acted, Button, Done, Ended, Method, Outcome, Pressed, PressedInput, Run},
};

/// The answer as a message, so long after the call.
pub(super) fn acted(acted: Acted, took: Duration) -> v1::ActResponse {
    let Account {
        outcome,
        results,
        settled,
    } = acted.account;
    let outcome = match outcome {
        Outcome::Done => v1::ActOutcome::Done,
        Outcome::Partial => v1::ActOutcome::Partial,
        Outcome::Cancelled => v1::ActOutcome::Cancelled,
        Outcome::Deadline => v1::ActOutcome::Deadline,
        Outcome::Unknown => v1::ActOutcome::Unknown,
    };
    let state = match settled.ended {
        Ended::Rest(Rest::Quiet) => v1::SettleState::Quiet,
        Ended::Rest(Rest::NoChange) => v1::SettleState::NoChange,
        Ended::Rest(Rest::Timeout) => v1::SettleState::Timeout,
        Ended::Deadline => v1::SettleState::Deadline,
        Ended::Skipped => v1::SettleState::Skipped,
    };
    if !acted.replayed {
        let word = |name: &'static str, prefix| name.trim_start_matches(prefix);
        metrics::acted(
            word(outcome.as_str_name(), "ACT_OUTCOME_"),
            took,
            (word(state.as_str_name(), "SETTLE_STATE_"), settled.waited),
        );
    }
    v1::ActResponse {
        outcome: outcome.into(),
        results: results.into_iter().map(result).collect(),
        settle: Some(v1::SettleReport {
            state: state.into(),
            waited: prost_types::Duration::try_from(settled.waited).ok(),
            changed: settled.changed.map(convert::wire_region),
            excepted: settled
                .excepted
                .into_iter()
                .map(convert::wire_region)
                .collect(),
        }),
        frame: acted.frame.map(convert::frame),
        replayed: acted.replayed,
    }
}

fn result(done: Done) -> v1::ActionResult {
    let run = |run: Run| v1::TextRun {
        start: run.start,
        characters: run.characters,
        method: match run.method {
            Method::Key => v1::TextMethod::Key,
            Method::BoundKey => v1::TextMethod::BoundKey,
            Method::Selection => v1::TextMethod::Selection,
            Method::Several => v1::TextMethod::Several,
        }
        .into(),
    };
    v1::ActionResult {
        done: done.done,
        pointer: done.pointer.map(v1::Point::from),
        characters: done.characters,
        runs: done.runs.into_iter().map(run).collect(),
        clipboard_lost: done.clipboard_lost,
        failure: done.failure.as_ref().map(convert::failure),
        elapsed: prost_types::Duration::try_from(done.took).ok(),
        pacing: (!done.paced.is_zero())
            .then(|| prost_types::Duration::try_from(done.paced).ok())
            .flatten(),
        unconfirmed: done.unconfirmed,
    }
}

/// Converts held input to messages.
pub(super) fn pressed(pressed: Vec<Pressed>) -> Vec<v1::Pressed> {
    let one = |pressed: Pressed| v1::Pressed {
        input: Some(match pressed.what {
            PressedInput::Key(name) => v1::pressed::Input::Key(name),
            PressedInput::Button(button) => v1::pressed::Input::Button(
                match button {
                    Button::Left => v1::Button::Left,
                    Button::Middle => v1::Button::Middle,
                    Button::Right => v1::Button::Right,
                    Button::Back => v1::Button::Back,
                    Button::Forward => v1::Button::Forward,
                }
                .into(),
            ),
        }),
        until: pressed.until.map(Into::into),
    };
    pressed.into_iter().map(one).collect()
}
