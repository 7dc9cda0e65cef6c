//! No input stays down that should not, whichever side goes away.

use std::time::{Duration, Instant};

use deskd::{
    client,
    v1::{self, action::Action},
};
use tonic::{Code, Request};

use crate::{
    common::{
        Daemon, Recorder, Seen, XServer,
        step::{at, bare, chord, click, done, drag, held, key_down, key_up, pause, refused, text},
        wait_for,
    },
    keys::set_keymap,
};

fn button_down(x: i32, y: i32, hold_ms: u64) -> Action {
    Action::ButtonDown(v1::ButtonDownAction {
        at: Some(at(x, y)),
        button: v1::Button::Left.into(),
        hold: held(hold_ms),
    })
}

fn presses(seen: &[Seen], number: u8) -> (usize, usize) {
    let count = |wanted: bool| {
        let same = seen.iter().filter(|seen| {
            matches!(seen, Seen::Button { down, number: n, .. } if *down == wanted && *n == number)
        });
        same.count()
    };
    (count(true), count(false))
}

/// Held input is listed, renewed by name, and released on time, by name, or all at once.
#[tokio::test(flavor = "multi_thread")]
async fn holds_are_listed_renewed_and_end() {
    let server = XServer::start();
    set_keymap(&server, "us");
    let (recorder, daemon) = (Recorder::new(&server), Daemon::start(&server));
    let mut client = daemon.client().await;
    let began = Instant::now();
    let actions = vec![button_down(30, 40, 800), key_down("shift", 0)];
    done(&mut client, actions).await;
    let held = client.get_pressed(v1::GetPressedRequest {}).await.unwrap();
    let held = held.into_inner().pressed;
    assert_eq!(held.len(), 2, "{held:?}");
    assert_eq!(
        held[0].input,
        Some(v1::pressed::Input::Button(v1::Button::Left.into()))
    );
    assert_eq!(held[1].input, Some(v1::pressed::Input::Key("shift".into())));
    let left = std::time::SystemTime::try_from(held[1].until.unwrap()).unwrap();
    let left = left.duration_since(std::time::SystemTime::now()).unwrap();
    assert!(
        (Duration::from_secs(9)..=Duration::from_secs(10)).contains(&left),
        "{left:?}"
    );
    // Named again, it is held on.
    tokio::time::sleep(Duration::from_millis(500)).await;
    done(&mut client, vec![button_down(50, 60, 800)]).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(recorder.buttons_down(), 1);
    wait_for("the end of the hold", Duration::from_secs(3), || {
        (recorder.buttons_down() == 0).then_some(())
    });
    assert!(began.elapsed() >= Duration::from_millis(1290));
    assert_eq!(recorder.keys_down().len(), 1);
    done(&mut client, vec![key_up("Shift_L")]).await;
    assert!(recorder.nothing_is_down());
    // Renewing pressed nothing twice.
    assert_eq!(presses(&recorder.take(), 1), (1, 1));

    done(
        &mut client,
        vec![button_down(1, 1, 0), key_down("ctrl", 60_000)],
    )
    .await;
    let released = client.release_all(v1::ReleaseAllRequest {}).await.unwrap();
    assert_eq!(released.into_inner().released.len(), 2);
    assert!(recorder.nothing_is_down());
    let held = client.get_pressed(v1::GetPressedRequest {}).await.unwrap();
    assert!(held.into_inner().pressed.is_empty());
}

/// Held input would change the meaning of later actions: those are refused, before any
/// event.
#[tokio::test]
async fn what_would_not_arrive_as_asked_is_refused() {
    let server = XServer::start();
    set_keymap(&server, "us");
    let (recorder, daemon) = (Recorder::new(&server), Daemon::start(&server));
    let mut client = daemon.client().await;
    done(&mut client, vec![button_down(9, 9, 0), key_down("ctrl", 0)]).await;
    recorder.take();
    for action in [
        click(5, 5),
        drag(&[(1, 1), (9, 9)], 10),
        text("abc"),
        chord(&["Control_L"]),
    ] {
        let (code, reason, status) = refused(&mut client, bare(vec![action])).await;
        assert_eq!(
            (code, reason),
            (Code::FailedPrecondition, v1::Reason::InputHeld),
            "{status:?}"
        );
    }
    assert_eq!(recorder.take(), []);
    // A chord whose modifier is held goes through, and leaves it held.
    done(&mut client, vec![chord(&["ctrl", "c"])]).await;
    assert_eq!(recorder.keys_down(), [recorder.code_of(0xffe3)]);
    // Released in the same batch, all is well again.
    let up = Action::ButtonUp(v1::ButtonUpAction::default());
    done(
        &mut client,
        vec![key_up("ctrl"), up, text("abc"), click(5, 5)],
    )
    .await;
    assert!(recorder.nothing_is_down());
}

