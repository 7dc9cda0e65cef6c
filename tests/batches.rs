//! Steps of several actions: what happens if one cannot be done, and pictures in between.

use std::time::Duration;

use deskd::v1::{
    self,
    ActionStatus::{Done, Failed, NotExecuted},
    action::Action,
};
use tonic::Code;

use crate::{
    common::{
        Daemon, Image, Recorder, Seen, XServer,
        daemon::{frame, raw, raw_image, screen},
        pacing::{MANAGERS, Stage},
        receiver::Toolkit,
        step::{Client, bare, chord, click, drag, key_down, move_to, pause, refused, text},
    },
    keys::set_keymap,
};

fn picture(capture: v1::CaptureOptions) -> Action {
    Action::Screenshot(v1::ScreenshotAction {
        capture: Some(capture),
    })
}

/// A step that stops at the first action that cannot be done.
fn stopping(actions: Vec<Action>) -> v1::ActRequest {
    v1::ActRequest {
        on_failure: v1::OnFailure::StopAtFirst.into(),
        ..bare(actions)
    }
}

fn reached(reply: &v1::ActResponse) -> Vec<v1::ActionStatus> {
    reply.results.iter().map(v1::ActionResult::status).collect()
}

async fn act(client: &mut Client, request: v1::ActRequest) -> v1::ActResponse {
    client.act(request).await.unwrap().into_inner()
}

/// Presses of buttons, and where.
fn presses(recorder: &Recorder) -> Vec<(i16, i16)> {
    let press = |seen: Seen| match seen {
        Seen::Button { down: true, at, .. } => Some(at),
        _ => None,
    };
    recorder.take().into_iter().filter_map(press).collect()
}

#[tokio::test]
async fn a_batch_stops_at_the_first_action_that_cannot_be_done() {
    let server = XServer::start();
    set_keymap(&server, "us");
    let (recorder, daemon) = (Recorder::new(&server), Daemon::start(&server));
    let mut client = daemon.client().await;
    let button = |number| {
        Action::Click(v1::ClickAction {
            button: number,
            ..v1::ClickAction::default()
        })
    };
    let part = v1::CaptureOptions {
        region: Some(v1::Region::new(1250, 750, 100, 100)),
        ..raw_image()
    };
    let stale = v1::CaptureOptions {
        coordinate_space: Some(v1::CoordinateSpace {
            space: Some(v1::coordinate_space::Space::FrameId("no-frame".into())),
        }),
        ..raw_image()
    };
    for (wrong, reason) in [
        // Found in the message, in the keymap, on the screen, in what is held, by a look.
        (chord(&["hyperspace"]), v1::Reason::UnknownKey),
        (button(77), v1::Reason::InvalidField),
        (text("\u{7}"), v1::Reason::UntypableCharacter),
        (click(2000, 10), v1::Reason::OutOfScreen),
        (picture(part), v1::Reason::OutOfScreen),
        (picture(stale), v1::Reason::UnknownFrame),
    ] {
        // The third.
        let actions = vec![click(10, 10), move_to(20, 20), wrong.clone(), click(30, 30)];
        let (code, said, _) = refused(&mut client, bare(actions.clone())).await;
        assert_ne!(code, Code::Ok);
        assert_eq!(said, reason);
        assert_eq!(presses(&recorder), []);
        let reply = act(&mut client, stopping(actions)).await;
        assert_eq!(reply.outcome(), v1::ActOutcome::Partial, "{reply:?}");
        assert_eq!(reached(&reply), [Done, Done, Failed, NotExecuted]);
        let failure = reply.results[2].failure.as_ref().unwrap();
        assert_eq!((failure.reason(), failure.retryable), (reason, false));
        assert_eq!(failure.stage(), v1::FailureStage::Input);
        assert_eq!(presses(&recorder), [(10, 10)]);
        // The first: nothing is done, and nothing is waited for.
        let mut request = stopping(vec![wrong, click(30, 30)]);
        (request.settle, request.no_frame) = (None, false);
        let reply = act(&mut client, request).await;
        assert_eq!(reply.outcome(), v1::ActOutcome::Partial, "{reply:?}");
        assert_eq!(reached(&reply), [Failed, NotExecuted]);
        assert_eq!(reply.frame.unwrap().kind(), v1::FrameKind::Screen);
        let state = reply.settle.unwrap().state();
        assert_eq!(state, v1::SettleState::Skipped, "{reason:?}");
        assert_eq!(presses(&recorder), []);
    }
    // What belongs to no action is refused.
    let mut request = stopping(vec![click(1, 1)]);
    request.on_failure = 77;
    let (_, reason, _) = refused(&mut client, request).await;
    assert_eq!(reason, v1::Reason::InvalidField);
    let mut request = stopping(vec![click(1, 1)]);
    request.expect = Some(v1::Expect {
        server_generation: "0".repeat(32),
        ..v1::Expect::default()
    });
    let (_, reason, _) = refused(&mut client, request).await;
    assert_eq!(reason, v1::Reason::StaleGeneration);
    assert_eq!(presses(&recorder), []);
}

