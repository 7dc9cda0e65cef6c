//! The encoders' threads: one a core, kept, and shared by all that is encoded.
//!
//! A thread that is made for one image begins on the core of the one that made it, and
//! waits there for up to 4 ms until the kernel moves it; and who hands out work must not
//! wait for a helper that has not begun (ARCHITECTURE.md, "What was measured"). So
//! images are encoded by threads of this pool, and what no other has begun, a thread
//! does itself.

use std::{
    sync::{
        LazyLock, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use rayon::{ThreadPool, ThreadPoolBuilder};

/// More are never used.
const MOST: usize = 8;

/// `None` when the system gives no threads.
static POOL: LazyLock<Option<ThreadPool>> = LazyLock::new(|| {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let named = ThreadPoolBuilder::new().thread_name(|index| format!("encode-{index}"));
    named.num_threads(cores.min(MOST)).build().ok()
});

/// Runs work on one of the threads.
pub fn spawn(work: impl FnOnce() + Send + 'static) {
    match &*POOL {
        Some(pool) => pool.spawn(work),
        None => work(),
    }
}

/// Does the work of each index: on whichever thread is free next, or on this one.
pub(super) fn each<T: Send>(
    work: &[usize],
    is_alone: bool,
    one: impl Fn(usize) -> T + Sync,
) -> Vec<(usize, T)> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let run = || {
        let mut own = Vec::new();
        while let Some(index) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
            own.push((*index, one(*index)));
        }
        let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
        done.append(&mut own);
    };
    match &*POOL {
        Some(pool) if !is_alone && work.len() > 1 => pool.install(|| {
            rayon::scope(|scope| {
                for _ in 1..pool.current_num_threads().min(work.len()) {
                    scope.spawn(|_| run());
                }
                run();
            });
        }),
        _ => run(),
    }
    done.into_inner().unwrap_or_else(PoisonError::into_inner)
}
