//! `deskd run`, `deskd open`, `deskd programs` and `deskd session-helper`.

use std::{path::PathBuf, sync::Arc, time::Duration};

use super::{
    call,
    exit::{CliError, Exit},
    json,
    print::{self, complain, say},
    program_args::{LaunchArgs, OpenArgs, ProgramsArgs, RunArgs, SessionHelperArgs, SignalArg},
};
use crate::{
    helper::{self, HelperExit, Lifetime},
    rpc::{client, v1},
    x11::wait_for_end,
};

/// The socket of the session helper that the session itself starts; `None` if the runtime folder is
/// another user's, who would receive arguments and variables.
pub(super) fn default_socket() -> Option<PathBuf> {
    let folder = call::runtime_folder("deskd-session.sock")?;
    folder
        .is_absolute()
        .then(|| folder.join("deskd-session.sock"))
}

/// Starts a program.
pub(super) async fn run(args: RunArgs) -> Result<Exit, CliError> {
    use v1::launch_request::Program;
    let mut words = args.words;
    let program = match args.entry {
        true => Program::DesktopEntry(v1::DesktopEntry {
            entry: words.remove(0),
            uris: words,
        }),
        false => Program::Arguments(v1::Arguments { words }),
    };
    let request = v1::LaunchRequest {
        program: Some(program),
        folder: args.folder.unwrap_or_default(),
        environment: args.env.into_iter().collect(),
        ..v1::LaunchRequest::default()
    };
    launch(args.launch, request).await
}

/// Opens a URI.
pub(super) async fn open(args: OpenArgs) -> Result<Exit, CliError> {
    let request = v1::LaunchRequest {
        program: Some(v1::launch_request::Program::Uri(args.uri)),
        ..v1::LaunchRequest::default()
    };
    launch(args.launch, request).await
}

async fn launch(mut args: LaunchArgs, request: v1::LaunchRequest) -> Result<Exit, CliError> {
    use v1::LaunchOutcome;
    let mut request = v1::LaunchRequest {
        operation_id: format!("{:016x}", getrandom::u64().unwrap_or_default()),
        ..request
    };
    if args.wait_window {
        // The call's deadline exceeds `--timeout`, so that the daemon's answer arrives before it.
        args.client.deadline = args.timeout + args.timeout / 10 + Duration::from_secs(5);
        request.wait_window = prost_types::Duration::try_from(args.timeout).ok();
    }
    let mut daemon = client::programs(args.client.connection().await?);
    let reply = daemon.launch(args.client.request(request)).await?;
    let reply = reply.into_inner();
    let outcome = reply.outcome();
    if args.client.json {
        say!("{}", json::value("LaunchResponse", &reply)?);
    } else if let Some(program) = &reply.program {
        let window = reply.window.as_ref().map(|window| &*window.id);
        say!("{} {} {}", program.id, program.pid, window.unwrap_or("-"));
    }
    if outcome == LaunchOutcome::Ended && !reply.output.is_empty() && !args.client.json {
        complain(format_args!("{}", reply.output.trim_end().escape_debug()));
    }
    match outcome {
        LaunchOutcome::Started | LaunchOutcome::WindowPainted => Ok(Exit::Done),
        _ => Err(CliError::new(Exit::NotMet, reply.message)),
    }
}