/// An action is held against the screen of its own turn.
#[tokio::test]
async fn a_batch_that_stops_at_the_first_is_validated_action_by_action() {
    let server = XServer::with_screen("1024x768x24", &[]);
    let mut recorder = crate::common::Witness::new(&server);
    recorder.resize(640, 480);
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    let actions = vec![move_to(1, 1), pause(1500), move_to(900, 700)];
    let (_, reason, _) = refused(&mut client, bare(actions.clone())).await;
    assert_eq!(reason, v1::Reason::OutOfScreen);
    let mut other = client.clone();
    let step = tokio::spawn(async move { act(&mut other, stopping(actions)).await });
    tokio::time::sleep(Duration::from_millis(500)).await;
    recorder.resize(1024, 768);
    let reply = step.await.unwrap();
    assert_eq!(reached(&reply), [Done, Done, Done], "{reply:?}");
    assert_eq!(reply.results[2].pointer, Some((900, 700).into()));
}

/// A retry gets the account of then, without its pictures.
#[tokio::test]
async fn a_batch_that_stopped_is_done_once() {
    let server = XServer::start();
    let (recorder, daemon) = (Recorder::new(&server), Daemon::start(&server));
    let mut client = daemon.client().await;
    let info = client.get_info(v1::GetInfoRequest {}).await.unwrap();
    let actions = vec![click(5, 5), picture(raw_image()), chord(&["nothing"])];
    let request = v1::ActRequest {
        operation_id: "batch".into(),
        instance_id: info.into_inner().instance_id,
        ..stopping(actions)
    };
    let first = act(&mut client, request.clone()).await;
    let again = act(&mut client, request).await;
    assert!(!first.replayed && again.replayed);
    for reply in [&first, &again] {
        assert_eq!(reached(reply), [Done, Done, Failed]);
        let failure = reply.results[2].failure.as_ref().unwrap();
        assert_eq!(failure.reason(), v1::Reason::UnknownKey);
    }
    assert!(first.results[1].frame.is_some() && again.results[1].frame.is_none());
    assert_eq!(presses(&recorder), [(5, 5)]);
}

/// Each picture shows what the actions before it did, in a real program.
#[tokio::test]
async fn a_picture_in_a_batch_shows_what_was_done_before_it() {
    let manager = MANAGERS.iter().find(|m| m.name == "openbox").unwrap();
    let mut stage = Stage::new(manager, Toolkit::Gtk).await;
    let (x, y) = stage.widget(0, "a");
    let still = v1::CaptureOptions {
        include_cursor: Some(false),
        ..v1::CaptureOptions::default()
    };
    let png = || picture(still.clone());
    let request = v1::ActRequest {
        settle: None,
        no_frame: false,
        capture: Some(still.clone()),
        ..bare(vec![
            click(x, y),
            png(),
            text("WWWW"),
            png(),
            text("MMMM"),
            png(),
        ])
    };
    let reply = act(stage.client(), request).await;
    assert_eq!(reply.outcome(), v1::ActOutcome::Done, "{reply:?}");
    let pictures: Vec<_> = [1, 3, 5]
        .map(|index| {
            let result = &reply.results[index];
            let settle = result.settle.as_ref().unwrap();
            assert_ne!(settle.state(), v1::SettleState::Skipped);
            Image::from_frame(result.frame.as_ref().unwrap())
        })
        .into();
    // A caret that blinks is some pixels; four letters are more.
    for pair in pictures.windows(2) {
        assert!(
            pair[0].differing(&pair[1]) > 60,
            "{}",
            pair[0].differing(&pair[1])
        );
    }
    // The last one shows all: its report is the step's.
    assert_eq!(reply.settle, reply.results[5].settle);
    let last = Image::from_frame(reply.frame.as_ref().unwrap());
    assert!(last.differing(&pictures[2]) < 60);
    assert!(reply.results[0].frame.is_none() && reply.results[0].settle.is_none());
}

