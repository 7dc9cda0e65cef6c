//! `deskd keep-program`: starts one program, and stays until all of its descendants have ended. As a
//! subreaper (prctl(2), PR_SET_CHILD_SUBREAPER) it is the parent of those that fork away, so that
//! each process of a launch has this process among its ancestors.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, Write as _},
    os::{fd::AsFd as _, unix::process::CommandExt as _},
    process::{Command, Stdio},
};

use nix::{
    errno::Errno,
    sys::{
        prctl,
        wait::{WaitStatus, waitpid},
    },
};

/// What this process reports on its standard input, which is a socket, a line each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Report {
    /// The program was started as this process.
    Started(u32),
    /// The program cannot be started: the number of the error.
    Failed(i32),
    /// The started process ended with this code.
    Code(i32),
    /// This signal ended the started process.
    Signal(i32),
}

impl Report {
    /// Reads a line; `None` if it is no report.
    pub(super) fn of(line: &str) -> Option<Self> {
        let (kind, number) = line.trim_end().split_once(' ')?;
        Some(match kind {
            "started" => Self::Started(number.parse().ok()?),
            "failed" => Self::Failed(number.parse().ok()?),
            "code" => Self::Code(number.parse().ok()?),
            "signal" => Self::Signal(number.parse().ok()?),
            _ => return None,
        })
    }

    fn send(self, mut to: &File) {
        let line = match self {
            Self::Started(pid) => format!("started {pid}\n"),
            Self::Failed(error) => format!("failed {error}\n"),
            Self::Code(code) => format!("code {code}\n"),
            Self::Signal(signal) => format!("signal {signal}\n"),
        };
        // The helper may have ended.
        drop(to.write_all(line.as_bytes()));
    }
}

/// Starts the program `file` with `words`, the first of which is its name.
///
/// # Errors
///
/// When standard input is not open, or the kernel refuses the subreaper.
pub fn keep(file: &OsStr, words: &[OsString]) -> io::Result<()> {
    prctl::set_name(c"deskd")?;
    prctl::set_child_subreaper(true)?;
    let helper = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut command = Command::new(file);
    if let Some((name, arguments)) = words.split_first() {
        command.arg0(name).args(arguments);
    }
    let child = match command.process_group(0).stdin(Stdio::null()).spawn() {
        Ok(child) => child.id(),
        Err(error) => {
            Report::Failed(error.raw_os_error().unwrap_or(libc::EIO)).send(&helper);
            return Ok(());
        }
    };
    Report::Started(child).send(&helper);
    loop {
        let (pid, report) = match waitpid(None, None) {
            Ok(WaitStatus::Exited(pid, code)) => (pid, Report::Code(code)),
            Ok(WaitStatus::Signaled(pid, signal, _)) => (pid, Report::Signal(signal as i32)),
            Ok(_) | Err(Errno::EINTR) => continue,
            // No descendant is left.
            Err(_) => return Ok(()),
        };
        if u32::try_from(pid.as_raw()) == Ok(child) {
            report.send(&helper);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Report;

    #[test]
    fn a_report_is_a_line() {
        assert_eq!(Report::of("started 12\n"), Some(Report::Started(12)));
        assert_eq!(Report::of("failed 2\n"), Some(Report::Failed(2)));
        assert_eq!(Report::of("code 255\n"), Some(Report::Code(255)));
        assert_eq!(Report::of("signal 9\n"), Some(Report::Signal(9)));
        for wrong in ["", "code", "code x", "started -1", "done 1"] {
            assert_eq!(Report::of(wrong), None, "{wrong}");
        }
    }
}
