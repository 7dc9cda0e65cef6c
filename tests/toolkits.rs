//! GTK, Qt, Chromium and xterm receive the input as it was meant.

use deskd::v1::{self, action::Action};
use serde_json::Value;

use crate::{
    common::{
        Daemon, XServer,
        receiver::{GRAPHICAL, Receiver, Toolkit},
        step::{Client, at, chord, click, done, drag, text},
    },
    keys::set_keymap,
};

/// A bare server with the keymap that deskd's own stack has.
async fn with(toolkit: Toolkit) -> (XServer, Receiver, Daemon, Client) {
    let server = XServer::start();
    set_keymap(&server, "us");
    let receiver = Receiver::start(&server, toolkit);
    let daemon = Daemon::start(&server);
    let client = daemon.client().await;
    (server, receiver, daemon, client)
}

fn printable() -> String {
    (' '..='~').collect()
}

/// Everything that the keymap has, at full speed, exactly.
async fn typing_is_exact(toolkit: Toolkit) {
    let (_server, receiver, _daemon, mut client) = with(toolkit).await;
    let (x, y) = receiver.in_text(200);
    done(&mut client, vec![click(x, y)]).await;
    receiver.clear();
    let mut typed = String::new();
    for round in 0..20 {
        let line = format!("{round} {}\n", printable());
        typed.push_str(&line);
        let reply = done(&mut client, vec![text(&line)]).await;
        assert_eq!(
            usize::try_from(reply.results[0].characters).unwrap(),
            line.len()
        );
    }
    receiver.wait_text(&receiver.told(&typed));
    // Through Caps Lock, too.
    done(
        &mut client,
        vec![
            chord(&["CapsLock"]),
            text("aBc Xyz 123!"),
            chord(&["CapsLock"]),
        ],
    )
    .await;
    typed.push_str("aBc Xyz 123!");
    receiver.wait_text(&receiver.told(&typed));
}

#[tokio::test]
async fn typing_is_exact_in_gtk() {
    typing_is_exact(Toolkit::Gtk).await;
}

#[tokio::test]
async fn typing_is_exact_in_qt() {
    typing_is_exact(Toolkit::Qt).await;
}

#[tokio::test]
async fn typing_is_exact_in_chromium() {
    typing_is_exact(Toolkit::Chromium).await;
}

#[tokio::test]
async fn typing_is_exact_in_xterm() {
    typing_is_exact(Toolkit::Xterm).await;
}

fn counts(presses: &[Value]) -> Vec<u64> {
    presses
        .iter()
        .map(|press| press["count"].as_u64().unwrap())
        .collect()
}

/// R22: a double click is one, 100 of 100 times; so is a triple one; and two
/// single ones are none.
async fn r22_double_clicks(toolkit: Toolkit) {
    let (_server, receiver, _daemon, mut client) = with(toolkit).await;
    let multi = |(x, y): (i32, i32), count| {
        Action::Click(v1::ClickAction {
            at: Some(at(x, y)),
            count: Some(count),
            ..v1::ClickAction::default()
        })
    };
    receiver.clear();
    for round in 0..100 {
        // At two places in turn: nothing has to be waited for.
        let place = receiver.in_target(40 + 100 * (round % 2));
        done(&mut client, vec![multi(place, 2)]).await;
    }
    let presses = receiver.wait_events("press", 200);
    let wanted: Vec<u64> = [1, 2].repeat(100);
    assert_eq!(counts(&presses), wanted, "{toolkit:?}");
    receiver.clear();
    done(&mut client, vec![multi(receiver.in_target(250), 3)]).await;
    assert_eq!(
        counts(&receiver.wait_events("press", 3)),
        [1, 2, 3],
        "{toolkit:?}"
    );
    // Nor is one that follows a double one its third.
    receiver.clear();
    let place = receiver.in_target(200);
    done(&mut client, vec![multi(place, 2), click(place.0, place.1)]).await;
    assert_eq!(
        counts(&receiver.wait_events("press", 3)),
        [1, 2, 1],
        "{toolkit:?}"
    );
    receiver.clear();
    let (x, y) = receiver.in_target(150);
    done(&mut client, vec![click(x, y), click(x, y), click(x, y)]).await;
    assert_eq!(
        counts(&receiver.wait_events("press", 3)),
        [1, 1, 1],
        "{toolkit:?}"
    );
}