#[tokio::test]
async fn pictures_of_a_batch_are_few_and_fit_into_one_answer() {
    let server = XServer::start();
    let (recorder, daemon) = (Recorder::new(&server), Daemon::start(&server));
    let mut client = daemon.client().await;
    let five = vec![picture(raw_image()); 5];
    let (_, reason, _) = refused(&mut client, bare(five)).await;
    assert_eq!(reason, v1::Reason::LimitExceeded);
    // Raw pixels have no limit unless one is given; the default of others is shared.
    recorder.witness().draw_pattern(7);
    let request = v1::ActRequest {
        no_frame: false,
        ..bare(vec![picture(v1::CaptureOptions::default()); 4])
    };
    let reply = act(&mut client, request).await;
    let whole = frame(
        &mut client,
        v1::ScreenshotRequest {
            unproved: true,
            ..v1::ScreenshotRequest::default()
        },
    )
    .await;
    // Noise of the whole screen as a PNG takes more than a fifth of 3.5 MiB.
    assert!(whole.image.len() > 734_003, "{}", whole.image.len());
    let first = &reply.results[0];
    assert_eq!(first.status(), Failed);
    let card = first.frame.as_ref().unwrap();
    assert_eq!(card.kind(), v1::FrameKind::FailureCard);
    assert_eq!(
        first.failure.as_ref().unwrap().reason(),
        v1::Reason::TooLarge
    );
    assert_eq!(first.failure, card.failure);
    // Who cannot see does not act on.
    let small = v1::CaptureOptions {
        max_image_bytes: Some(1),
        ..v1::CaptureOptions::default()
    };
    let blind = vec![click(9, 9), picture(small), click(11, 11)];
    let reply = act(&mut client, bare(blind)).await;
    assert_eq!(reply.outcome(), v1::ActOutcome::Partial);
    assert_eq!(reached(&reply), [Done, Failed, NotExecuted]);
    recorder.witness().round_trip();
    assert_eq!(presses(&recorder), [(9, 9)]);
}

/// Input that is held ends on time also while a picture is taken. A server that hangs ends
/// the step at its deadline.
#[tokio::test]
async fn a_picture_that_does_not_come_ends_the_step_in_time() {
    let server = XServer::start();
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    screen(&mut client, raw()).await;
    let stopped = server.pid();
    let hang = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(300)).await;
        nix::sys::signal::kill(
            nix::unistd::Pid::from_raw(stopped.try_into().unwrap()),
            nix::sys::signal::Signal::SIGSTOP,
        )
        .unwrap();
    });
    let actions = vec![move_to(3, 3), pause(600), picture(raw_image()), click(4, 4)];
    let mut request = tonic::Request::new(bare(actions));
    request.set_timeout(Duration::from_secs(2));
    let reply = client.act(request).await;
    hang.await.unwrap();
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(stopped.try_into().unwrap()),
        nix::sys::signal::Signal::SIGCONT,
    )
    .unwrap();
    let reply = reply.unwrap().into_inner();
    assert_ne!(reply.outcome(), v1::ActOutcome::Done, "{reply:?}");
    assert_eq!(reply.results.len(), 4);
    assert!(
        !reply.results[2].is_done() && !reply.results[3].is_done(),
        "{reply:?}"
    );
    let pressed = client.get_pressed(v1::GetPressedRequest {}).await.unwrap();
    assert_eq!(pressed.into_inner().pressed, []);
}

