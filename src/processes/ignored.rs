//! Signals that deskd was started with as ignored.

use std::sync::{Arc, atomic::AtomicBool};

/// Signals that a program of the desktop must be able to receive: SIGHUP, SIGINT, SIGQUIT and SIGTERM.
const SIGNALS: [i32; 4] = [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM];

/// Makes signals that are ignored signals that do nothing.
///
/// A shell starts a background job with SIGINT and SIGQUIT ignored, and `nohup` one with SIGHUP. A
/// program inherits that, and a shell cannot undo it (POSIX, `trap`): Ctrl+C would end nothing in any
/// terminal of the desktop. A signal with a handler, however, has its default effect in a new program
/// (execve(2)).
pub(crate) fn handle_ignored() {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = mask(&status);
    for signal in SIGNALS {
        if ignored >> (signal - 1) & 1 == 1 {
            // Without the handler, programs would ignore the signal, too; deskd itself works.
            drop(signal_hook::flag::register(
                signal,
                Arc::new(AtomicBool::new(false)),
            ));
        }
    }
}

/// Returns the mask of ignored signals in `/proc/PID/status` (proc(5)).
fn mask(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = line.map(|mask| u64::from_str_radix(mask.trim(), 16));
    mask.and_then(Result::ok).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mask_is_read() {
        assert_eq!(mask("SigBlk:\t01\nSigIgn:\t0000000000001002\n"), 0x1002);
        assert_eq!(mask(""), 0);
    }
}
