//! Converts messages to internal values and back, and errors to statuses.

pub(in crate::rpc) mod action;
pub(in crate::rpc) mod condition;
pub(in crate::rpc) mod control;
pub(in crate::rpc) mod convert;
pub(in crate::rpc) mod limited;
pub(in crate::rpc) mod outcome;
pub(in crate::rpc) mod own_time;
pub(in crate::rpc) mod program;
mod refusals;
pub(in crate::rpc) mod stack;
pub(in crate::rpc) mod status;
pub(in crate::rpc) mod step;
pub(in crate::rpc) mod values;
pub(in crate::rpc) mod window;
