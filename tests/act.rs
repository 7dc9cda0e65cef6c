//! A step as a whole: done once, in turn, for the desktop that it is meant for,
//! and answered with its frame.

use std::time::Duration;

use deskd::v1::{self, action::Action};
use tonic::{Code, Request};

use crate::{
    common::{
        Daemon, Image, Recorder, Seen, Witness, XServer,
        daemon::{raw, raw_image},
        step::{Client, bare, chord, click, done, drag, move_to, pause, refused, text},
        wait_for,
    },
    keys::set_keymap,
};

async fn instance(client: &mut Client) -> String {
    let info = client.get_info(v1::GetInfoRequest {}).await.unwrap();
    info.into_inner().instance_id
}

fn named(id: &str, instance: &str, actions: Vec<Action>) -> v1::ActRequest {
    v1::ActRequest {
        operation_id: id.into(),
        instance_id: instance.into(),
        ..bare(actions)
    }
}

fn clicks(seen: &[Seen]) -> usize {
    let press = |seen: &&Seen| matches!(seen, Seen::Button { down: true, .. });
    seen.iter().filter(press).count()
}

/// A batch is validated whole: when its third action cannot be done, the first
/// two are not either.
#[tokio::test]
async fn a_batch_with_a_fault_does_nothing() {
    let server = XServer::start();
    set_keymap(&server, "us");
    let (recorder, daemon) = (Recorder::new(&server), Daemon::start(&server));
    let mut client = daemon.client().await;
    let wait = |seconds, nanos| {
        Action::Wait(v1::WaitAction {
            duration: Some(prost_types::Duration { seconds, nanos }),
        })
    };
    let unknown_button = Action::Click(v1::ClickAction {
        button: 77,
        ..v1::ClickAction::default()
    });
    let count = Action::Click(v1::ClickAction {
        count: Some(4),
        ..v1::ClickAction::default()
    });
    for (third, code, reason) in [
        (
            chord(&["hyperspace"]),
            Code::InvalidArgument,
            v1::Reason::UnknownKey,
        ),
        (click(1280, 0), Code::OutOfRange, v1::Reason::OutOfScreen),
        (
            text("語\u{ffff}"),
            Code::InvalidArgument,
            v1::Reason::UntypableCharacter,
        ),
        (
            unknown_button,
            Code::InvalidArgument,
            v1::Reason::InvalidField,
        ),
        (count, Code::InvalidArgument, v1::Reason::LimitExceeded),
        (
            wait(300, 1),
            Code::InvalidArgument,
            v1::Reason::LimitExceeded,
        ),
        (wait(0, 0), Code::InvalidArgument, v1::Reason::InvalidField),
        (wait(-1, 0), Code::InvalidArgument, v1::Reason::InvalidField),
        (
            drag(&[(1, 1)], 10),
            Code::InvalidArgument,
            v1::Reason::InvalidField,
        ),
        (
            drag(&[(1, 1), (2, 2)], 10_001),
            Code::InvalidArgument,
            v1::Reason::LimitExceeded,
        ),
        (
            Action::Move(v1::MoveAction::default()),
            Code::InvalidArgument,
            v1::Reason::InvalidField,
        ),
        (
            // A coordinate that is missing is not 0.
            Action::Move(v1::MoveAction {
                to: Some(
                    v1::Point {
                        x: Some(5),
                        y: None,
                    }
                    .into(),
                ),
                ..v1::MoveAction::default()
            }),
            Code::InvalidArgument,
            v1::Reason::InvalidField,
        ),
        (
            Action::Drag(v1::DragAction {
                path: vec![(5, 5).into(), v1::Target::default()],
                ..v1::DragAction::default()
            }),
            Code::InvalidArgument,
            v1::Reason::InvalidField,
        ),
        (
            Action::Click(v1::ClickAction {
                count: Some(0),
                ..v1::ClickAction::default()
            }),
            Code::InvalidArgument,
            v1::Reason::InvalidField,
        ),
        (
            pause(301_000),
            Code::InvalidArgument,
            v1::Reason::LimitExceeded,
        ),
        (
            Action::Paste(v1::PasteAction::default()),
            Code::InvalidArgument,
            v1::Reason::InvalidField,
        ),
    ] {
        let batch = bare(vec![click(7, 7), text("x"), third]);
        let (got, why, status) = refused(&mut client, batch).await;
        assert_eq!((got, why), (code, reason), "{status:?}");
    }
    let many = vec![move_to(1, 1); 101];
    for (request, reason) in [
        (bare(vec![]), v1::Reason::InvalidField),
        (bare(many), v1::Reason::LimitExceeded),
        (
            v1::ActRequest {
                actions: vec![v1::Action { action: None }],
                ..bare(vec![])
            },
            v1::Reason::InvalidField,
        ),
        (
            v1::ActRequest {
                capture: Some(raw_image()),
                ..bare(vec![move_to(1, 1)])
            },
            v1::Reason::InvalidField,
        ),
        (
            v1::ActRequest {
                operation_id: "x".into(),
                ..bare(vec![move_to(1, 1)])
            },
            v1::Reason::InvalidField,
        ),
        (
            named("tab\t", "i", vec![move_to(1, 1)]),
            v1::Reason::InvalidField,
        ),
        (
            v1::ActRequest {
                settle: Some(v1::SettleOptions {
                    skip: false,
                    timeout: Some(prost_types::Duration {
                        seconds: 61,
                        nanos: 0,
                    }),
                    quiet: None,
                }),
                ..bare(vec![move_to(1, 1)])
            },
            v1::Reason::LimitExceeded,
        ),
        (
            v1::ActRequest {
                settle: Some(v1::SettleOptions {
                    skip: false,
                    timeout: None,
                    quiet: Some(prost_types::Duration {
                        seconds: 11,
                        nanos: 0,
                    }),
                }),
                ..bare(vec![move_to(1, 1)])
            },
            v1::Reason::LimitExceeded,
        ),
    ] {
        let (code, why, status) = refused(&mut client, request).await;
        assert_eq!((code, why), (Code::InvalidArgument, reason), "{status:?}");
    }
    assert_eq!(recorder.take(), []);
}

