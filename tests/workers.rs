//! The worker's first day: the examples in Python, TypeScript and Rust, as they stand in
//! `examples/`, over a Unix socket, over TCP with a token, and through a bridge.

use std::{
    io::{BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::Duration,
};

use crate::common::{
    Daemon, Image, XServer,
    daemon::{binary, token_file},
    program::{self, Running, command},
    receiver::{Receiver, Toolkit},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Language {
    Python,
    TypeScript,
    Rust,
}
use Language::{Python, Rust, TypeScript};

impl Language {
    /// An example, run in `folder`, where it leaves its files.
    fn example(self, name: &str, folder: &Path) -> Command {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut example = match self {
            Python => {
                let libraries = root.join("target/examples/python");
                assert!(libraries.exists(), "run examples/install.sh");
                let mut python = command("python3");
                python.arg(root.join(format!("examples/python/{name}.py")));
                python
                    .env("PYTHONPATH", libraries)
                    .env("PYTHONDONTWRITEBYTECODE", "1");
                python
            }
            TypeScript => {
                let folder = root.join("examples/typescript");
                let tsx = folder.join("node_modules/tsx/dist/loader.mjs");
                assert!(tsx.exists(), "run examples/install.sh");
                // As `npx tsx` does, in one process, which ends when it is told to.
                let mut node = command("node");
                node.arg("--import")
                    .arg(tsx)
                    .arg(folder.join(format!("{name}.ts")));
                node
            }
            Rust => command(binary().with_file_name("examples").join(name)),
        };
        example.current_dir(folder).stdin(Stdio::null());
        example
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

/// A server with a program on it that counts as painted, and a daemon.
fn stage(more: &[&str]) -> (XServer, Receiver, Daemon) {
    let server = XServer::with_screen("640x480x24", &[]);
    let receiver = Receiver::start(&server, Toolkit::Gtk);
    let daemon = Daemon::with(&server, more);
    (server, receiver, daemon)
}

/// Runs the quick start, which must leave the screen in frame.png.
fn first_frame(language: Language, arguments: &[String], token: Option<&Path>) {
    let folder = tempfile::tempdir().unwrap();
    let mut example = language.example("first_frame", folder.path());
    example.args(arguments);
    if let Some(token) = token {
        example.env("DESKD_TOKEN_FILE", token);
    }
    let done = example.output().unwrap();
    assert!(done.status.success(), "{language:?}: {}", text(&done));
    assert!(text(&done).contains("frame.png: 640x480, "), "{done:?}");
    let image = Image::read(&folder.path().join("frame.png"));
    assert_eq!((image.width, image.height), (640, 480));
    assert!(image.rgb().iter().any(|value| *value != image.rgb()[0]));
}

#[test]
fn the_first_frame_comes_in_every_language_and_by_every_way() {
    let folder = tempfile::tempdir().unwrap();
    let (token, _) = token_file(folder.path());
    let listen = ["--listen", "127.0.0.1:0", "--token-file"];
    let (_server, _receiver, daemon) = stage(&[&listen[..], &[token.to_str().unwrap()]].concat());
    let (unix, tcp) = (
        daemon.address().to_string(),
        daemon.tcp_address().to_string(),
    );
    for language in [Python, TypeScript, Rust] {
        first_frame(language, std::slice::from_ref(&unix), None);
        first_frame(language, std::slice::from_ref(&tcp), Some(&token));
        // Without it there is a word about it, and no picture.
        let folder = tempfile::tempdir().unwrap();
        let mut example = language.example("first_frame", folder.path());
        let refused = example.arg(&tcp).output().unwrap();
        assert!(!refused.status.success());
        assert!(
            text(&refused).contains("token"),
            "{language:?}: {}",
            text(&refused)
        );
        assert!(!folder.path().join("frame.png").exists());
    }
    assert!(!daemon.log().contains("canary"));
}

/// `deskd bridge` as a provider's exec would start it.
fn bridge(daemon: &Daemon) -> Vec<String> {
    let words = [
        binary().display().to_string(),
        "bridge".into(),
        "--server".into(),
        daemon.address().to_string(),
    ];
    words.into()
}

#[test]
fn through_exec_alone_every_language_gets_its_frame() {
    let (_server, _receiver, daemon) = stage(&[]);
    for language in [Python, TypeScript] {
        let folder = tempfile::tempdir().unwrap();
        let mut tunnel = language.example("bridge", folder.path());
        tunnel
            .arg("127.0.0.1:0")
            .args(bridge(&daemon))
            .stdout(Stdio::piped());
        let mut tunnel: Running = program::spawn(&mut tunnel, "");
        let mut line = String::new();
        let mut said = BufReader::new(tunnel.0.stdout.take().unwrap());
        said.read_line(&mut line).unwrap();
        let port = line.trim().rsplit(':').next().unwrap();
        // Either tunnel serves either client.
        for client in [Python, TypeScript] {
            first_frame(client, &[format!("127.0.0.1:{port}")], None);
        }
    }
    let arguments = [vec!["exec".to_owned()], bridge(&daemon)].concat();
    first_frame(Rust, &arguments, None);
}

#[test]
fn a_bridge_without_a_daemon_says_so_and_ends_with_either_side() {
    let missing = ["bridge", "--server", "unix:/nonexistent/deskd.sock"];
    let done = command(binary())
        .args(missing)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(done.status.code(), Some(5));
    assert!(
        done.stdout.is_empty(),
        "nothing but the daemon's bytes goes there"
    );
    assert!(text(&done).contains("/nonexistent/deskd.sock"));

    let server = XServer::with_screen("320x240x24", &[]);
    let mut daemon = Daemon::start(&server);
    let start = || {
        let words = bridge(&daemon);
        let mut bridge = command(&words[0]);
        bridge
            .args(&words[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        program::spawn(&mut bridge, "")
    };
    // The worker's side closes.
    let mut closed = start();
    drop(closed.0.stdin.take());
    assert!(closed.0.wait().unwrap().success());
    // What is no HTTP/2 is the daemon's to refuse: it closes, and the bridge ends.
    let mut nonsense = start();
    let mut input = nonsense.0.stdin.take().unwrap();
    input.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    assert!(nonsense.0.wait().unwrap().success());
    // The daemon ends.
    let mut left = start();
    let mut input = left.0.stdin.take().unwrap();
    // HTTP/2's preface and empty settings (RFC 9113, section 3.4), and the answer's head.
    input
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
        .unwrap();
    left.0
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut [0; 9])
        .unwrap();
    daemon.signal("TERM");
    daemon.wait(std::time::Duration::from_secs(10));
    assert!(left.0.wait().unwrap().success());
}

/// A script of both vendors' calls, and what comes of it.
const CALLS: &str = r#"
{"type": "screenshot"}
{"action": "double_click", "coordinate": [X, Y]}
{"action": "left_click", "coordinate": [X, Y], "text": "shift"}
{"type": "double_click", "x": X, "y": Y}
{"type": "scroll", "x": X, "y": Y, "scroll_x": 0, "scroll_y": 100}
{"action": "scroll", "coordinate": [X, Y], "scroll_direction": "up", "scroll_amount": 1}
{"type": "drag", "path": [{"x": X, "y": Y}, {"x": 60, "y": 60}]}
{"action": "left_click_drag", "start_coordinate": [X, Y], "coordinate": [70, 70]}
{"type": "move", "x": 11, "y": 12}
{"action": "mouse_move", "coordinate": [21, 22]}
{"action": "cursor_position"}
{"action": "left_mouse_down"}
{"action": "left_mouse_up"}
{"action": "hold_key", "text": "shift", "duration": 0.05}
{"type": "wait"}
{"action": "wait", "duration": 0.1}
{"action": "zoom", "region": [10, 10, 110, 60]}
{"type": "click", "x": X, "y": Y, "button": "left"}
{"type": "type", "text": "alpha "}
{"action": "type", "text": "beta"}
{"type": "keypress", "keys": ["CTRL", "a"]}
{"action": "key", "text": "ctrl+a"}
{"action": "key", "text": "Delete"}
{"action": "type", "text": "grün 語"}
"#;

#[test]
fn whole_turns_of_an_agent_do_what_the_model_says_in_python_and_typescript() {
    let mut said: Vec<String> = Vec::new();
    for language in [Python, TypeScript] {
        let (_server, receiver, daemon) = stage(&[]);
        let (x, y) = receiver.in_text(10);
        let calls = CALLS
            .replace('X', &x.to_string())
            .replace('Y', &y.to_string());
        let folder = tempfile::tempdir().unwrap();
        let file: PathBuf = folder.path().join("calls.jsonl");
        std::fs::write(&file, calls).unwrap();
        let mut example = language.example("agent_turn", folder.path());
        example.arg(daemon.address().to_string());
        example.stdin(std::fs::File::open(&file).unwrap());
        let done = example.output().unwrap();
        assert!(done.status.success(), "{language:?}: {}", text(&done));
        receiver.wait_text("grün 語");
        assert!(folder.path().join("after.png").exists());
        let lines = text(&done);
        assert_eq!(
            lines.lines().count(),
            CALLS.trim().lines().count(),
            "{lines}"
        );
        assert!(lines.contains("turn 11: cursor_position: 21,22"), "{lines}");
        assert!(lines.contains("turn 17: zoom: 100x50"), "{lines}");
        assert_eq!(lines.matches(": DONE, ").count(), 21, "{lines}");
        // How the screen came to rest may differ.
        let words = |line: &str| line.split(',').next().unwrap_or_default().to_owned();
        said.push(lines.lines().map(words).collect());
    }
    assert_eq!(said[0], said[1]);
}

/// Calls as no vendor's tool makes them, or that this screen has no place for.
const BAD_CALLS: &str = r#"
{"type": "click", "x": "X", "y": 10, "button": "left"}
{"type": "click", "x": 10}
{"type": "click", "x": 4294967306, "y": 10}
{"type": "click", "x": 640, "y": 10}
{"type": "click", "x": 10, "y": 10, "button": "purple"}
{"type": "double_click"}
{"action": "left_click", "coordinate": []}
{"action": "left_click", "coordinate": [10, -1]}
{"action": "left_click", "coordinate": [10, 10], "text": "no-such-key"}
{"action": "left_click_drag", "coordinate": [10, 10]}
{"type": "drag", "path": [{"x": 10, "y": 10}]}
{"type": "drag", "path": [{"x": 10, "y": 10}, {}]}
{"type": "scroll", "x": 10, "y": 10, "scroll_y": "far"}
{"action": "scroll", "coordinate": [10, 10], "scroll_direction": "sideways"}
{"type": "keypress", "keys": "ctrl"}
{"type": "keypress", "keys": []}
{"action": "key", "text": ""}
{"action": "key", "text": "Down no-such-key"}
{"action": "key"}
{"action": "hold_key", "text": "shift"}
{"action": "type", "text": 7}
{"action": "type", "text": "bell \u0007"}
{"action": "wait", "duration": "long"}
{"action": "wait", "duration": -1}
{"action": "zoom", "region": [10, 10]}
{"action": "zoom", "region": [100, 100, 10, 10]}
{"action": "zoom", "region": [0, 0, 9000, 9000]}
{"action": "dance"}
{}
"#;

#[test]
fn a_call_that_cannot_be_done_is_told_the_model_and_none_of_it_is_done() {
    for language in [Python, TypeScript] {
        let (_server, receiver, daemon) = stage(&[]);
        let (x, y) = receiver.in_text(10);
        let click = format!("{{\"action\": \"left_click\", \"coordinate\": [{x}, {y}]}}");
        let type_it = r#"{"action": "type", "text": "and on"}"#;
        // Two chords, which type "hi".
        let chords = r#"{"action": "key", "text": "shift+H i"}"#;
        let folder = tempfile::tempdir().unwrap();
        let file: PathBuf = folder.path().join("calls.jsonl");
        std::fs::write(&file, [&click, BAD_CALLS, type_it, "\n", chords].concat()).unwrap();
        let mut example = language.example("agent_turn", folder.path());
        example.arg(daemon.address().to_string());
        example.stdin(std::fs::File::open(&file).unwrap());
        let done = example.output().unwrap();
        let lines = text(&done);
        assert!(done.status.success(), "{language:?}: {lines}");
        let calls: Vec<&str> = BAD_CALLS.trim().lines().collect();
        for (line, call) in lines.lines().skip(1).zip(&calls) {
            assert!(line.contains(": refused: "), "{language:?}: {call}: {line}");
        }
        assert_eq!(lines.lines().count(), calls.len() + 3, "{lines}");
        assert_eq!(lines.matches(": DONE, ").count(), 3, "{lines}");
        receiver.wait_text("and onHi");
    }
}

/// A daemon that is restarted in mid-run costs the agent at most a turn: the model gets the
/// reason, looks again, and goes on.
#[test]
fn an_agent_goes_on_when_its_daemon_starts_again() {
    for language in [Python, TypeScript] {
        let (_server, receiver, mut daemon) = stage(&[]);
        let (x, y) = receiver.in_text(10);
        let folder = tempfile::tempdir().unwrap();
        let mut example = language.example("agent_turn", folder.path());
        example.arg(daemon.address().to_string());
        example.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut agent = program::spawn(&mut example, "");
        let mut calls = agent.0.stdin.take().unwrap();
        let mut lines = BufReader::new(agent.0.stdout.take().unwrap()).lines();
        let mut turn = |call: &str, meanwhile: &mut dyn FnMut()| {
            writeln!(calls, "{call}").unwrap();
            meanwhile();
            lines.next().expect("the agent ended").unwrap()
        };
        let nothing = &mut || ();
        let click = format!(r#"{{"type": "click", "x": {x}, "y": {y}}}"#);
        let said = turn(&click, nothing);
        assert!(said.contains(": DONE, "), "{language:?}: {said}");
        daemon.restart_after(Duration::from_secs(2));
        // Its coordinates are those of a picture that the new daemon does not know.
        let said = turn(&click, nothing);
        assert!(said.contains(": refused: "), "{language:?}: {said}");
        let said = turn(&click, nothing);
        assert!(said.contains(": DONE, "), "{language:?}: {said}");

        // And when it is down while it is called.
        daemon.signal("STOP");
        let said = turn(&click, &mut || daemon.restart_after(Duration::from_secs(2)));
        assert!(said.contains(": refused: "), "{language:?}: {said}");
        let said = turn(r#"{"type": "type", "text": "still here"}"#, nothing);
        assert!(said.contains(": DONE, "), "{language:?}: {said}");
        receiver.wait_text("still here");
        drop(calls);
        assert!(agent.0.wait().unwrap().success(), "{language:?}");
    }
}
