//! The worker's first day: the examples in Python, TypeScript, Go and Rust, as they stand in
//! `examples/`, over a Unix socket, over TCP with a token, and through a bridge.

use std::{
    io::{BufRead, BufReader, Read, Write},
    path::Path,
    process::{Command, Output, Stdio},
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
    Go,
}
use Language::{Go, Python, Rust, TypeScript};

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
            Go => {
                let built = root.join("target/examples/go").join(name);
                assert!(built.exists(), "run examples/install.sh");
                command(built)
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
    for language in [Python, TypeScript, Rust, Go] {
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
