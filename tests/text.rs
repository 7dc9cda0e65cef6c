//! Text of any script, in GTK, Qt, Chromium and xterm: exactly, or refused.

use std::time::{Duration, Instant};

use deskd::v1::{self, TextMethod, action::Action};
use tonic::Code;
use xcb::x;

use crate::{
    common::{
        Daemon, Witness, XServer, corpus, program,
        receiver::{ALL, Receiver, Toolkit, typing_in},
        step::{bare, done, refused, text},
        wait_for,
    },
    keys::set_keymap,
};

/// The keymap, as the server has it.
fn keymap(server: &XServer) -> String {
    let mut xkbcomp = server.program("xkbcomp");
    let map = program::output(
        xkbcomp.args([server.display().as_str(), "-"]),
        "x11-xkb-utils",
    );
    String::from_utf8(map).unwrap()
}

/// Line by line, because all of it is long.
fn same_keymap(now: &str, before: &str) {
    let differ = now.lines().zip(before.lines()).filter(|(a, b)| a != b);
    let differ: Vec<_> = differ.take(5).collect();
    assert!(now == before, "{differ:#?}");
}

fn methods(reply: &v1::ActResponse) -> Vec<TextMethod> {
    let runs = reply.results[0].runs.iter();
    runs.map(v1::TextRun::method).collect()
}

/// Every script, all that came so far each time, and the account of it.
async fn every_script_is_exact(toolkit: Toolkit) {
    let (server, receiver, _daemon, mut client) = typing_in(toolkit, "us").await;
    let before = keymap(&server);
    let mut typed = String::new();
    for sample in corpus::samples() {
        typed.push_str(&sample.text);
        let reply = done(&mut client, vec![text(&sample.text)]).await;
        let characters = u32::try_from(sample.text.chars().count()).unwrap();
        let result = &reply.results[0];
        assert_eq!(result.characters, characters, "{}", sample.name);
        let account: u32 = result.runs.iter().map(|run| run.characters).sum();
        assert_eq!(account, characters, "{}: {:?}", sample.name, result.runs);
        println!("{toolkit:?}, {}", sample.name);
        receiver.wait_text(&receiver.told(&typed));
    }
    // More than all spare keycodes have room for, at once.
    let many = corpus::many_distinct();
    typed.push_str(&many);
    done(&mut client, vec![text(&many)]).await;
    receiver.wait_text(&receiver.told(&typed));
    // And given back, when nobody types any more.
    assert!(keymap(&server) != before);
    std::thread::sleep(Duration::from_secs(6));
    same_keymap(&keymap(&server), &before);
}

#[tokio::test]
async fn every_script_is_exact_in_gtk() {
    every_script_is_exact(Toolkit::Gtk).await;
}

#[tokio::test]
async fn every_script_is_exact_in_qt() {
    every_script_is_exact(Toolkit::Qt).await;
}

#[tokio::test]
async fn every_script_is_exact_in_chromium() {
    every_script_is_exact(Toolkit::Chromium).await;
}

#[tokio::test]
async fn every_script_is_exact_in_xterm() {
    every_script_is_exact(Toolkit::Xterm).await;
}

/// Also with groups and dead keys, whatever the layout.
#[tokio::test]
async fn every_layout_types_the_same() {
    const MIXED: &str = "Zyklus^`~´ @€ÄÖß {[|]} ñâ Привет мир 日本 q1!\n";
    for toolkit in ALL {
        for layout in ["de", "fr", "ru", "us,ru"] {
            let (_server, receiver, _daemon, mut client) = typing_in(toolkit, layout).await;
            done(&mut client, vec![text(MIXED)]).await;
            receiver.wait_text(&receiver.told(MIXED));
        }
    }
}

/// R13 under load: every core busy.
#[tokio::test(flavor = "multi_thread")]
async fn r13_text_is_exact_while_every_core_is_busy() {
    let busy: Vec<_> = (0..4)
        .map(|_| {
            let mut command = std::process::Command::new("sh");
            program::spawn(command.args(["-c", "while :; do :; done"]), "dash")
        })
        .collect();
    for toolkit in ALL {
        let (_server, receiver, _daemon, mut client) = typing_in(toolkit, "us").await;
        let mut typed = String::new();
        for sample in corpus::samples() {
            typed.push_str(&sample.text);
            done(&mut client, vec![text(&sample.text)]).await;
        }
        typed.push_str(&corpus::many_distinct());
        done(&mut client, vec![text(&corpus::many_distinct())]).await;
        receiver.wait_text(&receiver.told(&typed));
    }
    drop(busy);
}

