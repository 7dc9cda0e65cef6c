//! Regions, sizes and coordinate spaces: exact, refused by name, never clamped.

use deskd::{client, v1};
use tonic::Code;

use crate::common::{
    Daemon, Image, Witness, XServer,
    daemon::{raw, raw_image, screen},
};

fn region(x: i32, y: i32, width: u32, height: u32) -> Option<v1::Region> {
    Some(v1::Region::new(x, y, width, height))
}

fn space(space: v1::coordinate_space::Space) -> Option<v1::CoordinateSpace> {
    Some(v1::CoordinateSpace { space: Some(space) })
}

#[tokio::test]
async fn a_region_is_cut_out_exactly() {
    let server = XServer::start();
    let drawn = Image::from_bgrx(&Witness::new(&server).draw_pattern(6), 1280, 800);
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    for (x, y, width, height) in [
        (0, 0, 1, 1),
        (1279, 799, 1, 1),
        (17, 33, 201, 99),
        (0, 0, 1280, 800),
        (0, 799, 1280, 1),
    ] {
        for format in [v1::ImageFormat::Png, v1::ImageFormat::RawBgrx] {
            let request = v1::ScreenshotRequest {
                capture: Some(v1::CaptureOptions {
                    region: region(x, y, width, height),
                    format: format.into(),
                    max_image_bytes: Some(16 << 20),
                    ..raw_image()
                }),
                ..raw()
            };
            let frame = screen(&mut client, request).await;
            assert_eq!(frame.region, region(x, y, width, height));
            let expected = drawn.crop(x.cast_unsigned(), y.cast_unsigned(), width, height);
            assert_eq!(
                Image::from_frame(&frame).differing(&expected),
                0,
                "{x},{y},{width},{height}"
            );
        }
    }
}

#[tokio::test]
async fn a_size_scales_with_a_good_filter() {
    let server = XServer::start();
    let witness = Witness::new(&server);
    // Thin lines: a nearest-neighbour filter would lose most of them.
    witness.fill(0x00ff_ffff);
    let column: Vec<u8> = [0, 0, 0, 255].repeat(800);
    for x in (3..1280).step_by(8) {
        witness.put(&column, (x, 0), (1, 800));
    }
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    for (width, height) in [(640, 400), (320, 200), (1000, 1000), (1, 1), (2560, 1600)] {
        let request = v1::ScreenshotRequest {
            capture: Some(v1::CaptureOptions {
                scale: Some(v1::capture_options::Scale::Size(v1::Size { width, height })),
                ..raw_image()
            }),
            ..raw()
        };
        let frame = screen(&mut client, request).await;
        assert_eq!((frame.width, frame.height), (width, height));
        assert_eq!(frame.region, region(0, 0, 1280, 800));
        let image = Image::from_frame(&frame);
        // An eighth of the pixels is black: so is about the mean, whatever the
        // size. (Enlarged, the filter's overshoot is clipped at white.)
        let mean =
            image.rgb.iter().map(|value| f64::from(*value)).sum::<f64>() / image.rgb.len() as f64;
        assert!(
            (mean - 255.0 * 7.0 / 8.0).abs() < 10.0,
            "{width}x{height}: mean {mean}"
        );
    }
}

#[tokio::test]
async fn coordinates_of_an_earlier_frame_map_back_to_the_screen() {
    let server = XServer::start();
    let drawn = Image::from_bgrx(&Witness::new(&server).draw_pattern(7), 1280, 800);
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    // A half-size picture of the right half: one of its pixels is two of the screen's.
    let request = v1::ScreenshotRequest {
        capture: Some(v1::CaptureOptions {
            region: region(640, 0, 640, 800),
            scale: Some(v1::capture_options::Scale::Size(v1::Size {
                width: 320,
                height: 400,
            })),
            ..raw_image()
        }),
        ..raw()
    };
    let half = screen(&mut client, request).await;
    let zoom = v1::ScreenshotRequest {
        capture: Some(v1::CaptureOptions {
            region: region(10, 20, 30, 40),
            coordinate_space: space(v1::coordinate_space::Space::FrameId(half.frame_id.clone())),
            ..raw_image()
        }),
        ..raw()
    };
    let frame = screen(&mut client, zoom).await;
    assert_eq!(frame.region, region(660, 40, 60, 80));
    assert_eq!(
        Image::from_frame(&frame).differing(&drawn.crop(660, 40, 60, 80)),
        0
    );
    // Without a region: all that the space shows.
    let same = v1::ScreenshotRequest {
        capture: Some(v1::CaptureOptions {
            coordinate_space: space(v1::coordinate_space::Space::FrameId(half.frame_id)),
            ..raw_image()
        }),
        ..raw()
    };
    assert_eq!(
        screen(&mut client, same).await.region,
        region(640, 0, 640, 800)
    );
    let sized = v1::ScreenshotRequest {
        capture: Some(v1::CaptureOptions {
            region: region(0, 0, 50, 100),
            coordinate_space: space(v1::coordinate_space::Space::Size(v1::Size {
                width: 100,
                height: 100,
            })),
            ..raw_image()
        }),
        ..raw()
    };
    assert_eq!(
        screen(&mut client, sized).await.region,
        region(0, 0, 640, 800)
    );
}

