//! The time that an action takes by itself, which is added to the deadline of its step.

use std::time::Duration;

use crate::rpc::{
    limits,
    messages::{action::MAX_REPEAT, condition},
    v1::{self, action::Action},
};

/// Returns the time of the waits, holds, drags, conditions and typing at a rate that `action` asks for. A value
/// outside the limits, which the daemon refuses, counts as the limit.
pub(crate) fn own_time(action: &v1::Action) -> Duration {
    let time = |time: Option<prost_types::Duration>| {
        let time = time.and_then(|time| Duration::try_from(time).ok());
        time.unwrap_or_default().min(limits::MAX_WAIT)
    };
    match &action.action {
        Some(Action::Wait(wait)) => time(wait.duration),
        Some(Action::Drag(drag)) => time(drag.duration),
        Some(Action::Key(key)) => time(key.hold) * key.repeat().clamp(1, MAX_REPEAT.into()),
        Some(Action::WaitFor(wait)) => condition::limit(wait.timeout),
        Some(Action::Type(text)) => match text.rate {
            None | Some(0) => Duration::ZERO,
            Some(rate) => {
                let characters = u32::try_from(text.text.chars().count()).unwrap_or(u32::MAX);
                Duration::from_secs(1).saturating_mul(characters) / rate
            }
        },
        _ => Duration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_at_a_rate_takes_its_time() {
        let typed = |rate| {
            let text = "é".repeat(100);
            own_time(&v1::Action {
                action: Some(Action::Type(v1::TypeAction { text, rate })),
            })
        };
        assert_eq!(typed(Some(10)), Duration::from_secs(10));
        assert_eq!(typed(None), Duration::ZERO);
        assert_eq!(typed(Some(0)), Duration::ZERO);
    }
}
