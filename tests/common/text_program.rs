//! Programs that show a text, by the toolkit or terminal that they are made with, and
//! what reaches them of typed text.

use std::{
    io::Write as _,
    time::{Duration, Instant},
};

use deskd::v1;
use serde_json::Value;
use tempfile::TempDir;

use super::{
    Daemon, XServer,
    program::{self, Running},
    receiver::{self, InputMethod, Lines},
    step::{Client, bare, text},
    wait_for,
};

/// A program and how it is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextProgram {
    /// As the table names it.
    pub name: &'static str,
    /// The script in `tests/receivers`, and its arguments before the place.
    script: &'static str,
    arguments: &'static [&'static str],
    /// A terminal: Return arrives as a carriage return.
    terminal: bool,
    /// The text ends with Return and is one line.
    prompt: bool,
    /// The input method that it runs under; empty without one.
    method: &'static str,
    /// It starts within seconds: part of `make test`.
    pub quick: bool,
}

const fn program(
    name: &'static str,
    script: &'static str,
    arguments: &'static [&'static str],
) -> TextProgram {
    TextProgram {
        name,
        script,
        arguments,
        terminal: false,
        prompt: false,
        method: "",
        quick: false,
    }
}

const fn terminal(
    name: &'static str,
    script: &'static str,
    arguments: &'static [&'static str],
) -> TextProgram {
    TextProgram {
        terminal: true,
        ..program(name, script, arguments)
    }
}

const fn quick(program: TextProgram) -> TextProgram {
    TextProgram {
        quick: true,
        ..program
    }
}

const fn under(method: &'static str, name: &'static str, script: &'static str) -> TextProgram {
    TextProgram {
        method,
        ..program(name, script, &[])
    }
}

