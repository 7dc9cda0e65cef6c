//! Conditions: a step or a call that waits for a window or a part of the screen.

use std::time::{Duration, Instant};

use deskd::{
    client,
    v1::{
        self, ActOutcome, ActionStatus, Reason, RegionEvent, WindowEvent, action::Action,
        condition::Condition as Kind,
    },
};
use tonic::{Code, Request};

use crate::common::{
    Daemon, Witness, XServer,
    drawing::Numbers,
    pacing::MANAGERS,
    program, receiver,
    step::{bare, chord, click, text},
    wait_for,
    window_table::{appears, window_event, xterm},
};

fn waits(condition: v1::Condition, milliseconds: u64) -> Action {
    Action::WaitFor(v1::WaitForAction {
        condition: Some(condition),
        timeout: Duration::from_millis(milliseconds).try_into().ok(),
    })
}

fn region(event: RegionEvent, quiet: u64, at: (i32, i32)) -> v1::Condition {
    v1::Condition {
        condition: Some(Kind::Region(v1::RegionCondition {
            region: Some(v1::Region::new(at.0, at.1, 40, 40)),
            event: event.into(),
            quiet: (quiet > 0).then(|| Duration::from_millis(quiet).try_into().unwrap()),
        })),
    }
}

fn combined(kind: fn(v1::Conditions) -> Kind, conditions: Vec<v1::Condition>) -> v1::Condition {
    v1::Condition {
        condition: Some(kind(v1::Conditions { conditions })),
    }
}

async fn call(daemon: &Daemon, condition: v1::Condition, milliseconds: u64) -> v1::WaitReport {
    let request = v1::WaitForRequest {
        condition: Some(condition),
        timeout: Duration::from_millis(milliseconds).try_into().ok(),
        coordinate_space: None,
    };
    let reply = daemon.client().await.wait_for(request).await.unwrap();
    reply.into_inner().report.unwrap()
}

/// One step: clicks Save, waits for the dialog, types a name, presses Return.
#[tokio::test]
async fn a_dialog_is_opened_awaited_and_answered_in_one_step() {
    for toolkit in ["gtk", "qt", "tk"] {
        let server = XServer::start();
        let session = MANAGERS[0].start(&server);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap().join("report.txt");
        let mut program = receiver::python(&server, "save_dialog.py");
        program
            .arg(toolkit)
            .arg(folder.path().canonicalize().unwrap());
        let mut program = program::spawn(&mut program, "python3-gi, python3-pyqt5, python3-tk");
        let lines = receiver::lines(&mut program);
        let event = |name: &str| {
            wait_for(name, Duration::from_secs(20), || {
                let lines = lines.lock().unwrap();
                lines.iter().find(|line| line["event"] == name).cloned()
            })
        };
        let ready = event("ready");
        let daemon = Daemon::start(&server);
        let place = |name: &str| i32::try_from(ready[name].as_i64().unwrap()).unwrap();
        let step = bare(vec![
            click(place("x"), place("y")),
            waits(window_event("Save As", WindowEvent::GetsFocus), 10_000),
            text("report.txt"),
            chord(&["Return"]),
            waits(window_event("Save As", WindowEvent::Disappears), 10_000),
        ]);
        let mut client = daemon.client().await;
        let reply = client.act(step).await.unwrap().into_inner();
        assert_eq!(reply.outcome(), ActOutcome::Done, "{toolkit}: {reply:?}");
        assert_eq!(event("saved")["path"], path.to_str().unwrap(), "{toolkit}");
        let report = reply.results[1].wait_for.as_ref().unwrap();
        assert!(
            report.met && report.states[0].windows[0].title == "Save As",
            "{report:?}"
        );
        drop(session);
    }
}

/// A condition that is not met ends the step, and its result says what was there instead.
#[tokio::test]
async fn what_was_there_instead_is_reported() {
    let server = XServer::start();
    let session = MANAGERS[1].start(&server);
    let _other = xterm(&server, "Error", "20x5+0+0");
    let daemon = Daemon::start(&server);
    assert!(call(&daemon, appears("Error"), 10_000).await.met);
    let step = bare(vec![waits(appears("Save As"), 300), text("never typed")]);
    let reply = daemon.client().await.act(step).await.unwrap().into_inner();
    assert_eq!(reply.outcome(), ActOutcome::Partial, "{reply:?}");
    let [waited, typed] = &reply.results[..] else {
        panic!("{reply:?}")
    };
    assert_eq!(waited.status(), ActionStatus::Failed);
    let failure = waited.failure.as_ref().unwrap();
    assert_eq!(failure.reason(), Reason::ConditionNotMet);
    assert!(failure.message.contains("Error"), "{failure:?}");
    let report = waited.wait_for.as_ref().unwrap();
    assert!(!report.met && report.windows.iter().any(|window| window.title == "Error"));
    assert_eq!(typed.status(), ActionStatus::NotExecuted);
    drop(session);
}

