//! A stack that deskd manages, on a display number and in a home of its own.

use std::{
    fs,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use deskd::{
    Address,
    client::{self, DesktopClient, StackClient},
    v1,
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;

use super::{
    daemon::binary,
    program::{self, Running, command},
    wait_for,
    xserver::free_number,
};

/// The init, the daemon and the desktop. All die with their owner.
#[derive(Debug)]
pub struct Managed {
    pub init: Option<Running>,
    pub number: u32,
    pub folder: TempDir,
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
    /// The command line of the session; `None` for XFCE.
    session: Option<String>,
}

/// The capabilities that Docker and Kubernetes give by default, for setpriv(1). They do not
/// include CAP_SYS_PTRACE: root may not look into the desktop's processes.
const CONTAINER_RIGHTS: &str = "--bounding-set=-all,+chown,+dac_override,+fowner,+fsetid,+kill,\
    +setgid,+setuid,+setpcap,+net_bind_service,+net_raw,+sys_chroot,+mknod,+audit_write,+setfcap";

impl Managed {
    /// Not started yet.
    pub fn new(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Another user's desktop lives in it, too.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(folder.path(), open).unwrap();
        fs::create_dir(folder.path().join("home")).unwrap();
        Self {
            init: None,
            number: free_number(),
            folder,
            arguments: arguments.iter().map(|&word| word.into()).collect(),
            variables: Vec::new(),
            session: None,
        }
    }

    /// Not started yet, with another session than XFCE.
    pub fn of_session(session: &str, arguments: &[&str]) -> Self {
        let mut stack = Self::new(arguments);
        stack.session = Some(session.into());
        stack
    }

    /// The home of the desktop's user.
    pub fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// Adds a variable.
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    /// Starts `deskd serve --stack xfce` with the rights that root has in a container.
    pub fn started(mut self) -> Self {
        self.start(&["setpriv", CONTAINER_RIGHTS, "--"]);
        self
    }

    /// The same, behind another program.
    pub fn start(&mut self, prefix: &[&str]) {
        // A daemon whose init was killed ends a moment later. Until then it accepts connections,
        // and a caller would take it for the daemon that starts here.
        if self.init.is_none() {
            wait_for(
                "the end of the last daemon",
                Duration::from_secs(10),
                || UnixStream::connect(self.socket()).is_err().then_some(()),
            );
        }
        let mut serve = match prefix {
            [] => command(binary()),
            [program, arguments @ ..] => {
                let mut serve = command(program);
                serve.args(arguments).arg(binary());
                serve
            }
        };
        serve.arg("serve");
        match &self.session {
            Some(session) => serve.args(["--session", session]),
            None => serve.args(["--stack", "xfce"]),
        };
        serve.arg("--listen");
        serve.arg(self.address().to_string()).args(&self.arguments);
        self.environment(&mut serve);
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("log"))
            .unwrap();
        serve.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.init = Some(program::spawn(&mut serve, ""));
    }

    fn environment(&self, command: &mut Command) {
        command
            .env("HOME", self.folder.path().join("home"))
            .env("DESKD_DISPLAY", format!(":{}", self.number))
            .env("DESKD_SERVER", self.address().to_string())
            .env("DESKD_GEOMETRY", "640x480")
            .env("DESKD_LOG", "deskd=debug")
            .envs(self.variables.iter().map(|(name, value)| (name, value)));
    }

    /// A client command.
    pub fn cli(&self, arguments: &[&str]) -> Output {
        self.cli_command(arguments).output().unwrap()
    }

    /// The same, not yet started. Not killed with its owner: `up` leaves a daemon.
    pub fn cli_command(&self, arguments: &[&str]) -> Command {
        let mut cli = Command::new(binary());
        cli.args(arguments)
            .env_remove("XDG_RUNTIME_DIR")
            .stdin(Stdio::null());
        self.environment(&mut cli);
        cli
    }

    /// `deskd up`, which must succeed.
    pub fn up(&self) -> String {
        let output = self.cli(&["up"]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "{text} {} {}",
            String::from_utf8_lossy(&output.stderr),
            self.log()
        );
        text
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("deskd.sock")
    }

    pub fn address(&self) -> Address {
        Address::Unix(self.socket())
    }

    pub fn log(&self) -> String {
        let own = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        own + &fs::read_to_string(self.folder.path().join("deskd.log")).unwrap_or_default()
    }

    pub fn wait_for_socket(&self) {
        wait_for("the daemon's socket", Duration::from_secs(10), || {
            UnixStream::connect(self.socket()).ok()
        });
    }

    pub async fn connection(&self) -> client::Connection {
        let limit = Duration::from_secs(5);
        client::connect(&self.address(), None, None, limit)
            .await
            .unwrap()
    }

    pub async fn desktop(&self) -> DesktopClient<client::Connection> {
        client::desktop(self.connection().await)
    }

    pub async fn stack(&self) -> StackClient<client::Connection> {
        client::stack(self.connection().await)
    }

    /// The state of the stack, as the daemon reports it.
    pub async fn status(&self) -> v1::StatusResponse {
        let mut stack = self.stack().await;
        let status = stack.status(v1::StatusRequest {}).await.unwrap();
        status.into_inner()
    }

    /// Processes of the stack, and what they are called.
    pub fn processes(&self) -> Vec<(Pid, String)> {
        let ending = format!("/X{}.lock:", self.number);
        let mut found = Vec::new();
        for folder in fs::read_dir("/proc").unwrap().filter_map(Result::ok) {
            let Some(pid) = folder
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok())
            else {
                continue;
            };
            let environment = fs::read(folder.path().join("environ")).unwrap_or_default();
            let marked = environment.split(|byte| *byte == 0).any(|variable| {
                let variable = String::from_utf8_lossy(variable);
                variable.starts_with("DESKD_STACK=") && variable.contains(&ending)
            });
            if marked {
                let name = fs::read_to_string(folder.path().join("comm")).unwrap_or_default();
                found.push((Pid::from_raw(pid), name.trim().to_owned()));
            }
        }
        found
    }

    /// The one process of that name.
    pub fn pid(&self, name: &str) -> Option<Pid> {
        let found = self.processes().into_iter().find(|(_, own)| own == name);
        found.map(|(pid, _)| pid)
    }

    /// The daemon below the init.
    pub fn daemon(&self) -> Option<Pid> {
        let init = self.init.as_ref()?.pid();
        let children = fs::read_to_string(format!("/proc/{init}/task/{init}/children")).ok()?;
        let mut children = children
            .split_whitespace()
            .filter_map(|pid| pid.parse().ok());
        let is_daemon = |pid: &i32| {
            let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            words
                .split(|byte| *byte == 0)
                .any(|word| word == b"--supervised")
        };
        children.find(is_daemon).map(Pid::from_raw)
    }

    /// Waits until no process of the stack is left.
    pub fn wait_until_gone(&self, limit: Duration) {
        let until = Instant::now() + limit;
        loop {
            let left = self.processes();
            if left.is_empty() {
                return;
            }
            assert!(Instant::now() < until, "left: {left:?}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Managed {
    fn drop(&mut self) {
        self.init = None;
        // A daemon that `up` started, and all that an init left behind.
        let socket = self.socket().to_string_lossy().into_owned();
        for _ in 0..3 {
            for folder in fs::read_dir("/proc").unwrap().filter_map(Result::ok) {
                let words = fs::read(folder.path().join("cmdline")).unwrap_or_default();
                if String::from_utf8_lossy(&words).contains(&socket)
                    && let Some(pid) = folder.file_name().to_str().and_then(|n| n.parse().ok())
                {
                    let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
                }
            }
            for (pid, _) in self.processes() {
                let _ = kill(pid, Signal::SIGKILL);
            }
        }
        for left in [
            format!("/tmp/.X11-unix/X{}", self.number),
            format!("/tmp/.X{}-lock", self.number),
        ] {
            drop(fs::remove_file(left));
        }
        for left in ["lock", "Xauthority", "session"] {
            drop(fs::remove_file(format!(
                "/run/deskd/X{}.{left}",
                self.number
            )));
        }
        drop(fs::remove_dir_all(format!(
            "/run/deskd/desktop-X{}",
            self.number
        )));
    }
}

/// A folder of links to all programs of the system but those named, as a `PATH`.
pub fn path_without(folder: &Path, names: &[&str]) -> String {
    let bin = folder.join("bin");
    fs::create_dir(&bin).unwrap();
    for source in ["/usr/local/bin", "/usr/bin", "/bin"] {
        for entry in fs::read_dir(source).unwrap().filter_map(Result::ok) {
            let name = entry.file_name();
            if !names.iter().any(|left_out| name == *left_out) {
                drop(std::os::unix::fs::symlink(entry.path(), bin.join(&name)));
            }
        }
    }
    bin.to_str().unwrap().to_owned()
}

/// Puts a shell script in place of a program.
pub fn script(folder: &Path, name: &str, text: &str) {
    let path = folder.join("bin").join(name);
    drop(fs::remove_file(&path));
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
}
