//! Logs: what they contain, and what not.

use std::{
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use deskd::{
    client::{self, RecorderClient},
    v1::{self, Reason},
};
use serde_json::Value;

use crate::common::{
    Daemon, Witness, XServer,
    daemon::{binary, frame, raw, screen},
    drawing::{Numbers, draw},
    step::{bare, chord, click, key_down, key_up, move_to, paste, pause, text},
    wait_for,
};

/// A daemon that records its own log.
pub struct Recorded {
    pub daemon: Daemon,
    pub folder: tempfile::TempDir,
}

impl Recorded {
    pub fn start(server: &XServer, more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let logs = folder.path().join("logs").display().to_string();
        let mut flags = vec!["--log-dir", &logs];
        flags.extend(more);
        let daemon = Daemon::with(server, &flags);
        // The daemon listens before its log begins.
        wait_for("the daemon's log", Duration::from_secs(10), || {
            let list = daemon.cli(&["log", "list"]).stdout;
            String::from_utf8_lossy(&list)
                .contains("records")
                .then_some(())
        });
        Self { daemon, folder }
    }

    pub fn logs(&self) -> PathBuf {
        self.folder.path().join("logs")
    }

    /// The file of the daemon's own log.
    pub fn file(&self) -> PathBuf {
        let file = files(&self.logs())
            .into_iter()
            .find(|path| path.to_str().unwrap().contains("-daemon-"));
        file.unwrap()
    }

    /// Ends the daemon, and returns its log.
    pub fn end(&mut self) -> PathBuf {
        self.daemon.signal("TERM");
        assert_eq!(self.daemon.wait(Duration::from_secs(10)), Some(0));
        self.file()
    }

    pub async fn recorder(&self) -> RecorderClient<client::Connection> {
        let limit = Duration::from_secs(5);
        let connection = client::connect(&self.daemon.address(), None, None, limit).await;
        client::recorder(connection.unwrap())
    }
}

pub fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Runs `deskd log`, which must succeed; returns its output.
pub fn log(arguments: &[&str]) -> String {
    let output = log_of(arguments);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

pub fn log_of(arguments: &[&str]) -> std::process::Output {
    let mut command = Command::new(binary());
    command.arg("log").args(arguments).output().unwrap()
}

/// The records of a log, as JSON.
pub fn records(file: &Path) -> Vec<Value> {
    let lines = log(&["show", "--json", file.to_str().unwrap()]);
    let lines = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    lines.collect()
}

/// The records of a kind.
pub fn of_kind<'a>(records: &'a [Value], kind: &str) -> Vec<&'a Value> {
    let found = records.iter().map(|record| &record[kind]);
    found.filter(|record| !record.is_null()).collect()
}

/// Every frame that a caller received is in the log, byte for byte: of every format, scaled, of a
/// region, with and without the pointer, while windows come, go and move.
#[tokio::test]
async fn every_frame_comes_back_byte_for_byte() {
    let server = XServer::with_screen("640x480x24", &[]);
    let witness = Witness::new(&server);
    let mut recorded = Recorded::start(&server, &[]);
    let mut client = recorded.daemon.client().await;
    let mut numbers = Numbers(22);
    let mut windows = vec![witness.window((10, 10), (200, 150), 0x0033_6699)];
    let mut received = Vec::new();
    for round in 0..60 {
        for _ in 0..numbers.below(4) {
            draw(&witness, &mut windows, &mut numbers, (640, 480));
        }
        use v1::capture_options::Scale;
        let format = match round % 3 {
            0 => v1::ImageFormat::Png,
            1 => v1::ImageFormat::Jpeg,
            _ => v1::ImageFormat::Webp,
        };
        let capture = v1::CaptureOptions {
            format: format.into(),
            region: (round % 4 == 1).then(|| v1::Region::new(33, 21, 300, 200)),
            scale: (round % 5 == 2).then_some(Scale::Size(v1::Size {
                width: 320,
                height: 240,
            })),
            include_cursor: Some(round % 2 == 0),
            ..v1::CaptureOptions::default()
        };
        let capture = Some(capture);
        let frame = match round % 7 {
            6 => {
                let act = v1::ActRequest {
                    no_frame: false,
                    capture,
                    ..bare(vec![move_to(
                        i32::try_from(numbers.below(600)).unwrap(),
                        40,
                    )])
                };
                client.act(act).await.unwrap().into_inner().frame.unwrap()
            }
            _ => {
                let request = v1::ScreenshotRequest { capture, ..raw() };
                screen(&mut client, request).await
            }
        };
        received.push(frame);
    }
    let file = recorded.end();
    let folder = recorded.folder.path().join("frames");
    log(&[
        "export",
        file.to_str().unwrap(),
        "--to",
        "frames",
        "-o",
        folder.to_str().unwrap(),
    ]);
    let lines = std::fs::read_to_string(folder.join("frames.jsonl")).unwrap();
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), received.len());
    let mut in_steps = 0;
    for (line, frame) in lines.iter().zip(&received) {
        assert_eq!(line["frame_id"], frame.frame_id);
        let image = std::fs::read(folder.join(line["file"].as_str().unwrap())).unwrap();
        assert!(image == frame.image, "{line}");
        in_steps += usize::from(!line["step"].is_null());
    }
    assert!(in_steps >= 8, "{in_steps}");
    let records = records(&file);
    assert_eq!(
        of_kind(&records, "stepBegan").len(),
        of_kind(&records, "stepEnded").len()
    );
    assert_eq!(
        records.last().unwrap()["end"]["reason"],
        "LOG_END_REASON_SHUTDOWN"
    );
    assert!(of_kind(&records, "gap").is_empty());
    // The log is for its owner alone, and alone in its folder.
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&recorded.logs()), mode(&file)), (0o700, 0o600));
    assert_eq!(files(&recorded.logs()), [file]);
}

