//! The gRPC services and the metrics, one file each.

pub(in crate::rpc) mod clipboard;
pub(in crate::rpc) mod control;
pub(in crate::rpc) mod desktop;
pub(in crate::rpc) mod health;
pub(in crate::rpc) mod metrics;
pub(in crate::rpc) mod programs;
pub(in crate::rpc) mod recorder;
pub(in crate::rpc) mod stack;
pub(in crate::rpc) mod watch;
pub(in crate::rpc) mod windows;

#[cfg(test)]
mod in_memory;
