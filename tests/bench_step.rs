//! `make bench-step`: real steps over real programs, through deskd's `Act` and through
//! xdotool and scrot with common waits. Measures the time of each step, and how often its
//! frame does not show the step's result yet.
//!
//! 60 steps: menus, terminals, folders, an editor, a browser, pages that answer late or move,
//! dialogs by keyboard, LibreOffice.
//!
//! A run does all steps twice, each time on a fresh XFCE: once through deskd, once through
//! xdotool. With xdotool, one step gives the frames of all three waits (none, 750 ms, 2 s),
//! because they differ in nothing else. The order alternates. `bench_step RUNS` does fewer;
//! pictures of the last run and of every premature frame are in `target/bench-step`.
//!
//! A frame is premature when it differs from the screen 3 s later in more than
//! 0.1 % of its pixels outside the clock. (A caret is smaller than that.)

#![allow(dead_code, unused_imports, missing_docs, unreachable_pub)]
#![allow(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss
)]

mod common;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use common::{
    Daemon, Image, Witness, XServer,
    daemon::{painted, raw},
    desktop::Xfce,
    program,
    step::{Client, at, chord, click, text},
};
use deskd::v1::{self, action::Action};

/// One thing to do.
#[derive(Debug, Clone)]
enum Do {
    Click(i32, i32),
    Right(i32, i32),
    Double(i32, i32),
    Key(&'static str),
    Type(&'static str),
    Wheel(i32, i32, i32),
    Drag((i32, i32), (i32, i32)),
}

/// The steps.
const STEPS: [(&str, Do); 60] = [
    ("open the menu", Do::Click(40, 12)),
    ("close it", Do::Key("Escape")),
    ("open the desktop's menu", Do::Right(900, 300)),
    ("close it", Do::Key("Escape")),
    ("start a terminal", Do::Key("ctrl+alt+t")),
    ("run ls", Do::Type("ls -la /etc | head -30\n")),
    ("run seq", Do::Type("clear; seq 1 60\n")),
    ("drag the window", Do::Drag((420, 42), (760, 240))),
    ("maximise it", Do::Key("alt+F10")),
    ("restore it", Do::Key("alt+F10")),
    ("leave the shell", Do::Type("exit\n")),
    ("open a folder", Do::Double(70, 185)),
    ("new folder", Do::Key("ctrl+shift+n")),
    ("name it", Do::Type("alpha\n")),
    ("rename it", Do::Key("F2")),
    ("its new name", Do::Type("beta\n")),
    ("close the folder", Do::Key("alt+F4")),
    ("another terminal", Do::Key("ctrl+alt+t")),
    ("start an editor", Do::Type("./edit\n")),
    (
        "write",
        Do::Type("The quick brown fox\njumps over the lazy dog.\n"),
    ),
    ("select all", Do::Key("ctrl+a")),
    ("save", Do::Key("ctrl+s")),
    ("open its menu", Do::Key("alt+f")),
    ("close that", Do::Key("Escape")),
    ("close the editor", Do::Key("alt+F4")),
    ("start a browser", Do::Type("./web\n")),
    ("follow a link", Do::Click(110, 224)),
    ("scroll", Do::Wheel(500, 500, 10)),
    ("select a word", Do::Double(120, 300)),
    ("close the browser", Do::Key("alt+F4")),
    // Answers that come late, in parts, or move.
    ("a third terminal", Do::Key("ctrl+alt+t")),
    (
        "sleep, then list",
        Do::Type("sleep 0.5; ls /etc | head -5\n"),
    ),
    (
        "a slow loop",
        Do::Type("for i in 1 2 3; do sleep 0.2; echo $i; done\n"),
    ),
    (
        "a busy command",
        Do::Type("python3 -c 'print(sum(range(9000000)))'\n"),
    ),
    ("an interactive program", Do::Type("less /etc/services\n")),
    ("page down", Do::Key("space")),
    ("leave it", Do::Key("q")),
    ("clear", Do::Type("clear\n")),
    ("start a form", Do::Type("./form\n")),
    ("an answer after 700 ms", Do::Click(150, 177)),
    ("two answers of 250 ms", Do::Click(150, 257)),
    ("an animation", Do::Click(150, 337)),
    ("a timer of 300 ms", Do::Click(150, 417)),
    ("a spinner, then an answer", Do::Click(150, 497)),
    ("a check box", Do::Click(130, 577)),
    ("a slow page", Do::Click(150, 657)),
    ("back", Do::Key("alt+Left")),
    ("reload", Do::Key("ctrl+r")),
    ("a new tab", Do::Key("ctrl+t")),
    ("close the tab", Do::Key("ctrl+w")),
    ("close the form", Do::Key("alt+F4")),
    ("an editor again", Do::Type("./edit\n")),
    ("change the text", Do::Type("x")),
    ("close it: a dialog", Do::Key("ctrl+q")),
    ("don't save, by keyboard", Do::Key("alt+d")),
    ("start LibreOffice", Do::Type("./office\n")),
    ("write", Do::Type("Hello world. ")),
    ("bold", Do::Key("ctrl+b")),
    ("close it: a dialog", Do::Key("ctrl+q")),
    ("don't save, by keyboard", Do::Key("alt+n")),
];

/// The panel's clock, on a screen of 1280 × 800.
const CLOCK: (u32, u32, u32, u32) = (1150, 0, 130, 28);
/// Premature: more than so many pixels differ.
const TOLERANCE: usize = 1280 * 800 / 1000;
/// The screen as the step left it is that of so much later.
const LATER: Duration = Duration::from_secs(3);

/// A policy's way with one step.
#[derive(Debug, Clone)]
struct Sample {
    run: usize,
    latency: Duration,
    differing: usize,
    /// When the screen changed last before it was looked at again.
    changed: Duration,
    note: String,
}

const POLICIES: [&str; 4] = ["deskd", "no wait", "750 ms", "2 s"];

#[derive(Debug, Default)]
struct Results {
    /// By step and policy.
    samples: BTreeMap<(usize, usize), Vec<Sample>>,
    /// By step: when the screen changed last.
    oracle: BTreeMap<usize, Vec<Duration>>,
}

fn main() {
    let runs: usize = std::env::args().nth(1).map_or(10, |n| n.parse().unwrap());
    let folder = PathBuf::from("target/bench-step");
    drop(fs::remove_dir_all(&folder));
    fs::create_dir_all(&folder).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut results = Results::default();
    for run in 0..runs {
        let began = Instant::now();
        for turn in 0..2 {
            let through_deskd = (run + turn) % 2 == 0;
            runtime.block_on(sequence(run, through_deskd, &folder, &mut results));
        }
        println!(
            "run {} of {runs}: {:.0} s",
            run + 1,
            began.elapsed().as_secs_f64()
        );
        // After each run, so that an end before the last leaves the others.
        fs::write(folder.join("report.txt"), report(&results)).unwrap();
    }
    println!("{}", report(&results));
    let cost = runtime.block_on(common::pacing::cost(10));
    println!("{cost}");
    let text = report(&results) + "\n" + &cost;
    fs::write(folder.join("report.txt"), text).unwrap();
}

/// All steps on a fresh desktop.
async fn sequence(run: usize, through_deskd: bool, folder: &Path, results: &mut Results) {
    let server = XServer::start();
    program::output(server.program("setxkbmap").arg("us"), "x11-xkb-utils");
    let session = Xfce::xfce(&server);
    prepare(session.home(), slow_server());
    let daemon = Daemon::with(&server, &["--profile", "xfce"]);
    let mut client = daemon.client().await;
    painted(&mut client, raw()).await;
    if !through_deskd {
        drop((client, daemon));
        let mut xdotool = Xdotool::new(&server);
        steps(run, folder, results, &server, &mut xdotool).await;
    } else {
        let mut deskd = Deskd {
            client,
            _daemon: daemon,
        };
        steps(run, folder, results, &server, &mut deskd).await;
    }
}

/// A server whose answer to `/N` takes N milliseconds, and whose page takes 500; its port.
fn slow_server() -> u16 {
    use std::io::{BufRead, BufReader, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let mut stream = stream;
                loop {
                    let mut line = String::new();
                    if reader.read_line(&mut line).unwrap_or(0) == 0 {
                        return;
                    }
                    let path = line.split(' ').nth(1).unwrap_or("/").to_owned();
                    while reader.read_line(&mut line).unwrap_or(0) > 2 {}
                    let ms: u64 = path.trim_start_matches('/').parse().unwrap_or(500);
                    std::thread::sleep(Duration::from_millis(ms));
                    let body = "<body style='background:#fc8'><h1>Slow page</h1>";
                    let answer = format!(
                        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\r\n{body}",
                        body.len()
                    );
                    if stream.write_all(answer.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    port
}

/// Files that the steps use.
fn prepare(home: &Path, port: u16) {
    let page = |body: &str| {
        format!(
            "<!DOCTYPE html><meta charset=utf-8><title>page</title><body style='font:16px sans-serif'>{body}"
        )
    };
    let items: String = (1..200)
        .map(|n| format!("<p>Paragraph {n} says something about the number {n}.</p>"))
        .collect();
    fs::write(
        home.join("b.html"),
        page(&format!("<h1>Second</h1>{items}")),
    )
    .unwrap();
    let link = "<h1>First</h1><p><a href=b.html>Go to the second page</a></p>";
    fs::write(home.join("a.html"), page(link)).unwrap();
    let button = |index: u32, kind: &str, what: &str| {
        let top = 20 + 80 * index;
        format!(
            "<{kind} style='position:absolute;left:20px;top:{top}px;width:260px;height:60px' {what}>{index}</{kind}>"
        )
    };
    let fetching = |ms: u32, then: &str| {
        format!("fetch('http://127.0.0.1:{port}/{ms}',{{mode:'no-cors'}}).then(()=>{{{then}}})")
    };
    let twice = fetching(250, &fetching(250, "b()"));
    let form = format!(
        "<div id=out style='position:absolute;left:400px;top:20px;width:400px;height:400px;background:#ddd'></div>\
         <script>let n=0;function b(){{n++;const o=document.getElementById('out');\
         o.style.transition='';o.style.background=n%2?'#8c8':'#c88';o.textContent=n}}\
         function slide(){{const o=document.getElementById('out');o.style.transition='left .4s';\
         o.style.left=o.style.left=='500px'?'400px':'500px'}}\
         function spin(){{let k=0;const o=document.getElementById('out');const t=setInterval(()=>{{\
         o.textContent='-'.repeat(++k%40);if(k>12){{clearInterval(t);b()}}}},50)}}</script>{}{}{}{}{}{}{}",
        button(
            0,
            "button",
            &format!("onclick=\"{}\"", fetching(700, "b()"))
        ),
        button(1, "button", &format!("onclick=\"{twice}\"")),
        button(2, "button", "onclick=\"slide()\""),
        button(3, "button", "onclick=\"setTimeout(b,300)\""),
        button(4, "button", "onclick=\"spin()\""),
        "<input type=checkbox style='position:absolute;left:100px;top:430px;width:40px;height:40px'>",
        button(6, "a", &format!("href=http://127.0.0.1:{port}/page")),
    );
    fs::write(home.join("f.html"), page(&form)).unwrap();
    let script = |name: &str, command: &str| {
        use std::os::unix::fs::PermissionsExt;
        let path = home.join(name);
        fs::write(&path, format!("#!/bin/sh\ncd \"$HOME\"\n{command}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    };
    script("edit", "setsid mousepad note.txt >/dev/null 2>&1 &");
    script(
        "office",
        "setsid env SAL_USE_VCLPLUGIN=gtk3 libreoffice --norestore --nologo --writer \
         -env:UserInstallation=file://$HOME/office-profile >/dev/null 2>&1 &",
    );
    script(
        "form",
        "setsid chromium --no-sandbox --disable-gpu --test-type --no-first-run \
         --no-default-browser-check --disable-background-networking --disable-component-update \
         --disable-sync --password-store=basic --user-data-dir=\"$HOME/profile2\" \
         --window-position=0,27 --window-size=1000,750 \"file://$HOME/f.html\" >/dev/null 2>&1 &",
    );
    script(
        "web",
        "setsid chromium --no-sandbox --disable-gpu --test-type --no-first-run \
         --no-default-browser-check --disable-background-networking --disable-component-update \
         --disable-sync --password-store=basic --user-data-dir=\"$HOME/profile\" \
         --window-position=0,27 --window-size=1000,700 \"file://$HOME/a.html\" >/dev/null 2>&1 &",
    );
}

/// A way to do steps.
trait Way {
    /// Does one, and returns for each policy its index, its latency, its frame and
    /// when that was there, with a note.
    async fn step(&mut self, what: &Do) -> Vec<(usize, Duration, Image, Instant, String)>;
}

async fn steps(
    run: usize,
    folder: &Path,
    results: &mut Results,
    server: &XServer,
    way: &mut impl Way,
) {
    let witness = Witness::new(server);
    let changes = Changes::watch(server);
    for (index, (_, what)) in STEPS.iter().enumerate() {
        changes.clear();
        let began = Instant::now();
        let frames = way.step(what).await;
        for (policy, latency, frame, taken, note) in frames {
            let rest = (taken + LATER).saturating_duration_since(Instant::now());
            tokio::time::sleep(rest).await;
            let later = witness.capture();
            let differing = differing(&frame, &later);
            let file = |kind: &str| {
                let policy = POLICIES[policy].replace(' ', "-");
                folder.join(format!("{run:02}-{index:02}-{policy}-{kind}.png"))
            };
            let premature = differing > TOLERANCE;
            if premature && (policy == 0 || policy == 3) || run == 0 && policy != 1 && policy != 2 {
                save(&frame, &file("frame"));
                save(&later, &file("later"));
            }
            let sample = Sample {
                run,
                latency,
                differing,
                changed: changes.last(began, LATER + latency),
                note,
            };
            results
                .samples
                .entry((index, policy))
                .or_default()
                .push(sample);
        }
        let last = changes.last(began, LATER);
        results.oracle.entry(index).or_default().push(last);
    }
}

/// Through `Act`: one call.
struct Deskd {
    client: Client,
    _daemon: Daemon,
}

impl Way for Deskd {
    async fn step(&mut self, what: &Do) -> Vec<(usize, Duration, Image, Instant, String)> {
        let request = v1::ActRequest {
            actions: vec![v1::Action {
                action: Some(action(what)),
            }],
            capture: Some(v1::CaptureOptions {
                include_cursor: Some(false),
                ..v1::CaptureOptions::default()
            }),
            unproved: true,
            ..v1::ActRequest::default()
        };
        let began = Instant::now();
        let reply = self.client.act(request).await.unwrap().into_inner();
        let (latency, taken) = (began.elapsed(), Instant::now());
        assert_eq!(reply.outcome(), v1::ActOutcome::Done, "{reply:?}");
        let settle = reply.settle.unwrap();
        let waited = Duration::try_from(settle.waited.unwrap()).unwrap();
        let note = format!(
            "{} after {} ms",
            settle
                .state()
                .as_str_name()
                .trim_start_matches("SETTLE_STATE_"),
            waited.as_millis()
        );
        let frame = reply.frame.unwrap();
        assert_eq!(frame.kind(), v1::FrameKind::Screen, "{:?}", frame.failure);
        vec![(0, latency, Image::from_frame(&frame), taken, note)]
    }
}

fn action(what: &Do) -> Action {
    match *what {
        Do::Click(x, y) => click(x, y),
        Do::Right(x, y) => Action::Click(v1::ClickAction {
            at: Some(at(x, y)),
            button: v1::Button::Right.into(),
            ..v1::ClickAction::default()
        }),
        Do::Double(x, y) => Action::Click(v1::ClickAction {
            at: Some(at(x, y)),
            count: Some(2),
            ..v1::ClickAction::default()
        }),
        Do::Key(keys) => chord(&keys.split('+').collect::<Vec<_>>()),
        Do::Type(typed) => text(typed),
        Do::Wheel(x, y, notches) => common::step::notches(x, y, 0, notches),
        Do::Drag(from, to) => common::step::drag(&[from, to], 250),
    }
}

/// Through xdotool and scrot, as processes.
struct Xdotool<'a> {
    server: &'a XServer,
    folder: tempfile::TempDir,
}

impl<'a> Xdotool<'a> {
    fn new(server: &'a XServer) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { server, folder }
    }

    fn shoot(&self) -> Image {
        let path = self.folder.path().join("shot.png");
        let mut scrot = self.server.program("scrot");
        program::output(scrot.arg("--overwrite").arg(&path), "scrot");
        // Decoding is not part of the step.
        Image::read(&path)
    }
}

impl Way for Xdotool<'_> {
    async fn step(&mut self, what: &Do) -> Vec<(usize, Duration, Image, Instant, String)> {
        let began = Instant::now();
        let mut xdotool = self.server.program("xdotool");
        program::output(xdotool.args(arguments(what)), "xdotool");
        let done = began.elapsed();
        let mut frames = Vec::new();
        for (policy, wait) in [(1, 0), (2, 750), (3, 2000)] {
            let wait = done + Duration::from_millis(wait);
            tokio::time::sleep(wait.saturating_sub(began.elapsed())).await;
            let shooting = Instant::now();
            let frame = self.shoot();
            let taken = Instant::now();
            // What came before it was a wait, whatever else was done meanwhile.
            let latency = wait + shooting.elapsed();
            frames.push((policy, latency, frame, taken, String::new()));
        }
        frames
    }
}

fn arguments(what: &Do) -> Vec<String> {
    let words = match what {
        Do::Click(x, y) => format!("mousemove {x} {y} click 1"),
        Do::Right(x, y) => format!("mousemove {x} {y} click 3"),
        Do::Double(x, y) => format!("mousemove {x} {y} click --repeat 2 --delay 60 1"),
        Do::Key(keys) => format!("key {keys}"),
        Do::Type(typed) => {
            return vec![
                "type".into(),
                "--delay".into(),
                "12".into(),
                (*typed).into(),
            ];
        }
        Do::Wheel(x, y, notches) => {
            format!("mousemove {x} {y} click --repeat {notches} --delay 12 5")
        }
        Do::Drag(from, to) => format!(
            "mousemove {} {} mousedown 1 mousemove {} {} mouseup 1",
            from.0, from.1, to.0, to.1
        ),
    };
    words.split(' ').map(str::to_owned).collect()
}

/// When and where the screen changed, by the witness's own eyes.
struct Changes(Arc<Mutex<Vec<(Instant, xcb::x::Rectangle)>>>);

impl Changes {
    fn watch(server: &XServer) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (kept, witness) = (Arc::clone(&seen), Witness::with_damage(server));
        std::thread::spawn(move || {
            // Until the server ends.
            while let Ok(event) = witness.conn.wait_for_event() {
                if let xcb::Event::Damage(xcb::damage::Event::Notify(event)) = event {
                    kept.lock().unwrap().push((Instant::now(), event.area()));
                }
            }
        });
        Self(seen)
    }

    fn clear(&self) {
        self.0.lock().unwrap().clear();
    }

    /// The last change within `limit` of `began` that is neither the clock's nor a
    /// caret's.
    fn last(&self, began: Instant, limit: Duration) -> Duration {
        let rests = |area: &xcb::x::Rectangle| {
            let clock = u32::try_from(area.x).is_ok_and(|x| x >= CLOCK.0)
                && u32::try_from(area.y).is_ok_and(|y| y < CLOCK.3)
                && u32::from(area.height) <= CLOCK.3;
            let caret = area.width <= 16 && area.height <= 32;
            clock || caret
        };
        let changes = self.0.lock().unwrap();
        let last = changes
            .iter()
            .filter(|(time, area)| *time <= began + limit && !rests(area))
            .map(|(time, _)| time.saturating_duration_since(began))
            .max();
        last.unwrap_or_default()
    }
}

/// Pixels that differ outside the clock.
fn differing(a: &Image, b: &Image) -> usize {
    assert_eq!((a.width, a.height), (b.width, b.height));
    let (x, y, width, height) = CLOCK;
    let row = a.width as usize * 3;
    let mut count = 0;
    for (line, (one, other)) in a.rgb.chunks(row).zip(b.rgb.chunks(row)).enumerate() {
        for (column, (p, q)) in one.chunks(3).zip(other.chunks(3)).enumerate() {
            let (column, line) = (column as u32, line as u32);
            let clock = (x..x + width).contains(&column) && (y..y + height).contains(&line);
            count += usize::from(p != q && !clock);
        }
    }
    count
}

fn save(image: &Image, path: &Path) {
    let file = fs::File::create(path).unwrap();
    let mut encoder = png::Encoder::new(file, image.width, image.height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_compression(png::Compression::Fast);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&image.rgb).unwrap();
}

/// Milliseconds at a percentile.
fn at_percent(times: &[Duration], percent: usize) -> u128 {
    let mut times = times.to_vec();
    times.sort_unstable();
    let rank = (times.len() * percent).div_ceil(100).max(1);
    times.get(rank - 1).map_or(0, Duration::as_millis)
}

fn report(results: &Results) -> String {
    use std::fmt::Write;
    let mut text = String::new();
    writeln!(
        text,
        "{:<26} {:>7} | {:>15} | {:>15} | {:>15} | {:>15} | premature: deskd, none, 750 ms, 2 s",
        "step (ms: p50 p95)", "oracle", POLICIES[0], POLICIES[1], POLICIES[2], POLICIES[3]
    )
    .unwrap();
    let premature = |samples: &[Sample]| {
        let early = samples.iter().filter(|s| s.differing > TOLERANCE);
        early.count()
    };
    let latencies = |samples: &[Sample]| -> Vec<Duration> {
        samples.iter().map(|sample| sample.latency).collect()
    };
    let none = Vec::new();
    let of = |step: usize, policy: usize| results.samples.get(&(step, policy)).unwrap_or(&none);
    for (step, (name, _)) in STEPS.iter().enumerate() {
        let oracle = results.oracle.get(&step).cloned().unwrap_or_default();
        write!(text, "{name:<26} {:>7}", at_percent(&oracle, 50)).unwrap();
        for policy in 0..4 {
            let times = latencies(of(step, policy));
            write!(
                text,
                " | {:>7} {:>7}",
                at_percent(&times, 50),
                at_percent(&times, 95)
            )
            .unwrap();
        }
        let counts = [0, 1, 2, 3].map(|policy| premature(of(step, policy)));
        writeln!(text, " | {counts:?}").unwrap();
    }
    let all = |policy: usize| -> Vec<Sample> {
        (0..STEPS.len())
            .flat_map(|step| of(step, policy).clone())
            .collect()
    };
    let oracle: Vec<Duration> = results.oracle.values().flatten().copied().collect();
    write!(text, "{:<26} {:>7}", "all", at_percent(&oracle, 50)).unwrap();
    let mut sums = Vec::new();
    for policy in 0..4 {
        let samples = all(policy);
        let times = latencies(&samples);
        write!(
            text,
            " | {:>7} {:>7}",
            at_percent(&times, 50),
            at_percent(&times, 95)
        )
        .unwrap();
        sums.push((premature(&samples), samples.len(), at_percent(&times, 50)));
    }
    let counts: Vec<String> = sums
        .iter()
        .map(|(early, of, _)| format!("{early}/{of}"))
        .collect();
    writeln!(text, " | {}", counts.join(", ")).unwrap();
    let (deskd, two) = (sums[0].2 as f64, sums[3].2 as f64);
    writeln!(
        text,
        "deskd's p50 is 1/{:.1} of the 2 s wait's, and the oracle's + {} ms",
        two / deskd,
        sums[0].2 as i128 - at_percent(&oracle, 50) as i128
    )
    .unwrap();
    writeln!(text, "\nPremature frames (but those without a wait):").unwrap();
    for (policy, called) in POLICIES
        .iter()
        .enumerate()
        .filter(|(_, name)| **name != "no wait")
    {
        for (step, (name, _)) in STEPS.iter().enumerate() {
            for sample in of(step, policy).iter().filter(|s| s.differing > TOLERANCE) {
                writeln!(
                    text,
                    "{called}, run {}, {name} ({step}): {} pixels differ; frame after {} ms, last change after {} ms {}",
                    sample.run + 1,
                    sample.differing,
                    sample.latency.as_millis(),
                    sample.changed.as_millis(),
                    sample.note
                )
                .unwrap();
            }
        }
    }
    text
}
