//! Reports to a service manager that the daemon listens, its state, and that it works
//! (sd_notify(3); R33).
//!
//! The reports go to `$NOTIFY_SOCKET`; without that variable nothing is sent.

use std::sync::Arc;

use sd_notify::NotifyState;

use crate::{session::Capture, x11::LinkState};

/// Reports that the daemon listens, then each change of its state, and a heartbeat twice per
/// timeout of the manager's watchdog. Does not end.
///
/// A hung X server does not stop the heartbeats; a stuck thread of deskd does.
pub(super) async fn tell(capture: Arc<Capture>) {
    say(&[NotifyState::Ready]);
    let patience = sd_notify::watchdog_enabled();
    let mut works = patience.map(|patience| tokio::time::interval(patience / 2));
    let mut link = capture.links();
    let mut told = String::new();
    loop {
        let status = status(&capture, &link.borrow_and_update().state);
        if status != told {
            say(&[NotifyState::Status(&status)]);
            told = status;
        }
        let tick = async {
            match &mut works {
                Some(works) => drop(works.tick().await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = link.changed() => if changed.is_err() {
                // The X thread has ended: send no further heartbeat, so that the watchdog restarts
                // the daemon.
                std::future::pending::<()>().await;
            },
            () = tick => if capture.works() {
                say(&[NotifyState::Watchdog]);
            },
        }
    }
}

/// Reports that the daemon ends.
pub(super) fn stopping() {
    say(&[NotifyState::Stopping]);
}

fn say(words: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(words) {
        tracing::debug!("the service manager does not listen: {error}");
    }
}

/// Returns one line for `systemctl status`.
fn status(capture: &Capture, state: &LinkState) -> String {
    let name = capture.display();
    match state {
        LinkState::Connecting => format!("waiting for display {name}"),
        LinkState::Down(failure) => format!("display {name}: {}", failure.message),
        LinkState::Up(screen) => {
            let is_proved = screen
                .proof
                .is_some_and(|proof| proof.implies(capture.profile()));
            let painted = if is_proved {
                "painted"
            } else {
                "not proved to be painted"
            };
            format!("display {name}, {}, {painted}", screen.size)
        }
    }
}
