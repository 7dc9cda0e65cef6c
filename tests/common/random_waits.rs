//! Waits for windows that come and go at random, held against a record of when they did.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use deskd::v1::{self, WindowEvent};
use xcb::x;

use super::{Daemon, Witness, XServer, drawing::Numbers, window_table::window_event};

/// Number of windows that come and go.
const WINDOWS: u32 = 4;

/// One window was shown or hidden between two instants.
struct Turn {
    window: u32,
    is_shown: bool,
    sent: Instant,
    done: Instant,
}

/// Whether a window may have been shown (or hidden) at some instant of a time.
fn may_have_been(
    turns: &[Turn],
    window: u32,
    is_shown: bool,
    (from, to): (Instant, Instant),
) -> bool {
    let own = || turns.iter().filter(|turn| turn.window == window);
    let before = own().rev().find(|turn| turn.done <= from);
    let before = before.is_some_and(|turn| turn.is_shown);
    let mut during = own().filter(|turn| turn.sent <= to && turn.done >= from);
    before == is_shown || during.any(|turn| turn.is_shown == is_shown)
}

/// Waits so many times. Returns the answers that were not true.
pub async fn run(
    server: &XServer,
    daemon: &Daemon,
    count: usize,
    numbers: &mut Numbers,
) -> Vec<String> {
    let witness = Witness::new(server);
    let windows: Vec<x::Window> = (0..WINDOWS)
        .map(|number| {
            let place = i16::try_from(number * 60).unwrap();
            let window = witness.window((place, 0), (50, 50), 0x11_2233);
            witness.set_mapped(window, false);
            witness.checked(&x::ChangeProperty {
                mode: x::PropMode::Replace,
                window,
                property: x::ATOM_WM_NAME,
                r#type: x::ATOM_STRING,
                data: format!("window {number}").as_bytes(),
            });
            window
        })
        .collect();
    let turns = Arc::new(Mutex::new(Vec::<Turn>::new()));
    let is_over = Arc::new(AtomicBool::new(false));
    let (noted, over, mut dice) = (
        Arc::clone(&turns),
        Arc::clone(&is_over),
        Numbers(numbers.0 ^ 99),
    );
    let shower = std::thread::spawn(move || {
        let mut shown = [false; WINDOWS as usize];
        while !over.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(dice.below(60).into()));
            let window = dice.below(WINDOWS);
            let at = window as usize;
            shown[at] = !shown[at];
            let sent = Instant::now();
            witness.set_mapped(windows[at], shown[at]);
            let turn = Turn {
                window,
                is_shown: shown[at],
                sent,
                done: Instant::now(),
            };
            noted.lock().unwrap().push(turn);
        }
        windows
            .iter()
            .for_each(|window| witness.set_mapped(*window, false));
    });
    let mut client = daemon.client().await;
    let mut wrong = Vec::new();
    for number in 0..count {
        let window = numbers.below(WINDOWS);
        let is_shown = numbers.below(2) == 0;
        let event = if is_shown {
            WindowEvent::Appears
        } else {
            WindowEvent::Disappears
        };
        let limit = Duration::from_millis(u64::from(numbers.below(120)));
        let request = v1::WaitForRequest {
            condition: Some(window_event(&format!("window {window}"), event)),
            timeout: limit.try_into().ok(),
            coordinate_space: None,
        };
        let began = Instant::now();
        let report = client
            .wait_for(request)
            .await
            .unwrap()
            .into_inner()
            .report
            .unwrap();
        let ended = Instant::now();
        let waited = Duration::try_from(report.waited.unwrap()).unwrap();
        // The turn that was seen may not be noted yet.
        tokio::time::sleep(Duration::from_millis(5)).await;
        let turns = turns.lock().unwrap();
        let is_true = match report.met {
            true => may_have_been(&turns, window, is_shown, (began, ended)),
            // The last look was at the end: at that time it was not so.
            false => {
                let last = ended.min(began + waited) - Duration::from_millis(20).min(waited);
                may_have_been(&turns, window, !is_shown, (last, ended))
            }
        };
        let in_time = report.met || waited >= limit;
        if !is_true || !in_time {
            wrong.push(format!(
                "{number}: window {window} {event:?} within {limit:?}: {report:?}"
            ));
        }
    }
    is_over.store(true, Ordering::Relaxed);
    shower.join().unwrap();
    wrong
}
