//! gRPC: the only module that uses tonic and the generated types.
//!
//! Called by [`cli`](crate::cli); calls [`session`](crate::session).
//!
//! - `server`: the listeners with their services, and [`ServerOptions`].
//! - `services`: `Desktop`, `Stack`, health and metrics, one file each.
//! - `messages`: converts messages to internal values and back; only its module `status`
//!   converts errors to gRPC statuses.
//! - `recorder`: logs of what happens on the desktop.
//! - `transport`: sockets, peers, TLS, tokens, deadlines, and limits of each connection.
//! - `mcp`: the desktop as tools of the Model Context Protocol, a client of the same API.
//! - [`client`]: connections for the command line and for Rust programs.

pub mod client;
pub(crate) mod http;
mod limits;
mod limits_table;
pub(crate) mod mcp;
mod messages;
mod recorder;
mod server;
mod services;
mod transport;
pub(crate) mod viewer;

pub use limits_table::all_limits;
pub(crate) use messages::{
    condition::limit as condition_limit, own_time::own_time, window::named as window_named,
};
pub use recorder::{Recorder, RecorderOptions};
pub use server::{ServeError, ServerOptions, ServerTls, serve};
pub use services::metrics::serve_metrics;
pub use transport::{
    auth::{Token, TokenError},
    listen::{BindError, Listener},
};

/// The messages and services of `deskd.v1`, generated from `proto/`.
pub mod v1 {
    // Generated code: the comments in the proto files are its documentation.
    #![allow(missing_docs, unreachable_pub, clippy::all)]
    tonic::include_proto!("deskd.v1");
}

/// Descriptors of `deskd.v1`, an encoded `google.protobuf.FileDescriptorSet`.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
