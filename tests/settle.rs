//! After input the screen is waited for, by what it does.

use std::time::Duration;

use deskd::rpc::v1;

use crate::common::{
    Daemon, Recorder, Witness, XServer,
    moving::Moving,
    step::{Client, bare, click, move_to},
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
    outer.x <= x
        && outer.y <= y
        && outer.x + outer.width.cast_signed() >= x + width.cast_signed()
        && outer.y + outer.height.cast_signed() >= y + height.cast_signed()
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

/// A program that answers in strokes is waited for, and what changed is told.
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

/// What never rests ends at the time given, and says so.
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

/// What moved before the input is no answer to it: it is excepted and named.
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
