//! A second connection, which looks at windows while a caller waits for the paint or for rest.

pub(in crate::x11) mod focus;
pub(in crate::x11) mod observer;
pub(in crate::x11) mod owner;
pub(in crate::x11) mod properties;
pub(in crate::x11) mod scene;
