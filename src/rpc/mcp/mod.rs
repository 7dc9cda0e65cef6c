//! The Model Context Protocol: the desktop as tools for any host, by the official SDK `rmcp`.
//!
//! - `tools`: the tools that a host sees, with their schemas.
//! - `arguments`: reads the arguments of a call, which a model wrote.
//! - `computer`: performs a call on a desktop, and keeps its pictures within the hosts' limits.
//! - `http`: the same over Streamable HTTP, with a token.

mod arguments;
mod computer;
mod http;
mod tools;

use std::sync::Arc;

use rmcp::{
    RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, ErrorData, Implementation, ListToolsResult,
        PaginatedRequestParams, ServerCapabilities, ServerConfig,
    },
    service::RequestContext,
};

pub use http::{HttpOptions, serve_http};

use crate::rpc::{
    client::{CallError, Desktop},
    v1,
};
use computer::Computer;

/// The calls of the API that the tools make.
pub(crate) trait Api: Send + Sync + 'static {
    /// Performs a step.
    fn act(
        &self,
        request: v1::ActRequest,
    ) -> impl Future<Output = Result<v1::ActResponse, CallError>> + Send;

    /// Takes a picture of the screen.
    fn screenshot(
        &self,
        request: v1::ScreenshotRequest,
    ) -> impl Future<Output = Result<v1::Frame, CallError>> + Send;

    /// Returns the pointer.
    fn cursor(&self) -> impl Future<Output = Result<v1::Cursor, CallError>> + Send;
}

impl Api for Desktop {
    async fn act(&self, request: v1::ActRequest) -> Result<v1::ActResponse, CallError> {
        Self::act(self, request).await
    }

    async fn screenshot(&self, request: v1::ScreenshotRequest) -> Result<v1::Frame, CallError> {
        Self::screenshot(self, request).await
    }

    async fn cursor(&self) -> Result<v1::Cursor, CallError> {
        Self::cursor(self).await
    }
}

/// The MCP server of one desktop. Its clones share what the model has seen.
pub(crate) struct Handler<A> {
    computer: Arc<Computer<A>>,
}

impl<A> Clone for Handler<A> {
    fn clone(&self) -> Self {
        Self {
            computer: Arc::clone(&self.computer),
        }
    }
}

impl<A: Api> Handler<A> {
    pub(crate) fn new(api: A) -> Self {
        Self {
            computer: Arc::new(Computer::new(api)),
        }
    }
}

impl<A: Api> ServerHandler for Handler<A> {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder().enable_tools().build();
        ServerConfig::new(capabilities)
            .with_server_info(Implementation::new("deskd", env!("CARGO_PKG_VERSION")))
            .with_instructions(tools::INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(tools::all()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let arguments = request.arguments.unwrap_or_default();
        match self.computer.call(&request.name, arguments).await {
            Some(result) => Ok(result.into()),
            None => Err(ErrorData::invalid_params(
                format!("there is no tool {:?}", request.name),
                None,
            )),
        }
    }
}
