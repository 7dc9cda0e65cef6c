//! Control of the input: a person takes it from an agent and gives it back, and nobody's step runs
//! under somebody else's lease.

use std::time::Duration;

use deskd::{
    client::{self, ControlClient, DesktopClient},
    v1::{self, ActOutcome, ActionStatus, LeaseEnd, LeaseKind, Reason},
};
use tonic::{Code, Request, Status};

use crate::{
    common::{
        Daemon, Recorder, XServer,
        daemon::raw,
        drawing::Numbers,
        step::{at, bare, click, drag, key_down, move_to, pause},
        wait_for,
    },
    keys::set_keymap,
};

type Control = ControlClient<client::Connection>;
type Desktop = DesktopClient<client::Connection>;

async fn control(daemon: &Daemon) -> Control {
    let limit = Duration::from_secs(5);
    let connection = client::connect(&daemon.address(), None, None, limit).await;
    client::control(connection.unwrap())
}

/// A client whose calls are under a lease.
async fn under(daemon: &Daemon, lease: &str) -> client::Connection {
    let limit = Duration::from_secs(5);
    let connection = client::connect_under(&daemon.address(), None, Some(lease), None, limit).await;
    connection.unwrap()
}

fn asked(kind: LeaseKind, holder: &str, ttl_ms: u64) -> v1::TakeControlRequest {
    v1::TakeControlRequest {
        kind: kind.into(),
        holder: holder.into(),
        reason: "signs in".into(),
        ttl: Duration::from_millis(ttl_ms).try_into().ok(),
    }
}

async fn take(control: &mut Control, kind: LeaseKind, holder: &str) -> (String, u64) {
    let taken = control.take_control(asked(kind, holder, 60_000)).await;
    let taken = taken.unwrap().into_inner();
    (taken.lease_id, taken.control.unwrap().control_epoch)
}

async fn give(control: &mut Control, lease: &str) -> Result<v1::ControlState, Status> {
    let lease_id = lease.to_owned();
    let given = control.give_control(v1::GiveControlRequest { lease_id });
    Ok(given.await?.into_inner().control.unwrap())
}

async fn now(control: &mut Control) -> v1::ControlState {
    let state = control.get_control(v1::GetControlRequest {}).await;
    state.unwrap().into_inner().control.unwrap()
}

/// The reason for which a step is refused; `None` if it is done.
async fn step(client: &mut Desktop) -> Option<Reason> {
    refusal(client.act(bare(vec![move_to(11, 12)])).await)
}

fn refusal<T>(result: Result<T, Status>) -> Option<Reason> {
    let status = result.err()?;
    assert_eq!(status.code(), Code::FailedPrecondition, "{status:?}");
    Some(client::reason(&status))
}

async fn frame(client: &mut Desktop) -> v1::Frame {
    let reply = client.screenshot(raw()).await.unwrap().into_inner();
    reply.frame.unwrap()
}

fn on(frame: &v1::Frame) -> v1::ActRequest {
    v1::ActRequest {
        coordinate_space: Some(v1::CoordinateSpace {
            space: Some(v1::coordinate_space::Space::FrameId(frame.frame_id.clone())),
        }),
        ..bare(vec![click(40, 40)])
    }
}

