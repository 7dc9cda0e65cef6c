//! Several actions in one step, done in real programs under real window managers.
//!
//! Each case sends one batch without settling and compares what the program received
//! with what was asked: every press and release at its own point, every character in
//! its own field.

use std::{
    io::Write as _,
    process::Stdio,
    time::{Duration, Instant},
};

use deskd::v1::{self, action::Action};
use serde_json::Value;
use tempfile::TempDir;

use super::{
    Daemon, XServer,
    desktop::Session,
    program::{self, Running, command},
    receiver::{self, InputMethod, Lines, Toolkit},
    step::{Client, at, bare, chord, click, drag, move_to, text},
    wait_for,
};

/// A window manager, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manager {
    /// Its name.
    pub name: &'static str,
    /// The Debian package.
    package: &'static str,
    /// The shell script that starts it; empty without one.
    script: &'static str,
}

/// All of the matrix.
pub const MANAGERS: [Manager; 6] = [
    manager("xfwm4", "xfwm4", "exec xfwm4"),
    manager("openbox", "openbox", "exec openbox"),
    manager(
        "i3",
        "i3-wm",
        "printf 'font pango:monospace 8\\nfocus_follows_mouse no\\n' >i3.conf; exec i3 -c i3.conf",
    ),
    manager("icewm", "icewm", "exec icewm"),
    manager(
        "marco",
        "marco",
        "GSETTINGS_BACKEND=memory exec marco --no-composite",
    ),
    manager("none", "", ""),
];

/// Window managers of large desktops, which the tests do not install.
pub const LARGE: [Manager; 2] = [
    manager("kwin", "kwin-x11", "exec kwin_x11"),
    manager("mutter", "mutter", "exec mutter --x11"),
];

/// The whole desktop, for what pacing costs.
pub const XFCE: Manager = manager("XFCE", "xfce4-session", "exec startxfce4");

const fn manager(name: &'static str, package: &'static str, script: &'static str) -> Manager {
    Manager {
        name,
        package,
        script,
    }
}

impl Manager {
    /// Starts it and waits until it manages the display; nothing without one.
    pub fn start(&self, server: &XServer) -> Option<Session> {
        if self.script.is_empty() {
            return None;
        }
        let session = Session::start(server, self.script);
        let what = format!("{} (package {})", self.name, self.package);
        wait_for(&what, Duration::from_secs(30), || {
            let mut xprop = server.program("xprop");
            xprop.args(["-root", "_NET_SUPPORTING_WM_CHECK"]);
            let output = program::output(&mut xprop, "x11-utils");
            let managed = String::from_utf8_lossy(&output).contains("window id");
            managed.then_some(())
        });
        // A window that is mapped while openbox starts may stay unmapped.
        std::thread::sleep(Duration::from_millis(300));
        Some(session)
    }
}

/// The actions of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    ClickClick,
    ClickType,
    ClickKey,
    KeyType,
    TypeKeyType,
    DragClick,
    DownMoveUp,
    Form,
}

/// All of the matrix, with their names.
pub const CASES: [(Case, &str); 8] = [
    (Case::ClickClick, "click→click"),
    (Case::ClickType, "click→type"),
    (Case::ClickKey, "click→key"),
    (Case::KeyType, "key→type"),
    (Case::TypeKeyType, "type→key→type"),
    (Case::DragClick, "drag→click"),
    (Case::DownMoveUp, "down→move→up"),
    (Case::Form, "five-action form"),
];

/// A window, and where a button was pressed and released on it.
type Press = (usize, (i32, i32), (i32, i32));

/// Time for a program to show the outcome of a batch.
const OUTCOME: Duration = Duration::from_secs(5);
/// Time in which anything that follows the expected outcome is noticed.
const AFTER: Duration = Duration::from_millis(40);

/// A program with two windows, under a window manager, and a daemon.
pub struct Stage {
    toolkit: Toolkit,
    alone: bool,
    /// Whether batches are paced.
    pub paced: bool,
    /// Times from the request to its answer.
    pub times: Vec<Duration>,
    windows: Vec<Value>,
    port: u64,
    lines: Lines,
    program: Running,
    client: Client,
    pub daemon: Daemon,
    pub session: Option<Session>,
    _method: Option<InputMethod>,
    pub server: XServer,
    _home: TempDir,
}

