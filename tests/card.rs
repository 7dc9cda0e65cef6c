//! R3: a card is an image in which an OCR program reads what is wrong.

use std::process::Stdio;

use deskd::v1;

use crate::common::{Daemon, Image, XServer, daemon::frame, program};

/// The words that tesseract reads, in lower case.
fn read(image: &v1::Frame) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("card.png");
    std::fs::write(&file, &image.image).unwrap();
    let mut tesseract = program::command("tesseract");
    tesseract
        .arg(&file)
        .arg("-")
        .env("OMP_THREAD_LIMIT", "1")
        .stderr(Stdio::null());
    let text = program::output(&mut tesseract, "tesseract-ocr");
    // Words only: full stops and colons of a small type are hard to tell from dust.
    let text = String::from_utf8_lossy(&text).to_lowercase();
    let words = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn r3_tesseract_reads_a_card_at_every_size() {
    // A screen that deskd cannot read: its cards come at once.
    let server = XServer::with_screen("640x480x8", &[]);
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    for (width, height) in [
        (320, 240),
        (640, 480),
        (1024, 768),
        (1280, 800),
        (3840, 2160),
    ] {
        let size = Some(v1::Size { width, height });
        let card = frame(
            &mut client,
            v1::ScreenshotRequest {
                capture: Some(v1::CaptureOptions {
                    scale: size.map(v1::capture_options::Scale::Size),
                    ..v1::CaptureOptions::default()
                }),
                ..v1::ScreenshotRequest::default()
            },
        )
        .await;
        assert_eq!((card.width, card.height), (width, height));
        assert_eq!(card.kind(), v1::FrameKind::FailureCard);
        Image::from_frame(&card);
        let text = read(&card);
        for words in [
            "screen capture failed",
            "this is not the real screen",
            "do not say the screen is blank",
            "stage display",
            "reason pixel",
            "what happened the screen s pixels",
            "retry no",
            "check that the x server has depth",
        ] {
            assert!(
                text.contains(words),
                "{width}x{height}: {words:?} is not in {text:?}"
            );
        }
    }
}

/// The card has the size and format that the frame would have had, and is never
/// too small to read.
#[tokio::test]
async fn r3_a_card_is_what_the_reply_says() {
    let server = XServer::with_screen("640x480x8", &[]);
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    for format in [
        v1::ImageFormat::Png,
        v1::ImageFormat::Jpeg,
        v1::ImageFormat::RawBgrx,
    ] {
        for (asked, drawn) in [
            ((500, 400), (500, 400)),
            ((1, 1), (320, 240)),
            ((1000, 10), (1000, 240)),
        ] {
            let card = frame(
                &mut client,
                v1::ScreenshotRequest {
                    capture: Some(v1::CaptureOptions {
                        format: format.into(),
                        scale: Some(v1::capture_options::Scale::Size(v1::Size {
                            width: asked.0,
                            height: asked.1,
                        })),
                        max_image_bytes: Some(1),
                        ..v1::CaptureOptions::default()
                    }),
                    ..v1::ScreenshotRequest::default()
                },
            )
            .await;
            assert_eq!(card.format(), format);
            assert_eq!((card.width, card.height), drawn);
            let image = Image::from_frame(&card);
            assert!(
                image.rgb.iter().any(|value| *value > 200),
                "there is something to read"
            );
            assert!(card.region.is_none() && card.cursor.is_none());
        }
    }
    // Of a region: its size.
    let region = Some(v1::Region::new(0, 0, 400, 300));
    let card = frame(
        &mut client,
        v1::ScreenshotRequest {
            capture: Some(v1::CaptureOptions {
                region,
                ..v1::CaptureOptions::default()
            }),
            ..v1::ScreenshotRequest::default()
        },
    )
    .await;
    assert_eq!((card.width, card.height), (400, 300));
    // A card has no coordinates.
    let space = v1::coordinate_space::Space::FrameId(card.frame_id);
    let request = v1::ScreenshotRequest {
        capture: Some(v1::CaptureOptions {
            coordinate_space: Some(v1::CoordinateSpace { space: Some(space) }),
            ..v1::CaptureOptions::default()
        }),
        ..v1::ScreenshotRequest::default()
    };
    let status = client.screenshot(request).await.map(drop).unwrap_err();
    assert_eq!(deskd::client::reason(&status), v1::Reason::FrameIsCard);
}

#[tokio::test]
async fn an_image_above_the_limit_is_made_smaller_or_refused_as_a_card() {
    let server = XServer::start();
    crate::common::Witness::new(&server).draw_pattern(12);
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    let limited = |limit| v1::ScreenshotRequest {
        capture: Some(v1::CaptureOptions {
            max_image_bytes: Some(limit),
            ..v1::CaptureOptions::default()
        }),
        ..v1::ScreenshotRequest::default()
    };
    let fast = frame(&mut client, limited(100 << 20)).await;
    let size = fast.image.len() as u64;
    let tight = frame(&mut client, limited(size - 1)).await;
    assert_eq!(tight.kind(), v1::FrameKind::Screen, "{:?}", tight.failure);
    assert!((tight.image.len() as u64) < size);
    assert_eq!(
        Image::from_frame(&tight).differing(&Image::from_frame(&fast)),
        0
    );
    let card = frame(&mut client, limited(10_000)).await;
    let failure = card.failure.clone().unwrap();
    assert_eq!(
        (failure.stage(), failure.reason()),
        (v1::FailureStage::Encode, v1::Reason::TooLarge)
    );
    assert!(failure.message.contains("10000"), "{}", failure.message);
    assert!(!failure.retryable);
    // It still says which screen it is of.
    assert_eq!(card.server_generation, fast.server_generation);
}
