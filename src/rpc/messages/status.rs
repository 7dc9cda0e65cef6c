//! gRPC statuses: a code, an English message, and a [`Reason`] in `google.rpc.ErrorInfo` and in the
//! trailer `deskd-reason`. Only this module and `refusals` make them from errors.

use std::collections::HashMap;

use tonic::{
    Code, Status,
    metadata::{AsciiMetadataValue, MetadataMap},
};
use tonic_types::{ErrorDetails, StatusExt};

pub(in crate::rpc) use crate::rpc::v1::Reason;
use crate::{
    failure::{Cause, Failure},
    metrics,
    session::CursorFailure,
};

/// `domain` of every ErrorInfo.
const DOMAIN: &str = "deskd";

/// The trailer with the reason, which can be read without further packages.
const TRAILER: &str = "deskd-reason";

pub(super) fn build(
    code: Code,
    reason: Reason,
    message: String,
    facts: &[(&str, String)],
) -> Status {
    let name = reason.as_str_name().trim_start_matches("REASON_");
    metrics::refused(name);
    let facts: HashMap<String, String> = facts
        .iter()
        .map(|(key, value)| ((*key).to_owned(), value.clone()))
        .collect();
    let details = ErrorDetails::with_error_info(name, DOMAIN, facts);
    let mut metadata = MetadataMap::new();
    // The names of reasons are ASCII.
    if let Ok(value) = name.parse::<AsciiMetadataValue>() {
        metadata.insert(TRAILER, value);
    }
    Status::with_error_details_and_metadata(code, message, details, metadata)
}

/// Status for a caller that is not admitted.
pub(in crate::rpc) fn unauthenticated(reason: Reason, message: String) -> Status {
    build(Code::Unauthenticated, reason, message, &[])
}

/// Status for an invalid message or field.
pub(in crate::rpc) fn invalid_argument(reason: Reason, message: String) -> Status {
    build(Code::InvalidArgument, reason, message, &[])
}

/// Status for a request that exceeds a capacity.
pub(in crate::rpc) fn exhausted(reason: Reason, message: String) -> Status {
    build(Code::ResourceExhausted, reason, message, &[])
}

/// Status for an invalid field, with the reason why it is invalid.
pub(in crate::rpc) fn invalid_field(field: &str, why: &str) -> Status {
    let facts = [("field", field.to_owned())];
    build(
        Code::InvalidArgument,
        Reason::InvalidField,
        format!("{field}: {why}"),
        &facts,
    )
}

/// Status for a count, length or duration above its limit.
pub(in crate::rpc) fn limit(field: &str, why: &str, limit: impl std::fmt::Display) -> Status {
    let facts = [("field", field.to_owned()), ("limit", limit.to_string())];
    let message = format!("{field}: {why}: at most {limit}");
    build(
        Code::InvalidArgument,
        Reason::LimitExceeded,
        message,
        &facts,
    )
}

/// Status for an unknown key name.
pub(in crate::rpc) fn unknown_key(field: &str, name: &str) -> Status {
    let short: String = name.chars().take(40).collect();
    let facts = [("field", field.to_owned()), ("key", short.clone())];
    let message = format!(
        "{field}: no key is called {short:?}; names are such as Return, ctrl, F5, KP_1 or a character (`deskd key --list` has all)"
    );
    build(Code::InvalidArgument, Reason::UnknownKey, message, &facts)
}

/// Status for a character that can be neither typed nor pasted.
pub(in crate::rpc) fn untypable(field: &str, position: usize, character: char) -> Status {
    let name = format!("U+{:04X}", u32::from(character));
    let facts = [
        ("field", field.to_owned()),
        ("position", position.to_string()),
        ("character", name.clone()),
    ];
    let message =
        format!("{field}: character {position} is {name}, which cannot be typed or pasted");
    let reason = Reason::UntypableCharacter;
    build(Code::InvalidArgument, reason, message, &facts)
}

