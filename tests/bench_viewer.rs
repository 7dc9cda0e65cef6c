//! `make bench-viewer`: what the viewer costs while a page scrolls at 30 frames a second and while
//! nothing changes, and the time from a change on the screen to the page's canvas. Writes
//! `target/bench/viewer.json`.

#![allow(dead_code, unused_imports, missing_docs, unreachable_pub)]
#![allow(clippy::unwrap_used, clippy::cast_precision_loss)]

mod common;

use std::{
    fs,
    process::Command,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use common::{Daemon, Witness, XServer, browser::Browser, daemon::binary, drawing::Numbers};
use serde_json::json;

const KEY: &str = "0123456789abcdef0123456789abcdef";
const SECONDS: u64 = 10;
const CHANGES: u32 = 60;
const FRAME: Duration = Duration::from_millis(33);

#[tokio::main]
async fn main() {
    let server = XServer::with_screen("1280x800x24", &[]);
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    fs::write(&keys, KEY).unwrap();
    let keys = keys.display().to_string();
    let flags = ["--http", "127.0.0.1:0", "--viewer-key-file", &keys];
    let daemon = Daemon::with(&server, &flags);
    let host = daemon.tcp_address().to_string();
    let mut mint = Command::new(binary());
    mint.args(["viewer-token", "--viewer-key-file", &keys, "--url"]);
    let link = mint.arg(format!("http://{host}")).output().unwrap().stdout;
    let link = String::from_utf8(link).unwrap();
    let witness = Witness::new(&server);
    // A page of text: rows of dark words on white.
    let window = witness.window((0, 0), (1280, 800), 0x00ff_ffff);
    let mut numbers = Numbers(3);
    let mut line = |y: i16| {
        let mut x = 40;
        while x < 1200 {
            let width = u16::try_from(10 + numbers.below(70)).unwrap();
            for column in (0..width).step_by(4) {
                let height = u16::try_from(4 + numbers.below(8)).unwrap();
                witness.draw(
                    window,
                    (x + i16::try_from(column).unwrap(), y),
                    (2, height),
                    0x0022_2222,
                );
            }
            x += i16::try_from(width).unwrap() + 12;
        }
    };
    for row in 0..40 {
        line(row * 20);
    }
    witness.round_trip();
    let rest = async || tokio::time::sleep(Duration::from_secs(SECONDS)).await;
    let alone = cpu(&daemon, rest()).await;
    let mut browser = Browser::start(1280, 860).await;
    browser.open(link.trim()).await;
    browser.until("canvas.width === 1280").await;
    tokio::time::sleep(Duration::from_secs(8)).await;
    let still = cpu(&daemon, rest()).await;
    let drawn = "(() => { window.updates = 0; const told = socket.onmessage; socket.onmessage = (m) => { if (m.data === '{\"t\":\"end\"}') window.updates++; told(m); }; })()";
    browser.value(drawn).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let idle_updates = browser.value("window.updates").await.as_u64().unwrap();
    let before = idle_updates;
    let scrolling = cpu(&daemon, async {
        let end = Instant::now() + Duration::from_secs(SECONDS);
        let (mut next, mut number) = (Instant::now(), 0);
        while Instant::now() < end {
            witness.scroll(window, (0, 0), (1280, 800));
            number += 1;
            if number % 3 == 0 {
                line(779);
            }
            witness.round_trip();
            next += FRAME;
            tokio::time::sleep_until(next.into()).await;
        }
    })
    .await;
    let updates = browser.value("window.updates").await.as_u64().unwrap() - before;
    println!(
        "still: {:.2} % of a core (without a page {:.2} %), {idle_updates} updates in 3 s",
        still * 100.0,
        alone * 100.0
    );
    println!(
        "scrolling: {:.1} % of a core, {:.1} updates a second",
        scrolling * 100.0,
        updates as f64 / SECONDS as f64
    );

    // From the drawing to the page's canvas: the page notes when it has drawn a new colour.
    let watch = "(() => { window.seen = []; let last = ''; const told = socket.onmessage; \
        const look = () => { const now = [...context.getImageData(600, 400, 1, 1).data].join(); \
        if (now !== last) { last = now; window.seen.push(performance.timeOrigin + performance.now()); } \
        setTimeout(look, 1); }; look(); })()";
    browser.value(watch).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    browser.value("window.seen.length = 0").await;
    let mut sent = Vec::new();
    for change in 0..CHANGES {
        let shade = 40 + change * 3;
        witness.draw(
            window,
            (500, 300),
            (200, 200),
            shade << 16 | shade << 8 | 0x80,
        );
        witness.round_trip();
        sent.push(
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap()
                .as_secs_f64()
                * 1000.0,
        );
        tokio::time::sleep(Duration::from_millis(180 + u64::from(numbers.below(40)))).await;
    }
    let seen = browser.value("window.seen").await;
    let seen: Vec<f64> = seen
        .as_array()
        .unwrap()
        .iter()
        .map(|at| at.as_f64().unwrap())
        .collect();
    assert_eq!(seen.len(), sent.len(), "each change was seen once");
    let mut times: Vec<f64> = seen
        .iter()
        .zip(&sent)
        .map(|(seen, sent)| seen - sent)
        .collect();
    times.sort_by(f64::total_cmp);
    let (median, worst) = (times[times.len() / 2], times[times.len() * 95 / 100]);
    println!("from the screen to the canvas: median {median:.1} ms, 95th percentile {worst:.1} ms");
    let found = json!({
        "alone_share_of_a_core": alone, "still_share_of_a_core": still, "still_updates": idle_updates,
        "scrolling_share_of_a_core": scrolling, "updates_per_second": updates as f64 / SECONDS as f64,
        "latency_ms_median": median, "latency_ms_p95": worst,
    });
    fs::create_dir_all("target/bench").unwrap();
    fs::write(
        "target/bench/viewer.json",
        serde_json::to_vec_pretty(&found).unwrap(),
    )
    .unwrap();
}

/// The daemon's CPU time for some work, as a share of a core.
async fn cpu(daemon: &Daemon, work: impl Future<Output = ()>) -> f64 {
    // The scheduler's own count in nanoseconds: timers wake at ticks of the clock, which the count of
    // ticks takes for whole ticks of work.
    let ticks = || {
        let tasks = fs::read_dir(format!("/proc/{}/task", daemon.pid())).unwrap();
        let worked = tasks.map(|task| {
            let stat = fs::read_to_string(task.unwrap().path().join("schedstat")).unwrap();
            stat.split(' ').next().unwrap().parse::<f64>().unwrap()
        });
        worked.sum::<f64>()
    };
    let (before, start) = (ticks(), Instant::now());
    work.await;
    (ticks() - before) / 1e9 / start.elapsed().as_secs_f64()
}
