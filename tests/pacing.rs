//! Several actions in one step: each begins when the one before has taken effect.

use std::time::Duration;

use deskd::v1::{self, action::Action};

use crate::common::{
    Daemon, Recorder, XServer,
    desktop::Session,
    pacing::{CASES, MANAGERS, Manager, Stage, load},
    program,
    receiver::{ALL, Receiver, Toolkit},
    step::{bare, chord, click, done, move_to, pause, refused, text},
};

/// Every kind of batch once in every program: an even repetition on an idle machine,
/// an odd one under load.
async fn every_batch_under(name: &str) {
    let manager = MANAGERS.iter().find(|manager| manager.name == name);
    let manager: &Manager = manager.unwrap();
    let mut wrong = Vec::new();
    for (index, toolkit) in ALL.into_iter().enumerate() {
        let mut stage = Stage::new(manager, toolkit).await;
        for (number, (case, what)) in CASES.into_iter().enumerate() {
            let busy = (index + number) % 2 == 1;
            let busy = if busy { load() } else { Vec::new() };
            if let Err(why) = stage.batch(case, index + number).await {
                wrong.push(format!("{toolkit:?}, {what}: {why}"));
            }
            drop(busy);
        }
    }
    assert_eq!(wrong, [] as [String; 0]);
}

#[tokio::test]
async fn batches_under_xfwm4() {
    every_batch_under("xfwm4").await;
}

#[tokio::test]
async fn batches_under_openbox() {
    every_batch_under("openbox").await;
}

#[tokio::test]
async fn batches_under_i3() {
    every_batch_under("i3").await;
}

#[tokio::test]
async fn batches_under_icewm() {
    every_batch_under("icewm").await;
}

#[tokio::test]
async fn batches_under_marco() {
    every_batch_under("marco").await;
}

#[tokio::test]
async fn batches_without_a_window_manager() {
    every_batch_under("none").await;
}

/// A button that another program holds makes a drag of any click.
#[tokio::test]
async fn a_button_that_another_program_holds_is_noticed() {
    let server = XServer::start();
    let (recorder, daemon) = (Recorder::new(&server), Daemon::start(&server));
    let mut client = daemon.client().await;
    for number in ["1", "3", "8"] {
        let mut xdotool = server.program("xdotool");
        program::output(xdotool.args(["mousedown", number]), "xdotool");
        recorder.take();
        for action in [
            click(40, 40),
            Action::ButtonDown(v1::ButtonDownAction::default()),
            crate::common::step::drag(&[(5, 5), (90, 90)], 20),
        ] {
            let (_, reason, status) = refused(&mut client, bare(vec![action])).await;
            assert_eq!(reason, v1::Reason::InputHeld, "{status:?}");
        }
        assert_eq!(recorder.take(), [], "button {number}");
        // Releasing it by name helps, also in the same step.
        let button = match number {
            "1" => v1::Button::Left,
            "3" => v1::Button::Right,
            _ => v1::Button::Back,
        };
        let up = Action::ButtonUp(v1::ButtonUpAction {
            button: button.into(),
            ..v1::ButtonUpAction::default()
        });
        done(&mut client, vec![up, click(40, 40)]).await;
    }
}

/// Callers name logical buttons: what a left-handed mapping makes of them is theirs.
#[tokio::test]
async fn buttons_are_logical() {
    let server = XServer::start();
    let daemon = Daemon::start(&server);
    let receiver = Receiver::start(&server, Toolkit::Gtk);
    let mut client = daemon.client().await;
    let (x, y) = receiver.in_target(40);
    done(&mut client, vec![click(x, y)]).await;
    receiver.wait_events("press", 1);
    receiver.clear();
    let mut xmodmap = server.program("xmodmap");
    xmodmap.args(["-e", "pointer = 3 2 1 5 4"]);
    program::output(&mut xmodmap, "x11-xserver-utils");
    done(&mut client, vec![click(x + 30, y)]).await;
    assert_eq!(receiver.wait_events("press", 1)[0]["button"], 1);
    done(&mut client, vec![crate::common::step::notches(x, y, 0, 1)]).await;
    assert_eq!(receiver.wait_events("scroll", 1)[0]["dy"], 1);
    // A mapping without the button: refused, before anything is done.
    let mut xmodmap = server.program("xmodmap");
    xmodmap.args(["-e", "pointer = 1 2 3 4 5 6 7 0 0"]);
    program::output(&mut xmodmap, "x11-xserver-utils");
    let back = Action::Click(v1::ClickAction {
        button: v1::Button::Back.into(),
        ..v1::ClickAction::default()
    });
    let (_, reason, status) = refused(&mut client, bare(vec![move_to(1, 1), back])).await;
    assert_eq!(reason, v1::Reason::UnknownButton, "{status:?}");
}

/// READY is answered when it holds for the next call too.
#[tokio::test]
async fn a_step_right_after_ready_is_not_refused() {
    for _ in 0..6 {
        let server = XServer::start();
        let _session = Session::start(&server, "xterm & exec xfwm4");
        let daemon = Daemon::start(&server);
        let mut client = daemon.client().await;
        let ready = v1::WaitReadyRequest::default();
        let ready = client.wait_ready(ready).await.unwrap().into_inner();
        assert!(ready.evidence.is_some());
        let step = v1::ActRequest {
            unproved: false,
            ..bare(vec![move_to(7, 7)])
        };
        client.act(step).await.unwrap();
    }
}

