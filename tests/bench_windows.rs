//! `make bench-windows`: the list of 50 windows, the picture of one window beside a region of the
//! same size, 16 MiB through the clipboard, and 1,000 randomised waits; and what each window manager
//! makes of changes. Writes `target/bench/windows.json`.

#![allow(dead_code, unused_imports, missing_docs, unreachable_pub)]
#![allow(clippy::unwrap_used, clippy::cast_precision_loss)]

mod common;

use std::{fs, time::Instant};

use common::{
    Daemon, Witness, XServer,
    drawing::Numbers,
    pacing::{LARGE, MANAGERS},
    random_waits,
    window_table::{CHANGES, list, outcomes, titled, windows, xterm},
};
use deskd::{client, v1};
use serde_json::json;

const ROUNDS: usize = 50;
/// Number of pictures of each kind.
const PICTURES: u32 = 300;

#[tokio::main]
async fn main() {
    let server = XServer::with_screen("1920x1080x24", &["-ac"]);
    let session = MANAGERS[0].start(&server);
    let mut programs = Vec::new();
    for number in 0..50 {
        let (x, y) = (number % 10 * 150, number / 10 * 150);
        programs.push(xterm(
            &server,
            &format!("Window {number}"),
            &format!("80x24+{x}+{y}"),
        ));
    }
    let daemon = Daemon::with(&server, &[]);
    let mut windows = windows(&daemon).await;
    while list(&mut windows).await.windows.len() < 50 {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let count = list(&mut windows).await.windows.len();
        times.push(start.elapsed().as_secs_f64() * 1000.0);
        assert!(count >= 50, "{count}");
    }
    let listed = median(times);
    println!("list of 50 windows: {listed:.2} ms");

    // The last window is shown whole, those of the row above are covered.
    let change = v1::ChangeWindowRequest {
        window: Some(titled("Window 49")),
        change: Some(v1::change_window_request::Change::Operation(
            v1::WindowOperation::Activate.into(),
        )),
        timeout: None,
    };
    windows.change_window(change).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let all = list(&mut windows).await.windows;
    let mut cells = Vec::new();
    for (kind, title, name, format) in [
        ("shown", "Window 49", "PNG", v1::ImageFormat::Png),
        ("shown", "Window 49", "raw", v1::ImageFormat::RawBgrx),
        ("covered", "Window 35", "PNG", v1::ImageFormat::Png),
        ("covered", "Window 35", "raw", v1::ImageFormat::RawBgrx),
    ] {
        let last = all.iter().find(|window| window.title == title).unwrap();
        let witness = Witness::new(&server);
        let region = v1::CaptureOptions {
            format: format.into(),
            region: last.frame,
            include_cursor: Some(false),
            ..v1::CaptureOptions::default()
        };
        let target = v1::window_target::Target::Id(last.id.clone());
        let window = v1::CaptureOptions {
            region: None,
            window: Some(v1::WindowImage {
                window: Some(v1::WindowTarget {
                    target: Some(target),
                }),
                with_popups: false,
            }),
            ..region.clone()
        };
        let mut client = daemon.client().await;
        for changes in [false, true] {
            let drawn = changes.then(|| (&witness, xid(last)));
            let (region, window) = shots(&mut client, drawn, [&region, &window]).await;
            let ratio = window / region;
            let what = if changes { "changed" } else { "unchanged" };
            println!(
                "{kind}, {name} {what}: region {region:.2} ms, window {window:.2} ms, {ratio:.2}"
            );
            cells.push(json!({
                "kind": kind, "format": name, "changed": changes, "region_ms": region, "window_ms": window,
            }));
        }
    }
    drop((programs, session));
    let (own, launched) = starts().await;
    println!("xterm painted: started by itself {own:.0} ms, launched {launched:.0} ms");

    let content = vec![7_u8; 16 << 20];
    let limit = std::time::Duration::from_secs(5);
    let connection = client::connect(&daemon.address(), None, None, limit).await;
    let mut clipboard = client::clipboard(connection.unwrap());
    let pieces: Vec<v1::WriteClipboardRequest> = content
        .chunks(200 << 10)
        .enumerate()
        .map(|(number, piece)| v1::WriteClipboardRequest {
            format: if number == 0 {
                "application/x".into()
            } else {
                String::new()
            },
            data: piece.to_vec(),
            ..v1::WriteClipboardRequest::default()
        })
        .collect();
    let start = Instant::now();
    clipboard
        .write_clipboard(tokio_stream::iter(pieces))
        .await
        .unwrap();
    let mut xclip = server.program("xclip");
    xclip.args(["-selection", "clipboard", "-o", "-t", "application/x"]);
    let read = xclip.output().unwrap().stdout;
    let written = start.elapsed().as_secs_f64();
    assert!(read == content);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("content");
    fs::write(&file, &content).unwrap();
    let mut xclip = server.program("xclip");
    xclip
        .args(["-selection", "clipboard", "-t", "application/y"])
        .arg(&file);
    assert!(xclip.status().unwrap().success());
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    let start = Instant::now();
    let request = v1::ReadClipboardRequest {
        format: "application/y".into(),
        ..v1::ReadClipboardRequest::default()
    };
    let mut stream = clipboard
        .read_clipboard(request)
        .await
        .unwrap()
        .into_inner();
    let mut data = Vec::new();
    while let Some(piece) = stream.message().await.unwrap() {
        data.extend_from_slice(&piece.data);
    }
    let fetched = start.elapsed().as_secs_f64();
    assert!(data == content);
    println!("16 MiB: written and pasted by xclip {written:.2} s, read from xclip {fetched:.2} s");

    let wrong = random_waits::run(&server, &daemon, 1000, &mut Numbers(11)).await;
    println!("randomised waits: 1000, not true: {}", wrong.len());
    for line in &wrong {
        println!("  {line}");
    }

    println!(
        "{:<9} {}",
        "",
        CHANGES.map(|name| format!("{name:<12}")).join("")
    );
    let mut table = Vec::new();
    for manager in MANAGERS.into_iter().chain(LARGE) {
        let (named, outcomes) = outcomes(&manager).await;
        let words: Vec<String> = outcomes.iter().map(|outcome| word(*outcome)).collect();
        let shown: Vec<String> = words.iter().map(|word| format!("{word:<12}")).collect();
        println!("{:<9} {}", manager.name, shown.join(""));
        table.push(json!({"manager": manager.name, "named": named, "outcomes": words}));
    }
    fs::create_dir_all("target/bench").unwrap();
    let report = json!({
        "list_50_ms": listed, "pictures": cells, "own_start_ms": own, "launch_ms": launched, "clipboard_write_s": written,
        "clipboard_read_s": fetched, "waits": 1000, "false_waits": wrong.len(), "managers": table,
    });
    fs::write(
        "target/bench/windows.json",
        serde_json::to_vec_pretty(&report).unwrap(),
    )
    .unwrap();
}

