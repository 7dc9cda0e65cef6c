//! Converts conditions, and the ends of waits.

use std::time::Duration;

use tonic::Status;

use crate::rpc::{
    limits,
    messages::{convert, limited, status, window},
    v1,
};
use crate::session::{Condition, ConditionState, RegionCondition, Waited, WindowCondition};

/// Maximum number of window and region conditions in a condition.
pub(in crate::rpc) const MAX_CONDITIONS: usize = 16;
/// Maximum depth of a condition.
pub(in crate::rpc) const MAX_DEPTH: usize = 4;
/// Default time to wait for a condition.
const DEFAULT_WAIT: Duration = Duration::from_secs(10);
/// Default time for which a region must not change.
const DEFAULT_QUIET: Duration = Duration::from_millis(500);

/// Converts a condition and the time to wait for it. `name` makes the name of a field.
pub(in crate::rpc) fn wait(
    name: &dyn Fn(&str) -> String,
    condition: Option<&v1::Condition>,
    timeout: Option<prost_types::Duration>,
) -> Result<(Condition, Duration), Status> {
    let field = name("condition");
    let Some(wire) = condition else {
        return Err(status::invalid_field(&field, "must be given"));
    };
    let condition = self::condition(&field, wire, MAX_DEPTH)?;
    let mut count = 0;
    condition.each(&mut |_| count += 1);
    if count > MAX_CONDITIONS {
        let why = "has too many conditions";
        return Err(status::limit(&field, why, MAX_CONDITIONS));
    }
    let limit = match timeout {
        None => DEFAULT_WAIT,
        Some(time) => limited::within(&name("timeout"), time, limits::MAX_WAIT)?,
    };
    Ok((condition, limit))
}

/// Returns the time that a wait may take.
pub(crate) fn limit(timeout: Option<prost_types::Duration>) -> Duration {
    let time = timeout.map_or(Ok(DEFAULT_WAIT), Duration::try_from);
    time.unwrap_or_default().min(limits::MAX_WAIT)
}

fn condition(field: &str, wire: &v1::Condition, depth: usize) -> Result<Condition, Status> {
    use v1::condition::Condition as Wire;
    let Some(wire) = &wire.condition else {
        let why = "chooses no condition, or one that this release does not know";
        return Err(status::invalid_field(field, why));
    };
    Ok(match wire {
        Wire::Window(wire) => {
            let field = format!("{field}.window");
            let Some(wanted) = &wire.r#match else {
                return Err(status::invalid_field(
                    &format!("{field}.match"),
                    "must be given",
                ));
            };
            Condition::Window {
                window: window::matching(&format!("{field}.match"), wanted)?,
                is: match v1::WindowEvent::try_from(wire.event) {
                    Ok(v1::WindowEvent::Unspecified | v1::WindowEvent::Appears) => {
                        WindowCondition::Appears
                    }
                    Ok(v1::WindowEvent::Disappears) => WindowCondition::Disappears,
                    Ok(v1::WindowEvent::GetsFocus) => WindowCondition::GetsFocus,
                    Err(_) => {
                        let why = format!("{} is no event of a window", wire.event);
                        return Err(status::invalid_field(&format!("{field}.event"), &why));
                    }
                },
            }
        }
        Wire::Region(wire) => {
            let field = format!("{field}.region");
            let region = wire.region.as_ref();
            let quiet = match wire.quiet {
                None => DEFAULT_QUIET,
                Some(time) => limited::within(&format!("{field}.quiet"), time, limits::MAX_QUIET)?,
            };
            Condition::Region {
                region: region
                    .map(|region| convert::region(&format!("{field}.region"), region))
                    .transpose()?,
                is: match v1::RegionEvent::try_from(wire.event) {
                    Ok(v1::RegionEvent::Unspecified | v1::RegionEvent::Changes) => {
                        RegionCondition::Changes
                    }
                    Ok(v1::RegionEvent::Rests) => RegionCondition::Rests(quiet),
                    Err(_) => {
                        let why = format!("{} is no event of a region", wire.event);
                        return Err(status::invalid_field(&format!("{field}.event"), &why));
                    }
                },
            }
        }
        Wire::Any(parts) => Condition::Any(conditions(&format!("{field}.any"), parts, depth)?),
        Wire::All(parts) => Condition::All(conditions(&format!("{field}.all"), parts, depth)?),
    })
}

fn conditions(field: &str, parts: &v1::Conditions, depth: usize) -> Result<Vec<Condition>, Status> {
    if depth == 1 {
        return Err(status::limit(field, "is nested too deep", MAX_DEPTH));
    }
    let field = format!("{field}.conditions");
    if parts.conditions.is_empty() {
        return Err(status::invalid_field(&field, "must not be empty"));
    }
    if parts.conditions.len() > MAX_CONDITIONS {
        return Err(status::limit(
            &field,
            "has too many conditions",
            MAX_CONDITIONS,
        ));
    }
    let parts = parts.conditions.iter().enumerate();
    parts
        .map(|(index, part)| condition(&format!("{field}[{index}]"), part, depth - 1))
        .collect()
}

/// Converts the end of a wait.
pub(in crate::rpc) fn report(waited: &Waited) -> v1::WaitReport {
    let state = |state: &ConditionState| v1::ConditionState {
        met: state.is_met,
        windows: state.windows.iter().map(window::window).collect(),
        changed: state.has_changed,
        rested: convert::duration(state.rested).filter(|_| !state.rested.is_zero()),
    };
    v1::WaitReport {
        met: waited.is_met,
        states: waited.states.iter().map(state).collect(),
        windows: waited.windows.iter().map(window::window).collect(),
        waited: convert::duration(waited.time),
    }
}
