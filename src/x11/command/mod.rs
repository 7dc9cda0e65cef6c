//! The handle to the display, and the thread that owns the connection and does its work.

pub(in crate::x11) mod arrangement;
pub(in crate::x11) mod connected;
pub(in crate::x11) mod display;
pub(in crate::x11) mod order;
pub(in crate::x11) mod thread;