/// R17: a client that goes away in the middle of a drag leaves nothing down.
#[tokio::test(flavor = "multi_thread")]
async fn r17_a_client_that_vanishes_leaves_nothing_down() {
    let server = XServer::start();
    let (recorder, daemon) = (Recorder::new(&server), Daemon::start(&server));
    for _ in 0..3 {
        let mut client = daemon.client().await;
        let request = bare(vec![drag(&[(100, 100), (900, 700)], 8000)]);
        let call = tokio::spawn(async move { client.act(request).await });
        recorder.until(Duration::from_secs(5), |seen| presses(seen, 1).0 == 1);
        assert_eq!(recorder.buttons_down(), 1);
        call.abort();
        let gone = Instant::now();
        // 500 ms, times three.
        wait_for("the release", Duration::from_millis(1500), || {
            recorder.nothing_is_down().then_some(())
        });
        println!("released {:?} after the client went", gone.elapsed());
        recorder.take();
    }
    // The input is free again.
    let mut client = daemon.client().await;
    done(&mut client, vec![click(3, 3)]).await;
}

/// A deadline in the middle of a step is reported, and nothing is down.
#[tokio::test]
async fn a_deadline_ends_a_step_between_its_events() {
    let server = XServer::start();
    let (recorder, daemon) = (Recorder::new(&server), Daemon::start(&server));
    let mut client = daemon.client().await;
    let actions = vec![
        click(1, 1),
        drag(&[(100, 100), (900, 700)], 9000),
        click(2, 2),
    ];
    let mut request = Request::new(bare(actions));
    request.set_timeout(Duration::from_secs(2));
    let reply = client.act(request).await.unwrap().into_inner();
    assert_eq!(reply.outcome(), v1::ActOutcome::Deadline);
    let reached: Vec<_> = reply.results.iter().map(|result| result.status()).collect();
    use v1::ActionStatus::{Done, Failed, NotExecuted};
    assert_eq!(reached, [Done, Failed, NotExecuted]);
    let failure = reply.results[1].failure.as_ref().unwrap();
    assert_eq!(failure.reason(), v1::Reason::Deadline);
    assert!(recorder.nothing_is_down());
    let seen = recorder.take();
    assert_eq!(presses(&seen, 1), (2, 2));
}

/// R18: the X server is stopped in the middle of a drag. The call answers in its
/// time, and when the server goes on, the button comes up.
#[tokio::test(flavor = "multi_thread")]
async fn r18_a_server_that_stops_in_mid_drag() {
    let server = XServer::start();
    let (recorder, daemon) = (Recorder::new(&server), Daemon::start(&server));
    let mut client = daemon.client().await;
    let mut request = Request::new(bare(vec![drag(&[(100, 100), (900, 700)], 1500)]));
    request.set_timeout(Duration::from_secs(4));
    let began = Instant::now();
    let call = tokio::spawn(async move { client.act(request).await });
    recorder.until(Duration::from_secs(5), |seen| presses(seen, 1).0 == 1);
    server.stop();
    let reply = call.await.unwrap().unwrap().into_inner();
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(reply.outcome(), v1::ActOutcome::Unknown, "{reply:?}");
    let failure = reply.results.last().unwrap().failure.clone().unwrap();
    assert_eq!(failure.reason(), v1::Reason::XUnresponsive);
    let log = daemon.log();
    assert!(log.contains("did not end at its deadline"), "{log}");
    server.resume();
    wait_for("the release", Duration::from_secs(3), || {
        recorder.nothing_is_down().then_some(())
    });
    assert_eq!(presses(&recorder.take(), 1).1, 1);
}

