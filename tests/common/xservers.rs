//! X servers besides Xvfb, on which deskd must work as well.

use std::{fs, path::Path, process::Stdio, time::Duration};

use tempfile::TempDir;

use super::{
    XServer,
    program::{self, Running, command},
    wait_for,
};

/// A kind of X server, at 1280 × 800.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// TigerVNC's.
    Xvnc,
    /// In a window of another X server.
    Xephyr,
    /// Xorg without a graphics card.
    XorgDummy,
    /// In a Wayland compositor without a screen.
    Xwayland,
    /// Xvfb without one of its extensions.
    Without(&'static str),
}

/// Extensions of Xvfb 21.1 without which it works. It does not start without "Generic Event
/// Extension", and without XFIXES it aborts when the pointer moves or scrot reads its image.
pub const EXTENSIONS: [&str; 14] = [
    "BIG-REQUESTS",
    "COMPOSITE",
    "DAMAGE",
    "GLX",
    "MIT-SHM",
    "RANDR",
    "RENDER",
    "SHAPE",
    "SYNC",
    "X-Resource",
    "XC-MISC",
    "XInputExtension",
    "XKEYBOARD",
    "XTEST",
];

/// The server, and what it stands on, which ends after it.
#[derive(Debug)]
pub struct Standing {
    /// The server.
    pub server: XServer,
    _below: Vec<Running>,
    _host: Option<XServer>,
    _folder: TempDir,
}

/// Starts one.
pub fn start(kind: Kind) -> Standing {
    let folder = tempfile::tempdir().unwrap();
    let (mut below, mut host) = (Vec::new(), None);
    let server = match kind {
        Kind::Without(extension) => XServer::with_screen("1280x800x24", &["-extension", extension]),
        Kind::Xvnc => {
            let more = [
                "-geometry",
                "1280x800",
                "-depth",
                "24",
                "-SecurityTypes",
                "None",
                "-rfbport",
                "-1",
                "-nolisten",
                "tcp",
            ];
            XServer::with_program(&mut quiet("Xvnc"), &more, "tigervnc-standalone-server")
        }
        Kind::Xephyr => {
            let outer = host.insert(XServer::with_screen("1400x900x24", &[]));
            let mut xephyr = outer.program("Xephyr");
            xephyr.stdin(Stdio::null()).stderr(Stdio::null());
            let more = ["-screen", "1280x800", "-noreset", "-nolisten", "tcp"];
            XServer::with_program(&mut xephyr, &more, "xserver-xephyr")
        }
        Kind::XorgDummy => {
            let config = folder.path().join("xorg.conf");
            fs::write(&config, DUMMY).unwrap();
            let log = folder.path().join("log");
            let more = [
                "-config",
                config.to_str().unwrap(),
                "-logfile",
                log.to_str().unwrap(),
                "-noreset",
                "-nolisten",
                "tcp",
            ];
            XServer::with_program(&mut quiet("Xorg"), &more, "xserver-xorg-video-dummy")
        }
        Kind::Xwayland => {
            let (weston, server) = xwayland(folder.path());
            below.push(weston);
            server
        }
    };
    Standing {
        server,
        _below: below,
        _host: host,
        _folder: folder,
    }
}

/// Xwayland on a compositor that keeps its socket in `runtime`.
fn xwayland(runtime: &Path) -> (Running, XServer) {
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    fs::set_permissions(runtime, permissions).unwrap();
    let wayland = |name: &str| {
        let mut command = quiet(name);
        command
            .env("XDG_RUNTIME_DIR", runtime)
            .env("WAYLAND_DISPLAY", "deskd-test");
        command
    };
    let mut weston = wayland("weston");
    weston.args([
        "--backend=headless-backend.so",
        "--socket=deskd-test",
        "--idle-time=0",
        "--width=1280",
        "--height=800",
    ]);
    let weston = program::spawn(&mut weston, "weston");
    wait_for("weston", Duration::from_secs(20), || {
        runtime.join("deskd-test").exists().then_some(())
    });
    let more = ["-noreset"];
    let server = XServer::with_program(&mut wayland("Xwayland"), &more, "xwayland");
    (weston, server)
}

fn quiet(name: &str) -> std::process::Command {
    let mut command = command(name);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// Xorg's configuration of a screen that is nowhere shown.
const DUMMY: &str = r#"
Section "ServerFlags"
  Option "AutoAddDevices" "false"
  Option "DontVTSwitch" "true"
EndSection
Section "Device"
  Identifier "card"
  Driver "dummy"
  VideoRam 65536
EndSection
Section "Monitor"
  Identifier "monitor"
  HorizSync 5-1000
  VertRefresh 5-200
  Modeline "1280x800" 83.46 1280 1344 1480 1680 800 801 804 828
EndSection
Section "Screen"
  Identifier "screen"
  Device "card"
  Monitor "monitor"
  DefaultDepth 24
  SubSection "Display"
    Depth 24
    Modes "1280x800"
    Virtual 1280 800
  EndSubSection
EndSection
"#;
