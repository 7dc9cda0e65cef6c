//! Windows: what is listed, and what changes of them become.

use std::time::Duration;

use deskd::v1::{self, WindowKind, WindowOperation, WindowOutcome, change_window_request::Change};
use tonic::Code;

use crate::common::{
    Daemon, Witness, XServer,
    desktop::Session,
    pacing::MANAGERS,
    program, receiver,
    step::{bare, chord, text},
    wait_for,
    window_table::{self, OPENBOX, list, outcomes, titled, windows, xterm},
};

async fn change(
    windows: &mut window_table::Windows,
    target: v1::WindowTarget,
    operation: WindowOperation,
) -> Result<v1::ChangeWindowResponse, tonic::Status> {
    let request = v1::ChangeWindowRequest {
        window: Some(target),
        change: Some(Change::Operation(operation.into())),
        timeout: Duration::from_secs(1).try_into().ok(),
    };
    Ok(windows.change_window(request).await?.into_inner())
}

async fn until_listed(windows: &mut window_table::Windows, title: &str) -> v1::Window {
    for _ in 0..300 {
        let all = list(windows).await.windows;
        if let Some(found) = all.into_iter().find(|window| window.title.contains(title)) {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{title} is not listed: {:?}", list(windows).await)
}

/// What deskd says was done is what xprop and xwininfo see, and the other way round.
#[tokio::test]
async fn what_was_done_is_what_others_see() {
    for manager in MANAGERS {
        let (_, outcomes) = outcomes(&manager).await;
        let is_so = |outcome: &&WindowOutcome| {
            matches!(outcome, WindowOutcome::Done | WindowOutcome::Already)
        };
        let done = outcomes.iter().filter(is_so).count();
        // Without a window manager: activate, place and close. i3 tiles, and minimizes nothing.
        let least = match manager.name {
            "none" => 3,
            "i3" => 5,
            _ => 7,
        };
        println!("{}: {outcomes:?}", manager.name);
        assert!(done >= least, "{}: {outcomes:?}", manager.name);
    }
}

/// Dialogs, menus and tooltips are listed, each with its kind, its owner and its place in the stack.
#[tokio::test]
async fn dialogs_and_menus_are_listed_with_their_owners() {
    let server = XServer::start();
    let session = Session::start(&server, &format!("{OPENBOX}; exec mousepad"));
    let daemon = Daemon::start(&server);
    let mut windows = windows(&daemon).await;
    let main = until_listed(&mut windows, "Mousepad").await;
    assert_eq!(main.kind(), WindowKind::Normal);
    assert!(main.managed && main.viewable && main.pid.is_some());
    assert_eq!(main.program, "mousepad");
    let activated = change(&mut windows, titled("Mousepad"), WindowOperation::Activate).await;
    let activated = activated.unwrap().window.unwrap();
    assert!(
        activated
            .states()
            .any(|state| state == v1::WindowState::Focused)
    );
    // A menu, then the dialog of one of its entries.
    let mut client = daemon.client().await;
    let opens = bare(vec![chord(&["alt", "f"])]);
    client.act(opens).await.unwrap();
    let menu = wait_for_kind(&mut windows, WindowKind::Menu).await;
    assert!(!menu.managed, "{menu:?}");
    let all = list(&mut windows).await.windows;
    assert_eq!(
        all[0].kind(),
        WindowKind::Menu,
        "the topmost first: {all:?}"
    );
    let keys = vec![chord(&["Escape"]), chord(&["ctrl", "o"])];
    client.act(bare(keys)).await.unwrap();
    let dialog = wait_for_kind(&mut windows, WindowKind::Dialog).await;
    assert_eq!(dialog.transient_for, main.id, "{dialog:?}");
    // The dialog is its window's own, so closing the window asks nothing; it is closed first.
    let closed = change(&mut windows, titled(&dialog.title), WindowOperation::Close).await;
    assert_eq!(closed.unwrap().outcome(), WindowOutcome::Done);
    drop(session);
}

async fn wait_for_kind(windows: &mut window_table::Windows, kind: WindowKind) -> v1::Window {
    for _ in 0..200 {
        let all = list(windows).await.windows;
        if let Some(found) = all.into_iter().find(|window| window.kind() == kind) {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("no {kind:?}: {:?}", list(windows).await)
}

/// A program that asks whether to save is not closed, and the question is reported.
#[tokio::test]
async fn a_question_in_place_of_closing_is_reported() {
    let server = XServer::start();
    let session = Session::start(&server, &format!("{OPENBOX}; exec mousepad"));
    let daemon = Daemon::start(&server);
    let mut windows = windows(&daemon).await;
    until_listed(&mut windows, "Mousepad").await;
    change(&mut windows, titled("Mousepad"), WindowOperation::Activate)
        .await
        .unwrap();
    let typed = bare(vec![text("unsaved")]);
    daemon.client().await.act(typed).await.unwrap();
    let closed = change(&mut windows, titled("Mousepad"), WindowOperation::Close)
        .await
        .unwrap();
    assert_eq!(closed.outcome(), WindowOutcome::NotDone, "{closed:?}");
    let question = closed
        .appeared
        .first()
        .unwrap_or_else(|| panic!("{closed:?}"));
    assert_eq!(question.kind(), WindowKind::Dialog, "{closed:?}");
    assert!(closed.message.contains(&question.id), "{closed:?}");
    drop(session);
}

/// A target that names no window or several is refused, with the windows that there are. A window
/// that has ended is not taken for another one.
#[tokio::test]
async fn an_unclear_target_is_refused_with_candidates() {
    let server = XServer::start();
    let session = MANAGERS[1].start(&server);
    let first = xterm(&server, "Report one", "20x5+0+0");
    let _second = xterm(&server, "Report two", "20x5+300+0");
    let daemon = Daemon::start(&server);
    let mut windows = windows(&daemon).await;
    let gone = until_listed(&mut windows, "Report one").await;
    until_listed(&mut windows, "Report two").await;
    let refused = |status: tonic::Status| {
        (
            status.code(),
            deskd::client::reason(&status),
            status.message().to_owned(),
        )
    };
    let several = change(&mut windows, titled("Report"), WindowOperation::Close).await;
    let (code, reason, said) = refused(several.unwrap_err());
    assert_eq!(
        (code, reason),
        (Code::FailedPrecondition, v1::Reason::AmbiguousWindow)
    );
    assert!(
        said.contains("Report one") && said.contains("Report two"),
        "{said}"
    );
    let none = change(&mut windows, titled("report"), WindowOperation::Close).await;
    let (code, reason, said) = refused(none.unwrap_err());
    assert_eq!(
        (code, reason),
        (Code::FailedPrecondition, v1::Reason::UnknownWindow)
    );
    assert!(said.contains("Report one"), "{said}");
    drop(first);
    let id = v1::WindowTarget {
        target: Some(v1::window_target::Target::Id(gone.id.clone())),
    };
    for _ in 0..100 {
        if list(&mut windows)
            .await
            .windows
            .iter()
            .all(|window| window.id != gone.id)
        {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let ended = change(&mut windows, id, WindowOperation::Activate).await;
    assert_eq!(refused(ended.unwrap_err()).1, v1::Reason::UnknownWindow);
    for (request, field) in [
        (v1::ChangeWindowRequest::default(), "change"),
        (
            v1::ChangeWindowRequest {
                change: Some(Change::Operation(99)),
                ..v1::ChangeWindowRequest::default()
            },
            "operation",
        ),
        (
            v1::ChangeWindowRequest {
                window: Some(titled("")),
                change: Some(Change::Operation(1)),
                timeout: None,
            },
            "window.match",
        ),
        (
            v1::ChangeWindowRequest {
                window: Some(titled("Report two")),
                change: Some(Change::Place(v1::WindowPlacement {
                    width: Some(0),
                    ..v1::WindowPlacement::default()
                })),
                timeout: None,
            },
            "place.width",
        ),
    ] {
        let status = windows.change_window(request).await.unwrap_err();
        assert_eq!(deskd::client::reason(&status), v1::Reason::InvalidField);
        assert!(status.message().starts_with(field), "{status:?}");
    }
    drop(session);
}

/// A program or a window manager that hangs does not hold deskd up, and nothing is said to be done.
#[tokio::test]
async fn what_hangs_is_reported_as_not_done() {
    let server = XServer::start();
    let session = MANAGERS[1].start(&server).unwrap();
    let program = xterm(&server, "Hangs", "20x5+0+0");
    let daemon = Daemon::start(&server);
    let mut windows = windows(&daemon).await;
    until_listed(&mut windows, "Hangs").await;
    program.signal("STOP");
    let close = change(&mut windows, titled("Hangs"), WindowOperation::Close)
        .await
        .unwrap();
    assert_eq!(close.outcome(), WindowOutcome::NotDone, "{close:?}");
    assert!(close.window.is_some());
    program.signal("CONT");
    session.signal("openbox", nix::sys::signal::Signal::SIGSTOP);
    let one = xterm(&server, "Later", "20x5+0+0");
    let minimize = change(&mut windows, titled("desk"), WindowOperation::Minimize).await;
    assert!(minimize.is_err());
    session.signal("openbox", nix::sys::signal::Signal::SIGCONT);
    drop((one, session));
}

/// Titles of a megabyte, thousands of windows, and windows whose properties lie.
#[tokio::test]
async fn windows_that_lie_or_are_many_are_listed_within_bounds() {
    let server = XServer::start();
    let mut script = receiver::python(&server, "many_windows.py");
    let mut running = program::spawn(&mut script, "python3-xlib");
    let lines = receiver::lines(&mut running);
    let daemon = Daemon::start(&server);
    let mut windows = windows(&daemon).await;
    list(&mut windows).await;
    wait_for("the windows", Duration::from_secs(60), || {
        lines.lock().unwrap().first().cloned()
    });
    let before = daemon.anonymous_kib();
    let all = list(&mut windows).await;
    assert_eq!(all.windows.len(), 1024, "of {}", all.total);
    assert!(all.total >= 5000, "{}", all.total);
    let liar = all
        .windows
        .iter()
        .find(|window| window.title.starts_with("liar"));
    let liar = liar.unwrap();
    assert_eq!(liar.title.len(), 1024);
    assert_ne!(liar.pid, Some(1), "its own word");
    assert_eq!(liar.transient_for, "");
    assert!(daemon.anonymous_kib() < before + 24 * 1024);
    drop(running);
}

/// Without a window manager, no program may have set the focus: the window under the pointer receives
/// the keys.
#[tokio::test]
async fn the_window_under_the_pointer_may_have_the_focus() {
    let server = XServer::start();
    let _program = xterm(&server, "Under", "20x5+100+100");
    let daemon = Daemon::start(&server);
    let mut windows = windows(&daemon).await;
    until_listed(&mut windows, "Under").await;
    let mut client = daemon.client().await;
    for (place, has_focus) in [((600, 400), false), ((120, 120), true)] {
        let moves = vec![crate::common::step::move_to(place.0, place.1)];
        client.act(bare(moves)).await.unwrap();
        let under = until_listed(&mut windows, "Under").await;
        let focused = under
            .states()
            .any(|state| state == v1::WindowState::Focused);
        assert_eq!(focused, has_focus, "{place:?}: {under:?}");
    }
}

/// Any program can write which window is active. The focus of the X server decides: what is typed goes
/// there.
#[tokio::test]
async fn the_active_window_cannot_be_forged() {
    let server = XServer::start();
    let session = MANAGERS[1].start(&server);
    let daemon = Daemon::start(&server);
    let mut windows = windows(&daemon).await;
    let _good = xterm(&server, "Good", "30x5+100+100");
    until_listed(&mut windows, "Good").await;
    let _evil = xterm(&server, "Evil", "30x5+500+300");
    until_listed(&mut windows, "Evil").await;
    let activate = WindowOperation::Activate;
    change(&mut windows, titled("Evil"), activate)
        .await
        .unwrap();
    let good = window_table::number(&until_listed(&mut windows, "Good").await);
    let witness = Witness::new(&server);
    let window = u32::from_str_radix(good.trim_start_matches("0x"), 16).unwrap();
    witness.set_root_window("_NET_ACTIVE_WINDOW", window);
    for (title, expected) in [("Good", false), ("Evil", true)] {
        let window = until_listed(&mut windows, title).await;
        let is_focused = window
            .states()
            .any(|state| state == v1::WindowState::Focused);
        assert_eq!(is_focused, expected, "{title}");
    }
    let condition = window_table::window_event("Good", v1::WindowEvent::GetsFocus);
    let wait = v1::WaitForRequest {
        condition: Some(condition),
        timeout: Duration::from_millis(300).try_into().ok(),
        ..v1::WaitForRequest::default()
    };
    let report = daemon.client().await.wait_for(wait).await.unwrap();
    assert!(!report.into_inner().report.unwrap().met);
    // It gets the focus, although it is said to have it.
    let changed = change(&mut windows, titled("Good"), activate).await;
    let changed = changed.unwrap();
    assert_eq!(changed.outcome(), WindowOutcome::Done, "{changed:?}");
    let focus = server.program("xdotool").arg("getwindowfocus").output();
    let focus = String::from_utf8(focus.unwrap().stdout).unwrap();
    let is_within = |focus: u32| focus & !0x1f_ffff == window & !0x1f_ffff;
    assert!(is_within(focus.trim().parse().unwrap()), "{focus} {good}");
    drop(session);
}
