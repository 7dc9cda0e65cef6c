//! The doctor names what is wrong and what to do, with and without a daemon.

use serde_json::Value;

use crate::common::{Daemon, Witness, XServer, daemon::binary, program::command};

/// The doctor's verdict on one check, and all of its output.
fn doctor(server: &XServer, arguments: &[&str]) -> (i32, Value) {
    let mut doctor = command(binary());
    doctor
        .args(["doctor", "--json", "--display", &server.display()])
        .args(arguments);
    doctor.env("XAUTHORITY", server.xauthority());
    let output = doctor.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (
        output.status.code().unwrap(),
        serde_json::from_str(&text).unwrap(),
    )
}

fn verdict<'a>(document: &'a Value, name: &str) -> (&'a str, &'a str) {
    let checks = document["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["check"] == name).unwrap();
    let (verdict, remedy) = (
        check["verdict"].as_str().unwrap(),
        check["remedy"].as_str().unwrap(),
    );
    assert_eq!(verdict == "pass", remedy.is_empty(), "{check}");
    (verdict, check["found"].as_str().unwrap())
}

#[test]
fn a_good_display_passes() {
    let server = XServer::start();
    let daemon = Daemon::start(&server);
    let (code, document) = doctor(&server, &["--server", &daemon.address().to_string()]);
    assert_eq!(code, 0, "{document}");
    for check in [
        "display",
        "socket",
        "extensions",
        "capture",
        "keymap",
        "daemon",
        "port",
        "X over TCP",
    ] {
        assert_eq!(verdict(&document, check).0, "pass", "{document}");
    }
    // A bare server has no window manager, and the tests' user is the server's.
    assert_eq!(verdict(&document, "window manager").0, "warn");
    assert_eq!(verdict(&document, "isolation").0, "warn");
}

#[test]
fn a_poor_display_is_named_part_by_part() {
    let more = [
        "-nolisten",
        "unix",
        "-extension",
        "MIT-SHM",
        "-extension",
        "XTEST",
    ];
    let server = XServer::with_screen("640x480x24", &more);
    // A keymap without a tilde: the keysym of the key that carries it is taken away.
    let witness = Witness::new(&server);
    witness.remove_keysym(u32::from('~'));
    let (code, document) = doctor(&server, &["--server", "unix:/nonexistent/deskd.sock"]);
    assert_eq!(code, 0, "warnings are no failure");
    assert!(verdict(&document, "socket").1.contains("abstract"));
    let (found, text) = verdict(&document, "extensions");
    assert!(
        found == "warn" && text.contains("XTEST") && text.contains("MIT-SHM"),
        "{text}"
    );
    assert_eq!(verdict(&document, "capture").0, "warn");
    let (found, text) = verdict(&document, "keymap");
    assert!(found == "warn" && text.ends_with('~'), "{text}");
    assert_eq!(verdict(&document, "daemon").0, "warn");
}

#[test]
fn a_missing_display_and_an_open_token_fail() {
    let server = XServer::not_yet();
    let folder = tempfile::tempdir().unwrap();
    let (token, _) = crate::common::daemon::token_file(folder.path());
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(&token, open).unwrap();
    let arguments = [
        "--server",
        "unix:/nonexistent/deskd.sock",
        "--token-file",
        token.to_str().unwrap(),
    ];
    let (code, document) = doctor(&server, &arguments);
    assert_eq!(code, 1);
    let (found, text) = verdict(&document, "display");
    assert!(
        found == "fail" && text.contains("no X server answers"),
        "{text}"
    );
    let (found, text) = verdict(&document, "token file");
    assert!(found == "fail" && text.contains("0644"), "{text}");
    assert!(
        !document.to_string().contains("canary"),
        "the token is shown"
    );
}

#[test]
fn a_hung_display_is_found_in_bounded_time() {
    let server = XServer::start();
    server.stop();
    let began = std::time::Instant::now();
    let (code, document) = doctor(&server, &["--server", "unix:/nonexistent/deskd.sock"]);
    assert_eq!(code, 1);
    assert!(began.elapsed() < std::time::Duration::from_secs(15));
    assert_eq!(verdict(&document, "display").0, "fail");
    server.resume();
}

#[test]
fn a_daemon_that_is_still_connecting_is_waited_for() {
    let server = XServer::start();
    server.stop();
    let daemon = Daemon::start(&server);
    let (code, document) = std::thread::scope(|scope| {
        let asked = scope.spawn(|| doctor(&server, &["--server", &daemon.address().to_string()]));
        std::thread::sleep(std::time::Duration::from_millis(700));
        server.resume();
        asked.join().unwrap()
    });
    assert_eq!(verdict(&document, "daemon").0, "pass", "{document}");
    assert_eq!(code, 0, "{document}");
}

/// Without --display the doctor looks at the display of the daemon that answers, with that
/// daemon's cookie.
#[test]
fn the_doctor_looks_where_the_daemon_looks() {
    let server = XServer::start();
    let daemon = Daemon::start(&server);
    let address = daemon.address().to_string();
    let named = server.display();
    for more in [&[][..], &["--display", &named]] {
        let mut doctor = command(binary());
        doctor
            .args(["doctor", "--json", "--server", &address])
            .args(more)
            .env_remove("DISPLAY")
            .env("XAUTHORITY", "/nonexistent");
        let output = doctor.output().unwrap();
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        let (found, text) = verdict(&document, "display");
        assert_eq!(found, "pass", "{document}");
        assert!(text.starts_with(&named), "{text}");
    }
}
