//! deskd returns what the witness drew: in every format, mode and depth.

use deskd::v1;

use crate::common::{
    Daemon, Image, Witness, XServer,
    daemon::{frame, raw, raw_image, screen},
    program,
    step::{done, move_to},
};

fn png() -> v1::ScreenshotRequest {
    v1::ScreenshotRequest {
        capture: Some(v1::CaptureOptions {
            include_cursor: Some(false),
            ..v1::CaptureOptions::default()
        }),
        ..v1::ScreenshotRequest::default()
    }
}

#[tokio::test]
async fn png_and_raw_are_exact_and_jpeg_is_close() {
    let server = XServer::start();
    let witness = Witness::new(&server);
    let drawn = witness.draw_pattern(1);
    let drawn = Image::from_bgrx(&drawn, 1280, 800);
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;

    // Noise does not fit 3.5 MiB as PNG; the limit has its own test.
    let request = v1::ScreenshotRequest {
        capture: Some(v1::CaptureOptions {
            max_image_bytes: Some(16 << 20),
            ..png().capture.clone().unwrap_or_default()
        }),
        ..png()
    };
    let frame = screen(&mut client, request).await;
    assert_eq!(frame.format(), v1::ImageFormat::Png);
    assert_eq!(
        (
            frame.width,
            frame.height,
            frame.screen_width,
            frame.screen_height
        ),
        (1280, 800, 1280, 800)
    );
    assert_eq!(frame.capture_mode(), v1::CaptureMode::ShmFd);
    assert_eq!(Image::from_frame(&frame).differing(&drawn), 0);

    let frame = screen(&mut client, raw()).await;
    assert_eq!(frame.image.len(), 1280 * 800 * 4);
    assert!(frame.image.chunks_exact(4).all(|pixel| pixel[3] == 255));
    assert_eq!(Image::from_frame(&frame).differing(&drawn), 0);

    // A picture that JPEG can hold: broad areas.
    witness.fill(0x0033_6699);
    let jpeg = v1::ScreenshotRequest {
        capture: Some(v1::CaptureOptions {
            format: v1::ImageFormat::Jpeg.into(),
            quality: Some(95),
            ..png().capture.clone().unwrap_or_default()
        }),
        ..png()
    };
    let frame = screen(&mut client, jpeg).await;
    let decoded = Image::from_frame(&frame);
    assert!(
        decoded
            .rgb
            .chunks_exact(3)
            .all(|p| p[0].abs_diff(0x33) < 4 && p[1].abs_diff(0x66) < 4 && p[2].abs_diff(0x99) < 4)
    );
    let small = v1::ScreenshotRequest {
        capture: Some(v1::CaptureOptions {
            quality: Some(10),
            ..png().capture.clone().unwrap_or_default()
        }),
        ..png()
    };
    let small = v1::ScreenshotRequest {
        capture: Some(v1::CaptureOptions {
            format: v1::ImageFormat::Jpeg.into(),
            ..small.capture.clone().unwrap_or_default()
        }),
        ..small
    };
    assert!(screen(&mut client, small).await.image.len() < frame.image.len());
}

/// scrot is an independent reader of the same screen.
#[tokio::test]
async fn scrot_sees_the_same_pixels() {
    for sockets in [&[][..], &["-nolisten", "unix"]] {
        let server = XServer::with_screen("1280x800x24", sockets);
        let witness = Witness::new(&server);
        witness.draw_pattern(2);
        let daemon = Daemon::start(&server);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("scrot.png");
        program::output(server.program("scrot").arg(&file), "scrot");
        let frame = screen(&mut daemon.client().await, raw()).await;
        assert_eq!(
            Image::from_frame(&frame).differing(&Image::read(&file)),
            0,
            "{sockets:?}"
        );
    }
}

#[tokio::test]
async fn an_abstract_socket_alone_suffices() {
    let server = XServer::with_screen("640x480x24", &["-nolisten", "unix"]);
    server.wait_for_socket(false);
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    screen(&mut client, png()).await;
    let info = client
        .get_info(v1::GetInfoRequest {})
        .await
        .unwrap()
        .into_inner();
    assert_eq!(info.display_socket(), v1::DisplaySocket::Abstract);
}

/// While Xvfb reads pixels for GetImage, it takes the pointer off the screen and sends an
/// event in the middle of its answer, which could not be read any more.
#[tokio::test]
async fn a_pointer_over_what_is_drawn_breaks_no_image_over_the_socket() {
    let server = XServer::start();
    let mut xterm = server.program("xterm");
    let _xterm = program::spawn(xterm.args(["-geometry", "140x50+0+0"]), "xterm");
    let daemon = Daemon::with(&server, &["--capture-mode", "get-image"]);
    let mut client = daemon.client().await;
    for round in 0..8 {
        done(&mut client, vec![move_to(300 + round, 350)]).await;
        let request = v1::ScreenshotRequest {
            capture: Some(v1::CaptureOptions {
                include_cursor: Some(true),
                ..raw_image()
            }),
            ..raw()
        };
        screen(&mut client, request).await;
    }
    assert!(!daemon.log().contains("failure card"), "{}", daemon.log());
}

