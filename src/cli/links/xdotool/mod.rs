//! `xdotool` through the daemon: the pointer, the wheel, keys and text.
//!
//! All commands of a call are read (`parse`) before the first is carried out (`run`), and
//! consecutive ones are one step. A command that cannot be carried out thus leaves nothing half done.

mod parse;
mod run;

pub(super) use parse::parse;
pub(super) use run::run;

use crate::rpc::v1::action::Action;

/// One part of a call.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Part {
    /// An action of a step.
    Act(Action),
    /// Moves the pointer by a distance in pixels.
    MoveBy(i32, i32),
    /// Prints the position of the pointer; the prefix of shell variables, if they are requested.
    Location(Option<String>),
    /// Prints the size of the screen; whether as shell variables.
    Geometry(bool),
    /// Prints the version.
    Version,
}
