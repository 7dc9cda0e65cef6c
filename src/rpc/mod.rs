//! gRPC: the only module that knows tonic and the generated types.
//!
//! Called by [`cli`](crate::cli); calls [`session`](crate::session).
//!
//! - `server`: what listens, with which services and [`ServerOptions`].
//! - `services`: `Desktop`, `Stack`, health and metrics, a file each.
//! - `messages`: messages to values and back; `status` is the one place where errors become
//!   statuses.
//! - `transport`: sockets, peers, TLS, tokens, deadlines, and limits of each connection.
//! - [`client`]: a connection of the command line and of Rust programs.

pub mod client;
mod limits;
mod limits_table;
mod messages;
mod server;
mod services;
mod transport;

pub use limits_table::all_limits;
pub use server::{ServeError, ServerOptions, ServerTls, serve};
pub use services::metrics::serve_metrics;
pub use transport::{
    auth::{Token, TokenError},
    listen::{BindError, Listener},
};

/// The messages and services of `deskd.v1`, generated from `proto/`.
pub mod v1 {
    // Generated: comments of the proto are its documentation.
    #![allow(missing_docs, unreachable_pub, clippy::all)]
    tonic::include_proto!("deskd.v1");
}

/// Descriptors of `deskd.v1`, an encoded `google.protobuf.FileDescriptorSet`.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
