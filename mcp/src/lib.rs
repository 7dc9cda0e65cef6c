//! Serves tools over the Model Context Protocol, by the official SDK `rmcp`. The tools themselves are
//! the caller's: see [`Tools`].
//!
//! This is a crate of its own, so that the SDK's code, which runs once for each call of a model, is
//! compiled for size.

mod lines;

use std::{
    convert::Infallible,
    fmt::Display,
    future::Future,
    io,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::BoxBody;
use rmcp::{
    RoleServer, ServerHandler, ServiceExt as _,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorData,
        Implementation, ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig,
        Tool, ToolAnnotations,
    },
    service::RequestContext,
    transport::{
        io::stdio_pipes,
        streamable_http_server::{
            StreamableHttpServerConfig, StreamableHttpService, session::never::NeverSessionManager,
        },
    },
};
use tokio_util::sync::CancellationToken;

/// The arguments of a call: a JSON object.
pub type Arguments = serde_json::Map<String, serde_json::Value>;

/// A tool that a host sees.
#[derive(Debug, Clone)]
pub struct ToolSpec {
    /// Its name.
    pub name: &'static str,
    /// A short title for people.
    pub title: &'static str,
    /// Description for the model.
    pub description: &'static str,
    /// The JSON Schema of its arguments.
    pub schema: Arguments,
    /// Whether it changes nothing. Hosts ask a person before a tool that changes something.
    pub is_read_only: bool,
}

/// One part of an answer.
#[derive(Debug, Clone)]
pub enum Content {
    /// Text.
    Text(String),
    /// An image: its bytes, and its MIME type.
    Image(Bytes, &'static str),
}

/// The answer to a call.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its parts, in order.
    pub content: Vec<Content>,
    /// Whether the call failed.
    pub is_error: bool,
}

/// The future of an answer; `None` if there is no such tool.
pub type Answering<'a> = Pin<Box<dyn Future<Output = Option<Answer>> + Send + 'a>>;

/// Tools to serve.
pub trait Tools: Send + Sync + 'static {
    /// Name and version of the server.
    fn server(&self) -> (&'static str, &'static str);

    /// Description of the tools, which a host may give to its model.
    fn instructions(&self) -> &'static str;

    /// All tools.
    fn list(&self) -> Vec<ToolSpec>;

    /// Calls a tool.
    fn call(&self, name: String, arguments: Arguments) -> Answering<'_>;
}

/// Serves on standard input and output until the host closes standard input. A message has at most
/// `most` bytes.
///
/// # Errors
///
/// When the host sends something else than MCP or a longer message, or a stream fails.
pub async fn serve_stdio(tools: Arc<dyn Tools>, most: usize) -> io::Result<()> {
    let (input, output) = stdio_pipes();
    let (input, is_too_long) = lines::Bounded::new(input, most);
    let ended = async {
        let service = Handler(tools).serve((input, output)).await;
        let service = service.map_err(io::Error::other)?;
        service.waiting().await.map_err(io::Error::other)
    };
    let ended = ended.await;
    // The SDK takes a stream that fails for one that ended.
    if is_too_long.load(Ordering::Relaxed) {
        return Err(lines::too_long(most));
    }
    ended.map(drop)
}

/// A response to an HTTP request.
pub type HttpResponse = Response<BoxBody<Bytes, Infallible>>;

/// Answers Streamable HTTP, without sessions in both protocol eras, so that a caller leaves no
/// state. Requests with the header `Origin`, which browsers add, are refused. The caller checks
/// who sends a request: any `Host` is accepted.
#[derive(Clone)]
pub struct Http(StreamableHttpService<Handler, NeverSessionManager>);

impl std::fmt::Debug for Http {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Http").finish_non_exhaustive()
    }
}

impl Http {
    /// Serves these tools until `shutdown`. A request has at most `most` bytes.
    pub fn new(tools: Arc<dyn Tools>, most: usize, shutdown: CancellationToken) -> Self {
        let config = StreamableHttpServerConfig::default()
            .with_legacy_session_mode(false)
            .with_json_response(true)
            .disable_allowed_hosts()
            .enforce_origin_validation()
            .with_max_request_body_bytes(most)
            .with_cancellation_token(shutdown);
        let handler = Handler(tools);
        Self(StreamableHttpService::new(
            move || Ok(handler.clone()),
            Arc::new(NeverSessionManager::default()),
            config,
        ))
    }

    /// Answers a request.
    pub async fn answer<B>(&self, request: Request<B>) -> HttpResponse
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Display + Send + Sync + 'static,
    {
        use http_body_util::BodyExt as _;
        // One type of body for all servers: the SDK's code is compiled once, here.
        let body = request.map(|body| {
            let failed = |error: B::Error| io::Error::other(error.to_string());
            body.map_err(failed).boxed_unsync()
        });
        self.0.handle(body).await
    }
}

/// The tools as a handler of the SDK.
#[derive(Clone)]
struct Handler(Arc<dyn Tools>);

impl ServerHandler for Handler {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder().enable_tools().build();
        let (name, version) = self.0.server();
        ServerConfig::new(capabilities)
            .with_server_info(Implementation::new(name, version))
            .with_instructions(self.0.instructions())
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let tool = |spec: ToolSpec| {
            let annotations = ToolAnnotations::with_title(spec.title)
                .read_only(spec.is_read_only)
                .destructive(!spec.is_read_only)
                .open_world(!spec.is_read_only);
            Tool::new(spec.name, spec.description, Arc::new(spec.schema))
                .with_annotations(annotations)
        };
        let tools = self.0.list().into_iter().map(tool).collect();
        Ok(ListToolsResult::with_all_items(tools))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let name = request.name.into_owned();
        let arguments = request.arguments.unwrap_or_default();
        // A call that the host cancels is dropped, which ends what it does.
        let answer = tokio::select! {
            answer = self.0.call(name.clone(), arguments) => answer,
            () = context.ct.cancelled() => {
                return Err(ErrorData::internal_error("the call was cancelled", None));
            }
        };
        let Some(answer) = answer else {
            let message = format!("there is no tool {name:?}");
            return Err(ErrorData::invalid_params(message, None));
        };
        let content = answer.content.into_iter().map(|content| match content {
            Content::Text(text) => ContentBlock::text(text),
            Content::Image(bytes, kind) => ContentBlock::image(STANDARD.encode(bytes), kind),
        });
        let mut result = CallToolResult::success(content.collect());
        result.is_error = Some(answer.is_error);
        Ok(result.into())
    }
}
