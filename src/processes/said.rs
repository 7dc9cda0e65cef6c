//! Reads files of `/proc/PID` whose content the kernel takes from the process's own memory
//! (`environ`, `cmdline`).
//!
//! The process can delay such a read without limit. If a file system of its own (FUSE) provides the
//! memory, the process keeps the lock that the read needs. So a separate thread reads, and callers
//! wait for it at most [`PATIENCE`].

use std::{
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{self, Receiver, RecvTimeoutError, SyncSender},
    },
    time::Duration,
};

/// Maximum time of a read. Most reads take some microseconds.
const PATIENCE: Duration = Duration::from_millis(100);
/// Maximum number of blocked reads, each of which occupies a thread. At this number, all further
/// reads fail.
const MAX_STUCK: usize = 8;
/// Maximum number of bytes that are read. A process can make the kernel show any part of its memory
/// there, of any size (prctl(2), `PR_SET_MM`).
pub(super) const MAX_BYTES: u64 = 128 << 10;

type Answer = io::Result<Vec<u8>>;

/// The threads that read files.
#[derive(Debug, Default)]
struct Readers {
    /// The thread that accepts the next read.
    current: Option<SyncSender<(PathBuf, SyncSender<Answer>)>>,
    /// The paths whose reads are blocked, each in a thread of its own.
    stuck: Arc<Mutex<Vec<PathBuf>>>,
}

static READERS: Mutex<Option<Readers>> = Mutex::new(None);

/// Reads the beginning of a file.
///
/// # Errors
///
/// When the file cannot be read, or not in time.
pub(super) fn read(path: &Path) -> Answer {
    let mut readers = lock(&READERS);
    readers.get_or_insert_default().read(path)
}

impl Readers {
    fn read(&mut self, path: &Path) -> Answer {
        {
            let stuck = lock(&self.stuck);
            if stuck.len() >= MAX_STUCK || stuck.iter().any(|known| known == path) {
                return Err(late());
            }
        }
        let (reply, answer) = mpsc::sync_channel(1);
        let order = (path.to_owned(), reply);
        let order = match &self.current {
            Some(reader) => reader.send(order).err().map(|unsent| unsent.0),
            None => Some(order),
        };
        if let Some(order) = order {
            let (reader, orders) = mpsc::sync_channel(1);
            let stuck = Arc::clone(&self.stuck);
            let thread = std::thread::Builder::new().name("proc".into());
            thread.spawn(move || work(&orders, &stuck))?;
            reader.send(order).map_err(|_| late())?;
            self.current = Some(reader);
        }
        match answer.recv_timeout(PATIENCE) {
            Ok(answer) => answer,
            Err(RecvTimeoutError::Timeout) => {
                lock(&self.stuck).push(path.to_owned());
                // The thread ends once its blocked read returns.
                self.current = None;
                Err(late())
            }
            Err(RecvTimeoutError::Disconnected) => {
                self.current = None;
                Err(late())
            }
        }
    }
}

fn work(orders: &Receiver<(PathBuf, SyncSender<Answer>)>, stuck: &Mutex<Vec<PathBuf>>) {
    for (path, reply) in orders {
        let answer = beginning(&path);
        lock(stuck).retain(|known| *known != path);
        // The caller may have given up waiting.
        drop(reply.try_send(answer));
    }
}

fn beginning(path: &Path) -> Answer {
    let mut said = Vec::new();
    fs::File::open(path)?
        .take(MAX_BYTES)
        .read_to_end(&mut said)?;
    Ok(said)
}

fn late() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the process holds up the reading")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // The data is valid after any panic, because each change is a single operation.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use nix::{sys::stat::Mode, unistd::mkfifo};

    use super::*;

    /// A blocked read is given up and delays no other caller; the number of blocked reads is
    /// limited; once they return, reading works again.
    #[test]
    fn a_read_that_does_not_end_is_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let fifos: Vec<PathBuf> = (0..=MAX_STUCK)
            .map(|number| folder.path().join(number.to_string()))
            .collect();
        for fifo in &fifos {
            mkfifo(fifo, Mode::S_IRWXU).unwrap();
        }
        let mut readers = Readers::default();
        for fifo in &fifos[..MAX_STUCK - 1] {
            let error = readers.read(fifo).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
            // Other files can still be read, and no second thread reads the same file.
            assert!(
                !readers
                    .read(Path::new("/proc/self/stat"))
                    .unwrap()
                    .is_empty()
            );
            assert!(readers.read(fifo).is_err());
        }
        assert_eq!(lock(&readers.stuck).len(), MAX_STUCK - 1);
        assert!(readers.read(&fifos[MAX_STUCK - 1]).is_err());
        assert!(readers.read(Path::new("/proc/self/stat")).is_err());
        for fifo in &fifos[..MAX_STUCK] {
            fs::write(fifo, "said").unwrap();
        }
        let freed = (0..200).any(|_| {
            std::thread::sleep(Duration::from_millis(10));
            readers.read(Path::new("/proc/self/stat")).is_ok()
        });
        assert!(freed && lock(&readers.stuck).is_empty());
    }
}
