//! Implements the gRPC service `Windows`.

use std::{sync::Arc, time::Duration};

use tonic::{Request, Response, Status};

use crate::rpc::{
    messages::{status, window},
    recorder::Recorder,
    transport::{deadline, deadline::Deadline, lease},
    v1::{self, windows_server::Windows},
};
use crate::session::{Session, WindowRefusal};

/// Serves `Windows` calls with a session.
#[derive(Debug, Clone)]
pub(in crate::rpc) struct WindowsService {
    pub(in crate::rpc) session: Session,
    pub(in crate::rpc) recorder: Arc<Recorder>,
    pub(in crate::rpc) read_only: bool,
}

#[tonic::async_trait]
impl Windows for WindowsService {
    async fn list_windows(
        &self,
        request: Request<v1::ListWindowsRequest>,
    ) -> Result<Response<v1::ListWindowsResponse>, Status> {
        let deadline = Deadline::of(request.metadata(), deadline::QUERY);
        let wanted = request.get_ref().r#match.as_ref();
        let wanted = wanted
            .map(|wanted| window::matching("match", wanted))
            .transpose()?;
        let list = self.session.windows.list(deadline.reply_by).await;
        let list = list.map_err(WindowRefusal::from)?;
        let fits = |window: &&crate::x11::ListedWindow| {
            wanted.as_ref().is_none_or(|wanted| wanted.fits(window))
        };
        let windows: Vec<v1::Window> = list
            .windows
            .iter()
            .filter(fits)
            .map(window::window)
            .collect();
        let total = match wanted {
            None => list.total,
            Some(_) => windows.len(),
        };
        Ok(Response::new(v1::ListWindowsResponse {
            windows,
            total: u32::try_from(total).unwrap_or(u32::MAX),
            window_manager: list.manager.clone().unwrap_or_default(),
            workspace: list.workspace,
            server_generation: list.generation.to_string(),
        }))
    }

    async fn change_window(
        &self,
        request: Request<v1::ChangeWindowRequest>,
    ) -> Result<Response<v1::ChangeWindowResponse>, Status> {
        if self.read_only {
            return Err(status::read_only("ChangeWindow"));
        }
        let (metadata, request) = (request.metadata(), request.get_ref());
        let change = async {
            self.session.control.check(lease::of(metadata)?)?;
            let (change, limit) = window::change(request)?;
            let target = window::target("window", request.window.as_ref())?;
            let deadline = Deadline::of(
                metadata,
                deadline::QUERY + limit + Duration::from_millis(500),
            );
            let windows = &self.session.windows;
            let changed = windows
                .change(&target, change, limit, deadline.reply_by)
                .await?;
            Ok(Response::new(window::changed(changed)))
        };
        let logged = || Some(v1::log_call::Request::ChangeWindow(request.clone()));
        self.recorder.logged("ChangeWindow", logged, change).await
    }
}
