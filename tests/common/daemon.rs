//! The built daemon, and its own client.

use std::{
    io::Read,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::Duration,
};

use deskd::{
    Address,
    client::{self, DesktopClient},
    v1,
};
use tempfile::TempDir;

use super::{
    XServer,
    program::{self, Running, command},
    wait_for,
};

/// The binary under test: beside the tests' own folder.
pub fn binary() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let profile = own.parent().unwrap().parent().unwrap();
    let binary = profile.join("deskd");
    assert!(binary.exists(), "{} is not built", binary.display());
    binary
}

/// A daemon that dies with its owner.
#[derive(Debug)]
pub struct Daemon {
    process: Running,
    command: Command,
    folder: TempDir,
}

impl Daemon {
    /// On a display, listening on a Unix socket of its own.
    pub fn start(server: &XServer) -> Self {
        Self::with(server, &[])
    }

    /// With further arguments.
    pub fn with(server: &XServer, more: &[&str]) -> Self {
        Self::launch(server, &[], more, &[])
    }

    /// Behind a program that sets limits, such as `prlimit`, and with variables.
    pub fn launch(
        server: &XServer,
        prefix: &[&str],
        more: &[&str],
        variables: &[(&str, &str)],
    ) -> Self {
        Self::launch_on(&server.display(), server, prefix, more, variables)
    }

    /// The same on another display that leads to the server.
    pub fn launch_on(
        display: &str,
        server: &XServer,
        prefix: &[&str],
        more: &[&str],
        variables: &[(&str, &str)],
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut daemon = match prefix {
            [] => command(binary()),
            [program, arguments @ ..] => {
                let mut daemon = command(program);
                daemon.args(arguments).arg(binary());
                daemon
            }
        };
        daemon.args(["serve", "--display", display, "--listen"]);
        daemon.arg(format!(
            "unix:{}",
            folder.path().join("deskd.sock").display()
        ));
        daemon
            .args(more)
            .env("XAUTHORITY", server.xauthority())
            .env("DESKD_LOG", "deskd=debug");
        daemon.envs(variables.iter().copied());
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        daemon
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        let mut launched = Self {
            process: program::spawn(&mut daemon, ""),
            command: daemon,
            folder,
        };
        launched.until_it_listens();
        launched
    }

    /// Kills it, and starts it again after a while.
    pub fn restart_after(&mut self, pause: Duration) {
        self.signal("KILL");
        self.wait(Duration::from_secs(5));
        std::thread::sleep(pause);
        self.process = program::spawn(&mut self.command, "");
        self.until_it_listens();
    }

    fn until_it_listens(&mut self) {
        let socket = self.socket();
        wait_for("the daemon's socket", Duration::from_secs(10), || {
            if let Some(status) = self.process.0.try_wait().unwrap() {
                panic!("the daemon ended with {status}: {}", self.log());
            }
            UnixStream::connect(&socket).ok()
        });
    }

    /// Its socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("deskd.sock")
    }

    /// Its address.
    pub fn address(&self) -> Address {
        Address::Unix(self.socket())
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Its anonymous memory in KiB.
    pub fn anonymous_kib(&self) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", self.pid()));
        let text = text.unwrap();
        let line = text.lines().find(|line| line.starts_with("Anonymous:"));
        let word = line.unwrap().split_whitespace().nth(1);
        word.unwrap().parse().unwrap()
    }

    /// Sends it a signal.
    pub fn signal(&self, name: &str) {
        self.process.signal(name);
    }

    /// Waits for its end and returns its exit code.
    pub fn wait(&mut self, limit: Duration) -> Option<i32> {
        wait_for("the daemon's end", limit, || {
            self.process.0.try_wait().unwrap()
        })
        .code()
    }

    /// All that it has logged so far: a thread of the daemon writes it a moment later.
    pub fn log(&self) -> String {
        let read = || std::fs::read_to_string(self.folder.path().join("log")).unwrap();
        let mut text = read();
        for _ in 0..20 {
            std::thread::sleep(Duration::from_millis(25));
            let now = read();
            if now == text {
                break;
            }
            text = now;
        }
        text
    }

    /// The TCP address that its log names.
    pub fn tcp_address(&self) -> Address {
        wait_for("the TCP address in the log", Duration::from_secs(5), || {
            let log = self.log();
            let at = log.find("address=127.0.0.1:")? + "address=".len();
            log[at..].split_whitespace().next()?.parse().ok()
        })
    }

    /// A connected client.
    pub async fn client(&self) -> DesktopClient<client::Connection> {
        let connection = client::connect(&self.address(), None, None, Duration::from_secs(5)).await;
        client::desktop(connection.unwrap())
    }

    /// The client on the command line.
    pub fn cli(&self, arguments: &[&str]) -> Output {
        cli(&self.address(), arguments)
    }

    /// A number of `/proc/PID/status`, in KiB or as it is.
    pub fn status(&self, field: &str) -> u64 {
        status(self.pid(), field)
    }

    /// Open file descriptors.
    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.pid()))
            .unwrap()
            .count()
    }
}

