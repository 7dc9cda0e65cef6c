//! `make boots`: real boots of XFCE, as they come and slowed in every way that
//! was seen to fool others, judged by the final frame. `boots short` runs one of
//! each that is quick.
//!
//! A boot is "early" when a region of the frame at READY differs from the final
//! one: panel, dock, icons or wallpaper.

#![allow(dead_code, unused_imports, missing_docs, unreachable_pub)]
#![allow(clippy::unwrap_used, clippy::cast_precision_loss)]

mod common;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use common::{Daemon, Image, Witness, XServer, desktop::Xfce, size_rule::SizeRule};
use deskd::v1;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// How a boot is slowed.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Slow {
    Not,
    /// Stopped for 2 s when another program appears.
    Stopped(&'static str, &'static str),
    /// The X server, stopped for 2 s when that program appears.
    Server(&'static str),
    /// Percent of a core for the whole session.
    Quota(u32),
    /// All of the session stopped and continued: runs, then stands, in ms.
    Turns(u64, u64),
}

const CONDITIONS: [(&str, Slow, usize); 13] = [
    ("as it comes", Slow::Not, 12),
    (
        "panel stopped 2 s",
        Slow::Stopped("xfce4-panel", "xfdesktop"),
        8,
    ),
    (
        "xfdesktop stopped 2 s",
        Slow::Stopped("xfdesktop", "xfdesktop"),
        5,
    ),
    (
        "window manager stopped 2 s",
        Slow::Stopped("xfwm4", "xfdesktop"),
        5,
    ),
    (
        "xfsettingsd stopped 2 s",
        Slow::Stopped("xfsettingsd", "xfdesktop"),
        3,
    ),
    ("X server stopped 2 s", Slow::Server("xfdesktop"), 5),
    ("X server stopped early", Slow::Server("xfce4-panel"), 3),
    ("quota 50 %", Slow::Quota(50), 5),
    ("quota 20 %", Slow::Quota(20), 5),
    ("quota 10 %", Slow::Quota(10), 4),
    ("quota 5 %", Slow::Quota(5), 3),
    ("turns 20:80 ms", Slow::Turns(20, 80), 5),
    ("turns 20:180 ms", Slow::Turns(20, 180), 5),
];

/// The result of one boot.
#[derive(Debug)]
struct Boot {
    verdict: v1::PaintVerdict,
    early: Vec<String>,
    /// From X server to READY.
    ready: Duration,
    /// From the last change of the screen to READY.
    late: Duration,
    slowest_pong: Duration,
    rule_said: bool,
    rule_early: bool,
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let short = words.iter().any(|word| word == "short");
    let only = words.iter().find(|word| *word != "short");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    println!(
        "{:<28} {:>5} {:>6} {:>6} {:>9} {:>9} {:>9} {:>10} {:>11} {:>12}",
        "boot",
        "boots",
        "early",
        "never",
        "READY s",
        "late ms",
        "worst ms",
        "bound ms",
        "rule early",
        "rule silent"
    );
    let (mut boots, mut early, mut never, mut rule_early) = (0, 0, 0, 0);
    let mut over = Vec::new();
    for (name, slow, count) in CONDITIONS {
        if only.is_some_and(|only| !name.contains(only.as_str())) {
            continue;
        }
        let quick = !matches!(slow, Slow::Quota(..20) | Slow::Turns(..));
        if short && !quick {
            continue;
        }
        let count = if short { 1 } else { count };
        let list: Vec<Boot> = (0..count)
            .map(|index| {
                let boot = runtime.block_on(boot(slow));
                if boot.verdict != v1::PaintVerdict::Ready || !boot.early.is_empty() {
                    println!("  {name} {index}: {boot:?}");
                }
                boot
            })
            .collect();
        let of = |what: fn(&Boot) -> bool| list.iter().filter(|boot| what(boot)).count();
        let late = sorted(list.iter().map(|boot| boot.late));
        let ready = sorted(list.iter().map(|boot| boot.ready));
        let bound = list.iter().map(|boot| boot.slowest_pong).max().unwrap() * 3
            + Duration::from_millis(600);
        let (is_early, is_never) = (
            of(|b| !b.early.is_empty()),
            of(|b| b.verdict != v1::PaintVerdict::Ready),
        );
        for boot in &list {
            let bound = boot.slowest_pong * 3 + Duration::from_millis(600);
            if boot.late > bound {
                over.push(format!(
                    "{name}: {} ms, bound {}",
                    boot.late.as_millis(),
                    bound.as_millis()
                ));
            }
        }
        println!(
            "{name:<28} {count:>5} {is_early:>6} {is_never:>6} {:>9.1} {:>9} {:>9} {:>10} {:>11} {:>12}",
            ready[count / 2].as_secs_f64(),
            late[count / 2].as_millis(),
            late[count - 1].as_millis(),
            bound.as_millis(),
            of(|b| b.rule_early),
            of(|b| !b.rule_said),
        );
        boots += count;
        early += is_early;
        never += is_never;
        rule_early += of(|b| b.rule_early);
    }
    println!("{boots} boots: deskd early {early}, never {never}; the size rule early {rule_early}");
    for line in &over {
        println!("READY later than promised: {line}");
    }
    assert!(early + never == 0, "a boot was judged wrongly");
}

