//! The command line: what it prints, and its exit codes.

use std::{
    fs::Permissions,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    process::{Output, Stdio},
};

use deskd::Address;
use serde_json::Value;

use crate::common::{
    Daemon, Image, Witness, XServer,
    daemon::{binary, cli, token_file},
    program::command,
};

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

/// The text of a failure: one line that begins with the program's name.
fn complaint(output: &Output) -> String {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(
        text.starts_with("deskd: ") && text.lines().count() == 1,
        "{text:?}"
    );
    text
}

fn serve(arguments: &[&str]) -> Output {
    let mut serve = command(binary());
    serve
        .arg("serve")
        .args(arguments)
        .env("DESKD_LOG", "off")
        .stdin(Stdio::null());
    serve.output().unwrap()
}

#[test]
fn a_screenshot_goes_to_a_file_or_a_pipe() {
    let server = XServer::with_screen("320x240x24", &[]);
    Witness::new(&server).draw_pattern(1);
    let daemon = Daemon::start(&server);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("desktop.png");
    let output = daemon.cli(&["screenshot", "-o", file.to_str().unwrap()]);
    assert_eq!(code(&output), 0, "{output:?}");
    assert!(output.stdout.is_empty());
    let image = Image::read(&file);
    assert_eq!((image.width, image.height), (320, 240));
    let piped = daemon.cli(&[
        "screenshot",
        "--format",
        "raw",
        "--region",
        "0,0,10,20",
        "--no-cursor",
    ]);
    assert_eq!((code(&piped), piped.stdout.len()), (0, 10 * 20 * 4));
    let jpeg = daemon.cli(&[
        "screenshot",
        "--format",
        "jpeg",
        "--quality",
        "50",
        "--size",
        "160x120",
    ]);
    let image = Image::from_jpeg(&jpeg.stdout);
    assert_eq!((image.width, image.height), (160, 120));
    // Who may read the file stays as it was.
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&file, private).unwrap();
    assert_eq!(
        code(&daemon.cli(&["screenshot", "-o", file.to_str().unwrap()])),
        0
    );
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    // Standard output that cannot be written is an error, not a panic.
    let mut full = command(binary());
    full.arg("info")
        .env("DESKD_SERVER", daemon.address().to_string());
    let full = full
        .stdout(std::fs::File::create("/dev/full").unwrap())
        .output()
        .unwrap();
    assert_eq!(code(&full), 1);
    assert!(complaint(&full).contains("standard output"));
    // Written whole or not at all.
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    let nowhere = daemon.cli(&["screenshot", "-o", "/nonexistent/desktop.png"]);
    assert_eq!(code(&nowhere), 1);
    assert!(complaint(&nowhere).contains("/nonexistent/desktop.png"));
}

#[test]
fn json_and_counts_are_for_scripts() {
    let server = XServer::with_screen("320x240x24", &[]);
    Witness::new(&server).draw_pattern(1);
    let daemon = Daemon::start(&server);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("desktop.png");
    let output = daemon.cli(&["screenshot", "--json", "-o", file.to_str().unwrap()]);
    assert_eq!(code(&output), 0, "{output:?}");
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["kind"], "FRAME_KIND_SCREEN");
    assert_eq!(
        document["region"],
        serde_json::json!({"x": 0, "y": 0, "width": 320, "height": 240})
    );
    assert_eq!(
        document["imageBytes"],
        std::fs::metadata(&file).unwrap().len()
    );
    assert!(document.get("image").is_none());

    let output = daemon.cli(&["screenshot", "--json", "--count", "5"]);
    let lines: Vec<Value> = output
        .stdout
        .split(|b| *b == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 6);
    assert_eq!(lines[5]["count"], 5);
    assert!(lines[5]["p50_us"].as_u64().unwrap() > 0);
    assert!(lines[5]["p50_us"].as_u64() <= lines[5]["max_us"].as_u64());

    let info: Value = serde_json::from_slice(&daemon.cli(&["info", "--json"]).stdout).unwrap();
    assert_eq!(info["connected"], true);
    assert_eq!(info["geometry"]["size"]["width"], 320);
    let cursor: Value = serde_json::from_slice(&daemon.cli(&["cursor", "--json"]).stdout).unwrap();
    assert!(cursor["cursor"]["position"]["x"].is_number());
    assert_eq!(code(&daemon.cli(&["info"])), 0);
}