/// R15: more distinct characters than places, while the program reads nothing.
#[tokio::test(flavor = "multi_thread")]
async fn r15_a_program_that_is_stopped_reads_what_was_meant() {
    for toolkit in ALL {
        let (_server, receiver, _daemon, mut client) = typing_in(toolkit, "us").await;
        receiver.signal("STOP");
        let typing = tokio::spawn(async move {
            let many = corpus::many_distinct() + &corpus::many_distinct();
            done(&mut client, vec![text(&many)]).await;
            many
        });
        tokio::time::sleep(Duration::from_secs(3)).await;
        // It must wait for the program, whose keys would become others.
        assert!(!typing.is_finished(), "{toolkit:?}");
        receiver.signal("CONT");
        receiver.wait_text(&receiver.told(&typing.await.unwrap()));
    }
}

/// A daemon that is killed leaves keycodes bound; the next gives them back, and
/// types as ever.
#[tokio::test]
async fn a_daemon_that_is_killed_leaves_no_keycode_bound() {
    let (server, receiver, mut daemon, mut client) = typing_in(Toolkit::Gtk, "us").await;
    let before = keymap(&server);
    done(&mut client, vec![text("жук")]).await;
    receiver.wait_text("жук");
    assert!(keymap(&server) != before);
    daemon.signal("KILL");
    daemon.wait(Duration::from_secs(5));
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    done(&mut client, vec![text(" и 猫")]).await;
    receiver.wait_text("жук и 猫");
    let mut daemon = daemon;
    daemon.signal("TERM");
    daemon.wait(Duration::from_secs(5));
    assert!(keymap(&server) == before);
}

/// The same while the program has not read its keys: they are given back to nobody
/// before it has.
#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_is_killed_or_ends_does_not_lose_what_is_unread() {
    for signal in ["KILL", "TERM"] {
        let (server, receiver, mut daemon, mut client) = typing_in(Toolkit::Gtk, "us").await;
        let before = keymap(&server);
        receiver.signal("STOP");
        done(&mut client, vec![text("привет abc")]).await;
        daemon.signal(signal);
        daemon.wait(Duration::from_secs(5));
        let daemon = Daemon::start(&server);
        drop(daemon.client().await);
        tokio::time::sleep(Duration::from_secs(2)).await;
        receiver.signal("CONT");
        receiver.wait_text("привет abc");
        tokio::time::sleep(Duration::from_secs(8)).await;
        same_keymap(&keymap(&server), &before);
    }
}

