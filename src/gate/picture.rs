//! Classifies the screen's pixels: flat, tiled, or drawn.

use std::time::Duration;

use crate::{
    facts::{Content, PictureFact, Role, Scene, WindowId},
    frame::{BYTES_PER_PIXEL, Pixels, Region, Size},
};

/// Longest side in pixels of a tile that still counts as an unpainted root window: `-retro`
/// draws one of 4 × 4, `xsetroot -mod` of up to 16.
const MAX_TILE: usize = 16;

/// Classifies the screen and each window of the scene. `bytes` and `cost` are the size and the
/// duration of the reference encoding.
pub fn look(pixels: &Pixels, scene: &Scene, bytes: u64, cost: Duration) -> PictureFact {
    PictureFact {
        screen: content(pixels),
        flat: flat_windows(pixels, scene),
        bytes,
        cost,
    }
}

/// The content of the whole screen.
fn content(pixels: &Pixels) -> Content {
    if is_flat(pixels, Region::whole(pixels.size()), &[]) {
        Content::Flat
    } else if is_tiled(pixels) {
        Content::Tiled
    } else {
        Content::Drawn
    }
}

fn flat_windows(pixels: &Pixels, scene: &Scene) -> Vec<WindowId> {
    let docks: Vec<Region> = scene
        .windows
        .iter()
        .filter(|window| window.role == Role::Dock && window.viewable)
        .filter_map(|window| window.area)
        .collect();
    let flat = scene.windows.iter().filter(|window| {
        // The docks lie above the desktop window, so their pixels are not its content.
        let holes = if window.role == Role::Desktop {
            docks.as_slice()
        } else {
            &[]
        };
        let area = window.area.filter(|area| area.fits(pixels.size()));
        area.is_none_or(|area| is_flat(pixels, area, holes))
    });
    flat.map(|window| window.id).collect()
}

/// Whether anything is drawn in `area` outside `holes`; `None` if the holes cover it completely.
pub fn drawn_outside(pixels: &Pixels, area: Region, holes: &[Region]) -> Option<bool> {
    let mut rows = area.y..area.y + area.size.height;
    let is_visible = rows.any(|y| !visible(area, y, holes).is_empty());
    is_visible.then(|| !is_flat(pixels, area, holes))
}

/// Whether all pixels of `area` outside `holes` have one colour.
fn is_flat(pixels: &Pixels, area: Region, holes: &[Region]) -> bool {
    let mut colour: Option<[u8; 3]> = None;
    let mut before: Option<(u32, u32, u32)> = None;
    for y in area.y..area.y + area.size.height {
        for (x, width) in visible(area, y, holes) {
            // Most rows of a flat area equal the row before; comparing their bytes is the fastest
            // check.
            let repeats = before
                .replace((x, y, width))
                .is_some_and(|(left, above, run)| {
                    (left, run) == (x, width)
                        && pixels.row(x, above, run) == pixels.row(x, y, width)
                });
            if repeats {
                continue;
            }
            for pixel in pixels.row(x, y, width).chunks_exact(BYTES_PER_PIXEL) {
                let rgb = [pixel[0], pixel[1], pixel[2]];
                if *colour.get_or_insert(rgb) != rgb {
                    return false;
                }
            }
        }
    }
    true
}

/// The parts of row `y` of `area` that no hole covers, as (x, width).
fn visible(area: Region, y: u32, holes: &[Region]) -> Vec<(u32, u32)> {
    let row = Region {
        x: area.x,
        y,
        size: Size {
            width: area.size.width,
            height: 1,
        },
    };
    let mut covered: Vec<Region> = holes
        .iter()
        .filter_map(|hole| hole.intersection(&row))
        .collect();
    covered.sort_unstable_by_key(|hole| hole.x);
    let (mut runs, mut from, end) = (Vec::new(), area.x, area.x + area.size.width);
    for hole in covered {
        if hole.x > from {
            runs.push((from, hole.x - from));
        }
        from = from.max(hole.x + hole.size.width);
    }
    if end > from {
        runs.push((from, end - from));
    }
    runs
}

