//! The init: a small single-threaded process that starts, reaps and restarts
//! the X server, the session and the unprivileged daemon. It knows no X, no
//! gRPC and no pixels; it opens no port.
//!
//! - `plan`: who runs as whom, where things lie.
//! - `components`: how each part is started, and when it counts as up.
//! - `supervisor`: what to do about what happens, as facts and orders.
//! - `run`: the loop that tells it the facts and carries out the orders, by `parts` and
//!   `daemon`, the processes that it keeps up.
//! - `child`: one running process, and the end of what it wrote.
//! - `tree`: finding and ending every process of the stack, and no other; `cgroup`: the
//!   control group that they are in, where there can be one.
//! - `lock`: one init a display; stale X locks.
//! - `exec`: the step between fork and a component's program.

mod cgroup;
mod child;
mod clock;
mod components;
mod daemon;
mod exec;
mod home;
mod lock;
mod parts;
mod plan;
mod run;
mod supervisor;
mod tree;

#[cfg(test)]
mod histories;

pub use exec::{ComponentProgram, exec, unblock_signals};
pub use plan::{PlanError, StackOptions, StackPlan};
pub use run::{InitError, run};

/// Seeds this user's home for XFCE, where somebody else starts the session; or that of the
/// `user` with these ids, as that user.
///
/// # Errors
///
/// When the user is not known, or the home cannot be written.
pub fn seed_home(user: Option<(u32, u32)>) -> Result<(), PlanError> {
    let refused = |_| PlanError::NotRoot(user.map_or_else(String::new, |(uid, _)| uid.to_string()));
    exec::become_user(user).map_err(refused)?;
    let own = plan::own()?;
    home::seed(&own.home).map_err(|(path, source)| PlanError::File { path, source })
}
