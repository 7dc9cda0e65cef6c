//! The ground of the tests, the benchmark and the demo: real X servers, real XFCE, the
//! built daemon, and a witness that looks from outside.
//!
//! Nothing here skips: a program that is missing is a failure that names its
//! package. Everything that is started dies with its owner, also when the test
//! is killed.

// Each program uses a part of it.
#![allow(dead_code)]

pub mod adversary;
pub mod browser;
pub mod conformance;
pub mod corpus;
pub mod daemon;
pub mod desktop;
pub mod drawing;
pub mod image;
pub mod managed;
pub mod moving;
pub mod pacing;
pub mod program;
pub mod random_waits;
pub mod receiver;
pub mod recorder;
pub mod size_rule;
pub mod step;
pub mod text_program;
pub mod window_table;
pub mod witness;
pub mod xproxy;
pub mod xserver;
pub mod xservers;

pub use daemon::Daemon;
pub use image::Image;
pub use recorder::{Recorder, Seen};
pub use witness::Witness;
pub use xserver::XServer;

use std::time::{Duration, Instant};

/// Polls until `probe` gives something.
///
/// # Panics
///
/// After `limit`, naming `what`.
pub fn wait_for<T>(what: &str, limit: Duration, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}: not within {limit:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