impl Stage {
    /// Starts everything and waits until both windows are drawn and at rest.
    pub async fn new(manager: &Manager, toolkit: Toolkit) -> Self {
        Self::under(manager, toolkit, "").await
    }

    /// The same under an input method; empty: without one.
    pub async fn under(manager: &Manager, toolkit: Toolkit, method: &str) -> Self {
        let server = XServer::start();
        program::output(server.program("setxkbmap").arg("us"), "x11-xkb-utils");
        let method = (!method.is_empty()).then(|| InputMethod::start(&server, method));
        let session = manager.start(&server);
        let (script, package) = match toolkit {
            Toolkit::Gtk => ("form_gtk.py", "gir1.2-gtk-3.0"),
            Toolkit::Qt => ("form_qt.py", "python3-pyqt5"),
            Toolkit::Chromium => ("form_chromium.py", "chromium"),
            Toolkit::Xterm => ("form_xterm.py", "xterm"),
        };
        let home = tempfile::tempdir().unwrap();
        let mut python = receiver::python(&server, script);
        python.env("HOME", home.path());
        if let Some(method) = &method {
            python.envs(method.environment.iter().cloned());
        }
        let mut program = program::spawn(&mut python, package);
        let lines = receiver::lines(&mut program);
        let ready = wait_for(
            &format!("{script} under {}", manager.name),
            Duration::from_secs(60),
            || {
                let lines = lines.lock().unwrap();
                lines.iter().find(|line| line["event"] == "ready").cloned()
            },
        );
        let daemon = Daemon::start(&server);
        let client = daemon.client().await;
        Self {
            toolkit,
            alone: session.is_none(),
            paced: true,
            times: Vec::new(),
            windows: ready["windows"].as_array().unwrap().clone(),
            port: ready["port"].as_u64().unwrap_or(0),
            lines,
            program,
            client,
            daemon,
            session,
            _method: method,
            server,
            _home: home,
        }
    }

