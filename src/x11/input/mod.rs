//! Gives input: keys, buttons and the pointer; and reads the keymap.

pub(in crate::x11) mod bindings;
pub(in crate::x11) mod injector;
pub(in crate::x11) mod keymap;
pub(in crate::x11) mod pointer;
