//! `make bench-floods`: what floods of events cost a screenshot, and how much of that is the
//! X server's own time, as a program that has nothing to do with deskd finds it.

#![allow(dead_code, unused_imports, missing_docs, unreachable_pub)]
#![allow(clippy::unwrap_used)]

mod common;

use std::time::{Duration, Instant};

use common::{
    Daemon, Witness, XServer,
    adversary::{Adversary, Flood},
    step::Client,
};
use deskd::v1;

/// Duration of each flood.
const FLOOD: Duration = Duration::from_secs(4);
/// Calls before and after it.
const CALLS: usize = 60;

/// Times of calls, in milliseconds.
#[derive(Debug, Default)]
struct Times(Vec<f64>);

impl Times {
    fn note(&mut self, began: Instant) {
        self.0.push(began.elapsed().as_secs_f64() * 1e3);
    }

    /// The median and the longest.
    fn read(&mut self) -> (f64, f64) {
        self.0.sort_by(f64::total_cmp);
        let middle = self.0.get(self.0.len() / 2).copied();
        (
            middle.unwrap_or(f64::NAN),
            self.0.last().copied().unwrap_or(f64::NAN),
        )
    }
}

#[tokio::main]
async fn main() {
    println!(
        "{:<14} {:>5} {:>8} {:>8} {:>8} {:>8} {:>8} {:>9} {:>9} {:>6} {:>9}",
        "ms",
        "turn",
        "usual",
        "flooded",
        "worst",
        "after",
        "cards",
        "trip",
        "flooded",
        "ratio",
        "KiB more"
    );
    for turn in ["5", "1"] {
        for flood in Flood::ALL {
            measure(flood, turn).await;
        }
    }
    println!(
        "turn: how long the X server serves one client before another (-schedInterval; 5 unless it\n\
         is told, 1 in deskd's stack). usual, flooded, worst, after: a screenshot of a proved\n\
         desktop, as PNG. trip: a round trip of another X client, before and in the flood.\n\
         ratio: screenshot / trip, both in the flood."
    );
}

async fn measure(flood: Flood, turn: &str) {
    let server = XServer::with_screen("1280x800x24", &["-schedInterval", turn]);
    let witness = Witness::new(&server);
    let terminal = server
        .program("xterm")
        .args(["-geometry", "140x50", "-e", "sleep", "600"])
        .spawn();
    let mut terminal = terminal.unwrap();
    let daemon = Daemon::with(&server, &["--profile", "any"]);
    let ready = daemon.cli(&["ready", "--timeout", "60s"]);
    assert!(ready.status.success(), "{ready:?}");
    let mut client = daemon.client().await;
    let (mut usual, mut during, mut after) = (Times::default(), Times::default(), Times::default());
    let (mut trip, mut flooded_trip) = (Times::default(), Times::default());
    for _ in 0..CALLS {
        look(&mut client, &mut usual).await;
        round_trip(&witness, &mut trip);
    }
    let before = daemon.anonymous_kib();
    let flooding = Adversary::new(&server).flood(flood);
    let until = Instant::now() + FLOOD;
    let (mut cards, mut most) = (0, before);
    while Instant::now() < until {
        cards += u32::from(look(&mut client, &mut during).await);
        round_trip(&witness, &mut flooded_trip);
        most = most.max(daemon.anonymous_kib());
    }
    flooding.end();
    let until = Instant::now() + Duration::from_secs(1);
    while Instant::now() < until {
        cards += u32::from(look(&mut client, &mut after).await);
        most = most.max(daemon.anonymous_kib());
    }
    terminal.kill().unwrap();
    terminal.wait().unwrap();
    let (usual, _) = usual.read();
    let (during, worst) = during.read();
    let (after, _) = after.read();
    let (trip, _) = trip.read();
    let (flooded, _) = flooded_trip.read();
    println!(
        "{:<14} {turn:>5} {usual:>8.2} {during:>8.2} {worst:>8.1} {after:>8.2} {cards:>8} {trip:>9.3} {flooded:>9.3} {:>6.1} {:>9}",
        format!("{flood:?}"),
        during / flooded,
        most - before
    );
}

/// Takes a screenshot; whether a card came back.
async fn look(client: &mut Client, times: &mut Times) -> bool {
    let began = Instant::now();
    let request = v1::ScreenshotRequest {
        capture: Some(v1::CaptureOptions {
            max_image_bytes: Some(16 << 20),
            ..v1::CaptureOptions::default()
        }),
        ..v1::ScreenshotRequest::default()
    };
    let reply = client.screenshot(request).await.unwrap();
    times.note(began);
    let frame = reply.into_inner().frame.unwrap();
    frame.kind() == v1::FrameKind::FailureCard
}

fn round_trip(witness: &Witness, times: &mut Times) {
    let began = Instant::now();
    witness.round_trip();
    times.note(began);
}
