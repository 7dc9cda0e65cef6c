//! The service `Stack`: its contract stands in the proto; this release runs
//! beside a display that somebody else started.

use tonic::{Request, Response, Status};

use super::{
    status,
    v1::{self, stack_server::Stack},
};

/// Answers UNIMPLEMENTED.
#[derive(Debug, Clone)]
pub(super) struct StackService;

#[tonic::async_trait]
impl Stack for StackService {
    async fn up(&self, _: Request<v1::UpRequest>) -> Result<Response<v1::UpResponse>, Status> {
        Err(status::not_implemented("Up"))
    }

    async fn down(
        &self,
        _: Request<v1::DownRequest>,
    ) -> Result<Response<v1::DownResponse>, Status> {
        Err(status::not_implemented("Down"))
    }

    async fn status(
        &self,
        _: Request<v1::StatusRequest>,
    ) -> Result<Response<v1::StatusResponse>, Status> {
        Err(status::not_implemented("Status"))
    }

    async fn set_geometry(
        &self,
        _: Request<v1::SetGeometryRequest>,
    ) -> Result<Response<v1::SetGeometryResponse>, Status> {
        Err(status::not_implemented("SetGeometry"))
    }

    type EventsStream = tokio_stream::Empty<Result<v1::EventsResponse, Status>>;

    async fn events(
        &self,
        _: Request<v1::EventsRequest>,
    ) -> Result<Response<Self::EventsStream>, Status> {
        Err(status::not_implemented("Events"))
    }
}
