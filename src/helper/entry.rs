//! The command line of a program: from words, a desktop entry (Desktop Entry Specification 1.5) or a
//! URI. No shell reads any of it.

use std::{
    borrow::Cow,
    path::{Path, PathBuf},
};

use freedesktop_desktop_entry::{DesktopEntry, default_paths};
use percent_encoding::percent_decode_str;

use super::wire::{RefusedReason, Target};
use crate::text::keep_start;

/// Programs that open a URI with the program that the user prefers.
const OPENERS: [&[&str]; 2] = [&["xdg-open"], &["gio", "open"]];
/// Terminals that run the words after `-e`, for entries with `Terminal=true`.
const TERMINALS: [&str; 3] = ["x-terminal-emulator", "xterm", "xfce4-terminal"];

/// Maximum size of the file of a desktop entry in bytes.
const MAX_ENTRY: u64 = 256 << 10;
/// Maximum number of bytes of a name.
const MAX_NAME: usize = 256;

/// A program to start, with its arguments.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct CommandLine {
    /// The program's file.
    pub(super) program: PathBuf,
    /// The arguments, with the name of the program first.
    pub(super) words: Vec<String>,
    /// The name for people.
    pub(super) name: String,
    /// Possible classes of the program's windows; empty: any.
    pub(super) aliases: Vec<String>,
    /// The working folder that the entry names.
    pub(super) folder: Option<String>,
}

/// Why there is no command line.
pub(super) type Refusal = (RefusedReason, String);

/// Returns the command line of a launch.
///
/// # Errors
///
/// When there is no such program or entry, or the entry names no program.
pub(super) fn command_line(target: &Target) -> Result<CommandLine, Refusal> {
    let mut command = of_target(target)?;
    let names = command.aliases.iter_mut().chain([&mut command.name]);
    names.for_each(|name| keep_start(name, MAX_NAME));
    Ok(command)
}

fn of_target(target: &Target) -> Result<CommandLine, Refusal> {
    match target {
        Target::Arguments(words) => of_words(words.clone()),
        Target::Entry { entry, uris } => of_entry(entry, uris),
        Target::Uri(uri) => {
            let opener = OPENERS.iter().find(|words| find(words[0]).is_some());
            let opener = opener.ok_or_else(|| {
                let why = "no program opens URIs: install the Debian package xdg-utils";
                (RefusedReason::NotFound, why.to_owned())
            })?;
            let words = opener.iter().map(|word| (*word).to_owned());
            let command = of_words(words.chain([uri.clone()]).collect())?;
            // The program that opens it may be any.
            Ok(CommandLine {
                aliases: Vec::new(),
                ..command
            })
        }
    }
}

fn of_words(words: Vec<String>) -> Result<CommandLine, Refusal> {
    let named = words.first().map_or("", String::as_str);
    let program = find(named).ok_or_else(|| not_found(named))?;
    let name = program.file_name().unwrap_or_default();
    let name = name.to_string_lossy().into_owned();
    Ok(CommandLine {
        aliases: vec![name.clone()],
        name,
        program,
        words,
        folder: None,
    })
}

fn not_found(named: &str) -> Refusal {
    let shown: String = named.chars().take(200).collect();
    let why = match named.contains('/') {
        true => "no program has this path, or it may not be executed",
        false => "no program in PATH has this name",
    };
    (
        RefusedReason::NotFound,
        format!("{shown:?} is not found: {why}"),
    )
}

fn of_entry(named: &str, uris: &[String]) -> Result<CommandLine, Refusal> {
    let wrong = |why: String| (RefusedReason::NotStarted, format!("{named:?}: {why}"));
    let file = entry_file(named).ok_or_else(|| {
        let why = "no file with this id is in an `applications` folder of the desktop's user";
        (
            RefusedReason::NotFound,
            format!("there is no desktop entry {named:?}: {why}"),
        )
    })?;
    let languages = freedesktop_desktop_entry::get_languages_from_env();
    let unreadable = |why: String| wrong(format!("the desktop entry cannot be read: {why}"));
    let text = crate::files::read_at_most(&file, MAX_ENTRY)
        .map_err(|error| unreadable(error.to_string()))?;
    let text = String::from_utf8(text).map_err(|_| unreadable("it is not UTF-8".into()))?;
    let entry = DesktopEntry::from_str(&file, &text, Some(&languages))
        .map_err(|error| unreadable(error.to_string()))?;
    if entry.hidden() {
        return Err(wrong("the desktop entry is marked as deleted".into()));
    }
    let missing = entry.try_exec().filter(|program| find(program).is_none());
    if let Some(program) = missing {
        return Err(wrong(format!(
            "its program {program:?} is not installed (TryExec)"
        )));
    }
    let exec = entry.exec().unwrap_or_default();
    let takes_uris = exec.contains("%u") || exec.contains("%U");
    if !uris.is_empty() && !takes_uris && !exec.contains("%f") && !exec.contains("%F") {
        return Err(wrong("its program takes no files or URIs".into()));
    }
    let opened: Vec<Cow<'_, str>> = uris
        .iter()
        .map(|uri| match takes_uris {
            true => Cow::Borrowed(uri.as_str()),
            false => as_path(uri),
        })
        .collect();
    let opened: Vec<&str> = opened.iter().map(AsRef::as_ref).collect();
    let mut words = entry
        .parse_exec_with_uris(&opened, &languages)
        .map_err(|error| wrong(format!("its Exec key is not valid: {error}")))?;
    if entry.terminal() {
        let terminal = TERMINALS.iter().find(|terminal| find(terminal).is_some());
        let terminal = terminal.ok_or_else(|| wrong("no terminal is installed".into()))?;
        words.splice(0..0, [(*terminal).to_owned(), "-e".to_owned()]);
    }
    let mut command = of_words(words)?;
    let mut aliases = std::mem::take(&mut command.aliases);
    aliases.extend(entry.startup_wm_class().map(str::to_owned));
    aliases.extend(file.file_stem().map(|id| id.to_string_lossy().into_owned()));
    Ok(CommandLine {
        name: entry.name(&languages).unwrap_or_default().into_owned(),
        aliases,
        folder: entry
            .path()
            .filter(|path| !path.is_empty())
            .map(str::to_owned),
        ..command
    })
}

