//! Random drawing, the same in each run.

use xcb::x;

use super::Witness;

/// A generator of numbers (Knuth's MMIX constants): the same in each run.
#[derive(Debug)]
pub struct Numbers(pub u64);

impl Numbers {
    /// From 0 to below the limit.
    pub fn below(&mut self, limit: u32) -> u32 {
        let (factor, step) = (6_364_136_223_846_793_005, 1_442_695_040_888_963_407);
        self.0 = self.0.wrapping_mul(factor).wrapping_add(step);
        u32::try_from(self.0 >> 33).unwrap() % limit
    }

    /// A place on a screen of that size, or a little beyond its edges.
    pub fn place(&mut self, (width, height): (u16, u16)) -> (i16, i16) {
        let mut side =
            |length: u16| i16::try_from(self.below(u32::from(length) + 60)).unwrap() - 30;
        (side(width), side(height))
    }

    /// Sides of something small.
    pub fn size(&mut self) -> (u16, u16) {
        let mut side = || u16::try_from(1 + self.below(90)).unwrap();
        (side(), side())
    }
}

/// Draws something somewhere: on the root window over all others, in a window, by
/// moving, stacking, showing and hiding windows, by scrolling, by the pointer.
pub fn draw(
    witness: &Witness,
    windows: &mut Vec<x::Window>,
    numbers: &mut Numbers,
    screen: (u16, u16),
) {
    let colour = numbers.below(1 << 24);
    let (at, size) = (numbers.place(screen), numbers.size());
    let window = windows[numbers.below(u32::try_from(windows.len()).unwrap()) as usize];
    match numbers.below(12) {
        0..3 => witness.draw(window, at, size, colour),
        3 => {
            let pixels: Vec<u8> = (0..u32::from(size.0) * u32::from(size.1))
                .flat_map(|i| (i.wrapping_mul(colour | 1)).to_le_bytes())
                .collect();
            witness.put(&pixels, at, size);
        }
        4 | 5 => witness.checked(&x::ConfigureWindow {
            window,
            value_list: &[
                x::ConfigWindow::X(at.0.into()),
                x::ConfigWindow::Y(at.1.into()),
            ],
        }),
        6 => witness.checked(&x::ConfigureWindow {
            window,
            value_list: &[x::ConfigWindow::StackMode(x::StackMode::Opposite)],
        }),
        7 => witness.checked(&x::UnmapWindow { window }),
        8 => witness.checked(&x::MapWindow { window }),
        9 => witness.scroll(window, at, size),
        10 => witness.warp(at.0.max(0), at.1.max(0)),
        _ => {
            if windows.len() > 6 {
                witness.checked(&x::DestroyWindow {
                    window: windows.remove(0),
                });
            }
            windows.push(witness.window(at, size, colour));
        }
    }
}
