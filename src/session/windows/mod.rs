//! The windows of the desktop for callers: lists, changes that are verified, and conditions that a
//! caller waits for.
//!
//! - `lists`: the object [`Windows`], and its lists.
//! - `changing`: changes a window; `change` says whether it is as requested.
//! - `pictures`: pictures of single windows; `arranged` knows which can be taken from the screen again.
//! - `waiting`: waits for a condition; `condition` says whether it is met.

mod arranged;
mod change;
mod changing;
mod condition;
mod lists;
mod pictures;
mod waiting;

pub use change::{ChangeOutcome, Changed};
pub use condition::{Condition, ConditionState, RegionCondition, WindowCondition};
pub(super) use lists::APART;
pub use lists::Windows;
pub(super) use waiting::Baseline;
pub use waiting::{WaitRefusal, Waited};
