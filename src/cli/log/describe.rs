//! Steps, calls and errors as one line of text. What a log says may come from anybody: no text in it can
//! end the line.

use std::time::{Duration, SystemTime};

use crate::{
    rpc::v1::{self, action::Action, log_call::Request, target::Target},
    text::is_hidden,
};

/// Returns the actions of a step, such as `click left 40,12; type 5 characters`.
pub(super) fn step(began: &v1::LogStepBegan) -> String {
    if began.omitted_bytes > 0 {
        return format!(
            "a request of {} bytes (not in the log)",
            began.omitted_bytes
        );
    }
    let request = began.request.clone().unwrap_or_default();
    let redacted = |index: usize| {
        let of_action = |r: &&v1::LogRedaction| r.action as usize == index;
        let found = began.redactions.iter().find(of_action);
        found.map(|redaction| redaction.characters)
    };
    let actions = request.actions.iter().enumerate();
    let actions: Vec<String> = actions
        .map(|(index, one)| action(one, redacted(index)))
        .collect();
    match actions.is_empty() {
        true => "no actions".to_owned(),
        false => actions.join("; "),
    }
}

/// Replaces control characters.
pub(super) fn plain(text: &str) -> String {
    text.chars()
        .map(|one| if is_hidden(one) { '?' } else { one })
        .collect()
}

/// Returns a time of the sandbox's clock; `None` if it is none that a date can be written for.
pub(super) fn time_of(at: Option<prost_types::Timestamp>) -> Option<SystemTime> {
    const YEAR_10000: i64 = 253_402_300_800;
    let at = at.filter(|at| (0..YEAR_10000).contains(&at.seconds))?;
    SystemTime::try_from(at).ok()
}

/// Returns an action. `redacted`: the number of characters that are not in the log.
pub(super) fn action(action: &v1::Action, redacted: Option<u64>) -> String {
    let at = |target: &Option<v1::Target>| match point(target.as_ref()) {
        Some((x, y)) => format!(" {x},{y}"),
        None => String::new(),
    };
    let with = |keys: &[String]| match keys.is_empty() {
        true => String::new(),
        false => format!(" with {}", plain(&keys.join("+"))),
    };
    let text = |verb: &str, text: &str| match redacted {
        Some(characters) => format!("{verb} {characters} characters (not in the log)"),
        None => format!("{verb} {text:?}"),
    };
    let Some(action) = &action.action else {
        return "an unknown action".into();
    };
    match action {
        Action::Move(a) => format!("move{}{}", at(&a.to), with(&a.modifiers)),
        Action::Click(a) => {
            let verb = match a.count() {
                2 => "double-click",
                3 => "triple-click",
                _ => "click",
            };
            let (button, place) = (button(a.button()), at(&a.at));
            format!("{verb} {button}{place}{}", with(&a.modifiers))
        }
        Action::ButtonDown(a) => format!("press {}{}", button(a.button()), at(&a.at)),
        Action::ButtonUp(a) => format!("release {}{}", button(a.button()), at(&a.at)),
        Action::Drag(a) => {
            let points = a.path.iter().filter_map(|target| point(Some(target)));
            let points: Vec<String> = points.map(|(x, y)| format!("{x},{y}")).collect();
            let (button, path) = (button(a.button()), points.join(" to "));
            format!("drag {button} {path}{}", with(&a.modifiers))
        }
        Action::Scroll(a) => {
            let unit = match a.unit() {
                v1::ScrollUnit::Pixel => "pixels",
                _ => "notches",
            };
            let (dx, dy, place) = (a.dx, a.dy, at(&a.at));
            format!("scroll {dx},{dy} {unit}{place}{}", with(&a.modifiers))
        }
        Action::Type(a) => text("type", &a.text),
        Action::Paste(a) => text("paste", &a.text),
        Action::Key(_) | Action::KeyDown(_) | Action::KeyUp(_) if redacted.is_some() => {
            "a key (not in the log)".into()
        }
        Action::Key(a) => match a.repeat() {
            0 | 1 => format!("key {}", plain(&a.keys.join("+"))),
            repeat => format!("key {} {repeat} times", plain(&a.keys.join("+"))),
        },
        Action::KeyDown(a) => format!("hold key {}", plain(&a.key)),
        Action::KeyUp(a) => format!("release key {}", plain(&a.key)),
        Action::Wait(a) => format!("wait {}", time(a.duration)),
        Action::Screenshot(_) => "screenshot".into(),
        Action::WaitFor(a) => format!("wait for a condition, at most {}", time(a.timeout)),
    }
}

