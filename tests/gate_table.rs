//! `make gate-table`: deskd's verdict of every kind of screen, at seven sizes, beside the
//! older byte-size rule; then moving content, other window managers, and other X servers,
//! at 1280 × 800. `gate_table short` takes two sizes.

#![allow(dead_code, unused_imports, missing_docs, unreachable_pub)]
#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::{
    Daemon, XServer,
    desktop::{Session, Xfce},
    moving::Moving,
    program::{self, Running},
    size_rule::SizeRule,
    xservers::{self, EXTENSIONS, Kind},
};
use deskd::v1;
use v1::PaintVerdict::{Blank, Partial, Ready, Unsettled};

const SIZES: [(u16, u16); 7] = [
    (640, 480),
    (800, 600),
    (1024, 768),
    (1280, 800),
    (1920, 1080),
    (2560, 1440),
    (3840, 2160),
];

/// Time for which a screen that must not be READY is watched.
const NEVER: Duration = Duration::from_secs(5);
/// Time for a part of a desktop to paint itself.
const START: Duration = Duration::from_secs(4);
/// Maximum time for a screen that must be READY.
const SOON: Duration = Duration::from_secs(60);

/// The counts.
#[derive(Default)]
struct Tally {
    cells: usize,
    false_ready: usize,
    false_failure: usize,
    rule_false_ready: usize,
    rule_false_failure: usize,
}

fn main() {
    let short = std::env::args().any(|word| word == "short");
    let sizes: Vec<(u16, u16)> = if short {
        vec![(640, 480), (1280, 800)]
    } else {
        SIZES.to_vec()
    };
    // One size only: `gate_table 3840x2160`.
    let one =
        std::env::args().find(|word| word.contains('x') && word.starts_with(char::is_numeric));
    let sizes: Vec<_> = sizes
        .into_iter()
        .filter(|(width, height)| {
            one.as_ref()
                .is_none_or(|one| *one == format!("{width}x{height}"))
        })
        .collect();
    let mut tally = Tally::default();
    println!(
        "{:<11} {:<34} {:<8} {:<10} {:>8}  {:<14} why or what moves",
        "size", "screen", "profile", "deskd", "after ms", "size rule"
    );
    // The X servers alone: `gate_table servers`.
    let others = std::env::args().any(|word| word == "servers");
    for size in sizes.into_iter().filter(|_| !others) {
        bare_screens(size, &mut tally);
        programs(size, &mut tally);
        xfce(size, &mut tally);
    }
    if one.is_none() {
        if !others {
            moving(&mut tally);
            managers(&mut tally);
        }
        servers(&mut tally);
    }
    println!(
        "{} cells: deskd false READY {}, false failure {}; size rule false READY {}, false failure {}",
        tally.cells,
        tally.false_ready,
        tally.false_failure,
        tally.rule_false_ready,
        tally.rule_false_failure
    );
    assert!(
        tally.false_ready + tally.false_failure == 0,
        "a screen was judged wrongly"
    );
}

/// One screen of the table.
struct Cell<'a> {
    server: &'a XServer,
    size: (u16, u16),
    name: &'a str,
    profile: &'a str,
    expected: v1::PaintVerdict,
    lenient: bool,
}