fn sorted(durations: impl Iterator<Item = Duration>) -> Vec<Duration> {
    let mut list: Vec<_> = durations.collect();
    list.sort_unstable();
    list
}

/// Notes when the screen changed last, from outside.
struct Recorder {
    stop: Arc<AtomicBool>,
    changed: Arc<Mutex<Vec<Instant>>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Recorder {
    fn start(server: &XServer) -> Self {
        let witness = Witness::new(server);
        let stop = Arc::new(AtomicBool::new(false));
        let changed = Arc::new(Mutex::new(vec![Instant::now()]));
        let thread = {
            let (stop, changed) = (Arc::clone(&stop), Arc::clone(&changed));
            std::thread::spawn(move || {
                let mut last = 0;
                while !stop.load(Ordering::Relaxed) {
                    let digest = witness.digest();
                    if digest != last {
                        changed.lock().unwrap().push(Instant::now());
                        last = digest;
                    }
                    std::thread::sleep(Duration::from_millis(40));
                }
            })
        };
        Self {
            stop,
            changed,
            thread: Some(thread),
        }
    }

    fn last(&self) -> Instant {
        *self.changed.lock().unwrap().last().unwrap()
    }

    fn last_before(&self, moment: Instant) -> Instant {
        let changed = self.changed.lock().unwrap();
        *changed.iter().rev().find(|at| **at <= moment).unwrap()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        drop(self.thread.take().unwrap().join());
    }
}

/// A control group that goes with its owner.
struct Group(PathBuf);

impl Group {
    fn new(percent: u32) -> Self {
        let folder = PathBuf::from(format!(
            "/sys/fs/cgroup/cpu/deskd-boots-{}",
            std::process::id()
        ));
        fs::create_dir_all(&folder).expect("a control group of the cpu controller can be made");
        let group = Self(folder);
        group.set(i64::from(percent) * 1000);
        group
    }