/// Two windows that share a text, the second of which reads nothing: its keycodes
/// stay what they are until it has.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_window_reads_what_was_meant_too() {
    let (server, first, _daemon, mut client) = typing_in(Toolkit::Gtk, "us").await;
    let witness = Witness::new(&server);
    let focus = || {
        let cookie = witness.conn.send_request(&x::GetInputFocus {});
        witness.conn.wait_for_reply(cookie).unwrap().focus()
    };
    let one = focus();
    let second = Receiver::of_text(&server, Toolkit::Gtk);
    let other = focus();
    assert_ne!(one, other);
    let give = |window| {
        witness.conn.send_request(&x::SetInputFocus {
            revert_to: x::InputFocus::Parent,
            focus: window,
            time: x::CURRENT_TIME,
        });
        witness.conn.flush().unwrap();
    };
    give(one);
    second.signal("STOP");
    let words: String = ('\u{4e00}'..).take(900).collect();
    let typed = words.clone();
    let typing = tokio::spawn(async move {
        let typing = Action::Type(v1::TypeAction {
            text: typed,
            rate: Some(600),
        });
        done(&mut client, vec![typing]).await
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    give(other);
    tokio::time::sleep(Duration::from_millis(200)).await;
    give(one);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(!typing.is_finished());
    second.signal("CONT");
    typing.await.unwrap();
    let there = |receiver: &Receiver| {
        let last = receiver.events("text").pop();
        last.map_or_else(String::new, |line| {
            line["text"].as_str().unwrap().to_owned()
        })
    };
    let whole = wait_for("the text in both windows", Duration::from_secs(10), || {
        let (outer, inner) = (there(&first), there(&second));
        let length = outer.chars().count() + inner.chars().count();
        (length == 900).then_some((outer, inner))
    });
    let (outer, inner) = whole;
    assert!(!inner.is_empty());
    // The one has what the other lacks.
    let left: String = words.replacen(&inner, "", 1);
    assert!(left == outer, "{} in the second", inner.chars().count());
}

/// A latch is for the key that a person presses next; a lock would make shortcuts of a
/// text.
#[tokio::test(flavor = "multi_thread")]
async fn latched_and_locked_modifiers_change_no_text() {
    const SCRIPT: &str = "import ctypes, sys
x = ctypes.CDLL('libX11.so.6')
x.XOpenDisplay.restype = ctypes.c_void_p
d = ctypes.c_void_p(x.XOpenDisplay(None))
what, mask, on = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
f = x.XkbLatchModifiers if what == 'latch' else x.XkbLockModifiers
f(d, 0x100, mask, mask if on else 0)
x.XSync(d, 0)";
    for toolkit in [Toolkit::Gtk, Toolkit::Qt] {
        let (server, receiver, _daemon, mut client) = typing_in(toolkit, "us").await;
        let set = |what: &str, mask: &str, on: &str| {
            let mut python = server.program("/usr/bin/python3");
            program::output(python.args(["-c", SCRIPT, what, mask, on]), "python3");
        };
        let mut typed = String::new();
        // Shift, Control, Alt, the third level.
        for mask in ["1", "4", "8", "128"] {
            set("latch", mask, "1");
            done(&mut client, vec![text("Hello, é漢 ")]).await;
            typed.push_str("Hello, é漢 ");
            receiver.wait_text(&typed);
        }
        for mask in ["4", "8", "64"] {
            set("lock", mask, "1");
            let request = bare(vec![text("narrow")]);
            let (code, reason, status) = refused(&mut client, request).await;
            let expected = (Code::FailedPrecondition, v1::Reason::InputHeld);
            assert_eq!((code, reason), expected, "{status:?}");
            set("lock", mask, "0");
        }
        done(&mut client, vec![text("end")]).await;
        receiver.wait_text(&(typed + "end"));
    }
}

/// Keycodes that were bound, and that somebody grabbed since, are not used any more.
#[tokio::test(flavor = "multi_thread")]
async fn bound_keycodes_that_were_grabbed_since_are_given_up() {
    let (server, receiver, _daemon, mut client) = typing_in(Toolkit::Gtk, "us").await;
    done(&mut client, vec![text("жук ")]).await;
    receiver.wait_text("жук ");
    let witness = Witness::new(&server);
    witness.grab_keys();
    done(&mut client, vec![text("жук, новое слово")]).await;
    receiver.wait_text("жук жук, новое слово");
}

/// With nobody to read it, a text is not sent.
#[tokio::test]
async fn without_a_focus_nothing_is_typed() {
    let server = XServer::start();
    set_keymap(&server, "us");
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    let reply = client.act(bare(vec![text("привет abc")])).await;
    let reply = reply.unwrap().into_inner();
    assert_eq!(reply.outcome(), v1::ActOutcome::Partial, "{reply:?}");
    let failure = reply.results[0].failure.clone().unwrap();
    assert_eq!(failure.reason(), v1::Reason::NotTaken, "{failure:?}");
    assert_eq!(reply.results[0].characters, 0);
}

/// R16: a layout that is set in the middle of a text.
#[tokio::test(flavor = "multi_thread")]
async fn r16_another_layout_in_the_middle_is_noticed() {
    // (From, to, text): the first stays the same, the others do not.
    for (from, to, words) in [
        ("us", "us", "plain "),
        ("us", "de", "yz-; "),
        ("us", "us", "жук "),
    ] {
        let (server, receiver, _daemon, mut client) = typing_in(Toolkit::Gtk, from).await;
        let long = words.repeat(400);
        let mut request = bare(vec![text(&long)]);
        if let Some(v1::action::Action::Type(action)) = &mut request.actions[0].action {
            action.rate = Some(1500);
        }
        let typing = tokio::spawn(async move { client.act(request).await });
        receiver.until("the first 150 characters", |lines| {
            let text = lines.iter().rfind(|line| line["event"] == "text")?;
            (text["text"].as_str()?.chars().count() > 150).then_some(())
        });
        set_keymap(&server, to);
        let reply = typing.await.unwrap().unwrap().into_inner();
        let result = &reply.results[0];
        if reply.outcome() == v1::ActOutcome::Done {
            receiver.wait_text(&long);
            continue;
        }
        assert_eq!(
            reply.outcome(),
            v1::ActOutcome::Partial,
            "{from} {to} {words}"
        );
        let failure = result.failure.as_ref().unwrap();
        assert_eq!(failure.reason(), v1::Reason::KeymapChanged, "{failure:?}");
        assert_ne!(words, "plain ");
        let sent = usize::try_from(result.characters).unwrap();
        assert!(sent > 100 && sent < long.chars().count(), "{sent}");
        assert!(failure.message.contains(&sent.to_string()), "{failure:?}");
    }
}

/// A long text holds up no picture, and ends soon when its caller goes away.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_text_holds_up_nothing_and_can_be_cancelled() {
    let (_server, receiver, daemon, client) = typing_in(Toolkit::Gtk, "us").await;
    let mut other = daemon.client().await;
    let long = "slow text ".repeat(2000);
    let mut request = bare(vec![text(&long)]);
    if let Some(v1::action::Action::Type(action)) = &mut request.actions[0].action {
        action.rate = Some(200);
    }
    let mut typist = client.clone();
    let typing = tokio::spawn(async move { typist.act(request).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    for _ in 0..5 {
        let reply = other
            .screenshot(crate::common::daemon::raw())
            .await
            .unwrap();
        let frame = reply.into_inner().frame.unwrap();
        assert_eq!(frame.kind(), v1::FrameKind::Screen);
    }
    assert!(!typing.is_finished());
    typing.abort();
    // The next step has the input as soon as the text has ended: 100 ms, × 3.
    let began = Instant::now();
    done(&mut other, vec![text("|")]).await;
    assert!(
        began.elapsed() < Duration::from_millis(300),
        "{:?}",
        began.elapsed()
    );
    let all = receiver.until("the end", |lines| {
        let text = lines.iter().rfind(|line| line["event"] == "text")?;
        text["text"]
            .as_str()
            .filter(|text| text.ends_with('|'))
            .map(str::to_owned)
    });
    let typed = all.trim_end_matches('|');
    assert!(
        long.starts_with(typed) && typed.len() < 400,
        "{}",
        typed.len()
    );
}

/// Bad input: nothing is typed.
#[tokio::test]
async fn what_no_key_can_carry_is_refused_before_the_first_key() {
    let (server, receiver, _daemon, mut client) = typing_in(Toolkit::Gtk, "us").await;
    let before = keymap(&server);
    for (words, position) in [
        ("ab\0", 2),
        ("жук\u{7f}", 3),
        ("a\u{fffe}", 1),
        ("a\u{1b}[0m", 1),
        ("\u{85}", 0),
        ("ok\r\n", 2),
        ("😀\u{fdd0}", 1),
    ] {
        let (code, reason, status) =
            refused(&mut client, bare(vec![text("first"), text(words)])).await;
        assert_eq!(
            (code, reason),
            (Code::InvalidArgument, v1::Reason::UntypableCharacter)
        );
        let message = status.message();
        assert!(
            message.contains(&format!("character {position} ")),
            "{message}"
        );
    }
    let long = "x".repeat(64 * 1024 + 1);
    let (code, reason, _) = refused(&mut client, bare(vec![text(&long)])).await;
    assert_eq!(
        (code, reason),
        (Code::InvalidArgument, v1::Reason::LimitExceeded)
    );
    assert!(keymap(&server) == before);
    done(&mut client, vec![text("only this")]).await;
    receiver.wait_text("only this");
}

/// Where every keycode is taken, what the layout lacks goes through the selection,
/// and the account says so.
#[tokio::test]
async fn without_a_spare_keycode_the_selection_serves() {
    let (server, receiver, _daemon, mut client) = typing_in(Toolkit::Gtk, "us").await;
    let before = keymap(&server);
    let witness = Witness::new(&server);
    witness.grab_keys();
    let reply = done(&mut client, vec![text("a жук😀 b é")]).await;
    receiver.wait_text("a жук😀 b é");
    use TextMethod::{Key, Selection};
    assert_eq!(methods(&reply), [Key, Selection, Key, Selection]);
    let starts = reply.results[0].runs.iter();
    let starts: Vec<u32> = starts.map(|run| run.start).collect();
    assert_eq!(starts, [0, 2, 6, 9]);
    assert!(keymap(&server) == before);
}
