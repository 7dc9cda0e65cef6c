//! Pasting, and the clipboard as it was before.

use std::{
    io::Write,
    time::{Duration, Instant},
};

use deskd::v1::{self, action::Action};
use serde_json::{Value, json};
use tonic::Code;
use xcb::x;

use crate::{
    common::{
        Daemon, Recorder, Witness, XServer, corpus,
        program::{self, Running},
        receiver::{ALL, Lines, Toolkit, lines, python, typing_in},
        step::{Client, bare, chord, done, refused, text},
        wait_for,
    },
    keys::set_keymap,
};

/// Another program that has something on its clipboard.
struct Other {
    process: Running,
    lines: Lines,
    answers: usize,
}

impl Other {
    fn start(server: &XServer) -> Self {
        let mut process = program::spawn(&mut python(server, "clipboard.py"), "python3-pyqt5");
        let lines = lines(&mut process);
        let mut other = Self {
            process,
            lines,
            answers: 0,
        };
        other.answer();
        other
    }

    fn answer(&mut self) -> Value {
        self.answers += 1;
        wait_for(
            "an answer about the clipboard",
            Duration::from_secs(30),
            || self.lines.lock().unwrap().get(self.answers - 1).cloned(),
        )
    }

    fn tell(&mut self, order: &Value) -> Value {
        let stdin = self.process.0.stdin.as_mut().unwrap();
        writeln!(stdin, "{order}").unwrap();
        self.answer()
    }

    fn own(&mut self, text: &str, bytes: usize, primary: bool) {
        let order = json!({"do": "own", "text": text, "bytes": bytes, "primary": primary});
        assert_eq!(self.tell(&order)["event"], "owned");
    }

    fn read(&mut self, primary: bool) -> Value {
        self.tell(&json!({"do": "read", "primary": primary}))
    }
}

fn paste(words: &str, chord: &str) -> Action {
    Action::Paste(v1::PasteAction {
        text: words.into(),
        chord: chord.into(),
    })
}

/// 64 KiB of every script, to the byte.
fn long() -> String {
    let all: String = corpus::samples().into_iter().map(|s| s.text).collect();
    let mut long = all.repeat(64 * 1024 / all.len());
    let rest = 64 * 1024 - long.len();
    long.push_str(&"x".repeat(rest));
    long
}

/// R25: exact in the four programs, and what was on the clipboard is there again,
/// also what comes in pieces.
#[tokio::test(flavor = "multi_thread")]
async fn r25_a_paste_is_exact_and_gives_the_clipboard_back() {
    for toolkit in ALL {
        let (server, receiver, _daemon, mut client) = typing_in(toolkit, "us").await;
        let mut other = Other::start(&server);
        other.own("what was copied", 3 << 20, false);
        other.own("what was marked", 0, true);
        let long = long();
        assert_eq!(long.len(), 64 * 1024);
        let reply = done(&mut client, vec![paste(&long, "")]).await;
        let result = &reply.results[0];
        assert_eq!(result.characters as usize, long.chars().count());
        assert!(!result.clipboard_lost, "{toolkit:?}");
        if toolkit == Toolkit::Xterm {
            let pasted = receiver.wait_events("paste", 1);
            assert_eq!(
                pasted[0]["text"].as_str(),
                Some(receiver.told(&long).as_str())
            );
        } else {
            receiver.wait_text(&long);
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        let (copied, marked) = (other.read(false), other.read(true));
        assert_eq!(copied["text"], "what was copied", "{toolkit:?}");
        assert_eq!(
            (&copied["bytes"], &copied["same"]),
            (&json!(3 << 20), &json!(true))
        );
        assert_eq!(marked["text"], "what was marked", "{toolkit:?}");
        // Again, from deskd's own hands by now.
        done(&mut client, vec![paste("!", "")]).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let copied = other.read(false);
        assert_eq!(
            (&copied["text"], &copied["bytes"]),
            (&json!("what was copied"), &json!(3 << 20))
        );
    }
}

/// A program that polls the clipboard does not keep away what was there before.
#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_polls_the_clipboard_delays_nothing() {
    let (server, receiver, _daemon, mut client) = typing_in(Toolkit::Gtk, "us").await;
    let (mut owner, mut poller) = (Other::start(&server), Other::start(&server));
    owner.own("what was copied", 0, false);
    done(&mut client, vec![paste("pasted", "")]).await;
    receiver.wait_text("pasted");
    let began = Instant::now();
    while poller.read(false)["text"] != "what was copied" {
        // Half a second after the step, and a poll.
        assert!(began.elapsed() < Duration::from_secs(5));
        tokio::time::sleep(Duration::from_millis(350)).await;
    }
}