/// Limits in place of a size; coordinates in the image that comes of them.
#[tokio::test]
async fn an_image_fits_the_limits_of_a_model() {
    let server = XServer::with_screen("1280x800x24", &[]);
    let (recorder, daemon) = (Recorder::new(&server), Daemon::start(&server));
    let mut client = daemon.client().await;
    let fitted = |fit: v1::Fit| v1::ScreenshotRequest {
        capture: Some(v1::CaptureOptions {
            scale: Some(v1::capture_options::Scale::Fit(fit)),
            ..raw_image()
        }),
        ..raw()
    };
    let tiles = Some(v1::Tiles {
        size: 32,
        max_count: 100,
    });
    for (fit, size) in [
        (
            v1::Fit {
                max_side: Some(640),
                ..v1::Fit::default()
            },
            (640, 400),
        ),
        (
            v1::Fit {
                max_side: Some(5000),
                ..v1::Fit::default()
            },
            (1280, 800),
        ),
        (
            v1::Fit {
                max_pixels: Some(1_000_000),
                ..v1::Fit::default()
            },
            (1264, 790),
        ),
        (
            v1::Fit {
                tiles,
                ..v1::Fit::default()
            },
            (384, 240),
        ),
        (
            v1::Fit {
                multiple_of: Some(28),
                ..v1::Fit::default()
            },
            (1260, 784),
        ),
        (
            v1::Fit {
                max_side: Some(1920),
                may_enlarge: true,
                ..v1::Fit::default()
            },
            (1920, 1200),
        ),
    ] {
        let shown = screen(&mut client, fitted(fit)).await;
        assert_eq!((shown.width, shown.height), size, "{fit:?}");
        // The last pixel of the image is the last of the screen.
        let (x, y) = (size.0.cast_signed() - 1, size.1.cast_signed() - 1);
        let mut request = bare(vec![move_to(x, y)]);
        request.coordinate_space = Some(v1::CoordinateSpace {
            space: Some(v1::coordinate_space::Space::FrameId(shown.frame_id)),
        });
        let reply = act(&mut client, request).await;
        let at = reply.results[0].pointer.unwrap();
        assert!(at.x() >= 1276 && at.y() >= 796, "{fit:?}: {at:?}");
    }
    drop(recorder);
    for fit in [
        v1::Fit::default(),
        v1::Fit {
            max_side: Some(0),
            ..v1::Fit::default()
        },
        v1::Fit {
            max_side: Some(10),
            multiple_of: Some(28),
            ..v1::Fit::default()
        },
    ] {
        let refused = client.screenshot(fitted(fit)).await.unwrap_err();
        assert_eq!(deskd::client::reason(&refused), v1::Reason::InvalidField);
    }
    let file = tempfile::NamedTempFile::with_suffix(".png").unwrap();
    let path = file.path().to_str().unwrap();
    let said = daemon.cli(&[
        "screenshot",
        "--unproved",
        "--fit",
        "1000,200000",
        "-o",
        path,
    ]);
    assert!(said.status.success(), "{said:?}");
    let image = Image::read(file.path());
    assert_eq!((image.width, image.height), (565, 353));
    let said = daemon.cli(&["screenshot", "--fit", "wide", "-o", path]);
    assert_eq!(said.status.code(), Some(2));
}

/// A step that was planned for one screen is not done on another.
#[tokio::test]
async fn a_screen_that_is_resized_in_the_middle_is_noticed() {
    let server = XServer::with_screen("1024x768x24", &[]);
    let mut witness = crate::common::Witness::new(&server);
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    let frame = screen(&mut client, raw()).await.frame_id;
    let of_frame = v1::coordinate_space::Space::FrameId(frame);
    let sized = v1::coordinate_space::Space::Size(v1::Size {
        width: 1000,
        height: 1000,
    });
    for (space, to, reason, at) in [
        (Some(of_frame), (5, 5), Some(v1::Reason::StaleEpoch), None),
        (None, (900, 700), Some(v1::Reason::OutOfScreen), None),
        (Some(sized), (500, 500), None, Some((320, 240))),
    ] {
        witness.resize(1024, 768);
        screen(&mut client, raw()).await;
        let mut request = bare(vec![move_to(1, 1), pause(1500), move_to(to.0, to.1)]);
        // A frame of this size: that of before is of another epoch.
        let space = match space {
            Some(v1::coordinate_space::Space::FrameId(_)) => {
                let frame = screen(&mut client, raw()).await.frame_id;
                Some(v1::coordinate_space::Space::FrameId(frame))
            }
            other => other,
        };
        request.coordinate_space = space.map(|space| v1::CoordinateSpace { space: Some(space) });
        let mut other = client.clone();
        let step = tokio::spawn(async move { act(&mut other, request).await });
        tokio::time::sleep(Duration::from_millis(500)).await;
        witness.resize(640, 480);
        let reply = step.await.unwrap();
        let last = &reply.results[2];
        let failure = last.failure.as_ref().map(v1::Failure::reason);
        assert_eq!(failure, reason, "{reply:?}");
        if let Some(at) = at {
            assert_eq!(last.pointer, Some(at.into()), "{reply:?}");
        }
    }
}

