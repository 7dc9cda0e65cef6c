//! Logs that callers begin, end and fetch.

use std::{path::Path, time::Duration};

use deskd::{
    client::{self, RecorderClient},
    v1::{self, LogEndReason, Reason},
};
use tonic::Code;

use crate::common::{
    Daemon, XServer,
    step::{bare, click},
};
use crate::log::{Recorded, of_kind, records};

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
