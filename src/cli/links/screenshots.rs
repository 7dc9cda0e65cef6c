//! The command lines of `scrot`, `gnome-screenshot` and `import`.

use std::{path::PathBuf, time::Duration};

use super::{
    super::{args::FormatArg, exit::CliError},
    picture::Wanted,
    words::{Words, refused, unknown},
};
use crate::frame::Region;

/// Splits short options that are written together: `-zp` is `-z -p`. `with_value` has those that
/// take a value, which may follow directly: `-d5`.
fn expanded(arguments: &[String], with_value: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut is_over = false;
    for argument in arguments {
        let is_short =
            argument.len() > 2 && argument.starts_with('-') && !argument.starts_with("--");
        if is_over || !is_short {
            is_over |= argument == "--";
            match argument.split_once('=') {
                Some((name, value)) if argument.starts_with("--") && !is_over => {
                    all.extend([name.to_owned(), value.to_owned()]);
                }
                _ => all.push(argument.clone()),
            }
            continue;
        }
        for (at, letter) in argument[1..].char_indices() {
            all.push(format!("-{letter}"));
            let value = &argument[1 + at + letter.len_utf8()..];
            if with_value.contains(letter) && !value.is_empty() {
                all.push(value.to_owned());
                break;
            }
        }
    }
    all
}

/// Reads the command line of `scrot`.
pub(super) fn scrot(arguments: &[String]) -> Result<Wanted, CliError> {
    let mut wanted = Wanted {
        has_codes: true,
        ..Wanted::new("%Y-%m-%d-%H%M%S_$wx$h_scrot.png")
    };
    let arguments = expanded(arguments, "aCDdFlqtebknS");
    let mut words = Words::new(&arguments);
    let mut file = None;
    while let Some(word) = words.next() {
        match word {
            "-p" | "--pointer" => wanted.has_pointer = true,
            "-o" | "--overwrite" => wanted.overwrites = true,
            // The whole display, without a sound, and the display of the daemon: as deskd does.
            "-z" | "--silent" | "-m" | "--multidisp" | "-i" | "--ignorekeyboard" => {}
            "-D" | "--display" => drop(words.value(word)?),
            "-q" | "--quality" => wanted.quality = Some(percent(word, &mut words)?),
            "-d" | "--delay" => wanted.delay = seconds(words.value(word)?)?,
            "-a" | "--autoselect" => wanted.region = Some(area(words.value(word)?)?),
            "-F" | "--file" => file = Some(words.value(word)?),
            "--" => {
                file = words.next().or(file);
                if let Some(more) = words.next() {
                    return Err(unknown(more));
                }
            }
            name if name == "-" || !name.starts_with('-') => {
                if file.replace(name).is_some() {
                    return Err(refused(format!("{name:?} is a second file; give one")));
                }
            }
            other => return Err(unknown(other)),
        }
    }
    wanted.name(file);
    Ok(wanted)
}

/// Reads the command line of `gnome-screenshot`.
pub(super) fn gnome_screenshot(arguments: &[String]) -> Result<Wanted, CliError> {
    let mut wanted = Wanted {
        overwrites: true,
        ..Wanted::new("")
    };
    let arguments = expanded(arguments, "fd");
    let mut words = Words::new(&arguments);
    let mut file = None;
    while let Some(word) = words.next() {
        match word {
            "-f" | "--file" => file = Some(words.value(word)?),
            "-p" | "--include-pointer" => wanted.has_pointer = true,
            "-d" | "--delay" => wanted.delay = seconds(words.value(word)?)?,
            other => return Err(unknown(other)),
        }
    }
    let file = file.ok_or_else(|| refused("give a file with -f; deskd has no dialog"))?;
    wanted.name(Some(file));
    Ok(wanted)
}

/// Reads the command line of `import`, which must name the root window.
pub(super) fn import(arguments: &[String]) -> Result<Wanted, CliError> {
    let mut wanted = Wanted {
        overwrites: true,
        ..Wanted::new("")
    };
    let mut words = Words::new(arguments);
    let (mut file, mut is_root) = (None, false);
    while let Some(word) = words.next() {
        match word {
            "-window" => match words.value(word)? {
                "root" => is_root = true,
                other => return Err(unknown(&format!("-window {other}"))),
            },
            "-display" => drop(words.value(word)?),
            "-silent" | "-screen" => {}
            "-pause" => wanted.delay = seconds(words.value(word)?)?,
            "-quality" => wanted.quality = Some(percent(word, &mut words)?),
            "-crop" => wanted.region = Some(geometry(words.value(word)?)?),
            name if name == "-" || !name.starts_with(['-', '+']) => {
                if let Some(first) = file.replace(name) {
                    return Err(refused(format!(
                        "give one file, not {first:?} and {name:?}"
                    )));
                }
            }
            other => return Err(unknown(other)),
        }
    }
    if !is_root {
        return Err(refused("give -window root; deskd has no dialog"));
    }
    let file = file.ok_or_else(|| refused("give a file"))?;
    // `png:-` names the format.
    let file = match file.split_once(':') {
        Some((kind, name)) => {
            wanted.format = Some(match kind.to_ascii_lowercase().as_str() {
                "png" => FormatArg::Png,
                "jpg" | "jpeg" => FormatArg::Jpeg,
                "webp" => FormatArg::Webp,
                _ => return Err(unknown(&format!("{kind}:"))),
            });
            name
        }
        None => file,
    };
    wanted.name(Some(file));
    Ok(wanted)
}