/// A selection without an owner has none afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn an_empty_clipboard_is_empty_again() {
    let (server, receiver, _daemon, mut client) = typing_in(Toolkit::Qt, "us").await;
    done(&mut client, vec![paste("secret", "")]).await;
    receiver.wait_text("secret");
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut other = Other::start(&server);
    for primary in [false, true] {
        let read = other.read(primary);
        assert_eq!((&read["text"], &read["formats"]), (&json!(""), &json!([])));
    }
}

/// A paste replaces marked text, by any chord, and later text comes after it.
#[tokio::test]
async fn what_is_marked_is_replaced() {
    for toolkit in [Toolkit::Gtk, Toolkit::Qt, Toolkit::Chromium] {
        let (_server, receiver, _daemon, mut client) = typing_in(toolkit, "us").await;
        let marked = vec![text("to be replaced"), chord(&["ctrl", "a"])];
        done(&mut client, marked).await;
        done(&mut client, vec![paste("new é", "")]).await;
        receiver.wait_text("new é");
        let over = vec![
            chord(&["ctrl", "a"]),
            paste("by chord", "ctrl+v"),
            text("!"),
        ];
        done(&mut client, over).await;
        receiver.wait_text("by chord!");
    }
}

/// Content that another program copies meanwhile stays.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_copied_after_a_paste_is_not_taken_away() {
    let (server, receiver, _daemon, mut client) = typing_in(Toolkit::Gtk, "us").await;
    let mut other = Other::start(&server);
    other.own("before", 0, false);
    done(&mut client, vec![paste("pasted", "")]).await;
    receiver.wait_text("pasted");
    other.own("copied at once", 0, false);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut third = Other::start(&server);
    assert_eq!(third.read(false)["text"], "copied at once");
}

/// An owner that does not answer costs a bounded time, and the result reports it.
#[tokio::test(flavor = "multi_thread")]
async fn an_owner_that_is_stopped_does_not_hold_up_a_paste() {
    let (server, receiver, _daemon, mut client) = typing_in(Toolkit::Gtk, "us").await;
    let mut other = Other::start(&server);
    other.own("cannot be had", 0, false);
    other.process.signal("STOP");
    let began = Instant::now();
    let reply = done(&mut client, vec![paste("pasted", "")]).await;
    assert!(
        began.elapsed() < Duration::from_secs(6),
        "{:?}",
        began.elapsed()
    );
    assert!(reply.results[0].clipboard_lost);
    receiver.wait_text("pasted");
    other.process.signal("CONT");
}

/// No program takes it: the answer says so soon, and the clipboard is as it was.
#[tokio::test(flavor = "multi_thread")]
async fn a_paste_that_nobody_takes_is_reported() {
    let server = XServer::start();
    set_keymap(&server, "us");
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    let mut other = Other::start(&server);
    other.own("as it was", 0, false);
    let fails = async |client: &mut Client| {
        let reply = client.act(bare(vec![paste("lost", ""), text("x")])).await;
        let reply = reply.unwrap().into_inner();
        assert_eq!(reply.outcome(), v1::ActOutcome::Partial, "{reply:?}");
        assert_eq!(reply.results[1].status(), v1::ActionStatus::NotExecuted);
        assert_eq!(reply.results[0].characters, 0);
        let failure = reply.results[0].failure.clone().unwrap();
        assert_eq!(failure.reason(), v1::Reason::NotTaken, "{failure:?}");
        assert!(!failure.message.contains("lost"));
    };
    // No window at all; then one that knows nothing of pasting.
    fails(&mut client).await;
    let recorder = Recorder::new(&server);
    fails(&mut client).await;
    assert!(recorder.nothing_is_down());
    // For ten seconds nobody gets anything, or a program that is late would paste
    // what was there before.
    assert_eq!(other.read(false)["text"], "");
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert_eq!(other.read(false)["text"], "as it was");
}