/// A script's safety: the card is written, and the code says that it is one.
#[test]
fn a_card_is_written_and_exits_with_3() {
    let server = XServer::not_yet();
    let daemon = Daemon::start(&server);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("card.png");
    let output = daemon.cli(&[
        "screenshot",
        "--deadline",
        "3s",
        "-o",
        file.to_str().unwrap(),
    ]);
    assert_eq!(code(&output), 3, "{output:?}");
    let complaint = complaint(&output);
    assert!(
        complaint.contains("NO_DISPLAY") && complaint.contains("tried again"),
        "{complaint}"
    );
    let image = Image::read(&file);
    assert_eq!((image.width, image.height), (1280, 800));
}

#[test]
fn the_card_has_the_configured_geometry() {
    let server = XServer::not_yet();
    for (arguments, variables, expected) in [
        (
            &["--geometry", "800x600"][..],
            &[("DESKTOP_W", "1"), ("DESKTOP_H", "1")][..],
            (800, 600),
        ),
        (
            &[],
            &[("DESKTOP_W", "1024"), ("DESKTOP_H", "768")],
            (1024, 768),
        ),
        (
            &[],
            &[
                ("DESKD_GEOMETRY", "640x480"),
                ("DESKTOP_W", "1"),
                ("DESKTOP_H", "1"),
            ],
            (640, 480),
        ),
    ] {
        let daemon = Daemon::launch(&server, &[], arguments, variables);
        let output = daemon.cli(&["screenshot", "--deadline", "3s"]);
        let image = Image::from_png(&output.stdout);
        assert_eq!((image.width, image.height), expected);
    }
}

#[test]
fn refusals_have_their_own_codes() {
    let server = XServer::with_screen("320x240x24", &[]);
    let folder = tempfile::tempdir().unwrap();
    let (token, _) = token_file(folder.path());
    let daemon = Daemon::with(
        &server,
        &[
            "--listen",
            "127.0.0.1:0",
            "--token-file",
            token.to_str().unwrap(),
        ],
    );
    for (arguments, expected, words) in [
        (
            &["screenshot", "--region", "0,0,321,240"][..],
            4,
            "OUT_OF_SCREEN",
        ),
        (&["screenshot", "--region", "-1,0,1,1"], 4, "OUT_OF_SCREEN"),
        (&["screenshot", "--size", "0x10"], 4, "size: 0x10"),
        (
            &["screenshot", "--size", "7681x4320"],
            4,
            "OUTPUT_TOO_LARGE",
        ),
        (
            &["screenshot", "--format", "jpeg", "--quality", "0"],
            4,
            "quality",
        ),
        (&["screenshot", "--quality", "50"], 4, "quality"),
        (
            &["screenshot", "--max-image-bytes", "0"],
            4,
            "max_image_bytes",
        ),
        (
            &["screenshot", "--token-file", "/nonexistent"],
            2,
            "/nonexistent",
        ),
        (&["screenshot", "--json", "-o", "-"], 2, "standard output"),
    ] {
        let output = daemon.cli(arguments);
        let complaint = complaint(&output);
        assert_eq!(code(&output), expected, "{arguments:?}: {complaint}");
        assert!(complaint.contains(words), "{complaint}");
        assert!(output.stdout.is_empty(), "an image of a refusal");
    }
    let unknown = daemon.cli(&["screenshot", "--format", "gif"]);
    assert_eq!(code(&unknown), 2);
    assert!(
        String::from_utf8_lossy(&unknown.stderr).contains("png"),
        "the formats are listed"
    );

    let tcp = daemon.tcp_address();
    let output = cli(&tcp, &["info"]);
    assert_eq!(code(&output), 7);
    assert!(complaint(&output).contains("TOKEN_MISSING"));
    std::fs::write(folder.path().join("wrong"), "a-wrong-token-000000").unwrap();
    let wrong = folder.path().join("wrong");
    let output = cli(&tcp, &["info", "--token-file", wrong.to_str().unwrap()]);
    assert_eq!(code(&output), 7);
    assert!(complaint(&output).contains("TOKEN_INVALID"));
    let output = cli(&tcp, &["info", "--token-file", token.to_str().unwrap()]);
    assert_eq!(code(&output), 0);

    let nobody = Address::Unix("/nonexistent/deskd.sock".into());
    let output = cli(&nobody, &["screenshot", "--deadline", "300ms"]);
    assert_eq!(code(&output), 5);
    assert!(complaint(&output).contains("unix:/nonexistent/deskd.sock"));
}

