//! `deskd up`, `down` and `status`: start, end and report the stack, with the exit codes and output
//! lines that scripts for older systems match.

use std::{
    ffi::OsString,
    fs,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use super::{
    args::{Cli, DownArgs, StatusArgs, UpArgs},
    client_args::ClientArgs,
    exit::{CliError, Exit},
    json,
    print::{self, say},
    ready, serve_stack,
};
use crate::{
    client,
    config::{Address, DEFAULT_GEOMETRY},
    files,
    rpc::v1,
};

/// Maximum time until a started daemon answers.
const START: Duration = Duration::from_secs(50);
/// Maximum time until the daemon of a concurrent `up` answers after ours has ended.
const FASTER: Duration = Duration::from_secs(3);
/// Maximum time that `up` waits for another init of the display to end, for example after `down`.
const ENDING: Duration = Duration::from_secs(6);
/// Pause before the daemon is started again.
const ONCE_MORE: Duration = Duration::from_millis(300);
/// Maximum time until a daemon that `up` started has ended.
const END: Duration = Duration::from_secs(10);

/// `deskd up`: brings the desktop up.
pub(super) async fn up(mut args: UpArgs) -> Result<Exit, CliError> {
    // The daemon answers 100 ms or 5 % before the deadline, whichever is more.
    let wait = args.timeout;
    args.client.deadline = (wait + Duration::from_millis(100)).max(wait * 20 / 19);
    let connection = match args.client.connection_now().await {
        Ok(connection) => connection,
        Err(error) if error.exit == Exit::NoDaemon => {
            let daemon = start_daemon(&args)?;
            await_daemon(&args, daemon, error).await?
        }
        Err(error) => return Err(error),
    };
    let mut stack = client::stack(connection.clone());
    let request = v1::UpRequest {
        geometry: args.geometry.map(|size| v1::Size {
            width: size.width,
            height: size.height,
        }),
        no_wait: args.no_wait,
    };
    let reply = stack.up(args.client.request(request)).await?.into_inner();
    if args.client.json {
        say!("{}", json::value("UpResponse", &reply)?);
    } else {
        lines(&reply, connection).await?;
    }
    let failed = reply.stages.iter();
    let failed = failed.filter(|stage| stage.status() == v1::StageStatus::Failed);
    let is_said = !args.client.json && (reply.paint.is_some() || failed.count() > 0);
    if reply.result() != v1::UpResult::Up && !is_said {
        let what = reply.result().as_str_name();
        let what = what.trim_start_matches("UP_RESULT_");
        print::complain(format_args!(
            "the desktop is not up ({what}): `deskd status` tells how far it is; `deskd up` waits for it again"
        ));
    }
    Ok(match reply.result() {
        v1::UpResult::Up => Exit::Done,
        v1::UpResult::NoXServer => Exit::NoDisplay,
        v1::UpResult::VncFailed => Exit::Vnc,
        v1::UpResult::ViewerFailed => Exit::Viewer,
        v1::UpResult::Locked => Exit::Locked,
        v1::UpResult::TimedOut => Exit::OutOfTime,
        v1::UpResult::NotPainted | v1::UpResult::Unspecified => Exit::NotPainted,
    })
}

/// Prints a line for each stage, and the last line that callers wait for.
async fn lines(reply: &v1::UpResponse, connection: client::Connection) -> Result<(), CliError> {
    let word = |name: &'static str, prefix| name.trim_start_matches(prefix).to_ascii_lowercase();
    let classification = word(reply.classification().as_str_name(), "CLASSIFICATION_");
    let classification = classification.replace("unspecified", "unknown");
    for stage in &reply.stages {
        let elapsed = stage.elapsed.as_ref();
        let elapsed = elapsed.map_or(0, |e| e.seconds * 1000 + i64::from(e.nanos) / 1_000_000);
        say!(
            "OPENGENI_DESKTOP_STAGE stage={} status={} elapsed_ms={elapsed} classification={classification}",
            word(stage.component().as_str_name(), "COMPONENT_"),
            word(stage.status().as_str_name(), "STAGE_STATUS_"),
        );
    }
    if reply.result() != v1::UpResult::Up {
        let failed = reply.stages.iter().rev();
        let failed = failed.filter(|stage| stage.status() == v1::StageStatus::Failed);
        if let Some(last) = failed.map(|stage| &stage.message).next() {
            print::complain(format_args!("{}", last.replace('\n', " ")));
        }
    }
    let mut desktop = client::desktop(connection);
    let info = desktop.get_info(v1::GetInfoRequest {}).await?.into_inner();
    let geometry = info.geometry.unwrap_or_default();
    let size = geometry.size.unwrap_or(v1::Size {
        width: DEFAULT_GEOMETRY.width,
        height: DEFAULT_GEOMETRY.height,
    });
    let dpi = geometry.dpi.max(1);
    let geometry = format!("{}x{}", size.width, size.height);
    if reply.result() == v1::UpResult::Up {
        let port = reply.viewer_port;
        let port = port.map_or_else(String::new, |port| format!("port={port} "));
        say!("OPENGENI_DESKTOP_UP {port}geometry={geometry} dpi={dpi}");
        return Ok(());
    }
    let Some(evidence) = &reply.paint else {
        return Ok(());
    };
    let verdict = word(evidence.verdict().as_str_name(), "PAINT_VERDICT_").to_ascii_uppercase();
    let bytes = evidence.probes.last().map_or(0, |probe| probe.bytes);
    if reply.result() == v1::UpResult::NotPainted {
        say!(
            "OPENGENI_DESKTOP_NOT_PAINTING geometry={geometry} verdict={verdict} bytes={bytes} floor={}",
            evidence.floor_bytes
        );
    }
    for line in ready::describe(evidence) {
        print::complain(format_args!("{line}"));
    }
    Ok(())
}

/// Starts `deskd serve` with a stack in a process group of its own.
fn start_daemon(args: &UpArgs) -> Result<Child, CliError> {
    let client = &args.client;
    if std::env::var_os("DESKD_STACK_KIND").is_some_and(|kind| kind == "none") {
        let message = "no daemon answers, and with DESKD_STACK_KIND=none another program starts the display: run `deskd serve` beside it";
        return Err(CliError::new(Exit::NoDaemon, message));
    }
    let listen = format!("--listen={}", client.address());
    let mut arguments: Vec<OsString> = ["serve", "--by-up", &listen].map(Into::into).into();
    // Otherwise the daemon takes the kind and the session from these variables.
    let has_kind = ["DESKD_STACK_KIND", "DESKD_SESSION"]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
    if !has_kind {
        arguments.extend(["--stack".into(), "xfce".into()]);
    }
    if let Some(size) = args.geometry {
        arguments.extend(["--geometry".into(), size.to_string().into()]);
    }
    // Arguments that the daemon would refuse are reported here, not only in its log.
    let serve = Cli::serve(&arguments).map_err(|error| {
        let said = error.to_string();
        let first = said.lines().next().unwrap_or_default();
        let first = first.trim_start_matches("error: ");
        CliError::new(
            Exit::Usage,
            format!("the daemon cannot be started: {first}"),
        )
    })?;
    serve_stack::check_stack(&serve)?;
    let local = |what: String| CliError::new(Exit::Local, what);
    let Address::Unix(socket) = client.address() else {
        let message = "no daemon answers there, and one is started on a Unix socket only: give --server unix:/path";
        return Err(CliError::new(Exit::NoDaemon, message));
    };
    let folder = socket
        .parent()
        .map_or_else(|| PathBuf::from("/"), Path::to_owned);
    fs::create_dir_all(&folder)
        .map_err(|error| local(format!("{} cannot be made: {error}", folder.display())))?;
    let log = socket.with_extension("log");
    let output = files::open_no_link(&log, fs::File::options().create(true).append(true));
    let output =
        output.map_err(|error| local(format!("{} cannot be written: {error}", log.display())))?;
    let own = std::env::current_exe().map_err(|error| local(format!("deskd itself: {error}")))?;
    let mut daemon = Command::new(own);
    daemon
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(output)
        .process_group(0);
    daemon
        .spawn()
        .map_err(|error| local(format!("the daemon cannot be started: {error}")))
}

/// Waits until a daemon answers: the one that was started, or that of a concurrent `up`. A daemon
/// that found the display locked is started again, because the init that holds the lock may be
/// ending.
async fn await_daemon(
    args: &UpArgs,
    mut daemon: Child,
    first: CliError,
) -> Result<client::Connection, CliError> {
    let client = &args.client;
    let began = Instant::now();
    let mut last = first;
    let mut ended = None;
    while began.elapsed() < START.min(client.deadline) {
        tokio::time::sleep(Duration::from_millis(50)).await;
        match client.connection_now().await {
            Ok(connection) => return Ok(connection),
            Err(error) => last = error,
        }
        if let (None, Ok(Some(status))) = (&ended, daemon.try_wait()) {
            ended = Some((Instant::now(), status));
        }
        let Some((at, status)) = ended else {
            continue;
        };
        if is_locked(status.code()) && began.elapsed() < ENDING {
            if at.elapsed() > ONCE_MORE {
                daemon = start_daemon(args)?;
                ended = None;
            }
        } else if at.elapsed() > FASTER {
            break;
        }
    }
    let log = match client.address() {
        Address::Unix(socket) => socket.with_extension("log").display().to_string(),
        Address::Tcp { .. } => String::new(),
    };
    let code = ended.and_then(|(_, status)| status.code());
    if is_locked(code) {
        let message = format!(
            "another deskd manages the display, at another address: give its --server, or another DESKD_DISPLAY; see {log}"
        );
        return Err(CliError::new(Exit::Locked, message));
    }
    let how = code.map_or_else(String::new, |code| format!(", it ended with {code}"));
    let message = format!(
        "{}: the daemon that was started does not answer{how}; see {log}",
        last.message
    );
    Err(CliError::new(Exit::Local, message))
}

/// Whether a daemon ended because another init has its display.
fn is_locked(code: Option<i32>) -> bool {
    code == Some(i32::from(Exit::Locked as u8))
}

/// `deskd down`: takes the desktop down.
pub(super) async fn down(mut args: DownArgs) -> Result<Exit, CliError> {
    args.client.deadline = args.client.deadline.max(Duration::from_secs(30));
    let mut stack = client::stack(args.client.connection_now().await?);
    let reply = stack
        .down(args.client.request(v1::DownRequest {}))
        .await?
        .into_inner();
    if reply.daemon_ends {
        await_end(&args.client).await;
    }
    if args.client.json {
        say!("{}", json::value("DownResponse", &reply)?);
        return Ok(Exit::Done);
    }
    let names: Vec<String> = reply.ended().map(name).collect();
    say!(
        "{}",
        if names.is_empty() {
            "nothing was up".to_owned()
        } else {
            format!("ended: {}", names.join(" "))
        }
    );
    Ok(Exit::Done)
}

/// Waits until the daemon has ended, so that the next `up` starts a new one.
async fn await_end(client: &ClientArgs) {
    let began = Instant::now();
    while began.elapsed() < END {
        match client.connection_now().await {
            Err(error) if error.exit == Exit::NoDaemon => return,
            _ => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

fn name(component: v1::Component) -> String {
    let name = component.as_str_name().trim_start_matches("COMPONENT_");
    name.to_ascii_lowercase().replace('_', "-")
}

/// `deskd status`: prints the state of the components; with `--events`, their events.
pub(super) async fn status(mut args: StatusArgs) -> Result<Exit, CliError> {
    if args.events {
        let stack = client::stack(args.client.connection().await?);
        return events(stack, &args.client).await;
    }
    // It does not wait for a daemon, because "no daemon runs" is an answer, too.
    let mut stack = client::stack(args.client.connection_now().await?);
    let reply = stack
        .status(args.client.request(v1::StatusRequest {}))
        .await?
        .into_inner();
    if args.client.json {
        say!("{}", json::value("StatusResponse", &reply)?);
        return Ok(Exit::Done);
    }
    if !reply.managed {
        say!("not managed: deskd runs with --stack none");
        return Ok(Exit::Done);
    }
    for component in reply
        .components
        .iter()
        .filter(|component| component.enabled)
    {
        let state = if component.up { "up" } else { "down" };
        let reason = component
            .reason()
            .as_str_name()
            .trim_start_matches("REASON_");
        let reason = if reason == "UNSPECIFIED" { "" } else { reason };
        say!(
            "{:<12} {state:<5} pid {:<8} restarts {:<3} {:<12} {reason}",
            name(component.component()),
            if component.pid == 0 {
                "-".to_owned()
            } else {
                component.pid.to_string()
            },
            component.restarts,
            if component.no_new_privs {
                "no-new-privs"
            } else {
                ""
            }
        );
        if !component.up {
            for line in component.last_stderr.lines() {
                say!("    {line}");
            }
        }
    }
    Ok(Exit::Done)
}

async fn events(
    mut stack: client::StackClient<client::Connection>,
    client: &ClientArgs,
) -> Result<Exit, CliError> {
    // The stream has no deadline; it lasts until it is interrupted.
    let request = tonic::Request::new(v1::EventsRequest::default());
    let mut stream = stack.events(request).await?.into_inner();
    let ended = |status: tonic::Status| match status.code() {
        tonic::Code::Unknown | tonic::Code::Unavailable => CliError::new(
            Exit::NoDaemon,
            "the daemon ended; it may be back already: run this again",
        ),
        _ => status.into(),
    };
    while let Some(reply) = stream.message().await.map_err(ended)? {
        let Some(event) = &reply.event else {
            continue;
        };
        if client.json {
            say!("{}", json::value("StageEvent", event)?);
            continue;
        }
        let time = event
            .time
            .and_then(|time| std::time::SystemTime::try_from(time).ok());
        let time = time.map(|time| humantime::format_rfc3339_millis(time).to_string());
        let status = event
            .status()
            .as_str_name()
            .trim_start_matches("STAGE_STATUS_");
        say!(
            "{:>3} {} {:<11} {:<10} {}",
            event.sequence,
            time.unwrap_or_default(),
            name(event.component()),
            status.to_ascii_lowercase(),
            event.message.replace('\n', " ")
        );
    }
    Ok(Exit::Done)
}