/// R24: a step with an operation id is done once: in flight, when it is done,
/// after 300 others, after a restart.
#[tokio::test(flavor = "multi_thread")]
async fn r24_an_operation_is_done_once() {
    let server = XServer::start();
    let recorder = Recorder::new(&server);
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    let life = instance(&mut client).await;
    let step = named("one", &life, vec![click(5, 5), pause(500)]);

    // In flight: they join the first.
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (mut client, step) = (client.clone(), step.clone());
        calls.spawn(async move { client.act(step).await.unwrap().into_inner() });
    }
    let replies = calls.join_all().await;
    assert_eq!(replies.iter().filter(|reply| !reply.replayed).count(), 1);
    for reply in &replies {
        assert_eq!(reply.outcome(), v1::ActOutcome::Done);
        assert_eq!(reply.results, replies[0].results);
    }
    assert_eq!(clicks(&recorder.take()), 1);

    // Done: the results of then, a frame of now.
    let mut again = step.clone();
    again.no_frame = false;
    let reply = client.act(again).await.unwrap().into_inner();
    assert!(reply.replayed);
    assert_eq!(reply.results, replies[0].results);
    assert_eq!(reply.frame.unwrap().kind(), v1::FrameKind::Screen);
    assert_eq!(clicks(&recorder.take()), 0);

    // The same id with another content.
    let other = named("one", &life, vec![click(6, 6), pause(500)]);
    let (code, reason, _) = refused(&mut client, other).await;
    assert_eq!(
        (code, reason),
        (Code::FailedPrecondition, v1::Reason::OperationIdReused)
    );

    // What was refused was not done: its id is free.
    let off = named("two", &life, vec![click(-5, 5)]);
    assert_eq!(refused(&mut client, off).await.1, v1::Reason::OutOfScreen);
    let on = named("two", &life, vec![click(300, 5)]);
    assert!(!client.act(on).await.unwrap().into_inner().replayed);
    recorder.take();

    for number in 0..300 {
        let step = named(&format!("n{number}"), &life, vec![move_to(number, 1)]);
        client.act(step).await.unwrap();
    }
    recorder.take();
    let (code, reason, _) = refused(&mut client, step.clone()).await;
    assert_eq!(
        (code, reason),
        (Code::FailedPrecondition, v1::Reason::OutcomeUnknown)
    );

    drop(daemon);
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    let (code, reason, _) = refused(&mut client, step).await;
    assert_eq!(
        (code, reason),
        (Code::FailedPrecondition, v1::Reason::OutcomeUnknown)
    );
    assert_eq!(clicks(&recorder.take()), 0);
}

