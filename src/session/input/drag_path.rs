//! Computes the path of a drag: it passes every corner in time, and the last pixels one by one.

use std::time::Duration;

use super::planned::Pixel;

/// Pause between two movements of a drag.
const DRAG_STEP: Duration = Duration::from_millis(10);
/// Number of single-pixel movements at a drag's end. The program under the pointer then gets
/// several events and can answer that it accepts the drop. Chromium loses up to 8 of 50 drops of a
/// drag that ends abruptly, however long the pointer rests there, and none after four such
/// movements 20 ms apart.
pub(super) const DRAG_END: u32 = 4;

/// Returns points along a path, each with its time. `moving` is the time until the last
/// [`DRAG_END`] pixels. These follow one by one within `ending`, whose last part is left for a
/// rest.
pub(super) fn gently(path: &[Pixel], moving: Duration, ending: Duration) -> Vec<(Pixel, Duration)> {
    let [.., before, last] = path else {
        return Vec::new();
    };
    let (x, y) = (
        f64::from(last.0) - f64::from(before.0),
        f64::from(last.1) - f64::from(before.1),
    );
    let length = x.hypot(y);
    if length < f64::from(2 * DRAG_END) {
        return along(path, moving);
    }
    let from_end = |pixels: u32| {
        let part = 1.0 - f64::from(pixels) / length;
        (
            between(before.0, last.0, part),
            between(before.1, last.1, part),
        )
    };
    let mut shorter = path.to_vec();
    if let Some(end) = shorter.last_mut() {
        *end = from_end(DRAG_END);
    }
    let mut points = along(&shorter, moving);
    for pixel in 1..=DRAG_END {
        let at = moving + ending * pixel / (DRAG_END + 1);
        points.push((from_end(DRAG_END - pixel), at));
    }
    points
}

/// Returns points along a path, each with its time. They include every corner and the last point,
/// and about one point every [`DRAG_STEP`].
fn along(path: &[Pixel], time: Duration) -> Vec<(Pixel, Duration)> {
    let length = |a: &Pixel, b: &Pixel| {
        let (x, y) = (
            f64::from(b.0) - f64::from(a.0),
            f64::from(b.1) - f64::from(a.1),
        );
        x.hypot(y)
    };
    let total: f64 = path.windows(2).map(|pair| length(&pair[0], &pair[1])).sum();
    let mut points = Vec::new();
    let mut passed = 0.0;
    for pair in path.windows(2) {
        let own = length(&pair[0], &pair[1]);
        let (from, to) = (passed, passed + own);
        let share = |length: f64| if total > 0.0 { length / total } else { 1.0 };
        let own_time = time.mul_f64(share(own));
        let steps = (own_time.as_millis() / DRAG_STEP.as_millis()).clamp(1, 1000);
        // At least 4 steps between two corners, even in a short time. Repeated pixels are skipped.
        let steps = u32::try_from(steps).unwrap_or(1).max(4);
        for step in 1..=steps {
            let part = f64::from(step) / f64::from(steps);
            let point = (
                between(pair[0].0, pair[1].0, part),
                between(pair[0].1, pair[1].1, part),
            );
            let at = time.mul_f64(share(from + (to - from) * part));
            if points.last().is_none_or(|(last, _)| *last != point) || step == steps {
                points.push((point, at));
            }
        }
        passed = to;
    }
    points
}

/// Returns the pixel nearest to the point at `part` of the way from `a` to `b`.
fn between(a: u32, b: u32, part: f64) -> u32 {
    let value = f64::from(a) + (f64::from(b) - f64::from(a)) * part;
    // The value lies between two screen coordinates, which have 16 bits.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let pixel = value.round().max(0.0) as u32;
    pixel
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drag_passes_every_corner_in_time() {
        let path = [(10, 10), (110, 10), (110, 60)];
        let points = along(&path, Duration::from_millis(150));
        assert_eq!(
            points.last(),
            Some(&((110, 60), Duration::from_millis(150)))
        );
        assert!(
            points
                .iter()
                .any(|(point, at)| *point == (110, 10) && *at == Duration::from_millis(100))
        );
        assert_eq!(points.len(), 15);
        assert!(points.windows(2).all(|pair| pair[0].1 <= pair[1].1));
        // The last pixels come one by one.
        let (moving, ending) = (Duration::from_millis(150), Duration::from_millis(100));
        let slow = gently(&path, moving, ending);
        let last: Vec<_> = slow.iter().rev().take(5).rev().copied().collect();
        let ms = Duration::from_millis;
        assert_eq!(
            last,
            [
                ((110, 56), ms(150)),
                ((110, 57), ms(170)),
                ((110, 58), ms(190)),
                ((110, 59), ms(210)),
                ((110, 60), ms(230))
            ]
        );
        assert_eq!(gently(&[(0, 0), (0, 7)], ms(9), ms(9)).len(), 4);
        // Without time, or without a distance, the path still ends at its last point.
        let points = along(&[(0, 0), (0, 8)], Duration::ZERO);
        assert_eq!(points.len(), 4);
        assert_eq!(points.last(), Some(&((0, 8), Duration::ZERO)));
        let still = along(&[(5, 5), (5, 5)], Duration::from_millis(40));
        assert_eq!(still.last().map(|(point, _)| *point), Some((5, 5)));
    }
}