/// Whether the screen is one tile of at most [`MAX_TILE`] a side, repeated.
fn is_tiled(pixels: &Pixels) -> bool {
    let size = pixels.size();
    let row = |y: u32| pixels.row(0, y, size.width);
    let same = |a: &[u8], b: &[u8]| {
        let rgb = |bytes: &[u8]| [bytes[0], bytes[1], bytes[2]];
        let pixels = |bytes| <[u8]>::chunks_exact(bytes, BYTES_PER_PIXEL);
        a == b || pixels(a).zip(pixels(b)).all(|(a, b)| rgb(a) == rgb(b))
    };
    let repeats_down = |tile: u32| (tile..size.height).all(|y| same(row(y), row(y - tile)));
    // At least two whole tiles must fit; otherwise there is no repetition.
    let tiles = 1..=u32::try_from(MAX_TILE).unwrap_or(u32::MAX);
    let Some(height) = tiles
        .filter(|tile| tile * 2 <= size.height)
        .find(|tile| repeats_down(*tile))
    else {
        return false;
    };
    (1..=MAX_TILE)
        .filter(|tile| tile * 2 <= size.width as usize)
        .any(|tile| {
            let shift = tile * BYTES_PER_PIXEL;
            (0..height).all(|y| same(&row(y)[shift..], row(y)))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Window;

    const SIZE: Size = Size {
        width: 70,
        height: 50,
    };

    fn pixels(colour: impl Fn(u32, u32) -> u8) -> Pixels {
        let mut bytes = Vec::new();
        for y in 0..SIZE.height {
            for x in 0..SIZE.width {
                // The fourth byte of a pixel has no meaning and is ignored.
                bytes.extend([colour(x, y), 7, 7, (x + y).to_le_bytes()[0]]);
            }
        }
        Pixels::new(Box::new(bytes), SIZE, SIZE.width as usize * 4).unwrap()
    }

    #[test]
    fn flat_tiled_and_drawn_are_told_apart() {
        assert_eq!(content(&pixels(|_, _| 3)), Content::Flat);
        for tile in 2..=16 {
            let tiled = pixels(|x, y| u8::try_from((x % tile) * 16 + y % tile).unwrap());
            assert_eq!(content(&tiled), Content::Tiled, "{tile}");
        }
        assert_eq!(
            content(&pixels(|x, _| u8::from(x % 2 == 0))),
            Content::Tiled
        );
        assert_eq!(
            content(&pixels(|_, y| u8::from(y % 4 == 0))),
            Content::Tiled
        );
        let larger = pixels(|x, y| u8::try_from((x % 17) * 8 + y % 17).unwrap_or(255));
        assert_eq!(content(&larger), Content::Drawn);
        let gradient = pixels(|_, y| u8::try_from(y).unwrap());
        assert_eq!(content(&gradient), Content::Drawn);
    }

    #[test]
    fn one_pixel_is_a_drawing() {
        let (right, bottom) = (SIZE.width - 1, SIZE.height - 1);
        for (at_x, at_y) in [(0, 0), (right, 0), (0, bottom), (right, bottom), (33, 20)] {
            let dot = pixels(|x, y| u8::from((x, y) == (at_x, at_y)));
            assert_eq!(content(&dot), Content::Drawn, "{at_x},{at_y}");
            let weave = pixels(|x, y| {
                let odd = u8::from((x + y) % 2 == 0);
                odd ^ u8::from((x, y) == (at_x, at_y))
            });
            assert_eq!(content(&weave), Content::Drawn, "weave {at_x},{at_y}");
        }
    }

    #[test]
    fn docks_are_no_content_of_the_desktop() {
        let dock = Region::new(10, 0, 20, 5);
        let picture = pixels(|x, y| {
            let in_dock = (10..30).contains(&x) && y < 5;
            if in_dock { u8::try_from(x).unwrap() } else { 9 }
        });
        let window = |id, role, area| Window {
            managed: true,
            id,
            role,
            area: Some(area),
            viewable: true,
            pings: true,
            age: None,
            pid: None,
        };
        let scene = Scene {
            active: None,
            size: SIZE,
            window_manager: None,
            windows: vec![
                window(1, Role::Desktop, Region::whole(SIZE)),
                window(2, Role::Dock, dock),
                window(3, Role::TopLevel, Region::whole(SIZE)),
                window(4, Role::TopLevel, Region::new(40, 10, 9, 9)),
            ],
            other_clients: None,
        };
        let seen = look(&picture, &scene, 1, Duration::ZERO);
        assert_eq!(seen.flat, [1, 4]);
        assert_eq!(seen.screen, Content::Drawn);
    }

    #[test]
    fn runs_leave_out_every_hole() {
        let area = Region::new(5, 0, 20, 1);
        let holes = [
            Region::new(10, 0, 5, 1),
            Region::new(0, 0, 7, 1),
            Region::new(12, 0, 6, 1),
        ];
        assert_eq!(visible(area, 0, &holes), [(7, 3), (18, 7)]);
        assert_eq!(visible(area, 0, &[]), [(5, 20)]);
        assert_eq!(visible(area, 0, &[Region::new(0, 0, 99, 1)]), []);
    }
}
