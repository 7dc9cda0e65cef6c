//! Reads the commands of `xdotool`.

use std::{io::Read as _, time::Duration};

use super::{
    super::{
        super::exit::CliError,
        words::{Words, refused, unknown},
    },
    Part,
};
use crate::{
    files, keys,
    rpc::v1::{self, action::Action},
};

/// Time after which the daemon releases a key or button that a command left down: the longest.
const HOLD: Duration = Duration::from_secs(300);
/// Default pause of xdotool between keys, in milliseconds. deskd needs none: it waits for the
/// program that receives the keys.
const USUAL_DELAY: u64 = 12;
/// Pause between two clicks, in milliseconds, up to which programs take them for a double click.
const DOUBLE_CLICK: u64 = 400;

/// Reads the commands of a call.
///
/// # Errors
///
/// When a command or option is unknown, or a value is missing or malformed.
pub(in crate::cli::links) fn parse(arguments: &[String]) -> Result<Vec<Part>, CliError> {
    let mut words = Words::new(arguments);
    let mut parts = Vec::new();
    if words.peek().is_none() {
        return Err(refused("give a command, such as `click 1`"));
    }
    while let Some(command) = words.next() {
        match command {
            "mousemove" => parts.push(mousemove(&mut words)?),
            "mousemove_relative" => parts.push(mousemove_relative(&mut words)?),
            "click" => join_clicks(&mut parts, click(&mut words)?),
            "mousedown" => parts.push(mousedown(&mut words)?),
            "mouseup" => parts.push(mouseup(&mut words)?),
            "key" => parts.extend(key(&mut words)?),
            "keydown" => parts.extend(keydown(&mut words)?),
            "keyup" => parts.extend(keyup(&mut words)?),
            "type" => parts.extend(type_text(&mut words)?),
            "sleep" => parts.extend(sleep(&mut words)?),
            "getmouselocation" => parts.push(location(&mut words)?),
            "getdisplaygeometry" => parts.push(geometry(&mut words)?),
            "version" | "--version" | "-v" => parts.push(Part::Version),
            other => return Err(unknown(other)),
        }
    }
    Ok(parts)
}

/// Maximum number of keys of one `key` command with several keys or a delay.
const MOST_KEYS: usize = 1000;

/// The commands after which `key` and the like read no further.
const COMMANDS: [&str; 12] = [
    "mousemove",
    "mousemove_relative",
    "click",
    "mousedown",
    "mouseup",
    "key",
    "keydown",
    "keyup",
    "type",
    "sleep",
    "getmouselocation",
    "getdisplaygeometry",
];

/// Reads the options of a command. `own` handles those that are not common to all; it returns
/// whether it knows the option.
fn options<'a>(
    words: &mut Words<'a>,
    mut own: impl FnMut(&str, &mut Words<'a>) -> Result<bool, CliError>,
) -> Result<(), CliError> {
    while let Some(word) = words.peek().filter(|word| word.starts_with('-')) {
        // A negative number and a single dash are values.
        if word == "-" || word[1..].starts_with(|one: char| one.is_ascii_digit()) {
            return Ok(());
        }
        words.next();
        match word {
            "--" => return Ok(()),
            // deskd refuses keys while other keys are down that would change their meaning.
            "--clearmodifiers" | "-c" => {}
            other => {
                if !own(other, words)? {
                    // It may be a text that begins with a dash, and must not get into a log.
                    let is_option = other.len() < 24 && !other.contains(char::is_whitespace);
                    return Err(match is_option {
                        true => unknown(other),
                        false => refused("put -- before a text that begins with a dash"),
                    });
                }
            }
        }
    }
    Ok(())
}

