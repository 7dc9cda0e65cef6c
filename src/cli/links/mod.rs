//! deskd under the names of other programs: called by a link that is named `xdotool`, `scrot`,
//! `gnome-screenshot`, `import` or `xclip`, it does through the daemon what that program does.
//!
//! The options that published agents use are supported (docs/guides/drop-in.md); every other one is
//! refused by name. As with the originals, a command does not wait until the screen has settled.

mod picture;
mod screenshots;
mod words;
mod xclip;
mod xdotool;

use std::{
    ffi::OsString,
    fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Parser;

use super::{
    call,
    client_args::ClientArgs,
    exit::{CliError, Exit},
    print::{self, say},
    values,
};

/// A program that deskd stands in for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    Xdotool,
    Scrot,
    GnomeScreenshot,
    Import,
    Xclip,
}

/// Each link with its name.
const LINKS: [(&str, Link); 5] = [
    ("xdotool", Link::Xdotool),
    ("scrot", Link::Scrot),
    ("gnome-screenshot", Link::GnomeScreenshot),
    ("import", Link::Import),
    ("xclip", Link::Xclip),
];

/// Settings of all linked commands, from the environment: the daemon, and how to treat the screen.
#[derive(Debug, Parser)]
struct Settings {
    #[command(flatten)]
    client: ClientArgs,
    /// Do not wait until the desktop is painted.
    #[arg(long, env = "DESKD_UNPROVED", value_parser = values::switch)]
    unproved: bool,
    /// Fail in place of writing a failure card.
    #[arg(long, env = "DESKD_STRICT", value_parser = values::switch)]
    strict: bool,
}

impl Link {
    /// Returns the program that `argument`, the name by which this process was called, stands for.
    pub(super) fn of(argument: &Path) -> Option<Self> {
        let name = argument.file_name()?.to_str()?;
        let found = LINKS.iter().find(|(link, _)| *link == name);
        found.map(|(_, link)| *link)
    }

    fn name(self) -> &'static str {
        let found = LINKS.iter().find(|(_, link)| *link == self);
        found.map_or("deskd", |(name, _)| name)
    }

    /// Runs the command. Exits with 0, or with 1 after a failure, as the originals do.
    pub(super) fn run(self, arguments: Vec<OsString>) -> ExitCode {
        let done = words::text(arguments).and_then(|arguments| match self {
            Self::Xdotool => {
                let script = xdotool::parse(&arguments)?;
                call::block_on(xdotool::run(script, settings()?))
            }
            Self::Xclip => {
                let wanted = xclip::parse(&arguments)?;
                call::block_on(xclip::run(wanted, settings()?))
            }
            Self::Scrot | Self::GnomeScreenshot | Self::Import => {
                let wanted = match self {
                    Self::Scrot => screenshots::scrot(&arguments),
                    Self::GnomeScreenshot => screenshots::gnome_screenshot(&arguments),
                    _ => screenshots::import(&arguments),
                };
                call::block_on(picture::run(wanted?, settings()?, self.name()))
            }
        });
        match done {
            Ok(_) => ExitCode::SUCCESS,
            Err(CliError { exit, message }) => {
                if !message.is_empty() {
                    let message = message.replace('\n', " ");
                    print::note(format_args!("{}: {message}", self.name()));
                }
                match exit {
                    Exit::Done => ExitCode::SUCCESS,
                    _ => ExitCode::FAILURE,
                }
            }
        }
    }
}

fn settings() -> Result<Settings, CliError> {
    Settings::try_parse_from(["deskd"]).map_err(|error| {
        let message = error.to_string();
        let first = message.lines().next().unwrap_or_default();
        CliError::new(Exit::Usage, first.trim_start_matches("error: "))
    })
}

/// `deskd install-links`: makes the links in a folder.
pub(super) fn install(folder: &Path) -> Result<Exit, CliError> {
    let failed = |what: String| CliError::new(Exit::Local, what);
    let own =
        std::env::current_exe().map_err(|error| failed(format!("/proc/self/exe: {error}")))?;
    if !folder.is_dir() {
        return Err(failed(format!(
            "{} is not a folder: create it first",
            folder.display()
        )));
    }
    // Everything is checked before the first link is made.
    let mut missing: Vec<PathBuf> = Vec::new();
    for (name, _) in LINKS {
        let link = folder.join(name);
        match fs::read_link(&link) {
            Ok(target) if target == own => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => missing.push(link),
            _ => {
                return Err(failed(format!(
                    "{} exists and is no link to deskd: remove it, or choose a folder that comes earlier in PATH",
                    link.display()
                )));
            }
        }
    }
    for link in missing {
        symlink(&own, &link)
            .map_err(|error| failed(format!("{} cannot be made: {error}", link.display())))?;
        say!("{}", link.display());
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_known_by_its_name_alone() {
        assert_eq!(Link::of(Path::new("/opt/x/scrot")), Some(Link::Scrot));
        assert_eq!(Link::of(Path::new("xdotool")), Some(Link::Xdotool));
        for other in ["deskd", "/usr/bin/deskd", "xdotool2", "", "/"] {
            assert_eq!(Link::of(Path::new(other)), None, "{other}");
        }
    }
}
