//! The byte-size rule of older systems: a screen is painted when two encodings of it are large
//! enough and nearly equal in size. It is reported, never decisive: on real boots it was wrong more
//! often than right, because the last stages of painting differ by some hundred bytes.

use std::{collections::VecDeque, time::Duration};

use super::evidence::Probe;
use crate::frame::Size;

/// Minimum size of an encoded painted screen at the reference resolution, in bytes.
const FLOOR_BYTES: u64 = 60_000;
/// The reference screen, in pixels (1280 × 800).
const REFERENCE_PIXELS: u64 = 1280 * 800;
/// Maximum difference in bytes between two settled probes.
const DELTA_BYTES: u64 = 2_000;
/// Minimum interval between two probes.
pub(super) const APART: Duration = Duration::from_millis(200);
/// Number of probes that are kept and reported.
const KEPT: usize = 8;

/// The minimum size for a screen. It is proportional to the area, because the size of an unpainted
/// screen is: a black 3840 × 2160 screen exceeds a fixed minimum.
pub(super) fn floor_bytes(screen: Size) -> u64 {
    FLOOR_BYTES * screen.pixels() / REFERENCE_PIXELS
}

/// The last probes.
#[derive(Debug, Default)]
pub(super) struct Probes(VecDeque<Probe>);

impl Probes {
    /// Adds a probe, or replaces the last one if that is less than [`APART`] old.
    pub(super) fn add(&mut self, at: Duration, bytes: u64) {
        if let Some(last) = self.0.back_mut()
            && at < last.at + APART
        {
            last.bytes = bytes;
            return;
        }
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back(Probe { at, bytes });
    }

    /// Whether the byte-size rule counts the screen as painted.
    pub(super) fn settled(&self, floor_bytes: u64) -> bool {
        let mut last = self.0.iter().rev();
        match (last.next(), last.next()) {
            (Some(now), Some(before)) => {
                now.bytes >= floor_bytes
                    && before.bytes >= floor_bytes
                    && now.bytes.abs_diff(before.bytes) <= DELTA_BYTES
            }
            _ => false,
        }
    }

    pub(super) fn list(&self) -> Vec<Probe> {
        self.0.iter().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn probes(list: &[(u64, u64)]) -> Probes {
        let mut probes = Probes::default();
        for (at, bytes) in list {
            probes.add(ms(*at), *bytes);
        }
        probes
    }

    #[test]
    fn the_floor_grows_with_the_area() {
        let floor = |width, height| floor_bytes(Size { width, height });
        assert_eq!(floor(1280, 800), 60_000);
        assert_eq!(floor(3840, 2160), 486_000);
        assert_eq!(floor(640, 480), 18_000);
    }

    #[test]
    fn two_near_probes_above_the_floor_settle() {
        assert!(probes(&[(0, 60_000), (200, 62_000)]).settled(60_000));
        assert!(!probes(&[(0, 60_000), (200, 62_001)]).settled(60_000));
        assert!(!probes(&[(0, 59_999), (200, 60_000)]).settled(60_000));
        assert!(!probes(&[(0, 60_000)]).settled(60_000));
        // A probe within 200 ms replaces the one before it.
        assert!(!probes(&[(0, 60_000), (199, 60_000)]).settled(60_000));
    }

    #[test]
    fn only_the_last_are_kept() {
        let all: Vec<(u64, u64)> = (0..20).map(|i| (i * 200, i)).collect();
        let list = probes(&all).list();
        assert_eq!((list.len(), list[0].bytes), (KEPT, 12));
    }
}