    /// Does one batch, and returns what is wrong with its outcome.
    pub async fn batch(&mut self, case: Case, repetition: usize) -> Result<(), String> {
        let repetition = i32::try_from(repetition).unwrap();
        // Without a window manager nothing but the program moves the focus.
        let first = match self.alone {
            true => 0,
            false => usize::try_from(repetition / 2 % 2).unwrap(),
        };
        let second = if self.alone { 0 } else { 1 - first };
        let field = ["a", "b"][usize::try_from(repetition % 2).unwrap()];
        let token = format!("k{repetition}x");
        // Clicks of several batches at one place would wait for one another.
        let shift = 24 * (repetition % 5);
        self.clear();
        match case {
            Case::ClickClick => {
                let (p, q) = (self.canvas(first, shift), self.canvas(second, 130 + shift));
                self.act(vec![click(p.0, p.1), click(q.0, q.1)]).await?;
                self.presses(&[(first, p, p), (second, q, q)])
            }
            Case::ClickType => {
                if self.toolkit == Toolkit::Xterm {
                    let p = self.canvas(first, shift);
                    self.act(vec![click(p.0, p.1), text(&token)]).await?;
                    return self.texts(&[(first, &token)]);
                }
                let (x, y) = self.widget(first, field);
                self.act(vec![click(x, y), text(&token)]).await?;
                self.fields(&[(first, field, &token)])
            }
            Case::ClickKey => {
                if self.toolkit == Toolkit::Xterm {
                    let p = self.canvas(first, shift);
                    self.act(vec![click(p.0, p.1), chord(&["k"])]).await?;
                    return self.texts(&[(first, "k")]);
                }
                let (x, y) = self.widget(first, field);
                self.act(vec![click(x, y), chord(&["k"])]).await?;
                self.fields(&[(first, field, "k")])
            }
            Case::KeyType => self.key_type(first, &token, shift).await,
            Case::TypeKeyType => {
                let (one, two) = (format!("{token}1"), format!("{token}2"));
                self.focus(first, "a", shift).await?;
                self.act(vec![text(&one), chord(&["Tab"]), text(&two)])
                    .await?;
                if self.toolkit == Toolkit::Xterm {
                    return self.texts(&[(first, &format!("{one}\t{two}"))]);
                }
                self.fields(&[(first, "a", &one), (first, "b", &two)])
            }
            Case::DragClick => {
                let (p, q) = (self.canvas(first, shift), self.canvas(first, 160 + shift));
                if self.toolkit == Toolkit::Xterm {
                    let r = self.canvas(second, 80 + shift);
                    self.act(vec![drag(&[p, q], 60), click(r.0, r.1)]).await?;
                    return self.presses(&[(first, p, q), (second, r, r)]);
                }
                let (x, y) = self.widget(second, "submit");
                self.act(vec![drag(&[p, q], 60), click(x, y)]).await?;
                self.presses(&[(first, p, q)])?;
                self.submitted(second, "", "")
            }
            Case::DownMoveUp => {
                let (p, q) = (self.canvas(first, shift), self.canvas(first, 160 + shift));
                let down = Action::ButtonDown(v1::ButtonDownAction {
                    at: Some(at(p.0, p.1)),
                    ..v1::ButtonDownAction::default()
                });
                let up = Action::ButtonUp(v1::ButtonUpAction::default());
                self.act(vec![down, move_to(q.0, q.1), up]).await?;
                self.presses(&[(first, p, q)])
            }
            Case::Form => {
                let (one, two) = (format!("{token}1"), format!("{token}2"));
                if self.toolkit == Toolkit::Xterm {
                    let (p, q) = (self.canvas(first, shift), self.canvas(second, 60 + shift));
                    let r = self.canvas(first, 120 + shift);
                    self.act(vec![
                        click(p.0, p.1),
                        text(&one),
                        click(q.0, q.1),
                        text(&two),
                        click(r.0, r.1),
                    ])
                    .await?;
                    self.presses(&[(first, p, p), (second, q, q), (first, r, r)])?;
                    if self.alone {
                        return self.texts(&[(first, &format!("{one}{two}"))]);
                    }
                    return self.texts(&[(first, &one), (second, &two)]);
                }
                let (a, b) = (self.widget(first, "a"), self.widget(first, "b"));
                let submit = self.widget(first, "submit");
                self.act(vec![
                    click(a.0, a.1),
                    text(&one),
                    click(b.0, b.1),
                    text(&two),
                    click(submit.0, submit.1),
                ])
                .await?;
                self.submitted(first, &one, &two)
            }
        }
    }

    /// An accelerator, and text into what it brings.
    async fn key_type(&mut self, first: usize, token: &str, shift: i32) -> Result<(), String> {
        self.focus(first, "b", shift).await?;
        match self.toolkit {
            Toolkit::Xterm => {
                self.act(vec![chord(&["ctrl", "k"]), text(token)]).await?;
                self.texts(&[(first, &format!("\u{b}{token}"))])
            }
            Toolkit::Chromium => {
                let url = format!("127.0.0.1:{}/go?{token}", self.port);
                self.act(vec![chord(&["ctrl", "l"]), text(&url), chord(&["Return"])])
                    .await?;
                self.expect(&format!("navigation to {token}"), |lines| {
                    let mut all = lines.iter().filter(|line| line["event"] == "navigate");
                    all.next().is_some_and(|line| line["token"] == *token)
                })?;
                self.fields(&[])
            }
            Toolkit::Gtk | Toolkit::Qt => {
                self.act(vec![chord(&["ctrl", "l"]), text(token)]).await?;
                self.fields(&[(first, "a", token)])
            }
        }
    }

