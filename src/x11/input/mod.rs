//! Giving input: keys, buttons, the pointer, and what keys mean.

pub(in crate::x11) mod bindings;
pub(in crate::x11) mod injector;
pub(in crate::x11) mod keymap;
pub(in crate::x11) mod pointer;
