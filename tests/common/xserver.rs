//! Xvfb on a display of its own, with a cookie.

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::Stdio,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use tempfile::TempDir;

use super::{
    program::{self, Running, command},
    wait_for,
};

/// The cookie: 16 bytes that are also text, which the witness's library needs.
pub const COOKIE: &str = "deskd-witness-16";

/// Servers that this process started.
static COUNT: AtomicU32 = AtomicU32::new(0);

/// An X server that dies with its owner.
#[derive(Debug)]
pub struct XServer {
    process: Option<Running>,
    number: u32,
    arguments: Vec<String>,
    folder: TempDir,
}

impl XServer {
    /// 1280 × 800 at depth 24.
    pub fn start() -> Self {
        Self::with_screen("1280x800x24", &[])
    }

    /// A screen `WxHxD`, and further arguments.
    pub fn with_screen(screen: &str, more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let auth = folder.path().join("Xauthority");
        let mut arguments: Vec<String> = [
            "-screen",
            "0",
            screen,
            "-nolisten",
            "tcp",
            "-noreset",
            "-auth",
        ]
        .map(String::from)
        .into();
        arguments.push(auth.to_str().unwrap().into());
        arguments.extend(more.iter().map(|&argument| argument.into()));
        let mut server = Self {
            process: None,
            number: 0,
            arguments,
            folder,
        };
        // A number of its own, far from what others take: a server that is killed
        // and started again must find it free.
        let start = std::process::id()
            .wrapping_mul(16)
            .wrapping_add(COUNT.fetch_add(1, Ordering::Relaxed));
        for attempt in 0..50 {
            server.number = 200 + start.wrapping_add(attempt) % 50_000;
            // python-xlib finds only an entry of this host and display.
            let entries = [authority(COOKIE), local_authority(COOKIE, server.number)];
            std::fs::write(&auth, entries.concat()).unwrap();
            if server.try_launch() {
                return server;
            }
        }
        panic!(
            "Xvfb {:?} does not start: is the Debian package xvfb installed?",
            server.arguments
        )
    }

    /// Another X server, such as Xwayland, with its own arguments.
    pub fn with_program(command: &mut std::process::Command, more: &[&str], package: &str) -> Self {
        let mut server = Self::start();
        server.kill();
        command
            .arg(server.display())
            .args(["-displayfd", "1", "-auth"])
            .arg(server.xauthority())
            .args(more)
            .stdout(Stdio::piped());
        let mut process = program::spawn(command, package);
        let mut line = String::new();
        let mut stdout = BufReader::new(process.0.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        assert_eq!(line.trim(), server.number.to_string(), "{command:?}");
        server.process = Some(process);
        server
    }

    /// A display that nobody uses, without its server: call [`Self::restart`].
    pub fn not_yet() -> Self {
        let mut server = Self::start();
        server.kill();
        server
    }

    fn try_launch(&mut self) -> bool {
        let mut xvfb = command("Xvfb");
        xvfb.arg(self.display())
            .args(["-displayfd", "1"])
            .args(&self.arguments);
        // Its warnings are of no use; what it refuses shows as a missing number.
        xvfb.stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut process = program::spawn(&mut xvfb, "xvfb");
        let mut line = String::new();
        let mut stdout = BufReader::new(process.0.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let started = line.trim() == self.number.to_string();
        self.process = started.then_some(process);
        started
    }

    /// The display's name, for example `:7`.
    pub fn display(&self) -> String {
        format!(":{}", self.number)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.running().pid()
    }

    /// The cookie file.
    pub fn xauthority(&self) -> PathBuf {
        self.folder.path().join("Xauthority")
    }

    /// A program on this display.
    pub fn program(&self, name: &str) -> std::process::Command {
        let mut program = command(name);
        program
            .env("DISPLAY", self.display())
            .env("XAUTHORITY", self.xauthority());
        program
    }

    /// SIGSTOP: the server hangs.
    pub fn stop(&self) {
        self.running().signal("STOP");
    }

    /// SIGCONT.
    pub fn resume(&self) {
        self.running().signal("CONT");
    }

    /// SIGKILL, as a crash.
    pub fn kill(&mut self) {
        self.process = None;
        // Its socket and lock stay behind; a new Xvfb removes them.
    }

    /// A new server on the same display.
    pub fn restart(&mut self) {
        assert!(self.process.is_none(), "kill it first");
        assert!(self.try_launch(), "display {} was taken", self.number);
    }

    fn running(&self) -> &Running {
        self.process.as_ref().expect("the X server runs")
    }

    /// Waits until the socket file is gone or there.
    pub fn wait_for_socket(&self, there: bool) {
        let path = PathBuf::from(format!("/tmp/.X11-unix/X{}", self.number));
        wait_for("socket file", Duration::from_secs(5), || {
            (path.exists() == there).then_some(())
        });
    }
}

impl Drop for XServer {
    fn drop(&mut self) {
        let Some(process) = self.process.take() else {
            // What a killed server left.
            for path in [
                format!("/tmp/.X11-unix/X{}", self.number),
                format!("/tmp/.X{}-lock", self.number),
            ] {
                drop(std::fs::remove_file(path));
            }
            return;
        };
        // A server that ends by itself removes its socket and lock.
        process.signal("CONT");
        process.signal("TERM");
        let mut process = process;
        for _ in 0..200 {
            if matches!(process.0.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// A display number that nobody uses.
pub fn free_number() -> u32 {
    let mut server = XServer::start();
    let number = server.number;
    server.kill();
    number
}

/// A cookie file with one entry for every address and display.
pub fn authority(cookie: &str) -> Vec<u8> {
    entry(0xffff, b"", b"", cookie)
}

/// An entry for a display of this host (Xauth: `FamilyLocal`).
fn local_authority(cookie: &str, number: u32) -> Vec<u8> {
    let host = nix::unistd::gethostname().unwrap();
    let host = host.into_string().unwrap();
    entry(256, host.as_bytes(), number.to_string().as_bytes(), cookie)
}

fn entry(family: u16, address: &[u8], number: &[u8], cookie: &str) -> Vec<u8> {
    let mut file = family.to_be_bytes().to_vec();
    for bytes in [address, number, b"MIT-MAGIC-COOKIE-1", cookie.as_bytes()] {
        file.extend_from_slice(&u16::try_from(bytes.len()).unwrap().to_be_bytes());
        file.extend_from_slice(bytes);
    }
    file
}
