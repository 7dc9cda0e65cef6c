//! `make bench-frames`: what a frame costs by what changed, on which screen, of which
//! size, in which format; beside it what others take; many callers; many daemons; a
//! still screen. `bench_frames short`: one size, and a short rest.
//!
//! Writes `target/bench/frames.json` and two plots, those of `tests/plots`. `bench_frames
//! plots` draws them again from that file. `bench_frames encode FILE WxH FORMAT N` encodes a
//! file of BGRX pixels N times, for callgrind.

#![allow(dead_code, unused_imports, missing_docs, unreachable_pub)]
#![allow(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss
)]

mod common;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use common::{
    Daemon, Witness, XServer,
    daemon::{self, screen},
    desktop::{Session, Xfce},
    program,
};
use deskd::{
    client,
    internals::{Effort, EncodeOrder, Format, Picture, Pixels, Region, Size, encode},
    v1,
};
use plotters::prelude::*;
use serde_json::{Value, json};

const SIZES: [(u16, u16); 3] = [(1280, 800), (1920, 1080), (3840, 2160)];
const SCENES: [&str; 4] = ["XFCE", "terminal", "page", "photograph"];
/// The kinds of change before a call, and their pixels at 1280×800.
const CHANGES: [&str; 7] = [
    "nothing",
    "caret",
    "character",
    "menu",
    "scroll",
    "whole",
    "animation",
];
const FORMATS: [(&str, v1::ImageFormat); 4] = [
    ("PNG", v1::ImageFormat::Png),
    ("JPEG", v1::ImageFormat::Jpeg),
    ("WebP", v1::ImageFormat::Webp),
    ("raw", v1::ImageFormat::RawBgrx),
];
const ROUNDS: usize = 9;
const OTHERS: [&str; 6] = ["scrot", "maim", "import", "ffmpeg", "mss", "PIL"];

/// Grabs and encodes three times in one interpreter, and says the times in ms.
const PYTHON: &str = "
import io, sys, time
display, which = sys.argv[1], sys.argv[2]
if which == 'mss':
    import mss, mss.tools
    source = mss.mss(display=display)
    def once():
        shot = source.grab(source.monitors[0])
        return mss.tools.to_png(shot.rgb, shot.size)
else:
    from PIL import ImageGrab
    def once():
        out = io.BytesIO()
        ImageGrab.grab(xdisplay=display).save(out, 'PNG')
        return out.getvalue()
once()
times = []
for _ in range(3):
    began = time.monotonic()
    png = once()
    times.append((time.monotonic() - began) * 1e3)
print(sorted(times)[1], len(png))
";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [mode, file, size, format, times] = arguments.as_slice()
        && mode == "encode"
    {
        return encode_file(file, size, format, times.parse().unwrap());
    }
    if arguments == ["plots"] {
        return Bench::of_file().plot();
    }
    let is_short = arguments.iter().any(|argument| argument == "short");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(run(is_short));
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Columns and rows of a change, on a screen of that size.
fn part(change: &str, (width, height): (u16, u16)) -> (u16, u16) {
    match change {
        "caret" => (2, 16),
        "character" => (9, 18),
        "menu" => (220, 300),
        "scroll" => (width / 2, height / 2),
        "animation" => (200, 200),
        "whole" => (width, height),
        _ => (0, 0),
    }
}

fn change(witness: &Witness, what: &str, size: (u16, u16), round: usize) {
    let part = part(what, size);
    let middle = |side: u16, part: u16| i16::try_from((side - part) / 2).unwrap();
    let at = (middle(size.0, part.0), middle(size.1, part.1));
    match what {
        "nothing" => {}
        "scroll" => witness.scroll_screen(at, part, 18),
        "animation" => {
            // Smooth colours that move.
            let pixels: Vec<u8> = (0..u32::from(part.1))
                .flat_map(|y| {
                    (0..u32::from(part.0)).flat_map(move |x| {
                        let step = x + y + round as u32 * 8;
                        [step as u8, (x * 2) as u8, (y + round as u32) as u8, 0]
                    })
                })
                .collect();
            witness.put(&pixels, at, part);
        }
        _ => witness.shake(at, part, 0),
    }
}