/// Returns the file of a desktop entry. The parts of an id that are separated by `-` may be folders.
fn entry_file(named: &str) -> Option<PathBuf> {
    if named.starts_with('/') {
        return Some(PathBuf::from(named)).filter(|file| file.is_file());
    }
    if named.contains('/') || named.contains('\0') {
        return None;
    }
    let id = named.strip_suffix(".desktop").unwrap_or(named);
    default_paths().find_map(|folder| in_folder(&folder, id, 4))
}

fn in_folder(folder: &Path, id: &str, depth: usize) -> Option<PathBuf> {
    let file = folder.join(format!("{id}.desktop"));
    if file.is_file() {
        return Some(file);
    }
    let (folder_name, rest) = id.split_once('-')?;
    (depth > 0).then(|| in_folder(&folder.join(folder_name), rest, depth - 1))?
}

/// Returns the path of a `file:` URI of this machine; other URIs as they are.
fn as_path(uri: &str) -> Cow<'_, str> {
    let rest = uri.strip_prefix("file://");
    let path = rest.map(|rest| rest.strip_prefix("localhost").unwrap_or(rest));
    let path = path.filter(|path| path.starts_with('/'));
    path.and_then(|path| percent_decode_str(path).decode_utf8().ok())
        .unwrap_or(Cow::Borrowed(uri))
}

/// Finds a program: a path, or a name in PATH.
fn find(program: &str) -> Option<PathBuf> {
    if program.is_empty() || program.contains('\0') {
        return None;
    }
    if program.contains('/') {
        return Some(PathBuf::from(program)).filter(|file| crate::files::is_executable(file));
    }
    crate::files::in_path(program)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn entry(folder: &Path, text: &str) -> String {
        let file = folder.join("x.desktop");
        fs::write(&file, format!("[Desktop Entry]\nType=Application\n{text}")).unwrap();
        file.to_str().unwrap().to_owned()
    }

    fn words(folder: &Path, text: &str, uris: &[&str]) -> Result<Vec<String>, Refusal> {
        let uris = uris.iter().map(|uri| (*uri).to_owned()).collect();
        let entry = entry(folder, text);
        command_line(&Target::Entry { entry, uris }).map(|command| command.words)
    }

    #[test]
    fn field_codes_become_words_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let hostile = "https://e.test/$(touch x);a b&c'\"";
        let text = "Name=N\nIcon=i\nExec=sh \"a b\" %c %U";
        assert_eq!(
            words(folder, text, &[hostile, "/b"]).unwrap(),
            ["sh", "a b", "N", hostile, "/b"]
        );
        assert_eq!(words(folder, text, &[]).unwrap(), ["sh", "a b", "N"]);
        let files = words(folder, "Name=N\nExec=sh %F", &["file:///a%20b"]);
        assert_eq!(files.unwrap(), ["sh", "/a b"]);
    }

    #[test]
    fn a_long_name_is_cut() {
        let folder = tempfile::tempdir().unwrap();
        let text = format!("Name={}\nStartupWMClass={0}\nExec=sh", "é".repeat(5000));
        let entry = entry(folder.path(), &text);
        let uris = Vec::new();
        let command = command_line(&Target::Entry { entry, uris }).unwrap();
        assert_eq!(command.name, "é".repeat(128));
        assert!(command.aliases.iter().all(|alias| alias.len() <= 256));
    }

    #[test]
    fn wrong_entries_say_why() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        for (text, reason, part) in [
            ("Name=N", RefusedReason::NotStarted, "Exec"),
            (
                "Name=N\nExec=no-such-program",
                RefusedReason::NotFound,
                "PATH",
            ),
            (
                "Name=N\nTryExec=/no\nExec=sh",
                RefusedReason::NotStarted,
                "TryExec",
            ),
            (
                "Name=N\nHidden=true\nExec=sh",
                RefusedReason::NotStarted,
                "deleted",
            ),
        ] {
            let (found, why) = words(folder, text, &[]).unwrap_err();
            assert_eq!(found, reason, "{why}");
            assert!(why.contains(part), "{why}");
        }
        let huge = format!("Name={}\nExec=sh", "n".repeat(300 << 10));
        let (_, why) = words(folder, &huge, &[]).unwrap_err();
        assert!(why.contains("more than"), "{why}");
        let (_, why) = words(folder, "Name=N\nExec=sh", &["/a"]).unwrap_err();
        assert!(why.contains("takes no files"), "{why}");
        let none = Target::Entry {
            entry: "../x".into(),
            uris: vec![],
        };
        assert_eq!(command_line(&none).unwrap_err().0, RefusedReason::NotFound);
    }
}
