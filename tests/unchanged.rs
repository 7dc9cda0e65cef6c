//! `if_changed_since`: no bytes when, and only when, the answer would be the
//! image that the caller has.

use deskd::v1;

use crate::common::{
    Daemon, Witness, XServer,
    daemon::{frame, raw, raw_image, screen},
    witness::pattern,
};

fn since(frame: &v1::Frame) -> v1::ScreenshotRequest {
    v1::ScreenshotRequest {
        if_changed_since: frame.frame_id.clone(),
        ..v1::ScreenshotRequest::default()
    }
}

#[tokio::test]
async fn an_unchanged_screen_comes_without_bytes() {
    let server = XServer::with_screen("640x480x24", &[]);
    let witness = Witness::new(&server);
    witness.fill(0x0012_3456);
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    let first = screen(&mut client, v1::ScreenshotRequest::default()).await;

    let same = frame(&mut client, since(&first)).await;
    assert_eq!(same.kind(), v1::FrameKind::Unchanged);
    assert!(same.image.is_empty() && same.failure.is_none());
    assert_eq!(
        (same.frame_id.as_str(), same.width, same.height),
        (first.frame_id.as_str(), 640, 480)
    );

    // One pixel.
    witness.put(&[1, 2, 3, 0], (639, 479), (1, 1));
    let changed = screen(&mut client, since(&first)).await;
    assert_ne!(changed.frame_id, first.frame_id);
    // Back as it was: the first frame is the present one again.
    witness.fill(0x0012_3456);
    assert_eq!(
        frame(&mut client, since(&first)).await.kind(),
        v1::FrameKind::Unchanged
    );
    assert_eq!(
        frame(&mut client, since(&changed)).await.kind(),
        v1::FrameKind::Screen
    );
}

#[tokio::test]
async fn the_pointer_counts_only_where_it_is_in_the_picture() {
    let server = XServer::with_screen("640x480x24", &[]);
    let witness = Witness::new(&server);
    witness.set_argb_cursor(&[0xffff_ffff; 16], (4, 4), (0, 0));
    witness.warp(10, 10);
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    let left = Some(v1::Region::new(0, 0, 100, 100));
    let with = screen(&mut client, v1::ScreenshotRequest::default()).await;
    let without = v1::ScreenshotRequest {
        capture: Some(v1::CaptureOptions {
            include_cursor: Some(false),
            ..v1::CaptureOptions::default()
        }),
        ..v1::ScreenshotRequest::default()
    };
    let first_without = screen(&mut client, without.clone()).await;
    witness.warp(300, 300);
    assert_eq!(
        frame(&mut client, since(&with)).await.kind(),
        v1::FrameKind::Screen
    );
    let again = v1::ScreenshotRequest {
        capture: Some(v1::CaptureOptions {
            include_cursor: Some(false),
            ..since(&first_without).capture.clone().unwrap_or_default()
        }),
        ..since(&first_without)
    };
    assert_eq!(
        frame(&mut client, again).await.kind(),
        v1::FrameKind::Unchanged
    );
    // It moves outside the region: the region's picture stays.
    let part = screen(
        &mut client,
        v1::ScreenshotRequest {
            capture: Some(v1::CaptureOptions {
                region: left,
                ..v1::CaptureOptions::default()
            }),
            ..v1::ScreenshotRequest::default()
        },
    )
    .await;
    witness.warp(400, 400);
    let part = v1::ScreenshotRequest {
        capture: Some(v1::CaptureOptions {
            region: left,
            ..since(&part).capture.clone().unwrap_or_default()
        }),
        ..since(&part)
    };
    assert_eq!(
        frame(&mut client, part).await.kind(),
        v1::FrameKind::Unchanged
    );
}

