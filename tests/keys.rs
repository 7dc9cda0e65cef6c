//! Keys, as a program receives them.

use std::time::{Duration, Instant};

use deskd::v1::{self, action::Action};
use tonic::Code;

use crate::common::{
    Daemon, Recorder, Seen, XServer, program,
    step::{bare, chord, click, done, held, refused, text},
};

fn keys(seen: &[Seen]) -> Vec<(bool, u8)> {
    let key = |seen: &Seen| match seen {
        Seen::Key { down, code, .. } => Some((*down, *code)),
        _ => None,
    };
    seen.iter().filter_map(key).collect()
}

/// `setxkbmap`, which tests of keyboards need as real users do.
pub fn set_keymap(server: &XServer, layout: &str) {
    program::output(server.program("setxkbmap").arg(layout), "x11-xkb-utils");
}

/// All down in order, all up in reverse, and nothing else.
#[tokio::test]
async fn a_chord_is_pressed_in_order_and_released_in_reverse() {
    let server = XServer::start();
    set_keymap(&server, "us");
    let (recorder, daemon) = (Recorder::new(&server), Daemon::start(&server));
    let mut client = daemon.client().await;
    let [control, shift, t] = [0xffe3, 0xffe1, 0x74].map(|keysym| recorder.code_of(keysym));
    recorder.take();
    done(&mut client, vec![chord(&["ctrl", "SHIFT", "T"])]).await;
    assert_eq!(
        keys(&recorder.take()),
        [
            (true, control),
            (true, shift),
            (true, t),
            (false, t),
            (false, shift),
            (false, control)
        ]
    );
    // A character that lies on a level brings that level's key along.
    let plus = recorder.code_of(u32::from('='));
    done(&mut client, vec![chord(&["ctrl", "+"])]).await;
    assert_eq!(
        keys(&recorder.take()),
        [
            (true, control),
            (true, shift),
            (true, plus),
            (false, plus),
            (false, shift),
            (false, control)
        ]
    );
    let thrice = Action::Key(v1::KeyAction {
        keys: vec!["Return".into()],
        repeat: Some(3),
        hold: held(0),
    });
    done(&mut client, vec![thrice]).await;
    assert_eq!(keys(&recorder.take()).len(), 6);
    assert!(recorder.nothing_is_down());
}

/// The names of OpenAI, Anthropic, browsers and people mean the same keys.
#[tokio::test]
async fn every_vendor_names_the_same_keys() {
    let server = XServer::start();
    set_keymap(&server, "us");
    let (recorder, daemon) = (Recorder::new(&server), Daemon::start(&server));
    let mut client = daemon.client().await;
    for (keysym, names) in [
        (0xff51, vec!["ARROWLEFT", "Left", "ArrowLeft", "left"]),
        (0xff0d, vec!["ENTER", "Return", "Enter", "return"]),
        (0xffeb, vec!["CMD", "super", "Meta", "win", "Super_L"]),
        (
            0xff55,
            vec!["PAGEUP", "Page_Up", "PageUp", "Prior", "page up"],
        ),
        (0x61, vec!["a", "A", "KeyA"]),
        (0xffc9, vec!["F12", "f12"]),
        (0xff08, vec!["BACKSPACE", "BackSpace", "Backspace"]),
        (0x20, vec!["SPACE", "space", " "]),
    ] {
        let code = recorder.code_of(keysym);
        for name in names {
            recorder.take();
            done(&mut client, vec![chord(&[name])]).await;
            assert_eq!(
                keys(&recorder.take()),
                [(true, code), (false, code)],
                "{name}"
            );
        }
    }
}

