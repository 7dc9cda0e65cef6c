//! Reading the screen's pixels and the pointer.

pub(in crate::x11) mod compare;
pub(in crate::x11) mod cursor;
pub(in crate::x11) mod damage;
pub(in crate::x11) mod grab;
mod image;
mod probe;
pub(in crate::x11) mod segments;
pub(in crate::x11) mod shm;
