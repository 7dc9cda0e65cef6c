//! `make sessions-table`: sessions of other desktops, each from its start to READY, what the gate saw,
//! and how the screen changed after READY. Writes `target/sessions/` with a picture of each.

#![allow(dead_code, unused_imports, missing_docs, unreachable_pub)]
#![allow(clippy::unwrap_used)]

mod common;

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use common::{
    Image,
    daemon::{raw, raw_image},
    managed::Managed,
};
use deskd::v1;

/// Number of starts of each session.
const STARTS: usize = 3;
/// Time for which the screen is watched after READY.
const AFTER: Duration = Duration::from_secs(8);

/// Name, command line, and files of the home.
type Row = (
    &'static str,
    Option<&'static str>,
    &'static [(&'static str, &'static str)],
);

const SESSIONS: [Row; 7] = [
    ("XFCE", None, &[]),
    ("openbox + tint2", Some("tint2 & exec openbox"), &[]),
    (
        "i3",
        Some("mkdir -p ~/.config/i3; cp /etc/i3/config ~/.config/i3/config; exec i3"),
        &[],
    ),
    (
        "LXQt",
        Some("exec startlxqt"),
        &[(
            ".config/lxqt/session.conf",
            "[General]\nwindow_manager=openbox\n",
        )],
    ),
    ("MATE", Some("exec mate-session"), &[]),
    ("icewm", Some("exec icewm-session"), &[]),
    (
        "kiosk browser",
        Some(
            "exec chromium --no-sandbox --no-first-run --kiosk --window-size=1280,800 --window-position=0,0 file:///usr/share/doc/",
        ),
        &[],
    ),
];

#[tokio::main]
async fn main() {
    let folder = Path::new("target/sessions");
    fs::create_dir_all(folder).unwrap();
    println!(
        "| session | READY after | under | the gate saw | pixels that differ {} s later |",
        AFTER.as_secs()
    );
    println!("| --- | --- | --- | --- | --- |");
    for row in SESSIONS {
        let (mut times, mut last, mut later) = (Vec::new(), String::new(), 0);
        for start in 0..STARTS {
            let (time, said, differing) = once(row, folder, start + 1 == STARTS).await;
            times.push(time);
            (last, later) = (said, later.max(differing));
        }
        times.sort();
        let mut lines = last.lines();
        let first = lines.next().unwrap_or_default();
        let profile = first.split([' ', ',']).nth(2).unwrap_or_default();
        let seen: Vec<&str> = lines
            .filter(|line| !line.contains("for comparison"))
            .filter_map(|line| line.trim().split("  ").next())
            .map(|line| line.split(" 0x").next().unwrap_or(line))
            .collect();
        println!(
            "| {} | {:.1} s | {profile} | {} | {later} |",
            row.0,
            times[times.len() / 2].as_secs_f64(),
            seen.join(", ")
        );
    }
}

async fn once(
    (name, session, files): Row,
    folder: &Path,
    keeps: bool,
) -> (Duration, String, usize) {
    let arguments = ["--geometry", "1280x800"];
    let stack = match session {
        Some(session) => Managed::of_session(session, &arguments),
        None => Managed::new(&arguments),
    };
    for (file, text) in files {
        let path = stack.home().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let began = Instant::now();
    let stack = stack.started();
    stack.wait_for_socket();
    let ready = stack.cli(&["ready", "--timeout", "90s"]);
    let time = began.elapsed();
    assert!(ready.status.success(), "{name}: {ready:?}\n{}", stack.log());
    let at_once = screen(&stack).await;
    tokio::time::sleep(AFTER).await;
    let later = screen(&stack).await;
    if keeps {
        let file = folder.join(format!("{}.png", name.replace([' ', '+'], "")));
        let shot = stack.cli(&["screenshot", "-o", file.to_str().unwrap()]);
        assert!(shot.status.success(), "{shot:?}");
    }
    let said = String::from_utf8_lossy(&ready.stdout).into_owned();
    (time, said, at_once.differing(&later))
}

async fn screen(stack: &Managed) -> Image {
    let request = v1::ScreenshotRequest {
        capture: Some(v1::CaptureOptions {
            include_cursor: Some(false),
            ..raw_image()
        }),
        unproved: true,
        ..v1::ScreenshotRequest::default()
    };
    let mut client = stack.desktop().await;
    let frame = client.screenshot(request).await.unwrap().into_inner().frame;
    Image::from_frame(&frame.unwrap())
}