/// R10: each way gives the same pixels, and says which it is.
#[tokio::test]
async fn r10_every_capture_mode_is_exact_and_reported() {
    let server = XServer::start();
    let witness = Witness::new(&server);
    let drawn = Image::from_bgrx(&witness.draw_pattern(3), 1280, 800);
    for (flag, mode) in [
        ("shm-fd", v1::CaptureMode::ShmFd),
        ("shm-sysv", v1::CaptureMode::ShmSysv),
        ("get-image", v1::CaptureMode::GetImage),
    ] {
        let daemon = Daemon::with(&server, &["--capture-mode", flag]);
        let mut client = daemon.client().await;
        let frame = screen(&mut client, raw()).await;
        assert_eq!(frame.capture_mode(), mode);
        assert_eq!(Image::from_frame(&frame).differing(&drawn), 0, "{flag}");
        let info = client
            .get_info(v1::GetInfoRequest {})
            .await
            .unwrap()
            .into_inner();
        assert_eq!(info.capture_mode(), mode);
        assert_eq!(
            info.capture_mode_reason.is_empty(),
            mode == v1::CaptureMode::ShmFd
        );
    }
}

#[tokio::test]
async fn r10_without_shared_memory_the_socket_serves() {
    let server = XServer::with_screen("800x600x24", &["-extension", "MIT-SHM"]);
    let witness = Witness::new(&server);
    let drawn = Image::from_bgrx(&witness.draw_pattern(4), 800, 600);
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    let frame = screen(&mut client, raw()).await;
    assert_eq!(frame.capture_mode(), v1::CaptureMode::GetImage);
    assert_eq!(Image::from_frame(&frame).differing(&drawn), 0);
    let info = client
        .get_info(v1::GetInfoRequest {})
        .await
        .unwrap()
        .into_inner();
    assert!(
        info.capture_mode_reason.contains("MIT-SHM"),
        "{}",
        info.capture_mode_reason
    );
    let shm = info
        .features
        .iter()
        .find(|cell| cell.feature() == v1::Feature::SharedMemory)
        .unwrap();
    assert!(!shm.available && shm.message.contains("MIT-SHM"));
}

/// R10: a memfd that the system does not give is an error, not a SIGBUS, and
/// the next way serves. The limit on file sizes holds for memfds too.
#[tokio::test]
async fn r10_memory_that_is_refused_falls_back() {
    let server = XServer::start();
    let drawn = Image::from_bgrx(&Witness::new(&server).draw_pattern(5), 1280, 800);
    let prefix = ["env", "--ignore-signal=XFSZ", "prlimit", "--fsize=1000000"];
    let daemon = Daemon::launch(&server, &prefix, &[], &[]);
    let mut client = daemon.client().await;
    let frame = screen(&mut client, raw()).await;
    assert_eq!(frame.capture_mode(), v1::CaptureMode::ShmSysv);
    assert_eq!(Image::from_frame(&frame).differing(&drawn), 0);
    let info = client
        .get_info(v1::GetInfoRequest {})
        .await
        .unwrap()
        .into_inner();
    assert!(
        info.capture_mode_reason.contains("ShmFd"),
        "{}",
        info.capture_mode_reason
    );
}

/// R8: five, six and five bits, as the server itself expands them.
#[tokio::test]
async fn r8_depth_16_is_exact() {
    for mode in ["shm-fd", "get-image"] {
        // An odd width pads every row.
        let server = XServer::with_screen("333x250x16", &[]);
        let witness = Witness::new(&server);
        let words: Vec<u16> = (0..334 * 250)
            .map(|i: u32| u16::try_from((i * 40_503) >> 8 & 0xffff).unwrap())
            .collect();
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        // 334 words a row on the wire: 333 padded to four bytes.
        witness.put(&bytes, (0, 0), (333, 250));
        let daemon = Daemon::with(&server, &["--capture-mode", mode]);
        let frame = screen(&mut daemon.client().await, raw()).await;
        let image = Image::from_frame(&frame);
        for y in 0..250_u32 {
            for x in 0..333_u32 {
                let word = u32::from(words[(y * 334 + x) as usize]);
                let scale =
                    |value: u32, max: u32| u8::try_from((value * 510 + max) / (2 * max)).unwrap();
                let expected = [
                    scale(word >> 11, 31),
                    scale(word >> 5 & 63, 63),
                    scale(word & 31, 31),
                ];
                assert_eq!(image.at(x, y), expected, "{mode} {x},{y}");
            }
        }
    }
}

