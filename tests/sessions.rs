//! Sessions other than XFCE, and backgrounds.

use std::{fs, time::Duration};

use deskd::v1;

use crate::common::{
    Image,
    daemon::{painted, raw},
    managed::Managed,
    wait_for,
};

async fn screen(stack: &Managed) -> Image {
    let mut client = stack.desktop().await;
    Image::from_frame(&painted(&mut client, raw()).await)
}

fn verdict(stack: &Managed) -> String {
    let ready = stack.cli(&["ready", "--timeout", "60s"]);
    assert!(ready.status.success(), "{ready:?} {}", stack.log());
    String::from_utf8_lossy(&ready.stdout).into_owned()
}

/// A window manager and a panel, on a colour: the gate waits for both, and what ends is restarted.
#[tokio::test(flavor = "multi_thread")]
async fn openbox_and_tint2_are_a_desktop() {
    let session = "env > \"$HOME/environment\"; tint2 & exec openbox";
    let arguments = ["--background", "#204060", "--session-env", "GREETING=hello"];
    let stack = Managed::of_session(session, &arguments).started();
    stack.wait_for_socket();
    stack.up();
    let said = verdict(&stack);
    assert!(said.starts_with("READY under any"), "{said}");
    assert!(
        said.contains("window manager") && said.contains("dock"),
        "{said}"
    );
    // Nothing but the panel covers the colour.
    let image = screen(&stack).await;
    assert_eq!(image.at(2, 2), [0x20, 0x40, 0x60]);
    assert_eq!(image.at(600, 300), [0x20, 0x40, 0x60]);
    let environment = fs::read_to_string(stack.home().join("environment")).unwrap();
    assert!(environment.contains("GREETING=hello"));
    assert!(!environment.contains("XFCE"), "{environment}");
    // XFCE's settings are not in the home.
    assert!(!stack.home().join(".config/xfce4").exists());
    let program = stack.cli(&["run", "--wait-window", "--", "xterm"]);
    assert!(program.status.success(), "{program:?}");

    let old = stack.pid("openbox").unwrap();
    nix::sys::signal::kill(old, nix::sys::signal::Signal::SIGKILL).unwrap();
    wait_for("another openbox", Duration::from_secs(20), || {
        stack.pid("openbox").filter(|pid| *pid != old)
    });
    // What deskd has launched does not end with the session's programs.
    let programs = stack.cli(&["programs"]);
    let programs = String::from_utf8_lossy(&programs.stdout).into_owned();
    assert!(
        programs.contains(" runs ") && programs.contains("xterm"),
        "{programs}"
    );
    let down = stack.cli(&["down"]);
    assert!(down.status.success(), "{down:?} {}", stack.log());
    stack.wait_until_gone(Duration::from_secs(5));
}

/// A picture fills the screen, whatever its shape.
#[tokio::test(flavor = "multi_thread")]
async fn a_picture_is_the_background() {
    let mut stack = Managed::of_session("exec openbox", &[]);
    let path = stack.folder.path().join("picture.png");
    let mut encoder = png::Encoder::new(fs::File::create(&path).unwrap(), 60, 20);
    encoder.set_color(png::ColorType::Rgb);
    let row: Vec<u8> = [[255, 0, 0], [0, 255, 0], [0, 0, 255]]
        .into_iter()
        .flat_map(|rgb: [u8; 3]| rgb.repeat(20))
        .collect();
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&row.repeat(20)).unwrap();
    writer.finish().unwrap();
    stack = stack.set("DESKD_BACKGROUND", path.to_str().unwrap());
    let stack = stack.started();
    stack.wait_for_socket();
    stack.up();
    let image = screen(&stack).await;
    assert_eq!(image.at(320, 100), [0, 255, 0]);
    assert_eq!(image.at(4, 470), [255, 0, 0]);
    assert_eq!(image.at(636, 4), [0, 0, 255]);
}

/// XFCE itself draws the colour.
#[tokio::test(flavor = "multi_thread")]
async fn xfce_has_a_plain_background_on_request() {
    let stack = Managed::new(&["--background", "#204060"]).started();
    stack.wait_for_socket();
    stack.up();
    let image = screen(&stack).await;
    assert_eq!(image.at(600, 300), [0x20, 0x40, 0x60]);
    assert_eq!(image.at(300, 60), [0x20, 0x40, 0x60]);
}

/// A session that ends is started again after growing pauses, and its output says why.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ends_is_reported() {
    let stack = Managed::of_session("echo no such thing >&2; exit 3", &[]).started();
    stack.wait_for_socket();
    let up = stack.cli(&["up", "--timeout", "20s"]);
    assert!(!up.status.success());
    let status = stack.status().await;
    let session = status.components.iter();
    let mut session = session.filter(|c| c.component() == v1::Component::Session);
    let session = session.next().unwrap();
    assert!(session.last_stderr.contains("no such thing"), "{session:?}");
    assert!(session.restarts >= 3);
}

#[test]
fn wrong_sessions_and_backgrounds_are_refused() {
    for (arguments, part) in [
        (&["--stack", "command"][..], "--session"),
        (&["--stack", "command", "--session", " "], "is empty"),
        (
            &["--stack", "xfce", "--session", "x"],
            "leave one of them out",
        ),
        (
            &["--stack", "none", "--session", "x"],
            "leave one of them out",
        ),
        (&["--stack", "xfce", "--background", "blue"], "#336699"),
        (&["--stack", "xfce", "--background", "#12"], "six"),
        (
            &["--stack", "xfce", "--background", "/no/such.png"],
            "no file",
        ),
    ] {
        let mut serve = std::process::Command::new(crate::common::daemon::binary());
        let output = serve.arg("serve").args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains(part), "{arguments:?}: {said}");
    }
}

/// A picture that the desktop's user cannot read, or that is none, is reported at the start.
#[test]
fn a_background_that_cannot_be_drawn_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let png = fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/images/card.png")).unwrap();
    let file = |name: &str, data: &[u8], mode: u32| {
        let path = folder.path().join(name);
        fs::write(&path, data).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    };
    for (path, part) in [
        (
            file("half.png", &png[..png.len() / 2], 0o644),
            "half.png cannot be drawn",
        ),
        (
            file("text.png", b"no picture", 0o644),
            "text.png cannot be drawn",
        ),
        (file("secret.png", &png, 0o600), "Permission denied"),
    ] {
        let mut serve = std::process::Command::new(crate::common::daemon::binary());
        serve.args(["serve", "--stack", "command", "--session", "exec openbox"]);
        serve.args([
            "--display",
            ":2999",
            "--desktop-user",
            "nobody",
            "--background",
        ]);
        let output = serve.arg(&path).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{path:?} {output:?}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains(part), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}
