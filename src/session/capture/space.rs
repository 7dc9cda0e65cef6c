//! Coordinate spaces: what the coordinates of a request are relative to.

use super::{asked::AskedRegion, frames::Shown, kept::WindowPlace, refusal::Refusal};
use crate::{
    frame::{Region, Size},
    x11::{Generation, Grab},
};

/// A coordinate space, with the content of the frame that it refers to, if any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::session) enum Resolved {
    Screen,
    Size(Size),
    Frame(String, Shown),
}

impl Resolved {
    /// Returns the part of the screen that the space covers.
    pub(in crate::session) fn whole(&self, screen: Size) -> Region {
        match self {
            Self::Screen | Self::Size(_) => Region::whole(screen),
            Self::Frame(_, shown) => match shown.window {
                None => shown.region,
                Some(window) => on_screen(shown.region, window, screen),
            },
        }
    }

    /// Refuses the coordinates of a frame whose server generation or geometry epoch differs
    /// from that of the capture.
    pub(in crate::session) fn still_holds(&self, grab: &Grab) -> Result<(), Refusal> {
        self.is_of(grab.generation, grab.geometry_epoch)
    }

    /// Refuses the coordinates of a frame whose server generation or geometry epoch differs
    /// from the given one.
    pub(in crate::session) fn is_of(
        &self,
        generation: Generation,
        epoch: u64,
    ) -> Result<(), Refusal> {
        match self {
            Self::Frame(id, shown) if shown.generation != generation => {
                Err(Refusal::StaleGeneration(id.clone()))
            }
            Self::Frame(id, shown) if shown.epoch != epoch => Err(Refusal::StaleEpoch(id.clone())),
            _ => Ok(()),
        }
    }

    /// Maps the region `asked` to a screen of size `screen`. The edges map linearly and are
    /// rounded outwards, so that no requested pixel is cut off.
    pub(in crate::session) fn region(
        &self,
        asked: AskedRegion,
        screen: Size,
    ) -> Result<Region, Refusal> {
        let (space, shows) = self.extent(screen);
        let outside = || Refusal::OutOfScreen {
            asked,
            within: self.name(screen),
        };
        let (x, y) = (u32::try_from(asked.x), u32::try_from(asked.y));
        let (Ok(x), Ok(y)) = (x, y) else {
            return Err(outside());
        };
        let within = Region {
            x,
            y,
            size: asked.size,
        };
        if !within.fits(space) {
            return Err(outside());
        }
        let (left, width) = edges(x, asked.size.width, space.width, shows.size.width);
        let (top, height) = edges(y, asked.size.height, space.height, shows.size.height);
        let size = Size { width, height };
        let part = Region {
            x: shows.x + left,
            y: shows.y + top,
            size,
        };
        let Some(window) = self.window() else {
            return Ok(part);
        };
        let on_screen = moved((part.x, part.y), window).map(|(x, y)| Region { x, y, size });
        let on_screen = on_screen.filter(|region| region.fits(screen));
        on_screen.ok_or_else(|| Refusal::OutOfScreen {
            asked,
            within: format!("the screen, which is {screen}"),
        })
    }

    /// Returns the window whose picture the space is.
    pub(in crate::session) fn window(&self) -> Option<WindowPlace> {
        match self {
            Self::Frame(_, shown) => shown.window,
            Self::Screen | Self::Size(_) => None,
        }
    }

    /// Maps the point `asked` to a pixel of a screen of size `screen`, by pixel centres. The
    /// error describes the area that the point must lie in.
    pub(in crate::session) fn point(
        &self,
        asked: (i32, i32),
        screen: Size,
    ) -> Result<(u32, u32), String> {
        let (space, shows) = self.extent(screen);
        let outside = || self.name(screen);
        let x = u32::try_from(asked.0).map_err(|_| outside())?;
        let y = u32::try_from(asked.1).map_err(|_| outside())?;
        if x >= space.width || y >= space.height {
            return Err(outside());
        }
        let point = (
            shows.x + centre(x, space.width, shows.size.width),
            shows.y + centre(y, space.height, shows.size.height),
        );
        let Some(window) = self.window() else {
            return Ok(point);
        };
        let on_screen = moved(point, window);
        let on_screen = on_screen.filter(|(x, y)| *x < screen.width && *y < screen.height);
        on_screen.ok_or_else(|| format!("the screen, which is {screen}: move the window onto it"))
    }

    /// Returns the size of the space, and the part of the screen that it covers.
    fn extent(&self, screen: Size) -> (Size, Region) {
        match self {
            Self::Screen => (screen, Region::whole(screen)),
            Self::Size(size) => (*size, Region::whole(screen)),
            Self::Frame(_, shown) => (shown.output, shown.region),
        }
    }

    fn name(&self, screen: Size) -> String {
        match self {
            Self::Screen => format!("the screen, which is {screen}"),
            Self::Size(size) => format!("the coordinate space, which is {size}"),
            Self::Frame(id, shown) => format!("frame {id}, which is {}", shown.output),
        }
    }
}

