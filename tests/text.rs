//! Text of any script, in GTK, Qt, Chromium and xterm: exactly, or refused.

use std::time::{Duration, Instant};

use deskd::rpc::v1::{self, TextMethod};
use tonic::Code;

use crate::{
    common::{
        Daemon, Witness, XServer, corpus, program,
        receiver::{ALL, Toolkit, typing_in},
        step::{bare, done, refused, text},
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
        tokio::time::sleep(Duration::from_millis(400)).await;
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

/// A long text holds up no picture, and ends soon when nobody wants it.
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