/// Text that is typed, pasted or pressed key by key is not in the log, nor in what refuses it.
#[tokio::test]
async fn text_is_in_the_log_only_if_the_operator_allows_it() {
    const SECRETS: [&str; 6] = [
        "swordfish",
        "correcthorse",
        "Zx9",
        "hunter",
        "umbrella",
        "U+10FFFF",
    ];
    for allows in [false, true] {
        let server = XServer::start();
        let flags: &[&str] = if allows { &["--log-typed-text"] } else { &[] };
        let mut recorded = Recorded::start(&server, flags);
        let mut client = recorded.daemon.client().await;
        let typed = vec![text("swordfish"), chord(&["ctrl", "a"]), chord(&["Return"])];
        client.act(bare(typed)).await.unwrap();
        // Nothing takes the paste, so the action fails.
        let pasted = client.act(bare(vec![paste("correcthorse")])).await;
        assert!(pasted.is_ok(), "{pasted:?}");
        let pressed = vec![chord(&["Zx9"])];
        let refused = client.act(bare(pressed)).await.unwrap_err();
        assert_eq!(client::reason(&refused), Reason::UnknownKey);
        let unknown = client.act(bare(vec![key_down("hunter", 0)])).await;
        assert_eq!(client::reason(&unknown.unwrap_err()), Reason::UnknownKey);
        let later = v1::ActRequest {
            on_failure: v1::OnFailure::StopAtFirst.into(),
            ..bare(vec![move_to(1, 1), key_up("umbrella")])
        };
        let stopped = client.act(later).await.unwrap().into_inner();
        assert_eq!(stopped.outcome(), v1::ActOutcome::Partial);
        let untypable = client.act(bare(vec![text("a\u{10ffff}")])).await;
        assert_eq!(
            client::reason(&untypable.unwrap_err()),
            Reason::UntypableCharacter
        );
        let file = recorded.end();
        let bytes = std::fs::read(&file).unwrap();
        let has = |secret: &str| {
            bytes
                .windows(secret.len())
                .any(|part| part == secret.as_bytes())
        };
        for secret in SECRETS {
            assert_eq!(has(secret), allows, "{secret}, {allows}");
        }
        let records = records(&file);
        assert_eq!(of_kind(&records, "start")[0]["typedText"], allows);
        let steps = of_kind(&records, "stepBegan");
        assert_eq!(steps.len(), 6);
        let redactions = &steps[0]["redactions"];
        if allows {
            assert_eq!(redactions, &serde_json::json!([]));
        } else {
            assert_eq!(
                redactions,
                &serde_json::json!([{"action": 0, "characters": "9"}])
            );
        }
        // A command is no text.
        let keys = &steps[0]["request"]["actions"][1]["key"]["keys"];
        assert_eq!(keys, &serde_json::json!(["ctrl", "a"]));
        let shown = log(&["show", file.to_str().unwrap()]);
        assert_eq!(
            shown.contains("type 9 characters (not in the log)"),
            !allows,
            "{shown}"
        );
        assert!(shown.contains("refused after"), "{shown}");
        assert!(shown.contains("UNKNOWN_KEY"), "{shown}");
    }
}