/// A person takes control: agents' steps are refused with the person's name, captures continue, the
/// person acts. After the hand-back, a frame from before is not acted on.
#[tokio::test]
async fn a_person_takes_control_and_gives_it_back() {
    let server = XServer::start();
    let daemon = Daemon::start(&server);
    let (mut agent, mut control) = (daemon.client().await, control(&daemon).await);
    let before = frame(&mut agent).await;
    assert_eq!(before.control_epoch, 1);
    agent.act(on(&before)).await.unwrap();

    let (lease, epoch) = take(&mut control, LeaseKind::Person, "Ada").await;
    assert_eq!((epoch, lease.len()), (2, 32));
    let refused = agent.act(bare(vec![click(1, 1)])).await.unwrap_err();
    assert_eq!(client::reason(&refused), Reason::HumanInControl);
    for part in ["Ada", "signs in"] {
        assert!(refused.message().contains(part), "{refused:?}");
    }
    assert!(!refused.message().contains(&lease));
    assert_eq!(frame(&mut agent).await.control_epoch, 2);
    let held = now(&mut control).await.lease.unwrap();
    assert_eq!(
        (held.kind(), held.holder.as_str()),
        (LeaseKind::Person, "Ada")
    );
    assert!((1..=60).contains(&held.remaining.unwrap().seconds));
    let mut person = client::desktop(under(&daemon, &lease).await);
    assert_eq!(step(&mut person).await, None);

    let state = give(&mut control, &lease).await.unwrap();
    assert_eq!(
        (state.control_epoch, state.last_end()),
        (3, LeaseEnd::Given)
    );
    // The agent decides on what it saw before: not any more.
    let stale = agent.act(on(&before)).await;
    assert_eq!(refusal(stale), Some(Reason::ControlChanged));
    let expecting = |expect| v1::ActRequest {
        expect: Some(expect),
        ..bare(vec![move_to(5, 5)])
    };
    for expect in [
        v1::Expect {
            control_epoch: Some(1),
            ..v1::Expect::default()
        },
        v1::Expect {
            frame_id: before.frame_id.clone(),
            ..v1::Expect::default()
        },
    ] {
        let refused = agent.act(expecting(expect)).await;
        assert_eq!(refusal(refused), Some(Reason::ControlChanged));
    }
    let right = v1::Expect {
        control_epoch: Some(3),
        ..v1::Expect::default()
    };
    agent.act(expecting(right)).await.unwrap();
    let after = frame(&mut agent).await;
    assert_eq!(after.control_epoch, 3);
    agent.act(on(&after)).await.unwrap();
    // A person's old lease opens nothing.
    assert_eq!(step(&mut person).await, Some(Reason::LeaseEnded));
    let ended = give(&mut control, &lease).await;
    assert_eq!(refusal(ended), Some(Reason::LeaseEnded));
}

/// A frame that has not changed is valid again after a call has returned UNCHANGED for it since the
/// hand-over.
#[tokio::test]
async fn an_unchanged_frame_is_valid_again_once_it_was_looked_at() {
    let server = XServer::start();
    let daemon = Daemon::start(&server);
    let (mut agent, mut control) = (daemon.client().await, control(&daemon).await);
    let before = frame(&mut agent).await;
    let (lease, _) = take(&mut control, LeaseKind::Person, "Ada").await;
    give(&mut control, &lease).await.unwrap();
    let refused = agent.act(on(&before)).await;
    assert_eq!(refusal(refused), Some(Reason::ControlChanged));
    let request = v1::ScreenshotRequest {
        if_changed_since: before.frame_id.clone(),
        ..raw()
    };
    let same = agent.screenshot(request).await.unwrap().into_inner();
    let same = same.frame.unwrap();
    assert_eq!(same.kind(), v1::FrameKind::Unchanged);
    assert_eq!((&same.frame_id, same.control_epoch), (&before.frame_id, 3));
    agent.act(on(&before)).await.unwrap();
}

/// Agents exclude each other by leases, and a person takes the desktop from an agent. The agent's held
/// keys are released.
#[tokio::test(flavor = "multi_thread")]
async fn a_person_goes_before_agents_and_agents_exclude_each_other() {
    let server = XServer::start();
    set_keymap(&server, "us");
    let (recorder, daemon) = (Recorder::new(&server), Daemon::start(&server));
    let (mut other, mut control) = (daemon.client().await, control(&daemon).await);
    let (agents, _) = take(&mut control, LeaseKind::Agent, "planner").await;
    let mut agent = client::desktop(under(&daemon, &agents).await);
    assert_eq!(step(&mut agent).await, None);
    assert_eq!(step(&mut other).await, Some(Reason::LeaseHeld));
    for kind in [LeaseKind::Agent] {
        let refused = control.take_control(asked(kind, "rival", 1000)).await;
        assert_eq!(refusal(refused), Some(Reason::LeaseHeld));
    }
    agent.act(bare(vec![key_down("shift", 0)])).await.unwrap();
    assert_eq!(recorder.keys_down().len(), 1);
    let (persons, epoch) = take(&mut control, LeaseKind::Person, "Ada").await;
    // The agent's lease ended, and the person's began.
    assert_eq!(epoch, 4);
    assert!(recorder.nothing_is_down());
    assert_eq!(now(&mut control).await.last_end(), LeaseEnd::Taken);
    assert_eq!(step(&mut agent).await, Some(Reason::HumanInControl));
    for kind in [LeaseKind::Agent, LeaseKind::Person] {
        let refused = control.take_control(asked(kind, "Bob", 1000)).await;
        assert_eq!(refusal(refused), Some(Reason::HumanInControl));
    }
    give(&mut control, &persons).await.unwrap();
    assert_eq!(step(&mut agent).await, Some(Reason::LeaseEnded));
    assert_eq!(step(&mut other).await, None);
}

