//! Text in many programs: the quick half of `make matrix`, and what single programs need.

use std::time::{Duration, Instant};

use deskd::v1::{self, action::Action};
use xcb::x;

use crate::common::{
    Daemon, Recorder, Witness, XServer,
    pacing::MANAGERS,
    program,
    receiver::{Receiver, Toolkit, typing_in},
    step::{bare, chord, click, done, text},
    text_program::{PROGRAMS, Started, TextProgram, named, samples},
    wait_for,
    xservers::{self, Kind},
};

async fn every_sample(program: TextProgram) {
    let mut started = Started::new(program).await;
    let mut wrong = Vec::new();
    for sample in samples() {
        started.clear().await;
        if let Err(why) = started.check(&sample.text).await {
            wrong.push(format!("{}: {why}", sample.name));
        }
    }
    assert_eq!(wrong, [] as [String; 0], "{}", program.name);
}

/// All toolkits that start within seconds; the others are in `make matrix`.
#[tokio::test]
async fn every_sample_is_exact_in_every_toolkit() {
    for program in PROGRAMS.into_iter().filter(|program| program.quick) {
        every_sample(program).await;
    }
}

/// Keys pass through another process, and the text comes back later.
#[tokio::test]
async fn every_sample_is_exact_under_ibus() {
    every_sample(named("Qt 5, ibus")).await;
}

/// An input method returns the characters after the next click would have come.
#[tokio::test]
async fn a_form_under_an_input_method_is_submitted_whole() {
    let manager = MANAGERS.iter().find(|m| m.name == "openbox").unwrap();
    let mut stage = crate::common::pacing::Stage::under(manager, Toolkit::Gtk, "ibus").await;
    for repetition in 0..10 {
        let case = crate::common::pacing::Case::Form;
        stage.batch(case, repetition).await.unwrap();
    }
}

/// Characters of a text that does not fit on the unused keycodes at once: the keymap
/// changes about as often as it must.
#[tokio::test]
async fn the_keymap_changes_no_more_often_than_needed() {
    let (server, receiver, _daemon, mut client) = typing_in(Toolkit::Gtk, "us").await;
    let witness = Witness::new(&server);
    // 700 distinct characters, each three times, in an order that repeats the near ones.
    let distinct: Vec<char> = ('\u{4e00}'..).take(700).collect();
    let typed: String = distinct
        .chunks(100)
        .flat_map(|part| part.iter().chain(part).chain(part).copied())
        .collect();
    witness.round_trip();
    while witness.conn.poll_for_event().unwrap().is_some() {}
    done(&mut client, vec![text(&typed)]).await;
    receiver.wait_text(&typed);
    witness.round_trip();
    let mut changes = 0;
    while let Some(event) = witness.conn.poll_for_event().unwrap() {
        // One change is told as one event for each run of keys, at most.
        if let xcb::Event::X(x::Event::MappingNotify(event)) = event {
            changes += usize::from(event.request() == x::Mapping::Keyboard);
        }
    }
    // Three maps hold all of it; some hold fewer where keys are grabbed.
    assert!((2..=6).contains(&changes), "{changes} changes");
}

/// A window id that is given again is another window.
#[tokio::test]
async fn a_window_that_ended_holds_up_nothing() {
    let server = XServer::start();
    program::output(server.program("setxkbmap").arg("us"), "x11-xkb-utils");
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    let words: String = ('\u{4e00}'..).take(900).collect();
    for toolkit in [Toolkit::Gtk, Toolkit::Qt, Toolkit::Gtk] {
        let receiver = Receiver::of_text(&server, toolkit);
        let (x, y) = receiver.in_text(200);
        done(&mut client, vec![click(x, y)]).await;
        receiver.clear();
        done(&mut client, vec![text(&words)]).await;
        receiver.wait_text(&words);
    }
}

/// A window without `WM_CLASS` is a client all the same: it is pinged.
#[tokio::test]
async fn a_window_without_a_class_is_exact_too() {
    let (server, receiver, daemon, mut client) = typing_in(Toolkit::Qt, "us").await;
    let witness = Witness::new(&server);
    let cookie = witness.conn.send_request(&x::GetInputFocus {});
    let focus = witness.conn.wait_for_reply(cookie).unwrap().focus();
    witness.checked(&x::DeleteProperty {
        window: focus,
        property: x::ATOM_WM_CLASS,
    });
    // Stopped, a program that is pinged keeps its keycodes however long it takes.
    let words: String = ('\u{4e00}'..).take(700).collect();
    let typed = words.clone();
    receiver.signal("STOP");
    let typing = tokio::spawn(async move { done(&mut client, vec![text(&typed)]).await });
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(!typing.is_finished());
    receiver.signal("CONT");
    typing.await.unwrap();
    receiver.wait_text(&words);
    drop(daemon);
}

/// Bound keycodes are given back 5 s after a text; orders at that moment are served.
#[tokio::test]
async fn a_call_while_keycodes_are_given_back_is_served_at_once() {
    let (_server, _receiver, _daemon, mut client) = typing_in(Toolkit::Gtk, "us").await;
    for delay in [4990, 5010, 5020, 5030, 5050] {
        done(&mut client, vec![text("é…")]).await;
        tokio::time::sleep(Duration::from_millis(delay)).await;
        let began = Instant::now();
        let release = client.release_all(v1::ReleaseAllRequest {});
        let answer = tokio::time::timeout(Duration::from_secs(3), release).await;
        assert!(answer.is_ok(), "{delay} ms: {:?}", began.elapsed());
        answer.unwrap().unwrap();
        let step = client.act(bare(vec![chord(&["a"])]));
        let answer = tokio::time::timeout(Duration::from_secs(3), step).await;
        assert!(answer.is_ok(), "{delay} ms, a step");
    }
}

