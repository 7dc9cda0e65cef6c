//! Regions of the screen that keep moving, and the time since which the rest is still.

use std::{collections::VecDeque, time::Duration};

use crate::{
    facts::WindowId,
    frame::{Region, Size},
};

/// Maximum number of changes that are kept.
const KEPT: usize = 512;
/// If the recent changes form more clusters than this, none of them is an animation.
const MAX_CLUSTERS: usize = 32;
/// Maximum age of the changes that are searched for animations.
const MEMORY: Duration = Duration::from_secs(4);
/// Changes within this time count as one.
const ONE: Duration = Duration::from_millis(15);
/// Small changes at most this far apart, in pixels, belong to one animation, such as a spinner or a
/// clock.
const NEAR: u32 = 8;

/// Largest region that counts as a small animation, in pixels: 1/64 of the
/// screen, between 128 × 128 (a spinner) and 256 × 256.
fn small(screen: Size) -> u64 {
    (screen.pixels() / 64).clamp(128 * 128, 256 * 256)
}

#[derive(Debug, Clone, Copy)]
struct Hit {
    at: Duration,
    window: WindowId,
    area: Region,
}

/// Changes in one place.
#[derive(Debug, Clone)]
struct Cluster {
    area: Region,
    windows: Vec<WindowId>,
    first: Duration,
    last: Duration,
    hits: u32,
}

impl Cluster {
    fn of(hit: &Hit) -> Self {
        Self {
            area: hit.area,
            windows: vec![hit.window],
            first: hit.at,
            last: hit.at,
            hits: 1,
        }
    }

    fn touches(&self, area: &Region) -> bool {
        let grown = Region {
            x: self.area.x.saturating_sub(NEAR),
            y: self.area.y.saturating_sub(NEAR),
            size: Size {
                width: self.area.size.width + 2 * NEAR,
                height: self.area.size.height + 2 * NEAR,
            },
        };
        grown.intersection(area).is_some()
    }

    fn add(&mut self, hit: &Hit) {
        self.area = self.area.union(&hit.area);
        if !self.windows.contains(&hit.window) {
            self.windows.push(hit.window);
        }
        if hit.at > self.last + ONE {
            self.hits += 1;
            self.last = hit.at;
        }
    }

    /// Whether at least four changes over at least 1 s were observed, so that more are expected.
    fn persists(&self) -> bool {
        self.hits >= 4 && self.last - self.first >= Duration::from_secs(1)
    }

    fn moved_twice(&self) -> bool {
        self.hits >= 2 && self.last - self.first >= Duration::from_millis(300)
    }
}

/// The motion on the screen at one moment.
#[derive(Debug, Clone, Default)]
pub(super) struct Motion {
    /// The time of the last change that is not excepted, or of a gap in the observation after it.
    pub(super) quiet_since: Duration,
    /// Regions in which something keeps moving, excepted or not.
    pub(super) animated: Vec<Region>,
    /// Windows that draw the excepted regions.
    pub(super) windows: Vec<WindowId>,
    /// Whether a small change has happened only once so far: a clock's next tick may follow.
    pub(super) may_repeat: bool,
}

/// The latest changes of the screen.
#[derive(Debug)]
pub(super) struct Activity {
    screen: Size,
    hits: VecDeque<Hit>,
    /// Start of the unbroken observation; the quiet time never begins earlier.
    unseen_until: Duration,
}

impl Activity {
    pub(super) fn new(screen: Size, at: Duration) -> Self {
        Self {
            screen,
            hits: VecDeque::new(),
            unseen_until: at,
        }
    }

    /// Notes a change of the screen.
    pub(super) fn note(&mut self, at: Duration, window: WindowId, area: Region) {
        if self.hits.len() == KEPT {
            self.hits.pop_front();
        }
        self.hits.push_back(Hit { at, window, area });
    }

    /// Restarts the quiet time, because changes before `at` may have been missed.
    pub(super) fn restart(&mut self, at: Duration) {
        self.unseen_until = at;
    }