#[tokio::test]
async fn what_is_not_on_the_screen_is_refused() {
    let server = XServer::start();
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    let mut refused = async |request: v1::ScreenshotRequest| {
        let status = client.screenshot(request).await.map(drop).unwrap_err();
        (status.code(), client::reason(&status))
    };
    let of_region = |region| v1::ScreenshotRequest {
        capture: Some(v1::CaptureOptions {
            region,
            ..raw_image()
        }),
        ..raw()
    };
    let out = (Code::OutOfRange, v1::Reason::OutOfScreen);
    for off in [
        region(-1, 0, 10, 10),
        region(0, -1, 10, 10),
        region(1271, 0, 10, 10),
        region(0, 0, 1281, 800),
        region(0, 0, 1280, 801),
        region(i32::MAX, i32::MAX, u32::MAX, u32::MAX),
    ] {
        assert_eq!(refused(of_region(off)).await, out, "{off:?}");
    }
    let invalid = (Code::InvalidArgument, v1::Reason::InvalidField);
    assert_eq!(refused(of_region(region(0, 0, 0, 5))).await, invalid);
    let of_size = |width, height| v1::ScreenshotRequest {
        capture: Some(v1::CaptureOptions {
            scale: Some(v1::capture_options::Scale::Size(v1::Size { width, height })),
            ..raw_image()
        }),
        ..raw()
    };
    assert_eq!(refused(of_size(0, 100)).await, invalid);
    let too_large = (Code::InvalidArgument, v1::Reason::OutputTooLarge);
    assert_eq!(refused(of_size(7681, 4320)).await, too_large);
    assert_eq!(refused(of_size(u32::MAX, u32::MAX)).await, too_large);
    // Thin: few pixels, but the scaler's memory goes with the side.
    assert_eq!(refused(of_size(33_177_600, 1)).await, too_large);
    assert_eq!(refused(of_size(1, 16_385)).await, too_large);

    let of_space = |id: &str| v1::ScreenshotRequest {
        capture: Some(v1::CaptureOptions {
            coordinate_space: space(v1::coordinate_space::Space::FrameId(id.into())),
            ..raw_image()
        }),
        ..raw()
    };
    let unknown = (Code::FailedPrecondition, v1::Reason::UnknownFrame);
    assert_eq!(refused(of_space("0-1")).await, unknown);
    assert_eq!(refused(of_space("")).await, invalid);
}

#[tokio::test]
async fn a_frame_from_before_a_resize_or_of_another_server_is_stale() {
    let mut server = XServer::start();
    let mut witness = Witness::new(&server);
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    let within = |frame: &v1::Frame| v1::ScreenshotRequest {
        capture: Some(v1::CaptureOptions {
            region: region(0, 0, 10, 10),
            coordinate_space: space(v1::coordinate_space::Space::FrameId(frame.frame_id.clone())),
            ..raw_image()
        }),
        ..raw()
    };
    let before = screen(&mut client, raw()).await;
    screen(&mut client, within(&before)).await;
    witness.resize(800, 600);
    let status = client
        .screenshot(within(&before))
        .await
        .map(drop)
        .unwrap_err();
    assert_eq!(
        (status.code(), client::reason(&status)),
        (Code::FailedPrecondition, v1::Reason::StaleEpoch)
    );
    let after = screen(&mut client, raw()).await;
    assert_eq!(after.geometry_epoch, before.geometry_epoch + 1);

    drop(witness);
    server.kill();
    server.restart();
    let status = client
        .screenshot(within(&after))
        .await
        .map(drop)
        .unwrap_err();
    assert_eq!(
        (status.code(), client::reason(&status)),
        (Code::FailedPrecondition, v1::Reason::StaleGeneration)
    );
}

#[tokio::test]
async fn only_the_last_1024_frames_are_known() {
    let server = XServer::with_screen("64x64x24", &[]);
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    let first = screen(&mut client, raw()).await;
    let within_id = first.frame_id.clone();
    let within = v1::ScreenshotRequest {
        capture: Some(v1::CaptureOptions {
            coordinate_space: space(v1::coordinate_space::Space::FrameId(first.frame_id)),
            ..raw_image()
        }),
        ..raw()
    };
    // What did not change is the same frame, and known on.
    for _ in 0..100 {
        assert_eq!(screen(&mut client, raw()).await.frame_id, within_id);
    }
    let witness = Witness::new(&server);
    for pixel in 1..1024 {
        witness.fill(pixel);
        screen(&mut client, raw()).await;
    }
    screen(&mut client, within.clone()).await;
    witness.fill(1024);
    screen(&mut client, raw()).await;
    let status = client.screenshot(within).await.map(drop).unwrap_err();
    assert_eq!(client::reason(&status), v1::Reason::UnknownFrame);
}
