//! A program on the desktop that means harm: what it sends to the X server does not blind
//! the daemon, does not make it grow, and forges nothing.

use std::time::{Duration, Instant};

use deskd::v1;
use xcb::{Xid, x};

use crate::common::{
    Daemon, Image, Witness, XServer,
    adversary::{Adversary, DESTROY_NOTIFY, Flood, KEYMAP_NOTIFY, Made},
    daemon::{raw, raw_image, screen},
    pacing::MANAGERS,
    program,
    receiver::{Receiver, Toolkit},
    step::{Client, bare, click, done, move_to, paste},
};

/// A screenshot that is the screen.
async fn seen(client: &mut Client) {
    let frame = client.screenshot(raw()).await.unwrap().into_inner().frame;
    let frame = frame.unwrap();
    assert_eq!(frame.kind(), v1::FrameKind::Screen, "{:?}", frame.failure);
}

/// The event has no sequence number, and x11rb reads one from it.
#[tokio::test(flavor = "multi_thread")]
async fn a_made_up_keymap_event_ends_no_connection() {
    let server = XServer::start();
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    let mut adversary = Adversary::new(&server);
    done(&mut client, vec![move_to(5, 5)]).await;
    let began = Instant::now();
    for x in 0..20 {
        adversary.send_to_root(KEYMAP_NOTIFY, u32::MAX);
        adversary.round_trip();
        done(&mut client, vec![move_to(x, 5)]).await;
        seen(&mut client).await;
    }
    // A connection that is taken in hangs for 15 s.
    assert!(began.elapsed() < Duration::from_secs(10));
}

/// The proof of paint ends with the windows that carry it, and by nothing else.
#[tokio::test]
async fn a_made_up_end_of_a_window_voids_no_proof() {
    let server = XServer::start();
    Witness::new(&server).draw_pattern(7);
    let openbox = MANAGERS.iter().find(|m| m.name == "openbox").unwrap();
    let _openbox = openbox.start(&server);
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    let request = v1::WaitReadyRequest::default();
    let evidence = client.wait_ready(request).await.unwrap().into_inner();
    assert_eq!(
        evidence.evidence.unwrap().verdict(),
        v1::PaintVerdict::Ready
    );
    let before = state(&server);
    let windows = before.split(' ').skip(5);
    let windows = windows.map(|word| u32::from_str_radix(word, 16).unwrap());
    let carriers: Vec<u32> = windows.collect();
    assert!(!carriers.is_empty(), "{before}");
    let mut adversary = Adversary::new(&server);
    for window in &carriers {
        adversary.send_to_root(DESTROY_NOTIFY, *window);
        // Who listens to the window itself gets it, too.
        let event = Adversary::event(*window, 0x2_0000, DESTROY_NOTIFY, *window);
        adversary.send(&event);
    }
    adversary.round_trip();
    // What the daemon takes in shows with its next answers.
    for _ in 0..20 {
        seen(&mut client).await;
    }
    assert_eq!(state(&server), before);
    // A proof that is void is soon there again, so that it was is seen in the log alone.
    let log = daemon.log();
    assert!(
        !log.contains("carried the proof of paint have gone"),
        "{log}"
    );
}

/// The daemon's record on the X server: its last words are the windows that carry the
/// proof.
fn state(server: &XServer) -> String {
    let mut xprop = server.program("xprop");
    let output = program::output(xprop.args(["-root", "_DESKD_STATE"]), "x11-utils");
    let text = String::from_utf8(output).unwrap();
    text.split('"').nth(1).unwrap().to_owned()
}

/// Pastes into a program that may still be at work on the events of a flood, which reach
/// it, too.
async fn pasted(client: &mut Client, text: &str) {
    for _ in 0..10 {
        let reply = client.act(bare(vec![paste(text)])).await.unwrap();
        let reply = reply.into_inner();
        let Some(failure) = &reply.results[0].failure else {
            return;
        };
        let late = [v1::Reason::NotTaken, v1::Reason::Deadline];
        assert!(late.contains(&failure.reason()), "{reply:?}");
        // A chord that it reads late is refused for ten seconds, and would otherwise take
        // the next paste's text.
        tokio::time::sleep(Duration::from_secs(11)).await;
    }
    panic!("{text:?} is never taken");
}

