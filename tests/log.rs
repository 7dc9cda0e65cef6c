//! Logs: what they contain and what not, what survives a kill and a full disk, and their limits.

use std::{
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use deskd::{
    client::{self, RecorderClient},
    v1::{self, LogEndReason, Reason},
};
use serde_json::Value;
use tonic::Code;

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

fn files(folder: &Path) -> Vec<PathBuf> {
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
fn of_kind<'a>(records: &'a [Value], kind: &str) -> Vec<&'a Value> {
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

/// After SIGKILL in the middle of a run, and cut at 200 places, a log has every record up to there.
#[tokio::test]
async fn every_prefix_of_a_log_can_be_read() {
    let server = XServer::with_screen("320x240x24", &[]);
    let witness = Witness::new(&server);
    let recorded = Recorded::start(&server, &[]);
    let mut client = recorded.daemon.client().await;
    for step in 0..30_i16 {
        witness.draw(
            witness.root(),
            (step * 9, step * 5),
            (40, 30),
            0x0002_3456 * (u32::try_from(step).unwrap() + 1),
        );
        client
            .act(bare(vec![click(i32::from(step) * 3, 20)]))
            .await
            .unwrap();
        frame(&mut client, raw()).await;
    }
    let mut recorded = recorded;
    recorded.daemon.signal("KILL");
    assert_eq!(recorded.daemon.wait(Duration::from_secs(5)), None);
    let file = recorded.file();
    let bytes = std::fs::read(&file).unwrap();
    let whole = log(&["show", file.to_str().unwrap()]);
    let whole: Vec<&str> = whole.lines().collect();
    assert!(
        whole
            .iter()
            .filter(|line| line.contains(" DONE in "))
            .count()
            >= 29,
        "{whole:?}"
    );
    let mut numbers = Numbers(7);
    let cut = recorded.folder.path().join("cut.deskdlog");
    let (mut shortened, mut complete) = (0, 0);
    for _ in 0..200 {
        let length = numbers.below(u32::try_from(bytes.len()).unwrap()) as usize;
        std::fs::write(&cut, &bytes[..length]).unwrap();
        let output = log_of(&["show", cut.to_str().unwrap()]);
        if length == 0 {
            assert!(!output.status.success());
            continue;
        }
        assert!(output.status.success(), "{length}: {output:?}");
        let shown = String::from_utf8(output.stdout).unwrap();
        let shown: Vec<&str> = shown.lines().collect();
        assert!(whole.starts_with(&shown), "{length}");
        let said = String::from_utf8(output.stderr).unwrap();
        match said.contains("cut off at byte") {
            true => shortened += 1,
            false => complete += 1,
        }
    }
    assert!(
        shortened > 150 && shortened + complete >= 199,
        "{shortened} {complete}"
    );
    // What is damaged in the middle is found, and what is before is shown.
    let mut damaged = bytes.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    std::fs::write(&cut, &damaged).unwrap();
    let output = log_of(&["show", cut.to_str().unwrap()]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.success() && said.contains("is damaged"),
        "{said}"
    );
    for content in [&b"GIF89a"[..], b"DESKDLOG\x09\0\0\0"] {
        std::fs::write(&cut, content).unwrap();
        assert_eq!(
            log_of(&["show", cut.to_str().unwrap()]).status.code(),
            Some(1)
        );
    }
}

/// A caller records, fetches the log while it records and after it, and cannot touch the daemon's own.
#[tokio::test]
async fn callers_start_stop_list_and_fetch_logs() {
    let server = XServer::with_screen("320x240x24", &[]);
    let recorded = Recorded::start(&server, &[]);
    let (mut client, mut recorder) = (recorded.daemon.client().await, recorded.recorder().await);
    let start = |name: &str| v1::StartRecordingRequest {
        name: name.into(),
        ..v1::StartRecordingRequest::default()
    };
    let started = recorder
        .start_recording(start("one"))
        .await
        .unwrap()
        .into_inner();
    let one = started.recording.unwrap();
    assert!(one.recording && !one.of_daemon && one.recording_id.contains("-one-"));
    client.act(bare(vec![click(5, 5)])).await.unwrap();
    let early = wait_for_bytes(
        &mut recorder,
        &one.recording_id,
        "stepEnded",
        recorded.folder.path(),
    )
    .await;
    client.act(bare(vec![click(6, 6)])).await.unwrap();
    let id = |id: &str| v1::StopRecordingRequest {
        recording_id: id.into(),
    };
    let stopped = recorder
        .stop_recording(id(&one.recording_id))
        .await
        .unwrap();
    let stopped = stopped.into_inner().recording.unwrap();
    assert!(!stopped.recording && stopped.lost == 0);
    assert_eq!(stopped.end_reason(), LogEndReason::Stopped);
    // The rest follows the part that was fetched before.
    let (rest, state) = fetch(&mut recorder, &one.recording_id, early.len() as u64).await;
    let whole = [early.as_slice(), &rest].concat();
    let file = recorded
        .logs()
        .join(format!("{}.deskdlog", one.recording_id));
    assert!(whole == std::fs::read(&file).unwrap());
    assert_eq!(state, stopped);
    assert_eq!(state.bytes, whole.len() as u64);
    let steps = records(&file);
    assert_eq!(of_kind(&steps, "stepEnded").len(), 2);
    assert_eq!(of_kind(&steps, "start")[0]["name"], "one");
    client.act(bare(vec![click(7, 7)])).await.unwrap();
    assert_eq!(std::fs::read(&file).unwrap().len(), whole.len());
    // Stopping it again changes nothing.
    let again = recorder
        .stop_recording(id(&one.recording_id))
        .await
        .unwrap();
    assert_eq!(again.into_inner().recording.unwrap(), stopped);

    let list = recorder
        .list_recordings(v1::ListRecordingsRequest {})
        .await
        .unwrap();
    let list = list.into_inner().recordings;
    assert_eq!(list.len(), 2);
    let own = list.iter().find(|one| one.of_daemon).unwrap().clone();
    let refused = recorder
        .stop_recording(id(&own.recording_id))
        .await
        .unwrap_err();
    assert_eq!(client::reason(&refused), Reason::RecordingProtected);
    assert_eq!(refused.code(), Code::PermissionDenied);
    for (wrong, reason) in [
        ("none", Reason::UnknownRecording),
        ("../x", Reason::InvalidField),
        ("", Reason::InvalidField),
    ] {
        let refused = recorder.stop_recording(id(wrong)).await.unwrap_err();
        assert_eq!(client::reason(&refused), reason, "{wrong}");
        let request = v1::FetchRecordingRequest {
            recording_id: wrong.into(),
            offset: 0,
        };
        let refused = recorder.fetch_recording(request).await.err().unwrap();
        assert_eq!(client::reason(&refused), reason, "{wrong}");
    }
    for wrong in [
        start("a/b"),
        start(&"a".repeat(49)),
        v1::StartRecordingRequest {
            max_bytes: 1000,
            ..start("")
        },
        v1::StartRecordingRequest {
            max_duration: Duration::from_millis(1).try_into().ok(),
            ..start("")
        },
    ] {
        let refused = recorder.start_recording(wrong.clone()).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{wrong:?}");
    }
    for _ in 0..4 {
        recorder.start_recording(start("")).await.unwrap();
    }
    let refused = recorder.start_recording(start("")).await.unwrap_err();
    assert_eq!(client::reason(&refused), Reason::QueueFull);
    // One that ends by its duration makes room.
    let output = recorded.daemon.cli(&["log", "list"]);
    let shown = String::from_utf8(output.stdout).unwrap();
    assert_eq!(shown.matches("bytes  records").count(), 5, "{shown}");
    assert!(shown.contains("stopped"), "{shown}");
}

async fn fetch(
    recorder: &mut RecorderClient<client::Connection>,
    id: &str,
    offset: u64,
) -> (Vec<u8>, v1::Recording) {
    let request = v1::FetchRecordingRequest {
        recording_id: id.into(),
        offset,
    };
    let mut pieces = recorder
        .fetch_recording(request)
        .await
        .unwrap()
        .into_inner();
    let (mut bytes, mut state) = (Vec::new(), None);
    while let Some(piece) = pieces.message().await.unwrap() {
        bytes.extend(piece.data);
        assert_eq!(piece.offset, offset + bytes.len() as u64);
        state = piece.recording.or(state);
    }
    (bytes, state.unwrap())
}

/// Fetches a log until it has a record of a kind.
async fn wait_for_bytes(
    recorder: &mut RecorderClient<client::Connection>,
    id: &str,
    kind: &str,
    folder: &Path,
) -> Vec<u8> {
    let file = folder.join("early.deskdlog");
    for _ in 0..200 {
        let (bytes, _) = fetch(recorder, id, 0).await;
        std::fs::write(&file, &bytes).unwrap();
        if !of_kind(&records(&file), kind).is_empty() {
            return bytes;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{id} has no {kind}");
}

/// Without a folder of its own, the daemon writes callers' logs beside its socket. It writes to no
/// folder that others can write to.
#[tokio::test]
async fn logs_lie_where_nobody_else_can_write() {
    let server = XServer::with_screen("320x240x24", &[]);
    let daemon = Daemon::start(&server);
    let output = daemon.cli(&["log", "start", "--name", "x"]);
    let id = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    let mut logs = daemon.socket().into_os_string();
    logs.push(".logs");
    let logs = PathBuf::from(logs);
    assert!(logs.join(format!("{id}.deskdlog")).is_file(), "{id}");
    std::fs::set_permissions(&logs, std::fs::Permissions::from_mode(0o777)).unwrap();
    let output = daemon.cli(&["log", "start"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(
        said.contains("RECORDING_UNAVAILABLE") && said.contains("0700"),
        "{said}"
    );
    drop(daemon);
    for (prepare, why) in [
        ("open", "other users can write to it"),
        ("link", "Not a directory"),
        ("file", "File exists"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let logs = folder.path().join("logs");
        match prepare {
            "open" => {
                std::fs::create_dir(&logs).unwrap();
                let all = std::fs::Permissions::from_mode(0o777);
                std::fs::set_permissions(&logs, all).unwrap();
            }
            "link" => std::os::unix::fs::symlink(folder.path(), &logs).unwrap(),
            _ => std::fs::write(&logs, "").unwrap(),
        }
        let output = Command::new(binary())
            .args(["serve", "--display", &server.display(), "--log-dir"])
            .arg(&logs)
            .args([
                "--listen",
                &format!("unix:{}", folder.path().join("s").display()),
            ])
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(why), "{prepare}: {said}");
    }
}

/// A full disk costs no step. The log goes on when there is room, and says what is missing.
#[tokio::test]
async fn a_full_disk_under_the_log_costs_no_step() {
    let server = XServer::with_screen("320x240x24", &[]);
    let witness = Witness::new(&server);
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().join("disk");
    std::fs::create_dir(&disk).unwrap();
    let mount = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=256k,mode=700", "tmpfs"])
        .arg(&disk)
        .status();
    assert!(mount.unwrap().success(), "mounting needs root");
    let flags = ["--log-dir", disk.to_str().unwrap()];
    let mut daemon = Daemon::with(&server, &flags);
    std::fs::write(disk.join("other"), vec![1; 150 << 10]).unwrap();
    let mut client = daemon.client().await;
    let limit = Duration::from_secs(5);
    let connection = client::connect(&daemon.address(), None, None, limit).await;
    let mut recorder = client::recorder(connection.unwrap());
    let mut numbers = Numbers(3);
    let mut state = v1::Recording::default();
    for _ in 0..400 {
        let noise: Vec<u8> = (0..120 * 100 * 4)
            .map(|_| u8::try_from(numbers.below(256)).unwrap())
            .collect();
        witness.put(&noise, (20, 20), (120, 100));
        let step = client
            .act(bare(vec![click(9, 9)]))
            .await
            .unwrap()
            .into_inner();
        assert_eq!(step.outcome(), v1::ActOutcome::Done);
        frame(&mut client, raw()).await;
        let list = recorder.list_recordings(v1::ListRecordingsRequest {}).await;
        state = list.unwrap().into_inner().recordings.remove(0);
        if !state.error.is_empty() && state.lost > 5 {
            break;
        }
    }
    assert!(state.error.contains("No space left"), "{state:?}");
    std::fs::remove_file(disk.join("other")).unwrap();
    let listed = wait_for("room for the log", Duration::from_secs(30), || {
        let output = daemon.cli(&["pressed"]);
        assert!(output.status.success());
        let output = daemon.cli(&["release"]);
        assert!(output.status.success());
        let output = daemon.cli(&["log", "list"]);
        let shown = String::from_utf8(output.stdout).unwrap();
        (!shown.contains("cannot be written")).then_some(shown)
    });
    assert!(listed.contains("records are missing"), "{listed}");
    client.act(bare(vec![click(77, 78)])).await.unwrap();
    let png = v1::ScreenshotRequest {
        capture: Some(v1::CaptureOptions::default()),
        ..raw()
    };
    let after = frame(&mut client, png).await;
    daemon.signal("TERM");
    assert_eq!(daemon.wait(Duration::from_secs(10)), Some(0));
    let file = files(&disk).remove(0);
    let records = records(&file);
    let gaps = of_kind(&records, "gap");
    assert!(!gaps.is_empty());
    let reason = |gap: &&Value| gap["reason"] == "LOG_GAP_REASON_WRITE_FAILED";
    assert!(gaps.iter().any(reason), "{gaps:?}");
    // After the gap, the screen is complete again, and the last step is there.
    let place = records
        .iter()
        .rposition(|record| !record["gap"].is_null())
        .unwrap();
    let screens = of_kind(&records[place..], "screen");
    assert_eq!(screens[0]["key"], true);
    let shown = log(&["show", file.to_str().unwrap()]);
    assert!(shown.contains("click left 77,78"), "{shown}");
    assert!(shown.contains("end: the daemon ended"), "{shown}");
    // A picture from after the gap is exact, with the pointer.
    let frames = folder.path().join("frames");
    let name = frames.to_str().unwrap();
    log(&[
        "export",
        file.to_str().unwrap(),
        "--to",
        "frames",
        "-o",
        name,
    ]);
    let lines = std::fs::read_to_string(frames.join("frames.jsonl")).unwrap();
    let last: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    assert_eq!(last["frame_id"], after.frame_id);
    let image = std::fs::read(frames.join(last["file"].as_str().unwrap())).unwrap();
    assert!(image == after.image);
    let unmounted = Command::new("umount").arg(&disk).status();
    assert!(unmounted.unwrap().success());
}

/// However many logs a caller begins, those of the daemon stay.
#[tokio::test]
async fn callers_delete_no_log_of_the_daemon() {
    let server = XServer::with_screen("320x240x24", &[]);
    let mut earlier = Recorded::start(&server, &[]);
    let earlier_log = earlier.end();
    let logs = earlier.logs().display().to_string();
    let daemon = Daemon::with(&server, &["--log-dir", &logs]);
    let limit = Duration::from_secs(5);
    let connection = client::connect(&daemon.address(), None, None, limit).await;
    let mut recorder = client::recorder(connection.unwrap());
    for _ in 0..70 {
        let request = v1::StartRecordingRequest::default();
        let started = recorder
            .start_recording(request)
            .await
            .unwrap()
            .into_inner();
        let recording_id = started.recording.unwrap().recording_id;
        let request = v1::StopRecordingRequest { recording_id };
        recorder.stop_recording(request).await.unwrap();
    }
    let list = recorder.list_recordings(v1::ListRecordingsRequest {}).await;
    let list = list.unwrap().into_inner().recordings;
    assert_eq!(list.len(), 64 + 2);
    assert!(list.iter().any(|one| one.of_daemon));
    assert!(earlier_log.is_file());
    let named = v1::StartRecordingRequest {
        name: "daemon".into(),
        ..v1::StartRecordingRequest::default()
    };
    let refused = recorder.start_recording(named).await.unwrap_err();
    assert_eq!(client::reason(&refused), Reason::InvalidField);
}

/// A log has a maximum size: first the pictures end, then the log. Nothing else does.
#[tokio::test]
async fn a_log_is_bounded_in_size_and_time() {
    let server = XServer::with_screen("640x480x24", &[]);
    let witness = Witness::new(&server);
    let recorded = Recorded::start(&server, &["--log-max-bytes", "1MiB"]);
    let (mut client, mut recorder) = (recorded.daemon.client().await, recorded.recorder().await);
    let larger = v1::StartRecordingRequest {
        max_bytes: 2 << 20,
        ..v1::StartRecordingRequest::default()
    };
    let refused = recorder.start_recording(larger).await.unwrap_err();
    assert_eq!(client::reason(&refused), Reason::LimitExceeded);
    let mut numbers = Numbers(5);
    for _ in 0..12 {
        let noise: Vec<u8> = (0..250 * 200 * 4)
            .map(|_| u8::try_from(numbers.below(256)).unwrap())
            .collect();
        witness.put(&noise, (20, 20), (250, 200));
        frame(&mut client, raw()).await;
    }
    let filling = |size: usize| v1::ActRequest {
        operation_id: "x".repeat(size),
        ..bare(vec![click(9, 9)])
    };
    // A refused request of any size takes no room: its content is left out.
    for _ in 0..100 {
        client.act(filling(100_000)).await.unwrap_err();
    }
    let list = recorder
        .list_recordings(v1::ListRecordingsRequest {})
        .await
        .unwrap();
    assert!(list.into_inner().recordings[0].recording);
    for _ in 0..100 {
        client.act(filling(60_000)).await.unwrap_err();
    }
    client.act(bare(vec![click(9, 9)])).await.unwrap();
    let list = recorder
        .list_recordings(v1::ListRecordingsRequest {})
        .await
        .unwrap();
    let list = list.into_inner().recordings;
    let own = list.iter().find(|one| one.of_daemon).unwrap();
    assert_eq!(own.end_reason(), LogEndReason::Size, "{own:?}");
    assert!(own.bytes <= 1 << 20 && own.bytes > 800_000, "{own:?}");
    let request = v1::StartRecordingRequest {
        max_duration: Duration::from_secs(1).try_into().ok(),
        ..v1::StartRecordingRequest::default()
    };
    let short = recorder
        .start_recording(request)
        .await
        .unwrap()
        .into_inner();
    let short = short.recording.unwrap().recording_id;
    let by_time = wait_for("the end of the short log", Duration::from_secs(10), || {
        let output = recorded.daemon.cli(&["log", "list", "--json"]);
        let list: Value = serde_json::from_slice(&output.stdout).unwrap();
        let list = list["recordings"].as_array().unwrap().clone();
        let found = list
            .into_iter()
            .find(|one| one["recordingId"] == short.as_str());
        found.filter(|one| one["recording"] == false)
    });
    assert_eq!(by_time["endReason"], "LOG_END_REASON_DURATION");
    let records = records(&recorded.file());
    assert_eq!(
        records.last().unwrap()["end"]["reason"],
        "LOG_END_REASON_SIZE"
    );
    // Once the pictures ended, frames say that the log does not have them.
    let frames = of_kind(&records, "frame");
    assert_eq!(frames.last().unwrap()["screen"], "0");
    assert_ne!(frames[0]["screen"], "0");
}

/// Changes of control, the loss of the X server, failure cards and other calls are in the log.
#[tokio::test]
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
    let long = bare(vec![pause(20_000), click(9, 9)]);
    let call = tokio::spawn(async move { gone.act(long).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
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
    let cut = bare(vec![click(5, 5), pause(20_000), click(9, 9)]);
    let call = tokio::spawn(async move { lost.act(cut).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
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
