//! Connections from the socket to HTTP/2: peers, TLS, tokens, limits and deadlines, and
//! replies that wait for slow readers.

pub(in crate::rpc) mod auth;
pub(in crate::rpc) mod codec;
pub(in crate::rpc) mod connection;
pub(in crate::rpc) mod deadline;
pub(in crate::rpc) mod gather;
pub(in crate::rpc) mod lease;
pub(in crate::rpc) mod listen;
pub(in crate::rpc) mod replies;
pub(in crate::rpc) mod require;
pub(in crate::rpc) mod standing;
pub(in crate::rpc) mod stream;
