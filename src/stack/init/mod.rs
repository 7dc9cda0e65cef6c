//! The init: a small single-threaded process that starts, reaps and restarts the X server, the
//! session and the unprivileged daemon. It uses neither X nor gRPC, reads no pixels and opens no
//! port.
//!
//! - `plan`: the user of each process, and the paths of all files.
//! - `components`: how each part is started, and when it counts as up.
//! - `supervisor`: decides what to do: facts in, orders out.
//! - `run`: the loop that reports facts to the supervisor and carries out its orders with `parts`
//!   and `daemon`, which hold the processes.
//! - `child`: one running program, and the end of its output.
//! - `tree`: finds and ends every process of the stack, and no other; `cgroup`: the control group
//!   that contains them, if one can be created.
//! - `home`: prepares the desktop user's home for XFCE.
//! - `lock`: allows one init per display; removes stale X locks.
//! - `exec`: prepares a component's process between fork and exec.

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

pub use components::SET_BY_DESKD;
pub use exec::{ComponentProgram, exec, unblock_signals};
pub use plan::{PlanError, StackOptions, StackPlan};
pub use run::{InitError, run};

use crate::wallpaper::Background;

/// Decodes the picture of a plan's background, as the desktop's user.
///
/// # Errors
///
/// When that user may not read the file, or it is no picture.
pub fn check_plan(plan: &StackPlan) -> Result<(), PlanError> {
    let Some(background @ Background::File(_)) = &plan.options.background else {
        return Ok(());
    };
    let change_user = plan.desktop.uid != nix::unistd::geteuid().as_raw();
    home::check_background_as(&plan.desktop, change_user, background)
        .map_err(|error| PlanError::Background(error.to_string()))
}

/// Decodes the picture of a background, as the `user` with these ids.
///
/// # Errors
///
/// When the user is unknown, may not read the file, or it is no picture.
pub fn check_background(
    user: Option<(u32, u32)>,
    background: &Background,
) -> Result<(), PlanError> {
    let refused = |_| PlanError::NotRoot(user.map_or_else(String::new, |(uid, _)| uid.to_string()));
    exec::become_user(user).map_err(refused)?;
    let size = crate::frame::Size {
        width: 16,
        height: 16,
    };
    match crate::wallpaper::pixels(background, size) {
        Ok(_) => Ok(()),
        Err(error) => {
            let why = format!("{background} cannot be drawn as the desktop's user: {error}");
            Err(PlanError::Background(why))
        }
    }
}

/// Prepares a home for XFCE: that of this process's user, when another program starts the session;
/// or that of the `user` with these ids, as that user.
///
/// # Errors
///
/// When the user is unknown, or the home cannot be written.
pub fn seed_home(
    user: Option<(u32, u32)>,
    background: Option<&Background>,
) -> Result<(), PlanError> {
    let refused = |_| PlanError::NotRoot(user.map_or_else(String::new, |(uid, _)| uid.to_string()));
    exec::become_user(user).map_err(refused)?;
    let own = plan::own()?;
    home::seed(&own.home, background).map_err(|(path, source)| PlanError::File { path, source })
}
