//! Converts requests to steps. A malformed request is refused before any action is executed,
//! unless the step stops at the first failure.

use std::time::Duration;

use prost::Message as _;
use tonic::Status;

use crate::rpc::{
    limits,
    messages::{
        action::{Field, shared},
        convert, limited, own_time, status,
    },
    v1,
};
use crate::session::{Act, Expect, Operation, Settling};

/// Maximum number of actions of a step.
pub(in crate::rpc) const MAX_ACTIONS: usize = 100;
/// Maximum number of screenshot actions of a step; its final frame is not counted.
pub(in crate::rpc) const MAX_PICTURES: usize = 4;
/// Maximum number of `wait_for` actions of a step.
pub(in crate::rpc) const MAX_WAITS: usize = 8;
/// Maximum bytes of an operation id.
pub(in crate::rpc) const MAX_OPERATION_ID: usize = 128;
/// Default limit of the time to settle.
const DEFAULT_SETTLE: Duration = Duration::from_secs(3);

/// A requested step.
#[derive(Debug)]
pub(in crate::rpc) struct AskedStep {
    /// The step, without the first malformed action and those after it.
    pub(in crate::rpc) act: Act,
    /// Why the action after those of `act` is malformed. Only set if the step stops at the
    /// first failure.
    pub(in crate::rpc) malformed: Option<Status>,
    /// Number of actions in the request.
    pub(in crate::rpc) count: usize,
}

/// Converts an `ActRequest`.
pub(in crate::rpc) fn asked(request: &v1::ActRequest) -> Result<AskedStep, Status> {
    if request.actions.is_empty() {
        return Err(status::invalid_field("actions", "must not be empty"));
    }
    if request.actions.len() > MAX_ACTIONS {
        return Err(status::limit(
            "actions",
            "has too many actions",
            MAX_ACTIONS,
        ));
    }
    let stop_at_first = stop_at_first(request.on_failure)?;
    few_waits(request)?;
    let share = share_of_bytes(request)?;
    let (mut actions, mut malformed) = (Vec::with_capacity(request.actions.len()), None);
    for (index, action) in request.actions.iter().enumerate() {
        let field = Field { index, share };
        let converted = match &action.action {
            Some(chosen) => field.action(chosen),
            None => Err(status::invalid_field(
                &field.name(""),
                "chooses no action, or one that this release does not know",
            )),
        };
        match converted {
            Ok(action) => actions.push(action),
            Err(status) if stop_at_first => {
                malformed = Some(status);
                break;
            }
            Err(status) => return Err(status),
        }
    }
    let act = Act {
        operation: operation(request)?,
        lease: None,
        space: convert::space("coordinate_space", request.coordinate_space.as_ref())?,
        expect: expect(request.expect.as_ref()),
        // A step without actions has nothing to settle.
        settle: settle(request.settle.as_ref())?.filter(|_| !actions.is_empty()),
        actions,
        picture: match (&request.capture, request.no_frame) {
            (Some(_), true) => {
                let why = "contradicts `no_frame`";
                return Err(status::invalid_field("capture", why));
            }
            (None, true) => None,
            (options, false) => Some(shared(share, "capture", options.as_ref())?),
        },
        unproved: request.unproved,
        stop_at_first,
        paced: !request.no_pacing,
        observer: None,
    };
    Ok(AskedStep {
        act,
        malformed,
        count: request.actions.len(),
    })
}

fn stop_at_first(value: i32) -> Result<bool, Status> {
    match v1::OnFailure::try_from(value) {
        Ok(v1::OnFailure::Unspecified | v1::OnFailure::RefuseAll) => Ok(false),
        Ok(v1::OnFailure::StopAtFirst) => Ok(true),
        Err(_) => {
            let why = format!("{value} is no way to deal with a failure");
            Err(status::invalid_field("on_failure", &why))
        }
    }
}

/// Refuses a step that waits for too many conditions.
fn few_waits(request: &v1::ActRequest) -> Result<(), Status> {
    let is_wait = |action: &&v1::Action| {
        use v1::action::Action as Wire;
        matches!(action.action, Some(Wire::WaitFor(_)))
    };
    match request.actions.iter().filter(is_wait).count() > MAX_WAITS {
        true => Err(status::limit("actions", "has too many wait_for", MAX_WAITS)),
        false => Ok(()),
    }
}

/// Returns the maximum bytes of each image of a step that has no limit of its own. All images
/// of a step share one response.
fn share_of_bytes(request: &v1::ActRequest) -> Result<u64, Status> {
    let is_picture = |action: &&v1::Action| {
        use v1::action::Action as Wire;
        matches!(action.action, Some(Wire::Screenshot(_)))
    };
    let own = request.actions.iter().filter(is_picture).count();
    if own > MAX_PICTURES {
        let why = "has too many screenshots";
        return Err(status::limit("actions", why, MAX_PICTURES));
    }
    let all = own + usize::from(!request.no_frame);
    Ok(limits::DEFAULT_MAX_IMAGE_BYTES / all.max(1) as u64)
}

/// Returns the time that a step's actions take by themselves. It is added to the default deadline.
pub(in crate::rpc) fn own_time(request: &v1::ActRequest) -> Duration {
    request
        .actions
        .iter()
        .take(MAX_ACTIONS)
        .map(own_time::own_time)
        .sum()
}

fn operation(request: &v1::ActRequest) -> Result<Option<Operation>, Status> {
    let id = &request.operation_id;
    if id.is_empty() {
        return Ok(None);
    }
    let printable = id
        .bytes()
        .all(|byte| byte.is_ascii_graphic() || byte == b' ');
    if !printable || id.len() > MAX_OPERATION_ID {
        let why = "must be 1 to 128 printable ASCII characters";
        return Err(status::invalid_field("operation_id", why));
    }
    if request.instance_id.is_empty() {
        let why = "is required with operation_id: `GetInfo` has it";
        return Err(status::invalid_field("instance_id", why));
    }
    // A retry may request another image; everything else must be equal.
    let content = v1::ActRequest {
        operation_id: String::new(),
        instance_id: String::new(),
        capture: None,
        no_frame: false,
        ..request.clone()
    };
    Ok(Some(Operation {
        id: id.clone(),
        instance: request.instance_id.clone(),
        digest: xxhash_rust::xxh3::xxh3_128(&content.encode_to_vec()),
    }))
}

fn expect(expect: Option<&v1::Expect>) -> Expect {
    let text = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    expect.map_or_else(Expect::default, |expect| Expect {
        generation: text(&expect.server_generation),
        epoch: expect.geometry_epoch,
        control_epoch: expect.control_epoch,
        frame: text(&expect.frame_id),
    })
}

fn settle(options: Option<&v1::SettleOptions>) -> Result<Option<Settling>, Status> {
    let default = Settling {
        limit: DEFAULT_SETTLE,
        quiet: None,
    };
    let Some(options) = options else {
        return Ok(Some(default));
    };
    let limit = match options.timeout {
        None => DEFAULT_SETTLE,
        Some(timeout) => limited::within("settle.timeout", timeout, limits::MAX_SETTLE)?,
    };
    let quiet = match options.quiet {
        None => None,
        Some(quiet) => Some(limited::within("settle.quiet", quiet, limits::MAX_QUIET)?),
    };
    Ok((!options.skip).then_some(Settling { limit, quiet }))
}
