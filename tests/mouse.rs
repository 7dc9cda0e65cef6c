//! The pointer, as a program receives it.

use std::time::Duration;

use deskd::v1::{self, action::Action};
use tonic::Code;
use xcb::x;

use crate::common::{
    Daemon, Recorder, Seen, XServer,
    step::{at, bare, click, done, drag, move_to, notches, refused},
};

fn button(down: bool, number: u8, x: i16, y: i16, state: u16) -> Seen {
    Seen::Button {
        down,
        number,
        at: (x, y),
        state,
    }
}

const LEFT_IS_DOWN: u16 = 1 << 8;
const CONTROL: u16 = 1 << 2;
const SHIFT: u16 = 1;

/// Every button clicks at the requested place, at the corners, too: 0 is a coordinate.
#[tokio::test]
async fn clicks_arrive_where_they_were_sent() {
    let server = XServer::start();
    let (recorder, daemon) = (Recorder::new(&server), Daemon::start(&server));
    let mut client = daemon.client().await;
    let buttons = [
        (v1::Button::Left, 1),
        (v1::Button::Middle, 2),
        (v1::Button::Right, 3),
        (v1::Button::Back, 8),
        (v1::Button::Forward, 9),
    ];
    let corners = [(0, 0), (1279, 0), (0, 799), (1279, 799), (640, 400)];
    for ((button_name, number), (x, y)) in buttons.into_iter().zip(corners) {
        let action = Action::Click(v1::ClickAction {
            at: Some(at(x, y)),
            button: button_name.into(),
            ..v1::ClickAction::default()
        });
        let reply = done(&mut client, vec![action]).await;
        assert_eq!(reply.results[0].pointer, Some((x, y).into()));
        let (x, y) = (i16::try_from(x).unwrap(), i16::try_from(y).unwrap());
        // Buttons above 5 have no bit in the state.
        let state = if number < 6 { 1 << (7 + number) } else { 0 };
        assert_eq!(
            recorder.take(),
            [
                Seen::Motion((x, y)),
                button(true, number, x, y, 0),
                button(false, number, x, y, state)
            ]
        );
    }
    // Without a point: where the pointer is.
    let here = Action::Click(v1::ClickAction::default());
    let reply = done(&mut client, vec![here]).await;
    assert_eq!(reply.results[0].pointer, Some((640, 400).into()));
}

/// Counts, and modifiers that are held for the time of the click alone.
#[tokio::test]
async fn double_clicks_and_modifiers() {
    let server = XServer::start();
    let (recorder, daemon) = (Recorder::new(&server), Daemon::start(&server));
    let mut client = daemon.client().await;
    let (control, shift) = (recorder.code_of(0xffe3), recorder.code_of(0xffe1));
    let action = Action::Click(v1::ClickAction {
        at: Some(at(10, 20)),
        count: Some(2),
        modifiers: vec!["CTRL".into(), "shift".into()],
        ..v1::ClickAction::default()
    });
    done(&mut client, vec![action]).await;
    let both = CONTROL | SHIFT;
    let key = |down, code, state| Seen::Key { down, code, state };
    assert_eq!(
        recorder.take(),
        [
            Seen::Motion((10, 20)),
            key(true, control, 0),
            key(true, shift, CONTROL),
            button(true, 1, 10, 20, both),
            button(false, 1, 10, 20, both | LEFT_IS_DOWN),
            button(true, 1, 10, 20, both),
            button(false, 1, 10, 20, both | LEFT_IS_DOWN),
            key(false, shift, both),
            key(false, control, CONTROL),
        ]
    );
    assert!(recorder.nothing_is_down());
}

/// Two clicks of two actions are no double click: they are kept apart.
#[tokio::test]
async fn single_clicks_stay_single() {
    let server = XServer::start();
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    let reply = done(
        &mut client,
        vec![click(5, 5), click(6, 6), click(300, 5), click(5, 5)],
    )
    .await;
    let took = |index: usize| {
        let elapsed = reply.results[index].elapsed.unwrap();
        Duration::try_from(elapsed).unwrap()
    };
    assert!(took(1) > Duration::from_millis(450), "{:?}", took(1));
    // Elsewhere nothing is waited for.
    assert!(took(2) < Duration::from_millis(450), "{:?}", took(2));
    assert!(took(3) < Duration::from_millis(450), "{:?}", took(3));
}

