//! `deskd doctor`: looks at the display, the machine and the daemon, and reports
//! what is wrong and what to do. It needs no running daemon.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpStream},
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        process::CommandExt,
    },
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use serde_json::json;

use super::{
    args::{Client, Doctor},
    call,
    exit::{Error, Exit},
    print::say,
};
use crate::{
    config::Address,
    frame::CaptureMode,
    rpc::v1,
    x11::{
        CaptureChoice, DisplayName, SocketKind, cookie_file,
        inspect::{self, Findings},
    },
};

/// How long the X server may be silent before the doctor calls it dead.
const PATIENCE: Duration = Duration::from_secs(3);

/// A browser's renderers share memory in /dev/shm and crash below about this;
/// Docker's default is 64 MiB.
const ENOUGH_SHM_BYTES: u64 = 256 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Pass,
    Warn,
    Fail,
}

impl Verdict {
    fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// One thing looked at: what was found, and what to do about it.
#[derive(Debug)]
struct Check {
    name: &'static str,
    verdict: Verdict,
    found: String,
    remedy: String,
}

fn pass(name: &'static str, found: impl Into<String>) -> Check {
    Check {
        name,
        verdict: Verdict::Pass,
        found: found.into(),
        remedy: String::new(),
    }
}

fn warn(name: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Check {
    Check {
        name,
        verdict: Verdict::Warn,
        found: found.into(),
        remedy: remedy.into(),
    }
}

fn fail(name: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Check {
    Check {
        name,
        verdict: Verdict::Fail,
        found: found.into(),
        remedy: remedy.into(),
    }
}

/// Looks at everything and prints it. Exits with 1 when a check fails.
pub(super) async fn run(args: Doctor) -> Result<Exit, Error> {
    let (daemon, info) = look_at_daemon(&args.client).await;
    if let Some(info) = &info
        && matches!(args.client.address(), Address::Unix(_))
        && args
            .display
            .is_none_or(|named| named.to_string() == info.display)
    {
        look_as_the_daemon(args.display, info)?;
    }
    let display = call::display(args.display)?;
    let mut checks = look_at_display(display);
    checks.push(shared_memory(Path::new("/dev/shm")));
    checks.push(x_port(display));
    checks.extend(args.client.token_file.as_deref().map(token_file));
    checks.push(daemon);
    if info.is_some() {
        checks.push(paint(&args.client).await);
    }
    checks.push(port(&args.client));
    checks.push(isolation(info.as_ref()));
    checks.extend(info.as_ref().map(privileges));

    if args.client.json {
        let list: Vec<_> = checks
            .iter()
            .map(|check| {
                json!({
                    "check": check.name, "verdict": check.verdict.name(),
                    "found": check.found, "remedy": check.remedy,
                })
            })
            .collect();
        say!("{}", json!({ "checks": list }));
    } else {
        for check in &checks {
            say!(
                "{:<4}  {:<14} {}",
                check.verdict.name(),
                check.name,
                check.found
            );
            if !check.remedy.is_empty() {
                say!("{:<21}→ {}", "", check.remedy);
            }
        }
    }
    let failed = checks.iter().any(|check| check.verdict == Verdict::Fail);
    Ok(if failed { Exit::Local } else { Exit::Done })
}

/// Becomes this command once more, on the display of the daemon that answers and with its
/// cookie where that may be read; returns when it is so already.
fn look_as_the_daemon(named: Option<DisplayName>, info: &v1::GetInfoResponse) -> Result<(), Error> {
    let own_display = call::display(named).is_ok_and(|own| own.to_string() == info.display);
    let theirs = Path::new(&info.xauthority);
    let new_cookie = info.xauthority != cookie_file() && std::fs::File::open(theirs).is_ok();
    if own_display && !new_cookie {
        return Ok(());
    }
    let mut again = Command::new("/proc/self/exe");
    again
        .args(std::env::args_os().skip(1))
        .env("DESKD_DISPLAY", &info.display);
    if new_cookie {
        again.env("XAUTHORITY", theirs);
    }
    let error = again.exec();
    Err(Error::new(
        Exit::Local,
        format!("deskd cannot be started once more: {error}"),
    ))
}

fn look_at_display(display: DisplayName) -> Vec<Check> {
    match inspect::inspect(display, CaptureChoice::default(), PATIENCE) {
        Ok(found) => of_findings(display, &found),
        Err(error) => {
            let failure = error.failure();
            let remedy = format!("check {}", failure.cause.remedy());
            let mut checks = vec![fail("display", failure.message, remedy)];
            let rest = [
                "socket",
                "extensions",
                "capture",
                "keymap",
                "window manager",
            ];
            let unseen = |name| {
                warn(
                    name,
                    "not seen: the display cannot be reached",
                    "mend the display first",
                )
            };
            checks.extend(rest.map(unseen));
            checks
        }
    }
}

fn of_findings(display: DisplayName, found: &Findings) -> Vec<Check> {
    let screen = &found.screen;
    let mut checks = vec![
        pass(
            "display",
            format!(
                "{display}: {}, depth {}, {} dpi",
                screen.size, screen.depth, screen.dpi
            ),
        ),
        match screen.socket {
            SocketKind::Path => pass("socket", display.socket_path().display().to_string()),
            SocketKind::Abstract => pass(
                "socket",
                format!(
                    "abstract @{} (the X server has no socket file)",
                    display.socket_path().display()
                ),
            ),
        },
    ];
    checks.push(if found.missing_extensions.is_empty() {
        pass(
            "extensions",
            "MIT-SHM, XFIXES, DAMAGE, XTEST, RANDR, XKEYBOARD",
        )
    } else {
        let missing = found
            .missing_extensions
            .iter()
            .map(|(name, purpose)| format!("{name} ({purpose})"));
        let missing = missing.collect::<Vec<_>>().join(", ");
        warn(
            "extensions",
            format!("missing: {missing}"),
            "start the X server without -extension for these",
        )
    });
    let reason = screen.capture_mode_reason.as_deref().unwrap_or_default();
    checks.push(match screen.capture_mode {
        CaptureMode::ShmFd => pass("capture", "MIT-SHM on a memfd"),
        CaptureMode::ShmSysv => warn(
            "capture",
            format!("MIT-SHM on a System V segment: {reason}"),
            "works; an X server with MIT-SHM 1.2 would be simpler to share memory with",
        ),
        CaptureMode::GetImage => warn(
            "capture",
            format!("over the socket, about ten times slower: {reason}"),
            "let deskd and the X server share memory: MIT-SHM enabled, same machine",
        ),
    });
    checks.push(if found.untypable.is_empty() {
        pass("keymap", "every printable ASCII character has a key")
    } else {
        let missing: String = found.untypable.iter().collect();
        warn(
            "keymap",
            format!("no key produces {missing}"),
            "run `setxkbmap us` on the display",
        )
    });
    checks.push(match &found.window_manager {
        Some(name) => pass("window manager", name.clone()),
        None => warn(
            "window manager",
            "none announces itself (EWMH)",
            "start the desktop session, unless this is a kiosk",
        ),
    });
    checks
}

fn shared_memory(path: &Path) -> Check {
    let remedy = "start the container with --shm-size=1g, or mount a tmpfs there: browsers need it";
    match nix::sys::statvfs::statvfs(path) {
        Ok(stat) => {
            let total = stat.blocks() * stat.fragment_size();
            let free = stat.blocks_available() * stat.fragment_size();
            let found = format!(
                "{}: {} MiB, {} MiB free",
                path.display(),
                total >> 20,
                free >> 20
            );
            if total < ENOUGH_SHM_BYTES {
                warn("shared memory", found, remedy)
            } else {
                pass("shared memory", found)
            }
        }
        Err(error) => warn(
            "shared memory",
            format!("{}: {error}", path.display()),
            remedy,
        ),
    }
}

/// An X server on TCP can be reached by every program of the network namespace.
fn x_port(display: DisplayName) -> Check {
    let port = 6000_u16.saturating_add(display.number);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    match TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
        Ok(_) => warn(
            "X over TCP",
            format!("something listens on port {port}, the X server's"),
            "start the X server with -nolisten tcp",
        ),
        Err(_) => pass("X over TCP", format!("nothing listens on port {port}")),
    }
}

fn token_file(path: &Path) -> Check {
    if let Err(error) = crate::rpc::Token::read(path) {
        return fail(
            "token file",
            error.to_string(),
            "write a token to it, for example from `openssl rand -hex 32`",
        );
    }
    match std::fs::metadata(path) {
        Ok(meta) => {
            let mode = meta.permissions().mode() & 0o777;
            let found = format!(
                "{}: mode {mode:04o}, user id {}",
                path.display(),
                meta.uid()
            );
            if mode & 0o077 == 0 {
                pass("token file", found)
            } else {
                fail(
                    "token file",
                    format!("{found}: others can read the token"),
                    "chmod 0600 it, owned by deskd's user",
                )
            }
        }
        Err(error) => fail(
            "token file",
            format!("{}: {error}", path.display()),
            "check the path",
        ),
    }
}

/// Maximum time that the doctor waits for a daemon's connection to its display: one that has
/// just started makes it.
const CONNECTING: Duration = Duration::from_secs(2);

async fn look_at_daemon(client: &Client) -> (Check, Option<v1::GetInfoResponse>) {
    let asked = async {
        let mut daemon = crate::client::desktop(client.connection_now().await?);
        let until = Instant::now() + CONNECTING;
        loop {
            let info = daemon
                .get_info(client.request(v1::GetInfoRequest {}))
                .await?
                .into_inner();
            if info.connected || Instant::now() >= until {
                return Ok::<_, Error>(info);
            }
            tokio::time::sleep(CONNECTING / 40).await;
        }
    };
    match asked.await {
        Ok(info) => {
            let found = format!(
                "deskd {} at {} on display {}",
                info.version,
                client.address(),
                info.display
            );
            match &info.failure {
                None => (pass("daemon", found), Some(info)),
                Some(failure) => {
                    let found = format!("{found}, not connected: {}", failure.message);
                    (
                        fail(
                            "daemon",
                            found,
                            "see the checks of the display, and the daemon's log",
                        ),
                        Some(info),
                    )
                }
            }
        }
        Err(error) if error.exit == Exit::NoDaemon => {
            let remedy = "start it with `deskd serve`, or give --server";
            (warn("daemon", error.message, remedy), None)
        }
        Err(error) => (
            fail(
                "daemon",
                error.message,
                "check the token, the user id and the address",
            ),
            None,
        ),
    }
}

/// Maximum time that the doctor waits for the paint; a desktop at rest needs less.
const PAINT: Duration = Duration::from_secs(3);

/// Whether the desktop is painted, as the daemon sees it.
async fn paint(client: &Client) -> Check {
    let wait = async {
        let mut daemon = crate::client::desktop(client.connection_now().await?);
        let request = v1::WaitReadyRequest {
            timeout: prost_types::Duration::try_from(PAINT).ok(),
            ..v1::WaitReadyRequest::default()
        };
        let reply = daemon.wait_ready(client.request(request)).await?;
        Ok::<_, Error>(reply.into_inner().evidence.unwrap_or_default())
    };
    match wait.await {
        Ok(evidence) if evidence.verdict() == v1::PaintVerdict::Ready => {
            pass("paint", "the desktop is painted and at rest")
        }
        Ok(evidence) => {
            let verdict = evidence
                .verdict()
                .as_str_name()
                .trim_start_matches("PAINT_VERDICT_");
            let missing = evidence.missing.join("; ");
            warn(
                "paint",
                format!("{verdict}: {missing}"),
                "start the desktop session, or wait for it: `deskd ready`",
            )
        }
        Err(error) => warn("paint", error.message, "see the daemon's log"),
    }
}

/// Checks which other programs can reach the daemon's address.
fn port(client: &Client) -> Check {
    match client.address() {
        Address::Unix(path) => match std::fs::symlink_metadata(&path) {
            Ok(meta) => {
                let mode = meta.permissions().mode() & 0o777;
                pass(
                    "port",
                    format!(
                        "{}: mode {mode:04o}, user id {}, no TCP",
                        path.display(),
                        meta.uid()
                    ),
                )
            }
            Err(error) => warn(
                "port",
                format!("{}: {error}", path.display()),
                "start `deskd serve`, or give --server",
            ),
        },
        address @ Address::Tcp { .. } if client.token_file.is_none() => warn(
            "port",
            format!("{address} without a token: every program of this machine can use it"),
            "give daemon and client --token-file",
        ),
        address @ Address::Tcp { .. } if client.tls_ca.is_none() => warn(
            "port",
            format!("{address} without TLS: token and frames can be read on the way"),
            "give the daemon --tls-cert and --tls-key, or reach it through a tunnel",
        ),
        address @ Address::Tcp { .. } => pass("port", format!("{address} with token and TLS")),
    }
}

fn privileges(info: &v1::GetInfoResponse) -> Check {
    if info.no_new_privs {
        return pass("privileges", "the daemon can gain none (no_new_privs)");
    }
    warn(
        "privileges",
        "the daemon could gain some: the kernel did not set no_new_privs",
        "run it on a kernel that has prctl(PR_SET_NO_NEW_PRIVS)",
    )
}

fn isolation(info: Option<&v1::GetInfoResponse>) -> Check {
    let remedy = "run deskd as a user of its own, so that the desktop's programs cannot reach its memory and token";
    match info.map(v1::GetInfoResponse::isolation) {
        Some(v1::Isolation::User) => {
            pass("isolation", "the desktop runs as another user than deskd")
        }
        Some(v1::Isolation::None) => warn(
            "isolation",
            "none: the desktop can run as deskd's user",
            remedy,
        ),
        Some(v1::Isolation::Unspecified) => warn(
            "isolation",
            "not known: the daemon has no display",
            "mend the display first",
        ),
        None => warn(
            "isolation",
            "not known: no daemon answers",
            "start `deskd serve`",
        ),
    }
}
