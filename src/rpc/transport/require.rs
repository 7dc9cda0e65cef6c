//! Features that a call requires through the metadata key `deskd-require`.

use tonic::{Status, metadata::MetadataMap};

use crate::rpc::{messages::status, v1::Feature};

/// The metadata key.
const KEY: &str = "deskd-require";

/// Refuses a call that requires a feature that this release does not define.
///
/// # Errors
///
/// UNIMPLEMENTED with the reason UNSUPPORTED_FEATURE and the feature's name.
pub(in crate::rpc) fn check(metadata: &MetadataMap) -> Result<(), Status> {
    for value in metadata.get_all(KEY) {
        let names = value.to_str().unwrap_or("?").split(',').map(str::trim);
        for name in names.filter(|name| !name.is_empty()) {
            if !is_known(name) {
                return Err(status::unsupported_feature(name));
            }
        }
    }
    Ok(())
}

fn is_known(name: &str) -> bool {
    let lower = name
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let name = format!("FEATURE_{}", name.to_ascii_uppercase());
    lower && Feature::from_str_name(&name).is_some_and(|known| known != Feature::Unspecified)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic::Code;

    #[test]
    fn a_feature_that_is_not_known_is_refused_by_name() {
        let check = |values: &[&str]| {
            let mut metadata = MetadataMap::new();
            for value in values {
                metadata.append(KEY, value.parse().unwrap());
            }
            check(&metadata)
        };
        assert!(check(&[]).is_ok());
        assert!(check(&["act, expected_windows", "", "watch"]).is_ok());
        for unknown in [
            "telepathy",
            "ACT",
            "unspecified",
            "act,teleport",
            "feature_act",
        ] {
            let refused = check(&["act", unknown]).unwrap_err();
            assert_eq!(refused.code(), Code::Unimplemented, "{unknown}");
        }
    }
}
