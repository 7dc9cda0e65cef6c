//! Logs: what survives a kill and a full disk, where they may lie, and their limits.

use std::{os::unix::fs::PermissionsExt as _, path::PathBuf, process::Command, time::Duration};

use deskd::{
    client::{self},
    v1::{self, LogEndReason, Reason},
};
use serde_json::Value;

use crate::common::{
    Daemon, Witness, XServer,
    daemon::{binary, frame, raw},
    drawing::Numbers,
    step::{bare, click, text},
    wait_for,
};
use crate::log::{Recorded, files, log, log_of, of_kind, records};

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
    // Nor do many small texts, of each of which the log would say that it is missing.
    let letters = bare(vec![text("a"); 20_000]);
    for _ in 0..20 {
        client.act(letters.clone()).await.unwrap_err();
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
