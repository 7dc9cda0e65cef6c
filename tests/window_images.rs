//! Pictures of single windows, also of covered ones.

use std::time::Duration;

use deskd::v1::{self, FrameKind, Reason, WindowOperation, change_window_request::Change};
use tonic::Code;

use crate::common::{
    Daemon, Image, Witness, XServer,
    desktop::Session,
    drawing::Numbers,
    pacing::MANAGERS,
    step::{bare, chord, click},
    window_table::{OPENBOX, Windows, list, titled, windows, xterm},
};

async fn found(windows: &mut Windows, title: &str) -> v1::Window {
    for _ in 0..300 {
        let all = list(windows).await.windows;
        if let Some(found) = all.into_iter().find(|window| window.title.contains(title)) {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{title} is not listed: {:?}", list(windows).await)
}

fn of(window: &v1::Window, with_popups: bool) -> v1::CaptureOptions {
    let target = v1::WindowTarget {
        target: Some(v1::window_target::Target::Id(window.id.clone())),
    };
    v1::CaptureOptions {
        format: v1::ImageFormat::RawBgrx.into(),
        include_cursor: Some(false),
        window: Some(v1::WindowImage {
            window: Some(target),
            with_popups,
        }),
        ..v1::CaptureOptions::default()
    }
}

async fn shot(daemon: &Daemon, capture: v1::CaptureOptions) -> Result<v1::Frame, tonic::Status> {
    let request = v1::ScreenshotRequest {
        capture: Some(capture),
        unproved: true,
        ..v1::ScreenshotRequest::default()
    };
    let reply = daemon.client().await.screenshot(request).await?;
    Ok(reply.into_inner().frame.unwrap())
}

async fn on_screen(daemon: &Daemon, place: v1::Region) -> Image {
    let capture = v1::CaptureOptions {
        format: v1::ImageFormat::RawBgrx.into(),
        include_cursor: Some(false),
        region: Some(place),
        ..v1::CaptureOptions::default()
    };
    Image::from_frame(&shot(daemon, capture).await.unwrap())
}

async fn place(windows: &mut Windows, title: &str, x: i32, y: i32) -> v1::Window {
    let request = v1::ChangeWindowRequest {
        window: Some(titled(title)),
        change: Some(Change::Place(v1::WindowPlacement {
            x: Some(x),
            y: Some(y),
            ..v1::WindowPlacement::default()
        })),
        timeout: None,
    };
    let reply = windows.change_window(request).await.unwrap();
    reply.into_inner().window.unwrap()
}

async fn operate(windows: &mut Windows, title: &str, operation: WindowOperation) {
    let request = v1::ChangeWindowRequest {
        window: Some(titled(title)),
        change: Some(Change::Operation(operation.into())),
        timeout: None,
    };
    let reply = windows.change_window(request).await.unwrap().into_inner();
    let is_done = matches!(
        reply.outcome(),
        v1::WindowOutcome::Done | v1::WindowOutcome::Already
    );
    assert!(is_done, "{reply:?}");
}

/// The picture of a covered window is that of the uncovered one, which is what the screen shows.
#[tokio::test]
async fn a_covered_window_is_shown_whole() {
    // xterm draws with X itself, mousepad with GTK, the last one with Qt.
    let qt = "/usr/bin/python3 -c 'from PyQt5.QtWidgets import *; a = QApplication([]); \
        w = QPushButton(\"press\"); w.setWindowTitle(\"Subject\"); w.resize(300, 200); w.show(); a.exec_()'";
    let subjects = [
        "xterm -T Subject -geometry 50x15 -e 'seq 40; sleep 1000'",
        "GTK_THEME=Adwaita mousepad --disable-server /etc/services",
        qt,
    ];
    for subject in subjects {
        let server = XServer::start();
        let script = format!("{OPENBOX}; {subject} & exec sleep 1000");
        let session = Session::start(&server, &script);
        let daemon = Daemon::start(&server);
        let mut windows = windows(&daemon).await;
        let title = if subject.contains("mousepad") {
            "services"
        } else {
            "Subject"
        };
        found(&mut windows, title).await;
        operate(&mut windows, title, WindowOperation::Activate).await;
        let window = place(&mut windows, title, 40, 60).await;
        // The caret does not blink while another window has the focus.
        let _cover = xterm(&server, "Cover", "70x30+900+500");
        found(&mut windows, "Cover").await;
        place(&mut windows, "Cover", 900, 600).await;
        operate(&mut windows, "Cover", WindowOperation::Activate).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        let frame = window.frame.unwrap();
        let screen = on_screen(&daemon, frame).await;
        // The first picture redirects the window while it is covered.
        place(&mut windows, "Cover", 90, 90).await;
        let covered = shot(&daemon, of(&window, false)).await.unwrap();
        assert_eq!(covered.kind(), FrameKind::Screen, "{:?}", covered.failure);
        assert_eq!(covered.region, Some(frame), "{subject}");
        let differing = Image::from_frame(&covered).differing(&screen);
        assert_eq!(differing, 0, "{subject}: covered");
        assert!(
            on_screen(&daemon, frame).await.differing(&screen) > 1000,
            "{subject}"
        );
        // Outside the screen in part.
        let moved = place(&mut windows, title, -100, 60).await;
        let outside = shot(&daemon, of(&moved, false)).await.unwrap();
        assert_eq!(outside.region.unwrap().x(), -100);
        assert_eq!(
            Image::from_frame(&outside).differing(&screen),
            0,
            "{subject}: outside"
        );
        // A part of it, in its own pixels.
        let part = v1::CaptureOptions {
            region: Some(v1::Region::new(10, 20, 30, 40)),
            ..of(&moved, false)
        };
        let part = Image::from_frame(&shot(&daemon, part).await.unwrap());
        assert_eq!(part.differing(&screen.crop(10, 20, 30, 40)), 0, "{subject}");
        drop(session);
    }
}

/// A step in the coordinates of a window's picture acts on that window, or is refused.
#[tokio::test]
async fn a_windows_picture_is_a_coordinate_space() {
    let server = XServer::start();
    let session = MANAGERS[1].start(&server);
    let _program = xterm(&server, "Subject", "50x15+0+0");
    let daemon = Daemon::start(&server);
    let mut windows = windows(&daemon).await;
    found(&mut windows, "Subject").await;
    let window = place(&mut windows, "Subject", 200, 150).await;
    let mut client = daemon.client().await;
    let frame = shot(&daemon, of(&window, false)).await.unwrap();
    let within = |x: i32, y: i32| v1::ActRequest {
        coordinate_space: Some(v1::CoordinateSpace {
            space: Some(v1::coordinate_space::Space::FrameId(frame.frame_id.clone())),
        }),
        ..bare(vec![click(x, y)])
    };
    let reply = client.act(within(30, 40)).await.unwrap().into_inner();
    let pointer = reply.results[0].pointer.unwrap();
    assert_eq!((pointer.x(), pointer.y()), (230, 190));
    let refused = |status: tonic::Status| (status.code(), deskd::client::reason(&status));
    let width = i32::try_from(frame.width).unwrap();
    let outside = client.act(within(width, 5)).await.unwrap_err();
    assert_eq!(refused(outside), (Code::OutOfRange, Reason::OutOfScreen));
    let _cover = xterm(&server, "Cover", "60x20+0+0");
    found(&mut windows, "Cover").await;
    place(&mut windows, "Cover", 210, 160).await;
    operate(&mut windows, "Cover", WindowOperation::Activate).await;
    let covered = client.act(within(100, 100)).await.unwrap_err();
    assert!(covered.message().contains("Cover"), "{covered:?}");
    assert_eq!(
        refused(covered),
        (Code::FailedPrecondition, Reason::WindowCovered)
    );
    // A part that is not covered can still be clicked.
    client.act(within(3, 3)).await.unwrap();
    place(&mut windows, "Subject", 220, 150).await;
    let moved = client.act(within(3, 3)).await.unwrap_err();
    assert_eq!(
        refused(moved),
        (Code::FailedPrecondition, Reason::StaleWindow)
    );
    operate(&mut windows, "Subject", WindowOperation::Close).await;
    let ended = client.act(within(3, 3)).await.unwrap_err();
    assert_eq!(
        refused(ended),
        (Code::FailedPrecondition, Reason::UnknownWindow)
    );
    drop(session);
}

/// A menu is part of the picture on request.
#[tokio::test]
async fn popups_are_shown_on_request() {
    let server = XServer::start();
    let session = Session::start(
        &server,
        &format!("{OPENBOX}; exec mousepad --disable-server"),
    );
    let daemon = Daemon::start(&server);
    let mut windows = windows(&daemon).await;
    found(&mut windows, "Mousepad").await;
    operate(&mut windows, "Mousepad", WindowOperation::Activate).await;
    let window = place(&mut windows, "Mousepad", 100, 100).await;
    daemon
        .client()
        .await
        .act(bare(vec![chord(&["alt", "f"])]))
        .await
        .unwrap();
    let menu = found_kind(&mut windows, v1::WindowKind::Menu).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let screen = on_screen(&daemon, menu.frame.unwrap()).await;
    let alone = shot(&daemon, of(&window, false)).await.unwrap();
    assert_eq!(alone.region, window.frame);
    let with = shot(&daemon, of(&window, true)).await.unwrap();
    let (place, all) = (menu.frame.unwrap(), with.region.unwrap());
    let at = |inner: i32, outer: i32| u32::try_from(inner - outer).unwrap();
    let (x, y) = (at(place.x(), all.x()), at(place.y(), all.y()));
    let shown =
        |frame: &v1::Frame, x, y| Image::from_frame(frame).crop(x, y, place.width, place.height);
    assert_eq!(shown(&with, x, y).differing(&screen), 0);
    let own = window.frame.unwrap();
    let (x, y) = (at(place.x(), own.x()), at(place.y(), own.y()));
    assert!(shown(&alone, x, y).differing(&screen) > 1000);
    drop(session);
}

async fn found_kind(windows: &mut Windows, kind: v1::WindowKind) -> v1::Window {
    for _ in 0..200 {
        let all = list(windows).await.windows;
        if let Some(found) = all.into_iter().find(|window| window.kind() == kind) {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("no {kind:?}")
}

/// What cannot be shown is a card or a refusal that says why.
#[tokio::test]
async fn what_has_no_picture_says_why() {
    let server = XServer::start();
    let session = MANAGERS[1].start(&server);
    let program = xterm(&server, "Subject", "50x15+0+0");
    let daemon = Daemon::start(&server);
    let mut windows = windows(&daemon).await;
    let window = found(&mut windows, "Subject").await;
    operate(&mut windows, "Subject", WindowOperation::Minimize).await;
    let card = shot(&daemon, of(&window, false)).await.unwrap();
    assert_eq!(card.kind(), FrameKind::FailureCard);
    assert_eq!(card.failure.unwrap().reason(), Reason::WindowNotShown);
    operate(&mut windows, "Subject", WindowOperation::Activate).await;
    let reason = |status: tonic::Status| deskd::client::reason(&status);
    let far = v1::CaptureOptions {
        region: Some(v1::Region::new(0, 0, 5000, 5)),
        ..of(&window, false)
    };
    assert_eq!(
        reason(shot(&daemon, far).await.unwrap_err()),
        Reason::OutOfScreen
    );
    let both = v1::CaptureOptions {
        coordinate_space: Some(v1::CoordinateSpace::default()),
        ..of(&window, false)
    };
    assert_eq!(
        reason(shot(&daemon, both).await.unwrap_err()),
        Reason::InvalidField
    );
    let watch = v1::WatchRequest {
        capture: Some(of(&window, false)),
        ..v1::WatchRequest::default()
    };
    let streamed = daemon.client().await.watch(watch).await.unwrap_err();
    assert_eq!(reason(streamed), Reason::InvalidField);
    // In a step: the picture of the window, and a card after the window ended.
    let step = v1::ActRequest {
        no_frame: false,
        capture: Some(of(&window, false)),
        ..bare(vec![chord(&["a"])])
    };
    let reply = daemon
        .client()
        .await
        .act(step.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(reply.frame.unwrap().region, window.frame);
    drop(program);
    for _ in 0..100 {
        if list(&mut windows).await.windows.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let ended = shot(&daemon, of(&window, false)).await.unwrap_err();
    assert_eq!(reason(ended), Reason::UnknownWindow);
    drop(session);
}

/// Another window moves over the window all the time: its pixels are never in the picture, and the
/// window's own place is that of the picture.
#[tokio::test(flavor = "multi_thread")]
async fn no_other_window_is_in_the_picture() {
    use std::sync::atomic::{AtomicBool, Ordering};
    use xcb::x;

    let server = XServer::start();
    let daemon = Daemon::start(&server);
    let witness = Witness::new(&server);
    let subject = witness.window((200, 150), (300, 200), 0x00ff_0000);
    let other = witness.window((250, 180), (120, 120), 0x0000_00ff);
    witness.round_trip();
    let number = format!("0x{:x}", xcb::Xid::resource_id(&subject));
    let all = list(&mut windows(&daemon).await).await.windows;
    let subject = all
        .iter()
        .find(|window| crate::common::window_table::number(window) == number);
    let subject = subject.unwrap().clone();
    let ends = std::sync::Arc::new(AtomicBool::new(false));
    let mover = {
        let ends = std::sync::Arc::clone(&ends);
        std::thread::spawn(move || {
            let mut numbers = Numbers(5);
            while !ends.load(Ordering::Relaxed) {
                let at = |value: u32| i32::try_from(value).unwrap();
                witness.checked(&x::ConfigureWindow {
                    window: other,
                    value_list: &[
                        x::ConfigWindow::X(at(numbers.below(700))),
                        x::ConfigWindow::Y(at(numbers.below(500))),
                        x::ConfigWindow::StackMode(x::StackMode::Above),
                    ],
                });
                if numbers.below(4) == 0 {
                    std::thread::sleep(Duration::from_millis(u64::from(numbers.below(12))));
                }
            }
        })
    };
    for round in 0..200 {
        let frame = shot(&daemon, of(&subject, false)).await.unwrap();
        let image = Image::from_frame(&frame);
        let foreign = image
            .rgb()
            .chunks_exact(3)
            .filter(|rgb| *rgb != [255, 0, 0]);
        assert_eq!(foreign.count(), 0, "picture {round}");
        assert_eq!((frame.width, frame.height), (300, 200));
    }
    ends.store(true, Ordering::Relaxed);
    mover.join().unwrap();
}

/// Sets the widths of the shadows that a window says that it draws.
fn say_shadows(witness: &Witness, window: xcb::x::Window, widths: [u32; 4]) {
    use xcb::x;

    let name = b"_GTK_FRAME_EXTENTS";
    let only_if_exists = false;
    let atom = witness.conn.send_request(&x::InternAtom {
        only_if_exists,
        name,
    });
    let property = witness.conn.wait_for_reply(atom).unwrap().atom();
    witness.checked(&x::ChangeProperty {
        mode: x::PropMode::Replace,
        window,
        property,
        r#type: x::ATOM_CARDINAL,
        data: &widths,
    });
}

/// The listed window with the number of an X window.
async fn numbered(daemon: &Daemon, window: xcb::x::Window) -> v1::Window {
    let number = format!("0x{:x}", xcb::Xid::resource_id(&window));
    let all = list(&mut windows(daemon).await).await.windows;
    let is_it = |window: &&v1::Window| crate::common::window_table::number(window) == number;
    all.iter().find(is_it).unwrap().clone()
}

/// Pixels of a picture that do not have this colour.
fn other_than(frame: &v1::Frame, rgb: [u8; 3]) -> usize {
    assert_eq!(frame.kind(), FrameKind::Screen, "{:?}", frame.failure);
    let image = Image::from_frame(frame);
    image.rgb().chunks_exact(3).filter(|p| *p != rgb).count()
}

/// A window covers what the X server says, whatever it says of itself: its pixels are not in the
/// picture of the one below, and a click does not reach it.
#[tokio::test]
async fn what_covers_a_window_cannot_hide_that() {
    use xcb::x;

    let server = XServer::start();
    let daemon = Daemon::start(&server);
    let hostile = Witness::new(&server);
    // Without a caret it looks the same with the pointer and without. A popup of the same process would
    // belong to it.
    let mut xterm = server.program("xterm");
    let hidden = "printf '\\033[?25l'; exec sleep 1000";
    xterm.args([
        "-T",
        "Victim",
        "-bw",
        "0",
        "-geometry",
        "50x15+100+100",
        "-e",
        hidden,
    ]);
    let _victim = crate::common::program::spawn(&mut xterm, "xterm");
    let window = found(&mut windows(&daemon).await, "Victim").await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let picture = shot(&daemon, of(&window, false)).await.unwrap();
    let alone = Image::from_frame(&picture);
    let step = |frame: &v1::Frame| v1::ActRequest {
        coordinate_space: Some(v1::CoordinateSpace {
            space: Some(v1::coordinate_space::Space::FrameId(frame.frame_id.clone())),
        }),
        ..bare(vec![click(40, 40)])
    };
    daemon.client().await.act(step(&picture)).await.unwrap();

    let shadow = hostile.window((99, 99), (302, 202), 0x00ff_0000);
    let lines: Vec<x::Window> = (0..300)
        .map(|column| hostile.window((100 + column, 100), (1, 200), 0x00ff_0000))
        .collect();
    let show = |shown: &[x::Window], is_mapped| {
        for window in shown {
            hostile.set_mapped(*window, is_mapped);
        }
        hostile.round_trip();
    };
    show(&lines, false);
    // All of it is said to be shadow, or a part that a shadow may have.
    for widths in [
        [0, 301, 0, 201],
        [128, 128, 100, 100],
        [u32::MAX; 4],
        [0; 4],
    ] {
        say_shadows(&hostile, shadow, widths);
        let picture = shot(&daemon, of(&window, false)).await.unwrap();
        let differing = Image::from_frame(&picture).differing(&alone);
        assert_eq!(differing, 0, "{widths:?}");
        let refused = daemon.client().await.act(step(&picture)).await.unwrap_err();
        assert_eq!(deskd::client::reason(&refused), Reason::WindowCovered);
    }
    show(&[shadow], false);
    show(&lines, true);
    let picture = shot(&daemon, of(&window, false)).await.unwrap();
    assert_eq!(Image::from_frame(&picture).differing(&alone), 0, "lines");
    let refused = daemon.client().await.act(step(&picture)).await.unwrap_err();
    assert_eq!(deskd::client::reason(&refused), Reason::WindowCovered);
    assert!(refused.message().contains("not listed"), "{refused:?}");
    show(&lines, false);
    // It takes input, and shows nothing.
    let wid: x::Window = hostile.conn.generate_id();
    hostile.checked(&x::CreateWindow {
        depth: 0,
        wid,
        parent: hostile.root(),
        x: 100,
        y: 100,
        width: 300,
        height: 200,
        border_width: 0,
        class: x::WindowClass::InputOnly,
        visual: x::COPY_FROM_PARENT,
        value_list: &[x::Cw::OverrideRedirect(true)],
    });
    hostile.set_mapped(wid, true);
    hostile.round_trip();
    let refused = daemon.client().await.act(step(&picture)).await.unwrap_err();
    assert_eq!(deskd::client::reason(&refused), Reason::WindowCovered);
}

/// The picture of a window with a shape has its own pixels, and black beside them.
#[tokio::test]
async fn a_shaped_window_shows_nothing_else() {
    use xcb::{shape, x};

    let server = XServer::start();
    let daemon = Daemon::start(&server);
    let witness = Witness::new(&server);
    witness.window((100, 100), (300, 200), 0x00ff_0000);
    let shaped = witness.window((100, 100), (300, 200), 0x0000_ff00);
    witness.round_trip();
    let window = numbered(&daemon, shaped).await;
    let picture = shot(&daemon, of(&window, false)).await.unwrap();
    assert_eq!(other_than(&picture, [0, 255, 0]), 0);
    // The shape changes after it was known.
    let rectangle = x::Rectangle {
        x: 0,
        y: 0,
        width: 300,
        height: 50,
    };
    witness.checked(&shape::Rectangles {
        operation: shape::So::Set,
        destination_kind: shape::Sk::Bounding,
        ordering: x::ClipOrdering::Unsorted,
        destination_window: shaped,
        x_offset: 0,
        y_offset: 0,
        rectangles: &[rectangle],
    });
    for is_covered in [false, true] {
        if is_covered {
            witness.window((100, 100), (300, 200), 0x0000_00ff);
            witness.round_trip();
        }
        for time in 0..2 {
            let picture = shot(&daemon, of(&window, false)).await.unwrap();
            let image = Image::from_frame(&picture);
            let top = image.crop(0, 0, 300, 50);
            assert!(top.rgb().chunks_exact(3).all(|rgb| rgb == [0, 255, 0]));
            let rest = image.crop(0, 50, 300, 150);
            assert!(
                rest.rgb().chunks_exact(3).all(|rgb| rgb == [0, 0, 0]),
                "{is_covered}, picture {time}"
            );
        }
    }
}

/// Shadows that leave nothing of a window, or that no window has, are not believed.
#[tokio::test]
async fn impossible_shadows_are_ignored() {
    let server = XServer::start();
    let daemon = Daemon::start(&server);
    let witness = Witness::new(&server);
    let subject = witness.window((100, 100), (300, 200), 0x0000_ff00);
    for is_covered in [false, true] {
        if is_covered {
            witness.window((0, 0), (800, 600), 0x0000_00ff);
        }
        for (widths, width) in [
            ([300, 0, 0, 0], 300),
            ([u32::MAX; 4], 300),
            ([i32::MAX.cast_unsigned(), 0, 0, 0], 300),
            ([150, 149, 0, 0], 300),
            ([128, 128, 0, 0], 44),
            ([0, 0, 100, 100], 300),
        ] {
            say_shadows(&witness, subject, widths);
            let window = numbered(&daemon, subject).await;
            let picture = shot(&daemon, of(&window, false)).await.unwrap();
            assert_eq!(other_than(&picture, [0, 255, 0]), 0, "{widths:?}");
            assert_eq!((picture.width, picture.height), (width, 200), "{widths:?}");
        }
    }
}

/// A window is shown again and again, which takes a short way. What changes between two pictures is in
/// the second one.
#[tokio::test]
async fn the_next_picture_shows_what_changed_in_between() {
    use xcb::x;

    const GREEN: [u8; 3] = [0, 255, 0];
    let server = XServer::start();
    let daemon = Daemon::start(&server);
    let witness = Witness::new(&server);
    let subject = witness.window((100, 100), (300, 200), 0x0000_ff00);
    let other = witness.window((500, 100), (100, 100), 0x00ff_0000);
    witness.round_trip();
    let window = numbered(&daemon, subject).await;
    let configure = |window, value_list: &[x::ConfigWindow]| {
        witness.checked(&x::ConfigureWindow { window, value_list });
    };
    let twice = async |what: &str| {
        let mut places = Vec::new();
        for time in 0..2 {
            let picture = shot(&daemon, of(&window, false)).await.unwrap();
            assert_eq!(other_than(&picture, GREEN), 0, "{what}, picture {time}");
            places.push(picture.region.unwrap());
        }
        assert_eq!(places[0], places[1], "{what}");
        let place = places[0];
        ((place.x(), place.y()), (place.width, place.height))
    };
    assert_eq!(twice("at first").await, ((100, 100), (300, 200)));
    configure(subject, &[x::ConfigWindow::X(120)]);
    assert_eq!(twice("moved").await, ((120, 100), (300, 200)));
    configure(subject, &[x::ConfigWindow::Height(150)]);
    assert_eq!(twice("resized").await, ((120, 100), (300, 150)));
    configure(other, &[x::ConfigWindow::X(150)]);
    twice("covered").await;
    configure(other, &[x::ConfigWindow::StackMode(x::StackMode::Below)]);
    twice("raised").await;
    witness.set_mapped(other, false);
    configure(other, &[x::ConfigWindow::StackMode(x::StackMode::Above)]);
    twice("alone").await;
    witness.set_mapped(other, true);
    twice("covered by one that appeared").await;
    witness.set_mapped(other, false);
    twice("alone again").await;
    say_shadows(&witness, subject, [10, 10, 0, 0]);
    assert_eq!(twice("with shadows").await, ((130, 100), (280, 150)));
    witness.checked(&x::ReparentWindow {
        window: other,
        parent: subject,
        x: 400,
        y: 400,
    });
    twice("with a child").await;
    witness.checked(&x::DestroyWindow { window: subject });
    let refused = shot(&daemon, of(&window, false)).await.unwrap_err();
    assert_eq!(deskd::client::reason(&refused), Reason::UnknownWindow);
}

/// A window that gets the number of one that has ended is another window: its shape is followed, too.
#[tokio::test]
async fn a_number_that_is_used_again_names_another_window() {
    use xcb::{shape, x};

    let server = XServer::start();
    let daemon = Daemon::start(&server);
    let witness = Witness::new(&server);
    witness.window((0, 0), (800, 600), 0x00ff_0000);
    let subject = witness.window((100, 100), (300, 200), 0x0000_ff00);
    witness.round_trip();
    let first = numbered(&daemon, subject).await;
    shot(&daemon, of(&first, false)).await.unwrap();
    witness.checked(&x::DestroyWindow { window: subject });
    witness.checked(&x::CreateWindow {
        depth: 0,
        wid: subject,
        parent: witness.root(),
        x: 100,
        y: 100,
        width: 300,
        height: 200,
        border_width: 0,
        class: x::WindowClass::InputOutput,
        visual: x::COPY_FROM_PARENT,
        value_list: &[x::Cw::BackPixel(0x0000_ff00), x::Cw::OverrideRedirect(true)],
    });
    witness.set_mapped(subject, true);
    witness.round_trip();
    let second = numbered(&daemon, subject).await;
    for _ in 0..2 {
        let picture = shot(&daemon, of(&second, false)).await.unwrap();
        assert_eq!(other_than(&picture, [0, 255, 0]), 0);
    }
    let half = x::Rectangle {
        x: 0,
        y: 0,
        width: 150,
        height: 200,
    };
    witness.checked(&shape::Rectangles {
        operation: shape::So::Set,
        destination_kind: shape::Sk::Bounding,
        ordering: x::ClipOrdering::Unsorted,
        destination_window: subject,
        x_offset: 0,
        y_offset: 0,
        rectangles: &[half],
    });
    let picture = Image::from_frame(&shot(&daemon, of(&second, false)).await.unwrap());
    let right = picture.crop(150, 0, 150, 200);
    assert!(right.rgb().chunks_exact(3).all(|rgb| rgb == [0, 0, 0]));
}
