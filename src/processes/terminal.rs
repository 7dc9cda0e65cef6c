//! Detects commands that run in terminals.

use std::{fs, os::unix::fs::OpenOptionsExt as _};

use super::stat::Stat;

/// Major device numbers of pseudo terminals (Linux `devices.txt`).
const PTS_MAJORS: std::ops::RangeInclusive<u64> = 136..=143;

/// Whether a process is a command that runs in the foreground of a terminal and does not read from
/// it: `sleep 1`, `make`, `curl`. An editor or a pager sets the terminal to non-canonical mode
/// (termios(3)); `cat` blocks in the kernel's terminal read.
pub(crate) fn is_command(pid: u32) -> bool {
    let Some(stat) = Stat::read(pid) else {
        return false;
    };
    // The low 8 bits and the high 12 are the minor number.
    let minor = (stat.terminal & 0xff) | ((stat.terminal >> 12) & 0xf_ff00);
    let major = (stat.terminal >> 8) & 0xfff;
    // The session's leader is the shell, which waits for its user.
    if stat.group != stat.foreground || stat.session == pid || !PTS_MAJORS.contains(&major) {
        return false;
    }
    let waits = fs::read_to_string(format!("/proc/{pid}/wchan")).unwrap_or_default();
    // Reads of a terminal and of a socket can block in the same kernel function.
    let reads = waits.contains("tty_read") || waits.contains("wait_woken") && !is_in_socket(pid);
    if reads || stat.state == b'Z' {
        return false;
    }
    let number = (major - PTS_MAJORS.start()) * 256 + minor;
    let terminal = fs::OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOCTTY | libc::O_NONBLOCK)
        .open(format!("/dev/pts/{number}"));
    let Ok(terminal) = terminal else {
        return false;
    };
    let modes = nix::sys::termios::tcgetattr(&terminal);
    modes.is_ok_and(|modes| {
        modes
            .local_flags
            .contains(nix::sys::termios::LocalFlags::ICANON)
    })
}

/// Whether a process is in a system call on a socket, as far as the kernel reports that.
fn is_in_socket(pid: u32) -> bool {
    let call = fs::read_to_string(format!("/proc/{pid}/syscall")).unwrap_or_default();
    // The call's number, then its arguments: the first is the file descriptor.
    let first = call.split_ascii_whitespace().nth(1);
    let descriptor = first.and_then(|word| u32::from_str_radix(word.strip_prefix("0x")?, 16).ok());
    let target = descriptor.and_then(|fd| fs::read_link(format!("/proc/{pid}/fd/{fd}")).ok());
    target.is_some_and(|target| target.to_string_lossy().starts_with("socket:"))
}
