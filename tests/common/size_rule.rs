//! The rule that deskd replaces, as its users run it: scrot's file twice in a row
//! at or above 60,000 bytes and within 2,000, 200 ms apart.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use super::{Image, XServer};

/// The verdict of the rule.
#[derive(Debug, Clone)]
pub struct Said {
    /// When it said that the screen is painted.
    pub at: Instant,
    /// The screen at that time.
    pub image: Image,
}

/// The rule at work.
#[derive(Debug)]
pub struct SizeRule {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Option<Said>>>,
}

impl SizeRule {
    /// Begins to look.
    pub fn start(server: &XServer) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (display, cookie) = (server.display(), server.xauthority());
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("probe.png");
            let mut last = 0;
            while !stopped.load(Ordering::Relaxed) {
                let bytes = probe(&display, &cookie, &file);
                if bytes >= 60_000 && last >= 60_000 && bytes.abs_diff(last) <= 2_000 {
                    let image = Image::read(&file);
                    let at = Instant::now();
                    return Some(Said { at, image });
                }
                last = bytes;
                std::thread::sleep(Duration::from_millis(200));
            }
            None
        });
        Self {
            stop,
            thread: Some(thread),
        }
    }

    /// The verdict, after waiting for `patience` more.
    pub fn end(mut self, patience: Duration) -> Option<Said> {
        let thread = self.thread.take().unwrap();
        let until = Instant::now() + patience;
        while !thread.is_finished() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(20));
        }
        self.stop.store(true, Ordering::Relaxed);
        thread.join().unwrap()
    }
}

fn probe(display: &str, cookie: &PathBuf, file: &PathBuf) -> u64 {
    let mut scrot = super::program::command("scrot");
    scrot.args(["--pointer", "--overwrite"]).arg(file);
    scrot.env("DISPLAY", display).env("XAUTHORITY", cookie);
    // A server that is stopped or gone gives no file: no probe.
    let done = scrot.output().is_ok_and(|output| output.status.success());
    let size = std::fs::metadata(file).map_or(0, |metadata| metadata.len());
    if done { size } else { 0 }
}
