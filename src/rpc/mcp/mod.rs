//! The desktop as tools for any host of the Model Context Protocol, which the crate `deskd-mcp` speaks.
//!
//! - `tools`: the tools that a host sees, with their schemas.
//! - `arguments`: reads the arguments of a call, which a model wrote.
//! - `call`: reads a whole call.
//! - `computer`: performs a call on a desktop, and keeps its pictures within the hosts' limits.
//! - `windows`: performs the calls for windows; `programs`: for programs and the clipboard.
//! - `http`: the same over Streamable HTTP, with a token.

mod arguments;
mod call;
mod computer;
mod programs;
mod tools;
mod windows;

use deskd_mcp::{Answering, ToolSpec, Tools};

use crate::rpc::client::Desktop;
use computer::Computer;

/// Maximum size of a host's message in bytes: a text of 64 KiB, with room for its escapes.
pub(crate) const MAX_MESSAGE_BYTES: usize = 1 << 20;

/// The tools of one desktop.
pub(crate) struct DesktopTools(Computer);

impl DesktopTools {
    /// The tools for one host.
    pub(crate) fn new(desktop: Desktop) -> Self {
        Self(Computer::new(desktop, false))
    }

    /// The tools for several callers, which are not distinguished. Each screenshot has a name, which a
    /// caller can give with its points.
    pub(crate) fn shared(desktop: Desktop) -> Self {
        Self(Computer::new(desktop, true))
    }
}

impl Tools for DesktopTools {
    fn server(&self) -> (&'static str, &'static str) {
        ("deskd", env!("CARGO_PKG_VERSION"))
    }

    fn instructions(&self) -> &'static str {
        tools::INSTRUCTIONS
    }

    fn list(&self) -> Vec<ToolSpec> {
        tools::all(self.0.is_shared())
    }

    fn call(&self, name: String, arguments: deskd_mcp::Arguments) -> Answering<'_> {
        Box::pin(async move { self.0.call(&name, arguments).await })
    }
}