/// Returns the result of a step, such as `DONE, settled QUIET after 120 ms`.
pub(super) fn end(ended: &v1::LogStepEnded) -> String {
    let took = time(ended.took);
    if let Some(refused) = &ended.refused {
        return format!("refused after {took}: {}", refusal(refused));
    }
    let response = ended.response.clone().unwrap_or_default();
    let outcome = response.outcome();
    let outcome = outcome.as_str_name().trim_start_matches("ACT_OUTCOME_");
    let settle = response.settle.clone().unwrap_or_default();
    let state = settle.state();
    let state = match state {
        v1::SettleState::Skipped | v1::SettleState::Unspecified => String::new(),
        state => {
            let name = state.as_str_name().trim_start_matches("SETTLE_STATE_");
            let changed = settle.changed.map_or(String::new(), |region| {
                format!(", changed {}", self::region(&region))
            });
            format!(", settled {name} after {}{changed}", time(settle.waited))
        }
    };
    let replayed = match response.replayed {
        true => ", the result of an earlier call",
        false => "",
    };
    let failures = response.results.iter().enumerate();
    let failures = failures.filter_map(|(index, result)| {
        let failure = result.failure.as_ref()?;
        let reason = failure.reason();
        let reason = reason.as_str_name().trim_start_matches("REASON_");
        Some(format!(
            "; action {index} {reason}{}",
            message(&failure.message)
        ))
    });
    let failures: String = failures.collect();
    format!("{outcome} in {took}{state}{replayed}{failures}")
}

/// Returns an error.
pub(super) fn refusal(refused: &v1::LogRefusal) -> String {
    let reason = refused.reason();
    let reason = reason.as_str_name().trim_start_matches("REASON_");
    format!("{reason}{}", message(&refused.message))
}

fn message(text: &str) -> String {
    match text {
        "" => String::new(),
        text => format!(": {}", plain(text)),
    }
}

/// Returns a call.
pub(super) fn call(call: &v1::LogCall) -> String {
    let what = match &call.request {
        None => String::new(),
        Some(Request::ChangeWindow(request)) => {
            let change = match &request.change {
                Some(v1::change_window_request::Change::Operation(operation)) => {
                    let operation = v1::WindowOperation::try_from(*operation).unwrap_or_default();
                    let name = operation.as_str_name();
                    name.trim_start_matches("WINDOW_OPERATION_").to_owned()
                }
                Some(v1::change_window_request::Change::Place(_)) => "PLACE".to_owned(),
                None => String::new(),
            };
            format!(" {change}")
        }
        Some(Request::Launch(request)) => {
            use v1::launch_request::Program;
            match &request.program {
                Some(Program::Arguments(arguments)) => format!(" {}", arguments.words.join(" ")),
                Some(Program::DesktopEntry(entry)) => format!(" {}", entry.entry),
                Some(Program::Uri(uri)) => format!(" {uri}…"),
                None => String::new(),
            }
        }
        Some(Request::SignalProgram(request)) => {
            let signal = request.signal();
            let signal = signal.as_str_name().trim_start_matches("PROGRAM_SIGNAL_");
            format!(" {signal} {}", request.id)
        }
        Some(Request::Up(request)) => size(request.geometry),
        Some(Request::SetGeometry(request)) => size(request.geometry),
        Some(Request::ClipboardBytes(bytes)) => format!(" {bytes} bytes"),
    };
    let took = time(call.took);
    let end = match &call.refused {
        None => format!("done in {took}"),
        Some(refused) => format!("refused after {took}: {}", refusal(refused)),
    };
    plain(&format!("{}{what}: {end}", call.method))
}

