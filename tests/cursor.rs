//! R9: the pointer is in the picture exactly where and as the server has it.

use deskd::v1;

use crate::common::{
    Daemon, Image, Witness, XServer,
    daemon::{raw, raw_image, screen},
};

fn with_cursor() -> v1::ScreenshotRequest {
    v1::ScreenshotRequest {
        capture: Some(v1::CaptureOptions {
            include_cursor: None,
            ..raw_image()
        }),
        ..raw()
    }
}

/// An ARGB cursor with every alpha, composited over a pattern.
#[tokio::test]
async fn r9_argb_cursors_are_exact_to_one_level() {
    let server = XServer::with_screen("400x300x24", &[]);
    let witness = Witness::new(&server);
    let under = Image::from_bgrx(&witness.draw_pattern(9), 400, 300);
    let argb: Vec<u32> = (0..16 * 16_u32)
        .map(|alpha| {
            let (red, green) = (alpha / 2, alpha);
            alpha << 24 | red << 16 | green << 8
        })
        .collect();
    witness.set_argb_cursor(&argb, (16, 16), (3, 5));
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    // Middle, each corner, and the far edges where most of it is cut off.
    for (x, y) in [(200, 150), (0, 0), (399, 299), (0, 299), (399, 0), (1, 298)] {
        witness.warp(x, y);
        let frame = screen(&mut client, with_cursor()).await;
        let image = Image::from_frame(&frame);
        let cursor = frame.cursor.unwrap();
        assert_eq!(cursor.position, Some(v1::Point::new(x.into(), y.into())));
        assert_eq!(cursor.hotspot, Some(v1::Point::new(3, 5)));
        assert!(cursor.visible);
        for py in 0..300_i32 {
            for px in 0..400_i32 {
                let (cx, cy) = (px - (i32::from(x) - 3), py - (i32::from(y) - 5));
                let inside = (0..16).contains(&cx) && (0..16).contains(&cy);
                let pixel = if inside {
                    argb[usize::try_from(cy * 16 + cx).unwrap()]
                } else {
                    0
                };
                let below = under.at(px.cast_unsigned(), py.cast_unsigned());
                let got = image.at(px.cast_unsigned(), py.cast_unsigned());
                let channel = |shift: u32| f64::from(pixel >> shift & 0xff);
                for (index, shift) in [(0, 16), (1, 8), (2, 0)] {
                    let exact =
                        channel(shift) + f64::from(below[index]) * (255.0 - channel(24)) / 255.0;
                    let error = (f64::from(got[index]) - exact).abs();
                    assert!(
                        error <= 1.0,
                        "at {px},{py}: {got:?} over {below:?} with {pixel:08x}"
                    );
                }
            }
        }
        // Without the pointer nothing of it is left.
        let frame = screen(&mut client, raw()).await;
        assert_eq!(Image::from_frame(&frame).differing(&under), 0);
    }
}

#[tokio::test]
async fn r9_bitmap_cursors_are_exact() {
    let server = XServer::with_screen("100x80x24", &[]);
    let witness = Witness::new(&server);
    witness.fill(0x0000_80ff);
    // 8 × 8: the mask a frame, the source its left half; rows padded to 32 bits.
    let bits = |rows: [u8; 8]| {
        rows.iter()
            .flat_map(|row| [*row, 0, 0, 0])
            .collect::<Vec<u8>>()
    };
    let mask = [0xff, 0x81, 0x81, 0x81, 0x81, 0x81, 0x81, 0xff];
    let source = [0x0f; 8];
    witness.set_bitmap_cursor(&bits(source), &bits(mask), 8, (4, 4));
    witness.warp(50, 40);
    let daemon = Daemon::start(&server);
    let image = Image::from_frame(&screen(&mut daemon.client().await, with_cursor()).await);
    for y in 0..80_u32 {
        for x in 0..100_u32 {
            let bit = |rows: [u8; 8]| rows[(y - 36) as usize] >> (x - 46) & 1 == 1;
            let inside = (46..54).contains(&x) && (36..44).contains(&y);
            let expected = match (inside && bit(mask), inside && bit(source)) {
                (false, _) => [0, 0x80, 0xff],
                (true, true) => [255; 3],
                (true, false) => [0; 3],
            };
            assert_eq!(image.at(x, y), expected, "{x},{y}");
        }
    }
}

#[tokio::test]
async fn get_cursor_says_where_it_is_and_an_empty_one_is_not_visible() {
    let server = XServer::with_screen("400x300x24", &[]);
    let witness = Witness::new(&server);
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    witness.set_argb_cursor(&[0xff00_ff00; 4], (2, 2), (1, 0));
    witness.warp(0, 299);
    let mut get = async || {
        client
            .get_cursor(v1::GetCursorRequest {})
            .await
            .unwrap()
            .into_inner()
    };
    let reply = get().await;
    assert_eq!(reply.server_generation.len(), 32);
    let cursor = reply.cursor.unwrap();
    assert_eq!(cursor.position, Some(v1::Point::new(0, 299)));
    assert_eq!(cursor.hotspot, Some(v1::Point::new(1, 0)));
    assert_eq!(
        cursor.size,
        Some(v1::Size {
            width: 2,
            height: 2
        })
    );
    assert!(cursor.visible);
    witness.set_argb_cursor(&[0; 4], (2, 2), (0, 0));
    assert!(!get().await.cursor.unwrap().visible);
}
