//! The attempts of one step: when it is sent again, and what is known of it at the end.

use std::{collections::BTreeSet, time::Duration};

use tokio::time::Instant;

use super::{CallError, CallErrorKind};
use crate::rpc::v1::{self, action::Action, capture_options::Scale};

/// Pause before the second attempt; it doubles with each further one.
const PAUSE: Duration = Duration::from_millis(100);
/// Maximum pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// Pause before a step whose outcome is unknown is asked for again, and how often it is.
const QUERY: Duration = Duration::from_millis(500);
const QUERIES: u32 = 3;

/// What follows an attempt.
pub(super) enum NextAttempt {
    /// The call ends.
    End(Box<Result<v1::ActResponse, CallError>>),
    /// Another attempt after a pause.
    After(Duration),
    /// Another attempt, to the instance that answers now.
    AtAnotherInstance,
    /// Another attempt when the desktop is painted.
    WhenPainted,
}

/// The attempts of one step.
#[derive(Debug)]
pub(super) struct StepAttempts {
    end: Instant,
    pause: Duration,
    /// Whether the caller has named the instance.
    is_addressed: bool,
    /// Whether the present attempt has reached the point at which the step is sent.
    is_sent: bool,
    /// Whether a daemon may have received the step.
    may_be_done: bool,
    has_renewed: bool,
    has_waited: bool,
    queries: u32,
    /// The last answer whose outcome is unknown.
    unknown: Option<v1::ActResponse>,
}

impl StepAttempts {
    pub(super) fn new(end: Instant, is_addressed: bool) -> Self {
        Self {
            end,
            pause: PAUSE,
            is_addressed,
            is_sent: false,
            may_be_done: false,
            has_renewed: false,
            has_waited: false,
            queries: 0,
            unknown: None,
        }
    }

    /// When the call must end.
    pub(super) fn end(&self) -> Instant {
        self.end
    }

    /// Whether the step may be addressed to the instance that answers now.
    pub(super) fn may_address(&self) -> bool {
        !self.is_addressed && !self.may_be_done
    }

    /// Notes that the step is sent now.
    pub(super) fn send(&mut self) {
        self.is_sent = true;
    }

    /// Notes an answer.
    pub(super) fn answered(&mut self, reply: v1::ActResponse) -> NextAttempt {
        (self.is_sent, self.may_be_done) = (false, true);
        let is_known = reply.outcome() != v1::ActOutcome::Unknown;
        if is_known || self.queries == QUERIES || Instant::now() + QUERY >= self.end {
            return NextAttempt::End(Box::new(Ok(reply)));
        }
        self.queries += 1;
        self.unknown = Some(reply);
        NextAttempt::After(QUERY)
    }

    /// Notes an error.
    pub(super) fn failed(&mut self, error: CallError) -> NextAttempt {
        if let Some(reply) = self.unknown.take() {
            return NextAttempt::End(Box::new(Ok(reply)));
        }
        // The daemon gives a reason for each error of its own; others are of the connection.
        let is_lost = error.reason == v1::Reason::Unspecified && !error.unsent;
        self.may_be_done |= self.is_sent && is_lost;
        self.is_sent = false;
        if !self.may_be_done {
            let is_other = error.kind == CallErrorKind::OutcomeUnknown && !self.is_addressed;
            if is_other && !self.has_renewed {
                // The daemon has restarted, and its former instance never received this step.
                self.has_renewed = true;
                return NextAttempt::AtAnotherInstance;
            }
            if error.reason == v1::Reason::NotPainted && !self.has_waited {
                self.has_waited = true;
                return NextAttempt::WhenPainted;
            }
        }
        let pause = self.pause;
        if error.retryable && Instant::now() + pause < self.end {
            self.pause = (pause * 2).min(LONGEST_PAUSE);
            return NextAttempt::After(pause);
        }
        let is_unknown = self.may_be_done && error.kind != CallErrorKind::OutcomeUnknown;
        let error = match is_unknown {
            true => CallError {
                reason: error.reason,
                ..CallError::new(
                    CallErrorKind::OutcomeUnknown,
                    format!(
                        "it is not known whether the step was done: {}",
                        error.message
                    ),
                )
            },
            false => error,
        };
        NextAttempt::End(Box::new(Err(error)))
    }
}