struct Bench {
    is_short: bool,
    cells: Vec<Value>,
    others: Vec<Value>,
    folder: PathBuf,
}

async fn run(is_short: bool) {
    let folder = PathBuf::from("target/bench");
    fs::create_dir_all(&folder).unwrap();
    let mut bench = Bench {
        is_short,
        cells: Vec::new(),
        others: Vec::new(),
        folder,
    };
    let sizes = if is_short { &SIZES[..1] } else { &SIZES[..] };
    for size in sizes {
        bench.screens(*size).await;
    }
    let callers = callers().await;
    let many = daemons(is_short).await;
    let still = still(is_short).await;
    let instructions = bench.instructions();
    let report = json!({
        "cells": bench.cells, "others": bench.others, "callers": callers,
        "daemons": many, "still": still, "instructions": instructions,
    });
    let path = bench.folder.join("frames.json");
    fs::write(&path, serde_json::to_vec_pretty(&report).unwrap()).unwrap();
    bench.plot();
    println!("bench: {}", path.display());
}

impl Bench {
    /// Reads the results of an earlier run.
    fn of_file() -> Self {
        let folder = PathBuf::from("target/bench");
        let text = fs::read(folder.join("frames.json")).expect("make bench-frames writes it");
        let mut report: Value = serde_json::from_slice(&text).unwrap();
        let mut part = |name: &str| match report[name].take() {
            Value::Array(all) => all,
            other => panic!("{name}: {other}"),
        };
        let (cells, others) = (part("cells"), part("others"));
        Self {
            is_short: cells.iter().all(|cell| cell["width"] == 1280),
            cells,
            others,
            folder,
        }
    }

    fn plot(&self) {
        self.plot_changed();
        if !self.is_short {
            self.plot_size();
        }
    }

    async fn screens(&mut self, size: (u16, u16)) {
        let server = XServer::with_screen(&format!("{}x{}x24", size.0, size.1), &["-ac"]);
        let desktop = Xfce::xfce(&server);
        let daemon = Daemon::with(&server, &[]);
        let ready = daemon.cli(&["ready", "--timeout", "90s", "--profile", "xfce"]);
        assert!(ready.status.success(), "{ready:?}");
        let witness = Witness::new(&server);
        for scene in SCENES {
            let shown = show(scene, &server, &desktop);
            rest(&daemon).await;
            let title = format!("{}x{} {scene}", size.0, size.1);
            println!("\n{title:<22} {:>10}", "PNG bytes");
            let mut client = daemon.client().await;
            if scene == "XFCE" {
                let raw = screen(&mut client, daemon::raw()).await;
                let name = format!("{}x{}.bgrx", size.0, size.1);
                fs::write(self.folder.join(name), &raw.image).unwrap();
            }
            let whole = self.cells_of(&mut client, &witness, size, scene).await;
            self.others_of(&server, size, scene, &whole);
            drop(shown);
        }
    }

    /// All changes in all formats; and the time and bytes of a whole PNG.
    async fn cells_of(
        &mut self,
        client: &mut client::DesktopClient<client::Connection>,
        witness: &Witness,
        size: (u16, u16),
        scene: &str,
    ) -> (f64, usize) {
        let mut whole = (0.0, 0);
        for (format, wire) in FORMATS {
            let mut line = format!("{format:<22}");
            for what in CHANGES {
                let request = v1::ScreenshotRequest {
                    capture: Some(v1::CaptureOptions {
                        format: wire.into(),
                        include_cursor: Some(false),
                        max_image_bytes: Some(64 << 20),
                        ..v1::CaptureOptions::default()
                    }),
                    ..v1::ScreenshotRequest::default()
                };
                screen(client, request.clone()).await;
                let (mut times, mut bytes) = (Vec::new(), 0);
                for round in 0..ROUNDS {
                    change(witness, what, size, round);
                    let began = Instant::now();
                    let frame = screen(client, request.clone()).await;
                    times.push(ms(began.elapsed()));
                    bytes = frame.image.len();
                }
                let time = median(times);
                if (format, what) == ("PNG", "whole") {
                    whole = (time, bytes);
                }
                line += &format!(" {what} {time:.2}");
                let part = part(what, size);
                self.cells.push(json!({
                    "width": size.0, "height": size.1, "scene": scene, "format": format,
                    "change": what, "changed_pixels": u32::from(part.0) * u32::from(part.1),
                    "ms": time, "bytes": bytes,
                }));
            }
            println!("{line}");
        }
        whole
    }