impl Cell<'_> {
    /// Asks a fresh daemon, and the rule.
    fn judge(&self, tally: &mut Tally) -> v1::PaintEvidence {
        forget_proof(self.server);
        let rule = SizeRule::start(self.server);
        let daemon = Daemon::with(self.server, &["--profile", self.profile]);
        let limit = if self.expected == Ready { SOON } else { NEVER };
        let limit_word = format!("{}s", limit.as_secs());
        let mut arguments = vec!["ready", "--json", "--timeout", &limit_word];
        if self.lenient {
            arguments.push("--allow-unsettled");
        }
        let output = daemon.cli(&arguments);
        let reply: serde_json::Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
        let evidence = evidence(&reply["evidence"]);
        // The rule's own patience is 30 s; a still screen tells within two.
        let said = rule.end(Duration::from_secs(2)).is_some();
        let painted = self.expected == Ready || self.expected == Unsettled;
        let verdict = evidence.verdict();
        tally.cells += 1;
        let wrong = verdict != self.expected;
        tally.false_ready += usize::from(verdict == Ready && wrong);
        tally.false_failure += usize::from(wrong && verdict != Ready);
        tally.rule_false_ready += usize::from(said && self.expected != Ready);
        tally.rule_false_failure += usize::from(!said && painted && self.expected == Ready);
        let word = |right: bool, word: &str| {
            if right {
                word.to_owned()
            } else {
                format!("{word} WRONG")
            }
        };
        let why = match verdict {
            Ready => evidence
                .animated
                .iter()
                .map(|r| format!("{}x{}+{}+{}", r.width, r.height, r.x(), r.y()))
                .collect::<Vec<_>>()
                .join(" "),
            _ => evidence.missing.first().cloned().unwrap_or_default(),
        };
        println!(
            "{:<11} {:<34} {:<8} {:<10} {:>8}  {:<14} {why}",
            format!("{}x{}", self.size.0, self.size.1),
            self.name,
            self.profile,
            word(
                !wrong,
                verdict.as_str_name().trim_start_matches("PAINT_VERDICT_")
            ),
            evidence.elapsed.map_or(0, |elapsed| elapsed.seconds * 1000
                + i64::from(elapsed.nanos) / 1_000_000),
            word(
                said == (self.expected == Ready),
                if said { "painted" } else { "not" }
            ),
        );
        evidence
    }
}

/// The parts of the JSON form that are printed.
fn evidence(value: &serde_json::Value) -> v1::PaintEvidence {
    let number =
        |value: &serde_json::Value| -> u32 { value.as_u64().unwrap_or(0).try_into().unwrap() };
    let signed = |value: &serde_json::Value| i32::try_from(value.as_i64().unwrap_or(0)).unwrap();
    let list = |name: &str| value[name].as_array().cloned().unwrap_or_default();
    let verdict = v1::PaintVerdict::from_str_name(value["verdict"].as_str().unwrap()).unwrap();
    let mut evidence = v1::PaintEvidence {
        elapsed: Some(value["elapsed"].as_str().unwrap_or("0s").parse().unwrap()),
        missing: list("missing")
            .iter()
            .map(|m| m.as_str().unwrap().into())
            .collect(),
        animated: list("animated")
            .iter()
            .map(|r| {
                v1::Region::new(
                    signed(&r["x"]),
                    signed(&r["y"]),
                    number(&r["width"]),
                    number(&r["height"]),
                )
            })
            .collect(),
        windows: list("windows")
            .iter()
            .map(|window| v1::PaintWindow {
                role: v1::WindowRole::from_str_name(window["role"].as_str().unwrap())
                    .unwrap()
                    .into(),
                ..v1::PaintWindow::default()
            })
            .collect(),
        ..v1::PaintEvidence::default()
    };
    evidence.set_verdict(verdict);
    evidence
}

/// As if no daemon had been here.
fn forget_proof(server: &XServer) {
    program::output(
        server
            .program("xprop")
            .args(["-root", "-remove", "_DESKD_STATE"]),
        "x11-utils",
    );
}

fn start((width, height): (u16, u16), more: &[&str]) -> XServer {
    XServer::with_screen(&format!("{width}x{height}x24"), more)
}

fn bare_screens(size: (u16, u16), tally: &mut Tally) {
    let mut both = |server: &XServer, name: &str| {
        for profile in ["xfce", "any"] {
            let cell = Cell {
                server,
                size,
                name,
                profile,
                expected: Blank,
                lenient: false,
            };
            cell.judge(tally);
        }
    };
    let black = start(size, &[]);
    both(&black, "black root");
    program::output(
        black.program("xsetroot").args(["-solid", "#336699"]),
        "x11-xserver-utils",
    );
    both(&black, "solid root");
    let stipple = start(size, &["-retro"]);
    both(&stipple, "stipple root (-retro)");
}