/// R18: the X server is killed and replaced in the middle of a drag.
#[tokio::test(flavor = "multi_thread")]
async fn r18_a_server_that_is_replaced_in_mid_drag() {
    let mut server = XServer::start();
    let recorder = Recorder::new(&server);
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    let request = bare(vec![drag(&[(100, 100), (900, 700)], 5000), click(1, 1)]);
    let call = tokio::spawn(async move { client.act(request).await });
    recorder.until(Duration::from_secs(5), |seen| presses(seen, 1).0 == 1);
    server.kill();
    let reply = call.await.unwrap().unwrap().into_inner();
    assert_eq!(reply.outcome(), v1::ActOutcome::Unknown, "{reply:?}");
    let reached: Vec<_> = reply.results.iter().map(|result| result.status()).collect();
    use v1::ActionStatus::{Failed, NotExecuted};
    assert_eq!(reached, [Failed, NotExecuted]);
    server.restart();
    let recorder = Recorder::new(&server);
    let mut client = daemon.client().await;
    let began = Instant::now();
    // What was down with the old server is down no more, once that is known.
    while !client
        .get_pressed(v1::GetPressedRequest {})
        .await
        .unwrap()
        .into_inner()
        .pressed
        .is_empty()
    {
        assert!(began.elapsed() < Duration::from_secs(5));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Until deskd has noticed the new server, it is unavailable.
    loop {
        match client.act(bare(vec![click(8, 9)])).await {
            Ok(reply) => {
                assert_eq!(reply.into_inner().outcome(), v1::ActOutcome::Done);
                break;
            }
            Err(status) => assert_eq!(status.code(), Code::Unavailable, "{status:?}"),
        }
        assert!(began.elapsed() < Duration::from_secs(5));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(presses(&recorder.take(), 1), (1, 1));
    assert!(recorder.nothing_is_down());
}

/// R18: a hold runs out on time though the connection is lost in between.
#[tokio::test(flavor = "multi_thread")]
async fn r18_a_hold_outlives_the_connection_and_ends_on_time() {
    let server = XServer::start();
    set_keymap(&server, "us");
    let (recorder, daemon) = (Recorder::new(&server), Daemon::start(&server));
    let mut client = daemon.client().await;
    let began = Instant::now();
    let actions = vec![button_down(30, 40, 2000), key_down("ctrl", 2000)];
    done(&mut client, actions).await;
    assert!(recorder.kill_daemons_connections() >= 1);
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(recorder.buttons_down(), 1);
    assert_eq!(recorder.keys_down().len(), 1);
    wait_for("the end of the hold", Duration::from_secs(5), || {
        recorder.nothing_is_down().then_some(())
    });
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(1990), "{took:?}");
    println!("released {took:?} after the press, 2 s asked");
}

/// R18: deskd is killed while it holds; its next life releases on time what was
/// to be held, and at once what was not.
#[tokio::test(flavor = "multi_thread")]
async fn r18_a_daemon_that_is_killed_is_cleaned_up_after() {
    let server = XServer::start();
    set_keymap(&server, "us");
    let recorder = Recorder::new(&server);
    let mut first = Daemon::start(&server);
    let mut client = first.client().await;
    let began = Instant::now();
    done(&mut client, vec![key_down("ctrl", 3000)]).await;
    let request = bare(vec![drag(&[(100, 100), (900, 700)], 8000)]);
    let call = tokio::spawn(async move { client.act(request).await });
    recorder.until(Duration::from_secs(5), |seen| presses(seen, 1).0 == 1);
    first.signal("KILL");
    drop(call.await);
    first.wait(Duration::from_secs(5));
    // Held keys stay down when their client is gone.
    assert_eq!(recorder.buttons_down(), 1);
    let second = Daemon::start(&server);
    wait_for("the button", Duration::from_millis(1500), || {
        (recorder.buttons_down() == 0).then_some(())
    });
    assert!(began.elapsed() < Duration::from_millis(2900));
    assert_eq!(recorder.keys_down().len(), 1, "the hold goes on");
    let mut client = second.client().await;
    let held = client.get_pressed(v1::GetPressedRequest {}).await.unwrap();
    assert_eq!(held.into_inner().pressed.len(), 1);
    wait_for("the end of the hold", Duration::from_secs(5), || {
        recorder.nothing_is_down().then_some(())
    });
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(2990), "{took:?}");
    println!("released {took:?} after the press, 3 s asked");
    assert_eq!(presses(&recorder.take(), 1).1, 1);
    // A daemon that is asked to end leaves nothing behind.
    done(
        &mut client,
        vec![key_down("shift", 60_000), button_down(1, 1, 0)],
    )
    .await;
    second.signal("TERM");
    wait_for("the release at the end", Duration::from_secs(5), || {
        recorder.nothing_is_down().then_some(())
    });
}

