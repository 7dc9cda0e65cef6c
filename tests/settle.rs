//! After input the screen is waited for, by what it does.

use std::time::Duration;

use deskd::v1::{self, action::Action};

use crate::common::{
    Daemon, Recorder, Witness, XServer,
    moving::Moving,
    pacing::MANAGERS,
    receiver,
    step::{Client, bare, chord, click, move_to, text},
};

async fn settled(client: &mut Client, timeout_ms: u64) -> (v1::SettleReport, Duration) {
    let request = v1::ActRequest {
        settle: Some(v1::SettleOptions {
            skip: false,
            timeout: prost_types::Duration::try_from(Duration::from_millis(timeout_ms)).ok(),
            quiet: None,
        }),
        ..bare(vec![click(700, 700)])
    };
    let reply = client.act(request).await.unwrap().into_inner();
    assert_eq!(reply.outcome(), v1::ActOutcome::Done);
    let report = reply.settle.unwrap();
    let waited = Duration::try_from(report.waited.unwrap()).unwrap();
    (report, waited)
}

fn inside(outer: &v1::Region, x: i32, y: i32, width: u32, height: u32) -> bool {
    outer.x() <= x
        && outer.y() <= y
        && outer.x() + outer.width.cast_signed() >= x + width.cast_signed()
        && outer.y() + outer.height.cast_signed() >= y + height.cast_signed()
}

/// Nothing changes: said so, after 400 ms.
#[tokio::test]
async fn nothing_changes() {
    let server = XServer::start();
    let _recorder = Recorder::new(&server);
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    let (report, waited) = settled(&mut client, 3000).await;
    assert_eq!(report.state(), v1::SettleState::NoChange, "{report:?}");
    assert!(waited >= Duration::from_millis(400), "{waited:?}");
    assert_eq!(report.changed, None);
    assert!(report.excepted.is_empty());
}

/// A program that answers in strokes is waited for, and the changed region is reported.
#[tokio::test(flavor = "multi_thread")]
async fn strokes_are_waited_for() {
    let server = XServer::start();
    let recorder = Recorder::new(&server);
    let daemon = Daemon::start(&server);
    let painter = std::thread::spawn(move || {
        recorder.until(Duration::from_secs(10), |seen| seen.len() >= 3);
        for stroke in 0..6_i16 {
            std::thread::sleep(Duration::from_millis(50));
            let window = recorder.window();
            recorder
                .witness()
                .draw(window, (100 + 20 * stroke, 100), (20, 30), 0x00ff_ff00);
        }
        recorder
    });
    let mut client = daemon.client().await;
    let (report, waited) = settled(&mut client, 3000).await;
    assert_eq!(report.state(), v1::SettleState::Quiet, "{report:?}");
    assert!(waited >= Duration::from_millis(400), "{waited:?}");
    assert!(
        inside(&report.changed.unwrap(), 100, 100, 120, 30),
        "{report:?}"
    );
    painter.join().unwrap();
}

/// A screen that never rests ends the wait at the given time, and the report says so.
#[tokio::test(flavor = "multi_thread")]
async fn what_begins_to_move_and_goes_on_runs_out_of_time() {
    let server = XServer::start();
    let recorder = Recorder::new(&server);
    let daemon = Daemon::start(&server);
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let stopped = std::sync::Arc::clone(&stop);
    let painter = std::thread::spawn(move || {
        recorder.until(Duration::from_secs(10), |seen| seen.len() >= 3);
        let mut colour = 0;
        while !stopped.load(std::sync::atomic::Ordering::Relaxed) {
            colour = (colour + 0x0003_0507) & 0x00ff_ffff;
            let window = recorder.window();
            recorder.witness().draw(window, (0, 0), (600, 500), colour);
            std::thread::sleep(Duration::from_millis(30));
        }
    });
    let mut client = daemon.client().await;
    let (report, waited) = settled(&mut client, 900).await;
    assert_eq!(report.state(), v1::SettleState::Timeout, "{report:?}");
    assert!(waited >= Duration::from_millis(900), "{waited:?}");
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    painter.join().unwrap();
}

/// Content that moved before the input is no answer to it: it is excepted and named.
#[tokio::test(flavor = "multi_thread")]
async fn what_moved_before_is_excepted() {
    let server = XServer::start();
    let _recorder = Recorder::new(&server);
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    let _spinner = Moving::start(&server, (48, 48), (500, 300));
    // The first step after a long time knows nothing of it yet.
    settled(&mut client, 1500).await;
    tokio::time::sleep(Duration::from_millis(2500)).await;
    let (report, _) = settled(&mut client, 3000).await;
    assert_eq!(report.state(), v1::SettleState::NoChange, "{report:?}");
    assert_eq!(report.excepted.len(), 1, "{report:?}");
    assert!(inside(&report.excepted[0], 500, 300, 48, 48), "{report:?}");
}