/// A number of `/proc/PID/status`.
pub fn status(pid: u32, field: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = text
        .lines()
        .find(|line| line.starts_with(&format!("{field}:")))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// The client on the command line, at any address.
pub fn cli(address: &Address, arguments: &[&str]) -> Output {
    let mut cli: Command = command(binary());
    cli.args(arguments).env("DESKD_SERVER", address.to_string());
    cli.stdin(Stdio::null()).output().unwrap()
}

/// A Unix socket's bytes until the other side closes it.
pub fn read_to_end(stream: &mut UnixStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    // A reset ends it as well.
    drop(stream.read_to_end(&mut bytes));
    bytes
}

/// Takes a screenshot that must be the screen.
pub async fn screen(
    client: &mut DesktopClient<client::Connection>,
    request: v1::ScreenshotRequest,
) -> v1::Frame {
    let frame = frame(client, request).await;
    assert_eq!(frame.kind(), v1::FrameKind::Screen, "{:?}", frame.failure);
    assert!(frame.failure.is_none() && !frame.image.is_empty());
    frame
}

/// Takes a screenshot of a desktop whose paint is waited for and proved.
pub async fn painted(
    client: &mut DesktopClient<client::Connection>,
    mut request: v1::ScreenshotRequest,
) -> v1::Frame {
    request.unproved = false;
    let mut request = tonic::Request::new(request);
    request.set_timeout(Duration::from_secs(60));
    let reply = client.screenshot(request).await.unwrap().into_inner();
    let frame = reply.frame.unwrap();
    assert_eq!(frame.kind(), v1::FrameKind::Screen, "{:?}", frame.failure);
    assert_eq!(
        frame.paint.as_ref().unwrap().verdict(),
        v1::PaintVerdict::Ready
    );
    frame
}

/// Takes a screenshot that may be a card; of a bare server, whose paint nobody
/// waits for.
pub async fn frame(
    client: &mut DesktopClient<client::Connection>,
    mut request: v1::ScreenshotRequest,
) -> v1::Frame {
    request.unproved = true;
    client
        .screenshot(request)
        .await
        .unwrap()
        .into_inner()
        .frame
        .unwrap()
}

/// A raw request, which is compared byte by byte.
pub fn raw() -> v1::ScreenshotRequest {
    v1::ScreenshotRequest {
        capture: Some(raw_image()),
        unproved: true,
        ..v1::ScreenshotRequest::default()
    }
}

/// Raw pixels without the pointer.
pub fn raw_image() -> v1::CaptureOptions {
    v1::CaptureOptions {
        format: v1::ImageFormat::RawBgrx.into(),
        include_cursor: Some(false),
        ..v1::CaptureOptions::default()
    }
}

/// Writes a token file and returns it with the token.
pub fn token_file(folder: &Path) -> (PathBuf, String) {
    let token = "canary-token-0123456789abcdef".to_owned();
    let path = folder.join("token");
    std::fs::write(&path, &token).unwrap();
    (path, token)
}
