//! `make bench-log`: what a log adds to a step on a real XFCE, and the bytes that it takes. Steps with
//! and without a log alternate in blocks. Writes `target/bench/log.json`.

#![allow(dead_code, unused_imports, missing_docs, unreachable_pub)]
#![allow(clippy::unwrap_used, clippy::cast_precision_loss)]

mod common;

use std::{
    collections::BTreeMap,
    fs,
    process::Command,
    time::{Duration, Instant},
};

use common::{
    Daemon, XServer,
    daemon::binary,
    desktop::Session,
    program,
    step::{bare, chord, click, text},
};
use deskd::{
    client::{self, RecorderClient},
    v1,
};
use serde_json::{Value, json};

const BLOCKS: usize = 24;
const BLOCK: usize = 10;
const STILL: Duration = Duration::from_secs(20);

type Recorder = RecorderClient<client::Connection>;

/// The kinds of steps: what an agent does, and the fastest step that there is.
fn steps() -> Vec<(&'static str, v1::ActRequest)> {
    let ordinary = |actions| v1::ActRequest {
        settle: None,
        no_frame: false,
        ..bare(actions)
    };
    vec![
        ("click", ordinary(vec![click(500, 400)])),
        ("type", ordinary(vec![text("echo some words")])),
        ("return", ordinary(vec![chord(&["Return"])])),
        (
            "click without settling",
            v1::ActRequest {
                settle: bare(vec![]).settle,
                ..ordinary(vec![click(510, 410)])
            },
        ),
        (
            "batch",
            ordinary(vec![
                click(520, 420),
                text("ls"),
                chord(&["Return"]),
                chord(&["ctrl", "l"]),
            ]),
        ),
    ]
}

async fn start(recorder: &mut Recorder) -> String {
    let request = v1::StartRecordingRequest::default();
    let started = recorder.start_recording(request).await.unwrap();
    let id = started.into_inner().recording.unwrap().recording_id;
    // The first picture of the whole screen.
    tokio::time::sleep(Duration::from_millis(400)).await;
    id
}

async fn stop(recorder: &mut Recorder, recording_id: String) -> v1::Recording {
    let request = v1::StopRecordingRequest { recording_id };
    let stopped = recorder.stop_recording(request).await.unwrap();
    stopped.into_inner().recording.unwrap()
}

#[tokio::main]
async fn main() {
    let server = XServer::with_screen("1280x800x24", &[]);
    let desktop = Session::xfce(&server);
    let daemon = Daemon::with(&server, &["--profile", "xfce"]);
    let ready = daemon.cli(&["ready", "--deadline", "60s"]);
    assert!(ready.status.success(), "{ready:?}");
    let mut xterm = desktop.program(&server, "xterm");
    xterm.args(["-geometry", "100x30+200+150", "+bc", "-e", "bash --norc"]);
    let _xterm = program::spawn(&mut xterm, "xterm");
    tokio::time::sleep(Duration::from_secs(3)).await;
    let mut client = daemon.client().await;
    let limit = Duration::from_secs(5);
    let connection = client::connect(&daemon.address(), None, None, limit).await;
    let mut recorder = client::recorder(connection.unwrap());

    let mut times: BTreeMap<&str, [Vec<f64>; 2]> = BTreeMap::new();
    for block in 0..BLOCKS {
        // In the order off, on, on, off, so that a drift counts for both.
        let is_on = matches!(block % 4, 1 | 2);
        let id = match is_on {
            true => Some(start(&mut recorder).await),
            false => {
                tokio::time::sleep(Duration::from_millis(400)).await;
                None
            }
        };
        for _ in 0..BLOCK {
            for (kind, request) in steps() {
                let began = Instant::now();
                let done = client.act(request).await.unwrap().into_inner();
                assert_eq!(done.outcome(), v1::ActOutcome::Done, "{done:?}");
                let took = began.elapsed().as_secs_f64() * 1000.0;
                times.entry(kind).or_default()[usize::from(is_on)].push(took);
            }
        }
        if let Some(id) = id {
            stop(&mut recorder, id).await;
        }
    }
    let mut table = Vec::new();
    println!(
        "{:<24} {:>10} {:>10} {:>7}",
        "step", "without", "with a log", "ratio"
    );
    for (kind, [off, on]) in &mut times {
        let (without, with) = (median(off), median(on));
        let ratio = with / without;
        println!("{kind:<24} {without:>7.2} ms {with:>7.2} ms {ratio:>7.3}");
        table.push(json!({"step": kind, "without_ms": without, "with_ms": with, "ratio": ratio}));
    }

    // The bytes of 100 ordinary steps.
    let id = start(&mut recorder).await;
    let before = daemon.cli(&["log", "list"]);
    assert!(before.status.success());
    let ordinary: Vec<_> = steps().into_iter().take(3).collect();
    for (_, request) in ordinary.iter().cycle().take(100) {
        client.act(request.clone()).await.unwrap();
    }
    let recording = stop(&mut recorder, id.clone()).await;
    let folder = format!("{}.logs", daemon.socket().display());
    let file = format!("{folder}/{id}.deskdlog");
    let shown = Command::new(binary())
        .args(["log", "show", &file])
        .output()
        .unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    let pictures = |line: &str| {
        let bytes = line.split_once(": ")?.1.rsplit(", ").next()?;
        bytes.strip_suffix(" bytes")?.parse::<u64>().ok()
    };
    let screens = shown.lines().filter(|line| line.contains("  screen "));
    let pixels: u64 = screens.filter_map(pictures).sum();
    let rest = recording.bytes - pixels;
    println!(
        "100 steps: {} KiB, of which {} KiB are pictures and {} KiB the rest ({} lost)",
        recording.bytes >> 10,
        pixels >> 10,
        rest >> 10,
        recording.lost
    );

    // A screen that does not change.
    let alone = cpu(&daemon).await;
    let id = start(&mut recorder).await;
    let bytes = async |recorder: &mut Recorder| {
        let list = recorder.list_recordings(v1::ListRecordingsRequest {}).await;
        list.unwrap().into_inner().recordings[0].bytes
    };
    let first = bytes(&mut recorder).await;
    let still = cpu(&daemon).await;
    let added = bytes(&mut recorder).await - first;
    stop(&mut recorder, id).await;
    println!(
        "still screen: {added} bytes in {} s, {:.3} % of a core (without a log {:.3} %)",
        STILL.as_secs(),
        still * 100.0,
        alone * 100.0
    );
    let report = json!({
        "steps": table,
        "bytes_of_100_steps": {"all": recording.bytes, "pictures": pixels, "rest": rest},
        "still": {"bytes": added, "core": still, "core_without": alone},
    });
    fs::create_dir_all("target/bench").unwrap();
    fs::write("target/bench/log.json", format!("{report:#}\n")).unwrap();
}

/// The share of a core that the daemon uses, by the scheduler's count.
async fn cpu(daemon: &Daemon) -> f64 {
    let used = || {
        let tasks = fs::read_dir(format!("/proc/{}/task", daemon.pid())).unwrap();
        let nanoseconds = tasks.map(|task| {
            let path = task.unwrap().path().join("schedstat");
            let text = fs::read_to_string(path).unwrap_or_default();
            let first = text
                .split(' ')
                .next()
                .and_then(|word| word.parse::<u64>().ok());
            first.unwrap_or(0)
        });
        nanoseconds.sum::<u64>()
    };
    let before = used();
    tokio::time::sleep(STILL).await;
    (used() - before) as f64 / 1e9 / STILL.as_secs_f64()
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
