//! `grpc.health.v1.Health`: `""` is the process; `deskd.v1.Desktop` serves while
//! the paint is proved and an X round trip is at most 5 s old; `deskd.v1.Stack`
//! while every enabled component is up. Needs no token.
//!
//! A client that checks the desktop waits for its paint: the paint is observed until the
//! next check is due.

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

/// The services' names in health checks.
const DESKTOP: &str = "deskd.v1.Desktop";
const STACK: &str = "deskd.v1.Stack";

/// Oldest answer that counts as alive.
const FRESH: Duration = Duration::from_secs(5);
/// Probes commonly come every 10 s.
const NEXT_CHECK: Duration = Duration::from_secs(12);
/// How often a stream that is open asks for the paint, while it is not proved.
const STREAMING: Duration = Duration::from_secs(1);

/// Whether the display's connection stands and its server answered lately.
pub(in crate::rpc) fn is_alive(link: &Link) -> bool {
    matches!(link.state, LinkState::Up(_))
        && link
            .last_answer
            .is_some_and(|answer| answer.elapsed() <= FRESH)
}

/// Answers checks from what [`Reporter`] found.
#[derive(Debug)]
pub(in crate::rpc) struct HealthService {
    session: Session,
    process: watch::Sender<HealthCheckResponse>,
    desktop: watch::Receiver<HealthCheckResponse>,
    stack: watch::Receiver<HealthCheckResponse>,
}

/// Where the statuses are written.
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

/// The service and its reporter.
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
    /// Keeps the statuses true until the display is let go.
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
            // One receiver is the service's own: the others are streams.
            let streams = self.desktop.receiver_count() > 1;
            if streams && !ready {
                self.session.capture.expect_paint(2 * STREAMING);
            }
            // While it serves, silence changes the status too.
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
    // Without an init there is nothing to hear.
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