    fn others_of(
        &mut self,
        server: &XServer,
        size: (u16, u16),
        scene: &str,
        (own, own_bytes): &(f64, usize),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut line = format!("others (deskd {own:.1} ms, {own_bytes} bytes):");
        for name in OTHERS {
            let out = folder.path().join(format!("{name}.png"));
            let path = out.to_str().unwrap();
            let display = server.display();
            let dimensions = format!("{}x{}", size.0, size.1);
            let (program, arguments): (&str, Vec<&str>) = match name {
                "scrot" => ("scrot", vec!["-o", path]),
                "maim" => ("maim", vec![path]),
                "import" => ("import", vec!["-window", "root", path]),
                "ffmpeg" => (
                    "ffmpeg",
                    vec![
                        "-loglevel",
                        "error",
                        "-f",
                        "x11grab",
                        "-video_size",
                        &dimensions,
                        "-i",
                        &display,
                        "-frames:v",
                        "1",
                        "-y",
                        path,
                    ],
                ),
                _ => ("/usr/bin/python3", vec!["-c", PYTHON, &display, name]),
            };
            let (time, bytes) = if program.ends_with("python3") {
                let mut python = server.program(program);
                // Where `make bench-frames` put python-mss.
                python
                    .args(&arguments)
                    .env("PYTHONPATH", "target/bench/python");
                let said = program::output(&mut python, "python3");
                let said = String::from_utf8(said).unwrap();
                let (time, bytes) = said.trim().split_once(' ').unwrap();
                (time.parse().unwrap(), bytes.parse().unwrap())
            } else {
                let once = || {
                    let began = Instant::now();
                    program::output(server.program(program).args(&arguments), program);
                    ms(began.elapsed())
                };
                let time = median((0..3).map(|_| once()).collect());
                (time, fs::metadata(&out).unwrap().len())
            };
            line += &format!(
                "  {name} {time:.0} ms ({:.0} ×), {bytes} bytes ({:.2})",
                time / own,
                *own_bytes as f64 / bytes as f64
            );
            self.others.push(json!({
                "width": size.0, "height": size.1, "scene": scene, "program": name,
                "ms": time, "bytes": bytes, "times_deskd": time / own,
                "deskd_bytes_ratio": *own_bytes as f64 / bytes as f64,
            }));
        }
        println!("{line}");
    }

    /// Instructions of an encode, by callgrind: of three times, less those of one.
    fn instructions(&self) -> Value {
        let file = self.folder.join("1280x800.bgrx");
        let mut all = serde_json::Map::new();
        for format in ["PNG", "JPEG", "WebP", "prints"] {
            let count = |times: &str| -> u64 {
                let own = std::env::current_exe().unwrap();
                let output = Command::new("valgrind")
                    .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
                    .arg(own)
                    .args(["encode", file.to_str().unwrap(), "1280x800", format, times])
                    .output()
                    .expect("valgrind is there: apt-get install valgrind");
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                let line = said
                    .lines()
                    .find_map(|line| line.split_once("Collected : "));
                line.unwrap_or_else(|| panic!("{said}"))
                    .1
                    .trim()
                    .parse()
                    .unwrap()
            };
            let each = (count("3") - count("1")) / 2;
            println!(
                "callgrind: {format} of XFCE at 1280x800: {each} instructions, {:.1} a pixel",
                each as f64 / 1_024_000.0
            );
            all.insert(format.into(), each.into());
        }
        all.into()
    }

    /// Cost against what changed, of PNG at the first size.
    fn plot_changed(&self) {
        let mut series = Vec::new();
        for scene in SCENES {
            let mut points: Vec<(f64, f64)> = self
                .cells
                .iter()
                .filter(|cell| {
                    cell["scene"] == scene
                        && cell["format"] == "PNG"
                        && cell["width"] == 1280
                        && cell["change"] != "animation"
                })
                .map(|cell| {
                    let pixels = cell["changed_pixels"].as_f64().unwrap().max(1.0);
                    (pixels, cell["ms"].as_f64().unwrap())
                })
                .collect();
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            series.push((scene.to_owned(), points));
        }
        let path = self.folder.join("changed.svg");
        plot(
            &path,
            "A frame by what changed (PNG, 1280×800)",
            "changed pixels",
            &series,
        );
    }

