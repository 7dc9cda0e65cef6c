//! The paint gate with other window managers, without extensions of the X server, and with
//! windows that a caller expects. All of them at once are `make gate-table`.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt, time::Duration};

use deskd::{client, v1};
use tonic::{Code, Request};

use crate::common::{
    Daemon, Witness, XServer,
    daemon::binary,
    desktop::Session,
    program,
    step::{bare, click, text},
    wait_for,
};

async fn evidence(daemon: &Daemon, seconds: u64, expected: &[(&str, &str)]) -> v1::PaintEvidence {
    let windows = expected.iter().map(|(title, class)| v1::ExpectedWindow {
        title: (*title).into(),
        class: (*class).into(),
    });
    let mut request = Request::new(v1::WaitReadyRequest {
        expected_windows: windows.collect(),
        ..v1::WaitReadyRequest::default()
    });
    request.set_timeout(Duration::from_secs(seconds));
    let reply = daemon.client().await.wait_ready(request).await.unwrap();
    reply.into_inner().evidence.unwrap()
}

/// fluxbox lists `_NET_REQUEST_FRAME_EXTENTS` and answers it only for windows that it
/// manages; jwm does not list it.
#[tokio::test]
async fn every_window_manager_is_heard_by_what_it_does_with_a_window() {
    for manager in ["fluxbox", "jwm", "openbox"] {
        let server = XServer::start();
        let session = Session::start(&server, &format!("{manager} & sleep 600"));
        let daemon = Daemon::start(&server);
        let evidence = evidence(&daemon, 30, &[]).await;
        assert_eq!(evidence.verdict(), v1::PaintVerdict::Ready, "{evidence:?}");
        let heard = evidence
            .windows
            .iter()
            .find(|w| w.role() == v1::WindowRole::WindowManager);
        assert!(heard.unwrap().pongs >= 2, "{manager}: {evidence:?}");
        drop(session);
    }
}

/// Pictures are compared then: the gate, steps and frames work.
#[tokio::test]
async fn without_damage_pictures_are_compared() {
    for extension in ["DAMAGE", "MIT-SHM"] {
        let server = XServer::with_screen("1280x800x24", &["-extension", extension]);
        let session = Session::start(
            &server,
            "openbox & exec xterm -geometry 140x50+0+0 -e \
             'stty -echo; printf \"\\033]0;Silent\\007\"; cat'",
        );
        let daemon = Daemon::start(&server);
        let still = evidence(&daemon, 40, &[("Silent", "xterm")]).await;
        assert_eq!(still.verdict(), v1::PaintVerdict::Ready, "{still:?}");
        let mut client = daemon.client().await;
        // With the focus the cursor is filled, which must not count for the text after it.
        let settled = v1::ActRequest {
            settle: Some(v1::SettleOptions::default()),
            ..bare(vec![click(300, 300)])
        };
        client.act(settled).await.unwrap();
        // Without echo, `cat` shows what was typed at the end of the line.
        for (typed, state) in [
            ("a", v1::SettleState::NoChange),
            ("\n", v1::SettleState::Quiet),
        ] {
            let request = v1::ActRequest {
                settle: Some(v1::SettleOptions::default()),
                ..bare(vec![text(typed)])
            };
            let reply = client.act(request).await.unwrap().into_inner();
            let report = reply.settle.unwrap();
            assert_eq!(report.state(), state, "{extension}: {report:?}");
        }
        drop(session);
    }
}

/// A clipboard manager or a VNC server draws nothing.
#[tokio::test]
async fn clients_without_windows_do_not_count() {
    let server = XServer::start();
    let script = "openbox & xclip -i /dev/null; sleep 600";
    let session = Session::start(&server, script);
    let daemon = Daemon::start(&server);
    let evidence = evidence(&daemon, 30, &[]).await;
    assert_eq!(evidence.verdict(), v1::PaintVerdict::Ready, "{evidence:?}");
    drop(session);
}