#[test]
fn a_call_beyond_its_deadline_exits_with_6() {
    let server = XServer::with_screen("320x240x24", &[]);
    let daemon = Daemon::start(&server);
    assert_eq!(code(&daemon.cli(&["cursor"])), 0);
    server.stop();
    let output = daemon.cli(&["cursor", "--deadline", "500ms"]);
    server.resume();
    assert_eq!(code(&output), 6, "{output:?}");
    complaint(&output);
}

#[test]
fn serve_refuses_what_cannot_work() {
    let server = XServer::with_screen("320x240x24", &[]);
    let daemon = Daemon::start(&server);
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("file"), "precious").unwrap();
    std::fs::write(path("short"), "short").unwrap();
    let listen = |name: &str| format!("unix:{}", path(name));
    for (arguments, expected, words) in [
        (
            vec!["--listen".into(), daemon.address().to_string()],
            8,
            "another daemon",
        ),
        (
            vec!["--listen".into(), "0.0.0.0:0".into()],
            2,
            "needs a token",
        ),
        (
            vec!["--listen".into(), listen("no/such/deskd.sock")],
            9,
            "does not exist",
        ),
        (vec!["--listen".into(), listen("file")], 9, "not a socket"),
        (
            vec![
                "--listen".into(),
                listen("s"),
                "--token-file".into(),
                path("none"),
            ],
            10,
            "cannot be read",
        ),
        (
            vec![
                "--listen".into(),
                listen("s"),
                "--token-file".into(),
                path("short"),
            ],
            10,
            "does not hold a token",
        ),
        (
            vec![
                "--listen".into(),
                listen("s"),
                "--tls-cert".into(),
                path("short"),
                "--tls-key".into(),
                path("none"),
            ],
            10,
            "TLS file",
        ),
    ] {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let output = serve(&arguments);
        let complaint = complaint(&output);
        assert_eq!(code(&output), expected, "{arguments:?}: {complaint}");
        assert!(complaint.contains(words), "{complaint}");
    }
    for display in ["localhost:0", "nonsense", ":0x"] {
        let output = serve(&["--display", display]);
        assert_eq!(code(&output), 2, "{display}");
    }
    // The first daemon is unharmed.
    assert_eq!(code(&daemon.cli(&["info"])), 0);
}

/// A daemon that was killed leaves its socket file; the next one takes over.
#[test]
fn a_stale_socket_file_is_replaced() {
    let server = XServer::with_screen("320x240x24", &[]);
    let first = Daemon::start(&server);
    let address = first.address().to_string();
    first.signal("KILL");
    std::thread::sleep(std::time::Duration::from_millis(200));
    assert!(first.socket().exists());
    let second = Daemon::with(&server, &["--listen", &address]);
    let output = cli(&first.address(), &["info"]);
    assert_eq!(code(&output), 0, "{output:?}");
    drop(second);
}

#[test]
fn completions_and_help_are_there() {
    for arguments in [
        &["completions", "bash"][..],
        &["--help"],
        &["serve", "--help"],
        &["screenshot", "--help"],
    ] {
        let output = command(binary()).args(arguments).output().unwrap();
        assert_eq!(code(&output), 0);
        assert!(output.stdout.len() > 200);
    }
}