/// Returns the features that a step needs. A daemon that lacks one refuses the step, in place of
/// ignoring a field that it does not know.
pub(super) fn features(request: &v1::ActRequest) -> String {
    let mut names = BTreeSet::from(["act"]);
    let actions = || {
        request
            .actions
            .iter()
            .filter_map(|action| action.action.as_ref())
    };
    let shots = actions().filter_map(|action| match action {
        Action::Screenshot(action) => action.capture.as_ref(),
        _ => None,
    });
    for picture in shots.chain(&request.capture) {
        if matches!(picture.scale, Some(Scale::Fit(_))) {
            names.insert("fit");
        }
        if picture.format() == v1::ImageFormat::Webp {
            names.insert("webp");
        }
        if picture.window.is_some() {
            names.insert("window_image");
        }
    }
    if request.on_failure() != v1::OnFailure::Unspecified {
        names.insert("on_failure");
    }
    for action in actions() {
        names.insert(match action {
            Action::Type(_) => "type",
            Action::Paste(_) => "paste",
            Action::Screenshot(_) => "screenshot_action",
            Action::WaitFor(_) => "wait_for",
            Action::Move(to) if !to.modifiers.is_empty() => "move_modifiers",
            _ => continue,
        });
    }
    let names: Vec<&str> = names.into_iter().collect();
    names.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempts() -> StepAttempts {
        StepAttempts::new(Instant::now() + Duration::from_secs(60), false)
    }

    fn lost() -> CallError {
        CallError {
            retryable: true,
            ..CallError::new(CallErrorKind::Unavailable, "the connection broke")
        }
    }

    fn refused() -> CallError {
        CallError {
            unsent: true,
            ..lost()
        }
    }

    #[test]
    fn a_step_that_may_be_done_is_not_addressed_anew() {
        let mut attempts = attempts();
        assert!(attempts.may_address());
        // No connection: nobody received it.
        assert!(matches!(attempts.failed(refused()), NextAttempt::After(_)));
        assert!(attempts.may_address());
        attempts.send();
        assert!(matches!(attempts.failed(lost()), NextAttempt::After(_)));
        assert!(!attempts.may_address());
        // The new instance does not know it; it is not sent to that instance as its own.
        let unknown = CallError::new(CallErrorKind::OutcomeUnknown, "another instance");
        let NextAttempt::End(end) = attempts.failed(unknown) else {
            panic!("it goes on")
        };
        assert_eq!(end.unwrap_err().kind, CallErrorKind::OutcomeUnknown);
    }

    #[test]
    fn a_step_that_may_be_done_is_never_said_not_to_be() {
        let mut attempts = StepAttempts::new(Instant::now() + PAUSE + PAUSE / 2, false);
        attempts.send();
        assert!(matches!(attempts.failed(lost()), NextAttempt::After(_)));
        // The daemon stays away until the end.
        let NextAttempt::End(end) = attempts.failed(refused()) else {
            panic!("it goes on")
        };
        assert_eq!(end.unwrap_err().kind, CallErrorKind::OutcomeUnknown);
    }

    #[test]
    fn an_unknown_outcome_is_asked_for_again() {
        let mut attempts = attempts();
        let reply = v1::ActResponse {
            outcome: v1::ActOutcome::Unknown.into(),
            ..v1::ActResponse::default()
        };
        for _ in 0..QUERIES {
            attempts.send();
            assert!(matches!(
                attempts.answered(reply.clone()),
                NextAttempt::After(_)
            ));
        }
        attempts.send();
        assert!(matches!(attempts.answered(reply), NextAttempt::End(_)));
    }

    #[test]
    fn each_feature_is_named_once() {
        let fit = Some(v1::CaptureOptions {
            format: v1::ImageFormat::Webp.into(),
            scale: Some(Scale::Fit(v1::Fit::default())),
            ..v1::CaptureOptions::default()
        });
        let typed = v1::Action {
            action: Some(Action::Type(v1::TypeAction::default())),
        };
        let shot = v1::Action {
            action: Some(Action::Screenshot(v1::ScreenshotAction {
                capture: fit.clone(),
            })),
        };
        let request = v1::ActRequest {
            actions: vec![typed.clone(), shot, typed],
            capture: fit,
            ..v1::ActRequest::default()
        };
        assert_eq!(features(&request), "act,fit,screenshot_action,type,webp");
    }
}
