//! Converts messages to and from proto3's JSON mapping, with their descriptors.

use std::sync::OnceLock;

use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, SerializeOptions};
use serde_json::Value;

use super::exit::{CliError, Exit};
use crate::rpc::DESCRIPTORS;

/// Returns a message of `deskd.v1` as JSON. Fields that are not set appear with their default, so
/// that a coordinate of 0 is shown.
pub(super) fn value(name: &str, message: &impl Message) -> Result<Value, CliError> {
    let failed =
        |what: &str| CliError::new(Exit::Local, format!("cannot print {name} as JSON: {what}"));
    let descriptor = described(name).ok_or_else(|| failed("it is not described"))?;
    let bytes = message.encode_to_vec();
    let dynamic = DynamicMessage::decode(descriptor, bytes.as_slice())
        .map_err(|error| failed(&error.to_string()))?;
    let options = SerializeOptions::new().skip_default_fields(false);
    dynamic
        .serialize_with_options(serde_json::value::Serializer, &options)
        .map_err(|error| failed(&error.to_string()))
}

/// Parses a message of `deskd.v1` from JSON.
pub(super) fn parse<M: Message + Default>(name: &str, text: &str) -> Result<M, CliError> {
    let failed =
        |what: &str| CliError::new(Exit::Usage, format!("this is no {name} in JSON: {what}"));
    let descriptor = described(name).ok_or_else(|| failed("it is not described"))?;
    let mut json = serde_json::Deserializer::from_str(text);
    let dynamic = DynamicMessage::deserialize(descriptor, &mut json)
        .map_err(|error| failed(&without_values(&error.to_string())))?;
    json.end().map_err(|error| failed(&error.to_string()))?;
    M::decode(dynamic.encode_to_vec().as_slice()).map_err(|error| failed(&error.to_string()))
}

/// Returns the descriptor of a message of `deskd.v1`.
fn described(name: &str) -> Option<MessageDescriptor> {
    static POOL: OnceLock<Option<DescriptorPool>> = OnceLock::new();
    let pool = POOL.get_or_init(|| DescriptorPool::decode(DESCRIPTORS).ok());
    pool.as_ref()?
        .get_message_by_name(&format!("deskd.v1.{name}"))
}

/// Removes typed text from an error message; the position and the names of fields remain.
fn without_values(error: &str) -> String {
    const STRING: &str = "string \"";
    let Some(start) = error.find(STRING) else {
        return error.to_owned();
    };
    let rest = &error[start + STRING.len()..];
    let end = rest.rfind("\", expected").map_or(rest.len(), |end| end + 1);
    format!("{}a string{}", &error[..start], &rest[end..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::v1;

    /// Each call of the API has an example in its comment that is a valid request.
    #[test]
    fn the_apis_examples_are_requests() {
        let pool = DescriptorPool::decode(DESCRIPTORS).unwrap();
        let sources = [
            include_str!("../../proto/deskd/v1/clipboard.proto"),
            include_str!("../../proto/deskd/v1/control.proto"),
            include_str!("../../proto/deskd/v1/desktop.proto"),
            include_str!("../../proto/deskd/v1/programs.proto"),
            include_str!("../../proto/deskd/v1/recorder.proto"),
            include_str!("../../proto/deskd/v1/stack.proto"),
            include_str!("../../proto/deskd/v1/windows.proto"),
        ];
        let mut examples = 0;
        for service in pool.services().filter(|s| s.package_name() == "deskd.v1") {
            for method in service.methods() {
                let line = format!("  rpc {}(", method.name());
                let source = sources
                    .iter()
                    .find(|source| source.contains(&line))
                    .unwrap();
                let before = source.split(&line).next().unwrap();
                let comment = before.rsplit("\n\n").next().unwrap();
                let example = comment.split("  // Example: ").nth(1);
                let example = example.unwrap_or_else(|| panic!("{line} has no example"));
                // The example ends at the end of its paragraph.
                let example = example.split("\n  //\n").next().unwrap();
                let example = example.replace("\n  // ", " ");
                let mut json = serde_json::Deserializer::from_str(&example);
                let request = DynamicMessage::deserialize(method.input(), &mut json);
                request.unwrap_or_else(|error| panic!("{line} {example}: {error}"));
                examples += 1;
            }
        }
        assert!(examples >= 13, "{examples}");
    }

    #[test]
    fn errors_tell_no_text() {
        for text in [
            r#"{"actions":[{"type":"hunter2"}]}"#,
            r#"{"actions":["hunter2, expected"]}"#,
            r#"{"actions":[{"key":{"keys":"hunter2\" x"}}]}"#,
        ] {
            let error = parse::<v1::ActRequest>("ActRequest", text).unwrap_err();
            assert!(!error.message.contains("hunter"), "{}", error.message);
            assert!(
                error.message.contains("a string, expected"),
                "{}",
                error.message
            );
        }
    }

    #[test]
    fn zeros_and_enum_names_are_shown() {
        let cursor = v1::Cursor {
            position: Some(v1::Point::new(0, 7)),
            ..v1::Cursor::default()
        };
        let value = value("Cursor", &cursor).unwrap();
        assert_eq!(value["position"], serde_json::json!({"x": 0, "y": 7}));
        assert_eq!(value["visible"], false);
    }
}