/// `deskd serve & deskd screenshot`, as the README's example does: the client waits for the address.
#[test]
fn a_client_waits_for_a_daemon_that_is_just_starting() {
    let server = XServer::with_screen("320x240x24", &[]);
    let folder = tempfile::tempdir().unwrap();
    let address = Address::Unix(folder.path().join("deskd.sock"));
    for arguments in [
        &["info"][..],
        &["ready", "--timeout", "10s", "--profile", "xfce"],
        &["screenshot", "--unproved", "-o", "/dev/null"],
    ] {
        let mut waiting = command(binary());
        waiting
            .args(arguments)
            .env("DESKD_SERVER", address.to_string())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        let waiting = waiting.spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(700));
        let daemon = Daemon::with(&server, &["--listen", &address.to_string()]);
        let output = waiting.wait_with_output().unwrap();
        let expected = if arguments[0] == "ready" { 14 } else { 0 };
        assert_eq!(code(&output), expected, "{arguments:?}: {output:?}");
        drop(daemon);
        std::fs::remove_file(folder.path().join("deskd.sock")).ok();
    }
}

/// The name of a file says its format, for steps too; a name that says another is refused.
#[test]
fn a_files_name_says_its_format() {
    let server = XServer::with_screen("320x240x24", &[]);
    let daemon = Daemon::start(&server);
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    for (name, begins) in [
        ("a.png", &b"\x89PNG"[..]),
        ("a.JPG", b"\xff\xd8\xff"),
        ("a.webp", b"RIFF"),
        ("a", b"\x89PNG"),
    ] {
        for words in [&["screenshot"][..], &["move", "5", "5", "--no-settle"]] {
            let file = path(name);
            let more = ["--unproved", "-o", &file];
            let output = daemon.cli(&[words, &more[..]].concat());
            assert_eq!(code(&output), 0, "{output:?}");
            let bytes = std::fs::read(&file).unwrap();
            assert!(bytes.starts_with(begins), "{words:?} {name}");
        }
    }
    for words in [&["screenshot"][..], &["move", "5", "5"]] {
        let file = path("a.gif");
        let output = daemon.cli(&[words, &["--unproved", "-o", &file][..]].concat());
        assert_eq!(code(&output), 2, "{output:?}");
        assert!(complaint(&output).contains(".webp"));
        assert!(!std::path::Path::new(&file).exists());
    }
}

