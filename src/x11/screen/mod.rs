//! The screen of a connection: its size, its identity, the proof that is kept with it.

pub(in crate::x11) mod info;
pub(in crate::x11) mod known;
pub(in crate::x11) mod resize;
pub(in crate::x11) mod root_state;
