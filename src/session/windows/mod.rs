//! The windows of the desktop for callers: lists, changes that are verified, and conditions that a
//! caller waits for.
//!
//! - `lists`: the object [`Windows`], and its lists.
//! - `target`: which window a request means.
//! - `changing`: changes a window; `change` says whether it is as requested.
//! - `waiting`: waits for a condition; `condition` says whether it is met.

mod change;
mod changing;
mod condition;
mod lists;
mod target;
mod waiting;

pub use change::{ChangeOutcome, Changed};
pub use condition::{Condition, ConditionState, RegionCondition, WindowCondition};
pub use lists::Windows;
pub use target::{WindowMatch, WindowRefusal, WindowTarget};
pub(super) use waiting::Baseline;
pub use waiting::{WaitRefusal, Waited};
