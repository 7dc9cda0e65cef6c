//! The library's own client: retries, operation ids, typed errors.

use std::{sync::Arc, time::Duration};

use deskd::{
    client::{CallErrorKind, Desktop},
    v1::{self, action::Action},
};

use crate::common::{
    Daemon, Recorder, Seen, XServer,
    daemon::binary,
    step::{click, move_to},
};

fn desktop(daemon: &Daemon) -> Desktop {
    Desktop::new(daemon.address()).with_timeout(Duration::from_secs(20))
}

/// A step without the wait for a painted screen: the recorder's window has one colour.
fn step(actions: Vec<Action>) -> v1::ActRequest {
    let actions = actions.into_iter().map(|action| v1::Action {
        action: Some(action),
    });
    v1::ActRequest {
        actions: actions.collect(),
        unproved: true,
        no_frame: true,
        settle: Some(v1::SettleOptions {
            skip: true,
            ..v1::SettleOptions::default()
        }),
        ..v1::ActRequest::default()
    }
}

fn presses(recorder: &Recorder) -> usize {
    let press = |seen: &Seen| matches!(seen, Seen::Button { down: true, .. });
    recorder.take().into_iter().filter(press).count()
}

/// A daemon that restarts between two calls, or is away for a while, costs the caller nothing: the
/// step is done, once.
#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_restarts_is_called_again() {
    let server = XServer::start();
    let (recorder, mut daemon) = (Recorder::new(&server), Daemon::start(&server));
    let desktop = desktop(&daemon);
    desktop.done(step(vec![click(10, 10)])).await.unwrap();
    assert_eq!(presses(&recorder), 1);
    daemon.restart_after(Duration::ZERO);
    desktop.done(step(vec![click(20, 20)])).await.unwrap();
    assert_eq!(presses(&recorder), 1);
    let frame = desktop
        .screenshot(v1::ScreenshotRequest {
            unproved: true,
            ..v1::ScreenshotRequest::default()
        })
        .await
        .unwrap();
    assert_eq!((frame.width, frame.height), (1280, 800));
    // Away for a while: the call waits.
    let called = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(200)).await;
        desktop.done(step(vec![click(30, 30)])).await
    });
    daemon.restart_after(Duration::from_millis(900));
    called.await.unwrap().unwrap();
    assert_eq!(presses(&recorder), 1);
}

/// A daemon that is killed in the middle of a step: nobody knows what was done, and nothing is done
/// twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_was_cut_off_is_not_repeated() {
    let server = XServer::start();
    let (recorder, mut daemon) = (Recorder::new(&server), Daemon::start(&server));
    let desktop = desktop(&daemon);
    desktop.done(step(vec![click(10, 10)])).await.unwrap();
    assert_eq!(presses(&recorder), 1);
    let wait = Action::Wait(v1::WaitAction {
        duration: Duration::from_secs(30).try_into().ok(),
    });
    let called = tokio::spawn(async move { desktop.done(step(vec![click(20, 20), wait])).await });
    let mut seen = 0;
    while seen == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        seen = presses(&recorder);
    }
    daemon.restart_after(Duration::ZERO);
    let error = called.await.unwrap().unwrap_err();
    assert_eq!(error.kind, CallErrorKind::OutcomeUnknown, "{error}");
    assert_eq!(error.reason, v1::Reason::OutcomeUnknown);
    assert_eq!(presses(&recorder), 0);
}

