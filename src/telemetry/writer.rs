//! A thread that writes the log. Standard error may be a file on a full disk, a pipe that no
//! process reads, or a pipe whose reader has ended.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, Write},
    os::fd::BorrowedFd,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use nix::sys::signal::{SigSet, SigmaskHow};

/// Maximum number of unwritten bytes; further lines are dropped and counted.
const ROOM: usize = 256 << 10;
/// Maximum time that dropping the [`Writer`] waits for unwritten lines.
const FLUSH: Duration = Duration::from_millis(500);

#[derive(Debug, Default)]
struct Queue {
    lines: VecDeque<Vec<u8>>,
    bytes: usize,
    /// Number of lines that exceeded [`ROOM`] or could not be written.
    lost: u64,
    /// Whether a line is being written.
    writing: bool,
    /// Whether the [`Writer`] was dropped, so that no further line follows.
    ended: bool,
}

#[derive(Debug, Default)]
struct SharedQueue {
    queue: Mutex<Queue>,
    /// Notified when a line was queued or written, or the writer was dropped.
    changed: Condvar,
}

impl SharedQueue {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Queues lines; never blocks.
#[derive(Debug, Clone)]
pub(super) struct Lines(Arc<SharedQueue>);

impl Write for Lines {
    /// Queues one whole line.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut queue = self.0.queue();
        if queue.bytes + line.len() > ROOM {
            queue.lost += 1;
        } else {
            queue.bytes += line.len();
            queue.lines.push_back(line.to_vec());
            self.0.changed.notify_all();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The handle of the writing thread. When it is dropped, the remaining lines are written, for at
/// most half a second.
#[derive(Debug)]
pub struct Writer {
    pub(super) lines: Lines,
}

impl Writer {
    /// Starts a thread that writes to a copy of `output`. A regular file that would exceed `limit`
    /// bytes is truncated.
    pub(super) fn start(output: BorrowedFd<'_>, limit: Option<u64>) -> Self {
        let shared = Arc::new(SharedQueue::default());
        let lines = Lines(Arc::clone(&shared));
        let Ok(output) = output.try_clone_to_owned() else {
            // Without a file descriptor there is no log.
            return Self { lines };
        };
        // The new thread blocks all signals; another thread handles them.
        let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK);
        let started = std::thread::Builder::new()
            .name("log".into())
            .spawn(move || write_all(&shared, &mut File::from(output), limit));
        if let Ok(before) = before {
            // Restore the signal mask of the calling thread.
            let _ = before.thread_set_mask();
        }
        // If the thread cannot be started, the log lines are lost and deskd works.
        drop(started);
        Self { lines }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let shared = &self.lines.0;
        let until = Instant::now() + FLUSH;
        let mut queue = shared.queue();
        queue.ended = true;
        shared.changed.notify_all();
        while !queue.lines.is_empty() || queue.writing || queue.lost > 0 {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = shared.changed.wait_timeout(queue, left);
            queue = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

fn write_all(shared: &SharedQueue, output: &mut File, limit: Option<u64>) {
    let mut queue = shared.queue();
    loop {
        let lost = queue.lost;
        if let Some(line) = queue.lines.pop_front() {
            queue.bytes -= line.len();
            queue.writing = true;
            drop(queue);
            let written = write(output, &line, limit);
            queue = shared.queue();
            queue.writing = false;
            queue.lost += u64::from(written.is_err());
        } else if lost > 0 {
            queue.writing = true;
            drop(queue);
            let line = format!("deskd: {lost} lines of the log could not be written\n");
            let written = write(output, line.as_bytes(), limit);
            queue = shared.queue();
            queue.writing = false;
            if written.is_ok() || queue.ended {
                queue.lost -= lost;
            } else if queue.lines.is_empty() {
                // The number of lost lines is reported once the next line can be written.
                queue = wait(shared, queue);
            }
        } else if queue.ended {
            shared.changed.notify_all();
            return;
        } else {
            queue = wait(shared, queue);
        }
        if queue.ended {
            shared.changed.notify_all();
        }
    }
}

fn wait<'a>(shared: &'a SharedQueue, queue: MutexGuard<'a, Queue>) -> MutexGuard<'a, Queue> {
    let waited = shared.changed.wait(queue);
    waited.unwrap_or_else(PoisonError::into_inner)
}

fn write(output: &mut File, line: &[u8], limit: Option<u64>) -> io::Result<()> {
    if let Some(limit) = limit {
        let status = output.metadata()?;
        if status.is_file() && status.len() + line.len() as u64 > limit {
            output.set_len(0)?;
        }
    }
    output.write_all(line)
}

#[cfg(test)]
mod tests {
    use std::{
        io::Read as _,
        os::fd::{AsFd as _, OwnedFd},
    };

    use super::*;

    #[test]
    fn what_is_logged_is_written_in_order_before_the_end() {
        let (mut reader, writer) = io::pipe().unwrap();
        let log = Writer::start(writer.as_fd(), None);
        drop(writer);
        for number in 0..100 {
            writeln!(log.lines.clone(), "line {number}").unwrap();
        }
        drop(log);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        let expected: String = (0..100).map(|number| format!("line {number}\n")).collect();
        assert_eq!(text, expected);
    }

    #[test]
    fn a_pipe_that_nobody_reads_holds_up_nothing_and_what_was_lost_is_told() {
        let (mut reader, writer) = io::pipe().unwrap();
        let log = Writer::start(writer.as_fd(), None);
        drop(writer);
        let mut line = vec![b'x'; 999];
        line.push(b'\n');
        for _ in 0..2000 {
            log.lines.clone().write_all(&line).unwrap();
        }
        assert!(log.lines.0.queue().bytes <= ROOM);
        let read = std::thread::spawn(move || {
            let mut text = String::new();
            reader.read_to_string(&mut text).unwrap();
            text
        });
        drop(log);
        let text = read.join().unwrap();
        assert!(text.contains("lines of the log could not be written"));
        assert!(text.lines().count() > 200);
    }

    #[test]
    fn a_full_disk_costs_lines_alone() {
        let full: OwnedFd = File::options()
            .write(true)
            .open("/dev/full")
            .unwrap()
            .into();
        let log = Writer::start(full.as_fd(), None);
        for _ in 0..100 {
            log.lines.clone().write_all(b"line\n").unwrap();
        }
        drop(log);
    }

    #[test]
    fn a_file_of_its_own_begins_anew_at_its_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let file = File::options().create(true).append(true).open(&path);
        let log = Writer::start(file.unwrap().as_fd(), Some(1000));
        for number in 0..300 {
            writeln!(log.lines.clone(), "line {number}").unwrap();
        }
        drop(log);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.len() <= 1000 && text.ends_with("line 299\n"), "{text}");
    }
}