    /// Gives a field the focus, by a step of its own.
    async fn focus(&mut self, window: usize, field: &str, shift: i32) -> Result<(), String> {
        let (x, y) = match self.toolkit {
            Toolkit::Xterm => self.canvas(window, shift),
            _ => self.widget(window, field),
        };
        let before = self.lines.lock().unwrap().len();
        self.act(vec![click(x, y)]).await?;
        // A field that has it already does not report it.
        let limit = Instant::now() + Duration::from_millis(400);
        while self.toolkit != Toolkit::Xterm && Instant::now() < limit {
            let has_focus = |line: &Value| line["event"] == "focus" && line["field"] == field;
            let gained = self.lines.lock().unwrap()[before..].iter().any(has_focus);
            if gained {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::sleep(Duration::from_millis(60)).await;
        self.lines.lock().unwrap().clear();
        Ok(())
    }

    /// Waits until all fields are empty.
    pub fn clear(&mut self) {
        self.lines.lock().unwrap().clear();
        let stdin = self.program.0.stdin.as_mut().unwrap();
        stdin.write_all(b"clear\n").unwrap();
        stdin.flush().unwrap();
        wait_for("cleared", Duration::from_secs(10), || {
            let lines = self.lines.lock().unwrap();
            let cleared = lines.iter().any(|line| line["event"] == "cleared");
            cleared.then_some(())
        });
        self.lines.lock().unwrap().clear();
    }

    /// Sends a batch without settling; all of it must be done.
    async fn act(&mut self, actions: Vec<Action>) -> Result<(), String> {
        let request = v1::ActRequest {
            no_pacing: !self.paced,
            ..bare(actions)
        };
        let began = Instant::now();
        let reply = self.client.act(request).await;
        self.times.push(began.elapsed());
        let reply = reply.map_err(|status| status.to_string())?.into_inner();
        if std::env::var_os("DESKD_TEST_VERBOSE").is_some() {
            let ms = |d: &Option<prost_types::Duration>| {
                d.as_ref().map_or(0.0, |d| f64::from(d.nanos) / 1e6)
            };
            for result in &reply.results {
                print!(
                    "{:.0}+{:.0}{} ",
                    ms(&result.elapsed),
                    ms(&result.pacing),
                    if result.unconfirmed { "?" } else { "" }
                );
            }
            println!();
        }
        match reply.outcome() {
            v1::ActOutcome::Done => Ok(()),
            _ => Err(format!("{:?}: {:?}", reply.outcome(), reply.results)),
        }
    }

    /// The client, for other requests.
    pub fn client(&mut self) -> &mut Client {
        &mut self.client
    }

    /// The centre of a widget, in screen pixels.
    pub fn widget(&self, window: usize, name: &str) -> (i32, i32) {
        let point = &self.windows[window][name];
        (number(&point[0]), number(&point[1]))
    }

    /// A point of the canvas, that many pixels from its left.
    pub fn canvas(&self, window: usize, x: i32) -> (i32, i32) {
        let area = &self.windows[window]["canvas"];
        let width = number(&area[2]) - 40;
        (
            number(&area[0]) + 20 + x.min(width),
            number(&area[1]) + number(&area[3]) / 2,
        )
    }

    fn expect(&self, what: &str, probe: impl Fn(&[Value]) -> bool) -> Result<(), String> {
        let limit = Instant::now() + OUTCOME;
        while !probe(&self.lines.lock().unwrap()) {
            if Instant::now() > limit {
                let lines = self.lines.lock().unwrap();
                let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
                return Err(format!("{what} did not come: {}", lines.join(" ")));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        std::thread::sleep(AFTER);
        if probe(&self.lines.lock().unwrap()) {
            return Ok(());
        }
        Err(format!("{what} did not stay"))
    }

    /// Exactly these presses and releases, in order: window, press, release.
    fn presses(&self, wanted: &[Press]) -> Result<(), String> {
        let wanted: Vec<(usize, bool, (i32, i32))> = wanted
            .iter()
            .flat_map(|(window, p, q)| [(*window, true, *p), (*window, false, *q)])
            .collect();
        self.expect(&format!("{wanted:?}"), |lines| {
            let buttons = lines
                .iter()
                .filter(|line| line["event"] == "press" || line["event"] == "release");
            let mut got: Vec<&Value> = buttons.collect();
            let mut wanted = wanted.clone();
            if matches!(self.toolkit, Toolkit::Xterm | Toolkit::Chromium) {
                // Each window reports on its own connection: only the order within one
                // counts.
                got.sort_by_key(|line| line["window"].as_u64());
                wanted.sort_by_key(|(window, _, _)| *window);
            }
            got.len() == wanted.len()
                && got.iter().zip(&wanted).all(|(line, (window, press, p))| {
                    let kind = if *press { "press" } else { "release" };
                    line["event"] == kind
                        && line["window"] == window + 1
                        && self.is_at(line, *window, *p)
                })
        })
    }

    fn is_at(&self, line: &Value, window: usize, (x, y): (i32, i32)) -> bool {
        if self.toolkit == Toolkit::Xterm {
            let area = &self.windows[window]["canvas"];
            let cell = (
                (x - number(&area[0])) / 6 + 1,
                (y - number(&area[1])) / 13 + 1,
            );
            return (number(&line["col"]), number(&line["row"])) == cell;
        }
        let near = |a: i32, b: i32| a.abs_diff(b) <= 1;
        near(number(&line["x"]), x) && near(number(&line["y"]), y)
    }

    /// These texts in these fields, and nothing in all others.
    fn fields(&self, wanted: &[(usize, &str, &str)]) -> Result<(), String> {
        self.expect(&format!("{wanted:?}"), |lines| {
            [0, 1].into_iter().all(|window| {
                ["a", "b"].into_iter().all(|field| {
                    let want = wanted.iter().find(|w| w.0 == window && w.1 == field);
                    let last = lines.iter().rfind(|line| {
                        line["event"] == "field"
                            && line["window"] == window + 1
                            && line["field"] == field
                    });
                    let got = last.and_then(|line| line["text"].as_str()).unwrap_or("");
                    got == want.map_or("", |w| w.2)
                })
            })
        })
    }

    /// These texts in these terminals, and nothing in the other.
    fn texts(&self, wanted: &[(usize, &str)]) -> Result<(), String> {
        self.expect(&format!("{wanted:?}"), |lines| {
            [0, 1].into_iter().all(|window| {
                let want = wanted.iter().find(|w| w.0 == window);
                let last = lines
                    .iter()
                    .rfind(|line| line["event"] == "text" && line["window"] == window + 1);
                let got = last.and_then(|line| line["text"].as_str()).unwrap_or("");
                got == want.map_or("", |w| w.1)
            })
        })
    }

    /// The form was sent once, from that window, with these fields.
    fn submitted(&self, window: usize, a: &str, b: &str) -> Result<(), String> {
        self.expect(&format!("submit of {window} with {a:?}, {b:?}"), |lines| {
            let all: Vec<&Value> = lines.iter().filter(|l| l["event"] == "submit").collect();
            let [one] = all.as_slice() else {
                return false;
            };
            one["window"] == window + 1 && one["a"] == a && one["b"] == b
        })
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // The program ends its own processes when its input closes.
        drop(self.program.0.stdin.take());
        for _ in 0..300 {
            if matches!(self.program.0.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn number(value: &Value) -> i32 {
    // Toolkits report half pixels.
    let whole = value.as_f64().unwrap().floor();
    format!("{whole:.0}").parse().unwrap()
}

/// Busy processes, two for each core.
pub fn load() -> Vec<Running> {
    (0..4)
        .map(|_| {
            let mut busy = command("sh");
            busy.args(["-c", "while :; do :; done"])
                .stdin(Stdio::null());
            program::spawn(&mut busy, "dash")
        })
        .collect()
}

/// Measures the cost of pacing for a batch of five actions on XFCE, in each program.
pub async fn cost(runs: usize) -> String {
    let mut text = String::from("five actions (click, type, click, type, click) on XFCE, ms\n");
    for toolkit in receiver::ALL {
        let mut stage = Stage::new(&XFCE, toolkit).await;
        // The desktop has come up.
        tokio::time::sleep(Duration::from_secs(8)).await;
        let mut medians = Vec::new();
        for paced in [true, false] {
            stage.paced = paced;
            stage.times.clear();
            let mut wrong = 0;
            for run in 0..runs {
                wrong += usize::from(stage.batch(Case::Form, run).await.is_err());
                // Clicks at one place are kept 520 ms apart, paced or not.
                tokio::time::sleep(Duration::from_millis(600)).await;
            }
            stage.times.sort_unstable();
            let median = stage.times[stage.times.len() / 2].as_secs_f64() * 1000.0;
            medians.push((median, wrong));
        }
        let [(with, right), (without, wrong)] = medians[..] else {
            unreachable!("two ways");
        };
        text.push_str(&format!(
            "{:<9} paced {with:.0} ({right} of {runs} wrong), without {without:.0} ({wrong} of {runs} wrong): {:+.0}\n",
            format!("{toolkit:?}"),
            with - without
        ));
    }
    text
}
