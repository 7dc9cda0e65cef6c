//! Real programs that say what input they received, a line of JSON an event:
//! GTK, Qt, Chromium, xterm.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::Stdio,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;

use super::{
    Daemon, XServer,
    program::{self, Running},
    step::{Client, click, done},
    wait_for,
};

/// Which program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Toolkit {
    Gtk,
    Qt,
    Chromium,
    Xterm,
}

/// All of them.
pub const ALL: [Toolkit; 4] = [Toolkit::Gtk, Toolkit::Qt, Toolkit::Chromium, Toolkit::Xterm];

/// Those with a place to drag from and to.
pub const GRAPHICAL: [Toolkit; 3] = [Toolkit::Gtk, Toolkit::Qt, Toolkit::Chromium];

/// A program of `tests/receivers`, in Debian's Python, which has the toolkits.
pub fn python(server: &XServer, script: &str) -> std::process::Command {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/receivers");
    let mut command = server.program("/usr/bin/python3");
    command
        .arg(folder.join(script))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    command
}

/// The output of a program: a JSON object a line.
pub type Lines = Arc<Mutex<Vec<Value>>>;

/// Collects what it prints.
pub fn lines(process: &mut Running) -> Lines {
    let stdout = BufReader::new(process.0.stdout.take().unwrap());
    let lines = Arc::new(Mutex::new(Vec::new()));
    let written = Arc::clone(&lines);
    std::thread::spawn(move || {
        for line in stdout.lines().map_while(Result::ok) {
            let event = serde_json::from_str(&line).unwrap();
            written.lock().unwrap().push(event);
        }
    });
    lines
}

/// ibus or fcitx5, on a session bus of its own.
#[derive(Debug)]
pub struct InputMethod {
    process: Running,
    /// Variables of programs that use it.
    pub environment: Vec<(String, String)>,
    _home: TempDir,
}

impl InputMethod {
    /// Starts it and waits until it passes on keys.
    pub fn start(server: &XServer, name: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut command = python(server, "input_method.py");
        command.arg(name).env("HOME", home.path());
        let mut process = program::spawn(&mut command, name);
        let lines = lines(&mut process);
        let ready = wait_for(name, Duration::from_secs(60), || {
            let lines = lines.lock().unwrap();
            lines.iter().find(|line| line["event"] == "ready").cloned()
        });
        let environment = ready["environment"].as_object().unwrap().iter();
        let environment = environment.map(|(name, value)| {
            let value = value.as_str().unwrap().to_owned();
            (name.clone(), value)
        });
        Self {
            process,
            environment: environment.collect(),
            _home: home,
        }
    }
}

