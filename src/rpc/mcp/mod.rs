//! The desktop as tools for any host of the Model Context Protocol, which the crate `deskd-mcp` speaks.
//!
//! - `tools`: the tools that a host sees, with their schemas.
//! - `arguments`: reads the arguments of a call, which a model wrote.
//! - `computer`: performs a call on a desktop, and keeps its pictures within the hosts' limits.
//! - `http`: the same over Streamable HTTP, with a token.

mod arguments;
mod computer;
mod http;
mod tools;

use deskd_mcp::{Answering, ToolSpec, Tools};

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

/// The tools of one desktop.
pub(crate) struct DesktopTools<A>(Computer<A>);

impl<A: Api> DesktopTools<A> {
    pub(crate) fn new(api: A) -> Self {
        Self(Computer::new(api))
    }
}

impl<A: Api> Tools for DesktopTools<A> {
    fn server(&self) -> (&'static str, &'static str) {
        ("deskd", env!("CARGO_PKG_VERSION"))
    }

    fn instructions(&self) -> &'static str {
        tools::INSTRUCTIONS
    }

    fn list(&self) -> Vec<ToolSpec> {
        tools::all()
    }

    fn call(&self, name: String, arguments: deskd_mcp::Arguments) -> Answering<'_> {
        Box::pin(async move { self.0.call(&name, arguments).await })
    }
}
