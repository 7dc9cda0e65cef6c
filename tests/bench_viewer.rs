//! `make bench-viewer`: what the viewer costs while a page scrolls at 30 frames a second and while
//! nothing changes, and the time from a change on the screen to the page's canvas; x11vnc with noVNC
//! beside it. Writes `target/bench/viewer.json`.

#![allow(dead_code, unused_imports, missing_docs, unreachable_pub)]
#![allow(clippy::unwrap_used, clippy::cast_precision_loss)]

mod common;

use std::{
    fs,
    process::{Command, Stdio},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use common::{
    Daemon, Witness, XServer, browser::Browser, daemon::binary, drawing::Numbers, program,
};
use serde_json::json;

const KEY: &str = "0123456789abcdef0123456789abcdef";
const SECONDS: u64 = 10;
const CHANGES: u32 = 60;
const FRAME: Duration = Duration::from_millis(33);

/// A page of text that scrolls.
struct Stage {
    witness: Witness,
    window: xcb::x::Window,
    numbers: Numbers,
}

impl Stage {
    fn new(server: &XServer) -> Self {
        let witness = Witness::new(server);
        // Rows of dark words on white.
        let window = witness.window((0, 0), (1280, 800), 0x00ff_ffff);
        let mut stage = Self {
            witness,
            window,
            numbers: Numbers(3),
        };
        for row in 0..40 {
            stage.line(row * 20);
        }
        stage.witness.round_trip();
        stage
    }

    fn line(&mut self, y: i16) {
        let mut x = 40;
        while x < 1200 {
            let width = u16::try_from(10 + self.numbers.below(70)).unwrap();
            for column in (0..width).step_by(4) {
                let height = u16::try_from(4 + self.numbers.below(8)).unwrap();
                let at = (x + i16::try_from(column).unwrap(), y);
                self.witness.draw(self.window, at, (2, height), 0x0022_2222);
            }
            x += i16::try_from(width).unwrap() + 12;
        }
    }

    async fn scroll(&mut self) {
        let end = Instant::now() + Duration::from_secs(SECONDS);
        let (mut next, mut number) = (Instant::now(), 0);
        while Instant::now() < end {
            self.witness.scroll(self.window, (0, 0), (1280, 800));
            number += 1;
            if number % 3 == 0 {
                self.line(779);
            }
            self.witness.round_trip();
            next += FRAME;
            tokio::time::sleep_until(next.into()).await;
        }
    }

    /// Changes a part of the screen, and returns the time of each change in milliseconds since 1970.
    async fn change(&mut self) -> Vec<f64> {
        let mut sent = Vec::new();
        for change in 0..CHANGES {
            let shade = 40 + change * 3;
            let colour = shade << 16 | shade << 8 | 0x80;
            self.witness
                .draw(self.window, (500, 300), (200, 200), colour);
            self.witness.round_trip();
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            sent.push(now.as_secs_f64() * 1000.0);
            let pause = 180 + u64::from(self.numbers.below(40));
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
        sent
    }
}

/// The cost of one way to watch a desktop.
#[derive(serde::Serialize)]
struct Figures {
    name: &'static str,
    still_share_of_a_core: f64,
    scrolling_share_of_a_core: f64,
    /// `None` if two changes were drawn at once.
    latency_ms_median: Option<f64>,
    latency_ms_p95: Option<f64>,
}

/// Measures a page that shows the screen. `pids`: the processes that send it; `canvas`: the page's
/// canvas, as an expression.
async fn measure(
    name: &'static str,
    stage: &mut Stage,
    pids: &[u32],
    browser: &mut Browser,
    canvas: &str,
) -> Figures {
    let still = cpu(pids, rest()).await;
    let scrolling = cpu(pids, stage.scroll()).await;
    // The page notes when it has drawn a new colour.
    let watch = format!(
        "(() => {{ window.seen = []; let last = ''; const c = {canvas}.getContext('2d'); \
        const look = () => {{ const now = [...c.getImageData(600, 400, 1, 1).data].join(); \
        if (now !== last) {{ last = now; window.seen.push(performance.timeOrigin + performance.now()); }} \
        setTimeout(look, 1); }}; look(); }})()"
    );
    browser.value(&watch).await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    browser.value("window.seen.length = 0").await;
    let sent = stage.change().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let seen = browser.value("window.seen").await;
    let seen = seen.as_array().unwrap().iter();
    let seen: Vec<f64> = seen.map(|at| at.as_f64().unwrap()).collect();
    let mut times: Vec<f64> = match seen.len() == sent.len() {
        true => seen
            .iter()
            .zip(&sent)
            .map(|(seen, sent)| seen - sent)
            .collect(),
        false => Vec::new(),
    };
    times.sort_by(f64::total_cmp);
    let figures = Figures {
        name,
        still_share_of_a_core: still,
        scrolling_share_of_a_core: scrolling,
        latency_ms_median: times.get(times.len() / 2).copied(),
        latency_ms_p95: times.get(times.len() * 95 / 100).copied(),
    };
    let time = |time: Option<f64>| time.map_or("—".into(), |time| format!("{time:.1} ms"));
    println!(
        "{name:<18} still {:>6.2} %  scrolling {:>6.1} % of a core  latency {} (95th percentile {})",
        still * 100.0,
        scrolling * 100.0,
        time(figures.latency_ms_median),
        time(figures.latency_ms_p95)
    );
    figures
}

async fn rest() {
    tokio::time::sleep(Duration::from_secs(SECONDS)).await;
}

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
    let mut stage = Stage::new(&server);
    let alone = cpu(&[daemon.pid()], rest()).await;
    let mut browser = Browser::start(1280, 860).await;
    browser.open(link.trim()).await;
    browser.until("canvas.width === 1280").await;
    tokio::time::sleep(Duration::from_secs(8)).await;
    let count = "(() => { window.updates = 0; const told = socket.onmessage; socket.onmessage = (m) => { if (m.data === '{\"t\":\"end\"}') window.updates++; told(m); }; })()";
    browser.value(count).await;
    let own = measure("deskd", &mut stage, &[daemon.pid()], &mut browser, "canvas").await;
    let updates = browser.value("window.updates").await.as_u64().unwrap();
    let updates = updates.saturating_sub(CHANGES.into());
    println!(
        "deskd: {:.1} updates a second while it scrolls; without a page {:.2} % of a core",
        updates as f64 / SECONDS as f64,
        alone * 100.0
    );
    drop(browser);

    // The same with x11vnc and noVNC, on the same display, as deskd's stack starts them.
    let (vnc, web) = (free_port(), free_port());
    let mut x11vnc = program::command("x11vnc");
    x11vnc
        .args(["-display", &server.display(), "-rfbport", &vnc.to_string()])
        .args(["-localhost", "-nopw", "-forever", "-shared", "-quiet"])
        .env("XAUTHORITY", server.xauthority());
    x11vnc.stdout(Stdio::null()).stderr(Stdio::null());
    let x11vnc = program::spawn(&mut x11vnc, "x11vnc");
    let mut websockify = program::command("websockify");
    websockify.args(["--web", "/usr/share/novnc", &format!("127.0.0.1:{web}")]);
    websockify.arg(format!("127.0.0.1:{vnc}"));
    websockify.stdout(Stdio::null()).stderr(Stdio::null());
    let websockify = program::spawn(&mut websockify, "websockify");
    let mut browser = Browser::start(1280, 900).await;
    let page = format!("http://127.0.0.1:{web}/vnc_lite.html");
    common::wait_for("noVNC's page", Duration::from_secs(20), || {
        std::net::TcpStream::connect(("127.0.0.1", web)).ok()
    });
    common::wait_for("x11vnc", Duration::from_secs(20), || {
        std::net::TcpStream::connect(("127.0.0.1", vnc)).ok()
    });
    browser.open(&page).await;
    let canvas = "document.querySelector('canvas')";
    browser.until(&format!("{canvas}.width === 1280")).await;
    tokio::time::sleep(Duration::from_secs(8)).await;
    let mut pids = vec![x11vnc.pid(), websockify.pid()];
    pids.extend(children(websockify.pid()));
    let other = measure("x11vnc and noVNC", &mut stage, &pids, &mut browser, canvas).await;
    let found = json!({
        "without_a_page_share_of_a_core": alone,
        "updates_per_second": updates as f64 / SECONDS as f64,
        "viewers": [own, other],
    });
    fs::create_dir_all("target/bench").unwrap();
    fs::write(
        "target/bench/viewer.json",
        serde_json::to_vec_pretty(&found).unwrap(),
    )
    .unwrap();
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// The processes that a process has started: websockify has one for each connection.
fn children(pid: u32) -> Vec<u32> {
    let path = format!("/proc/{pid}/task/{pid}/children");
    let text = fs::read_to_string(path).unwrap();
    text.split_whitespace()
        .map(|pid| pid.parse().unwrap())
        .collect()
}

/// The CPU time of processes for some work, as a share of a core.
async fn cpu(pids: &[u32], work: impl Future<Output = ()>) -> f64 {
    // The scheduler's own count in nanoseconds: timers wake at ticks of the clock, which the count of
    // ticks takes for whole ticks of work.
    let used = || {
        let tasks = pids
            .iter()
            .flat_map(|pid| fs::read_dir(format!("/proc/{pid}/task")).unwrap());
        let worked = tasks.map(|task| {
            let stat = fs::read_to_string(task.unwrap().path().join("schedstat")).unwrap();
            stat.split(' ').next().unwrap().parse::<f64>().unwrap()
        });
        worked.sum::<f64>()
    };
    let (before, start) = (used(), Instant::now());
    work.await;
    (used() - before) / 1e9 / start.elapsed().as_secs_f64()
}
