//! The lease that a call names in the metadata key `deskd-lease`, and whom the daemon authenticated
//! as its caller.

use tonic::{Extensions, Status, metadata::MetadataMap};

use crate::rpc::{
    messages::status,
    transport::{auth::Credential, connection::Caller, connection::Peer},
};
use crate::session::{Authenticated, LeaseKey};

/// The metadata key.
pub(in crate::rpc) const KEY: &str = "deskd-lease";

/// Returns the lease that the call names.
///
/// # Errors
///
/// INVALID_ARGUMENT with the reason INVALID_FIELD for a value that is not the id of a lease.
pub(in crate::rpc) fn of(metadata: &MetadataMap) -> Result<Option<LeaseKey>, Status> {
    match metadata.get(KEY) {
        None => Ok(None),
        Some(value) => checked(KEY, value.to_str().unwrap_or("?")).map(Some),
    }
}

/// Returns the lease with this id; `field` names it in an error. The error does not repeat the id.
pub(in crate::rpc) fn checked(field: &str, id: &str) -> Result<LeaseKey, Status> {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    match id.len() == 32 && id.bytes().all(is_digit) {
        true => Ok(LeaseKey::of(id)),
        false => {
            let why =
                "must be the id of a lease, 32 hexadecimal digits, as TakeControl returned it";
            Err(status::invalid_field(field, why))
        }
    }
}

/// Returns whom the daemon authenticated as the caller of a request.
pub(in crate::rpc) fn caller(extensions: &Extensions) -> Authenticated {
    match extensions.get::<Caller>().map(|caller| caller.peer) {
        Some(Peer::Unix { uid }) => Authenticated::User(uid),
        _ if extensions.get::<Credential>().is_some() => Authenticated::Token,
        _ => Authenticated::Anybody,
    }
}
