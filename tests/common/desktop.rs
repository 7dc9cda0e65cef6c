//! Real sessions: XFCE, or parts of it, on a fresh home.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;

use super::{
    XServer,
    program::{self, Running},
};

/// Marks every process of a session, so that those which leave the tree are
/// found and ended too.
const MARK: &str = "DESKD_TEST_SESSION";

/// A session of programs with a bus and a fresh home, which die with their owner.
#[derive(Debug)]
pub struct Session {
    running: Running,
    mark: String,
    home: TempDir,
}

/// A whole XFCE session.
pub type Xfce = Session;

impl Session {
    /// XFCE; deskd says when it is painted.
    pub fn xfce(server: &XServer) -> Self {
        Self::start(server, "exec startxfce4")
    }

    /// XFCE in a control group whose `cgroup.procs` is given.
    pub fn xfce_in(server: &XServer, group: Option<&Path>) -> Self {
        let join = group.map_or(String::new(), |group| {
            format!("echo $$ >{}; ", group.display())
        });
        Self::start(server, &format!("{join}exec startxfce4"))
    }

    /// Starts a shell script as a session.
    pub fn start(server: &XServer, script: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let mark = home
            .path()
            .file_name()
            .unwrap()
            .to_string_lossy()
            .into_owned();
        let mut session = server.program("dbus-run-session");
        // The bus's address is for the tests: they change the session's settings.
        let script = format!("echo \"$DBUS_SESSION_BUS_ADDRESS\" >\"$HOME/bus\"; {script}");
        session
            .args(["--", "sh", "-c", &script])
            .env("HOME", home.path())
            .env(MARK, &mark);
        session.env("XDG_RUNTIME_DIR", home.path());
        for inherited in [
            "XDG_CONFIG_HOME",
            "XDG_CACHE_HOME",
            "XDG_DATA_HOME",
            "DBUS_SESSION_BUS_ADDRESS",
        ] {
            session.env_remove(inherited);
        }
        session.current_dir(home.path());
        let log = fs::File::create(home.path().join("session.log")).unwrap();
        session
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        let running = program::spawn(&mut session, "dbus");
        Self {
            running,
            mark,
            home,
        }
    }

    /// Its home.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// A program of the session, with its bus.
    pub fn program(&self, server: &XServer, name: &str) -> Command {
        let mut program = server.program(name);
        let bus = fs::read_to_string(self.home.path().join("bus")).unwrap();
        program
            .env("DBUS_SESSION_BUS_ADDRESS", bus.trim())
            .env("HOME", self.home.path())
            .env("XDG_RUNTIME_DIR", self.home.path())
            .env(MARK, &self.mark);
        program
    }

    /// Sets a property of the channel `xfce4-desktop`.
    pub fn set_desktop(&self, server: &XServer, property: &str, kind: &str, values: &[&str]) {
        let mut query = self.program(server, "xfconf-query");
        query.args(["-c", "xfce4-desktop", "-n", "-p", property]);
        for value in values {
            query.args(["-t", kind, "-s", value]);
        }
        if values.len() > 1 {
            query.arg("-a");
        }
        program::output(&mut query, "xfconf");
    }

    /// Processes of the session with that name.
    pub fn pids(&self, name: &str) -> Vec<i32> {
        let mut pids = marked(&self.mark);
        pids.retain(|pid| {
            let comm = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            comm.trim() == name
        });
        pids
    }

    /// All its processes.
    pub fn all_pids(&self) -> Vec<i32> {
        marked(&self.mark)
    }

    /// Sends a signal to every process of that name. Returns how many there were.
    pub fn signal(&self, name: &str, signal: Signal) -> usize {
        let pids = self.pids(name);
        for pid in &pids {
            // Gone already, when it fails.
            let _ = kill(Pid::from_raw(*pid), signal);
        }
        pids.len()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Twice: a process may be starting another one at this moment.
        for _ in 0..2 {
            for pid in marked(&self.mark) {
                // Gone already, when it fails.
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
        }
    }
}

fn marked(mark: &str) -> Vec<i32> {
    let entry = format!("{MARK}={mark}");
    let has_mark = |folder: &Path| {
        let environment = fs::read(folder.join("environ")).unwrap_or_default();
        environment
            .split(|byte| *byte == 0)
            .any(|variable| variable == entry.as_bytes())
    };
    let folders = fs::read_dir("/proc")
        .unwrap()
        .filter_map(Result::ok)
        .map(|entry| entry.path());
    let pid = |folder: &Path| folder.file_name()?.to_str()?.parse::<i32>().ok();
    folders
        .filter(|folder| has_mark(folder))
        .filter_map(|folder| pid(&folder))
        .collect()
}
