//! A spinner or a video: something that keeps moving.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use super::{Witness, XServer};

/// A window in which everything changes 25 times a second.
#[derive(Debug)]
pub struct Moving {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Moving {
    /// Shows it until it is let go.
    pub fn start(server: &XServer, size: (u16, u16), at: (i16, i16)) -> Self {
        let witness = Witness::new(server);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let window = witness.window(at, size, 0);
            let mut colour = 0_u32;
            while !stopped.load(Ordering::Relaxed) {
                colour = colour.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                witness.draw(window, (0, 0), size, colour >> 8);
                std::thread::sleep(Duration::from_millis(40));
            }
        });
        Self {
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Moving {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        drop(self.thread.take().unwrap().join());
    }
}
