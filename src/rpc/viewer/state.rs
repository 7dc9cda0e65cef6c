//! Keeps a page informed of who is in control, of the desktop and of the pointer; keeps its lease, and
//! notices when page or session have ended.

use std::time::Duration;

use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;

use super::{
    person::{CALL, TTL},
    socket::{Conversation, ENDED, End, GONE},
    token::ViewerMode,
    wire::ToPage,
};
use crate::{session::HolderKind, x11::LinkState};

/// Interval of the checks: while the pointer moves, and after [`CALM`] checks in which it did not.
const TICK: Duration = Duration::from_millis(200);
const CALM_TICK: Duration = Duration::from_secs(1);
const CALM: u32 = 15;
/// Interval of pings.
const PING: Duration = Duration::from_secs(10);
/// A page that sends nothing for this time, not even the answer to a ping, is gone.
const SILENCE: Duration = Duration::from_secs(30);
/// A person who gives no input for this time gives control back.
const IDLE: Duration = Duration::from_secs(600);

impl Conversation<'_> {
    /// Sends who is in control.
    pub(super) async fn say_control(&self) {
        let leases = self.session.control.now();
        let lease = leases.lease();
        self.say(&ToPage::Control {
            epoch: leases.epoch(),
            holder: lease.map(|lease| lease.holder.as_str()),
            reason: lease.map_or("", |lease| lease.reason.as_str()),
            is_person: lease.is_some_and(|lease| lease.kind == HolderKind::Person),
            is_mine: lease.is_some_and(|lease| Some(lease.key) == self.lease()),
        })
        .await;
    }

    /// Sends who is in control, the state of the desktop and the pointer; renews the lease; ends the
    /// conversation with the session or with a page that is gone.
    pub(super) async fn watch(&self) -> End {
        let viewer = self.person.0.viewer.as_str();
        let may_control = self.person.0.mode == ViewerMode::Control;
        self.say(&ToPage::Hello {
            may_control,
            viewer,
        })
        .await;
        let mut control = self.session.control.watch();
        let mut epoch = None;
        let (mut desktop, mut pointer, mut still) = (None, None, 0);
        let mut pinged = Instant::now();
        let mut due = Instant::now();
        loop {
            let now = control.borrow_and_update().epoch();
            if epoch.replace(now) != Some(now) {
                if let Some(key) = self.lease()
                    && self.session.control.check(Some(key)).is_err()
                {
                    self.person.0.hold(None);
                }
                self.say_control().await;
            }
            tokio::select! {
                changed = control.changed() => {
                    if changed.is_err() {
                        return (1001, "deskd is stopping");
                    }
                    continue;
                }
                () = tokio::time::sleep_until(due) => {}
            }
            due = Instant::now() + if still < CALM { TICK } else { CALM_TICK };
            let link = self.session.capture.link();
            let state = (
                matches!(link.state, LinkState::Up(_)),
                self.session.capture.is_proved(&link),
            );
            if desktop.replace(state) != Some(state) {
                let (connected, painted) = state;
                self.say(&ToPage::Desktop { connected, painted }).await;
            }
            if state.0 {
                let reading = self.session.capture.cursor(Instant::now() + TICK).await;
                let at = reading.ok().map(|reading| reading.position);
                still = if at == pointer {
                    still.saturating_add(1)
                } else {
                    0
                };
                if let Some((x, y)) = at.filter(|_| at != pointer) {
                    pointer = at;
                    self.say(&ToPage::Pointer { x, y }).await;
                }
            }
            if pinged.elapsed() >= PING {
                pinged = Instant::now();
                if !self.person.0.is_valid(self.verifier) {
                    return (ENDED, "this session has ended: ask for a new link");
                }
                drop(self.out.send(Message::Ping(bytes::Bytes::new())).await);
                if self.silence() > SILENCE {
                    return (GONE, "");
                }
                if let Some(key) = self.lease() {
                    if self.person.0.without_input() > IDLE {
                        self.give().await;
                        self.refuse("control was given back after 10 minutes without input")
                            .await;
                    } else if self.session.control.renew(key, Some(TTL)).await.is_err() {
                        self.person.0.hold(None);
                    }
                }
            }
        }
    }

    /// Releases what the person holds down. The lease lasts for the time in which the page may return.
    pub(super) async fn leave(&self) {
        if let Some(key) = self.lease()
            && self.person.0.is_last_socket()
            && self.session.control.renew(key, Some(TTL)).await.is_ok()
        {
            drop(self.session.input.release_all(Instant::now() + CALL).await);
        }
    }
}