/// Every flood: frames and steps go on, and the daemon does not grow.
#[tokio::test(flavor = "multi_thread")]
async fn floods_of_events_hold_up_nothing_and_fill_nothing() {
    for flood in Flood::ALL {
        println!("{flood:?}");
        let server = XServer::start();
        let receiver = Receiver::of_text(&server, Toolkit::Gtk);
        let daemon = Daemon::start(&server);
        let mut client = daemon.client().await;
        done(&mut client, vec![click(640, 400), paste("before ")]).await;
        receiver.wait_text("before ");
        for _ in 0..3 {
            seen(&mut client).await;
        }
        let before = daemon.anonymous_kib();
        let flooding = Adversary::new(&server).flood(flood);
        let until = Instant::now() + Duration::from_secs(2);
        let mut most = 0;
        let mut count = 0;
        // Each call has its own deadline; how many fit into a second is the machine's affair.
        while count < 4 || Instant::now() < until {
            seen(&mut client).await;
            done(&mut client, vec![move_to(count % 100, 9)]).await;
            most = most.max(daemon.anonymous_kib());
            count += 1;
        }
        let mut typed = "before ".to_owned();
        // The others reach the receiver, too, and it hangs.
        if flood == Flood::Requests {
            pasted(&mut client, "during ").await;
            typed.push_str("during ");
            receiver.wait_text(&typed);
        }
        most = most.max(daemon.anonymous_kib());
        let sent = flooding.end();
        seen(&mut client).await;
        pasted(&mut client, "after").await;
        typed.push_str("after");
        receiver.wait_text(&typed);
        println!("{flood:?}: {sent} requests, {count} rounds, {before} → {most} KiB");
        assert!(sent > 10_000, "{flood:?}: only {sent} requests");
        assert!(most < before + 8 * 1024, "{flood:?}: {before} → {most} KiB");
    }
}

/// Resources that the daemon created on the X server for a window are destroyed when it is
/// not followed any more.
#[tokio::test]
async fn a_window_that_comes_and_goes_leaves_nothing_on_the_server() {
    let server = XServer::start();
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    let witness = Witness::new(&server);
    let window = witness.window((100, 100), (200, 100), 0xff_0000);
    done(&mut client, vec![move_to(5, 5)]).await;
    let mut counts = Vec::new();
    for round in 0..12 {
        for is_mapped in [false, true] {
            witness.set_mapped(window, is_mapped);
            // A step reads the scene anew.
            let request = v1::ActRequest {
                settle: Some(v1::SettleOptions::default()),
                ..bare(vec![move_to(round, 5)])
            };
            client.act(request).await.unwrap();
        }
        counts.push(witness.resources_of_others());
    }
    assert!(counts[11] <= counts[4] + 2, "{counts:?}");
}

/// Anybody can write the property that keeps a proof, and own the selection of who gives
/// input.
#[tokio::test]
async fn what_only_a_daemon_can_know_is_not_believed_of_others() {
    let server = XServer::start();
    let state = format!("1 {:032x} 1 1280x800 any", 0x5eed);
    let mut xprop = server.program("xprop");
    xprop.args(["-root", "-f", "_DESKD_STATE", "8s", "-set", "_DESKD_STATE"]);
    program::output(xprop.arg(&state), "x11-utils");
    let witness = Witness::new(&server);
    witness.own_selection("_DESKD_INPUT");
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    done(&mut client, vec![move_to(5, 5)]).await;
    let request = v1::WaitReadyRequest {
        timeout: Some(prost_types::Duration {
            seconds: 2,
            nanos: 0,
        }),
        ..v1::WaitReadyRequest::default()
    };
    let evidence = client.wait_ready(request).await.unwrap().into_inner();
    let verdict = evidence.evidence.unwrap().verdict();
    assert_eq!(verdict, v1::PaintVerdict::Blank);
}

/// A cursor of 268 MB: it is left out, and said to be; the frame is the screen.
#[tokio::test]
async fn a_huge_cursor_is_left_out() {
    let server = XServer::start();
    let witness = Witness::new(&server);
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    done(&mut client, vec![move_to(70, 80)]).await;
    for side in [600, 4096, 8192] {
        // Another daemon: this one asks again for the image only after a while.
        let daemon = Daemon::start(&server);
        let mut client = daemon.client().await;
        witness.set_blank_cursor(16);
        wait_for_cursor(&mut client, 16, false).await;
        witness.set_blank_cursor(side);
        let before = daemon.anonymous_kib();
        // The server itself draws the largest one for seconds.
        for _ in 0..if side > 4096 { 2 } else { 20 } {
            let with_cursor = v1::ScreenshotRequest {
                capture: Some(v1::CaptureOptions {
                    include_cursor: Some(true),
                    ..raw_image()
                }),
                ..raw()
            };
            let mut request = tonic::Request::new(with_cursor);
            // The server itself takes its time for the first.
            request.set_timeout(Duration::from_secs(60));
            let frame = client.screenshot(request).await.unwrap();
            let frame = frame.into_inner().frame.unwrap();
            assert_eq!(frame.kind(), v1::FrameKind::Screen, "{:?}", frame.failure);
            let cursor = frame.cursor.unwrap();
            assert!(cursor.left_out && !cursor.visible, "{cursor:?}");
            assert_eq!(cursor.size.unwrap().width, u32::from(side));
            assert_eq!(cursor.position.unwrap(), v1::Point::new(70, 80));
        }
        assert!(daemon.anonymous_kib() < before + 8 * 1024);
        wait_for_cursor(&mut client, u32::from(side), true).await;
    }
}