/// Every call that changes the desktop is refused, and those that read are not.
#[tokio::test]
async fn what_else_changes_the_desktop_is_refused_too() {
    let server = XServer::start();
    let daemon = Daemon::start(&server);
    let mut control = control(&daemon).await;
    let (lease, _) = take(&mut control, LeaseKind::Person, "Ada").await;
    let connect = async || {
        let limit = Duration::from_secs(5);
        let connection = client::connect(&daemon.address(), None, None, limit).await;
        connection.unwrap()
    };
    let human = Some(Reason::HumanInControl);
    let mut desktop = daemon.client().await;
    let released = desktop.release_all(v1::ReleaseAllRequest {}).await;
    assert_eq!(refusal(released), human);
    let mut windows = client::windows(connect().await);
    let change = v1::ChangeWindowRequest {
        window: Some(v1::WindowTarget {
            target: Some(v1::window_target::Target::Id("w1-0".into())),
        }),
        change: Some(v1::change_window_request::Change::Operation(
            v1::WindowOperation::Close.into(),
        )),
        timeout: None,
    };
    assert_eq!(refusal(windows.change_window(change.clone()).await), human);
    let mut clipboard = client::clipboard(connect().await);
    let piece = v1::WriteClipboardRequest {
        format: "text/plain".into(),
        data: b"text".to_vec(),
        ..v1::WriteClipboardRequest::default()
    };
    let write = clipboard.write_clipboard(tokio_stream::iter([piece.clone()]));
    assert_eq!(refusal(write.await), human);
    let mut programs = client::programs(connect().await);
    let launch = v1::LaunchRequest {
        program: Some(v1::launch_request::Program::Arguments(v1::Arguments {
            words: vec!["true".into()],
        })),
        ..v1::LaunchRequest::default()
    };
    assert_eq!(refusal(programs.launch(launch).await), human);
    let signal = v1::SignalProgramRequest {
        id: "p-1".into(),
        ..v1::SignalProgramRequest::default()
    };
    assert_eq!(refusal(programs.signal_program(signal).await), human);
    windows
        .list_windows(v1::ListWindowsRequest::default())
        .await
        .unwrap();
    // The person may.
    let mut clipboard = client::clipboard(under(&daemon, &lease).await);
    let write = clipboard.write_clipboard(tokio_stream::iter([piece]));
    write.await.unwrap();
    let mut windows = client::windows(under(&daemon, &lease).await);
    let unknown = windows.change_window(change).await;
    assert_eq!(refusal(unknown), Some(Reason::UnknownWindow));
}

/// A lease that is not renewed ends by itself, and what its holder held is released.
#[tokio::test(flavor = "multi_thread")]
async fn a_holder_that_vanishes_keeps_nothing() {
    let server = XServer::start();
    set_keymap(&server, "us");
    let (recorder, daemon) = (Recorder::new(&server), Daemon::start(&server));
    let mut control = control(&daemon).await;
    let taken = control
        .take_control(asked(LeaseKind::Person, "Ada", 1500))
        .await;
    let lease = taken.unwrap().into_inner().lease_id;
    let mut person = client::desktop(under(&daemon, &lease).await);
    person
        .act(bare(vec![key_down("ctrl", 60_000)]))
        .await
        .unwrap();
    assert_eq!(recorder.keys_down().len(), 1);
    // Renewed in time, it goes on.
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(900)).await;
        let request = v1::RenewControlRequest {
            lease_id: lease.clone(),
            ttl: None,
        };
        control.renew_control(request).await.unwrap();
    }
    assert_eq!(now(&mut control).await.control_epoch, 2);
    assert_eq!(recorder.keys_down().len(), 1);
    wait_for("the end of the lease", Duration::from_secs(10), || {
        recorder.nothing_is_down().then_some(())
    });
    let state = now(&mut control).await;
    assert_eq!(
        (state.control_epoch, state.last_end()),
        (3, LeaseEnd::Expired)
    );
    assert_eq!(step(&mut person).await, Some(Reason::LeaseEnded));
    let request = v1::RenewControlRequest {
        lease_id: lease,
        ttl: None,
    };
    let renewed = control.renew_control(request).await;
    assert_eq!(refusal(renewed), Some(Reason::LeaseEnded));
}