/// R23: another client holds the server. Input goes through all the same, and a
/// capture answers by its deadline.
#[tokio::test(flavor = "multi_thread")]
async fn r23_a_server_that_is_grabbed_still_takes_input() {
    let server = XServer::start();
    let (recorder, daemon) = (Recorder::new(&server), Daemon::start(&server));
    let mut client = daemon.client().await;
    done(&mut client, vec![click(4, 4)]).await;
    recorder.take();
    recorder.witness().grab_server();
    let mut request = Request::new(bare(vec![click(500, 400)]));
    request.set_timeout(Duration::from_secs(5));
    let began = Instant::now();
    let reply = client.act(request).await.unwrap().into_inner();
    assert_eq!(reply.outcome(), v1::ActOutcome::Done, "{reply:?}");
    println!("a click under a server grab: {:?}", began.elapsed());
    assert_eq!(presses(&recorder.take(), 1), (1, 1));
    // The picture waits for the server, and says so in time.
    let mut request = bare(vec![pause(1)]);
    request.no_frame = false;
    let mut request = Request::new(request);
    request.set_timeout(Duration::from_secs(2));
    let began = Instant::now();
    let reply = client.act(request).await.unwrap().into_inner();
    assert!(began.elapsed() < Duration::from_secs(2));
    assert_eq!(reply.outcome(), v1::ActOutcome::Done);
    assert_eq!(reply.frame.unwrap().kind(), v1::FrameKind::FailureCard);
    recorder.witness().ungrab_server();
}

/// A daemon that is ended in the middle of a drag ends the drag. A call that waits for its
/// turn gets the reason.
#[tokio::test(flavor = "multi_thread")]
async fn r44_an_end_in_mid_drag_leaves_nothing_down() {
    let server = XServer::start();
    let recorder = Recorder::new(&server);
    for _ in 0..3 {
        let mut daemon = Daemon::start(&server);
        let mut client = daemon.client().await;
        let mut other = daemon.client().await;
        let request = bare(vec![drag(&[(100, 100), (900, 700)], 8000)]);
        let call = tokio::spawn(async move { client.act(request).await });
        recorder.until(Duration::from_secs(5), |seen| presses(seen, 1).0 == 1);
        let waits = tokio::spawn(async move { other.act(bare(vec![click(3, 3)])).await });
        tokio::time::sleep(Duration::from_millis(100)).await;
        daemon.signal("TERM");
        let reply = call.await.unwrap().unwrap().into_inner();
        assert_eq!(reply.outcome(), v1::ActOutcome::Cancelled, "{reply:?}");
        let status = waits.await.unwrap().unwrap_err();
        assert_eq!(
            (status.code(), client::reason(&status)),
            (Code::Unavailable, v1::Reason::ShuttingDown),
            "{status:?}"
        );
        assert_eq!(daemon.wait(Duration::from_secs(5)), Some(0));
        assert!(recorder.nothing_is_down());
        // The press was taken off above.
        assert_eq!(presses(&recorder.take(), 1), (0, 1));
    }
}

/// A hold ends on time, also while the screen is waited for.
#[tokio::test(flavor = "multi_thread")]
async fn a_hold_ends_while_the_screen_settles() {
    let server = XServer::start();
    let (recorder, daemon) = (Recorder::new(&server), Daemon::start(&server));
    let mut client = daemon.client().await;
    let mut request = bare(vec![button_down(30, 40, 100)]);
    request.settle = None;
    let call = tokio::spawn(async move { client.act(request).await });
    recorder.until(Duration::from_secs(5), |seen| presses(seen, 1) == (1, 1));
    // Nothing changes: that takes 400 ms to know.
    assert!(!call.is_finished());
    assert_eq!(
        call.await.unwrap().unwrap().into_inner().outcome(),
        v1::ActOutcome::Done
    );
}