/// READY waits for programs of a start script, and longer for the windows that a caller
/// expects.
#[tokio::test]
async fn what_is_still_starting_or_expected_is_waited_for() {
    let server = XServer::start();
    program::output(
        server.program("xsetroot").args(["-mod", "7", "5"]),
        "x11-xserver-utils",
    );
    let script = "openbox & sleep 1.7; tint2 & sleep 6; xterm -T Report -geometry 90x30 & wait";
    let session = Session::start(&server, script);
    let daemon = Daemon::start(&server);
    let first = evidence(&daemon, 30, &[]).await;
    assert_eq!(first.verdict(), v1::PaintVerdict::Ready, "{first:?}");
    assert!(
        first
            .windows
            .iter()
            .any(|window| window.role() == v1::WindowRole::Dock),
        "{first:?}"
    );
    let late = evidence(&daemon, 1, &[("Repo", "XTerm")]).await;
    assert_eq!(late.verdict(), v1::PaintVerdict::Partial, "{late:?}");
    assert!(late.missing[0].contains("Repo"), "{late:?}");
    let there = evidence(&daemon, 30, &[("Repo", "XTerm")]).await;
    assert_eq!(there.verdict(), v1::PaintVerdict::Ready, "{there:?}");

    let refused = v1::WaitReadyRequest {
        expected_windows: vec![v1::ExpectedWindow::default()],
        ..v1::WaitReadyRequest::default()
    };
    let refused = daemon.client().await.wait_ready(refused).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert_eq!(client::reason(&refused), v1::Reason::InvalidField);
    drop(session);
}

/// A command of the session that asks whether the desktop is painted is not waited for.
#[test]
fn who_asks_is_not_what_still_starts() {
    let server = XServer::start();
    let daemon = Daemon::start(&server);
    let folder = tempfile::tempdir().unwrap();
    let code = folder.path().join("code");
    let script = format!(
        "openbox & xterm & sleep 7; timeout 20 {} ready --timeout 3s --server {}; echo $? > {}; wait",
        binary().display(),
        daemon.address(),
        code.display()
    );
    let session = Session::start(&server, &script);
    let code = wait_for("the code", Duration::from_secs(40), || {
        let text = std::fs::read_to_string(&code).ok()?;
        text.trim().parse::<i32>().ok()
    });
    assert_eq!(code, 0);
    drop(session);
}

/// A window that was mapped and is not drawn yet is not the one that is expected.
#[tokio::test]
async fn an_expected_window_is_waited_for_until_it_is_drawn() {
    let server = XServer::start();
    let witness = Witness::new(&server);
    witness.draw_pattern(6);
    let window = witness.window((100, 100), (600, 400), 0xff_ffff);
    let id = xcb::Xid::resource_id(&window).to_string();
    program::output(
        server.program("xprop").args([
            "-id",
            &id,
            "-f",
            "_NET_WM_NAME",
            "8u",
            "-set",
            "_NET_WM_NAME",
            "Später",
        ]),
        "x11-utils",
    );
    let daemon = Daemon::start(&server);
    let empty = evidence(&daemon, 5, &[("Später", "")]).await;
    assert_eq!(empty.verdict(), v1::PaintVerdict::Partial, "{empty:?}");
    witness.draw(window, (50, 50), (100, 100), 0xff_0000);
    let drawn = evidence(&daemon, 20, &[("Später", "")]).await;
    assert_eq!(drawn.verdict(), v1::PaintVerdict::Ready, "{drawn:?}");
    // WM_NAME of type STRING is ISO 8859-1 (ICCCM 2.7.1).
    let window = witness.window((100, 100), (400, 300), 0x00_ff00);
    witness.draw(window, (50, 50), (100, 100), 0xff_0000);
    let id = xcb::Xid::resource_id(&window).to_string();
    let mut name = server.program("xprop");
    name.args(["-id", &id, "-f", "WM_NAME", "8s", "-set", "WM_NAME"]);
    name.arg(OsStr::from_bytes(b"Gr\xfc\xdfe"));
    program::output(&mut name, "x11-utils");
    let named = evidence(&daemon, 20, &[("Grüße", "")]).await;
    assert_eq!(named.verdict(), v1::PaintVerdict::Ready, "{named:?}");
}