fn programs(size: (u16, u16), tally: &mut Tally) {
    let server = start(size, &[]);
    let (width, height) = size;
    // No window manager: the program sets its own size.
    let kiosk = {
        let mut xterm = server.program("xterm");
        let geometry = format!("{}x{}+0+0", width / 6, height / 13);
        xterm.args([
            "-geometry",
            &geometry,
            "-e",
            "sh",
            "-c",
            "ls -l /etc; sleep 600",
        ]);
        program::spawn(&mut xterm, "xterm")
    };
    let cell = |server, name, profile, expected| Cell {
        server,
        size,
        name,
        profile,
        expected,
        lenient: false,
    };
    cell(&server, "kiosk, no window manager", "any", Ready).judge(tally);
    cell(&server, "kiosk, no window manager", "xfce", Partial).judge(tally);
    drop(kiosk);

    let server = start(size, &[]);
    let session = Session::start(&server, "xfwm4 & sleep 600");
    cell(&server, "window manager alone", "any", Ready).judge(tally);
    drop(session);

    let server = start(size, &[]);
    let session = Session::start(&server, "xfwm4 & sleep 1; xterm & sleep 600");
    cell(&server, "window manager and a terminal", "any", Ready).judge(tally);
    drop(session);

    let server = start(size, &[]);
    let session = Session::start(&server, "xfwm4 & xfce4-panel & sleep 600");
    std::thread::sleep(START);
    cell(&server, "panel on black", "xfce", Partial).judge(tally);
    drop(session);

    let server = start(size, &[]);
    let session = Session::start(&server, "xfwm4 & xfdesktop & sleep 600");
    std::thread::sleep(START);
    cell(&server, "wallpaper without docks", "xfce", Partial).judge(tally);
    drop(session);
}

fn xfce(size: (u16, u16), tally: &mut Tally) {
    let server = start(size, &[]);
    let desktop = Xfce::xfce(&server);
    let mut painted = |name: &str| {
        let cell = Cell {
            server: &server,
            size,
            name,
            profile: "xfce",
            expected: Ready,
            lenient: false,
        };
        cell.judge(tally);
    };
    painted("XFCE, picture");
    let at = "/backdrop/screen0/monitorscreen/workspace0";
    let set = |property: &str, kind: &str, values: &[&str]| {
        desktop.set_desktop(&server, &format!("{at}/{property}"), kind, values);
    };
    set("image-style", "int", &["0"]);
    set("color-style", "int", &["0"]);
    set("rgba1", "double", &["0.2", "0.4", "0.6", "1"]);
    painted("XFCE, plain colour");
    set("color-style", "int", &["1"]);
    set("rgba2", "double", &["0.9", "0.4", "0.1", "1"]);
    painted("XFCE, gradient");
    set("color-style", "int", &["0"]);
    set("rgba1", "double", &["0", "0", "0", "1"]);
    painted("XFCE, black");
    desktop.set_desktop(&server, "/desktop-icons/style", "int", &["0"]);
    painted("XFCE, black, no icons");
}

/// Content that keeps moving on a painted desktop.
fn moving(tally: &mut Tally) {
    let size = (1280, 800);
    let server = start(size, &[]);
    let _desktop = Xfce::xfce(&server);
    let base = |name: &'static str, expected, lenient| Cell {
        server: &server,
        size,
        name,
        profile: "xfce",
        expected,
        lenient,
    };
    base("XFCE", Ready, false).judge(tally);
    let mut named = |name: &'static str, around: (u32, u32, u32, u32)| {
        let evidence = base(name, Ready, false).judge(tally);
        let within = |r: &v1::Region| {
            let at = |value: i32| u32::try_from(value).unwrap();
            at(r.x()) + 20 >= around.0
                && at(r.y()) + 20 >= around.1
                && at(r.x()) + r.width <= around.0 + around.2 + 20
                && at(r.y()) + r.height <= around.1 + around.3 + 20
        };
        if !evidence.animated.iter().any(within) {
            println!("  NOT NAMED: {:?}", evidence.animated);
            tally.false_failure += 1;
        }
    };
    let window = (400, 200, 500, 400);
    {
        let mut xterm = server.program("xterm");
        xterm.args(["-bc", "-geometry", "60x20+400+200"]);
        let _xterm = program::spawn(&mut xterm, "xterm");
        std::thread::sleep(Duration::from_secs(2));
        named("XFCE, a blinking caret", window);
    }
    {
        let mut clock = server.program("xclock");
        clock.args(["-digital", "-update", "1", "-geometry", "+400+200"]);
        let _clock = program::spawn(&mut clock, "x11-apps");
        std::thread::sleep(Duration::from_secs(2));
        named("XFCE, a seconds clock", window);
    }
    {
        let _spinner = Moving::start(&server, (48, 48), (500, 300));
        std::thread::sleep(Duration::from_secs(1));
        named("XFCE, a spinner", (500, 300, 48, 48));
    }
    let _video = Moving::start(&server, (480, 270), (300, 200));
    std::thread::sleep(Duration::from_secs(1));
    base("XFCE, a video", Unsettled, false).judge(tally);
    base("XFCE, a video, allowed", Ready, true).judge(tally);
}

