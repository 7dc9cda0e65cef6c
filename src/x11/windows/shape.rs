//! The shapes of windows that are not rectangles (SHAPE 1.1).

use x11rb::{
    errors::{ConnectionError, ReplyError},
    protocol::{
        shape::{ConnectionExt as _, SK},
        xproto::{ConnectionExt as _, Window},
    },
};

use crate::frame::{Region, Size};
use crate::x11::{connection::server::Server, error::DisplayError, observe::properties::gone};

/// Maximum number of rectangles of a shape that is read as a list.
const MAX_OWN: u32 = 256;
/// Maximum number of parts of a frame that the window leaves out. Rounded corners need about 20.
const MAX_LEFT_OUT: usize = 64;

/// The shape of a frame, in pixels from the top-left corner of its border.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FrameShape {
    /// A rectangle.
    Rectangle,
    /// These rectangles, as column, row, width and height.
    Own(Vec<[i64; 4]>),
    /// More parts than [`MAX_OWN`].
    Complex,
}

impl FrameShape {
    /// Reads the shape of a frame; `None` if the frame has been destroyed.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub(super) fn read(server: &Server, frame: Window) -> Result<Option<Self>, DisplayError> {
        if !server.has_shape {
            return Ok(Some(Self::Rectangle));
        }
        let conn = &server.conn;
        let (extents, geometry) = (conn.shape_query_extents(frame)?, conn.get_geometry(frame)?);
        let shape = conn.shape_get_rectangles(frame, SK::BOUNDING)?;
        // One rectangle has two units of 4 bytes.
        conn.stream()
            .cut_reply(shape.sequence_number(), 2 * MAX_OWN);
        let (extents, geometry) = (gone(extents.reply())?, gone(geometry.reply())?);
        let shape = match shape.reply() {
            // The cut reply has fewer rectangles than it announces.
            Err(ReplyError::ConnectionError(ConnectionError::ParseError(_))) => {
                return Ok(Some(Self::Complex));
            }
            shape => gone(shape)?,
        };
        let (Some(extents), Some(geometry), Some(shape)) = (extents, geometry, shape) else {
            return Ok(None);
        };
        if !extents.bounding_shaped {
            return Ok(Some(Self::Rectangle));
        }
        let border = i64::from(geometry.border_width);
        let own = shape.rectangles.iter().map(|part| {
            let (x, y) = (i64::from(part.x) + border, i64::from(part.y) + border);
            [x, y, part.width.into(), part.height.into()]
        });
        Ok(Some(Self::Own(own.collect())))
    }

    /// Returns the parts of a frame of this size that do not belong to the window, which may be none;
    /// `None` if they are too many.
    pub(super) fn left_out(&self, size: Size) -> Option<Vec<Region>> {
        let own = match self {
            Self::Rectangle => return Some(Vec::new()),
            Self::Complex => return None,
            Self::Own(own) => own,
        };
        let clip = |at: i64, side: u32| u32::try_from(at.clamp(0, side.into())).unwrap_or(0);
        let own: Vec<[u32; 4]> = own
            .iter()
            .map(|[x, y, width, height]| {
                let (left, right) = (clip(*x, size.width), clip(x + width, size.width));
                let (top, bottom) = (clip(*y, size.height), clip(y + height, size.height));
                [left, top, right, bottom]
            })
            .collect();
        // The rows at which a part begins or ends divide the frame into bands.
        let mut rows = vec![0, size.height];
        rows.extend(own.iter().flat_map(|[_, top, _, bottom]| [*top, *bottom]));
        rows.sort_unstable();
        rows.dedup();
        let mut found: Vec<Region> = Vec::new();
        for band in rows.windows(2) {
            let (top, bottom) = (band[0], band[1]);
            let mut columns: Vec<(u32, u32)> = own
                .iter()
                .filter(|part| part[1] <= top && bottom <= part[3])
                .map(|part| (part[0], part[2]))
                .collect();
            columns.push((size.width, size.width));
            columns.sort_unstable();
            let mut next = 0;
            for (left, right) in columns {
                if left > next {
                    let part = Region::new(next, top, left - next, bottom - top);
                    // It may continue a part of the band above.
                    let continues = |above: &&mut Region| {
                        (above.x, above.size.width) == (part.x, part.size.width)
                            && above.y + above.size.height == top
                    };
                    match found.iter_mut().find(continues) {
                        Some(above) => above.size.height += part.size.height,
                        None => found.push(part),
                    }
                    if found.len() > MAX_LEFT_OUT {
                        return None;
                    }
                }
                next = next.max(right);
            }
        }
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn covers(part: &Region, x: u32, y: u32) -> bool {
        (part.x..part.x + part.size.width).contains(&x)
            && (part.y..part.y + part.size.height).contains(&y)
    }

    proptest! {
        #[test]
        fn each_pixel_is_in_the_shape_or_left_out(
            own in prop::collection::vec([-5_i64..40, -5_i64..40, 0_i64..30, 0_i64..30], 0..6),
            width in 1_u32..32,
            height in 1_u32..32,
        ) {
            let size = Size { width, height };
            let parts = FrameShape::Own(own.clone()).left_out(size).unwrap();
            for (x, y) in (0..height).flat_map(|y| (0..width).map(move |x| (x, y))) {
                let is_own = own.iter().any(|[left, top, width, height]| {
                    (*left..left + width).contains(&x.into())
                        && (*top..top + height).contains(&y.into())
                });
                let times = parts.iter().filter(|part| covers(part, x, y)).count();
                prop_assert_eq!(times, usize::from(!is_own), "{} {}", x, y);
            }
        }
    }

    #[test]
    fn a_shape_of_many_parts_is_not_described() {
        let size = Size {
            width: 400,
            height: 10,
        };
        let comb = (0..200).map(|tooth| [2 * tooth, 0, 1, 10]).collect();
        assert_eq!(FrameShape::Own(comb).left_out(size), None);
        assert_eq!(FrameShape::Complex.left_out(size), None);
        assert_eq!(FrameShape::Rectangle.left_out(size), Some(Vec::new()));
    }
}
