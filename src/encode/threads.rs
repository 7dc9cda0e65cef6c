//! The encoders' threads: one a core, kept, and shared by all that is encoded.
//!
//! A thread that is made for one image begins on the core of its creator, and waits there
//! for up to 4 ms until the kernel moves it. A thread that hands out work must not wait for
//! a helper that has not begun (docs/design/2026-11-26-encoding.md). So images are encoded
//! by the threads of this pool, and a thread does itself what no other has begun.

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

/// More are never used.
const MOST: usize = 8;

/// On a machine of at most this number of cores, each thread has its own core. The kernel
/// of a virtual machine mistakes a sleeping core for one that its host uses, and wakes two
/// threads on one core: half of the images took twice as long.
const FEW: usize = 4;

/// `None` when the system gives no threads.
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

/// The cores that this process may use; none where the system does not say.
fn cpus() -> Vec<usize> {
    let allowed = sched_getaffinity(Pid::from_raw(0)).unwrap_or_default();
    let is_allowed = |cpu: &usize| allowed.is_set(*cpu).unwrap_or(false);
    (0..CpuSet::count()).filter(is_allowed).collect()
}

/// Keeps this thread on a core. Where that is refused it may run anywhere.
fn keep_on(cpu: usize) {
    let mut one = CpuSet::new();
    let kept = one
        .set(cpu)
        .and_then(|()| sched_setaffinity(Pid::from_raw(0), &one));
    if let Err(error) = kept {
        tracing::debug!("an encoder is not kept on core {cpu}: {error}");
    }
}

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