    fn set(&self, quota_us: i64) {
        fs::write(self.0.join("cpu.cfs_period_us"), "100000").unwrap();
        fs::write(self.0.join("cpu.cfs_quota_us"), quota_us.to_string()).unwrap();
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for _ in 0..100 {
            if fs::remove_dir(&self.0).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

async fn boot(slow: Slow) -> Boot {
    let server = XServer::start();
    let began = Instant::now();
    let daemon = Daemon::with(&server, &["--profile", "xfce"]);
    let recorder = Recorder::start(&server);
    let rule = SizeRule::start(&server);
    let group = match slow {
        Slow::Quota(percent) => Some(Group::new(percent)),
        _ => None,
    };
    let procs = group.as_ref().map(|group| group.0.join("cgroup.procs"));
    let desktop = Arc::new(Xfce::xfce_in(&server, procs.as_deref()));
    let mut client = daemon.client().await;
    let ready = tokio::spawn(async move {
        let mut request = tonic::Request::new(v1::WaitReadyRequest::default());
        request.set_timeout(Duration::from_secs(300));
        let reply = client.wait_ready(request).await.unwrap().into_inner();
        (reply.evidence.unwrap(), Instant::now())
    });
    let stop = Arc::new(AtomicBool::new(false));
    let slowing = slow_down(slow, &server, &desktop, Arc::clone(&stop));
    let (evidence, at) = ready.await.unwrap();
    let last = recorder.last_before(at);
    let shown = Witness::new(&server).capture();
    // What a boot judged too early would still draw, it draws now.
    tokio::time::sleep(Duration::from_secs(3)).await;
    stop.store(true, Ordering::Relaxed);
    slowing.await.unwrap();
    if let Some(group) = &group {
        group.set(-1);
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    while recorder.last().elapsed() < Duration::from_millis(1500) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let last_frame = Witness::new(&server).capture();
    let said = rule.end(Duration::ZERO);
    let early = differing(&shown, &last_frame, &evidence);
    if !early.is_empty() {
        let folder = Path::new("target/boots");
        fs::create_dir_all(folder).unwrap();
        write_ppm(&folder.join("early.ppm"), &shown);
        write_ppm(&folder.join("final.ppm"), &last_frame);
    }
    drop(desktop);
    drop(group);
    Boot {
        verdict: evidence.verdict(),
        early,
        ready: at - began,
        late: at - last,
        slowest_pong: evidence
            .slowest_pong
            .map_or(Duration::ZERO, |slowest| slowest.try_into().unwrap()),
        rule_early: said
            .as_ref()
            .is_some_and(|said| !differing(&said.image, &last_frame, &evidence).is_empty()),
        rule_said: said.is_some(),
    }
}

/// Regions that are not yet as they will be.
fn differing(shown: &Image, last: &Image, evidence: &v1::PaintEvidence) -> Vec<String> {
    let (width, height) = (last.width, last.height);
    let mut regions = vec![
        ("icons".to_owned(), (0, 30, 120, height / 2)),
        ("wallpaper".to_owned(), (120, 60, width - 120, height - 160)),
    ];
    for window in evidence
        .windows
        .iter()
        .filter(|window| window.role() == v1::WindowRole::Dock)
    {
        if let Some(at) = &window.region {
            let corner = (
                u32::try_from(at.x()).unwrap(),
                u32::try_from(at.y()).unwrap(),
            );
            regions.push(("dock".into(), (corner.0, corner.1, at.width, at.height)));
        }
    }
    regions.retain(|(_, region)| !shown.alike(last, *region));
    regions.into_iter().map(|(name, _)| name).collect()
}

fn write_ppm(path: &Path, image: &Image) {
    let header = format!("P6 {} {} 255\n", image.width, image.height);
    fs::write(path, [header.as_bytes(), &image.rgb].concat()).unwrap();
}

fn slow_down(
    slow: Slow,
    server: &XServer,
    desktop: &Arc<Xfce>,
    stop: Arc<AtomicBool>,
) -> tokio::task::JoinHandle<()> {
    let desktop = Arc::clone(desktop);
    let xserver = Pid::from_raw(i32::try_from(server.pid()).unwrap());
    tokio::task::spawn_blocking(move || {
        let appeared = |name: &str| {
            while desktop.pids(name).is_empty() && !stop.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(2));
            }
        };
        let two_seconds = || std::thread::sleep(Duration::from_secs(2));
        match slow {
            Slow::Not | Slow::Quota(_) => {}
            Slow::Stopped(who, when) => {
                appeared(when);
                appeared(who);
                if who == when {
                    // Let it begin.
                    std::thread::sleep(Duration::from_millis(60));
                }
                desktop.signal(who, Signal::SIGSTOP);
                two_seconds();
                desktop.signal(who, Signal::SIGCONT);
            }
            Slow::Server(when) => {
                appeared(when);
                kill(xserver, Signal::SIGSTOP).unwrap();
                two_seconds();
                kill(xserver, Signal::SIGCONT).unwrap();
            }
            Slow::Turns(run, stand) => {
                while !stop.load(Ordering::Relaxed) {
                    let all = desktop.all_pids();
                    let send = |signal| {
                        for pid in &all {
                            let _ = kill(Pid::from_raw(*pid), signal);
                        }
                    };
                    send(Signal::SIGSTOP);
                    std::thread::sleep(Duration::from_millis(stand));
                    send(Signal::SIGCONT);
                    std::thread::sleep(Duration::from_millis(run));
                }
            }
        }
    })
}