/// Lease and epoch outlive a daemon that is killed.
#[tokio::test]
async fn a_restart_gives_nobody_control() {
    let server = XServer::start();
    let mut daemon = Daemon::start(&server);
    let (lease, epoch) = take(&mut control(&daemon).await, LeaseKind::Person, "Ada").await;
    daemon.restart_after(Duration::ZERO);
    let mut agent = daemon.client().await;
    assert_eq!(step(&mut agent).await, Some(Reason::HumanInControl));
    assert_eq!(frame(&mut agent).await.control_epoch, epoch);
    let mut person = client::desktop(under(&daemon, &lease).await);
    // The new connection to the display may take a moment.
    frame(&mut person).await;
    assert_eq!(step(&mut person).await, None);
    give(&mut control(&daemon).await, &lease).await.unwrap();
    daemon.restart_after(Duration::ZERO);
    let state = now(&mut control(&daemon).await).await;
    assert_eq!(state.last_end(), LeaseEnd::Given);
    assert_eq!((state.control_epoch, state.lease), (3, None));
}

/// Two people who take control at once: one has it. The one who asks root's daemon without an id ends
/// only what is his.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_people_at_once_one_is_in_control() {
    let server = XServer::start();
    let daemon = Daemon::start(&server);
    for round in 0..20 {
        let mut both = Vec::new();
        for name in ["Ada", "Bob"] {
            let mut control = control(&daemon).await;
            both.push(tokio::spawn(async move {
                control
                    .take_control(asked(LeaseKind::Person, name, 60_000))
                    .await
            }));
        }
        let mut leases = Vec::new();
        for one in both {
            match one.await.unwrap() {
                Ok(taken) => leases.push(taken.into_inner().lease_id),
                Err(refused) => assert_eq!(client::reason(&refused), Reason::HumanInControl),
            }
        }
        assert_eq!(leases.len(), 1, "round {round}");
        // The test's user is the owner, so no id is needed.
        give(&mut control(&daemon).await, "").await.unwrap();
    }
    let state = give(&mut control(&daemon).await, "").await.unwrap();
    assert_eq!(state.control_epoch, 41);
}

/// A person takes control while an agent drags: the button is up when the call returns, the agent's
/// step says who took over, and the agent presses nothing afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_stays_pressed_when_control_is_taken_from_a_drag() {
    let server = XServer::start();
    set_keymap(&server, "us");
    let (recorder, daemon) = (Recorder::new(&server), Daemon::start(&server));
    let mut control = control(&daemon).await;
    let (mut numbers, mut interrupted) = (Numbers(11), 0);
    for round in 0..100 {
        let mut agents = Vec::new();
        for _ in 0..2 {
            let mut agent = daemon.client().await;
            agents.push(tokio::spawn(async move {
                let hold = v1::action::Action::ButtonDown(v1::ButtonDownAction {
                    at: Some(at(20, 20)),
                    button: v1::Button::Right.into(),
                    hold: None,
                });
                let path = drag(&[(10, 10), (300, 200), (20, 150)], 60);
                let actions = vec![path, key_down("shift", 0), pause(5), hold, pause(40)];
                agent.act(bare(actions)).await
            }));
        }
        tokio::time::sleep(Duration::from_millis(u64::from(numbers.below(160)))).await;
        let (lease, epoch) = take(&mut control, LeaseKind::Person, "Ada").await;
        assert!(recorder.nothing_is_down(), "round {round}");
        for agent in agents {
            match agent.await.unwrap() {
                Err(refused) => {
                    assert_eq!(
                        client::reason(&refused),
                        Reason::HumanInControl,
                        "{refused:?}"
                    );
                }
                Ok(reply) => {
                    let reply = reply.into_inner();
                    if reply.outcome() == ActOutcome::Cancelled {
                        interrupted += 1;
                        let failed = reply.results.iter().find_map(|done| done.failure.as_ref());
                        let failed = failed.unwrap();
                        assert_eq!(failed.reason(), Reason::HumanInControl, "{failed:?}");
                    } else {
                        assert_eq!(reply.outcome(), ActOutcome::Done);
                        let is_done = |done: &v1::ActionResult| done.status() == ActionStatus::Done;
                        assert!(reply.results.iter().all(is_done));
                    }
                }
            }
        }
        assert!(recorder.nothing_is_down(), "round {round}, afterwards");
        give(&mut control, &lease).await.unwrap();
        assert_eq!(epoch, 2 * (round + 1));
        recorder.take();
    }
    // Otherwise the test would show nothing.
    assert!(interrupted > 20, "{interrupted}");
}