#[tokio::test]
async fn r22_double_clicks_in_gtk() {
    r22_double_clicks(Toolkit::Gtk).await;
}

#[tokio::test]
async fn r22_double_clicks_in_qt() {
    r22_double_clicks(Toolkit::Qt).await;
}

#[tokio::test]
async fn r22_double_clicks_in_chromium() {
    r22_double_clicks(Toolkit::Chromium).await;
}

/// R22: a drag is one, 100 of 100 times.
async fn r22_drags(toolkit: Toolkit) {
    let (_server, receiver, _daemon, mut client) = with(toolkit).await;
    for round in 0..100 {
        receiver.clear();
        // At two places in turn: a press soon after another is a double click's.
        let from = receiver.in_source(40 + 100 * (round % 2));
        let to = receiver.in_target(60 + round);
        // The default time.
        done(&mut client, vec![drag(&[from, to], 250)]).await;
        let dropped = receiver.wait_events("drop", 1);
        assert_eq!(dropped[0]["text"], "dragged", "{toolkit:?}, round {round}");
        assert_eq!(receiver.events("drag-begin").len(), 1);
        receiver.wait_events("drag-end", 1);
    }
}

#[tokio::test]
async fn r22_drags_in_gtk() {
    r22_drags(Toolkit::Gtk).await;
}

#[tokio::test]
async fn r22_drags_in_qt() {
    r22_drags(Toolkit::Qt).await;
}

#[tokio::test]
async fn r22_drags_in_chromium() {
    r22_drags(Toolkit::Chromium).await;
}

/// Buttons, modifiers, chords and the wheel, both ways, as each program reports them.
#[tokio::test]
async fn buttons_modifiers_chords_and_wheel() {
    for toolkit in GRAPHICAL {
        let (_server, receiver, _daemon, mut client) = with(toolkit).await;
        let (x, y) = receiver.in_target(100);
        receiver.clear();
        let buttons = [
            v1::Button::Left,
            v1::Button::Middle,
            v1::Button::Right,
            v1::Button::Back,
            v1::Button::Forward,
        ];
        for button in buttons {
            let action = Action::Click(v1::ClickAction {
                at: Some(at(x, y)),
                button: button.into(),
                modifiers: vec!["ctrl".into(), "shift".into()],
                ..v1::ClickAction::default()
            });
            done(&mut client, vec![action]).await;
        }
        let presses = receiver.wait_events("press", 5);
        let numbers: Vec<u64> = presses
            .iter()
            .map(|press| press["button"].as_u64().unwrap())
            .collect();
        assert_eq!(numbers, [1, 2, 3, 8, 9], "{toolkit:?}");
        for press in &presses {
            assert_eq!(
                press["state"],
                serde_json::json!(["shift", "ctrl"]),
                "{toolkit:?}"
            );
            let place = (press["root_x"].as_f64(), press["root_y"].as_f64());
            assert_eq!(place, (Some(x.into()), Some(y.into())), "{toolkit:?}");
        }
        let scroll = |dx, dy| {
            Action::Scroll(v1::ScrollAction {
                at: Some(at(x, y)),
                dx,
                dy,
                unit: v1::ScrollUnit::Notch.into(),
                modifiers: Vec::new(),
            })
        };
        for (dx, dy) in [(0, 7), (0, -3), (5, 0), (-2, 0)] {
            receiver.clear();
            done(&mut client, vec![scroll(dx, dy)]).await;
            receiver.until(&format!("{toolkit:?} scrolled by {dx},{dy}"), |lines| {
                let turned = |name: &str| -> f64 {
                    let scrolls = lines.iter().filter(|line| line["event"] == "scroll");
                    scrolls.map(|line| line[name].as_f64().unwrap()).sum()
                };
                let near = |a: f64, b: i32| (a - f64::from(b)).abs() < 0.01;
                (near(turned("dx"), dx) && near(turned("dy"), dy)).then_some(())
            });
        }
        // A chord that the text understands.
        let (x, y) = receiver.in_text(300);
        done(
            &mut client,
            vec![
                click(x, y),
                text("gone"),
                chord(&["CTRL", "A"]),
                text("new"),
            ],
        )
        .await;
        receiver.wait_text("new");
        done(
            &mut client,
            vec![chord(&["ctrl", "a"]), chord(&["BackSpace"]), text("b")],
        )
        .await;
        receiver.wait_text("b");
    }
}