/// A step was executed, so its answer is no refusal, even if the screen became larger than an
/// image may be.
#[tokio::test]
async fn a_screen_that_becomes_too_large_is_shown_smaller() {
    let server = XServer::with_screen("17000x200x24", &[]);
    let mut witness = crate::common::Witness::new(&server);
    witness.resize(800, 200);
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    screen(&mut client, raw()).await;
    let request = bare(vec![move_to(1, 1), pause(1500), move_to(7, 7)]);
    let request = v1::ActRequest {
        no_frame: false,
        ..request
    };
    let mut other = client.clone();
    let step = tokio::spawn(async move { other.act(request).await });
    tokio::time::sleep(Duration::from_millis(500)).await;
    witness.resize(17_000, 200);
    let reply = step.await.unwrap().unwrap().into_inner();
    assert_eq!(reply.outcome(), v1::ActOutcome::Done, "{reply:?}");
    let frame = reply.frame.unwrap();
    assert_eq!(frame.kind(), v1::FrameKind::Screen);
    assert_eq!((frame.width, frame.screen_width), (16_384, 17_000));
}

/// A step that ends early leaves nothing down, and says why it ended and where the pointer
/// is.
#[tokio::test]
async fn a_step_that_ends_early_leaves_nothing_down() {
    let server = XServer::start();
    set_keymap(&server, "us");
    let (recorder, daemon) = (Recorder::new(&server), Daemon::start(&server));
    let mut client = daemon.client().await;
    let down = Action::ButtonDown(v1::ButtonDownAction {
        at: Some((50, 50).into()),
        ..v1::ButtonDownAction::default()
    });
    let held = vec![down, key_down("ctrl", 60_000), pause(20_000)];
    let mut request = tonic::Request::new(bare(held.clone()));
    request.set_timeout(Duration::from_millis(1500));
    let reply = client.act(request).await.unwrap().into_inner();
    assert_eq!(reply.outcome(), v1::ActOutcome::Deadline, "{reply:?}");
    let failure = reply.results[2].failure.as_ref().unwrap();
    assert_eq!(failure.reason(), v1::Reason::Deadline);
    assert!(recorder.nothing_is_down());
    // Cancelled by another caller.
    let mut other = client.clone();
    let step = tokio::spawn(async move { act(&mut other, bare(held)).await });
    recorder.until(Duration::from_secs(5), |seen| !seen.is_empty());
    tokio::time::sleep(Duration::from_millis(200)).await;
    let released = client.release_all(v1::ReleaseAllRequest {}).await;
    released.unwrap();
    let reply = step.await.unwrap();
    assert_eq!(reply.outcome(), v1::ActOutcome::Cancelled, "{reply:?}");
    let failure = reply.results[2].failure.as_ref().unwrap();
    assert_eq!(failure.reason(), v1::Reason::Cancelled);
    assert!(recorder.nothing_is_down());
    // On the way.
    let mut request = tonic::Request::new(bare(vec![drag(&[(100, 100), (900, 700)], 9000)]));
    request.set_timeout(Duration::from_millis(1500));
    let reply = client.act(request).await.unwrap().into_inner();
    let at = reply.results[0].pointer.unwrap();
    let (x, y, _) = recorder.pointer();
    assert_eq!((at.x(), at.y()), (x.into(), y.into()));
    assert!(at.x() > 100 && at.x() < 900);
}

/// A movement in between does not lead the keys to another program.
#[tokio::test]
async fn keys_for_a_program_that_has_ended_reach_no_other() {
    let manager = MANAGERS.iter().find(|m| m.name == "openbox").unwrap();
    let mut stage = Stage::new(manager, Toolkit::Gtk).await;
    let other = stage.widget(0, "a");
    let mut xterm = stage.server.program("xterm");
    xterm.args(["-geometry", "30x8+900+600", "-e", "sleep", "1.5"]);
    let mut xterm = crate::common::program::spawn(&mut xterm, "xterm");
    tokio::time::sleep(Duration::from_millis(900)).await;
    let actions = vec![
        click(960, 660),
        text("x"),
        pause(1500),
        move_to(other.0, other.1),
        text("lost"),
    ];
    let reply = act(stage.client(), bare(actions)).await;
    xterm.0.wait().unwrap();
    assert_eq!(
        reached(&reply),
        [Done, Done, Done, Done, Failed],
        "{reply:?}"
    );
    let failure = reply.results[4].failure.as_ref().unwrap();
    assert_eq!(failure.reason(), v1::Reason::NotTaken, "{reply:?}");
}
