//! `grpc.health.v1.Health`: `""` is the process; `deskd.v1.Desktop` serves
//! while an X round trip is at most 5 s old. Needs no token.

use std::time::Duration;

use tokio::{sync::watch, time::Instant};
use tonic_health::{ServingStatus, server::HealthReporter};

use crate::x11::{Link, LinkState};

/// The service's name in health checks.
const DESKTOP: &str = "deskd.v1.Desktop";
/// The stack's; not serving while nothing manages a stack.
const STACK: &str = "deskd.v1.Stack";

/// Oldest answer that counts as alive (design section 2).
const FRESH: Duration = Duration::from_secs(5);

/// Whether the display's connection stands and its server answered lately.
pub(super) fn is_alive(link: &Link) -> bool {
    matches!(link.state, LinkState::Up(_))
        && link
            .last_answer
            .is_some_and(|answer| answer.elapsed() <= FRESH)
}

/// Keeps the reported status true until the link's sender is gone.
pub(super) async fn report(mut link: watch::Receiver<Link>, reporter: HealthReporter) {
    reporter
        .set_service_status(STACK, ServingStatus::NotServing)
        .await;
    let mut reported = None;
    loop {
        let (alive, last_answer) = {
            let now = link.borrow_and_update();
            (is_alive(&now), now.last_answer)
        };
        if reported != Some(alive) {
            let status = if alive {
                ServingStatus::Serving
            } else {
                ServingStatus::NotServing
            };
            reporter.set_service_status(DESKTOP, status).await;
            reported = Some(alive);
        }
        // While alive, silence changes the status too.
        let stale = last_answer
            .filter(|_| alive)
            .map(|answer| Instant::from_std(answer + FRESH));
        let silence = async {
            match stale {
                Some(at) => tokio::time::sleep_until(at + Duration::from_millis(1)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = link.changed() => if changed.is_err() { return },
            () = silence => {}
        }
    }
}
