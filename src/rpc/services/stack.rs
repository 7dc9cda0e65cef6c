//! Implements the gRPC service `Stack`.

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use tokio::net::TcpStream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use crate::rpc::{
    messages::{
        convert,
        stack::{component, component_state, event},
        status,
    },
    recorder::Recorder,
    transport::{
        deadline,
        deadline::Deadline,
        stream::{ItemSender, stream},
    },
    v1::{self, stack_server::Stack},
};
use crate::{
    frame::Size,
    session::{Classification, Session, StackError, UpResult},
};

/// Serves `Stack` calls with a session.
#[derive(Debug, Clone)]
pub(in crate::rpc) struct StackService {
    pub(in crate::rpc) session: Session,
    pub(in crate::rpc) recorder: Arc<Recorder>,
    pub(in crate::rpc) read_only: bool,
    /// Whether `Down` also ends the daemon.
    pub(in crate::rpc) ends_with_stack: bool,
    /// See [`ServerOptions::viewer_port`](crate::rpc::ServerOptions::viewer_port).
    pub(in crate::rpc) viewer_port: Option<u16>,
}

/// Maximum time for a viewer on loopback to accept a connection.
const VIEWER_ACCEPTS: Duration = Duration::from_millis(200);

impl StackService {
    fn may_change(&self, what: &str) -> Result<(), Status> {
        if self.read_only {
            return Err(status::read_only(what));
        }
        Ok(())
    }

    /// Returns the port of the viewer: that of the managed stack or, without one, that of
    /// another program which accepts connections now.
    async fn viewer(&self) -> Option<u32> {
        let port = match self.session.bring_up.state() {
            Some(state) => state.borrow().viewer_port,
            None => {
                let port = self.viewer_port?;
                let connect = TcpStream::connect((Ipv4Addr::LOCALHOST, port));
                let accepted = tokio::time::timeout(VIEWER_ACCEPTS, connect).await;
                accepted.ok()?.ok()?;
                port
            }
        };
        (port != 0).then(|| port.into())
    }

    fn is_managed(&self) -> Result<(), Status> {
        match self.session.bring_up.is_managed() {
            true => Ok(()),
            false => Err(StackError::NotManaged.into()),
        }
    }

    async fn bring_up(
        &self,
        request: &Request<v1::UpRequest>,
    ) -> Result<Response<v1::UpResponse>, Status> {
        let deadline = Deadline::of(request.metadata(), deadline::WAIT_READY);
        let request = request.get_ref();
        let size = request
            .geometry
            .map(|size| convert::nonempty("geometry", size.width, size.height));
        let size = size.transpose()?;
        // If another program manages the stack, `Up` only waits, which `--read-only` allows.
        if size.is_some() || self.session.bring_up.is_managed() {
            self.may_change("Up")?;
        }
        if size.is_some() {
            self.is_managed()?;
        }
        let done = self
            .session
            .bring_up
            .up(size, request.no_wait, deadline.reply_by)
            .await?;
        let classification = match done.classification {
            Classification::Cold => v1::Classification::Cold,
            Classification::AlreadyReady => v1::Classification::AlreadyReady,
            Classification::Contention => v1::Classification::Contention,
            Classification::Unknown => v1::Classification::Unspecified,
        };
        Ok(Response::new(v1::UpResponse {
            result: result(done.result).into(),
            classification: classification.into(),
            stages: done
                .stages
                .into_iter()
                .map(|stage| v1::StageEvent {
                    classification: classification.into(),
                    ..event(stage)
                })
                .collect(),
            paint: done.paint.map(|ready| convert::evidence(&ready.evidence)),
            viewer_port: self.viewer().await,
        }))
    }

    async fn take_down(
        &self,
        request: &Request<v1::DownRequest>,
    ) -> Result<Response<v1::DownResponse>, Status> {
        self.may_change("Down")?;
        let deadline = Deadline::of(request.metadata(), Duration::from_secs(30));
        let ended = self.session.bring_up.down(deadline.reply_by).await?;
        let ended = ended.into_iter().map(|c| component(c).into()).collect();
        if self.ends_with_stack {
            // Calls in progress, including this one, still receive their responses.
            self.session.bring_up.end().await;
        }
        Ok(Response::new(v1::DownResponse {
            ended,
            daemon_ends: self.ends_with_stack,
        }))
    }