/// Changes of control, the loss of the X server, failure cards and other calls are in the log.
#[tokio::test(flavor = "multi_thread")]
async fn what_else_happens_is_in_the_log() {
    let mut server = XServer::with_screen("320x240x24", &[]);
    let mut recorded = Recorded::start(&server, &[]);
    let mut client = recorded.daemon.client().await;
    client.act(bare(vec![click(3, 3)])).await.unwrap();
    let cli = |arguments: &[&str]| {
        let output = recorded.daemon.cli(arguments);
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    // A caller disconnects in the middle of a step: the step stops, and its result is in the log.
    let mut gone = recorded.daemon.client().await;
    let witness = Witness::new(&server);
    let until_at = |place: (i16, i16)| {
        let limit = Duration::from_secs(10);
        wait_for("the step under way", limit, || {
            (witness.pointer() == place).then_some(())
        });
    };
    let long = bare(vec![move_to(71, 72), pause(20_000), click(9, 9)]);
    let call = tokio::spawn(async move { gone.act(long).await });
    tokio::task::block_in_place(|| until_at((71, 72)));
    call.abort();
    let lease = cli(&["control", "take", "--holder", "Ada", "--reason", "signs in"]);
    client.act(bare(vec![click(4, 4)])).await.unwrap_err();
    cli(&["control", "give", "--lease", &lease]);
    let limit = Duration::from_secs(5);
    let connection = client::connect(&recorded.daemon.address(), None, None, limit).await;
    let piece = v1::WriteClipboardRequest {
        data: b"secret words".to_vec(),
        ..v1::WriteClipboardRequest::default()
    };
    let written = client::clipboard(connection.unwrap());
    let written = { written }.write_clipboard(tokio_stream::once(piece)).await;
    assert_eq!(written.unwrap().into_inner().total, 12);
    cli(&["release"]);
    let failed = recorded.daemon.cli(&[
        "run",
        "--deadline",
        "2s",
        "no-such-program",
        "secret-argument",
    ]);
    assert!(!failed.status.success());
    // The X server is lost in the middle of a step.
    let mut lost = recorded.daemon.client().await;
    let cut = bare(vec![move_to(81, 82), pause(1_500), click(9, 9)]);
    let call = tokio::spawn(async move { lost.act(cut).await });
    tokio::task::block_in_place(|| until_at((81, 82)));
    drop(witness);
    server.kill();
    let unknown = call.await.unwrap().unwrap().into_inner();
    let card = frame(&mut client, raw()).await;
    assert_eq!(card.kind(), v1::FrameKind::FailureCard);
    let file = recorded.end();
    let records = records(&file);
    let control = of_kind(&records, "control");
    assert_eq!(control.len(), 3, "{control:?}");
    assert_eq!(control[1]["lease"]["holder"], "Ada");
    assert_eq!(control[2]["lastEnd"], "LEASE_END_GIVEN");
    let calls = of_kind(&records, "call");
    let methods: Vec<_> = calls
        .iter()
        .map(|call| call["method"].as_str().unwrap())
        .collect();
    assert_eq!(methods, ["WriteClipboard", "ReleaseAll", "Launch"]);
    assert_eq!(calls[0]["clipboardBytes"], "12");
    let displays = of_kind(&records, "display");
    assert_eq!(displays.last().unwrap()["connected"], false);
    let frames = of_kind(&records, "frame");
    assert_eq!(frames.last().unwrap()["kind"], "FRAME_KIND_FAILURE_CARD");
    let reason = frames.last().unwrap()["failure"]["reason"]
        .as_str()
        .unwrap();
    assert!(reason.starts_with("REASON_"), "{reason}");
    let ended = of_kind(&records, "stepEnded");
    // Each step has one end.
    let steps: Vec<_> = ended.iter().map(|end| end["step"].clone()).collect();
    assert_eq!(steps, ["1", "2", "3", "4"]);
    assert_eq!(ended[1]["response"]["outcome"], "ACT_OUTCOME_CANCELLED");
    assert_eq!(ended[2]["refused"]["reason"], "REASON_HUMAN_IN_CONTROL");
    let outcome = unknown.outcome().as_str_name();
    assert_ne!(unknown.outcome(), v1::ActOutcome::Done);
    assert_eq!(ended[3]["response"]["outcome"], outcome);
    // What causes a refusal comes before it.
    let place = |found: &dyn Fn(&Value) -> bool| records.iter().position(found).unwrap();
    let taken = place(&|record| record["control"]["lease"]["holder"] == "Ada");
    let refused = place(&|record| !record["stepEnded"]["refused"].is_null());
    assert!(taken < refused);
    // The message of a launch may have its folder and arguments.
    assert_eq!(calls[2]["refused"]["message"], "");
    let times = records.iter().map(|record| {
        let at = record["at"].as_str().unwrap().trim_end_matches('s');
        at.parse::<f64>().unwrap()
    });
    assert!(times.is_sorted());
    let bytes = std::fs::read(&file).unwrap();
    for secret in ["secret words", "secret-argument", lease.as_str()] {
        let found = bytes
            .windows(secret.len())
            .any(|part| part == secret.as_bytes());
        assert!(!found, "{secret}");
    }
}
