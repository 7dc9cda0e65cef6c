//! Converts the state of control to a message.

use std::time::SystemTime;

use crate::rpc::{messages::convert, v1};
use crate::session::{Control, HolderKind, LeaseEnd, Leases};

/// Returns who is in control.
pub(in crate::rpc) fn state(leases: &Leases) -> v1::ControlState {
    let lease = leases.lease().map(|lease| {
        let (remaining, age) = Control::times(lease);
        v1::Lease {
            kind: match lease.kind {
                HolderKind::Agent => v1::LeaseKind::Agent,
                HolderKind::Person => v1::LeaseKind::Person,
            }
            .into(),
            holder: lease.holder.clone(),
            reason: lease.reason.clone(),
            remaining: convert::duration(remaining),
            began_at: Some(convert::timestamp(SystemTime::now() - age)),
        }
    });
    let last_end = match leases.last_end() {
        None => v1::LeaseEnd::Unspecified,
        Some(LeaseEnd::Given) => v1::LeaseEnd::Given,
        Some(LeaseEnd::Expired) => v1::LeaseEnd::Expired,
        Some(LeaseEnd::Taken) => v1::LeaseEnd::Taken,
    };
    v1::ControlState {
        control_epoch: leases.epoch(),
        lease,
        last_end: last_end.into(),
    }
}
