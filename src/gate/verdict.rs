//! The judgement.

use std::time::Duration;

use super::{Evidence, Gate, Seen, Verdict, activity::Motion, counts, size_rule::floor_bytes};
use crate::{
    facts::{Content, Pinged, Profile, Role, Scene, Window, WindowId},
    frame::Region,
};

/// Required quiet time if clients and server answer at once.
const QUIET: Duration = Duration::from_millis(400);
/// Maximum required quiet time, however slowly they answer.
const MAX_QUIET: Duration = Duration::from_secs(10);
/// Quiet time after which a desktop window of one colour counts as drawn. Before that, it may be
/// one that its client has not painted yet.
const PLAIN_DESKTOP: Duration = Duration::from_secs(1);
/// Quiet time after which a dock of one colour counts as drawn; a dock rarely has one colour.
const PLAIN_DOCK: Duration = Duration::from_secs(2);
/// Quiet time after which a window manager that is the only client, and has drawn nothing, is ready
/// under `any`.
const BARE: Duration = Duration::from_secs(3);
/// Minimum observation time: a blinking caret shows within it.
const WATCH: Duration = Duration::from_millis(1100);
/// If a small change happened only once, the observation lasts at least this long, so that a
/// clock's next tick identifies it as an animation.
const SHORT_WATCH: Duration = Duration::from_millis(2200);
/// Quiet time after which a process that owns no required window no longer delays READY.
const PATIENCE: Duration = Duration::from_secs(10);

impl Gate {
    /// Returns the verdict at the last round. With `allow_unsettled`, continuous motion in one
    /// place does not delay READY.
    pub fn judge(&self, profile: Profile, allow_unsettled: bool) -> Evidence {
        let at = self.now;
        let elapsed = at.saturating_sub(self.began);
        let Some(scene) = &self.scene else {
            return Evidence {
                missing: vec![self.no_display.clone()],
                elapsed,
                ..Evidence::bare(Verdict::NoDisplay, profile)
            };
        };
        let motion = &self.motion[usize::from(allow_unsettled)];
        let quiet = at.saturating_sub(motion.quiet_since.max(self.began));
        let structure = match profile {
            Profile::Xfce => self.missing_of_xfce(scene, quiet),
            Profile::Any => self.missing_of_any(scene, quiet),
        };
        let plain = self
            .content()
            .is_none_or(|content| content != Content::Drawn);
        let unrest = self.unrest(allow_unsettled, motion, at);
        let verdict = match (structure.is_empty(), unrest.is_empty()) {
            (true, true) => Verdict::Ready,
            (true, false) => Verdict::Unsettled,
            (false, _) if plain && !self.is_drawn_role(scene, Role::Dock, quiet) => Verdict::Blank,
            (false, _) => Verdict::Partial,
        };
        let floor = floor_bytes(scene.size);
        Evidence {
            verdict,
            profile,
            probes: self.probes.list(),
            floor_bytes: floor,
            size_rule_settled: self.probes.settled(floor),
            windows: self.seen(scene, profile, motion, quiet),
            quiet,
            animated: motion.animated.clone(),
            // Unrest is reported only when no required window is missing.
            missing: if structure.is_empty() {
                unrest
            } else {
                structure
            },
            slowest_pong: self.pongs.slowest(),
            elapsed,
        }
    }

    /// Whether some profile has all its required windows drawn, so that only rest is missing.
    pub(super) fn has_structure(&self) -> bool {
        let Some(scene) = &self.scene else {
            return false;
        };
        let longest = MAX_QUIET;
        self.missing_of_xfce(scene, longest).is_empty()
            || self.missing_of_any(scene, longest).is_empty()
    }

    fn content(&self) -> Option<Content> {
        self.picture.as_ref().map(|(_, picture)| picture.screen)
    }

    /// Whether a window's pixels are not of one colour, or the screen has been quiet long enough
    /// for one colour to be its content.
    fn is_drawn(&self, window: &Window, quiet: Duration) -> bool {
        let Some((_, picture)) = &self.picture else {
            return false;
        };
        if !picture.flat.contains(&window.id) {
            return true;
        }
        let patience = match window.role {
            Role::Desktop => PLAIN_DESKTOP,
            Role::Dock => PLAIN_DOCK,
            // A program's window of one colour is no evidence.
            Role::TopLevel => return false,
        };
        quiet >= patience
    }