/// The one who began a step goes away, another waits for the same: it goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_step_goes_on_while_anybody_waits_for_it() {
    let server = XServer::start();
    let (recorder, daemon) = (Recorder::new(&server), Daemon::start(&server));
    let (mut first, mut second) = (daemon.client().await, daemon.client().await);
    let life = instance(&mut first).await;
    let step = named(
        "shared",
        &life,
        vec![click(5, 5), pause(900), click(600, 5)],
    );
    let (a, b) = (step.clone(), step);
    let one = tokio::spawn(async move { first.act(a).await });
    recorder.until(Duration::from_secs(5), |seen| clicks(seen) == 1);
    let two = tokio::spawn(async move { second.act(b).await.unwrap().into_inner() });
    tokio::time::sleep(Duration::from_millis(200)).await;
    one.abort();
    let reply = two.await.unwrap();
    assert!(reply.replayed);
    assert_eq!(reply.outcome(), v1::ActOutcome::Done);
    assert_eq!(clicks(&recorder.take()), 1);
}

/// R20: steps at once are done one after the other, and each in one piece; the
/// seventeenth caller is turned away.
#[tokio::test(flavor = "multi_thread")]
async fn r20_callers_take_turns_and_the_seventeenth_is_refused() {
    let server = XServer::start();
    set_keymap(&server, "us");
    let (recorder, daemon) = (Recorder::new(&server), Daemon::start(&server));
    let mut client = daemon.client().await;
    let mut calls = tokio::task::JoinSet::new();
    let mut call = |actions| {
        let mut client = client.clone();
        calls.spawn(async move { client.act(bare(actions)).await.unwrap().into_inner() });
    };
    call(vec![pause(1500)]);
    tokio::time::sleep(Duration::from_millis(200)).await;
    for letter in "abcdefghijklmno".chars() {
        call(vec![text(&letter.to_string().repeat(20)), pause(20)]);
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let (code, reason, _) = refused(&mut client, bare(vec![text("z")])).await;
    assert_eq!(
        (code, reason),
        (Code::ResourceExhausted, v1::Reason::QueueFull)
    );
    // Captures do not wait for the input.
    let spec = v1::ScreenshotRequest {
        unproved: true,
        ..v1::ScreenshotRequest::default()
    };
    let began = std::time::Instant::now();
    client.screenshot(spec).await.unwrap();
    println!("a screenshot meanwhile: {:?}", began.elapsed());
    for reply in calls.join_all().await {
        assert_eq!(reply.outcome(), v1::ActOutcome::Done);
    }
    let codes: Vec<u8> = recorder
        .take()
        .iter()
        .filter_map(|seen| match seen {
            Seen::Key {
                down: true, code, ..
            } => Some(*code),
            _ => None,
        })
        .collect();
    assert_eq!(codes.len(), 15 * 20);
    for part in codes.chunks(20) {
        assert!(part.iter().all(|code| *code == part[0]), "{codes:?}");
    }
    let wanted = recorder.code_of(u32::from('z'));
    assert!(!codes.contains(&wanted));
}

/// Another X server, another size, an unknown frame: refused, nothing is done.
#[tokio::test]
async fn a_step_is_for_the_desktop_that_it_expects() {
    let server = XServer::start();
    let mut witness = Witness::new(&server);
    witness.draw_pattern(3);
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    let frame = client.screenshot(raw()).await.unwrap().into_inner();
    let frame = frame.frame.unwrap();
    let expecting = |expect| v1::ActRequest {
        expect: Some(expect),
        ..bare(vec![move_to(11, 12)])
    };
    let right = v1::Expect {
        server_generation: frame.server_generation.clone(),
        geometry_epoch: Some(frame.geometry_epoch),
        frame_id: frame.frame_id.clone(),
        control_epoch: Some(frame.control_epoch),
    };
    let reply = client.act(expecting(right.clone())).await.unwrap();
    assert_eq!(reply.into_inner().outcome(), v1::ActOutcome::Done);
    for (expect, reason) in [
        (
            v1::Expect {
                server_generation: "0123456789abcdef0123456789abcdef".into(),
                ..v1::Expect::default()
            },
            v1::Reason::StaleGeneration,
        ),
        (
            v1::Expect {
                geometry_epoch: Some(frame.geometry_epoch + 1),
                ..v1::Expect::default()
            },
            v1::Reason::StaleEpoch,
        ),
        (
            v1::Expect {
                frame_id: "nobody-7".into(),
                ..v1::Expect::default()
            },
            v1::Reason::UnknownFrame,
        ),
    ] {
        let (code, got, _) = refused(&mut client, expecting(expect)).await;
        assert_eq!((code, got), (Code::FailedPrecondition, reason));
    }
    // Pixels that changed never fail it; a resize does.
    witness.draw_pattern(4);
    client.act(expecting(right.clone())).await.unwrap();
    witness.resize(1024, 768);
    let (code, reason, _) = refused(&mut client, expecting(right)).await;
    assert_eq!(
        (code, reason),
        (Code::FailedPrecondition, v1::Reason::StaleEpoch)
    );
}

/// A desktop that is not proved, a daemon that only looks, a display that is not
/// there: each its own status, and nothing is pressed.
#[tokio::test]
async fn unproved_read_only_and_without_a_display() {
    let mut server = XServer::start();
    let recorder = Recorder::new(&server);
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    let strict = v1::ActRequest {
        unproved: false,
        ..bare(vec![click(1, 1)])
    };
    let (code, reason, _) = refused(&mut client, strict).await;
    assert_eq!(
        (code, reason),
        (Code::FailedPrecondition, v1::Reason::NotPainted)
    );

    let looks = Daemon::with(&server, &["--read-only"]);
    let mut looking = looks.client().await;
    let (code, reason, _) = refused(&mut looking, bare(vec![click(1, 1)])).await;
    assert_eq!(
        (code, reason),
        (Code::PermissionDenied, v1::Reason::ReadOnly)
    );
    let released = looking.release_all(v1::ReleaseAllRequest {}).await;
    assert_eq!(released.unwrap_err().code(), Code::PermissionDenied);
    looking.screenshot(raw()).await.unwrap();
    looking.get_pressed(v1::GetPressedRequest {}).await.unwrap();
    let info = looking.get_info(v1::GetInfoRequest {}).await.unwrap();
    let info = info.into_inner();
    let mut act = info.features.iter();
    let act = act.find(|cell| cell.feature() == v1::Feature::Act);
    assert_eq!(act.unwrap().reason(), v1::Reason::ReadOnly);
    assert_eq!(recorder.take(), []);

    server.kill();
    wait_for("the loss", Duration::from_secs(5), || {
        daemon.log().contains("no connection").then_some(())
    });
    let (code, _, status) = refused(&mut client, bare(vec![click(1, 1)])).await;
    assert_eq!(code, Code::Unavailable, "{status:?}");
}

/// R5: the frame of a step shows what the step did.
#[tokio::test(flavor = "multi_thread")]
async fn r5_the_frame_shows_what_was_done() {
    let server = XServer::start();
    let recorder = Recorder::new(&server);
    let daemon = Daemon::start(&server);
    // A program that draws when it is clicked, later and later.
    let painter = std::thread::spawn(move || {
        for step in 1..=5_u32 {
            recorder.until(Duration::from_secs(10), |seen| clicks(seen) == 1);
            std::thread::sleep(Duration::from_millis(60 * u64::from(step)));
            let colour = 0x0010_1010 * step;
            let window = recorder.window();
            recorder.witness().draw(window, (0, 0), (400, 300), colour);
        }
        recorder
    });
    let mut client = daemon.client().await;
    for step in 1..=5_u32 {
        let mut request = bare(vec![click(600, 600)]);
        (request.settle, request.no_frame) = (None, false);
        request.capture = Some(raw_image());
        let reply = client.act(request).await.unwrap().into_inner();
        assert_eq!(reply.outcome(), v1::ActOutcome::Done);
        let settle = reply.settle.unwrap();
        assert_eq!(settle.state(), v1::SettleState::Quiet, "{settle:?}");
        let image = Image::from_frame(&reply.frame.unwrap());
        let level = u8::try_from(0x10 * step).unwrap();
        assert_eq!(image.at(10, 10)[..3], [level; 3]);
    }
    painter.join().unwrap();
}

/// On the command line: outcomes, exit codes, names, and text that no other
/// process sees.
#[tokio::test]
async fn steps_on_the_command_line() {
    let server = XServer::start();
    set_keymap(&server, "us");
    let (recorder, daemon) = (Recorder::new(&server), Daemon::start(&server));
    let run = |arguments: &[&str]| {
        let output = daemon.cli(arguments);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (
            output.status.code(),
            text(&output.stdout),
            text(&output.stderr),
        )
    };
    let (code, out, err) = run(&[
        "click",
        "0",
        "0",
        "--unproved",
        "--no-settle",
        "--count",
        "2",
    ]);
    assert_eq!(
        (code, out.as_str()),
        (Some(0), "done; the screen: not waited for\n"),
        "{err}"
    );
    assert_eq!(clicks(&recorder.take()), 2);
    assert_eq!(run(&["move", "-5", "3", "--unproved"]).0, Some(4));
    assert_eq!(run(&["key", "ctrl+nokey", "--unproved"]).0, Some(4));
    // A flag that is misspelt is not typed.
    assert_eq!(run(&["type", "--no-setle", "--unproved"]).0, Some(2));
    assert_eq!(run(&["key", "ctrl+", "--unproved"]).0, Some(4));
    let hyphen = ["type", "--unproved", "--no-settle", "--", "-x"];
    assert_eq!(run(&hyphen).0, Some(0));
    assert_eq!(
        run(&["scroll", "9", "9", "0", "-200", "--unproved", "--no-settle"]).0,
        Some(0)
    );
    assert_eq!(clicks(&recorder.take()), 2);
    let request = r#"{"actions":[{"move":{"to":{"point":{"x":3,"y":4}}}}],"unproved":true,
        "settle":{"skip":true},"noFrame":true}"#;
    let (code, out, err) = run(&["act", request, "--json"]);
    assert_eq!(code, Some(0), "{err}");
    let reply: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(reply["outcome"], "ACT_OUTCOME_DONE");
    assert_eq!(reply["results"][0]["pointer"]["x"], 3);
    let (code, _, err) = run(&["act", r#"{"actionz":[]}"#]);
    assert_eq!(code, Some(2));
    assert!(err.contains("actionz"), "{err}");
    let (code, out, _) = run(&["key", "--list"]);
    assert_eq!(code, Some(0));
    for name in ["ctrl = Control_L", "Page_Down", "XF86AudioMute"] {
        assert!(out.lines().any(|line| line == name), "{name}");
    }
    let (code, _, err) = run(&["click", "1", "1"]);
    assert_eq!(code, Some(4));
    assert!(err.contains("not painted"), "{err}");
    assert_eq!(run(&["pressed"]).1, "");
    assert_eq!(run(&["release"]).0, Some(0));
    let (code, _, err) = run(&[
        "act",
        r#"{"actions":[{"wait":{"duration":"9s"}}],"unproved":true}"#,
        "--deadline",
        "1s",
    ]);
    assert_eq!(code, Some(6), "{err}");
}

/// The input thread does its work beside others: what it does is in the log by
/// name, what is typed is not.
#[tokio::test]
async fn nothing_that_is_typed_reaches_the_log() {
    let server = XServer::start();
    set_keymap(&server, "us");
    let _recorder = Recorder::new(&server);
    let daemon = Daemon::launch(&server, &[], &[], &[("DESKD_LOG", "trace")]);
    let mut client = daemon.client().await;
    done(&mut client, vec![text("canary-hunter2")]).await;
    let mut off = bare(vec![text("canary-hunter2"), click(-1, 0)]);
    off.operation_id = "op".into();
    off.instance_id = instance(&mut client).await;
    let mut request = Request::new(off);
    request.set_timeout(Duration::from_secs(5));
    let status = client.act(request).await.unwrap_err();
    assert!(!format!("{status:?}").contains("hunter2"));
    assert!(!daemon.log().contains("hunter2"));
}

/// A picture that this screen cannot answer with is refused before anything is
/// done.
#[tokio::test]
async fn an_impossible_picture_refuses_the_step() {
    let server = XServer::start();
    let (recorder, daemon) = (Recorder::new(&server), Daemon::start(&server));
    let mut client = daemon.client().await;
    done(&mut client, vec![move_to(9, 9)]).await;
    recorder.take();
    let region = |x, y, width, height| v1::ScreenshotRequest {
        capture: Some(v1::CaptureOptions {
            region: Some(v1::Region::new(x, y, width, height)),
            ..raw_image()
        }),
        ..raw()
    };
    let unknown = v1::ScreenshotRequest {
        capture: Some(v1::CaptureOptions {
            coordinate_space: Some(v1::CoordinateSpace {
                space: Some(v1::coordinate_space::Space::FrameId("no-such-frame".into())),
            }),
            ..region(0, 0, 5, 5).capture.clone().unwrap_or_default()
        }),
        ..region(0, 0, 5, 5)
    };
    for (picture, reason) in [
        (region(1000, 0, 500, 10), v1::Reason::OutOfScreen),
        (unknown, v1::Reason::UnknownFrame),
    ] {
        let request = v1::ActRequest {
            capture: picture.capture,
            no_frame: false,
            ..bare(vec![click(50, 50)])
        };
        let (_, found, status) = refused(&mut client, request).await;
        assert_eq!(found, reason, "{status:?}");
    }
    assert_eq!(recorder.take(), []);
    assert_eq!(recorder.pointer().0, 9);
}

/// A time that is too short for anything is a deadline, and no mystery.
#[tokio::test]
async fn a_short_deadline_is_told_as_one() {
    let server = XServer::start();
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    done(&mut client, vec![click(1, 1)]).await;
    for ms in [20, 50, 100, 200] {
        let mut request = bare(vec![move_to(6, 6)]);
        request.settle = None;
        let mut request = Request::new(request);
        request.set_timeout(Duration::from_millis(ms));
        match client.act(request).await {
            Ok(reply) => {
                let reply = reply.into_inner();
                assert_ne!(
                    reply.outcome(),
                    v1::ActOutcome::Unknown,
                    "{ms} ms: {reply:?}"
                );
            }
            Err(status) => {
                let told = [Code::DeadlineExceeded, Code::Cancelled].contains(&status.code());
                assert!(told, "{ms} ms: {status:?}");
            }
        }
    }
}