/// Waits until the cursor has that width.
async fn wait_for_cursor(client: &mut Client, width: u32, left_out: bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let reply = client.get_cursor(v1::GetCursorRequest {}).await.unwrap();
        let cursor = reply.into_inner().cursor.unwrap();
        if cursor.size.unwrap().width == width && cursor.left_out == left_out {
            return;
        }
        assert!(Instant::now() < deadline, "{cursor:?}");
    }
}

/// A server that takes no further client: what needs one says so, and the rest goes on.
#[tokio::test]
async fn a_full_server_is_named() {
    let server = XServer::with_screen("1280x800x24", &["-maxclients", "64"]);
    let receiver = Receiver::of_text(&server, Toolkit::Gtk);
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    done(&mut client, vec![click(640, 400)]).await;
    let all: Vec<_> = std::iter::from_fn(|| Adversary::try_new(&server)).collect();
    assert!(all.len() > 10);
    let reply = client.act(bare(vec![paste("x")])).await.unwrap();
    let reply = reply.into_inner();
    assert_eq!(reply.outcome(), v1::ActOutcome::Partial, "{reply:?}");
    let failure = reply.results[0].failure.as_ref().unwrap();
    assert_eq!(
        failure.reason(),
        v1::Reason::XClientsExhausted,
        "{failure:?}"
    );
    seen(&mut client).await;
    drop(all);
    done(&mut client, vec![paste("y")]).await;
    receiver.wait_text("y");
}

/// Any client can destroy what another made on the X server, and nothing reports it: frames
/// stay true, and steps and the gate go on.
#[tokio::test]
async fn what_another_program_destroys_is_made_anew() {
    for what in [Made::Damage, Made::Region, Made::Segment, Made::Window] {
        let server = XServer::start();
        let witness = Witness::new(&server);
        let spared = witness.window((900, 700), (9, 9), 0);
        let daemon = Daemon::start(&server);
        let mut client = daemon.client().await;
        for colour in [0xff_0000, 0x00_ff00, 0x00_00ff] {
            witness.fill(colour);
            let request = v1::ScreenshotRequest {
                capture: Some(v1::CaptureOptions {
                    include_cursor: Some(false),
                    ..raw_image()
                }),
                ..raw()
            };
            let frame = screen(&mut client, request).await;
            assert_eq!(Image::from_frame(&frame), witness.capture(), "{what:?}");
            done(&mut client, vec![move_to(50, 50)]).await;
            let mut adversary = Adversary::new(&server);
            adversary.destroy_of_others(what, xcb::Xid::resource_id(&spared));
        }
    }
}

/// The property of the root window that keeps the generation belongs to every program.
#[tokio::test]
async fn a_generation_that_is_taken_away_is_written_again() {
    let server = XServer::start();
    Witness::new(&server).draw_pattern(5);
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    screen(&mut client, raw()).await;
    for _ in 0..3 {
        program::output(
            server
                .program("xprop")
                .args(["-root", "-remove", "_DESKD_STATE"]),
            "x11-utils",
        );
        screen(&mut client, raw()).await;
    }
    let generation = screen(&mut client, raw()).await.server_generation;
    let ready = client.wait_ready(v1::WaitReadyRequest::default()).await;
    let ready = ready.unwrap().into_inner();
    assert_eq!(ready.evidence.unwrap().verdict(), v1::PaintVerdict::Ready);
    assert_eq!(ready.server_generation, generation);
    let request = v1::ScreenshotRequest {
        unproved: false,
        ..raw()
    };
    let frame = client.screenshot(request).await.unwrap().into_inner();
    assert_eq!(frame.frame.unwrap().kind(), v1::FrameKind::Screen);
}

/// The children of the root window.
fn children(witness: &Witness) -> Vec<x::Window> {
    let window = witness.conn.get_setup().roots().next().unwrap().root();
    let tree = witness.conn.send_request(&x::QueryTree { window });
    witness
        .conn
        .wait_for_reply(tree)
        .unwrap()
        .children()
        .to_vec()
}