/// Reads a quality of 1 to 100.
fn percent(what: &str, words: &mut Words<'_>) -> Result<u32, CliError> {
    let percent: u32 = words.number(what)?;
    if !(1..=100).contains(&percent) {
        return Err(refused(format!("{what} {percent}: give 1 to 100")));
    }
    Ok(percent)
}

fn seconds(text: &str) -> Result<Duration, CliError> {
    let seconds: Option<f64> = text.trim_start_matches('b').parse().ok();
    let time = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    time.ok_or_else(|| refused(format!("delay {text:?}: give seconds, at least 0")))
}

/// Reads `X,Y,W,H`.
fn area(text: &str) -> Result<Region, CliError> {
    let numbers: Vec<u32> = text
        .split(',')
        .filter_map(|each| each.parse().ok())
        .collect();
    match numbers[..] {
        [x, y, width, height] if text.split(',').count() == 4 => {
            Ok(Region::new(x, y, width, height))
        }
        _ => Err(refused(format!("area {text:?}: give X,Y,W,H in pixels"))),
    }
}

/// Reads `WxH+X+Y`.
fn geometry(text: &str) -> Result<Region, CliError> {
    let order = text.replace(['x', '+'], ",");
    let wrong = || refused(format!("crop {text:?}: give WxH+X+Y in pixels"));
    let Region { x, y, size } = area(&order).map_err(|_| wrong())?;
    Ok(Region::new(size.width, size.height, x, y))
}

impl Wanted {
    fn new(name: &str) -> Self {
        Self {
            file: PathBuf::from(name),
            has_codes: false,
            format: None,
            quality: None,
            has_pointer: false,
            overwrites: false,
            region: None,
            delay: Duration::ZERO,
        }
    }

    fn name(&mut self, file: Option<&str>) {
        if let Some(file) = file {
            self.file = PathBuf::from(file);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn the_command_lines_of_published_agents_are_read() {
        let seed = scrot(&words("--pointer --overwrite /tmp/a.png")).unwrap();
        assert!(seed.has_pointer && seed.overwrites);
        assert_eq!(seed.file, PathBuf::from("/tmp/a.png"));
        let e2b = scrot(&words("--pointer /tmp/b.png")).unwrap();
        assert!(e2b.has_pointer && !e2b.overwrites);
        let together = scrot(&words("-zpo -q90 -d2 /tmp/c.jpg")).unwrap();
        assert!(together.has_pointer && together.overwrites);
        assert_eq!((together.quality, together.delay.as_secs()), (Some(90), 2));
        let part = scrot(&words("-a 10,20,30,40 -F x.png")).unwrap();
        assert_eq!(part.region, Some(Region::new(10, 20, 30, 40)));
        assert_eq!(part.file, PathBuf::from("x.png"));
        let long = scrot(&words("--file=y.png --quality=5 --delay=1")).unwrap();
        assert_eq!((long.quality, long.delay.as_secs()), (Some(5), 1));
        assert_eq!(scrot(&words("-")).unwrap().file, PathBuf::from("-"));
        let named = scrot(&[]).unwrap();
        assert!(named.file.to_str().unwrap().contains("scrot"));
        let gnome = gnome_screenshot(&words("-f /tmp/d.png -p")).unwrap();
        assert!(gnome.has_pointer && gnome.overwrites);
        let root = import(&words("-window root -crop 30x40+10+20 png:-")).unwrap();
        assert_eq!(root.region, Some(Region::new(10, 20, 30, 40)));
        assert_eq!(root.file, PathBuf::from("-"));
        assert!(matches!(root.format, Some(FormatArg::Png)));
    }

    #[test]
    fn everything_else_is_refused_by_name() {
        for (line, name) in [
            ("-u x.png", "\"-u\""),
            ("-s x.png", "\"-s\""),
            ("-e ls x.png", "\"-e\""),
            ("-t 20 x.png", "\"-t\""),
            ("-q 0 x.png", "-q 0"),
            ("-q x.png", "\"x.png\""),
            ("-d -1 x.png", "delay"),
            ("-a 1,2,3 x.png", "1,2,3"),
            ("x.png y.png", "\"y.png\""),
            ("-F", "-F requires"),
        ] {
            let message = scrot(&words(line)).unwrap_err().message;
            assert!(message.contains(name), "{line}: {message}");
        }
        assert!(
            gnome_screenshot(&words("-w"))
                .unwrap_err()
                .message
                .contains("\"-w\"")
        );
        assert!(gnome_screenshot(&[]).unwrap_err().message.contains("-f"));
        assert!(
            import(&words("x.png"))
                .unwrap_err()
                .message
                .contains("-window root")
        );
        assert!(
            import(&words("-window 5 x.png"))
                .unwrap_err()
                .message
                .contains("-window 5")
        );
        assert!(
            import(&words("-window root gif:x"))
                .unwrap_err()
                .message
                .contains("gif:")
        );
    }
}