/// Returns the pixel of the screen for a pixel of a window's picture; `None`: left of it or above.
fn moved((x, y): (u32, u32), window: WindowPlace) -> Option<(u32, u32)> {
    let at = |pixel: u32, start: i32| u32::try_from(i64::from(pixel) + i64::from(start)).ok();
    Some((at(x, window.x)?, at(y, window.y)?))
}

/// Returns the part of a window's picture that lies on the screen; the whole screen if none does.
fn on_screen(part: Region, window: WindowPlace, screen: Size) -> Region {
    let (x, y) = (
        i64::from(part.x) + i64::from(window.x),
        i64::from(part.y) + i64::from(window.y),
    );
    let clipped = Region::clipped(x, y, part.size.width, part.size.height, screen);
    clipped.unwrap_or_else(|| Region::whole(screen))
}

/// Returns the pixel, of `to` pixels in a row, that holds the centre of pixel `at` of `from`.
fn centre(at: u32, from: u32, to: u32) -> u32 {
    let mapped = (2 * u64::from(at) + 1) * u64::from(to) / (2 * u64::from(from));
    // The result is less than `to`, so it fits in 32 bits.
    u32::try_from(mapped).unwrap_or(u32::MAX)
}

/// Maps `start..start + length` from a row of `from` units to a row of `to` pixels. Returns
/// the start and length of the result, which is within `0..to` and at least one pixel long.
fn edges(start: u32, length: u32, from: u32, to: u32) -> (u32, u32) {
    let (from, to) = (u64::from(from), u64::from(to));
    let first = u64::from(start) * to / from;
    let end = ((u64::from(start) + u64::from(length)) * to).div_ceil(from);
    // Both values are at most `to`, so they fit in 32 bits.
    let narrow = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
    (narrow(first), narrow(end - first))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCREEN: Size = Size {
        width: 1280,
        height: 800,
    };

    fn asked(x: i32, y: i32, width: u32, height: u32) -> AskedRegion {
        AskedRegion {
            x,
            y,
            size: Size { width, height },
        }
    }

    #[test]
    fn the_screen_is_taken_as_it_is() {
        let region = |a| Resolved::Screen.region(a, SCREEN);
        let last = Region {
            x: 1279,
            y: 799,
            size: Size {
                width: 1,
                height: 1,
            },
        };
        assert_eq!(region(asked(1279, 799, 1, 1)), Ok(last));
        assert_eq!(region(asked(0, 0, 1280, 800)), Ok(Region::whole(SCREEN)));
        for off in [
            asked(-1, 0, 5, 5),
            asked(1280, 0, 1, 1),
            asked(0, 0, 1281, 1),
            asked(i32::MAX, 0, u32::MAX, 1),
        ] {
            assert!(
                matches!(region(off), Err(Refusal::OutOfScreen { .. })),
                "{off}"
            );
        }
    }

    #[test]
    fn points_map_by_their_centres_and_are_never_clamped() {
        let point = |x, y| Resolved::Screen.point((x, y), SCREEN);
        assert_eq!(point(0, 0), Ok((0, 0)));
        assert_eq!(point(1279, 799), Ok((1279, 799)));
        for (x, y) in [(-1, 0), (0, -1), (1280, 0), (0, 800), (i32::MAX, i32::MIN)] {
            assert_eq!(point(x, y), Err("the screen, which is 1280x800".into()));
        }
        let half = Resolved::Size(Size {
            width: 640,
            height: 400,
        });
        assert_eq!(half.point((0, 0), SCREEN), Ok((1, 1)));
        assert_eq!(half.point((639, 399), SCREEN), Ok((1279, 799)));
        let double = Resolved::Size(Size {
            width: 2560,
            height: 1600,
        });
        assert_eq!(double.point((0, 1), SCREEN), Ok((0, 0)));
        assert_eq!(double.point((2559, 1599), SCREEN), Ok((1279, 799)));
        assert!(double.point((2560, 0), SCREEN).is_err());
    }

    #[test]
    fn a_smaller_space_maps_outwards() {
        let half = Resolved::Size(Size {
            width: 640,
            height: 400,
        });
        let region = half.region(asked(10, 20, 30, 40), SCREEN).unwrap();
        assert_eq!(
            region,
            Region {
                x: 20,
                y: 40,
                size: Size {
                    width: 60,
                    height: 80
                }
            }
        );
        let odd = Resolved::Size(Size {
            width: 1000,
            height: 1000,
        });
        // One unit is 1.28 x 0.8 screen pixels: columns 3.84 to 5.12, rows 2.4 to 3.2.
        let region = odd.region(asked(3, 3, 1, 1), SCREEN).unwrap();
        assert_eq!(
            region,
            Region {
                x: 3,
                y: 2,
                size: Size {
                    width: 3,
                    height: 2
                }
            }
        );
        assert_eq!(
            odd.region(asked(0, 0, 1000, 1000), SCREEN),
            Ok(Region::whole(SCREEN))
        );
    }

    #[test]
    fn a_larger_space_still_gives_a_pixel() {
        let large = Resolved::Size(Size {
            width: 12_800,
            height: 8000,
        });
        let region = large.region(asked(12_799, 7999, 1, 1), SCREEN).unwrap();
        assert_eq!(
            region,
            Region {
                x: 1279,
                y: 799,
                size: Size {
                    width: 1,
                    height: 1
                }
            }
        );
    }
}