    /// Determines the regions that move now. With `allow_large`, a region that has moved
    /// for two seconds in one place is excepted at any size.
    pub(super) fn motion(&self, now: Duration, allow_large: bool) -> Motion {
        let limit = small(self.screen);
        let recent = |hit: &&Hit| hit.at + MEMORY >= now;
        let is_small = |hit: &&Hit| hit.area.pixels() <= limit;
        let mut clusters: Vec<Cluster> = Vec::new();
        for hit in self.hits.iter().filter(recent).filter(is_small) {
            match clusters.iter_mut().find(|c| c.touches(&hit.area)) {
                Some(cluster) => cluster.add(hit),
                None => clusters.push(Cluster::of(hit)),
            }
            if clusters.len() > MAX_CLUSTERS {
                clusters.clear();
                break;
            }
        }
        let playing = self.playing(now).filter(|_| allow_large);
        let excepted: Vec<&Cluster> = clusters
            .iter()
            .filter(|c| c.persists() && c.area.pixels() <= limit)
            .collect();
        let in_playing = |area: &Region| {
            let playing = playing.as_ref().map(|playing| playing.area);
            playing.is_some_and(|p| p.intersection(area) == Some(*area))
        };
        let is_excepted = |hit: &&Hit| {
            let small = hit.area.pixels() <= limit;
            (small && excepted.iter().any(|c| c.touches(&hit.area))) || in_playing(&hit.area)
        };
        let quiet_since = self
            .hits
            .iter()
            .rev()
            .find(|hit| !is_excepted(hit))
            .map_or(self.unseen_until, |hit| hit.at.max(self.unseen_until));

        // A cluster is an animation only if all else is still while it moves; otherwise it may be
        // one of the last strokes of a boot.
        let outside = |cluster: &Cluster| {
            self.hits
                .iter()
                .rev()
                .find(|hit| !cluster.touches(&hit.area))
                .map_or(Duration::ZERO, |hit| hit.at)
        };
        let alone = |cluster: &Cluster| {
            cluster.area.pixels() <= limit
                && cluster.last >= outside(cluster) + Duration::from_millis(250)
        };
        let animated = clusters
            .iter()
            .filter(|c| excepted.iter().any(|e| e.area == c.area) || (c.moved_twice() && alone(c)))
            .map(|c| c.area)
            .chain(playing.iter().map(|playing| playing.area))
            .collect();
        let may_repeat = clusters
            .iter()
            .any(|c| c.hits == 1 && alone(c) && c.last + Duration::from_millis(1100) > now);
        let mut windows: Vec<WindowId> = excepted
            .iter()
            .flat_map(|c| c.windows.iter().copied())
            .chain(playing.iter().flat_map(|p| p.windows.iter().copied()))
            .collect();
        windows.sort_unstable();
        windows.dedup();
        Motion {
            quiet_since,
            animated,
            windows,
            may_repeat,
        }
    }