/// Window managers, and how a session starts them.
const MANAGERS: [(&str, &str); 9] = [
    ("xfwm4", "xfwm4"),
    ("openbox", "openbox"),
    ("i3", "i3 -c /etc/i3/config"),
    ("icewm", "icewm"),
    ("fluxbox", "fluxbox"),
    ("jwm", "jwm"),
    ("marco", "marco"),
    ("kwin_x11", "kwin_x11"),
    ("mutter", "mutter --x11"),
];

const USUAL: (u16, u16) = (1280, 800);

/// Each window manager alone, with a program, with a panel that its start script brings
/// late, and with a video.
fn managers(tally: &mut Tally) {
    for (name, command) in MANAGERS {
        let scripts = [
            ("alone", format!("{command} & sleep 600"), Ready),
            (
                "and a terminal",
                format!("{command} & sleep 1.5; xterm & sleep 600"),
                Ready,
            ),
            (
                "and a panel after 1.8 s",
                format!("{command} & sleep 1.8; tint2 & sleep 600"),
                Ready,
            ),
        ];
        for (what, script, expected) in scripts {
            let server = start(USUAL, &[]);
            let session = Session::start(&server, &script);
            let label = format!("{name} {what}");
            let cell = Cell {
                server: &server,
                size: USUAL,
                name: &label,
                profile: "any",
                expected,
                lenient: false,
            };
            let evidence = cell.judge(tally);
            let docked = evidence
                .windows
                .iter()
                .any(|window| window.role() == v1::WindowRole::Dock);
            if what.contains("panel") && !docked {
                println!("  BEFORE ITS PANEL");
                tally.false_ready += 1;
            }
            drop(session);
        }
    }
}

/// Each X server with nothing, a program without a window manager, a session, and a video.
fn servers(tally: &mut Tally) {
    let kinds = [Kind::Xvnc, Kind::Xephyr, Kind::XorgDummy, Kind::Xwayland];
    let without = EXTENSIONS.into_iter().map(Kind::Without);
    for kind in kinds.into_iter().chain(without) {
        let standing = xservers::start(kind);
        let server = &standing.server;
        let mut judge = |what: &str, profile, expected| {
            let cell = Cell {
                server,
                size: USUAL,
                name: &format!("{kind:?} {what}"),
                profile,
                expected,
                lenient: false,
            };
            cell.judge(tally);
        };
        // Xvnc's and Xephyr's root windows are stippled, the others' black.
        judge("nothing", "any", Blank);
        {
            let mut xterm = server.program("xterm");
            xterm.args(["-geometry", "210x60+0+0", "-e", "ls -l /etc; sleep 600"]);
            let _xterm = program::spawn(&mut xterm, "xterm");
            judge("kiosk", "any", Ready);
            judge("kiosk", "xfce", Partial);
        }
        let session = Session::start(server, "openbox & sleep 600");
        judge("openbox alone", "any", Ready);
        drop(session);
        // With or without deskd: without DAMAGE, XFCE makes Xvfb 21.1 abort; without
        // COMPOSITE, its panel redraws itself permanently.
        let plain = [Kind::Without("DAMAGE"), Kind::Without("COMPOSITE")].contains(&kind);
        let (script, profile) = match plain {
            true => ("openbox & sleep 1; exec xterm -geometry 140x50", "any"),
            false => ("exec startxfce4", "xfce"),
        };
        let session = Session::start(server, script);
        judge("session", profile, Ready);
        {
            let _video = Moving::start(server, (480, 270), (300, 200));
            std::thread::sleep(Duration::from_secs(1));
            judge("session, a video", profile, Unsettled);
        }
        drop(session);
    }
}
