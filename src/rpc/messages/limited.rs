//! Durations of requests, which have a maximum.

use std::time::Duration;

use tonic::Status;

use crate::rpc::messages::status;

/// Converts a duration of the field with this name, which is at most `max`.
pub(in crate::rpc) fn within(
    field: &str,
    time: prost_types::Duration,
    max: Duration,
) -> Result<Duration, Status> {
    let time = Duration::try_from(time)
        .map_err(|_| status::invalid_field(field, "must not be negative"))?;
    if time > max {
        return Err(status::limit(
            field,
            "is too long",
            humantime::format_duration(max),
        ));
    }
    Ok(time)
}
