//! Converts the results of steps, and held input, to messages.

use std::time::Duration;

use tonic::Status;

use crate::rpc::{
    client,
    messages::{condition, convert},
    v1,
};
use crate::{
    gate::Rest,
    metrics,
    session::{
        Account, Acted, ActionStatus as Reached, Button, Done, Ended, Method, Outcome, Pressed,
        PressedInput, Run, Settled,
    },
};

/// Converts the result of a step, and counts it. `took`: the time since the call arrived. For
/// `malformed` and `count`, see [`response`].
pub(in crate::rpc) fn acted(
    acted: Acted,
    took: Duration,
    malformed: Option<Status>,
    count: usize,
) -> v1::ActResponse {
    let (replayed, settled) = (acted.replayed, acted.account.settled.clone());
    let pictures = acted.pictures.iter().map(|(_, frame)| frame);
    pictures.chain(&acted.frame).for_each(convert::count);
    let response = response(acted, malformed, count);
    if !replayed {
        let word = |name: &'static str, prefix| name.trim_start_matches(prefix);
        metrics::acted(
            word(response.outcome().as_str_name(), "ACT_OUTCOME_"),
            took,
            (
                word(state(settled.ended).as_str_name(), "SETTLE_STATE_"),
                settled.waited,
            ),
        );
    }
    response
}

/// Converts the result of a step. `malformed`: in a step that stops at the first failure, why the
/// action after the last result was not begun. `count`: the number of actions in the request.
pub(in crate::rpc) fn response(
    acted: Acted,
    malformed: Option<Status>,
    count: usize,
) -> v1::ActResponse {
    let Account {
        outcome,
        results,
        settled,
    } = acted.account;
    let outcome = match (outcome, &malformed) {
        (Outcome::Done, Some(_)) => Outcome::Partial,
        (outcome, _) => outcome,
    };
    let all_done = results.iter().all(|done| done.status == Reached::Done);
    let mut results: Vec<v1::ActionResult> = results.into_iter().map(result).collect();
    if let Some(status) = malformed.filter(|_| all_done) {
        results.push(v1::ActionResult {
            status: v1::ActionStatus::Failed.into(),
            failure: Some(refusal(&status)),
            ..v1::ActionResult::default()
        });
    }
    results.resize_with(count, || v1::ActionResult {
        status: v1::ActionStatus::NotExecuted.into(),
        ..v1::ActionResult::default()
    });
    for (index, frame) in acted.pictures {
        if let Some(result) = results.get_mut(index) {
            result.frame = Some(convert::uncounted(frame));
        }
    }
    let outcome = match outcome {
        Outcome::Done => v1::ActOutcome::Done,
        Outcome::Partial => v1::ActOutcome::Partial,
        Outcome::Cancelled => v1::ActOutcome::Cancelled,
        Outcome::Deadline => v1::ActOutcome::Deadline,
        Outcome::Unknown => v1::ActOutcome::Unknown,
    };
    v1::ActResponse {
        outcome: outcome.into(),
        results,
        settle: Some(report(settled)),
        frame: acted.frame.map(convert::uncounted),
        replayed: acted.replayed,
    }
}

fn state(ended: Ended) -> v1::SettleState {
    match ended {
        Ended::Rest(Rest::Quiet) => v1::SettleState::Quiet,
        Ended::Rest(Rest::NoChange) => v1::SettleState::NoChange,
        Ended::Rest(Rest::Timeout) => v1::SettleState::Timeout,
        Ended::Deadline => v1::SettleState::Deadline,
        Ended::Skipped => v1::SettleState::Skipped,
    }
}

fn report(settled: Settled) -> v1::SettleReport {
    let excepted = settled.excepted.into_iter().map(convert::wire_region);
    v1::SettleReport {
        state: state(settled.ended).into(),
        waited: convert::duration(settled.waited),
        changed: settled.changed.map(convert::wire_region),
        excepted: excepted.collect(),
    }
}

/// Converts the refusal of an action to the failure in its result.
fn refusal(status: &Status) -> v1::Failure {
    v1::Failure {
        stage: v1::FailureStage::Input.into(),
        reason: client::reason(status).into(),
        message: status.message().to_owned(),
        retryable: false,
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
        status: match done.status {
            Reached::NotExecuted => v1::ActionStatus::NotExecuted,
            Reached::Done => v1::ActionStatus::Done,
            Reached::Failed => v1::ActionStatus::Failed,
            Reached::Unknown => v1::ActionStatus::Unknown,
        }
        .into(),
        pointer: done.pointer.map(v1::Point::from),
        characters: done.characters,
        runs: done.runs.into_iter().map(run).collect(),
        clipboard_lost: done.clipboard_lost,
        failure: match done.refused {
            Some(refused) => Some(refusal(&refused.into())),
            None => done.failure.as_ref().map(convert::failure),
        },
        elapsed: convert::duration(done.took),
        pacing: convert::duration(done.paced).filter(|_| !done.paced.is_zero()),
        unconfirmed: done.unconfirmed,
        // `acted` inserts the frames by the index of their actions.
        frame: None,
        settle: done.settled.map(report),
        wait_for: done.waited.as_ref().map(condition::report),
    }
}

/// Converts held input to messages.
pub(in crate::rpc) fn pressed(pressed: Vec<Pressed>) -> Vec<v1::Pressed> {
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