/// R8: ten bits a channel, each to the nearest of eight, also where only a part changed.
#[tokio::test]
async fn r8_depth_30_is_exact() {
    for mode in ["shm-fd", "get-image"] {
        let server = XServer::with_screen("333x250x30", &[]);
        let witness = Witness::new(&server);
        let daemon = Daemon::with(&server, &["--capture-mode", mode]);
        let mut client = daemon.client().await;
        let mut words = vec![0_u32; 333 * 250];
        for (first, rows, seed) in [(0, 250, 1_u32), (100, 7, 2)] {
            let part = &mut words[first * 333..(first + rows) * 333];
            for (index, word) in (0_u32..).zip(&mut *part) {
                *word = (index * seed).wrapping_mul(2_654_435_769) >> 2;
            }
            let bytes: Vec<u8> = part.iter().flat_map(|word| word.to_le_bytes()).collect();
            let at = (0, i16::try_from(first).unwrap());
            witness.put(&bytes, at, (333, u16::try_from(rows).unwrap()));
            let frame = screen(&mut client, raw()).await;
            let image = Image::from_frame(&frame);
            for y in 0..250_u32 {
                for x in 0..333_u32 {
                    let word = words[(y * 333 + x) as usize];
                    // Red is the highest, as the visual of Xvfb has it.
                    let nearest =
                        |value: u32| u8::try_from(((value & 1023) * 510 + 1023) / 2046).unwrap();
                    let expected = [word >> 20, word >> 10, word].map(nearest);
                    assert_eq!(image.at(x, y), expected, "{mode} {x},{y}");
                }
            }
        }
    }
}

/// R8: a depth that cannot be converted exactly is named, never guessed.
#[tokio::test]
async fn r8_other_depths_are_a_card_by_name() {
    let server = XServer::with_screen("640x480x8", &[]);
    let daemon = Daemon::start(&server);
    let frame = frame(&mut daemon.client().await, png()).await;
    assert_eq!(frame.kind(), v1::FrameKind::FailureCard);
    let failure = frame.failure.unwrap();
    assert_eq!(failure.stage(), v1::FailureStage::Display);
    assert_eq!(failure.reason(), v1::Reason::PixelFormatUnsupported);
    assert!(
        !failure.retryable && failure.message.contains("depth 8"),
        "{}",
        failure.message
    );
    // The gate gives the same reason.
    let request = v1::WaitReadyRequest {
        timeout: Some(prost_types::Duration {
            seconds: 1,
            nanos: 0,
        }),
        ..v1::WaitReadyRequest::default()
    };
    let ready = daemon.client().await.wait_ready(request).await.unwrap();
    let evidence = ready.into_inner().evidence.unwrap();
    assert!(evidence.missing[0].contains("depth 8"), "{evidence:?}");
}

/// While the X server has not answered yet, no deadline has passed.
#[tokio::test]
async fn a_daemon_that_is_connecting_says_so() {
    let server = XServer::with_screen("320x240x24", &[]);
    server.stop();
    let daemon = Daemon::start(&server);
    let info = daemon.client().await.get_info(v1::GetInfoRequest {}).await;
    let failure = info.unwrap().into_inner().failure.unwrap();
    assert_eq!(failure.stage(), v1::FailureStage::Connect);
    assert_eq!(failure.reason(), v1::Reason::NoDisplay);
    assert!(
        failure.message.contains(&server.display()),
        "{}",
        failure.message
    );
    server.resume();
}

/// R7, in short: frames follow the screen's size, and the epoch counts.
#[tokio::test]
async fn r7_a_resized_screen_is_captured_whole() {
    let server = XServer::with_screen("1600x1200x24", &[]);
    let mut witness = Witness::new(&server);
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    let first = screen(&mut client, raw()).await;
    let mut epoch = first.geometry_epoch;
    for round in 0..20_u16 {
        let (width, height) = (1600 - round * 37, 1200 - round * 23);
        witness.resize(width, height);
        let drawn = witness.draw_pattern(round.into());
        let frame = screen(&mut client, raw()).await;
        let (width, height) = (u32::from(width), u32::from(height));
        assert_eq!((frame.screen_width, frame.screen_height), (width, height));
        let drawn = Image::from_bgrx(&drawn, width, height);
        assert_eq!(Image::from_frame(&frame).differing(&drawn), 0);
        assert_eq!(frame.geometry_epoch, epoch + u64::from(round > 0));
        assert_eq!(frame.server_generation, first.server_generation);
        epoch = frame.geometry_epoch;
    }
}

/// While the size changes all the time, every frame is whole or a card.
#[tokio::test]
async fn r7_resizing_during_captures_never_tears() {
    let server = XServer::with_screen("800x600x24", &[]);
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    let mut witness = Witness::new(&server);
    let drawing = std::thread::spawn(move || {
        for round in 0..1000_u16 {
            witness.resize(800 - round % 7 * 50, 600 - round % 5 * 50);
        }
    });
    while !drawing.is_finished() {
        let frame = frame(&mut client, raw()).await;
        if frame.kind() == v1::FrameKind::Screen {
            assert_eq!(
                frame.image.len(),
                frame.width as usize * frame.height as usize * 4
            );
            assert_eq!(
                (frame.width, frame.height),
                (frame.screen_width, frame.screen_height)
            );
        } else {
            assert_eq!(frame.failure.unwrap().reason(), v1::Reason::CaptureFailed);
        }
    }
    drawing.join().unwrap();
}
