//! A real XFCE session, on a fresh home.

use std::{fs, path::Path, process::Stdio, time::Duration};

use tempfile::TempDir;

use super::{
    XServer,
    program::{self, Running},
    wait_for,
};

/// Marks every process of a session, so that those which leave the tree are
/// found and ended too.
const MARK: &str = "DESKD_TEST_SESSION";

/// An XFCE session that dies with its owner.
#[derive(Debug)]
pub struct Xfce {
    session: Running,
    mark: String,
    _home: TempDir,
}

impl Xfce {
    /// Starts a session; [`Self::wait_until_painted`] waits for its pixels.
    pub fn start(server: &XServer) -> Self {
        let home = tempfile::tempdir().unwrap();
        let mark = home
            .path()
            .file_name()
            .unwrap()
            .to_string_lossy()
            .into_owned();
        let mut session = server.program("dbus-run-session");
        session
            .args(["--", "startxfce4"])
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
        let session = program::spawn(&mut session, "dbus");
        Self {
            session,
            mark,
            _home: home,
        }
    }

    /// Waits until wallpaper, panel and dock are drawn and 1.5 s long nothing
    /// changes. `shot` gives the screen's pixels.
    ///
    /// # Panics
    ///
    /// After 60 s.
    pub fn wait_until_painted(&mut self, mut shot: impl FnMut() -> super::Image) {
        let mut last: Option<(super::Image, std::time::Instant)> = None;
        wait_for("the desktop's paint", Duration::from_secs(60), || {
            assert!(
                self.session.0.try_wait().unwrap().is_none(),
                "the session has ended"
            );
            std::thread::sleep(Duration::from_millis(100));
            let now = shot();
            // The panel's clock may tick meanwhile: that is not the same picture,
            // and the time starts anew.
            if let Some((before, since)) = &last
                && *before == now
            {
                let painted = panel_and_wallpaper(&now);
                return (painted && since.elapsed() > Duration::from_millis(1500)).then_some(());
            }
            last = Some((now, std::time::Instant::now()));
            None
        });
    }
}

/// The panel is a light bar at the top, the wallpaper is not flat, and the dock
/// stands at the bottom.
fn panel_and_wallpaper(image: &super::Image) -> bool {
    let light = |x, y| image.at(x, y).iter().all(|channel| *channel > 200);
    let (middle, bottom) = (image.width / 2, image.height - 6);
    let bar = (0..40).filter(|i| light(middle - 20 + i, 4)).count() > 30;
    let dock = (0..200).filter(|i| light(middle - 100 + i, bottom)).count() > 20;
    let row: Vec<[u8; 3]> = (0..image.width)
        .map(|x| image.at(x, image.height / 3))
        .collect();
    let wallpaper = row.windows(2).filter(|pair| pair[0] != pair[1]).count() > 20;
    bar && dock && wallpaper
}

impl Drop for Xfce {
    fn drop(&mut self) {
        // Twice: a process may be starting another one at this moment.
        for _ in 0..2 {
            for pid in marked(&self.mark) {
                // Gone already, when it fails.
                let _ = nix::sys::signal::kill(
                    nix::unistd::Pid::from_raw(pid),
                    nix::sys::signal::SIGKILL,
                );
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