/// `WatchControl` reports each change of hands, and no renewal.
#[tokio::test]
async fn hand_overs_are_streamed() {
    let server = XServer::start();
    let daemon = Daemon::start(&server);
    let (mut watcher, mut control) = (control(&daemon).await, control(&daemon).await);
    let stream = watcher.watch_control(v1::WatchControlRequest {}).await;
    let mut stream = stream.unwrap().into_inner();
    let mut seen = Vec::new();
    let mut next = async || {
        let limit = tokio::time::timeout(Duration::from_secs(5), stream.message());
        let state = limit.await.unwrap().unwrap().unwrap().control.unwrap();
        let holder = state.lease.as_ref().map(|lease| lease.holder.clone());
        (state.control_epoch, holder, state.last_end())
    };
    seen.push(next().await);
    let (lease, _) = take(&mut control, LeaseKind::Agent, "planner").await;
    seen.push(next().await);
    let request = v1::RenewControlRequest {
        lease_id: lease.clone(),
        ttl: None,
    };
    control.renew_control(request).await.unwrap();
    give(&mut control, &lease).await.unwrap();
    seen.push(next().await);
    let expected = [
        (1, None, LeaseEnd::Unspecified),
        (2, Some("planner".to_owned()), LeaseEnd::Unspecified),
        (3, None, LeaseEnd::Given),
    ];
    assert_eq!(seen, expected);
}

/// Bad requests are refused by field, and take nothing.
#[tokio::test]
async fn bad_requests_take_nothing() {
    let server = XServer::start();
    let daemon = Daemon::start(&server);
    let mut control = control(&daemon).await;
    let good = asked(LeaseKind::Person, "Ada", 60_000);
    let bad = [
        v1::TakeControlRequest {
            kind: 0,
            ..good.clone()
        },
        v1::TakeControlRequest {
            kind: 7,
            ..good.clone()
        },
        v1::TakeControlRequest {
            holder: String::new(),
            ..good.clone()
        },
        v1::TakeControlRequest {
            holder: "A\nda".into(),
            ..good.clone()
        },
        v1::TakeControlRequest {
            holder: "A".repeat(129),
            ..good.clone()
        },
        v1::TakeControlRequest {
            reason: "r".repeat(257),
            ..good.clone()
        },
        asked(LeaseKind::Person, "Ada", 999),
        asked(LeaseKind::Person, "Ada", 3_600_001),
        v1::TakeControlRequest {
            ttl: Some(prost_types::Duration {
                seconds: -5,
                nanos: 0,
            }),
            ..good.clone()
        },
    ];
    for request in bad {
        let refused = control.take_control(request.clone()).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{request:?}");
    }
    for lease in [
        "x",
        "0123456789ABCDEF0123456789ABCDEF",
        "0123456789abcdef0123456789abcdef0",
    ] {
        let refused = give(&mut control, lease).await.unwrap_err();
        assert_eq!(client::reason(&refused), Reason::InvalidField);
        assert!(!refused.message().contains(&format!("{lease:?}")));
        let mut request = Request::new(bare(vec![move_to(1, 1)]));
        request
            .metadata_mut()
            .insert("deskd-lease", lease.parse().unwrap());
        let refused = daemon.client().await.act(request).await.unwrap_err();
        assert_eq!(client::reason(&refused), Reason::InvalidField);
    }
    // A well-formed id that is no lease's.
    let none = "0123456789abcdef0123456789abcdef";
    assert_eq!(
        refusal(give(&mut control, none).await),
        Some(Reason::LeaseEnded)
    );
    let mut stray = client::desktop(under(&daemon, none).await);
    assert_eq!(step(&mut stray).await, Some(Reason::LeaseEnded));
    let state = now(&mut control).await;
    assert_eq!((state.control_epoch, state.lease), (1, None));
    assert!(!daemon.log().contains(none));
}