const fn prompt(name: &'static str, arguments: &'static [&'static str]) -> TextProgram {
    TextProgram {
        prompt: true,
        ..program(name, "text_menu.py", arguments)
    }
}

/// All of the table.
pub const PROGRAMS: [TextProgram; 24] = [
    quick(program("GTK 3", "gtk.py", &[])),
    quick(program("GTK 4", "text_gtk4.py", &[])),
    quick(program("Qt 5", "qt.py", &[])),
    quick(program("Qt 6", "text_qt6.py", &[])),
    quick(program("Chromium", "chromium.py", &[])),
    quick(terminal("xterm", "xterm.py", &[])),
    quick(terminal("VTE", "text_vte.py", &[])),
    quick(program("Java Swing", "text_java.py", &[])),
    quick(program("Tk", "text_tk.py", &[])),
    terminal("kitty", "text_term.py", &["kitty"]),
    terminal("alacritty", "text_term.py", &["alacritty"]),
    terminal("urxvt", "text_term.py", &["urxvt"]),
    terminal("xfce4-terminal", "text_term.py", &["xfce4-terminal"]),
    program("LibreOffice, GTK 3", "text_libreoffice.py", &["gtk3"]),
    program("LibreOffice, X11", "text_libreoffice.py", &["gen"]),
    program("Wine", "text_wine.py", &[]),
    prompt("rofi", &["rofi"]),
    prompt("dmenu", &["dmenu"]),
    under("ibus", "GTK 3, ibus", "gtk.py"),
    under("ibus", "Qt 5, ibus", "qt.py"),
    under("ibus", "Chromium, ibus", "chromium.py"),
    under("fcitx5", "GTK 3, fcitx", "gtk.py"),
    under("fcitx5", "Qt 5, fcitx", "qt.py"),
    under("fcitx5", "Chromium, fcitx", "chromium.py"),
];

/// The program of that name.
pub fn named(name: &str) -> TextProgram {
    let found = PROGRAMS.iter().find(|program| program.name == name);
    *found.unwrap_or_else(|| panic!("no program {name:?}"))
}

/// A kind of text.
pub struct Sample {
    pub name: &'static str,
    pub text: String,
}

/// The columns of the table.
pub fn samples() -> Vec<Sample> {
    let sample = |name, text: &str| Sample {
        name,
        text: text.to_owned(),
    };
    vec![
        sample("ASCII", &(' '..='~').collect::<String>()),
        sample(
            "Latin",
            "Zażółć gęślą jaźń, Þórður, naïve façade, İstanbul, ngữ, ŁÓDŹ",
        ),
        sample(
            "symbols",
            "├── a │ ┌─┐ 5‰ x∼y ⟨x⟩ ＠Ａ ≤ ≥ ≠ √ ∞ ← → • … “x” –",
        ),
        sample(
            "scripts",
            "Съешь ещё Ξεσκεπάζω שלום نص ไทย हिन्दी 한국어 日本語",
        ),
        Sample {
            name: "900 Han",
            text: ('\u{4e00}'..).take(900).collect(),
        },
        sample("emoji", "😀👍🏽👨‍👩‍👧‍👦🇩🇪❤️🏳️‍🌈"),
        sample("lines", "one\ntwo\n\tthree\n\nfive\nsix\nseven\neight\n"),
    ]
}

/// A program that runs, with the focus in its text, and a daemon.
pub struct Started {
    program: TextProgram,
    lines: Lines,
    process: Running,
    _method: Option<InputMethod>,
    pub client: Client,
    pub daemon: Daemon,
    pub server: XServer,
    _home: TempDir,
}

impl Started {
    /// Starts it under the layout `us`.
    pub async fn new(program: TextProgram) -> Self {
        let server = XServer::start();
        program::output(server.program("setxkbmap").arg("us"), "x11-xkb-utils");
        let home = tempfile::tempdir().unwrap();
        let method =
            (!program.method.is_empty()).then(|| InputMethod::start(&server, program.method));
        let mut python = receiver::python(&server, program.script);
        python
            .args(program.arguments)
            .args(["0", "0", "900", "700"])
            .env("HOME", home.path())
            .env("RECEIVER_UNBRACKETED", "1")
            .env("RECEIVER_REST", "40");
        if let Some(method) = &method {
            python.envs(method.environment.iter().cloned());
        }
        let mut process = program::spawn(&mut python, "python3");
        let lines = receiver::lines(&mut process);
        let ready = wait_for(program.name, Duration::from_secs(120), || {
            let lines = lines.lock().unwrap();
            lines.iter().find(|line| line["event"] == "ready").cloned()
        });
        let daemon = Daemon::start(&server);
        let mut client = daemon.client().await;
        if !program.prompt {
            // Into the upper part, where the text is.
            let number = |name: &str| i32::try_from(ready[name].as_i64().unwrap()).unwrap();
            let (x, y) = (number("x") + 200, number("y") + number("h") / 3);
            let step = bare(vec![super::step::click(x, y)]);
            client.act(step).await.unwrap();
        }
        Self {
            program,
            lines,
            process,
            _method: method,
            client,
            daemon,
            server,
            _home: home,
        }
    }

    /// Types a text and returns how it differs from what arrived.
    pub async fn check(&mut self, typed: &str) -> Result<(), String> {
        let before = self.text().chars().count();
        self.lines.lock().unwrap().clear();
        let typed = match self.program.prompt {
            // rofi takes the grave accent for a command of its own.
            true => format!("{}\n", typed.replace(['\n', '\t', '`'], " ").trim()),
            false => typed.to_owned(),
        };
        let mut request = tonic::Request::new(bare(vec![text(&typed)]));
        request.set_timeout(Duration::from_secs(60));
        let reply = self.client.act(request).await;
        let reply = reply.map_err(|status| status.to_string())?.into_inner();
        let answer = format!("{:?}", reply.outcome());
        let wanted = match (self.program.terminal, self.program.prompt) {
            (true, _) => typed.replace('\n', "\r"),
            (_, true) => typed.trim_end_matches('\n').to_owned(),
            _ => typed,
        };
        // A program that cannot be cleared goes on after what it had.
        let kept = if self.is_cleared() { 0 } else { before };
        let mut last = (String::new(), Instant::now());
        loop {
            let now: String = self.text().chars().skip(kept).collect();
            if now == wanted {
                break;
            }
            if now != last.0 {
                last = (now, Instant::now());
            }
            // Qt takes 10 s and more to find fonts for emoji that it has not drawn before.
            if last.1.elapsed() > Duration::from_secs(30) {
                return Err(format!("{answer}: {}", difference(&last.0, &wanted)));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        match reply.outcome() {
            v1::ActOutcome::Done => Ok(()),
            _ => Err(format!("{answer}, though all arrived: {:?}", reply.results)),
        }
    }

    /// Types characters of which each is there once, and returns those that did not
    /// arrive in their place.
    pub async fn wrong_of(&mut self, characters: &[char]) -> Vec<char> {
        let typed: String = characters.iter().collect();
        match self.check(&typed).await {
            Ok(()) => Vec::new(),
            Err(why) => {
                println!(
                    "{} characters from {:?}: {why}",
                    characters.len(),
                    characters.first()
                );
                let got: std::collections::HashSet<char> = self.text().chars().collect();
                let missing = characters.iter().filter(|one| !got.contains(one));
                let missing: Vec<char> = missing.copied().collect();
                if missing.is_empty() {
                    characters.to_vec()
                } else {
                    missing
                }
            }
        }
    }

    /// Empties the text for the next one.
    pub async fn clear(&mut self) {
        if !self.is_cleared() {
            if self.program.script != "xterm.py" {
                let clear = vec![
                    super::step::chord(&["ctrl", "a"]),
                    super::step::chord(&["BackSpace"]),
                ];
                self.client.act(bare(clear)).await.unwrap();
                tokio::time::sleep(Duration::from_millis(150)).await;
            }
            return;
        }
        self.lines.lock().unwrap().clear();
        let stdin = self.process.0.stdin.as_mut().unwrap();
        stdin.write_all(b"clear\n").unwrap();
        stdin.flush().unwrap();
        wait_for("cleared", Duration::from_secs(20), || {
            let lines = self.lines.lock().unwrap();
            let cleared = lines.iter().any(|line| line["event"] == "cleared");
            cleared.then_some(())
        });
        self.lines.lock().unwrap().clear();
    }

    fn is_cleared(&self) -> bool {
        self.program.script.starts_with("text_")
    }

    fn text(&self) -> String {
        let lines = self.lines.lock().unwrap();
        let last = lines.iter().rfind(|line| line["event"] == "text");
        let last = last.and_then(|line: &Value| line["text"].as_str());
        last.unwrap_or_default().to_owned()
    }
}

/// Where and how a text differs.
fn difference(got: &str, wanted: &str) -> String {
    let same = got.chars().zip(wanted.chars());
    let same = same.take_while(|(a, b)| a == b).count();
    let part = |text: &str| text.chars().skip(same).take(12).collect::<String>();
    format!(
        "{} of {} characters, the first {same} right, then {:?} for {:?}",
        got.chars().count(),
        wanted.chars().count(),
        part(got),
        part(wanted)
    )
}

impl Drop for Started {
    fn drop(&mut self) {
        drop(self.process.0.stdin.take());
        for _ in 0..500 {
            if matches!(self.process.0.try_wait(), Ok(Some(_))) {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
