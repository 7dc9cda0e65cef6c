//! `xclip` through the daemon: copies its input, or prints what was copied.

use std::{fs, io::Read as _, path::Path};

use super::{
    super::{
        clipboard,
        exit::{CliError, Exit},
        print::{self, say},
    },
    Settings,
    words::{Words, refused, unknown},
};
use crate::{rpc::v1::ClipboardSelection, x11::MAX_CONTENT};

/// What `xclip` was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    prints: bool,
    /// Whether the input is printed, too.
    filters: bool,
    selection: ClipboardSelection,
    /// The format; empty for text.
    target: String,
    /// Whether the last line feed is left out.
    trims: bool,
    files: Vec<String>,
}

/// Options that have no effect here: deskd serves any number of requests, and prints nothing more.
const IGNORED: [&str; 4] = ["-silent", "-quiet", "-verbose", "-noutf8"];
const OPTIONS: [&str; 10] = [
    "-in",
    "-out",
    "-filter",
    "-selection",
    "-target",
    "-display",
    "-loops",
    "-rmlastnl",
    "-help",
    "-version",
];

/// Reads the command line. As with the original, an option may be shortened.
///
/// # Errors
///
/// When an option is unknown or a value is missing.
pub(super) fn parse(arguments: &[String]) -> Result<Wanted, CliError> {
    let mut wanted = Wanted {
        prints: false,
        filters: false,
        selection: ClipboardSelection::Primary,
        target: String::new(),
        trims: false,
        files: Vec::new(),
    };
    let mut words = Words::new(arguments);
    while let Some(word) = words.next() {
        if !word.starts_with('-') || word == "-" {
            wanted.files.push(word.to_owned());
            continue;
        }
        let all = OPTIONS.iter().chain(&IGNORED);
        let long = all.copied().find(|option| option.starts_with(word));
        match long.ok_or_else(|| unknown(word))? {
            "-in" => wanted.prints = false,
            "-out" => wanted.prints = true,
            "-filter" => wanted.filters = true,
            "-rmlastnl" => wanted.trims = true,
            "-selection" => wanted.selection = selection(words.value(word)?)?,
            "-target" => wanted.target = format(words.value(word)?),
            "-display" | "-loops" => drop(words.value(word)?),
            option @ ("-help" | "-version") => return Err(unknown(option)),
            _ => {}
        }
    }
    Ok(wanted)
}

fn selection(name: &str) -> Result<ClipboardSelection, CliError> {
    match name.chars().next() {
        Some('c') => Ok(ClipboardSelection::Clipboard),
        Some('p') => Ok(ClipboardSelection::Primary),
        _ => Err(unknown(&format!("-selection {name}"))),
    }
}

/// The formats of text are those of deskd's own format of text.
fn format(target: &str) -> String {
    match target {
        "UTF8_STRING" | "STRING" | "TEXT" => String::new(),
        other => other.to_owned(),
    }
}

/// Copies or prints.
///
/// # Errors
///
/// When a file cannot be read, or the daemon cannot be reached or refuses the call.
pub(super) async fn run(wanted: Wanted, settings: Settings) -> Result<Exit, CliError> {
    let mut client = settings.client;
    let selection = wanted.selection;
    if wanted.prints && wanted.target == "TARGETS" {
        say!("TARGETS");
        for name in clipboard::formats(&mut client, selection).await? {
            say!("{}", name.escape_debug());
        }
        return Ok(Exit::Done);
    }
    if wanted.prints {
        let mut data = clipboard::get(&mut client, selection, &wanted.target).await?;
        trim(&mut data, wanted.trims);
        print::all(&data)?;
        return Ok(Exit::Done);
    }
    let mut data = Vec::new();
    for file in &wanted.files {
        read(Path::new(file), &mut data)?;
    }
    if wanted.files.is_empty() {
        data = clipboard::input()?;
    }
    trim(&mut data, wanted.trims);
    // Bytes that are no text in UTF-8 are copied as they are.
    let is_text = !wanted.target.is_empty() || std::str::from_utf8(&data).is_ok();
    let format = if is_text {
        wanted.target.as_str()
    } else {
        "UTF8_STRING"
    };
    clipboard::set(&mut client, selection, format, &data).await?;
    if wanted.filters {
        print::all(&data)?;
    }
    Ok(Exit::Done)
}

fn trim(data: &mut Vec<u8>, trims: bool) {
    if trims && data.ends_with(b"\n") {
        data.pop();
    }
}

fn read(file: &Path, data: &mut Vec<u8>) -> Result<(), CliError> {
    let failed =
        |error: std::io::Error| CliError::new(Exit::Local, format!("{}: {error}", file.display()));
    let left = (MAX_CONTENT + 1).saturating_sub(data.len());
    let opened = fs::File::open(file).map_err(failed)?;
    opened.take(left as u64).read_to_end(data).map_err(failed)?;
    match data.len() > MAX_CONTENT {
        true => Err(refused(format!(
            "more than {MAX_CONTENT} bytes; nothing was copied"
        ))),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Wanted, String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        parse(&words).map_err(|error| error.message)
    }

    #[test]
    fn options_may_be_shortened() {
        let wanted = parsed("-selection clipboard -o -t text/html").unwrap();
        assert!(wanted.prints && wanted.selection == ClipboardSelection::Clipboard);
        assert_eq!(wanted.target, "text/html");
        assert_eq!(parsed("-sel c -out -t text/html"), Ok(wanted));
        let plain = parsed("").unwrap();
        assert!(!plain.prints && plain.selection == ClipboardSelection::Primary);
        assert_eq!(parsed("-i -l 1 -d :0 -silent -t UTF8_STRING"), Ok(plain));
        let filter = parsed("-f -r a.txt b.txt").unwrap();
        assert!(filter.filters && filter.trims);
        assert_eq!(filter.files, ["a.txt", "b.txt"]);
        for (line, name) in [
            ("-selection secondary", "secondary"),
            ("-x", "\"-x\""),
            ("-t", "requires a value"),
            ("-version", "-version"),
        ] {
            let message = parsed(line).unwrap_err();
            assert!(message.contains(name), "{line}: {message}");
        }
    }
}