/// A program that asks after the paste was reported as not done gets neither the text nor
/// the former content.
#[tokio::test(flavor = "multi_thread")]
async fn who_asks_too_late_pastes_nothing() {
    let (server, receiver, _daemon, mut client) = typing_in(Toolkit::Gtk, "us").await;
    let mut other = Other::start(&server);
    other.own("OLD SECRET", 0, false);
    receiver.signal("STOP");
    let mut request = tonic::Request::new(bare(vec![paste("new", "")]));
    request.set_timeout(Duration::from_millis(1500));
    let reply = client.act(request).await.unwrap().into_inner();
    assert_eq!(reply.outcome(), v1::ActOutcome::Deadline, "{reply:?}");
    receiver.signal("CONT");
    tokio::time::sleep(Duration::from_secs(1)).await;
    done(&mut client, vec![text("typed")]).await;
    receiver.wait_text("typed");
}

/// A program that works on the chord of a paste that was given up may still ask. What is
/// pasted next would arrive for both chords.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_pasted_again_does_not_arrive_twice() {
    let server = XServer::start();
    set_keymap(&server, "us");
    let mut command = python(&server, "slow_paste.py");
    let home = tempfile::tempdir().unwrap();
    command.env("HOME", home.path());
    let mut field = program::spawn(&mut command, "gir1.2-gtk-3.0");
    let lines = lines(&mut field);
    let event = |name: &str| {
        let lines = lines.lock().unwrap();
        lines.iter().find(|line| line["event"] == name).cloned()
    };
    wait_for("the field", Duration::from_secs(20), || event("ready"));
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    for times in 1..=2 {
        let reply = client.act(bare(vec![paste("once", "")])).await;
        let reply = reply.unwrap().into_inner();
        let failure = reply.results[0].failure.clone().unwrap();
        assert_eq!(failure.reason(), v1::Reason::NotTaken, "{times}: {reply:?}");
    }
    let pasted = wait_for("the pastes", Duration::from_secs(20), || event("pasted"));
    assert_eq!(pasted["chords"], 1, "{pasted}");
    assert_eq!(pasted["text"], "", "{pasted}");
    drop(field.0.stdin.take());
}