    /// Whether a window is drawn: its pixels have more than one colour, or the screen has been
    /// quiet for 10 s.
    pub fn is_window_drawn(&self, window: WindowId) -> bool {
        let since = self.motion[0].quiet_since.max(self.began);
        let quiet = self.now.saturating_sub(since);
        let Some((began, picture)) = &self.picture else {
            return false;
        };
        *began >= since && (!picture.flat.contains(&window) || quiet >= PATIENCE)
    }

    fn is_drawn_role(&self, scene: &Scene, role: Role, quiet: Duration) -> bool {
        let mut windows = scene.windows.iter();
        windows.any(|w| w.role == role && counts(w, scene) && self.is_drawn(w, quiet))
    }

    fn missing_of_xfce(&self, scene: &Scene, quiet: Duration) -> Vec<String> {
        let mut missing = Vec::new();
        if scene.window_manager.is_none() {
            missing.push("no window manager".into());
        }
        let standing = |role| {
            let windows = scene.windows.iter();
            windows
                .filter(move |window| window.role == role && counts(window, scene))
                .collect::<Vec<_>>()
        };
        let desktops = standing(Role::Desktop);
        let covered: u64 = desktops
            .iter()
            .filter_map(|window| window.area)
            .map(|area| area.pixels())
            .sum();
        if covered < scene.size.pixels() {
            missing.push("no desktop window covers the screen".into());
        }
        let docks = standing(Role::Dock);
        if docks.is_empty() {
            missing.push("no dock is on the screen".into());
        }
        for window in desktops.iter().chain(&docks) {
            if !self.is_drawn(window, quiet) {
                missing.push(format!("{} is not drawn", name(window)));
            }
        }
        missing
    }

    fn missing_of_any(&self, scene: &Scene, quiet: Duration) -> Vec<String> {
        let drawn_window = scene.windows.iter().any(|window| {
            counts(window, scene) && covers_quarter(window, scene) && self.is_drawn(window, quiet)
        });
        // Other clients may still draw. If the server does not report the number of clients, no
        // window may be viewable.
        let long = match scene.other_clients {
            Some(0) => quiet >= BARE,
            Some(_) => false,
            None => quiet >= PATIENCE && !scene.windows.iter().any(|window| window.viewable),
        };
        let bare = scene.window_manager.is_some() && long;
        match self.content() {
            Some(Content::Drawn) => Vec::new(),
            _ if drawn_window || bare => Vec::new(),
            None => vec!["no look at the pixels yet".into()],
            Some(Content::Flat) => vec!["nothing is drawn: the screen is of one colour".into()],
            Some(Content::Tiled) => vec!["nothing is drawn: the screen is a repeated tile".into()],
        }
    }

    /// The reasons why the screen is not at rest, one phrase each.
    fn unrest(&self, allow_unsettled: bool, motion: &Motion, at: Duration) -> Vec<String> {
        let Some(scene) = &self.scene else {
            return Vec::new();
        };
        let mut missing = Vec::new();
        let since = motion.quiet_since.max(self.began);
        let quiet = at.saturating_sub(since);
        let mut slowest = self.slowest_answer;
        for to in self.pinged() {
            let counted = self.pongs.counted(to, since);
            slowest = slowest.max(counted.slowest);
            // A window manager that answers no pings is judged by its process instead, in
            // `restless`.
            let mute = to == Pinged::WindowManager && self.pongs.is_mute(at, to);
            if !counted.twice && !mute {
                missing.push(format!(
                    "{} has answered {} of 2 pings since the last change",
                    pinged_name(scene, to),
                    counted.count.min(1)
                ));
            }
        }
        let needed = (QUIET + slowest * 2).min(MAX_QUIET);
        if quiet < needed {
            // This reason comes first: while the screen changes, no client can answer two pings.
            missing.insert(
                0,
                format!(
                    "the screen has been still for {} of {} ms",
                    quiet.as_millis(),
                    needed.as_millis()
                ),
            );
        }
        let seen_since = self
            .picture
            .as_ref()
            .is_some_and(|(began, _)| *began >= since);
        if !seen_since {
            missing.push("no look at the pixels since the last change".into());
        }
        let watched = at.saturating_sub(self.began);
        if watched < WATCH {
            missing.push(format!(
                "watched for {} of {} ms",
                watched.as_millis(),
                WATCH.as_millis()
            ));
        } else if motion.may_repeat && watched < SHORT_WATCH && !allow_unsettled {
            missing.push("something small changed once and may again".into());
        }
        if !self.sleep.sampled() {
            missing.push("no look at the processes yet".into());
        }
        missing.extend(self.restless(scene, motion, since, quiet));
        missing.extend(self.unarranged(at));
        missing.extend(self.starting(quiet));
        missing
    }

