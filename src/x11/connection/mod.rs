//! Connects to the X server, authenticates, and reads what the server sends.

pub(in crate::x11) mod allowance;
pub mod display_name;
pub(in crate::x11) mod framing;
pub(in crate::x11) mod lifetime;
pub(in crate::x11) mod mailbox;
pub(in crate::x11) mod pixel_format;
pub(in crate::x11) mod pulse;
pub(in crate::x11) mod reach;
pub(in crate::x11) mod server;
pub(in crate::x11) mod socket;
pub(in crate::x11) mod trust;