fn mousemove(words: &mut Words<'_>) -> Result<Part, CliError> {
    options(words, |option, words| match option {
        // deskd always waits until the pointer has arrived.
        "--sync" => Ok(true),
        "--screen" if words.peek() == Some("0") => Ok(words.next().is_some()),
        _ => Ok(false),
    })?;
    if words.peek() == Some("restore") {
        return Err(unknown("mousemove restore"));
    }
    let to = (words.number("mousemove X")?, words.number("mousemove Y")?);
    Ok(Part::Act(Action::Move(v1::MoveAction {
        to: Some(to.into()),
        modifiers: Vec::new(),
    })))
}

fn mousemove_relative(words: &mut Words<'_>) -> Result<Part, CliError> {
    options(words, |option, _| Ok(option == "--sync"))?;
    let x = words.number("mousemove_relative X")?;
    Ok(Part::MoveBy(x, words.number("mousemove_relative Y")?))
}

fn click(words: &mut Words<'_>) -> Result<Vec<Part>, CliError> {
    let (mut repeat, mut delay) = (1_u32, 0_u64);
    options(words, |option, words| {
        match option {
            "--repeat" => repeat = words.number("click --repeat")?,
            "--delay" => delay = words.number("click --delay")?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    let number: u32 = words.number("click BUTTON")?;
    if repeat == 0 || repeat > 1000 {
        return Err(refused(format!("click --repeat {repeat}: give 1 to 1000")));
    }
    if let Some((x, y)) = wheel(number) {
        let turns = i32::try_from(repeat).unwrap_or(i32::MAX);
        return Ok(vec![Part::Act(Action::Scroll(v1::ScrollAction {
            at: None,
            dx: x * turns,
            dy: y * turns,
            unit: v1::ScrollUnit::Notch.into(),
            modifiers: Vec::new(),
        }))]);
    }
    let button = button(number)?;
    let click = |count: u32| {
        Part::Act(Action::Click(v1::ClickAction {
            at: None,
            button: button.into(),
            count: Some(count),
            modifiers: Vec::new(),
        }))
    };
    // Clicks that follow one another at once are a double or a triple click.
    if repeat <= 3 && delay <= DOUBLE_CLICK {
        return Ok(vec![click(repeat)]);
    }
    Ok((0..repeat).map(|_| click(1)).collect())
}

/// Appends clicks. One that directly follows a click of the same button makes a double or triple
/// click of it, as with xdotool; deskd keeps separate clicks apart.
fn join_clicks(parts: &mut Vec<Part>, clicks: Vec<Part>) {
    if let ([Part::Act(Action::Click(next))], Some(Part::Act(Action::Click(last)))) =
        (&clicks[..], parts.last_mut())
        && last.button == next.button
        && let count = last.count.unwrap_or(1) + next.count.unwrap_or(1)
        && count <= 3
    {
        last.count = Some(count);
        return;
    }
    parts.extend(clicks);
}

/// Returns the direction of a button that stands for the wheel.
fn wheel(button: u32) -> Option<(i32, i32)> {
    match button {
        4 => Some((0, -1)),
        5 => Some((0, 1)),
        6 => Some((-1, 0)),
        7 => Some((1, 0)),
        _ => None,
    }
}

fn button(number: u32) -> Result<v1::Button, CliError> {
    match number {
        1 => Ok(v1::Button::Left),
        2 => Ok(v1::Button::Middle),
        3 => Ok(v1::Button::Right),
        8 => Ok(v1::Button::Back),
        9 => Ok(v1::Button::Forward),
        _ => Err(refused(format!(
            "there is no button {number}: give 1 to 9; nothing was done"
        ))),
    }
}

fn hold() -> Option<prost_types::Duration> {
    HOLD.try_into().ok()
}

fn mousedown(words: &mut Words<'_>) -> Result<Part, CliError> {
    options(words, |_, _| Ok(false))?;
    let button = button(words.number("mousedown BUTTON")?)?;
    Ok(Part::Act(Action::ButtonDown(v1::ButtonDownAction {
        at: None,
        button: button.into(),
        hold: hold(),
    })))
}

fn mouseup(words: &mut Words<'_>) -> Result<Part, CliError> {
    options(words, |_, _| Ok(false))?;
    let button = button(words.number("mouseup BUTTON")?)?;
    Ok(Part::Act(Action::ButtonUp(v1::ButtonUpAction {
        at: None,
        button: button.into(),
    })))
}

/// Takes the chords of `key`, `keydown` or `keyup`, up to the next command.
fn chords(what: &str, words: &mut Words<'_>) -> Result<Vec<Vec<String>>, CliError> {
    let mut chords = Vec::new();
    while let Some(word) = words.peek().filter(|word| !COMMANDS.contains(word)) {
        words.next();
        // Models send several chords in one argument.
        let single = word.split_whitespace();
        chords
            .extend(single.map(|chord| keys::chord(chord).into_iter().flat_map(shifted).collect()));
    }
    if chords.is_empty() {
        return Err(refused(format!("{what} requires a key; nothing was done")));
    }
    Ok(chords)
}

/// For xdotool, a capital letter is a character: it needs Shift.
fn shifted(name: String) -> Vec<String> {
    let mut letters = name.chars();
    match (letters.next(), letters.next()) {
        (Some(letter), None) if letter.is_uppercase() => {
            vec!["Shift_L".to_owned(), letter.to_lowercase().to_string()]
        }
        _ => vec![name],
    }
}

fn key(words: &mut Words<'_>) -> Result<Vec<Part>, CliError> {
    let (mut delay, mut repeat) = (USUAL_DELAY, 1_u32);
    options(words, |option, words| {
        match option {
            "--delay" | "--repeat-delay" => delay = words.number("key --delay")?,
            "--repeat" => repeat = words.number("key --repeat")?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    let chords = chords("key", words)?;
    let press = |keys: Vec<String>, repeat| {
        Part::Act(Action::Key(v1::KeyAction {
            keys,
            repeat: Some(repeat),
            hold: None,
        }))
    };
    let is_slow = delay > USUAL_DELAY;
    if let [chord] = &chords[..]
        && !is_slow
    {
        return Ok(vec![press(chord.clone(), repeat)]);
    }
    if repeat as usize * chords.len() > MOST_KEYS {
        let message = format!("key --repeat {repeat}: at most {MOST_KEYS} keys in one command");
        return Err(refused(message));
    }
    // xdotool repeats the whole sequence.
    let mut parts = Vec::new();
    for keys in (0..repeat).flat_map(|_| chords.clone()) {
        if !parts.is_empty() && is_slow {
            parts.push(wait(Duration::from_millis(delay)));
        }
        parts.push(press(keys, 1));
    }
    Ok(parts)
}

fn keydown(words: &mut Words<'_>) -> Result<Vec<Part>, CliError> {
    delay(words, "keydown")?;
    let down = |key| Part::Act(Action::KeyDown(v1::KeyDownAction { key, hold: hold() }));
    Ok(chords("keydown", words)?
        .into_iter()
        .flatten()
        .map(down)
        .collect())
}

fn keyup(words: &mut Words<'_>) -> Result<Vec<Part>, CliError> {
    delay(words, "keyup")?;
    let up = |key| Part::Act(Action::KeyUp(v1::KeyUpAction { key }));
    let chords = chords("keyup", words)?;
    // A chord is released in the reverse order.
    Ok(chords
        .into_iter()
        .flat_map(|chord| chord.into_iter().rev())
        .map(up)
        .collect())
}

fn delay(words: &mut Words<'_>, what: &str) -> Result<(), CliError> {
    options(words, |option, words| match option {
        "--delay" => words.number::<u64>(what).map(|_| true),
        _ => Ok(false),
    })
}

fn type_text(words: &mut Words<'_>) -> Result<Vec<Part>, CliError> {
    let (mut delay, mut file) = (USUAL_DELAY, None);
    options(words, |option, words| {
        match option {
            "--delay" => delay = words.number("type --delay")?,
            "--file" => file = Some(words.value("type --file")?.to_owned()),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    // xdotool types its arguments one after another, without a space.
    let text = match file {
        Some(file) => content(&file)?,
        None => words.rest().concat(),
    };
    if text.is_empty() {
        return Err(refused("type: give a text"));
    }
    let rate = (delay > USUAL_DELAY).then(|| u32::try_from(1000 / delay).unwrap_or(1).max(1));
    Ok(vec![Part::Act(Action::Type(v1::TypeAction { text, rate }))])
}

fn content(file: &str) -> Result<String, CliError> {
    let read = match file {
        "-" => {
            let mut text = Vec::new();
            std::io::stdin()
                .take(files::SMALL)
                .read_to_end(&mut text)
                .map(|_| text)
        }
        path => files::read_at_most(path.as_ref(), files::SMALL),
    };
    let bytes = read.map_err(|error| refused(format!("{file} cannot be read: {error}")))?;
    String::from_utf8(bytes).map_err(|_| refused(format!("{file} is not valid UTF-8")))
}

fn sleep(words: &mut Words<'_>) -> Result<Option<Part>, CliError> {
    let seconds: f64 = words.number("sleep")?;
    let time = Duration::try_from_secs_f64(seconds)
        .map_err(|_| refused(format!("sleep {seconds}: give seconds, at least 0")))?;
    Ok((time > Duration::ZERO).then(|| wait(time)))
}

fn wait(time: Duration) -> Part {
    Part::Act(Action::Wait(v1::WaitAction {
        duration: time.try_into().ok(),
    }))
}

fn location(words: &mut Words<'_>) -> Result<Part, CliError> {
    let (mut shell, mut prefix) = (false, String::new());
    options(words, |option, words| {
        match option {
            "--shell" => shell = true,
            "--prefix" => prefix = words.value("getmouselocation --prefix")?.to_owned(),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(Part::Location(shell.then_some(prefix)))
}

fn geometry(words: &mut Words<'_>) -> Result<Part, CliError> {
    let mut shell = false;
    options(words, |option, _| {
        shell |= option == "--shell";
        Ok(option == "--shell")
    })?;
    Ok(Part::Geometry(shell))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Vec<Part>, String> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        parse(&words).map_err(|error| error.message)
    }

    fn click(button: v1::Button, count: u32) -> Part {
        Part::Act(Action::Click(v1::ClickAction {
            at: None,
            button: button.into(),
            count: Some(count),
            modifiers: Vec::new(),
        }))
    }

    fn moved(x: i32, y: i32) -> Part {
        Part::Act(Action::Move(v1::MoveAction {
            to: Some((x, y).into()),
            modifiers: Vec::new(),
        }))
    }

    fn scrolled(dx: i32, dy: i32) -> Part {
        Part::Act(Action::Scroll(v1::ScrollAction {
            at: None,
            dx,
            dy,
            unit: v1::ScrollUnit::Notch.into(),
            modifiers: Vec::new(),
        }))
    }

    fn pressed(keys: &[&str]) -> Part {
        Part::Act(Action::Key(v1::KeyAction {
            keys: keys.iter().map(|key| (*key).to_owned()).collect(),
            repeat: Some(1),
            hold: None,
        }))
    }

    fn typed(text: &str, rate: Option<u32>) -> Part {
        Part::Act(Action::Type(v1::TypeAction {
            text: text.to_owned(),
            rate,
        }))
    }

    #[test]
    fn the_commands_of_published_agents_are_read() {
        use v1::Button::{Left, Middle, Right};
        for (line, parts) in [
            ("mousemove --sync 10 20", vec![moved(10, 20)]),
            (
                "mousemove 10 20 click 1",
                vec![moved(10, 20), click(Left, 1)],
            ),
            ("click 2", vec![click(Middle, 1)]),
            ("click 1 click 1", vec![click(Left, 2)]),
            ("click 1 click 1 click 1", vec![click(Left, 3)]),
            ("click 1 click 3", vec![click(Left, 1), click(Right, 1)]),
            (
                "click 1 sleep 1 click 1",
                vec![click(Left, 1), wait(Duration::from_secs(1)), click(Left, 1)],
            ),
            ("click --repeat 2 --delay 60 1", vec![click(Left, 2)]),
            ("click --repeat 3 --delay 10 1", vec![click(Left, 3)]),
            (
                "mousemove 5 6 click --repeat 4 5",
                vec![moved(5, 6), scrolled(0, 4)],
            ),
            ("click --repeat 2 6", vec![scrolled(-2, 0)]),
            (
                "click --repeat 2 --delay 900 3",
                vec![click(Right, 1), click(Right, 1)],
            ),
            ("key -- ctrl+s", vec![pressed(&["ctrl", "s"])]),
            (
                "key Down Down Return",
                vec![pressed(&["Down"]), pressed(&["Down"]), pressed(&["Return"])],
            ),
            (
                "key --repeat 2 a Return",
                vec![
                    pressed(&["a"]),
                    pressed(&["Return"]),
                    pressed(&["a"]),
                    pressed(&["Return"]),
                ],
            ),
            (
                "key --repeat 2 --delay 30 a",
                vec![
                    pressed(&["a"]),
                    wait(Duration::from_millis(30)),
                    pressed(&["a"]),
                ],
            ),
            ("version", vec![Part::Version]),
            ("key A", vec![pressed(&["Shift_L", "a"])]),
            (
                "key ctrl+plus click 1",
                vec![pressed(&["ctrl", "plus"]), click(Left, 1)],
            ),
            ("type --delay 12 -- hello", vec![typed("hello", None)]),
            ("type --delay 100 hello", vec![typed("hello", Some(10))]),
            (
                "type --clearmodifiers -- -1 click",
                vec![typed("-1click", None)],
            ),
            ("mousemove_relative -- -5 7", vec![Part::MoveBy(-5, 7)]),
            ("mousemove_relative -5 7", vec![Part::MoveBy(-5, 7)]),
            ("getmouselocation", vec![Part::Location(None)]),
            (
                "getmouselocation --shell",
                vec![Part::Location(Some(String::new()))],
            ),
            ("getdisplaygeometry", vec![Part::Geometry(false)]),
            (
                "sleep 0.5 click 1",
                vec![wait(Duration::from_millis(500)), click(Left, 1)],
            ),
        ] {
            assert_eq!(parsed(line), Ok(parts), "{line}");
        }
    }

    #[test]
    fn a_drag_holds_the_button_as_long_as_possible() {
        let parts = parsed("mousemove 1 2 mousedown 1 mousemove --sync 3 4 mouseup 1").unwrap();
        assert_eq!(parts.len(), 4);
        let Part::Act(Action::ButtonDown(down)) = &parts[1] else {
            panic!("{parts:?}")
        };
        assert_eq!(down.hold.map(|hold| hold.seconds), Some(300));
    }

    #[test]
    fn everything_else_is_refused_by_name() {
        for (line, name) in [
            ("search --name x", "\"search\""),
            ("windowactivate 5", "\"windowactivate\""),
            ("click --window 5 1", "\"--window\""),
            ("key --window 5 a", "\"--window\""),
            ("mousemove --polar 1 2", "\"--polar\""),
            ("mousemove restore", "\"mousemove restore\""),
            ("mousemove 10 20 exec ls", "\"exec\""),
            ("click ten", "\"ten\""),
            ("click 10", "button 10"),
            ("click --repeat 0 1", "--repeat 0"),
            ("mousemove 10", "mousemove Y"),
            ("key", "key requires"),
            ("key --repeat 600 a b", "at most 1000 keys"),
            ("type", "give a text"),
            ("sleep -1", "sleep -1"),
        ] {
            let message = parsed(line).unwrap_err();
            assert!(message.contains(name), "{line}: {message}");
        }
        assert!(parse(&[]).is_err());
    }
}