#[tokio::test]
async fn another_picture_of_the_same_screen_is_sent() {
    let server = XServer::with_screen("640x480x24", &[]);
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    let first = screen(&mut client, v1::ScreenshotRequest::default()).await;
    for other in [
        v1::ScreenshotRequest {
            capture: Some(v1::CaptureOptions {
                format: v1::ImageFormat::Jpeg.into(),
                ..since(&first).capture.clone().unwrap_or_default()
            }),
            ..since(&first)
        },
        v1::ScreenshotRequest {
            capture: Some(v1::CaptureOptions {
                scale: Some(v1::capture_options::Scale::Size(v1::Size {
                    width: 320,
                    height: 240,
                })),
                ..since(&first).capture.clone().unwrap_or_default()
            }),
            ..since(&first)
        },
        v1::ScreenshotRequest {
            capture: Some(v1::CaptureOptions {
                region: Some(v1::Region::new(0, 0, 9, 9)),
                ..since(&first).capture.clone().unwrap_or_default()
            }),
            ..since(&first)
        },
        v1::ScreenshotRequest {
            capture: Some(v1::CaptureOptions {
                include_cursor: Some(false),
                ..since(&first).capture.clone().unwrap_or_default()
            }),
            ..since(&first)
        },
        v1::ScreenshotRequest {
            if_changed_since: "unknown-1".into(),
            ..v1::ScreenshotRequest::default()
        },
    ] {
        screen(&mut client, other).await;
    }
}

#[tokio::test]
async fn what_did_not_change_is_not_encoded_again_for_many_wishes_at_once() {
    let server = XServer::with_screen("640x480x24", &[]);
    let witness = Witness::new(&server);
    witness.fill(0);
    witness.put(&pattern((200, 150), 1), (8, 8), (200, 150));
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    let png = || v1::ScreenshotRequest {
        capture: Some(v1::CaptureOptions {
            format: v1::ImageFormat::Png.into(),
            ..raw_image()
        }),
        ..raw()
    };
    let fast = screen(&mut client, png()).await.image.len() as u64;
    let mut wishes = vec![raw(), png()];
    // Smaller than the encoder makes it at once.
    wishes.push(v1::ScreenshotRequest {
        capture: Some(v1::CaptureOptions {
            max_image_bytes: Some(fast - 1),
            ..png().capture.clone().unwrap_or_default()
        }),
        ..png()
    });
    for x in 0..4 {
        wishes.push(v1::ScreenshotRequest {
            capture: Some(v1::CaptureOptions {
                region: Some(v1::Region::new(x, 0, 300, 300)),
                ..png().capture.clone().unwrap_or_default()
            }),
            ..png()
        });
        wishes.push(v1::ScreenshotRequest {
            capture: Some(v1::CaptureOptions {
                format: v1::ImageFormat::Jpeg.into(),
                quality: Some(50 + x.unsigned_abs()),
                ..png().capture.clone().unwrap_or_default()
            }),
            ..png()
        });
    }
    let mut first = Vec::new();
    for wish in &wishes {
        first.push(screen(&mut client, wish.clone()).await);
    }
    for (wish, first) in wishes.iter().zip(first) {
        let again = screen(&mut client, wish.clone()).await;
        assert_eq!(again.frame_id, first.frame_id, "{wish:?}");
        assert_eq!(again.image, first.image);
        assert_eq!(
            again.timings.unwrap().encode,
            Some(prost_types::Duration::default()),
            "{wish:?}"
        );
    }
}

/// A picture that did not change keeps its id, whatever other pictures were asked for.
#[tokio::test]
async fn other_kinds_of_pictures_in_between_change_no_id() {
    let server = XServer::with_screen("640x480x24", &[]);
    Witness::new(&server).draw_pattern(7);
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    let request = v1::ScreenshotRequest {
        capture: Some(v1::CaptureOptions {
            max_image_bytes: Some(16 << 20),
            ..v1::CaptureOptions::default()
        }),
        ..v1::ScreenshotRequest::default()
    };
    let first = screen(&mut client, request.clone()).await;
    for other in 1..24 {
        let request = v1::ScreenshotRequest {
            capture: Some(v1::CaptureOptions {
                region: Some(v1::Region::new(other, other, 600, 440)),
                ..raw_image()
            }),
            ..raw()
        };
        screen(&mut client, request).await;
    }
    assert_eq!(screen(&mut client, request).await.frame_id, first.frame_id);
}