/// A modifier that is named counts, though its hold ended since the step began,
/// and while it is needed.
#[tokio::test]
async fn a_modifier_whose_hold_ends_is_there_all_the_same() {
    let server = XServer::start();
    set_keymap(&server, "us");
    let (recorder, daemon) = (Recorder::new(&server), Daemon::start(&server));
    let mut client = daemon.client().await;
    let [control, c] = [0xffe3, 0x63].map(|keysym| recorder.code_of(keysym));
    let keys = |seen: &[Seen]| -> Vec<(bool, u8)> {
        let key = |seen: &Seen| match seen {
            Seen::Key { down, code, .. } => Some((*down, *code)),
            _ => None,
        };
        seen.iter().filter_map(key).collect()
    };
    done(&mut client, vec![key_down("ctrl", 300)]).await;
    done(&mut client, vec![pause(600), chord(&["ctrl", "c"])]).await;
    assert_eq!(
        keys(&recorder.take()),
        [
            (true, control),
            (false, control),
            (true, control),
            (true, c),
            (false, c),
            (false, control)
        ]
    );
    // A chord that is held longer than its modifier was to be.
    done(&mut client, vec![key_down("ctrl", 300)]).await;
    let long = Action::Key(v1::KeyAction {
        keys: vec!["ctrl".into(), "c".into()],
        repeat: Some(1),
        hold: held(600),
    });
    done(&mut client, vec![long]).await;
    assert_eq!(
        keys(&recorder.within(Duration::from_millis(500))),
        [(true, control), (true, c), (false, c), (false, control)]
    );
}

/// A connection that is lost while a key is held, and a caller who goes away: the
/// next connection releases it, without anybody asking.
#[tokio::test(flavor = "multi_thread")]
async fn r18_a_lost_connection_and_a_caller_who_goes() {
    let server = XServer::start();
    set_keymap(&server, "us");
    let (recorder, daemon) = (Recorder::new(&server), Daemon::start(&server));
    let mut client = daemon.client().await;
    let hold = Action::Key(v1::KeyAction {
        keys: vec!["a".into()],
        repeat: Some(1),
        hold: held(6000),
    });
    let call = tokio::spawn(async move { client.act(bare(vec![hold])).await });
    wait_for("the key", Duration::from_secs(5), || {
        (recorder.keys_down().len() == 1).then_some(())
    });
    assert!(recorder.kill_daemons_connections() >= 1);
    call.abort();
    wait_for("the release", Duration::from_secs(3), || {
        recorder.nothing_is_down().then_some(())
    });
}

/// With the X server goes what was down: nothing is listed, and releasing it is
/// answered by the truth.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_down_goes_with_the_server() {
    let mut server = XServer::start();
    set_keymap(&server, "us");
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    done(&mut client, vec![key_down("shift", 60_000)]).await;
    server.kill();
    let limit = Instant::now() + Duration::from_secs(5);
    loop {
        let held = client.get_pressed(v1::GetPressedRequest {}).await.unwrap();
        if held.into_inner().pressed.is_empty() {
            break;
        }
        assert!(Instant::now() < limit);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// While the server hangs, held input stays down, and no answer claims otherwise.
#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_cannot_be_is_not_claimed() {
    let server = XServer::start();
    set_keymap(&server, "us");
    let (recorder, daemon) = (Recorder::new(&server), Daemon::start(&server));
    let mut client = daemon.client().await;
    done(&mut client, vec![key_down("shift", 60_000)]).await;
    server.stop();
    let mut request = Request::new(v1::ReleaseAllRequest {});
    request.set_timeout(Duration::from_secs(2));
    let status = client.release_all(request).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    server.resume();
    wait_for("the release", Duration::from_secs(5), || {
        recorder.nothing_is_down().then_some(())
    });
}