/// Names that nobody knows, keys that the map lacks, empty and overlong chords:
/// refused by name, and nothing is pressed, not even what came before in the batch.
#[tokio::test]
async fn what_is_no_key_is_refused_before_any_event() {
    let server = XServer::start();
    set_keymap(&server, "us");
    let (recorder, daemon) = (Recorder::new(&server), Daemon::start(&server));
    let mut client = daemon.client().await;
    let long = ["a"; 9];
    let hold = |hold_ms| {
        Action::Key(v1::KeyAction {
            keys: vec!["a".into()],
            repeat: Some(1),
            hold: held(hold_ms),
        })
    };
    let repeat = Action::Key(v1::KeyAction {
        keys: vec!["a".into()],
        repeat: Some(101),
        hold: held(0),
    });
    for (action, reason) in [
        (chord(&["nosuchkey"]), v1::Reason::UnknownKey),
        (chord(&["ctrl", ""]), v1::Reason::UnknownKey),
        (chord(&["Hyper_R"]), v1::Reason::UnknownKey),
        (chord(&[]), v1::Reason::InvalidField),
        (chord(&long), v1::Reason::LimitExceeded),
        (hold(300_001), v1::Reason::LimitExceeded),
        (repeat, v1::Reason::LimitExceeded),
        (
            Action::Click(v1::ClickAction {
                modifiers: vec!["ctrll".into()],
                ..v1::ClickAction::default()
            }),
            v1::Reason::UnknownKey,
        ),
    ] {
        let batch = vec![click(9, 9), text("abc"), action];
        let (code, got, status) = refused(&mut client, bare(batch)).await;
        assert_eq!((code, got), (Code::InvalidArgument, reason), "{status:?}");
        assert!(status.message().starts_with("actions[2]"), "{status:?}");
    }
    assert_eq!(recorder.take(), []);
}

/// R14: a character that no key gives is refused before the first key, with its
/// position, and the text itself is in no message.
#[tokio::test]
async fn r14_untypable_text_is_refused_before_the_first_key() {
    let server = XServer::start();
    set_keymap(&server, "us");
    let (recorder, daemon) = (Recorder::new(&server), Daemon::start(&server));
    let mut client = daemon.client().await;
    for (typed, position) in [
        ("canary\u{0}", "6"),
        ("canary\u{1b}[0m", "6"),
        ("canary-語\u{ffff}", "8"),
        ("\r\n", "0"),
    ] {
        let (code, reason, status) = refused(&mut client, bare(vec![text(typed)])).await;
        assert_eq!(
            (code, reason),
            (Code::InvalidArgument, v1::Reason::UntypableCharacter),
            "{status:?}"
        );
        use tonic_types::StatusExt;
        let facts = status.get_details_error_info().unwrap().metadata;
        assert_eq!(facts.get("position").map(String::as_str), Some(position));
        assert!(!format!("{status:?}").contains("canary"), "{status:?}");
    }
    let long = "a".repeat(64 * 1024 + 1);
    assert_eq!(
        refused(&mut client, bare(vec![text(&long)])).await.1,
        v1::Reason::LimitExceeded
    );
    assert_eq!(
        refused(&mut client, bare(vec![text("")])).await.1,
        v1::Reason::InvalidField
    );
    assert_eq!(recorder.take(), []);
    assert!(!daemon.log().contains("canary"));
}

/// Each character is its key with the modifiers of its level, independent of locks.
#[tokio::test]
async fn text_is_typed_by_level_and_through_caps_lock() {
    let server = XServer::start();
    set_keymap(&server, "us");
    let (recorder, daemon) = (Recorder::new(&server), Daemon::start(&server));
    let mut client = daemon.client().await;
    let [shift, caps, a, b, one] =
        [0xffe1, 0xffe5, 0x61, 0x62, 0x31].map(|keysym| recorder.code_of(keysym));
    let (down, up) = (true, false);
    recorder.take();
    let reply = done(&mut client, vec![text("aB!")]).await;
    assert_eq!(reply.results[0].characters, 3);
    assert_eq!(reply.results[0].runs.len(), 1);
    let b_and_one = [
        (down, shift),
        (down, b),
        (up, b),
        (up, shift),
        (down, shift),
        (down, one),
        (up, one),
        (up, shift),
    ];
    let seen = keys(&recorder.take());
    assert_eq!(seen[..2], [(down, a), (up, a)]);
    assert_eq!(seen[2..], b_and_one);
    // Locked, letters want the other level, and digits do not.
    done(&mut client, vec![chord(&["Caps_Lock"])]).await;
    assert_eq!(keys(&recorder.take()), [(down, caps), (up, caps)]);
    done(&mut client, vec![text("aB1")]).await;
    assert_eq!(
        keys(&recorder.take()),
        [
            (down, shift),
            (down, a),
            (up, a),
            (up, shift),
            (down, b),
            (up, b),
            (down, one),
            (up, one)
        ]
    );
    done(&mut client, vec![chord(&["capslock"])]).await;
}

