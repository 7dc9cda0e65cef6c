//! `Watch`: what is drawn comes, what is not does not, at the pace that was asked for.

use std::time::{Duration, Instant};

use deskd::{client, v1};
use tonic::{Code, Streaming};

use crate::common::{
    Daemon, Image, Witness, XServer,
    daemon::{binary, raw, raw_image, screen},
    drawing::{Numbers, draw},
    wait_for,
    witness::pattern,
};

fn request(screenshot: v1::ScreenshotRequest) -> v1::WatchRequest {
    v1::WatchRequest {
        capture: screenshot.capture,
        max_fps: Some(60),
        changed_regions: false,
        if_changed_since: screenshot.if_changed_since,
        unproved: screenshot.unproved,
    }
}

fn png() -> v1::ScreenshotRequest {
    v1::ScreenshotRequest {
        capture: Some(v1::CaptureOptions {
            format: v1::ImageFormat::Png.into(),
            ..raw_image()
        }),
        ..raw()
    }
}

async fn open(daemon: &Daemon, request: v1::WatchRequest) -> Streaming<v1::WatchResponse> {
    let mut client = daemon.client().await.max_decoding_message_size(64 << 20);
    client.watch(request).await.unwrap().into_inner()
}

/// The next step, which must come soon.
async fn next(stream: &mut Streaming<v1::WatchResponse>) -> v1::WatchResponse {
    let next = tokio::time::timeout(Duration::from_secs(15), stream.message());
    next.await
        .expect("a step comes")
        .unwrap()
        .expect("the stream goes on")
}

/// Nothing comes for a while.
async fn silent(stream: &mut Streaming<v1::WatchResponse>) {
    let next = tokio::time::timeout(Duration::from_millis(700), stream.message()).await;
    assert!(next.is_err(), "{next:?}");
}

#[tokio::test]
async fn a_step_comes_when_and_only_when_the_picture_changes() {
    let server = XServer::with_screen("640x480x24", &[]);
    let witness = Witness::new(&server);
    witness.fill(0x0012_3456);
    let daemon = Daemon::start(&server);
    let mut stream = open(&daemon, request(png())).await;
    let first = next(&mut stream).await;
    let first = first.frame().unwrap().clone();
    assert_eq!(Image::from_frame(&first), witness.capture());
    silent(&mut stream).await;
    // Drawn, and the same.
    witness.fill(0x0012_3456);
    silent(&mut stream).await;
    witness.put(&[1, 2, 3, 0], (639, 479), (1, 1));
    let step = next(&mut stream).await;
    let second = step.frame().unwrap().clone();
    assert_eq!(Image::from_frame(&second), witness.capture());
    assert_ne!(first.frame_id, second.frame_id);
    assert_eq!((step.skipped, step.changed().len()), (0, 0));
    // The frame can be named like any other.
    let mut client = daemon.client().await;
    let same = v1::ScreenshotRequest {
        if_changed_since: second.frame_id.clone(),
        ..png()
    };
    let same = client.screenshot(same).await.unwrap().into_inner();
    assert_eq!(same.frame.unwrap().kind(), v1::FrameKind::Unchanged);
    // A watcher who has it is not sent it.
    let has = v1::ScreenshotRequest {
        if_changed_since: second.frame_id,
        ..png()
    };
    let mut other = open(&daemon, request(has)).await;
    silent(&mut other).await;
    witness.fill(0x0065_4321);
    for stream in [&mut stream, &mut other] {
        let frame = next(stream).await.frame().unwrap().clone();
        assert_eq!(Image::from_frame(&frame), witness.capture());
    }
    // Elsewhere than the part that is watched.
    let part = v1::ScreenshotRequest {
        capture: Some(v1::CaptureOptions {
            region: Some(v1::Region::new(0, 0, 100, 100)),
            ..png().capture.clone().unwrap_or_default()
        }),
        ..png()
    };
    let mut part = open(&daemon, request(part)).await;
    next(&mut part).await;
    witness.put(&[9, 9, 9, 0], (300, 300), (1, 1));
    silent(&mut part).await;
}

