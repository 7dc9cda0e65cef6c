//! A limit of the length of a line, for a reader that collects lines whole.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, ReadBuf};

/// A reader that fails at a line of more than `most` bytes.
#[derive(Debug)]
pub(crate) struct Bounded<R> {
    inner: R,
    most: usize,
    /// Bytes of the line that is being read.
    length: usize,
    is_too_long: Arc<AtomicBool>,
}

impl<R> Bounded<R> {
    /// Returns the reader, and whether it has failed.
    pub(crate) fn new(inner: R, most: usize) -> (Self, Arc<AtomicBool>) {
        let is_too_long = Arc::new(AtomicBool::new(false));
        let reader = Self {
            inner,
            most,
            length: 0,
            is_too_long: is_too_long.clone(),
        };
        (reader, is_too_long)
    }
}

/// The error of a line that is too long.
pub(crate) fn too_long(most: usize) -> io::Error {
    let message = format!("a message is longer than {most} bytes, the most that is read");
    io::Error::new(io::ErrorKind::InvalidData, message)
}

impl<R: AsyncRead + Unpin> AsyncRead for Bounded<R> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let own = self.get_mut();
        let before = buffer.filled().len();
        ready!(Pin::new(&mut own.inner).poll_read(context, buffer))?;
        let read = buffer.filled().split_at(before).1;
        let mut is_too_long = false;
        for line in read.split_inclusive(|byte| *byte == b'\n') {
            own.length = own.length.saturating_add(line.len());
            is_too_long |= own.length > own.most;
            if line.ends_with(b"\n") {
                own.length = 0;
            }
        }
        if is_too_long {
            // A reader that fails has read nothing.
            buffer.set_filled(before);
            own.is_too_long.store(true, Ordering::Relaxed);
            return Poll::Ready(Err(too_long(own.most)));
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt as _;

    async fn read(input: &[u8]) -> (io::Result<usize>, bool) {
        let (mut reader, is_too_long) = Bounded::new(input, 4);
        let mut all = Vec::new();
        let end = reader.read_to_end(&mut all).await;
        (end, is_too_long.load(Ordering::Relaxed))
    }

    #[tokio::test]
    async fn only_the_length_of_a_line_counts() {
        for input in ["", "abc", "abc\n\nabc\nabc\n"] {
            let (end, is_too_long) = read(input.as_bytes()).await;
            assert_eq!(end.unwrap(), input.len());
            assert!(!is_too_long);
        }
        for input in ["abcde", "abcd\n", "abc\nabcde\n"] {
            let (end, is_too_long) = read(input.as_bytes()).await;
            assert_eq!(end.unwrap_err().kind(), io::ErrorKind::InvalidData);
            assert!(is_too_long);
        }
    }
}
