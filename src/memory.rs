//! The allocator's habits, set once at the start of the daemon.
//!
//! glibc raises its threshold for giving large blocks back to the system each
//! time one is freed, and keeps an arena for every thread: after a few raw
//! frames each thread would sit on one or two of them. Of ten calls for 8 MiB
//! frames on a connection that does not read, 118 MiB stayed without this and
//! 79 with (and 15 when `rpc::replies` came to it).
#![allow(unsafe_code)]

/// Blocks from this size on are given back as soon as they are freed. A PNG of
/// a desktop is below it.
const LARGE_BYTES: i32 = 2 << 20;

/// Size of the freed small blocks that are kept for the next frame: new pages for each
/// would cost as much as sending it.
const KEPT_BYTES: i32 = 6 << 20;

/// Arenas: enough for the encoders not to wait for each other.
const ARENAS: i32 = 2;

/// Sets them. Has no effect where the C library has no such settings.
pub(crate) fn keep_small() {
    #[cfg(target_env = "gnu")]
    // SAFETY: mallopt takes plain integers and may be called at any time; a
    // value that it does not like is ignored.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE_BYTES);
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT_BYTES);
        libc::mallopt(libc::M_ARENA_MAX, ARENAS);
    }
}