/// Status for a call that a daemon with `--read-only` refuses.
pub(in crate::rpc) fn read_only(what: &str) -> Status {
    let message = format!("{what} is refused: this daemon was started with --read-only");
    build(Code::PermissionDenied, Reason::ReadOnly, message, &[])
}

/// Status for a required feature that this release does not have.
pub(in crate::rpc) fn unsupported_feature(name: &str) -> Status {
    // The name comes from the caller: it is shortened here, and escaped below.
    let name: String = name.chars().take(64).collect();
    let message = format!(
        "the call requires the feature {name:?}, which deskd {} does not have; upgrade deskd, or leave the feature out",
        env!("CARGO_PKG_VERSION")
    );
    let facts = [("feature", name)];
    build(
        Code::Unimplemented,
        Reason::UnsupportedFeature,
        message,
        &facts,
    )
}

/// Status for a prerequisite that is not met.
pub(in crate::rpc) fn failed_precondition(reason: Reason, message: String) -> Status {
    build(Code::FailedPrecondition, reason, message, &[])
}

/// Status for something that cannot be used at present.
pub(in crate::rpc) fn unavailable_for(reason: Reason, message: String) -> Status {
    build(Code::Unavailable, reason, message, &[])
}

/// Status for something that does not exist.
pub(in crate::rpc) fn not_found(reason: Reason, message: String) -> Status {
    build(Code::NotFound, reason, message, &[])
}

/// Status for something that no caller may do.
pub(in crate::rpc) fn denied(reason: Reason, message: String) -> Status {
    build(Code::PermissionDenied, reason, message, &[])
}

/// Status for an operation that did not finish in time.
pub(in crate::rpc) fn deadline(reason: Reason, message: String) -> Status {
    build(Code::DeadlineExceeded, reason, message, &[])
}

/// Status for a connection that does not read the images that it requested.
pub(in crate::rpc) fn slow_reader() -> Status {
    let message = "this connection has not read the images that it already asked for, or others have not read so many large ones that there is no room for this one";
    build(
        Code::ResourceExhausted,
        Reason::SlowReader,
        message.into(),
        &[],
    )
}

/// Status for a call that needs an X server while none is available.
pub(in crate::rpc) fn unavailable(failure: &Failure) -> Status {
    let facts = [("stage", failure.stage.name().to_owned())];
    let message = failure.message.clone();
    build(Code::Unavailable, reason(failure), message, &facts)
}

impl From<CursorFailure> for Status {
    fn from(CursorFailure(failure): CursorFailure) -> Self {
        let code = match failure.cause {
            Cause::Deadline | Cause::Unresponsive => Code::DeadlineExceeded,
            Cause::Cancelled => Code::Cancelled,
            Cause::HumanInControl | Cause::ControlChanged => Code::FailedPrecondition,
            Cause::Internal | Cause::EncodeFailed | Cause::TooLarge => Code::Internal,
            Cause::NoDisplay
            | Cause::AuthRefused
            | Cause::CookieUnreadable
            | Cause::ConnectionLost
            | Cause::ProtocolError
            | Cause::ScreenNotFound
            | Cause::PixelFormatUnsupported
            | Cause::CaptureFailed
            | Cause::ExtensionMissing
            | Cause::PointerElsewhere
            | Cause::InputFrozen
            | Cause::ProgramUnresponsive
            | Cause::KeymapChanged
            | Cause::NotTaken
            | Cause::ConditionNotMet
            | Cause::WindowNotShown
            | Cause::InputTaken
            | Cause::ServerFull
            | Cause::OutOfDescriptors
            | Cause::NotPainted
            | Cause::ShuttingDown => Code::Unavailable,
        };
        let reason = reason(&failure);
        build(
            code,
            reason,
            failure.message,
            &[("stage", failure.stage.name().to_owned())],
        )
    }
}