fn word(outcome: v1::WindowOutcome) -> String {
    let name = outcome.as_str_name().trim_start_matches("WINDOW_OUTCOME_");
    name.to_ascii_lowercase()
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// The number of a window on the X server.
fn xid(window: &v1::Window) -> u32 {
    let number = window.id.trim_start_matches('w').split('-').next();
    u32::from_str_radix(number.unwrap(), 16).unwrap()
}

/// The time from the start of an xterm to its text on the screen, in milliseconds: started by this
/// program, and launched by deskd with `wait_window`.
async fn starts() -> (f64, f64) {
    let server = XServer::start();
    let _session = MANAGERS[0].start(&server);
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("helper.sock");
    let mut helper = server.program(common::daemon::binary().to_str().unwrap());
    helper.args(["session-helper", "--socket"]).arg(&socket);
    let _helper = common::program::spawn(&mut helper, "");
    let daemon = Daemon::with(&server, &["--session-helper", socket.to_str().unwrap()]);
    let witness = Witness::new(&server);
    let limit = std::time::Duration::from_secs(5);
    let connection = client::connect(&daemon.address(), None, None, limit).await;
    let mut programs = client::programs(connection.unwrap());
    let words = [
        "-bg",
        "#102030",
        "-fg",
        "#f0e0d0",
        "-e",
        "sh",
        "-c",
        "echo text; sleep 100",
    ];
    let (mut own, mut launched) = (Vec::new(), Vec::new());
    for _ in 0..10 {
        let start = Instant::now();
        let mut xterm = server.program("xterm");
        let xterm = common::program::spawn(xterm.args(words), "xterm");
        let text = [0xf0, 0xe0, 0xd0];
        while !witness
            .capture()
            .rgb()
            .chunks_exact(3)
            .any(|rgb| rgb == text)
        {}
        own.push(start.elapsed().as_secs_f64() * 1000.0);
        drop(xterm);
        tokio::time::sleep(limit / 10).await;
        let start = Instant::now();
        let all = std::iter::once("xterm").chain(words);
        let request = v1::LaunchRequest {
            program: Some(v1::launch_request::Program::Arguments(v1::Arguments {
                words: all.map(str::to_owned).collect(),
            })),
            wait_window: Some(prost_types::Duration {
                seconds: 20,
                nanos: 0,
            }),
            ..v1::LaunchRequest::default()
        };
        let reply = programs.launch(request).await.unwrap().into_inner();
        launched.push(start.elapsed().as_secs_f64() * 1000.0);
        assert_eq!(reply.outcome(), v1::LaunchOutcome::WindowPainted);
        let request = v1::SignalProgramRequest {
            id: reply.program.unwrap().id,
            signal: v1::ProgramSignal::Kill.into(),
            timeout: None,
        };
        programs.signal_program(request).await.unwrap();
        tokio::time::sleep(limit / 10).await;
    }
    (median(own), median(launched))
}

/// The median times of two pictures in milliseconds, taken in turns. With `drawn`, the window's content
/// changes before each.
async fn shots(
    client: &mut client::DesktopClient<client::Connection>,
    drawn: Option<(&Witness, u32)>,
    captures: [&v1::CaptureOptions; 2],
) -> (f64, f64) {
    let mut times = [Vec::new(), Vec::new()];
    for round in 0..PICTURES {
        for (capture, times) in captures.iter().zip(&mut times) {
            if let Some((witness, window)) = drawn {
                let window = <xcb::x::Window as xcb::XidNew>::new(window);
                let colour = round * 198 + if capture.window.is_some() { 99 } else { 0 };
                witness.draw(window, (20, 20), (200, 100), colour);
                witness.round_trip();
            }
            let request = v1::ScreenshotRequest {
                capture: Some((*capture).clone()),
                unproved: true,
                ..v1::ScreenshotRequest::default()
            };
            let start = Instant::now();
            let reply = client.screenshot(request).await.unwrap().into_inner();
            times.push(start.elapsed().as_secs_f64() * 1000.0);
            assert!(reply.frame.unwrap().failure.is_none());
        }
    }
    let [region, window] = times;
    (median(region), median(window))
}