    /// Returns the region of any size that moves all the time, such as a video. It has at least
    /// four changes in each of the last two seconds, with nearly the same extent in both.
    fn playing(&self, now: Duration) -> Option<Cluster> {
        let second = Duration::from_secs(1);
        let extent = |from: Duration, to: Duration| {
            let mut hits = self.hits.iter().filter(|hit| hit.at > from && hit.at <= to);
            let mut cluster = Cluster::of(hits.next()?);
            hits.for_each(|hit| cluster.add(hit));
            Some(cluster)
        };
        let middle = now.checked_sub(second)?;
        let before = extent(middle.checked_sub(second)?, middle)?;
        let lately = extent(middle, now)?;
        let both = before.area.union(&lately.area).pixels();
        let same = |cluster: &Cluster| cluster.area.pixels() * 10 >= both * 9;
        let long = self.unseen_until + 2 * second <= now;
        (long && before.hits >= 4 && lately.hits >= 4 && same(&before) && same(&lately)).then(
            || Cluster {
                area: before.area.union(&lately.area),
                ..lately
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCREEN: Size = Size {
        width: 1280,
        height: 800,
    };

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn with(hits: &[(u64, Region)]) -> Activity {
        let mut activity = Activity::new(SCREEN, Duration::ZERO);
        for (at, area) in hits {
            activity.note(ms(*at), 1, *area);
        }
        activity
    }

    fn every(period: u64, until: u64, area: Region) -> Vec<(u64, Region)> {
        (0..=until / period).map(|i| (i * period, area)).collect()
    }

    #[test]
    fn a_still_screen_is_quiet_since_the_beginning_or_the_last_change() {
        let large = Region::new(0, 0, 600, 600);
        assert_eq!(with(&[]).motion(ms(900), false).quiet_since, ms(0));
        let motion = with(&[(300, large)]).motion(ms(900), false);
        assert_eq!(motion.quiet_since, ms(300));
        assert!(motion.animated.is_empty() && !motion.may_repeat);
    }

    #[test]
    fn a_caret_is_named_after_two_and_excepted_after_four_changes() {
        let caret = Region::new(100, 100, 2, 16);
        let motion = |until| with(&every(500, until, caret)).motion(ms(until + 100), false);
        assert!(motion(0).animated.is_empty());
        assert_eq!(motion(500).animated, [caret]);
        assert_eq!(motion(500).quiet_since, ms(500));
        assert_eq!(motion(1500).animated, [caret]);
        assert_eq!(motion(1500).quiet_since, ms(0));
    }

    #[test]
    fn a_spinner_is_excepted_within_a_second_and_a_change_elsewhere_is_not() {
        let spinner = Region::new(600, 400, 48, 48);
        let mut hits = every(50, 1200, spinner);
        let motion = with(&hits).motion(ms(1250), false);
        assert_eq!((motion.quiet_since, motion.windows), (ms(0), vec![1]));
        hits.insert(20, (1010, Region::new(10, 10, 24, 24)));
        let motion = with(&hits).motion(ms(1250), false);
        assert_eq!(motion.quiet_since, ms(1010));
    }

    #[test]
    fn a_video_is_never_excepted_unless_allowed() {
        let video = Region::new(200, 200, 320, 240);
        let hits = every(40, 4000, video);
        let motion = with(&hits).motion(ms(4020), false);
        assert_eq!(motion.quiet_since, ms(4000));
        let motion = with(&hits).motion(ms(4020), true);
        assert_eq!((motion.quiet_since, motion.animated), (ms(0), vec![video]));
        // The video has played for less than two seconds.
        let motion = with(&every(40, 1600, video)).motion(ms(1620), true);
        assert_eq!(motion.quiet_since, ms(1600));
    }

    #[test]
    fn a_desktop_that_draws_itself_is_no_video() {
        // Each change in another place: the extent grows.
        let hits: Vec<(u64, Region)> = (0..40)
            .map(|i| (u64::from(i) * 100, Region::new(i * 30, 0, 200, 200)))
            .collect();
        let motion = with(&hits).motion(ms(3950), true);
        assert_eq!(motion.quiet_since, ms(3900));
    }

    #[test]
    fn many_small_strokes_over_a_large_area_are_no_animation() {
        let hits: Vec<(u64, Region)> = (0..200)
            .map(|i| {
                (
                    u64::from(i) * 20,
                    Region::new((i % 20) * 60, (i / 20) * 70, 60, 70),
                )
            })
            .collect();
        let motion = with(&hits).motion(ms(4000), false);
        assert_eq!(motion.quiet_since, ms(3980));
        assert!(motion.animated.is_empty());
    }

    #[test]
    fn a_lonely_small_change_may_be_a_clocks() {
        let clock = Region::new(1200, 4, 70, 18);
        let boot = (0, Region::new(0, 0, 1280, 800));
        assert!(
            with(&[boot, (500, clock)])
                .motion(ms(900), false)
                .may_repeat
        );
        assert!(
            !with(&[boot, (500, clock)])
                .motion(ms(1601), false)
                .may_repeat
        );
        // A small change just after a large one belongs to it.
        assert!(
            !with(&[boot, (100, clock)])
                .motion(ms(600), false)
                .may_repeat
        );
        let twice = with(&[boot, (500, clock), (1500, clock)]).motion(ms(1900), false);
        assert!(!twice.may_repeat);
        assert_eq!(twice.animated, [clock]);
    }

    #[test]
    fn a_few_changes_far_apart_are_not_excepted() {
        let icon = Region::new(30, 4, 24, 24);
        let motion = with(&[(0, icon), (600, icon), (1200, icon)]).motion(ms(1250), false);
        assert_eq!(motion.quiet_since, ms(1200));
    }

    #[test]
    fn what_was_not_seen_is_not_quiet() {
        let mut activity = with(&[(100, Region::new(0, 0, 9, 9))]);
        activity.restart(ms(700));
        assert_eq!(activity.motion(ms(900), false).quiet_since, ms(700));
    }
}