    /// Docks that appeared so recently that their layout may still change.
    fn unarranged(&self, at: Duration) -> Vec<String> {
        let late = self.docks.iter().filter(|(_, due)| at < **due);
        late.map(|(window, _)| {
            format!("the dock {window:#x} came lately and still arranges its parts")
        })
        .take(4)
        .collect()
    }

    /// Processes that may show a window soon, while no window shows that the desktop exists: those
    /// that a session's start script has just started.
    fn starting(&self, quiet: Duration) -> Vec<String> {
        if !self.is_bare() || quiet >= PATIENCE {
            return Vec::new();
        }
        let starting = self.starting.iter().take(4);
        starting
            .map(|pid| format!("process {pid} was started lately and shows no window yet"))
            .collect()
    }

    /// Processes that are not at rest, except those that draw an excepted region.
    fn restless(
        &self,
        scene: &Scene,
        motion: &Motion,
        since: Duration,
        quiet: Duration,
    ) -> Vec<String> {
        let animating: Vec<u32> = scene
            .windows
            .iter()
            .filter(|window| motion.windows.contains(&window.id))
            .filter_map(|window| window.pid)
            .collect();
        // The compositor redraws every animation, so it is excepted, too.
        let compositor = scene
            .window_manager
            .and_then(|manager| manager.pid)
            .filter(|_| !motion.windows.is_empty());
        let restless = self.sleep.restless(since);
        restless
            .into_iter()
            .filter(|(pid, required, unrest)| {
                let draws = animating.contains(pid) || compositor == Some(*pid);
                let excused = draws && *unrest != super::sleep::Unrest::Stopped;
                !excused && (*required || quiet < PATIENCE)
            })
            .map(|(pid, _, unrest)| format!("process {pid} {}", unrest.phrase()))
            .take(4)
            .collect()
    }

    /// The windows that the profile requires, found or missing.
    fn seen(&self, scene: &Scene, profile: Profile, motion: &Motion, quiet: Duration) -> Vec<Seen> {
        let since = motion.quiet_since.max(self.began);
        let mut list = Vec::new();
        if profile == Profile::Xfce || scene.window_manager.is_some() {
            let manager = scene.window_manager;
            list.push(Seen {
                role: None,
                window: manager.map_or(0, |manager| manager.window),
                area: None,
                viewable: false,
                drawn: false,
                pongs: self.pongs.counted(Pinged::WindowManager, since).count,
            });
        }
        for role in [Role::Desktop, Role::Dock, Role::TopLevel] {
            let found = scene
                .windows
                .iter()
                .filter(|window| window.role == role && counts(window, scene));
            let before = list.len();
            list.extend(found.take(16).map(|window| Seen {
                role: Some(role),
                window: window.id,
                area: window.area,
                viewable: window.viewable,
                drawn: self.is_drawn(window, quiet),
                pongs: self.pongs.counted(Pinged::Window(window.id), since).count,
            }));
            if list.len() == before && profile == Profile::Xfce && role != Role::TopLevel {
                list.push(Seen {
                    role: Some(role),
                    window: 0,
                    area: None,
                    viewable: false,
                    drawn: false,
                    pongs: 0,
                });
            }
        }
        list
    }

    /// Returns the windows that are named in the paint proof (the record on the root window that
    /// the desktop is painted): it is void when the last of them is destroyed.
    pub fn proof_windows(&self) -> Vec<u32> {
        let Some(scene) = &self.scene else {
            return Vec::new();
        };
        let manager = scene.window_manager.map(|manager| manager.window);
        let windows = scene
            .windows
            .iter()
            .filter(|window| window.role != Role::TopLevel && counts(window, scene))
            .map(|window| window.id);
        manager.into_iter().chain(windows).take(8).collect()
    }
}

fn covers_quarter(window: &Window, scene: &Scene) -> bool {
    let pixels = |area: Region| area.pixels() * 4 >= scene.size.pixels();
    window.area.is_some_and(pixels)
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::Desktop => "desktop",
        Role::Dock => "dock",
        Role::TopLevel => "window",
    }
}

fn name(window: &Window) -> String {
    format!("the {} {:#x}", role_name(window.role), window.id)
}

fn pinged_name(scene: &Scene, to: Pinged) -> String {
    match to {
        Pinged::WindowManager => "the window manager".into(),
        Pinged::Window(id) => {
            let window = scene.windows.iter().find(|window| window.id == id);
            window.map_or_else(|| format!("the window {id:#x}"), name)
        }
    }
}
