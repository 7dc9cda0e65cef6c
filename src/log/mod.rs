//! Log files: sequences of records that survive a crash of the daemon.
//!
//! The content of a record is bytes to this module. [`rpc`](crate::rpc) writes logs, and
//! [`cli`](crate::cli) reads them. `docs/reference/log-format.md` describes the format.
//!
//! - [`mod@format`]: the bytes around the records, and their reader.
//! - [`folder`]: the folder with the files.
//! - [`writer`]: the thread that appends to one file.

pub(crate) mod folder;
pub(crate) mod format;
pub(crate) mod writer;
