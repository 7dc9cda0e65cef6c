//! The observer: a second connection, which observes windows while a caller waits for the
//! desktop to be painted, or for the screen to be at rest.

pub(in crate::x11) mod focus;
pub(in crate::x11) mod observer;
pub(in crate::x11) mod owner;
pub(in crate::x11) mod properties;
pub(in crate::x11) mod scene;