/// A program that is stopped between two actions: what follows is not done, the reason
/// is named, nothing stays pressed.
#[tokio::test]
async fn a_stopped_program_ends_the_step() {
    for toolkit in [Toolkit::Gtk, Toolkit::Xterm] {
        let server = XServer::start();
        let receiver = Receiver::start(&server, toolkit);
        let daemon = Daemon::start(&server);
        let mut client = daemon.client().await;
        let (x, y) = receiver.in_text(100);
        done(&mut client, vec![click(x, y)]).await;
        receiver.signal("STOP");
        let reply = client.act(bare(vec![click(x, y), text("never")])).await;
        let reply = reply.unwrap().into_inner();
        assert_eq!(reply.outcome(), v1::ActOutcome::Partial, "{reply:?}");
        assert_eq!(reply.results.len(), 2, "{reply:?}");
        assert!(reply.results[0].is_done());
        let failure = reply.results[1].failure.as_ref().unwrap();
        assert_eq!(
            failure.reason(),
            v1::Reason::ProgramUnresponsive,
            "{reply:?}"
        );
        receiver.signal("CONT");
        let pressed = client.get_pressed(v1::GetPressedRequest {}).await;
        assert_eq!(pressed.unwrap().into_inner().pressed, []);
        done(&mut client, vec![text("later")]).await;
        receiver.wait_text("later");
    }
}

/// A window manager that is stopped while it decides on a click, or killed.
#[tokio::test]
async fn a_stopped_or_killed_window_manager_ends_the_step() {
    let manager = MANAGERS.iter().find(|m| m.name == "xfwm4").unwrap();
    let mut stage = Stage::new(manager, Toolkit::Gtk).await;
    let (a, b) = (stage.widget(0, "a"), stage.widget(1, "a"));
    stage.clear();
    done(stage.client(), vec![click(a.0, a.1)]).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let session = stage.session.as_ref().unwrap();
    assert_eq!(
        session.signal("xfwm4", nix::sys::signal::Signal::SIGSTOP),
        1
    );
    let reply = stage
        .client()
        .act(bare(vec![click(b.0, b.1), text("x")]))
        .await;
    let reply = reply.unwrap().into_inner();
    assert_eq!(reply.outcome(), v1::ActOutcome::Partial, "{reply:?}");
    let mut failures = reply
        .results
        .iter()
        .filter_map(|result| result.failure.as_ref());
    let failure = failures.next().unwrap();
    let known = [v1::Reason::InputFrozen, v1::Reason::ProgramUnresponsive];
    assert!(known.contains(&failure.reason()), "{reply:?}");
    // Killed, it lets the pointer go, and nothing is down.
    let session = stage.session.as_ref().unwrap();
    session.signal("xfwm4", nix::sys::signal::Signal::SIGKILL);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let pressed = stage.client().get_pressed(v1::GetPressedRequest {}).await;
    assert_eq!(pressed.unwrap().into_inner().pressed, []);
    let (x, y) = stage.canvas(0, 60);
    done(stage.client(), vec![click(x, y), move_to(3, 3)]).await;
}

/// A program that ends between two actions: keys that were meant for it reach no other.
#[tokio::test]
async fn keys_for_a_program_that_ended_are_not_sent_to_another() {
    let manager = MANAGERS.iter().find(|m| m.name == "xfwm4").unwrap();
    let mut stage = Stage::new(manager, Toolkit::Gtk).await;
    let session = stage.session.as_ref().unwrap();
    // Its shell ends with the first line.
    let mut xterm = session.program(&stage.server, "xterm");
    xterm.args(["-geometry", "40x10+300+520", "-e", "sh", "-c", "read line"]);
    let _xterm = program::spawn(&mut xterm, "xterm");
    tokio::time::sleep(Duration::from_millis(1500)).await;
    stage.clear();
    let reply = stage
        .client()
        .act(bare(vec![
            click(400, 600),
            text("x\n"),
            // The shell, and then xterm, take their time to end on a busy machine.
            pause(1000),
            text("lost"),
        ]))
        .await;
    let reply = reply.unwrap().into_inner();
    assert_eq!(reply.outcome(), v1::ActOutcome::Partial, "{reply:?}");
    let failure = reply.results.last().unwrap().failure.as_ref().unwrap();
    assert_eq!(failure.reason(), v1::Reason::NotTaken, "{reply:?}");
}

/// The time that pacing took is reported, and pacing can be turned off.
#[tokio::test]
async fn pacing_is_reported_and_optional() {
    let server = XServer::start();
    let receiver = Receiver::start(&server, Toolkit::Gtk);
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    let (x, y) = receiver.in_text(100);
    let batch = || vec![click(x, y), text("a"), chord(&["b"])];
    let reply = done(&mut client, batch()).await;
    assert!(reply.results[0].pacing.is_some(), "{reply:?}");
    assert!(reply.results[1].pacing.is_some(), "{reply:?}");
    assert!(reply.results[2].pacing.is_none(), "{reply:?}");
    let request = v1::ActRequest {
        no_pacing: true,
        ..bare(batch())
    };
    let reply = client.act(request).await.unwrap().into_inner();
    assert!(reply.results.iter().all(|result| result.pacing.is_none()));
    receiver.wait_text("abab");
}
