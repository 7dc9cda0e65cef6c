//! Implements the gRPC service `Programs`.

use std::{sync::Arc, time::Duration};

use tonic::{Request, Response, Status, metadata::MetadataMap};

use crate::rpc::{
    messages::{program, status},
    recorder::{Recorder, redacted_launch},
    transport::{deadline, deadline::Deadline, lease},
    v1::{self, programs_server::Programs},
};
use crate::session::Session;

/// Serves `Programs` calls with a session.
#[derive(Debug, Clone)]
pub(in crate::rpc) struct ProgramsService {
    pub(in crate::rpc) session: Session,
    pub(in crate::rpc) recorder: Arc<Recorder>,
    pub(in crate::rpc) read_only: bool,
}

impl ProgramsService {
    fn may_change(&self, what: &str, metadata: &MetadataMap) -> Result<(), Status> {
        if self.read_only {
            return Err(status::read_only(what));
        }
        Ok(self.session.control.check(lease::of(metadata)?)?)
    }
}

#[tonic::async_trait]
impl Programs for ProgramsService {
    async fn launch(
        &self,
        request: Request<v1::LaunchRequest>,
    ) -> Result<Response<v1::LaunchResponse>, Status> {
        let shown = redacted_launch(request.get_ref());
        let launch = async {
            self.may_change("Launch", request.metadata())?;
            let metadata = request.metadata().clone();
            let (launch, wait) = program::launch(request.into_inner())?;
            let limit = deadline::QUERY + wait.unwrap_or(Duration::ZERO);
            let deadline = Deadline::of(&metadata, limit);
            let programs = &self.session.programs;
            let launched = programs.launch(launch, wait, deadline.reply_by).await?;
            Ok(Response::new(program::launched(launched)))
        };
        let logged = || Some(v1::log_call::Request::Launch(shown));
        self.recorder.logged("Launch", logged, launch).await
    }

    async fn list_programs(
        &self,
        request: Request<v1::ListProgramsRequest>,
    ) -> Result<Response<v1::ListProgramsResponse>, Status> {
        let deadline = Deadline::of(request.metadata(), deadline::QUERY);
        let programs = self.session.programs.list(deadline.reply_by).await?;
        Ok(Response::new(v1::ListProgramsResponse {
            programs: programs.iter().map(program::listed).collect(),
        }))
    }

    async fn read_output(
        &self,
        request: Request<v1::ReadOutputRequest>,
    ) -> Result<Response<v1::ReadOutputResponse>, Status> {
        let deadline = Deadline::of(request.metadata(), deadline::QUERY);
        let id = &request.get_ref().id;
        program::id(id)?;
        let programs = &self.session.programs;
        let (output, total_bytes, program) = programs.output(id, deadline.reply_by).await?;
        Ok(Response::new(v1::ReadOutputResponse {
            output,
            total_bytes,
            program: Some(program::program(&program)),
        }))
    }

    async fn signal_program(
        &self,
        request: Request<v1::SignalProgramRequest>,
    ) -> Result<Response<v1::SignalProgramResponse>, Status> {
        let (metadata, request) = (request.metadata(), request.get_ref());
        let signal = async {
            self.may_change("SignalProgram", metadata)?;
            program::id(&request.id)?;
            let (signal, limit) = program::signal(request)?;
            let deadline = Deadline::of(metadata, deadline::QUERY + limit);
            let programs = &self.session.programs;
            let (signalled, program) = programs
                .signal(&request.id, signal, limit, deadline.reply_by)
                .await?;
            Ok(Response::new(v1::SignalProgramResponse {
                ended: !program.runs,
                signalled,
                program: Some(program::program(&program)),
            }))
        };
        let logged = || Some(v1::log_call::Request::SignalProgram(request.clone()));
        self.recorder.logged("SignalProgram", logged, signal).await
    }
}
