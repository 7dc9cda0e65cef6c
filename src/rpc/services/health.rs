//! Implements `grpc.health.v1.Health`. The service `""` is the process, and always serves.
//! `deskd.v1.Desktop` serves while the paint is proved and the last X answer is at most 5 s
//! old. `deskd.v1.Stack` serves while every enabled component is up. No token is required.
//!
//! A check of `deskd.v1.Desktop` also keeps the paint observed until the next check is due.

use std::time::Duration;

use tokio::{sync::watch, time::Instant};
use tokio_stream::wrappers::WatchStream;
use tonic::{Request, Response, Status};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse, health_check_response::ServingStatus,
    health_server::Health,
};

use crate::{
    session::Session,
    x11::{Link, LinkState},
};

/// Names of the services in health checks.
const DESKTOP: &str = "deskd.v1.Desktop";
const STACK: &str = "deskd.v1.Stack";

/// Maximum age of the last X answer of a live display.
const FRESH: Duration = Duration::from_secs(5);
/// Time for which a check keeps the paint observed: probes commonly run every 10 s.
const NEXT_CHECK: Duration = Duration::from_secs(12);
/// Interval at which an open health stream renews the observation, while the paint is not
/// proved.
const STREAMING: Duration = Duration::from_secs(1);

/// Whether the X connection is up and the X server has answered within [`FRESH`].
pub(in crate::rpc) fn is_alive(link: &Link) -> bool {
    matches!(link.state, LinkState::Up(_))
        && link
            .last_answer
            .is_some_and(|answer| answer.elapsed() <= FRESH)
}

/// Answers health checks with the statuses that [`Reporter`] determines.
#[derive(Debug)]
pub(in crate::rpc) struct HealthService {
    session: Session,
    process: watch::Sender<HealthCheckResponse>,
    desktop: watch::Receiver<HealthCheckResponse>,
    stack: watch::Receiver<HealthCheckResponse>,
}

/// Determines the statuses and publishes them to [`HealthService`].
#[derive(Debug)]
pub(in crate::rpc) struct Reporter {
    session: Session,
    desktop: watch::Sender<HealthCheckResponse>,
    stack: watch::Sender<HealthCheckResponse>,
}

fn response(serves: bool) -> HealthCheckResponse {
    let status = if serves {
        ServingStatus::Serving
    } else {
        ServingStatus::NotServing
    };
    HealthCheckResponse {
        status: status.into(),
    }
}

/// Creates the service and its reporter.
pub(in crate::rpc) fn health(session: Session) -> (HealthService, Reporter) {
    let (desktop, of_desktop) = watch::channel(response(false));
    let (stack, of_stack) = watch::channel(response(false));
    let service = HealthService {
        session: session.clone(),
        process: watch::Sender::new(response(true)),
        desktop: of_desktop,
        stack: of_stack,
    };
    let reporter = Reporter {
        session,
        desktop,
        stack,
    };
    (service, reporter)
}

impl HealthService {
    fn status(&self, service: &str) -> Result<watch::Receiver<HealthCheckResponse>, Status> {
        match service {
            "" => Ok(self.process.subscribe()),
            DESKTOP => Ok(self.desktop.clone()),
            STACK => Ok(self.stack.clone()),
            _ => Err(Status::not_found(
                "no such service: check \"\", deskd.v1.Desktop or deskd.v1.Stack",
            )),
        }
    }
}

#[tonic::async_trait]
impl Health for HealthService {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let service = &request.get_ref().service;
        let status = *self.status(service)?.borrow();
        if service == DESKTOP {
            self.session.capture.expect_paint(NEXT_CHECK);
        }
        Ok(Response::new(status))
    }

    type WatchStream = tokio_stream::adapters::Map<
        WatchStream<HealthCheckResponse>,
        fn(HealthCheckResponse) -> Result<HealthCheckResponse, Status>,
    >;

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        use tokio_stream::StreamExt as _;
        let service = &request.get_ref().service;
        let receiver = self.status(service)?;
        if service == DESKTOP {
            self.session.capture.expect_paint(NEXT_CHECK);
        }
        let wrap: fn(_) -> _ = Ok;
        Ok(Response::new(WatchStream::new(receiver).map(wrap)))
    }
}

impl Reporter {
    /// Keeps the statuses up to date until the X thread ends.
    pub(in crate::rpc) async fn report(self) {
        let mut link = self.session.capture.links();
        loop {
            let (ready, last_answer) = {
                let now = link.borrow_and_update();
                let proved = self.session.capture.is_proved(&now);
                (is_alive(&now) && proved, now.last_answer)
            };
            set(&self.desktop, ready);
            let mut stack = self.session.bring_up.state();
            set(
                &self.stack,
                stack
                    .as_mut()
                    .is_some_and(|state| state.borrow_and_update().all_up()),
            );
            // One receiver belongs to the service itself; the others belong to open streams.
            let streams = self.desktop.receiver_count() > 1;
            if streams && !ready {
                self.session.capture.expect_paint(2 * STREAMING);
            }
            // While the service serves, the silence of the X server changes the status as
            // well.
            let stale = last_answer
                .filter(|_| ready)
                .map(|answer| Instant::from_std(answer + FRESH));
            let silence = async {
                match stale {
                    Some(at) => tokio::time::sleep_until(at + Duration::from_millis(1)).await,
                    None if streams => tokio::time::sleep(STREAMING).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                changed = link.changed() => if changed.is_err() { return },
                () = silence => {}
                () = changed(&mut stack) => {}
            }
        }
    }
}

async fn changed(stack: &mut Option<watch::Receiver<crate::stack::StackState>>) {
    if let Some(state) = stack
        && state.changed().await.is_ok()
    {
        return;
    }
    // Without an init, the state of the stack never changes.
    std::future::pending().await
}

fn set(sender: &watch::Sender<HealthCheckResponse>, serves: bool) {
    sender.send_if_modified(|status| {
        let new = response(serves);
        let changed = *status != new;
        *status = new;
        changed
    });
}
