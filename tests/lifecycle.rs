//! A display that comes late, hangs, dies and comes back.

use std::time::{Duration, Instant};

use deskd::{client, v1};
use tonic::{Code, Request};

use crate::common::{
    Daemon, Image, Witness, XServer,
    daemon::{frame, raw, screen},
};

fn within<T>(message: T, deadline: Duration) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(deadline);
    request
}

#[tokio::test]
async fn the_daemon_starts_before_its_display_and_picks_it_up() {
    let mut server = XServer::not_yet();
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    let info = client
        .get_info(v1::GetInfoRequest {})
        .await
        .unwrap()
        .into_inner();
    assert!(!info.connected && info.geometry.is_none());
    assert_eq!(info.failure.unwrap().reason(), v1::Reason::NoDisplay);

    // Too short a deadline: a card of the configured size.
    let reply = client
        .screenshot(within(
            v1::ScreenshotRequest::default(),
            Duration::from_secs(2),
        ))
        .await;
    let card = reply.unwrap().into_inner().frame.unwrap();
    let failure = card.failure.clone().unwrap();
    assert_eq!(
        (failure.stage(), failure.reason()),
        (v1::FailureStage::Connect, v1::Reason::NoDisplay)
    );
    assert!(failure.retryable);
    let image = Image::from_frame(&card);
    assert_eq!((image.width, image.height), (1280, 800));

    // A call that waits gets the screen as soon as it exists.
    let waiting = tokio::spawn({
        let mut client = client.clone();
        async move { screen(&mut client, raw()).await }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    server.restart();
    waiting.await.unwrap();
}

/// R1: while the server hangs, cards arrive in time and nobody else is harmed.
#[tokio::test]
async fn r1_a_hung_server_harms_no_deadline() {
    let server = XServer::start();
    let drawn = Image::from_bgrx(&Witness::new(&server).draw_pattern(11), 1280, 800);
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    screen(&mut client, raw()).await;
    server.stop();
    let patient = tokio::spawn({
        let mut client = client.clone();
        async move {
            client
                .screenshot(within(raw(), Duration::from_secs(30)))
                .await
        }
    });
    let began = Instant::now();
    let reply = client
        .screenshot(within(
            v1::ScreenshotRequest::default(),
            Duration::from_secs(2),
        ))
        .await;
    let took = began.elapsed();
    let card = reply.expect("the card arrives").into_inner().frame.unwrap();
    assert!(
        took > Duration::from_millis(1500) && took < Duration::from_secs(2),
        "{took:?}"
    );
    assert_eq!(card.kind(), v1::FrameKind::FailureCard);
    let failure = card.failure.clone().unwrap();
    assert_eq!(
        (failure.stage(), failure.reason()),
        (v1::FailureStage::Timeout, v1::Reason::XUnresponsive)
    );
    Image::from_frame(&card);

    let status = client
        .get_cursor(within(v1::GetCursorRequest {}, Duration::from_secs(1)))
        .await
        .unwrap_err();
    assert_eq!(
        (status.code(), client::reason(&status)),
        (Code::DeadlineExceeded, v1::Reason::XUnresponsive)
    );

    // Health answers at once; × 3 of the bound.
    let began = Instant::now();
    client.get_info(v1::GetInfoRequest {}).await.unwrap();
    assert!(began.elapsed() < Duration::from_millis(300));

    server.resume();
    let frame = patient.await.unwrap().unwrap().into_inner().frame.unwrap();
    assert_eq!(frame.kind(), v1::FrameKind::Screen, "{:?}", frame.failure);
    assert_eq!(Image::from_frame(&frame).differing(&drawn), 0);
}

/// Longer than the 15 s of silence: the connection is rebuilt, the caller who
/// waits still gets the screen.
#[tokio::test]
async fn r1_a_caller_outlives_the_rebuilt_connection() {
    let server = XServer::with_screen("320x240x24", &[]);
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    screen(&mut client, raw()).await;
    server.stop();
    let patient = tokio::spawn({
        let mut client = client.clone();
        async move {
            client
                .screenshot(within(raw(), Duration::from_secs(40)))
                .await
        }
    });
    tokio::time::sleep(Duration::from_secs(17)).await;
    assert!(
        daemon.log().contains("sent nothing for 15 s"),
        "{}",
        daemon.log()
    );
    server.resume();
    let frame = patient.await.unwrap().unwrap().into_inner().frame.unwrap();
    assert_eq!(frame.kind(), v1::FrameKind::Screen, "{:?}", frame.failure);
}

/// R2 in short, R4: while the server is killed and started again and again,
/// every reply is a whole frame of the right server or a card.
#[tokio::test]
async fn r2_a_killed_server_never_gives_a_partial_frame() {
    let mut server = XServer::with_screen("640x480x24", &[]);
    let daemon = Daemon::start(&server);
    let client = daemon.client().await;
    let stop = tokio_util::sync::CancellationToken::new();
    let looking = tokio::spawn({
        let (mut client, stop) = (client.clone(), stop.clone());
        async move {
            let (mut screens, mut cards) = (0, 0);
            while !stop.is_cancelled() {
                let reply = client
                    .screenshot(within(raw(), Duration::from_millis(400)))
                    .await;
                let frame = reply.unwrap().into_inner().frame.unwrap();
                let image = Image::from_frame(&frame);
                if frame.kind() == v1::FrameKind::FailureCard {
                    cards += 1;
                } else {
                    screens += 1;
                    // The witness paints one colour at once; black is a server
                    // that nothing has drawn on.
                    let first = image.at(0, 0);
                    assert!(
                        image.rgb.chunks_exact(3).all(|pixel| pixel == first),
                        "a torn frame"
                    );
                }
            }
            (screens, cards)
        }
    });
    let mut generations = std::collections::HashSet::new();
    for round in 0..10_u32 {
        let witness = Witness::new(&server);
        witness.fill(0x0020_4060 + round);
        tokio::time::sleep(Duration::from_millis(50)).await;
        let mut probe = client.clone();
        let began = Instant::now();
        let seen = screen(&mut probe, raw()).await;
        assert!(began.elapsed() < Duration::from_secs(5));
        assert_eq!(
            Image::from_frame(&seen).at(5, 5),
            [0x20, 0x40, 0x60 + u8::try_from(round).unwrap()]
        );
        assert!(
            generations.insert(seen.server_generation),
            "a new server has a new generation"
        );
        assert_eq!(seen.geometry_epoch, 1);
        drop(witness);
        server.kill();
        tokio::time::sleep(Duration::from_millis(if round % 3 == 0 { 600 } else { 20 })).await;
        server.restart();
    }
    stop.cancel();
    let (screens, cards) = looking.await.unwrap();
    assert!(
        screens > 10 && cards > 0,
        "{screens} screens, {cards} cards"
    );
}

#[tokio::test]
async fn the_generation_survives_a_restart_of_the_daemon() {
    let server = XServer::with_screen("800x600x24", &[]);
    let mut witness = Witness::new(&server);
    let first = {
        let daemon = Daemon::start(&server);
        screen(&mut daemon.client().await, raw()).await
    };
    let daemon = Daemon::start(&server);
    let second = screen(&mut daemon.client().await, raw()).await;
    assert_eq!(first.server_generation, second.server_generation);
    assert_eq!(first.geometry_epoch, second.geometry_epoch);
    assert_ne!(first.frame_id, second.frame_id);
    drop(daemon);
    // A resize while no daemon runs is counted by the next.
    witness.resize(640, 480);
    let daemon = Daemon::start(&server);
    let third = screen(&mut daemon.client().await, raw()).await;
    assert_eq!(third.server_generation, first.server_generation);
    assert_eq!(third.geometry_epoch, first.geometry_epoch + 1);
}

/// R23: another client holds the server for longer than the deadline.
#[tokio::test]
async fn r23_a_grabbed_server_ends_in_a_card_by_the_deadline() {
    let server = XServer::with_screen("320x240x24", &[]);
    let witness = Witness::new(&server);
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    screen(&mut client, raw()).await;
    witness.grab_server();
    let began = Instant::now();
    let reply = client
        .screenshot(within(raw(), Duration::from_secs(2)))
        .await
        .unwrap();
    assert!(began.elapsed() < Duration::from_secs(2));
    let failure = reply.into_inner().frame.unwrap().failure.unwrap();
    assert_eq!(failure.reason(), v1::Reason::XUnresponsive);
    witness.ungrab_server();
    screen(&mut client, raw()).await;
}

#[tokio::test]
async fn a_wrong_cookie_and_an_unreadable_one_are_told_apart_at_once() {
    let server = XServer::with_screen("320x240x24", &[]);
    let folder = tempfile::tempdir().unwrap();
    let wrong = folder.path().join("wrong");
    std::fs::write(
        &wrong,
        crate::common::xserver::authority("another-cookie-1"),
    )
    .unwrap();
    let broken = folder.path().join("broken");
    std::fs::write(&broken, [1, 0, 0]).unwrap();
    let missing = folder.path().join("missing");
    for (file, reason) in [
        (&wrong, v1::Reason::XAuthRefused),
        (&missing, v1::Reason::XAuthRefused),
        (&broken, v1::Reason::XCookieUnreadable),
    ] {
        let variables = [("XAUTHORITY", file.to_str().unwrap())];
        let daemon = Daemon::launch(&server, &[], &[], &variables);
        let began = Instant::now();
        let card = frame(&mut daemon.client().await, v1::ScreenshotRequest::default()).await;
        assert!(
            began.elapsed() < Duration::from_secs(5),
            "told before the deadline of 10 s"
        );
        let failure = card.failure.unwrap();
        assert_eq!(
            (failure.stage(), failure.reason()),
            (v1::FailureStage::Auth, reason),
            "{}",
            failure.message
        );
        assert!(!failure.retryable);
        assert!(
            !daemon.log().contains("another-cookie"),
            "the cookie is in the log"
        );
    }
}

#[tokio::test]
async fn a_stopping_daemon_answers_waiting_calls_with_a_card() {
    let server = XServer::with_screen("320x240x24", &[]);
    let mut daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    screen(&mut client, raw()).await;
    server.stop();
    let waiting = tokio::spawn(async move {
        client
            .screenshot(within(raw(), Duration::from_secs(20)))
            .await
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let began = Instant::now();
    daemon.signal("TERM");
    let frame = waiting.await.unwrap().unwrap().into_inner().frame.unwrap();
    let failure = frame.failure.unwrap();
    assert_eq!(
        (failure.stage(), failure.reason()),
        (v1::FailureStage::Shutdown, v1::Reason::ShuttingDown)
    );
    assert_eq!(daemon.wait(Duration::from_secs(15)), Some(0));
    assert!(began.elapsed() < Duration::from_secs(15));
    assert!(!daemon.socket().exists());
    server.resume();
}