/// Another program ends the connection that gives input, and names a window of another of
/// deskd's connections as the owner of what shows who gives input.
#[tokio::test]
async fn a_window_of_its_own_takes_no_input_away() {
    let server = XServer::start();
    let witness = Witness::new(&server);
    // It has the focus, and takes no paste.
    let focus = witness.window((0, 0), (50, 50), 0);
    witness.checked(&x::SetInputFocus {
        revert_to: x::InputFocus::PointerRoot,
        focus,
        time: x::CURRENT_TIME,
    });
    let others = children(&witness);
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    done(&mut client, vec![move_to(5, 5)]).await;
    let name = b"_DESKD_INPUT";
    let selection = witness.conn.send_request(&x::InternAtom {
        only_if_exists: true,
        name,
    });
    let selection = witness.conn.wait_for_reply(selection).unwrap().atom();
    for round in 0..3 {
        // A paste makes a connection of its own for the clipboard.
        drop(client.act(bare(vec![paste("x")])).await);
        let owner = witness
            .conn
            .send_request(&x::GetSelectionOwner { selection });
        let owner = witness.conn.wait_for_reply(owner).unwrap().owner();
        let base = |window: x::Window| window.resource_id() >> 21;
        let own = children(&witness).into_iter();
        let mut own = own.filter(|window| !others.contains(window) && base(*window) != base(owner));
        let clipboard = own.next().expect("no window of another connection");
        witness.checked(&x::KillClient {
            resource: owner.resource_id(),
        });
        witness.checked(&x::SetSelectionOwner {
            owner: clipboard,
            selection,
            time: x::CURRENT_TIME,
        });
        let reply = client.act(bare(vec![move_to(9, 9 + round)])).await.unwrap();
        assert_eq!(reply.into_inner().outcome(), v1::ActOutcome::Done);
    }
}

/// A program that hangs does not answer pings, and nobody else can: READY waits for it.
#[tokio::test]
async fn another_program_cannot_answer_a_ping() {
    let server = XServer::start();
    let witness = Witness::new(&server);
    let window = witness.window((0, 0), (1280, 800), 0x12_3456);
    witness.draw(window, (100, 100), (600, 300), 0xff_eedd);
    let mut adversary = Adversary::new(&server);
    let atoms = ["WM_PROTOCOLS", "_NET_WM_PING"].map(|name| adversary.atom(name));
    let property = witness.conn.send_request(&x::InternAtom {
        only_if_exists: true,
        name: b"WM_PROTOCOLS",
    });
    let property = witness.conn.wait_for_reply(property).unwrap().atom();
    let ping = witness.conn.send_request(&x::InternAtom {
        only_if_exists: true,
        name: b"_NET_WM_PING",
    });
    let ping = witness.conn.wait_for_reply(ping).unwrap().atom();
    witness.checked(&x::ChangeProperty {
        mode: x::PropMode::Replace,
        window,
        property,
        r#type: x::ATOM_ATOM,
        data: &[ping],
    });
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    let over = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let stop = std::sync::Arc::clone(&over);
    let target = window.resource_id();
    let thread = std::thread::spawn(move || {
        while !stop.load(std::sync::atomic::Ordering::Relaxed) {
            for serial in 0..400_u32 {
                let data = [atoms[1], serial, target, 0, 0];
                adversary.message_to_root(target, atoms[0], data);
            }
            adversary.round_trip();
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    let request = v1::WaitReadyRequest {
        timeout: Some(prost_types::Duration {
            seconds: 4,
            nanos: 0,
        }),
        ..v1::WaitReadyRequest::default()
    };
    let ready = client.wait_ready(request).await.unwrap().into_inner();
    over.store(true, std::sync::atomic::Ordering::Relaxed);
    thread.join().unwrap();
    let evidence = ready.evidence.unwrap();
    let seen = evidence.windows.iter().find(|seen| seen.window == target);
    assert_eq!(seen.unwrap().pongs, 0, "{evidence:?}");
    assert_ne!(evidence.verdict(), v1::PaintVerdict::Ready, "{evidence:?}");
}

/// Any client can have the server write into the segment that deskd attached: frames hold
/// what was captured.
#[tokio::test]
async fn another_program_cannot_write_into_a_frame() {
    let server = XServer::with_screen("640x480x24", &[]);
    let witness = Witness::new(&server);
    let window = witness.window((0, 0), (640, 480), 0x10_2030);
    witness.draw(window, (0, 400), (640, 80), 0xff_0000);
    for mode in ["shm-fd", "shm-sysv"] {
        let daemon = Daemon::with(&server, &["--capture-mode", mode]);
        let mut client = daemon.client().await;
        let mut adversary = Adversary::new(&server);
        for round in 0..3 {
            // Elsewhere, so that something is read.
            witness.draw(window, (0, 240), (640, 2), 0x00_ff00 + round);
            let frame = screen(&mut client, raw()).await;
            let (image, now) = (Image::from_frame(&frame), witness.capture());
            assert_eq!(image.differing(&now), 0, "{mode}, round {round}");
            adversary.overwrite_segments(400);
        }
    }
}