/// A deadline that comes while the former owner is asked: it keeps what it has. Many
/// of them do no harm to later pastes.
#[tokio::test(flavor = "multi_thread")]
async fn a_paste_that_is_given_up_leaves_the_clipboard_alone() {
    let (server, receiver, _daemon, mut client) = typing_in(Toolkit::Gtk, "us").await;
    let mut other = Other::start(&server);
    other.own("kept", 0, false);
    other.process.signal("STOP");
    for _ in 0..6 {
        let mut request = tonic::Request::new(bare(vec![paste("given up", "")]));
        request.set_timeout(Duration::from_millis(400));
        let reply = client.act(request).await.unwrap().into_inner();
        assert_eq!(reply.outcome(), v1::ActOutcome::Deadline, "{reply:?}");
        assert!(!reply.results[0].clipboard_lost);
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    other.process.signal("CONT");
    assert_eq!(other.read(false)["text"], "kept");
    let mut third = Other::start(&server);
    assert_eq!(third.read(false)["text"], "kept");
    done(&mut client, vec![paste("taken", "")]).await;
    receiver.wait_text("taken");
}

/// Content that is too long to be kept is reported.
#[tokio::test(flavor = "multi_thread")]
async fn a_format_that_is_too_long_is_told_as_lost() {
    let (server, receiver, _daemon, mut client) = typing_in(Toolkit::Gtk, "us").await;
    let mut other = Other::start(&server);
    other.own("text", 17 << 20, false);
    let reply = done(&mut client, vec![paste("pasted", "")]).await;
    assert!(reply.results[0].clipboard_lost);
    receiver.wait_text("pasted");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(other.read(false)["text"], "text");
}

/// Lines that end as Windows ends them are pasted as they are.
#[tokio::test(flavor = "multi_thread")]
async fn carriage_returns_are_pasted() {
    let (_server, receiver, _daemon, mut client) = typing_in(Toolkit::Xterm, "us").await;
    done(&mut client, vec![paste("a\r\nb\r\n", "")]).await;
    let pasted = receiver.wait_events("paste", 1);
    // xterm makes carriage returns of line feeds.
    assert_eq!(pasted[0]["text"], "a\r\rb\r\r");
}

/// Where there is a clipboard manager, what was given back outlives deskd.
#[tokio::test(flavor = "multi_thread")]
async fn a_clipboard_manager_takes_over_what_was_given_back() {
    let (server, receiver, mut daemon, mut client) = typing_in(Toolkit::Gtk, "us").await;
    let mut other = Other::start(&server);
    other.own("to be kept", 1 << 20, false);
    done(&mut client, vec![paste("pasted", "")]).await;
    receiver.wait_text("pasted");
    tokio::time::sleep(Duration::from_secs(1)).await;
    let home = tempfile::tempdir().unwrap();
    let mut manager = server.program("dbus-run-session");
    manager.args(["--", "xfsettingsd", "--no-daemon"]);
    let _manager = program::spawn(manager.env("HOME", home.path()), "xfce4-settings");
    let witness = Witness::new(&server);
    let name = b"CLIPBOARD_MANAGER";
    let cookie = witness.conn.send_request(&x::InternAtom {
        only_if_exists: false,
        name,
    });
    let selection = witness.conn.wait_for_reply(cookie).unwrap().atom();
    wait_for("a clipboard manager", Duration::from_secs(30), || {
        let question = x::GetSelectionOwner { selection };
        let cookie = witness.conn.send_request(&question);
        let owner = witness.conn.wait_for_reply(cookie).unwrap().owner();
        (owner != x::WINDOW_NONE).then_some(())
    });
    daemon.signal("TERM");
    assert_eq!(daemon.wait(Duration::from_secs(10)), Some(0));
    let read = other.read(false);
    assert_eq!(
        (&read["text"], &read["bytes"], &read["same"]),
        (&json!("to be kept"), &json!(1 << 20), &json!(true))
    );
}

/// A program that asks and then takes no piece holds up nobody else.
#[tokio::test(flavor = "multi_thread")]
async fn a_requestor_that_stalls_is_left_alone() {
    let (server, receiver, daemon, mut client) = typing_in(Toolkit::Gtk, "us").await;
    let mut other = Other::start(&server);
    other.own("text", 1 << 20, false);
    done(&mut client, vec![paste("a", "")]).await;
    receiver.wait_text("a");
    tokio::time::sleep(Duration::from_secs(1)).await;
    // deskd has the clipboard now, with its megabyte.
    let witness = Witness::new(&server);
    let atom = |name: &str| {
        let cookie = witness.conn.send_request(&x::InternAtom {
            only_if_exists: false,
            name: name.as_bytes(),
        });
        witness.conn.wait_for_reply(cookie).unwrap().atom()
    };
    let window = witness.window((-50, -50), (1, 1), 0);
    for number in 0..40 {
        witness.conn.send_request(&x::ConvertSelection {
            requestor: window,
            selection: atom("CLIPBOARD"),
            target: atom("image/x-test"),
            property: atom(&format!("STALLED_{number}")),
            time: x::CURRENT_TIME,
        });
    }
    witness.conn.flush().unwrap();
    let memory = daemon.status("VmRSS");
    assert_eq!(other.read(false)["bytes"], 1 << 20);
    done(&mut client, vec![paste("b", "")]).await;
    receiver.wait_text("ab");
    tokio::time::sleep(Duration::from_secs(7)).await;
    assert_eq!(other.read(false)["bytes"], 1 << 20);
    // In KiB: no copy of it for each of those.
    assert!(daemon.status("VmRSS") < memory + 8 * 1024);
}

#[tokio::test]
async fn a_paste_that_cannot_be_is_refused() {
    let (_server, receiver, _daemon, mut client) = typing_in(Toolkit::Gtk, "us").await;
    let long = "x".repeat(64 * 1024 + 1);
    for (words, chord, reason) in [
        ("", "", v1::Reason::InvalidField),
        (long.as_str(), "", v1::Reason::LimitExceeded),
        ("a\0b", "", v1::Reason::UntypableCharacter),
        ("a", "ctrl+nosuchkey", v1::Reason::UnknownKey),
        ("a", "a++b", v1::Reason::UnknownKey),
    ] {
        let request = bare(vec![text("first"), paste(words, chord)]);
        let (code, found, _) = refused(&mut client, request).await;
        assert_eq!((code, found), (Code::InvalidArgument, reason));
    }
    done(&mut client, vec![text("only this")]).await;
    receiver.wait_text("only this");
}