/// A region changes and rests, also before the wait begins in its step.
#[tokio::test]
async fn a_region_changes_and_rests() {
    let server = XServer::start();
    let witness = Witness::new(&server);
    let daemon = Daemon::start(&server);
    let window = witness.window((0, 0), (100, 100), 0);
    witness.draw(window, (0, 0), (100, 100), 0x20_4060);
    let still = call(&daemon, region(RegionEvent::Changes, 0, (10, 10)), 300).await;
    assert!(!still.met && !still.states[0].changed, "{still:?}");
    let rests = call(&daemon, region(RegionEvent::Rests, 200, (10, 10)), 2000).await;
    assert!(rests.met, "{rests:?}");
    // A step that draws first, here by another program during the first wait, and then asks.
    let act = async {
        let step = bare(vec![
            waits(region(RegionEvent::Changes, 0, (10, 10)), 5000),
            waits(region(RegionEvent::Rests, 300, (10, 10)), 5000),
            waits(region(RegionEvent::Changes, 0, (10, 10)), 300),
        ]);
        daemon.client().await.act(step).await.unwrap().into_inner()
    };
    let draw = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        for shade in 1..6 {
            witness.draw(window, (0, 0), (100, 100), shade * 0x11_0000);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let (reply, ()) = tokio::join!(act, draw);
    let states: Vec<ActionStatus> = reply.results.iter().map(v1::ActionResult::status).collect();
    let expected = [ActionStatus::Done, ActionStatus::Done, ActionStatus::Failed];
    assert_eq!(states, expected, "{reply:?}");
    let rested = reply.results[1].wait_for.as_ref().unwrap();
    assert!(
        rested.states[0].rested.unwrap().nanos >= 300_000_000,
        "{rested:?}"
    );
}

/// What a step's own input changed before the wait counts: it is compared with the beginning.
#[tokio::test]
async fn a_change_between_the_input_and_the_wait_counts() {
    let server = XServer::start();
    let session = MANAGERS[1].start(&server);
    let mut program = server.program("xterm");
    program.args(["-T", "Echo", "-geometry", "40x10+0+0", "-e", "cat"]);
    let program = program::spawn(&mut program, "xterm");
    let daemon = Daemon::start(&server);
    assert!(
        call(
            &daemon,
            window_event("Echo", WindowEvent::GetsFocus),
            10_000
        )
        .await
        .met
    );
    let whole = v1::Condition {
        condition: Some(Kind::Region(v1::RegionCondition {
            region: Some(v1::Region::new(0, 0, 300, 200)),
            event: RegionEvent::Changes.into(),
            quiet: None,
        })),
    };
    let pause = Action::Wait(v1::WaitAction {
        duration: Duration::from_millis(500).try_into().ok(),
    });
    let step = bare(vec![text("xyz"), pause, waits(whole, 2000)]);
    let reply = daemon.client().await.act(step).await.unwrap().into_inner();
    assert_eq!(reply.outcome(), ActOutcome::Done, "{reply:?}");
    drop((program, session));
}

#[tokio::test]
async fn conditions_are_combined() {
    let server = XServer::start();
    let session = MANAGERS[1].start(&server);
    let _one = xterm(&server, "One", "20x5+0+0");
    let daemon = Daemon::start(&server);
    assert!(call(&daemon, appears("One"), 10_000).await.met);
    let both = || vec![appears("One"), appears("Two")];
    let any = call(&daemon, combined(Kind::Any, both()), 200).await;
    assert!(
        any.met && any.states[0].met && !any.states[1].met,
        "{any:?}"
    );
    let all = call(&daemon, combined(Kind::All, both()), 200).await;
    assert!(
        !all.met && all.states[0].met && !all.states[1].met,
        "{all:?}"
    );
    let gone = window_event("Two", WindowEvent::Disappears);
    let nested = combined(
        Kind::All,
        vec![appears("One"), combined(Kind::Any, vec![gone])],
    );
    assert!(call(&daemon, nested, 200).await.met);
    drop(session);
}

#[tokio::test]
async fn impossible_conditions_are_refused_by_name() {
    let server = XServer::start();
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    let nested =
        |depth: usize| (0..depth).fold(appears("x"), |inner, _| combined(Kind::Any, vec![inner]));
    let many = combined(Kind::Any, vec![appears("x"); 17]);
    let far = region(RegionEvent::Changes, 0, (1270, 10));
    for (condition, code, reason, field) in [
        (
            None,
            Code::InvalidArgument,
            Reason::InvalidField,
            "condition",
        ),
        (
            Some(v1::Condition::default()),
            Code::InvalidArgument,
            Reason::InvalidField,
            "condition",
        ),
        (
            Some(appears("")),
            Code::InvalidArgument,
            Reason::InvalidField,
            "condition.window.match",
        ),
        (
            Some(nested(4)),
            Code::InvalidArgument,
            Reason::LimitExceeded,
            "condition.any",
        ),
        (
            Some(combined(Kind::All, Vec::new())),
            Code::InvalidArgument,
            Reason::InvalidField,
            "condition.all",
        ),
        (
            Some(many),
            Code::InvalidArgument,
            Reason::LimitExceeded,
            "condition.any",
        ),
        (
            Some(region(RegionEvent::Rests, 11_000, (0, 0))),
            Code::InvalidArgument,
            Reason::LimitExceeded,
            "condition.region.quiet",
        ),
        (Some(far), Code::OutOfRange, Reason::OutOfScreen, ""),
    ] {
        let request = v1::WaitForRequest {
            condition,
            ..v1::WaitForRequest::default()
        };
        let status = client.wait_for(request.clone()).await.unwrap_err();
        assert_eq!(
            (status.code(), client::reason(&status)),
            (code, reason),
            "{status:?}"
        );
        assert!(status.message().starts_with(field), "{status:?}");
        // The same in a step: nothing of it is done.
        let wait = Action::WaitFor(v1::WaitForAction {
            condition: request.condition,
            timeout: None,
        });
        let status = client.act(bare(vec![wait])).await.unwrap_err();
        assert_eq!(
            (status.code(), client::reason(&status)),
            (code, reason),
            "{status:?}"
        );
    }
    assert!(call(&daemon, nested(3), 10).await.windows.is_empty());
    let too_many = bare(vec![waits(appears("x"), 10); 9]);
    let status = client.act(too_many).await.unwrap_err();
    assert_eq!(client::reason(&status), Reason::LimitExceeded);
}

/// The caller's deadline ends a wait before its own time, and a caller that goes away ends it at
/// once, so that the next step does not wait.
#[tokio::test]
async fn a_wait_ends_with_its_caller() {
    let server = XServer::start();
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    let mut request = Request::new(v1::WaitForRequest {
        condition: Some(appears("Never")),
        timeout: Duration::from_secs(60).try_into().ok(),
        coordinate_space: None,
    });
    request.set_timeout(Duration::from_secs(1));
    let report = client
        .wait_for(request)
        .await
        .unwrap()
        .into_inner()
        .report
        .unwrap();
    assert!(!report.met, "{report:?}");
    let mut step = Request::new(bare(vec![waits(appears("Never"), 60_000)]));
    step.set_timeout(Duration::from_secs(2));
    let reply = client.act(step).await.unwrap().into_inner();
    assert_eq!(reply.outcome(), ActOutcome::Deadline, "{reply:?}");
    let failure = reply.results[0].failure.as_ref().unwrap();
    assert_eq!(failure.reason(), Reason::Deadline);
    let step = bare(vec![waits(appears("Never"), 60_000)]);
    drop(tokio::time::timeout(Duration::from_millis(300), client.act(step)).await);
    let began = Instant::now();
    let mut next = Request::new(bare(vec![chord(&["a"])]));
    next.set_timeout(Duration::from_secs(10));
    let reply = client.act(next).await.unwrap().into_inner();
    assert_eq!(reply.outcome(), ActOutcome::Done);
    assert!(began.elapsed() < Duration::from_secs(8));
}

/// Windows come and go at random; what a wait reports is what another program sees.
#[tokio::test]
async fn randomised_waits_are_true() {
    let server = XServer::start();
    let daemon = Daemon::start(&server);
    let wrong = crate::common::random_waits::run(&server, &daemon, 100, &mut Numbers(7)).await;
    assert!(wrong.is_empty(), "{wrong:?}");
}
