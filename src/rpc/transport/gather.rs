//! Gathers the writes of a connection. HTTP/2 writes each of its frames separately, at most
//! 16 KiB unless the client allows more. Each such write wakes the reader, and its read wakes
//! the daemon. A screen of 370 KB took 24 writes; gathered, it takes three or four.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// If at least this many bytes wait, they are written at once.
const AT_ONCE: usize = 128 * 1024;
/// Maximum number of bytes that wait to be written.
const MOST: usize = AT_ONCE + 64 * 1024;

/// A byte stream that gathers writes. Flushed bytes may wait until the connection's task is
/// polled again. That happens at once, and the poll begins with a read.
#[derive(Debug)]
pub(in crate::rpc) struct Gathered<T> {
    io: T,
    waiting: Vec<u8>,
    /// Number of bytes of `waiting` that are already written.
    written: usize,
    /// Whether the last write was pending. The task is woken when the peer has read.
    is_full: bool,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Gathered<T> {
    pub(in crate::rpc) fn new(io: T) -> Self {
        Self {
            io,
            waiting: Vec::new(),
            written: 0,
            is_full: false,
        }
    }

    fn left(&self) -> usize {
        self.waiting.len() - self.written
    }

    /// Writes all waiting bytes.
    fn poll_drain(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.left() > 0 {
            let rest = &self.waiting[self.written..];
            let written = Pin::new(&mut self.io).poll_write(context, rest);
            self.is_full = written.is_pending();
            match ready!(written)? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.written += count,
            }
        }
        // The buffer is freed, so that an idle connection holds no memory.
        (self.waiting, self.written) = (Vec::new(), 0);
        Pin::new(&mut self.io).poll_flush(context)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncRead for Gathered<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.left() > 0
            && let Poll::Ready(Err(error)) = self.poll_drain(context)
        {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut self.io).poll_read(context, buffer)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Gathered<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[io::IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.left() >= AT_ONCE {
            ready!(self.poll_drain(context))?;
        }
        let mut room = MOST - self.left();
        let before = room;
        for part in parts {
            let count = part.len().min(room);
            self.waiting.extend_from_slice(&part[..count]);
            room -= count;
        }
        Poll::Ready(Ok(before - room))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.left() >= AT_ONCE || self.is_full {
            return self.poll_drain(context);
        }
        if self.left() > 0 {
            // More bytes may follow in this poll; the next poll writes them all.
            context.waker().wake_by_ref();
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(context))?;
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    /// Writes and flushes in pieces; the other end must read the same bytes.
    #[tokio::test]
    async fn what_is_written_arrives_in_order_whatever_the_pieces() {
        let bytes: Vec<u8> = (0..1_000_000_u32)
            .map(|i| (i * 7 + i / 256).to_le_bytes()[0])
            .collect();
        let (near, mut far) = duplex(10_000);
        let sent = bytes.clone();
        let writer = tokio::spawn(async move {
            let mut near = Gathered::new(near);
            for piece in sent.chunks(16_393) {
                near.write_all(piece).await.unwrap();
                near.flush().await.unwrap();
            }
            near.shutdown().await.unwrap();
        });
        let mut got = Vec::new();
        far.read_to_end(&mut got).await.unwrap();
        writer.await.unwrap();
        assert!(got == bytes);
    }

    /// A reader that reads nothing stops the writer, so that the number of waiting bytes is
    /// bounded.
    #[tokio::test]
    async fn what_waits_is_bounded() {
        let (near, _far) = duplex(10_000);
        let mut near = Gathered::new(near);
        let all = async {
            for _ in 0..1000 {
                near.write_all(&[0; 16_393]).await.unwrap();
                near.flush().await.unwrap();
            }
        };
        let waited = tokio::time::timeout(std::time::Duration::from_millis(200), all).await;
        assert!(waited.is_err());
        assert!(near.waiting.len() <= MOST, "{}", near.waiting.len());
    }

    #[derive(Debug, Default)]
    struct Woken(std::sync::atomic::AtomicUsize);

    impl std::task::Wake for Woken {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    }

    /// While the peer reads nothing, the task is not woken.
    #[tokio::test]
    async fn a_full_peer_is_waited_for_without_turning() {
        let (near, _far) = duplex(10);
        let mut near = Gathered::new(near);
        let woken = std::sync::Arc::new(Woken::default());
        let waker = std::sync::Arc::clone(&woken).into();
        let mut context = Context::from_waker(&waker);
        let turns = || woken.0.load(std::sync::atomic::Ordering::Relaxed);
        let mut near = Pin::new(&mut near);
        assert!(near.as_mut().poll_write(&mut context, &[0; 100]).is_ready());
        assert!(near.as_mut().poll_flush(&mut context).is_ready());
        assert_eq!(turns(), 1);
        for _ in 0..3 {
            let mut byte = [0];
            let mut buffer = ReadBuf::new(&mut byte);
            assert!(
                near.as_mut()
                    .poll_read(&mut context, &mut buffer)
                    .is_pending()
            );
            assert!(near.as_mut().poll_flush(&mut context).is_pending());
        }
        assert_eq!(turns(), 1);
    }

    /// Small flushed data is written at the next poll, which is a read.
    #[tokio::test]
    async fn a_small_answer_leaves_with_the_next_read() {
        let (near, mut far) = duplex(10_000);
        let mut near = Gathered::new(near);
        near.write_all(b"hello").await.unwrap();
        near.flush().await.unwrap();
        let mut byte = [0];
        let reading = near.read(&mut byte);
        let mut got = [0; 5];
        tokio::select! {
            _ = reading => panic!("nothing was sent"),
            read = far.read_exact(&mut got) => { read.unwrap(); }
        }
        assert_eq!(&got, b"hello");
    }
}
