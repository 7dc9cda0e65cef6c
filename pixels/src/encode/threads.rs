//! The pool of encoder threads: one per core, kept, and shared by all encodings.
//!
//! A thread that is created for one image starts on the core of its creator, and waits there for
//! up to 4 ms until the kernel moves it (docs/design/2026-11-26-encoding.md). So images are encoded
//! by the threads of this pool. A thread that hands out work must not wait for a helper that has
//! not started: it does itself the work that no other thread has started.

use std::{
    sync::{
        LazyLock, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};
use rayon::{ThreadPool, ThreadPoolBuilder};

/// Maximum number of threads in the pool.
const MOST: usize = 8;

/// On a machine with at most this number of cores, each thread is bound to a core of its own. The
/// kernel of a virtual machine mistakes a sleeping core for one that its host uses, and wakes two
/// threads on one core: half of the images took twice as long.
const FEW: usize = 4;

/// `None` if the threads cannot be created.
static POOL: LazyLock<Option<ThreadPool>> = LazyLock::new(|| {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let named = ThreadPoolBuilder::new().thread_name(|index| format!("encode-{index}"));
    let allowed = cpus();
    let named = named.start_handler(move |index| {
        if let Some(cpu) = allowed.get(index).filter(|_| allowed.len() <= FEW) {
            keep_on(*cpu);
        }
    });
    named.num_threads(cores.min(MOST)).build().ok()
});

/// The cores that this process may use; empty if the kernel does not report them.
fn cpus() -> Vec<usize> {
    let allowed = sched_getaffinity(Pid::from_raw(0)).unwrap_or_default();
    let is_allowed = |cpu: &usize| allowed.is_set(*cpu).unwrap_or(false);
    (0..CpuSet::count()).filter(is_allowed).collect()
}

/// Binds this thread to a core. If that fails, the thread may run on any core.
fn keep_on(cpu: usize) {
    let mut one = CpuSet::new();
    let kept = one
        .set(cpu)
        .and_then(|()| sched_setaffinity(Pid::from_raw(0), &one));
    if let Err(error) = kept {
        tracing::debug!("an encoder is not kept on core {cpu}: {error}");
    }
}

/// Runs work on a thread of the pool, or on the calling thread if there is no pool.
pub fn spawn(work: impl FnOnce() + Send + 'static) {
    match &*POOL {
        Some(pool) => pool.spawn(work),
        None => work(),
    }
}

/// Calls `one` for each index in `work`, on the pool's free threads or, if `is_alone`, on this
/// thread. The results are in no particular order.
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