/// The live keymap counts, also when it changes: `@` lies on the third level of
/// a German keyboard, and `z` elsewhere.
#[tokio::test]
async fn the_keymap_in_force_counts() {
    let server = XServer::start();
    set_keymap(&server, "us");
    let (recorder, daemon) = (Recorder::new(&server), Daemon::start(&server));
    let mut client = daemon.client().await;
    let z_us = recorder.code_of(u32::from('z'));
    done(&mut client, vec![text("z")]).await;
    set_keymap(&server, "de");
    let (z, q) = (
        recorder.code_of(u32::from('z')),
        recorder.code_of(u32::from('q')),
    );
    assert_ne!(z, z_us);
    recorder.take();
    done(&mut client, vec![text("z@ß")]).await;
    let seen = keys(&recorder.take());
    assert_eq!(seen[..2], [(true, z), (false, z)]);
    let level3 = seen[2].1;
    assert_eq!(
        seen[2..6],
        [(true, level3), (true, q), (false, q), (false, level3)]
    );
    assert_eq!(seen.len(), 8);
    set_keymap(&server, "us");
    // What this layout lacks goes by a spare keycode.
    recorder.take();
    let reply = done(&mut client, vec![text("ß")]).await;
    let runs = &reply.results[0].runs;
    assert_eq!(runs[0].method(), v1::TextMethod::BoundKey, "{runs:?}");
    let seen = keys(&recorder.take());
    assert!(seen.len() == 2 && seen[0].1 >= 147, "{seen:?}");
}

/// A rate is kept, and a key that is held shorter than it takes to repeat does not.
#[tokio::test]
async fn rates_and_holds() {
    let server = XServer::start();
    set_keymap(&server, "us");
    let (recorder, daemon) = (Recorder::new(&server), Daemon::start(&server));
    let mut client = daemon.client().await;
    recorder.take();
    let began = Instant::now();
    let slow = Action::Type(v1::TypeAction {
        text: "abcdefghijk".into(),
        rate: Some(50),
    });
    done(&mut client, vec![slow]).await;
    // Ten pauses of 20 ms.
    assert!(began.elapsed() >= Duration::from_millis(200));
    assert_eq!(keys(&recorder.take()).len(), 22);
    let held = |hold_ms| {
        Action::Key(v1::KeyAction {
            keys: vec!["a".into()],
            repeat: Some(2),
            hold: held(hold_ms),
        })
    };
    done(&mut client, vec![held(400)]).await;
    assert_eq!(keys(&recorder.take()).len(), 4);
    // Held for longer, it repeats as a finger's would: down and up again each time.
    done(&mut client, vec![held(900)]).await;
    assert!(keys(&recorder.take()).len() > 4);
    for rate in [0, 10_001] {
        let action = Action::Type(v1::TypeAction {
            text: "a".into(),
            rate: Some(rate),
        });
        let (code, ..) = refused(&mut client, bare(vec![action])).await;
        assert_eq!(code, Code::InvalidArgument);
    }
}

/// R19: a server that is stopped for 5 s between a press and its release gives
/// exactly one character.
#[tokio::test(flavor = "multi_thread")]
async fn r19_a_stopped_server_repeats_nothing() {
    let server = XServer::start();
    set_keymap(&server, "us");
    let (recorder, daemon) = (Recorder::new(&server), Daemon::start(&server));
    let mut client = daemon.client().await;
    recorder.take();
    let action = Action::Key(v1::KeyAction {
        keys: vec!["a".into()],
        repeat: Some(1),
        hold: held(600),
    });
    let step = tokio::spawn(async move { done(&mut client, vec![action]).await });
    recorder.until(Duration::from_secs(5), |seen| !keys(seen).is_empty());
    server.stop();
    tokio::time::sleep(Duration::from_secs(5)).await;
    server.resume();
    step.await.unwrap();
    let code = recorder.code_of(0x61);
    assert_eq!(keys(&recorder.take()), [(false, code)]);
}