/// One daemon gives input on a display; another leaves what it holds alone.
#[tokio::test(flavor = "multi_thread")]
async fn two_daemons_do_not_meddle() {
    let server = XServer::start();
    let (recorder, first) = (Recorder::new(&server), Daemon::start(&server));
    let mut client = first.client().await;
    let request = bare(vec![drag(&[(100, 100), (900, 700)], 3000)]);
    let call = tokio::spawn(async move { client.act(request).await });
    recorder.until(Duration::from_secs(5), |seen| presses(seen, 1).0 == 1);
    let looks = Daemon::with(&server, &["--read-only"]);
    let second = Daemon::start(&server);
    let mut client = second.client().await;
    let (code, reason, status) = refused(&mut client, bare(vec![click(5, 5)])).await;
    assert_eq!(
        (code, reason),
        (Code::Unavailable, v1::Reason::InputTaken),
        "{status:?}"
    );
    assert_eq!(recorder.buttons_down(), 1);
    let reply = call.await.unwrap().unwrap().into_inner();
    assert_eq!(reply.outcome(), v1::ActOutcome::Done);
    assert_eq!(reply.results[0].pointer, Some((900, 700).into()));
    drop((first, looks));
    // Now it is free.
    done(&mut client, vec![click(5, 5)]).await;
}

/// A mark that no daemon can have meant is not believed.
#[tokio::test(flavor = "multi_thread")]
async fn marks_are_believed_within_reason() {
    let server = XServer::start();
    set_keymap(&server, "us");
    let recorder = Recorder::new(&server);
    let mut xprop = server.program("xprop");
    let marks = "1 b1:9999999999999999 k38:99999999999";
    let arguments = [
        "-root",
        "-f",
        "_DESKD_PRESSED",
        "8s",
        "-set",
        "_DESKD_PRESSED",
        marks,
    ];
    crate::common::program::output(xprop.args(arguments), "x11-utils");
    let mut xdotool = server.program("xdotool");
    crate::common::program::output(xdotool.args(["keydown", "a"]), "xdotool");
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    // The button is up; the key is down, and is held no longer than any.
    done(&mut client, vec![click(5, 5)]).await;
    let held = client.get_pressed(v1::GetPressedRequest {}).await.unwrap();
    let held = held.into_inner().pressed;
    assert_eq!(held.len(), 1, "{held:?}");
    let until = std::time::SystemTime::try_from(held[0].until.unwrap()).unwrap();
    let left = until.duration_since(std::time::SystemTime::now()).unwrap();
    assert!(left <= Duration::from_secs(60), "{left:?}");
    let listed = daemon.cli(&["pressed"]);
    assert_eq!(listed.status.code(), Some(0), "{listed:?}");
    client.release_all(v1::ReleaseAllRequest {}).await.unwrap();
    assert!(recorder.nothing_is_down());
}

/// Input that was pressed under a name is released by that name, whatever the layout is.
#[tokio::test]
async fn a_name_releases_what_it_pressed() {
    let server = XServer::start();
    set_keymap(&server, "us");
    let (recorder, daemon) = (Recorder::new(&server), Daemon::start(&server));
    let mut client = daemon.client().await;
    done(&mut client, vec![key_down("y", 0)]).await;
    set_keymap(&server, "de");
    done(&mut client, vec![key_up("y")]).await;
    assert!(recorder.nothing_is_down());
}

/// Keys repeat again after a daemon was killed that kept them from it, and stay as
/// they are where somebody else turned that off.
#[tokio::test(flavor = "multi_thread")]
async fn keys_repeat_as_they_did() {
    let server = XServer::start();
    set_keymap(&server, "us");
    let repeats = || {
        let mut xset = server.program("xset");
        let out = crate::common::program::output(xset.arg("q"), "x11-xserver-utils");
        String::from_utf8_lossy(&out).contains("auto repeat:  on")
    };
    assert!(repeats());
    let _recorder = Recorder::new(&server);
    let mut first = Daemon::start(&server);
    let mut client = first.client().await;
    let mut slow = bare(vec![text(&"slow ".repeat(12))]);
    if let Some(Action::Type(action)) = &mut slow.actions[0].action {
        action.rate = Some(10);
    }
    let call = tokio::spawn(async move { client.act(slow).await });
    wait_for("that keys do not repeat", Duration::from_secs(5), || {
        (!repeats()).then_some(())
    });
    first.signal("KILL");
    drop(call.await);
    first.wait(Duration::from_secs(5));
    assert!(!repeats());
    let second = Daemon::start(&server);
    let mut client = second.client().await;
    done(&mut client, vec![text("a")]).await;
    assert!(repeats());
    let mut xset = server.program("xset");
    crate::common::program::output(xset.args(["r", "off"]), "x11-xserver-utils");
    done(&mut client, vec![text("b")]).await;
    assert!(!repeats());
}