    /// Cost of a whole frame against the screen, beside others.
    fn plot_size(&self) {
        let mut series = Vec::new();
        let points = |from: &[Value], is: &dyn Fn(&Value) -> bool| -> Vec<(f64, f64)> {
            from.iter()
                .filter(|one| one["scene"] == "XFCE" && is(one))
                .map(|one| {
                    let pixels = one["width"].as_f64().unwrap() * one["height"].as_f64().unwrap();
                    (pixels, one["ms"].as_f64().unwrap())
                })
                .collect()
        };
        for (name, change) in [
            ("deskd, whole", "whole"),
            ("deskd, a character", "character"),
            ("deskd, unchanged", "nothing"),
        ] {
            let is = |cell: &Value| cell["format"] == "PNG" && cell["change"] == change;
            series.push((name.to_owned(), points(&self.cells, &is)));
        }
        for other in OTHERS {
            let is = |one: &Value| one["program"] == other;
            series.push((other.to_owned(), points(&self.others, &is)));
        }
        let path = self.folder.join("size.svg");
        plot(
            &path,
            "A frame by the screen's size (PNG, XFCE)",
            "pixels of the screen",
            &series,
        );
    }
}

/// Brings a scene up over the desktop; it is gone when dropped.
fn show(scene: &str, server: &XServer, desktop: &Session) -> Option<program::Running> {
    let home = desktop.home();
    match scene {
        "terminal" => {
            let mut xterm = desktop.program(server, "xterm");
            let text = "for i in $(seq 40); do ls -l /usr/bin | cut -c1-150 | tail -n +$((i * 9)) | head -60; done; sleep 3600";
            xterm.args([
                "-fullscreen",
                "-fa",
                "Monospace",
                "-fs",
                "10",
                "-uc",
                "-e",
                "sh",
                "-c",
                text,
            ]);
            Some(program::spawn(&mut xterm, "xterm"))
        }
        "page" => {
            let items: String = (1..80)
                .map(|n| format!("<h3>Section {n}</h3><p>{}</p>", "A paragraph says something about what it stands for, and links <a href=x>elsewhere</a>. ".repeat(6)))
                .collect();
            let file = home.join("page.html");
            fs::write(&file, format!("<!doctype html><meta charset=utf-8><body style='font-family:sans-serif;columns:3'>{items}")).unwrap();
            let mut chromium = desktop.program(server, "chromium");
            chromium.args([
                "--no-sandbox",
                "--disable-gpu",
                "--test-type",
                "--no-first-run",
                "--kiosk",
                "--no-default-browser-check",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--password-store=basic",
            ]);
            chromium.arg(format!(
                "--user-data-dir={}",
                home.join("chromium").display()
            ));
            chromium.arg(format!("file://{}", file.display()));
            Some(program::spawn(&mut chromium, "chromium"))
        }
        "photograph" => {
            let at = "/backdrop/screen0/monitorscreen/workspace0";
            let picture = ["/usr/share/backgrounds/xfce/xfce-teal.jpg"];
            desktop.set_desktop(server, &format!("{at}/last-image"), "string", &picture);
            desktop.set_desktop(server, &format!("{at}/image-style"), "int", &["5"]);
            None
        }
        _ => None,
    }
}