#[tokio::test]
async fn the_pointer_is_seen_where_it_is_asked_for() {
    let server = XServer::with_screen("640x480x24", &[]);
    let witness = Witness::new(&server);
    witness.set_argb_cursor(&[0xffff_ffff; 16], (4, 4), (0, 0));
    witness.warp(10, 10);
    let daemon = Daemon::start(&server);
    let with = v1::ScreenshotRequest {
        capture: Some(v1::CaptureOptions {
            include_cursor: None,
            ..png().capture.clone().unwrap_or_default()
        }),
        ..png()
    };
    let mut with = open(&daemon, request(with)).await;
    let mut without = open(&daemon, request(png())).await;
    next(&mut with).await;
    next(&mut without).await;
    witness.warp(300, 200);
    let frame = next(&mut with).await.frame().unwrap().clone();
    assert_eq!(Image::from_frame(&frame).at(301, 201), [255; 3]);
    silent(&mut without).await;
}

#[tokio::test]
async fn the_pace_is_kept_and_the_last_picture_comes() {
    let server = XServer::with_screen("320x240x24", &[]);
    let witness = Witness::new(&server);
    let daemon = Daemon::start(&server);
    let mut stream = open(
        &daemon,
        v1::WatchRequest {
            max_fps: Some(5),
            ..request(raw())
        },
    )
    .await;
    next(&mut stream).await;
    let began = Instant::now();
    let drawing = async {
        for colour in 0..2000 {
            witness.fill(colour);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        began.elapsed()
    };
    let mut last = None;
    let mut count = 0;
    let mut times = Vec::new();
    let took = {
        tokio::pin!(drawing);
        loop {
            tokio::select! {
                took = &mut drawing => break took,
                step = next(&mut stream) => {
                    count += 1;
                    let frame = step.frame().unwrap().clone();
                    times.push(frame.capture_time.unwrap());
                    last = Some(frame);
                }
            }
        }
    };
    // Five a second, and no more; this machine may be slow, never fast.
    let most = (took.as_secs_f64() * 5.0).ceil() + 1.0;
    assert!(f64::from(count) <= most, "{count} frames in {took:?}");
    assert!(count >= 3, "{count} frames in {took:?}");
    for pair in times.windows(2) {
        let nanos = |t: &prost_types::Timestamp| t.seconds * 1_000_000_000 + i64::from(t.nanos);
        let apart = nanos(&pair[1]) - nanos(&pair[0]);
        assert!(apart > 150_000_000, "{apart} ns");
    }
    // Whatever came in between, the end is told.
    let now = witness.capture();
    while Image::from_frame(last.as_ref().unwrap()) != now {
        last = next(&mut stream).await.frame().cloned();
    }
    silent(&mut stream).await;
}

/// Draws, and builds the picture from the regions as they come; it must become the screen.
async fn regions_make_the_screen(asked: v1::ScreenshotRequest, part: Option<[u32; 4]>) {
    let size = (500, 330);
    let server = XServer::with_screen("500x330x24", &[]);
    let witness = Witness::new(&server);
    let daemon = Daemon::start(&server);
    let watch = v1::WatchRequest {
        changed_regions: true,
        ..request(asked)
    };
    let mut stream = open(&daemon, watch).await;
    let first = next(&mut stream).await;
    assert!(first.changed().is_empty());
    let first = first.frame().unwrap().clone();
    let origin = first.region.unwrap();
    let mut image = Image::from_frame(&first);
    let mut numbers = Numbers(7);
    let mut windows = vec![witness.window((5, 5), (40, 30), 0xff_0000)];
    let (mut steps, mut bytes) = (0, 0);
    for _ in 0..60 {
        for _ in 0..=numbers.below(5) {
            draw(&witness, &mut windows, &mut numbers, size);
        }
        let screen = witness.capture();
        let want = match part {
            Some([x, y, width, height]) => screen.crop(x, y, width, height),
            None => screen,
        };
        let began = Instant::now();
        while image != want {
            assert!(began.elapsed() < Duration::from_secs(15), "it stays behind");
            let step = next(&mut stream).await;
            let frame = step.frame().unwrap().clone();
            assert_eq!(frame.kind(), v1::FrameKind::Screen, "{:?}", frame.failure);
            assert!(frame.image.is_empty() && !step.changed().is_empty());
            steps += 1;
            for changed in step.changed() {
                let region = changed.region.unwrap();
                bytes += changed.image.len();
                let piece = Image::from_frame(&v1::Frame {
                    image: changed.image.clone(),
                    width: region.width,
                    height: region.height,
                    stride: if frame.format() == v1::ImageFormat::RawBgrx {
                        region.width * 4
                    } else {
                        0
                    },
                    ..frame.clone()
                });
                let x = u32::try_from(region.x() - origin.x()).unwrap();
                let y = u32::try_from(region.y() - origin.y()).unwrap();
                image.paste(&piece, x, y);
            }
        }
    }
    // Not all that is drawn lies in the part.
    assert!(steps >= 20, "{steps} steps");
    println!("{steps} steps, {bytes} bytes");
    silent(&mut stream).await;
}

#[tokio::test]
async fn changed_regions_make_the_screen() {
    regions_make_the_screen(png(), None).await;
}

#[tokio::test]
async fn changed_regions_make_a_part_of_the_screen() {
    let part = [70, 33, 300, 200];
    let asked = v1::ScreenshotRequest {
        capture: Some(v1::CaptureOptions {
            region: Some(v1::Region::new(70, 33, 300, 200)),
            ..raw_image()
        }),
        ..raw()
    };
    regions_make_the_screen(asked, Some(part)).await;
}

/// A caret costs a few hundred bytes, not a screen.
#[tokio::test]
async fn a_small_change_is_a_small_region() {
    let server = XServer::with_screen("1280x800x24", &[]);
    let witness = Witness::new(&server);
    witness.draw_pattern(3);
    let daemon = Daemon::start(&server);
    let watch = v1::WatchRequest {
        changed_regions: true,
        ..request(png())
    };
    let mut stream = open(&daemon, watch).await;
    next(&mut stream).await;
    witness.put(&[1, 2, 3, 0], (700, 500), (1, 1));
    let step = next(&mut stream).await;
    let [changed] = step.changed() else {
        panic!("{} regions", step.changed().len())
    };
    let region = v1::Region::new(640, 496, 64, 16);
    assert_eq!(changed.region, Some(region));
}

/// Frames that a slow reader missed are counted, and its next frame is the present one.
#[tokio::test]
async fn a_slow_reader_gets_the_latest_and_is_told_what_it_missed() {
    let server = XServer::with_screen("1920x1080x24", &[]);
    let witness = Witness::new(&server);
    let daemon = Daemon::start(&server);
    let mut stream = open(&daemon, request(raw())).await;
    next(&mut stream).await;
    // Frames of 8 MiB: some wait in the transport, the others are not made.
    for colour in 1..=40 {
        witness.fill(colour);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let now = witness.capture();
    let (mut steps, mut skipped) = (0, 0);
    loop {
        let step = next(&mut stream).await;
        steps += 1;
        skipped += step.skipped;
        if Image::from_frame(&step.frame().unwrap().clone()) == now {
            break;
        }
    }
    assert!(steps <= 3, "{steps} steps");
    // 60 looks a second see each of 40 screens that stand for 50 ms, on a machine that
    // is not too busy; a step is either sent or skipped.
    assert!(
        (20..=40).contains(&(steps + skipped)),
        "{steps} steps, {skipped} skipped"
    );
}

/// R39, for a stream: at most two frames wait for a reader that stops, it is cut off,
/// and others do not notice.
#[tokio::test]
async fn r39_a_watcher_that_stops_reading_is_cut_off() {
    let server = XServer::with_screen("1920x1080x24", &[]);
    let witness = Witness::new(&server);
    let daemon = Daemon::start(&server);
    let mut other = daemon.client().await;
    screen(&mut other, raw()).await;
    let before = daemon.status("RssAnon");
    let mut stream = open(&daemon, request(raw())).await;
    let began = Instant::now();
    let mut most = 0;
    while !daemon.log().contains("does not read its frames") {
        assert!(
            began.elapsed() < Duration::from_secs(90),
            "it is not cut off"
        );
        witness.fill(u32::try_from(began.elapsed().as_millis()).unwrap());
        tokio::time::sleep(Duration::from_millis(40)).await;
        most = most.max(daemon.status("RssAnon").saturating_sub(before) / 1024);
        screen(&mut other, png()).await;
    }
    assert!(began.elapsed() > Duration::from_secs(20));
    // Two frames of 8 MiB, one being made, and room.
    assert!(
        most < 4 * 8,
        "{most} MiB more for a watcher that does not read"
    );
    let ended = async {
        loop {
            match stream.message().await {
                Ok(Some(_)) => {}
                end => break end,
            }
        }
    };
    let ended = tokio::time::timeout(Duration::from_secs(10), ended).await;
    assert!(ended.unwrap().is_err());
}

/// R39: large images share one bound, however many connections ask for them and read
/// none; a usual screenshot does not wait for it.
#[tokio::test]
async fn r39_large_images_that_nobody_reads_are_bounded() {
    let server = XServer::with_screen("3840x2160x24", &[]);
    let witness = Witness::new(&server);
    let daemon = Daemon::start(&server);
    let small = v1::ScreenshotRequest {
        capture: Some(v1::CaptureOptions {
            region: Some(v1::Region::new(0, 0, 64, 64)),
            ..png().capture.clone().unwrap_or_default()
        }),
        ..png()
    };
    let mut other = daemon.client().await;
    screen(&mut other, small.clone()).await;
    let before = daemon.status("RssAnon");
    let mut unread = Vec::new();
    for color in 0..16 {
        // Each is another picture of 32 MiB.
        witness.fill(color);
        let mut client = daemon.client().await;
        let stream = client.watch(request(raw())).await.unwrap();
        unread.push(stream.into_inner());
        screen(&mut other, small.clone()).await;
    }
    let began = Instant::now();
    let mut most = 0;
    while began.elapsed() < Duration::from_secs(5) {
        screen(&mut other, small.clone()).await;
        most = most.max(daemon.status("RssAnon").saturating_sub(before) >> 10);
    }
    // Eight of them, and what is kept and made.
    assert!(most > 200, "{most} MiB: nothing was kept");
    assert!(most < 400, "{most} MiB for 16 that are not read");
    drop(unread);
    let room = async {
        while daemon.status("RssAnon").saturating_sub(before) >> 10 > 128 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let room = tokio::time::timeout(Duration::from_secs(10), room).await;
    room.expect("what nobody reads any more is let go");
}

#[tokio::test]
async fn an_x_server_that_ends_or_hangs_is_a_card_once_and_its_return_a_frame() {
    let mut server = XServer::with_screen("320x240x24", &[]);
    let daemon = Daemon::start(&server);
    let mut stream = open(&daemon, request(png())).await;
    next(&mut stream).await;
    server.kill();
    let card = next(&mut stream).await.frame().unwrap().clone();
    assert_eq!(card.kind(), v1::FrameKind::FailureCard);
    assert!(!card.image.is_empty() && card.failure.unwrap().retryable);
    // It may change its reason once, from lost to not there; it is not repeated.
    let mut cards = 0;
    while let Ok(step) = tokio::time::timeout(Duration::from_secs(9), stream.message()).await {
        assert_eq!(
            step.unwrap().unwrap().frame().unwrap().clone().kind(),
            v1::FrameKind::FailureCard
        );
        cards += 1;
    }
    assert!(cards <= 1, "{cards} cards more");
    server.restart();
    loop {
        let frame = next(&mut stream).await.frame().unwrap().clone();
        if frame.kind() == v1::FrameKind::Screen {
            break;
        }
    }
    // It hangs while nothing is drawn: told before the connection is given up, at 15 s.
    server.stop();
    let hung = tokio::time::timeout(Duration::from_secs(14), stream.message()).await;
    let hung = hung
        .expect("a hung server is told")
        .unwrap()
        .unwrap()
        .frame()
        .cloned()
        .unwrap();
    assert_eq!(hung.failure.unwrap().reason(), v1::Reason::XUnresponsive);
    server.resume();
    let back = next(&mut stream).await.frame().unwrap().clone();
    assert_eq!(back.kind(), v1::FrameKind::Screen);
}

/// Watchers who wait for a display that hangs keep neither one another nor another call of
/// their connection from its card.
#[tokio::test]
async fn all_watchers_of_a_connection_are_told_and_its_calls_get_their_card() {
    let server = XServer::with_screen("320x240x24", &[]);
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    let mut told = Vec::new();
    for include_cursor in [true, false].into_iter().cycle().take(8) {
        let asked = v1::ScreenshotRequest {
            capture: Some(v1::CaptureOptions {
                include_cursor: Some(include_cursor),
                ..png().capture.clone().unwrap_or_default()
            }),
            ..png()
        };
        let stream = client.watch(request(asked)).await.unwrap();
        let mut stream = stream.into_inner();
        next(&mut stream).await;
        told.push(tokio::spawn(async move {
            let card = next(&mut stream).await.frame().unwrap().clone();
            (card.kind(), Instant::now())
        }));
    }
    let began = Instant::now();
    server.stop();
    tokio::time::sleep(Duration::from_secs(1)).await;
    for _ in 0..3 {
        let mut shot = tonic::Request::new(png());
        shot.set_timeout(Duration::from_secs(2));
        let frame = client.screenshot(shot).await.unwrap().into_inner().frame;
        assert_eq!(frame.unwrap().kind(), v1::FrameKind::FailureCard);
    }
    for told in told {
        let (kind, when) = told.await.unwrap();
        assert_eq!(kind, v1::FrameKind::FailureCard);
        // 5 s until a still screen is looked at, 3 s for the look; a loaded machine.
        assert!(when - began < Duration::from_secs(14), "{:?}", when - began);
    }
    server.resume();
}

#[tokio::test]
async fn a_stream_ends_at_its_deadline_and_with_the_daemon() {
    let server = XServer::with_screen("320x240x24", &[]);
    let mut daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    let mut short = tonic::Request::new(request(png()));
    short.set_timeout(Duration::from_secs(6));
    let began = Instant::now();
    let mut short = client.watch(short).await.unwrap().into_inner();
    next(&mut short).await;
    let end = tokio::time::timeout(Duration::from_secs(10), short.message()).await;
    let end = end.unwrap().unwrap_err();
    assert_eq!(end.code(), Code::DeadlineExceeded, "{end:?}");
    // No time is kept back for a card.
    assert!(began.elapsed() > Duration::from_millis(5800));
    let mut stream = open(&daemon, request(png())).await;
    next(&mut stream).await;
    daemon.signal("TERM");
    let end = tokio::time::timeout(Duration::from_secs(10), stream.message()).await;
    let status = end.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    assert_eq!(
        client::reason(&status),
        v1::Reason::ShuttingDown,
        "{status:?}"
    );
    assert_eq!(daemon.wait(Duration::from_secs(10)), Some(0));
}

#[tokio::test]
async fn what_takes_too_many_bytes_by_regions_comes_smaller_or_whole() {
    let server = XServer::with_screen("640x480x24", &[]);
    let witness = Witness::new(&server);
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    witness.fill(0);
    witness.put(&pattern((600, 400), 1), (8, 8), (600, 400));
    let fast = screen(&mut client, png()).await.image.len() as u64;
    let tight = v1::ScreenshotRequest {
        capture: Some(v1::CaptureOptions {
            max_image_bytes: Some(fast - 1),
            ..png().capture.clone().unwrap_or_default()
        }),
        ..png()
    };
    let tight = screen(&mut client, tight).await.image.len() as u64;
    assert!(tight < fast, "{tight} of {fast}");
    let limited = v1::ScreenshotRequest {
        capture: Some(v1::CaptureOptions {
            max_image_bytes: Some(tight.midpoint(fast)),
            ..png().capture.clone().unwrap_or_default()
        }),
        ..png()
    };
    let mut stream = open(
        &daemon,
        v1::WatchRequest {
            changed_regions: true,
            ..request(limited)
        },
    )
    .await;
    next(&mut stream).await;
    for seed in 2..6 {
        witness.put(&pattern((600, 400), seed), (8, 8), (600, 400));
        let frame = next(&mut stream).await.frame().unwrap().clone();
        assert_eq!(frame.kind(), v1::FrameKind::Screen, "{:?}", frame.failure);
    }
}

#[tokio::test]
async fn a_region_that_a_resize_leaves_off_the_screen_ends_the_stream() {
    let server = XServer::with_screen("640x480x24", &[]);
    let mut witness = Witness::new(&server);
    let daemon = Daemon::start(&server);
    let corner = v1::ScreenshotRequest {
        capture: Some(v1::CaptureOptions {
            region: Some(v1::Region::new(400, 300, 100, 100)),
            ..png().capture.clone().unwrap_or_default()
        }),
        ..png()
    };
    let mut stream = open(&daemon, request(corner)).await;
    next(&mut stream).await;
    witness.resize(320, 240);
    let end = tokio::time::timeout(Duration::from_secs(10), stream.message()).await;
    let status = end.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::OutOfRange, "{status:?}");
}

#[tokio::test]
async fn what_cannot_be_watched_is_refused() {
    let server = XServer::with_screen("320x240x24", &[]);
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    let too_fast = v1::WatchRequest {
        max_fps: Some(61),
        ..request(png())
    };
    let status = client.watch(too_fast).await.map(drop).unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().contains("max_fps"), "{status:?}");
    let scaled = v1::WatchRequest {
        changed_regions: true,
        ..request(v1::ScreenshotRequest {
            capture: Some(v1::CaptureOptions {
                scale: Some(v1::capture_options::Scale::Size(v1::Size {
                    width: 160,
                    height: 120,
                })),
                ..png().capture.clone().unwrap_or_default()
            }),
            ..png()
        })
    };
    let status = client.watch(scaled).await.map(drop).unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let unknown = v1::ScreenshotRequest {
        capture: Some(v1::CaptureOptions {
            coordinate_space: Some(v1::CoordinateSpace {
                space: Some(v1::coordinate_space::Space::FrameId("0-1".into())),
            }),
            ..png().capture.clone().unwrap_or_default()
        }),
        ..png()
    };
    let status = client.watch(request(unknown)).await.map(drop).unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    // What only the screen can refuse ends the stream.
    let outside = v1::ScreenshotRequest {
        capture: Some(v1::CaptureOptions {
            region: Some(v1::Region::new(300, 0, 100, 10)),
            ..png().capture.clone().unwrap_or_default()
        }),
        ..png()
    };
    let mut outside = open(&daemon, request(outside)).await;
    let status = outside.message().await.unwrap_err();
    assert_eq!(status.code(), Code::OutOfRange, "{status:?}");
}

#[tokio::test]
async fn the_command_shows_a_line_a_frame_and_writes_them() {
    let server = XServer::with_screen("320x240x24", &[]);
    let witness = Witness::new(&server);
    let daemon = Daemon::start(&server);
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("frames");
    let drawing = std::thread::spawn(move || {
        for colour in 0..100 {
            witness.draw_pattern(colour);
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    let out_text = out.to_str().unwrap();
    let done = daemon.cli(&[
        "watch",
        "--unproved",
        "--no-cursor",
        "--count",
        "3",
        "--fps",
        "20",
        "-o",
        out_text,
    ]);
    assert!(done.status.success(), "{done:?}");
    let text = String::from_utf8(done.stdout).unwrap();
    assert_eq!(text.lines().count(), 3, "{text}");
    assert!(text.lines().all(|line| line.contains("320x240")), "{text}");
    for number in 1..=3 {
        Image::read(&out.join(format!("{number:06}.png")));
    }
    let done = daemon.cli(&[
        "watch",
        "--unproved",
        "--regions",
        "--json",
        "--for",
        "1s",
        "--fps",
        "10",
    ]);
    assert!(done.status.success(), "{done:?}");
    let text = String::from_utf8(done.stdout).unwrap();
    let steps: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(steps.len() >= 2, "{text}");
    assert!(steps[0]["frame"]["imageBytes"].as_u64().unwrap() > 0);
    assert!(steps[1]["changed"][0]["imageBytes"].as_u64().unwrap() > 0);
    // Another run writes no name twice; raw pixels say their size.
    let more = ["watch", "--unproved", "--count", "1", "--format", "raw"];
    let done = daemon.cli(&[&more[..], &["-o", out_text]].concat());
    assert!(done.status.success(), "{done:?}");
    let raw = std::fs::read(out.join("000004-320x240.bgrx")).unwrap();
    assert_eq!(raw.len(), 320 * 240 * 4);
    std::fs::write(out.join("1000000.png"), "kept").unwrap();
    let done = daemon.cli(&[&more[..], &["-o", out_text]].concat());
    assert!(done.status.success(), "{done:?}");
    assert!(out.join("1000001-320x240.bgrx").exists());
    for bad in [
        ["--fps", "0"],
        ["--fps", "61"],
        ["--fps", "-1"],
        ["-o", "-"],
    ] {
        let done = daemon.cli(&[&["watch", "--unproved"][..], &bad].concat());
        assert_eq!(done.status.code(), Some(2), "{done:?}");
    }
    drawing.join().unwrap();
}

#[test]
fn the_command_ends_when_nobody_reads_it_also_on_a_still_screen() {
    let server = XServer::with_screen("320x240x24", &[]);
    let daemon = Daemon::start(&server);
    let mut watch = std::process::Command::new(binary());
    watch.args(["watch", "--unproved", "--no-cursor"]);
    watch.env("DESKD_SERVER", daemon.address().to_string());
    let mut watch = watch.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut line = [0; 1];
    let mut out = watch.stdout.take().unwrap();
    std::io::Read::read_exact(&mut out, &mut line).unwrap();
    drop(out);
    let status = wait_for("its end", Duration::from_secs(10), || {
        watch.try_wait().unwrap()
    });
    assert!(status.success(), "{status:?}");
}