/// A still screen that nobody uses costs nothing, also after input.
#[tokio::test]
async fn an_idle_hand_costs_nothing() {
    let server = XServer::start();
    let witness = Witness::new(&server);
    witness.draw_pattern(1);
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    client.act(bare(vec![move_to(5, 5)])).await.unwrap();
    settled(&mut client, 500).await;
    let ticks = || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", daemon.pid())).unwrap();
        let fields: Vec<&str> = stat
            .rsplit(')')
            .next()
            .unwrap()
            .split_whitespace()
            .collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    };
    let before = ticks();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let used = ticks() - before;
    // 3 s are 300 ticks: 1 % of a core.
    assert!(used <= 3, "{used} ticks in 3 s");
}

/// A step with settling, and what came of it.
async fn step(client: &mut Client, actions: Vec<Action>) -> v1::SettleReport {
    let request = v1::ActRequest {
        settle: Some(v1::SettleOptions::default()),
        ..bare(actions)
    };
    let reply = client.act(request).await.unwrap().into_inner();
    assert_eq!(reply.outcome(), v1::ActOutcome::Done, "{reply:?}");
    reply.settle.unwrap()
}

/// A command that sleeps in a terminal is waited for; a program that waits for keys is
/// not.
#[tokio::test]
async fn a_command_in_a_terminal_is_waited_for() {
    let server = XServer::start();
    let mut xterm = server.program("xterm");
    xterm.args(["-geometry", "80x24+0+0", "-e", "sh"]);
    let _xterm = crate::common::program::spawn(&mut xterm, "xterm");
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    // Without a window manager keys go to the window under the pointer.
    step(&mut client, vec![click(100, 100)]).await;
    let report = step(&mut client, vec![text("sleep 0.8; echo done\n")]).await;
    let waited = Duration::try_from(report.waited.unwrap()).unwrap();
    assert!(waited >= Duration::from_millis(800), "{waited:?}");
    assert_eq!(report.state(), v1::SettleState::Quiet);
    // The kernel has a command that reads a socket wait where one that reads the
    // terminal waits.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let answer = std::thread::spawn(move || {
        let (connection, _) = listener.accept().unwrap();
        std::thread::sleep(Duration::from_millis(1200));
        drop(connection);
    });
    let asks = format!(
        "python3 -c \"import socket; socket.create_connection(('127.0.0.1', {port})).recv(1)\"\n"
    );
    let report = step(&mut client, vec![text(&asks)]).await;
    assert!(answer.is_finished(), "{report:?}");
    for reads in ["cat\n", "words\n"] {
        let report = step(&mut client, vec![text(reads)]).await;
        assert_ne!(report.state(), v1::SettleState::Timeout, "{reads:?}");
    }
}

/// A page that asks its server is waited for: the pressed button is not the answer.
#[tokio::test]
async fn an_answer_of_a_pages_server_is_waited_for() {
    let manager = MANAGERS.iter().find(|m| m.name == "openbox").unwrap();
    let server = XServer::start();
    let _manager = manager.start(&server);
    let mut command = receiver::python(&server, "slow_page.py");
    let home = tempfile::tempdir().unwrap();
    command.env("HOME", home.path());
    let mut page = crate::common::program::spawn(&mut command, "chromium");
    let lines = receiver::lines(&mut page);
    let of = |event: &str| {
        let lines = lines.lock().unwrap();
        lines.iter().find(|line| line["event"] == event).cloned()
    };
    let ready = crate::common::wait_for("the page", Duration::from_secs(60), || of("ready"));
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    let number = |value: &serde_json::Value| i32::try_from(value.as_i64().unwrap()).unwrap();
    for (name, ms) in [("once", 700), ("twice", 500)] {
        let at = &ready[name];
        let report = step(&mut client, vec![click(number(&at[0]), number(&at[1]))]).await;
        assert!(of(name).is_some(), "{name}: {report:?}");
        let waited = Duration::try_from(report.waited.unwrap()).unwrap();
        assert!(waited >= Duration::from_millis(ms), "{name}: {waited:?}");
    }
    drop(page.0.stdin.take());
}

/// Alt and a letter press a button, which acts a moment later, as Return does.
#[tokio::test]
async fn a_mnemonic_is_waited_for_as_return_is() {
    let server = XServer::start();
    let mut command = receiver::python(&server, "mnemonic.py");
    let home = tempfile::tempdir().unwrap();
    command.env("HOME", home.path());
    let mut dialog = crate::common::program::spawn(&mut command, "gir1.2-gtk-3.0");
    let lines = receiver::lines(&mut dialog);
    let has = |event: &str| {
        let lines = lines.lock().unwrap();
        lines
            .iter()
            .any(|line| line["event"] == event)
            .then_some(())
    };
    crate::common::wait_for("the dialog", Duration::from_secs(20), || has("ready"));
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    step(&mut client, vec![chord(&["alt", "d"])]).await;
    assert!(has("closed").is_some());
    drop(dialog.0.stdin.take());
}
