//! The screen of a connection: its size, its identity, and its paint proof.

pub(in crate::x11) mod compositor;
pub(in crate::x11) mod info;
pub(in crate::x11) mod known;
pub(in crate::x11) mod resize;
pub(in crate::x11) mod root_state;
