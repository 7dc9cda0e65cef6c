//! `deskd serve --stack`: the flags of the stack, and the init that starts stack and daemon.

use std::ffi::OsString;

use super::{
    call,
    exit::{CliError, Exit},
    serve_args::{ServeArgs, StackArg},
    values,
};
use crate::{
    config::{self, DEFAULT_GEOMETRY},
    frame::{ScreenSize, Size},
    stack::init::{self, StackPlan},
    wallpaper::Background,
};

/// Refuses combinations of flags that name no desktop.
pub(super) fn check_session(args: &ServeArgs) -> Result<(), CliError> {
    match (args.stack(), &args.session) {
        (StackArg::Command, None) => {
            let why = "--stack command needs the command line of the session: give --session";
            return Err(CliError::new(Exit::Usage, why));
        }
        (StackArg::Command, Some(session)) if session.trim().is_empty() => {
            let why = "--session is empty: give the command line of the session";
            return Err(CliError::new(Exit::Usage, why));
        }
        (StackArg::Xfce | StackArg::None, Some(_)) => {
            let why = "--session is for --stack command: leave one of them out";
            return Err(CliError::new(Exit::Usage, why));
        }
        _ => {}
    }
    if let Some(Background::File(path)) = &args.background
        && !path.is_file()
    {
        let why = format!("--background: {} is no file", path.display());
        return Err(CliError::new(Exit::Usage, why));
    }
    Ok(())
}

/// Returns the options of the stack, from the flags and the environment.
fn stack_options(args: &ServeArgs, geometry: Size) -> Result<init::StackOptions, CliError> {
    check_session(args)?;
    let display = args.display.map_or(0, |display| display.number);
    let dpi = match (args.dpi, call::variable("DESKTOP_DPI")) {
        (Some(dpi), _) => dpi,
        (None, Some(text)) => {
            let dpi = text.parse().ok().filter(|dpi| (24..=960).contains(dpi));
            dpi.ok_or_else(|| {
                CliError::new(
                    Exit::Usage,
                    format!("DESKTOP_DPI: {text:?} is not 24 to 960"),
                )
            })?
        }
        (None, None) => 96,
    };
    let max_geometry = args.max_geometry.unwrap_or(geometry);
    for size in [geometry, max_geometry] {
        ScreenSize::try_from(size)
            .map_err(|error| CliError::new(Exit::Usage, error.to_string()))?;
    }
    if max_geometry.width < geometry.width || max_geometry.height < geometry.height {
        let message =
            format!("--max-geometry {max_geometry} is smaller than the geometry {geometry}");
        return Err(CliError::new(Exit::Usage, message));
    }
    let listen = if args.listen.is_empty() {
        vec![call::default_address()]
    } else {
        args.listen.clone()
    };
    let mut daemon: Vec<OsString> = std::env::args_os().skip(1).collect();
    daemon.push("--supervised".into());
    if args.display.is_none() {
        daemon.push(format!("--display=:{display}").into());
    }
    let options = init::StackOptions {
        display,
        geometry,
        max_geometry,
        dpi,
        desktop_user: args.desktop_user.clone(),
        vnc: args.vnc,
        viewer_port: call::viewer_port()?,
        session: args.session.clone(),
        background: args.background.clone(),
        session_env: session_env(args)?,
        no_new_privs: args.desktop_no_new_privs,
        listen,
        daemon,
    };
    Ok(options)
}

/// Returns the variables of `--session-env` and those of the environment. `DESKD_DESKTOP_ENV` is the
/// name that deskd 0.2 had for it.
fn session_env(args: &ServeArgs) -> Result<Vec<String>, CliError> {
    let mut list = args.session_env.clone();
    for name in ["DESKD_SESSION_ENV", "DESKD_DESKTOP_ENV"] {
        let text = call::variable(name).unwrap_or_default();
        for word in text.split(',').filter(|word| !word.is_empty()) {
            let parsed = values::session_variable(word);
            list.push(parsed.map_err(|why| CliError::new(Exit::Usage, format!("{name}: {why}")))?);
        }
    }
    Ok(list)
}

/// Checks the flags of a stack, and reports those with which it cannot be started.
pub(super) fn check_stack(args: &ServeArgs) -> Result<(), CliError> {
    stack_options(args, geometry(args.geometry)?).map(drop)
}

/// Runs the init, which starts the stack and the daemon. The daemon is this program, too.
pub(super) fn become_init(args: &ServeArgs, geometry: Size) -> Result<Exit, CliError> {
    let plan = StackPlan::new(stack_options(args, geometry)?);
    let plan = plan.and_then(|plan| init::check_plan(&plan).map(|()| plan));
    let plan = plan.map_err(|error| {
        let exit = match error {
            init::PlanError::Background(_) => Exit::Usage,
            _ => Exit::Local,
        };
        CliError::new(exit, error.to_string())
    })?;
    match init::run(plan, args.by_up) {
        Ok(0) => Ok(Exit::Done),
        // The daemon has reported the reason itself.
        Ok(code) => Ok(Exit::of_daemon(code)),
        Err(error @ init::InitError::Locked(..)) => {
            Err(CliError::new(Exit::Locked, error.to_string()))
        }
        Err(error) => Err(CliError::new(Exit::Local, error.to_string())),
    }
}

/// Returns the flag or its variable, else the older `DESKTOP_W` and `DESKTOP_H`.
pub(super) fn geometry(given: Option<Size>) -> Result<Size, CliError> {
    let (width, height) = (call::variable("DESKTOP_W"), call::variable("DESKTOP_H"));
    match (given, width, height) {
        (Some(size), _, _) => Ok(size),
        (None, Some(_), None) | (None, None, Some(_)) => Err(CliError::new(
            Exit::Usage,
            "DESKTOP_W and DESKTOP_H belong together: set both, or neither",
        )),
        (None, Some(width), Some(height)) => config::parse_size(&format!("{width}x{height}"))
            .map_err(|error| {
                CliError::new(Exit::Usage, format!("DESKTOP_W and DESKTOP_H: {error}"))
            }),
        _ => Ok(DEFAULT_GEOMETRY),
    }
}
