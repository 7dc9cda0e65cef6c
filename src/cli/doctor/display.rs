//! The doctor's checks of the display itself, without a daemon.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::Path,
    time::Duration,
};

use super::check::{Check, fail, pass, warn};
use crate::{
    frame::CaptureMode,
    x11::{
        CaptureChoice, DisplayName, SocketKind,
        inspect::{self, Findings},
    },
};

/// Time after which an X server that does not answer counts as dead.
const PATIENCE: Duration = Duration::from_secs(3);

/// Minimum size of /dev/shm. A browser's renderers share memory there, and crash if it is much
/// smaller; Docker's default is 64 MiB.
const ENOUGH_SHM_BYTES: u64 = 256 << 20;

/// Checks the X server, its extensions, the capture, the keymap and the window manager.
pub(super) fn look_at_display(display: DisplayName) -> Vec<Check> {
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

pub(super) fn shared_memory(path: &Path) -> Check {
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

/// Checks whether the X server listens on TCP: every program of the network namespace could reach
/// it.
pub(super) fn x_port(display: DisplayName) -> Check {
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
