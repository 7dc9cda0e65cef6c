//! Log files: sequences of records that survive a crash of the daemon.
//!
//! The content of a record is bytes to this module. [`rpc`](crate::rpc) writes logs, and
//! [`cli`](crate::cli) reads them. `docs/reference/log-format.md` describes the format.
//!
//! - [`mod@format`]: the bytes around the records, and their reader.
//! - [`folder`]: the folder with the files.
//! - [`writer`]: writes one file; `queue` has what is not written yet, `appender` is the threads.

mod appender;
pub(crate) mod folder;
pub(crate) mod format;
mod queue;
pub(crate) mod writer;