/// Waits until the screen is the same for two seconds, after it had time to begin.
async fn rest(daemon: &Daemon) {
    tokio::time::sleep(Duration::from_secs(4)).await;
    let mut client = daemon.client().await;
    let began = Instant::now();
    let mut last = (String::new(), Instant::now());
    while began.elapsed() < Duration::from_secs(40) && last.1.elapsed() < Duration::from_secs(2) {
        let id = screen(&mut client, v1::ScreenshotRequest::default())
            .await
            .frame_id;
        if id != last.0 {
            last = (id, Instant::now());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Latency of 1, 4 and 16 callers at once, each on a connection of its own, of a screen
/// that has changed wholly.
async fn callers() -> Value {
    let server = XServer::with_screen("1280x800x24", &["-ac"]);
    let _desktop = Xfce::xfce(&server);
    let daemon = Daemon::with(&server, &[]);
    let ready = daemon.cli(&["ready", "--timeout", "90s", "--profile", "xfce"]);
    assert!(ready.status.success(), "{ready:?}");
    let witness = Witness::new(&server);
    let (mut all, mut first) = (Vec::new(), 0.0);
    for count in [1, 4, 16] {
        let mut clients = Vec::new();
        for _ in 0..count {
            let mut client = daemon.client().await;
            screen(&mut client, v1::ScreenshotRequest::default()).await;
            clients.push(client);
        }
        let mut times = Vec::new();
        for _ in 0..60 {
            witness.shake((0, 0), (1280, 800), 0);
            let calls = clients.iter().map(|client| {
                let mut client = client.clone();
                tokio::spawn(async move {
                    let began = Instant::now();
                    screen(&mut client, v1::ScreenshotRequest::default()).await;
                    ms(began.elapsed())
                })
            });
            let calls: Vec<_> = calls.collect();
            for call in calls {
                times.push(call.await.unwrap());
            }
        }
        times.sort_by(f64::total_cmp);
        let (p50, p99) = (times[times.len() / 2], times[times.len() * 99 / 100]);
        if count == 1 {
            first = p99;
        }
        println!(
            "{count} callers at once: p50 {p50:.1} ms, p99 {p99:.1} ms ({:.2} × of one)",
            p99 / first
        );
        all.push(json!({"callers": count, "p50_ms": p50, "p99_ms": p99, "times_one": p99 / first}));
    }
    all.into()
}

/// CPU time of a process in ticks of 10 ms.
fn ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let after = stat.rsplit_once(')').unwrap().1;
    let fields: Vec<&str> = after.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// Eight daemons on eight displays: memory and idle CPU of each.
async fn daemons(is_short: bool) -> Value {
    let mut all = Vec::new();
    for _ in 0..8 {
        let server = XServer::with_screen("1280x800x24", &["-ac"]);
        Witness::new(&server).draw_pattern(5);
        let daemon = Daemon::with(&server, &[]);
        let mut client = daemon.client().await;
        screen(&mut client, daemon::raw()).await;
        screen(&mut client, v1::ScreenshotRequest::default()).await;
        all.push((server, daemon));
    }
    tokio::time::sleep(Duration::from_secs(12)).await;
    let before: Vec<u64> = all.iter().map(|(_, daemon)| ticks(daemon.pid())).collect();
    let seconds = if is_short { 10 } else { 60 };
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let each = all.iter().zip(before).map(|((_, daemon), before)| {
        let percent = (ticks(daemon.pid()) - before) as f64 / seconds as f64;
        let (rss, anonymous) = (daemon.status("VmRSS"), daemon.status("RssAnon"));
        println!(
            "one of 8 daemons: {rss} KiB resident, {anonymous} anonymous, {percent:.3} % of a core"
        );
        json!({"rss_kib": rss, "anonymous_kib": anonymous, "cpu_percent": percent})
    });
    each.collect::<Vec<_>>().into()
}

/// Measures deskd and x11vnc beside a still XFCE.
async fn still(is_short: bool) -> Value {
    let server = XServer::with_screen("1280x800x24", &["-ac"]);
    let _desktop = Xfce::xfce(&server);
    let daemon = Daemon::with(&server, &[]);
    let ready = daemon.cli(&["ready", "--timeout", "90s", "--profile", "xfce"]);
    assert!(ready.status.success(), "{ready:?}");
    let mut client = daemon.client().await;
    screen(&mut client, v1::ScreenshotRequest::default()).await;
    let watch = v1::WatchRequest {
        capture: Some(v1::CaptureOptions {
            include_cursor: Some(false),
            ..v1::CaptureOptions::default()
        }),
        ..v1::WatchRequest::default()
    };
    let mut vnc = server.program("x11vnc");
    let port = 20_000 + std::process::id() % 20_000;
    vnc.args([
        "-forever",
        "-shared",
        "-nopw",
        "-quiet",
        "-rfbport",
        &port.to_string(),
    ]);
    vnc.args(["-localhost", "-display", &server.display()]);
    let vnc = program::spawn(&mut vnc, "x11vnc");
    tokio::time::sleep(Duration::from_secs(12)).await;
    let seconds = if is_short { 10 } else { 60 };
    let percent = async |pids: [u32; 2]| {
        let before = pids.map(ticks);
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        let after = pids.map(ticks);
        [0, 1].map(|index| (after[index] - before[index]) as f64 / seconds as f64)
    };
    let [own, other] = percent([daemon.pid(), vnc.pid()]).await;
    let mut stream = client.watch(watch).await.unwrap().into_inner();
    stream.message().await.unwrap();
    let [watching, _] = percent([daemon.pid(), vnc.pid()]).await;
    println!(
        "a still screen for {seconds} s: deskd {own:.3} % of a core ({watching:.3} while watched), x11vnc {other:.3} %"
    );
    json!({"deskd_percent": own, "deskd_watched_percent": watching, "x11vnc_percent": other})
}

fn encode_file(file: &str, size: &str, format: &str, times: u32) {
    let (width, height) = size.split_once('x').unwrap();
    let size = Size {
        width: width.parse().unwrap(),
        height: height.parse().unwrap(),
    };
    let bytes = fs::read(file).unwrap();
    let pixels = Pixels::new(Box::new(bytes), size, size.width as usize * 4).unwrap();
    let picture = Picture::new(&pixels, Region::whole(size), None);
    for _ in 0..times {
        let format = match format {
            "PNG" => Format::Png,
            "JPEG" => Format::Jpeg(85),
            "WebP" => Format::Webp,
            _ => {
                std::hint::black_box(picture.prints(None, |_| true, 7));
                continue;
            }
        };
        let order = EncodeOrder {
            output: size,
            format,
            effort: Effort::Fast,
            is_alone: true,
            seed: 7,
        };
        std::hint::black_box(encode(&picture, order, None, |_| true).unwrap());
    }
}

/// Milliseconds of some series, on logarithmic scales.
fn plot(path: &Path, title: &str, across: &str, series: &[(String, Vec<(f64, f64)>)]) {
    let all = || series.iter().flat_map(|(_, points)| points);
    let bounds = |value: fn(&(f64, f64)) -> f64| {
        let (low, high) = all()
            .map(value)
            .fold((f64::MAX, 0.0_f64), |(low, high), v| {
                (low.min(v), high.max(v))
            });
        low * 0.8..high * 1.4
    };
    let mut time = bounds(|p| p.1);
    if series.len() > 4 {
        // Room for the legend.
        time.start /= 20.0;
    }
    let root = SVGBackend::new(path, (900, 560)).into_drawing_area();
    root.fill(&WHITE).unwrap();
    let mut chart = ChartBuilder::on(&root)
        .caption(title, ("sans-serif", 22))
        .margin(16)
        .x_label_area_size(46)
        .y_label_area_size(60)
        .build_cartesian_2d(bounds(|p| p.0).log_scale(), time.log_scale())
        .unwrap();
    chart
        .configure_mesh()
        .x_desc(across)
        .y_desc("milliseconds")
        .label_style(("sans-serif", 14))
        .x_labels(6)
        .x_label_formatter(&|pixels| match *pixels {
            many if many >= 1e6 => format!("{:.0} M", many / 1e6),
            some if some >= 1e3 => format!("{:.0} K", some / 1e3),
            few => format!("{few:.0}"),
        })
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.12))
        .draw()
        .unwrap();
    for (index, (name, points)) in series.iter().enumerate() {
        let colour = Palette99::pick(index).to_rgba();
        chart
            .draw_series(LineSeries::new(points.clone(), colour.stroke_width(2)))
            .unwrap()
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(3)));
        let dots = points
            .iter()
            .map(|point| Circle::new(*point, 4, colour.filled()));
        chart.draw_series(dots).unwrap();
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE.mix(0.85))
        .border_style(BLACK.mix(0.3))
        .label_font(("sans-serif", 14))
        .draw()
        .unwrap();
    root.present().unwrap();
}