impl Drop for InputMethod {
    fn drop(&mut self) {
        let process = &mut self.process;
        drop(process.0.stdin.take());
        for _ in 0..300 {
            if matches!(process.0.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// A program that runs until it is let go.
#[derive(Debug)]
pub struct Receiver {
    toolkit: Toolkit,
    lines: Lines,
    origin: (i32, i32),
    size: (i32, i32),
    process: Running,
    _home: TempDir,
}

impl Receiver {
    /// Starts it, and waits until it is drawn and has the focus.
    pub fn start(server: &XServer, toolkit: Toolkit) -> Self {
        Self::with(server, toolkit, 0)
    }

    /// The same for long texts: it reports only the text, after it has rested.
    pub fn of_text(server: &XServer, toolkit: Toolkit) -> Self {
        Self::with(server, toolkit, 40)
    }

    fn with(server: &XServer, toolkit: Toolkit, rest_ms: u32) -> Self {
        let (script, package) = match toolkit {
            Toolkit::Gtk => ("gtk.py", "gir1.2-gtk-3.0"),
            Toolkit::Qt => ("qt.py", "python3-pyqt5"),
            Toolkit::Chromium => ("chromium.py", "chromium"),
            Toolkit::Xterm => ("xterm.py", "xterm"),
        };
        let home = tempfile::tempdir().unwrap();
        let mut command = python(server, script);
        command
            .env("HOME", home.path())
            .env("RECEIVER_REST", rest_ms.to_string());
        let mut process = program::spawn(&mut command, package);
        let lines = lines(&mut process);
        let mut receiver = Self {
            toolkit,
            lines,
            origin: (0, 0),
            size: (0, 0),
            process,
            _home: home,
        };
        let ready = receiver.until(&format!("{package}: {script}"), |lines| {
            lines.iter().find(|line| line["event"] == "ready").cloned()
        });
        let number = |name: &str| i32::try_from(ready[name].as_i64().unwrap()).unwrap();
        receiver.origin = (number("x"), number("y"));
        receiver.size = (number("w"), number("h"));
        receiver
    }

    /// Which program it is.
    pub fn toolkit(&self) -> Toolkit {
        self.toolkit
    }

    /// A text as this program reports it: in a terminal, Return is a carriage return.
    pub fn told(&self, text: &str) -> String {
        match self.toolkit {
            Toolkit::Xterm => text.replace('\n', "\r"),
            _ => text.to_owned(),
        }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Sends a signal to the process that reads the X events.
    pub fn signal(&self, name: &str) {
        let own = self.process.pid();
        let reader = match self.toolkit {
            Toolkit::Gtk | Toolkit::Qt => own,
            Toolkit::Chromium | Toolkit::Xterm => {
                let children = std::fs::read_to_string(format!("/proc/{own}/task/{own}/children"));
                let children = children.unwrap();
                children.split(' ').next().unwrap().parse().unwrap()
            }
        };
        program::signal(reader, name);
    }

    /// In the text, that many pixels from its left.
    pub fn in_text(&self, x: i32) -> (i32, i32) {
        (self.origin.0 + x, self.origin.1 + 20)
    }

    /// In the part that drags start from, that many pixels from its left.
    pub fn in_source(&self, x: i32) -> (i32, i32) {
        (self.origin.0 + x, self.origin.1 + self.size.1 * 3 / 4)
    }

    /// In the part that takes what is dropped.
    pub fn in_target(&self, x: i32) -> (i32, i32) {
        (
            self.origin.0 + self.size.0 / 2 + x,
            self.origin.1 + self.size.1 * 3 / 4,
        )
    }

    /// Waits until what came so far has something.
    pub fn until<T>(&self, what: &str, mut probe: impl FnMut(&[Value]) -> Option<T>) -> T {
        wait_for(what, Duration::from_secs(40), || {
            probe(&self.lines.lock().unwrap())
        })
    }

    /// Forgets what came so far.
    pub fn clear(&self) {
        self.lines.lock().unwrap().clear();
    }

    /// Events of a kind that came so far.
    pub fn events(&self, kind: &str) -> Vec<Value> {
        let lines = self.lines.lock().unwrap();
        let same = lines.iter().filter(|line| line["event"] == kind);
        same.cloned().collect()
    }

    /// Waits for at least so many events of a kind.
    pub fn wait_events(&self, kind: &str, count: usize) -> Vec<Value> {
        let what = format!("{count} × {kind} in {:?}", self.toolkit);
        self.until(&what, |lines| {
            let same = lines.iter().filter(|line| line["event"] == kind);
            (same.clone().count() >= count).then(|| same.cloned().collect())
        })
    }

    /// Waits until the text is this.
    ///
    /// # Panics
    ///
    /// When it does not become so, with both.
    pub fn wait_text(&self, wanted: &str) {
        let last = |lines: &[Value]| {
            let text = lines.iter().rfind(|line| line["event"] == "text");
            text.and_then(|line| Some(line["text"].as_str()?.to_owned()))
        };
        let limit = std::time::Instant::now() + Duration::from_secs(20);
        loop {
            let now = last(&self.lines.lock().unwrap()).unwrap_or_default();
            if now == wanted {
                return;
            }
            if std::time::Instant::now() > limit {
                let same = now.chars().zip(wanted.chars());
                let same = same.take_while(|(a, b)| a == b).count();
                panic!(
                    "{:?}: {} of {} characters, the first {same} right: …{:?}",
                    self.toolkit,
                    now.chars().count(),
                    wanted.chars().count(),
                    now.chars().skip(same).take(20).collect::<String>()
                );
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // It cleans up after itself when its input closes.
        drop(self.process.0.stdin.take());
        for _ in 0..300 {
            if matches!(self.process.0.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// A program with the focus in its text, and a daemon, on a server with a layout.
pub async fn typing_in(toolkit: Toolkit, layout: &str) -> (XServer, Receiver, Daemon, Client) {
    println!("{toolkit:?}, {layout}");
    let server = XServer::start();
    program::output(server.program("setxkbmap").arg(layout), "x11-xkb-utils");
    let receiver = Receiver::of_text(&server, toolkit);
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    let (x, y) = receiver.in_text(200);
    done(&mut client, vec![click(x, y)]).await;
    receiver.clear();
    (server, receiver, daemon, client)
}
