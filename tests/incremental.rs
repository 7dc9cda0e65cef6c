//! Incremental frames, whose changes alone are read and encoded, equal the screen for every
//! kind of drawing.

use deskd::v1;

use crate::common::{
    Daemon, Image, Witness, XServer,
    daemon::{frame, raw, screen},
    drawing::{Numbers, draw},
    xproxy::{HELD, XProxy},
};

fn request(numbers: &mut Numbers, (width, height): (u16, u16)) -> v1::ScreenshotRequest {
    let format = if numbers.below(3) == 0 {
        v1::ImageFormat::Png
    } else {
        v1::ImageFormat::RawBgrx
    };
    let part = |numbers: &mut Numbers, length: u16| {
        let from = numbers.below(length.into());
        (from, 1 + numbers.below(u32::from(length) - from))
    };
    let region = (numbers.below(3) == 0).then(|| {
        let ((x, width), (y, height)) = (part(numbers, width), part(numbers, height));
        v1::Region::new(x.cast_signed(), y.cast_signed(), width, height)
    });
    v1::ScreenshotRequest {
        capture: Some(v1::CaptureOptions {
            format: format.into(),
            region,
            include_cursor: Some(false),
            ..v1::CaptureOptions::default()
        }),
        unproved: true,
        ..v1::ScreenshotRequest::default()
    }
}

async fn frames_equal_the_screen(draws: u32, size: (u16, u16), more: &[&str]) {
    let screen_size = format!("{}x{}x24", size.0, size.1);
    let server = XServer::with_screen(&screen_size, &[]);
    let witness = Witness::new(&server);
    let daemon = Daemon::with(&server, more);
    let mut client = daemon.client().await;
    let mut numbers = Numbers(u64::from(draws));
    let mut windows = vec![witness.window((5, 5), (40, 30), 0xff_0000)];
    let (mut drawn, mut seen, mut known) = (0, 0, None::<v1::Frame>);
    while drawn < draws {
        for _ in 0..=numbers.below(8) {
            draw(&witness, &mut windows, &mut numbers, size);
            drawn += 1;
        }
        let mut asked = request(&mut numbers, size);
        if numbers.below(4) == 0 {
            // The same picture as the last time, if it is the same.
            let last = known.as_ref().map(|frame| frame.frame_id.clone());
            asked.if_changed_since = last.unwrap_or_default();
        }
        let region = asked.capture.as_ref().and_then(|capture| capture.region);
        let frame = frame(&mut client, asked).await;
        let now = witness.capture();
        let now = match region {
            Some(r) => now.crop(
                r.x().cast_unsigned(),
                r.y().cast_unsigned(),
                r.width,
                r.height,
            ),
            None => now,
        };
        let shown = if frame.kind() == v1::FrameKind::Unchanged {
            let known = known.as_ref().unwrap();
            assert_eq!(frame.frame_id, known.frame_id);
            Image::from_frame(known)
        } else {
            Image::from_frame(&frame)
        };
        let differ = shown.differing(&now);
        assert!(
            differ == 0,
            "{differ} pixels after {drawn} draws, {region:?}"
        );
        seen += 1;
        if frame.kind() == v1::FrameKind::Screen {
            known = Some(frame);
        }
    }
    println!("{drawn} draws, {seen} frames, all equal");
}

/// R6: 10,000 random draws; each frame, PNG or raw, of a part or of all, equals what
/// GetImage says at rest.
#[tokio::test]
async fn r6_frames_equal_the_screen_after_any_drawing() {
    frames_equal_the_screen(10_000, (320, 240), &[]).await;
}

#[tokio::test]
async fn frames_equal_the_screen_without_shared_memory() {
    frames_equal_the_screen(1000, (203, 151), &["--capture-mode", "get-image"]).await;
}

