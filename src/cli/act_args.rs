//! Flags of the commands that act on the desktop.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{client_args::ClientArgs, values};

/// The flags of every step.
#[derive(Debug, Args)]
pub(super) struct StepArgs {
    #[command(flatten)]
    pub(super) client: ClientArgs,
    /// Write the screen after the step to this file; the picture of a `screenshot` action
    /// goes beside it: a-2.png for the action number 2, counted from 0, of a.png.
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Also before the desktop's paint is proved.
    #[arg(long)]
    pub(super) unproved: bool,
    /// Do not wait until the screen rests.
    #[arg(long)]
    pub(super) no_settle: bool,
}

#[derive(Debug, Args)]
pub(super) struct ActArgs {
    #[command(flatten)]
    pub(super) step: StepArgs,
    /// The request: JSON, a file with it, or - for standard input.
    #[arg(default_value = "-", value_name = "FILE|-|JSON")]
    pub(super) request: String,
}

#[derive(Debug, Args)]
pub(super) struct ClickArgs {
    #[command(flatten)]
    pub(super) step: StepArgs,
    /// Column, from 0.
    #[arg(allow_negative_numbers = true, value_parser = values::pixels)]
    pub(super) x: i32,
    /// Row, from 0.
    #[arg(allow_negative_numbers = true, value_parser = values::pixels)]
    pub(super) y: i32,
    /// Which button.
    #[arg(long, value_enum, default_value = "left")]
    pub(super) button: ButtonArg,
    /// How often, 1 to 3.
    #[arg(long, default_value = "1", value_parser = values::whole(1_u32..=3, " from 1 to 3"))]
    pub(super) count: u32,
    /// Keys held meanwhile, for example ctrl+shift.
    #[arg(long, value_name = "KEYS")]
    pub(super) modifiers: Option<String>,
}

/// A pointer button.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ButtonArg {
    /// 1.
    Left,
    /// 2, the wheel.
    Middle,
    /// 3.
    Right,
    /// 8.
    Back,
    /// 9.
    Forward,
}

#[derive(Debug, Args)]
pub(super) struct MoveArgs {
    #[command(flatten)]
    pub(super) step: StepArgs,
    /// Column, from 0.
    #[arg(allow_negative_numbers = true, value_parser = values::pixels)]
    pub(super) x: i32,
    /// Row, from 0.
    #[arg(allow_negative_numbers = true, value_parser = values::pixels)]
    pub(super) y: i32,
    /// Keys held meanwhile, for example alt.
    #[arg(long, value_name = "KEYS")]
    pub(super) modifiers: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct TypeArgs {
    #[command(flatten)]
    pub(super) step: StepArgs,
    /// The text; - reads it from standard input, where no other process sees it; a
    /// line feed at its end counts. What begins with a hyphen stands after --; a lone
    /// hyphen goes by standard input.
    pub(super) text: String,
    /// Characters a second [default: as fast as they are taken].
    #[arg(long, value_parser = values::whole(1_u32..=10_000, " from 1 to 10,000"))]
    pub(super) rate: Option<u32>,
}

#[derive(Debug, Args)]
pub(super) struct PasteArgs {
    #[command(flatten)]
    pub(super) step: StepArgs,
    /// The text; - reads it from standard input, where no other process sees it; a
    /// line feed at its end counts. What begins with a hyphen stands after --.
    pub(super) text: String,
    /// The chord that pastes, its keys joined by + [default: Shift+Insert].
    #[arg(long)]
    pub(super) chord: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct KeyArgs {
    #[command(flatten)]
    pub(super) step: StepArgs,
    /// Keys joined by +, pressed in this order; ctrl++ for the plus itself.
    #[arg(required_unless_present = "list")]
    pub(super) chord: Option<String>,
    /// How often, 1 to 100.
    #[arg(long, default_value = "1", value_parser = values::whole(0_u32.., ", for example 3"))]
    pub(super) repeat: u32,
    /// How long it stays down each time, in milliseconds, at most 300,000.
    #[arg(long, default_value = "0", value_parser = values::whole(0_u32.., " of milliseconds, for example 500"), value_name = "MS")]
    pub(super) hold: u32,
    /// Print the names of all keys.
    #[arg(long)]
    pub(super) list: bool,
}

#[derive(Debug, Args)]
pub(super) struct ScrollArgs {
    #[command(flatten)]
    pub(super) step: StepArgs,
    /// Column, from 0.
    #[arg(allow_negative_numbers = true, value_parser = values::pixels)]
    pub(super) x: i32,
    /// Row, from 0.
    #[arg(allow_negative_numbers = true, value_parser = values::pixels)]
    pub(super) y: i32,
    /// To the right, in pixels; 100 make a notch of the wheel.
    #[arg(allow_negative_numbers = true, value_parser = values::pixels)]
    pub(super) dx: i32,
    /// Downwards, in pixels.
    #[arg(allow_negative_numbers = true, value_parser = values::pixels)]
    pub(super) dy: i32,
    /// Count in notches.
    #[arg(long)]
    pub(super) notches: bool,
    /// Keys held meanwhile, for example ctrl.
    #[arg(long, value_name = "KEYS")]
    pub(super) modifiers: Option<String>,
}
