//! Calls that wait together share one capture that starts after they arrived.

use deskd::v1;

use crate::common::{
    Daemon, Image, Witness, XServer,
    daemon::{raw, raw_image, screen},
};

#[tokio::test]
async fn waiting_calls_share_one_capture_and_one_image() {
    let server = XServer::start();
    Witness::new(&server).draw_pattern(8);
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    screen(&mut client, raw()).await;
    // While the server is stopped, calls pile up; then one capture serves all.
    server.stop();
    let waiting: Vec<_> = (0..8)
        .map(|_| {
            let mut client = client.clone();
            tokio::spawn(async move { screen(&mut client, raw()).await })
        })
        .collect();
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    server.resume();
    let mut frames = Vec::new();
    for call in waiting {
        frames.push(call.await.unwrap());
    }
    // The first may have been under way already; the others arrived before the next.
    let mut ids: Vec<_> = frames.iter().map(|frame| frame.frame_id.clone()).collect();
    ids.sort();
    ids.dedup();
    assert!(ids.len() <= 2, "{ids:?}");
}

/// R5: a request never joins a capture that began before it.
#[tokio::test]
async fn r5_a_frame_is_never_older_than_its_request() {
    let server = XServer::with_screen("320x240x24", &[]);
    let witness = Witness::new(&server);
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    // Others keep the daemon busy, so that there is always a capture to join.
    let stop = tokio_util::sync::CancellationToken::new();
    let busy: Vec<_> = (0..4)
        .map(|_| {
            let (mut client, stop) = (client.clone(), stop.clone());
            tokio::spawn(async move {
                while !stop.is_cancelled() {
                    screen(&mut client, raw()).await;
                }
            })
        })
        .collect();
    for round in 1..=200_u32 {
        // Acknowledged by the server before the request is sent.
        witness.fill(round);
        let image = Image::from_frame(&screen(&mut client, raw()).await);
        let [red, green, blue] = image.at(160, 120).map(u32::from);
        assert_eq!(red << 16 | green << 8 | blue, round);
    }
    stop.cancel();
    for call in busy {
        call.await.unwrap();
    }
}

/// Many different pictures at once: bounded, and each as asked.
#[tokio::test]
async fn many_different_pictures_at_once_are_each_right() {
    let server = XServer::start();
    let drawn = Image::from_bgrx(&Witness::new(&server).draw_pattern(10), 1280, 800);
    let daemon = Daemon::start(&server);
    let client = daemon.client().await;
    let calls: Vec<_> = (1..=40_u32)
        .map(|n| {
            let mut client = client.clone();
            tokio::spawn(async move {
                let part = v1::Region::new(0, 0, n * 31, n * 19);
                let request = v1::ScreenshotRequest {
                    capture: Some(v1::CaptureOptions {
                        region: Some(part),
                        ..raw_image()
                    }),
                    ..raw()
                };
                (n, screen(&mut client, request).await)
            })
        })
        .collect();
    for call in calls {
        let (n, frame) = call.await.unwrap();
        assert_eq!(
            Image::from_frame(&frame).differing(&drawn.crop(0, 0, n * 31, n * 19)),
            0
        );
    }
}