/// Frames that are taken while the screen is drawn on are each of one instant. The screen
/// is filled with one colour after another by single requests, so no frame may have two.
#[tokio::test(flavor = "multi_thread")]
async fn a_frame_is_of_one_instant_while_the_screen_changes() {
    let server = XServer::with_screen("640x480x24", &[]);
    let witness = Witness::new(&server);
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    let over = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let stop = std::sync::Arc::clone(&over);
    let thread = std::thread::spawn(move || {
        let mut colour = 0_u32;
        while !stop.load(std::sync::atomic::Ordering::Relaxed) {
            colour = colour.wrapping_add(0x01_0305) & 0xff_ffff;
            witness.fill(colour);
        }
    });
    for _ in 0..300 {
        let asked = v1::ScreenshotRequest {
            capture: Some(v1::CaptureOptions {
                include_cursor: Some(false),
                ..v1::CaptureOptions::default()
            }),
            unproved: true,
            ..v1::ScreenshotRequest::default()
        };
        let image = Image::from_frame(&screen(&mut client, asked).await);
        let first = image.at(0, 0);
        let other = image.rgb.chunks_exact(3).position(|pixel| pixel != first);
        assert_eq!(other, None, "in {} pixels", image.rgb.len() / 3);
    }
    over.store(true, std::sync::atomic::Ordering::Relaxed);
    thread.join().unwrap();
}

/// R11: a storm of damage that nobody looks at costs no memory.
#[tokio::test]
async fn r11_a_storm_of_damage_costs_no_memory() {
    let server = XServer::with_screen("640x480x24", &[]);
    let witness = Witness::new(&server);
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    screen(&mut client, v1::ScreenshotRequest::default()).await;
    let own = || daemon.status("VmRSS");
    let servers = || crate::common::daemon::status(server.pid(), "VmRSS");
    let window = witness.window((0, 0), (640, 480), 0);
    let before = (own(), servers());
    let mut numbers = Numbers(11);
    let began = std::time::Instant::now();
    // A sixth of R11's 60 s; each draw is a rectangle apart from the others.
    while began.elapsed() < std::time::Duration::from_secs(10) {
        let points: Vec<_> = (0..500).map(|_| numbers.place((640, 480))).collect();
        witness.draw_points(window, &points, numbers.below(1 << 24));
    }
    let after = (own(), servers());
    let grown = (
        after.0.saturating_sub(before.0),
        after.1.saturating_sub(before.1),
    );
    assert!(grown.0 <= 8 * 1024 && grown.1 <= 8 * 1024, "{grown:?} KiB");
    let image = Image::from_frame(&screen(&mut client, crate::common::daemon::raw()).await);
    assert!(image.differing(&witness.capture()) <= 64 * 64);
}

/// The X server has no memory for a moment, after damage was fetched from it: the lost part
/// is read again.
#[tokio::test]
async fn a_capture_that_fails_in_the_middle_forgets_nothing() {
    let server = XServer::with_screen("640x480x24", &[]);
    let witness = Witness::new(&server);
    let proxy = XProxy::new(&server);
    let mode = ["--capture-mode", "shm-sysv"];
    let daemon = Daemon::launch_on(&proxy.display(), &server, &[], &mode, &[]);
    let mut client = daemon.client().await;
    let window = witness.window((0, 0), (640, 480), 0x10_2030);
    let mut cards = 0;
    for round in 0..6_u32 {
        let before = screen(&mut client, raw()).await;
        assert_eq!(
            Image::from_frame(&before),
            witness.capture(),
            "round {round}"
        );
        witness.draw(window, (0, 0), (640, 20), 0xff_0000 + round);
        witness.round_trip();
        proxy.fail_captures(1);
        let mut other = client.clone();
        let call = tokio::spawn(async move { frame(&mut other, raw()).await });
        // Drawn while pixels are asked for: fetched with them, and lost with them.
        tokio::time::sleep(HELD / 2).await;
        witness.draw(window, (0, 400), (640, 20), 0x00_ff00 + round);
        witness.round_trip();
        let card = call.await.unwrap();
        assert_eq!(proxy.to_fail(), 0);
        // What was drawn may be read without a call.
        if let Some(failure) = card.failure {
            assert_eq!(failure.reason(), v1::Reason::CaptureFailed, "{failure:?}");
            cards += 1;
        }
        let after = screen(&mut client, raw()).await;
        assert_eq!(
            Image::from_frame(&after),
            witness.capture(),
            "round {round}"
        );
    }
    assert!(cards > 0);
}