/// A reader may have read enough, as `head` does; complaints may have no reader.
#[test]
fn output_that_nobody_reads_ends_it_quietly() {
    let server = XServer::with_screen("320x240x24", &[]);
    let daemon = Daemon::start(&server);
    for arguments in [
        &["info"][..],
        &["key", "--list"],
        &["completions", "bash"],
        &["screenshot", "--unproved"],
        &["status", "--events"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut deskd = command(binary());
        deskd
            .args(arguments)
            .env("DESKD_SERVER", daemon.address().to_string())
            .stdout(writer);
        let output = deskd.stderr(std::process::Stdio::piped()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        if arguments[0] == "status" {
            // Refused: this daemon manages no stack.
            assert_eq!(code(&output), 4, "{said}");
        } else {
            assert_eq!((code(&output), said.as_ref()), (0, ""), "{arguments:?}");
        }
    }
    let full = std::fs::File::options().write(true).open("/dev/full");
    let mut deskd = command(binary());
    deskd.args([
        "info",
        "--server",
        "unix:/nonexistent/s",
        "--deadline",
        "100ms",
    ]);
    let status = deskd.stderr(full.unwrap()).status().unwrap();
    assert_eq!(status.code(), Some(5));
}

/// A switch's variable is a word for yes or no; another word is refused in one line.
#[test]
fn switches_are_read_from_the_environment() {
    for (value, expected) in [("1", 5), ("true", 5), ("0", 5), ("", 5), ("maybe", 2)] {
        let mut info = command(binary());
        info.args([
            "info",
            "--server",
            "unix:/nonexistent/s",
            "--deadline",
            "100ms",
        ])
        .env("DESKD_JSON", value);
        let output = info.output().unwrap();
        assert_eq!(code(&output), expected, "{value:?}: {output:?}");
    }
    for (name, value) in [
        ("DESKD_VNC", "maybe"),
        ("DESKTOP_W", "800"),
        ("DESKTOP_DPI", "x"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("deskd.sock");
        let mut up = command(binary());
        up.args(["up", "--timeout", "5s", "--server"])
            .arg(format!("unix:{}", socket.display()))
            // Empty ones are not set.
            .envs([("DESKTOP_W", ""), ("DESKTOP_H", ""), ("STREAM_PORT", "")])
            .env(name, value);
        let output = up.output().unwrap();
        assert_eq!(code(&output), 2, "{name}: {output:?}");
        let said = complaint(&output);
        assert!(said.contains(name) || said.contains("vnc"), "{said}");
    }
}

/// The listener is no daemon, or does not answer: the error says which, why and what to do.
#[test]
fn a_listener_that_is_no_daemon_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let silent = folder.path().join("silent");
    let listener = std::os::unix::net::UnixListener::bind(&silent).unwrap();
    let output = cli(&Address::Unix(silent), &["info", "--deadline", "300ms"]);
    assert_eq!(code(&output), 6, "{output:?}");
    assert!(complaint(&output).contains("--deadline"), "{output:?}");
    drop(listener);
    let x = XServer::with_screen("320x240x24", &[]);
    let socket = format!("/tmp/.X11-unix/X{}", &x.display()[1..]);
    let output = cli(&Address::Unix(socket.into()), &["info"]);
    assert_eq!(code(&output), 5, "{output:?}");
}

/// A path that is no path counts as not set (XDG Base Directory Specification).
#[test]
fn a_runtime_folder_that_is_no_path_is_not_used() {
    for folder in ["", "here"] {
        let mut info = command(binary());
        info.args(["info", "--deadline", "100ms"])
            .env("XDG_RUNTIME_DIR", folder)
            .env_remove("DESKD_SERVER");
        let said = complaint(&info.output().unwrap());
        assert!(
            !said.contains("unix:deskd") && !said.contains("here"),
            "{said}"
        );
    }
}

#[test]
fn key_names_are_a_document_too() {
    let output = cli(
        &Address::Unix("/nonexistent/deskd.sock".into()),
        &["key", "--list", "--json"],
    );
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(
        document["names"]
            .as_array()
            .unwrap()
            .contains(&"Return".into())
    );
    assert!(document["aliases"].is_object());
}

/// A user who owns the runtime folder in root's environment could listen there.
#[test]
fn a_runtime_folder_of_another_user_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let listener =
        std::os::unix::net::UnixListener::bind(folder.path().join("deskd.sock")).unwrap();
    listener.set_nonblocking(true).unwrap();
    let run = || {
        command(binary())
            .args(["info", "--deadline", "300ms"])
            .env("XDG_RUNTIME_DIR", folder.path())
            .env_remove("DESKD_SERVER")
            .output()
            .unwrap()
    };
    let output = run();
    assert!(
        listener.accept().is_ok(),
        "one's own folder is used: {output:?}"
    );
    while listener.accept().is_ok() {}
    // Others can write to it, as to /tmp: one's own socket is used, another user's is not.
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
    let output = run();
    assert!(listener.accept().is_ok(), "{output:?}");
    while listener.accept().is_ok() {}
    let socket = folder.path().join("deskd.sock");
    std::os::unix::fs::chown(&socket, Some(65534), Some(65534)).unwrap();
    let output = run();
    assert!(listener.accept().is_err(), "{output:?}");
    std::os::unix::fs::chown(&socket, Some(0), Some(0)).unwrap();
    std::os::unix::fs::chown(folder.path(), Some(65534), Some(65534)).unwrap();
    let output = run();
    assert!(listener.accept().is_err(), "{output:?}");
    assert!(
        complaint(&output).contains("/run/deskd/deskd.sock"),
        "{output:?}"
    );
}

/// A host that sends no end of a line is refused, and deskd does not collect what it sends.
#[test]
fn a_message_for_mcp_has_a_largest_size() {
    let mut deskd = command(binary());
    deskd
        .args(["mcp", "--server", "unix:/nonexistent/s"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut process = deskd.spawn().unwrap();
    let mut input = process.stdin.take().unwrap();
    let sent = (0..64)
        .take_while(|_| input.write_all(&[b' '; 1 << 20]).is_ok())
        .count();
    drop(input);
    let output = process.wait_with_output().unwrap();
    let said = complaint(&output);
    assert!(said.contains("longer than 1048576 bytes"), "{said}");
    assert_ne!(code(&output), 0);
    assert!(sent < 64);
}