/// The same while another call of the same client finds the new daemon first: the step is still that
/// of the former one. And if no daemon comes back, it is not said that nothing was done.
#[tokio::test(flavor = "multi_thread")]
async fn another_call_does_not_readdress_a_step_that_was_cut_off() {
    let server = XServer::start();
    let (recorder, mut daemon) = (Recorder::new(&server), Daemon::start(&server));
    for is_back in [true, false] {
        let client = Arc::new(desktop(&daemon).with_timeout(Duration::from_secs(4)));
        let wait = Action::Wait(v1::WaitAction {
            duration: Duration::from_secs(2).try_into().ok(),
        });
        let cut_off = Arc::clone(&client);
        let called = tokio::spawn(async move {
            let actions = vec![click(20, 20), wait];
            cut_off.done(step(actions)).await
        });
        let mut seen = 0;
        while seen == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
            seen = presses(&recorder);
        }
        if is_back {
            daemon.restart_after(Duration::ZERO);
            // This call learns of the new instance at once.
            client.done(step(vec![move_to(5, 5)])).await.unwrap();
        } else {
            daemon.signal("KILL");
        }
        let error = called.await.unwrap().unwrap_err();
        assert_eq!(error.kind, CallErrorKind::OutcomeUnknown, "{error}");
        assert_eq!(presses(&recorder), 0, "{is_back}");
    }
}

/// Each kind of error is reported as itself, with the daemon's reason.
#[tokio::test(flavor = "multi_thread")]
async fn errors_have_their_kind_and_reason() {
    let server = XServer::start();
    let (_recorder, daemon) = (Recorder::new(&server), Daemon::start(&server));
    let desktop = desktop(&daemon);
    let error = desktop.done(step(vec![click(5000, 1)])).await.unwrap_err();
    assert_eq!(error.kind, CallErrorKind::Invalid);
    assert_eq!(error.reason, v1::Reason::OutOfScreen);
    let stale = v1::ActRequest {
        expect: Some(v1::Expect {
            server_generation: "0".repeat(32),
            ..v1::Expect::default()
        }),
        ..step(vec![click(5, 5)])
    };
    let error = desktop.act(stale).await.unwrap_err();
    assert_eq!(error.kind, CallErrorKind::Stale);
    assert_eq!(error.reason, v1::Reason::StaleGeneration);
    // A step that ended early is an answer of `act`, and an error of `done`.
    let early = || v1::ActRequest {
        on_failure: v1::OnFailure::StopAtFirst.into(),
        ..step(vec![click(5, 5), click(5000, 1)])
    };
    let response = desktop.act(early()).await.unwrap();
    assert_eq!(response.outcome(), v1::ActOutcome::Partial);
    let error = desktop.done(early()).await.unwrap_err();
    assert_eq!(error.kind, CallErrorKind::NotDone);
    assert_eq!(error.reason, v1::Reason::OutOfScreen);
    assert!(error.response.is_some());
    let nowhere = Desktop::new("unix:/no/such.sock".parse().unwrap());
    let nowhere = nowhere.with_timeout(Duration::from_millis(400));
    let error = nowhere.info().await.unwrap_err();
    assert_eq!(error.kind, CallErrorKind::Unavailable, "{error}");
    let wrong = Desktop::through("/no/such/program", Vec::new());
    let error = wrong.with_timeout(Duration::from_millis(400)).info().await;
    assert_eq!(error.unwrap_err().kind, CallErrorKind::Unavailable);
}

/// Every convenience, through a bridge.
#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_leads_to_the_same_desktop() {
    let server = XServer::start();
    let daemon = Daemon::start(&server);
    let terminal = server.program("xterm").spawn().unwrap();
    let _terminal = crate::common::program::Running(terminal);
    let address = daemon.address().to_string();
    let arguments = ["bridge", "--server", &address].map(str::to_owned).to_vec();
    let desktop = Desktop::through(binary().to_str().unwrap(), arguments);
    let ready = v1::WaitReadyRequest::default();
    let ready = desktop.wait_ready(ready, Duration::from_secs(60)).await;
    let verdict = ready.unwrap().evidence.unwrap().verdict();
    assert_eq!(verdict, v1::PaintVerdict::Ready);
    desktop.click(100, 100).await.unwrap();
    desktop.type_text("héllo").await.unwrap();
    desktop.press("ctrl+u").await.unwrap();
    desktop.scroll((100, 100), (0, 1)).await.unwrap();
    desktop.move_to(7, 9).await.unwrap();
    assert_eq!(
        desktop.cursor().await.unwrap().position,
        Some((7, 9).into())
    );
    assert_eq!(desktop.release_all().await.unwrap().released, []);
    assert!(desktop.info().await.unwrap().connected);
}
