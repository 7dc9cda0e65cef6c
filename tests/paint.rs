//! The paint gate on real screens: what waits, what is refused, what is kept.
//! The whole truth table is `make gate-table`, the boots are `make boots`.

use std::time::{Duration, Instant};

use deskd::v1;
use tonic::Request;

use crate::common::{
    Daemon, Image, Witness, XServer,
    daemon::{frame, painted, raw},
    desktop::{Session, Xfce},
    moving::Moving,
};

fn within<T>(message: T, milliseconds: u64) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(Duration::from_millis(milliseconds));
    request
}

async fn ready(daemon: &Daemon, request: v1::WaitReadyRequest, ms: u64) -> v1::PaintEvidence {
    let mut client = daemon.client().await;
    let reply = client.wait_ready(within(request, ms)).await.unwrap();
    reply.into_inner().evidence.unwrap()
}

#[tokio::test]
async fn a_blank_screen_gives_a_card_and_a_drawn_one_is_waited_for() {
    let server = XServer::with_screen("640x480x24", &[]);
    let witness = Witness::new(&server);
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    let reply = client
        .screenshot(within(v1::ScreenshotRequest::default(), 3000))
        .await;
    let card = reply.unwrap().into_inner().frame.unwrap();
    assert_eq!(card.kind(), v1::FrameKind::FailureCard);
    let failure = card.failure.clone().unwrap();
    assert_eq!(
        (failure.stage(), failure.reason(), failure.retryable),
        (v1::FailureStage::Paint, v1::Reason::NotPainted, true)
    );
    assert!(!failure.message.to_lowercase().contains("blank"));
    assert_eq!(
        card.paint.as_ref().unwrap().verdict(),
        v1::PaintVerdict::Blank
    );
    Image::from_frame(&card);

    // Unproved: the pixels, and what the gate thinks of them.
    let black = frame(&mut client, v1::ScreenshotRequest::default()).await;
    assert_eq!(black.kind(), v1::FrameKind::Screen);
    assert_eq!(black.paint.unwrap().verdict(), v1::PaintVerdict::Blank);

    // A caller who waits gets the picture as soon as it is there.
    let waiting = tokio::spawn({
        let mut client = client.clone();
        async move { painted(&mut client, raw()).await }
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    let drawn = witness.draw_pattern(9);
    let frame = waiting.await.unwrap();
    assert_eq!(
        Image::from_frame(&frame).differing(&Image::from_bgrx(&drawn, 640, 480)),
        0
    );

    // Proved once, a black screen is real.
    witness.fill(0);
    let black = painted(&mut client, raw()).await;
    assert!(
        Image::from_frame(&black)
            .rgb
            .iter()
            .all(|value| *value == 0)
    );
}

#[tokio::test]
async fn the_proof_outlives_the_daemon_and_dies_with_a_resize() {
    let server = XServer::with_screen("640x480x24", &[]);
    let mut witness = Witness::new(&server);
    witness.draw_pattern(4);
    let mut daemon = Daemon::start(&server);
    painted(&mut daemon.client().await, raw()).await;
    witness.fill(0);
    daemon.restart_after(Duration::ZERO);
    let began = Instant::now();
    let mut client = daemon.client().await;
    painted(&mut client, raw()).await;
    assert!(began.elapsed() < Duration::from_secs(3));
    // Another size is another screen.
    witness.resize(320, 240);
    let reply = client.screenshot(within(raw_proved(), 2500)).await.unwrap();
    let card = reply.into_inner().frame.unwrap();
    assert_eq!(card.failure.unwrap().reason(), v1::Reason::NotPainted);
    witness.draw_pattern(2);
    painted(&mut client, raw()).await;
}

fn raw_proved() -> v1::ScreenshotRequest {
    v1::ScreenshotRequest {
        unproved: false,
        ..raw()
    }
}

#[tokio::test]
async fn the_verdict_comes_in_time_and_says_what_is_missing() {
    let server = XServer::with_screen("640x480x24", &[]);
    let daemon = Daemon::with(&server, &["--profile", "xfce"]);
    let began = Instant::now();
    let timeout = prost_types::Duration {
        seconds: 1,
        nanos: 0,
    };
    let request = v1::WaitReadyRequest {
        timeout: Some(timeout),
        ..v1::WaitReadyRequest::default()
    };
    let evidence = ready(&daemon, request, 30_000).await;
    assert!(began.elapsed() < Duration::from_secs(3));
    assert_eq!(evidence.verdict(), v1::PaintVerdict::Blank);
    assert_eq!(evidence.profile(), v1::PaintProfile::Xfce);
    let missing: Vec<_> = evidence.windows.iter().map(|w| w.role()).collect();
    use v1::WindowRole::{Desktop, Dock, WindowManager};
    assert_eq!(missing, [WindowManager, Desktop, Dock]);
    assert!(evidence.windows.iter().all(|window| window.window == 0));
    assert!(!evidence.probes.is_empty() && !evidence.size_rule_settled);
    // 60,000 bytes scaled from 1280 × 800.
    assert_eq!(evidence.floor_bytes, 18_000);

    // Another profile than the daemon's own.
    Witness::new(&server).draw_pattern(3);
    let any = v1::WaitReadyRequest {
        profile: v1::PaintProfile::Any.into(),
        ..v1::WaitReadyRequest::default()
    };
    assert_eq!(
        ready(&daemon, any, 20_000).await.verdict(),
        v1::PaintVerdict::Ready
    );
    let own = ready(&daemon, v1::WaitReadyRequest::default(), 2000).await;
    assert_eq!(own.verdict(), v1::PaintVerdict::Partial);

    let mut client = daemon.client().await;
    let unknown = v1::WaitReadyRequest {
        profile: 9,
        ..v1::WaitReadyRequest::default()
    };
    let refused = client.wait_ready(unknown).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::InvalidArgument);

    let output = daemon.cli(&["ready", "--timeout", "1s"]);
    assert_eq!(output.status.code(), Some(14));
    assert!(String::from_utf8_lossy(&output.stdout).contains("PARTIAL"));
}

#[tokio::test]
async fn without_a_display_there_is_none() {
    let server = XServer::not_yet();
    let daemon = Daemon::start(&server);
    let output = daemon.cli(&["ready", "--timeout", "1s"]);
    assert_eq!(output.status.code(), Some(11), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("NO_DISPLAY"));
}

/// A proof that one caller accepts holds for all, also for those who wait already.
#[tokio::test]
async fn a_video_is_unsettled_until_somebody_allows_it() {
    let server = XServer::with_screen("640x480x24", &[]);
    Witness::new(&server).draw_pattern(6);
    let _video = Moving::start(&server, (320, 240), (100, 100));
    let daemon = Daemon::start(&server);
    let unsettled = ready(&daemon, v1::WaitReadyRequest::default(), 4000).await;
    assert_eq!(unsettled.verdict(), v1::PaintVerdict::Unsettled);
    let mut client = daemon.client().await;
    let waiting = tokio::spawn(async move {
        let reply = client.screenshot(within(raw_proved(), 20_000)).await;
        reply.unwrap().into_inner().frame.unwrap()
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let allowing = v1::WaitReadyRequest {
        allow_unsettled: true,
        ..v1::WaitReadyRequest::default()
    };
    let allowed = ready(&daemon, allowing, 15_000).await;
    assert_eq!(allowed.verdict(), v1::PaintVerdict::Ready, "{allowed:?}");
    assert_eq!(allowed.animated.len(), 1);
    let frame = tokio::time::timeout(Duration::from_secs(5), waiting).await;
    let frame = frame.expect("who waited goes on").unwrap();
    assert_eq!(frame.kind(), v1::FrameKind::Screen, "{:?}", frame.failure);
}

/// A boot whose panel is stopped when the wallpaper appears: the byte-size rule's
/// worst case, in which it was wrong every time.
#[tokio::test(flavor = "multi_thread")]
async fn a_panel_that_is_stopped_is_waited_for() {
    let server = XServer::start();
    let daemon = Daemon::with(&server, &["--profile", "xfce"]);
    let desktop = Xfce::xfce(&server);
    let appeared = Instant::now() + Duration::from_secs(20);
    while desktop.pids("xfdesktop").is_empty() || desktop.pids("xfce4-panel").is_empty() {
        assert!(Instant::now() < appeared);
        std::thread::sleep(Duration::from_millis(2));
    }
    desktop.signal("xfce4-panel", nix::sys::signal::Signal::SIGSTOP);
    let stopped = ready(&daemon, v1::WaitReadyRequest::default(), 4500).await;
    assert!(
        [v1::PaintVerdict::Partial, v1::PaintVerdict::Unsettled].contains(&stopped.verdict()),
        "{stopped:?}"
    );
    let names_the_panel =
        |missing: &String| missing.contains("dock") || missing.contains("stopped");
    assert!(
        stopped.missing.iter().any(names_the_panel),
        "{:?}",
        stopped.missing
    );
    desktop.signal("xfce4-panel", nix::sys::signal::Signal::SIGCONT);
    let evidence = ready(&daemon, v1::WaitReadyRequest::default(), 60_000).await;
    assert_eq!(evidence.verdict(), v1::PaintVerdict::Ready);
    let docks = evidence
        .windows
        .iter()
        .filter(|window| window.role() == v1::WindowRole::Dock);
    assert!(docks.filter(|dock| dock.drawn && dock.pongs >= 2).count() >= 1);
    let shown = Witness::new(&server).capture();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let later = Witness::new(&server).capture();
    assert!(
        shown.alike(&later, (0, 0, 1280, 27)),
        "the panel was not drawn"
    );

    // The end of the whole session voids the proof; that of a part does not.
    let mut client = daemon.client().await;
    painted(&mut client, raw()).await;
    drop(desktop);
    // The server notices the end of its clients by and by.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let reply = client.screenshot(within(raw_proved(), 3000)).await.unwrap();
    let card = reply.into_inner().frame.unwrap();
    assert_eq!(card.failure.unwrap().reason(), v1::Reason::NotPainted);
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_of_a_desktop_are_partial() {
    let server = XServer::with_screen("800x600x24", &[]);
    let _session = Session::start(&server, "xfwm4 & xfce4-panel & sleep 600");
    let daemon = Daemon::with(&server, &["--profile", "xfce"]);
    let evidence = ready(&daemon, v1::WaitReadyRequest::default(), 6000).await;
    assert_eq!(
        evidence.verdict(),
        v1::PaintVerdict::Partial,
        "{evidence:?}"
    );
    assert!(
        evidence
            .missing
            .iter()
            .any(|missing| missing.contains("desktop"))
    );
}

/// While somebody waits on a blank screen it costs next to nothing, and with
/// nobody waiting the watching has ended.
#[tokio::test]
async fn waiting_is_cheap_and_ends() {
    let server = XServer::with_screen("640x480x24", &[]);
    let daemon = Daemon::start(&server);
    let threads = || daemon.status("Threads");
    ready(&daemon, v1::WaitReadyRequest::default(), 1500).await;
    let during = threads();
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(
        threads(),
        during - 1,
        "the thread that watches is still there"
    );
}
