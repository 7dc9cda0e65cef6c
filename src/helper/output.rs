//! The end of what a program writes to its standard output and standard error.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// Number of bytes that are kept.
const KEPT: usize = 64 << 10;
/// Pause after a full read, so that a program that writes without end costs little. It can write at
/// most about 60 MB/s.
const PAUSE: Duration = Duration::from_millis(1);
/// Sizes of the buffer: at first, and after a full read. The kernel's pipe has 64 KiB.
const BUFFER: [usize; 2] = [4 << 10, 64 << 10];

/// The output of a program.
#[derive(Debug, Clone, Default)]
pub(super) struct Output(Arc<Mutex<Written>>);

#[derive(Debug, Default)]
struct Written {
    end: VecDeque<u8>,
    total: u64,
}

impl Output {
    /// Reads a pipe to its end.
    pub(super) async fn follow(self, mut pipe: impl AsyncRead + Unpin) {
        let mut buffer = vec![0; BUFFER[0]];
        while let Ok(count @ 1..) = pipe.read(&mut buffer).await {
            self.add(&buffer[..count]);
            if count < buffer.len() {
                continue;
            }
            if count < BUFFER[1] {
                buffer.resize(BUFFER[1], 0);
            } else {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// Returns the end of it as text, and the number of all bytes.
    pub(super) fn read(&self) -> (String, u64) {
        let written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes: Vec<u8> = written.end.iter().copied().collect();
        (String::from_utf8_lossy(&bytes).into_owned(), written.total)
    }

    fn add(&self, bytes: &[u8]) {
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        written.total += bytes.len() as u64;
        written.end.extend(bytes);
        let excess = written.end.len().saturating_sub(KEPT);
        written.end.drain(..excess);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_kept_and_all_bytes_are_counted() {
        let output = Output::default();
        output.add(&vec![b'a'; KEPT]);
        output.add(b"the end");
        let (text, total) = output.read();
        assert_eq!(text.len(), KEPT);
        assert!(text.ends_with("aathe end"));
        assert_eq!(total, KEPT as u64 + 7);
    }
}
