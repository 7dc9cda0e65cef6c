//! Implements the gRPC service `Control`.

use std::time::Duration;

use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use crate::rpc::{
    messages::{control::state, limited, status},
    transport::{
        deadline,
        deadline::Deadline,
        lease,
        stream::{ItemSender, stream},
    },
    v1::{self, control_server::Control},
};
use crate::{
    session::{self, HolderKind, Session, TakeLease},
    text::is_hidden,
};

/// Time until a lease ends if the request names none.
const DEFAULT_TTL: Duration = Duration::from_secs(60);
/// Limits of the time until a lease ends.
const TTL: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3600);
/// Maximum bytes of the name of a holder, and of a reason.
const MAX_HOLDER: usize = 128;
const MAX_REASON: usize = 256;

/// Serves `Control` calls with a session.
#[derive(Debug, Clone)]
pub(in crate::rpc) struct ControlService {
    pub(in crate::rpc) session: Session,
    pub(in crate::rpc) read_only: bool,
}

#[tonic::async_trait]
impl Control for ControlService {
    async fn take_control(
        &self,
        request: Request<v1::TakeControlRequest>,
    ) -> Result<Response<v1::TakeControlResponse>, Status> {
        if self.read_only {
            return Err(status::read_only("TakeControl"));
        }
        let deadline = Deadline::of(request.metadata(), deadline::QUERY);
        let owner = lease::caller(request.extensions());
        let asked = request.into_inner();
        let asked = TakeLease {
            kind: match asked.kind() {
                v1::LeaseKind::Agent => HolderKind::Agent,
                v1::LeaseKind::Person => HolderKind::Person,
                v1::LeaseKind::Unspecified => {
                    let why = "must be LEASE_KIND_AGENT or LEASE_KIND_PERSON";
                    return Err(status::invalid_field("kind", why));
                }
            },
            ttl: ttl(asked.ttl)?.unwrap_or(DEFAULT_TTL),
            holder: line("holder", asked.holder, 1, MAX_HOLDER)?,
            reason: line("reason", asked.reason, 0, MAX_REASON)?,
            owner,
        };
        let control = &self.session.control;
        let lease_id = session::Control::new_id().map_err(session::ControlError::NotReleased)?;
        let leases = control.take(&lease_id, asked, deadline.reply_by).await?;
        Ok(Response::new(v1::TakeControlResponse {
            lease_id,
            control: Some(state(&leases)),
        }))
    }

    async fn renew_control(
        &self,
        request: Request<v1::RenewControlRequest>,
    ) -> Result<Response<v1::RenewControlResponse>, Status> {
        let request = request.into_inner();
        let key = lease::checked("lease_id", &request.lease_id)?;
        let leases = self.session.control.renew(key, ttl(request.ttl)?).await?;
        Ok(Response::new(v1::RenewControlResponse {
            control: Some(state(&leases)),
        }))
    }

    async fn give_control(
        &self,
        request: Request<v1::GiveControlRequest>,
    ) -> Result<Response<v1::GiveControlResponse>, Status> {
        let deadline = Deadline::of(request.metadata(), deadline::QUERY);
        let caller = lease::caller(request.extensions());
        let id = &request.get_ref().lease_id;
        let key = match id.is_empty() {
            true => None,
            false => Some(lease::checked("lease_id", id)?),
        };
        let control = &self.session.control;
        let leases = control.give(key, &caller, deadline.reply_by).await?;
        Ok(Response::new(v1::GiveControlResponse {
            control: Some(state(&leases)),
        }))
    }

    async fn get_control(
        &self,
        _: Request<v1::GetControlRequest>,
    ) -> Result<Response<v1::GetControlResponse>, Status> {
        Ok(Response::new(v1::GetControlResponse {
            control: Some(state(&self.session.control.now())),
        }))
    }

    type WatchControlStream = ReceiverStream<Result<v1::WatchControlResponse, Status>>;

    async fn watch_control(
        &self,
        request: Request<v1::WatchControlRequest>,
    ) -> Result<Response<Self::WatchControlStream>, Status> {
        let mut told = self.session.control.watch();
        let changes = async move |sender: ItemSender<v1::WatchControlResponse>| {
            let mut last = None;
            loop {
                let leases = told.borrow_and_update().clone();
                // A renewal is no change of who is in control.
                if last.replace(leases.epoch()) != Some(leases.epoch()) {
                    let response = v1::WatchControlResponse {
                        control: Some(state(&leases)),
                    };
                    if sender.send(Ok(response)).await.is_err() {
                        return;
                    }
                }
                if told.changed().await.is_err() {
                    return;
                }
            }
        };
        let stopping = self.session.stopping();
        Ok(Response::new(stream(&request, stopping, 1, changes)))
    }
}

fn ttl(asked: Option<prost_types::Duration>) -> Result<Option<Duration>, Status> {
    let Some(asked) = asked else {
        return Ok(None);
    };
    let ttl = limited::within("ttl", asked, *TTL.end())?;
    match ttl < *TTL.start() {
        true => Err(status::invalid_field("ttl", "must be at least 1 s")),
        false => Ok(Some(ttl)),
    }
}

/// Returns a text for people, if it is a line of at most `most` bytes.
fn line(field: &str, text: String, least: usize, most: usize) -> Result<String, Status> {
    if text.len() < least {
        return Err(status::invalid_field(field, "is required"));
    }
    if text.len() > most || text.chars().any(is_hidden) {
        let why = format!(
            "must be at most {most} bytes without control characters and marks of direction"
        );
        return Err(status::invalid_field(field, &why));
    }
    Ok(text)
}
