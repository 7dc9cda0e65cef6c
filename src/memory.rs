//! The allocator's habits, set once at the start of the daemon.
//!
//! glibc raises its threshold for giving large blocks back to the system each
//! time one is freed, and keeps an arena for every thread: after a few raw
//! frames each thread would sit on one or two of them. Measured with ten calls
//! for 8 MB frames on one stalled connection: 118 MiB without this, 48 with.
#![allow(unsafe_code)]

/// Blocks from this size on are given back as soon as they are freed. A PNG of
/// a desktop is below it and stays cheap.
const LARGE_BYTES: i32 = 1 << 20;

/// Arenas: enough for the encoders not to wait for each other.
const ARENAS: i32 = 2;

/// Sets both. Has no effect where the C library has no such settings.
pub(crate) fn keep_small() {
    #[cfg(target_env = "gnu")]
    // SAFETY: mallopt takes plain integers and may be called at any time; a
    // value that it does not like is ignored.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE_BYTES);
        libc::mallopt(libc::M_ARENA_MAX, ARENAS);
    }
}