/// If held input cannot be released, control is not taken.
#[tokio::test(flavor = "multi_thread")]
async fn control_is_not_taken_while_the_x_server_hangs() {
    let server = XServer::start();
    set_keymap(&server, "us");
    let daemon = Daemon::start(&server);
    let (mut agent, mut control) = (daemon.client().await, control(&daemon).await);
    agent
        .act(bare(vec![key_down("shift", 60_000)]))
        .await
        .unwrap();
    server.stop();
    let mut request = Request::new(asked(LeaseKind::Person, "Ada", 60_000));
    request.set_timeout(Duration::from_secs(2));
    let refused = control.take_control(request).await;
    server.resume();
    let refused = refused.unwrap_err();
    assert!(
        matches!(refused.code(), Code::Unavailable | Code::DeadlineExceeded),
        "{refused:?}"
    );
    let state = now(&mut control).await;
    assert_eq!((state.control_epoch, state.lease), (3, None));
}

/// `deskd control`.
#[tokio::test]
async fn a_person_takes_control_on_the_command_line() {
    let server = XServer::start();
    let daemon = Daemon::start(&server);
    let text = |arguments: &[&str]| {
        let output = daemon.cli(arguments);
        let out = String::from_utf8(output.stdout).unwrap();
        (output.status.code(), out.trim().to_owned())
    };
    let (exit, status) = text(&["control", "status"]);
    assert_eq!(exit, Some(0));
    assert!(status.contains("control epoch 1"), "{status}");
    let (exit, lease) = text(&["control", "take", "--holder", "Ada", "--reason", "signs in"]);
    assert_eq!((exit, lease.len()), (Some(0), 32));
    assert_eq!(text(&["move", "5", "5", "--unproved"]).0, Some(4));
    assert_eq!(
        text(&["move", "5", "5", "--unproved", "--lease", &lease]).0,
        Some(0)
    );
    assert_eq!(text(&["control", "take"]).0, Some(4));
    assert_eq!(text(&["control", "renew"]).0, Some(2));
    let renew = ["control", "renew", "--lease", &lease, "--ttl", "10m"];
    assert_eq!(text(&renew).0, Some(0));
    let (_, status) = text(&["control", "status"]);
    for part in ["Ada", "signs in", "person", "control epoch 2"] {
        assert!(status.contains(part), "{status}");
    }
    // The same user needs no id.
    assert_eq!(text(&["control", "give"]).0, Some(0));
    assert_eq!(text(&["move", "5", "5", "--unproved"]).0, Some(0));
    assert_eq!(
        text(&["move", "5", "5", "--unproved", "--lease", &lease]).0,
        Some(4)
    );
    let (_, lease) = text(&["control", "take", "--agent"]);
    let (_, status) = text(&["control", "status"]);
    assert!(status.contains("agent"), "{status}");
    assert_eq!(text(&["control", "give", "--lease", &lease]).0, Some(0));
}

/// A refused call that notices an overdue lease releases what its holder held.
#[tokio::test(flavor = "multi_thread")]
async fn an_overdue_lease_that_a_call_notices_keeps_nothing() {
    let server = XServer::start();
    set_keymap(&server, "us");
    let (recorder, daemon) = (Recorder::new(&server), Daemon::start(&server));
    let mut control = control(&daemon).await;
    for round in 0..3 {
        let taken = control
            .take_control(asked(LeaseKind::Person, "Ada", 1000))
            .await;
        let lease = taken.unwrap().into_inner().lease_id;
        let mut person = client::desktop(under(&daemon, &lease).await);
        person
            .act(bare(vec![key_down("ctrl", 60_000)]))
            .await
            .unwrap();
        // A renewal with another id, around the end of the lease.
        let end = std::time::Instant::now() + Duration::from_millis(1300);
        while std::time::Instant::now() < end {
            let request = v1::RenewControlRequest {
                lease_id: "0123456789abcdef0123456789abcdef".into(),
                ttl: None,
            };
            drop(control.renew_control(request).await);
        }
        assert!(recorder.nothing_is_down(), "round {round}");
        assert!(now(&mut control).await.lease.is_none());
    }
}