/// Lists the programs, prints the output of one, or sends it a signal.
pub(super) async fn programs(mut args: ProgramsArgs) -> Result<Exit, CliError> {
    let mut daemon = client::programs(args.client.connection().await?);
    let request = &mut args.client;
    if let Some(id) = args.output {
        let call = request.request(v1::ReadOutputRequest { id });
        let reply = daemon.read_output(call).await?.into_inner();
        match request.json {
            true => say!("{}", json::value("ReadOutputResponse", &reply)?),
            false => print::all(reply.output.as_bytes())?,
        }
        return Ok(Exit::Done);
    }
    if let (Some(signal), Some(id)) = (args.signal, args.id) {
        let signal = match signal {
            SignalArg::Term => v1::ProgramSignal::Terminate,
            SignalArg::Kill => v1::ProgramSignal::Kill,
            SignalArg::Int => v1::ProgramSignal::Interrupt,
            SignalArg::Hup => v1::ProgramSignal::HangUp,
        };
        let call = request.request(v1::SignalProgramRequest {
            id,
            signal: signal.into(),
            timeout: None,
        });
        let reply = daemon.signal_program(call).await?.into_inner();
        if request.json {
            say!("{}", json::value("SignalProgramResponse", &reply)?);
        }
        return match reply.ended {
            true => Ok(Exit::Done),
            false => Err(CliError::new(Exit::NotMet, "the program still runs")),
        };
    }
    let call = request.request(v1::ListProgramsRequest {});
    let reply = daemon.list_programs(call).await?.into_inner();
    if request.json {
        say!("{}", json::value("ListProgramsResponse", &reply)?);
        return Ok(Exit::Done);
    }
    for program in &reply.programs {
        use v1::program_end::How;
        let id = Some(program.id.as_str()).filter(|id| !id.is_empty());
        let state = match program.end.and_then(|end| end.how) {
            None => "runs".to_owned(),
            Some(How::ExitCode(code)) => format!("exit {code}"),
            Some(How::Signal(signal)) => format!("signal {signal}"),
        };
        let windows: Vec<&str> = program.windows.iter().map(|w| w.id.as_str()).collect();
        say!(
            "{:<17} {:>7} {state:<9} {} {}",
            id.unwrap_or("-"),
            program.pid,
            program.name.escape_debug(),
            windows.join(",")
        );
    }
    Ok(Exit::Done)
}

/// Serves the daemon in the session of the desktop's user.
pub(super) fn session_helper(args: SessionHelperArgs) -> Result<Exit, CliError> {
    // The init starts this program by /proc/self/exe, whose name tools would show.
    nix::sys::prctl::set_name(c"deskd")
        .map_err(|error| CliError::new(Exit::Local, error.to_string()))?;
    // In a desktop of `--stack`, the init has started one, and this comes from an autostart entry.
    let is_managed = std::env::var_os("DESKD_STACK").is_some();
    if is_managed && !args.inherited && args.socket.is_none() {
        return Ok(Exit::Done);
    }
    let socket = match (args.inherited, args.socket.or_else(default_socket)) {
        (true, _) => None,
        (false, Some(socket)) => Some(socket),
        (false, None) => {
            let why = "no socket: set XDG_RUNTIME_DIR to a folder of this user, or give --socket";
            return Err(CliError::new(Exit::Usage, why));
        }
    };
    let lifetime = match (args.session.is_empty(), args.inherited) {
        (false, _) => Lifetime::Session(&args.session),
        (true, true) => Lifetime::Endless,
        (true, false) => {
            let display = call::display(args.display)?;
            Lifetime::Display(Arc::new(move || {
                wait_for_end(display).map_err(|error| error.failure().message)
            }))
        }
    };
    let ended = helper::run(socket.as_deref(), &lifetime);
    match ended {
        HelperExit::DisplayEnded => Ok(Exit::Done),
        HelperExit::SessionEnded(status) if status.success() => Ok(Exit::Done),
        error @ (HelperExit::SessionEnded(_) | HelperExit::NoSession(_)) => {
            Err(CliError::new(Exit::Local, error.to_string()))
        }
        HelperExit::NoDisplay(why) => Err(CliError::new(Exit::NoDisplay, why)),
        error @ HelperExit::InUse(_) => Err(CliError::new(Exit::InUse, error.to_string())),
        error @ (HelperExit::Socket(_) | HelperExit::System(_)) => {
            Err(CliError::new(Exit::CannotListen, error.to_string()))
        }
    }
}