/// R21: what is off the screen is refused, and the pointer stays.
#[tokio::test]
async fn r21_off_the_screen_nothing_is_done() {
    let server = XServer::start();
    let (recorder, daemon) = (Recorder::new(&server), Daemon::start(&server));
    let mut client = daemon.client().await;
    done(&mut client, vec![move_to(77, 88)]).await;
    recorder.take();
    for (x, y) in [
        (-1, 5),
        (5, -1),
        (1280, 5),
        (5, 800),
        (99_999, 99_999),
        (i32::MIN, 0),
    ] {
        for action in [
            click(x, y),
            move_to(x, y),
            drag(&[(1, 1), (x, y)], 10),
            notches(x, y, 0, 1),
        ] {
            let (code, reason, status) =
                refused(&mut client, bare(vec![move_to(3, 3), action])).await;
            assert_eq!(
                (code, reason),
                (Code::OutOfRange, v1::Reason::OutOfScreen),
                "{status:?}"
            );
            assert!(status.message().starts_with("actions[1]"), "{status:?}");
        }
    }
    assert_eq!(recorder.take(), []);
    assert_eq!(recorder.pointer().0, 77);
}

/// Points are pixels of whatever space the request names.
#[tokio::test]
async fn points_are_of_the_space_that_is_named() {
    let server = XServer::start();
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    let mut request = bare(vec![move_to(639, 0)]);
    request.coordinate_space = Some(v1::CoordinateSpace {
        space: Some(v1::coordinate_space::Space::Size(v1::Size {
            width: 640,
            height: 400,
        })),
    });
    let reply = client.act(request).await.unwrap().into_inner();
    assert_eq!(reply.results[0].pointer, Some((1279, 1).into()));

    // A frame of a region, scaled: a model's pixels need no arithmetic.
    let spec = v1::ScreenshotRequest {
        capture: Some(v1::CaptureOptions {
            region: Some(v1::Region::new(100, 200, 400, 300)),
            scale: Some(v1::capture_options::Scale::Size(v1::Size {
                width: 200,
                height: 150,
            })),
            ..v1::CaptureOptions::default()
        }),
        unproved: true,
        ..v1::ScreenshotRequest::default()
    };
    let frame = client.screenshot(spec).await.unwrap().into_inner();
    let frame = frame.frame.unwrap();
    let space = v1::CoordinateSpace {
        space: Some(v1::coordinate_space::Space::FrameId(frame.frame_id)),
    };
    let mut request = bare(vec![move_to(0, 0), move_to(199, 149)]);
    request.coordinate_space = Some(space.clone());
    let reply = client.act(request).await.unwrap().into_inner();
    assert_eq!(reply.results[0].pointer, Some((101, 201).into()));
    assert_eq!(reply.results[1].pointer, Some((499, 499).into()));
    let mut request = bare(vec![move_to(200, 0)]);
    request.coordinate_space = Some(space);
    assert_eq!(
        refused(&mut client, request).await.1,
        v1::Reason::OutOfScreen
    );
}

/// One press, one release, every point of the path between them.
#[tokio::test]
async fn a_drag_is_one_press_and_one_release() {
    let server = XServer::start();
    let (recorder, daemon) = (Recorder::new(&server), Daemon::start(&server));
    let mut client = daemon.client().await;
    let path = [(100, 100), (300, 100), (300, 250)];
    let reply = done(&mut client, vec![drag(&path, 200)]).await;
    assert_eq!(reply.results[0].pointer, Some((300, 250).into()));
    let seen = recorder.take();
    let buttons: Vec<_> = seen
        .iter()
        .filter(|seen| matches!(seen, Seen::Button { .. }))
        .collect();
    assert_eq!(
        buttons,
        [
            &button(true, 1, 100, 100, 0),
            &button(false, 1, 300, 250, LEFT_IS_DOWN)
        ]
    );
    let motions: Vec<(i16, i16)> = seen
        .iter()
        .filter_map(|seen| match seen {
            Seen::Motion(at) => Some(*at),
            _ => None,
        })
        .collect();
    assert!(motions.len() >= 12, "{motions:?}");
    assert!(motions.contains(&(300, 100)), "{motions:?}");
    assert!(
        motions
            .iter()
            .all(|(x, y)| (*y == 100 && (100..=300).contains(x))
                || (*x == 300 && (100..=250).contains(y))),
        "{motions:?}"
    );
    assert_eq!(motions.last(), Some(&(300, 250)));
}