/// A caller that goes while control is being taken leaves no lease that nobody can give back.
#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_goes_while_it_takes_control_leaves_no_lease() {
    let server = XServer::start();
    set_keymap(&server, "us");
    let daemon = Daemon::start(&server);
    let (mut agent, mut control) = (daemon.client().await, control(&daemon).await);
    agent
        .act(bare(vec![key_down("shift", 60_000)]))
        .await
        .unwrap();
    server.stop();
    let take = control.take_control(asked(LeaseKind::Person, "Ada", 3_600_000));
    let gone = tokio::time::timeout(Duration::from_millis(300), take).await;
    assert!(gone.is_err());
    // The daemon learns that the caller has gone.
    tokio::time::sleep(Duration::from_millis(300)).await;
    server.resume();
    let start = std::time::Instant::now();
    while now(&mut control).await.lease.is_some() {
        assert!(start.elapsed() < Duration::from_secs(5));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(now(&mut control).await.control_epoch, 3);
}

/// After a hand-over, a stream sends the screen again, whole, although nothing was drawn: its reader needs a
/// frame on which it may act.
#[tokio::test]
async fn a_stream_shows_the_screen_again_after_a_hand_over() {
    let server = XServer::start();
    let daemon = Daemon::start(&server);
    let (mut agent, mut control) = (daemon.client().await, control(&daemon).await);
    for changed_regions in [false, true] {
        let request = v1::WatchRequest {
            changed_regions,
            unproved: true,
            ..v1::WatchRequest::default()
        };
        let mut stream = agent.watch(request).await.unwrap().into_inner();
        let mut next = async || {
            let message = tokio::time::timeout(Duration::from_secs(10), stream.message());
            let message = message.await.unwrap().unwrap().unwrap();
            match message.update {
                Some(v1::watch_response::Update::Frame(frame)) => (frame, message.skipped),
                other => panic!("{other:?}"),
            }
        };
        let (first, _) = next().await;
        let (lease, _) = take(&mut control, LeaseKind::Person, "Ada").await;
        give(&mut control, &lease).await.unwrap();
        let epoch = now(&mut control).await.control_epoch;
        let again = loop {
            let (frame, skipped) = next().await;
            assert_eq!(frame.image, first.image);
            assert!(!frame.image.is_empty());
            assert_eq!(skipped, 0, "nothing was drawn");
            // The person's own time may be shown, too.
            if frame.control_epoch == epoch {
                break frame;
            }
        };
        agent.act(on(&again)).await.unwrap();
    }
}

/// Content that is still being sent when a person takes control does not replace the clipboard.
#[tokio::test]
async fn a_write_that_control_overtakes_is_refused() {
    let server = XServer::start();
    let daemon = Daemon::start(&server);
    let mut control = control(&daemon).await;
    let limit = Duration::from_secs(5);
    let connection = client::connect(&daemon.address(), None, None, limit).await;
    let mut clipboard = client::clipboard(connection.unwrap());
    let piece = |text: &str| v1::WriteClipboardRequest {
        data: text.as_bytes().to_vec(),
        ..v1::WriteClipboardRequest::default()
    };
    let (sender, pieces) = tokio::sync::mpsc::channel(4);
    sender.send(piece("one")).await.unwrap();
    let pieces = tokio_stream::wrappers::ReceiverStream::new(pieces);
    let write = tokio::spawn(async move { clipboard.write_clipboard(pieces).await });
    // The daemon has the first piece.
    tokio::time::sleep(Duration::from_millis(300)).await;
    take(&mut control, LeaseKind::Person, "Ada").await;
    sender.send(piece("two")).await.unwrap();
    drop(sender);
    let refused = write.await.unwrap();
    assert_eq!(refusal(refused), Some(Reason::HumanInControl));
}