/// Returns the reason that represents a failure in messages.
pub(in crate::rpc) fn reason(failure: &Failure) -> Reason {
    match failure.cause {
        Cause::NoDisplay => Reason::NoDisplay,
        Cause::AuthRefused => Reason::XAuthRefused,
        Cause::CookieUnreadable => Reason::XCookieUnreadable,
        Cause::ConnectionLost => Reason::XConnectionLost,
        Cause::Unresponsive => Reason::XUnresponsive,
        Cause::ProtocolError => Reason::XProtocolError,
        Cause::ScreenNotFound => Reason::ScreenNotFound,
        Cause::PixelFormatUnsupported => Reason::PixelFormatUnsupported,
        Cause::CaptureFailed => Reason::CaptureFailed,
        Cause::ExtensionMissing => Reason::ExtensionMissing,
        Cause::PointerElsewhere => Reason::PointerElsewhere,
        Cause::InputFrozen => Reason::InputFrozen,
        Cause::ProgramUnresponsive => Reason::ProgramUnresponsive,
        Cause::KeymapChanged => Reason::KeymapChanged,
        Cause::NotTaken => Reason::NotTaken,
        Cause::ConditionNotMet => Reason::ConditionNotMet,
        Cause::WindowNotShown => Reason::WindowNotShown,
        Cause::InputTaken => Reason::InputTaken,
        Cause::ServerFull => Reason::XClientsExhausted,
        Cause::OutOfDescriptors => Reason::OutOfDescriptors,
        Cause::NotPainted => Reason::NotPainted,
        Cause::Deadline => Reason::Deadline,
        Cause::Cancelled => Reason::Cancelled,
        Cause::HumanInControl => Reason::HumanInControl,
        Cause::ControlChanged => Reason::ControlChanged,
        Cause::EncodeFailed => Reason::EncodeFailed,
        Cause::TooLarge => Reason::TooLarge,
        Cause::ShuttingDown => Reason::ShuttingDown,
        Cause::Internal => Reason::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::client;
    use crate::session::Refusal;

    #[test]
    fn a_reason_travels_both_ways() {
        let status = Status::from(Refusal::UnknownFrame("x-1".into()));
        assert_eq!(status.code(), Code::FailedPrecondition);
        assert_eq!(client::reason(&status), Reason::UnknownFrame);
        let info = status.get_details_error_info().unwrap();
        assert_eq!(
            (info.reason.as_str(), info.domain.as_str()),
            ("UNKNOWN_FRAME", "deskd")
        );
        assert_eq!(
            info.metadata.get("frame_id").map(String::as_str),
            Some("x-1")
        );
    }

    #[test]
    fn every_cause_has_the_reason_of_its_name() {
        for cause in [
            Cause::NoDisplay,
            Cause::AuthRefused,
            Cause::CookieUnreadable,
            Cause::ConnectionLost,
            Cause::Unresponsive,
            Cause::ProtocolError,
            Cause::Cancelled,
            Cause::ScreenNotFound,
            Cause::PixelFormatUnsupported,
            Cause::CaptureFailed,
            Cause::ExtensionMissing,
            Cause::PointerElsewhere,
            Cause::InputFrozen,
            Cause::ProgramUnresponsive,
            Cause::KeymapChanged,
            Cause::NotTaken,
            Cause::ConditionNotMet,
            Cause::WindowNotShown,
            Cause::InputTaken,
            Cause::ServerFull,
            Cause::OutOfDescriptors,
            Cause::Deadline,
            Cause::EncodeFailed,
            Cause::TooLarge,
            Cause::ShuttingDown,
            Cause::Internal,
        ] {
            let failure = Failure {
                stage: crate::failure::Stage::Capture,
                cause,
                message: String::new(),
            };
            assert_eq!(
                reason(&failure).as_str_name(),
                format!("REASON_{}", cause.name())
            );
        }
    }
}