/// Notches and pixels, both axes, every one of a thousand.
#[tokio::test]
async fn every_notch_arrives() {
    let server = XServer::start();
    let (recorder, daemon) = (Recorder::new(&server), Daemon::start(&server));
    let mut client = daemon.client().await;
    let count = |seen: &[Seen], wanted: u8| {
        let presses = seen.iter().filter(
            |seen| matches!(seen, Seen::Button { down: true, number, .. } if *number == wanted),
        );
        presses.count()
    };
    let pixels = |dx, dy| {
        Action::Scroll(v1::ScrollAction {
            at: Some(at(50, 60)),
            dx,
            dy,
            ..v1::ScrollAction::default()
        })
    };
    for (action, [up, down, left, right]) in [
        (notches(50, 60, 0, 3), [0, 3, 0, 0]),
        (notches(50, 60, -2, -1), [1, 0, 2, 0]),
        (notches(50, 60, 1000, 0), [0, 0, 0, 1000]),
        (pixels(0, 250), [0, 3, 0, 0]),
        (pixels(-149, -20), [1, 0, 1, 0]),
        (pixels(1, 0), [0, 0, 0, 1]),
    ] {
        done(&mut client, vec![action]).await;
        let seen = recorder.take();
        let counts = [4, 5, 6, 7].map(|number| count(&seen, number));
        assert_eq!(counts, [up, down, left, right]);
    }
    for action in [
        notches(1, 1, 0, 1001),
        notches(1, 1, -1001, 0),
        pixels(0, 100_001),
        pixels(i32::MIN, 0),
    ] {
        let (code, reason, _) = refused(&mut client, bare(vec![action])).await;
        assert_eq!(
            (code, reason),
            (Code::InvalidArgument, v1::Reason::LimitExceeded)
        );
    }
    let nothing = refused(&mut client, bare(vec![notches(1, 1, 0, 0)])).await;
    assert_eq!(nothing.1, v1::Reason::InvalidField);
    assert_eq!(recorder.take(), []);
    assert!(recorder.nothing_is_down());
}

/// A pointer that another program confines is not where it was sent: nothing is
/// pressed there, and the rest of the batch is not done.
#[tokio::test]
async fn a_pointer_that_is_held_elsewhere_presses_nothing() {
    let server = XServer::start();
    let (recorder, daemon) = (Recorder::new(&server), Daemon::start(&server));
    let mut client = daemon.client().await;
    let witness = recorder.witness();
    let cell: x::Window = witness.conn.generate_id();
    witness.checked(&x::CreateWindow {
        depth: 0,
        wid: cell,
        parent: recorder.window(),
        x: 100,
        y: 100,
        width: 50,
        height: 50,
        border_width: 0,
        class: x::WindowClass::InputOutput,
        visual: 0,
        value_list: &[],
    });
    witness.checked(&x::MapWindow { window: cell });
    let grab = witness.conn.send_request(&x::GrabPointer {
        owner_events: false,
        grab_window: recorder.window(),
        event_mask: x::EventMask::BUTTON_PRESS,
        pointer_mode: x::GrabMode::Async,
        keyboard_mode: x::GrabMode::Async,
        confine_to: cell,
        cursor: x::CURSOR_NONE,
        time: x::CURRENT_TIME,
    });
    let grab = witness.conn.wait_for_reply(grab).unwrap();
    assert_eq!(grab.status(), x::GrabStatus::Success);
    recorder.take();
    let request = bare(vec![click(120, 120), click(700, 700), click(130, 130)]);
    let reply = client.act(request).await.unwrap().into_inner();
    assert_eq!(reply.outcome(), v1::ActOutcome::Partial, "{reply:?}");
    let reached: Vec<_> = reply.results.iter().map(|result| result.status()).collect();
    use v1::ActionStatus::{Done, Failed, NotExecuted};
    assert_eq!(reached, [Done, Failed, NotExecuted]);
    let failure = reply.results[1].failure.clone().unwrap();
    assert_eq!(failure.reason(), v1::Reason::PointerElsewhere);
    assert_eq!(failure.stage(), v1::FailureStage::Input);
    let pressed = recorder.take().into_iter().filter_map(|seen| match seen {
        Seen::Button { down: true, at, .. } => Some(at),
        _ => None,
    });
    assert_eq!(pressed.collect::<Vec<_>>(), [(120, 120)]);
}

/// A movement with keys held: they are down while the pointer arrives, and up afterwards.
#[tokio::test]
async fn a_movement_holds_its_modifiers() {
    let server = XServer::start();
    let (recorder, daemon) = (Recorder::new(&server), Daemon::start(&server));
    let mut client = daemon.client().await;
    done(&mut client, vec![move_to(10, 10)]).await;
    let alt = recorder.code_of(0xffe9);
    recorder.take();
    let action = Action::Move(v1::MoveAction {
        to: Some(at(200, 100)),
        modifiers: vec!["alt".into()],
    });
    let reply = done(&mut client, vec![action]).await;
    assert_eq!(reply.results[0].pointer, Some((200, 100).into()));
    let seen = recorder.take();
    let key = |down| Seen::Key {
        down,
        code: alt,
        state: if down { 0 } else { 8 },
    };
    let place = |wanted: &Seen| seen.iter().position(|seen| seen == wanted);
    let arrived = place(&Seen::Motion((200, 100))).unwrap();
    assert!(place(&key(true)).unwrap() < arrived, "{seen:?}");
    assert!(place(&key(false)).unwrap() > arrived, "{seen:?}");
    assert!(recorder.nothing_is_down());
}
