//! `deskd exec-session`: draws the background, and becomes the session.

use std::{
    ffi::{OsStr, OsString},
    os::unix::process::CommandExt as _,
    process::Command,
};

use super::{
    call,
    exit::{CliError, Exit},
    print::complain,
};
use crate::{
    wallpaper::{self, Background},
    x11,
};

/// Returns only if the session cannot be started. A background that cannot be drawn does not keep
/// the session from starting.
pub(super) fn exec(
    background: &Background,
    program: &OsStr,
    arguments: &[OsString],
) -> Result<Exit, CliError> {
    let display = call::display(None)?;
    let drawn = x11::set_background(display, |size| wallpaper::pixels(background, size));
    if let Err(error) = drawn {
        complain(format_args!(
            "the background {background} cannot be drawn: {error}"
        ));
    }
    let error = Command::new(program).args(arguments).exec();
    let message = format!("{} cannot be started: {error}", program.display());
    Err(CliError::new(Exit::Local, message))
}