    async fn resize(
        &self,
        request: &Request<v1::SetGeometryRequest>,
    ) -> Result<Response<v1::SetGeometryResponse>, Status> {
        self.may_change("SetGeometry")?;
        let deadline = Deadline::of(request.metadata(), Duration::from_secs(30));
        let request = request.get_ref();
        let Some(size) = request.geometry else {
            return Err(status::invalid_field("geometry", "must be given"));
        };
        let size: Size = convert::nonempty("geometry", size.width, size.height)?;
        if request.dpi.is_some_and(|dpi| !(24..=960).contains(&dpi)) {
            return Err(status::invalid_field("dpi", "must be 24 to 960"));
        }
        let screen = self
            .session
            .bring_up
            .set_geometry(size, request.dpi.unwrap_or(0), deadline.reply_by)
            .await?;
        Ok(Response::new(v1::SetGeometryResponse {
            geometry: Some(convert::wire_size(screen.size)),
            geometry_epoch: screen.geometry_epoch,
            server_generation: screen.generation.to_string(),
        }))
    }
}

#[tonic::async_trait]
impl Stack for StackService {
    async fn up(
        &self,
        request: Request<v1::UpRequest>,
    ) -> Result<Response<v1::UpResponse>, Status> {
        let logged = || Some(v1::log_call::Request::Up(*request.get_ref()));
        let up = self.bring_up(&request);
        self.recorder.logged("Up", logged, up).await
    }

    async fn down(
        &self,
        request: Request<v1::DownRequest>,
    ) -> Result<Response<v1::DownResponse>, Status> {
        let down = self.take_down(&request);
        self.recorder.logged("Down", || None, down).await
    }

    async fn status(
        &self,
        _: Request<v1::StatusRequest>,
    ) -> Result<Response<v1::StatusResponse>, Status> {
        let Some(state) = self.session.bring_up.state() else {
            return Ok(Response::new(v1::StatusResponse {
                managed: false,
                components: Vec::new(),
            }));
        };
        let components = state
            .borrow()
            .components
            .iter()
            .map(component_state)
            .collect();
        Ok(Response::new(v1::StatusResponse {
            managed: true,
            components,
        }))
    }

    async fn set_geometry(
        &self,
        request: Request<v1::SetGeometryRequest>,
    ) -> Result<Response<v1::SetGeometryResponse>, Status> {
        let logged = || Some(v1::log_call::Request::SetGeometry(*request.get_ref()));
        let resize = self.resize(&request);
        self.recorder.logged("SetGeometry", logged, resize).await
    }

    type EventsStream = ReceiverStream<Result<v1::EventsResponse, Status>>;

    async fn events(
        &self,
        request: Request<v1::EventsRequest>,
    ) -> Result<Response<Self::EventsStream>, Status> {
        let mut news = self.session.bring_up.news()?;
        let asked = request.get_ref();
        // Another instance also counts from 1, so its sequence numbers do not apply here.
        let same = asked.instance_id.is_empty() || asked.instance_id == self.session.instance_id();
        let mut after = asked.after_sequence.filter(|_| same).unwrap_or(0);
        let session = self.session.clone();
        let events = async move |sender: ItemSender<v1::EventsResponse>| {
            loop {
                news.borrow_and_update();
                for numbered in session.bring_up.events_after(after) {
                    after = numbered.sequence;
                    let event = Some(event(numbered));
                    // Sending fails if the caller has disconnected; then the stream ends.
                    if sender.send(Ok(v1::EventsResponse { event })).await.is_err() {
                        return;
                    }
                }
                if news.changed().await.is_err() {
                    return;
                }
            }
        };
        let stopping = self.session.stopping();
        Ok(Response::new(stream(&request, stopping, 16, events)))
    }
}

impl From<StackError> for Status {
    fn from(error: StackError) -> Self {
        let message = error.to_string();
        match error {
            StackError::NotManaged => {
                status::failed_precondition(v1::Reason::StackNotManaged, message)
            }
            StackError::Unsupported(_) => {
                status::failed_precondition(v1::Reason::GeometryUnsupported, message)
            }
            StackError::Late(_) => status::deadline(v1::Reason::Deadline, message),
        }
    }
}

fn result(result: UpResult) -> v1::UpResult {
    match result {
        UpResult::Up => v1::UpResult::Up,
        UpResult::NoXServer => v1::UpResult::NoXServer,
        UpResult::VncFailed => v1::UpResult::VncFailed,
        UpResult::ViewerFailed => v1::UpResult::ViewerFailed,
        UpResult::NotPainted => v1::UpResult::NotPainted,
        UpResult::Locked => v1::UpResult::Locked,
        UpResult::TimedOut => v1::UpResult::TimedOut,
    }
}