fn size(size: Option<v1::Size>) -> String {
    size.map_or(String::new(), |size| {
        format!(" {}x{}", size.width, size.height)
    })
}

/// Returns who is in control.
pub(super) fn control(state: &v1::ControlState) -> String {
    let epoch = state.control_epoch;
    let Some(lease) = &state.lease else {
        let why = match state.last_end() {
            v1::LeaseEnd::Unspecified => "",
            v1::LeaseEnd::Given => ", given back",
            v1::LeaseEnd::Expired => ", the lease expired",
            v1::LeaseEnd::Taken => ", the lease was taken",
        };
        return format!("nobody holds a lease{why} (epoch {epoch})");
    };
    let kind = match lease.kind() {
        v1::LeaseKind::Agent => "an agent",
        _ => "a person",
    };
    let (holder, reason) = (plain(&lease.holder), message(&lease.reason));
    format!("{holder} ({kind}) is in control{reason} (epoch {epoch})")
}

/// Returns the state of the X server.
pub(super) fn display(display: &v1::LogDisplay) -> String {
    match (&display.size, &display.failure) {
        (Some(size), _) if display.connected => {
            let generation: String = display.server_generation.chars().take(8).collect();
            let generation = plain(&generation);
            let epoch = display.geometry_epoch;
            let (width, height) = (size.width, size.height);
            format!("{width}x{height}, X server {generation}, geometry epoch {epoch}")
        }
        (_, Some(failure)) => format!("no X server{}", message(&failure.message)),
        _ => "no X server".to_owned(),
    }
}

/// Returns an event of the stack.
pub(super) fn stack(event: &v1::StageEvent) -> String {
    let component = event.component();
    let component = component.as_str_name().trim_start_matches("COMPONENT_");
    let status = event.status();
    let status = status.as_str_name().trim_start_matches("STAGE_STATUS_");
    format!("{component} {status}{}", message(&event.message))
}

/// Returns why records are missing.
pub(super) fn gap(gap: &v1::LogGap) -> String {
    let why = match gap.reason() {
        v1::LogGapReason::WriteFailed => "the file could not be written",
        _ => "they arrived faster than they could be written",
    };
    let message = message(&gap.message);
    format!("{} records are missing: {why}{message}", gap.records)
}

/// Returns why the log ended.
pub(super) fn log_end(end: &v1::LogEnd) -> &'static str {
    match end.reason() {
        v1::LogEndReason::Unspecified => "the log ended",
        v1::LogEndReason::Stopped => "the recording was stopped",
        v1::LogEndReason::Shutdown => "the daemon ended",
        v1::LogEndReason::Size => "the log reached its maximum size",
        v1::LogEndReason::Duration => "the log reached its maximum duration",
    }
}

pub(super) fn region(region: &v1::Region) -> String {
    let (width, height) = (region.width, region.height);
    format!("{},{} {width}x{height}", region.x(), region.y())
}

fn button(button: v1::Button) -> &'static str {
    match button {
        v1::Button::Middle => "middle",
        v1::Button::Right => "right",
        v1::Button::Back => "back",
        v1::Button::Forward => "forward",
        v1::Button::Left | v1::Button::Unspecified => "left",
    }
}

/// Returns the point of a target.
pub(super) fn point(target: Option<&v1::Target>) -> Option<(i32, i32)> {
    let Some(Target::Point(point)) = target?.target.as_ref() else {
        return None;
    };
    Some((point.x(), point.y()))
}

fn time(time: Option<prost_types::Duration>) -> String {
    let time = time.and_then(|time| Duration::try_from(time).ok());
    let time = time.unwrap_or_default();
    match time >= Duration::from_secs(10) {
        true => format!("{:.1} s", time.as_secs_f64()),
        false => format!("{} ms", time.as_millis()),
    }
}