/// GTK's file chooser opens a field for the path at its first character.
#[tokio::test]
async fn a_path_typed_into_a_file_chooser_is_whole() {
    for name in ["openbox", "xfwm4"] {
        let manager = MANAGERS.iter().find(|m| m.name == name).unwrap();
        let server = XServer::start();
        let _session = manager.start(&server);
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("note.txt"), "x").unwrap();
        let path = home.path().join("note.txt");
        let mut chooser = crate::common::receiver::python(&server, "chooser.py");
        chooser.env("HOME", home.path());
        let mut chooser = program::spawn(&mut chooser, "gir1.2-gtk-3.0");
        let lines = crate::common::receiver::lines(&mut chooser);
        wait_for("the file chooser", Duration::from_secs(20), || {
            let lines = lines.lock().unwrap();
            lines
                .iter()
                .any(|line| line["event"] == "ready")
                .then_some(())
        });
        let daemon = Daemon::start(&server);
        let mut client = daemon.client().await;
        for repetition in 0..5 {
            lines.lock().unwrap().clear();
            done(&mut client, vec![text(&format!("{}\n", path.display()))]).await;
            let chosen = wait_for("a chosen file", Duration::from_secs(10), || {
                let lines = lines.lock().unwrap();
                let chosen = lines.iter().find(|line| line["event"] == "chosen");
                chosen.map(|line| line["path"].clone())
            });
            assert_eq!(chosen, *path.to_str().unwrap(), "{name}, {repetition}");
            wait_for("the next chooser", Duration::from_secs(10), || {
                let lines = lines.lock().unwrap();
                let ready = lines.iter().any(|line| line["event"] == "ready");
                ready.then_some(())
            });
        }
    }
}

/// Every key name that X knows can be pressed: what the layout lacks is bound.
#[tokio::test]
async fn every_listed_key_arrives() {
    let server = XServer::start();
    program::output(server.program("setxkbmap").arg("us"), "x11-xkb-utils");
    let (recorder, daemon) = (Recorder::new(&server), Daemon::start(&server));
    let mut client = daemon.client().await;
    let listed = deskd::keys::x_names();
    let pressable: Vec<&String> = listed
        .iter()
        .filter(|name| deskd::keys::keysym(name).is_some_and(deskd::keys::is_bindable))
        // On these two the X server itself acts.
        .filter(|name| !name.ends_with("_VMode"))
        .collect();
    assert!(pressable.len() > 2100, "{}", pressable.len());
    for part in pressable.chunks(60) {
        recorder.take();
        let keys: Vec<Action> = part.iter().map(|name| chord(&[name.as_str()])).collect();
        let request = v1::ActRequest {
            no_pacing: true,
            ..bare(keys)
        };
        let reply = client.act(request).await.unwrap().into_inner();
        assert_eq!(reply.outcome(), v1::ActOutcome::Done, "{part:?}");
        let gives = recorder.keysyms_pressed();
        let wanted: Vec<u32> = part
            .iter()
            .map(|name| deskd::keys::keysym(name).unwrap())
            .collect();
        assert_eq!(gives, wanted, "{part:?}");
    }
}

/// The keypad's digits are on the level of Num Lock.
#[tokio::test]
async fn the_keypads_digits_are_keys() {
    let (_server, receiver, _daemon, mut client) = typing_in(Toolkit::Gtk, "us").await;
    let digits = ["KP_5", "numpad 7", "KP_0", "KP_Decimal"];
    for name in digits {
        done(&mut client, vec![chord(&[name])]).await;
    }
    receiver.wait_text("570.");
}

/// Xwayland refuses to set its keymap by XKB.
#[tokio::test]
async fn text_that_the_layout_lacks_reaches_programs_on_xwayland() {
    let standing = xservers::start(Kind::Xwayland);
    let server = &standing.server;
    let receiver = Receiver::of_text(server, Toolkit::Gtk);
    let daemon = Daemon::start(server);
    let mut client = daemon.client().await;
    let before = core_mapping(server);
    done(&mut client, vec![text("aé漢z")]).await;
    receiver.wait_text("aé漢z");
    assert_ne!(core_mapping(server), before);
    done(&mut client, vec![text("é漢ж")]).await;
    receiver.wait_text("aé漢zé漢ж");
    // All keycodes are given back.
    wait_for("the keymap of before", Duration::from_secs(20), || {
        (core_mapping(server) == before).then_some(())
    });
}

/// The symbols of the server's keys, by the core protocol.
fn core_mapping(server: &XServer) -> String {
    let mut xmodmap = server.program("xmodmap");
    String::from_utf8(program::output(xmodmap.arg("-pke"), "x11-xserver-utils")).unwrap()
}

/// A key that the layout lacks is noted as unread, as a character is, so that its keycode
/// serves for nothing else before the program has read it.
#[tokio::test]
async fn a_chord_of_a_bound_key_is_noted_until_it_is_read() {
    let (server, receiver, _daemon, mut client) = typing_in(Toolkit::Gtk, "us").await;
    done(&mut client, vec![chord(&["Cyrillic_zhe"])]).await;
    receiver.wait_text("ж");
    let mut xprop = server.program("xprop");
    let noted = program::output(xprop.args(["-root", "_DESKD_BOUND"]), "x11-utils");
    let noted = String::from_utf8(noted).unwrap();
    assert!(noted.contains(" w"), "{noted}");
}
